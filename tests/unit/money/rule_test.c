/*
 * rule_test - the four rules against the figures of the field, and what is refused
 */
#include "money/rule.h"

#include "base/instant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct decimal number(const char *text)
{
    struct decimal value = {0, 0};
    assert_int_equal(decimal_parse(slice_of(text), &value), RC_OK);
    return value;
}

static int32_t day_of(const char *text)
{
    int32_t day = 0;
    assert_int_equal(date_parse(slice_of(text), &day), RC_OK);
    return day;
}

static struct cost_rule rule_of(enum cost_kind kind)
{
    return (struct cost_rule){
        .kind = kind, .per = 1, .valid_from_day = COST_DAY_FIRST, .valid_until_day = COST_DAY_LAST};
}

static struct cost_rule linear(const char *amount, uint64_t per)
{
    struct cost_rule rule = rule_of(COST_LINEAR);
    rule.amount = number(amount);
    rule.per = per;
    return rule;
}

static int64_t amount_of(const struct cost_rule *rule, uint64_t quantity, int digits)
{
    struct err err = {""};
    int64_t minor = 0;
    assert_int_equal(cost_rule_check(rule, &err), RC_OK);
    assert_int_equal(cost_amount_minor(rule, quantity, 20000, digits, &minor, &err), RC_OK);
    return minor;
}

static void cost_kind_parse__each_word__gives_its_kind_and_back(void **state)
{
    (void)state;
    for (int kind = COST_FIXED; kind <= COST_CONSTANT_BY_THRESHOLD; kind++) {
        enum cost_kind got = COST_FIXED;
        const char *name = cost_kind_name((enum cost_kind)kind);
        assert_int_equal(cost_kind_parse(slice_of(name), &got, NULL), RC_OK);
        assert_int_equal(got, kind);
    }
}

static void cost_kind_parse__mistyped__names_the_nearest(void **state)
{
    (void)state;
    struct err err = {""};
    enum cost_kind got = COST_FIXED;
    assert_int_equal(cost_kind_parse(slice_of("linear_by_treshold"), &got, &err), RC_PERM);
    assert_non_null(strstr(err.text, "write \"linear_by_threshold\""));
    assert_int_equal(cost_kind_parse(slice_of(""), &got, &err), RC_PERM);
}

static void cost_amount__fixed__whatever_the_quantity(void **state)
{
    (void)state;
    struct cost_rule rule = rule_of(COST_FIXED);
    rule.amount = number("150.00");
    assert_int_equal(amount_of(&rule, 0, 2), 15000);
    assert_int_equal(amount_of(&rule, 1, 2), 15000);
    assert_int_equal(amount_of(&rule, 1000000, 2), 15000);
}

static void cost_amount__linear__figures_of_the_field(void **state)
{
    (void)state;
    struct cost_rule rule = linear("0.1243", 1);
    assert_int_equal(amount_of(&rule, 1000, 2), 12430);
    rule = linear("12.00", 1000); /* the contract's envelopes: 9.564 */
    assert_int_equal(amount_of(&rule, 797, 2), 956);
    rule = linear("300", 1); /* a task: 5 days */
    assert_int_equal(amount_of(&rule, 5, 2), 150000);
}

static void cost_amount__linear__half_goes_away_from_zero(void **state)
{
    (void)state;
    struct cost_rule rule = linear("0.005", 1);
    assert_int_equal(amount_of(&rule, 1, 2), 1);
    rule = linear("0.0049999", 1);
    assert_int_equal(amount_of(&rule, 1, 2), 0);
    rule = linear("1.00", 3);
    assert_int_equal(amount_of(&rule, 1, 2), 33);
    assert_int_equal(amount_of(&rule, 2, 2), 67);
}

static void cost_amount__currency_without_minor_unit__whole_units(void **state)
{
    (void)state;
    struct cost_rule rule = linear("12.5", 1);
    assert_int_equal(amount_of(&rule, 1, 0), 13);
    assert_int_equal(amount_of(&rule, 3, 0), 38);
    assert_int_equal(amount_of(&rule, 3, 3), 37500);
}

