/*
 * pairs - many 128-bit numbers, given back in order
 *
 * Contract in the header. Sorting takes the 22 uppermost bits that differ in two stable radix
 * passes (few numbers: 11 in one), which leaves groups of a few numbers, and finishes those by
 * insertion. Numbers that are equal in those bits in great number (a skewed hash) go through qsort,
 * so that no input is slow.
 */
#include "audience/pairs.h"

#include "sys/memory.h"

#include <stdlib.h>
#include <string.h>

enum { RADIX_BITS = 11, RADIX = 1 << RADIX_BITS, INSERTION_MAX = 24, FIRST_PAIRS = 1024 };

static inline bool is_less(const struct pair *a, const struct pair *b)
{
    return a->high != b->high ? a->high < b->high : a->low < b->low;
}

static int compare(const void *a, const void *b)
{
    const struct pair *x = a;
    const struct pair *y = b;
    return is_less(x, y) ? -1 : is_less(y, x);
}

void pairs_init(struct pairs *pairs, size_t memory_bytes, int dir_fd)
{
    /* half is for the second array of the radix sort */
    size_t most = memory_bytes / 2 / sizeof(struct pair);
    *pairs = (struct pairs){.memory_pairs = most < FIRST_PAIRS ? FIRST_PAIRS : most};
    spill_init(&pairs->runs, dir_fd, 0);
}

void pairs_release(struct pairs *pairs)
{
    free(pairs->items);
    free(pairs->run_ends);
    spill_release(&pairs->runs);
    *pairs = (struct pairs){0};
    pairs->runs.fd = -1;
}

static void insertion_sort(struct pair *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct pair item = items[i];
        size_t to = i;
        while (to > 0 && is_less(&item, &items[to - 1])) {
            items[to] = items[to - 1];
            to--;
        }
        items[to] = item;
    }
}

/* items are in order of their bits from `shift` up: finish the groups that are equal there */
static void finish_groups(struct pair *items, size_t count, int shift)
{
    size_t from = 0;
    while (from < count) {
        uint64_t group = items[from].high >> shift;
        bool is_sorted = true;
        size_t to = from + 1;
        while (to < count && items[to].high >> shift == group) {
            is_sorted &= !is_less(&items[to], &items[to - 1]);
            to++;
        }
        if (!is_sorted) {
            if (to - from <= INSERTION_MAX) {
                insertion_sort(items + from, to - from);
            } else {
                qsort(items + from, to - from, sizeof *items, compare);
            }
        }
        from = to;
    }
}

static void radix_pass(const struct pair *from, struct pair *to, size_t count, int shift,
                       size_t places[RADIX])
{
    size_t sum = 0;
    for (size_t i = 0; i < RADIX; i++) {
        size_t here = places[i];
        places[i] = sum;
        sum += here;
    }
    for (size_t i = 0; i < count; i++) {
        to[places[from[i].high >> shift & (RADIX - 1)]++] = from[i];
    }
}

/* One pass is enough where there are no more numbers than places. */
static bool sort_few(struct pair *items, size_t count, int shift)
{
    struct pair *other = calloc(count, sizeof *other);
    size_t places[RADIX] = {0};
    if (other == NULL) {
        return false;
    }
    memcpy(other, items, count * sizeof *other);
    for (size_t i = 0; i < count; i++) {
        places[other[i].high >> shift & (RADIX - 1)]++;
    }
    radix_pass(other, items, count, shift, places);
    finish_groups(items, count, shift);
    free(other);
    return true;
}

