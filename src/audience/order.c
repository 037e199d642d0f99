/*
 * order - payloads given back in the order of their keys
 *
 * Contract in the header. Chunks stay where their thread built them: handing over moves a pointer.
 * When memory is full, what is there is sorted and written as a run; runs are merged as they are
 * read. A run is items one behind the other, as they lie in memory.
 */
#include "audience/order.h"

#include <stdlib.h>

static enum rc no_memory(struct err *err)
{
    err_set(err, RC_NOMEM, "no memory");
    return RC_NOMEM; /* stated for analysers, which do not see what err_set returns */
}

enum rc order_chunk_add(struct order_chunk *chunk, uint64_t sequence, struct slice key,
                        struct slice payload, struct err *err)
{
    static const char PADDING[8] = {0};

    if (payload.len > ORDER_PAYLOAD_BYTES_MAX || key.len > ORDER_PAYLOAD_BYTES_MAX) {
        return err_set(err, RC_RANGE, "what a row becomes is longer than %d bytes",
                       ORDER_PAYLOAD_BYTES_MAX);
    }
    struct order_item item = {sequence, (uint32_t)key.len, (uint32_t)payload.len};
    size_t size = order_item_size(item.key_len, item.payload_len);
    if (!buf_reserve(&chunk->bytes, size)) {
        return no_memory(err);
    }
    buf_add(&chunk->bytes, &item, sizeof item);
    buf_add_slice(&chunk->bytes, key);
    buf_add_slice(&chunk->bytes, payload);
    buf_add(&chunk->bytes, PADDING, size - sizeof item - key.len - payload.len);
    chunk->count++;
    return RC_OK;
}

void order_key_add(struct buf *key, struct slice field, bool is_descending)
{
    if (!is_descending) {
        buf_add_slice(key, field);
        buf_add_byte(key, '\0');
        return;
    }
    size_t from = key->len;
    buf_add_slice(key, field);
    buf_add_byte(key, '\0');
    for (size_t i = from; i < key->len; i++) {
        key->ptr[i] = (char)~key->ptr[i];
    }
}

void order_init(struct order *order, bool is_sorted, size_t memory_bytes, int dir_fd,
                unsigned threads)
{
    *order =
        (struct order){.is_sorted = is_sorted, .memory_bytes = memory_bytes, .threads = threads};
    spill_init(&order->runs, dir_fd, 0);
}

static void forget_chunks(struct order *order)
{
    for (size_t i = 0; i < order->chunks_count; i++) {
        free(order->chunks[i]);
    }
    order->chunks_count = 0;
    order->refs_count = 0;
    order->used_bytes = 0;
}

void order_release(struct order *order)
{
    forget_chunks(order);
    free(order->chunks);
    free(order->chunks_len);
    free(order->refs);
    free(order->run_ends);
    spill_release(&order->runs);
    *order = (struct order){0};
    order->runs.fd = -1;
}

static enum rc sort_refs(struct order *order, struct err *err)
{
    if (order->refs_count < 2) {
        return RC_OK;
    }
    struct order_ref *spare = malloc(order->refs_count * sizeof *spare);
    bool is_ok = spare != NULL && order_sort(order->refs, spare, order->refs_count, order->threads);
    free(spare);
    return is_ok ? RC_OK : no_memory(err);
}

static enum rc write_refs(struct order *order, struct err *err)
{
    enum { AHEAD = 8 };
    enum rc rc = RC_OK;

    for (size_t i = 0; rc == RC_OK && i < order->refs_count; i++) {
        if (i + AHEAD < order->refs_count) {
            __builtin_prefetch(order->refs[i + AHEAD].item);
            __builtin_prefetch((char *)order->refs[i + AHEAD].item + 64);
        }
        const struct order_item *item = order->refs[i].item;
        rc = spill_add(&order->runs, item, order_item_size(item->key_len, item->payload_len), err);
    }
    return rc;
}

/* What is in memory goes to disk: sorted as a run, else behind what is there already. */
static enum rc write_run(struct order *order, struct err *err)
{
    enum rc rc = RC_OK;

