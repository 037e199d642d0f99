/*
 * package - tar and zip through libarchive, which is fed by callbacks from unpack.c
 *
 * libarchive finds the members; what may become a file of a delivery is decided here, member by
 * member.
 */
#include "spool/take_part.h"

#include "base/buf.h"
#include "sys/calls.h"
#include "sys/fs.h"
#include "sys/log.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MEMBERS_MAX = 2 * DROP_FILES_MAX, /* files and folders */
    ZIP_DIRECTORY_BYTES = 8 << 20,    /* read before the first member: 1000 members need 0.3 MiB */
    BLOCK_BYTES = 64 * 1024,
    TAR_RECORD = 512
};

struct package {
    struct archive *archive;
    struct unpack *unpack;
    struct take_result result;
    struct take_limits limits;
    enum drop_kind kind;
    enum rc feed_rc; /* what stopped the callback; the text is in feed_err */
    struct err feed_err;
    const unsigned char *last; /* the block handed out last, for the look at what follows the end */
    size_t last_len;
    uint64_t fed_bytes;
    uint64_t size_bytes; /* of the file */
    size_t members;
    bool is_in_head; /* before the first member */
    bool has_files;
    char top[DROP_FILE_NAME_BYTES + 1]; /* the folder around all files; "" none */
    char block[BLOCK_BYTES];
};

/* ---- feeding libarchive ---- */

static la_ssize_t on_read(struct archive *archive, void *ctx, const void **out)
{
    struct package *package = ctx;
    size_t len = 0;
    enum rc rc = unpack_next(package->unpack, out, &len, &package->feed_err);
    package->fed_bytes += len;
    if (rc == RC_OK && package->kind == DROP_ZIP && package->is_in_head &&
        package->fed_bytes > ZIP_DIRECTORY_BYTES) {
        rc = err_set(&package->feed_err, RC_RANGE, "the zip's directory is larger than %d MiB",
                     (int)(ZIP_DIRECTORY_BYTES >> 20));
    }
    if (rc != RC_OK) {
        package->feed_rc = rc;
        archive_set_error(archive, EIO, "%s", "the package cannot be read on");
        return -1;
    }
    package->last = *out;
    package->last_len = len;
    return (la_ssize_t)len;
}

static la_int64_t on_seek(struct archive *archive, void *ctx, la_int64_t offset, int whence)
{
    struct package *package = ctx;
    (void)archive;
    if (whence != SEEK_SET && whence != SEEK_END) {
        return ARCHIVE_FATAL; /* libarchive knows where it is and asks for neither */
    }
    la_int64_t base = whence == SEEK_END ? (la_int64_t)package->size_bytes : 0;
    la_int64_t at = 0;
    if (__builtin_add_overflow(base, offset, &at) || at < 0) {
        return ARCHIVE_FATAL;
    }
    unpack_seek(package->unpack, (uint64_t)at);
    return at;
}

static enum rc open_archive(struct package *package, struct err *err)
{
    package->archive = archive_read_new();
    if (package->archive == NULL) {
        return err_set(err, RC_NOMEM, "unpack: no memory");
    }
    struct archive *archive = package->archive;
    int result = package->kind == DROP_ZIP ? archive_read_support_format_zip_seekable(archive)
                                           : archive_read_support_format_tar(archive);
    if (result == ARCHIVE_OK) {
        (void)archive_read_set_read_callback(archive, on_read);
        (void)archive_read_set_callback_data(archive, package);
        if (package->kind == DROP_ZIP) {
            (void)archive_read_set_seek_callback(archive, on_seek);
        }
        result = archive_read_open1(archive);
    }
    return result == ARCHIVE_OK ? RC_OK : RC_CORRUPT;
}

