/*
 * layout_support - what the tests of layout share: a layout with its state, and a row to bytes
 */
#ifndef POSTROOM_TESTS_PACK_LAYOUT_SUPPORT_H
#define POSTROOM_TESTS_PACK_LAYOUT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pack/layout.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A layout under test with everything that goes with it */
struct bench {
    struct layout *layout;
    struct layout_state *state;
    struct buf payload;
    struct buf out;
};

static inline void slices_of(const char *const *texts, size_t count, struct slice *out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = slice_of(texts[i]);
    }
}

static inline struct bench bench_open(const struct layout_options *options,
                                      const char *const *columns, size_t count)
{
    struct bench bench = {NULL, NULL, BUF_EMPTY, BUF_EMPTY};
    struct slice names[64];
    struct err err = {""};
    assert_true(count <= COUNT(names));
    slices_of(columns, count, names);
    enum rc rc = layout_open(options, names, count, &bench.layout, &err);
    if (rc != RC_OK) {
        print_message("%s: %s\n", rc_name(rc), err.text);
    }
    assert_int_equal(rc, RC_OK);
    assert_int_equal(layout_state_open(bench.layout, &bench.state, &err), RC_OK);
    return bench;
}

static inline void bench_close(struct bench *bench)
{
    layout_state_free(bench->state);
    layout_free(bench->layout);
    buf_release(&bench->payload);
    buf_release(&bench->out);
}

/* One row with reference n; the record lies in bench->out, which holds it alone */
static inline const char *bench_row(struct bench *bench, const char *const *fields, size_t count,
                                    uint64_t n)
{
    struct slice slices[64];
    struct err err = {""};
    assert_true(count <= COUNT(slices));
    slices_of(fields, count, slices);
    buf_clear(&bench->payload);
    buf_clear(&bench->out);
    enum rc rc = layout_payload(bench->layout, bench->state, slices, count, &bench->payload, &err);
    if (rc == RC_OK) {
        rc = layout_emit(bench->layout, buf_slice(&bench->payload), n, &bench->out, &err);
    }
    if (rc != RC_OK) {
        print_message("%s: %s\n", rc_name(rc), err.text);
    }
    assert_int_equal(rc, RC_OK);
    assert_int_equal(strlen(buf_text(&bench->out)), bench->out.len);
    return buf_text(&bench->out);
}

#endif
