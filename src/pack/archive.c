/*
 * archive - see archive.h
 *
 * Every member's head (its header, and what must stand before it) is made twice by the same
 * function: at the beginning with a stand-in for NAME and without sizes, to lay it out, and at the
 * end to fill it in. Both have the same length. The padding behind a tar member belongs to the head
 * of the next one, so that between the heads there is nothing but the members' own bytes.
 */
#include "pack/archive.h"

#include "base/arena.h"
#include "base/utf8.h"
#include "pack/deflate.h"
#include "pack/frame.h"
#include "pack/tar.h"
#include "pack/zip.h"
#include "sys/calls.h"
#include "sys/fs.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum {
    STAND_IN = 'x', /* for each byte of NAME until it is known */
    FULL_PATH_BYTES = PACKER_NAME_BYTES_MAX + 1 + PACKER_PATH_BYTES_MAX + 1,
    DIRECTORY_CHUNK_BYTES = 1 << 18, /* central directory: written in pieces of about this */
    MEMBERS_FIRST = 16
};

struct packer {
    struct packer_options options;
    int64_t mtime_s;
    struct compress *compress;
    struct packer_member **members;
    size_t count;
    size_t cap;
    struct arena arena;       /* members and their paths */
    uint64_t raw_bytes;       /* of the open or last member */
    struct buf head;          /* scratch */
    struct buf content;       /* scratch: a tar header before it is framed */
    struct compress_span end; /* what ends a tar */
    uint32_t crc;             /* of all that a gzip file unpacks to, and its length */
    uint64_t all_bytes;
};

static const char *const CONTAINER_NAMES[CONTAINER_COUNT] = {"zip", "tar.gz", "tar.zst", "gz"};

enum rc container_parse(const char *name, enum container *out, struct err *err)
{
    for (int i = 0; i < CONTAINER_COUNT; i++) {
        if (strcmp(name, CONTAINER_NAMES[i]) == 0) {
            *out = (enum container)i;
            return RC_OK;
        }
    }
    return err_set(err, RC_PERM, "container \"%s\": give zip, tar.gz, tar.zst or gz", name);
}

const char *container_name(enum container container)
{
    return container >= 0 && container < CONTAINER_COUNT ? CONTAINER_NAMES[container] : "?";
}

static bool is_tar(const struct packer *packer)
{
    return packer->options.container == CONTAINER_TAR_GZ ||
           packer->options.container == CONTAINER_TAR_ZST;
}

static bool is_gzip(const struct packer *packer)
{
    return packer->options.container == CONTAINER_TAR_GZ ||
           packer->options.container == CONTAINER_GZ;
}

enum rc packer_document_check(const char *name, struct err *err)
{
    struct slice text = slice_of(name);
    if (text.len > PACKER_DOCUMENT_BYTES_MAX) {
        return err_set(err, RC_RANGE, "a document's name has %zu bytes; at most %d are allowed",
                       text.len, PACKER_DOCUMENT_BYTES_MAX);
    }
    if (text.len == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        strpbrk(name, "/\\") != NULL || !utf8_is_valid(text)) {
        return err_set(err, RC_PERM,
                       "a document needs a plain file name in UTF-8, without folders");
    }
    for (size_t at = 0; at < text.len;) {
        int32_t code = utf8_next(text, &at);
        if (code < 0x20 || (code >= 0x7F && code <= 0x9F)) {
            return err_set(err, RC_PERM, "a document's name holds a control character; rename it");
        }
    }
    return RC_OK;
}

/* Each component of a path is a plain file name. */
static enum rc path_check(const char *path, struct err *err)
{
    char part[PACKER_PATH_BYTES_MAX + 1];
    if (strlen(path) > PACKER_PATH_BYTES_MAX) {
        return err_set(err, RC_RANGE, "a member's path has %zu bytes; at most %d are allowed",
                       strlen(path), PACKER_PATH_BYTES_MAX);
    }
    for (;;) {
        size_t len = strcspn(path, "/");
        memcpy(part, path, len);
        part[len] = '\0';
        enum rc rc = packer_document_check(part, err);
        if (rc != RC_OK || path[len] == '\0') {
            return rc;
        }
        path += len + 1;
    }
}

