/*
 * codec - see codec.h
 */
#include "pack/codec.h"

#include "pack/deflate.h"

#include <assert.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <zstd.h>

struct codec {
    enum codec_kind kind;
    struct libdeflate_compressor *deflate;
    ZSTD_CCtx *zstd;
};

/* Ours to the library's. 9 is the smallest that each offers at more than 10 MB/s and core. */
static const int DEFLATE_LEVELS[CODEC_LEVEL_MAX + 1] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12};
static const int ZSTD_LEVELS[CODEC_LEVEL_MAX + 1] = {0, 1, 2, 3, 4, 5, 6, 8, 11, 16};

enum rc codec_level_check(int level, struct err *err)
{
    if (level < 0 || level > CODEC_LEVEL_MAX) {
        return err_set(err, RC_RANGE, "level %d: give %d (fastest) to %d (smallest)", level,
                       CODEC_LEVEL_MIN, CODEC_LEVEL_MAX);
    }
    return RC_OK;
}

static enum rc zstd_open(struct codec *codec, int level, struct err *err)
{
    codec->zstd = ZSTD_createCCtx();
    if (codec->zstd == NULL ||
        ZSTD_isError(
            ZSTD_CCtx_setParameter(codec->zstd, ZSTD_c_compressionLevel, ZSTD_LEVELS[level])) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(codec->zstd, ZSTD_c_checksumFlag, 1))) {
        return err_set(err, RC_NOMEM, "no memory to compress with zstd");
    }
    return RC_OK;
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
        codec->deflate = libdeflate_alloc_compressor(DEFLATE_LEVELS[level]);
        if (codec->deflate == NULL) {
            rc = err_set(err, RC_NOMEM, "no memory to compress with deflate");
        }
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
        (void)ZSTD_freeCCtx(codec->zstd);
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

enum rc codec_pack(struct codec *codec, struct slice raw, unsigned char *out, size_t out_cap,
                   size_t *out_len, struct err *err)
{
    assert(codec->kind != CODEC_STORE && out_cap >= codec_bound(codec->kind, raw.len));
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
