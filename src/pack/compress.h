/*
 * compress - bytes in order, in blocks compressed by several threads, in order to a file
 *
 * What is written is cut into blocks of COMPRESS_BLOCK_BYTES. Each block is compressed on its own
 * (DEFLATE may repeat what the block before it ends with, which is copied in front of it), hashed
 * in order and written in order; a bounded ring of blocks is all the memory that is used. Where the
 * blocks are cut depends on the bytes alone, so the output is the same for any number of threads.
 * The caller is one of the threads: it does their work while the ring is full, and with
 * no more than one block of data no other thread is ever started.
 *
 * The data is divided into spans (the members of an archive). A head may stand before a span and a
 * tail behind it, both written as they are, so that containers can lay their headers between the
 * data and fill them in later, where compress_span says they are. With CODEC_DEFLATE all blocks of
 * all spans join into one stream, which a tail of DEFLATE_END ends.
 */
#ifndef POSTROOM_PACK_COMPRESS_H
#define POSTROOM_PACK_COMPRESS_H

#include "base/digest.h"
#include "base/err.h"
#include "base/slice.h"
#include "pack/codec.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    COMPRESS_BLOCK_BYTES = 512 * 1024, /* 256 KiB cost 0.7 % of size, 1 MiB gains 0.4 % */
    COMPRESS_THREADS_MAX = 64          /* more are cut to this */
};

struct compress_options {
    int fd; /* a file that can be written at an offset, from 0 on; borrowed */
    enum codec_kind kind;
    int level;            /* 1..9; 0: CODEC_LEVEL_DEFAULT */
    unsigned int threads; /* the caller included; 0: 1 */
    bool has_total;       /* compress_total() is wanted: a second digest over all spans together */
};

/* What became of one span. Complete after compress_drain(), no sooner. */
struct compress_span {
    uint64_t head_at; /* offset of the head in the file */
    uint64_t head_bytes;
    uint64_t raw_bytes;
    uint64_t packed_bytes;         /* in the file: tail included, head not */
    uint32_t crc;                  /* CRC-32 of the raw bytes; 0 for CODEC_ZSTD */
    char sha256[SHA256_HEX_BYTES]; /* of the raw bytes */
};

struct compress;

/*
 * compress_open - nothing is written and no thread started yet
 * Returns RC_OK; RC_RANGE a level outside 1..9; RC_NOMEM
 */
enum rc compress_open(const struct compress_options *options, struct compress **out,
                      struct err *err) MUST_CHECK;

/* compress_free - end the threads; what is not drained may not be in the file. NULL is allowed. */
void compress_free(struct compress *compress);

/* compress_memory_bytes - what the ring takes; pages that are never filled cost nothing; the
 * codecs' own memory comes on top (less than 1 MiB a thread, at level 9 up to 20 MiB) */
size_t compress_memory_bytes(enum codec_kind kind, unsigned int threads);

/*
 * compress_begin - begin a span; none is open (asserted)
 *
 * span   zeroed here, filled in while data flows; must live until compress_free()
 * head   written as it is before the span, at most COMPRESS_BLOCK_BYTES (asserted); may be empty
 *
 * This call and the three below return the first fault of any thread, now and ever after:
 *           RC_OK; RC_TEMP no space...: as fs_pwrite_all(); RC_NOMEM; RC_CORRUPT as codec_pack()
 */
enum rc compress_begin(struct compress *compress, struct compress_span *span, struct slice head,
                       struct err *err) MUST_CHECK;

/* compress_write - bytes of the open span (asserted), copied; waits while the ring is full */
enum rc compress_write(struct compress *compress, const void *bytes, size_t len,
                       struct err *err) MUST_CHECK;

/* compress_end - end the span; the tail is written as it is behind it, as compress_begin's head */
enum rc compress_end(struct compress *compress, struct slice tail, struct err *err) MUST_CHECK;

/*
 * compress_drain - wait until everything is in the file (nothing is synced)
 * No span is open (asserted). *out_bytes: length of the file so far; spans may follow.
 */
enum rc compress_drain(struct compress *compress, uint64_t *out_bytes, struct err *err) MUST_CHECK;

/*
 * compress_total - SHA-256 over the raw bytes of all spans up to here in order; what follows begins
 * a new one. has_total and drained without a fault (both asserted)
 */
void compress_total(struct compress *compress, char out_hex[SHA256_HEX_BYTES]);

#endif
