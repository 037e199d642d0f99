/*
 * keyset - a set of byte strings: who is suppressed, which addresses are in quarantine
 *
 * Contract in the header. Open addressing, linear probing. A slot keeps 24 bits of the hash, so
 * that one look-up in 16 million compares with a string that is another; growing reads the strings
 * again rather than keep every hash.
 */
#include "audience/keyset.h"

#include "base/digest.h"

#include <stdlib.h>

enum { OFFSET_BITS = 40, FIRST_SLOTS = 1024, GROW_READ_BYTES = 256 * 1024 };

#define OFFSET_MASK (((uint64_t)1 << OFFSET_BITS) - 1)

void keyset_init(struct keyset *set, size_t memory_bytes, int dir_fd, uint64_t seed)
{
    *set = (struct keyset){.memory_bytes = memory_bytes / 2, .seed = seed, .scratch = BUF_EMPTY};
    spill_init(&set->strings, dir_fd, memory_bytes / 2);
}

void keyset_release(struct keyset *set)
{
    free(set->slots);
    spill_release(&set->strings);
    buf_release(&set->scratch);
    *set = (struct keyset){0};
    set->strings.fd = -1;
}

/* a place in the table from the hash's upper half: no power of two needed */
static inline size_t place_of(uint64_t hash, size_t slots_count)
{
    return (size_t)(((hash >> 32) * (uint64_t)slots_count) >> 32);
}

static inline uint64_t tag_of(uint64_t hash)
{
    return hash << OFFSET_BITS;
}

static void put_slot(struct keyset *set, uint64_t hash, uint64_t offset)
{
    size_t at = place_of(hash, set->slots_count);
    while (set->slots[at] != 0) {
        at = at + 1 == set->slots_count ? 0 : at + 1;
    }
    set->slots[at] = tag_of(hash) | (offset + 1);
}

static enum rc put_all(struct keyset *set, struct err *err)
{
    uint64_t at = 0;
    uint64_t size = spill_size(&set->strings);

    while (at < size) {
        struct slice view;
        enum rc rc = spill_view(&set->strings, at, GROW_READ_BYTES, &set->scratch, &view, err);
        if (rc != RC_OK) {
            return rc;
        }
        uint32_t len = 0;
        memcpy(&len, view.ptr, sizeof len);
        if (len + sizeof len > view.len) {
            rc = spill_view(&set->strings, at, len + sizeof len, &set->scratch, &view, err);
            if (rc != RC_OK) {
                return rc;
            }
        }
        size_t used = 0;
        while (view.len - used >= sizeof len) {
            memcpy(&len, view.ptr + used, sizeof len);
            if (view.len - used - sizeof len < len) {
                break;
            }
            put_slot(set, hash64(view.ptr + used + sizeof len, len, set->seed), at + used);
            used += sizeof len + len;
        }
        at += used;
    }
    return RC_OK;
}

static enum rc grow(struct keyset *set, struct err *err)
{
    size_t count = set->slots_count == 0 ? FIRST_SLOTS : set->slots_count + set->slots_count / 2;
    size_t most = set->memory_bytes / sizeof *set->slots;

    count = count > most ? most : count;
    if (count <= set->slots_count || count > UINT32_MAX) {
        return err_set(err, RC_RANGE,
                       "more than %zu keys to exclude do not fit into memory; give more memory",
                       set->count);
    }
    free(set->slots);
    set->slots = calloc(count, sizeof *set->slots);
    set->slots_count = set->slots == NULL ? 0 : count;
    if (set->slots == NULL) {
        return err_set(err, RC_NOMEM, "no memory");
    }
    return put_all(set, err);
}

static enum rc is_string(const struct keyset *set, uint64_t offset, struct slice key,
                         struct buf *scratch, bool *out, struct err *err)
{
    struct slice view;
    uint32_t len = 0;
    enum rc rc = spill_view(&set->strings, offset, sizeof len + key.len, scratch, &view, err);
    if (rc != RC_OK) {
        return rc;
    }
    memcpy(&len, view.ptr, sizeof len);
    *out = len == key.len && view.len == sizeof len + key.len &&
           memcmp(view.ptr + sizeof len, key.ptr, key.len) == 0;
    return RC_OK;
}

static enum rc find(const struct keyset *set, struct slice key, uint64_t hash, struct buf *scratch,
                    bool *out, struct err *err)
{
    size_t at = place_of(hash, set->slots_count);

    *out = false;
    while (set->slots[at] != 0) {
        if ((set->slots[at] & ~OFFSET_MASK) == tag_of(hash)) {
            enum rc rc = is_string(set, (set->slots[at] & OFFSET_MASK) - 1, key, scratch, out, err);
            if (rc != RC_OK || *out) {
                return rc;
            }
        }
        at = at + 1 == set->slots_count ? 0 : at + 1;
    }
    return RC_OK;
}

enum rc keyset_add(struct keyset *set, struct slice key, struct err *err)
{
    uint32_t len = (uint32_t)key.len;
    bool is_there = false;
    enum rc rc = RC_OK;

    if (key.len > KEYSET_KEY_BYTES_MAX || spill_size(&set->strings) >= OFFSET_MASK - key.len - 8) {
        return err_set(err, RC_RANGE, "keys to exclude are too long, or too many");
    }
    if ((set->count + 1) * 5 >= set->slots_count * 4) {
        rc = grow(set, err);
        if (rc != RC_OK) {
            return rc;
        }
    }
    uint64_t hash = hash64(key.ptr, key.len, set->seed);
    rc = find(set, key, hash, &set->scratch, &is_there, err);
    if (rc != RC_OK || is_there) {
        return rc;
    }
    uint64_t offset = spill_size(&set->strings);
    rc = spill_add(&set->strings, &len, sizeof len, err);
    if (rc == RC_OK) {
        rc = spill_add(&set->strings, key.ptr, key.len, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    put_slot(set, hash, offset);
    set->count++;
    return RC_OK;
}

enum rc keyset_has(const struct keyset *set, struct slice key, struct buf *scratch, bool *out,
                   struct err *err)
{
    if (set->count == 0) {
        *out = false;
        return RC_OK;
    }
    return find(set, key, hash64(key.ptr, key.len, set->seed), scratch, out, err);
}
