/*
 * layout_emit - the reference in its holes, and payloads that do not fit
 */
#include "layout_support.h"

#include <stdio.h>

#define E_ACUTE "\xC3\xA9"

static const char *const abc[] = {"a", "b", "c"};

static struct layout_options options_of(const struct layout_column *list, size_t count)
{
    return (struct layout_options){.columns = list,
                                   .column_count = count,
                                   .encoding = ENCODING_WINDOWS_1252,
                                   .delivery_id = "d-1",
                                   .eol = "\n"};
}

static void assert_row(struct bench *bench, const char *a, const char *b, const char *c,
                       const char *expected)
{
    const char *const fields[] = {a, b, c};
    assert_string_equal(bench_row(bench, fields, 3, 1), expected);
}

static void layout_emit__reference__anywhere_and_in_templates(void **state)
{
    (void)state;
    const struct layout_column list[] = {
        {"reference", NULL, 0, false},
        {"a", NULL, 0, false},
        {"url", "https://x.example/{{reference}}?n={{b}}", 0, false},
        {"twice", "{{reference}}{{#c}}-{{reference}}{{/c}}", 0, true},
        {"again", "{{reference}}", 0, true}};
    struct layout_options options = options_of(list, COUNT(list));
    struct bench bench = bench_open(&options, abc, 3);
    const char *const fields[] = {"A", "1;2", "x"};
    assert_string_equal(bench_row(&bench, fields, 3, 1),
                        "d-1-1;A;\"https://x.example/d-1-1?n=1;2\";D-1-1-D-1-1;D-1-1\n");
    const char *const other[] = {"A", "1", ""};
    assert_string_equal(bench_row(&bench, other, 3, UINT64_MAX),
                        "d-1-18446744073709551615;A;https://x.example/d-1-18446744073709551615?n=1;"
                        "D-1-18446744073709551615;D-1-18446744073709551615\n");
    bench_close(&bench);
}

static void layout_emit__numbers_of_each_length__have_all_their_digits(void **state)
{
    (void)state;
    const struct layout_column first[] = {{"reference", NULL, 0, false}, {"a", NULL, 0, false}};
    const struct layout_column twice[] = {
        {"a", NULL, 0, false}, {"reference", NULL, 0, false}, {"again", "{{reference}}", 0, false}};
    struct layout_options options = options_of(first, 2);
    struct bench one = bench_open(&options, abc, 3); /* the usual layout */
    options = options_of(twice, 3);
    struct bench two = bench_open(&options, abc, 3);
    const char *const fields[] = {"A", "", ""};
    uint64_t power = 1;
    for (int digits = 1; digits <= 20; digits++, power *= digits < 20 ? 10 : 1) {
        const uint64_t numbers[] = {power - 1, power, power + 1, power / 10 * 99 + 9};
        for (size_t i = 0; i < COUNT(numbers); i++) {
            unsigned long long n = numbers[i];
            char expected[100];
            (void)snprintf(expected, sizeof expected, "d-1-%llu;A\n", n);
            assert_string_equal(bench_row(&one, fields, 3, n), expected);
            (void)snprintf(expected, sizeof expected, "A;d-1-%llu;d-1-%llu\n", n, n);
            assert_string_equal(bench_row(&two, fields, 3, n), expected);
        }
    }
    bench_close(&one);
    bench_close(&two);
}

static void layout_emit__reference_of_the_recipients__is_not_used(void **state)
{
    (void)state;
    static const char *const names[] = {"reference", "a"};
    const struct layout_column list[] = {{"reference", NULL, 0, false},
                                         {"t", "{{#a}}{{reference}}{{/a}}", 0, false}};
    struct layout_options options = options_of(list, 2);
    struct bench bench = bench_open(&options, names, 2);
    const char *const fields[] = {"theirs", "x"};
    assert_string_equal(bench_row(&bench, fields, 2, 4), "d-1-4;d-1-4\n");
    bench_close(&bench);
}

