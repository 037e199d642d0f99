/*
 * csv_cursor - one row after another of a CSV file, with the header understood
 *
 * For files that are read once by one thread: lists, seeds, and the header of recipients.
 */
#ifndef POSTROOM_AUDIENCE_CSV_CURSOR_H
#define POSTROOM_AUDIENCE_CSV_CURSOR_H

#include "audience/csv.h"

#define CSV_NO_COLUMN SIZE_MAX

struct csv_cursor;

struct csv_record {
    const struct slice *fields; /* count of them; valid until the next csv_cursor_next */
    size_t count;               /* columns of the header, or as many as the malformed row has */
    uint64_t line;
    enum csv_fault fault; /* CSV_SOUND, or malformed: fields hold nothing then */
};

/*
 * csv_cursor_open - read the header
 * fd, name   borrowed until csv_cursor_free
 * Returns    RC_OK; RC_PERM ("NAME:LINE: ...") no header, a malformed one, an empty name, a name
 *            given twice, more than CSV_COLUMNS_MAX; what csv_reader_open and _next return
 */
enum rc csv_cursor_open(int fd, const char *name, char delimiter, struct csv_cursor **out,
                        struct err *err) MUST_CHECK;

/* csv_cursor_open_tee - csv_cursor_open of a file that is copied as it is read (source_open) */
enum rc csv_cursor_open_tee(int fd, struct tee *tee, const char *name, char delimiter,
                            struct csv_cursor **out, struct err *err) MUST_CHECK;

/* csv_cursor_names - the header; borrowed from the cursor */
const char *const *csv_cursor_names(const struct csv_cursor *cursor, size_t *out_count);

/* csv_cursor_column - place of a name, CSV_NO_COLUMN where the header lacks it */
size_t csv_cursor_column(const struct csv_cursor *cursor, const char *name);

/*
 * csv_cursor_want - csv_cursor_column, or the error that says what is near
 * Returns   RC_OK; RC_PERM "NAME:1: no column "x"; did you mean "y"?"
 */
enum rc csv_cursor_want(const struct csv_cursor *cursor, const char *name, size_t *out_column,
                        struct err *err) MUST_CHECK;

/* csv_cursor_bytes - of the file as stored; 0 where that is not known, or where it is packed */
uint64_t csv_cursor_bytes(const struct csv_cursor *cursor);

/* csv_cursor_next - the next row; RC_OK; RC_GONE there is none; else as csv_reader_next, limits too
 */
enum rc csv_cursor_next(struct csv_cursor *cursor, struct csv_record *out,
                        struct err *err) MUST_CHECK;

/*
 * csv_cursor_take - go on by blocks: the cursor's block (its skip_rows set) becomes the caller's,
 * and the reader, which stays the cursor's, stands behind it. Only before the first
 * csv_cursor_next.
 */
struct csv_reader *csv_cursor_take(struct csv_cursor *cursor, struct csv_block *out_block);

void csv_cursor_free(struct csv_cursor *cursor);

#endif
