/*
 * Growable bytes: appends, the NUL behind them, the failure that sticks, JSON strings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"

static void buf_add__pieces__are_joined_and_terminated(void **state)
{
    (void)state;
    struct buf buf = BUF_EMPTY;
    assert_string_equal(buf_text(&buf), "");
    buf_add(&buf, NULL, 0);
    buf_add_text(&buf, "one ");
    buf_add_slice(&buf, SLICE_LITERAL("two"));
    buf_add_slice(&buf, (struct slice){NULL, 0});
    buf_add_byte(&buf, ' ');
    buf_add_format(&buf, "%d%%", 3);
    assert_string_equal(buf_text(&buf), "one two 3%");
    assert_int_equal(buf.len, 10);
    assert_true(slice_equal_text(buf_slice(&buf), "one two 3%"));
    assert_int_equal(buf_ok(&buf, NULL), RC_OK);
    buf_release(&buf);
    buf_release(&buf);
    assert_null(buf.ptr);
}

static void buf_add__many_bytes__keeps_every_one(void **state)
{
    (void)state;
    struct buf buf = BUF_EMPTY;
    enum { COUNT = 100000 };
    for (int i = 0; i < COUNT; i++) {
        buf_add_byte(&buf, (char)('a' + i % 26));
        assert_int_equal(buf.ptr[buf.len], '\0');
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(buf.ptr[i], 'a' + i % 26);
    }
    buf_release(&buf);
}

static void buf_add_format__longer_than_the_room__grows(void **state)
{
    (void)state;
    struct buf buf = BUF_EMPTY;
    buf_add_format(&buf, "%1000d|", 1);
    buf_add_format(&buf, "%s", "");
    assert_int_equal(buf.len, 1001);
    assert_int_equal(buf.ptr[1000], '|');
    buf_release(&buf);
}

static void buf_reserve__beyond_the_limit__fails_for_good(void **state)
{
    (void)state;
    static const size_t too_much[] = {BUF_BYTES_MAX, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2};
    for (size_t i = 0; i < sizeof too_much / sizeof too_much[0]; i++) {
        struct buf buf = BUF_EMPTY;
        struct err err = {""};
        buf_add_text(&buf, "kept");
        assert_false(buf_reserve(&buf, too_much[i]));
        buf_add_text(&buf, "lost");
        assert_string_equal(buf_text(&buf), "kept");
        assert_int_equal(buf_ok(&buf, &err), RC_NOMEM);
        assert_string_not_equal(err.text, "");
        assert_null(buf_take(&buf));
        assert_null(buf.ptr);
        buf_release(&buf);
    }
}

static void buf_clear__after_a_failure__works_again(void **state)
{
    (void)state;
    struct buf buf = BUF_EMPTY;
    buf_clear(&buf);
    buf_add_text(&buf, "x");
    assert_false(buf_reserve(&buf, SIZE_MAX));
    buf_clear(&buf);
    assert_string_equal(buf_text(&buf), "");
    buf_add_text(&buf, "y");
    assert_string_equal(buf_text(&buf), "y");
    assert_int_equal(buf_ok(&buf, NULL), RC_OK);
    buf_release(&buf);
}

static void buf_take__bytes__belong_to_the_caller(void **state)
{
    (void)state;
    struct buf buf = BUF_EMPTY;
    buf_add_text(&buf, "mine");
    char *text = buf_take(&buf);
    assert_string_equal(text, "mine");
    assert_null(buf.ptr);
    assert_int_equal(buf.len, 0);
    free(text);
    text = buf_take(&buf);
    assert_string_equal(text, "");
    free(text);
}

static void assert_json(struct slice text, const char *expected)
{
    struct buf buf = BUF_EMPTY;
    buf_add_json(&buf, text);
    assert_string_equal(buf_text(&buf), expected);
    buf_release(&buf);
}

static void buf_add_json__controls_quotes_and_bad_utf8__are_escaped(void **state)
{
    (void)state;
    assert_json(SLICE_LITERAL(""), "\"\"");
    assert_json(SLICE_LITERAL("a\"\\\n\t\0\x7F/"), "\"a\\\"\\\\\\n\\u0009\\u0000\\u007F/\"");
    assert_json(SLICE_LITERAL("\xC3\xA9\xF0\x9F\x98\x80"), "\"\xC3\xA9\xF0\x9F\x98\x80\"");
    assert_json(SLICE_LITERAL("\xFF\xC3"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void slice__compare__orders_as_bytes(void **state)
{
    (void)state;
    assert_true(slice_compare(SLICE_LITERAL("a"), SLICE_LITERAL("b")) < 0);
    assert_true(slice_compare(SLICE_LITERAL("ab"), SLICE_LITERAL("a")) > 0);
    assert_true(slice_compare(SLICE_LITERAL("z"), SLICE_LITERAL("\xC3\xA9")) < 0);
    assert_int_equal(slice_compare((struct slice){NULL, 0}, SLICE_LITERAL("")), 0);
    assert_true(slice_compare((struct slice){NULL, 0}, SLICE_LITERAL("a")) < 0);
    assert_true(slice_equal((struct slice){NULL, 0}, SLICE_LITERAL("")));
    assert_false(slice_equal_text(SLICE_LITERAL("ab"), "abc"));
    assert_false(slice_equal_text(SLICE_LITERAL("abd"), "abc"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_add__pieces__are_joined_and_terminated),
        cmocka_unit_test(buf_add__many_bytes__keeps_every_one),
        cmocka_unit_test(buf_add_format__longer_than_the_room__grows),
        cmocka_unit_test(buf_reserve__beyond_the_limit__fails_for_good),
        cmocka_unit_test(buf_clear__after_a_failure__works_again),
        cmocka_unit_test(buf_take__bytes__belong_to_the_caller),
        cmocka_unit_test(buf_add_json__controls_quotes_and_bad_utf8__are_escaped),
        cmocka_unit_test(slice__compare__orders_as_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
