/*
 * order - payloads given back in the order of their keys: in memory, or as sorted runs on disk
 *
 * A key is bytes that compare as memcmp does (order_key_add makes one from fields); equal keys keep
 * the order of their sequence numbers. Without keys the order is that of arrival, and nothing is
 * sorted. Threads fill chunks of their own; one thread at a time hands them over, in sequence.
 */
#ifndef POSTROOM_AUDIENCE_ORDER_H
#define POSTROOM_AUDIENCE_ORDER_H

#include "audience/spill.h"

enum {
    ORDER_PAYLOAD_BYTES_MAX = 64 * 1024 * 1024,
    ORDER_RUNS_MAX = 4096,
    ORDER_SLAB_BYTES = 8 * 1024 * 1024,
    ORDER_RUN_READ_BYTES_MIN = 16 * 1024, /* of each run at a time while runs are merged */
    ORDER_RUN_READ_BYTES_MAX = 1024 * 1024
};

/* What is kept of a row; as it lies in memory and in runs, each on a multiple of 8 bytes. */
struct order_item {
    uint64_t sequence;
    uint32_t key_len;
    uint32_t payload_len;
    char bytes[]; /* key, payload */
};

struct order_ref {
    uint64_t prefix; /* 8 bytes of the key, most significant first */
    union {
        struct order_item *item;
        uint64_t place; /* of the row that an item can be made of (places.h) */
    };
};

/* Items of one block; filled by one thread. Zero-initialised is empty. */
struct order_chunk {
    struct buf bytes;
    size_t count;
};

/*
 * order_chunk_begin - begin an item; its key and then its payload are appended to chunk->bytes
 * out_at    for order_chunk_end
 * Returns   RC_OK; RC_NOMEM
 */
enum rc order_chunk_begin(struct order_chunk *chunk, size_t *out_at, struct err *err) MUST_CHECK;

/*
 * order_chunk_end - the item that begins at `at` is complete, key_len bytes of it are its key
 * sequence  counts from 0 within what is handed over with it
 * Returns   RC_OK; RC_RANGE it is longer than ORDER_PAYLOAD_BYTES_MAX; RC_NOMEM an append was lost
 */
enum rc order_chunk_end(struct order_chunk *chunk, size_t at, size_t key_len, uint64_t sequence,
                        struct err *err) MUST_CHECK;

/* order_chunk_add - a whole item; results as order_chunk_end */
enum rc order_chunk_add(struct order_chunk *chunk, uint64_t sequence, struct slice key,
                        struct slice payload, struct err *err) MUST_CHECK;

/* order_key_add - append a field to a composite key. No field holds a NUL byte (the CSV rules), so
 * that a NUL ends an ascending field; a descending one is complemented, its end too. */
void order_key_add(struct buf *key, struct slice field, bool is_descending);

/* Items of several chunks, one behind the other. */
struct order_slab {
    char *bytes;
    size_t len;
    size_t cap;
};

enum { ORDER_FILES = 4 }; /* who writes a file waits for others that do: each has one of its own */

/* Sorted items on disk: offsets in one of the files. */
struct order_run {
    unsigned file;
    uint64_t start;
    uint64_t end;
};

struct order {
    bool is_sorted; /* by keys; else as they come */
    unsigned threads;
    size_t memory_bytes;
    size_t slab_bytes; /* of each but the first; 0: order_keep_chunk alone is used, for one order
                          after the other: what is sorted with is kept, too */
    size_t used_bytes; /* of the slabs */
    struct order_slab *slabs;
    size_t slabs_count; /* in use */
    size_t slabs_made;  /* with memory: what was used for one run serves the next */
    size_t slabs_cap;
    struct order_ref *refs; /* is_sorted only */
    size_t refs_count;
    size_t refs_cap;
    bool is_unsorted;        /* some prefix is below the one before it */
    struct order_ref *spare; /* kept; as many as spare_cap */
    size_t spare_cap;
    struct spill spilled[ORDER_FILES]; /* where the runs lie */
    struct order_run *runs;
    size_t runs_count;
};

void order_init(struct order *order, bool is_sorted, size_t memory_bytes, int dir_fd,
                unsigned threads);
void order_release(struct order *order);

/* order_reset - empty it, and keep its memory for what comes next */
void order_reset(struct order *order);