    if (order->runs_count == ORDER_RUNS_MAX) {
        return err_set(err, RC_RANGE, "too many rows for this much memory; give more memory");
    }
    if (order->run_ends == NULL) {
        order->run_ends = calloc(ORDER_RUNS_MAX, sizeof *order->run_ends);
        if (order->run_ends == NULL) {
            return no_memory(err);
        }
    }
    if (order->is_sorted) {
        rc = sort_refs(order, err);
        if (rc == RC_OK) {
            rc = write_refs(order, err);
        }
    }
    for (size_t i = 0; rc == RC_OK && !order->is_sorted && i < order->chunks_count; i++) {
        rc = spill_add(&order->runs, order->chunks[i], order->chunks_len[i], err);
    }
    if (rc == RC_OK) {
        if (order->is_sorted || order->runs_count == 0) {
            order->runs_count++;
        }
        order->run_ends[order->runs_count - 1] = spill_size(&order->runs);
        forget_chunks(order);
    }
    return rc;
}

static enum rc make_room(struct order *order, size_t items, struct err *err)
{
    if (order->chunks_count == order->chunks_cap) {
        size_t cap = order->chunks_cap == 0 ? 64 : order->chunks_cap * 2;
        char **chunks = realloc(order->chunks, cap * sizeof *chunks);
        if (chunks == NULL) {
            return no_memory(err);
        }
        order->chunks = chunks;
        size_t *lens = realloc(order->chunks_len, cap * sizeof *lens);
        if (lens == NULL) {
            return no_memory(err);
        }
        order->chunks_len = lens;
        order->chunks_cap = cap;
    }
    if (order->is_sorted && order->refs_cap - order->refs_count < items) {
        size_t cap = order->refs_cap * 2;
        cap = cap < order->refs_count + items ? order->refs_count + items : cap;
        struct order_ref *refs = realloc(order->refs, cap * sizeof *refs);
        if (refs == NULL) {
            return no_memory(err);
        }
        order->refs = refs;
        order->refs_cap = cap;
    }
    return RC_OK;
}

/* number the items, and note where they are */
static void note_items(struct order *order, char *bytes, size_t len, uint64_t base)
{
    size_t at = 0;
    while (at < len) {
        struct order_item *item = (struct order_item *)(void *)(bytes + at);
        item->sequence += base;
        if (order->is_sorted) {
            order->refs[order->refs_count++] = (struct order_ref){order_prefix(item, 0), item};
        }
        at += order_item_size(item->key_len, item->payload_len);
    }
}

enum rc order_take_chunk(struct order *order, struct order_chunk *chunk, uint64_t base,
                         struct err *err)
{
    /* each reference is there twice while it is sorted */
    size_t refs_bytes = (order->refs_count + chunk->count) * 2 * sizeof *order->refs;
    size_t needed = order->used_bytes + chunk->bytes.len + (order->is_sorted ? refs_bytes : 0);
    enum rc rc = RC_OK;

    if (chunk->count == 0) {
        return RC_OK;
    }
    if (order->chunks_count > 0 && needed > order->memory_bytes) {
        rc = write_run(order, err);
    }
    if (rc == RC_OK) {
        rc = make_room(order, chunk->count, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    size_t len = chunk->bytes.len;
    char *bytes = buf_take(&chunk->bytes);
    char *tight = realloc(bytes, len);
    if (tight != NULL) {
        bytes = tight;
    }
    chunk->count = 0;
    note_items(order, bytes, len, base);
    order->chunks[order->chunks_count] = bytes;
    order->chunks_len[order->chunks_count++] = len;
    order->used_bytes += len;
    return RC_OK;
}

enum rc order_finish(struct order *order, struct err *err)
{
    enum rc rc = RC_OK;

    if (order->runs_count > 0 && order->chunks_count > 0) {
        rc = write_run(order, err);
    } else if (order->is_sorted) {
        rc = sort_refs(order, err);
    }
    if (rc == RC_OK && order->runs_count > 0) {
        rc = spill_flush(&order->runs, err);
        free(order->refs);
        order->refs = NULL;
        order->refs_cap = 0;
    }
    return rc;
}
