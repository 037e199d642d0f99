/*
 * schema_write - structs back to text, by the same table
 */
#include "conf/value.h"

#include <assert.h>
#include <inttypes.h>

void conf_write_text(struct buf *out, const char *text)
{
    buf_add_byte(out, '"');
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        switch (c) {
        case '"':
            buf_add_text(out, "\\\"");
            break;
        case '\\':
            buf_add_text(out, "\\\\");
            break;
        case '\n':
            buf_add_text(out, "\\n");
            break;
        case '\r':
            buf_add_text(out, "\\r");
            break;
        case '\t':
            buf_add_text(out, "\\t");
            break;
        default:
            if (c < ' ' || c == 0x7f) {
                buf_add_format(out, "\\x%02x", c);
            } else {
                buf_add_byte(out, (char)c);
            }
            break;
        }
    }
    buf_add_byte(out, '"');
}

static void indent(struct buf *out, int depth)
{
    for (int i = 0; i < depth; i++) {
        buf_add_text(out, "    ");
    }
}

static void begin(struct buf *out, const struct schema_row *row, int depth)
{
    indent(out, depth);
    buf_add_text(out, row->key);
    buf_add_text(out, " = ");
}

static void write_int(struct buf *out, int64_t value)
{
    bool is_long = value < INT32_MIN || value > INT32_MAX;
    buf_add_format(out, "%" PRId64 "%s", value, is_long ? "L" : "");
}

static void write_instant(struct buf *out, int64_t ns)
{
    char text[INSTANT_TEXT_BYTES];
    int64_t fraction = ns % NS_PER_SECOND;
    buf_add_byte(out, '"');
    buf_add_text(out, instant_format_seconds(ns, text));
    if (fraction != 0) { /* years from 1970: never negative; in front of the Z */
        out->len -= out->is_failed ? 0 : 1;
        buf_add_format(out, ".%09" PRId64 "Z", fraction);
    }
    buf_add_byte(out, '"');
}

static void write_quoted_duration(struct buf *out, int64_t ns)
{
    buf_add_byte(out, '"');
    value_write_duration(ns, out);
    buf_add_byte(out, '"');
}

static void write_list(const struct schema_row *row, const void *from, struct buf *out, int depth)
{
    const char *items = *(const char *const *)((const char *)from + row->offset);
    size_t count = *(const size_t *)(const void *)((const char *)from + row->count_offset);
    if (count == 0) {
        return;
    }
    begin(out, row, depth);
    buf_add_text(out, "(\n");
    for (size_t i = 0; i < count; i++) {
        indent(out, depth + 1);
        buf_add_text(out, "{\n");
        schema_write(row->inner, items + i * row->inner->size, out, depth + 2);
        indent(out, depth + 1);
        buf_add_text(out, i + 1 < count ? "},\n" : "}\n");
    }
    indent(out, depth);
    buf_add_text(out, ");\n");
}

static void write_group(const struct schema_row *row, const void *field, struct buf *out, int depth)
{
    begin(out, row, depth);
    buf_add_text(out, "{\n");
    schema_write(row->inner, field, out, depth + 1);
    indent(out, depth);
    buf_add_text(out, "};\n");
}

static bool is_unset(const struct schema_row *row, const void *field)
{
    switch (row->type) {
    case SCHEMA_INT32:
        return *(const int32_t *)field == SCHEMA_NONE;
    case SCHEMA_INT64:
    case SCHEMA_SECONDS:
    case SCHEMA_DURATION:
    case SCHEMA_SIZE:
        return *(const int64_t *)field == SCHEMA_NONE;
    case SCHEMA_TEXT:
    case SCHEMA_PATH:
    case SCHEMA_ID:
        return *(const char *const *)field == NULL;
    case SCHEMA_DECIMAL:
        return !decimal_is_set(*(const struct decimal *)field);
    case SCHEMA_INSTANT:
        return *(const int64_t *)field == INSTANT_NONE;
    case SCHEMA_DATE:
        return *(const int32_t *)field == DATE_NONE;
    case SCHEMA_PATHS:
    case SCHEMA_TEXTS:
        return ((const struct texts *)field)->count == 0;
    case SCHEMA_DURATIONS:
        return ((const struct durations *)field)->count == 0;
    default:
        return false;
    }
}

