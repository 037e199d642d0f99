/*
 * codec - see codec.h
 *
 * Level 1 of DEFLATE is ISA-L's: twice as fast as the fastest that libdeflate has. Levels 3 to 6
 * are our own (deflate_rows.h), and so are 4 to 6 of zstd (zstd_rows.h): what they are not made for
 * shows in how little it shrinks, and is libdeflate's or zstd's, as is all the rest. Only
 * libdeflate ends its pieces with a final block.
 */
#include "pack/codec.h"

#include "pack/deflate.h"
#include "pack/deflate_rows.h"
#include "pack/zstd_rows.h"

#include <assert.h>
#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <zstd.h>

enum {
    ROWS_BYTES_MIN = 8 * 1024, /* less is not worth its tables */
    ROWS_SHRINK_MIN = 3        /* rows become a quarter to a tenth */
};

struct codec {
    enum codec_kind kind;
    struct deflate_rows *deflate_rows; /* NULL: not at this level */
    struct libdeflate_compressor *deflate;
    struct fast *fast;           /* level 1 */
    struct zstd_rows *zstd_rows; /* NULL: not at this level, or not with this libzstd */
    ZSTD_CCtx *zstd;
};

struct fast {
    struct isal_zstream stream;
    uint8_t level_buf[ISAL_DEF_LVL1_DEFAULT];
};

/* Ours to the library's. 9 is the smallest that each offers at more than 10 MB/s and core. */
static const int DEFLATE_LEVELS[CODEC_LEVEL_MAX + 1] = {0, 0, 2, 3, 4, 5, 6, 7, 8, 12};
static const int ZSTD_LEVELS[CODEC_LEVEL_MAX + 1] = {0, 1, 2, 3, 4, 5, 6, 8, 11, 16};
/* Of deflate_rows and zstd_rows; 0: not at this level, 1: the first repetition is as good as any */
static const unsigned int DEFLATE_LAZY[CODEC_LEVEL_MAX + 1] = {0, 0, 0, 1, 16, 32, 64, 0, 0, 0};
static const unsigned int ZSTD_LAZY[CODEC_LEVEL_MAX + 1] = {0, 0, 0, 0, 16, 32, 64, 0, 0, 0};

enum rc codec_level_check(int level, struct err *err)
{
    if (level < 0 || level > CODEC_LEVEL_MAX) {
        return err_set(err, RC_RANGE, "level %d: give %d (fastest) to %d (smallest)", level,
                       CODEC_LEVEL_MIN, CODEC_LEVEL_MAX);
    }
    return RC_OK;
}

static bool zstd_set(struct codec *codec, ZSTD_cParameter parameter, int value)
{
    return !ZSTD_isError(ZSTD_CCtx_setParameter(codec->zstd, parameter, value));
}

static enum rc zstd_open(struct codec *codec, int level, struct err *err)
{
    bool has_rows = ZSTD_LAZY[level] > 0 && zstd_rows_is_possible();
    if (has_rows) {
        codec->zstd_rows = zstd_rows_open(ZSTD_LAZY[level]);
    }
    codec->zstd = ZSTD_createCCtx();
    if (codec->zstd == NULL || !zstd_set(codec, ZSTD_c_compressionLevel, ZSTD_LEVELS[level]) ||
        !zstd_set(codec, ZSTD_c_checksumFlag, 1) || (has_rows && codec->zstd_rows == NULL)) {
        return err_set(err, RC_NOMEM, "no memory to compress with zstd");
    }
    return RC_OK;
}

static enum rc deflate_open(struct codec *codec, int level, struct err *err)
{
    if (level == CODEC_LEVEL_MIN) {
        codec->fast = malloc(sizeof *codec->fast);
    } else {
        codec->deflate = libdeflate_alloc_compressor(DEFLATE_LEVELS[level]);
    }
    bool has_rows = DEFLATE_LAZY[level] > 0;
    if (has_rows) {
        codec->deflate_rows = deflate_rows_open(DEFLATE_LAZY[level]);
    }
    return (codec->fast != NULL || codec->deflate != NULL) &&
                   (!has_rows || codec->deflate_rows != NULL)
               ? RC_OK
               : err_set(err, RC_NOMEM, "no memory to compress with deflate");
}

