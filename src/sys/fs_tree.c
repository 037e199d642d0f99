/*
 * fs_tree - moving, removing, making and listing names
 */
#include "sys/fs.h"

#include "sys/calls.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- moving ---- */

static enum rc move(int from_dirfd, const char *from, int to_dirfd, const char *to,
                    unsigned int flags, struct err *err)
{
    if (sys_calls.renameat2(from_dirfd, from, to_dirfd, to, flags) == 0) {
        return RC_OK;
    }
    int why = errno;
    enum rc rc = sys_err(err, why, "move %s to %s", from, to);
    /* After EIO the kernel does not say how far it came. */
    return why == EIO ? RC_IO : rc;
}

enum rc fs_move_noreplace(int from_dirfd, const char *from, int to_dirfd, const char *to,
                          struct err *err)
{
    return move(from_dirfd, from, to_dirfd, to, RENAME_NOREPLACE, err);
}

enum rc fs_move_replace(int from_dirfd, const char *from, int to_dirfd, const char *to,
                        struct err *err)
{
    return move(from_dirfd, from, to_dirfd, to, 0, err);
}

enum rc fs_exchange(int a_dirfd, const char *a, int b_dirfd, const char *b, struct err *err)
{
    return move(a_dirfd, a, b_dirfd, b, RENAME_EXCHANGE, err);
}

enum rc fs_move_durable(int from_dirfd, const char *from, int to_dirfd, const char *to,
                        struct err *err)
{
    enum rc rc = fs_move_noreplace(from_dirfd, from, to_dirfd, to, err);
    if (rc == RC_OK) {
        /* The new name first: a cut between the two syncs may show both, never none. */
        rc = fs_sync_dir(to_dirfd, err);
    }
    if (rc == RC_OK) {
        rc = fs_sync_dir(from_dirfd, err);
    }
    return rc;
}

enum rc fs_link(int from_dirfd, const char *from, int to_dirfd, const char *to, struct err *err)
{
    return sys_calls.linkat(from_dirfd, from, to_dirfd, to, 0) == 0
               ? RC_OK
               : sys_err(err, errno, "link %s to %s", from, to);
}

/* ---- removing ---- */

enum rc fs_remove(int dirfd, const char *name, struct err *err)
{
    if (sys_calls.unlinkat(dirfd, name, 0) != 0) {
        return sys_err(err, errno, "remove %s", name);
    }
    return RC_OK;
}

struct removal {
    int dirfd;
    int depth;
    size_t *entries; /* seen so far in the whole tree */
    struct err *err;
};

static enum rc remove_at(const struct removal *removal, const char *name);

static enum rc remove_entry(void *ctx, const char *name)
{
    const struct removal *removal = ctx;
    enum rc rc = remove_at(removal, name);
    return rc == RC_GONE ? RC_OK : rc;
}

static enum rc remove_dir(const struct removal *removal, const char *name)
{
    if (removal->depth >= FS_TREE_DEPTH_MAX) {
        return err_set(removal->err, RC_RANGE, "remove %s: more than %d directories deep", name,
                       (int)FS_TREE_DEPTH_MAX);
    }
    int fd = -1;
    enum rc rc = fs_open_dir(removal->dirfd, name, &fd, removal->err);
    if (rc == RC_OK) {
        struct removal below = {fd, removal->depth + 1, removal->entries, removal->err};
        rc = fs_each(fd, FS_TREE_ENTRIES_MAX, remove_entry, &below, removal->err);
    }
    fs_drop(&fd);
    if (rc != RC_OK) {
        return rc;
    }
    if (sys_calls.unlinkat(removal->dirfd, name, AT_REMOVEDIR) != 0) {
        /* Names that came meanwhile: the next try takes them too. */
        rc = sys_err(removal->err, errno, "remove directory %s", name);
        return rc == RC_EXISTS ? RC_TEMP : rc;
    }
    return RC_OK;
}

static enum rc remove_at(const struct removal *removal, const char *name)
{
    if (++*removal->entries > FS_TREE_ENTRIES_MAX) {
        return err_set(removal->err, RC_RANGE, "remove %s: more than %d names", name,
                       (int)FS_TREE_ENTRIES_MAX);
    }
    if (sys_calls.unlinkat(removal->dirfd, name, 0) == 0) {
        return RC_OK;
    }
    if (errno == EISDIR) {
        return remove_dir(removal, name);
    }
    return sys_err(removal->err, errno, "remove %s", name);
}

enum rc fs_remove_tree(int dirfd, const char *name, struct err *err)
{
    size_t entries = 0;
    struct removal removal = {dirfd, 0, &entries, err};
    return remove_at(&removal, name);
}

/* ---- making ---- */

/* Changed only where it is not so already: a change is written to the disk. */
static bool has_mode(int fd, mode_t mode)
{
    struct stat status;
    return fstat(fd, &status) == 0 && (status.st_mode & 07777) == mode;
}

