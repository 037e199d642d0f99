/*
 * places - candidates remembered by where their rows lie and how their keys begin
 *
 * 16 bytes a candidate, where what is delivered of it may be a hundred: rows are read again, and
 * made into items, when it is known who is in, and in which part of the output. In the end they
 * stand in pieces: the keys of each are behind those of the piece before; within one, candidates
 * are in the order in which their keys begin, or of the file where nothing is sorted.
 */
#ifndef POSTROOM_AUDIENCE_PLACES_H
#define POSTROOM_AUDIENCE_PLACES_H

#include "audience/order_ranges.h"
#include "audience/outcome.h"

enum { PLACE_LEN_BITS = 24, PLACES_PIECE_ROWS = 8192 };

#define PLACES_FILE_BYTES_MAX ((uint64_t)1 << (64 - PLACE_LEN_BITS))

/* place_of - a row of len bytes at offset `at` of its file; both are within the limits above */
static inline uint64_t place_of(uint64_t at, size_t len)
{
    return at << PLACE_LEN_BITS | len;
}

static inline uint64_t place_at(uint64_t place)
{
    return place >> PLACE_LEN_BITS;
}

static inline size_t place_len(uint64_t place)
{
    return (size_t)(place & (((uint64_t)1 << PLACE_LEN_BITS) - 1));
}

/* Zero-initialised is empty. */
struct places {
    bool is_sorted;
    struct order_ref *refs; /* by candidate; behind places_cut by pieces */
    size_t count;
    size_t cap;
    struct order_ranges ranges;       /* is_sorted: the pieces */
    const struct order_ref *borrowed; /* instead of refs, cut: somebody else's memory (kept.h) */
};

void places_release(struct places *places);

/* places_add - count more candidates; RC_OK; RC_NOMEM */
enum rc places_add(struct places *places, const struct order_ref *refs, size_t count,
                   struct err *err) MUST_CHECK;

/*
 * places_cut - choose the pieces, and leave out who is not in
 *
 * *out_is_uneven   one piece would hold more than an eighth of all, and many: nothing was changed
 * Returns          RC_OK; RC_NOMEM
 * Memory           as much again as sorted candidates take and a byte each, until it returns; then
 *                  the longest piece once more for each thread
 */
enum rc places_cut(struct places *places, const struct outcome *outcome, unsigned threads,
                   bool *out_is_uneven, struct err *err) MUST_CHECK;

/* places_pieces - how many there are, at least 1; places_piece - one of them */
size_t places_pieces(const struct places *places);
const struct order_ref *places_piece(const struct places *places, size_t piece, size_t *out_count);

/* places_piece_of - where a key belongs that begins with prefix and is none of the candidates': the
 * last piece where nothing is sorted */
size_t places_piece_of(const struct places *places, uint64_t prefix);

#endif
