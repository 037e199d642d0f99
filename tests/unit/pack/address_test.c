/*
 * address - NF Z 10-011: lines as they are printed, and what is refused
 */
#include "pack/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_line(int number, const char *in, const char *expected)
{
    struct buf out = BUF_EMPTY;
    buf_add_text(&out, "|");
    address_line(number, slice_of(in), &out);
    assert_string_equal(buf_text(&out) + 1, expected);
    assert_int_equal(buf_text(&out)[0], '|');
    buf_release(&out);
}

static void address_line__blanks_and_line_breaks__become_one_space(void **state)
{
    (void)state;
    assert_line(1, "  Mme   Zo\xC3\xAB\t\r\n Dupont ", "Mme Zo\xC3\xAB Dupont");
    assert_line(1, "a\xC2\xA0\xC2\xA0z", "a z"); /* no-break spaces */
    assert_line(2, " \r\n ", "");
    assert_line(3, "", "");
}

static void address_line__first_three_lines__keep_case_and_signs(void **state)
{
    (void)state;
    assert_line(1, "M. Jean-Pierre O'Neil, fils", "M. Jean-Pierre O'Neil, fils");
    assert_line(3, "B\xC3\xA2t. C (cour)", "B\xC3\xA2t. C (cour)");
}

static void address_line__last_three_lines__are_upper_case_letters_digits_spaces(void **state)
{
    (void)state;
    assert_line(4, "12, rue de l'\xC3\x89glise", "12 RUE DE L \xC3\x89GLISE");
    assert_line(4, "12-14 rue St.-Jean", "12 14 RUE ST JEAN");
    assert_line(5,
                "B.P. 32 / l\xE2\x80\x99"
                "\xC3\xAEle",
                "B P 32 L \xC3\x8ELE");
    assert_line(6, "75012 paris (cedex)", "75012 PARIS CEDEX");
    assert_line(6,
                "10115 Stra\xC3\x9F"
                "e",
                "10115 STRASSE");
    assert_line(4, "...", "");
    assert_line(4, "rue n\xC2\xB0 5 \xE2\x82\xAC", "RUE N 5");
}

static void address_line__street_over_32_characters__is_abbreviated(void **state)
{
    (void)state;
    /* 32 characters: as it is; 33: abbreviated */
    assert_line(4, "12 avenue du General de Gaulle X", "12 AVENUE DU GENERAL DE GAULLE X");
    assert_line(4, "12 avenue du General de Gaulle XY", "12 AV DU GENERAL DE GAULLE XY");
    assert_line(4, "112 bis boulevard du Marechal Leclerc", "112 BIS BD DU MARECHAL LECLERC");
    assert_line(4,
                "4 all\xC3\xA9"
                "e des Marronniers en Fleurs Bleues",
                "4 ALL DES MARRONNIERS EN FLEURS BLEUES");
    assert_line(4, "9 rond-point de la Republique Francaise", "9 RPT DE LA REPUBLIQUE FRANCAISE");
    /* characters, not bytes: 32 of them in 34 */
    assert_line(4, "12 avenue du G\xC3\xA9n\xC3\xA9ral de Gaulle X",
                "12 AVENUE DU G\xC3\x89N\xC3\x89RAL DE GAULLE X");
}

static void address_line__street_whose_kind_has_no_short_form__stays(void **state)
{
    (void)state;
    assert_line(4, "12 rue de la Place de l Eglise Saint Jean",
                "12 RUE DE LA PLACE DE L EGLISE SAINT JEAN");
    assert_line(4, "La Grande Maison au bord de la Route", /* a kind without a name behind it */
                "LA GRANDE MAISON AU BORD DE LA ROUTE");
    assert_line(5, "12 avenue du General de Gaulle XYZABC",
                "12 AVENUE DU GENERAL DE GAULLE XYZABC");
    assert_line(4, "Avenuette du General de Gaulle XYZABC",
                "AVENUETTE DU GENERAL DE GAULLE XYZABC");
}

static enum address_verdict verdict(const char *const lines[ADDRESS_LINES], bool is_france)
{
    struct slice slices[ADDRESS_LINES];
    for (size_t i = 0; i < ADDRESS_LINES; i++) {
        slices[i] = slice_of(lines[i]);
    }
    return address_check(slices, is_france);
}

static void address_check__good_addresses__are_ok(void **state)
{
    (void)state;
    const char *const street[] = {"Mme Dupont", "", "", "12 RUE X", "", "75012 PARIS"};
    const char *const box[] = {"ACME", "APPT 4", "BAT C", "", "BP 32", "69003 LYON CEDEX"};
    const char *const full[] = {
        "12345678901234567890123456789012345678", /* 38 */
        "12345678901234567890123456789012345678", "12345678901234567890123456789012345678",
        "12345678901234567890123456789012345678", "12345678901234567890123456789012345678",
        "75012 78901234567890123456789012345678"};
    const char *const accents[] = {
        "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
        "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
        "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9",
        "",
        "",
        "A",
        "",
        "01000 B"};
    const char *const abroad[] = {"A", "", "", "HAUPTSTR 1", "", "D BERLIN"};
    assert_int_equal(verdict(street, true), ADDRESS_OK);
    assert_int_equal(verdict(box, true), ADDRESS_OK);
    assert_int_equal(verdict(full, true), ADDRESS_OK);
    assert_int_equal(verdict(accents, true), ADDRESS_OK);
    assert_int_equal(verdict(abroad, false), ADDRESS_OK);
}

