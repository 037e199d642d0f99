/*
 * layout with address = "nf-z10-011": the lines as printed and the check before selection
 */
#include "layout_support.h"

static struct layout_options options_of(const struct layout_column *list, size_t count)
{
    return (struct layout_options){.columns = list,
                                   .column_count = count,
                                   .encoding = ENCODING_WINDOWS_1252,
                                   .delivery_id = "d-1",
                                   .eol = "\n"};
}

static const char *const person[] = {"title",    "first_name", "last_name", "address1",
                                     "address2", "postcode",   "city",      "country"};
enum { TITLE, FIRST_NAME, LAST_NAME, ADDRESS1, ADDRESS2, POSTCODE, CITY, COUNTRY, PERSON_FIELDS };

static const struct layout_column six_lines[] = {
    {"line1", NULL, 0, false}, {"line2", NULL, 0, false}, {"line3", NULL, 0, false},
    {"line4", NULL, 0, false}, {"line5", NULL, 0, false}, {"line6", NULL, 0, false}};

static struct bench address_bench(const struct layout_column *list, size_t count)
{
    struct layout_options options = options_of(list, count);
    options.is_address_checked = true;
    return bench_open(&options, person, PERSON_FIELDS);
}

static enum address_verdict check(struct bench *bench, const char *const *fields, size_t count)
{
    struct slice slices[16];
    struct err err = {""};
    enum address_verdict verdict = ADDRESS_OK;
    slices_of(fields, count, slices);
    assert_int_equal(
        layout_address_check(bench->layout, bench->state, slices, count, &verdict, &err), RC_OK);
    return verdict;
}

static void layout_payload__derived_address_lines__are_normalised(void **state)
{
    (void)state;
    struct bench bench = address_bench(six_lines, COUNT(six_lines));
    const char *const fields[] = {
        "Mme",   " Zo\xC3\xAB ", "O'Neil", "12, rue de l'\xC3\x89glise", "c/o M. X\r\napt 4",
        "75012", "Paris",        ""};
    assert_string_equal(bench_row(&bench, fields, PERSON_FIELDS, 1),
                        "Mme Zo\xEB O'Neil;c/o M. X apt 4;;12 RUE DE L \xC9GLISE;;75012 PARIS\n");
    assert_int_equal(check(&bench, fields, PERSON_FIELDS), ADDRESS_OK);
    bench_close(&bench);
}

static void layout_payload__lines_of_the_recipients__come_first(void **state)
{
    (void)state;
    static const char *const names[] = {"line1", "line4", "line6", "address2", "city", "postcode"};
    struct layout_options options = options_of(six_lines, COUNT(six_lines));
    options.is_address_checked = true;
    struct bench bench = bench_open(&options, names, COUNT(names));
    const char *const fields[] = {"A  B", "1 rue x", "75001 paris", "not shown", "no", "no"};
    assert_string_equal(bench_row(&bench, fields, COUNT(names), 1), "A B;;;1 RUE X;;75001 PARIS\n");
    assert_int_equal(check(&bench, fields, COUNT(names)), ADDRESS_OK);
    bench_close(&bench);
}

static void layout_payload__line_templates__replace_a_line(void **state)
{
    (void)state;
    const struct layout_column list[] = {
        {"line1", "{{last_name}} {{#first_name}}({{first_name}}){{/first_name}}", 0, true},
        {"ADR4", "{{line4}} / {{line6}}", 0, false},
        {"line6", "{{postcode}} {{city}}-cedex", 0, false}};
    struct bench bench = address_bench(list, COUNT(list));
    const char *const fields[] = {"", "Al", "Bo", "1, rue x", "", "75001", "paris", ""};
    assert_string_equal(bench_row(&bench, fields, PERSON_FIELDS, 1),
                        "BO (AL);1 RUE X / 75001 PARIS;75001 PARIS CEDEX\n");
    assert_int_equal(check(&bench, fields, PERSON_FIELDS), ADDRESS_OK);
    bench_close(&bench);
}

static void layout_payload__address_line_over_38__is_cut_and_counted(void **state)
{
    (void)state;
    struct bench bench = address_bench(six_lines, COUNT(six_lines));
    const char *const fields[] = {
        "",      "A", "2345678901234567890123456789012345678901234567890", "1 rue x", "", "75001",
        "Paris", ""};
    assert_string_equal(bench_row(&bench, fields, PERSON_FIELDS, 1),
                        "A 234567890123456789012345678901234567;;;1 RUE X;;75001 PARIS\n");
    assert_int_equal(layout_counts(bench.state).cut, 1);
    assert_int_equal(check(&bench, fields, PERSON_FIELDS), ADDRESS_BAD);
    bench_close(&bench);
}

