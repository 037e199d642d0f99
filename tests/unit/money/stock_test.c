/*
 * stock_test - consumption, shortage, alert; and the sums of a budget
 */
#include "money/budget.h"
#include "money/stock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct stock_effect consume(int64_t in_stock, uint64_t quantity, int64_t alert)
{
    struct stock_effect effect = {0};
    assert_int_equal(stock_consume(in_stock, quantity, alert, &effect, NULL), RC_OK);
    return effect;
}

static void stock_consume__more_than_there_is__goes_negative_and_tells(void **state)
{
    (void)state;
    struct stock_effect effect = consume(200, 797, INT64_MIN);
    assert_int_equal(effect.after, -597);
    assert_int_equal(effect.shortage, 597);
    assert_false(effect.is_alert_reached);
    effect = consume(-597, 547, INT64_MIN);
    assert_int_equal(effect.after, -1144);
    assert_int_equal(effect.shortage, 547);
}

static void stock_consume__alert_level__is_crossed_once(void **state)
{
    (void)state;
    struct stock_effect effect = consume(1000, 799, 200);
    assert_false(effect.is_alert_reached);
    assert_int_equal(effect.shortage, 0);
    effect = consume(1000, 800, 200);
    assert_true(effect.is_alert_reached);
    assert_true(effect.is_alert_crossed);
    effect = consume(200, 1, 200);
    assert_true(effect.is_alert_reached);
    assert_false(effect.is_alert_crossed);
}

static void stock_consume__does_not_fit__reports_range(void **state)
{
    (void)state;
    struct stock_effect effect = {0};
    struct err err = {""};
    assert_int_equal(stock_consume(-2, (uint64_t)INT64_MAX, 0, &effect, &err), RC_RANGE);
    assert_int_equal(stock_consume(0, (uint64_t)INT64_MAX + 1, 0, &effect, &err), RC_RANGE);
    assert_non_null(strstr(err.text, "pieces"));
}

static void budget_state__levels__add_up(void **state)
{
    (void)state;
    /* the field's campaign: 200.00 spent, 0.00 planned, 180.00 reserved */
    struct budget budget = {.spent = 20000, .reserved = 18000};
    struct budget_state got = {0};
    assert_int_equal(budget_state_of(&budget, &got, NULL), RC_OK);
    assert_int_equal(got.calculated, 38000);
    assert_false(got.is_over);
    budget.has_allocated = true;
    budget.allocated = 38000;
    assert_int_equal(budget_state_of(&budget, &got, NULL), RC_OK);
    assert_false(got.is_over);
    budget.committed = 1;
    assert_int_equal(budget_state_of(&budget, &got, NULL), RC_OK);
    assert_true(got.is_over);
    assert_int_equal(got.left, -1);
}

static void budget_state__does_not_fit__reports_range(void **state)
{
    (void)state;
    struct budget budget = {.spent = INT64_MAX, .invoiced = 1};
    struct budget_state got = {0};
    assert_int_equal(budget_state_of(&budget, &got, NULL), RC_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stock_consume__more_than_there_is__goes_negative_and_tells),
        cmocka_unit_test(stock_consume__alert_level__is_crossed_once),
        cmocka_unit_test(stock_consume__does_not_fit__reports_range),
        cmocka_unit_test(budget_state__levels__add_up),
        cmocka_unit_test(budget_state__does_not_fit__reports_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
