/*
 * spill - append-only bytes that leave memory for an unnamed file when they grow
 *
 * Contract in the header. O_TMPFILE is no POSIX, so the file has a name for the moment between
 * open and unlink; the directory is the delivery's own, and a leftover of a crash in that moment
 * lies where recovery sweeps anyway.
 */
#include "audience/spill.h"

#include "sys/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names that are tried before giving up: each one taken means another process with our pid. */
enum { NAME_TRIES_MAX = 100 };

static enum rc write_fault(struct err *err, int fault)
{
    if (fault == ENOSPC || fault == EDQUOT || fault == EFBIG) {
        return err_set(err, RC_TEMP, "no room for temporary data: %s; make room on that disk",
                       strerror(fault));
    }
    return err_set(err, RC_IO, "temporary data could not be written: %s", strerror(fault));
}

static enum rc open_unnamed(struct spill *spill, struct err *err)
{
    static atomic_uint serial;

    if (spill->dir_fd < 0) {
        return err_set(err, RC_RANGE,
                       "more than %zu bytes are needed and there is no directory for temporary "
                       "data; give more memory",
                       spill->memory_bytes);
    }
    for (int i = 0; i < NAME_TRIES_MAX; i++) {
        char name[64];
        snprintf(name, sizeof name, ".spill-%ld-%u.tmp", (long)getpid(),
                 atomic_fetch_add(&serial, 1));
        int fd = openat(spill->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                        S_IRUSR | S_IWUSR);
        if (fd >= 0) {
            if (unlinkat(spill->dir_fd, name, 0) != 0) {
                int fault = errno;
                close(fd);
                return write_fault(err, fault);
            }
            spill->fd = fd;
            return RC_OK;
        }
        if (errno != EEXIST) {
            return write_fault(err, errno);
        }
    }
    return err_set(err, RC_TEMP, "no free name for temporary data");
}

enum rc spill_put(const struct spill *spill, uint64_t at, const void *from, size_t len,
                  struct err *err)
{
    const char *bytes = from;
    while (len > 0) {
        ssize_t put = pwrite(spill->fd, bytes, len, (off_t)at);
        if (put < 0) {
            if (errno == EINTR) {
                continue;
            }
            return write_fault(err, errno);
        }
        if (put == 0) {
            return write_fault(err, ENOSPC);
        }
        at += (uint64_t)put;
        bytes += put;
        len -= (size_t)put;
    }
    return RC_OK;
}

static enum rc write_all(struct spill *spill, const char *bytes, size_t len, struct err *err)
{
    enum rc rc = spill_put(spill, spill->file_bytes, bytes, len, err);
    spill->file_bytes += rc == RC_OK ? len : 0;
    return rc;
}

void spill_init(struct spill *spill, int dir_fd, size_t memory_bytes)
{
    *spill =
        (struct spill){.dir_fd = dir_fd, .fd = -1, .memory_bytes = memory_bytes, .tail = BUF_EMPTY};
}

void spill_release(struct spill *spill)
{
    if (spill->fd >= 0) {
        close(spill->fd);
    }
    buf_release(&spill->tail);
    spill_init(spill, -1, 0);
    spill->fd = -1;
}

static enum rc write_tail(struct spill *spill, struct err *err)
{
    if (spill->fd < 0) {
        enum rc rc = open_unnamed(spill, err);
        if (rc != RC_OK) {
            return rc;
        }
    }
    enum rc rc = write_all(spill, spill->tail.ptr, spill->tail.len, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (spill->tail.cap > (size_t)2 * SPILL_WRITE_BYTES) {
        buf_release(&spill->tail);
    } else {
        buf_clear(&spill->tail);
    }
    return RC_OK;
}

/* A tail that became large gets all that it may have at once: unused addresses cost nothing, and
 * large pages are slow to move. A failure sticks in the tail. */
static void make_room(struct buf *tail, size_t len, size_t bound)
{
    size_t cap = tail->cap;

    if (tail->len + len < cap) {
        return;
    }
    bool is_large = cap >= MEMORY_LARGE_BYTES / 2;
    (void)buf_reserve(tail, is_large && bound - tail->len > len ? bound - tail->len : len);
    if (tail->cap != cap) {
        memory_prefer_large(tail->ptr, tail->cap);
    }
}

enum rc spill_add(struct spill *spill, const void *bytes, size_t len, struct err *err)
{
    size_t bound = spill->fd < 0 ? spill->memory_bytes : (size_t)SPILL_WRITE_BYTES;

    if (spill->tail.len > 0 && spill->tail.len + len > bound) {
        enum rc rc = write_tail(spill, err);
        if (rc != RC_OK) {
            return rc;
        }
    }
    if (len > bound) {
        if (spill->fd < 0) {
            enum rc rc = open_unnamed(spill, err);
            if (rc != RC_OK) {
                return rc;
            }
        }
        return write_all(spill, bytes, len, err);
    }
    make_room(&spill->tail, len, bound);
    buf_add(&spill->tail, bytes, len);
    return buf_ok(&spill->tail, err);
}

enum rc spill_room(struct spill *spill, uint64_t len, uint64_t *out_at, struct err *err)
{
    enum rc rc = write_tail(spill, err);
    if (rc == RC_OK) {
        *out_at = spill->file_bytes;
        spill->file_bytes += len;
    }
    return rc;
}

enum rc spill_flush(struct spill *spill, struct err *err)
{
    if (spill->fd < 0 || spill->tail.len == 0) {
        return RC_OK;
    }
    return write_tail(spill, err);
}

static enum rc read_file(const struct spill *spill, uint64_t at, char *out, size_t len,
                         struct err *err)
{
    while (len > 0) {
        ssize_t got = pread(spill->fd, out, len, (off_t)at);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return err_set(err, RC_IO, "temporary data could not be read back: %s",
                           got < 0 ? strerror(errno) : "it became shorter");
        }
        out += got;
        at += (uint64_t)got;
        len -= (size_t)got;
    }
    return RC_OK;
}

enum rc spill_read(const struct spill *spill, uint64_t at, void *out, size_t len, size_t *out_got,
                   struct err *err)
{
    uint64_t size = spill_size(spill);
    size_t want = at >= size ? 0 : size - at < len ? (size_t)(size - at) : len;
    size_t from_file = 0;

    if (at < spill->file_bytes) {
        uint64_t there = spill->file_bytes - at;
        from_file = there < want ? (size_t)there : want;
        enum rc rc = read_file(spill, at, out, from_file, err);
        if (rc != RC_OK) {
            return rc;
        }
    }
    if (want > from_file) {
        memcpy((char *)out + from_file, spill->tail.ptr + (at + from_file - spill->file_bytes),
               want - from_file);
    }
    *out_got = want;
    return RC_OK;
}

enum rc spill_view(const struct spill *spill, uint64_t at, size_t len, struct buf *scratch,
                   struct slice *out, struct err *err)
{
    uint64_t size = spill_size(spill);

    if (at >= spill->file_bytes && at <= size) {
        uint64_t rest = size - at;
        *out = (struct slice){spill->tail.ptr == NULL ? ""
                                                      : spill->tail.ptr + (at - spill->file_bytes),
                              rest < len ? (size_t)rest : len};
        return RC_OK;
    }
    buf_clear(scratch);
    if (!buf_reserve(scratch, len)) {
        return err_set(err, RC_NOMEM, "no memory");
    }
    size_t got = 0;
    enum rc rc = spill_read(spill, at, scratch->ptr, len, &got, err);
    if (rc == RC_OK) {
        *out = (struct slice){scratch->ptr, got};
    }
    return rc;
}
