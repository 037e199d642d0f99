/*
 * tally - rows in an array, found through a table of row numbers
 */
#include "ledger/tally.h"

#include "base/digest.h"

#include <stdlib.h>

enum { FIRST_ROWS = 16, SLOTS_PER_ROW = 2 };

static size_t slot_of(const struct tally *tally, struct slice key)
{
    size_t at = (size_t)hash64(key.ptr, key.len, 0) & (tally->slot_count - 1);
    while (tally->slots[at] != 0 && !slice_equal(tally->rows[tally->slots[at] - 1].key, key)) {
        at = (at + 1) & (tally->slot_count - 1);
    }
    return at;
}

/* Twice as many rows, and a table of row numbers that stays half empty. */
static bool grow(struct tally *tally)
{
    size_t capacity = tally->capacity == 0 ? FIRST_ROWS : tally->capacity * 2;
    if (capacity > TALLY_ROWS_MAX) {
        return false;
    }
    struct tally_row *rows = realloc(tally->rows, capacity * sizeof *rows);
    if (rows == NULL) {
        return false;
    }
    tally->rows = rows;
    uint32_t *slots = calloc(capacity * SLOTS_PER_ROW, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    free(tally->slots);
    tally->slots = slots;
    tally->slot_count = capacity * SLOTS_PER_ROW;
    tally->capacity = capacity;
    for (size_t i = 0; i < tally->count; i++) {
        slots[slot_of(tally, rows[i].key)] = (uint32_t)(i + 1);
    }
    return true;
}

struct tally_row *tally_row(struct tally *tally, struct slice key)
{
    if (tally->count == tally->capacity && !grow(tally)) {
        return NULL;
    }
    size_t at = slot_of(tally, key);
    if (tally->slots[at] == 0) {
        char *text = arena_text(&tally->arena, key);
        if (text == NULL) {
            return NULL;
        }
        tally->rows[tally->count] = (struct tally_row){.key = {text, key.len}};
        tally->count++;
        tally->slots[at] = (uint32_t)tally->count;
    }
    return &tally->rows[tally->slots[at] - 1];
}

const struct tally_row *tally_find(const struct tally *tally, struct slice key)
{
    if (tally->count == 0) {
        return NULL;
    }
    size_t at = slot_of(tally, key);
    return tally->slots[at] == 0 ? NULL : &tally->rows[tally->slots[at] - 1];
}

void tally_add(int64_t *sum, int64_t amount)
{
    if (__builtin_add_overflow(*sum, amount, sum)) {
        *sum = amount < 0 ? INT64_MIN : INT64_MAX;
    }
}

void tally_release(struct tally *tally)
{
    arena_release(&tally->arena);
    free(tally->rows);
    free(tally->slots);
    *tally = TALLY_EMPTY;
}
