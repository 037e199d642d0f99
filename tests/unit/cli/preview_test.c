/*
 * preview - a rendered row taken apart again
 */
#include "cli/preview.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void preview_decode__windows_1252__gives_utf8(void **state)
{
    (void)state;
    struct preview_codes codes;
    struct buf out = BUF_EMPTY;
    preview_codes_of(ENCODING_WINDOWS_1252, &codes);
    preview_decode(&codes, SLICE_LITERAL("\xC9lise \x80 \x9C \x99 A"), &out);
    assert_string_equal(buf_text(&out), "Élise € œ ™ A");
    buf_release(&out);
}

static void preview_decode__utf8_with_a_stray_byte__shows_that_as_replaced(void **state)
{
    (void)state;
    struct preview_codes codes;
    struct buf out = BUF_EMPTY;
    preview_codes_of(ENCODING_UTF_8, &codes);
    preview_decode(&codes, SLICE_LITERAL("Zo\xC3\xAB\xFF."), &out);
    assert_string_equal(buf_text(&out), "Zoë\xEF\xBF\xBD.");
    buf_release(&out);
}

static void preview_value__quotes_commas_and_newlines__come_back(void **state)
{
    (void)state;
    struct slice row = SLICE_LITERAL("\"a \"\"b\"\", c\",\"\",\"d\ne\"\n");
    struct buf out = BUF_EMPTY;
    assert_true(preview_value(&row, &out));
    assert_string_equal(buf_text(&out), "a \"b\", c");
    assert_true(preview_value(&row, &out));
    assert_string_equal(buf_text(&out), "");
    assert_true(preview_value(&row, &out));
    assert_string_equal(buf_text(&out), "d\ne");
    assert_false(preview_value(&row, &out));
    buf_release(&out);
}

static void preview_value__never_closed__is_no_value(void **state)
{
    (void)state;
    struct slice row = SLICE_LITERAL("\"a");
    struct slice plain = SLICE_LITERAL("a,b");
    struct slice none = {NULL, 0};
    struct buf out = BUF_EMPTY;
    assert_false(preview_value(&row, &out));
    assert_false(preview_value(&plain, &out));
    assert_false(preview_value(&none, &out));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preview_decode__windows_1252__gives_utf8),
        cmocka_unit_test(preview_decode__utf8_with_a_stray_byte__shows_that_as_replaced),
        cmocka_unit_test(preview_value__quotes_commas_and_newlines__come_back),
        cmocka_unit_test(preview_value__never_closed__is_no_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
