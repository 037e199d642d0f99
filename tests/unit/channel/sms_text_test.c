/*
 * sms_text - what a message costs in parts, and that no part ends inside a character
 */
#include "unit/sys/support.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "channel/sms_text.h"

static struct sms_measure measure(struct slice text)
{
    struct sms_measure out = {0};
    assert_int_equal(sms_measure(text, &out, NULL), RC_OK);
    return out;
}

static struct buf repeat(const char *text, size_t count)
{
    struct buf out = BUF_EMPTY;
    for (size_t i = 0; i < count; i++) {
        buf_add_text(&out, text);
    }
    return out;
}

static void assert_measure(const char *unit, size_t count, enum sms_encoding encoding,
                           uint32_t units, uint32_t parts)
{
    struct buf text = repeat(unit, count);
    struct sms_measure out = measure(buf_slice(&text));
    buf_release(&text);
    assert_int_equal(out.encoding, encoding);
    assert_int_equal(out.units, units);
    assert_int_equal(out.parts, parts);
}

static void sms_measure__at_and_over_each_limit__counts_parts(void **state)
{
    (void)state;
    assert_measure("a", 0, SMS_GSM, 0, 1);
    assert_measure("a", 160, SMS_GSM, 160, 1);
    assert_measure("a", 161, SMS_GSM, 161, 2);
    assert_measure("a", 306, SMS_GSM, 306, 2);
    assert_measure("a", 307, SMS_GSM, 307, 3);
    assert_measure("\xc3\xa9", 160, SMS_GSM, 160, 1);    /* é */
    assert_measure("\xe2\x82\xac", 80, SMS_GSM, 160, 1); /* € is two units */
    assert_measure("\xe2\x82\xac", 81, SMS_GSM, 162, 2);
    assert_measure("\xe2\x82\xac", 152, SMS_GSM, 304, 2); /* 76 whole pairs fit into 153 */
    assert_measure("\xe2\x82\xac", 153, SMS_GSM, 306, 3);
    assert_measure("\xe4\xbd\xa0", 70, SMS_UCS2, 70, 1);
    assert_measure("\xe4\xbd\xa0", 71, SMS_UCS2, 71, 2);
    assert_measure("\xe4\xbd\xa0", 134, SMS_UCS2, 134, 2);
    assert_measure("\xe4\xbd\xa0", 135, SMS_UCS2, 135, 3);
    assert_measure("\xf0\x9f\x98\x80", 35, SMS_UCS2, 70, 1); /* an emoji is two units */
    assert_measure("\xf0\x9f\x98\x80", 36, SMS_UCS2, 72, 2);
    assert_measure("\xf0\x9f\x98\x80", 66, SMS_UCS2, 132, 2);
    assert_measure("\xf0\x9f\x98\x80", 67, SMS_UCS2, 134, 3); /* 33 whole pairs fit into 67 */
}

static void sms_measure__one_character_without_code__makes_all_of_it_ucs2(void **state)
{
    (void)state;
    struct buf text = repeat("a", 100);
    assert_int_equal(measure(buf_slice(&text)).encoding, SMS_GSM);
    buf_add_text(&text, "\xc3\xa7"); /* ç: only its capital has a code */
    struct sms_measure out = measure(buf_slice(&text));
    assert_int_equal(out.encoding, SMS_UCS2);
    assert_int_equal(out.units, 101);
    assert_int_equal(out.parts, 2);
    buf_release(&text);
}

static void sms_measure__no_utf8_or_nul__is_refused(void **state)
{
    (void)state;
    struct sms_measure out;
    assert_int_equal(sms_measure(SLICE_LITERAL("a\xc3"), &out, NULL), RC_PERM);
    assert_int_equal(sms_measure(SLICE_LITERAL("a\0b"), &out, NULL), RC_PERM);
    assert_int_equal(sms_measure(SLICE_LITERAL("\xed\xa0\x80"), &out, NULL), RC_PERM);
}

