/*
 * recipients - one CSV written in order, read from anywhere
 */
#include "channel/recipients.h"

#include "audience/csv.h"
#include "base/arena.h"
#include "sys/calls.h"
#include "sys/fs.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    OWN_COLUMNS = 3, /* number, key, address */
    WRITE_BYTES = 256 * 1024,
    WINDOW_BYTES = 256 * 1024,
    /* A row is never longer than the recipients' own, but for its number and more quotes. */
    WINDOW_BYTES_MAX = 2 * CSV_ROW_BYTES_MAX + WINDOW_BYTES,
    INTERRUPTS_MAX = 1000
};

/* --- writing --- */

void recipients_line(struct slice key, struct slice address, const struct slice *fields,
                     size_t count, struct buf *out)
{
    csv_put_field(out, key, ',');
    buf_add_byte(out, ',');
    csv_put_field(out, address, ',');
    for (size_t i = 0; i < count; i++) {
        buf_add_byte(out, ',');
        csv_put_field(out, fields[i], ',');
    }
}

/* The field that begins at *at, without its quotes; *at moves behind it. NULL: no memory. */
static const char *take_field(struct slice line, size_t *at, struct arena *arena, size_t *out_len)
{
    char *text = arena_alloc(arena, line.len - *at + 1);
    bool is_quoted = *at < line.len && line.ptr[*at] == '"';
    size_t len = 0;
    size_t i = *at + is_quoted;
    if (text == NULL) {
        return NULL;
    }
    for (; i < line.len; i++) {
        bool is_mark = is_quoted && line.ptr[i] == '"';
        bool is_double = is_mark && i + 1 < line.len && line.ptr[i + 1] == '"';
        if ((is_mark && !is_double) || (!is_quoted && line.ptr[i] == ',')) {
            break;
        }
        i += is_double;
        text[len++] = line.ptr[i];
    }
    text[len] = '\0';
    *out_len = len;
    *at = i + (is_quoted && i < line.len);
    return text;
}

enum rc recipients_line_read(struct slice line, size_t count, struct arena *arena,
                             struct slice *out, struct err *err)
{
    size_t at = 0;
    for (size_t i = 0; i < count + 2; i++) {
        bool is_parted = i == 0 || (at < line.len && line.ptr[at] == ',');
        at += i > 0;
        const char *text = is_parted ? take_field(line, &at, arena, &out[i].len) : NULL;
        if (text == NULL) {
            return is_parted ? err_set(err, RC_NOMEM, "no memory for a recipient")
                             : err_set(err, RC_CORRUPT, "a recipient's line lacks a column");
        }
        out[i].ptr = text;
    }
    return at == line.len ? RC_OK
                          : err_set(err, RC_CORRUPT, "a recipient's line has too many columns");
}

struct recipients_writer {
    int fd;
    uint32_t total;
    struct buf buf;
};

enum rc recipients_writer_open(int dirfd, const char *const *columns, size_t count,
                               struct recipients_writer **out, struct err *err)
{
    struct recipients_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        return err_set(err, RC_NOMEM, RECIPIENTS_FILE ": no memory");
    }
    enum rc rc = fs_create(dirfd, RECIPIENTS_FILE, RECIPIENTS_MODE, &writer->fd, err);
    if (rc != RC_OK) {
        free(writer);
        return rc;
    }
    buf_add_text(&writer->buf, "number,key,address");
    for (size_t i = 0; i < count; i++) {
        buf_add_byte(&writer->buf, ',');
        csv_put_field(&writer->buf, slice_of(columns[i]), ',');
    }
    buf_add_byte(&writer->buf, '\n');
    *out = writer;
    return RC_OK;
}

static enum rc flush(struct recipients_writer *writer, struct err *err)
{
    enum rc rc = buf_ok(&writer->buf, err);
    rc = rc == RC_OK ? fs_write_all(writer->fd, writer->buf.ptr, writer->buf.len, err) : rc;
    writer->buf.len = 0;
    return rc == RC_OK ? rc : err_add(err, rc, RECIPIENTS_FILE);
}

