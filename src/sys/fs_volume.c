/*
 * fs_volume - syncs, and what kind of file system this is
 */
#include "sys/fs.h"

#include "sys/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/* After a failed sync the kernel marks the pages clean: a second sync would succeed and prove
 * nothing. Hence RC_IO, whatever the errno, and no retry (EINTR is not among the errors of these
 * calls on local file systems). */
static enum rc sync_result(int result, const char *what, struct err *err)
{
    if (result == 0) {
        return RC_OK;
    }
    (void)sys_err(err, errno, "%s failed: what is on disk is unknown; stop and start again", what);
    return RC_IO;
}

enum rc fs_sync_file(int fd, struct err *err)
{
    return sync_result(sys_calls.fsync(fd), "fsync of a file", err);
}

enum rc fs_sync_data(int fd, struct err *err)
{
    return sync_result(sys_calls.fdatasync(fd), "fdatasync of a file", err);
}

enum rc fs_sync_dir(int fd, struct err *err)
{
    return sync_result(sys_calls.fsync(fd), "fsync of a directory", err);
}

enum rc fs_sync_filesystem(int fd, struct err *err)
{
    return sync_result(sys_calls.syncfs(fd), "syncfs", err);
}

enum rc fs_reserve(int fd, uint64_t len, struct err *err)
{
    off_t end = lseek(fd, 0, SEEK_END);
    if (end < 0) {
        return sys_err(err, errno, "reserve");
    }
    if (len == 0 || sys_calls.fallocate(fd, FALLOC_FL_KEEP_SIZE, end, (off_t)len) == 0 ||
        errno == EOPNOTSUPP || errno == ENOSYS) {
        return RC_OK;
    }
    return sys_err(err, errno, "reserve %llu bytes", (unsigned long long)len);
}

enum rc fs_type_is_local(int fd, struct err *err)
{
    struct statfs status;
    if (fstatfs(fd, &status) != 0) {
        return sys_err(err, errno, "statfs");
    }
    switch ((unsigned long)status.f_type) {
    case EXT4_SUPER_MAGIC: /* ext2 and ext3 have the same */
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case OVERLAYFS_SUPER_MAGIC: /* containers; its syncs reach the upper file system */
        return RC_OK;
    default:
        return err_set(err, RC_PERM,
                       "file system of type 0x%lx: renames and syncs are only relied on in ext4, "
                       "xfs, btrfs and tmpfs; put it on one of them",
                       (unsigned long)status.f_type);
    }
}

enum rc fs_free_bytes(int fd, uint64_t *out_bytes, uint64_t *out_inodes, struct err *err)
{
    struct statvfs status;
    if (fstatvfs(fd, &status) != 0) {
        return sys_err(err, errno, "statvfs");
    }
    uint64_t block = status.f_frsize != 0 ? status.f_frsize : status.f_bsize;
    if (__builtin_mul_overflow((uint64_t)status.f_bavail, block, out_bytes)) {
        *out_bytes = UINT64_MAX;
    }
    if (out_inodes != NULL) {
        *out_inodes = status.f_files == 0 ? UINT64_MAX : (uint64_t)status.f_favail;
    }
    return RC_OK;
}
