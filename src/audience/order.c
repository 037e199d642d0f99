/*
 * order - payloads given back in the order of their keys
 *
 * Contract in the header. Chunks are small and stay in their thread's cache; what they hold is
 * copied behind one another into slabs of large pages, where the walk in order finds it without
 * missing its pages. When memory is full, what is there is sorted and written as runs
 * (order_run.c), which are merged as they are read (order_merge.c).
 */
#include "audience/order.h"

#include "sys/memory.h"

#include <stdlib.h>

enum { KEPT_PART = 8 }; /* a chunk that is longer than an eighth of the memory is not kept */

static enum rc no_memory(struct err *err)
{
    err_set(err, RC_NOMEM, "no memory");
    return RC_NOMEM; /* stated for analysers, which do not see what err_set returns */
}

static enum rc too_long(struct err *err)
{
    return err_set(err, RC_RANGE, "what a row becomes is longer than %d bytes",
                   ORDER_PAYLOAD_BYTES_MAX);
}

enum rc order_chunk_begin(struct order_chunk *chunk, size_t *out_at, struct err *err)
{
    static const struct order_item unknown = {0, 0, 0};

    *out_at = chunk->bytes.len;
    if (!buf_reserve(&chunk->bytes, sizeof unknown)) {
        return no_memory(err);
    }
    buf_add(&chunk->bytes, &unknown, sizeof unknown);
    return RC_OK;
}

enum rc order_chunk_end(struct order_chunk *chunk, size_t at, size_t key_len, uint64_t sequence,
                        struct err *err)
{
    static const char PADDING[8] = {0};
    struct buf *bytes = &chunk->bytes;

    if (bytes->is_failed) {
        return no_memory(err);
    }
    size_t payload_len = bytes->len - at - sizeof(struct order_item) - key_len;
    if (payload_len > ORDER_PAYLOAD_BYTES_MAX || key_len > ORDER_PAYLOAD_BYTES_MAX) {
        return too_long(err);
    }
    struct order_item item = {sequence, (uint32_t)key_len, (uint32_t)payload_len};
    buf_add(bytes, PADDING, at + order_item_size(item.key_len, item.payload_len) - bytes->len);
    if (bytes->is_failed) {
        return no_memory(err);
    }
    memcpy(bytes->ptr + at, &item, sizeof item);
    chunk->count++;
    return RC_OK;
}

enum rc order_chunk_add(struct order_chunk *chunk, uint64_t sequence, struct slice key,
                        struct slice payload, struct err *err)
{
    size_t at = 0;
    if (payload.len > ORDER_PAYLOAD_BYTES_MAX || key.len > ORDER_PAYLOAD_BYTES_MAX) {
        return too_long(err);
    }
    enum rc rc = order_chunk_begin(chunk, &at, err);
    if (rc != RC_OK) {
        return rc;
    }
    buf_add_slice(&chunk->bytes, key);
    buf_add_slice(&chunk->bytes, payload);
    return order_chunk_end(chunk, at, key.len, sequence, err);
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
    *order = (struct order){.is_sorted = is_sorted,
                            .memory_bytes = memory_bytes,
                            .slab_bytes = ORDER_SLAB_BYTES,
                            .threads = threads};
    for (size_t i = 0; i < ORDER_FILES; i++) {
        spill_init(&order->spilled[i], dir_fd, 0);
    }
}

static void release_files(struct order *order, int dir_fd)
{
    for (size_t i = 0; i < ORDER_FILES; i++) {
        spill_release(&order->spilled[i]);
        spill_init(&order->spilled[i], dir_fd, 0);
    }
}

static void release_slabs(struct order *order)
{
    for (size_t i = 0; i < order->slabs_made; i++) {
        free(order->slabs[i].bytes);
    }
    order->slabs_made = 0;
    order->slabs_count = 0;
}

void order_release(struct order *order)
{
    release_slabs(order);
    free(order->slabs);
    free(order->refs);
    free(order->spare);
    free(order->runs);
    release_files(order, -1);
    order_init(order, false, 0, -1, 1);
}

static bool is_usual(const struct order *order, const struct order_slab *slab)
{
    return order->slab_bytes == 0 ? slab->cap <= order->memory_bytes / KEPT_PART
                                  : slab->cap == order->slab_bytes;
}

void order_forget(struct order *order)
{
    size_t made = 0;
    for (size_t i = 0; i < order->slabs_made; i++) {
        struct order_slab *slab = &order->slabs[i];
        if (is_usual(order, slab)) {
            order->slabs[made++] = (struct order_slab){slab->bytes, 0, slab->cap};
        } else {
            free(slab->bytes);
        }
    }
    order->slabs_made = made;
    order->slabs_count = 0;
    order->refs_count = 0;
    order->is_unsorted = false;
    order->used_bytes = 0;
}

void order_reset(struct order *order)
{
    order_forget(order);
    order->runs_count = 0;
    release_files(order, order->spilled[0].dir_fd);
}

static bool has_slab_room(struct order *order)
{
    if (order->slabs_made < order->slabs_cap) {
        return true;
    }
    size_t cap = order->slabs_cap == 0 ? 64 : order->slabs_cap * 2;
    struct order_slab *slabs = realloc(order->slabs, cap * sizeof *slabs);
    if (slabs == NULL) {
        return false;
    }
    order->slabs = slabs;
    order->slabs_cap = cap;
    return true;
}

