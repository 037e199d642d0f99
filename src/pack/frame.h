/*
 * frame - bytes that stand uncompressed in a gzip or zstd file, and the ends of a gzip file
 *
 * What they hold can be written anew later: the length of the frame depends on the content's alone.
 */
#ifndef POSTROOM_PACK_FRAME_H
#define POSTROOM_PACK_FRAME_H

#include "base/buf.h"

#include <stdint.h>

enum {
    FRAME_CONTENT_MIN = 256, /* zstd: the two-byte content size begins here */
    FRAME_CONTENT_MAX = 65535
};

/* frame_gzip_head - the ten bytes that begin a gzip file (RFC 1952), without time and name */
void frame_gzip_head(struct buf *out);

/* frame_gzip_tail - CRC-32 and length of all that the file unpacks to */
void frame_gzip_tail(struct buf *out, uint32_t crc, uint64_t raw_bytes);

/* frame_deflate - content as a stored block of a DEFLATE stream that is at a byte boundary;
 * FRAME_CONTENT_MIN..FRAME_CONTENT_MAX bytes (asserted) */
void frame_deflate(struct buf *out, struct slice content);

/* frame_zstd - content as a zstd frame (RFC 8878) of one raw block, with its checksum; bounds as
 * frame_deflate */
void frame_zstd(struct buf *out, struct slice content);

#endif
