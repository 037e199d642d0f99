/*
 * encoding - tables against iconv, transliteration, composition, upper case
 */
#include "pack/encoding.h"

#include "base/utf8.h"

#include <iconv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Encodes one text with a fresh encoder; the caller owns nothing: the result lies in a static
 * buffer. */
static const char *encoded(enum encoding encoding, const char *text, bool is_upper, bool is_flat,
                           struct encoder_counts *counts)
{
    static struct buf out;
    struct encoder *encoder = NULL;
    struct err err = {""};
    buf_release(&out);
    assert_int_equal(encoder_open(encoding, &encoder, &err), RC_OK);
    assert_int_equal(encoder_put(encoder, slice_of(text), is_upper, is_flat, &out, &err), RC_OK);
    if (counts != NULL) {
        *counts = encoder_counts(encoder);
    }
    encoder_free(encoder);
    static char copy[4096];
    (void)snprintf(copy, sizeof copy, "%s", buf_text(&out));
    buf_release(&out);
    return copy;
}

static void encoding_parse__names_of_settings__are_known(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum encoding encoding;
    } cases[] = {{"UTF-8", ENCODING_UTF_8},
                 {"utf-8", ENCODING_UTF_8},
                 {"ISO-8859-1", ENCODING_ISO_8859_1},
                 {"iso-8859-15", ENCODING_ISO_8859_15},
                 {"windows-1252", ENCODING_WINDOWS_1252},
                 {"Windows-1252", ENCODING_WINDOWS_1252}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum encoding encoding = ENCODING_COUNT;
        assert_int_equal(encoding_parse(cases[i].name, &encoding, NULL), RC_OK);
        assert_int_equal(encoding, cases[i].encoding);
        enum encoding again = ENCODING_COUNT;
        assert_int_equal(encoding_parse(encoding_name(encoding), &again, NULL), RC_OK);
        assert_int_equal(again, encoding);
    }
    assert_string_equal(encoding_name(ENCODING_COUNT), "unknown");
}

static void encoding_parse__unknown_name__is_perm_and_lists_the_names(void **state)
{
    (void)state;
    struct err err = {""};
    enum encoding encoding = ENCODING_UTF_8;
    assert_int_equal(encoding_parse("UTF-16", &encoding, &err), RC_PERM);
    assert_non_null(strstr(err.text, "\"UTF-16\""));
    assert_non_null(strstr(err.text, "windows-1252"));
}

