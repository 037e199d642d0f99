/*
 * out - what commands print: aligned tables, JSON lines, bars
 *
 * Everything that may have come from a drop is escaped: no control character of a delivery reaches
 * a terminal.
 */
#ifndef POSTROOM_CLI_OUT_H
#define POSTROOM_CLI_OUT_H

#include "base/buf.h"
#include "base/decimal.h"
#include "base/instant.h"

#include <jansson.h>
#include <stdint.h>

enum { OUT_COLUMNS_MAX = 16, OUT_COUNT_BYTES = 24, OUT_BAR_BYTES = 64, OUT_WHEN_BYTES = 32 };

/* Rows of texts, printed with aligned columns. */
struct out_table {
    struct buf cells; /* escaped, each ended by NUL */
    size_t columns;
    size_t at; /* cells in the row being made */
    size_t widths[OUT_COLUMNS_MAX];
    unsigned right; /* bit i: column i is numbers */
};

#define OUT_TABLE(column_count, right_bits)                                                        \
    ((struct out_table){.cells = BUF_EMPTY, .columns = (column_count), .right = (right_bits)})

/* table_cell - the next cell; rows follow each other */
void table_cell(struct out_table *table, const char *text);
void table_count(struct out_table *table, uint64_t count);
void table_format(struct out_table *table, const char *format, ...) PRINTF_LIKE(2, 3);

/* table_print - to stdout, each row after `indent` blanks, and forget the rows. Returns false
 * without memory. */
bool table_print(struct out_table *table, int indent);
void table_release(struct out_table *table);

/* out_text - a text to stdout, escaped */
void out_text(const char *text);

/* out_line - printf of one line whose arguments may come from anywhere: escaped as a whole, newline
 * added */
void out_line(const char *format, ...) PRINTF_LIKE(1, 2);

/* out_width - columns that a UTF-8 text takes on a terminal, one for each code point */
size_t out_width(const char *text);

/* out_when - an instant as people read it, local time: "2027-03-01 22:00:00"; "-" for INSTANT_NONE.
 * Returns out. */
char *out_when(int64_t at_ns, char out[OUT_WHEN_BYTES]);

/* out_bar - "[######....]  60%" of `done` in `of`; of 0: "[..........]" . Returns out. */
char *out_bar(uint64_t done, uint64_t of, char out[OUT_BAR_BYTES]);

/* --- JSON: setters that take what may be NULL or no UTF-8 --- */

/* json_put_text - NULL is written as null */
void json_put_text(json_t *object, const char *key, const char *text);
void json_put_count(json_t *object, const char *key, uint64_t count);
void json_put_bool(json_t *object, const char *key, bool value);
/* json_put_when - UTC to the second; INSTANT_NONE is null */
void json_put_when(json_t *object, const char *key, int64_t at_ns);
void json_put_money(json_t *object, const char *key, int64_t amount_minor, int digits);
void json_add_text(json_t *array, const char *text);

/* json_print - one line on stdout, and free the value. Returns 0, or 71 where memory ran out (also:
 * value NULL). */
int json_print(json_t *value);

#endif
