/*
 * csv_cursor - one row after another of a CSV file, with the header understood
 *
 * Contract in the header.
 */
#include "audience/csv_cursor.h"

#include "base/arena.h"
#include "base/name.h"

#include <stdlib.h>

struct csv_cursor {
    struct csv_reader *reader;
    const char *name;
    char delimiter;
    struct csv_block block;
    struct csv_index index;
    bool is_clean;   /* the block */
    size_t next_row; /* in the block */
    struct arena arena;
    char **names;
    size_t columns;
    struct slice *fields;
    struct buf scratch;
};

static enum rc no_memory(struct err *err)
{
    err_set(err, RC_NOMEM, "no memory");
    return RC_NOMEM; /* stated for analysers, which do not see what err_set returns */
}

static enum rc next_block(struct csv_cursor *cursor, struct err *err)
{
    enum rc rc = csv_reader_next(cursor->reader, &cursor->block, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (!csv_scan(CSV_BEST, cursor->block.bytes, cursor->block.len, cursor->delimiter,
                  &cursor->index)) {
        return no_memory(err);
    }
    cursor->is_clean = csv_block_is_clean(&cursor->block);
    cursor->next_row = 0;
    return RC_OK;
}

/* Find two equal names by sorting pointers to them: 4096 names are 8 million pairs. */
static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum rc check_names(struct csv_cursor *cursor, unsigned long long line, struct err *err)
{
    char **sorted = arena_array(&cursor->arena, cursor->columns, sizeof *sorted);
    if (sorted == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < cursor->columns; i++) {
        if (cursor->names[i][0] == '\0') {
            return err_set(err, RC_PERM, "%s:%llu: column %zu has no name; give it one",
                           cursor->name, line, i + 1);
        }
        sorted[i] = cursor->names[i];
    }
    qsort(sorted, cursor->columns, sizeof *sorted, compare_names);
    for (size_t i = 1; i < cursor->columns; i++) {
        if (strcmp(sorted[i - 1], sorted[i]) == 0) {
            return err_set(err, RC_PERM,
                           "%s:%llu: the column name \"%.100s\" stands twice; rename one",
                           cursor->name, line, sorted[i]);
        }
    }
    return RC_OK;
}

static enum rc read_header(struct csv_cursor *cursor, struct err *err)
{
    enum rc rc = next_block(cursor, err);
    if (rc == RC_GONE) {
        return err_set(err, RC_PERM, "%s:1: the file is empty; its first row names the columns",
                       cursor->name);
    }
    if (rc != RC_OK) {
        return rc;
    }
    unsigned long long line = cursor->block.first_line;
    struct csv_row row = csv_row_at(&cursor->block, &cursor->index, 0);
    rc = csv_row_is_long(&row) ? csv_row_limits(&row, cursor->name, line, err) : RC_OK;
    if (rc != RC_OK) {
        return rc;
    }
    enum csv_fault fault = csv_row_fault(&row, row.columns, cursor->is_clean);
    if (fault != CSV_SOUND) {
        return err_set(err, RC_PERM, "%s:%llu: %s", cursor->name, line, csv_fault_text(fault));
    }
    if (!csv_scratch_ready(&cursor->scratch, &row)) {
        return no_memory(err);
    }
    cursor->columns = row.columns;
    cursor->names = arena_array(&cursor->arena, row.columns, sizeof *cursor->names);
    cursor->fields = arena_array(&cursor->arena, row.columns, sizeof *cursor->fields);
    if (cursor->names == NULL || cursor->fields == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < row.columns; i++) {
        cursor->names[i] = arena_text(&cursor->arena, csv_row_field(&row, i, &cursor->scratch));
        if (cursor->names[i] == NULL) {
            return no_memory(err);
        }
    }
    cursor->next_row = 1;
    cursor->block.skip_rows = 1;
    return check_names(cursor, line, err);
}

enum rc csv_cursor_open(int fd, const char *name, char delimiter, struct csv_cursor **out,
                        struct err *err)
{
    return csv_cursor_open_tee(fd, NULL, name, delimiter, out, err);
}

enum rc csv_cursor_open_tee(int fd, struct tee *tee, const char *name, char delimiter,
                            struct csv_cursor **out, struct err *err)
{
    struct csv_cursor *cursor = calloc(1, sizeof *cursor);
    if (cursor == NULL) {
        return no_memory(err);
    }
    cursor->name = name;
    cursor->delimiter = delimiter;
    cursor->index = CSV_INDEX_EMPTY;
    cursor->arena = ARENA_EMPTY;
    cursor->scratch = BUF_EMPTY;
    enum rc rc = csv_reader_open(fd, tee, name, delimiter, &cursor->reader, err);
    if (rc == RC_OK) {
        rc = read_header(cursor, err);
    }
    if (rc != RC_OK) {
        csv_cursor_free(cursor);
        return rc;
    }
    *out = cursor;
    return RC_OK;
}

void csv_cursor_free(struct csv_cursor *cursor)
{
    if (cursor == NULL) {
        return;
    }
    csv_reader_free(cursor->reader);
    csv_block_release(&cursor->block);
    csv_index_release(&cursor->index);
    buf_release(&cursor->scratch);
    arena_release(&cursor->arena);
    free(cursor);
}

const char *const *csv_cursor_names(const struct csv_cursor *cursor, size_t *out_count)
{
    *out_count = cursor->columns;
    return (const char *const *)cursor->names;
}

size_t csv_cursor_column(const struct csv_cursor *cursor, const char *name)
{
    for (size_t i = 0; i < cursor->columns; i++) {
        if (strcmp(cursor->names[i], name) == 0) {
            return i;
        }
    }
    return CSV_NO_COLUMN;
}

enum rc csv_cursor_want(const struct csv_cursor *cursor, const char *name, size_t *out_column,
                        struct err *err)
{
    size_t column = csv_cursor_column(cursor, name);
    if (column != CSV_NO_COLUMN) {
        *out_column = column;
        return RC_OK;
    }
    const char *near =
        name_nearest(slice_of(name), (const char *const *)cursor->names, cursor->columns);
    if (near == NULL) {
        return err_set(err, RC_PERM, "%s:1: no column \"%.100s\"; add it, or check the delimiter",
                       cursor->name, name);
    }
    return err_set(err, RC_PERM, "%s:1: no column \"%.100s\"; did you mean \"%.100s\"?",
                   cursor->name, name, near);
}

uint64_t csv_cursor_bytes(const struct csv_cursor *cursor)
{
    return csv_reader_plain_bytes(cursor->reader);
}

enum rc csv_cursor_next(struct csv_cursor *cursor, struct csv_record *out, struct err *err)
{
    for (;;) {
        if (cursor->next_row >= cursor->index.rows_count) {
            enum rc rc = next_block(cursor, err);
            if (rc != RC_OK) {
                return rc;
            }
        }
        struct csv_row row = csv_row_at(&cursor->block, &cursor->index, cursor->next_row++);
        if (row.start == row.end && cursor->columns > 1) {
            continue;
        }
        uint64_t line = cursor->block.first_line + row.line_in_block;
        if (csv_row_is_long(&row)) {
            enum rc rc = csv_row_limits(&row, cursor->name, line, err);
            if (rc != RC_OK) {
                return rc;
            }
        }
        *out = (struct csv_record){cursor->fields, row.columns, line,
                                   csv_row_fault(&row, cursor->columns, cursor->is_clean)};
        if (out->fault != CSV_SOUND) {
            return RC_OK;
        }
        if (!csv_scratch_ready(&cursor->scratch, &row)) {
            return no_memory(err);
        }
        for (size_t i = 0; i < row.columns; i++) {
            cursor->fields[i] = csv_row_field(&row, i, &cursor->scratch);
        }
        return RC_OK;
    }
}

struct csv_reader *csv_cursor_take(struct csv_cursor *cursor, struct csv_block *out_block)
{
    *out_block = cursor->block;
    cursor->block = (struct csv_block){0};
    csv_index_release(&cursor->index);
    cursor->next_row = 0;
    return cursor->reader;
}
