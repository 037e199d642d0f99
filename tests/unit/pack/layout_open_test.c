/*
 * layout_open - every mistake a layout can hold is found before the first row, and named
 */
#include "layout_support.h"

static const char *const columns[] = {"recipient_id", "title",    "first_name", "last_name",
                                      "address1",     "postcode", "city"};

static struct layout_options options_of(const struct layout_column *list, size_t count)
{
    return (struct layout_options){.columns = list,
                                   .column_count = count,
                                   .encoding = ENCODING_WINDOWS_1252,
                                   .delivery_id = "spring-letter"};
}

/* Opens, expects the code, and each of the words in the text */
static void assert_refused_with(const struct layout_options *options, const char *const *names,
                                size_t count, enum rc expected, const char *word, const char *mend)
{
    struct slice slices[64];
    struct layout *layout = NULL;
    struct err err = {""};
    slices_of(names, count, slices);
    enum rc rc = layout_open(options, slices, count, &layout, &err);
    if (rc != expected || strstr(err.text, word) == NULL || strstr(err.text, mend) == NULL) {
        fail_msg("%s (wanted %s): %s (wanted %s, %s)", rc_name(rc), rc_name(expected), err.text,
                 word, mend);
    }
    assert_null(layout);
}

static void assert_refused(const struct layout_options *options, enum rc expected, const char *word,
                           const char *mend)
{
    assert_refused_with(options, columns, COUNT(columns), expected, word, mend);
}

static void assert_opens(const struct layout_options *options)
{
    struct bench bench = bench_open(options, columns, COUNT(columns));
    bench_close(&bench);
}

static void layout_open__unknown_column__names_it_and_the_nearest(void **state)
{
    (void)state;
    const struct layout_column plain[] = {{"recipient_id", NULL, 0, false},
                                          {"lastname", NULL, 0, false}};
    struct layout_options options = options_of(plain, COUNT(plain));
    assert_refused(&options, RC_PERM, "\"lastname\"", "did you mean \"last_name\"");
    const struct layout_column far[] = {{"zzzzzzzzzz", NULL, 0, false}};
    options = options_of(far, COUNT(far));
    assert_refused(&options, RC_PERM, "\"zzzzzzzzzz\"", "give it a value");
    const struct layout_column reference[] = {{"referense", NULL, 0, false}};
    options = options_of(reference, COUNT(reference));
    assert_refused(&options, RC_PERM, "\"referense\"", "\"reference\"");
}

static void layout_open__unknown_column_in_a_template__names_both(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"line1", "{{title}} {{lastname}}", 0, false}};
    struct layout_options options = options_of(list, COUNT(list));
    assert_refused(&options, RC_PERM, "line1", "last_name");
    const struct layout_column broken[] = {{"who", "{{#title}}x", 0, false}};
    options = options_of(broken, COUNT(broken));
    assert_refused(&options, RC_PERM, "who", "title");
    const struct layout_column line[] = {{"who", "{{line4}}", 0, false}};
    options = options_of(line, COUNT(line)); /* no address lines without the address check */
    assert_refused(&options, RC_PERM, "who", "line4");
}

static void layout_open__duplicate_name__is_perm_with_both_places(void **state)
{
    (void)state;
    const struct layout_column list[] = {
        {"city", NULL, 0, false}, {"title", NULL, 0, false}, {"city", "x", 0, false}};
    struct layout_options options = options_of(list, COUNT(list));
    assert_refused(&options, RC_PERM, "\"city\"", "(1 and 3)");
}

static void layout_open__empty_or_broken_name__is_perm(void **state)
{
    (void)state;
    const struct layout_column empty[] = {{"city", NULL, 0, false}, {"", "x", 0, false}};
    const struct layout_column null[] = {{NULL, "x", 0, false}};
    const struct layout_column bytes[] = {{"a\xFF", "x", 0, false}};
    struct layout_options options = options_of(empty, COUNT(empty));
    assert_refused(&options, RC_PERM, "column 2", "no name");
    options = options_of(null, COUNT(null));
    assert_refused(&options, RC_PERM, "column 1", "no name");
    options = options_of(bytes, COUNT(bytes));
    assert_refused(&options, RC_PERM, "column 1", "UTF-8");
}

static void layout_open__fixed_without_width__is_perm_and_shows_how(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"city", NULL, 20, false}, {"title", NULL, 0, false}};
    struct layout_options options = options_of(list, COUNT(list));
    options.format = LAYOUT_FIXED;
    assert_refused(&options, RC_PERM, "\"title\"", "width = 38");
}

