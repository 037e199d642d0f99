/*
 * order_ranges - references cut into ranges of keys that stand behind one another
 *
 * Contract in the header. Each thread counts and scatters a part of the references of its own; the
 * parts stand behind one another in each range, so that equal keys stay as they were.
 */
#include "audience/order_ranges.h"

#include "audience/side_by_side.h"

#include <assert.h>
#include <stdlib.h>

enum { SAMPLES_EACH = 16, THREADS_MAX = 64, LEFT_OUT = ORDER_RANGES_MAX };

struct order_ranges_part {
    struct order_ranges *ranges;
    const struct order_ref *refs;
    struct order_ref *out;
    order_ranges_is_in *is_in;
    const void *ctx;
    size_t from;
    size_t to;
    size_t places[ORDER_RANGES_MAX + 1]; /* how many of each range; then where the next one goes */
};

static int compare_prefixes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

void order_ranges_choose(struct order_ranges *ranges, const struct order_ref *refs, size_t count,
                         size_t each)
{
    uint64_t samples[ORDER_RANGES_MAX * SAMPLES_EACH] = {0};
    size_t wanted = count / each + 1;
    wanted = wanted > ORDER_RANGES_MAX ? ORDER_RANGES_MAX : wanted;
    size_t samples_count = wanted * SAMPLES_EACH;

    for (size_t i = 0; count > 0 && i < samples_count; i++) {
        samples[i] = refs[count * i / samples_count].prefix;
    }
    qsort(samples, samples_count, sizeof samples[0], compare_prefixes);
    ranges->count = 1;
    memset(ranges->splitters, 0xFF, sizeof ranges->splitters);
    for (size_t i = 1; i < wanted; i++) {
        uint64_t splitter = samples[i * SAMPLES_EACH];
        if (ranges->count == 1 || splitter != ranges->splitters[ranges->count - 2]) {
            ranges->splitters[ranges->count++ - 1] = splitter;
        }
    }
    ranges->half = 1;
    while (2 * ranges->half < ranges->count) {
        ranges->half *= 2;
    }
}

/* How many splitters are not above the prefix, without a branch to guess wrong: they are filled up
 * with the highest number, and no range is behind the last. */
static inline size_t range_of(const struct order_ranges *ranges, uint64_t prefix)
{
    size_t low = 0;
    for (size_t half = ranges->half; half > 0; half /= 2) {
        low += half & -(size_t)(ranges->splitters[low + half - 1] <= prefix);
    }
    return low < ranges->count ? low : ranges->count - 1;
}

size_t order_ranges_of(const struct order_ranges *ranges, uint64_t prefix)
{
    return range_of(ranges, prefix);
}

static void *count_part(void *arg)
{
    struct order_ranges_part *part = arg;
    for (size_t i = part->from; i < part->to; i++) {
        bool is_in = part->is_in == NULL || part->is_in(part->ctx, i);
        size_t range = is_in ? range_of(part->ranges, part->refs[i].prefix) : LEFT_OUT;
        part->ranges->range_of_ref[i] = (unsigned char)range;
        part->places[range]++;
    }
    return NULL;
}

static void *scatter_part(void *arg)
{
    struct order_ranges_part *part = arg;
    for (size_t i = part->from; i < part->to; i++) {
        size_t range = part->ranges->range_of_ref[i];
        if (range != LEFT_OUT) {
            part->out[part->places[range]++] = part->refs[i];
        }
    }
    return NULL;
}

static void place_parts(struct order_ranges *ranges)
{
    size_t sum = 0;
    for (size_t range = 0; range < ranges->count; range++) {
        ranges->starts[range] = sum;
        for (unsigned i = 0; i < ranges->parts_count; i++) {
            size_t here = ranges->parts[i].places[range];
            ranges->parts[i].places[range] = sum;
            sum += here;
        }
    }
    ranges->starts[ranges->count] = sum;
}

bool order_ranges_count(struct order_ranges *ranges, const struct order_ref *refs, size_t count,
                        unsigned threads, order_ranges_is_in *is_in, const void *ctx)
{
    threads = threads < 1 ? 1 : threads > THREADS_MAX ? THREADS_MAX : threads;
    ranges->parts = calloc(threads, sizeof *ranges->parts);
    ranges->range_of_ref = malloc(count + 1);
    ranges->parts_count = threads;
    if (ranges->parts == NULL || ranges->range_of_ref == NULL) {
        order_ranges_release(ranges);
        return false;
    }
    for (unsigned i = 0; i < threads; i++) {
        ranges->parts[i] =
            (struct order_ranges_part){.ranges = ranges,
                                       .refs = refs,
                                       .is_in = is_in,
                                       .ctx = ctx,
                                       .from = count / threads * i,
                                       .to = i + 1 == threads ? count : count / threads * (i + 1)};
    }
    side_by_side(count_part, ranges->parts, sizeof *ranges->parts, threads);
    place_parts(ranges);
    return true;
}

void order_ranges_scatter(struct order_ranges *ranges, const struct order_ref *refs,
                          struct order_ref *out)
{
    assert(ranges->parts != NULL);
    for (unsigned i = 0; i < ranges->parts_count; i++) {
        ranges->parts[i].refs = refs;
        ranges->parts[i].out = out;
    }
    side_by_side(scatter_part, ranges->parts, sizeof *ranges->parts, ranges->parts_count);
    order_ranges_release(ranges);
}

void order_ranges_release(struct order_ranges *ranges)
{
    if (ranges != NULL) {
        free(ranges->parts);
        free(ranges->range_of_ref);
        ranges->parts = NULL;
        ranges->range_of_ref = NULL;
    }
}
