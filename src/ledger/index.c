/*
 * index - open addressing with linear probing, at most 7/8 full
 */
#include "ledger/index.h"

#include "base/digest.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 64 };

void ledger_index_release(struct ledger_index *index)
{
    free(index->slots);
    index->slots = NULL;
    index->capacity = 0;
    index->count = 0;
}

uint64_t ledger_index_hash(const struct ledger_index *index, struct slice key)
{
    return hash64(key.ptr, key.len, index->seed);
}

static bool has_room(size_t capacity, size_t count)
{
    return count <= capacity / 8 * 7;
}

static void put(struct ledger_slot *slots, size_t capacity, struct ledger_slot slot)
{
    size_t at = (size_t)slot.hash & (capacity - 1);
    while (slots[at].offset_and_one != 0) {
        at = (at + 1) & (capacity - 1);
    }
    slots[at] = slot;
}

enum rc ledger_index_reserve(struct ledger_index *index, size_t more, struct err *err)
{
    size_t capacity = index->capacity == 0 ? FIRST_CAPACITY : index->capacity;
    if (more > LEDGER_INDEX_SLOTS_MAX) {
        return err_set(err, RC_RANGE, "more than %zu ledger keys", LEDGER_INDEX_SLOTS_MAX);
    }
    while (!has_room(capacity, index->count + more)) {
        if (capacity >= LEDGER_INDEX_SLOTS_MAX) {
            return err_set(err, RC_RANGE, "more than %zu ledger keys; set the ledger aside",
                           LEDGER_INDEX_SLOTS_MAX / 8 * 7);
        }
        capacity *= 2;
    }
    if (capacity == index->capacity) {
        return RC_OK;
    }
    struct ledger_slot *slots = calloc(capacity, sizeof *slots);
    if (slots == NULL) {
        return err_set(err, RC_NOMEM, "no memory for the ledger's keys");
    }
    for (size_t i = 0; i < index->capacity; i++) {
        if (index->slots[i].offset_and_one != 0) {
            put(slots, capacity, index->slots[i]);
        }
    }
    free(index->slots);
    index->slots = slots;
    index->capacity = capacity;
    return RC_OK;
}

void ledger_index_put(struct ledger_index *index, uint64_t hash, uint64_t offset)
{
    assert(index->capacity > 0 && has_room(index->capacity, index->count + 1));
    put(index->slots, index->capacity, (struct ledger_slot){hash, offset + 1});
    index->count++;
}

bool ledger_index_next(const struct ledger_index *index, uint64_t hash, size_t *cursor,
                       uint64_t *out_offset)
{
    /* The cursor counts probes; the table is never full, so that an empty slot ends each run. */
    while (*cursor < index->capacity) {
        const struct ledger_slot *slot =
            &index->slots[((size_t)hash + *cursor) & (index->capacity - 1)];
        if (slot->offset_and_one == 0) {
            return false;
        }
        (*cursor)++;
        if (slot->hash == hash) {
            *out_offset = slot->offset_and_one - 1;
            return true;
        }
    }
    return false;
}