static void layout_open__width_too_narrow_for_the_reference__is_perm(void **state)
{
    (void)state;
    const struct layout_column narrow[] = {{"reference", NULL, 14, false}};
    struct layout_options options = options_of(narrow, COUNT(narrow));
    options.format = LAYOUT_FIXED;
    assert_refused(&options, RC_PERM, "\"reference\"", "at least 15");
    const struct layout_column wide[] = {{"reference", NULL, 15, false}};
    options.columns = wide;
    struct bench bench = bench_open(&options, columns, COUNT(columns));
    assert_int_equal(layout_reference_max(bench.layout), 9);
    bench_close(&bench);
}

static uint64_t reference_max_of(const struct layout_column *list, size_t count)
{
    struct layout_options options = options_of(list, count);
    struct bench bench = bench_open(&options, columns, COUNT(columns));
    uint64_t max = layout_reference_max(bench.layout);
    bench_close(&bench);
    return max;
}

static void layout_reference_max__follows_the_narrowest_column(void **state)
{
    (void)state;
    const struct layout_column falling[] = {{"reference", NULL, 20, false},
                                            {"r2", "{{reference}}", 19, false}};
    const struct layout_column rising[] = {{"reference", NULL, 19, false},
                                           {"r2", "{{reference}}", 20, false}};
    const struct layout_column digits_19[] = {{"reference", NULL, 14 + 19, false}};
    const struct layout_column digits_20[] = {{"reference", NULL, 14 + 20, false}};
    const struct layout_column none[] = {{"city", NULL, 0, false}};
    assert_true(reference_max_of(falling, 2) == 99999);
    assert_true(reference_max_of(rising, 2) == 99999);
    assert_true(reference_max_of(digits_19, 1) == UINT64_C(9999999999999999999));
    assert_true(reference_max_of(digits_20, 1) == UINT64_MAX);
    assert_true(reference_max_of(none, 1) == UINT64_MAX);
}

static void layout_open__delimiter_that_cannot_be_used__is_perm(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"city", NULL, 0, false}};
    struct layout_options options = options_of(list, COUNT(list));
    static const char bad[] = {(char)0xA7, 'a', '7', '\n', '\r', '\x01', '"'};
    for (size_t i = 0; i < sizeof bad; i++) {
        options.delimiter = bad[i];
        assert_refused(&options, RC_PERM, i == 6 ? "quote mark" : "delimiter", "write");
    }
    static const char good[] = {';', ',', '\t', '|', '&', ' ', '-'};
    for (size_t i = 0; i < sizeof good; i++) {
        options.delimiter = good[i];
        assert_opens(&options);
    }
}

static void layout_open__quote_mark_that_cannot_be_used__is_perm(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"city", NULL, 0, false}};
    struct layout_options options = options_of(list, COUNT(list));
    static const char bad[] = {'x', ' ', '\n', ';', (char)0xAB};
    for (size_t i = 0; i < sizeof bad; i++) {
        options.quote_mark = bad[i];
        assert_refused(&options, RC_PERM, "quote mark", "\"\" for none");
    }
    options.quote_mark = '\'';
    assert_opens(&options);
}

static void layout_open__delimiter_in_unquoted_references__is_perm(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"reference", NULL, 0, false}};
    struct layout_options options = options_of(list, COUNT(list));
    options.delimiter = '-';
    assert_opens(&options);
    options.quote = LAYOUT_QUOTE_NEVER;
    assert_refused(&options, RC_PERM, "\"reference\"", "another delimiter");
}

static void layout_open__eol_that_ends_no_line__is_perm(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"city", NULL, 5, false}};
    struct layout_options options = options_of(list, COUNT(list));
    options.eol = "";
    assert_refused(&options, RC_PERM, "eol", "\\r\\n");
    options.eol = "\n\r";
    assert_refused(&options, RC_PERM, "eol", "\\r\\n");
    options.format = LAYOUT_FIXED;
    assert_refused(&options, RC_PERM, "eol", "\\r\\n");
    options.eol = "";
    assert_opens(&options);
}

static void layout_open__reference_without_delivery_id__is_perm(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"reference", NULL, 0, false}};
    struct layout_options options = options_of(list, COUNT(list));
    options.delivery_id = NULL;
    assert_refused(&options, RC_PERM, "\"reference\"", "delivery id");
    options.delivery_id = "../x";
    assert_refused(&options, RC_PERM, "../x", "delivery id");
    const struct layout_column none[] = {{"city", NULL, 0, false}};
    options = options_of(none, COUNT(none));
    options.delivery_id = NULL;
    assert_opens(&options);
}

static void layout_open__no_columns__is_perm(void **state)
{
    (void)state;
    struct layout_options options = options_of(NULL, 0);
    assert_refused(&options, RC_PERM, "no columns", "");
}

