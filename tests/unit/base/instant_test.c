/*
 * Instants and dates: text to number and back, the calendar's edges, what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/instant.h"

static int64_t instant_of(const char *text)
{
    int64_t ns = 4711;
    assert_int_equal(instant_parse(slice_of(text), &ns), RC_OK);
    return ns;
}

static void instant_parse__zones__give_the_same_instant(void **state)
{
    (void)state;
    int64_t expected =
        INT64_C(1803934800) * NS_PER_SECOND; /* date -u -d 2027-03-01T21:00:00Z +%s */
    assert_true(instant_of("2027-03-01T22:00:00+01:00") == expected);
    assert_true(instant_of("2027-03-01T21:00:00Z") == expected);
    assert_true(instant_of("2027-03-01T21:00:00+00:00") == expected);
    assert_true(instant_of("2027-03-01T21:00:00-00:00") == expected);
    assert_true(instant_of("2027-03-02T02:30:00+05:30") == expected);
    assert_true(instant_of("2027-03-01T17:30:00-03:30") == expected);
    assert_true(instant_of("2027-03-02T11:00:00+14:00") == expected);
    assert_true(instant_of("1970-01-01T00:00:00Z") == 0);
}

static void instant_parse__fraction__is_read_to_nanoseconds(void **state)
{
    (void)state;
    assert_true(instant_of("1970-01-01T00:00:01.5Z") == 1500000000);
    assert_true(instant_of("1970-01-01T00:00:00.000000001Z") == 1);
    assert_true(instant_of("1970-01-01T00:00:00.0000000019Z") == 1);
    assert_true(instant_of("1970-01-01T00:00:00.123456789+00:00") == 123456789);
}

static void instant_format__parsed__gives_the_text_back(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "1970-01-01T00:00:00.000000Z", "2000-02-29T23:59:59.999999Z", "2024-02-29T12:00:00.000001Z",
        "2026-12-31T23:59:59.500000Z", "2100-02-28T00:00:00.000000Z", "2100-03-01T00:00:00.000000Z",
        "2261-12-31T23:59:59.999999Z"};
    char text[INSTANT_TEXT_BYTES];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_string_equal(instant_format(instant_of(texts[i]), text), texts[i]);
    }
    assert_string_equal(instant_format_seconds(instant_of(texts[1]), text), "2000-02-29T23:59:59Z");
}

static void instant_format__before_1970_and_none__stay_inside_the_text(void **state)
{
    (void)state;
    char text[INSTANT_TEXT_BYTES];
    assert_string_equal(instant_format(-1, text), "1969-12-31T23:59:59.999999Z");
    assert_string_equal(instant_format_seconds(-NS_PER_SECOND, text), "1969-12-31T23:59:59Z");
    assert_string_equal(instant_format(INSTANT_NONE, text), "1677-09-21T00:12:43.145224Z");
    assert_string_equal(instant_format(INT64_MAX, text), "2262-04-11T23:47:16.854775Z");
}

static void instant_parse__bad_text__is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "2027-03-01",
                                      "2027-03-01T21:00:00",
                                      "2027-03-01 21:00:00Z",
                                      "2027-03-01T21:00Z",
                                      "2027-03-01T24:00:00Z",
                                      "2027-03-01T21:60:00Z",
                                      "2027-03-01T21:00:61Z",
                                      "2027-03-01T21:00:00.Z",
                                      "2027-03-01T21:00:00z",
                                      "2027-03-01T21:00:00+1:00",
                                      "2027-03-01T21:00:00+0100",
                                      "2027-03-01T21:00:00+15:00",
                                      "2027-03-01T21:00:00+01:60",
                                      "2027-03-01T21:00:00Zx",
                                      " 2027-03-01T21:00:00Z",
                                      "2027-3-01T21:00:00Z",
                                      "2027-13-01T21:00:00Z",
                                      "2027-00-01T21:00:00Z",
                                      "2027-01-00T21:00:00Z",
                                      "2027-01-32T21:00:00Z",
                                      "2027-02-29T21:00:00Z",
                                      "2100-02-29T21:00:00Z",
                                      "2027-04-31T21:00:00Z",
                                      "-027-04-30T21:00:00Z",
                                      "2027-04-30T-1:00:00Z",
                                      "2027-04-30T21:00:00"};
    int64_t ns = 4711;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (instant_parse(slice_of(bad[i]), &ns) != RC_PERM) {
            fail_msg("not refused: %s", bad[i]);
        }
    }
    assert_int_equal(ns, 4711);
}