/* The error of the last libarchive call: ours when the feed failed, else its own, as "damaged". */
static enum rc explain(const struct package *package, const char *name, struct err *err)
{
    if (package->feed_rc != RC_OK) {
        return err_set(err, package->feed_rc, "%s", package->feed_err.text);
    }
    if (archive_errno(package->archive) == ENOMEM) {
        return err_set(err, RC_NOMEM, "unpack: no memory");
    }
    const char *why = archive_error_string(package->archive);
    char shown[DROP_SHOWN_BYTES];
    (void)drop_show_name(why == NULL ? "no reason given" : why, shown);
    return name == NULL ? err_set(err, RC_CORRUPT,
                                  "the package is cut short, damaged, or no %s (%s); pack it again",
                                  package->kind == DROP_ZIP ? "zip" : "tar", shown)
                        : err_set(err, RC_CORRUPT,
                                  "%s: is damaged or cut short in the package (%s); pack it again",
                                  name, shown);
}

/* ---- members ---- */

static enum rc refuse_member(const char *path, const char *fault, struct err *err)
{
    char shown[DROP_SHOWN_BYTES];
    (void)err_set(err, RC_PERM, "%s: %s", drop_show_name(path, shown), fault);
    return RC_PERM;
}

/* True when a path leads out of where it is unpacked. */
static bool leads_outside(const char *path)
{
    if (path[0] == '/') {
        return true;
    }
    for (const char *part = path; part != NULL;) {
        if (part[0] == '.' && part[1] == '.' && (part[2] == '/' || part[2] == '\0')) {
            return true;
        }
        part = strchr(part, '/');
        part = part == NULL ? NULL : part + 1;
    }
    return false;
}

static const char *without_dots(const char *path)
{
    while (path[0] == '.' && path[1] == '/') {
        path += 2;
        while (path[0] == '/') {
            path++;
        }
    }
    return path;
}

/* Splits PATH or TOP/PATH, and holds all members to the same top folder. */
static enum rc member_name(struct package *package, const char *path, const char **out_name,
                           struct err *err)
{
    const char *inner = without_dots(path);
    const char *slash = strchr(inner, '/');
    const char *name = slash == NULL ? inner : slash + 1;
    size_t top_len = slash == NULL ? 0 : (size_t)(slash - inner);
    if (strchr(name, '/') != NULL) {
        return refuse_member(path, "lies in a folder inside the folder; a delivery has no folders",
                             err);
    }
    if (top_len >= sizeof package->top) {
        return refuse_member(path, "lies in a folder with too long a name; rename it", err);
    }
    if (!package->has_files) {
        memcpy(package->top, inner, top_len);
        package->top[top_len] = '\0';
        package->has_files = true;
    } else if (strlen(package->top) != top_len || memcmp(package->top, inner, top_len) != 0) {
        return refuse_member(path,
                             "lies in another folder than the files before it; put all files in "
                             "one folder, or in none",
                             err);
    }
    const char *fault = drop_name_fault(name);
    if (fault != NULL) {
        return refuse_member(path, fault, err);
    }
    *out_name = name;
    return RC_OK;
}

/* What may not be in a package at all; NULL: nothing wrong */
static const char *entry_fault(struct archive_entry *entry, const char *path)
{
    if (leads_outside(path)) {
        return "leads out of the package; pack it with plain names";
    }
    if (archive_entry_hardlink(entry) != NULL) {
        return "is a hard link; pack the file itself";
    }
    if (archive_entry_is_encrypted(entry) != 0) {
        return "is encrypted; pack it without a password";
    }
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
    case AE_IFDIR:
        return NULL;
    case AE_IFLNK:
        return "is a symbolic link; pack the file itself";
    case AE_IFIFO:
        return "is a FIFO; pack regular files";
    case AE_IFSOCK:
        return "is a socket; pack regular files";
    case AE_IFCHR:
    case AE_IFBLK:
        return "is a device; pack regular files";
    default:
        return "is no regular file; pack regular files";
    }
}

