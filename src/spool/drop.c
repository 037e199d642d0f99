/*
 * drop - a dropped directory is judged by name and status first, then by what its descriptors show
 */
#include "spool/drop.h"

#include "base/buf.h"
#include "base/slice.h"
#include "base/utf8.h"
#include "sys/calls.h"
#include "sys/fs.h"
#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What postroom itself keeps in a delivery's directory (docs/SPOOL.md): a dropped file of that name
 * would be believed. */
static const char *const reserved[] = {
    "journal",   "settings.conf", "target.json",   "excluded.csv", "basis",
    "decisions", "revisions",     "extraction",    "proofs",       "extraction.tmp",
    "progress",  "manifest.json", "uncertain.csv", "sending"};

const char *drop_shape_fault(const char *name)
{
    struct slice text = slice_of(name);
    if (text.len == 0) {
        return "has no name; give it one";
    }
    if (text.len > DROP_FILE_NAME_BYTES) {
        return "has a name longer than 128 bytes; shorten it";
    }
    if (name[0] == '.') {
        return "is a hidden file; remove it, or rename it if it is meant";
    }
    if (name[0] == '-') {
        return "has a name that begins with '-'; rename it";
    }
    for (size_t at = 0; at < text.len;) {
        int32_t c = utf8_next(text, &at);
        if (c < 0) {
            return "has a name that is no UTF-8; rename it";
        }
        if (c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == '/' || c == '\\') {
            return "has a slash, a backslash or a control character in its name; rename it";
        }
    }
    return NULL;
}

const char *drop_name_fault(const char *name)
{
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (strcmp(name, reserved[i]) == 0) {
            return "has a name that postroom keeps for itself in a delivery; rename it";
        }
    }
    return drop_shape_fault(name);
}

const char *drop_show_name(const char *name, char out[DROP_SHOWN_BYTES])
{
    struct buf shown = BUF_EMPTY;
    log_add_escaped(&shown, slice_of(name));
    (void)snprintf(out, DROP_SHOWN_BYTES, "%s", buf_text(&shown));
    buf_release(&shown);
    return out;
}

/* ---- listing ---- */

enum { FILES_FIRST = 8 }; /* room for so many at first: most deliveries have two or three */

struct listing {
    struct drop_files *files;
    size_t room;
    struct err *err;
};