static void layout_open__over_the_limits__is_range(void **state)
{
    (void)state;
    static struct layout_column many[LAYOUT_COLUMNS_MAX + 1];
    static char names[LAYOUT_COLUMNS_MAX + 1][8];
    for (size_t i = 0; i < COUNT(many); i++) {
        names[i][0] = (char)('a' + i % 26);
        names[i][1] = (char)('a' + i / 26 % 26);
        many[i] = (struct layout_column){names[i], "x", 0, false};
    }
    struct layout_options options = options_of(many, COUNT(many));
    assert_refused(&options, RC_RANGE, "513", "512");
    options.column_count = LAYOUT_COLUMNS_MAX;
    assert_opens(&options);
    const struct layout_column wide[] = {{"city", NULL, LAYOUT_WIDTH_MAX + 1, false}};
    options = options_of(wide, COUNT(wide));
    assert_refused(&options, RC_RANGE, "\"city\"", "32000");
    char name[LAYOUT_NAME_BYTES_MAX + 2];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const struct layout_column long_name[] = {{name, "x", 0, false}};
    options = options_of(long_name, COUNT(long_name));
    assert_refused(&options, RC_RANGE, "nnnn", "256");
}

static void layout_open__address_line_that_no_column_gives__is_perm(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"city", NULL, 0, false}};
    struct layout_options options = options_of(list, COUNT(list));
    options.is_address_checked = true;
    static const char *const no_name[] = {"title", "address1", "postcode", "city"};
    static const char *const no_street[] = {"last_name", "postcode", "city"};
    static const char *const no_postcode[] = {"last_name", "address1", "city"};
    static const char *const own_lines[] = {"line1", "line4", "city", "postcode", "last_name"};
    assert_refused_with(&options, no_name, COUNT(no_name), RC_PERM, "line1", "add a layout column");
    assert_refused_with(&options, no_street, COUNT(no_street), RC_PERM, "line4",
                        "add a layout column");
    assert_refused_with(&options, no_postcode, COUNT(no_postcode), RC_PERM, "line6",
                        "add a layout column");
    assert_refused_with(&options, own_lines, COUNT(own_lines), RC_PERM, "line6",
                        "add a layout column");
    assert_opens(&options);
    const struct layout_column made[] = {{"line6", "75000 {{city}}", 0, false}};
    options.columns = made;
    struct bench bench = bench_open(&options, no_postcode, COUNT(no_postcode));
    bench_close(&bench);
}

static void layout_open__unknown_country_column__is_perm(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"city", NULL, 0, false}};
    struct layout_options options = options_of(list, COUNT(list));
    options.is_address_checked = true;
    options.address_country = "county";
    static const char *const names[] = {"last_name", "address1", "postcode", "city", "country"};
    assert_refused_with(&options, names, COUNT(names), RC_PERM, "\"county\"", "\"country\"");
}

static void layout_columns__are_the_output_names_in_order(void **state)
{
    (void)state;
    const struct layout_column list[] = {
        {"reference", NULL, 0, false}, {"Nom", "{{last_name}}", 0, false}, {"city", NULL, 0, true}};
    struct layout_options options = options_of(list, COUNT(list));
    struct bench bench = bench_open(&options, columns, COUNT(columns));
    size_t count = 0;
    const char *const *names = layout_columns(bench.layout, &count);
    assert_int_equal(count, 3);
    assert_string_equal(names[0], "reference");
    assert_string_equal(names[1], "Nom");
    assert_string_equal(names[2], "city");
    bench_close(&bench);
}

static void layout_free__nothing__is_accepted(void **state)
{
    (void)state;
    layout_free(NULL);
    layout_state_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_open__unknown_column__names_it_and_the_nearest),
        cmocka_unit_test(layout_open__unknown_column_in_a_template__names_both),
        cmocka_unit_test(layout_open__duplicate_name__is_perm_with_both_places),
        cmocka_unit_test(layout_open__empty_or_broken_name__is_perm),
        cmocka_unit_test(layout_open__fixed_without_width__is_perm_and_shows_how),
        cmocka_unit_test(layout_open__width_too_narrow_for_the_reference__is_perm),
        cmocka_unit_test(layout_reference_max__follows_the_narrowest_column),
        cmocka_unit_test(layout_open__delimiter_that_cannot_be_used__is_perm),
        cmocka_unit_test(layout_open__quote_mark_that_cannot_be_used__is_perm),
        cmocka_unit_test(layout_open__delimiter_in_unquoted_references__is_perm),
        cmocka_unit_test(layout_open__eol_that_ends_no_line__is_perm),
        cmocka_unit_test(layout_open__reference_without_delivery_id__is_perm),
        cmocka_unit_test(layout_open__no_columns__is_perm),
        cmocka_unit_test(layout_open__over_the_limits__is_range),
        cmocka_unit_test(layout_open__address_line_that_no_column_gives__is_perm),
        cmocka_unit_test(layout_open__unknown_country_column__is_perm),
        cmocka_unit_test(layout_columns__are_the_output_names_in_order),
        cmocka_unit_test(layout_free__nothing__is_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
