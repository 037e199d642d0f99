/*
 * clock - local dates across summer time, and the replaceable clocks
 */
#include "unit/sys/support.h"

#include "base/instant.h"
#include "sys/clock.h"

static int64_t at(const char *text)
{
    int64_t ns = 0;
    assert_int_equal(instant_parse(slice_of(text), &ns), RC_OK);
    return ns;
}

static void need_paris(void)
{
    skip_unless(clock_set_zone("Europe/Paris", NULL) == RC_OK, "no zone files (tzdata)");
}

static void assert_instant(int64_t ns, const char *expected)
{
    char text[INSTANT_TEXT_BYTES];
    assert_string_equal(instant_format_seconds(ns, text), expected);
}

static void clock_set_zone__no_zone__is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",       "Europe/Atlantis", "/etc/passwd",      "../../etc/passwd",
        "Europe", "Paris\n",         "CET-1CEST,M3.5.0", "a/../../b",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(clock_set_zone(bad[i], NULL), RC_PERM);
    }
    assert_int_equal(clock_set_zone("UTC", NULL), RC_OK);
    assert_int_equal(clock_local_minutes(at("2027-07-01T22:30:00Z")), 22 * 60 + 30);
}

static void clock_local_date__near_midnight__is_the_local_day(void **state)
{
    (void)state;
    need_paris();
    char text[CLOCK_DATE_BYTES];
    int32_t days = clock_local_date(at("2027-02-28T23:30:00Z"), text);
    assert_string_equal(text, "2027-03-01");
    assert_int_equal(days, clock_local_date(at("2027-03-01T12:00:00Z"), NULL));
    (void)clock_local_date(at("2027-06-30T21:59:59Z"), text);
    assert_string_equal(text, "2027-06-30");
    (void)clock_local_date(at("1970-01-01T00:00:00Z"), text);
    assert_string_equal(text, "1970-01-01");
    assert_int_equal(clock_local_minutes(at("2027-06-30T22:05:59Z")), 5);
}

static void clock_next_local__plain_day__is_strictly_later(void **state)
{
    (void)state;
    need_paris();
    assert_instant(clock_next_local(at("2027-03-01T20:59:59Z"), 22 * 60), "2027-03-01T21:00:00Z");
    assert_instant(clock_next_local(at("2027-03-01T21:00:00Z"), 22 * 60), "2027-03-02T21:00:00Z");
    assert_instant(clock_next_local(at("2027-12-31T23:30:00Z"), 0), "2028-01-01T23:00:00Z");
}

/* 2027-03-28: 02:00 becomes 03:00. 2027-10-31: 03:00 becomes 02:00. */
static void clock_next_local__summer_time__skip_and_repeat(void **state)
{
    (void)state;
    need_paris();
    assert_instant(clock_next_local(at("2027-03-28T00:00:00Z"), 150), "2027-03-28T01:00:00Z");
    assert_instant(clock_next_local(at("2027-03-28T01:00:00Z"), 150), "2027-03-29T00:30:00Z");
    assert_instant(clock_next_local(at("2027-03-27T21:00:00Z"), 6 * 60), "2027-03-28T04:00:00Z");
    /* Asked in winter and in summer before: the C library guesses from what it was asked last. */
    (void)clock_next_local(at("2027-12-01T00:00:00Z"), 150);
    assert_instant(clock_next_local(at("2027-10-30T22:00:00Z"), 150), "2027-10-31T00:30:00Z");
    (void)clock_next_local(at("2027-07-01T00:00:00Z"), 150);
    assert_instant(clock_next_local(at("2027-10-30T22:00:00Z"), 150), "2027-10-31T00:30:00Z");
    assert_instant(clock_next_local(at("2027-10-31T00:30:00Z"), 150), "2027-11-01T01:30:00Z");
    if (clock_set_zone("Australia/Lord_Howe", NULL) == RC_OK) { /* shifts by half an hour */
        assert_instant(clock_next_local(at("2027-04-03T12:00:00Z"), 105), "2027-04-03T14:45:00Z");
    }
}

static int64_t fake_now(void)
{
    return 42;
}

static void clock_replace__tests_own_the_time(void **state)
{
    (void)state;
    const struct clock_source fake = {fake_now, fake_now};
    int64_t before = clock_monotonic_ns();
    clock_replace(&fake);
    assert_int_equal(clock_now_ns(), 42);
    assert_int_equal(clock_monotonic_ns(), 42);
    clock_replace(NULL);
    assert_true(clock_monotonic_ns() >= before);
    assert_true(clock_now_ns() > at("2020-01-01T00:00:00Z"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_set_zone__no_zone__is_refused),
        cmocka_unit_test(clock_local_date__near_midnight__is_the_local_day),
        cmocka_unit_test(clock_next_local__plain_day__is_strictly_later),
        cmocka_unit_test(clock_next_local__summer_time__skip_and_repeat),
        cmocka_unit_test(clock_replace__tests_own_the_time),
    };
    return cmocka_run_group_tests_name("sys/clock", tests, NULL, NULL);
}
