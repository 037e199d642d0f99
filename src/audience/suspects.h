/*
 * suspects - which of many hashes may stand twice, found without sorting them
 *
 * What duplicates are found among: nearly all rows are alone with their hash, and say so in one
 * look at two sets of bits. Those that remain are the ones that share a bit with another, whether
 * they share the hash or not; who they are is settled by pairs and by comparing texts in full.
 */
#ifndef POSTROOM_AUDIENCE_SUSPECTS_H
#define POSTROOM_AUDIENCE_SUSPECTS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SUSPECTS_HASH_BITS = 44,
    SUSPECTS_BITS_EACH = 8,    /* of each set, for a hash: one in ten is suspected wrongly */
    SUSPECTS_ROWS_MIN = 4096,  /* fewer are suspected all: sorting them costs nothing */
    SUSPECTS_BITS_LOG_MAX = 40 /* of each set */
};

struct suspects {
    uint64_t *seen;  /* NULL: all are suspected */
    uint64_t *again; /* bits that were seen a second time */
    unsigned shift;  /* of a hash, to its bit */
};

/*
 * suspects_init - sets of bits for so many hashes
 * memory_bytes  of both sets together; where that is less than a bit for each hash, all of them are
 *               suspected
 * Returns       RC_OK; RC_NOMEM
 */
enum rc suspects_init(struct suspects *suspects, uint64_t count, size_t memory_bytes,
                      struct err *err) MUST_CHECK;
void suspects_release(struct suspects *suspects);

/* suspects_note - a hash, SUSPECTS_HASH_BITS of it. Each of them before the first suspects_ask */
static inline void suspects_note(struct suspects *suspects, uint64_t hash)
{
    if (suspects->seen == NULL) {
        return;
    }
    uint64_t at = hash >> suspects->shift;
    uint64_t bit = (uint64_t)1 << (at % 64);
    if ((suspects->seen[at / 64] & bit) != 0) {
        suspects->again[at / 64] |= bit;
    }
    suspects->seen[at / 64] |= bit;
}

/* suspects_ask - false: no other hash that was noted equals this one */
static inline bool suspects_ask(const struct suspects *suspects, uint64_t hash)
{
    uint64_t at = hash >> suspects->shift;
    return suspects->seen == NULL || (suspects->again[at / 64] >> (at % 64) & 1) != 0;
}

#endif