static void encoding_code__every_code_point__agrees_with_iconv(void **state)
{
    (void)state;
    static const struct {
        enum encoding encoding;
        const char *iconv_name;
    } cases[] = {{ENCODING_ISO_8859_1, "ISO-8859-1"},
                 {ENCODING_ISO_8859_15, "ISO-8859-15"},
                 {ENCODING_WINDOWS_1252, "CP1252"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        iconv_t with = iconv_open(cases[i].iconv_name, "UTF-8");
        if (with == (iconv_t)-1) {
            print_message("SKIPPED: iconv does not know %s here\n", cases[i].iconv_name);
            skip();
        }
        for (int32_t point = 0; point <= 0x10FFFF; point++) {
            if (point >= 0xD800 && point <= 0xDFFF) {
                continue;
            }
            char in[4];
            char out[4];
            char *from = in;
            char *to = out;
            size_t in_left = utf8_put(point, in);
            size_t out_left = sizeof out;
            (void)iconv(with, NULL, NULL, NULL, NULL);
            size_t result = iconv(with, &from, &in_left, &to, &out_left);
            int expected = result == 0 && out_left == 3 ? (unsigned char)out[0] : -1;
            if (point >= 0x80 && point < 0xA0) {
                expected = -1; /* control characters have no code here, see encoding.c */
            }
            if (encoding_code(cases[i].encoding, point) != expected) {
                fail_msg("%s U+%04X: %d, iconv says %d", cases[i].iconv_name, (unsigned)point,
                         encoding_code(cases[i].encoding, point), expected);
            }
        }
        iconv_close(with);
    }
}

static void encoder_put__characters_with_a_code__are_not_counted(void **state)
{
    (void)state;
    struct encoder_counts counts;
    assert_string_equal(encoded(ENCODING_ISO_8859_1, "d\xC3\xA9j\xC3\xA0", false, false, &counts),
                        "d\xE9j\xE0");
    assert_int_equal(counts.transliterated, 0);
    assert_string_equal(
        encoded(ENCODING_WINDOWS_1252, "5 \xE2\x82\xAC \xE2\x80\x99", false, false, &counts),
        "5 \x80 \x92");
    assert_int_equal(counts.transliterated, 0);
    assert_string_equal(
        encoded(ENCODING_ISO_8859_15, "5 \xE2\x82\xAC \xC5\x93", false, false, &counts),
        "5 \xA4 \xBD");
    assert_int_equal(counts.transliterated, 0);
    assert_string_equal(encoded(ENCODING_UTF_8,
                                "\xC5\x81\xC3\xB3"
                                "d\xC5\xBA \xF0\x9F\x98\x80",
                                false, false, &counts),
                        "\xC5\x81\xC3\xB3"
                        "d\xC5\xBA \xF0\x9F\x98\x80");
    assert_int_equal(counts.transliterated, 0);
}

static void encoder_put__no_code__gives_the_nearest_characters(void **state)
{
    (void)state;
    static const struct {
        enum encoding encoding;
        const char *in;
        const char *out;
        uint64_t transliterated;
        uint64_t replaced;
    } cases[] = {
        {ENCODING_ISO_8859_1,
         "\xC5\x81\xC3\xB3"
         "d\xC5\xBA",
         "L\xF3"
         "dz",
         2, 0},                                                           /* Lodz */
        {ENCODING_ISO_8859_1, "Dvo\xC5\x99\xC3\xA1k", "Dvor\xE1k", 1, 0}, /* r caron */
        {ENCODING_ISO_8859_1,
         "\xC5\x9E"
         "ahin",
         "Sahin", 1, 0},                                     /* S cedilla */
        {ENCODING_ISO_8859_1, "c\xC5\x93ur", "coeur", 1, 0}, /* oe */
        {ENCODING_ISO_8859_1, "\xC5\x92UVRE", "OEUVRE", 1, 0},
        {ENCODING_ISO_8859_1, "5 \xE2\x82\xAC", "5 EUR", 1, 0},
        {ENCODING_ISO_8859_1,
         "l\xE2\x80\x99"
         "eau",
         "l'eau", 1, 0},
        {ENCODING_ISO_8859_1, "\xC4\xB0stanbul", "Istanbul", 1, 0},
        {ENCODING_WINDOWS_1252, "\xC5\xA0koda \xC5\x99", "\x8Akoda r", 1,
         0}, /* S caron has a code */
        {ENCODING_WINDOWS_1252, "\xCE\x91\xCE\xB8\xCE\xAE\xCE\xBD\xCE\xB1", "Athena", 5, 0},
        {ENCODING_ISO_8859_15, "\xD0\x9C\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD0\xB0", "Moskva", 6, 0},
        {ENCODING_ISO_8859_1, "\xF0\x9F\x98\x80!", "?!", 1, 1}, /* a smiley */
        {ENCODING_ISO_8859_1,
         "a\xE2\x80\x8D"
         "b",
         "ab", 1, 0}, /* a joiner shows nothing */
        {ENCODING_ISO_8859_1,
         "a\xE2\x80\xA8"
         "b",
         "a b", 1, 0},                                    /* line separator */
        {ENCODING_ISO_8859_1, "\xE2\x91\xA0", "1", 1, 0}, /* circled 1 */
        {ENCODING_WINDOWS_1252,
         "a\xC2\x85"
         "b",
         "a b", 1, 0},                                      /* C1: no letter made of it */
        {ENCODING_WINDOWS_1252, "\xEF\xBC\x9B", ";", 1, 0}, /* full-width semicolon */
        {ENCODING_WINDOWS_1252,
         "a\xFF"
         "b",
         "a?b", 1, 1}}; /* a byte that is no UTF-8 */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct encoder_counts counts;
        assert_string_equal(encoded(cases[i].encoding, cases[i].in, false, false, &counts),
                            cases[i].out);
        assert_int_equal(counts.transliterated, cases[i].transliterated);
        assert_int_equal(counts.replaced, cases[i].replaced);
    }
}

