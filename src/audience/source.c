/*
 * source - a file as a stream of plain bytes: as it is, gzip (several members) or zstd
 *
 * Contract in the header.
 */
#include "audience/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { MAGIC_BYTES = 4 };

enum packing { PLAIN, GZIP, ZSTD };

struct source {
    int fd;
    struct tee *tee; /* NULL */
    bool is_regular;
    bool is_raw_end;    /* the descriptor has no more bytes */
    bool is_frame_open; /* inside a gzip member or zstd frame */
    bool is_ended;      /* all plain bytes were delivered */
    enum packing packing;
    uint64_t at; /* bytes taken from the descriptor */
    uint64_t total;
    uint64_t plain_bytes; /* delivered */
    unsigned char head[MAGIC_BYTES];
    size_t head_len; /* bytes of a pipe that were read to know its packing */
    size_t head_at;
    unsigned char *input; /* SOURCE_INPUT_BYTES; NULL when plain */
    size_t input_len;
    size_t input_at;
    z_stream gzip;
    bool is_gzip_ready;
    ZSTD_DCtx *zstd;
};

static enum rc teed_read(struct source *source, unsigned char *out, size_t cap, size_t *out_got,
                         struct err *err)
{
    size_t got = 0;
    enum rc rc = tee_read(source->tee, out, cap, &got, err);
    source->is_raw_end = rc == RC_OK && got < cap;
    source->at += got;
    *out_got += got;
    return rc;
}

static enum rc raw_read(struct source *source, unsigned char *out, size_t cap, size_t *out_got,
                        struct err *err)
{
    size_t len = 0;

    while (len < cap && source->head_at < source->head_len) {
        out[len++] = source->head[source->head_at++];
    }
    if (source->tee != NULL) {
        *out_got = len;
        return source->is_raw_end ? RC_OK : teed_read(source, out + len, cap - len, out_got, err);
    }
    while (len < cap && !source->is_raw_end) {
        ssize_t got = source->is_regular
                          ? pread(source->fd, out + len, cap - len, (off_t)source->at)
                          : read(source->fd, out + len, cap - len);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (errno == EISDIR) {
                return err_set(err, RC_PERM, "a directory, not a file");
            }
            return err_set(err, RC_IO, "cannot be read: %s", strerror(errno));
        }
        source->is_raw_end = got == 0;
        source->at += (uint64_t)got;
        len += (size_t)got;
    }
    *out_got = len;
    return RC_OK;
}

static enum packing packing_of(const unsigned char *head, size_t len)
{
    if (len >= 2 && head[0] == 0x1f && head[1] == 0x8b) {
        return GZIP;
    }
    if (len >= 4 && head[1] == 0xb5 && head[2] == 0x2f && head[3] == 0xfd && head[0] == 0x28) {
        return ZSTD;
    }
    return PLAIN;
}

static enum rc prepare(struct source *source, struct err *err)
{
    if (source->packing == PLAIN) {
        return RC_OK;
    }
    source->input = malloc(SOURCE_INPUT_BYTES);
    if (source->input == NULL) {
        return err_set(err, RC_NOMEM, "no memory");
    }
    if (source->packing == GZIP) {
        if (inflateInit2(&source->gzip, 15 + 16) != Z_OK) {
            return err_set(err, RC_NOMEM, "no memory");
        }
        source->is_gzip_ready = true;
        return RC_OK;
    }
    source->zstd = ZSTD_createDCtx();
    if (source->zstd == NULL || ZSTD_isError(ZSTD_DCtx_setParameter(
                                    source->zstd, ZSTD_d_windowLogMax, SOURCE_WINDOW_LOG_MAX))) {
        return err_set(err, RC_NOMEM, "no memory");
    }
    return RC_OK;
}