/*
 * order_take_chunk - hand a chunk over, by a copy: its own memory serves the next block
 * base      added to the sequence of each item; what is handed over later must have higher numbers
 * Returns   RC_OK; RC_NOMEM; RC_RANGE memory is passed and there is no directory, or too many runs;
 *           RC_TEMP the disk is full; RC_IO
 */
enum rc order_take_chunk(struct order *order, struct order_chunk *chunk, uint64_t base,
                         struct err *err) MUST_CHECK;

/* order_keep_chunk - the same without a copy: the chunk's memory stays here, and the chunk gets
 * what served before order_reset, or none */
enum rc order_keep_chunk(struct order *order, struct order_chunk *chunk, uint64_t base,
                         struct err *err) MUST_CHECK;

/*
 * The same in two halves, so that several threads copy at once: that is when memory is touched for
 * the first time, which is most of what it costs.
 *
 * order_place_chunk  one thread at a time, in sequence. *out_to is for order_copy_chunk; NULL:
 *                    there is nothing to copy. Results as order_take_chunk
 * order_copy_chunk   any thread; before the next order_place_chunk that order_is_full() is true
 *                    for, and before order_finish
 * order_is_full      placing this chunk sends what is there to disk first: all of it must have been
 *                    copied
 */
enum rc order_place_chunk(struct order *order, struct order_chunk *chunk, uint64_t base,
                          char **out_to, struct err *err) MUST_CHECK;
void order_copy_chunk(struct order_chunk *chunk, char *to);
bool order_is_full(const struct order *order, const struct order_chunk *chunk);

/* order_finish - sort what is left; before order_each. Results as order_take_chunk.
 * Cost: about 40 ns an item, divided among the threads */
enum rc order_finish(struct order *order, struct err *err) MUST_CHECK;

/* Takes items in order; anything but RC_OK ends the walk and is its result. */
typedef enum rc order_take(void *ctx, uint64_t sequence, struct slice payload, struct err *err);

/* order_each - all items; may be called again. RC_OK; what take returned; RC_IO; RC_NOMEM */
enum rc order_each(const struct order *order, order_take *take, void *ctx,
                   struct err *err) MUST_CHECK;

/*
 * order_sort_prefixes - sort references by their prefixes alone, equal ones as they stand
 * spare     as many; of no use afterwards
 */
void order_sort_prefixes(struct order_ref *refs, struct order_ref *spare, size_t count);

/*
 * order_sort - sort references by key, equal ones as they stand
 * refs     prefix: the first 8 bytes of each key
 * spare    as long as refs; afterwards without meaning. The two may have changed places
 * Returns  false where threads or memory are lacking (refs are then unchanged or sorted)
 */
bool order_sort(struct order_ref **refs, struct order_ref **spare, size_t count, bool is_by_prefix,
                unsigned threads);

/* order_forget - what is in memory is not needed any more; slabs are kept, but for unusual ones */
void order_forget(struct order *order);

/* order_sort_refs - all references in memory. RC_OK; RC_NOMEM */
enum rc order_sort_refs(struct order *order, struct err *err) MUST_CHECK;

/* order_write_run - what is in memory goes to disk: sorted as runs, else behind what is there
 * already. Results as order_take_chunk */
enum rc order_write_run(struct order *order, struct err *err) MUST_CHECK;

/* order_prefix - 8 bytes of the key from `depth` on, NUL bytes behind its end */
static inline uint64_t order_prefix(const struct order_item *item, size_t depth)
{
    uint64_t prefix = 0;
    if (item->key_len >= depth + sizeof prefix) {
        memcpy(&prefix, item->bytes + depth, sizeof prefix);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        prefix = __builtin_bswap64(prefix);
#endif
        return prefix;
    }
    for (size_t i = 0; i < sizeof prefix; i++) {
        unsigned char byte = depth + i < item->key_len ? (unsigned char)item->bytes[depth + i] : 0;
        prefix = prefix << 8 | byte;
    }
    return prefix;
}

/* bytes that an item takes, up to the next */
static inline size_t order_item_size(uint32_t key_len, uint32_t payload_len)
{
    return (sizeof(struct order_item) + key_len + payload_len + 7) & ~(size_t)7;
}

#endif
