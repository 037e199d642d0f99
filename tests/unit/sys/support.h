/*
 * support - a temporary directory for each test, and small helpers
 */
#ifndef POSTROOM_TESTS_UNIT_SYS_SUPPORT_H
#define POSTROOM_TESTS_UNIT_SYS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sys/fault.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char path[96]; /* short enough for a socket in it */
    int fd;
};

static inline int place_make(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    const char *top = getenv("TMPDIR");
    if (place == NULL) {
        return -1;
    }
    (void)snprintf(place->path, sizeof place->path, "%s/postroom-unit-XXXXXX",
                   top == NULL ? "/tmp" : top);
    if (mkdtemp(place->path) == NULL) {
        free(place);
        return -1;
    }
    place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = place;
    return place->fd < 0 ? -1 : 0;
}

static inline int place_remove(void **state)
{
    struct place *place = *state;
    fault_clear();
    fs_drop(&place->fd);
    char *slash = strrchr(place->path, '/');
    *slash = '\0';
    int fd = open(place->path[0] == '\0' ? "/" : place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum rc rc = fs_remove_tree(fd, slash + 1, NULL);
    fs_drop(&fd);
    free(place);
    return rc == RC_OK ? 0 : -1;
}

/* The file's text, or NULL when there is none. Valid until the next call. */
static inline const char *text_of(int dirfd, const char *name)
{
    static char bytes[65536];
    int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    ssize_t got = read(fd, bytes, sizeof bytes - 1);
    (void)close(fd);
    bytes[got < 0 ? 0 : got] = '\0';
    return bytes;
}

static inline void put_text(int dirfd, const char *name, const char *text)
{
    int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static inline unsigned int mode_of(int dirfd, const char *name)
{
    struct stat status;
    assert_int_equal(fstatat(dirfd, name, &status, AT_SYMLINK_NOFOLLOW), 0);
    return status.st_mode & 07777U;
}

static inline enum rc count_name(void *ctx, const char *name)
{
    (void)name;
    ++*(int *)ctx;
    return RC_OK;
}

static inline int names_in(int dirfd)
{
    int count = 0;
    assert_int_equal(fs_each(dirfd, 1000000, count_name, &count, NULL), RC_OK);
    return count;
}

static inline int open_descriptors(void)
{
    int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int count = names_in(fd);
    (void)close(fd);
    return count;
}

#define skip_unless(condition, reason)                                                             \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_message("SKIPPED: %s\n", reason);                                                \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

#define with_place(test) cmocka_unit_test_setup_teardown(test, place_make, place_remove)

#endif
