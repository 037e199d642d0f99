/*
 * value - texts to fields, with the limits of the row
 */
#include "conf/value.h"

#include "base/name.h"
#include "base/number.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

static const char *const TYPE_NAMES[] = {
    [SCHEMA_BOOL] = "true or false",
    [SCHEMA_INT32] = "a whole number",
    [SCHEMA_INT64] = "a whole number",
    [SCHEMA_SECONDS] = "a number of seconds, like 2 or 2.5",
    [SCHEMA_TEXT] = "a text in double quotes",
    [SCHEMA_PATH] = "a path in double quotes",
    [SCHEMA_PATHS] = "a list of paths, like [ \"a.csv\", \"b.csv\" ]",
    [SCHEMA_ID] = "a name in double quotes",
    [SCHEMA_DECIMAL] = "a decimal in double quotes, like \"12.50\"",
    [SCHEMA_DURATION] = "a duration in double quotes, like \"3d\" or \"90s\"",
    [SCHEMA_DURATIONS] = "a list of durations, like [ \"-1d\" ]",
    [SCHEMA_SIZE] = "a size in double quotes, like \"256MiB\"",
    [SCHEMA_INSTANT] = "a time in double quotes, like \"2027-03-01T22:00:00+01:00\"",
    [SCHEMA_DATE] = "a date in double quotes, like \"2027-03-05\"",
    [SCHEMA_ENUM] = "a word in double quotes",
    [SCHEMA_TEXTS] = "a list of texts, like [ \"a\", \"b\" ]",
    [SCHEMA_GROUP] = "a group { }",
    [SCHEMA_LIST] = "a list of groups, like ( { }, { } )",
    [SCHEMA_CUSTOM] = "another value",
};

const char *schema_type_name(enum schema_type type)
{
    return TYPE_NAMES[type];
}

void value_unset(const struct schema_row *row, void *field)
{
    switch (row->type) {
    case SCHEMA_BOOL:
        *(bool *)field = false;
        break;
    case SCHEMA_INT32:
        *(int32_t *)field = SCHEMA_NONE;
        break;
    case SCHEMA_INT64:
    case SCHEMA_SECONDS:
    case SCHEMA_DURATION:
    case SCHEMA_SIZE:
        *(int64_t *)field = SCHEMA_NONE;
        break;
    case SCHEMA_TEXT:
    case SCHEMA_PATH:
    case SCHEMA_ID:
        *(const char **)field = NULL;
        break;
    case SCHEMA_DECIMAL:
        *(struct decimal *)field = DECIMAL_NONE;
        break;
    case SCHEMA_INSTANT:
        *(int64_t *)field = INSTANT_NONE;
        break;
    case SCHEMA_DATE:
        *(int32_t *)field = DATE_NONE;
        break;
    case SCHEMA_ENUM:
        *(int *)field = 0;
        break;
    case SCHEMA_PATHS:
    case SCHEMA_TEXTS:
        *(struct texts *)field = (struct texts){NULL, 0};
        break;
    case SCHEMA_DURATIONS:
        *(struct durations *)field = (struct durations){NULL, 0};
        break;
    case SCHEMA_GROUP:
    case SCHEMA_LIST:
    case SCHEMA_CUSTOM:
        break;
    }
}

static enum rc wants(const struct schema_row *row, char *why)
{
    (void)snprintf(why, VALUE_WHY_BYTES, "wants %s", schema_type_name(row->type));
    return RC_PERM;
}

bool value_int_fits(const struct schema_row *row, int64_t value, char *why)
{
    int64_t min = row->min;
    int64_t max = row->max;
    if (min == 0 && max == 0) {
        min = row->type == SCHEMA_INT32 ? INT32_MIN : INT64_MIN;
        max = row->type == SCHEMA_INT32 ? INT32_MAX : INT64_MAX;
    }
    if (value >= min && value <= max) {
        return true;
    }
    (void)snprintf(why, VALUE_WHY_BYTES, "is outside %" PRId64 "..%" PRId64 "; write one within",
                   min, max);
    return false;
}

