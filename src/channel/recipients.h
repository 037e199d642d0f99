/*
 * recipients - sending/recipients.csv: who gets an online delivery, fixed when sending starts
 *
 * CSV (RFC 4180, commas, LF) with a header: number, key, address, then the columns that the content
 * uses. Rows are numbered from 1 in the order in which they are sent to; the number is all that
 * progress and the reference (ID-n) say of a recipient. Written once by one writer, then only read,
 * so it lives in this room: above the CSV of the audience, beside what sends.
 */
#ifndef POSTROOM_CHANNEL_RECIPIENTS_H
#define POSTROOM_CHANNEL_RECIPIENTS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

#define RECIPIENTS_FILE "recipients.csv"
#define RECIPIENTS_PATH "sending/recipients.csv" /* in a delivery */

enum {
    RECIPIENTS_MODE = 0600,
    RECIPIENTS_MAX = 100000000, /* as many as progress keeps (PROGRESS_RECIPIENTS_MAX) */
    RECIPIENTS_EVERY = 256      /* rows between two places that are remembered: 32 KB a million */
};

/* --- writing --- */

/*
 * recipients_line - a row but for its number, to hand over to recipients_writer_add: what the
 * audience's payload is made of
 *
 * key, address, fields  valid UTF-8 (the audience saw to it)
 * out      appended to; lost memory shows in buf_ok
 */
void recipients_line(struct slice key, struct slice address, const struct slice *fields,
                     size_t count, struct buf *out);

/*
 * recipients_line_read - a line of recipients_line taken apart again
 *
 * count    columns behind key and address
 * out      room for count + 2: key, address, then the fields; the texts live in the arena
 * Returns  RC_OK; RC_CORRUPT it is no such line; RC_NOMEM
 */
enum rc recipients_line_read(struct slice line, size_t count, struct arena *arena,
                             struct slice *out, struct err *err) MUST_CHECK;

struct recipients_writer;

/*
 * recipients_writer_open - make recipients.csv in a directory that nobody looks at yet
 * columns  names behind number, key and address
 * Returns  RC_OK; RC_EXISTS; RC_TEMP; RC_PERM; RC_NOMEM
 */
enum rc recipients_writer_open(int dirfd, const char *const *columns, size_t count,
                               struct recipients_writer **out, struct err *err) MUST_CHECK;

/* recipients_writer_add - the next row, as recipients_line made it. RC_OK; RC_RANGE more than
 * RECIPIENTS_MAX; RC_TEMP, RC_NOMEM: begin anew */
enum rc recipients_writer_add(struct recipients_writer *writer, struct slice line,
                              struct err *err) MUST_CHECK;

/*
 * recipients_writer_end - write what is left and close; not synced (the caller's group sync)
 * out_total  rows
 * Returns    RC_OK; RC_TEMP, RC_NOMEM; RC_IO. Freeing is the caller's all the same
 */
enum rc recipients_writer_end(struct recipients_writer *writer, uint32_t *out_total,
                              struct err *err) MUST_CHECK;
void recipients_writer_free(struct recipients_writer *writer);

/* --- reading --- */

struct recipient {
    uint32_t number;
    struct slice key;
    struct slice address;
    const struct slice *fields; /* by column; borrowed like all here until the next call */
    size_t count;
};

struct recipients;

/*
 * recipients_open - read it through once: every row whole, numbered, with all its columns
 *
 * fd       readable, borrowed until recipients_free
 * Returns  RC_OK; RC_CORRUPT "recipients.csv: row N: what"; RC_TEMP; RC_NOMEM
 * Cost     1,000,000 rows of 60 bytes: about 0.1 s; 32 KB and one window of 256 KiB
 */
enum rc recipients_open(int fd, struct recipients **out, struct err *err) MUST_CHECK;
void recipients_free(struct recipients *list);

/* recipients_total - rows; recipients_columns - names behind number, key and address, borrowed */
uint32_t recipients_total(const struct recipients *list);
const char *const *recipients_columns(const struct recipients *list, size_t *out_count);

/*
 * recipients_read - the row of a number
 * number   1..total (asserted)
 * Returns  RC_OK; RC_CORRUPT the file was changed meanwhile; RC_TEMP; RC_NOMEM
 * Cost     upwards: that of the bytes passed over within a window; a jump reads a window
 */
enum rc recipients_read(struct recipients *list, uint32_t number, struct recipient *out,
                        struct err *err) MUST_CHECK;

#endif
