/*
 * fs - opening, whole files, appending, copying (names and trees: fs_tree.c; syncs and volumes:
 * fs_volume.c)
 */
#include "sys/fs.h"

#include "sys/calls.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TRIES_MAX = 16,          /* openat2 says EAGAIN when a rename races with it: man openat2 */
    INTERRUPTS_MAX = 1000,   /* EINTR in a row: more is no accident */
    COPY_BYTES = 256 * 1024, /* one read of a copy */
    BEGIN_BYTES = 8 * 1024 * 1024,         /* of a copy, before they begin their way to the disk */
    SAME_BYTES = 64 * 1024,                /* of each of two files that are compared, at once */
    READ_FIRST_BYTES = 4096,               /* first read of a file whose size is not known */
    TMP_NAME_BYTES = FS_NAME_BYTES_MAX + 6 /* dot, .tmp, NUL */
};

/* ---- opening ---- */

static enum rc open_beneath(int dirfd, const char *name, int flags, mode_t mode, int *out_fd,
                            struct err *err)
{
    int fd = -1;
    for (int i = 0; i < TRIES_MAX; i++) {
        fd = sys_calls.open_beneath(dirfd, name, flags | O_CLOEXEC, mode);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) {
            break;
        }
    }
    if (fd < 0) {
        if (errno == ENOSYS) {
            return err_set(err, RC_PERM,
                           "open %s: this kernel has no openat2; use Linux 5.6 or newer", name);
        }
        return sys_err(err, errno, "open %s", name);
    }
    *out_fd = fd;
    return RC_OK;
}

enum rc fs_open_beneath(int dirfd, const char *name, int flags, int *out_fd, struct err *err)
{
    assert((flags & O_CREAT) == 0);
    /* openat2 refuses flags that O_PATH does not know. */
    int added = (flags & O_PATH) != 0 ? O_NOFOLLOW : O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    return open_beneath(dirfd, name, flags | added, 0, out_fd, err);
}

enum rc fs_open_dir(int dirfd, const char *name, int *out_fd, struct err *err)
{
    return fs_open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY, out_fd, err);
}

enum rc fs_open_door(int dirfd, const char *name, int *out_fd, struct err *err)
{
    enum rc rc = fs_open_dir(dirfd, name, out_fd, NULL);
    return rc == RC_OK ? rc : fs_open_beneath(dirfd, name, O_PATH | O_DIRECTORY, out_fd, err);
}

/* RC_OK and *out_size when fd is a regular file */
static enum rc check_regular(int fd, const char *name, uint64_t *out_size, struct err *err)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return sys_err(err, errno, "stat %s", name);
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(err, RC_PERM, "%s: is no regular file", name);
    }
    *out_size = status.st_size < 0 ? 0 : (uint64_t)status.st_size;
    return RC_OK;
}

enum rc fs_hold(int dirfd, const char *name, int *out_fd, struct err *err)
{
    return fs_open_beneath(dirfd, name, O_PATH, out_fd, err);
}

enum rc fs_open_regular(int dirfd, const char *name, int *out_fd, struct err *err)
{
    int fd = -1;
    uint64_t size = 0;
    enum rc rc = fs_open_beneath(dirfd, name, O_RDONLY, &fd, err);
    if (rc == RC_OK) {
        rc = check_regular(fd, name, &size, err);
    }
    if (rc != RC_OK) {
        fs_drop(&fd);
        return rc;
    }
    *out_fd = fd;
    return RC_OK;
}