static enum rc check_text(const struct schema_row *row, struct slice text, char *why)
{
    size_t max = row->max > 0 ? (size_t)row->max : (size_t)SCHEMA_TEXT_BYTES_MAX;
    if (text.len > max) {
        (void)snprintf(why, VALUE_WHY_BYTES, "is longer than %zu bytes; shorten it", max);
        return RC_PERM;
    }
    if (text.len < (size_t)row->min) {
        (void)snprintf(why, VALUE_WHY_BYTES, "is empty; write something");
        return RC_PERM;
    }
    if (!utf8_is_valid(text)) { /* \xNN can make such bytes */
        (void)snprintf(why, VALUE_WHY_BYTES, "is not UTF-8; write the characters as they are");
        return RC_PERM;
    }
    bool has_lines = (row->flags & ROW_LINES) != 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool is_line = has_lines && (c == '\n' || c == '\r');
        if ((c < ' ' && c != '\t' && !is_line) || c == 0x7f) {
            (void)snprintf(why, VALUE_WHY_BYTES,
                           "holds a control character (byte %d); write one line of plain text", c);
            return RC_PERM;
        }
    }
    return RC_OK;
}

static enum rc keep_text(struct slice text, struct arena *arena, void *field)
{
    const char *kept = arena_text(arena, text);
    *(const char **)field = kept;
    return kept == NULL ? RC_NOMEM : RC_OK;
}

/* root is canonical (no symlinks), so "../" at the front is its parent. */
static enum rc keep_path(struct slice text, struct arena *arena, const char *root, void *field)
{
    if (text.len == 0) { /* "" is: not set */
        *(const char **)field = NULL;
        return RC_OK;
    }
    if (root == NULL || text.ptr[0] == '/') {
        return keep_text(text, arena, field);
    }
    struct slice base = slice_of(root);
    for (;;) { /* ends: text gets shorter */
        if (text.len >= 2 && text.ptr[0] == '.' && text.ptr[1] == '/') {
            text = (struct slice){text.ptr + 2, text.len - 2};
        } else if (text.len >= 3 && memcmp(text.ptr, "../", 3) == 0) {
            text = (struct slice){text.ptr + 3, text.len - 3};
            while (base.len > 0 && base.ptr[--base.len] != '/') {
            }
        } else {
            break;
        }
    }
    struct buf path = BUF_EMPTY;
    buf_add_slice(&path, base);
    buf_add_byte(&path, '/');
    buf_add_slice(&path, text);
    enum rc rc = path.is_failed ? RC_NOMEM : keep_text(buf_slice(&path), arena, field);
    buf_release(&path);
    return rc;
}

static enum rc enum_from_text(const struct schema_row *row, struct slice text, int *out, char *why)
{
    int shown = (int)row->max;
    for (int i = 0; row->words[i] != NULL; i++) {
        if (text.len == strlen(row->words[i]) &&
            (text.len == 0 || strncasecmp(text.ptr, row->words[i], text.len) == 0)) {
            *out = shown > 0 ? i % shown : i;
            return RC_OK;
        }
    }
    int used = snprintf(why, VALUE_WHY_BYTES, "wants one of");
    for (int i = 0; row->words[i] != NULL && (shown == 0 || i < shown); i++) {
        if (used < 0 || used >= VALUE_WHY_BYTES) {
            break;
        }
        used += snprintf(why + used, (size_t)(VALUE_WHY_BYTES - used), "%s \"%s\"",
                         i == 0 ? "" : ",", row->words[i]);
    }
    return RC_PERM;
}

static enum rc decimal_from_text(const struct schema_row *row, struct slice text,
                                 struct decimal *out, char *why)
{
    struct decimal value;
    enum rc rc = decimal_parse(text, &value);
    if (rc == RC_RANGE) {
        (void)snprintf(why, VALUE_WHY_BYTES, "has too many digits; %d behind the point at most",
                       DECIMAL_SCALE_MAX);
        return RC_PERM;
    }
    if (rc != RC_OK) {
        return wants(row, why);
    }
    if ((row->flags & ROW_POSITIVE) != 0 && value.units < 0) {
        (void)snprintf(why, VALUE_WHY_BYTES, "is below zero; write a positive amount");
        return RC_PERM;
    }
    *out = value;
    return RC_OK;
}

static enum rc time_from_text(const struct schema_row *row, struct slice text, void *field,
                              char *why)
{
    if (row->type == SCHEMA_DATE) {
        return date_parse(text, field) == RC_OK ? RC_OK : wants(row, why);
    }
    if (row->type == SCHEMA_INSTANT) {
        enum rc rc = instant_parse(text, field);
        if (rc == RC_RANGE) {
            (void)snprintf(why, VALUE_WHY_BYTES, "is outside the years 1970 to 2261");
        }
        return rc == RC_OK ? RC_OK : rc == RC_RANGE ? RC_PERM : wants(row, why);
    }
    int64_t ns = 0;
    if (number_parse_duration(text, &ns) != RC_OK) {
        return wants(row, why);
    }
    if ((row->flags & ROW_POSITIVE) != 0 && ns < 0) {
        (void)snprintf(why, VALUE_WHY_BYTES, "is below zero; write a positive duration");
        return RC_PERM;
    }
    *(int64_t *)field = ns;
    return RC_OK;
}

