/*
 * unpack - gzip and zstd streams, checked to their last byte
 *
 * Not left to libarchive: it does not verify gzip's checksum, and the end of a stream and the ratio
 * of a bomb are seen best here.
 */
#include "spool/take_part.h"

#include "sys/calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
    PACKED_BYTES = 64 * 1024,
    UNPACKED_BYTES = 256 * 1024,
    GZIP_WINDOW = 15 + 16, /* zlib: the largest window, gzip's header and trailer */
    ZSTD_WINDOW_LOG = 27,  /* 128 MiB: what the zstd command takes without asking */
    INTERRUPTS_MAX = 1000
};
/* Headers, padding and folders come on top of the files: 1000 members need 3 MiB. */
#define STREAM_EXTRA_BYTES ((uint64_t)16 << 20)

struct unpack {
    int fd;
    enum drop_kind kind;
    uint64_t max_bytes; /* of the unpacked stream; its files have limits of their own */
    uint64_t at;        /* of the next read in the file */
    uint64_t packed;    /* read so far */
    uint64_t delivered;
    enum rc rc; /* sticky */
    bool is_file_at_end;
    bool is_inside; /* a gzip member or zstd frame is not at its end */
    bool has_begun; /* there was one */
    z_stream gzip;
    bool has_gzip;
    ZSTD_DCtx *zstd;
    size_t in_len;
    size_t in_used;
    unsigned char in[PACKED_BYTES];
    unsigned char out[UNPACKED_BYTES];
};

enum rc unpack_open(int fd, enum drop_kind kind, const struct take_limits *limits,
                    struct unpack **out, struct err *err)
{
    struct unpack *unpack = calloc(1, sizeof *unpack);
    if (unpack == NULL) {
        return err_set(err, RC_NOMEM, "unpack: no memory");
    }
    unpack->fd = fd;
    unpack->kind = kind;
    if (__builtin_add_overflow(limits->total_bytes, STREAM_EXTRA_BYTES, &unpack->max_bytes)) {
        unpack->max_bytes = UINT64_MAX;
    }
    bool is_ready = true;
    if (kind == DROP_TAR_GZ) {
        unpack->has_gzip = inflateInit2(&unpack->gzip, GZIP_WINDOW) == Z_OK;
        is_ready = unpack->has_gzip;
    } else if (kind == DROP_TAR_ZST) {
        unpack->zstd = ZSTD_createDCtx();
        is_ready = unpack->zstd != NULL && !ZSTD_isError(ZSTD_DCtx_setParameter(
                                               unpack->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG));
    }
    if (!is_ready) {
        unpack_free(unpack);
        return err_set(err, RC_NOMEM, "unpack: no memory");
    }
    *out = unpack;
    return RC_OK;
}

void unpack_free(struct unpack *unpack)
{
    if (unpack == NULL) {
        return;
    }
    if (unpack->has_gzip) {
        (void)inflateEnd(&unpack->gzip);
    }
    (void)ZSTD_freeDCtx(unpack->zstd);
    free(unpack);
}

void unpack_seek(struct unpack *unpack, uint64_t at)
{
    unpack->at = at;
    unpack->is_file_at_end = false;
}

uint64_t unpack_delivered(const struct unpack *unpack)
{
    return unpack->delivered;
}

/* Reads the next packed bytes; in_len 0 is the end of the file. */
static enum rc fill(struct unpack *unpack, struct err *err)
{
    unpack->in_used = 0;
    unpack->in_len = 0;
    for (int i = 0; !unpack->is_file_at_end; i++) {
        ssize_t got = pread(unpack->fd, unpack->in, sizeof unpack->in, (off_t)unpack->at);
        if (got >= 0) {
            unpack->in_len = (size_t)got;
            unpack->at += (uint64_t)got;
            unpack->packed += (uint64_t)got;
            unpack->is_file_at_end = got == 0;
            return RC_OK;
        }
        if (errno != EINTR || i >= INTERRUPTS_MAX) {
            return sys_err(err, errno, "read the package");
        }
    }
    return RC_OK;
}

static enum rc cut_short(struct err *err)
{
    return err_set(err, RC_CORRUPT, "the package is cut short; pack and drop it again");
}