enum rc fs_make_open_dir(int dirfd, const char *name, mode_t mode, int64_t gid, int *out_fd,
                         struct err *err)
{
    if (sys_calls.mkdirat(dirfd, name, mode & 0777) != 0) {
        return sys_err(err, errno, "make directory %s", name);
    }
    int fd = -1;
    enum rc rc = fs_open_dir(dirfd, name, &fd, err);
    /* The group first: chown takes setgid away. */
    if (rc == RC_OK && gid >= 0 && fchown(fd, (uid_t)-1, (gid_t)gid) != 0) {
        rc = sys_err(err, errno, "give directory %s to group %lld", name, (long long)gid);
    }
    if (rc == RC_OK && !has_mode(fd, mode) && fchmod(fd, mode) != 0) {
        rc = sys_err(err, errno, "chmod directory %s", name);
    }
    if (rc != RC_OK) {
        fs_drop(&fd);
        (void)sys_calls.unlinkat(dirfd, name, AT_REMOVEDIR);
        return rc;
    }
    *out_fd = fd;
    return RC_OK;
}

enum rc fs_make_dir(int dirfd, const char *name, mode_t mode, int64_t gid, struct err *err)
{
    int fd = -1;
    enum rc rc = fs_make_open_dir(dirfd, name, mode, gid, &fd, err);
    fs_drop(&fd);
    return rc;
}

enum rc fs_give(int dirfd, const char *name, mode_t mode, int64_t gid, struct err *err)
{
    int fd = -1;
    enum rc rc = fs_open_regular(dirfd, name, &fd, err);
    if (rc == RC_OK && gid >= 0 && fchown(fd, (uid_t)-1, (gid_t)gid) != 0) {
        rc = sys_err(err, errno, "give %s to group %lld", name, (long long)gid);
    }
    if (rc == RC_OK && fchmod(fd, mode) != 0) {
        rc = sys_err(err, errno, "chmod %s", name);
    }
    fs_drop(&fd);
    return rc;
}

bool fs_exists(int dirfd, const char *name)
{
    struct stat status;
    return fstatat(dirfd, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- listing ---- */

enum rc fs_each(int dirfd, size_t max, enum rc (*fn)(void *ctx, const char *name), void *ctx,
                struct err *err)
{
    int fd = sys_calls.openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0) {
        return sys_err(err, errno, "list directory");
    }
    DIR *listing = fdopendir(fd);
    if (listing == NULL) {
        enum rc rc = sys_err(err, errno, "list directory");
        fs_drop(&fd);
        return rc;
    }
    enum rc rc = RC_OK;
    size_t count = 0;
    while (rc == RC_OK) {
        errno = 0;
        const struct dirent *entry = readdir(listing);
        if (entry == NULL) {
            rc = errno == 0 ? RC_OK : sys_err(err, errno, "list directory");
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (++count > max) {
            rc = err_set(err, RC_RANGE, "directory holds more than %zu names", max);
            break;
        }
        rc = fn(ctx, entry->d_name);
    }
    (void)closedir(listing);
    return rc;
}

static enum rc collect(void *ctx, const char *name)
{
    struct fs_names *names = ctx;
    if (name[0] != '.') {
        buf_add(&names->store, name, strlen(name) + 1);
        names->count++;
    }
    return names->store.is_failed ? RC_NOMEM : RC_OK;
}

static int by_bytes(const void *a, const void *b)
{
    const char *const *left = a;
    const char *const *right = b;
    return strcmp(*left, *right);
}

/* Points at the names in the store, in byte order. */
static enum rc sort_names(struct fs_names *names, struct err *err)
{
    if (names->count == 0) {
        return RC_OK;
    }
    char **sorted = calloc(names->count, sizeof *sorted);
    if (sorted == NULL) {
        return err_set(err, RC_NOMEM, "list directory: no memory");
    }
    char *at = names->store.ptr;
    for (size_t i = 0; i < names->count; i++) {
        sorted[i] = at;
        at += strlen(at) + 1;
    }
    qsort(sorted, names->count, sizeof *sorted, by_bytes);
    names->names = sorted;
    return RC_OK;
}

enum rc fs_list(int dirfd, size_t max, struct fs_names *out, struct err *err)
{
    struct fs_names names = FS_NAMES_EMPTY;
    enum rc rc = fs_each(dirfd, max, collect, &names, err);
    if (rc == RC_NOMEM) {
        rc = err_set(err, RC_NOMEM, "list directory: no memory");
    }
    if (rc == RC_OK) {
        rc = sort_names(&names, err);
    }
    if (rc != RC_OK) {
        fs_names_release(&names);
        return rc;
    }
    *out = names;
    return RC_OK;
}

void fs_names_release(struct fs_names *names)
{
    free(names->names);
    buf_release(&names->store);
    *names = FS_NAMES_EMPTY;
}