enum rc recipients_writer_add(struct recipients_writer *writer, struct slice line, struct err *err)
{
    if (writer->total >= RECIPIENTS_MAX) {
        return err_set(err, RC_RANGE, "more than %d recipients; send several deliveries",
                       RECIPIENTS_MAX);
    }
    writer->total++;
    buf_add_format(&writer->buf, "%u,", writer->total);
    buf_add_slice(&writer->buf, line);
    buf_add_byte(&writer->buf, '\n');
    return writer->buf.len >= WRITE_BYTES || writer->buf.is_failed ? flush(writer, err) : RC_OK;
}

enum rc recipients_writer_end(struct recipients_writer *writer, uint32_t *out_total,
                              struct err *err)
{
    enum rc rc = flush(writer, err);
    rc = rc == RC_OK ? fs_close(&writer->fd, err) : rc;
    *out_total = writer->total;
    return rc;
}

void recipients_writer_free(struct recipients_writer *writer)
{
    if (writer != NULL) {
        fs_drop(&writer->fd);
        buf_release(&writer->buf);
        free(writer);
    }
}

/* --- reading --- */

struct recipients {
    int fd;
    struct arena arena; /* of the names */
    const char **names;
    struct slice *fields; /* of the row that is read */
    size_t columns;       /* ours too */
    uint32_t total;
    uint64_t *places; /* of the rows 1, 257, 513, ... */
    size_t place_count;
    size_t place_cap;
    /* the window: whole rows, its first has the number `first` (0: the header) */
    struct csv_block block;
    struct csv_index index;
    uint64_t at;   /* of the window in the file */
    uint64_t next; /* behind it */
    uint32_t first;
    struct buf scratch;
};

static enum rc damaged(uint32_t number, const char *what, struct err *err)
{
    return err_set(err, RC_CORRUPT, RECIPIENTS_FILE ": row %u: %s; restore the file", number, what);
}

/* Reads on until the window is full or the file is at its end. */
static enum rc fill(struct recipients *list, bool *out_end, struct err *err)
{
    struct csv_block *block = &list->block;
    for (int interrupts = 0; block->len + CSV_SLACK_BYTES < block->cap;) {
        ssize_t got =
            pread(list->fd, block->bytes + block->len, block->cap - CSV_SLACK_BYTES - block->len,
                  (off_t)(list->at + block->len));
        if (got < 0 && (errno != EINTR || ++interrupts > INTERRUPTS_MAX)) {
            return sys_err(err, errno, RECIPIENTS_FILE ": read");
        }
        if (got == 0) {
            *out_end = true;
            break;
        }
        block->len += got > 0 ? (size_t)got : 0;
    }
    memset(block->bytes + block->len, 0, CSV_SLACK_BYTES);
    return RC_OK;
}

static enum rc grow(struct recipients *list, size_t cap, struct err *err)
{
    struct csv_block *block = &list->block;
    if (cap > block->cap) {
        char *bytes = realloc(block->bytes, cap);
        if (bytes == NULL) {
            return err_set(err, RC_NOMEM, RECIPIENTS_FILE ": no memory");
        }
        block->bytes = bytes;
        block->cap = cap;
    }
    return RC_OK;
}

