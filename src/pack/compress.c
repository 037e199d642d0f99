/*
 * compress - see compress.h
 *
 * The ring. Blocks are numbered from 0 in the order of the output; block n lies in slot n % slots.
 *
 *     written <= hashed          blocks that are in the file; their slots are free
 *     hashed  <= filled          blocks that went through the digests
 *     claimed <= filled          blocks that some thread has taken to compress
 *     filled  <= written + slots blocks that the caller handed over
 *
 * There are three jobs: write the next block, hash the next block (one thread at a time each, in
 * order) and compress any block. Whoever has nothing else to do takes the job that frees a slot
 * soonest. One lock guards the numbers and the flags of the blocks; bytes are touched without it.
 */
#include "pack/compress.h"

#include "sys/fs.h"

#include <assert.h>
#include <libdeflate.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    SLOTS_FOR_THREAD = 2, /* one that it works on, one that waits */
    SLOTS_MORE = 2,       /* one being filled, one being written */
    BEGIN_BYTES = 4 << 20 /* the disk is told of so many at a time: it writes while we compress */
};

enum block_role { BLOCK_HEAD, BLOCK_DATA, BLOCK_TAIL };

struct block {
    enum block_role role;
    struct compress_span *span;
    unsigned char *raw; /* COMPRESS_BLOCK_BYTES, and CODEC_BEFORE_BYTES_MAX in front of them */
    size_t raw_len;
    size_t before; /* of those: the end of the block before, where there is one in the span */
    unsigned char *packed;    /* codec_bound() of them */
    const unsigned char *out; /* what goes to the file: packed or raw */
    size_t out_len;
    uint32_t crc;
    bool is_packed; /* out is ready */
};

struct compress {
    struct compress_options options;
    struct block *blocks;
    unsigned char *bytes; /* of all blocks */
    uint64_t slots;

    /* the caller's own */
    struct block *filling;    /* being filled; NULL: none */
    const struct block *last; /* the full one before it in the span; NULL: none */
    struct compress_span *span;
    struct codec *codec;
    bool has_full; /* a whole block was handed over */

    /* the threads */
    pthread_t threads[COMPRESS_THREADS_MAX];
    unsigned int thread_count;
    bool is_started; /* it was tried */

    pthread_mutex_t lock; /* guards what follows, and blocks between filled and written */
    pthread_cond_t changed;
    bool is_stopping;
    bool is_writing;
    bool is_hashing;
    uint64_t filled;
    uint64_t claimed;
    uint64_t hashed;
    uint64_t written;
    uint64_t at;    /* offset of the next block in the file */
    uint64_t begun; /* what is before is on its way to the disk */
    enum rc rc;     /* the first fault; ends all work */
    struct err err;
    struct sha256 *span_digest; /* the hashing thread's */
    struct sha256 *total_digest;
};

static struct block *block_at(const struct compress *compress, uint64_t number)
{
    return &compress->blocks[number % compress->slots];
}

static enum rc block_pack(const struct compress_options *options, struct block *block,
                          struct codec **codec, struct err *err)
{
    if (options->kind != CODEC_ZSTD) {
        block->crc = libdeflate_crc32(0, block->raw, block->raw_len);
    }
    if (options->kind == CODEC_STORE) {
        block->out = block->raw;
        block->out_len = block->raw_len;
        return RC_OK;
    }
    enum rc rc = RC_OK;
    if (*codec == NULL) {
        rc = codec_open(options->kind, options->level, codec, err);
    }
    if (rc == RC_OK) {
        block->out = block->packed;
        rc = codec_pack(*codec, (struct slice){(const char *)block->raw, block->raw_len},
                        block->before, block->packed,
                        codec_bound(options->kind, COMPRESS_BLOCK_BYTES), &block->out_len, err);
    }
    return rc;
}

static void block_hash(struct compress *compress, struct block *block)
{
    if (block->role == BLOCK_DATA) {
        sha256_add(compress->span_digest, block->raw, block->raw_len);
        if (compress->total_digest != NULL) {
            sha256_add(compress->total_digest, block->raw, block->raw_len);
        }
    } else if (block->role == BLOCK_TAIL) {
        sha256_end(compress->span_digest, block->span->sha256);
    }
}