enum rc source_open(int fd, struct tee *tee, struct source **out, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return err_set(err, RC_IO, "cannot be read: %s", strerror(errno));
    }
    if (S_ISDIR(st.st_mode)) {
        return err_set(err, RC_PERM, "a directory, not a file");
    }
    struct source *source = calloc(1, sizeof *source);
    if (source == NULL) {
        return err_set(err, RC_NOMEM, "no memory");
    }
    source->fd = fd;
    source->tee = tee;
    source->is_regular = S_ISREG(st.st_mode);
    source->total = !source->is_regular ? 0 : tee != NULL ? tee->size : (uint64_t)st.st_size;
    if (source->is_regular) {
        (void)posix_fadvise(tee != NULL ? tee->in : fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    size_t got = 0;
    enum rc rc = raw_read(source, source->head, MAGIC_BYTES, &got, err);
    if (rc == RC_OK) {
        source->head_len = got;
        source->packing = packing_of(source->head, got);
        rc = prepare(source, err);
    }
    if (rc != RC_OK) {
        source_free(source);
        return rc;
    }
    *out = source;
    return RC_OK;
}

/* One step of inflate; on the end of a member the next one may begin. Zero bytes behind the last
 * member are padding (tapes, gzip(1)); anything else there is refused. */
static enum rc gzip_step(struct source *source, unsigned char *out, size_t cap, size_t *out_len,
                         struct err *err)
{
    if (!source->is_frame_open) {
        while (source->plain_bytes + *out_len > 0 && source->input_at < source->input_len &&
               source->input[source->input_at] == 0) {
            source->input_at++;
        }
        if (source->input_at == source->input_len) {
            return RC_OK;
        }
        if (source->input[source->input_at] != 0x1f) {
            return err_set(err, RC_PERM, "other bytes follow the gzip data; pack the file again");
        }
        inflateReset(&source->gzip);
        source->is_frame_open = true;
    }
    source->gzip.next_in = source->input + source->input_at;
    source->gzip.avail_in = (uInt)(source->input_len - source->input_at);
    source->gzip.next_out = out + *out_len;
    source->gzip.avail_out = (uInt)(cap - *out_len);
    int result = inflate(&source->gzip, Z_NO_FLUSH);
    source->input_at = source->input_len - source->gzip.avail_in;
    *out_len = cap - source->gzip.avail_out;
    if (result == Z_STREAM_END) {
        source->is_frame_open = false;
        return RC_OK;
    }
    if (result == Z_MEM_ERROR) {
        return err_set(err, RC_NOMEM, "no memory");
    }
    if (result != Z_OK && result != Z_BUF_ERROR) {
        return err_set(err, RC_PERM, "damaged gzip data (%s); pack the file again",
                       source->gzip.msg == NULL ? "unknown" : source->gzip.msg);
    }
    return RC_OK;
}

static enum rc zstd_step(struct source *source, unsigned char *out, size_t cap, size_t *out_len,
                         struct err *err)
{
    ZSTD_inBuffer in = {source->input, source->input_len, source->input_at};
    ZSTD_outBuffer to = {out, cap, *out_len};
    size_t result = ZSTD_decompressStream(source->zstd, &to, &in);
    source->input_at = in.pos;
    *out_len = to.pos;
    if (ZSTD_isError(result)) {
        return err_set(err, RC_PERM, "zstd data cannot be unpacked (%s); pack the file again",
                       ZSTD_getErrorName(result));
    }
    source->is_frame_open = result != 0;
    return RC_OK;
}

static enum rc unpack(struct source *source, unsigned char *out, size_t cap, size_t *out_len,
                      struct err *err)
{
    size_t len = 0;
    while (len < cap) {
        if (source->input_at == source->input_len) {
            source->input_at = 0;
            enum rc rc =
                raw_read(source, source->input, SOURCE_INPUT_BYTES, &source->input_len, err);
            if (rc != RC_OK) {
                return rc;
            }
        }
        bool is_starved = source->input_len == 0;
        if (is_starved && !source->is_frame_open) {
            source->is_ended = true;
            break;
        }
        size_t before = len;
        enum rc rc = source->packing == GZIP ? gzip_step(source, out, cap, &len, err)
                                             : zstd_step(source, out, cap, &len, err);
        if (rc != RC_OK) {
            return rc;
        }
        if (is_starved && len == before) {
            return err_set(err, RC_PERM, "the packed data is cut short; send the file again");
        }
    }
    *out_len = len;
    return RC_OK;
}

enum rc source_read(struct source *source, char *out, size_t cap, size_t *out_got, struct err *err)
{
    size_t got = 0;
    enum rc rc = RC_OK;

    if (source->packing == PLAIN) {
        rc = raw_read(source, (unsigned char *)out, cap, &got, err);
    } else if (!source->is_ended) {
        rc = unpack(source, (unsigned char *)out, cap, &got, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    source->plain_bytes += got;
    if (source->packing != PLAIN && source->plain_bytes > SOURCE_RATIO_FROM_BYTES &&
        source->plain_bytes / SOURCE_RATIO_MAX > source->at) {
        return err_set(err, RC_PERM, "unpacks to more than %d times its size; send it unpacked",
                       SOURCE_RATIO_MAX);
    }
    *out_got = got;
    return RC_OK;
}

uint64_t source_done_bytes(const struct source *source)
{
    return source->at;
}

uint64_t source_total_bytes(const struct source *source)
{
    return source->total;
}

bool source_is_packed(const struct source *source)
{
    return source->packing != PLAIN;
}

void source_free(struct source *source)
{
    if (source == NULL) {
        return;
    }
    if (source->is_gzip_ready) {
        inflateEnd(&source->gzip);
    }
    ZSTD_freeDCtx(source->zstd);
    free(source->input);
    free(source);
}
