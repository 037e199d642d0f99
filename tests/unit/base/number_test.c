/*
 * Checked numbers, sizes and durations from text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/number.h"

static void assert_u64(const char *text, uint64_t max, enum rc expected, uint64_t value)
{
    uint64_t out = 4711;
    assert_int_equal(number_parse_u64(slice_of(text), max, &out), expected);
    assert_true(out == (expected == RC_OK ? value : 4711));
}

static void number_parse_u64__digits__are_read_up_to_the_limit(void **state)
{
    (void)state;
    assert_u64("0", 10, RC_OK, 0);
    assert_u64("0010", 10, RC_OK, 10);
    assert_u64("11", 10, RC_RANGE, 0);
    assert_u64("18446744073709551615", UINT64_MAX, RC_OK, UINT64_MAX);
    assert_u64("18446744073709551616", UINT64_MAX, RC_RANGE, 0);
    assert_u64("99999999999999999999999999", UINT64_MAX, RC_RANGE, 0);
    /* wraps to a small number when the overflow is not remembered */
    assert_u64("184467440737095516160", UINT64_MAX, RC_RANGE, 0);
}

static void number_parse_u64__anything_else__is_no_number(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "-1",   "+1",  " 1", "1 ",
                                      "1.0", "0x10", "1e3", "a",  "999999999999999999999999x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_u64(bad[i], UINT64_MAX, RC_PERM, 0);
    }
    uint64_t out;
    assert_int_equal(number_parse_u64(SLICE_LITERAL("1\0"), 99, &out), RC_PERM);
}

static void assert_i64(const char *text, int64_t min, int64_t max, enum rc expected, int64_t value)
{
    int64_t out = 4711;
    assert_int_equal(number_parse_i64(slice_of(text), min, max, &out), expected);
    assert_true(out == (expected == RC_OK ? value : 4711));
}

static void number_parse_i64__sign_and_both_ends__are_read(void **state)
{
    (void)state;
    assert_i64("-5", -5, 5, RC_OK, -5);
    assert_i64("-6", -5, 5, RC_RANGE, 0);
    assert_i64("6", -5, 5, RC_RANGE, 0);
    assert_i64("-0", -5, 5, RC_OK, 0);
    assert_i64("9223372036854775807", INT64_MIN, INT64_MAX, RC_OK, INT64_MAX);
    assert_i64("9223372036854775808", INT64_MIN, INT64_MAX, RC_RANGE, 0);
    assert_i64("-9223372036854775808", INT64_MIN, INT64_MAX, RC_OK, INT64_MIN);
    assert_i64("-9223372036854775809", INT64_MIN, INT64_MAX, RC_RANGE, 0);
    assert_i64("-", -5, 5, RC_PERM, 0);
    assert_i64("--5", -5, 5, RC_PERM, 0);
    assert_i64("+5", -5, 5, RC_PERM, 0);
    assert_i64("", -5, 5, RC_PERM, 0);
}

static void assert_size(const char *text, enum rc expected, uint64_t bytes)
{
    uint64_t out = 4711;
    assert_int_equal(number_parse_size(slice_of(text), &out), expected);
    assert_true(out == (expected == RC_OK ? bytes : 4711));
}

static void number_parse_size__units__are_powers_of_two_or_ten(void **state)
{
    (void)state;
    assert_size("4096", RC_OK, 4096);
    assert_size("0", RC_OK, 0);
    assert_size("256MiB", RC_OK, UINT64_C(256) << 20);
    assert_size("64 KiB", RC_OK, 65536);
    assert_size("1GiB", RC_OK, UINT64_C(1) << 30);
    assert_size("10kB", RC_OK, 10000);
    assert_size("2TiB", RC_OK, UINT64_C(2) << 40);
    static const char *const bad[] = {"",       "MiB", "-1",    "1.5GiB", "1mib",
                                      "1  KiB", "1 ",  "1KiB ", "1Ki"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_size(bad[i], RC_PERM, 0);
    }
    assert_size("99999999TiB", RC_RANGE, 0);
    assert_size("18446744073709551616", RC_RANGE, 0);
}

static void assert_duration(const char *text, enum rc expected, int64_t ns)
{
    int64_t out = 4711;
    assert_int_equal(number_parse_duration(slice_of(text), &out), expected);
    assert_true(out == (expected == RC_OK ? ns : 4711));
}

static void number_parse_duration__units__are_read_with_their_sign(void **state)
{
    (void)state;
    const int64_t second = 1000000000;
    assert_duration("3d", RC_OK, 3 * 86400 * second);
    assert_duration("-1d", RC_OK, -86400 * second);
    assert_duration("90s", RC_OK, 90 * second);
    assert_duration("15m", RC_OK, 900 * second);
    assert_duration("1h", RC_OK, 3600 * second);
    assert_duration("500ms", RC_OK, second / 2);
    assert_duration("0s", RC_OK, 0);
    static const char *const bad[] = {"", "3", "d", "-", "-d", "1.5h", "+1d", "1y", "--1d", "1d2h"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_duration(bad[i], RC_PERM, 0);
    }
    assert_duration("106752d", RC_RANGE, 0);
    assert_duration("-106752d", RC_RANGE, 0);
    assert_duration("99999999999999999999d", RC_RANGE, 0);
}

static void checked_sums__overflow__is_told(void **state)
{
    (void)state;
    uint64_t sum = 0;
    size_t product = 0;
    assert_true(add_u64(UINT64_MAX - 1, 1, &sum));
    assert_true(sum == UINT64_MAX);
    assert_false(add_u64(UINT64_MAX, 1, &sum));
    assert_true(mul_size(3, 7, &product));
    assert_int_equal(product, 21);
    assert_false(mul_size(SIZE_MAX, 2, &product));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number_parse_u64__digits__are_read_up_to_the_limit),
        cmocka_unit_test(number_parse_u64__anything_else__is_no_number),
        cmocka_unit_test(number_parse_i64__sign_and_both_ends__are_read),
        cmocka_unit_test(number_parse_size__units__are_powers_of_two_or_ten),
        cmocka_unit_test(number_parse_duration__units__are_read_with_their_sign),
        cmocka_unit_test(checked_sums__overflow__is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