enum rc packer_open(const struct packer_options *options, struct packer **out, struct err *err)
{
    assert(options->name_bytes >= 1 && options->name_bytes <= PACKER_NAME_BYTES_MAX);
    struct packer *packer = calloc(1, sizeof *packer);
    if (packer == NULL) {
        return err_set(err, RC_NOMEM, "no memory for an archive");
    }
    packer->options = *options;
    packer->mtime_s = options->created_ns > 0 ? options->created_ns / INT64_C(1000000000) : 0;
    struct compress_options compress = {
        .fd = options->fd,
        .kind = options->container == CONTAINER_TAR_ZST ? CODEC_ZSTD : CODEC_DEFLATE,
        .level = options->level,
        .threads = options->threads,
        .has_total = options->has_total,
    };
    enum rc rc = compress_open(&compress, &packer->compress, err);
    if (rc != RC_OK) {
        packer_free(packer);
        return rc;
    }
    *out = packer;
    return RC_OK;
}

void packer_free(struct packer *packer)
{
    if (packer == NULL) {
        return;
    }
    compress_free(packer->compress); /* its threads end first: they fill the members' spans */
    free(packer->members);
    arena_release(&packer->arena);
    buf_release(&packer->head);
    buf_release(&packer->content);
    free(packer);
}

/* NAME/PATH; path_check() has seen to it that it fits. */
static void full_path(const struct packer *packer, const char *name,
                      const struct packer_member *member, char out[FULL_PATH_BYTES])
{
    size_t name_bytes = packer->options.name_bytes;
    memcpy(out, name, name_bytes);
    out[name_bytes] = '/';
    memcpy(out + name_bytes + 1, member->path, strlen(member->path) + 1);
}

/*
 * The head of a member, into packer->head. raw_before: length of the member before it, whose
 * padding a tar puts here.
 */
static enum rc head_make(struct packer *packer, size_t i, const char *name, uint64_t raw_before,
                         struct err *err)
{
    const struct packer_member *member = packer->members[i];
    struct buf *head = &packer->head;
    char full[FULL_PATH_BYTES];
    full_path(packer, name, member, full);
    buf_clear(head);
    if (is_gzip(packer) && i == 0) {
        frame_gzip_head(head);
    }
    if (packer->options.container == CONTAINER_ZIP) {
        zip_local_header(head, &(struct zip_member){
                                   full, packer->mtime_s, member->span.crc, member->span.raw_bytes,
                                   member->span.packed_bytes, member->span.head_at});
    } else if (is_tar(packer)) {
        static const char ZEROS[TAR_BLOCK_BYTES];
        struct buf *content = &packer->content;
        buf_clear(content);
        buf_add(content, ZEROS, i == 0 ? 0 : tar_padding(raw_before));
        tar_header(content, full, member->span.raw_bytes, packer->mtime_s);
        enum rc rc = buf_ok(content, err);
        if (rc != RC_OK) {
            return rc;
        }
        if (packer->options.container == CONTAINER_TAR_GZ) {
            frame_deflate(head, buf_slice(content));
        } else {
            frame_zstd(head, buf_slice(content));
        }
    }
    return buf_ok(head, err);
}

static enum rc member_add(struct packer *packer, const char *path, struct err *err)
{
    if (packer->count == packer->cap) {
        size_t cap = packer->cap == 0 ? MEMBERS_FIRST : packer->cap * 2;
        struct packer_member **members =
            realloc(packer->members, cap * sizeof(struct packer_member *));
        if (members == NULL) {
            return err_set(err, RC_NOMEM, "no memory for an archive's members");
        }
        packer->members = members;
        packer->cap = cap;
    }
    struct packer_member *member = arena_alloc(&packer->arena, sizeof *member);
    char *copy = arena_text(&packer->arena, slice_of(path));
    if (member == NULL || copy == NULL) {
        return err_set(err, RC_NOMEM, "no memory for an archive's members");
    }
    member->path = copy;
    packer->members[packer->count++] = member;
    return RC_OK;
}

