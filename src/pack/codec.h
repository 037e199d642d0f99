/*
 * codec - one block of bytes compressed on its own, by one thread
 *
 * The levels 1..9 mean about the same speed class for every kind. Measured with 95 MB of addresses
 * as CSV (MB/s of one core, packed size):
 *
 *     level      1     2     3     4     5     6     7     8     9
 *     deflate  760   220   260   215   207   205    92    48    13
 *              33%   30%   29%   28%   28%   28%   27%   26%   25%
 *     zstd     540   440   300   235   220   220    90    55    11
 *              29%   28%   26%   26%   26%   26%   23%   23%   22%
 */
#ifndef POSTROOM_PACK_CODEC_H
#define POSTROOM_PACK_CODEC_H

#include "base/err.h"
#include "base/slice.h"

enum {
    CODEC_LEVEL_MIN = 1,
    CODEC_LEVEL_MAX = 9,
    CODEC_LEVEL_DEFAULT = 6,
    CODEC_PIECE_BYTES_MAX = 1 << 30,
    CODEC_BEFORE_BYTES_MAX = 32768
};

enum codec_kind {
    CODEC_STORE = 0, /* the bytes themselves */
    CODEC_DEFLATE,   /* a piece of a raw DEFLATE stream, not final, whole bytes: pieces join */
    CODEC_ZSTD       /* one frame with its size and a checksum: frames follow each other */
};

struct codec; /* one for each thread */

/*
 * codec_open - level 0: CODEC_LEVEL_DEFAULT
 * Returns RC_OK; RC_RANGE a level outside 1..9; RC_NOMEM
 */
enum rc codec_open(enum codec_kind kind, int level, struct codec **out, struct err *err) MUST_CHECK;
void codec_free(struct codec *codec);

/* codec_level_check - RC_OK for 0 and 1..9; RC_RANGE */
enum rc codec_level_check(int level, struct err *err) MUST_CHECK;

/* codec_bound - room that codec_pack() may need for raw_bytes; pure */
size_t codec_bound(enum codec_kind kind, size_t raw_bytes);

/*
 * codec_pack - compress one block of at most CODEC_PIECE_BYTES_MAX; not for CODEC_STORE (both
 * asserted)
 *
 * before         so many bytes in front of raw.ptr are those that come before it in the same
 * stream: repetitions of them may be used. At most CODEC_BEFORE_BYTES_MAX out, out_cap
 * codec_bound() bytes at least (asserted) Returns RC_OK; RC_NOMEM; RC_CORRUPT the library gave what
 * is no stream of its kind
 */
enum rc codec_pack(struct codec *codec, struct slice raw, size_t before, unsigned char *out,
                   size_t out_cap, size_t *out_len, struct err *err) MUST_CHECK;

#endif
