/*
 * schema_read - libconfig's tree into structs, by the table
 *
 * Faults never end the reading: each is added to the problems, the field keeps what it had, and the
 * next setting is looked at. Only memory running out does.
 */
#include "base/name.h"
#include "conf/value.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

bool texts_have(struct texts texts, const char *text)
{
    for (size_t i = 0; i < texts.count; i++) {
        if (strcmp(texts.items[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static void *field_of(void *base, size_t offset)
{
    return (char *)base + offset;
}

/* --- defaults --- */

static enum rc default_row(const struct schema_row *row, struct arena *arena, void *into)
{
    void *field = field_of(into, row->offset);
    if (row->type == SCHEMA_GROUP) {
        return schema_defaults(row->inner, arena, field);
    }
    if (row->type == SCHEMA_LIST) {
        *(void **)field = NULL;
        *(size_t *)field_of(into, row->count_offset) = 0;
        return RC_OK;
    }
    value_unset(row, field);
    if (row->initial == NULL || row->type == SCHEMA_CUSTOM) {
        return RC_OK;
    }
    char why[VALUE_WHY_BYTES];
    enum rc rc = value_from_text(row, slice_of(row->initial), arena, NULL, field, why);
    assert(rc != RC_PERM); /* a default in a table of ours is good */
    return rc;
}

enum rc schema_defaults(const struct schema *schema, struct arena *arena, void *into)
{
    memset(into, 0, schema->size);
    for (size_t i = 0; i < schema->count; i++) {
        enum rc rc = default_row(&schema->rows[i], arena, into);
        if (rc != RC_OK) {
            return rc;
        }
    }
    return RC_OK;
}

/* --- faults --- */

static struct place place_of(const struct schema_reader *reader, const config_setting_t *setting)
{
    return (struct place){reader->file, (int)config_setting_source_line(setting)};
}

void schema_fault(struct schema_reader *reader, const config_setting_t *setting, const char *format,
                  ...)
{
    char text[ERR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    problems_add(reader->problems, place_of(reader, setting), "%s", text);
}

static const char *found_name(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
        return "a group { }";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return "a whole number";
    case CONFIG_TYPE_FLOAT:
        return "a number with a point";
    case CONFIG_TYPE_STRING:
        return "a text";
    case CONFIG_TYPE_BOOL:
        return "true or false";
    case CONFIG_TYPE_ARRAY:
        return "a list [ ]";
    default:
        return "a list ( )";
    }
}

static void fault_type(struct schema_reader *reader, const struct schema_row *row,
                       const config_setting_t *setting)
{
    schema_fault(reader, setting, "%s wants %s, not %s", row->key, schema_type_name(row->type),
                 found_name(setting));
}

static void fault_unknown(struct schema_reader *reader, const struct schema *schema,
                          const config_setting_t *setting)
{
    const char *known[SCHEMA_ROWS_MAX];
    assert(schema->count <= SCHEMA_ROWS_MAX);
    for (size_t i = 0; i < schema->count; i++) {
        known[i] = schema->rows[i].key;
    }
    const char *name = config_setting_name(setting);
    const char *nearest = name_nearest(slice_of(name), known, schema->count);
    if (nearest != NULL) {
        schema_fault(reader, setting, "unknown setting '%s'; did you mean '%s'?", name, nearest);
    } else {
        schema_fault(reader, setting, "unknown setting '%s' in %s; remove it", name, schema->name);
    }
}

/* --- plain values --- */

static void take_rc(struct schema_reader *reader, const struct schema_row *row,
                    const config_setting_t *setting, enum rc rc, const char *why)
{
    if (rc == RC_NOMEM) {
        reader->is_no_memory = true;
    } else if (rc != RC_OK) {
        schema_fault(reader, setting, "%s %s", row->key, why);
    }
}

static void read_number(struct schema_reader *reader, const struct schema_row *row,
                        const config_setting_t *setting, void *field)
{
    int type = config_setting_type(setting);
    char why[VALUE_WHY_BYTES];
    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) {
        fault_type(reader, row, setting);
        return;
    }
    int64_t value = config_setting_get_int64(setting);
    if (!value_int_fits(row, value, why)) {
        schema_fault(reader, setting, "%s %s", row->key, why);
    } else if (row->type == SCHEMA_INT32) {
        *(int32_t *)field = (int32_t)value;
    } else {
        *(int64_t *)field = value;
    }
}

/* The one place where a float is read: seconds of patience, never money. */
static void read_seconds(struct schema_reader *reader, const struct schema_row *row,
                         const config_setting_t *setting, int64_t *out)
{
    if (config_setting_is_number(setting) != CONFIG_TRUE) {
        fault_type(reader, row, setting);
        return;
    }
    double seconds = config_setting_type(setting) == CONFIG_TYPE_FLOAT
                         ? config_setting_get_float(setting)
                         : (double)config_setting_get_int64(setting);
    if (!(seconds >= (double)row->min && seconds <= (double)row->max)) {
        schema_fault(reader, setting, "%s is outside %" PRId64 "..%" PRId64 " seconds", row->key,
                     row->min, row->max);
        return;
    }
    *out = (int64_t)(seconds * (double)NS_PER_SECOND + 0.5);
}

static void read_text(struct schema_reader *reader, const struct schema_row *row,
                      const config_setting_t *setting, void *field)
{
    if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
        fault_type(reader, row, setting);
        return;
    }
    char why[VALUE_WHY_BYTES];
    struct slice text = slice_of(config_setting_get_string(setting));
    take_rc(reader, row, setting,
            value_from_text(row, text, reader->arena, reader->root, field, why), why);
}

static bool is_list(const config_setting_t *setting)
{
    int type = config_setting_type(setting);
    return type == CONFIG_TYPE_LIST || type == CONFIG_TYPE_ARRAY;
}

/* An entry of a list is a text? Otherwise the fault is told. */
static bool entry_is_text(struct schema_reader *reader, const struct schema_row *row,
                          const config_setting_t *entry)
{
    if (config_setting_type(entry) == CONFIG_TYPE_STRING) {
        return true;
    }
    fault_type(reader, row, entry);
    return false;
}

static void read_texts(struct schema_reader *reader, const struct schema_row *row,
                       const config_setting_t *setting, struct texts *out)
{
    size_t before = reader->is_joining ? out->count : 0;
    size_t added = (size_t)config_setting_length(setting);
    const char **items = arena_array(reader->arena, before + added, sizeof *items);
    if (items == NULL) {
        reader->is_no_memory = true;
        return;
    }
    for (size_t i = 0; i < before; i++) {
        items[i] = out->items[i];
    }
    size_t count = before;
    for (size_t i = 0; i < added; i++) {
        const config_setting_t *entry = config_setting_get_elem(setting, (unsigned)i);
        char why[VALUE_WHY_BYTES];
        if (entry_is_text(reader, row, entry)) {
            struct slice text = slice_of(config_setting_get_string(entry));
            enum rc rc =
                value_from_text(row, text, reader->arena, reader->root, &items[count], why);
            take_rc(reader, row, entry, rc, why);
            count += rc == RC_OK && items[count] != NULL;
        }
    }
    *out = (struct texts){count == 0 ? NULL : items, count};
}

static void read_durations(struct schema_reader *reader, const struct schema_row *row,
                           const config_setting_t *setting, struct durations *out)
{
    size_t length = (size_t)config_setting_length(setting);
    int64_t *items = arena_array(reader->arena, length, sizeof *items);
    if (items == NULL) {
        reader->is_no_memory = true;
        return;
    }
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        const config_setting_t *entry = config_setting_get_elem(setting, (unsigned)i);
        char why[VALUE_WHY_BYTES];
        if (entry_is_text(reader, row, entry)) {
            struct slice text = slice_of(config_setting_get_string(entry));
            enum rc rc = value_from_text(row, text, reader->arena, NULL, &items[count], why);
            take_rc(reader, row, entry, rc, why);
            count += rc == RC_OK;
        }
    }
    *out = (struct durations){count == 0 ? NULL : items, count};
}

/* --- groups and lists --- */

static void check_required(struct schema_reader *reader, const struct schema *schema,
                           const config_setting_t *group)
{
    for (size_t i = 0; i < schema->count && !reader->is_far; i++) {
        const struct schema_row *row = &schema->rows[i];
        if ((row->flags & ROW_REQUIRED) != 0 &&
            config_setting_get_member(group, row->key) == NULL) {
            bool is_file = config_setting_is_root(group);
            schema_fault(reader, group, "%s%s%s is missing; add it", is_file ? "" : schema->name,
                         is_file ? "" : ": ", row->key);
        }
    }
}

/* A name that an entry before has already is told once. */
static void check_unique(struct schema_reader *reader, const struct schema *schema,
                         const config_setting_t *entry, const void *items, size_t at)
{
    if (schema->name_offset == SCHEMA_NOWHERE) {
        return;
    }
    const char *base = items;
    const char *name = *(const char *const *)(base + at * schema->size + schema->name_offset);
    for (size_t i = 0; name != NULL && i < at; i++) {
        const char *item = base + i * schema->size;
        const char *other = *(const char *const *)(item + schema->name_offset);
        if (other == NULL || strcmp(other, name) != 0) {
            continue;
        }
        if (schema->place_offset != SCHEMA_NOWHERE) {
            const struct place *at_first = (const void *)(item + schema->place_offset);
            schema_fault(reader, entry, "%s '%s' stands in %s:%d already; keep one", schema->name,
                         name, at_first->file, at_first->line);
        } else {
            schema_fault(reader, entry, "%s '%s' stands twice; keep one", schema->name, name);
        }
        return;
    }
}

static const struct schema_row *row_by_key(const struct schema *schema, const char *key)
{
    for (size_t i = 0; i < schema->count; i++) {
        if (strcmp(schema->rows[i].key, key) == 0) {
            return &schema->rows[i];
        }
    }
    return NULL;
}

static void set_place(const struct schema_reader *reader, const struct schema *schema,
                      const config_setting_t *setting, void *into)
{
    if (schema->place_offset != SCHEMA_NOWHERE) {
        *(struct place *)field_of(into, schema->place_offset) = place_of(reader, setting);
    }
}

static void read_entry(struct schema_reader *reader, const struct schema *schema,
                       const config_setting_t *entry, void *into)
{
    if (config_setting_type(entry) == CONFIG_TYPE_GROUP) {
        schema_read_group(reader, schema, entry, into);
    } else if (schema->short_key != NULL && config_setting_type(entry) == CONFIG_TYPE_STRING) {
        const struct schema_row *row = row_by_key(schema, schema->short_key);
        assert(row != NULL); /* a table names a key of its own */
        set_place(reader, schema, entry, into);
        read_text(reader, row, entry, field_of(into, row->offset));
    } else {
        schema_fault(reader, entry, "%s wants a group { }, not %s", schema->name,
                     found_name(entry));
    }
}

static void read_list(struct schema_reader *reader, const struct schema_row *row,
                      const config_setting_t *setting, void *into)
{
    const struct schema *inner = row->inner;
    void **items_field = field_of(into, row->offset);
    size_t *count_field = field_of(into, row->count_offset);
    size_t before = reader->is_joining && reader->in_list == 0 ? *count_field : 0;
    size_t added = (size_t)config_setting_length(setting);
    size_t most = row->max > 0 ? (size_t)row->max : (size_t)SCHEMA_LIST_MAX;
    if (before + added > most) {
        schema_fault(reader, setting, "%s has more than %zu entries; shorten it", row->key, most);
        return;
    }
    char *items = arena_array(reader->arena, before + added, inner->size);
    if (items == NULL) {
        reader->is_no_memory = true;
        return;
    }
    if (before > 0) {
        memcpy(items, *items_field, before * inner->size);
    }
    reader->in_list++;
    for (size_t i = 0; i < added && !reader->is_no_memory; i++) {
        void *item = items + (before + i) * inner->size;
        const config_setting_t *entry = config_setting_get_elem(setting, (unsigned)i);
        if (schema_defaults(inner, reader->arena, item) != RC_OK) {
            reader->is_no_memory = true;
            break;
        }
        read_entry(reader, inner, entry, item);
        check_unique(reader, inner, entry, items, before + i);
    }
    reader->in_list--;
    *items_field = before + added == 0 ? NULL : items;
    *count_field = before + added;
}

/* In joined files one plain setting stands once. False: it stood before, and the fault is told. */
static bool is_first(struct schema_reader *reader, const struct schema_row *row,
                     const config_setting_t *setting, const void *field)
{
    bool joins = row->type == SCHEMA_LIST || row->type == SCHEMA_TEXTS ||
                 row->type == SCHEMA_PATHS || row->type == SCHEMA_GROUP ||
                 (row->flags & ROW_MANY) != 0;
    if (!reader->is_joining || reader->in_list > 0 || joins) {
        return true;
    }
    for (size_t i = 0; i < reader->seen_count; i++) {
        const struct schema_seen *seen = &reader->seen[i];
        if (seen->field == field && seen->key == row->key) {
            schema_fault(reader, setting, "%s is set in %s:%d already; keep one", row->key,
                         seen->at.file, seen->at.line);
            return false;
        }
    }
    if (reader->seen_count < SCHEMA_SEEN_MAX) {
        reader->seen[reader->seen_count++] =
            (struct schema_seen){field, row->key, place_of(reader, setting)};
    }
    return true;
}

static void read_value(struct schema_reader *reader, const struct schema_row *row,
                       const config_setting_t *setting, void *into)
{
    void *field = field_of(into, row->offset);
    switch (row->type) {
    case SCHEMA_BOOL:
        if (config_setting_type(setting) != CONFIG_TYPE_BOOL) {
            fault_type(reader, row, setting);
        } else {
            *(bool *)field = config_setting_get_bool(setting) != CONFIG_FALSE;
        }
        return;
    case SCHEMA_INT32:
    case SCHEMA_INT64:
        read_number(reader, row, setting, field);
        return;
    case SCHEMA_SECONDS:
        read_seconds(reader, row, setting, field);
        return;
    case SCHEMA_TEXTS:
    case SCHEMA_PATHS:
    case SCHEMA_DURATIONS:
    case SCHEMA_LIST:
        if (!is_list(setting)) {
            fault_type(reader, row, setting);
        } else if (row->type == SCHEMA_LIST) {
            read_list(reader, row, setting, into);
        } else if (row->type == SCHEMA_DURATIONS) {
            read_durations(reader, row, setting, field);
        } else {
            read_texts(reader, row, setting, field);
        }
        return;
    case SCHEMA_GROUP:
        if (config_setting_is_group(setting) != CONFIG_TRUE) {
            fault_type(reader, row, setting);
        } else {
            schema_read_group(reader, row->inner, setting, field);
        }
        return;
    case SCHEMA_CUSTOM:
        row->read(reader, row, setting, field);
        return;
    default:
        read_text(reader, row, setting, field);
        return;
    }
}

static void read_row(struct schema_reader *reader, const struct schema_row *row,
                     const config_setting_t *setting, void *into)
{
    if ((row->flags & ROW_REFUSED) != 0) {
        schema_fault(reader, setting, "%s is not available in this version; remove it", row->key);
        return;
    }
    if ((row->flags & ROW_OWN) != 0 && reader->is_far) {
        schema_fault(reader, setting, "%s stands in a delivery only; remove it here", row->key);
        return;
    }
    if ((row->flags & ROW_LATER) != 0) {
        problems_warn(reader->problems, place_of(reader, setting),
                      "%s is not used by this version; it may stay", row->key);
    }
    if (is_first(reader, row, setting, field_of(into, row->offset))) {
        read_value(reader, row, setting, into);
    }
}

static void read_group(struct schema_reader *reader, const struct schema *schema,
                       const config_setting_t *group, void *into, const struct schema *skip)
{
    int length = config_setting_length(group);
    set_place(reader, schema, group, into);
    for (int i = 0; i < length && !reader->is_no_memory; i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        const char *key = config_setting_name(setting);
        const struct schema_row *row = row_by_key(schema, key);
        if (skip != NULL && row_by_key(skip, key) != NULL) {
            continue;
        }
        if (row != NULL) {
            read_row(reader, row, setting, into);
        } else if (!schema->has_extra) {
            fault_unknown(reader, schema, setting);
        }
    }
    check_required(reader, schema, group);
}

void schema_read_group(struct schema_reader *reader, const struct schema *schema,
                       const config_setting_t *group, void *into)
{
    read_group(reader, schema, group, into, NULL);
}

enum rc schema_read(struct schema_reader *reader, const struct schema *schema,
                    const config_setting_t *group, void *into, struct err *err)
{
    read_group(reader, schema, group, into, reader->skip);
    if (reader->is_no_memory) {
        return err_set(err, RC_NOMEM, "%s: out of memory", reader->file);
    }
    return RC_OK;
}