enum rc packer_begin(struct packer *packer, const char *path, struct err *err)
{
    if (packer->options.container == CONTAINER_GZ && packer->count == 1) {
        return err_set(err, RC_PERM, "a gz holds one file only; choose another container");
    }
    if (packer->count == PACKER_MEMBERS_MAX) {
        return err_set(err, RC_RANGE, "an archive holds at most %d files", PACKER_MEMBERS_MAX);
    }
    char stand_in[PACKER_NAME_BYTES_MAX];
    memset(stand_in, STAND_IN, sizeof stand_in);
    enum rc rc = path_check(path, err);
    if (rc == RC_OK) {
        rc = member_add(packer, path, err);
    }
    if (rc == RC_OK) {
        rc = head_make(packer, packer->count - 1, stand_in, packer->raw_bytes, err);
    }
    if (rc == RC_OK) {
        packer->raw_bytes = 0;
        rc = compress_begin(packer->compress, &packer->members[packer->count - 1]->span,
                            buf_slice(&packer->head), err);
    }
    return rc;
}

enum rc packer_write(struct packer *packer, const void *bytes, size_t len, struct err *err)
{
    packer->raw_bytes += len;
    return compress_write(packer->compress, bytes, len, err);
}

enum rc packer_end(struct packer *packer, struct err *err)
{
    return compress_end(packer->compress, is_tar(packer) ? (struct slice){NULL, 0} : DEFLATE_END,
                        err);
}

enum rc packer_add(struct packer *packer, const char *path, struct slice bytes, struct err *err)
{
    enum rc rc = packer_begin(packer, path, err);
    if (rc == RC_OK) {
        rc = packer_write(packer, bytes.ptr, bytes.len, err);
    }
    return rc == RC_OK ? packer_end(packer, err) : rc;
}

static enum rc copy_fd(struct packer *packer, int fd, char *bytes, struct err *err)
{
    for (off_t at = 0;;) { /* ends with the file, a regular one */
        ssize_t got = pread(fd, bytes, PACKER_READ_BYTES, at);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return sys_err(err, errno, "cannot read it");
        }
        if (got == 0) {
            return RC_OK;
        }
        enum rc rc = packer_write(packer, bytes, (size_t)got, err);
        if (rc != RC_OK) {
            return rc;
        }
        at += got;
    }
}

enum rc packer_add_fd(struct packer *packer, const char *path, int fd, struct err *err)
{
    struct stat stat;
    if (fstat(fd, &stat) != 0) {
        return sys_err(err, errno, "cannot look at it");
    }
    if (!S_ISREG(stat.st_mode)) {
        return err_set(err, RC_PERM, "it is not a regular file");
    }
    char *bytes = malloc(PACKER_READ_BYTES);
    if (bytes == NULL) {
        return err_set(err, RC_NOMEM, "no memory to read it");
    }
    enum rc rc = packer_begin(packer, path, err);
    if (rc == RC_OK) {
        rc = copy_fd(packer, fd, bytes, err);
    }
    if (rc == RC_OK) {
        rc = packer_end(packer, err);
    }
    free(bytes);
    return rc;
}

enum rc packer_settle(struct packer *packer, struct err *err)
{
    uint64_t at;
    return compress_drain(packer->compress, &at, err);
}

enum rc packer_total(struct packer *packer, char out_hex[SHA256_HEX_BYTES], struct err *err)
{
    assert(packer->options.has_total);
    enum rc rc = packer_settle(packer, err);
    if (rc == RC_OK) {
        compress_total(packer->compress, out_hex);
    }
    return rc;
}

static void sum_add(struct packer *packer, uint32_t crc, uint64_t len)
{
    packer->crc = (uint32_t)crc32_combine(packer->crc, crc, (z_off_t)len);
    packer->all_bytes += len;
}

