/*
 * What the tests of this room share: files in a temporary folder, and random numbers that are the
 * same in every run.
 */
#ifndef POSTROOM_TESTS_AUDIENCE_SUPPORT_H
#define POSTROOM_TESTS_AUDIENCE_SUPPORT_H

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

/* splitmix64: small, and good enough to reach every corner */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t x = (*state += UINT64_C(0x9e3779b97f4a7c15));
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static inline uint64_t random_below(uint64_t *state, uint64_t bound)
{
    return random_next(state) % bound;
}

/* an unlinked file with these bytes, to be closed by the caller */
static inline int file_of(const void *bytes, size_t len)
{
    const char *dir = getenv("TMPDIR");
    char path[256];
    snprintf(path, sizeof path, "%s/postroom-test-XXXXXX", dir == NULL ? "/tmp" : dir);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    size_t at = 0;
    while (at < len) {
        ssize_t put = write(fd, (const char *)bytes + at, len - at);
        assert_true(put > 0);
        at += (size_t)put;
    }
    return fd;
}

static inline int file_of_text(const char *text)
{
    return file_of(text, strlen(text));
}

/* a folder of its own; folder_remove takes it away again */
static inline char *folder_make(char *path, size_t size)
{
    const char *dir = getenv("TMPDIR");
    snprintf(path, size, "%s/postroom-test-XXXXXX", dir == NULL ? "/tmp" : dir);
    assert_non_null(mkdtemp(path));
    return path;
}

static inline int folder_remove_one(const char *path, const struct stat *st, int flag,
                                    struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static inline void folder_remove(const char *path)
{
    nftw(path, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" does not contain \"%s\"", text, part);
    }
}

#endif