/* A slab with room for len bytes. The first is as long as it must be: most deliveries are small. */
static enum rc slab_for(struct order *order, size_t len, struct order_slab **out, struct err *err)
{
    if (order->slabs_count > 0) {
        *out = &order->slabs[order->slabs_count - 1];
        if ((*out)->cap - (*out)->len >= len) {
            return RC_OK;
        }
    }
    if (order->slabs_count < order->slabs_made && len <= order->slab_bytes) {
        *out = &order->slabs[order->slabs_count++];
        return RC_OK;
    }
    if (!has_slab_room(order)) {
        return no_memory(err);
    }
    size_t cap = order->slabs_count == 0 || len > order->slab_bytes ? len : order->slab_bytes;
    char *bytes = memory_large(cap);
    if (bytes == NULL) {
        return no_memory(err);
    }
    /* it takes its place before those that are kept for later */
    order->slabs[order->slabs_made++] = order->slabs[order->slabs_count];
    *out = &order->slabs[order->slabs_count++];
    **out = (struct order_slab){bytes, 0, cap};
    return RC_OK;
}

static enum rc refs_for(struct order *order, size_t items, struct err *err)
{
    if (!order->is_sorted || order->refs_cap - order->refs_count >= items) {
        return RC_OK;
    }
    size_t cap = order->refs_cap * 2;
    cap = cap < order->refs_count + items ? order->refs_count + items : cap;
    struct order_ref *refs = realloc(order->refs, cap * sizeof *refs);
    if (refs == NULL) {
        return no_memory(err);
    }
    memory_prefer_large(refs, cap * sizeof *refs);
    order->refs = refs;
    order->refs_cap = cap;
    return RC_OK;
}

/* number the items, and note where they will be */
static void note_items(struct order *order, struct order_chunk *chunk, char *to, uint64_t base)
{
    char *bytes = chunk->bytes.ptr;
    size_t at = 0;
    while (at < chunk->bytes.len) {
        struct order_item *item = (struct order_item *)(void *)(bytes + at);
        item->sequence += base;
        if (order->is_sorted) {
            uint64_t prefix = order_prefix(item, 0);
            size_t number = order->refs_count++;
            order->is_unsorted |= number > 0 && prefix < order->refs[number - 1].prefix;
            order->refs[number] =
                (struct order_ref){prefix, {(struct order_item *)(void *)(to + at)}};
        }
        at += order_item_size(item->key_len, item->payload_len);
    }
}

bool order_is_full(const struct order *order, const struct order_chunk *chunk)
{
    /* each reference is there twice while it is sorted */
    size_t refs_bytes = (order->refs_count + chunk->count) * 2 * sizeof *order->refs;
    size_t needed = order->used_bytes + chunk->bytes.len + (order->is_sorted ? refs_bytes : 0);
    return chunk->count > 0 && order->slabs_count > 0 && needed > order->memory_bytes;
}

enum rc order_place_chunk(struct order *order, struct order_chunk *chunk, uint64_t base,
                          char **out_to, struct err *err)
{
    size_t len = chunk->bytes.len;
    struct order_slab *slab = NULL;
    enum rc rc = RC_OK;

    *out_to = NULL;
    if (chunk->count == 0) {
        return RC_OK;
    }
    if (order_is_full(order, chunk)) {
        rc = order_write_run(order, err);
    }
    rc = rc == RC_OK ? slab_for(order, len, &slab, err) : rc;
    rc = rc == RC_OK ? refs_for(order, chunk->count, err) : rc;
    if (rc != RC_OK) {
        return rc;
    }
    *out_to = slab->bytes + slab->len;
    note_items(order, chunk, *out_to, base);
    slab->len += len;
    order->used_bytes += len;
    return RC_OK;
}

void order_copy_chunk(struct order_chunk *chunk, char *to)
{
    if (to != NULL) {
        memcpy(to, chunk->bytes.ptr, chunk->bytes.len);
    }
    chunk->count = 0;
    buf_clear(&chunk->bytes);
}

enum rc order_take_chunk(struct order *order, struct order_chunk *chunk, uint64_t base,
                         struct err *err)
{
    char *to = NULL;
    enum rc rc = order_place_chunk(order, chunk, base, &to, err);
    if (rc == RC_OK) {
        order_copy_chunk(chunk, to);
    }
    return rc;
}

enum rc order_keep_chunk(struct order *order, struct order_chunk *chunk, uint64_t base,
                         struct err *err)
{
    struct buf *bytes = &chunk->bytes;
    enum rc rc = RC_OK;

    if (chunk->count == 0) {
        return RC_OK;
    }
    if (order_is_full(order, chunk)) {
        rc = order_write_run(order, err);
    }
    rc = rc == RC_OK ? refs_for(order, chunk->count, err) : rc;
    if (rc != RC_OK || !has_slab_room(order)) {
        return rc == RC_OK ? no_memory(err) : rc;
    }
    struct order_slab free_one = {NULL, 0, 0};
    if (order->slabs_count < order->slabs_made) {
        free_one = order->slabs[order->slabs_count];
    } else {
        order->slabs_made++;
    }
    note_items(order, chunk, bytes->ptr, base);
    order->slabs[order->slabs_count++] = (struct order_slab){bytes->ptr, bytes->len, bytes->cap};
    order->used_bytes += bytes->cap;
    *bytes = (struct buf){free_one.bytes, 0, free_one.cap, false};
    chunk->count = 0;
    return RC_OK;
}

enum rc order_finish(struct order *order, struct err *err)
{
    enum rc rc = RC_OK;

    if (order->runs_count > 0 && order->slabs_count > 0) {
        rc = order_write_run(order, err);
    } else if (order->is_sorted) {
        rc = order_sort_refs(order, err);
    }
    if (rc == RC_OK && order->runs_count > 0) {
        rc = spill_flush(&order->spilled[0], err); /* the others were written without a tail */
        release_slabs(order);
        free(order->refs);
        free(order->spare);
        order->refs = order->spare = NULL;
        order->refs_cap = order->spare_cap = 0;
    }
    return rc;
}
