/*
 * csv - CSV files (RFC 4180, UTF-8) as a stream of blocks of whole rows
 *
 * Contract in the header. A block is what was left behind the last row of the block before, and the
 * next CSV_BLOCK_BYTES of the file, cut behind its last row. Where a block holds no end of a row it
 * grows, until a limit is certainly passed.
 */
#include "audience/csv.h"

#include "audience/source.h"

#include <stdlib.h>

/* A run of bytes this long without the end of a row breaks a limit, whatever follows. */
#define HOPELESS_BYTES ((size_t)CSV_ROW_BYTES_MAX + 2)

struct csv_reader {
    struct source *source;
    const char *name;
    char delimiter;
    bool is_ended;
    struct buf carry;    /* bytes behind the last row of the last block */
    uint64_t first_line; /* line of the next block's first byte */
    uint64_t at;         /* offset of that byte */
    uint64_t next_number;
    struct csv_split split; /* state behind the carry; row_end 0; lines from first_line on */
};

static enum rc no_memory(struct err *err)
{
    err_set(err, RC_NOMEM, "no memory");
    return RC_NOMEM; /* stated for analysers, which do not see what err_set returns */
}

enum rc csv_reader_open(int fd, struct tee *tee, const char *name, char delimiter,
                        struct csv_reader **out, struct err *err)
{
    if (delimiter == '"' || delimiter == '\n' || delimiter == '\r' || delimiter == '\0' ||
        (unsigned char)delimiter >= 0x80) {
        return err_set(err, RC_PERM, "%s: this character cannot be the delimiter; use , ; or a tab",
                       name);
    }
    struct csv_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        return no_memory(err);
    }
    reader->name = name;
    reader->delimiter = delimiter;
    reader->first_line = 1;
    reader->split.state = CSV_START;
    enum rc rc = source_open(fd, tee, &reader->source, err);
    if (rc != RC_OK) {
        free(reader);
        return err_add(err, rc, "%s", name);
    }
    *out = reader;
    return RC_OK;
}

void csv_reader_free(struct csv_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    source_free(reader->source);
    buf_release(&reader->carry);
    free(reader);
}

void csv_block_release(struct csv_block *block)
{
    free(block->bytes);
    *block = (struct csv_block){0};
}

void csv_reader_progress(const struct csv_reader *reader, uint64_t *out_done, uint64_t *out_total)
{
    *out_done = source_done_bytes(reader->source);
    *out_total = source_total_bytes(reader->source);
}

uint64_t csv_reader_plain_bytes(const struct csv_reader *reader)
{
    return source_is_packed(reader->source) ? 0 : source_total_bytes(reader->source);
}

static bool block_reserve(struct csv_block *block, size_t size)
{
    if (block->cap >= size) {
        return true;
    }
    char *bytes = realloc(block->bytes, size);
    if (bytes == NULL) {
        return false;
    }
    block->bytes = bytes;
    block->cap = size;
    return true;
}

static uint64_t lines_in(const char *bytes, size_t len)
{
    uint64_t lines = 0;
    const char *end = bytes + len;
    const char *at = bytes;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        lines++;
        at++;
    }
    return lines;
}

/* The unfinished row at the head of the block breaks a limit: which one, and where it began.
 * Finding no long field in it means that the row as a whole is too long. */
static enum rc hopeless(const struct csv_reader *reader, const struct csv_block *block,
                        struct err *err)
{
    enum csv_state state = CSV_START;
    uint64_t line = reader->first_line;
    uint64_t field_line = line;
    size_t field_at = 0;
    bool is_quoted = false;

    for (size_t i = 0; i < block->len; i++) {
        char c = block->bytes[i];
        line += c == '\n';
        if (state == CSV_QUOTED) {
            state = c == '"' ? CSV_CLOSED : CSV_QUOTED;
        } else if (c == '"' && state != CSV_UNQUOTED) {
            state = CSV_QUOTED;
            is_quoted = true;
        } else if (c == reader->delimiter) {
            state = CSV_START;
            field_at = i + 1;
            field_line = line;
            is_quoted = false;
        } else {
            state = CSV_UNQUOTED;
        }
        if (i + 1 - field_at > CSV_FIELD_BYTES_MAX) {
            return err_set(err, RC_PERM, "%s:%llu: a field is longer than %d bytes; %s",
                           reader->name, (unsigned long long)field_line, CSV_FIELD_BYTES_MAX,
                           is_quoted ? "look for a quote that is never closed" : "shorten it");
        }
    }
    return err_set(err, RC_PERM, "%s:%llu: a row is longer than %d bytes; shorten it", reader->name,
                   (unsigned long long)reader->first_line, CSV_ROW_BYTES_MAX);
}

