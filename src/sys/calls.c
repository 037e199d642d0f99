/*
 * calls - the real system calls behind the table, and what an errno means to us
 */
#include "sys/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int real_openat(int dirfd, const char *name, int flags, mode_t mode)
{
    return openat(dirfd, name, flags, mode);
}

static int real_open_beneath(int dirfd, const char *name, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (unsigned int)flags,
        .mode = (flags & O_CREAT) != 0 ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    return (int)syscall(SYS_openat2, dirfd, name, &how, sizeof how);
}

static int real_renameat2(int from_dirfd, const char *from, int to_dirfd, const char *to,
                          unsigned int flags)
{
    return renameat2(from_dirfd, from, to_dirfd, to, flags);
}

#define REAL_CALLS                                                                                 \
    {                                                                                              \
        .openat = real_openat, .open_beneath = real_open_beneath, .read = read, .write = write,    \
        .pwrite = pwrite, .fsync = fsync, .fdatasync = fdatasync, .syncfs = syncfs,                \
        .close = close, .renameat2 = real_renameat2, .unlinkat = unlinkat, .linkat = linkat,       \
        .mkdirat = mkdirat, .ftruncate = ftruncate, .fallocate = fallocate,                        \
    }

struct sys_calls sys_calls = REAL_CALLS;

void sys_calls_reset(void)
{
    sys_calls = (struct sys_calls)REAL_CALLS;
}

enum rc sys_rc(int error_number)
{
    switch (error_number) {
    case ENOENT:
        return RC_GONE;
    case EEXIST:
    case ENOTEMPTY:
        return RC_EXISTS;
    case ENOMEM:
        return RC_NOMEM;
    case EACCES:
    case EPERM:
    case ELOOP:
    case EXDEV:
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
    case ENOSYS:
    case EINVAL:
    case ENXIO:
    case ENODEV:
    case ENOTSUP:
    case EBADF:
    case ESPIPE:
        return RC_PERM;
    default:
        return RC_TEMP;
    }
}

enum rc sys_err(struct err *err, int error_number, const char *format, ...)
{
    char text[ERR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    /* strerrordesc_np and not strerror: no locale, no shared buffer. */
    const char *description = strerrordesc_np(error_number);
    return err_set(err, sys_rc(error_number), "%s: %s", text,
                   description == NULL ? "unknown error" : description);
}