/* The span's figures grow as its blocks reach the file. */
static void span_count(struct compress_span *span, const struct block *block, uint64_t at)
{
    switch (block->role) {
    case BLOCK_HEAD:
        span->head_at = at;
        span->head_bytes = block->out_len;
        break;
    case BLOCK_DATA:
        span->crc = (uint32_t)crc32_combine(span->crc, block->crc, (z_off_t)block->raw_len);
        span->raw_bytes += block->raw_len;
        span->packed_bytes += block->out_len;
        break;
    case BLOCK_TAIL:
        span->packed_bytes += block->out_len;
        break;
    }
}

static void fail_locked(struct compress *compress, enum rc rc, const struct err *err)
{
    if (rc != RC_OK && compress->rc == RC_OK) {
        compress->rc = rc;
        compress->err = *err;
    }
}

static bool work_write(struct compress *compress)
{
    struct block *block = block_at(compress, compress->written);
    if (compress->is_writing || compress->written == compress->hashed || !block->is_packed) {
        return false;
    }
    struct err err = {""};
    uint64_t at = compress->at;
    compress->is_writing = true;
    (void)pthread_mutex_unlock(&compress->lock);
    enum rc rc = RC_OK;
    if (block->out_len > 0) {
        rc = fs_pwrite_all(compress->options.fd, block->out, block->out_len, at, &err);
    }
    uint64_t end = at + block->out_len;
    if (rc == RC_OK && end - compress->begun >= BEGIN_BYTES) { /* one thread writes at a time */
        fs_begin_writing(compress->options.fd, compress->begun, end - compress->begun);
        compress->begun = end;
    }
    (void)pthread_mutex_lock(&compress->lock);
    compress->is_writing = false;
    fail_locked(compress, rc, &err);
    if (rc == RC_OK) {
        span_count(block->span, block, at);
        compress->at = end;
        compress->written++;
    }
    return true;
}

static bool work_hash(struct compress *compress)
{
    if (compress->is_hashing || compress->hashed == compress->filled) {
        return false;
    }
    struct block *block = block_at(compress, compress->hashed);
    compress->is_hashing = true;
    (void)pthread_mutex_unlock(&compress->lock);
    block_hash(compress, block);
    (void)pthread_mutex_lock(&compress->lock);
    compress->is_hashing = false;
    compress->hashed++;
    return true;
}

static bool work_pack(struct compress *compress, struct codec **codec)
{
    /* Heads and tails are ready as they are; their slots may even have been used again. */
    if (compress->claimed < compress->written) {
        compress->claimed = compress->written;
    }
    while (compress->claimed < compress->filled &&
           block_at(compress, compress->claimed)->role != BLOCK_DATA) {
        compress->claimed++;
    }
    if (compress->claimed == compress->filled) {
        return false;
    }
    struct err err = {""};
    struct block *block = block_at(compress, compress->claimed++);
    (void)pthread_mutex_unlock(&compress->lock);
    enum rc rc = block_pack(&compress->options, block, codec, &err);
    (void)pthread_mutex_lock(&compress->lock);
    fail_locked(compress, rc, &err);
    block->is_packed = true;
    return true;
}

/* One job, with the lock held before and after; false where there is none for this thread now. */
static bool work_once(struct compress *compress, struct codec **codec)
{
    if (compress->rc != RC_OK ||
        !(work_write(compress) || work_hash(compress) || work_pack(compress, codec))) {
        return false;
    }
    (void)pthread_cond_broadcast(&compress->changed);
    return true;
}

static void *thread_main(void *arg)
{
    struct compress *compress = arg;
    struct codec *codec = NULL;
    (void)pthread_mutex_lock(&compress->lock);
    while (!compress->is_stopping) {
        if (!work_once(compress, &codec)) {
            (void)pthread_cond_wait(&compress->changed, &compress->lock);
        }
    }
    (void)pthread_mutex_unlock(&compress->lock);
    codec_free(codec);
    return NULL;
}

/* Threads take no signals: these are for the thread that knows what they mean. Where a thread
 * cannot be had, the others do its work. */
