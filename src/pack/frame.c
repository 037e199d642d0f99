/*
 * frame - see frame.h
 */
#include "pack/frame.h"

#include "pack/deflate.h"

#include <assert.h>
#include <xxhash.h>

enum {
    ZSTD_SIZE_16 = 1 << 6,     /* RFC 8878 3.1.1.1.1: the content size has two bytes, less 256 */
    ZSTD_ONE_SEGMENT = 1 << 5, /* no window descriptor */
    ZSTD_HAS_CHECKSUM = 1 << 2,
    ZSTD_LAST_RAW_BLOCK = 1 /* 3.1.1.2: last, type 0 */
};

static void put_little(struct buf *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        buf_add_byte(out, (char)(value >> (8 * i) & 0xFF));
    }
}

void frame_gzip_head(struct buf *out)
{
    /* magic, DEFLATE, no flags, no time, no hint about the level, system unknown */
    buf_add(out, "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", 10);
}

void frame_gzip_tail(struct buf *out, uint32_t crc, uint64_t raw_bytes)
{
    put_little(out, crc, 4);
    put_little(out, raw_bytes, 4);
}

void frame_deflate(struct buf *out, struct slice content)
{
    unsigned char head[DEFLATE_STORED_BYTES];
    assert(content.len >= FRAME_CONTENT_MIN && content.len <= FRAME_CONTENT_MAX);
    deflate_stored_head((uint16_t)content.len, head);
    buf_add(out, head, sizeof head);
    buf_add_slice(out, content);
}

void frame_zstd(struct buf *out, struct slice content)
{
    assert(content.len >= FRAME_CONTENT_MIN && content.len <= FRAME_CONTENT_MAX);
    put_little(out, 0xFD2FB528, 4);
    put_little(out, ZSTD_SIZE_16 | ZSTD_ONE_SEGMENT | ZSTD_HAS_CHECKSUM, 1);
    put_little(out, content.len - 256, 2);
    put_little(out, (uint64_t)content.len << 3 | ZSTD_LAST_RAW_BLOCK, 3);
    buf_add_slice(out, content);
    put_little(out, XXH64(content.ptr, content.len, 0) & 0xFFFFFFFF, 4);
}