enum rc codec_open(enum codec_kind kind, int level, struct codec **out, struct err *err)
{
    enum rc rc = codec_level_check(level, err);
    if (rc != RC_OK) {
        return rc;
    }
    level = level == 0 ? CODEC_LEVEL_DEFAULT : level;
    struct codec *codec = calloc(1, sizeof *codec);
    if (codec == NULL) {
        return err_set(err, RC_NOMEM, "no memory to compress");
    }
    codec->kind = kind;
    if (kind == CODEC_DEFLATE) {
        rc = deflate_open(codec, level, err);
    } else if (kind == CODEC_ZSTD) {
        rc = zstd_open(codec, level, err);
    }
    if (rc != RC_OK) {
        codec_free(codec);
        return rc;
    }
    *out = codec;
    return RC_OK;
}

void codec_free(struct codec *codec)
{
    if (codec != NULL) {
        libdeflate_free_compressor(codec->deflate);
        deflate_rows_free(codec->deflate_rows);
        zstd_rows_free(codec->zstd_rows);
        (void)ZSTD_freeCCtx(codec->zstd);
        free(codec->fast);
        free(codec);
    }
}

size_t codec_bound(enum codec_kind kind, size_t raw_bytes)
{
    switch (kind) {
    case CODEC_DEFLATE:
        return libdeflate_deflate_compress_bound(NULL, raw_bytes) + DEFLATE_JOIN_BYTES_MAX;
    case CODEC_ZSTD:
        return ZSTD_compressBound(raw_bytes) + sizeof(uint32_t); /* its checksum */
    case CODEC_STORE:
    default:
        return raw_bytes;
    }
}

static enum rc fast_pack(struct fast *fast, struct slice raw, unsigned char *out, size_t out_cap,
                         size_t *out_len, struct err *err)
{
    static_assert(CODEC_PIECE_BYTES_MAX <= UINT32_MAX / 2, "ISA-L counts in 32 bits");
    struct isal_zstream *stream = &fast->stream;
    memset(fast, 0, sizeof *fast); /* what it finds depends on what its tables held before */
    isal_deflate_stateless_init(stream);
    stream->level = 1;
    stream->level_buf = fast->level_buf;
    stream->level_buf_size = sizeof fast->level_buf;
    stream->flush = FULL_FLUSH; /* whole bytes; without end_of_stream no block is final */
    stream->next_in = (uint8_t *)raw.ptr;
    stream->avail_in = (uint32_t)raw.len;
    stream->next_out = out;
    stream->avail_out = (uint32_t)out_cap;
    int code = isal_deflate_stateless(stream);
    if (code != COMP_OK || stream->avail_in != 0) {
        return err_set(err, RC_CORRUPT, "ISA-L could not compress a block: code %d", code);
    }
    *out_len = stream->total_out;
    return RC_OK;
}

/* By the one of the two that is made for rows; 0: these are none. */
static size_t rows_pack(struct codec *codec, struct slice raw, size_t before, unsigned char *out,
                        size_t out_cap)
{
    size_t most = raw.len / ROWS_SHRINK_MIN;
    if (raw.len < ROWS_BYTES_MIN) {
        return 0;
    }
    if (codec->deflate_rows != NULL) {
        return deflate_rows_pack(codec->deflate_rows, raw, before, out, most);
    }
    if (codec->zstd_rows != NULL && raw.len <= ZSTD_ROWS_BYTES_MAX) {
        return zstd_rows_pack(codec->zstd_rows, raw, out, out_cap, most);
    }
    return 0;
}

enum rc codec_pack(struct codec *codec, struct slice raw, size_t before, unsigned char *out,
                   size_t out_cap, size_t *out_len, struct err *err)
{
    static_assert((int)CODEC_BEFORE_BYTES_MAX == (int)DEFLATE_ROWS_WINDOW, "more is of no use");
    assert(codec->kind != CODEC_STORE && out_cap >= codec_bound(codec->kind, raw.len));
    assert(raw.len <= CODEC_PIECE_BYTES_MAX);
    if (codec->fast != NULL) {
        return fast_pack(codec->fast, raw, out, out_cap, out_len, err);
    }
    *out_len = rows_pack(codec, raw, before, out, out_cap);
    if (*out_len > 0) {
        return RC_OK;
    }
    if (codec->kind == CODEC_DEFLATE) {
        size_t len = libdeflate_deflate_compress(codec->deflate, raw.ptr, raw.len, out,
                                                 out_cap - DEFLATE_JOIN_BYTES_MAX);
        if (len == 0) {
            return err_set(err, RC_CORRUPT, "libdeflate needs more room than it asked for");
        }
        return deflate_open_end(out, len, out_len, err);
    }
    size_t len = ZSTD_compress2(codec->zstd, out, out_cap, raw.ptr, raw.len);
    if (ZSTD_isError(len)) {
        return err_set(err, RC_NOMEM, "zstd: %s", ZSTD_getErrorName(len));
    }
    *out_len = len;
    return RC_OK;
}
