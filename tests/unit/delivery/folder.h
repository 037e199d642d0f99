/*
 * folder - a temporary directory for a test, and random bytes that are the same every time
 */
#ifndef POSTROOM_TESTS_UNIT_DELIVERY_FOLDER_H
#define POSTROOM_TESTS_UNIT_DELIVERY_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    char path[128];
    int fd;
};

static inline int folder_make(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    const char *top = getenv("TMPDIR");
    if (folder == NULL) {
        return -1;
    }
    (void)snprintf(folder->path, sizeof folder->path, "%s/postroom-unit-XXXXXX",
                   top == NULL ? "/tmp" : top);
    if (mkdtemp(folder->path) == NULL) {
        free(folder);
        return -1;
    }
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = folder;
    return folder->fd < 0 ? -1 : 0;
}

static inline int folder_remove(void **state)
{
    struct folder *folder = *state;
    char *name = strrchr(folder->path, '/');
    *name = '\0';
    int top = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum rc rc = fs_remove_tree(top, name + 1, NULL);
    (void)close(top);
    (void)close(folder->fd);
    free(folder);
    return rc == RC_OK ? 0 : -1;
}

static inline void folder_put(const struct folder *folder, const char *name, struct slice bytes,
                              mode_t mode)
{
    int fd = openat(folder->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.ptr, bytes.len), (long)bytes.len);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static inline void folder_expect(const struct folder *folder, const char *name, struct slice bytes)
{
    struct buf got = BUF_EMPTY;
    assert_int_equal(fs_read_small(folder->fd, name, (size_t)1 << 28, &got, NULL), RC_OK);
    assert_int_equal(got.len, bytes.len);
    assert_true(bytes.len == 0 || memcmp(got.ptr, bytes.ptr, bytes.len) == 0);
    buf_release(&got);
}

/* xorshift64: the same bytes in every run */
static inline uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

#endif