static void write_items(const struct schema_row *row, const void *field, struct buf *out)
{
    buf_add_text(out, "[ ");
    if (row->type == SCHEMA_DURATIONS) {
        const struct durations *list = field;
        for (size_t i = 0; i < list->count; i++) {
            buf_add_text(out, i > 0 ? ", " : "");
            write_quoted_duration(out, list->items_ns[i]);
        }
    } else {
        const struct texts *list = field;
        for (size_t i = 0; i < list->count; i++) {
            buf_add_text(out, i > 0 ? ", " : "");
            conf_write_text(out, list->items[i]);
        }
    }
    buf_add_text(out, " ]");
}

static void write_plain(const struct schema_row *row, const void *field, struct buf *out)
{
    char date[DATE_TEXT_BYTES];
    switch (row->type) {
    case SCHEMA_BOOL:
        buf_add_text(out, *(const bool *)field ? "true" : "false");
        break;
    case SCHEMA_INT32:
        write_int(out, *(const int32_t *)field);
        break;
    case SCHEMA_INT64:
        write_int(out, *(const int64_t *)field);
        break;
    case SCHEMA_SECONDS:
        buf_add_format(out, "%" PRId64 ".%09" PRId64, *(const int64_t *)field / NS_PER_SECOND,
                       *(const int64_t *)field % NS_PER_SECOND);
        break;
    case SCHEMA_DECIMAL:
        buf_add_byte(out, '"');
        value_write_decimal(*(const struct decimal *)field, out);
        buf_add_byte(out, '"');
        break;
    case SCHEMA_DURATION:
        write_quoted_duration(out, *(const int64_t *)field);
        break;
    case SCHEMA_SIZE:
        buf_add_format(out, "\"%" PRId64 "\"", *(const int64_t *)field);
        break;
    case SCHEMA_INSTANT:
        write_instant(out, *(const int64_t *)field);
        break;
    case SCHEMA_DATE:
        buf_add_format(out, "\"%s\"", date_format(*(const int32_t *)field, date));
        break;
    case SCHEMA_ENUM:
        conf_write_text(out, row->words[*(const int *)field]);
        break;
    case SCHEMA_TEXTS:
    case SCHEMA_PATHS:
    case SCHEMA_DURATIONS:
        write_items(row, field, out);
        break;
    default:
        conf_write_text(out, *(const char *const *)field);
        break;
    }
}

static void write_row(const struct schema_row *row, const void *from, struct buf *out, int depth)
{
    const void *field = (const char *)from + row->offset;
    if (row->type == SCHEMA_LIST) {
        write_list(row, from, out, depth);
    } else if (row->type == SCHEMA_GROUP) {
        write_group(row, field, out, depth);
    } else if (row->type == SCHEMA_CUSTOM) {
        if (row->write != NULL) {
            row->write(row, field, out, depth);
        }
    } else if (!is_unset(row, field)) {
        begin(out, row, depth);
        write_plain(row, field, out);
        buf_add_text(out, ";\n");
    }
}

void schema_write(const struct schema *schema, const void *from, struct buf *out, int depth)
{
    for (size_t i = 0; i < schema->count; i++) {
        write_row(&schema->rows[i], from, out, depth);
    }
}

void schema_write_row(const struct schema *schema, const char *key, const void *from,
                      struct buf *out, int depth)
{
    for (size_t i = 0; i < schema->count; i++) {
        if (strcmp(schema->rows[i].key, key) == 0) {
            write_row(&schema->rows[i], from, out, depth);
            return;
        }
    }
    assert(false); /* no such key in the table: our own mistake */
}