static enum rc size_from_text(const struct schema_row *row, struct slice text, int64_t *out,
                              char *why)
{
    uint64_t bytes = 0;
    if (number_parse_size(text, &bytes) != RC_OK) {
        return wants(row, why);
    }
    if (!value_int_fits(row, (int64_t)bytes, why)) {
        return RC_PERM;
    }
    *out = (int64_t)bytes;
    return RC_OK;
}

/* Defaults of numbers and booleans; people write these without quotes. */
static enum rc number_from_text(const struct schema_row *row, struct slice text, void *field,
                                char *why)
{
    if (row->type == SCHEMA_BOOL) {
        *(bool *)field = slice_equal_text(text, "true");
        return RC_OK;
    }
    int64_t value = 0;
    if (number_parse_i64(text, INT64_MIN, INT64_MAX, &value) != RC_OK) {
        return wants(row, why);
    }
    if (row->type == SCHEMA_INT32) {
        *(int32_t *)field = (int32_t)value;
    } else {
        *(int64_t *)field = row->type == SCHEMA_SECONDS ? value * NS_PER_SECOND : value;
    }
    return RC_OK;
}

enum rc value_from_text(const struct schema_row *row, struct slice text, struct arena *arena,
                        const char *root, void *field, char *why)
{
    switch (row->type) {
    case SCHEMA_TEXT:
    case SCHEMA_TEXTS: {
        enum rc rc = check_text(row, text, why);
        return rc == RC_OK ? keep_text(text, arena, field) : rc;
    }
    case SCHEMA_PATH:
    case SCHEMA_PATHS: {
        enum rc rc = check_text(row, text, why);
        return rc == RC_OK ? keep_path(text, arena, root, field) : rc;
    }
    case SCHEMA_ID:
        if (!id_is_valid(text)) {
            (void)snprintf(why, VALUE_WHY_BYTES,
                           "is no name; 1 to %d of A-Z a-z 0-9 . _ -, beginning with a letter or "
                           "digit",
                           ID_BYTES_MAX);
            return RC_PERM;
        }
        return keep_text(text, arena, field);
    case SCHEMA_DECIMAL:
        return decimal_from_text(row, text, field, why);
    case SCHEMA_ENUM:
        return enum_from_text(row, text, field, why);
    case SCHEMA_SIZE:
        return size_from_text(row, text, field, why);
    case SCHEMA_DURATION:
    case SCHEMA_DURATIONS:
    case SCHEMA_INSTANT:
    case SCHEMA_DATE:
        return time_from_text(row, text, field, why);
    case SCHEMA_BOOL:
    case SCHEMA_INT32:
    case SCHEMA_INT64:
    case SCHEMA_SECONDS:
        return number_from_text(row, text, field, why);
    case SCHEMA_GROUP:
    case SCHEMA_LIST:
    case SCHEMA_CUSTOM:
        break;
    }
    return wants(row, why);
}

void value_write_decimal(struct decimal value, struct buf *out)
{
    char digits[DECIMAL_TEXT_BYTES];
    uint64_t magnitude = value.units < 0 ? 0 - (uint64_t)value.units : (uint64_t)value.units;
    /* one digit before the point at least */
    int len = snprintf(digits, sizeof digits, "%0*" PRIu64, value.scale + 1, magnitude);
    size_t whole = (size_t)(len - value.scale);
    buf_add_text(out, value.units < 0 ? "-" : "");
    buf_add(out, digits, whole);
    if (value.scale > 0) {
        buf_add_byte(out, '.');
        buf_add(out, digits + whole, (size_t)value.scale);
    }
}

void value_write_duration(int64_t ns, struct buf *out)
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"d", 86400 * NS_PER_SECOND},
                 {"h", 3600 * NS_PER_SECOND},
                 {"m", 60 * NS_PER_SECOND},
                 {"s", NS_PER_SECOND},
                 {"ms", NS_PER_SECOND / 1000}};
    size_t i = 0;
    while (i + 1 < sizeof units / sizeof units[0] && (ns == 0 || ns % units[i].ns != 0)) {
        i++; /* the largest unit that divides it; the shortest that can be written is 1 ms */
    }
    buf_add_format(out, "%" PRId64 "%s", ns / units[i].ns, units[i].unit);
}
