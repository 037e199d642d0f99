/*
 * calls - the system calls that decide what survives a crash, in one table that can be swapped
 *
 * Every durable act of the program (sys/fs.h) goes through sys_calls, so that a test can make the
 * N-th call of one kind fail (sys/fault.h). Each entry has the meaning, the result and the errno of
 * the call it is named after. One table for the process: swap it before threads start.
 */
#ifndef POSTROOM_SYS_CALLS_H
#define POSTROOM_SYS_CALLS_H

#include "base/err.h"

#include <sys/types.h>

struct sys_calls {
    int (*openat)(int dirfd, const char *name, int flags, mode_t mode);
    /* openat2 with RESOLVE_BENEATH, NO_SYMLINKS, NO_MAGICLINKS, NO_XDEV */
    int (*open_beneath)(int dirfd, const char *name, int flags, mode_t mode);
    ssize_t (*read)(int fd, void *bytes, size_t len);
    ssize_t (*write)(int fd, const void *bytes, size_t len);
    ssize_t (*pwrite)(int fd, const void *bytes, size_t len, off_t at);
    int (*fsync)(int fd);
    int (*fdatasync)(int fd);
    int (*syncfs)(int fd);
    int (*close)(int fd);
    int (*renameat2)(int from_dirfd, const char *from, int to_dirfd, const char *to,
                     unsigned int flags);
    int (*unlinkat)(int dirfd, const char *name, int flags);
    int (*linkat)(int from_dirfd, const char *from, int to_dirfd, const char *to, int flags);
    int (*mkdirat)(int dirfd, const char *name, mode_t mode);
    int (*ftruncate)(int fd, off_t len);
    int (*fallocate)(int fd, int mode, off_t at, off_t len);
};

/* The table in force; at start the real calls. */
extern struct sys_calls sys_calls;

/* sys_calls_reset - put the real calls back */
void sys_calls_reset(void);

/*
 * sys_rc - the result code of an errno
 *
 * ENOENT RC_GONE; EEXIST, ENOTEMPTY RC_EXISTS; ENOMEM RC_NOMEM; EACCES, EPERM, ELOOP, EXDEV,
 * ENOTDIR, EISDIR, ENAMETOOLONG, ENOSYS, EINVAL, ENXIO... RC_PERM; ENOSPC, EDQUOT, EMFILE, ENFILE,
 * EROFS, EIO and what is not listed RC_TEMP. A failed sync is RC_IO whatever its errno; its caller
 * says so.
 */
enum rc sys_rc(int error_number);

/*
 * sys_err - write "text: description of the errno" into err
 * Returns sys_rc(error_number), so that a callee can say: return sys_err(err, errno, "open %s",
 * name);
 */
enum rc sys_err(struct err *err, int error_number, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
