/*
 * Ids and the nearest known name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/name.h"

static const char LONG_ID[] = "a123456789b123456789c123456789d123456789e123456789f123456789g12345";

static void id_is_valid__good_ids__are_taken(void **state)
{
    (void)state;
    static const char *const good[] = {"a",           "Z",  "0",  "spring-letter",
                                       "2027.03_x-y", "a.", "a-", "a..b"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(id_is_valid(slice_of(good[i])));
    }
    assert_int_equal(strlen(LONG_ID), 66);
    assert_true(id_is_valid((struct slice){LONG_ID, 64}));
    assert_int_equal(ID_BYTES_MAX, 64);
}

static void id_is_valid__bad_ids__are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    ".",      "..",   ".hidden",  "-rf",   "_x",
                                      "a/b", "a b",    "a\n",  "\xC3\xA9", "a\xFF", "a%",
                                      "a:b", "../etc", "a\\b", "a~"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(id_is_valid(slice_of(bad[i])));
    }
    assert_false(id_is_valid((struct slice){LONG_ID, 65}));
    assert_false(id_is_valid((struct slice){NULL, 0}));
    assert_false(id_is_valid(SLICE_LITERAL("a\0b")));
}

static void name_nearest__mistyped__finds_the_name(void **state)
{
    (void)state;
    static const char *const names[] = {"campaign",  "channel", "owner",
                                        "not_after", "seeds",   "seed_mode"};
    enum { COUNT = sizeof names / sizeof names[0] };
    assert_string_equal(name_nearest(SLICE_LITERAL("chanel"), names, COUNT), "channel");
    assert_string_equal(name_nearest(SLICE_LITERAL("Campagin"), names, COUNT), "campaign");
    assert_string_equal(name_nearest(SLICE_LITERAL("not-after"), names, COUNT), "not_after");
    assert_string_equal(name_nearest(SLICE_LITERAL("seed"), names, COUNT), "seeds");
    assert_string_equal(name_nearest(SLICE_LITERAL("OWNER"), names, COUNT), "owner");
}

static void name_nearest__nothing_near__is_null(void **state)
{
    (void)state;
    static const char *const names[] = {"campaign", "channel"};
    assert_null(name_nearest(SLICE_LITERAL("zzzzzz"), names, 2));
    assert_null(name_nearest(SLICE_LITERAL(""), names, 2));
    assert_null(name_nearest(SLICE_LITERAL("x"), names, 2));
    assert_null(name_nearest(SLICE_LITERAL("channel"), names, 0));
    assert_null(name_nearest(slice_of(LONG_ID), names, 2));
    const char *const too_long[] = {LONG_ID};
    assert_null(name_nearest((struct slice){LONG_ID, 64}, too_long, 1));
    /* two bytes that share nothing with a name of two bytes are not near it */
    static const char *const two[] = {"ab"};
    assert_null(name_nearest(SLICE_LITERAL("xy"), two, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id_is_valid__good_ids__are_taken),
        cmocka_unit_test(id_is_valid__bad_ids__are_refused),
        cmocka_unit_test(name_nearest__mistyped__finds_the_name),
        cmocka_unit_test(name_nearest__nothing_near__is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
