/*
 * order_merge - order_each: the walk over sorted items, in memory or from runs on disk
 *
 * Contract in order.h.
 */
#include "audience/order.h"

#include <stdlib.h>

enum { AHEAD = 12 };

/* One run while runs are merged. */
struct run {
    unsigned file;
    uint64_t at; /* offset of what is read next */
    uint64_t end;
    char *bytes;
    size_t len;
    size_t cap;
    size_t next; /* the item that comes next */
    uint64_t prefix;
};

struct merge {
    const struct order *order;
    struct run *runs;
    size_t *heap; /* runs by their next item, the smallest first */
    size_t heap_count;
};

static enum rc no_memory(struct err *err)
{
    err_set(err, RC_NOMEM, "no memory");
    return RC_NOMEM; /* stated for analysers, which do not see what err_set returns */
}

static inline const struct order_item *item_of(const struct run *run)
{
    return (const struct order_item *)(const void *)(run->bytes + run->next);
}

/* Make the next item whole in memory: move the rest to the front, read on behind it. */
static enum rc fill(struct merge *merge, struct run *run, size_t size, struct err *err)
{
    size_t rest = run->len - run->next;
    if (rest > 0) {
        memmove(run->bytes, run->bytes + run->next, rest);
    }
    run->next = 0;
    run->len = rest;
    if (size > run->cap) {
        char *bytes = realloc(run->bytes, size);
        if (bytes == NULL) {
            return no_memory(err);
        }
        run->bytes = bytes;
        run->cap = size;
    }
    uint64_t more = run->end - run->at;
    size_t want = run->cap - rest;
    want = more < want ? (size_t)more : want;
    size_t got = 0;
    const struct spill *file = &merge->order->spilled[run->file];
    enum rc rc = spill_read(file, run->at, run->bytes + rest, want, &got, err);
    run->at += got;
    run->len += got;
    if (rc == RC_OK && run->len < size) {
        return err_set(err, RC_IO, "temporary data could not be read back: it became shorter");
    }
    return rc;
}

/* *out_is_there false: the run is over */
static enum rc look(struct merge *merge, struct run *run, bool *out_is_there, struct err *err)
{
    size_t rest = run->len - run->next;
    enum rc rc = RC_OK;

    *out_is_there = rest > 0 || run->at < run->end;
    if (!*out_is_there) {
        return RC_OK;
    }
    if (rest < sizeof(struct order_item)) {
        rc = fill(merge, run, sizeof(struct order_item), err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    const struct order_item *item = item_of(run);
    size_t size = order_item_size(item->key_len, item->payload_len);
    if (run->len - run->next < size) {
        rc = fill(merge, run, size, err);
    }
    if (rc == RC_OK) {
        run->prefix = order_prefix(item_of(run), 0);
    }
    return rc;
}

static bool is_before(const struct run *a, const struct run *b)
{
    if (a->prefix != b->prefix) {
        return a->prefix < b->prefix;
    }
    const struct order_item *x = item_of(a);
    const struct order_item *y = item_of(b);
    int order =
        slice_compare((struct slice){x->bytes, x->key_len}, (struct slice){y->bytes, y->key_len});
    return order != 0 ? order < 0 : x->sequence < y->sequence;
}

static void sift_down(struct merge *merge, size_t place)
{
    size_t *heap = merge->heap;
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= merge->heap_count) {
            return;
        }
        if (child + 1 < merge->heap_count &&
            is_before(&merge->runs[heap[child + 1]], &merge->runs[heap[child]])) {
            child++;
        }
        if (!is_before(&merge->runs[heap[child]], &merge->runs[heap[place]])) {
            return;
        }
        size_t run = heap[place];
        heap[place] = heap[child];
        heap[child] = run;
        place = child;
    }
}

static enum rc walk(struct merge *merge, order_take *take, void *ctx, struct err *err)
{
    enum rc rc = RC_OK;

    for (size_t i = merge->heap_count; i-- > 0;) {
        sift_down(merge, i);
    }
    while (merge->heap_count > 0) {
        struct run *run = &merge->runs[merge->heap[0]];
        const struct order_item *item = item_of(run);
        rc = take(ctx, item->sequence,
                  (struct slice){item->bytes + item->key_len, item->payload_len}, err);
        if (rc != RC_OK) {
            return rc;
        }
        run->next += order_item_size(item->key_len, item->payload_len);
        bool is_there = false;
        rc = look(merge, run, &is_there, err);
        if (rc != RC_OK) {
            return rc;
        }
        if (!is_there) {
            merge->heap[0] = merge->heap[--merge->heap_count];
        }
        sift_down(merge, 0);
    }
    return RC_OK;
}

static size_t read_bytes_of(const struct order *order)
{
    size_t each = order->memory_bytes / 4 / order->runs_count;
    each = each > ORDER_RUN_READ_BYTES_MAX ? ORDER_RUN_READ_BYTES_MAX : each;
    each = each < ORDER_RUN_READ_BYTES_MIN ? ORDER_RUN_READ_BYTES_MIN : each;
    return each & ~(size_t)7;
}

static enum rc merge_each(const struct order *order, order_take *take, void *ctx, struct err *err)
{
    struct merge merge = {.order = order};
    enum rc rc = RC_OK;

    merge.runs = calloc(order->runs_count, sizeof *merge.runs);
    merge.heap = calloc(order->runs_count, sizeof *merge.heap);
    if (merge.runs == NULL || merge.heap == NULL) {
        rc = no_memory(err);
    }
    for (size_t i = 0; rc == RC_OK && i < order->runs_count; i++) {
        struct run *run = &merge.runs[i];
        bool is_there = false;
        run->file = order->runs[i].file;
        run->at = order->runs[i].start;
        run->end = order->runs[i].end;
        run->cap = read_bytes_of(order);
        run->bytes = malloc(run->cap);
        rc = run->bytes == NULL ? no_memory(err) : look(&merge, run, &is_there, err);
        if (is_there) {
            merge.heap[merge.heap_count++] = i;
        }
    }
    if (rc == RC_OK) {
        rc = walk(&merge, take, ctx, err);
    }
    for (size_t i = 0; merge.runs != NULL && i < order->runs_count; i++) {
        free(merge.runs[i].bytes);
    }
    free(merge.runs);
    free(merge.heap);
    return rc;
}

static inline enum rc give(const struct order_item *item, order_take *take, void *ctx,
                           struct err *err)
{
    return take(ctx, item->sequence, (struct slice){item->bytes + item->key_len, item->payload_len},
                err);
}

enum rc order_each(const struct order *order, order_take *take, void *ctx, struct err *err)
{
    enum rc rc = RC_OK;

    if (order->runs_count > 0) {
        return merge_each(order, take, ctx, err);
    }
    for (size_t i = 0; order->is_sorted && rc == RC_OK && i < order->refs_count; i++) {
        if (i + AHEAD < order->refs_count) {
            const char *ahead = (const char *)order->refs[i + AHEAD].item;
            __builtin_prefetch(ahead);
            __builtin_prefetch(ahead + 64);
            __builtin_prefetch(ahead + 128);
        }
        rc = give(order->refs[i].item, take, ctx, err);
    }
    for (size_t i = 0; !order->is_sorted && rc == RC_OK && i < order->slabs_count; i++) {
        size_t at = 0;
        while (rc == RC_OK && at < order->slabs[i].len) {
            const struct order_item *item =
                (const struct order_item *)(const void *)(order->slabs[i].bytes + at);
            rc = give(item, take, ctx, err);
            at += order_item_size(item->key_len, item->payload_len);
        }
    }
    return rc;
}
