/*
 * send_ids - a table with open places: 56 bits of a hash, 40 of an offset
 *
 * Its size is no power of two, so that it can be as large as the ids that are expected and no
 * larger; a place is the upper part of the hash times the size.
 */
#include "stage/send_ids.h"

#include "base/digest.h"

#include <assert.h>
#include <stdlib.h>

enum {
    LEAST = 1024,
    LOAD_PERCENT = 80, /* of the places taken at most: runs stay short */
    GROWTH_PERCENT = 150
};

struct place {
    uint32_t hash_high;
    uint32_t hash_low_at_high; /* 24 bits of the hash, 8 of the offset */
    uint32_t at_low;
};
static_assert(sizeof(struct place) == 12, "1,000,000 ids fit into 15 MB");

struct send_ids {
    struct place *places;
    size_t size;
    size_t count;
    bool is_failed;
};

#define HASH_MASK (~UINT64_C(0xFF)) /* the 56 bits that are kept */

static uint64_t hash_of(struct slice id)
{
    return hash64(id.ptr, id.len, 0) & HASH_MASK;
}

static uint64_t place_hash(const struct place *place)
{
    return (uint64_t)place->hash_high << 32 | (place->hash_low_at_high & ~UINT32_C(0xFF));
}

static uint64_t place_at(const struct place *place)
{
    return (uint64_t)(place->hash_low_at_high & UINT32_C(0xFF)) << 32 | place->at_low;
}

static size_t first_of(const struct send_ids *ids, uint64_t hash)
{
    return (size_t)((hash >> 32) * (uint64_t)ids->size >> 32);
}

static size_t next_of(const struct send_ids *ids, size_t i)
{
    return i + 1 < ids->size ? i + 1 : 0;
}

/* The first free place for a hash, or the one that has it */
static struct place *find_place(const struct send_ids *ids, uint64_t hash)
{
    size_t i = first_of(ids, hash);
    while (place_at(&ids->places[i]) != 0 && place_hash(&ids->places[i]) != hash) {
        i = next_of(ids, i);
    }
    return &ids->places[i];
}

static struct place place_of(uint64_t hash, uint64_t at)
{
    return (struct place){.hash_high = (uint32_t)(hash >> 32),
                          .hash_low_at_high = (uint32_t)hash | (uint32_t)(at >> 32),
                          .at_low = (uint32_t)at};
}

static bool resize(struct send_ids *ids, size_t size)
{
    struct send_ids larger = {.places = calloc(size, sizeof *ids->places), .size = size};
    if (larger.places == NULL || size > UINT32_MAX) {
        free(larger.places);
        return false;
    }
    for (size_t i = 0; i < ids->size; i++) {
        if (place_at(&ids->places[i]) != 0) {
            *find_place(&larger, place_hash(&ids->places[i])) = ids->places[i];
        }
    }
    free(ids->places);
    ids->places = larger.places;
    ids->size = size;
    return true;
}

enum rc send_ids_open(size_t expected, struct send_ids **out, struct err *err)
{
    struct send_ids *ids = calloc(1, sizeof *ids);
    size_t size = expected + expected / 3 + LEAST;
    if (ids == NULL || !resize(ids, size)) {
        free(ids);
        return err_set(err, RC_NOMEM, "no memory for the ids of %zu messages", expected);
    }
    *out = ids;
    return RC_OK;
}

void send_ids_free(struct send_ids *ids)
{
    if (ids != NULL) {
        free(ids->places);
        free(ids);
    }
}

void send_ids_add(struct send_ids *ids, struct slice id, uint64_t at)
{
    assert(at > 0);
    if (at > SEND_IDS_AT_MAX) {
        return;
    }
    if (ids->count >= ids->size / 100 * LOAD_PERCENT &&
        !resize(ids, ids->size / 100 * GROWTH_PERCENT)) {
        ids->is_failed = true;
        return;
    }
    uint64_t hash = hash_of(id);
    struct place *place = find_place(ids, hash);
    ids->count += place_at(place) == 0;
    *place = place_of(hash, at);
}

enum rc send_ids_ok(const struct send_ids *ids, struct err *err)
{
    return ids->is_failed ? err_set(err, RC_NOMEM,
                                    "no memory for the ids of more than %zu messages", ids->count)
                          : RC_OK;
}

size_t send_ids_count(const struct send_ids *ids)
{
    return ids->count;
}

uint64_t send_ids_find(const struct send_ids *ids, struct slice id)
{
    return place_at(find_place(ids, hash_of(id)));
}
