/*
 * support - a temporary ledger directory and sample entries for the ledger's tests
 */
#ifndef POSTROOM_TEST_LEDGER_SUPPORT_H
#define POSTROOM_TEST_LEDGER_SUPPORT_H

#include "ledger/ledger.h"
#include "ledger/read.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TIME_TEXT "20270301T210000Z"
#define JOURNAL "cost.journal"

struct house {
    char path[256];
    int dirfd;
};

static inline struct house house_make(void)
{
    struct house house = {.dirfd = -1};
    const char *top = getenv("TMPDIR");
    (void)snprintf(house.path, sizeof house.path, "%.200s/ledger-test-XXXXXX",
                   top == NULL ? "/tmp" : top);
    assert_non_null(mkdtemp(house.path));
    house.dirfd = open(house.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(house.dirfd >= 0);
    return house;
}

/* The number of files whose name begins so. */
static inline size_t house_count(const struct house *house, const char *prefix)
{
    size_t count = 0;
    DIR *dir = opendir(house->path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        count += entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    }
    closedir(dir);
    return count;
}

static inline void house_clear(const struct house *house)
{
    DIR *dir = opendir(house->path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            unlinkat(house->dirfd, entry->d_name, 0);
        }
    }
    closedir(dir);
}

static inline void house_release(struct house *house)
{
    house_clear(house);
    close(house->dirfd);
    rmdir(house->path);
}

static inline void house_put(const struct house *house, const char *name, struct slice bytes)
{
    int fd = openat(house->dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.ptr, bytes.len), bytes.len);
    assert_int_equal(close(fd), 0);
}

static inline struct buf house_get(const struct house *house, const char *name)
{
    struct buf out = BUF_EMPTY;
    char chunk[65536];
    ssize_t got = 0;
    int fd = openat(house->dirfd, name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    while ((got = read(fd, chunk, sizeof chunk)) > 0) {
        buf_add(&out, chunk, (size_t)got);
    }
    assert_int_equal(got, 0);
    close(fd);
    return out;
}

static inline struct ledger *house_open(const struct house *house, const char *name)
{
    struct ledger *ledger = NULL;
    struct err err = {""};
    enum rc rc = ledger_open(house->dirfd, name, TIME_TEXT, &ledger, NULL, &err);
    if (rc != RC_OK) {
        fail_msg("%s: %s", rc_name(rc), err.text);
    }
    return ledger;
}

/* The contract's own entry (CONTRACT.md section 7), under any key. */
static const struct ledger_posting SAMPLE_POSTINGS[] = {
    {"cost:committed:loyalty:spring-2027:spring-letter:envelope:c5", 956, NULL, 0},
    {"cost:committed:loyalty:spring-2027:spring-letter:postage:eco", 9564, NULL, 0},
    {"due:committed:nord-routage:letter", -10520, NULL, 0},
};

static inline struct ledger_entry sample(const char *key, const char *date)
{
    return (struct ledger_entry){.date = date,
                                 .key = key,
                                 .description = "committed",
                                 .commodity = "EUR",
                                 .digits = 2,
                                 .postings = SAMPLE_POSTINGS,
                                 .count = 3};
}

static inline struct ledger_receipt append_one(struct ledger *ledger,
                                               const struct ledger_entry *entry)
{
    struct ledger_receipt receipt;
    struct err err = {""};
    enum rc rc = ledger_append(ledger, entry, 1, &receipt, &err);
    if (rc != RC_OK) {
        fail_msg("%s: %s", rc_name(rc), err.text);
    }
    return receipt;
}

/* A journal of `count` entries keyed d-1/extraction/1, d-2/..., a day apart. */
static inline void house_fill(const struct house *house, int count)
{
    struct ledger *ledger = house_open(house, JOURNAL);
    for (int i = 1; i <= count; i++) {
        char key[64];
        char date[16];
        (void)snprintf(key, sizeof key, "d-%d/extraction/1", i);
        (void)snprintf(date, sizeof date, "2027-03-%02d", i % 28 + 1);
        struct ledger_entry entry = sample(key, date);
        append_one(ledger, &entry);
    }
    ledger_close(ledger);
}

static inline enum rc house_verify(const struct house *house, const struct ledger_witness *witness,
                                   size_t count, struct ledger_extent *extent, struct err *err)
{
    int fd = openat(house->dirfd, JOURNAL, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    enum rc rc = ledger_verify(fd, JOURNAL, witness, count, extent, err);
    close(fd);
    return rc;
}

static inline void assert_says(const struct err *err, const char *part)
{
    if (strstr(err->text, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, err->text);
    }
}

#endif
