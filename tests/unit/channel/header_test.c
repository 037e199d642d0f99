/*
 * header - words, folds and encoded words to the byte
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "channel/header.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define E_ACUTE "\xC3\xA9"
#define PARTY "\xF0\x9F\x8E\x89"

static void assert_text(struct slice text, const char *expected)
{
    struct buf out = BUF_EMPTY;
    struct header_line line = header_begin(&out, "Subject");
    header_text(&line, text);
    header_end(&line);
    assert_string_equal(buf_text(&out), expected);
    assert_int_equal(strlen(buf_text(&out)), out.len);
    buf_release(&out);
}

static void assert_phrase(const char *text, const char *expected)
{
    struct buf out = BUF_EMPTY;
    struct header_line line = header_begin(&out, "From");
    header_phrase(&line, slice_of(text));
    header_end(&line);
    assert_string_equal(buf_text(&out), expected);
    buf_release(&out);
}

static void header_text__plain_ascii__stays_as_it_is(void **state)
{
    (void)state;
    assert_text(slice_of("Hello Ann, 100% off?"), "Subject: Hello Ann, 100% off?\r\n");
    assert_text(slice_of(""), "Subject:\r\n");
}

static void header_text__long_text__folds_at_78(void **state)
{
    (void)state;
    assert_text(slice_of("123456789 123456789 123456789 123456789 123456789 123456789 123456789 x"),
                "Subject: 123456789 123456789 123456789 123456789 123456789 123456789 123456789\r\n"
                " x\r\n");
    assert_text(slice_of("123456789 123456789 123456789 123456789 123456789 123456789 12345678 y"),
                "Subject: 123456789 123456789 123456789 123456789 123456789 123456789 12345678\r\n"
                " y\r\n");
    assert_text(slice_of("a: b: c: d: e: f: g: h: i: j: k: l: m: n: o: p: q: r: s: t: u: v: w: x:"),
                "Subject: a: b: c: d: e: f: g: h: i: j: k: l: m: n: o: p: q: r: s: t: u: v: w:\r\n"
                " x:\r\n");
}

static void header_text__not_ascii__takes_the_shorter_of_q_and_b(void **state)
{
    (void)state;
    assert_text(slice_of("Caf" E_ACUTE " and more"), "Subject: =?UTF-8?B?Q2Fmw6k=?= and more\r\n");
    assert_text(slice_of("Restaurant" E_ACUTE), "Subject: =?UTF-8?Q?Restaurant=C3=A9?=\r\n");
    assert_text(slice_of(PARTY PARTY), "Subject: =?UTF-8?B?8J+OifCfjok=?=\r\n");
    assert_text(slice_of("Hello " E_ACUTE " x " E_ACUTE " end"),
                "Subject: Hello =?UTF-8?B?w6kgeCDDqQ==?= end\r\n");
}

static void header_text__many_emoji__no_code_point_is_cut(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    for (int i = 0; i < 30; i++) {
        buf_add_text(&text, PARTY);
    }
    struct buf out = BUF_EMPTY;
    struct header_line line = header_begin(&out, "Subject");
    header_text(&line, buf_slice(&text));
    header_end(&line);
    size_t words = 0;
    for (const char *at = buf_text(&out); (at = strstr(at, "=?UTF-8?B?")) != NULL; words++) {
        at += strlen("=?UTF-8?B?");
        const char *end = strstr(at, "?=");
        assert_memory_equal(at, "8J+OifCfjon", 11); /* begins with a whole code point */
        assert_true(end - at + 12 <= HEADER_ENCODED_BYTES_MAX);
    }
    assert_int_equal(words, 3);
    buf_release(&text);
    buf_release(&out);
}

static void header_text__words_behind_an_encoded_one__fold_at_76(void **state)
{
    (void)state;
    assert_text(slice_of(E_ACUTE " 123456789 123456789 123456789 123456789 123456 end"),
                "Subject: =?UTF-8?B?w6k=?= 123456789 123456789 123456789 123456789 123456 end\r\n");
    assert_text(slice_of(E_ACUTE " 123456789 123456789 123456789 123456789 1234567 end"),
                "Subject: =?UTF-8?B?w6k=?= 123456789 123456789 123456789 123456789 1234567\r\n"
                " end\r\n");
}

static void header_text__blanks__are_kept(void **state)
{
    (void)state;
    assert_text(slice_of("a  b"), "Subject: =?UTF-8?Q?a_?= b\r\n");
    assert_text(slice_of(" a"), "Subject: =?UTF-8?Q?_a?=\r\n");
    assert_text(slice_of("a "), "Subject: =?UTF-8?Q?a_?=\r\n");
    assert_text(slice_of(" "), "Subject: =?UTF-8?Q?_?=\r\n");
    assert_text(slice_of("x a   b c"), "Subject: x =?UTF-8?Q?a__?= b c\r\n");
}

