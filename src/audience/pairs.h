/*
 * pairs - many 128-bit numbers, given back in order: in memory, or as sorted runs on disk
 *
 * What duplicates are found with: (hash, row) pairs come back with equal hashes side by side.
 */
#ifndef POSTROOM_AUDIENCE_PAIRS_H
#define POSTROOM_AUDIENCE_PAIRS_H

#include "audience/spill.h"

struct pair {
    uint64_t high;
    uint64_t low;
};

enum {
    /* of each run at a time while runs are merged: as much as memory allows, within these */
    PAIRS_RUN_READ_BYTES_MIN = 4 * 1024,
    PAIRS_RUN_READ_BYTES_MAX = 64 * 1024,
    PAIRS_RUNS_MAX = 4096
};

struct pairs {
    struct pair *items;
    size_t count;
    size_t cap;
    size_t memory_pairs; /* a run is written when there are so many */
    uint64_t total;
    struct spill runs;
    uint64_t *run_ends; /* offsets in runs */
    size_t runs_count;
};

/* pairs_init - empty; memory_bytes: for the numbers and for sorting them, together */
void pairs_init(struct pairs *pairs, size_t memory_bytes, int dir_fd);
void pairs_release(struct pairs *pairs);

/* pairs_room - space for `more` numbers behind items[count], which the caller fills and counts in
 * (count and total). RC_OK; RC_NOMEM; RC_RANGE; RC_TEMP; RC_IO, as spill_add */
enum rc pairs_room(struct pairs *pairs, size_t more, struct err *err) MUST_CHECK;

/* pairs_add - one number; the same results */
static inline MUST_CHECK enum rc pairs_add(struct pairs *pairs, struct pair pair, struct err *err)
{
    if (pairs->count == pairs->cap) {
        enum rc rc = pairs_room(pairs, 1, err);
        if (rc != RC_OK) {
            return rc;
        }
    }
    pairs->items[pairs->count++] = pair;
    pairs->total++;
    return RC_OK;
}

/* Takes sorted numbers, some at a time; anything but RC_OK ends the walk and is its result. */
typedef enum rc pairs_take(void *ctx, const struct pair *items, size_t count, struct err *err);

/*
 * pairs_each - all numbers, ascending; afterwards the set is empty
 * Returns   RC_OK; what take returned; RC_IO; RC_NOMEM
 * Cost      in memory: two passes of radix sort, about 10 ns each number
 */
enum rc pairs_each(struct pairs *pairs, pairs_take *take, void *ctx, struct err *err) MUST_CHECK;

#endif
