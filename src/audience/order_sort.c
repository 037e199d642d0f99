/*
 * order_sort - sorting references to items by their keys
 *
 * Eight bytes of the key travel with the reference. References are sorted by those (radix where
 * there are many, merging where there are few, both stable); groups that are equal get the next
 * eight bytes and are sorted among themselves. Only the latter looks at the items. Many references
 * are first cut into ranges of keys (order_ranges), which threads then sort side by side, each
 * range within a processor's cache.
 */
#include "audience/order_ranges.h"
#include "audience/side_by_side.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    INSERTION_MAX = 12,
    MERGE_MAX = 512,       /* above it radix passes cost less */
    DEPTH_MAX = 64 * 8,    /* keys that are equal so far are compared whole: recursion is bounded */
    AHEAD = 16,            /* items that are fetched before they are looked at */
    SPLIT_MIN = 32 * 1024, /* fewer references are sorted in one piece */
    RANGE_REFS = 16 * 1024 /* 256 KiB of references */
};

/* keys that are equal up to depth, where NUL bytes stand behind the end of a shorter one */
static int compare_rest(const struct order_item *a, const struct order_item *b, size_t depth)
{
    size_t x = a->key_len > depth ? depth : a->key_len;
    size_t y = b->key_len > depth ? depth : b->key_len;
    int order = slice_compare((struct slice){a->bytes + x, a->key_len - x},
                              (struct slice){b->bytes + y, b->key_len - y});
    return order != 0 || a->key_len == b->key_len ? order : a->key_len < b->key_len ? -1 : 1;
}

/* is a to stand behind b? is_whole: compare what follows the prefix too */
static inline bool is_behind(const struct order_ref *a, const struct order_ref *b, size_t depth,
                             bool is_whole)
{
    if (a->prefix != b->prefix) {
        return a->prefix > b->prefix;
    }
    return is_whole && compare_rest(a->item, b->item, depth) > 0;
}

static void insertion_sort(struct order_ref *refs, size_t count, size_t depth, bool is_whole)
{
    for (size_t i = 1; i < count; i++) {
        struct order_ref ref = refs[i];
        size_t to = i;
        while (to > 0 && is_behind(&refs[to - 1], &ref, depth, is_whole)) {
            refs[to] = refs[to - 1];
            to--;
        }
        refs[to] = ref;
    }
}

static void merge_sort(struct order_ref *refs, struct order_ref *spare, size_t count, size_t depth,
                       bool is_whole)
{
    if (count <= INSERTION_MAX) {
        insertion_sort(refs, count, depth, is_whole);
        return;
    }
    size_t half = count / 2;
    merge_sort(refs, spare, half, depth, is_whole);
    merge_sort(refs + half, spare + half, count - half, depth, is_whole);
    if (!is_behind(&refs[half - 1], &refs[half], depth, is_whole)) {
        return;
    }
    memcpy(spare, refs, half * sizeof *refs);
    size_t left = 0;
    size_t right = half;
    size_t to = 0;
    while (left < half && right < count) {
        refs[to++] =
            is_behind(&spare[left], &refs[right], depth, is_whole) ? refs[right++] : spare[left++];
    }
    memcpy(refs + to, spare + left, (half - left) * sizeof *refs);
}

static void radix_sort(struct order_ref *refs, struct order_ref *spare, size_t count)
{
    uint32_t counts[8][256] = {{0}};
    struct order_ref *from = refs;
    struct order_ref *to = spare;

    for (size_t i = 0; i < count; i++) {
        for (int digit = 0; digit < 8; digit++) {
            counts[digit][refs[i].prefix >> (8 * digit) & 255]++;
        }
    }
    for (int digit = 0; digit < 8; digit++) {
        uint32_t *places = counts[digit];
        uint32_t sum = 0;
        if (places[from[0].prefix >> (8 * digit) & 255] == count) {
            continue; /* all have the same byte here */
        }
        for (size_t i = 0; i < 256; i++) {
            uint32_t here = places[i];
            places[i] = sum;
            sum += here;
        }
        for (size_t i = 0; i < count; i++) {
            to[places[from[i].prefix >> (8 * digit) & 255]++] = from[i];
        }
        struct order_ref *swap = from;
        from = to;
        to = swap;
    }
    if (from != refs) {
        memcpy(refs, from, count * sizeof *refs);
    }
}