static void instant_parse__cut_anywhere__is_refused(void **state)
{
    (void)state;
    const char *whole = "2027-03-01T22:00:00.25+01:00";
    int64_t ns = 0;
    for (size_t len = 0; len < strlen(whole); len++) {
        assert_int_equal(instant_parse((struct slice){whole, len}, &ns), RC_PERM);
    }
}

static void instant_parse__year_out_of_range__reports_range(void **state)
{
    (void)state;
    int64_t ns = 4711;
    assert_int_equal(instant_parse(slice_of("1969-12-31T23:59:59Z"), &ns), RC_RANGE);
    assert_int_equal(instant_parse(slice_of("2262-01-01T00:00:00Z"), &ns), RC_RANGE);
    assert_int_equal(instant_parse(slice_of("9999-12-31T00:00:00Z"), &ns), RC_RANGE);
    assert_int_equal(instant_parse(slice_of("0000-01-01T00:00:00Z"), &ns), RC_RANGE);
    assert_int_equal(ns, 4711);
    assert_int_equal(instant_parse(slice_of("2261-12-31T23:59:60.999999999-14:00"), &ns), RC_OK);
    assert_true(ns > 0);
}

static void date_parse__every_day_of_600_years__comes_back(void **state)
{
    (void)state;
    char text[INSTANT_TEXT_BYTES];
    int32_t end = 0;
    assert_int_equal(date_parse(SLICE_LITERAL("2261-12-31"), &end), RC_OK);
    assert_int_equal(end, 106650);
    for (int32_t days = 0; days <= end; days++) {
        int32_t back = -1;
        assert_int_equal(date_parse(slice_of(date_format(days, text)), &back), RC_OK);
        assert_int_equal(back, days);
    }
}

static void date_parse__known_days__have_their_number(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t days;
    } table[] = {{"1970-01-01", 0},     {"1970-12-31", 364},   {"1972-02-29", 789},
                 {"2000-03-01", 11017}, {"2027-03-05", 20882}, {"2100-03-01", 47541}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int32_t days = -1;
        assert_int_equal(date_parse(slice_of(table[i].text), &days), RC_OK);
        assert_int_equal(days, table[i].days);
    }
}

static void date_parse__no_such_day__is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",         "2027-02-29", "1900-02-29x", "2027-03-05 ",         "2027/03/05",
        "27-03-05", "2027-03-5",  "2027-06-31",  "2027-03-05T00:00:00Z"};
    int32_t days = 4711;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (date_parse(slice_of(bad[i]), &days) == RC_OK) {
            fail_msg("not refused: %s", bad[i]);
        }
    }
    assert_int_equal(days, 4711);
    assert_int_equal(date_parse(SLICE_LITERAL("1969-12-31"), &days), RC_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instant_parse__zones__give_the_same_instant),
        cmocka_unit_test(instant_parse__fraction__is_read_to_nanoseconds),
        cmocka_unit_test(instant_format__parsed__gives_the_text_back),
        cmocka_unit_test(instant_format__before_1970_and_none__stay_inside_the_text),
        cmocka_unit_test(instant_parse__bad_text__is_refused),
        cmocka_unit_test(instant_parse__cut_anywhere__is_refused),
        cmocka_unit_test(instant_parse__year_out_of_range__reports_range),
        cmocka_unit_test(date_parse__every_day_of_600_years__comes_back),
        cmocka_unit_test(date_parse__known_days__have_their_number),
        cmocka_unit_test(date_parse__no_such_day__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