static void threads_start(struct compress *compress)
{
    sigset_t all;
    sigset_t before;
    compress->is_started = true;
    if (sigfillset(&all) != 0 || pthread_sigmask(SIG_SETMASK, &all, &before) != 0) {
        return;
    }
    while (compress->thread_count + 1 < compress->options.threads &&
           pthread_create(&compress->threads[compress->thread_count], NULL, thread_main,
                          compress) == 0) {
        compress->thread_count++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static enum rc fault(const struct compress *compress, struct err *err)
{
    return compress->rc == RC_OK ? RC_OK : err_set(err, compress->rc, "%s", compress->err.text);
}

/* The next slot; works or waits while there is none. */
static enum rc slot_take(struct compress *compress, enum block_role role, struct block **out,
                         struct err *err)
{
    (void)pthread_mutex_lock(&compress->lock);
    while (compress->rc == RC_OK && compress->filled - compress->written == compress->slots) {
        if (!work_once(compress, &compress->codec)) {
            (void)pthread_cond_wait(&compress->changed, &compress->lock);
        }
    }
    enum rc rc = fault(compress, err);
    (void)pthread_mutex_unlock(&compress->lock);
    if (rc != RC_OK) {
        return rc;
    }
    struct block *block = block_at(compress, compress->filled); /* only the caller changes filled */
    block->role = role;
    block->span = compress->span;
    block->raw_len = 0;
    block->before = 0;
    block->crc = 0;
    block->is_packed = false;
    *out = block;
    return RC_OK;
}

static void slot_submit(struct compress *compress, struct block *block)
{
    if (block->role != BLOCK_DATA) {
        block->out = block->raw;
        block->out_len = block->raw_len;
        block->is_packed = true;
    }
    (void)pthread_mutex_lock(&compress->lock);
    compress->filled++;
    (void)pthread_cond_broadcast(&compress->changed);
    (void)pthread_mutex_unlock(&compress->lock);
}

static enum rc submit_as_is(struct compress *compress, enum block_role role, struct slice bytes,
                            struct err *err)
{
    assert(bytes.len <= COMPRESS_BLOCK_BYTES);
    struct block *block;
    enum rc rc = slot_take(compress, role, &block, err);
    if (rc == RC_OK) {
        if (bytes.len > 0) {
            memcpy(block->raw, bytes.ptr, bytes.len);
        }
        block->raw_len = bytes.len;
        slot_submit(compress, block);
    }
    return rc;
}

static unsigned int threads_for(unsigned int threads)
{
    return threads == 0 ? 1 : threads > COMPRESS_THREADS_MAX ? COMPRESS_THREADS_MAX : threads;
}

static size_t slots_for(unsigned int threads)
{
    return (size_t)threads_for(threads) * SLOTS_FOR_THREAD + SLOTS_MORE;
}

/* Of one block: raw and packed, touched only as far as they are filled. */
static size_t block_memory(enum codec_kind kind)
{
    return CODEC_BEFORE_BYTES_MAX + COMPRESS_BLOCK_BYTES + codec_bound(kind, COMPRESS_BLOCK_BYTES);
}

size_t compress_memory_bytes(enum codec_kind kind, unsigned int threads)
{
    return slots_for(threads) * block_memory(kind);
}

enum rc compress_open(const struct compress_options *options, struct compress **out,
                      struct err *err)
{
    enum rc rc = codec_level_check(options->level, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct compress *compress = calloc(1, sizeof *compress);
    if (compress == NULL) {
        return err_set(err, RC_NOMEM, "no memory to compress");
    }
    compress->options = *options;
    compress->options.threads = threads_for(options->threads);
    compress->slots = slots_for(options->threads);
    compress->blocks = calloc(compress->slots, sizeof *compress->blocks);
    compress->bytes = malloc(compress_memory_bytes(options->kind, options->threads));
    compress->span_digest = sha256_open();
    compress->total_digest = options->has_total ? sha256_open() : NULL;
    (void)pthread_mutex_init(&compress->lock, NULL); /* neither fails on Linux */
    (void)pthread_cond_init(&compress->changed, NULL);
    if (compress->blocks == NULL || compress->bytes == NULL || compress->span_digest == NULL ||
        (options->has_total && compress->total_digest == NULL)) {
        compress_free(compress);
        return err_set(err, RC_NOMEM, "no memory to compress");
    }
    size_t block_bytes = block_memory(options->kind);
    for (size_t i = 0; i < compress->slots; i++) {
        compress->blocks[i].raw = compress->bytes + i * block_bytes + CODEC_BEFORE_BYTES_MAX;
        compress->blocks[i].packed = compress->blocks[i].raw + COMPRESS_BLOCK_BYTES;
    }
    *out = compress;
    return RC_OK;
}

void compress_free(struct compress *compress)
{
    if (compress == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&compress->lock);
    compress->is_stopping = true;
    (void)pthread_cond_broadcast(&compress->changed);
    (void)pthread_mutex_unlock(&compress->lock);
    for (unsigned int i = 0; i < compress->thread_count; i++) {
        (void)pthread_join(compress->threads[i], NULL);
    }
    free(compress->bytes);
    free(compress->blocks);
    codec_free(compress->codec);
    sha256_free(compress->span_digest);
    sha256_free(compress->total_digest);
    (void)pthread_cond_destroy(&compress->changed);
    (void)pthread_mutex_destroy(&compress->lock);
    free(compress);
}

enum rc compress_begin(struct compress *compress, struct compress_span *span, struct slice head,
                       struct err *err)
{
    assert(compress->span == NULL);
    memset(span, 0, sizeof *span);
    compress->span = span;
    compress->last = NULL;
    return submit_as_is(compress, BLOCK_HEAD, head, err);
}

/* The end of the block before: its slot is not the one that is used next, and nobody writes there
 * any more. */
static void take_before(const struct compress *compress, struct block *block)
{
    static_assert((int)CODEC_BEFORE_BYTES_MAX <= (int)COMPRESS_BLOCK_BYTES, "it is in one block");
    static_assert(SLOTS_FOR_THREAD + SLOTS_MORE > 1, "the next slot is another one");
    if (compress->last != NULL && compress->options.kind == CODEC_DEFLATE) {
        block->before = CODEC_BEFORE_BYTES_MAX;
        memcpy(block->raw - block->before,
               compress->last->raw + COMPRESS_BLOCK_BYTES - block->before, block->before);
    }
}

enum rc compress_write(struct compress *compress, const void *bytes, size_t len, struct err *err)
{
    assert(compress->span != NULL);
    const unsigned char *from = bytes;
    while (len > 0) {
        struct block *block = compress->filling;
        if (block == NULL) {
            enum rc rc = slot_take(compress, BLOCK_DATA, &block, err);
            if (rc != RC_OK) {
                return rc;
            }
            compress->filling = block;
            take_before(compress, block);
            if (compress->has_full && !compress->is_started && compress->options.threads > 1) {
                threads_start(compress); /* now they are worth their start */
            }
        }
        size_t room = COMPRESS_BLOCK_BYTES - block->raw_len;
        size_t part = len < room ? len : room;
        memcpy(block->raw + block->raw_len, from, part);
        block->raw_len += part;
        from += part;
        len -= part;
        if (part == room) {
            slot_submit(compress, block);
            compress->filling = NULL;
            compress->last = block;
            compress->has_full = true;
        }
    }
    return RC_OK;
}

enum rc compress_end(struct compress *compress, struct slice tail, struct err *err)
{
    assert(compress->span != NULL);
    if (compress->filling != NULL) {
        slot_submit(compress, compress->filling);
        compress->filling = NULL;
    }
    enum rc rc = submit_as_is(compress, BLOCK_TAIL, tail, err);
    compress->span = NULL;
    return rc;
}

enum rc compress_drain(struct compress *compress, uint64_t *out_bytes, struct err *err)
{
    assert(compress->span == NULL);
    (void)pthread_mutex_lock(&compress->lock);
    while (compress->rc == RC_OK && compress->written < compress->filled) {
        if (!work_once(compress, &compress->codec)) {
            (void)pthread_cond_wait(&compress->changed, &compress->lock);
        }
    }
    enum rc rc = fault(compress, err);
    *out_bytes = compress->at;
    (void)pthread_mutex_unlock(&compress->lock);
    return rc;
}

void compress_total(struct compress *compress, char out_hex[SHA256_HEX_BYTES])
{
    assert(compress->total_digest != NULL && compress->rc == RC_OK &&
           compress->written == compress->filled);
    sha256_end(compress->total_digest, out_hex);
}
