/*
 * order_run - what is in memory sorted, and written to disk as runs
 *
 * A run is items one behind the other, as they lie in memory. Where there are many, each thread
 * writes a range of them as a run of its own: putting them in order waits for memory, writing them
 * for pages of its own file, and both go on side by side. Each has as much room as all together,
 * since nobody knows how long its own becomes; what is left of it is a hole, which takes no disk.
 */
#include "audience/order.h"

#include "audience/side_by_side.h"
#include "sys/memory.h"

#include <stdlib.h>

enum {
    AHEAD = 8,                 /* items that are fetched before they are copied */
    PART_REFS_MIN = 64 * 1024, /* fewer are not worth a thread */
    PARTS_MAX = ORDER_FILES    /* more wait for the same disk */
};

struct part {
    const struct order *order;
    size_t from;
    size_t to;
    struct order_run run;
    enum rc rc;
    struct err err;
};

static enum rc no_memory(struct err *err)
{
    err_set(err, RC_NOMEM, "no memory");
    return RC_NOMEM; /* stated for analysers, which do not see what err_set returns */
}

enum rc order_sort_refs(struct order *order, struct err *err)
{
    if (order->refs_count < 2) {
        return RC_OK;
    }
    /* as many as refs has room for, no more and no less: the two may change places */
    if (order->spare_cap != order->refs_cap) {
        free(order->spare);
        order->spare = malloc(order->refs_cap * sizeof *order->spare);
        order->spare_cap = order->spare == NULL ? 0 : order->refs_cap;
        if (order->spare != NULL) {
            memory_prefer_large(order->spare, order->refs_count * sizeof *order->spare);
        }
    }
    /* Sorted by prefixes, they would not be divided among threads. */
    bool is_by_prefix = !order->is_unsorted && order->threads == 1;
    bool is_ok = order->spare != NULL && order_sort(&order->refs, &order->spare, order->refs_count,
                                                    is_by_prefix, order->threads);
    if (order->slab_bytes > 0) {
        free(order->spare);
        order->spare = NULL;
        order->spare_cap = 0;
    }
    return is_ok ? RC_OK : no_memory(err);
}

static enum rc put(struct part *part, const void *bytes, size_t len)
{
    const struct spill *file = &part->order->spilled[part->run.file];
    enum rc rc = spill_put(file, part->run.end, bytes, len, &part->err);
    part->run.end += rc == RC_OK ? len : 0;
    return rc;
}

static enum rc write_refs(struct part *part, char *bytes)
{
    const struct order_ref *refs = part->order->refs;
    size_t len = 0;
    enum rc rc = RC_OK;

    for (size_t i = part->from; rc == RC_OK && i < part->to; i++) {
        if (i + AHEAD < part->to) {
            const char *ahead = (const char *)refs[i + AHEAD].item;
            __builtin_prefetch(ahead);
            __builtin_prefetch(ahead + 64);
            __builtin_prefetch(ahead + 128);
        }
        const struct order_item *item = refs[i].item;
        size_t size = order_item_size(item->key_len, item->payload_len);
        if (len + size > SPILL_WRITE_BYTES) {
            rc = put(part, bytes, len);
            len = 0;
        }
        if (rc == RC_OK && size > SPILL_WRITE_BYTES) {
            rc = put(part, item, size);
        } else {
            memcpy(bytes + len, item, size);
            len += size;
        }
    }
    return rc == RC_OK ? put(part, bytes, len) : rc;
}

static void *write_part(void *arg)
{
    struct part *part = arg;
    char *bytes = malloc(SPILL_WRITE_BYTES);
    part->rc = bytes == NULL ? no_memory(&part->err) : write_refs(part, bytes);
    free(bytes);
    return NULL;
}

static unsigned parts_for(const struct order *order)
{
    size_t parts = order->refs_count / PART_REFS_MIN;
    parts = parts < order->threads ? parts : order->threads;
    return parts < 1 ? 1 : parts > PARTS_MAX ? PARTS_MAX : (unsigned)parts;
}

static enum rc write_sorted(struct order *order, struct err *err)
{
    struct part parts[PARTS_MAX] = {{.rc = RC_OK}};
    unsigned count = parts_for(order);
    size_t each = order->refs_count / count;

    for (unsigned i = 0; i < count; i++) {
        uint64_t start = 0;
        enum rc rc = spill_room(&order->spilled[i], order->used_bytes, &start, err);
        if (rc != RC_OK) {
            return rc;
        }
        parts[i].order = order;
        parts[i].from = i * each;
        parts[i].to = i + 1 == count ? order->refs_count : (i + 1) * each;
        parts[i].run = (struct order_run){i, start, start};
    }
    side_by_side(write_part, parts, sizeof parts[0], count);
    for (unsigned i = 0; i < count; i++) {
        if (parts[i].rc != RC_OK) {
            return err_set(err, parts[i].rc, "%s", parts[i].err.text);
        }
        order->runs[order->runs_count++] = parts[i].run;
    }
    return RC_OK;
}

/* Behind what is there already: one run, as long as it gets. */
static enum rc write_unsorted(struct order *order, struct err *err)
{
    enum rc rc = RC_OK;

    order->runs_count = 1;
    for (size_t i = 0; rc == RC_OK && i < order->slabs_count; i++) {
        rc = spill_add(&order->spilled[0], order->slabs[i].bytes, order->slabs[i].len, err);
    }
    order->runs[0] = (struct order_run){0, 0, spill_size(&order->spilled[0])};
    return rc;
}

enum rc order_write_run(struct order *order, struct err *err)
{
    if (order->runs_count + PARTS_MAX > ORDER_RUNS_MAX) {
        return err_set(err, RC_RANGE, "too many rows for this much memory; give more memory");
    }
    if (order->runs == NULL) {
        order->runs = calloc(ORDER_RUNS_MAX, sizeof *order->runs);
        if (order->runs == NULL) {
            return no_memory(err);
        }
    }
    enum rc rc = order->is_sorted ? order_sort_refs(order, err) : RC_OK;
    if (rc == RC_OK) {
        rc = order->is_sorted ? write_sorted(order, err) : write_unsorted(order, err);
    }
    if (rc == RC_OK) {
        order_forget(order);
    }
    return rc;
}
