/*
 * csv - CSV files (RFC 4180, UTF-8) as a stream: blocks of whole rows, or one row after another
 *
 * Rules. Rows end with LF or CRLF; the last one may lack it. A BOM is skipped. A field that begins
 * with a quote ends with one, "" inside is a quote; a quote anywhere else in an unquoted field is
 * text (csv-spectrum wants it). The first row is the header: every name given, none twice. An empty
 * line is no row, except where there is one column only. A row that breaks a rule is malformed, and
 * the next line is the next row. Three things end the file as a whole, since nothing behind them
 * can be trusted: a quote that never closes, a limit that is passed, packed data that is damaged.
 *
 * Lines are physical lines from 1, the header's included; a row has the line that it begins on.
 */
#ifndef POSTROOM_AUDIENCE_CSV_H
#define POSTROOM_AUDIENCE_CSV_H

#include "audience/csv_scan.h"
#include "base/buf.h"
#include "base/err.h"
#include "sys/tee.h"

enum {
    CSV_BLOCK_BYTES = 256 * 1024,        /* read at a time: block and index stay in an L2 cache */
    CSV_FIELD_BYTES_MAX = 1024 * 1024,   /* as stored, quotes included */
    CSV_ROW_BYTES_MAX = 4 * 1024 * 1024, /* as stored, without the line end */
    CSV_COLUMNS_MAX = 4096
};

/* Whole rows. Zero-initialised is empty; the reader grows it as needed. */
struct csv_block {
    char *bytes; /* CSV_SLACK_BYTES behind len are readable */
    size_t len;
    size_t cap;
    uint64_t first_line; /* line of bytes[0] */
    uint64_t number;     /* 0, 1, 2, ... in the file */
    uint64_t at;         /* offset of bytes[0] in the file as unpacked */
    size_t skip_rows;    /* rows at its beginning that were used already: 1 where the header is */
};

struct csv_reader;

/*
 * csv_reader_open - begin to read a CSV file
 * fd, tee    as source_open: borrowed until csv_reader_free
 * name       for error texts; borrowed
 * Returns    RC_OK; RC_PERM ("NAME: ...") it cannot be read as bytes, or the delimiter cannot be
 * one; RC_IO; RC_NOMEM
 */
enum rc csv_reader_open(int fd, struct tee *tee, const char *name, char delimiter,
                        struct csv_reader **out, struct err *err) MUST_CHECK;

/*
 * csv_reader_next - the next block of whole rows, at least one
 * Returns   RC_OK; RC_GONE there is no more; RC_PERM ("NAME:LINE: ...") the file ends here with a
 *           fault of its own; RC_IO; RC_NOMEM
 * Cost      one copy from the page cache and one pass over the quotes
 */
enum rc csv_reader_next(struct csv_reader *reader, struct csv_block *block,
                        struct err *err) MUST_CHECK;

/* csv_reader_progress - bytes of the stored file read so far, and in all (0: not known) */
void csv_reader_progress(const struct csv_reader *reader, uint64_t *out_done, uint64_t *out_total);

/* csv_reader_plain_bytes - of the whole file; 0 where that is not known, or where it is packed */
uint64_t csv_reader_plain_bytes(const struct csv_reader *reader);

void csv_reader_free(struct csv_reader *reader);
void csv_block_release(struct csv_block *block);

/* One row of a scanned block. */
struct csv_row {
    const char *bytes;    /* of the block */
    const uint32_t *ends; /* of this row's fields */
    uint32_t start;
    uint32_t end;     /* without the line end */
    uint32_t columns; /* fields found, at least 1 */
    uint32_t line_in_block;
    enum csv_fault fault; /* what the scan saw */
};

static inline struct csv_row csv_row_at(const struct csv_block *block,
                                        const struct csv_index *index, size_t row)
{
    const struct csv_row_end *here = &index->rows[row];
    uint32_t first = row == 0 ? 0 : here[-1].last + 1;
    uint32_t start = first == 0 ? 0 : index->ends[first - 1] + 1;
    uint32_t end = index->ends[here->last];
    if (end > start && block->bytes[end - 1] == '\r') {
        end--;
    }
    return (struct csv_row){block->bytes,
                            index->ends + first,
                            start,
                            end,
                            here->last - first + 1,
                            row == 0 ? 0 : here[-1].lines,
                            (enum csv_fault)here->fault};
}

/* csv_row_raw - a field as it is stored, with its quotes */
static inline struct slice csv_row_raw(const struct csv_row *row, size_t column)
{
    uint32_t from = column == 0 ? row->start : row->ends[column - 1] + 1;
    uint32_t to = column + 1 == row->columns ? row->end : row->ends[column];
    return (struct slice){row->bytes + from, to - from};
}

/* csv_unquote - a field that begins with a quote, without its quotes; scratch has room for all
 * that are taken from one row (csv_scratch_ready) */
struct slice csv_unquote(struct slice raw, struct buf *scratch);

/* csv_scratch_ready - forget what was unquoted before and make room for a row; false: no memory */
static inline bool csv_scratch_ready(struct buf *scratch, const struct csv_row *row)
{
    scratch->len = 0;
    return scratch->cap > (size_t)(row->end - row->start) + 1 ||
           buf_reserve(scratch, row->end - row->start);
}

/* csv_row_field - the text of a field of a sound row; borrowed from block and scratch */
static inline struct slice csv_row_field(const struct csv_row *row, size_t column,
                                         struct buf *scratch)
{
    struct slice raw = csv_row_raw(row, column);
    return raw.len > 0 && raw.ptr[0] == '"' ? csv_unquote(raw, scratch) : raw;
}

/* csv_block_is_clean - no NUL byte and nothing that is no UTF-8 anywhere in the block */
bool csv_block_is_clean(const struct csv_block *block);

/* csv_row_fault - what makes a row malformed, if anything; is_clean: of its block */
enum csv_fault csv_row_fault(const struct csv_row *row, size_t columns, bool is_clean);

/* csv_fault_text - the rule and its mend, for a person; never NULL */
const char *csv_fault_text(enum csv_fault fault);

/* csv_row_is_long - limits must be looked at (a matter of one comparison for most rows) */
static inline bool csv_row_is_long(const struct csv_row *row)
{
    return row->end - row->start > CSV_FIELD_BYTES_MAX || row->columns > CSV_COLUMNS_MAX;
}

/* csv_row_limits - RC_OK, or RC_PERM ("NAME:LINE: ...") for a field, row or column limit passed */
enum rc csv_row_limits(const struct csv_row *row, const char *name, uint64_t line,
                       struct err *err) MUST_CHECK;

/* csv_put_field - append a field, in quotes where it needs them */
void csv_put_field(struct buf *out, struct slice text, char delimiter);

#endif
