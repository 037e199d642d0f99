/*
 * fs - file acts named for what survives: durable (synced before return) or volatile (the caller's
 * group sync, fs_sync_filesystem, makes it durable)
 *
 * All names are relative to a directory descriptor. Results common to all acts:
 *   RC_TEMP    ENOSPC, EDQUOT, EMFILE, EIO in a read or write: nothing was published; try later
 *   RC_GONE    ENOENT
 *   RC_EXISTS  EEXIST
 *   RC_PERM    EACCES, EPERM, a symlink, the wrong kind of file
 *   RC_NOMEM   no memory
 *   RC_IO      a sync, a close after a write, or a rename failed so that the state on disk is
 *              unknown: stop this process, never sync again, read back after a restart
 * Descriptors are O_CLOEXEC. Temporary files are named .NAME.tmp, so that scans do not look at
 * them; what a crash leaves is removed by the next put of that name.
 */
#ifndef POSTROOM_SYS_FS_H
#define POSTROOM_SYS_FS_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

enum {
    FS_NAME_BYTES_MAX = 250,      /* longest NAME of a put: 255 less the dot and ".tmp" */
    FS_TREE_DEPTH_MAX = 8,        /* fs_remove_tree: our own trees are 4 deep */
    FS_TREE_ENTRIES_MAX = 1000000 /* fs_remove_tree: entries of one call */
};

/* ---- opening ---- */

/*
 * fs_open_beneath - open what exists below dirfd; no symlink, magic link or other file system on
 * the way
 *
 * name    may hold slashes ("basis/target"); ".." and absolute names are refused by the kernel
 * flags   of open(2), without O_CREAT (asserted); O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK and O_NOCTTY
 *         are added, so that a FIFO does not block (check S_ISREG before reading)
 * Returns RC_OK; RC_GONE; RC_PERM (also: a kernel without openat2, never silently less); RC_TEMP
 */
enum rc fs_open_beneath(int dirfd, const char *name, int flags, int *out_fd,
                        struct err *err) MUST_CHECK;

/* fs_open_dir - fs_open_beneath of a directory, for reading; RC_PERM when it is none */
enum rc fs_open_dir(int dirfd, const char *name, int *out_fd, struct err *err) MUST_CHECK;

/*
 * fs_open_door - a directory to put things into: fs_open_dir, or where it may not be listed by its
 * O_PATH descriptor (good for fs_put_volatile and moves, not for listing or syncing)
 * Returns as fs_open_dir
 */
enum rc fs_open_door(int dirfd, const char *name, int *out_fd, struct err *err) MUST_CHECK;

/* fs_hold - a descriptor that nothing can be read by: what the file takes is given back when the
 * last one is closed, not when its last name is removed. A link is held itself. As fs_open_beneath
 */
enum rc fs_hold(int dirfd, const char *name, int *out_fd, struct err *err) MUST_CHECK;

/* fs_open_regular - fs_open_beneath for reading of a regular file; RC_PERM when it is none */
enum rc fs_open_regular(int dirfd, const char *name, int *out_fd, struct err *err) MUST_CHECK;

/*
 * fs_create - make a new regular file, O_RDWR; exactly `mode`, whatever the umask
 * Returns RC_OK; RC_EXISTS; RC_TEMP, RC_PERM, RC_GONE (a directory of the name is missing)
 */
enum rc fs_create(int dirfd, const char *name, mode_t mode, int *out_fd,
                  struct err *err) MUST_CHECK;

/*
 * fs_open_memory - a file in memory alone, O_RDWR: for what is looked at before it is known whether
 * a file of it is wanted. `label` is shown by the kernel; only bounded things belong in it.
 * Returns RC_OK; RC_TEMP; RC_NOMEM
 */
enum rc fs_open_memory(const char *label, int *out_fd, struct err *err) MUST_CHECK;

/* fs_open_append - open or make a regular file, O_RDWR | O_APPEND; `mode` counts when it is made */
enum rc fs_open_append(int dirfd, const char *name, mode_t mode, int *out_fd,
                       struct err *err) MUST_CHECK;

/*
 * fs_close - close a descriptor that was written, and look at the result
 * *fd is -1 afterwards; -1 at once is allowed. Returns RC_OK; RC_IO: what was written may be lost
 */
enum rc fs_close(int *fd, struct err *err) MUST_CHECK;

/* fs_drop - close a descriptor whose bytes do not matter any more; *fd is -1 afterwards */
void fs_drop(int *fd);

/* ---- bytes ---- */

/*
 * fs_write_all - write every byte, over short writes and EINTR
 * Returns RC_OK; RC_TEMP and others: some of the bytes may be in the file
 */
enum rc fs_write_all(int fd, const void *bytes, size_t len, struct err *err) MUST_CHECK;

/* fs_pwrite_all - fs_write_all at an offset (not for O_APPEND descriptors) */
enum rc fs_pwrite_all(int fd, const void *bytes, size_t len, uint64_t at,
                      struct err *err) MUST_CHECK;