static enum rc check_growth(const struct package *package, uint64_t file_bytes, struct err *err)
{
    uint64_t total = package->result.bytes + file_bytes;
    if (total > package->limits.total_bytes) {
        return err_set(err, RC_RANGE,
                       "all files together are larger than %llu GiB; split the delivery",
                       (unsigned long long)(package->limits.total_bytes >> 30));
    }
    if (package->kind == DROP_ZIP && total > TAKE_RATIO_FREE_BYTES &&
        total / TAKE_RATIO > package->size_bytes) {
        return err_set(err, RC_RANGE,
                       "the package unpacks to more than %d times its size; drop it as a directory",
                       (int)TAKE_RATIO);
    }
    return RC_OK;
}

static enum rc write_member(struct package *package, const char *name, int out, struct err *err)
{
    uint64_t bytes = 0;
    for (;;) {
        la_ssize_t got = archive_read_data(package->archive, package->block, sizeof package->block);
        if (got == 0) {
            break;
        }
        if (got < 0) {
            return explain(package, name, err);
        }
        bytes += (uint64_t)got;
        enum rc rc = check_growth(package, bytes, err);
        if (rc == RC_OK) {
            rc = fs_write_all(out, package->block, (size_t)got, err);
        }
        if (rc != RC_OK) {
            return rc;
        }
    }
    package->result.bytes += bytes;
    return RC_OK;
}

static enum rc take_member(struct package *package, const char *name, int dst, struct err *err)
{
    int out = -1;
    if (package->result.files == DROP_FILES_MAX) {
        return err_set(err, RC_RANGE,
                       "more than %d files in the package; pack what belongs together into one",
                       (int)DROP_FILES_MAX);
    }
    enum rc rc = fs_create(dst, name, take_mode(name), &out, err);
    if (rc == RC_EXISTS) {
        return err_set(err, RC_PERM, "%s: is in the package twice; pack it once", name);
    }
    if (rc == RC_OK) {
        rc = write_member(package, name, out, err);
        enum rc closed = fs_close(&out, rc == RC_OK ? err : NULL);
        rc = rc == RC_OK ? closed : rc;
    }
    if (rc == RC_OK) {
        package->result.files++;
        package->result.has_delivery_conf =
            package->result.has_delivery_conf || strcmp(name, "delivery.conf") == 0;
    }
    return rc;
}

static enum rc take_entry(struct package *package, struct archive_entry *entry, int dst,
                          struct err *err)
{
    /* The UTF-8 name where the archive has one, else its raw bytes. */
    const char *path = archive_entry_pathname_utf8(entry);
    path = path == NULL ? archive_entry_pathname(entry) : path;
    if (path == NULL) {
        return err_set(err, RC_PERM,
                       "the package has a member without a readable name; pack it again");
    }
    if (++package->members > MEMBERS_MAX) {
        return err_set(err, RC_RANGE, "more than %d files and folders in the package",
                       (int)MEMBERS_MAX);
    }
    const char *fault = entry_fault(entry, path);
    if (fault != NULL) {
        return refuse_member(path, fault, err);
    }
    if (archive_entry_filetype(entry) == AE_IFDIR) {
        return RC_OK;
    }
    const char *name = NULL;
    enum rc rc = member_name(package, path, &name, err);
    return rc == RC_OK ? take_member(package, name, dst, err) : rc;
}

/* ---- the end ---- */

