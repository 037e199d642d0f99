/*
 * fault - planned failures behind the table of system calls
 */
#include "sys/fault.h"

#include "sys/calls.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

struct plan {
    unsigned int count;
    unsigned int nth; /* 0: no failure planned */
    int error_number;
    enum fault_times times;
};

static struct plan plans[FAULT_CALLS];
static struct sys_calls real;
static bool is_installed;

/* Counts a call; true when it is this one's turn to fail. */
static bool is_due(enum fault_call call)
{
    struct plan *plan = &plans[call];
    plan->count++;
    return plan->nth != 0 &&
           (plan->count == plan->nth || (plan->times == FAULT_FOREVER && plan->count > plan->nth));
}

/* -1 with errno when the call fails; *len is halved for a short read or write; else 0 */
static int weigh(enum fault_call call, size_t *len)
{
    if (!is_due(call)) {
        return 0;
    }
    if (plans[call].error_number == 0) {
        if (len != NULL && *len > 1) {
            *len /= 2;
        }
        return 0;
    }
    errno = plans[call].error_number;
    return -1;
}

static int fault_openat(int dirfd, const char *name, int flags, mode_t mode)
{
    return weigh(FAULT_OPEN, NULL) != 0 ? -1 : real.openat(dirfd, name, flags, mode);
}

static int fault_open_beneath(int dirfd, const char *name, int flags, mode_t mode)
{
    return weigh(FAULT_OPEN, NULL) != 0 ? -1 : real.open_beneath(dirfd, name, flags, mode);
}

static ssize_t fault_read(int fd, void *bytes, size_t len)
{
    return weigh(FAULT_READ, &len) != 0 ? -1 : real.read(fd, bytes, len);
}

static ssize_t fault_write(int fd, const void *bytes, size_t len)
{
    return weigh(FAULT_WRITE, &len) != 0 ? -1 : real.write(fd, bytes, len);
}

static ssize_t fault_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return weigh(FAULT_WRITE, &len) != 0 ? -1 : real.pwrite(fd, bytes, len, at);
}

static int fault_fsync(int fd)
{
    return weigh(FAULT_FSYNC, NULL) != 0 ? -1 : real.fsync(fd);
}

static int fault_fdatasync(int fd)
{
    return weigh(FAULT_FSYNC, NULL) != 0 ? -1 : real.fdatasync(fd);
}

static int fault_syncfs(int fd)
{
    return weigh(FAULT_SYNCFS, NULL) != 0 ? -1 : real.syncfs(fd);
}

static int fault_close(int fd)
{
    if (weigh(FAULT_CLOSE, NULL) != 0) {
        int wanted = errno;
        (void)real.close(fd);
        errno = wanted;
        return -1;
    }
    return real.close(fd);
}

static int fault_renameat2(int from_dirfd, const char *from, int to_dirfd, const char *to,
                           unsigned int flags)
{
    return weigh(FAULT_RENAME, NULL) != 0 ? -1
                                          : real.renameat2(from_dirfd, from, to_dirfd, to, flags);
}

static int fault_unlinkat(int dirfd, const char *name, int flags)
{
    return weigh(FAULT_UNLINK, NULL) != 0 ? -1 : real.unlinkat(dirfd, name, flags);
}

static int fault_linkat(int from_dirfd, const char *from, int to_dirfd, const char *to, int flags)
{
    return weigh(FAULT_LINK, NULL) != 0 ? -1 : real.linkat(from_dirfd, from, to_dirfd, to, flags);
}

static int fault_mkdirat(int dirfd, const char *name, mode_t mode)
{
    return weigh(FAULT_MKDIR, NULL) != 0 ? -1 : real.mkdirat(dirfd, name, mode);
}

static int fault_ftruncate(int fd, off_t len)
{
    return weigh(FAULT_TRUNCATE, NULL) != 0 ? -1 : real.ftruncate(fd, len);
}

static int fault_fallocate(int fd, int mode, off_t at, off_t len)
{
    return weigh(FAULT_ALLOCATE, NULL) != 0 ? -1 : real.fallocate(fd, mode, at, len);
}

static void install(void)
{
    if (is_installed) {
        return;
    }
    real = sys_calls;
    sys_calls = (struct sys_calls){
        .openat = fault_openat,
        .open_beneath = fault_open_beneath,
        .read = fault_read,
        .write = fault_write,
        .pwrite = fault_pwrite,
        .fsync = fault_fsync,
        .fdatasync = fault_fdatasync,
        .syncfs = fault_syncfs,
        .close = fault_close,
        .renameat2 = fault_renameat2,
        .unlinkat = fault_unlinkat,
        .linkat = fault_linkat,
        .mkdirat = fault_mkdirat,
        .ftruncate = fault_ftruncate,
        .fallocate = fault_fallocate,
    };
    is_installed = true;
}

void fault_at(enum fault_call call, unsigned int nth, int error_number, enum fault_times times)
{
    install();
    plans[call] = (struct plan){0, nth, error_number, times};
}

unsigned int fault_count(enum fault_call call)
{
    return plans[call].count;
}

void fault_watch(void)
{
    install();
    for (int i = 0; i < FAULT_CALLS; i++) {
        plans[i] = (struct plan){0, 0, 0, FAULT_ONCE};
    }
}

void fault_clear(void)
{
    for (int i = 0; i < FAULT_CALLS; i++) {
        plans[i] = (struct plan){0, 0, 0, FAULT_ONCE};
    }
    if (is_installed) {
        sys_calls = real;
        is_installed = false;
    }
}