enum rc fs_create(int dirfd, const char *name, mode_t mode, int *out_fd, struct err *err)
{
    int fd = -1;
    enum rc rc =
        open_beneath(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode & 07777, &fd, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct stat status;
    /* The umask took something away; else nothing is to be written. */
    bool is_so = fstat(fd, &status) == 0 && (status.st_mode & 07777) == mode;
    if (!is_so && fchmod(fd, mode) != 0) {
        rc = sys_err(err, errno, "chmod %s", name);
        fs_drop(&fd);
        (void)sys_calls.unlinkat(dirfd, name, 0);
        return rc;
    }
    *out_fd = fd;
    return RC_OK;
}

enum rc fs_open_memory(const char *label, int *out_fd, struct err *err)
{
    int fd = memfd_create(label, MFD_CLOEXEC);
    if (fd < 0) {
        return sys_err(err, errno, "a file in memory");
    }
    *out_fd = fd;
    return RC_OK;
}

enum rc fs_open_append(int dirfd, const char *name, mode_t mode, int *out_fd, struct err *err)
{
    int fd = -1;
    enum rc rc = fs_open_beneath(dirfd, name, O_RDWR | O_APPEND, &fd, err);
    if (rc == RC_GONE) {
        rc = fs_create(dirfd, name, mode, &fd, err);
        if (rc != RC_OK) {
            return rc;
        }
        if (fcntl(fd, F_SETFL, O_APPEND) != 0) {
            rc = sys_err(err, errno, "open %s for appending", name);
        }
    }
    uint64_t size = 0;
    if (rc == RC_OK) {
        rc = check_regular(fd, name, &size, err);
    }
    if (rc != RC_OK) {
        fs_drop(&fd);
        return rc;
    }
    *out_fd = fd;
    return RC_OK;
}

enum rc fs_close(int *fd, struct err *err)
{
    int number = *fd;
    *fd = -1;
    /* Linux closes the descriptor even on EINTR: never a second close. */
    if (number >= 0 && sys_calls.close(number) != 0 && errno != EINTR) {
        (void)sys_err(err, errno, "close: what was written may be lost");
        return RC_IO;
    }
    return RC_OK;
}

void fs_drop(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

/* ---- bytes ---- */

static enum rc write_all(int fd, const char *bytes, size_t len, bool has_place, uint64_t place,
                         struct err *err)
{
    size_t done = 0;
    int interrupts = 0;
    while (done < len) {
        ssize_t wrote = has_place
                            ? sys_calls.pwrite(fd, bytes + done, len - done, (off_t)(place + done))
                            : sys_calls.write(fd, bytes + done, len - done);
        if (wrote < 0) {
            if (errno == EINTR && ++interrupts < INTERRUPTS_MAX) {
                continue;
            }
            return sys_err(err, errno, "write");
        }
        if (wrote == 0) {
            return err_set(err, RC_TEMP, "write: no byte could be written");
        }
        done += (size_t)wrote;
        interrupts = 0;
    }
    return RC_OK;
}

enum rc fs_write_all(int fd, const void *bytes, size_t len, struct err *err)
{
    return write_all(fd, bytes, len, false, 0, err);
}

enum rc fs_pwrite_all(int fd, const void *bytes, size_t len, uint64_t at, struct err *err)
{
    return write_all(fd, bytes, len, true, at, err);
}

enum rc fs_truncate(int fd, uint64_t len, struct err *err)
{
    if (len > INT64_MAX) {
        return err_set(err, RC_PERM, "truncate: no file is that long");
    }
    for (int i = 0; sys_calls.ftruncate(fd, (off_t)len) != 0; i++) {
        if (errno != EINTR || i >= INTERRUPTS_MAX) {
            return sys_err(err, errno, "truncate");
        }
    }
    return RC_OK;
}

enum rc fs_append(int fd, const void *bytes, size_t len, struct err *err)
{
    off_t end = lseek(fd, 0, SEEK_END);
    if (end < 0) {
        return sys_err(err, errno, "append");
    }
    enum rc rc = fs_write_all(fd, bytes, len, err);
    if (rc == RC_OK) {
        return RC_OK;
    }
    /* A part of the record may be there: take it away, so that the next append starts on a whole
     * one. */
    struct err why;
    if (fs_truncate(fd, (uint64_t)end, &why) != RC_OK) {
        return err_add(err, RC_IO, "the tail is torn, %s", why.text);
    }
    return err_add(err, rc, "append, nothing was added");
}

enum rc fs_append_durable(int fd, const void *bytes, size_t len, struct err *err)
{
    enum rc rc = fs_append(fd, bytes, len, err);
    return rc == RC_OK ? fs_sync_data(fd, err) : rc;
}

/* ---- whole files ---- */

static enum rc tmp_name(const char *name, char out[TMP_NAME_BYTES], struct err *err)
{
    size_t len = strlen(name);
    if (len == 0 || len > FS_NAME_BYTES_MAX || strchr(name, '/') != NULL ||
        strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return err_set(err, RC_PERM, "put %s: is no name of a file", name);
    }
    (void)snprintf(out, TMP_NAME_BYTES, ".%s.tmp", name);
    return RC_OK;
}

static enum rc put(int dirfd, const char *name, mode_t mode, const void *bytes, size_t len,
                   bool is_durable, struct err *err)
{
    char tmp[TMP_NAME_BYTES];
    enum rc rc = tmp_name(name, tmp, err);
    if (rc != RC_OK) {
        return rc;
    }
    int fd = -1;
    if (sys_calls.unlinkat(dirfd, tmp, 0) != 0 && errno != ENOENT) {
        return sys_err(err, errno, "put %s: remove what a crash left", name);
    }
    rc = fs_create(dirfd, tmp, mode, &fd, err);
    if (rc == RC_OK) {
        rc = fs_write_all(fd, bytes, len, err);
        if (rc == RC_OK && is_durable) {
            rc = fs_sync_file(fd, err);
        }
        enum rc closed = fs_close(&fd, rc == RC_OK ? err : NULL);
        if (rc == RC_OK) {
            rc = closed;
        }
        if (rc == RC_OK) {
            rc = fs_move_replace(dirfd, tmp, dirfd, name, err);
        }
        if (rc != RC_OK) {
            (void)sys_calls.unlinkat(dirfd, tmp, 0);
        } else if (is_durable) {
            rc = fs_sync_dir(dirfd, err);
        }
    }
    return rc == RC_OK ? rc : err_add(err, rc, "put %s", name);
}

enum rc fs_put_durable(int dirfd, const char *name, mode_t mode, const void *bytes, size_t len,
                       struct err *err)
{
    return put(dirfd, name, mode, bytes, len, true, err);
}

enum rc fs_put_volatile(int dirfd, const char *name, mode_t mode, const void *bytes, size_t len,
                        struct err *err)
{
    return put(dirfd, name, mode, bytes, len, false, err);
}

enum rc fs_put_new(int dirfd, const char *name, mode_t mode, const void *bytes, size_t len,
                   struct err *err)
{
    int fd = -1;
    enum rc rc = fs_create(dirfd, name, mode, &fd, err);
    rc = rc == RC_OK ? fs_write_all(fd, bytes, len, err) : rc;
    if (rc == RC_OK) {
        return fs_close(&fd, err);
    }
    fs_drop(&fd);
    return rc;
}

enum rc fs_read_some(int fd, void *bytes, size_t len, size_t *out_len, struct err *err)
{
    for (int i = 0;; i++) {
        ssize_t got = sys_calls.read(fd, bytes, len);
        if (got >= 0) {
            *out_len = (size_t)got;
            return RC_OK;
        }
        if (errno != EINTR || i >= INTERRUPTS_MAX) {
            return sys_err(err, errno, "read");
        }
    }
}

/* hint: bytes that a regular file should still have, 0 where none are known. When they are there
 * and the byte behind them is not, that is the end. */
static enum rc read_up_to(int fd, size_t max_bytes, size_t hint, struct buf *out, struct err *err)
{
    size_t start = out->len;
    for (;;) {
        size_t done = out->len - start;
        /* One byte more than allowed shows that there is more than allowed. */
        size_t want = hint > 0 && hint >= done ? hint - done + 1 : READ_FIRST_BYTES + done;
        size_t left = max_bytes - done;
        want = want > left ? left + 1 : want;
        if (!buf_reserve(out, want)) {
            return buf_ok(out, err);
        }
        size_t got = 0;
        enum rc rc = fs_read_some(fd, out->ptr + out->len, want, &got, err);
        if (rc != RC_OK || got == 0) {
            out->ptr[out->len] = '\0';
            return rc;
        }
        if (got > left) {
            out->ptr[out->len] = '\0';
            return err_set(err, RC_RANGE, "is longer than %zu bytes", max_bytes);
        }
        out->len += got;
        out->ptr[out->len] = '\0';
        if (out->len - start == hint && got < want) {
            return RC_OK;
        }
    }
}

enum rc fs_read_fd(int fd, size_t max_bytes, struct buf *out, struct err *err)
{
    assert(max_bytes < BUF_BYTES_MAX);
    struct stat status;
    size_t hint = 0;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        hint = (uint64_t)status.st_size > max_bytes ? max_bytes : (size_t)status.st_size;
    }
    return read_up_to(fd, max_bytes, hint, out, err);
}

enum rc fs_read_small(int dirfd, const char *name, size_t max_bytes, struct buf *out,
                      struct err *err)
{
    int fd = -1;
    uint64_t size = 0;
    enum rc rc = fs_open_beneath(dirfd, name, O_RDONLY, &fd, err);
    if (rc != RC_OK) {
        return rc;
    }
    rc = check_regular(fd, name, &size, err);
    if (rc == RC_OK && size > max_bytes) {
        rc = err_set(err, RC_RANGE, "%s: is longer than %zu bytes", name, max_bytes);
    } else if (rc == RC_OK) {
        rc = read_up_to(fd, max_bytes, (size_t)size, out, err);
        if (rc != RC_OK) {
            (void)err_add(err, rc, "%s", name);
        }
    }
    fs_drop(&fd);
    return rc;
}

/* Its result says nothing: the sync that makes the bytes durable comes later. */
void fs_begin_writing(int fd, uint64_t at, uint64_t len)
{
    (void)sync_file_range(fd, (off_t)at, (off_t)len, SYNC_FILE_RANGE_WRITE);
}

enum rc fs_copy_fd(int in, int out, uint64_t max_bytes, struct sha256 *sha, uint64_t *out_bytes,
                   struct err *err)
{
    char *block = malloc(COPY_BYTES);
    if (block == NULL) {
        return err_set(err, RC_NOMEM, "copy: no memory");
    }
    uint64_t done = 0;
    uint64_t begun = 0; /* on its way to the disk */
    enum rc rc = RC_OK;
    for (;;) {
        uint64_t left = max_bytes - done;
        size_t want = left < COPY_BYTES ? (size_t)left : COPY_BYTES;
        size_t got = 0;
        rc = fs_read_some(in, block, want == 0 ? 1 : want, &got, err);
        if (rc != RC_OK || got == 0) {
            break;
        }
        if (want == 0) {
            rc = err_set(err, RC_RANGE, "copy: is longer than %llu bytes",
                         (unsigned long long)max_bytes);
            break;
        }
        rc = fs_write_all(out, block, got, err);
        if (rc != RC_OK) {
            break;
        }
        if (sha != NULL) {
            sha256_add(sha, block, got);
        }
        done += got;
        if (done - begun >= BEGIN_BYTES) {
            fs_begin_writing(out, begun, done - begun);
            begun = done;
        }
    }
    free(block);
    if (out_bytes != NULL) {
        *out_bytes = done;
    }
    return rc;
}

bool fs_identify(int fd, struct fs_identity *out)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return false;
    }
    *out = (struct fs_identity){.device = status.st_dev,
                                .inode = status.st_ino,
                                .bytes = (uint64_t)status.st_size,
                                .modified_s = status.st_mtim.tv_sec,
                                .modified_ns = status.st_mtim.tv_nsec,
                                .changed_s = status.st_ctim.tv_sec,
                                .changed_ns = status.st_ctim.tv_nsec};
    return true;
}

bool fs_same_as(int a_fd, int dirfd, const char *name)
{
    int b_fd = -1;
    struct stat a_status;
    struct stat b_status;
    char *blocks = malloc((size_t)2 * SAME_BYTES);
    bool is_same = blocks != NULL && fs_open_regular(dirfd, name, &b_fd, NULL) == RC_OK &&
                   fstat(a_fd, &a_status) == 0 && fstat(b_fd, &b_status) == 0 &&
                   a_status.st_size == b_status.st_size;
    for (off_t at = 0; is_same && at < a_status.st_size;) {
        ssize_t got = pread(a_fd, blocks, SAME_BYTES, at);
        is_same = got > 0 && pread(b_fd, blocks + SAME_BYTES, (size_t)got, at) == got &&
                  memcmp(blocks, blocks + SAME_BYTES, (size_t)got) == 0;
        at += got;
    }
    free(blocks);
    fs_drop(&b_fd);
    return is_same;
}

bool fs_same_bytes(int a_dirfd, const char *a, int b_dirfd, const char *b)
{
    int fd = -1;
    bool is_same = fs_open_regular(a_dirfd, a, &fd, NULL) == RC_OK && fs_same_as(fd, b_dirfd, b);
    fs_drop(&fd);
    return is_same;
}