static void address_check__something_missing__is_incomplete(void **state)
{
    (void)state;
    static const char *const cases[][ADDRESS_LINES] = {
        {"", "", "", "12 RUE X", "", "75012 PARIS"}, {"A", "", "", "", "", "75012 PARIS"},
        {"A", "", "", "12 RUE X", "", ""},           {"A", "", "", "12 RUE X", "", "PARIS"},
        {"A", "", "", "12 RUE X", "", "75012"},      {"", "", "", "", "", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(verdict(cases[i], true), ADDRESS_INCOMPLETE);
    }
    assert_int_equal(verdict(cases[2], false), ADDRESS_INCOMPLETE);
}

static void address_check__postcode_or_length_wrong__is_bad(void **state)
{
    (void)state;
    static const char *const long_line = "123456789012345678901234567890123456789"; /* 39 */
    static const char *const towns[] = {"7501 PARIS",    "750123 PARIS", "7501A PARIS",
                                        "F 75012 PARIS", "75012PARIS",   "PARIS 75012"};
    for (size_t i = 0; i < sizeof towns / sizeof towns[0]; i++) {
        const char *const lines[] = {"A", "", "", "12 RUE X", "", towns[i]};
        assert_int_equal(verdict(lines, true), ADDRESS_BAD);
        assert_int_equal(verdict(lines, false), ADDRESS_OK);
    }
    for (size_t i = 0; i < ADDRESS_LINES - 1; i++) {
        const char *lines[] = {"A", "", "", "12 RUE X", "", "75012 PARIS"};
        lines[i] = long_line;
        assert_int_equal(verdict(lines, true), ADDRESS_BAD);
        assert_int_equal(verdict(lines, false), ADDRESS_BAD);
    }
}

static void address_is_france__names_of_france__in_any_case(void **state)
{
    (void)state;
    static const char *const yes[] = {"", " ", "FR", "fr", "FRA", "France", " FRANCE "};
    static const char *const no[] = {"DE", "FRANCE METRO", "F", "Francia", "X"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        assert_true(address_is_france(slice_of(yes[i])));
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        assert_false(address_is_france(slice_of(no[i])));
    }
    assert_true(address_is_france((struct slice){NULL, 0}));
}

static void address_verdict_name__verdicts__are_the_causes_of_the_contract(void **state)
{
    (void)state;
    assert_string_equal(address_verdict_name(ADDRESS_OK), "ok");
    assert_string_equal(address_verdict_name(ADDRESS_INCOMPLETE), "incomplete-address");
    assert_string_equal(address_verdict_name(ADDRESS_BAD), "bad-address");
}

static void address_line__random_bytes__never_crash(void **state)
{
    (void)state;
    uint32_t seed = 11;
    struct buf out = BUF_EMPTY;
    for (int round = 0; round < 60000; round++) {
        char text[48];
        for (size_t i = 0; i < sizeof text; i++) {
            seed = seed * 1664525U + 1013904223U;
            text[i] = (char)(seed >> 24);
        }
        buf_release(&out); /* a fresh one each time: a write too far is seen by the sanitizer */
        struct slice line = {text, seed % (sizeof text + 1)};
        address_line(1 + round % ADDRESS_LINES, line, &out);
        struct slice lines[ADDRESS_LINES];
        for (size_t i = 0; i < ADDRESS_LINES; i++) {
            lines[i] = i % 2 == 0 ? line : buf_slice(&out);
        }
        (void)address_check(lines, true);
    }
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_line__blanks_and_line_breaks__become_one_space),
        cmocka_unit_test(address_line__first_three_lines__keep_case_and_signs),
        cmocka_unit_test(address_line__last_three_lines__are_upper_case_letters_digits_spaces),
        cmocka_unit_test(address_line__street_over_32_characters__is_abbreviated),
        cmocka_unit_test(address_line__street_whose_kind_has_no_short_form__stays),
        cmocka_unit_test(address_check__good_addresses__are_ok),
        cmocka_unit_test(address_check__something_missing__is_incomplete),
        cmocka_unit_test(address_check__postcode_or_length_wrong__is_bad),
        cmocka_unit_test(address_is_france__names_of_france__in_any_case),
        cmocka_unit_test(address_verdict_name__verdicts__are_the_causes_of_the_contract),
        cmocka_unit_test(address_line__random_bytes__never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