/* The rows from `at` on into the window. RC_GONE: the file ends there. */
static enum rc move_to(struct recipients *list, uint64_t at, uint32_t first, struct err *err)
{
    struct csv_split split = {.state = CSV_START};
    bool is_end = false;
    enum rc rc = grow(list, WINDOW_BYTES, err);
    list->at = at;
    list->first = first;
    list->block.len = 0;
    list->index.rows_count = 0;
    while (rc == RC_OK && split.row_end == 0) {
        rc = fill(list, &is_end, err);
        split = (struct csv_split){.state = CSV_START};
        if (rc == RC_OK) {
            csv_split(CSV_BEST, list->block.bytes, 0, list->block.len, ',', &split);
        }
        if (rc == RC_OK && split.row_end == 0) {
            if (is_end) {
                return list->block.len == 0 ? RC_GONE : damaged(first, "does not end", err);
            }
            rc = list->block.cap >= WINDOW_BYTES_MAX ? damaged(first, "does not end", err)
                                                     : grow(list, 2 * list->block.cap, err);
        }
    }
    if (rc != RC_OK) {
        return rc;
    }
    list->block.len = split.row_end;
    list->next = at + split.row_end;
    return csv_scan(CSV_BEST, list->block.bytes, list->block.len, ',', &list->index)
               ? RC_OK
               : err_set(err, RC_NOMEM, RECIPIENTS_FILE ": no memory");
}

static bool is_number(struct slice text, uint32_t number)
{
    char wanted[16];
    int len = snprintf(wanted, sizeof wanted, "%u", number);
    return text.len == (size_t)len && memcmp(text.ptr, wanted, text.len) == 0;
}

static enum rc check_row(const struct recipients *list, size_t row_at, bool is_clean,
                         struct err *err)
{
    struct csv_row row = csv_row_at(&list->block, &list->index, row_at);
    uint32_t number = list->first + (uint32_t)row_at;
    enum csv_fault fault = csv_row_fault(&row, list->columns, is_clean);
    if (fault != CSV_SOUND) {
        return damaged(number, "is malformed", err);
    }
    return is_number(csv_row_raw(&row, 0), number) ? RC_OK
                                                   : damaged(number, "has another number", err);
}

static enum rc note_place(struct recipients *list, size_t row_at, struct err *err)
{
    if ((list->first + row_at) % RECIPIENTS_EVERY != 1 % RECIPIENTS_EVERY) {
        return RC_OK;
    }
    if (list->place_count == list->place_cap) {
        size_t cap = list->place_cap == 0 ? 64 : 2 * list->place_cap;
        uint64_t *places = realloc(list->places, cap * sizeof *places);
        if (places == NULL) {
            return err_set(err, RC_NOMEM, RECIPIENTS_FILE ": no memory");
        }
        list->places = places;
        list->place_cap = cap;
    }
    struct csv_row row = csv_row_at(&list->block, &list->index, row_at);
    list->places[list->place_count++] = list->at + row.start;
    return RC_OK;
}

static enum rc read_header(struct recipients *list, struct err *err)
{
    enum rc rc = move_to(list, 0, 0, err);
    if (rc != RC_OK) {
        return rc == RC_GONE ? damaged(0, "the header is missing", err) : rc;
    }
    struct csv_row row = csv_row_at(&list->block, &list->index, 0);
    list->columns = row.columns;
    list->names = arena_array(&list->arena, row.columns, sizeof *list->names);
    list->fields = arena_array(&list->arena, row.columns, sizeof *list->fields);
    if (list->names == NULL || list->fields == NULL || !csv_scratch_ready(&list->scratch, &row)) {
        return err_set(err, RC_NOMEM, RECIPIENTS_FILE ": no memory");
    }
    for (size_t i = 0; i < row.columns; i++) {
        list->names[i] = arena_text(&list->arena, csv_row_field(&row, i, &list->scratch));
        if (list->names[i] == NULL) {
            return err_set(err, RC_NOMEM, RECIPIENTS_FILE ": no memory");
        }
    }
    static const char *const own[OWN_COLUMNS] = {"number", "key", "address"};
    for (size_t i = 0; i < OWN_COLUMNS; i++) {
        if (i >= row.columns || strcmp(list->names[i], own[i]) != 0) {
            return damaged(0, "the header is another", err);
        }
    }
    return RC_OK;
}