static void layout_emit__fixed_reference__is_padded_cut_and_upper(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"a", NULL, 2, false},
                                         {"reference", NULL, 8, true},
                                         {"t", "{{a}}:{{reference}}", 9, false},
                                         {"b", NULL, 2, false}};
    struct layout_options options = options_of(list, COUNT(list));
    options.format = LAYOUT_FIXED;
    struct bench bench = bench_open(&options, abc, 3);
    assert_row(&bench, "x", "y", "", "x D-1-1   x:d-1-1  y \n");
    const char *const fields[] = {"x", "y"};
    assert_string_equal(bench_row(&bench, fields, 2, 9999), "x D-1-9999x:d-1-999y \n");
    struct err err = {""};
    assert_int_equal(layout_reference_max(bench.layout), 9999);
    assert_int_equal(layout_emit(bench.layout, buf_slice(&bench.payload), 10000, &bench.out, &err),
                     RC_RANGE);
    assert_non_null(strstr(err.text, "d-1-10000"));
    assert_string_equal(buf_text(&bench.out), "x D-1-9999x:d-1-999y \n");
    bench_close(&bench);
}

static void layout_emit__fixed_utf_8_template_with_hole__counts_characters(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"t", "{{a}}{{reference}}", 8, true}};
    struct layout_options options = options_of(list, 1);
    options.format = LAYOUT_FIXED;
    options.encoding = ENCODING_UTF_8;
    struct bench bench = bench_open(&options, abc, 3);
    assert_row(&bench, E_ACUTE E_ACUTE, "", "",
               "\xC3\x89\xC3\x89"
               "D-1-1 \n");
    bench_close(&bench);
}

static void layout_emit__reference_quoted__as_the_rest(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"reference", NULL, 0, false}, {"a", NULL, 0, false}};
    struct layout_options options = options_of(list, 2);
    options.quote = LAYOUT_QUOTE_ALWAYS;
    struct bench bench = bench_open(&options, abc, 3);
    assert_row(&bench, "x", "", "", "\"d-1-1\";\"x\"\n");
    bench_close(&bench);
    options.quote = LAYOUT_QUOTE_MINIMAL;
    options.delimiter = '-';
    bench = bench_open(&options, abc, 3);
    assert_row(&bench, "x", "", "", "\"d-1-1\"-x\n");
    bench_close(&bench);
}

static void layout_emit__payload_that_does_not_fit__is_corrupt_and_leaves_out(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"reference", NULL, 0, false},
                                         {"t", "{{reference}}/{{a}}", 0, false}};
    struct layout_options options = options_of(list, 2);
    struct bench bench = bench_open(&options, abc, 3);
    struct err err = {""};
    buf_add_text(&bench.out, "before");
    static const struct slice bad[] = {{NULL, 0},
                                       {"abc", 3},
                                       {"\0;", 2},
                                       {"\0;\0\1\0", 5},
                                       {"\0;\0\5\0\0\0ab", 9},
                                       {"\0;\0\377\377\377\377", 7}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(layout_emit(bench.layout, bad[i], 1, &bench.out, &err), RC_CORRUPT);
        assert_int_equal(bench.out.len, 6);
        assert_non_null(strstr(err.text, "column"));
    }
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_emit__reference__anywhere_and_in_templates),
        cmocka_unit_test(layout_emit__numbers_of_each_length__have_all_their_digits),
        cmocka_unit_test(layout_emit__reference_of_the_recipients__is_not_used),
        cmocka_unit_test(layout_emit__fixed_reference__is_padded_cut_and_upper),
        cmocka_unit_test(layout_emit__fixed_utf_8_template_with_hole__counts_characters),
        cmocka_unit_test(layout_emit__reference_quoted__as_the_rest),
        cmocka_unit_test(layout_emit__payload_that_does_not_fit__is_corrupt_and_leaves_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
