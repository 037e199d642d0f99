/*
 * recall - a row of the recipients, read once more
 *
 * Nearly all rows are never compared with another, so the log of rows keeps where a row lies, not
 * what stands in it: those few that share a hash are read again. The file must be a plain one that
 * nobody changes meanwhile; a row that is no longer one is told, never taken for another.
 */
#ifndef POSTROOM_AUDIENCE_RECALL_H
#define POSTROOM_AUDIENCE_RECALL_H

#include "audience/csv.h"
#include "sys/mapping.h"

/* Which file, and what is wanted of a row; shared by all threads. */
struct recall_plan {
    int fd;                        /* -1: rows cannot be read again */
    const struct mapping *mapping; /* of map_bytes of it; NULL: they are read by their offset */
    uint64_t map_bytes;
    char delimiter;
    size_t columns; /* of every row */
    size_t key;     /* column */
    const size_t *dedupe;
    size_t dedupe_count;
};

/* One thread's memory. Zero-initialised is empty, CSV_INDEX_EMPTY too. */
struct recall {
    struct buf bytes;
    struct buf scratch; /* csv_row_field */
    struct buf composite;
    struct csv_index index;
    struct csv_row row;
};

void recall_release(struct recall *recall);

/*
 * recall_row - read the row of `len` bytes that begins at offset `at`
 * Returns   RC_OK; RC_IO it cannot be read, or is no such row any more; RC_NOMEM
 */
enum rc recall_row(struct recall *recall, const struct recall_plan *plan, uint64_t at, size_t len,
                   struct err *err) MUST_CHECK;

/* recall_check - what was copied out of the mapping is what the file holds. RC_OK; RC_IO */
enum rc recall_check(const struct recall_plan *plan, struct err *err) MUST_CHECK;

/* recall_key, recall_dedupe - of the row that was read last; valid until the next call of one of
 * the two. The latter: its dedupe columns as composite_put appends them; NULL: no memory */
struct slice recall_key(struct recall *recall, const struct recall_plan *plan);
struct slice recall_dedupe(struct recall *recall, const struct recall_plan *plan);

/* composite_put - fields, each with a NUL byte behind it, which no field holds: no two rows that
 * differ in one of them have the same composite */
static inline void composite_put(struct buf *out, struct slice field)
{
    buf_add_slice(out, field);
    buf_add_byte(out, '\0');
}

#endif