static void cost_amount__linear_by_threshold__whole_quantity_at_one_price(void **state)
{
    (void)state;
    struct cost_step steps[] = {{100, number("0.13")}, {1000, number("0.12")}};
    struct cost_rule rule = rule_of(COST_LINEAR_BY_THRESHOLD);
    rule.steps = steps;
    rule.step_count = 2;
    rule.has_beyond = true;
    rule.beyond = number("0.11");
    assert_int_equal(amount_of(&rule, 100, 2), 1300);
    assert_int_equal(amount_of(&rule, 101, 2), 1212);
    assert_int_equal(amount_of(&rule, 1000, 2), 12000);
    assert_int_equal(amount_of(&rule, 1001, 2), 11011);
    assert_int_equal(amount_of(&rule, 797, 2), 9564);
    assert_int_equal(amount_of(&rule, 1, 2), 13);
    assert_int_equal(amount_of(&rule, 0, 2), 0);
}

static void cost_amount__constant_by_threshold__one_amount_for_each_step(void **state)
{
    (void)state;
    struct cost_step steps[] = {{100, number("12")}, {1000, number("100")}};
    struct cost_rule rule = rule_of(COST_CONSTANT_BY_THRESHOLD);
    rule.steps = steps;
    rule.step_count = 2;
    rule.has_beyond = true;
    rule.beyond = number("500");
    assert_int_equal(amount_of(&rule, 1, 2), 1200);
    assert_int_equal(amount_of(&rule, 100, 2), 1200);
    assert_int_equal(amount_of(&rule, 101, 2), 10000);
    assert_int_equal(amount_of(&rule, 1000, 2), 10000);
    assert_int_equal(amount_of(&rule, 1001, 2), 50000);
    assert_int_equal(amount_of(&rule, 0, 2), 0);
}

static void cost_amount__many_steps__the_first_that_reaches(void **state)
{
    (void)state;
    static struct cost_step steps[COST_STEPS_MAX];
    for (size_t i = 0; i < COST_STEPS_MAX; i++) {
        steps[i] = (struct cost_step){(i + 1) * 10, {(int64_t)i, 2}};
    }
    struct cost_rule rule = rule_of(COST_CONSTANT_BY_THRESHOLD);
    rule.steps = steps;
    rule.step_count = COST_STEPS_MAX;
    rule.has_beyond = true;
    rule.beyond = number("99");
    for (uint64_t quantity = 1; quantity <= 10u * COST_STEPS_MAX; quantity++) {
        assert_int_equal(amount_of(&rule, quantity, 2), (quantity - 1) / 10);
    }
    assert_int_equal(amount_of(&rule, 10u * COST_STEPS_MAX + 1, 2), 9900);
}

static void cost_amount__below_the_minimum__the_minimum(void **state)
{
    (void)state;
    struct cost_rule rule = linear("0.10", 1);
    rule.has_minimum = true;
    rule.minimum = number("25.00");
    assert_int_equal(amount_of(&rule, 1, 2), 2500);
    assert_int_equal(amount_of(&rule, 250, 2), 2500);
    assert_int_equal(amount_of(&rule, 251, 2), 2510);
    assert_int_equal(amount_of(&rule, 0, 2), 0);
}

static void cost_amount__not_valid_on_that_day__names_it(void **state)
{
    (void)state;
    struct cost_rule rule = linear("0.10", 1);
    rule.valid_from_day = day_of("2027-03-01");
    rule.valid_until_day = day_of("2027-03-31");
    struct err err = {""};
    int64_t minor = -1;
    assert_int_equal(cost_amount_minor(&rule, 10, day_of("2027-02-28"), 2, &minor, &err), RC_PERM);
    assert_non_null(strstr(err.text, "2027-02-28"));
    assert_non_null(strstr(err.text, "begins on 2027-03-01"));
    assert_int_equal(cost_amount_minor(&rule, 10, day_of("2027-04-01"), 2, &minor, &err), RC_PERM);
    assert_non_null(strstr(err.text, "2027-04-01"));
    assert_non_null(strstr(err.text, "ended on 2027-03-31"));
    assert_int_equal(minor, -1);
    assert_int_equal(cost_amount_minor(&rule, 10, day_of("2027-03-01"), 2, &minor, &err), RC_OK);
    assert_int_equal(cost_amount_minor(&rule, 10, day_of("2027-03-31"), 2, &minor, &err), RC_OK);
}

