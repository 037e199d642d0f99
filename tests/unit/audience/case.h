/*
 * What the tests of the whole pipeline share: what a run delivered, and a small case: options over
 * texts, run, looked at, and closed.
 */
#ifndef POSTROOM_TESTS_AUDIENCE_CASE_H
#define POSTROOM_TESTS_AUDIENCE_CASE_H

#include "support.h"

#include "audience/audience.h"

enum { PATH_BYTES = 512 };

/* What a run delivered, one record behind the other. */
struct delivered {
    struct buf bytes;
    size_t records;
    size_t seeds;
};

static inline enum rc take(void *ctx, struct slice payload, bool is_seed, struct err *err)
{
    struct delivered *delivered = ctx;
    (void)err;
    buf_add_byte(&delivered->bytes, is_seed ? 'S' : 'R');
    buf_add_slice(&delivered->bytes, payload);
    buf_add_byte(&delivered->bytes, '\x1e');
    delivered->records += !is_seed;
    delivered->seeds += is_seed;
    return RC_OK;
}

static inline enum rc all_fields(void *ctx, unsigned thread, const struct audience_row *row,
                                 struct buf *out, struct err *err)
{
    (void)ctx;
    (void)err;
    assert_true(thread < AUDIENCE_THREADS_MAX);
    for (size_t i = 0; i < row->count; i++) {
        buf_add_text(out, i == 0 ? "" : "\x1f");
        buf_add_slice(out, row->fields[i]);
    }
    return RC_OK;
}

static inline bool is_second(const void *ctx, size_t column)
{
    (void)ctx;
    return column == 1;
}

/* Options over texts; everything is closed by small_done(). */
struct small {
    struct audience_options options;
    bool is_narrow; /* only the second column is looked at by the payload */
    int fds[4];
    char folder[PATH_BYTES];
    int dir;
    struct audience_counts counts;
    struct delivered delivered;
    struct buf excluded;
    struct err err;
    struct audience_list exclude;
};

static inline void small_init(struct small *small, const char *recipients)
{
    memset(small, 0, sizeof *small);
    folder_make(small->folder, sizeof small->folder);
    small->dir = open(small->folder, O_RDONLY | O_DIRECTORY);
    small->fds[0] = file_of_text(recipients);
    small->fds[1] = file_of_text("");
    small->fds[2] = -1;
    small->fds[3] = -1;
    small->options = (struct audience_options){.fd = small->fds[0],
                                               .name = "r.csv",
                                               .key = "id",
                                               .seeds_fd = -1,
                                               .spill_fd = small->dir,
                                               .threads = 1,
                                               .payload = all_fields};
}

static inline void small_exclude(struct small *small, const char *text)
{
    small->fds[2] = file_of_text(text);
    small->exclude = (struct audience_list){small->fds[2], "s.csv", NULL, NULL};
    small->options.exclude = &small->exclude;
    small->options.exclude_count = 1;
}

static inline void small_seeds(struct small *small, const char *text, enum audience_seed_mode mode)
{
    small->fds[3] = file_of_text(text);
    small->options.seeds_fd = small->fds[3];
    small->options.seeds_name = "seeds.csv";
    small->options.seed_mode = mode;
}

static inline enum rc small_run(struct small *small)
{
    struct audience *audience = NULL;
    buf_clear(&small->delivered.bytes);
    small->delivered.records = 0;
    small->delivered.seeds = 0;
    assert_int_equal(ftruncate(small->fds[1], 0), 0);
    assert_int_equal(lseek(small->fds[1], 0, SEEK_SET), 0);
    enum rc rc = audience_open(&small->options, &audience, &small->err);
    if (rc == RC_OK && small->is_narrow) {
        audience_narrow(audience, is_second, NULL);
    }
    if (rc == RC_OK) {
        rc = audience_run(audience, small->fds[1], &small->counts, &small->err);
    }
    if (rc == RC_OK) {
        rc = audience_each(audience, take, &small->delivered, &small->err);
    }
    audience_free(audience);
    buf_clear(&small->excluded);
    assert_true(buf_reserve(&small->excluded, 65536));
    ssize_t got = pread(small->fds[1], small->excluded.ptr, 65536, 0);
    assert_true(got >= 0);
    small->excluded.len = (size_t)got;
    small->excluded.ptr[got] = '\0';
    return rc;
}

static inline void small_done(struct small *small)
{
    for (int i = 0; i < 4; i++) {
        if (small->fds[i] >= 0) {
            close(small->fds[i]);
        }
    }
    close(small->dir);
    folder_remove(small->folder);
    buf_release(&small->delivered.bytes);
    buf_release(&small->excluded);
}

static inline void small_refused(struct small *small, const char *part)
{
    assert_int_equal(small_run(small), RC_PERM);
    assert_contains(small->err.text, part);
    small_done(small);
}

static inline void expect_ids(const struct small *small, const char *ids)
{
    struct buf got = BUF_EMPTY;
    const char *at = buf_text(&small->delivered.bytes);
    while (*at != '\0') {
        size_t len = strcspn(at + 1, "\x1f\x1e");
        buf_add_format(&got, "%s%.*s", got.len == 0 ? "" : " ", (int)len, at + 1);
        at = strchr(at, '\x1e') + 1;
    }
    assert_string_equal(buf_text(&got), ids);
    buf_release(&got);
}

#endif
