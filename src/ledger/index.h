/*
 * index - where each key's entry begins: 16 bytes a key
 *
 * A slot holds 64 bits of hash and the offset of the entry. Equal hashes are settled by the caller
 * against the key in the file, so that an answer is exact whatever ids people choose.
 */
#ifndef POSTROOM_LEDGER_INDEX_H
#define POSTROOM_LEDGER_INDEX_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

struct ledger_slot {
    uint64_t hash;
    uint64_t offset_and_one; /* 0: empty */
};

struct ledger_index {
    struct ledger_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
    uint64_t seed; /* of the hash: not known to who chooses the keys */
};

/* 2^28 slots of 16 bytes: far above any house's number of entries */
#define LEDGER_INDEX_SLOTS_MAX ((size_t)1 << 28)

#define LEDGER_INDEX_EMPTY(seed_) ((struct ledger_index){NULL, 0, 0, (seed_)})

void ledger_index_release(struct ledger_index *index);

uint64_t ledger_index_hash(const struct ledger_index *index, struct slice key);

/*
 * ledger_index_reserve - room for `more` keys, so that the next `more` puts cannot fail
 * Returns   RC_OK; RC_NOMEM; RC_RANGE more than LEDGER_INDEX_SLOTS_MAX
 */
enum rc ledger_index_reserve(struct ledger_index *index, size_t more, struct err *err) MUST_CHECK;

/* ledger_index_put - remember a key; room was reserved (asserted) */
void ledger_index_put(struct ledger_index *index, uint64_t hash, uint64_t offset);

/*
 * ledger_index_next - walk the entries of one hash
 * cursor   starts as 0, keeps the place
 * Returns  true with the offset of an entry whose key has that hash; false: no more
 */
bool ledger_index_next(const struct ledger_index *index, uint64_t hash, size_t *cursor,
                       uint64_t *out_offset);

#endif
