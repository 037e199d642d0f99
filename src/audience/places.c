/*
 * places - candidates remembered by where their rows lie and how their keys begin
 *
 * Contract in the header.
 */
#include "audience/places.h"

#include "audience/side_by_side.h"
#include "sys/memory.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    UNEVEN_ROWS_MIN = 64 * 1024, /* fewer make no piece too long */
    UNEVEN_PART = 8              /* one that has more than an eighth of all is */
};

static enum rc no_memory(struct err *err)
{
    err_set(err, RC_NOMEM, "no memory");
    return RC_NOMEM; /* stated for analysers, which do not see what err_set returns */
}

void places_release(struct places *places)
{
    free(places->refs);
    order_ranges_release(&places->ranges);
    *places = (struct places){.is_sorted = places->is_sorted};
}

enum rc places_add(struct places *places, const struct order_ref *refs, size_t count,
                   struct err *err)
{
    if (places->cap - places->count < count) {
        size_t cap = places->cap * 2;
        cap = cap < places->count + count ? places->count + count : cap;
        struct order_ref *more = realloc(places->refs, cap * sizeof *more);
        if (more == NULL) {
            return no_memory(err);
        }
        memory_prefer_large(more, cap * sizeof *more);
        places->refs = more;
        places->cap = cap;
    }
    if (count > 0) {
        memcpy(places->refs + places->count, refs, count * sizeof *refs);
    }
    places->count += count;
    return RC_OK;
}

static bool is_in(const void *ctx, uint64_t candidate)
{
    return outcome_is_in(ctx, candidate);
}

static bool is_uneven(const struct order_ranges *ranges)
{
    for (size_t i = 0; i < ranges->count; i++) {
        size_t rows = ranges->starts[i + 1] - ranges->starts[i];
        if (rows >= UNEVEN_ROWS_MIN && rows > ranges->starts[ranges->count] / UNEVEN_PART) {
            return true;
        }
    }
    return false;
}

/* Pieces, each sorted by the beginnings of its keys by whoever comes first. */
struct sorting {
    struct places *places;
    size_t longest;
    atomic_size_t next;
};

static void *sort_pieces(void *arg)
{
    struct sorting *sorting = arg;
    const struct order_ranges *ranges = &sorting->places->ranges;
    struct order_ref *spare = malloc((sorting->longest + 1) * sizeof *spare);

    while (spare != NULL) {
        size_t piece = atomic_fetch_add(&sorting->next, 1);
        if (piece >= ranges->count) {
            break;
        }
        size_t from = ranges->starts[piece];
        order_sort_prefixes(sorting->places->refs + from, spare, ranges->starts[piece + 1] - from);
    }
    free(spare);
    return NULL;
}

/* What is read again in the order of its keys' beginnings has less to be sorted then; and a count
 * that keeps its places does this while a processor has nothing else to do. */
static enum rc sort_all(struct places *places, unsigned threads, struct err *err)
{
    struct sorting sorting = {.places = places};
    const struct order_ranges *ranges = &places->ranges;

    for (size_t i = 0; i < ranges->count; i++) {
        size_t rows = ranges->starts[i + 1] - ranges->starts[i];
        sorting.longest = rows > sorting.longest ? rows : sorting.longest;
    }
    side_by_side(sort_pieces, &sorting, 0, threads);
    /* Who had no memory left them to the others. */
    return atomic_load(&sorting.next) < ranges->count ? no_memory(err) : RC_OK;
}

static enum rc cut_sorted(struct places *places, const struct outcome *outcome, unsigned threads,
                          bool *out_is_uneven, struct err *err)
{
    struct order_ranges *ranges = &places->ranges;

    order_ranges_choose(ranges, places->refs, places->count, PLACES_PIECE_ROWS);
    if (!order_ranges_count(ranges, places->refs, places->count, threads, is_in, outcome)) {
        return no_memory(err);
    }
    *out_is_uneven = is_uneven(ranges);
    if (*out_is_uneven) {
        order_ranges_release(ranges);
        return RC_OK;
    }
    size_t count = ranges->starts[ranges->count];
    struct order_ref *refs = memory_large((count + 1) * sizeof *refs);
    if (refs == NULL) {
        order_ranges_release(ranges);
        return no_memory(err);
    }
    order_ranges_scatter(ranges, places->refs, refs);
    free(places->refs);
    places->refs = refs;
    places->count = count;
    places->cap = count + 1;
    return sort_all(places, threads, err);
}

enum rc places_cut(struct places *places, const struct outcome *outcome, unsigned threads,
                   bool *out_is_uneven, struct err *err)
{
    *out_is_uneven = false;
    if (places->is_sorted) {
        return cut_sorted(places, outcome, threads, out_is_uneven, err);
    }
    size_t kept = 0;
    for (size_t i = 0; i < places->count; i++) {
        places->refs[kept] = places->refs[i];
        kept += outcome_is_in(outcome, i);
    }
    places->count = kept;
    return RC_OK;
}

size_t places_pieces(const struct places *places)
{
    if (places->is_sorted) {
        return places->ranges.count;
    }
    return places->count == 0 ? 1 : (places->count - 1) / PLACES_PIECE_ROWS + 1;
}

const struct order_ref *places_piece(const struct places *places, size_t piece, size_t *out_count)
{
    size_t from = places->is_sorted ? places->ranges.starts[piece] : piece * PLACES_PIECE_ROWS;
    size_t to =
        places->is_sorted ? places->ranges.starts[piece + 1] : from + (size_t)PLACES_PIECE_ROWS;
    to = to > places->count ? places->count : to;
    const struct order_ref *refs = places->borrowed != NULL ? places->borrowed : places->refs;
    *out_count = to - from;
    return refs == NULL ? NULL : refs + from;
}

size_t places_piece_of(const struct places *places, uint64_t prefix)
{
    return places->is_sorted ? order_ranges_of(&places->ranges, prefix) : places_pieces(places) - 1;
}
