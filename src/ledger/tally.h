/*
 * tally - sums under text keys: a hash table whose rows keep their first order
 *
 * Sums stop at the ends of int64 instead of wrapping. Shared by the stock levels and the reports;
 * not for other rooms.
 */
#ifndef POSTROOM_LEDGER_TALLY_H
#define POSTROOM_LEDGER_TALLY_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdint.h>

enum {
    TALLY_SUMS = 6,
    TALLY_ROWS_MAX = 1 << 24 /* deliveries x cost types of a house's whole history */
};

struct tally_row {
    struct slice key; /* NUL-terminated too */
    int64_t sums[TALLY_SUMS];
};

struct tally {
    struct arena arena; /* the keys */
    struct tally_row *rows;
    size_t count;
    size_t capacity;
    uint32_t *slots; /* row number from 1; 0: empty */
    size_t slot_count;
};

#define TALLY_EMPTY ((struct tally){.arena = ARENA_EMPTY})

/* tally_row - the row of a key, made with zeros where it is new; NULL without memory or when there
 * are TALLY_ROWS_MAX. Valid until the next new key. */
struct tally_row *tally_row(struct tally *tally, struct slice key);

/* tally_find - the row of a key; NULL where there is none */
const struct tally_row *tally_find(const struct tally *tally, struct slice key);

/* tally_add - add to a sum, stopping at the ends of int64 */
void tally_add(int64_t *sum, int64_t amount);

void tally_release(struct tally *tally);

#endif