/* Room for one more. */
static bool make_room(struct listing *listing)
{
    struct drop_files *files = listing->files;
    if (files->count < listing->room) {
        return true;
    }
    size_t room = listing->room == 0 ? FILES_FIRST : listing->room * 2;
    struct drop_file *grown = realloc(files->files, room * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    files->files = grown;
    listing->room = room;
    return true;
}

static enum rc add_name(void *ctx, const char *name)
{
    struct listing *listing = ctx;
    struct drop_files *files = listing->files;
    const char *fault = drop_name_fault(name);
    if (fault != NULL) {
        char shown[DROP_SHOWN_BYTES];
        return err_set(listing->err, RC_PERM, "%s: %s", drop_show_name(name, shown), fault);
    }
    if (files->count == DROP_FILES_MAX) {
        return err_set(listing->err, RC_RANGE, "more than %d files; pack what belongs together",
                       (int)DROP_FILES_MAX);
    }
    if (!make_room(listing)) {
        return err_set(listing->err, RC_NOMEM, "look at a drop: no memory");
    }
    struct drop_file *file = &files->files[files->count++];
    *file = (struct drop_file){.fd = -1};
    (void)snprintf(file->name, sizeof file->name, "%s", name);
    return RC_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct drop_file *left = a;
    const struct drop_file *right = b;
    return strcmp(left->name, right->name);
}

/* What a file of that status is, when it is nothing to take; else NULL */
static const char *kind_fault(mode_t mode)
{
    if (S_ISREG(mode)) {
        return NULL;
    }
    if (S_ISLNK(mode)) {
        return "is a symbolic link; drop the file itself";
    }
    if (S_ISDIR(mode)) {
        return "is a directory; a delivery has no folders, put its files beside delivery.conf";
    }
    if (S_ISFIFO(mode)) {
        return "is a FIFO; drop regular files";
    }
    if (S_ISSOCK(mode)) {
        return "is a socket; drop regular files";
    }
    return "is a device; drop regular files";
}

static enum rc check_file(const struct drop_files *files, const struct drop_file *file,
                          const struct stat *status, struct err *err)
{
    const char *fault = kind_fault(status->st_mode);
    if (fault != NULL) {
        return err_set(err, RC_PERM, "%s: %s", file->name, fault);
    }
    if (status->st_nlink != 1) {
        return err_set(err, RC_PERM,
                       "%s: has %lu names (hard links); copy it instead of linking it", file->name,
                       (unsigned long)status->st_nlink);
    }
    if (status->st_uid != files->uid) {
        return err_set(
            err, RC_PERM,
            "%s: belongs to uid %lu, its directory to uid %lu; one person drops all files",
            file->name, (unsigned long)status->st_uid, (unsigned long)files->uid);
    }
    return RC_OK;
}

static enum rc add_size(struct drop_files *files, struct drop_file *file, const struct stat *status,
                        struct err *err)
{
    file->size_bytes = status->st_size < 0 ? 0 : (uint64_t)status->st_size;
    if (__builtin_add_overflow(files->total_bytes, file->size_bytes, &files->total_bytes)) {
        return err_set(err, RC_RANGE, "%s: no disk holds that much", file->name);
    }
    return RC_OK;
}

/* Opens what was judged by name; the descriptor must show the same file. */
static enum rc open_file(int dirfd, const struct drop_files *files, struct drop_file *file,
                         const struct stat *before, struct err *err)
{
    struct stat status;
    enum rc rc = fs_open_beneath(dirfd, file->name, O_RDONLY, &file->fd, err);
    if (rc == RC_GONE) {
        return err_set(err, RC_TEMP, "%s: was removed meanwhile", file->name);
    }
    if (rc != RC_OK) {
        return rc;
    }
    if (fstat(file->fd, &status) != 0) {
        return sys_err(err, errno, "stat %s", file->name);
    }
    if (status.st_ino != before->st_ino || status.st_dev != before->st_dev) {
        return err_set(err, RC_TEMP, "%s: was replaced meanwhile", file->name);
    }
    return check_file(files, file, &status, err);
}

static enum rc judge(int dirfd, bool must_open, struct drop_files *files, struct err *err)
{
    struct listing listing = {files, 0, err};
    struct stat top;
    if (fstat(dirfd, &top) != 0) {
        return sys_err(err, errno, "stat the drop");
    }
    files->uid = top.st_uid;
    enum rc rc = fs_each(dirfd, SIZE_MAX, add_name, &listing, err);
    if (rc != RC_OK || files->count == 0) {
        return rc;
    }
    qsort(files->files, files->count, sizeof *files->files, by_name);
    for (size_t i = 0; i < files->count && rc == RC_OK; i++) {
        struct drop_file *file = &files->files[i];
        struct stat status;
        if (fstatat(dirfd, file->name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
            rc = sys_err(err, errno, "stat %s", file->name);
            return rc == RC_GONE ? RC_TEMP : rc;
        }
        rc = check_file(files, file, &status, err);
        if (rc == RC_OK) {
            rc = add_size(files, file, &status, err);
        }
        if (rc == RC_OK && must_open) {
            rc = open_file(dirfd, files, file, &status, err);
        }
    }
    return rc;
}

static enum rc examine(int dirfd, bool must_open, struct drop_files *out, struct err *err)
{
    struct drop_files files = DROP_FILES_EMPTY;
    enum rc rc = judge(dirfd, must_open, &files, err);
    if (rc == RC_OK && out != NULL) {
        *out = files;
        return RC_OK;
    }
    drop_files_release(&files);
    return rc;
}

enum rc drop_check(int dirfd, struct drop_files *out, struct err *err)
{
    return examine(dirfd, false, out, err);
}

enum rc drop_open_files(int dirfd, struct drop_files *out, struct err *err)
{
    return examine(dirfd, true, out, err);
}

void drop_files_release(struct drop_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        fs_drop(&files->files[i].fd);
    }
    free(files->files);
    *files = DROP_FILES_EMPTY;
}
