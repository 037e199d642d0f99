/*
 * lookup - open addressing, at most half full
 */
#include "base/lookup.h"

#include "base/digest.h"

#include <assert.h>
#include <stdlib.h>

struct place {
    struct slice text;
    uint32_t value; /* 0: free */
};

struct lookup {
    struct place *places;
    size_t size; /* a power of two */
    size_t count;
};

enum rc lookup_open(size_t most, struct lookup **out, struct err *err)
{
    if (most > LOOKUP_MAX) {
        return err_set(err, RC_RANGE, "more than %d texts to look up", LOOKUP_MAX);
    }
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup != NULL) {
        lookup->size = 64;
        while (lookup->size < most * 2) {
            lookup->size *= 2;
        }
        lookup->places = calloc(lookup->size, sizeof *lookup->places);
    }
    if (lookup == NULL || lookup->places == NULL) {
        lookup_free(lookup);
        return err_set(err, RC_NOMEM, "no memory to look up %zu texts", most);
    }
    *out = lookup;
    return RC_OK;
}

void lookup_free(struct lookup *lookup)
{
    if (lookup != NULL) {
        free(lookup->places);
        free(lookup);
    }
}

/* Where a text stands, or would */
static struct place *find(const struct lookup *lookup, struct slice text)
{
    size_t i = (size_t)hash64(text.ptr, text.len, 0) & (lookup->size - 1);
    while (lookup->places[i].value != 0 && !slice_equal(lookup->places[i].text, text)) {
        i = (i + 1) & (lookup->size - 1);
    }
    return &lookup->places[i];
}

uint32_t lookup_put(struct lookup *lookup, struct slice text, uint32_t value)
{
    struct place *place = find(lookup, text);
    uint32_t before = place->value;
    assert(value != 0);
    if (before == 0) {
        assert(lookup->count < lookup->size / 2);
        lookup->count++;
        place->text = text;
    }
    place->value = value;
    return before;
}

uint32_t lookup_get(const struct lookup *lookup, struct slice text)
{
    return find(lookup, text)->value;
}