/*
 * fs_append - add bytes at the end of an O_APPEND file whose only writer is the caller; not synced
 *
 * When the write fails half-way (a full disk) the file is cut back to where it ended before.
 * Returns RC_OK; RC_TEMP nothing was added; RC_IO the cut failed too: the tail is torn
 */
enum rc fs_append(int fd, const void *bytes, size_t len, struct err *err) MUST_CHECK;

/* fs_append_durable - fs_append and fdatasync. RC_IO also: the sync failed */
enum rc fs_append_durable(int fd, const void *bytes, size_t len, struct err *err) MUST_CHECK;

/*
 * fs_put_durable - make or replace NAME by a whole file: temporary name, write, fsync, close
 * checked, rename, fsync of the directory
 *
 * name   one component, at most FS_NAME_BYTES_MAX bytes (else RC_PERM)
 * mode   exactly, whatever the umask
 * Returns RC_OK  it is there, also after a power cut
 *         RC_TEMP, RC_PERM, RC_GONE  the old NAME is untouched
 *         RC_IO  NAME is the old or the new file, whole
 * Cost    1 file, 2 fsync, 1 rename
 */
enum rc fs_put_durable(int dirfd, const char *name, mode_t mode, const void *bytes, size_t len,
                       struct err *err) MUST_CHECK;

/* fs_put_volatile - the same without the syncs: whole for other processes at once, on disk after
 * the caller's group sync. dirfd may be O_PATH (a door that its user cannot list). */
enum rc fs_put_volatile(int dirfd, const char *name, mode_t mode, const void *bytes, size_t len,
                        struct err *err) MUST_CHECK;

/*
 * fs_put_new - write a file that is not there yet, in a directory that nobody else looks at (a
 * staging directory): no temporary name, no rename, no sync Returns RC_OK; RC_EXISTS; RC_TEMP,
 * RC_PERM, RC_IO part of it may be there
 */
enum rc fs_put_new(int dirfd, const char *name, mode_t mode, const void *bytes, size_t len,
                   struct err *err) MUST_CHECK;

/*
 * fs_read_small - append a whole regular file to `out`
 * Returns RC_OK; RC_GONE; RC_PERM not regular, a symlink, not readable; RC_RANGE more than
 * max_bytes; RC_TEMP; RC_NOMEM
 */
enum rc fs_read_small(int dirfd, const char *name, size_t max_bytes, struct buf *out,
                      struct err *err) MUST_CHECK;

/* fs_read_fd - append what is left to read in fd; results as fs_read_small */
enum rc fs_read_fd(int fd, size_t max_bytes, struct buf *out, struct err *err) MUST_CHECK;

/* fs_read_some - one read, over EINTR; *out_len 0 is the end of the file. RC_OK; RC_TEMP, RC_PERM
 */
enum rc fs_read_some(int fd, void *bytes, size_t len, size_t *out_len, struct err *err) MUST_CHECK;

/* fs_begin_writing - these bytes begin their way to the disk: a sync finds less to do then */
void fs_begin_writing(int fd, uint64_t at, uint64_t len);

/*
 * fs_copy_fd - copy what is left to read in `in` to `out`
 *
 * sha        digest fed with the bytes, or NULL
 * out_bytes  bytes copied, also after a failure; or NULL
 * Returns RC_OK; RC_RANGE more than max_bytes (that many were copied); RC_TEMP; RC_PERM; RC_NOMEM
 */
enum rc fs_copy_fd(int in, int out, uint64_t max_bytes, struct sha256 *sha, uint64_t *out_bytes,
                   struct err *err) MUST_CHECK;

/* Which file it is, and when it was changed last, without gaps: two that are equal as bytes are of
 * one file that nobody wrote to in between. (Who writes through a mapping may do so for half a
 * minute at one time of change.) */
struct fs_identity {
    uint64_t device, inode, bytes;
    int64_t modified_s, modified_ns;
    int64_t changed_s, changed_ns;
};

/* fs_identify - of an open file; false: it cannot be looked at */
bool fs_identify(int fd, struct fs_identity *out);

/* fs_same_bytes - two regular files of these names are there and hold the same; false also where
 * one cannot be read. Cost: both are read, unless their sizes differ */
bool fs_same_bytes(int a_dirfd, const char *a, int b_dirfd, const char *b);

/* fs_same_as - fs_same_bytes of a file that is open for reading, wherever its offset stands */
bool fs_same_as(int fd, int dirfd, const char *name);

/* fs_reserve - set disk space aside behind the end of a file (its size stays); RC_OK where the file
 * system cannot */
enum rc fs_reserve(int fd, uint64_t len, struct err *err) MUST_CHECK;

/* fs_truncate - cut a file to len bytes, not synced */
enum rc fs_truncate(int fd, uint64_t len, struct err *err) MUST_CHECK;

/* ---- names ---- */

/*
 * fs_move_noreplace - rename, refusing to replace; not synced
 * Returns RC_OK; RC_GONE no `from`; RC_EXISTS `to` is there; RC_PERM (also: another file system);
 *         RC_TEMP; RC_IO (EIO: in one of the two places)
 */
