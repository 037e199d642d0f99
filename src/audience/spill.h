/*
 * spill - append-only bytes that leave memory for an unnamed file when they grow
 *
 * What is added stays in memory up to a bound; past it everything moves to a file that is created
 * in the caller's directory and unlinked at once, so that nothing is left behind by a crash.
 * Reading is by offset. One thread adds; once adding is over, any number of threads may read.
 */
#ifndef POSTROOM_AUDIENCE_SPILL_H
#define POSTROOM_AUDIENCE_SPILL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

/* What is written to a spill file at once. */
enum { SPILL_WRITE_BYTES = 256 * 1024 };

struct spill {
    int dir_fd;          /* where files may be made; -1: nowhere. Borrowed */
    int fd;              /* the unlinked file; -1 while all is in memory */
    size_t memory_bytes; /* bound of `tail` before there is a file */
    uint64_t file_bytes; /* bytes already in the file */
    struct buf tail;     /* bytes behind those */
};

/* spill_init - empty; memory_bytes: how much may stay in memory; dir_fd -1: never to disk */
void spill_init(struct spill *spill, int dir_fd, size_t memory_bytes);

/* spill_release - give memory and file back; accepts an empty one */
void spill_release(struct spill *spill);

/* spill_size - bytes added so far, which is the offset of what is added next */
static inline uint64_t spill_size(const struct spill *spill)
{
    return spill->file_bytes + spill->tail.len;
}

/*
 * spill_add - append bytes
 * Returns   RC_OK; RC_RANGE the memory bound is passed and there is no directory; RC_TEMP the disk
 * is full; RC_IO another write fault; RC_NOMEM
 */
enum rc spill_add(struct spill *spill, const void *bytes, size_t len, struct err *err) MUST_CHECK;

/* spill_flush - write out what is in memory and give that memory back (nothing where all of it is
 * within the bound); the same results as spill_add */
enum rc spill_flush(struct spill *spill, struct err *err) MUST_CHECK;

/*
 * spill_room - make room in the file for bytes that are put there by offset: behind all that was
 * added, and before what is added later
 * len       none of it takes room on the disk before it is put
 * Returns   as spill_add
 */
enum rc spill_room(struct spill *spill, uint64_t len, uint64_t *out_at, struct err *err) MUST_CHECK;

/* spill_put - bytes into room that was made for them; by any number of threads at once, each its
 * own. RC_OK; RC_TEMP the disk is full; RC_IO */
enum rc spill_put(const struct spill *spill, uint64_t at, const void *bytes, size_t len,
                  struct err *err) MUST_CHECK;

/*
 * spill_read - copy at most len bytes from offset `at`; *out_got is less only at the end
 * Returns   RC_OK; RC_IO a read fault or a file that became shorter
 */
enum rc spill_read(const struct spill *spill, uint64_t at, void *out, size_t len, size_t *out_got,
                   struct err *err) MUST_CHECK;

/*
 * spill_view - at most len bytes from offset `at`, without a copy where they lie in memory
 * scratch   holds them where they do not; overwritten by the next call
 * Returns   RC_OK; RC_IO; RC_NOMEM
 */
enum rc spill_view(const struct spill *spill, uint64_t at, size_t len, struct buf *scratch,
                   struct slice *out, struct err *err) MUST_CHECK;

#endif
