/*
 * deflate - joining raw DEFLATE streams (RFC 1951) that were compressed independently
 *
 * libdeflate compresses a block of data into a stream of its own, whose last DEFLATE block carries
 * the final flag. To make one stream of many, that flag must be cleared and the stream brought to a
 * byte boundary. The library does not tell where its last DEFLATE block begins, so the codes of the
 * stream are walked once, without producing output: about 3 % of the time that compressing took.
 */
#ifndef POSTROOM_PACK_DEFLATE_H
#define POSTROOM_PACK_DEFLATE_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

enum {
    DEFLATE_JOIN_BYTES_MAX = 5, /* what deflate_open_end() may add */
    DEFLATE_END_BYTES = 2,
    DEFLATE_STORED_BYTES = 5,  /* head of a stored block at a byte boundary */
    DEFLATE_STORED_MAX = 65535 /* bytes that one stored block holds */
};

/* An empty last block (fixed codes, end of block): ends a stream at a byte boundary. */
#define DEFLATE_END ((struct slice){"\x03", DEFLATE_END_BYTES})

struct deflate_walk {
    uint64_t final_bit; /* the last block's final flag, counted from the stream's first bit */
    uint64_t end_bit;   /* first bit behind the last block */
};

/*
 * deflate_walk - find the last block and the end of one whole stream
 *
 * Returns RC_OK; RC_CORRUPT not a whole raw DEFLATE stream: it ends early, or a code is none.
 *         Distances are not compared with the data before them.
 * Cost    20 KiB of stack; about 400 MB of packed bytes a second
 */
enum rc deflate_walk(struct slice stream, struct deflate_walk *out, struct err *err) MUST_CHECK;

/*
 * deflate_open_end - make a whole stream one that another can follow at a byte boundary
 *
 * bytes, len   the stream; room for DEFLATE_JOIN_BYTES_MAX more bytes behind it
 * out_len      its new length
 *
 * Returns RC_OK; RC_CORRUPT as deflate_walk(), or bytes behind the last block
 */
enum rc deflate_open_end(unsigned char *bytes, size_t len, size_t *out_len,
                         struct err *err) MUST_CHECK;

/* deflate_stored_head - head of a stored, not final block of len bytes, at a byte boundary */
void deflate_stored_head(uint16_t len, unsigned char out[DEFLATE_STORED_BYTES]);

#endif