static bool sort_pairs(struct pair *items, size_t count)
{
    uint64_t all_or = 0;
    for (size_t i = 0; i < count; i++) {
        all_or |= items[i].high;
    }
    int top = all_or == 0 ? 0 : 64 - __builtin_clzll(all_or);
    int shift = top > 2 * RADIX_BITS ? top - 2 * RADIX_BITS : 0;
    if (count <= INSERTION_MAX) {
        insertion_sort(items, count);
        return true;
    }
    if (count <= RADIX) {
        return sort_few(items, count, top > RADIX_BITS ? top - RADIX_BITS : 0);
    }
    struct pair *other = calloc(count, sizeof *other);
    size_t(*places)[RADIX] = calloc(2, sizeof *places);
    bool is_ok = other != NULL && places != NULL;
    if (is_ok) {
        memory_prefer_large(other, count * sizeof *other);
        for (size_t i = 0; i < count; i++) {
            places[0][items[i].high >> shift & (RADIX - 1)]++;
            places[1][items[i].high >> (shift + RADIX_BITS) & (RADIX - 1)]++;
        }
        radix_pass(items, other, count, shift, places[0]);
        radix_pass(other, items, count, shift + RADIX_BITS, places[1]);
        finish_groups(items, count, shift);
    }
    free(other);
    free(places);
    return is_ok;
}

static enum rc no_memory(struct err *err)
{
    err_set(err, RC_NOMEM, "no memory");
    return RC_NOMEM; /* stated for analysers, which do not see what err_set returns */
}

static enum rc write_run(struct pairs *pairs, struct err *err)
{
    if (pairs->runs_count == PAIRS_RUNS_MAX) {
        return err_set(err, RC_RANGE, "too many rows for this much memory; give more memory");
    }
    if (pairs->run_ends == NULL) {
        pairs->run_ends = calloc(PAIRS_RUNS_MAX, sizeof *pairs->run_ends);
    }
    if (pairs->run_ends == NULL || !sort_pairs(pairs->items, pairs->count)) {
        return no_memory(err);
    }
    enum rc rc = spill_add(&pairs->runs, pairs->items, pairs->count * sizeof *pairs->items, err);
    if (rc == RC_OK) {
        pairs->run_ends[pairs->runs_count++] = spill_size(&pairs->runs);
        pairs->count = 0;
    }
    return rc;
}

enum rc pairs_room(struct pairs *pairs, size_t more, struct err *err)
{
    if (pairs->count > 0 && pairs->count + more > pairs->memory_pairs) {
        enum rc rc = write_run(pairs, err);
        if (rc != RC_OK) {
            return rc;
        }
    }
    if (pairs->cap - pairs->count >= more) {
        return RC_OK;
    }
    size_t cap = pairs->cap == 0 ? FIRST_PAIRS : pairs->cap * 2;
    if (cap * sizeof(struct pair) >= MEMORY_LARGE_BYTES) {
        /* all at once: unused addresses cost nothing, and large pages are slow to move */
        cap = pairs->memory_pairs;
    }
    cap = cap > pairs->memory_pairs ? pairs->memory_pairs : cap;
    cap = cap < pairs->count + more ? pairs->count + more : cap;
    struct pair *items = realloc(pairs->items, cap * sizeof *items);
    if (items == NULL) {
        return no_memory(err);
    }
    memory_prefer_large(items, cap * sizeof *items);
    pairs->items = items;
    pairs->cap = cap;
    return RC_OK;
}

/* One run while runs are merged. */
struct run {
    uint64_t at;
    uint64_t end;
    struct pair *items;
    size_t count;
    size_t next;
};

struct merge {
    const struct spill *spill;
    struct run *runs;
    struct pair *pool;
    size_t read_bytes;
    size_t *heap; /* runs by their next number, the smallest first */
    size_t heap_count;
};

static enum rc refill(struct merge *merge, struct run *run, struct err *err)
{
    uint64_t rest = run->end - run->at;
    size_t want = rest < merge->read_bytes ? (size_t)rest : merge->read_bytes;
    size_t got = 0;
    enum rc rc = spill_read(merge->spill, run->at, run->items, want, &got, err);
    run->at += got;
    run->count = got / sizeof *run->items;
    run->next = 0;
    return rc;
}

static inline const struct pair *head(const struct merge *merge, size_t place)
{
    const struct run *run = &merge->runs[merge->heap[place]];
    return &run->items[run->next];
}

