/*
 * UTF-8 by RFC 3629: every code point there and back, every kind of bad byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/utf8.h"

static void utf8_put__every_code_point__decodes_to_itself(void **state)
{
    (void)state;
    for (int32_t point = 0; point <= 0x10FFFF; point++) {
        char bytes[4];
        size_t len = utf8_put(point, bytes);
        size_t expected = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        struct slice text = {bytes, len};
        bool is_surrogate = point >= 0xD800 && point <= 0xDFFF;
        size_t at = 0;
        int32_t back = utf8_next(text, &at);
        if (len != expected || back != (is_surrogate ? -1 : point) ||
            at != (is_surrogate ? 1 : len) || utf8_is_valid(text) == is_surrogate) {
            fail_msg("U+%04X", (unsigned)point);
        }
    }
}

static void utf8_next__bad_bytes__move_one_byte(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",             /* continuation alone */
        "\xBF",             /* the last of them */
        "\xC0\x80",         /* overlong NUL */
        "\xC1\xBF",         /* overlong */
        "\xE0\x80\x80",     /* overlong */
        "\xE0\x9F\xBF",     /* overlong */
        "\xF0\x80\x80\x80", /* overlong */
        "\xF0\x8F\xBF\xBF", /* overlong */
        "\xED\xA0\x80",     /* first surrogate */
        "\xED\xBF\xBF",     /* last surrogate */
        "\xF4\x90\x80\x80", /* U+110000 */
        "\xF5\x80\x80\x80", /* above */
        "\xF8\x88\x80\x80\x80",
        "\xFE",
        "\xFF",
        "\xC3\x28", /* no continuation */
        "\xE2\x82\x28",
        "\xF0\x9F\x98\x28",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t at = 0;
        if (utf8_next(slice_of(bad[i]), &at) != -1 || at != 1 || utf8_is_valid(slice_of(bad[i]))) {
            fail_msg("row %zu", i);
        }
    }
}

/* In memory of exactly that size, so that the sanitizers see a byte read too many. */
static void utf8_next__truncated__is_bad(void **state)
{
    (void)state;
    static const char *const whole[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        for (size_t len = 1; len < strlen(whole[i]); len++) {
            char *cut = malloc(len);
            assert_non_null(cut);
            memcpy(cut, whole[i], len);
            size_t at = 0;
            assert_int_equal(utf8_next((struct slice){cut, len}, &at), -1);
            assert_int_equal(at, 1);
            assert_false(utf8_is_valid((struct slice){cut, len}));
            free(cut);
        }
    }
}

static void utf8_is_valid__one_bad_byte_anywhere__is_found(void **state)
{
    (void)state;
    char text[40];
    for (size_t len = 1; len <= sizeof text; len++) {
        for (size_t at = 0; at < len; at++) {
            memset(text, 'x', sizeof text);
            assert_true(utf8_is_valid((struct slice){text, len}));
            text[at] = '\xFF';
            assert_false(utf8_is_valid((struct slice){text, len}));
            text[at] = '\xC3'; /* cut, or not followed by a continuation */
            assert_false(utf8_is_valid((struct slice){text, len}));
            if (at + 1 < len) {
                text[at + 1] = '\xA9';
                assert_true(utf8_is_valid((struct slice){text, len}));
            }
        }
    }
    assert_true(utf8_is_valid((struct slice){NULL, 0}));
    assert_true(utf8_is_valid(SLICE_LITERAL("a\0b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_put__every_code_point__decodes_to_itself),
        cmocka_unit_test(utf8_next__bad_bytes__move_one_byte),
        cmocka_unit_test(utf8_next__truncated__is_bad),
        cmocka_unit_test(utf8_is_valid__one_bad_byte_anywhere__is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
