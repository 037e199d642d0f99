/*
 * packaging - a folder as one package
 */
#include "cli/packaging.h"

#include "spool/door.h"
#include "spool/drop.h"
#include "sys/calls.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 256 * 1024, MEMBER_MODE = 0600, FOLDER_FILES_MAX = 4 * DROP_FILES_MAX };

/* --- what travels --- */

static void look_at(int dirfd, const char *name, struct problems *problems)
{
    char shown[DROP_SHOWN_BYTES];
    struct stat status;
    const char *fault = drop_name_fault(name);
    struct place at = {drop_show_name(name, shown), 0};
    if (fault != NULL) {
        problems_add(problems, at, "%s", fault);
    } else if (fstatat(dirfd, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
               !S_ISREG(status.st_mode)) {
        problems_add(problems, at,
                     "is no regular file; a delivery holds plain files: take it out of the folder");
    }
}

enum rc packaging_list(int dirfd, struct fs_names *out, struct problems *problems, struct err *err)
{
    enum rc rc = fs_list(dirfd, FOLDER_FILES_MAX, out, err);
    size_t kept = 0;
    for (size_t i = 0; rc == RC_OK && i < out->count; i++) {
        if (!door_is_passed_over(out->names[i])) {
            look_at(dirfd, out->names[i], problems);
            out->names[kept++] = out->names[i];
        }
    }
    if (rc == RC_OK) {
        out->count = kept;
    }
    return rc == RC_OK && kept > DROP_FILES_MAX
               ? err_set(err, RC_RANGE, "more than %d files; a delivery holds no more",
                         DROP_FILES_MAX)
               : rc;
}

/* --- writing --- */

struct sink {
    int fd;
    enum rc rc;
    struct err err;
};

static la_ssize_t on_write(struct archive *archive, void *ctx, const void *bytes, size_t len)
{
    struct sink *sink = ctx;
    sink->rc = fs_write_all(sink->fd, bytes, len, &sink->err);
    if (sink->rc != RC_OK) {
        archive_set_error(archive, EIO, "%s", "the package cannot be written");
        return -1;
    }
    return (la_ssize_t)len;
}

static enum rc explain(struct archive *archive, const struct sink *sink, struct err *err)
{
    if (sink->rc != RC_OK) {
        return err_set(err, sink->rc, "%s", sink->err.text);
    }
    const char *why = archive_error_string(archive);
    return err_set(err, RC_TEMP, "package: %s", why == NULL ? "no reason given" : why);
}

static enum rc put_bytes(struct archive *archive, const struct sink *sink, int fd, uint64_t size,
                         char *block, struct err *err)
{
    while (size > 0) {
        ssize_t got = sys_calls.read(fd, block, size < BLOCK_BYTES ? (size_t)size : BLOCK_BYTES);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return sys_err(err, errno, "read");
        }
        if (got == 0) {
            return err_set(err, RC_TEMP, "became shorter while it was packed; try again");
        }
        if (archive_write_data(archive, block, (size_t)got) != got) {
            return explain(archive, sink, err);
        }
        size -= (uint64_t)got;
    }
    return RC_OK;
}

static enum rc put_member(struct archive *archive, const struct sink *sink, int dirfd,
                          const char *name, char *block, struct err *err)
{
    int fd = -1;
    struct stat status = {0};
    enum rc rc = fs_open_regular(dirfd, name, &fd, err);
    if (rc != RC_OK) {
        return err_add(err, rc, "%s", name);
    }
    struct archive_entry *entry = archive_entry_new();
    if (entry == NULL || fstat(fd, &status) != 0) {
        rc = err_set(err, RC_NOMEM, "no memory for a package");
    } else {
        archive_entry_set_pathname(entry, name);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, MEMBER_MODE);
        archive_entry_set_size(entry, status.st_size);
        archive_entry_set_mtime(entry, status.st_mtim.tv_sec, 0);
        rc = archive_write_header(archive, entry) == ARCHIVE_OK ? RC_OK
                                                                : explain(archive, sink, err);
    }
    if (rc == RC_OK) {
        rc = put_bytes(archive, sink, fd, (uint64_t)status.st_size, block, err);
    }
    archive_entry_free(entry);
    fs_drop(&fd);
    return rc == RC_OK ? rc : err_add(err, rc, "%s", name);
}

enum rc packaging_write(int dirfd, const struct fs_names *names, int out_fd, struct err *err)
{
    struct sink sink = {.fd = out_fd, .rc = RC_OK};
    struct archive *archive = archive_write_new();
    char *block = malloc(BLOCK_BYTES);
    enum rc rc = archive == NULL || block == NULL
                     ? err_set(err, RC_NOMEM, "no memory for a package")
                     : RC_OK;
    /* pax: files may be larger than 8 GiB, and names are bytes whatever the locale. */
    if (rc == RC_OK &&
        (archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
         archive_write_set_format_option(archive, "pax", "hdrcharset", "BINARY") != ARCHIVE_OK ||
         archive_write_add_filter_zstd(archive) != ARCHIVE_OK ||
         /* no zeros behind the last frame */
         archive_write_set_bytes_in_last_block(archive, 1) != ARCHIVE_OK ||
         archive_write_open(archive, &sink, NULL, on_write, NULL) != ARCHIVE_OK)) {
        rc = explain(archive, &sink, err);
    }
    for (size_t i = 0; rc == RC_OK && i < names->count; i++) {
        rc = put_member(archive, &sink, dirfd, names->names[i], block, err);
    }
    if (rc == RC_OK && archive_write_close(archive) != ARCHIVE_OK) {
        rc = explain(archive, &sink, err);
    }
    if (archive != NULL) {
        (void)archive_write_free(archive);
    }
    free(block);
    return rc;
}
