/*
 * columns - which columns a layout wants of the recipients
 */
#include "cli/columns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The names, joined by blanks, of a layout with these columns. */
static void expect(struct house_column *columns, size_t count, int address, const char *wanted)
{
    struct house_layout layout = {.columns = columns, .column_count = count, .address = address};
    struct arena arena = ARENA_EMPTY;
    static struct columns found;
    char text[512] = "";
    assert_true(columns_of_layout(&layout, &arena, &found));
    for (size_t i = 0; i < found.count; i++) {
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof text - len, "%s%s", i == 0 ? "" : " ", found.names[i]);
    }
    assert_string_equal(text, wanted);
    arena_release(&arena);
}

static void columns_of_layout__plain_columns__without_the_reference(void **state)
{
    (void)state;
    struct house_column columns[] = {
        {.name = "reference"}, {.name = "last_name"}, {.name = "city"}};
    expect(columns, 3, HOUSE_ADDRESS_NONE, "last_name city");
}

static void columns_of_layout__templates__give_their_names_once(void **state)
{
    (void)state;
    struct house_column columns[] = {
        {.name = "a", .value = "{{title}} {{ first_name }} {{{last_name}}}{{&title}}"},
        {.name = "b",
         .value = "{{#gold}}yes{{/gold}}{{^vip}}no{{/vip}}{{! a remark }}{{reference}}"},
        {.name = "title"}};
    expect(columns, 3, HOUSE_ADDRESS_NONE, "title first_name last_name gold vip");
}

static void columns_of_layout__template_that_does_not_close__ends(void **state)
{
    (void)state;
    struct house_column columns[] = {{.name = "a", .value = "{{"}, {.name = "b", .value = "{{x"}};
    expect(columns, 2, HOUSE_ADDRESS_NONE, "x");
}

static void columns_of_layout__addresses_checked__wants_what_lines_are_made_of(void **state)
{
    (void)state;
    struct house_column columns[] = {{.name = "reference"}, {.name = "line1"}, {.name = "line6"}};
    expect(columns, 3, HOUSE_ADDRESS_NF_Z10_011,
           "title first_name last_name address2 address1 postcode city");
    expect(columns, 3, HOUSE_ADDRESS_NONE, "line1 line6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_of_layout__plain_columns__without_the_reference),
        cmocka_unit_test(columns_of_layout__templates__give_their_names_once),
        cmocka_unit_test(columns_of_layout__template_that_does_not_close__ends),
        cmocka_unit_test(columns_of_layout__addresses_checked__wants_what_lines_are_made_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