/* Every row, and where each 256th is. */
static enum rc read_through(struct recipients *list, struct err *err)
{
    enum rc rc = read_header(list, err);
    while (rc == RC_OK) {
        bool is_clean = csv_block_is_clean(&list->block);
        uint32_t rows = (uint32_t)list->index.rows_count;
        for (size_t i = list->first == 0 ? 1 : 0; rc == RC_OK && i < rows; i++) {
            rc = check_row(list, i, is_clean, err);
            rc = rc == RC_OK ? note_place(list, i, err) : rc;
        }
        if (rc == RC_OK && list->first + rows - 1 > RECIPIENTS_MAX) {
            rc = damaged(RECIPIENTS_MAX, "has more behind it than there can be", err);
        }
        if (rc == RC_OK) {
            list->total = list->first + rows - 1;
            rc = move_to(list, list->next, list->first + rows, err);
        }
    }
    return rc == RC_GONE ? RC_OK : rc;
}

enum rc recipients_open(int fd, struct recipients **out, struct err *err)
{
    struct recipients *list = calloc(1, sizeof *list);
    if (list == NULL) {
        return err_set(err, RC_NOMEM, RECIPIENTS_FILE ": no memory");
    }
    list->fd = fd;
    enum rc rc = read_through(list, err);
    if (rc != RC_OK) {
        recipients_free(list);
        return rc;
    }
    *out = list;
    return RC_OK;
}

void recipients_free(struct recipients *list)
{
    if (list != NULL) {
        arena_release(&list->arena);
        csv_block_release(&list->block);
        csv_index_release(&list->index);
        buf_release(&list->scratch);
        free(list->places);
        free(list);
    }
}

uint32_t recipients_total(const struct recipients *list)
{
    return list->total;
}

const char *const *recipients_columns(const struct recipients *list, size_t *out_count)
{
    *out_count = list->columns - OWN_COLUMNS;
    return list->names + OWN_COLUMNS;
}

static bool is_in_window(const struct recipients *list, uint32_t number)
{
    return number >= list->first && number - list->first < list->index.rows_count;
}

/* Reading upwards goes on window by window; a jump begins at the nearest place before. */
static enum rc bring(struct recipients *list, uint32_t number, struct err *err)
{
    uint32_t behind = list->first + (uint32_t)list->index.rows_count;
    size_t place = (number - 1) / RECIPIENTS_EVERY;
    assert(place < list->place_count);
    bool is_next = list->index.rows_count > 0 && number == behind;
    enum rc rc =
        is_next ? move_to(list, list->next, behind, err)
                : move_to(list, list->places[place], (uint32_t)place * RECIPIENTS_EVERY + 1, err);
    /* Long rows: fewer than RECIPIENTS_EVERY fit into a window. */
    for (int i = 0; rc == RC_OK && !is_in_window(list, number) && i < RECIPIENTS_EVERY; i++) {
        rc = move_to(list, list->next, list->first + (uint32_t)list->index.rows_count, err);
    }
    if (rc == RC_GONE || (rc == RC_OK && !is_in_window(list, number))) {
        rc = damaged(number, "is not there any more", err);
    }
    return rc;
}

enum rc recipients_read(struct recipients *list, uint32_t number, struct recipient *out,
                        struct err *err)
{
    assert(number >= 1 && number <= list->total);
    enum rc rc = is_in_window(list, number) ? RC_OK : bring(list, number, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct csv_row row = csv_row_at(&list->block, &list->index, number - list->first);
    if (row.columns != list->columns || row.fault != CSV_SOUND ||
        !is_number(csv_row_raw(&row, 0), number)) {
        return damaged(number, "was changed", err);
    }
    if (!csv_scratch_ready(&list->scratch, &row)) {
        return err_set(err, RC_NOMEM, RECIPIENTS_FILE ": no memory");
    }
    for (size_t i = 1; i < list->columns; i++) {
        list->fields[i] = csv_row_field(&row, i, &list->scratch);
    }
    *out = (struct recipient){number, list->fields[1], list->fields[2], list->fields + OWN_COLUMNS,
                              list->columns - OWN_COLUMNS};
    return RC_OK;
}
