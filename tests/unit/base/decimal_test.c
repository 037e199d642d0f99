/*
 * Exact decimals and amounts in minor units: parsing, comparing, rounding half away from zero.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/decimal.h"

static struct decimal decimal_of(const char *text)
{
    struct decimal value = {0, 0};
    assert_int_equal(decimal_parse(slice_of(text), &value), RC_OK);
    return value;
}

static void decimal_parse__good_text__keeps_every_digit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t units;
        int scale;
    } table[] = {{"0.1243", 1243, 4},
                 {"-12", -12, 0},
                 {"5000.00", 500000, 2},
                 {"0", 0, 0},
                 {"-0.5", -5, 1},
                 {"007", 7, 0},
                 {"0.123456789", 123456789, 9},
                 {"9223372036854775807", INT64_MAX, 0},
                 {"-9223372036854775807", -INT64_MAX, 0}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct decimal value = decimal_of(table[i].text);
        assert_true(value.units == table[i].units);
        assert_int_equal(value.scale, table[i].scale);
    }
}

static void decimal_parse__bad_text__is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "-",     ".",   ".5",  "5.",   "-.5",
                                      "+1",  "1e3",   " 1",  "1 ",  "1,00", "1 000",
                                      "--1", "1.2.3", "0x1", "NaN", "1.-2"};
    struct decimal value = {4711, 1};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(decimal_parse(slice_of(bad[i]), &value), RC_PERM);
    }
    assert_int_equal(decimal_parse(SLICE_LITERAL("1\0"), &value), RC_PERM);
    assert_int_equal(value.units, 4711);
}

static void decimal_parse__too_many_digits__reports_range(void **state)
{
    (void)state;
    static const char *const large[] = {"9223372036854775808", "99999999999999999999",
                                        "123456789012345678901234567890", "0.1234567891",
                                        "9999999999999.9999999"};
    struct decimal value = {4711, 1};
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        assert_int_equal(decimal_parse(slice_of(large[i]), &value), RC_RANGE);
    }
    assert_int_equal(value.units, 4711);
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void decimal_compare__values__not_spellings(void **state)
{
    (void)state;
    static const struct {
        const char *a;
        const char *b;
        int order;
    } table[] = {{"1.0", "1", 0},
                 {"100", "99.999999999", 1},
                 {"-1", "1", -1},
                 {"-1.5", "-1.50", 0},
                 {"-2", "-1.999", -1},
                 {"9223372036854775807", "0.000000001", 1},
                 {"9223372036854775807", "9223372036.854775807", 1},
                 {"-9223372036854775807", "9.223372036", -1}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct decimal a = decimal_of(table[i].a);
        struct decimal b = decimal_of(table[i].b);
        assert_int_equal(sign(decimal_compare(a, b)), table[i].order);
        assert_int_equal(sign(decimal_compare(b, a)), -table[i].order);
    }
}

static void assert_product(const char *price, uint64_t times, uint64_t per, int digits,
                           const char *expected)
{
    char text[DECIMAL_TEXT_BYTES];
    int64_t minor = 0;
    assert_int_equal(decimal_times_ratio_minor(decimal_of(price), times, per, digits, &minor),
                     RC_OK);
    assert_string_equal(money_format(minor, digits, text), expected);
}

/* amounts that the field's own examples show */
static void decimal_times_ratio_minor__price_examples__agree(void **state)
{
    (void)state;
    assert_product("0.1243", 1000, 1, 2, "124.30");
    assert_product("0.13", 100, 1, 2, "13.00");
    assert_product("0.12", 101, 1, 2, "12.12");
    assert_product("0.12", 1000, 1, 2, "120.00");
    assert_product("0.11", 1001, 1, 2, "110.11");
    assert_product("23", 798, 1, 2, "18354.00");
    assert_product("5", 798, 1, 2, "3990.00");
    assert_product("12.00", 798, 1000, 2, "9.58");
}

static void decimal_times_ratio_minor__half__goes_away_from_zero(void **state)
{
    (void)state;
    assert_product("0.005", 1, 1, 2, "0.01");
    assert_product("-0.005", 1, 1, 2, "-0.01");
    assert_product("0.0049", 1, 1, 2, "0.00");
    assert_product("-0.0049", 1, 1, 2, "0.00");
    assert_product("0.015", 1, 1, 2, "0.02");
    assert_product("0.025", 1, 1, 2, "0.03");
    assert_product("-0.025", 1, 1, 2, "-0.03");
    assert_product("1", 1, 3, 2, "0.33");
    assert_product("2", 1, 3, 2, "0.67");
    assert_product("1", 1, 200, 2, "0.01");
    assert_product("0.5", 1, 1, 0, "1");
    assert_product("-0.5", 1, 1, 0, "-1");
    assert_product("0.12345", 1, 1, 4, "0.1235");
    assert_product("7", 0, 1, 2, "0.00");
}