static void layout_payload__line_columns_without_address_check__are_ordinary(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"line4", "{{address1}}", 0, false}};
    struct layout_options options = options_of(list, 1);
    struct bench bench = bench_open(&options, person, PERSON_FIELDS);
    const char *const fields[] = {"", "", "", "1, rue  de l'x", "", "", "", ""};
    assert_string_equal(bench_row(&bench, fields, PERSON_FIELDS, 1), "1, rue  de l'x\n");
    assert_int_equal(check(&bench, fields, PERSON_FIELDS), ADDRESS_OK);
    bench_close(&bench);
}

static void layout_address_check__what_is_missing__is_incomplete(void **state)
{
    (void)state;
    struct bench bench = address_bench(six_lines, COUNT(six_lines));
    static const struct {
        int field;
        const char *text;
    } cases[] = {{ADDRESS1, ""}, {POSTCODE, ""}, {POSTCODE, "  "},
                 {CITY, ""},     {CITY, "\t"},   {ADDRESS1, " - "}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *fields[] = {"Mme", "A", "B", "1 rue x", "", "75001", "Paris 12", ""};
        fields[cases[i].field] = cases[i].text;
        assert_int_equal(check(&bench, fields, PERSON_FIELDS), ADDRESS_INCOMPLETE);
    }
    const char *const nameless[] = {"Mme", "", " ", "1 rue x", "", "75001", "Paris", ""};
    assert_int_equal(check(&bench, nameless, PERSON_FIELDS), ADDRESS_INCOMPLETE);
    const char *const first_only[] = {"", "A", "", "1 rue x", "", "75001", "Paris", ""};
    assert_int_equal(check(&bench, first_only, PERSON_FIELDS), ADDRESS_OK);
    bench_close(&bench);
}

static void layout_address_check__country__decides_about_the_postcode(void **state)
{
    (void)state;
    struct bench bench = address_bench(six_lines, COUNT(six_lines));
    const char *const abroad[] = {"", "A", "B", "Weg 1", "", "1010", "Wien", "AT"};
    const char *const france[] = {"", "A", "B", "Weg 1", "", "1010", "Wien", "France"};
    assert_int_equal(check(&bench, abroad, PERSON_FIELDS), ADDRESS_OK);
    assert_int_equal(check(&bench, france, PERSON_FIELDS), ADDRESS_BAD);
    bench_close(&bench);
    struct layout_options options = options_of(six_lines, COUNT(six_lines));
    options.is_address_checked = true;
    options.address_country = "title"; /* whichever column the setting names */
    bench = bench_open(&options, person, PERSON_FIELDS);
    assert_int_equal(check(&bench, abroad, PERSON_FIELDS), ADDRESS_BAD);
    bench_close(&bench);
}

static void layout_address_check__length__is_that_of_what_is_printed(void **state)
{
    (void)state;
    struct bench bench = address_bench(six_lines, COUNT(six_lines));
    /* 38 characters whose last is an oe: one byte in windows-1252, two letters in ISO-8859-1 */
    const char *const fields[] = {"",        "", "2345678901234567890123456789012345678\xC5\x93",
                                  "1 rue x", "", "75001",
                                  "Paris",   ""};
    assert_int_equal(check(&bench, fields, PERSON_FIELDS), ADDRESS_OK);
    bench_close(&bench);
    struct layout_options options = options_of(six_lines, COUNT(six_lines));
    options.is_address_checked = true;
    options.encoding = ENCODING_ISO_8859_1;
    bench = bench_open(&options, person, PERSON_FIELDS);
    assert_int_equal(check(&bench, fields, PERSON_FIELDS), ADDRESS_BAD);
    assert_int_equal(layout_counts(bench.state).transliterated, 0); /* a check counts nothing */
    bench_close(&bench);
    /* 39 code points with a combining accent are 38 characters */
    bench = address_bench(six_lines, COUNT(six_lines));
    const char *const marks[] = {"",        "", "2345678901234567890123456789012345678e\xCC\x81",
                                 "1 rue x", "", "75001",
                                 "Paris",   ""};
    assert_int_equal(check(&bench, marks, PERSON_FIELDS), ADDRESS_OK);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_payload__derived_address_lines__are_normalised),
        cmocka_unit_test(layout_payload__lines_of_the_recipients__come_first),
        cmocka_unit_test(layout_payload__line_templates__replace_a_line),
        cmocka_unit_test(layout_payload__address_line_over_38__is_cut_and_counted),
        cmocka_unit_test(layout_payload__line_columns_without_address_check__are_ordinary),
        cmocka_unit_test(layout_address_check__what_is_missing__is_incomplete),
        cmocka_unit_test(layout_address_check__country__decides_about_the_postcode),
        cmocka_unit_test(layout_address_check__length__is_that_of_what_is_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
