/*
 * lines_test - which cost types count, surcharges, totals, and what is refused
 */
#include "money/lines.h"

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

static struct cost_type type_of(const char *category, const char *name, enum cost_kind kind,
                                const char *amount, uint64_t per)
{
    return (struct cost_type){.category = category,
                              .type = name,
                              .rule = {.kind = kind,
                                       .amount = number(amount),
                                       .per = per,
                                       .valid_from_day = COST_DAY_FIRST,
                                       .valid_until_day = COST_DAY_LAST},
                              .is_selected = true};
}

static const struct cost_step ECO_STEPS[] = {{100, {13, 2}}, {1000, {12, 2}}};

/* the service of CONTRACT.md section 9 */
static void house_types(struct cost_type types[3])
{
    types[0] = type_of("envelope", "c5", COST_LINEAR, "12.00", 1000);
    types[0].stock = "nord/env-c5";
    types[1] = type_of("postage", "eco", COST_LINEAR_BY_THRESHOLD, "0", 1);
    types[1].rule.steps = ECO_STEPS;
    types[1].rule.step_count = 2;
    types[1].rule.has_beyond = true;
    types[1].rule.beyond = number("0.11");
    types[2] = type_of("setup", "flat", COST_FIXED, "150.00", 1);
    types[2].is_selected = false;
}

static void cost_lines__nothing_named__the_selected_ones(void **state)
{
    (void)state;
    struct cost_type types[3];
    house_types(types);
    struct cost_lines lines = COST_LINES_EMPTY;
    assert_int_equal(cost_lines_for(types, 3, NULL, 0, 797, 0, 2, &lines, NULL), RC_OK);
    assert_int_equal(lines.count, 2);
    assert_string_equal(lines.lines[0].category, "envelope");
    assert_int_equal(lines.lines[0].amount_minor, 956);
    assert_string_equal(lines.lines[0].stock, "nord/env-c5");
    assert_int_equal(lines.lines[0].stock_quantity, 797);
    assert_string_equal(lines.lines[1].type, "eco");
    assert_int_equal(lines.lines[1].amount_minor, 9564);
    assert_null(lines.lines[1].stock);
    assert_int_equal(lines.lines[1].stock_quantity, 0);
    assert_int_equal(lines.total_minor, 10520);
    cost_lines_release(&lines);
    assert_null(lines.lines);
}

static void cost_lines__some_named__those_and_no_others(void **state)
{
    (void)state;
    struct cost_type types[3];
    house_types(types);
    struct cost_choice choice = {"setup", "flat", {0, 0}};
    struct cost_lines lines = COST_LINES_EMPTY;
    assert_int_equal(cost_lines_for(types, 3, &choice, 1, 797, 0, 2, &lines, NULL), RC_OK);
    assert_int_equal(lines.count, 1);
    assert_int_equal(lines.total_minor, 15000);
    cost_lines_release(&lines);
}

static void cost_lines__surcharge__adds_a_line(void **state)
{
    (void)state;
    /* the field's own delivery: 798 to send, 18,354 + 3,990 + 500 = 22,844 */
    struct cost_type types[] = {type_of("graphics", "01", COST_LINEAR, "23", 1),
                                type_of("sheets", "a4", COST_LINEAR, "5", 1)};
    struct cost_choice choices[] = {{"graphics", "01", {0, 0}}, {"sheets", "a4", {50000, 2}}};
    struct cost_lines lines = COST_LINES_EMPTY;
    assert_int_equal(cost_lines_for(types, 2, choices, 2, 798, 0, 2, &lines, NULL), RC_OK);
    assert_int_equal(lines.count, 3);
    assert_int_equal(lines.lines[0].amount_minor, 1835400);
    assert_int_equal(lines.lines[1].amount_minor, 399000);
    assert_false(lines.lines[1].is_surcharge);
    assert_true(lines.lines[2].is_surcharge);
    assert_string_equal(lines.lines[2].category, "sheets");
    assert_string_equal(lines.lines[2].type, "a4");
    assert_int_equal(lines.lines[2].amount_minor, 50000);
    assert_int_equal(lines.total_minor, 2284400);
    cost_lines_release(&lines);
}

static void cost_lines__rebate__half_rounds_away_from_zero(void **state)
{
    (void)state;
    struct cost_type types[] = {type_of("sheets", "a4", COST_LINEAR, "5", 1)};
    struct cost_choice choices[] = {{"sheets", "a4", {-1005, 3}}};
    struct cost_lines lines = COST_LINES_EMPTY;
    assert_int_equal(cost_lines_for(types, 1, choices, 1, 2, 0, 2, &lines, NULL), RC_OK);
    assert_int_equal(lines.lines[1].amount_minor, -101);
    assert_int_equal(lines.total_minor, 899);
    cost_lines_release(&lines);
}