void order_sort_prefixes(struct order_ref *refs, struct order_ref *spare, size_t count)
{
    if (count > MERGE_MAX) {
        radix_sort(refs, spare, count);
    } else {
        merge_sort(refs, spare, count, 0, false);
    }
}

/* behind: references that stand behind these, and are looked at next */
static void sort_from(struct order_ref *refs, struct order_ref *spare, size_t count, size_t behind,
                      size_t depth);

/* The two lines that an item's length and the next eight bytes of its key most often are in. */
static inline void fetch(const struct order_ref *ref, size_t depth)
{
    const char *item = (const char *)ref->item;
    __builtin_prefetch(item);
    __builtin_prefetch(item + sizeof(struct order_item) + depth + sizeof ref->prefix - 1);
}

/* references with equal prefixes: on to the next eight bytes, unless some key ends before. Groups
 * are small, so what is fetched ahead belongs to the next ones too. */
static void sort_group(struct order_ref *refs, struct order_ref *spare, size_t count, size_t behind,
                       size_t depth)
{
    bool is_ended = depth >= DEPTH_MAX;

    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count + behind) {
            fetch(&refs[i + AHEAD], depth);
        }
        is_ended |= refs[i].item->key_len <= depth;
    }
    if (is_ended) {
        merge_sort(refs, spare, count, depth, true);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        refs[i].prefix = order_prefix(refs[i].item, depth);
    }
    sort_from(refs, spare, count, behind, depth);
}

/* prefixes are those at `depth`, and sorted */
static void sort_groups(struct order_ref *refs, struct order_ref *spare, size_t count,
                        size_t behind, size_t depth)
{
    size_t from = 0;
    while (from < count) {
        size_t to = from + 1;
        while (to < count && refs[to].prefix == refs[from].prefix) {
            to++;
        }
        if (to - from > 1) {
            sort_group(refs + from, spare + from, to - from, behind + count - to,
                       depth + sizeof refs->prefix);
        }
        from = to;
    }
}

/* prefixes are those at `depth` */
static void sort_from(struct order_ref *refs, struct order_ref *spare, size_t count, size_t behind,
                      size_t depth)
{
    order_sort_prefixes(refs, spare, count);
    sort_groups(refs, spare, count, behind, depth);
}

/* Ranges of keys, each sorted by whoever comes first. */
struct sorting {
    struct order_ranges ranges;
    struct order_ref *refs;
    struct order_ref *spare;
    atomic_size_t next;
};

static void *sort_ranges(void *arg)
{
    struct sorting *sorting = arg;
    for (;;) {
        size_t range = atomic_fetch_add(&sorting->next, 1);
        if (range >= sorting->ranges.count) {
            return NULL;
        }
        size_t start = sorting->ranges.starts[range];
        size_t count = sorting->ranges.starts[range + 1] - start;
        if (count > 1) {
            sort_from(sorting->refs + start, sorting->spare + start, count, 0, 0);
        }
    }
}

bool order_sort(struct order_ref **in_refs, struct order_ref **in_spare, size_t count,
                bool is_by_prefix, unsigned threads)
{
    struct order_ref *refs = *in_refs;
    struct order_ref *spare = *in_spare;

    if (is_by_prefix) {
        sort_groups(refs, spare, count, 0, 0);
        return true;
    }
    if (count < SPLIT_MIN) {
        sort_from(refs, spare, count, 0, 0);
        return true;
    }
    struct sorting *sorting = calloc(1, sizeof *sorting);
    bool is_ok = sorting != NULL;

    if (is_ok) {
        order_ranges_choose(&sorting->ranges, refs, count, RANGE_REFS);
        is_ok = order_ranges_count(&sorting->ranges, refs, count, threads, NULL, NULL);
    }
    if (is_ok) {
        order_ranges_scatter(&sorting->ranges, refs, spare);
        sorting->refs = spare;
        sorting->spare = refs;
        side_by_side(sort_ranges, sorting, 0, threads); /* all of them take ranges from the same */
        *in_refs = spare;
        *in_spare = refs;
    }
    order_ranges_release(sorting == NULL ? NULL : &sorting->ranges);
    free(sorting);
    return is_ok;
}
