/*
 * lock - fcntl locks of the open file description (Linux 3.15): inherited by fork, gone with the
 * last descriptor
 */
#include "sys/lock.h"

#include "base/number.h"
#include "sys/calls.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum { PID_TEXT_BYTES = 24 };

static pid_t read_pid(int fd)
{
    char text[PID_TEXT_BYTES];
    ssize_t got = pread(fd, text, sizeof text, 0);
    struct slice digits = {text, 0};
    while (got > 0 && digits.len < (size_t)got && text[digits.len] >= '0' &&
           text[digits.len] <= '9') {
        digits.len++;
    }
    uint64_t pid = 0;
    if (digits.len == 0 || number_parse_u64(digits, INT_MAX, &pid) != RC_OK) {
        return 0;
    }
    return (pid_t)pid;
}

static enum rc write_pid(int fd, struct err *err)
{
    char text[PID_TEXT_BYTES];
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    enum rc rc = fs_truncate(fd, 0, err);
    return rc == RC_OK ? fs_pwrite_all(fd, text, (size_t)len, 0, err) : rc;
}

enum rc lock_take(int dirfd, const char *name, int *out_fd, struct err *err)
{
    int fd = -1;
    enum rc rc = fs_open_beneath(dirfd, name, O_RDWR, &fd, err);
    if (rc == RC_GONE) {
        rc = fs_create(dirfd, name, 0640, &fd, err);
        if (rc == RC_EXISTS) { /* made by another process between the two */
            rc = fs_open_beneath(dirfd, name, O_RDWR, &fd, err);
        }
    }
    if (rc != RC_OK) {
        return err_add(err, rc, "lock");
    }
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &all) != 0) {
        if (errno == EAGAIN || errno == EACCES) {
            rc = err_set(err, RC_EXISTS, "lock %s is held by process %ld; stop that one first",
                         name, (long)read_pid(fd));
        } else {
            rc = sys_err(err, errno, "lock %s", name);
        }
    } else {
        rc = write_pid(fd, err);
    }
    if (rc != RC_OK) {
        fs_drop(&fd);
        return rc;
    }
    *out_fd = fd;
    return RC_OK;
}

enum rc lock_holder(int dirfd, const char *name, pid_t *out_pid, struct err *err)
{
    int fd = -1;
    enum rc rc = fs_open_regular(dirfd, name, &fd, err);
    if (rc != RC_OK) {
        return rc;
    }
    /* A read lock is asked for: the descriptor is for reading, and only a writer's lock stands
     * against it. */
    struct flock all = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_GETLK, &all) != 0) {
        rc = sys_err(err, errno, "lock %s", name);
    } else if (all.l_type == F_UNLCK) {
        rc = err_set(err, RC_GONE, "lock %s is held by nobody", name);
    } else {
        *out_pid = read_pid(fd);
    }
    fs_drop(&fd);
    return rc;
}