static void header_text__control_characters__become_blanks(void **state)
{
    (void)state;
    assert_text(slice_of("a\r\nBcc: eve@example.com"),
                "Subject: =?UTF-8?Q?a_?= Bcc: eve@example.com\r\n");
    assert_text((struct slice){"a\0b\x7F"
                               "c",
                               5},
                "Subject: a b c\r\n");
    assert_text(slice_of("a\xC2\x85"
                         "b\xE2\x80\xA8"
                         "c"),
                "Subject: =?UTF-8?Q?a_b_c?=\r\n");
    assert_text(slice_of("\xE7\x98\x8D\xE7\x98\x8A"), "Subject: =?UTF-8?B?55iN55iK?=\r\n");
    assert_text(slice_of("\xED\xA0\x80"), "Subject: =?UTF-8?B?77+977+977+9?=\r\n");
}

static void header_text__looks_encoded__is_encoded(void **state)
{
    (void)state;
    assert_text(slice_of("=?utf-8?q?x?="), "Subject: =?UTF-8?B?PT91dGYtOD9xP3g/PQ==?=\r\n");
    assert_text(slice_of("what=? now"), "Subject: =?UTF-8?B?d2hhdD0/?= now\r\n");
}

static void header_text__word_that_no_line_holds__is_cut(void **state)
{
    (void)state;
    char text[10240];
    memset(text, 'x', sizeof text);
    struct buf out = BUF_EMPTY;
    struct header_line line = header_begin(&out, "Subject");
    header_text(&line, (struct slice){text, sizeof text});
    header_end(&line);
    size_t start = 0;
    for (size_t i = 0; i < out.len; i++) {
        if (out.ptr[i] == '\n') {
            assert_true(i - start <= HEADER_LINE_BYTES);
            start = i + 1;
        }
    }
    buf_release(&out);
}

static void header_word__control_characters__become_blanks(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    struct header_line line = header_begin(&out, "X");
    header_word(&line, (struct slice){"a\r\nB: c\0d", 9});
    header_end(&line);
    assert_int_equal(out.len, strlen("X: a  B: c d\r\n"));
    assert_string_equal(buf_text(&out), "X: a  B: c d\r\n");
    buf_release(&out);
}

static void header_phrase__atoms_quotes_and_encoded_words(void **state)
{
    (void)state;
    assert_phrase("Shop", "From: Shop\r\n");
    assert_phrase("The Shop", "From: The Shop\r\n");
    assert_phrase("Shop, Inc.", "From: \"Shop, Inc.\"\r\n");
    assert_phrase("a \"b\" \\", "From: \"a \\\"b\\\" \\\\\"\r\n");
    assert_phrase("a  b", "From: \"a  b\"\r\n");
    assert_phrase(E_ACUTE "lise (Shop)", "From: =?UTF-8?B?w6lsaXNlIChTaG9wKQ==?=\r\n");
    assert_phrase("a\r\nb", "From: =?UTF-8?Q?a__b?=\r\n");
    assert_phrase("", "From:\r\n");
}

static void header_check__text_of_ours__names_the_byte(void **state)
{
    (void)state;
    static const struct {
        struct slice text;
        const char *expected;
    } cases[] = {{{"ab\r\nc", 5}, "a line end at byte 3; a header is one line"},
                 {{"ab\nc", 4}, "a line end at byte 3; a header is one line"},
                 {{"a\0", 2}, "control character U+0000 at byte 2; remove it"},
                 {{"\x7F", 1}, "control character U+007F at byte 1; remove it"},
                 {{"a\xE2\x80\xA8", 4}, "control character U+2028 at byte 2; remove it"},
                 {{"\xFF", 1}, "byte 1 is no UTF-8; save the text as UTF-8"}};
    struct err err = {""};
    assert_int_equal(header_check(slice_of("Hello {{name}} " PARTY), &err), RC_OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(header_check(cases[i].text, &err), RC_PERM);
        assert_string_equal(err.text, cases[i].expected);
    }
    static char text[HEADER_VALUE_BYTES_MAX + 1];
    memset(text, 'x', sizeof text);
    assert_int_equal(header_check((struct slice){text, sizeof text - 1}, &err), RC_OK);
    assert_int_equal(header_check((struct slice){text, sizeof text}, &err), RC_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_text__plain_ascii__stays_as_it_is),
        cmocka_unit_test(header_text__long_text__folds_at_78),
        cmocka_unit_test(header_text__not_ascii__takes_the_shorter_of_q_and_b),
        cmocka_unit_test(header_text__many_emoji__no_code_point_is_cut),
        cmocka_unit_test(header_text__words_behind_an_encoded_one__fold_at_76),
        cmocka_unit_test(header_text__blanks__are_kept),
        cmocka_unit_test(header_text__control_characters__become_blanks),
        cmocka_unit_test(header_text__looks_encoded__is_encoded),
        cmocka_unit_test(header_text__word_that_no_line_holds__is_cut),
        cmocka_unit_test(header_word__control_characters__become_blanks),
        cmocka_unit_test(header_phrase__atoms_quotes_and_encoded_words),
        cmocka_unit_test(header_check__text_of_ours__names_the_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