static void sms_measure__at_and_over_255_parts__fits_and_is_refused(void **state)
{
    (void)state;
    struct sms_measure out;
    struct buf text = repeat("a", 255 * 153);
    assert_int_equal(measure(buf_slice(&text)).parts, 255);
    buf_add_text(&text, "a");
    assert_int_equal(sms_measure(buf_slice(&text), &out, NULL), RC_RANGE);
    buf_release(&text);
    text = repeat("\xe4\xbd\xa0", 255 * 67);
    assert_int_equal(measure(buf_slice(&text)).parts, 255);
    buf_add_text(&text, "a");
    assert_int_equal(sms_measure(buf_slice(&text), &out, NULL), RC_RANGE);
    buf_release(&text);
}

/* --- parts, read back by another way than they were made --- */

static const char DEFAULT_ALPHABET[] =
    "@\xc2\xa3$\xc2\xa5\xc3\xa8\xc3\xa9\xc3\xb9\xc3\xac\xc3\xb2\xc3\x87\n\xc3\x98\xc3\xb8\r\xc3\x85"
    "\xc3\xa5\xce\x94_\xce\xa6\xce\x93\xce\x9b\xce\xa9\xce\xa0\xce\xa8\xce\xa3\xce\x98\xce\x9e"
    "\xc3\x86\xc3\xa6\xc3\x9f\xc3\x89 !\"#\xc2\xa4%&'()*+,-./0123456789:;<=>?\xc2\xa1"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ\xc3\x84\xc3\x96\xc3\x91\xc3\x9c\xc2\xa7\xc2\xbf"
    "abcdefghijklmnopqrstuvwxyz\xc3\xa4\xc3\xb6\xc3\xb1\xc3\xbc\xc3\xa0";

static void read_gsm(const unsigned char *bytes, size_t len, struct buf *out)
{
    static const char EXTENDED[] = "\x0a\f\x14^\x28{\x29}\x2f\\\x3c[\x3d~\x3e]\x40|";
    for (size_t i = 0; i < len; i++) {
        assert_true(bytes[i] < 128);
        if (bytes[i] == 0x1B) {
            i++;
            assert_true(i < len); /* not cut */
            if (bytes[i] == 0x65) {
                buf_add_text(out, "\xe2\x82\xac");
                continue;
            }
            size_t at = 0;
            while (at < sizeof EXTENDED - 1 && EXTENDED[at] != (char)bytes[i]) {
                at += 2;
            }
            assert_true(at < sizeof EXTENDED - 1);
            buf_add_byte(out, EXTENDED[at + 1]);
            continue;
        }
        size_t at = 0;
        struct slice all = slice_of(DEFAULT_ALPHABET);
        for (size_t code = 0; code < bytes[i]; code++) {
            if (code != 0x1B) { /* the alphabet above leaves ESC out */
                (void)utf8_next(all, &at);
            }
        }
        size_t next = at;
        (void)utf8_next(all, &next);
        buf_add(out, all.ptr + at, next - at);
    }
}

static void read_ucs2(const unsigned char *bytes, size_t len, struct buf *out)
{
    char encoded[4];
    assert_int_equal(len % 2, 0);
    for (size_t i = 0; i < len; i += 2) {
        int32_t unit = bytes[i] << 8 | bytes[i + 1];
        assert_false(unit >= 0xDC00 && unit <= 0xDFFF);
        if (unit >= 0xD800 && unit <= 0xDBFF) {
            i += 2;
            assert_true(i < len); /* not cut */
            int32_t low = bytes[i] << 8 | bytes[i + 1];
            assert_true(low >= 0xDC00 && low <= 0xDFFF);
            unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        }
        buf_add(out, encoded, utf8_put(unit, encoded));
    }
}

