/*
 * archive - one writer for what a router fetches: zip, tar.gz, tar.zst or one file as gz
 *
 * Members are named NAME/PATH, and NAME holds the digest of the data, which is known only at the
 * end. So the headers are laid out with their full length first and filled in by archive's last
 * step: the length of NAME must be known at the start, NAME itself at the end. Until
 * packer_finish() returns, the file is no archive.
 *
 * Reproducible: the same members, NAME, time and level give the same bytes for any number of
 * threads. Every member is a regular file, mode 0644, of user and group 0, changed at `created`.
 *
 * One DEFLATE stream for each zip member and for a whole tar.gz or gz (one gzip member, so that
 * readers that know no second one see everything); tar.zst is a row of frames. Sizes over 4 GiB
 * make zip64 headers, sizes of 8 GiB and more base-256 numbers in tar.
 */
#ifndef POSTROOM_PACK_ARCHIVE_H
#define POSTROOM_PACK_ARCHIVE_H

#include "base/digest.h"
#include "base/err.h"
#include "base/slice.h"
#include "pack/compress.h"

#include <stdint.h>

enum {
    PACKER_MEMBERS_MAX = 110000,     /* 99,999 data files, the manifest, documents */
    PACKER_PATH_BYTES_MAX = 300,     /* of a member below NAME: "documents/" and a file name */
    PACKER_NAME_BYTES_MAX = 150,     /* CONTRACT.md section 6 */
    PACKER_DOCUMENT_BYTES_MAX = 255, /* a file name in documents/ */
    PACKER_READ_BYTES = 256 * 1024
};

enum container {
    CONTAINER_ZIP = 0,
    CONTAINER_TAR_GZ,
    CONTAINER_TAR_ZST,
    CONTAINER_GZ, /* exactly one member, without a name */
    CONTAINER_COUNT
};

/* container_parse - from a setting: "zip", "tar.gz", "tar.zst", "gz"; RC_PERM with a text that
 * lists them */
enum rc container_parse(const char *name, enum container *out, struct err *err) MUST_CHECK;

/* container_name - the setting's word; never NULL */
const char *container_name(enum container container);

struct packer_options {
    int fd; /* an empty regular file, read and write; borrowed */
    enum container container;
    int level;            /* 1..9; 0: CODEC_LEVEL_DEFAULT */
    unsigned int threads; /* the caller included; 0: 1 */
    int64_t created_ns;   /* since 1970; the members' time, in whole seconds */
    size_t name_bytes;    /* length that NAME will have: 1..PACKER_NAME_BYTES_MAX (asserted) */
    bool has_total;       /* packer_total() is wanted */
};

/* One member. span is complete after packer_settle(), packer_total() or packer_finish(). */
struct packer_member {
    const char *path; /* below NAME */
    struct compress_span span;
};

struct packer;

/*
 * packer_open - begin an archive; nothing is written yet
 * Returns RC_OK; RC_RANGE a level outside 1..9; RC_NOMEM
 */
enum rc packer_open(const struct packer_options *options, struct packer **out,
                    struct err *err) MUST_CHECK;
void packer_free(struct packer *packer);

/*
 * packer_begin - begin a member; none is open (asserted)
 *
 * path    below NAME: "data.csv", "documents/brochure.pdf"; UTF-8, plain components
 *         (packer_document_check). No two alike: the caller sees to that.
 *
 * Returns RC_OK; RC_PERM not such a path, or the second member of a gz; RC_RANGE more than
 *         PACKER_MEMBERS_MAX members or a path too long; else as compress_begin()
 */
enum rc packer_begin(struct packer *packer, const char *path, struct err *err) MUST_CHECK;

/* packer_write - bytes of the open member; as compress_write() */
enum rc packer_write(struct packer *packer, const void *bytes, size_t len,
                     struct err *err) MUST_CHECK;

/* packer_end - end the member; as compress_end() */
enum rc packer_end(struct packer *packer, struct err *err) MUST_CHECK;

/* packer_add - a whole member from memory */
enum rc packer_add(struct packer *packer, const char *path, struct slice bytes,
                   struct err *err) MUST_CHECK;

/*
 * packer_add_fd - a whole member from a regular file's beginning
 * Returns RC_OK; RC_PERM not a regular file; RC_TEMP it cannot be read; else as packer_begin()
 */
enum rc packer_add_fd(struct packer *packer, const char *path, int fd, struct err *err) MUST_CHECK;

/*
 * packer_total - SHA-256 over the bytes of all members so far, in order (needs has_total, asserted)
 * Waits until they are in the file. Returns as compress_drain()
 */
enum rc packer_total(struct packer *packer, char out_hex[SHA256_HEX_BYTES],
                     struct err *err) MUST_CHECK;

/* packer_settle - wait until the members so far are complete; returns as compress_drain() */
enum rc packer_settle(struct packer *packer, struct err *err) MUST_CHECK;

/*
 * packer_finish - fill in the headers, write what ends the container; nothing is synced
 *
 * name       NAME; exactly name_bytes of A-Z a-z 0-9 . _ - (asserted)
 * out_bytes  length of the file
 * Returns RC_OK the file is an archive; RC_PERM there is no member; RC_TEMP and others as
 *         fs_pwrite_all()
 */
enum rc packer_finish(struct packer *packer, const char *name, uint64_t *out_bytes,
                      struct err *err) MUST_CHECK;

/* packer_count - members begun so far */
size_t packer_count(const struct packer *packer);

/* packer_member - the i-th member in order (asserted below packer_count); valid until packer_free()
 */
const struct packer_member *packer_member(const struct packer *packer, size_t i);

/*
 * packer_document_check - a plain file name for documents/: UTF-8, no slash or backslash, no
 * control character, not "." or "..", 1..PACKER_DOCUMENT_BYTES_MAX bytes Returns RC_OK; RC_PERM
 * with a text; RC_RANGE too long
 */
enum rc packer_document_check(const char *name, struct err *err) MUST_CHECK;

#endif
