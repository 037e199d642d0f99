/*
 * out - what commands print
 */
#include "cli/out.h"

#include "base/utf8.h"
#include "cli/cli.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { BAR_CELLS = 30, LINE_BYTES = 4096 };

size_t out_width(const char *text)
{
    struct slice bytes = slice_of(text);
    size_t width = 0;
    for (size_t at = 0; at < bytes.len; width++) {
        (void)utf8_next(bytes, &at);
    }
    return width;
}

/* --- tables --- */

void table_cell(struct out_table *table, const char *text)
{
    assert(table->columns <= OUT_COLUMNS_MAX);
    size_t start = table->cells.len;
    log_add_escaped(&table->cells, slice_of(text));
    buf_add_byte(&table->cells, '\0');
    if (table->cells.is_failed) {
        return;
    }
    size_t width = out_width(table->cells.ptr + start);
    if (width > table->widths[table->at]) {
        table->widths[table->at] = width;
    }
    table->at = (table->at + 1) % table->columns;
}

void table_count(struct out_table *table, uint64_t count)
{
    char text[OUT_COUNT_BYTES];
    (void)snprintf(text, sizeof text, "%" PRIu64, count);
    table_cell(table, text);
}

void table_format(struct out_table *table, const char *format, ...)
{
    char text[LINE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    table_cell(table, text);
}

static void add_padding(struct buf *line, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_add_byte(line, ' ');
    }
}

static void add_cell(const struct out_table *table, size_t column, const char *text,
                     struct buf *line)
{
    size_t pad = table->widths[column] - out_width(text);
    bool is_right = (table->right >> column & 1U) != 0;
    add_padding(line, is_right ? pad : 0);
    buf_add_text(line, text);
    add_padding(line, (is_right ? 0 : pad) + 2);
}

static void print_line(struct buf *line)
{
    size_t len = line->len;
    while (len > 0 && line->ptr[len - 1] == ' ') {
        len--;
    }
    (void)fwrite(buf_text(line), 1, len, stdout);
    (void)putchar('\n');
    buf_clear(line);
}

bool table_print(struct out_table *table, int indent)
{
    bool is_whole = !table->cells.is_failed && table->at == 0;
    size_t column = 0;
    struct buf line = BUF_EMPTY;
    for (size_t at = 0; is_whole && at < table->cells.len;) {
        const char *text = table->cells.ptr + at;
        add_padding(&line, column == 0 ? (size_t)indent : 0);
        add_cell(table, column, text, &line);
        column = (column + 1) % table->columns;
        at += strlen(text) + 1;
        if (column == 0) {
            print_line(&line);
        }
    }
    is_whole = is_whole && !line.is_failed;
    buf_release(&line);
    table_release(table);
    return is_whole;
}

void table_release(struct out_table *table)
{
    buf_release(&table->cells);
    memset(table->widths, 0, sizeof table->widths);
    table->at = 0;
}

/* --- texts --- */

void out_text(const char *text)
{
    struct buf shown = BUF_EMPTY;
    log_add_escaped(&shown, slice_of(text));
    (void)fputs(buf_text(&shown), stdout);
    buf_release(&shown);
}

void out_line(const char *format, ...)
{
    char text[2 * LINE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    out_text(text);
    (void)putchar('\n');
}

char *out_when(int64_t at_ns, char out[OUT_WHEN_BYTES])
{
    char date[CLOCK_DATE_BYTES];
    if (at_ns == INSTANT_NONE) {
        (void)snprintf(out, OUT_WHEN_BYTES, "-");
        return out;
    }
    (void)clock_local_date(at_ns, date);
    int minutes = clock_local_minutes(at_ns);
    int64_t seconds = at_ns / NS_PER_SECOND % 60; /* zones are whole minutes from UTC since 1970 */
    (void)snprintf(out, OUT_WHEN_BYTES, "%s %02d:%02d:%02d", date, minutes / 60, minutes % 60,
                   (int)seconds);
    return out;
}

char *out_bar(uint64_t done, uint64_t of, char out[OUT_BAR_BYTES])
{
    uint64_t shown = done > of ? of : done;
    int filled = of == 0 ? 0 : (int)((double)shown / (double)of * BAR_CELLS);
    int percent = of == 0 ? 0 : (int)((double)shown / (double)of * 100);
    char cells[BAR_CELLS + 1];
    memset(cells, '.', BAR_CELLS);
    memset(cells, '#', (size_t)filled);
    cells[BAR_CELLS] = '\0';
    if (of == 0) {
        (void)snprintf(out, OUT_BAR_BYTES, "[%s]", cells);
    } else {
        (void)snprintf(out, OUT_BAR_BYTES, "[%s] %3d%%", cells, percent);
    }
    return out;
}

/* --- JSON --- */

static json_t *text_value(const char *text)
{
    if (text == NULL) {
        return json_null();
    }
    json_t *value = json_string(text);
    if (value == NULL) { /* no UTF-8 */
        struct buf shown = BUF_EMPTY;
        log_add_escaped(&shown, slice_of(text));
        value = json_string(buf_text(&shown));
        buf_release(&shown);
    }
    return value;
}

void json_put_text(json_t *object, const char *key, const char *text)
{
    (void)json_object_set_new(object, key, text_value(text));
}

void json_put_count(json_t *object, const char *key, uint64_t count)
{
    (void)json_object_set_new(object, key, json_integer((json_int_t)count));
}

void json_put_bool(json_t *object, const char *key, bool value)
{
    (void)json_object_set_new(object, key, json_boolean(value));
}

void json_put_when(json_t *object, const char *key, int64_t at_ns)
{
    char text[INSTANT_TEXT_BYTES];
    json_put_text(object, key, at_ns == INSTANT_NONE ? NULL : instant_format_seconds(at_ns, text));
}

void json_put_money(json_t *object, const char *key, int64_t amount_minor, int digits)
{
    char text[DECIMAL_TEXT_BYTES];
    json_put_text(object, key, money_format(amount_minor, digits, text));
}

void json_add_text(json_t *array, const char *text)
{
    (void)json_array_append_new(array, text_value(text));
}

int json_print(json_t *value)
{
    char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(value);
    if (text == NULL) {
        return cli_no_memory();
    }
    (void)puts(text);
    free(text);
    return EX_OK;
}
