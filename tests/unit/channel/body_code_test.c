/*
 * body_code - text as it travels: which encoding, which bytes
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "channel/body_code.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define E_ACUTE "\xC3\xA9"
#define PARTY "\xF0\x9F\x8E\x89"
#define X10 "xxxxxxxxxx"
#define X70 X10 X10 X10 X10 X10 X10 X10

static void assert_clean(struct slice text, const char *expected)
{
    struct buf out = BUF_EMPTY;
    body_clean(text, &out);
    assert_string_equal(buf_text(&out), expected);
    assert_int_equal(strlen(expected), out.len);
    buf_release(&out);
}

static void assert_encoded(const char *clean, enum body_code code, const char *expected)
{
    struct buf out = BUF_EMPTY;
    assert_int_equal(body_encode(slice_of(clean), &out), code);
    assert_string_equal(buf_text(&out), expected);
    buf_release(&out);
}

static void body_clean__line_ends_of_all_kinds__become_crlf(void **state)
{
    (void)state;
    assert_clean(SLICE_LITERAL("a\nb\r\nc\rd\n\re\r"), "a\r\nb\r\nc\r\nd\r\n\r\ne\r\n");
    assert_clean(SLICE_LITERAL(""), "");
    assert_clean(SLICE_LITERAL("a text of more than eight bytes\nand more"),
                 "a text of more than eight bytes\r\nand more");
}

static void body_clean__control_characters_and_no_utf8__are_replaced(void **state)
{
    (void)state;
    assert_clean(SLICE_LITERAL("a\0b\x01\x1F\x7F"
                               "c\td"),
                 "a b   c\td");
    assert_clean(SLICE_LITERAL("12345678\x01"
                               "12345678\x7F"
                               "1234567\0"),
                 "12345678 12345678 1234567 ");
    assert_clean(SLICE_LITERAL(E_ACUTE "\xFF" PARTY "\xED\xA0\x80"),
                 E_ACUTE "\xEF\xBF\xBD" PARTY "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

static void body_encode__short_ascii_lines__stay_7bit(void **state)
{
    (void)state;
    assert_encoded("", BODY_7BIT, "");
    assert_encoded("Dear Ann,\r\n\r\na = b\t...\r\n", BODY_7BIT, "Dear Ann,\r\n\r\na = b\t...\r\n");
    assert_encoded(X70 "12345678\r\n", BODY_7BIT, X70 "12345678\r\n");
}

static void body_encode__what_a_relay_may_change__is_quoted(void **state)
{
    (void)state;
    assert_encoded("12345678\r\n.\r\n", BODY_QUOTED_PRINTABLE, "12345678\r\n=2E\r\n");
    assert_encoded("12345678\r\nFrom me", BODY_QUOTED_PRINTABLE, "12345678\r\n=46rom me");
    assert_encoded("Fromage frais\r\n", BODY_7BIT, "Fromage frais\r\n");
    assert_encoded("two blanks  \r\nx\t", BODY_QUOTED_PRINTABLE, "two blanks =20\r\nx=09");
    assert_encoded("boundary\r\n--=_m", BODY_QUOTED_PRINTABLE, "boundary\r\n--=3D_m");
}

static void body_encode__long_lines__are_cut_softly_at_76(void **state)
{
    (void)state;
    assert_encoded(X70 "1234567890", BODY_QUOTED_PRINTABLE, X70 "12345=\r\n67890");
    assert_encoded(X70 "12345.and", BODY_QUOTED_PRINTABLE, X70 "12345=\r\n=2Eand");
    assert_encoded(X70 "1" E_ACUTE "2", BODY_QUOTED_PRINTABLE, X70 "1=\r\n=C3=A92");
    assert_encoded(X70 "12345=789", BODY_QUOTED_PRINTABLE, X70 "12345=\r\n=3D789");
}

static void body_encode__mostly_not_ascii__is_base64(void **state)
{
    (void)state;
    assert_encoded(PARTY, BODY_BASE64, "8J+OiQ==");
    assert_encoded(E_ACUTE "ab", BODY_QUOTED_PRINTABLE, "=C3=A9ab"); /* 8 octets both */
    assert_encoded(E_ACUTE "abc", BODY_BASE64, "w6lhYmM=");          /* 8 against 9 */
    assert_encoded("caf" E_ACUTE "s", BODY_BASE64, "Y2Fmw6lz");
    assert_encoded("caf" E_ACUTE "s de Paris", BODY_QUOTED_PRINTABLE, "caf=C3=A9s de Paris");
}

static void body_base64__lines_and_sizes__are_as_told(void **state)
{
    (void)state;
    static const struct {
        size_t bytes, lines;
    } cases[] = {{0, 0}, {1, 1}, {2, 1}, {3, 1}, {57, 1}, {58, 2}, {114, 2}, {115, 3}};
    char zeros[128] = "";
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out = BUF_EMPTY;
        body_base64((struct slice){zeros, cases[i].bytes}, &out);
        assert_int_equal(out.len, body_base64_size(cases[i].bytes));
        size_t lines = out.len > 0;
        for (size_t k = 0; k < out.len; k++) {
            lines += out.ptr[k] == '\n';
        }
        assert_int_equal(lines, cases[i].lines);
        buf_release(&out);
    }
    struct buf out = BUF_EMPTY;
    body_base64(SLICE_LITERAL("foobar"), &out); /* RFC 4648 10 */
    assert_string_equal(buf_text(&out), "Zm9vYmFy");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_clean__line_ends_of_all_kinds__become_crlf),
        cmocka_unit_test(body_clean__control_characters_and_no_utf8__are_replaced),
        cmocka_unit_test(body_encode__short_ascii_lines__stay_7bit),
        cmocka_unit_test(body_encode__what_a_relay_may_change__is_quoted),
        cmocka_unit_test(body_encode__long_lines__are_cut_softly_at_76),
        cmocka_unit_test(body_encode__mostly_not_ascii__is_base64),
        cmocka_unit_test(body_base64__lines_and_sizes__are_as_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