static bool is_zeros(const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/*
 * A tar ends in a record of zeros; libarchive is content without. seen_bytes: where the last member
 * ended. What follows the mark must be padding, read to its end, so that the checksum of the
 * compressed stream is verified and nothing is dropped unseen.
 */
static enum rc check_tar_end(struct package *package, int64_t seen_bytes, struct err *err)
{
    int64_t at = archive_filter_bytes(package->archive, 0);
    if (at - seen_bytes < TAR_RECORD) {
        return err_set(err, RC_CORRUPT, "the package is cut short; pack and drop it again");
    }
    uint64_t unread = unpack_delivered(package->unpack) - (uint64_t)at;
    bool is_clean = true;
    if (package->last != NULL && unread <= package->last_len) {
        is_clean = is_zeros(package->last + (package->last_len - unread), (size_t)unread);
    }
    for (size_t len = 1; is_clean && len > 0;) {
        const void *bytes = NULL;
        enum rc rc = unpack_next(package->unpack, &bytes, &len, err);
        if (rc != RC_OK) {
            return rc;
        }
        is_clean = is_zeros(bytes, len);
    }
    return is_clean ? RC_OK
                    : err_set(err, RC_CORRUPT,
                              "the package goes on after its end mark; pack all "
                              "files at once");
}

static enum rc take_entries(struct package *package, int dst, struct err *err)
{
    int64_t seen_bytes = 0;
    for (;;) {
        struct archive_entry *entry = NULL;
        int result = archive_read_next_header(package->archive, &entry);
        package->is_in_head = false;
        if (result == ARCHIVE_EOF) {
            break;
        }
        /* WARN: a name outside the locale's characters, for instance; the name is looked at below.
         */
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN) {
            return explain(package, NULL, err);
        }
        enum rc rc = take_entry(package, entry, dst, err);
        if (rc != RC_OK) {
            return rc;
        }
        seen_bytes = archive_filter_bytes(package->archive, 0);
    }
    if (package->feed_rc != RC_OK) {
        return explain(package, NULL, err);
    }
    return package->kind == DROP_ZIP ? RC_OK : check_tar_end(package, seen_bytes, err);
}

static enum rc unpack_all(struct package *package, int fd, int dst, struct err *err)
{
    struct stat before;
    struct stat after;
    if (fstat(fd, &before) != 0) {
        return sys_err(err, errno, "package");
    }
    if (!S_ISREG(before.st_mode) || before.st_nlink != 1) {
        return err_set(err, RC_PERM,
                       "the package is no regular file with one name; copy it instead of "
                       "linking it");
    }
    package->size_bytes = (uint64_t)before.st_size;
    enum rc rc = take_check_empty(dst, err);
    if (rc == RC_OK) {
        rc = unpack_open(fd, package->kind, &package->limits, &package->unpack, err);
    }
    if (rc == RC_OK) {
        rc = open_archive(package, err);
        if (rc == RC_CORRUPT) {
            rc = explain(package, NULL, err);
        }
    }
    if (rc == RC_OK) {
        rc = take_entries(package, dst, err);
    }
    if (fstat(fd, &after) != 0) {
        return sys_err(err, errno, "package");
    }
    if (!take_is_same_file(&before, &after)) {
        return err_set(err, RC_TEMP, "the package is still changing");
    }
    return rc == RC_OK ? take_check_result(&package->result, err) : rc;
}

enum rc take_package(int fd, enum drop_kind kind, int dst, const struct take_limits *limits,
                     struct take_result *out, struct err *err)
{
    assert(limits->total_bytes > 0);
    assert(kind == DROP_TAR || kind == DROP_TAR_GZ || kind == DROP_TAR_ZST || kind == DROP_ZIP);
    struct package *package = calloc(1, sizeof *package);
    if (package == NULL) {
        return err_set(err, RC_NOMEM, "unpack: no memory");
    }
    package->kind = kind;
    package->limits = *limits;
    package->is_in_head = true;
    /* libarchive drops names that the locale cannot hold, and the daemon's may be "C". For this
     * thread, for this call. */
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = utf8 != (locale_t)0 ? uselocale(utf8) : (locale_t)0;
    enum rc rc = unpack_all(package, fd, dst, err);
    if (rc == RC_OK) {
        *out = package->result;
    }
    if (package->archive != NULL) {
        (void)archive_read_free(package->archive);
    }
    if (utf8 != (locale_t)0) {
        (void)uselocale(before);
        freelocale(utf8);
    }
    unpack_free(package->unpack);
    free(package);
    return rc;
}