/* Feeds zlib once; *out_len bytes came out. */
static enum rc inflate_some(struct unpack *unpack, size_t *out_len, struct err *err)
{
    z_stream *gzip = &unpack->gzip;
    if (!unpack->is_inside && unpack->has_begun && inflateReset(gzip) != Z_OK) {
        return err_set(err, RC_NOMEM, "unpack: no memory");
    }
    gzip->next_in = unpack->in + unpack->in_used;
    gzip->avail_in = (uInt)(unpack->in_len - unpack->in_used);
    gzip->next_out = unpack->out;
    gzip->avail_out = UNPACKED_BYTES;
    int result = inflate(gzip, Z_NO_FLUSH);
    unpack->in_used = unpack->in_len - gzip->avail_in;
    *out_len = UNPACKED_BYTES - gzip->avail_out;
    unpack->has_begun = true;
    unpack->is_inside = result != Z_STREAM_END;
    switch (result) {
    case Z_OK:
    case Z_STREAM_END:
    case Z_BUF_ERROR: /* no progress without more input */
        return RC_OK;
    case Z_MEM_ERROR:
        return err_set(err, RC_NOMEM, "unpack: no memory");
    default:
        return err_set(err, RC_CORRUPT, "the package is damaged, or no gzip (%s); pack it again",
                       gzip->msg == NULL ? "no reason given" : gzip->msg);
    }
}

static enum rc zstd_some(struct unpack *unpack, size_t *out_len, struct err *err)
{
    ZSTD_inBuffer in = {unpack->in, unpack->in_len, unpack->in_used};
    ZSTD_outBuffer out = {unpack->out, UNPACKED_BYTES, 0};
    size_t result = ZSTD_decompressStream(unpack->zstd, &out, &in);
    if (ZSTD_isError(result)) {
        if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation) {
            return err_set(err, RC_NOMEM, "unpack: no memory");
        }
        return err_set(err, RC_CORRUPT, "the package is damaged, or no zstd (%s); pack it again",
                       ZSTD_getErrorName(result));
    }
    unpack->in_used = in.pos;
    *out_len = out.pos;
    unpack->has_begun = true;
    unpack->is_inside = result != 0;
    return RC_OK;
}

static enum rc unpack_some(struct unpack *unpack, size_t *out_len, struct err *err)
{
    *out_len = 0;
    /* Every turn takes input or gives output, and the input is finite. */
    while (*out_len == 0) {
        enum rc rc = RC_OK;
        if (unpack->in_used == unpack->in_len) {
            rc = fill(unpack, err);
            /* At the end of the file the decoder may still hold output: it is asked once more. */
            if (rc == RC_OK && unpack->in_len == 0 && (!unpack->has_begun || !unpack->is_inside)) {
                return unpack->has_begun ? RC_OK : cut_short(err);
            }
        }
        if (rc == RC_OK) {
            rc = unpack->kind == DROP_TAR_GZ ? inflate_some(unpack, out_len, err)
                                             : zstd_some(unpack, out_len, err);
        }
        if (rc != RC_OK) {
            return rc;
        }
        if (*out_len == 0 && unpack->in_len == 0 && unpack->is_inside) {
            return cut_short(err);
        }
    }
    return RC_OK;
}

static enum rc check_limits(const struct unpack *unpack, struct err *err)
{
    if (unpack->delivered > unpack->max_bytes) {
        return err_set(err, RC_RANGE, "the package unpacks to more than is allowed");
    }
    if (unpack->kind != DROP_ZIP && unpack->delivered > TAKE_RATIO_FREE_BYTES &&
        unpack->delivered / TAKE_RATIO > unpack->packed) {
        return err_set(err, RC_RANGE,
                       "the package unpacks to more than %d times its size; drop it as a directory",
                       (int)TAKE_RATIO);
    }
    return RC_OK;
}

enum rc unpack_next(struct unpack *unpack, const void **out_bytes, size_t *out_len, struct err *err)
{
    if (unpack->rc != RC_OK) {
        return unpack->rc;
    }
    bool is_packed = unpack->kind == DROP_TAR_GZ || unpack->kind == DROP_TAR_ZST;
    if (is_packed) {
        unpack->rc = unpack_some(unpack, out_len, err);
        *out_bytes = unpack->out;
    } else {
        unpack->rc = fill(unpack, err);
        *out_bytes = unpack->in;
        *out_len = unpack->in_len;
    }
    if (unpack->rc == RC_OK) {
        unpack->delivered += *out_len;
        /* A zip is read to and fro: its limits are counted on what comes out of it. */
        unpack->rc = unpack->kind == DROP_ZIP ? RC_OK : check_limits(unpack, err);
    }
    return unpack->rc;
}
