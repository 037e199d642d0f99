/*
 * huffman - see huffman.h
 *
 * Code lengths come from Moffat and Katajainen's in-place method ("In-Place Calculation of
 * Minimum-Redundancy Codes", 1995). The few that are too long are cut to the limit and paid for by
 * lengthening the longest of the others, until the code is exactly full again.
 */
#include "pack/huffman.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct used {
    uint32_t count;
    uint32_t symbol;
};

static int compare_used(const void *a, const void *b)
{
    const struct used *x = a;
    const struct used *y = b;
    if (x->count != y->count) {
        return x->count < y->count ? -1 : 1;
    }
    return x->symbol < y->symbol ? -1 : x->symbol > y->symbol;
}

/* Counts, ascending, become parents: work[i] of an inner node is the place of its parent. */
static void join_smallest(uint32_t *work, unsigned int n)
{
    unsigned int root = 0;
    unsigned int leaf = 0;
    for (unsigned int next = 0; next + 1 < n; next++) {
        uint32_t sum = 0;
        for (int side = 0; side < 2; side++) {
            bool is_root = leaf >= n || (root < next && work[root] < work[leaf]);
            sum += is_root ? work[root] : work[leaf];
            if (is_root) {
                work[root++] = next;
            } else {
                leaf++;
            }
        }
        work[next] = sum;
    }
}

/* How many codes have each length; lengths beyond the limit count as the limit. */
static void count_lengths(uint32_t *work, unsigned int n, unsigned int limit, unsigned int *numbers)
{
    unsigned int inner = n - 1; /* nodes, the root last */
    unsigned int available = 1;
    work[n - 2] = 0;
    for (unsigned int i = n - 2; i-- > 0;) {
        work[i] = work[work[i]] + 1;
    }
    for (unsigned int depth = 0; available > 0; depth++) {
        unsigned int used = 0;
        while (inner > 0 && work[inner - 1] == depth) {
            used++;
            inner--;
        }
        numbers[depth < limit ? depth : limit] += available - used;
        available = 2 * used;
    }
}

/* Cutting made the code fuller than it can be: shorter codes are lengthened until it fits. */
static void fit(unsigned int *numbers, unsigned int limit)
{
    uint32_t space = 0;
    for (unsigned int i = 1; i <= limit; i++) {
        space += (uint32_t)numbers[i] << (limit - i);
    }
    while (space > (uint32_t)1 << limit) {
        unsigned int i = limit - 1;
        while (numbers[i] == 0) {
            i--;
        }
        numbers[limit]--;
        numbers[i]--;
        numbers[i + 1] += 2;
        space--;
    }
}

/* The symbols that get a code, the rarest first: at least two */
static unsigned int collect(const uint32_t *counts, unsigned int symbols, struct used *used)
{
    unsigned int n = 0;
    for (unsigned int i = 0; i < symbols; i++) {
        if (counts[i] > 0) {
            used[n++] = (struct used){counts[i], i};
        }
    }
    for (unsigned int i = 0; n < 2; i++) {
        if (counts[i] == 0) {
            used[n++] = (struct used){1, i};
        }
    }
    qsort(used, n, sizeof *used, compare_used);
    return n;
}

void huffman_lengths(const uint32_t *counts, unsigned int symbols, unsigned int limit,
                     uint8_t *out_lengths)
{
    struct used used[HUFFMAN_SYMBOLS_MAX];
    uint32_t work[HUFFMAN_SYMBOLS_MAX];
    unsigned int numbers[HUFFMAN_BITS_MAX + 1] = {0};
    assert(symbols >= 2 && symbols <= HUFFMAN_SYMBOLS_MAX && limit <= HUFFMAN_BITS_MAX &&
           1U << limit >= symbols);
    unsigned int n = collect(counts, symbols, used);
    assert(n >= 2);
    for (unsigned int i = 0; i < n; i++) {
        work[i] = used[i].count;
    }
    join_smallest(work, n);
    count_lengths(work, n, limit, numbers);
    fit(numbers, limit);
    memset(out_lengths, 0, symbols);
    unsigned int at = 0;
    for (unsigned int length = limit; length > 0; length--) {
        for (unsigned int i = 0; i < numbers[length]; i++) {
            out_lengths[used[at++].symbol] = (uint8_t)length;
        }
    }
}

void huffman_codes(const uint8_t *lengths, unsigned int symbols, uint16_t *out_codes)
{
    unsigned int next[HUFFMAN_BITS_MAX + 2] = {0};
    unsigned int numbers[HUFFMAN_BITS_MAX + 1] = {0};
    for (unsigned int i = 0; i < symbols; i++) {
        numbers[lengths[i]]++;
    }
    numbers[0] = 0;
    for (unsigned int length = 1; length <= HUFFMAN_BITS_MAX; length++) {
        next[length + 1] = (next[length] + numbers[length]) << 1;
    }
    for (unsigned int i = 0; i < symbols; i++) {
        unsigned int code = lengths[i] == 0 ? 0 : next[lengths[i]]++;
        unsigned int reversed = 0;
        for (unsigned int bit = 0; bit < lengths[i]; bit++) {
            reversed = reversed << 1 | (code >> bit & 1);
        }
        out_codes[i] = (uint16_t)reversed;
    }
}

/* Runs of `times` zeros: 11 to 138 are one symbol, 3 to 10 another. */
static unsigned int put_zeros(unsigned int times, struct huffman_run *out)
{
    unsigned int n = 0;
    while (times >= 11) {
        unsigned int part = times > 138 ? 138 : times;
        out[n++] = (struct huffman_run){18, (uint8_t)(part - 11), 7};
        times -= part;
    }
    if (times >= 3) {
        out[n++] = (struct huffman_run){17, (uint8_t)(times - 3), 3};
        times = 0;
    }
    for (; times > 0; times--) {
        out[n++] = (struct huffman_run){0, 0, 0};
    }
    return n;
}

/* A length, and the same again in runs of 3 to 6 */
static unsigned int put_repeated(uint8_t length, unsigned int times, struct huffman_run *out)
{
    unsigned int n = 0;
    out[n++] = (struct huffman_run){length, 0, 0};
    times--;
    while (times >= 3) {
        unsigned int part = times > 6 ? 6 : times;
        out[n++] = (struct huffman_run){16, (uint8_t)(part - 3), 2};
        times -= part;
    }
    for (; times > 0; times--) {
        out[n++] = (struct huffman_run){length, 0, 0};
    }
    return n;
}

unsigned int huffman_runs(const uint8_t *lengths, unsigned int count, struct huffman_run *out)
{
    unsigned int n = 0;
    for (unsigned int from = 0; from < count;) {
        unsigned int to = from + 1;
        while (to < count && lengths[to] == lengths[from]) {
            to++;
        }
        n += lengths[from] == 0 ? put_zeros(to - from, out + n)
                                : put_repeated(lengths[from], to - from, out + n);
        from = to;
    }
    return n;
}