static void encoder_put__combining_marks__are_composed_first(void **state)
{
    (void)state;
    struct encoder_counts counts;
    /* e + acute is one letter with a code; x + diaeresis is not, and the mark goes */
    assert_string_equal(encoded(ENCODING_ISO_8859_1, "e\xCC\x81t\xC3\xA9", false, false, &counts),
                        "\xE9t\xE9");
    assert_int_equal(counts.transliterated, 0);
    assert_string_equal(encoded(ENCODING_ISO_8859_1, "q\xCC\x88", false, false, &counts), "q");
    assert_int_equal(counts.transliterated, 1);
    assert_string_equal(encoded(ENCODING_UTF_8, "e\xCC\x81", false, false, NULL), "\xC3\xA9");
    assert_string_equal(encoded(ENCODING_UTF_8, "q\xCC\x88", false, false, NULL), "q\xCC\x88");
}

static void encoder_put__upper__is_unicode_upper_case(void **state)
{
    (void)state;
    static const struct {
        enum encoding encoding;
        const char *in;
        const char *out;
    } cases[] = {{ENCODING_UTF_8,
                  "Stra\xC3\x9F"
                  "e",
                  "STRASSE"},
                 {ENCODING_ISO_8859_1,
                  "Stra\xC3\x9F"
                  "e",
                  "STRASSE"},
                 {ENCODING_UTF_8, "\xC3\xA9t\xC3\xA9 \xC3\xB7", "\xC3\x89T\xC3\x89 \xC3\xB7"},
                 {ENCODING_ISO_8859_1, "\xC3\xA9t\xC3\xA9 \xC3\xB7", "\xC9T\xC9 \xF7"},
                 {ENCODING_WINDOWS_1252, "\xC3\xBF", "\x9F"}, /* y diaeresis: upper is U+0178 */
                 {ENCODING_ISO_8859_1, "\xC3\xBF", "Y"},
                 {ENCODING_ISO_8859_1,
                  "\xC5\x82\xC3\xB3"
                  "d\xC5\xBA",
                  "L\xD3"
                  "DZ"},
                 {ENCODING_UTF_8, "e\xCC\x81", "\xC3\x89"},
                 {ENCODING_UTF_8, "i", "I"}}; /* not the Turkish one, whatever the locale */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(encoded(cases[i].encoding, cases[i].in, true, false, NULL),
                            cases[i].out);
    }
}

static void encoder_put__flat__has_no_line_breaks(void **state)
{
    (void)state;
    assert_string_equal(encoded(ENCODING_ISO_8859_1, "a\r\nb\nc\rd\te", false, true, NULL),
                        "a b c d e");
    assert_string_equal(encoded(ENCODING_ISO_8859_1, "a\r\nb\xC5\x82\n", false, true, NULL),
                        "a bl ");
    assert_string_equal(encoded(ENCODING_UTF_8,
                                "a\xE2\x80\xA8"
                                "b\xC2\x85"
                                "c",
                                false, true, NULL),
                        "a b c");
    assert_string_equal(encoded(ENCODING_UTF_8, "a\r\nb", false, false, NULL), "a\r\nb");
}

static void encoder_put__same_run_again__says_the_same_from_the_cache(void **state)
{
    (void)state;
    struct encoder *encoder = NULL;
    struct buf out = BUF_EMPTY;
    assert_int_equal(encoder_open(ENCODING_ISO_8859_1, &encoder, NULL), RC_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(encoder_put(encoder, SLICE_LITERAL("\xC5\x81 \xF0\x9F\x98\x80 "), false,
                                     false, &out, NULL),
                         RC_OK);
    }
    assert_string_equal(buf_text(&out), "L ? L ? L ? ");
    assert_int_equal(encoder_counts(encoder).transliterated, 6);
    assert_int_equal(encoder_counts(encoder).replaced, 3);
    buf_release(&out);
    encoder_free(encoder);
}