enum rc fs_move_noreplace(int from_dirfd, const char *from, int to_dirfd, const char *to,
                          struct err *err) MUST_CHECK;

/* fs_move_durable - fs_move_noreplace, then both directories synced. RC_IO: moved or not */
enum rc fs_move_durable(int from_dirfd, const char *from, int to_dirfd, const char *to,
                        struct err *err) MUST_CHECK;

/* fs_move_replace - rename over what may be there, within one file system; not synced */
enum rc fs_move_replace(int from_dirfd, const char *from, int to_dirfd, const char *to,
                        struct err *err) MUST_CHECK;

/* fs_exchange - swap two names that both exist, in one instant; not synced. Returns as
 * fs_move_noreplace */
enum rc fs_exchange(int a_dirfd, const char *a, int b_dirfd, const char *b,
                    struct err *err) MUST_CHECK;

/* fs_link - a second name for one regular file; not synced. RC_OK; RC_GONE no `from`; RC_EXISTS
 * `to` is there; RC_PERM; RC_TEMP */
enum rc fs_link(int from_dirfd, const char *from, int to_dirfd, const char *to,
                struct err *err) MUST_CHECK;

/* fs_remove - unlink one file; RC_GONE when it is not there */
enum rc fs_remove(int dirfd, const char *name, struct err *err) MUST_CHECK;

/*
 * fs_remove_tree - remove a file or a directory with all below it; links are removed, not followed
 * Returns RC_OK; RC_GONE; RC_RANGE deeper than FS_TREE_DEPTH_MAX or more entries than
 *         FS_TREE_ENTRIES_MAX (part of it may be gone); RC_PERM; RC_TEMP
 */
enum rc fs_remove_tree(int dirfd, const char *name, struct err *err) MUST_CHECK;

/*
 * fs_make_dir - mkdir with exactly `mode` (setgid and sticky too) and a group
 * gid     -1: as the kernel gives it
 * Returns RC_OK; RC_EXISTS (left as it is); RC_PERM (also: not a member of that group); RC_TEMP,
 * RC_GONE
 */
enum rc fs_make_dir(int dirfd, const char *name, mode_t mode, int64_t gid,
                    struct err *err) MUST_CHECK;

/* fs_make_open_dir - fs_make_dir, and the new directory opened for reading */
enum rc fs_make_open_dir(int dirfd, const char *name, mode_t mode, int64_t gid, int *out_fd,
                         struct err *err) MUST_CHECK;

/*
 * fs_give - who may read a regular file: exactly `mode`, and a group
 * gid     -1: as it is. The process has to be a member of that group.
 * Returns RC_OK; RC_GONE; RC_PERM (not ours, or not a member); RC_TEMP
 */
enum rc fs_give(int dirfd, const char *name, mode_t mode, int64_t gid, struct err *err) MUST_CHECK;

/* fs_exists - there is something of that name (a symlink too); false also where one may not look */
bool fs_exists(int dirfd, const char *name);

/*
 * fs_each - call fn for each name in a directory but . and .., in directory order
 *
 * dirfd     readable; its own offset is not moved
 * max       RC_RANGE when there are more names
 * fn        a result other than RC_OK ends the walk and is returned; it may remove `name`
 */
enum rc fs_each(int dirfd, size_t max, enum rc (*fn)(void *ctx, const char *name), void *ctx,
                struct err *err) MUST_CHECK;

/* A sorted list of names. */
struct fs_names {
    char **names; /* byte order */
    size_t count;
    struct buf store; /* holds the bytes */
};

#define FS_NAMES_EMPTY ((struct fs_names){NULL, 0, BUF_EMPTY})

/* fs_list - all names but those that begin with a dot, in byte order; RC_RANGE more than max;
 * RC_NOMEM */
enum rc fs_list(int dirfd, size_t max, struct fs_names *out, struct err *err) MUST_CHECK;
void fs_names_release(struct fs_names *names);

/* ---- syncing ---- */

/* Each returns RC_OK or RC_IO, whatever the errno: a failed sync is never tried again. */
enum rc fs_sync_file(int fd, struct err *err) MUST_CHECK; /* fsync */
enum rc fs_sync_data(int fd, struct err *err) MUST_CHECK; /* fdatasync */
enum rc fs_sync_dir(int fd, struct err *err) MUST_CHECK;  /* fsync; not for O_PATH */
/* syncfs: all of it, one group sync */
enum rc fs_sync_filesystem(int fd, struct err *err) MUST_CHECK;

/* ---- the file system ---- */

/*
 * fs_type_is_local - the file system keeps the promises that the spool builds on
 * Returns RC_OK for ext4, xfs, btrfs, tmpfs, overlayfs (containers); RC_PERM for all others
 *         (network, FUSE), with its type; RC_TEMP
 */
enum rc fs_type_is_local(int fd, struct err *err) MUST_CHECK;

/* fs_free_bytes - what an ordinary user may still write; out_inodes may be NULL (btrfs tells none:
 * UINT64_MAX) */
enum rc fs_free_bytes(int fd, uint64_t *out_bytes, uint64_t *out_inodes,
                      struct err *err) MUST_CHECK;

#endif