static void sift_down(struct merge *merge, size_t place)
{
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= merge->heap_count) {
            return;
        }
        if (child + 1 < merge->heap_count && is_less(head(merge, child + 1), head(merge, child))) {
            child++;
        }
        if (!is_less(head(merge, child), head(merge, place))) {
            return;
        }
        size_t run = merge->heap[place];
        merge->heap[place] = merge->heap[child];
        merge->heap[child] = run;
        place = child;
    }
}

static enum rc merge_walk(struct merge *merge, pairs_take *take, void *ctx, struct err *err)
{
    struct pair out[512];
    size_t count = 0;
    enum rc rc = RC_OK;

    for (size_t i = merge->heap_count; i-- > 0;) {
        sift_down(merge, i);
    }
    while (rc == RC_OK && merge->heap_count > 0) {
        struct run *run = &merge->runs[merge->heap[0]];
        out[count++] = run->items[run->next++];
        if (count == sizeof out / sizeof out[0]) {
            rc = take(ctx, out, count, err);
            count = 0;
        }
        if (rc == RC_OK && run->next == run->count) {
            rc = refill(merge, run, err);
            if (run->count == 0) {
                merge->heap[0] = merge->heap[--merge->heap_count];
            }
        }
        sift_down(merge, 0);
    }
    return rc == RC_OK && count > 0 ? take(ctx, out, count, err) : rc;
}

static size_t read_bytes_of(const struct pairs *pairs)
{
    size_t each = pairs->memory_pairs * sizeof(struct pair) / pairs->runs_count;
    each = each > PAIRS_RUN_READ_BYTES_MAX ? PAIRS_RUN_READ_BYTES_MAX : each;
    each = each < PAIRS_RUN_READ_BYTES_MIN ? PAIRS_RUN_READ_BYTES_MIN : each;
    return each / sizeof(struct pair) * sizeof(struct pair);
}

static enum rc merge_runs(struct pairs *pairs, pairs_take *take, void *ctx, struct err *err)
{
    size_t count = pairs->runs_count;
    struct merge merge = {.spill = &pairs->runs};
    enum rc rc = RC_OK;

    free(pairs->items);
    pairs->items = NULL;
    pairs->cap = 0;
    merge.runs = calloc(count, sizeof *merge.runs);
    merge.heap = calloc(count, sizeof *merge.heap);
    merge.read_bytes = read_bytes_of(pairs);
    merge.pool = malloc(count * merge.read_bytes);
    if (merge.runs == NULL || merge.heap == NULL || merge.pool == NULL) {
        rc = no_memory(err);
    }
    for (size_t i = 0; rc == RC_OK && i < count; i++) {
        merge.runs[i].at = i == 0 ? 0 : pairs->run_ends[i - 1];
        merge.runs[i].end = pairs->run_ends[i];
        merge.runs[i].items = merge.pool + i * (merge.read_bytes / sizeof(struct pair));
        rc = refill(&merge, &merge.runs[i], err);
        merge.heap[merge.heap_count++] = i;
    }
    if (rc == RC_OK) {
        rc = merge_walk(&merge, take, ctx, err);
    }
    free(merge.runs);
    free(merge.heap);
    free(merge.pool);
    return rc;
}

enum rc pairs_each(struct pairs *pairs, pairs_take *take, void *ctx, struct err *err)
{
    enum rc rc = RC_OK;

    if (pairs->runs_count > 0 && pairs->count > 0) {
        rc = write_run(pairs, err);
    }
    if (rc == RC_OK && pairs->runs_count > 0) {
        rc = merge_runs(pairs, take, ctx, err);
    } else if (rc == RC_OK && pairs->count > 0) {
        rc = sort_pairs(pairs->items, pairs->count) ? take(ctx, pairs->items, pairs->count, err)
                                                    : no_memory(err);
    }
    pairs_release(pairs);
    return rc;
}