static enum rc never_closed(const struct csv_reader *reader, const struct csv_block *block,
                            struct err *err)
{
    struct csv_split split = {CSV_START, 0, 0};
    uint64_t line = reader->first_line;

    for (size_t i = 0; i < block->len; i++) {
        enum csv_state before = split.state;
        uint64_t here = reader->first_line + split.lines;
        csv_split(CSV_PLAIN, block->bytes, i, i + 1, reader->delimiter, &split);
        if (before == CSV_START && split.state == CSV_QUOTED) {
            line = here;
        }
    }
    return err_set(err, RC_PERM,
                   "%s:%llu: a quote that opens on this line is never closed; close it",
                   reader->name, (unsigned long long)line);
}

/* The encodings that spreadsheets write and that are no UTF-8 show in the first two bytes. */
static enum rc look_at_beginning(struct csv_reader *reader, struct csv_block *block,
                                 struct err *err)
{
    if (block->len >= 2 &&
        (memcmp(block->bytes, "\xff\xfe", 2) == 0 || memcmp(block->bytes, "\xfe\xff", 2) == 0)) {
        return err_set(err, RC_PERM, "%s:1: the file is UTF-16; save it as UTF-8", reader->name);
    }
    if (block->len >= 3 && memcmp(block->bytes, "\xef\xbb\xbf", 3) == 0) {
        memmove(block->bytes, block->bytes + 3, block->len - 3);
        block->len -= 3;
        reader->at = 3;
    }
    return RC_OK;
}

/* One more read behind what the block holds; the split moves to the new end. */
static enum rc more(struct csv_reader *reader, struct csv_block *block, struct err *err)
{
    size_t from = block->len;
    size_t got = 0;

    if (!block_reserve(block, from + CSV_BLOCK_BYTES + 1 + CSV_SLACK_BYTES)) {
        return no_memory(err);
    }
    enum rc rc = source_read(reader->source, block->bytes + from, CSV_BLOCK_BYTES, &got, err);
    if (rc != RC_OK) {
        unsigned long long line = reader->first_line + reader->split.lines;
        return err_add(err, rc, "%s:%llu", reader->name, line);
    }
    reader->is_ended = got < CSV_BLOCK_BYTES;
    block->len += got;
    if (reader->next_number == 0 && from == 0) {
        rc = look_at_beginning(reader, block, err);
        if (rc != RC_OK) {
            return rc;
        }
    }
    csv_split(CSV_BEST, block->bytes, from, block->len, reader->delimiter, &reader->split);
    if (!reader->is_ended || block->len == 0 || reader->split.row_end == block->len ||
        reader->split.state == CSV_QUOTED) {
        return RC_OK;
    }
    /* the last row may lack its line end */
    block->bytes[block->len++] = '\n';
    csv_split(CSV_PLAIN, block->bytes, block->len - 1, block->len, reader->delimiter,
              &reader->split);
    return RC_OK;
}

/* Take over what the last block left, as the beginning of this one. */
static enum rc begin(struct csv_reader *reader, struct csv_block *block, struct err *err)
{
    if (!block_reserve(block, reader->carry.len + CSV_BLOCK_BYTES + 1 + CSV_SLACK_BYTES)) {
        return no_memory(err);
    }
    if (reader->carry.len > 0) {
        memcpy(block->bytes, reader->carry.ptr, reader->carry.len);
    }
    block->len = reader->carry.len;
    block->first_line = reader->first_line;
    block->skip_rows = 0;
    return RC_OK;
}

/* Cut behind the last row and keep the rest for the next block. */
static enum rc cut(struct csv_reader *reader, struct csv_block *block, struct err *err)
{
    size_t row_end = reader->split.row_end;
    uint64_t behind = lines_in(block->bytes + row_end, block->len - row_end);

    buf_clear(&reader->carry);
    buf_add(&reader->carry, block->bytes + row_end, block->len - row_end);
    enum rc rc = buf_ok(&reader->carry, err);
    if (rc != RC_OK) {
        return rc;
    }
    block->len = row_end;
    memset(block->bytes + row_end, 0, CSV_SLACK_BYTES);
    block->number = reader->next_number++;
    block->at = reader->at;
    reader->at += row_end;
    reader->first_line += reader->split.lines - behind;
    reader->split.lines = behind;
    reader->split.row_end = 0;
    return RC_OK;
}