/* Every head anew, with NAME and sizes, over its stand-in; sums up what a gzip file unpacks to. */
static enum rc heads_fill(struct packer *packer, const char *name, struct err *err)
{
    static_assert(sizeof(z_off_t) >= 8, "crc32_combine takes lengths over 2 GiB");
    uint64_t raw_before = 0;
    for (size_t i = 0; i < packer->count; i++) {
        const struct compress_span *span = &packer->members[i]->span;
        enum rc rc = head_make(packer, i, name, raw_before, err);
        if (rc == RC_OK) {
            assert(packer->head.len == span->head_bytes);
            rc = fs_pwrite_all(packer->options.fd, packer->head.ptr, packer->head.len,
                               span->head_at, err);
        }
        if (rc != RC_OK) {
            return rc;
        }
        if (packer->options.container == CONTAINER_TAR_GZ) {
            sum_add(packer,
                    (uint32_t)crc32_z(0, (const Bytef *)packer->content.ptr, packer->content.len),
                    packer->content.len);
        }
        sum_add(packer, span->crc, span->raw_bytes);
        raw_before = span->raw_bytes;
    }
    return RC_OK;
}

/* Padding of the last member and two blocks of zeros; for gzip it ends the stream too. */
static enum rc tar_end(struct packer *packer, struct err *err)
{
    static const char ZEROS[TAR_BLOCK_BYTES + TAR_END_BYTES];
    enum rc rc = compress_begin(packer->compress, &packer->end, (struct slice){NULL, 0}, err);
    if (rc == RC_OK) {
        rc = compress_write(packer->compress, ZEROS, tar_padding(packer->raw_bytes) + TAR_END_BYTES,
                            err);
    }
    if (rc == RC_OK) {
        rc = compress_end(packer->compress, is_gzip(packer) ? DEFLATE_END : (struct slice){NULL, 0},
                          err);
    }
    return rc;
}

static enum rc append_head(struct packer *packer, uint64_t *at, struct err *err)
{
    enum rc rc = buf_ok(&packer->head, err);
    if (rc == RC_OK && packer->head.len > 0) {
        rc = fs_pwrite_all(packer->options.fd, packer->head.ptr, packer->head.len, *at, err);
    }
    *at += packer->head.len;
    buf_clear(&packer->head);
    return rc;
}

static enum rc zip_directory(struct packer *packer, const char *name, uint64_t *at, struct err *err)
{
    char full[FULL_PATH_BYTES];
    uint64_t start = *at;
    buf_clear(&packer->head);
    for (size_t i = 0; i < packer->count; i++) {
        const struct compress_span *span = &packer->members[i]->span;
        full_path(packer, name, packer->members[i], full);
        zip_central_header(&packer->head,
                           &(struct zip_member){full, packer->mtime_s, span->crc, span->raw_bytes,
                                                span->packed_bytes, span->head_at});
        if (packer->head.len >= DIRECTORY_CHUNK_BYTES) {
            enum rc rc = append_head(packer, at, err);
            if (rc != RC_OK) {
                return rc;
            }
        }
    }
    zip_end(&packer->head, packer->count, start, *at + packer->head.len - start);
    return append_head(packer, at, err);
}

enum rc packer_finish(struct packer *packer, const char *name, uint64_t *out_bytes, struct err *err)
{
    assert(strlen(name) == packer->options.name_bytes);
    enum rc rc = RC_OK;
    uint64_t at = 0;
    if (packer->count == 0) {
        return err_set(err, RC_PERM, "an archive needs a file");
    }
    if (is_tar(packer)) {
        rc = tar_end(packer, err);
    }
    if (rc == RC_OK) {
        rc = compress_drain(packer->compress, &at, err);
    }
    if (rc == RC_OK) {
        rc = heads_fill(packer, name, err);
    }
    if (rc == RC_OK && packer->options.container == CONTAINER_ZIP) {
        rc = zip_directory(packer, name, &at, err);
    }
    if (rc == RC_OK && is_gzip(packer)) {
        sum_add(packer, packer->end.crc, packer->end.raw_bytes);
        buf_clear(&packer->head);
        frame_gzip_tail(&packer->head, packer->crc, packer->all_bytes);
        rc = append_head(packer, &at, err);
    }
    *out_bytes = at;
    return rc;
}

size_t packer_count(const struct packer *packer)
{
    return packer->count;
}

const struct packer_member *packer_member(const struct packer *packer, size_t i)
{
    assert(i < packer->count);
    return packer->members[i];
}