static void cost_lines__each_line_is_rounded_by_itself(void **state)
{
    (void)state;
    struct cost_type types[] = {type_of("a", "x", COST_LINEAR, "0.005", 1),
                                type_of("b", "x", COST_LINEAR, "0.005", 1)};
    struct cost_lines lines = COST_LINES_EMPTY;
    assert_int_equal(cost_lines_for(types, 2, NULL, 0, 1, 0, 2, &lines, NULL), RC_OK);
    assert_int_equal(lines.total_minor, 2);
    cost_lines_release(&lines);
}

static void cost_lines__no_types__no_lines(void **state)
{
    (void)state;
    struct cost_lines lines = COST_LINES_EMPTY;
    assert_int_equal(cost_lines_for(NULL, 0, NULL, 0, 10, 0, 2, &lines, NULL), RC_OK);
    assert_int_equal(lines.count, 0);
    assert_int_equal(lines.total_minor, 0);
}

static void refused(const struct cost_type *types, size_t count, const struct cost_choice *choices,
                    size_t choice_count, enum rc want, const char *part)
{
    struct err err = {""};
    struct cost_lines lines = COST_LINES_EMPTY;
    assert_int_equal(cost_lines_for(types, count, choices, choice_count, 797, 100, 2, &lines, &err),
                     want);
    assert_null(lines.lines);
    if (strstr(err.text, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, err.text);
    }
}

static void cost_lines__unknown_choice__names_the_nearest(void **state)
{
    (void)state;
    struct cost_type types[3];
    house_types(types);
    struct cost_choice choice = {"postage", "ecco", {0, 0}};
    refused(types, 3, &choice, 1, RC_PERM, "no cost postage/ecco; did you mean \"eco\"?");
    choice = (struct cost_choice){"postge", "eco", {0, 0}};
    refused(types, 3, &choice, 1, RC_PERM, "did you mean \"postage\"?");
    choice = (struct cost_choice){"wholly", "other", {0, 0}};
    refused(types, 3, &choice, 1, RC_PERM, "name one that it has");
    refused(NULL, 0, &choice, 1, RC_PERM, "name one that it has");
}

static void cost_lines__named_twice__is_refused(void **state)
{
    (void)state;
    struct cost_type types[3];
    house_types(types);
    struct cost_choice choices[] = {{"postage", "eco", {0, 0}}, {"postage", "eco", {100, 2}}};
    refused(types, 3, choices, 2, RC_PERM, "postage/eco is named twice");
}

static void cost_lines__mandatory_category_left_out__is_refused(void **state)
{
    (void)state;
    struct cost_type types[3];
    house_types(types);
    types[1].is_mandatory = true;
    struct cost_choice choice = {"setup", "flat", {0, 0}};
    refused(types, 3, &choice, 1, RC_PERM, "category postage must be selected");
    types[1].is_selected = false;
    refused(types, 3, NULL, 0, RC_PERM, "category postage must be selected");
    types[2].category = "postage"; /* another type of the category is enough */
    choice.category = "postage";
    struct cost_lines lines = COST_LINES_EMPTY;
    assert_int_equal(cost_lines_for(types, 3, &choice, 1, 1, 0, 2, &lines, NULL), RC_OK);
    cost_lines_release(&lines);
}

static void cost_lines__rule_not_valid_that_day__names_type_and_day(void **state)
{
    (void)state;
    struct cost_type types[3];
    house_types(types);
    types[1].rule.valid_until_day = 99;
    refused(types, 3, NULL, 0, RC_PERM,
            "cost postage/eco: the price is not valid on 1970-04-11: it ended on 1970-04-10");
}

static void cost_lines__too_much__reports_range(void **state)
{
    (void)state;
    struct cost_type types[] = {type_of("a", "x", COST_FIXED, "90000000000000000", 1),
                                type_of("b", "x", COST_FIXED, "90000000000000000", 1)};
    refused(types, 2, NULL, 0, RC_RANGE, "total cost");
    refused(types, COST_TYPES_MAX + 1, NULL, 0, RC_RANGE, "more than 1000 cost types");
    struct cost_choice choice = {"a", "x", {INT64_MAX, 0}};
    refused(types, 2, &choice, 1, RC_RANGE, "the surcharge");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cost_lines__nothing_named__the_selected_ones),
        cmocka_unit_test(cost_lines__some_named__those_and_no_others),
        cmocka_unit_test(cost_lines__surcharge__adds_a_line),
        cmocka_unit_test(cost_lines__rebate__half_rounds_away_from_zero),
        cmocka_unit_test(cost_lines__each_line_is_rounded_by_itself),
        cmocka_unit_test(cost_lines__no_types__no_lines),
        cmocka_unit_test(cost_lines__unknown_choice__names_the_nearest),
        cmocka_unit_test(cost_lines__named_twice__is_refused),
        cmocka_unit_test(cost_lines__mandatory_category_left_out__is_refused),
        cmocka_unit_test(cost_lines__rule_not_valid_that_day__names_type_and_day),
        cmocka_unit_test(cost_lines__too_much__reports_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