enum rc csv_reader_next(struct csv_reader *reader, struct csv_block *block, struct err *err)
{
    enum rc rc = begin(reader, block, err);
    while (rc == RC_OK && reader->split.row_end == 0) {
        if (block->len > HOPELESS_BYTES) {
            return hopeless(reader, block, err);
        }
        if (reader->is_ended) {
            if (block->len == 0) {
                return RC_GONE;
            }
            return never_closed(reader, block, err);
        }
        rc = more(reader, block, err);
    }
    return rc == RC_OK ? cut(reader, block, err) : rc;
}

struct slice csv_unquote(struct slice raw, struct buf *scratch)
{
    const char *from = raw.ptr + 1;
    size_t len = raw.len >= 2 ? raw.len - 2 : 0;
    const char *quote = len == 0 ? NULL : memchr(from, '"', len);

    if (quote == NULL) {
        return (struct slice){from, len};
    }
    char *start = scratch->ptr + scratch->len;
    char *to = start;
    const char *end = from + len;
    while (quote != NULL) {
        size_t run = (size_t)(quote - from) + 1; /* with the first of the two quotes */
        memcpy(to, from, run);
        to += run;
        from = quote + 1 < end ? quote + 2 : end;
        quote = from < end ? memchr(from, '"', (size_t)(end - from)) : NULL;
    }
    memcpy(to, from, (size_t)(end - from));
    to += end - from;
    scratch->len += (size_t)(to - start);
    return (struct slice){start, (size_t)(to - start)};
}

bool csv_block_is_clean(const struct csv_block *block)
{
    return memchr(block->bytes, '\0', block->len) == NULL &&
           csv_utf8_is_valid(CSV_BEST, block->bytes, block->len);
}

enum csv_fault csv_row_fault(const struct csv_row *row, size_t columns, bool is_clean)
{
    if (row->fault != CSV_SOUND) {
        return row->fault;
    }
    if (!is_clean) {
        size_t len = row->end - row->start;
        if (memchr(row->bytes + row->start, '\0', len) != NULL) {
            return CSV_NUL_BYTE;
        }
        /* the line end behind the row is the ASCII byte that the check wants at the end */
        if (!csv_utf8_is_valid(CSV_BEST, row->bytes + row->start, len + 1)) {
            return CSV_NOT_UTF8;
        }
    }
    return row->columns == columns ? CSV_SOUND : CSV_FIELD_COUNT;
}

const char *csv_fault_text(enum csv_fault fault)
{
    static const char *const TEXTS[] = {
        [CSV_SOUND] = "sound",
        [CSV_TEXT_AFTER_QUOTE] = "text stands behind a closing quote; double the quotes inside",
        [CSV_STRAY_CR] = "a CR stands without its LF; end lines with LF or CRLF",
        [CSV_FIELD_COUNT] =
            "not as many fields as the header has names; check delimiter and quotes",
        [CSV_NOT_UTF8] = "not UTF-8; save the file as UTF-8",
        [CSV_NUL_BYTE] = "a NUL byte; save the file as plain UTF-8 text"};
    return TEXTS[fault];
}

enum rc csv_row_limits(const struct csv_row *row, const char *name, uint64_t line, struct err *err)
{
    unsigned long long at = line;

    if (row->columns > CSV_COLUMNS_MAX) {
        return err_set(err, RC_PERM, "%s:%llu: more than %d fields; leave out columns", name, at,
                       CSV_COLUMNS_MAX);
    }
    for (size_t i = 0; i < row->columns; i++) {
        if (csv_row_raw(row, i).len > CSV_FIELD_BYTES_MAX) {
            return err_set(err, RC_PERM, "%s:%llu: a field is longer than %d bytes; shorten it",
                           name, at, CSV_FIELD_BYTES_MAX);
        }
    }
    if (row->end - row->start > CSV_ROW_BYTES_MAX) {
        return err_set(err, RC_PERM, "%s:%llu: a row is longer than %d bytes; shorten it", name, at,
                       CSV_ROW_BYTES_MAX);
    }
    return RC_OK;
}

void csv_put_field(struct buf *out, struct slice text, char delimiter)
{
    bool is_plain = true;
    for (size_t i = 0; i < text.len && is_plain; i++) {
        char c = text.ptr[i];
        is_plain = c != '"' && c != '\n' && c != '\r' && c != delimiter;
    }
    if (is_plain) {
        buf_add_slice(out, text);
        return;
    }
    buf_add_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"') {
            buf_add_byte(out, '"');
        }
        buf_add_byte(out, text.ptr[i]);
    }
    buf_add_byte(out, '"');
}