static void cost_amount__too_large__reports_range(void **state)
{
    (void)state;
    struct err err = {""};
    int64_t minor = 0;
    struct cost_rule rule = linear("9000000000000000000", 1);
    assert_int_equal(cost_amount_minor(&rule, UINT64_MAX, 0, 4, &minor, &err), RC_RANGE);
    assert_int_equal(cost_amount_minor(&rule, 1, 0, 2, &minor, &err), RC_RANGE);
    assert_non_null(strstr(err.text, "1 pieces"));
}

static void refused(const struct cost_rule *rule, const char *part)
{
    struct err err = {""};
    assert_int_equal(cost_rule_check(rule, &err), RC_PERM);
    if (strstr(err.text, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, err.text);
    }
}

static void cost_rule_check__steps__each_fault_is_told(void **state)
{
    (void)state;
    struct cost_step steps[] = {{100, {13, 2}}, {100, {12, 2}}};
    struct cost_rule rule = rule_of(COST_LINEAR_BY_THRESHOLD);
    rule.has_beyond = true;
    refused(&rule, "has no steps");
    rule.steps = steps;
    rule.step_count = 2;
    refused(&rule, "step 2 has upto = 100, not above 100");
    steps[1].upto = 99;
    refused(&rule, "step 2 has upto = 99");
    steps[1].upto = 1000;
    steps[0].upto = 0;
    refused(&rule, "step 1 has upto = 0");
    steps[0].upto = 100;
    rule.has_beyond = false;
    refused(&rule, "beyond is missing; give the amount above 1000");
    rule.has_beyond = true;
    rule.beyond.units = -1;
    refused(&rule, "beyond is below zero");
    rule.beyond.units = 1;
    steps[1].amount.units = -1;
    refused(&rule, "step 2 has an amount below zero");
    rule.step_count = COST_STEPS_MAX + 1;
    refused(&rule, "at most 1000");
}

static void cost_rule_check__other_faults__each_is_told(void **state)
{
    (void)state;
    struct cost_rule rule = linear("1.00", 0);
    refused(&rule, "per = 0");
    rule = linear("-1.00", 1);
    refused(&rule, "amount is below zero");
    rule = linear("1.00", 1);
    rule.has_minimum = true;
    rule.minimum = number("-5");
    refused(&rule, "minimum is below zero");
    rule = linear("1.00", 1);
    rule.valid_from_day = 10;
    rule.valid_until_day = 9;
    refused(&rule, "valid_until is before valid_from");
}

static void cost_rule_check__fixed__does_not_look_at_per(void **state)
{
    (void)state;
    struct cost_rule rule = rule_of(COST_FIXED);
    rule.per = 0;
    assert_int_equal(cost_rule_check(&rule, NULL), RC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cost_kind_parse__each_word__gives_its_kind_and_back),
        cmocka_unit_test(cost_kind_parse__mistyped__names_the_nearest),
        cmocka_unit_test(cost_amount__fixed__whatever_the_quantity),
        cmocka_unit_test(cost_amount__linear__figures_of_the_field),
        cmocka_unit_test(cost_amount__linear__half_goes_away_from_zero),
        cmocka_unit_test(cost_amount__currency_without_minor_unit__whole_units),
        cmocka_unit_test(cost_amount__linear_by_threshold__whole_quantity_at_one_price),
        cmocka_unit_test(cost_amount__constant_by_threshold__one_amount_for_each_step),
        cmocka_unit_test(cost_amount__many_steps__the_first_that_reaches),
        cmocka_unit_test(cost_amount__below_the_minimum__the_minimum),
        cmocka_unit_test(cost_amount__not_valid_on_that_day__names_it),
        cmocka_unit_test(cost_amount__too_large__reports_range),
        cmocka_unit_test(cost_rule_check__steps__each_fault_is_told),
        cmocka_unit_test(cost_rule_check__other_faults__each_is_told),
        cmocka_unit_test(cost_rule_check__fixed__does_not_look_at_per),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