static void decimal_times_ratio_minor__too_large__reports_range(void **state)
{
    (void)state;
    int64_t minor = 4711;
    static const struct decimal largest = {INT64_MAX, 0};
    static const struct decimal least = {INT64_MIN, 0};
    assert_int_equal(decimal_times_ratio_minor(largest, 1, 1, 0, &minor), RC_OK);
    assert_true(minor == INT64_MAX);
    minor = 4711;
    assert_int_equal(decimal_times_ratio_minor(largest, 2, 1, 0, &minor), RC_RANGE);
    assert_int_equal(decimal_times_ratio_minor(largest, 1, 1, 2, &minor), RC_RANGE);
    assert_int_equal(decimal_times_ratio_minor(largest, UINT64_MAX, 1, 4, &minor), RC_RANGE);
    assert_int_equal(decimal_times_ratio_minor(least, UINT64_MAX, UINT64_MAX, 4, &minor), RC_RANGE);
    assert_int_equal(minor, 4711);
    static const struct decimal tiny = {1, DECIMAL_SCALE_MAX};
    assert_int_equal(decimal_times_ratio_minor(tiny, 1, UINT64_MAX, 0, &minor), RC_OK);
    assert_int_equal(minor, 0);
}

static void assert_money(int64_t minor, int digits, const char *expected)
{
    char text[DECIMAL_TEXT_BYTES];
    assert_string_equal(money_format(minor, digits, text), expected);
    int64_t back = 0;
    if (minor != INT64_MIN) {
        assert_int_equal(money_parse(slice_of(expected), digits, &back), RC_OK);
        assert_true(back == minor);
    }
}

static void money_format__amounts__read_back_the_same(void **state)
{
    (void)state;
    assert_money(-10520, 2, "-105.20");
    assert_money(0, 2, "0.00");
    assert_money(5, 2, "0.05");
    assert_money(-5, 2, "-0.05");
    assert_money(-7, 0, "-7");
    assert_money(1234567, 3, "1234.567");
    assert_money(INT64_MAX, 2, "92233720368547758.07");
    assert_money(INT64_MAX, 4, "922337203685477.5807");
    assert_money(INT64_MIN, 4, "-922337203685477.5808");
    assert_money(INT64_MIN, 0, "-9223372036854775808");
}

static void money_parse__more_digits_than_the_currency__is_refused(void **state)
{
    (void)state;
    int64_t minor = 0;
    assert_int_equal(money_parse(SLICE_LITERAL("12.5"), 2, &minor), RC_OK);
    assert_int_equal(minor, 1250);
    assert_int_equal(money_parse(SLICE_LITERAL("12.555"), 2, &minor), RC_PERM);
    assert_int_equal(money_parse(SLICE_LITERAL("12.5"), 0, &minor), RC_PERM);
    assert_int_equal(money_parse(SLICE_LITERAL("x"), 2, &minor), RC_PERM);
    assert_int_equal(money_parse(SLICE_LITERAL("9223372036854775807"), 2, &minor), RC_RANGE);
    assert_int_equal(money_parse(SLICE_LITERAL("99999999999999999999999"), 2, &minor), RC_RANGE);
}

static void currency_digits__codes__have_0_2_or_3(void **state)
{
    (void)state;
    assert_int_equal(currency_digits("EUR"), 2);
    assert_int_equal(currency_digits("JPY"), 0);
    assert_int_equal(currency_digits("XPF"), 0);
    assert_int_equal(currency_digits("BHD"), 3);
    assert_int_equal(currency_digits("TND"), 3);
    assert_int_equal(currency_digits(""), 2);
    assert_int_equal(currency_digits("F C"), 2);
    assert_int_equal(currency_digits("BHD IQD"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimal_parse__good_text__keeps_every_digit),
        cmocka_unit_test(decimal_parse__bad_text__is_refused),
        cmocka_unit_test(decimal_parse__too_many_digits__reports_range),
        cmocka_unit_test(decimal_compare__values__not_spellings),
        cmocka_unit_test(decimal_times_ratio_minor__price_examples__agree),
        cmocka_unit_test(decimal_times_ratio_minor__half__goes_away_from_zero),
        cmocka_unit_test(decimal_times_ratio_minor__too_large__reports_range),
        cmocka_unit_test(money_format__amounts__read_back_the_same),
        cmocka_unit_test(money_parse__more_digits_than_the_currency__is_refused),
        cmocka_unit_test(currency_digits__codes__have_0_2_or_3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