static void assert_comes_back(struct slice text)
{
    struct sms_measure all = measure(text);
    struct sms_cutter cutter;
    struct sms_part part;
    struct buf back = BUF_EMPTY;
    uint32_t number = 0;
    sms_cut(text, &all, 77, &cutter);
    while (sms_cut_next(&cutter, &part)) {
        size_t header = 0;
        number++;
        assert_int_equal(part.has_header, all.parts > 1);
        if (part.has_header) {
            const unsigned char like[] = {
                5, 0, 3, 77, (unsigned char)all.parts, (unsigned char)number};
            assert_memory_equal(part.bytes, like, sizeof like);
            header = sizeof like;
        }
        assert_true(part.len <= (all.encoding == SMS_GSM ? 160 : 140));
        assert_true(part.len > header || text.len == 0);
        (all.encoding == SMS_GSM ? read_gsm : read_ucs2)(part.bytes + header, part.len - header,
                                                         &back);
    }
    assert_int_equal(number, all.parts);
    assert_true(slice_equal(buf_slice(&back), text));
    buf_release(&back);
}

static void sms_cut__any_mix_of_lengths__comes_back_whole(void **state)
{
    (void)state;
    static const char *const gsm[] = {"a", "\xe2\x82\xac", "{", "\xce\xa9", "\n", "@"};
    static const char *const all[] = {"a", "\xf0\x9f\x98\x80", "\xe4\xbd\xa0", "\xe2\x82\xac"};
    unsigned int seed = 7;
    assert_comes_back(SLICE_LITERAL(""));
    assert_comes_back(slice_of(DEFAULT_ALPHABET));
    assert_comes_back(SLICE_LITERAL("^{}\\[~]|\xe2\x82\xac\f"));
    for (size_t round = 0; round < 2000; round++) {
        struct buf text = BUF_EMPTY;
        for (size_t i = 0; i < round % 500; i++) {
            seed = seed * 1103515245U + 12345U;
            unsigned int pick = seed >> 16;
            buf_add_text(&text, round % 2 == 0 ? gsm[pick % 6] : all[pick % 4]);
        }
        assert_comes_back(buf_slice(&text));
        buf_release(&text);
    }
}

static void sms_number__what_e164_says__and_nothing_else(void **state)
{
    (void)state;
    static const char *const good[] = {"+33612345678", "33612345678", "1234567", "123456789012345"};
    static const char *const bad[] = {"",
                                      "+",
                                      "123456",
                                      "1234567890123456",
                                      "0612345678",
                                      "+0612345678",
                                      "+33 612345678",
                                      "33612345678 ",
                                      "++33612345678",
                                      "336a2345678",
                                      "00336123456"};
    struct slice out;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(sms_number(slice_of(good[i]), &out, NULL), RC_OK);
        assert_true(slice_equal(out, slice_of(good[i] + (good[i][0] == '+'))));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(sms_number(slice_of(bad[i]), &out, NULL), RC_PERM);
    }
    assert_int_equal(sms_number(SLICE_LITERAL("3361234567\0"), &out, NULL), RC_PERM);
}

static void sms_sender__numbers_codes_and_names__and_nothing_else(void **state)
{
    (void)state;
    static const char *const good[] = {"+33612345678", "36105",    "Shop", "A",
                                       "Shop-No. 1",   "1000Shops"};
    static const char *const bad[] = {"",      "12",    "Shop of twelve", "\xc3\x89t\xc3\xa9",
                                      "Shop;", "12-34", "0612345678"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(sms_sender(slice_of(good[i]), NULL), RC_OK);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(sms_sender(slice_of(bad[i]), NULL), RC_PERM);
    }
    assert_int_equal(sms_sender(SLICE_LITERAL("Sh\0p"), NULL), RC_PERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sms_measure__at_and_over_each_limit__counts_parts),
        cmocka_unit_test(sms_measure__one_character_without_code__makes_all_of_it_ucs2),
        cmocka_unit_test(sms_measure__no_utf8_or_nul__is_refused),
        cmocka_unit_test(sms_measure__at_and_over_255_parts__fits_and_is_refused),
        cmocka_unit_test(sms_cut__any_mix_of_lengths__comes_back_whole),
        cmocka_unit_test(sms_number__what_e164_says__and_nothing_else),
        cmocka_unit_test(sms_sender__numbers_codes_and_names__and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