static void encoder_put__long_run_without_codes__is_bounded_and_whole(void **state)
{
    (void)state;
    struct buf in = BUF_EMPTY;
    struct buf out = BUF_EMPTY;
    struct encoder *encoder = NULL;
    for (int i = 0; i < 10000; i++) {
        buf_add_text(&in, "\xC5\x82");
    }
    assert_int_equal(encoder_open(ENCODING_ISO_8859_1, &encoder, NULL), RC_OK);
    assert_int_equal(encoder_put(encoder, buf_slice(&in), false, false, &out, NULL), RC_OK);
    assert_int_equal(out.len, 10000);
    for (size_t i = 0; i < out.len; i++) {
        assert_int_equal(out.ptr[i], 'l');
    }
    buf_release(&in);
    buf_release(&out);
    encoder_free(encoder);
}

static void encoder_put__too_long__is_range(void **state)
{
    (void)state;
    struct encoder *encoder = NULL;
    struct buf out = BUF_EMPTY;
    struct err err = {""};
    size_t len = (size_t)ENCODER_TEXT_BYTES_MAX + 1;
    char *text = calloc(1, len);
    assert_non_null(text);
    memset(text, 'a', len);
    text[0] = (char)0xFF; /* not the fast way */
    buf_add_text(&out, "before");
    assert_int_equal(encoder_open(ENCODING_UTF_8, &encoder, NULL), RC_OK);
    assert_int_equal(encoder_put(encoder, (struct slice){text, len}, false, false, &out, &err),
                     RC_RANGE);
    assert_int_equal(out.len, 6);
    free(text);
    buf_release(&out);
    encoder_free(encoder);
}

static void encoder_put__failed_buffer__is_nomem(void **state)
{
    (void)state;
    struct encoder *encoder = NULL;
    struct buf out = BUF_EMPTY;
    out.is_failed = true;
    assert_int_equal(encoder_open(ENCODING_UTF_8, &encoder, NULL), RC_OK);
    assert_int_equal(encoder_put(encoder, SLICE_LITERAL("a"), false, false, &out, NULL), RC_NOMEM);
    encoder_free(encoder);
    encoder_free(NULL);
}

static void encoder_put__random_bytes__never_crash_and_stay_in_the_set(void **state)
{
    (void)state;
    uint32_t seed = 7;
    for (int round = 0; round < 4000; round++) {
        char text[64];
        for (size_t i = 0; i < sizeof text; i++) {
            seed = seed * 1664525U + 1013904223U;
            text[i] = (char)(seed >> 24);
        }
        enum encoding encoding = (enum encoding)(round % ENCODING_COUNT);
        struct encoder *encoder = NULL;
        struct buf out = BUF_EMPTY;
        assert_int_equal(encoder_open(encoding, &encoder, NULL), RC_OK);
        struct slice in = {text, seed % (sizeof text + 1)};
        assert_int_equal(encoder_put(encoder, in, round % 3 == 0, round % 2 == 0, &out, NULL),
                         RC_OK);
        if (encoding == ENCODING_UTF_8) {
            assert_true(utf8_is_valid(buf_slice(&out)));
        }
        buf_release(&out);
        encoder_free(encoder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoding_parse__names_of_settings__are_known),
        cmocka_unit_test(encoding_parse__unknown_name__is_perm_and_lists_the_names),
        cmocka_unit_test(encoding_code__every_code_point__agrees_with_iconv),
        cmocka_unit_test(encoder_put__characters_with_a_code__are_not_counted),
        cmocka_unit_test(encoder_put__no_code__gives_the_nearest_characters),
        cmocka_unit_test(encoder_put__combining_marks__are_composed_first),
        cmocka_unit_test(encoder_put__upper__is_unicode_upper_case),
        cmocka_unit_test(encoder_put__flat__has_no_line_breaks),
        cmocka_unit_test(encoder_put__same_run_again__says_the_same_from_the_cache),
        cmocka_unit_test(encoder_put__long_run_without_codes__is_bounded_and_whole),
        cmocka_unit_test(encoder_put__too_long__is_range),
        cmocka_unit_test(encoder_put__failed_buffer__is_nomem),
        cmocka_unit_test(encoder_put__random_bytes__never_crash_and_stay_in_the_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
