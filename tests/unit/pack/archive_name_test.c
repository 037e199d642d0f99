/*
 * archive_name - names that routers and file systems can hold, with the data's digest in them
 */
#include "pack/archive_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char digest[] = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

static const struct archive_name_values values = {.campaign = "spring-2027",
                                                  .delivery = "letter",
                                                  .date = "2027-03-01",
                                                  .programme = "loyalty",
                                                  .provider = "nord",
                                                  .service = "eco",
                                                  .revision = 3,
                                                  .records = 798};

static void assert_name(const char *template_text, const char *expected)
{
    char name[ARCHIVE_NAME_BYTES_MAX + 1];
    struct err err = {""};
    assert_int_equal(archive_name_make(template_text, &values, digest, name, &err), RC_OK);
    assert_string_equal(name, expected);
}

static void archive_name_make__default_template__ends_with_the_hash(void **state)
{
    (void)state;
    assert_name(NULL, "spring-2027_letter_2027-03-01_9f86d081884c");
    assert_name("", "spring-2027_letter_2027-03-01_9f86d081884c");
}

static void archive_name_make__every_value__is_known(void **state)
{
    (void)state;
    assert_name(
        "{{campaign}}.{{delivery}}.{{date}}.{{programme}}.{{provider}}.{{service}}.{{revision}}."
        "{{records}}",
        "spring-2027.letter.2027-03-01.loyalty.nord.eco.3.798_9f86d081884c");
}

static void archive_name_make__hash_in_template__stands_there(void **state)
{
    (void)state;
    assert_name("{{hash}}", "9f86d081884c");
    assert_name("a_{{hash}}.{{revision}}", "a_9f86d081884c.3");
    assert_name("{{hash}}-{{hash}}", "9f86d081884c-9f86d081884c");
    assert_name("{{#hash}}x{{/hash}}", "x_9f86d081884c"); /* not shown: appended */
}

static void archive_name_make__other_characters__become_one_underscore_each(void **state)
{
    (void)state;
    assert_name("a b/c\\d\xC3\xA9"
                "e\xF0\x9F\x98\x80\xFF%",
                "a_b_c_d_e____9f86d081884c");
    assert_name("../../etc/passwd", "_._.._etc_passwd_9f86d081884c");
    assert_name("\n", "__9f86d081884c");
}

static void archive_name_make__first_dot__is_replaced(void **state)
{
    (void)state;
    assert_name(".hidden", "_hidden_9f86d081884c");
    assert_name("..", "_._9f86d081884c");
}

static void archive_name_make__nothing_rendered__is_the_hash(void **state)
{
    (void)state;
    char name[ARCHIVE_NAME_BYTES_MAX + 1];
    const struct archive_name_values none = {.campaign = NULL};
    assert_int_equal(archive_name_make("{{campaign}}", &none, digest, name, NULL), RC_OK);
    assert_string_equal(name, "9f86d081884c");
}

static void archive_name_make__too_long__is_150_bytes_and_keeps_the_hash(void **state)
{
    (void)state;
    char text[1000];
    char name[ARCHIVE_NAME_BYTES_MAX + 1];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(archive_name_make(text, &values, digest, name, NULL), RC_OK);
    assert_int_equal(strlen(name), 150);
    assert_string_equal(name + 150 - 13, "_9f86d081884c");
    memcpy(text, "a{{hash}}b", 10);
    assert_int_equal(archive_name_make(text, &values, digest, name, NULL), RC_OK);
    assert_int_equal(strlen(name), 150);
    assert_memory_equal(name, "a9f86d081884cbx", 15);
    memset(text, 'x', 20);
    memcpy(text + 900, "{{hash}}", 8);
    assert_int_equal(archive_name_make(text, &values, digest, name, NULL), RC_OK);
    assert_int_equal(strlen(name), 150);
    assert_string_equal(name + 150 - 12, "9f86d081884c");
}

static void archive_name_make__exactly_150_bytes__is_not_cut(void **state)
{
    (void)state;
    char text[138];
    char name[ARCHIVE_NAME_BYTES_MAX + 1];
    memset(text, 'y', sizeof text - 1);
    text[0] = 'a';
    text[136] = 'z';
    text[137] = '\0';
    assert_int_equal(archive_name_make(text, &values, digest, name, NULL), RC_OK);
    assert_string_equal(name + 136, "z_9f86d081884c");
}

static void archive_name_check__unknown_value__is_perm_and_named(void **state)
{
    (void)state;
    struct err err = {""};
    char name[ARCHIVE_NAME_BYTES_MAX + 1];
    assert_int_equal(archive_name_check("{{campain}}", &err), RC_PERM);
    assert_non_null(strstr(err.text, "campain"));
    assert_non_null(strstr(err.text, "campaign"));
    assert_int_equal(archive_name_check("{{campaign", &err), RC_PERM);
    assert_int_equal(archive_name_make("{{#a}}", &values, digest, name, &err), RC_PERM);
    assert_int_equal(archive_name_check(NULL, &err), RC_OK);
}

static void archive_name_check__template_over_limit__is_range(void **state)
{
    (void)state;
    char text[ARCHIVE_NAME_TEMPLATE_BYTES_MAX + 2];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(archive_name_check(text, NULL), RC_RANGE);
    text[ARCHIVE_NAME_TEMPLATE_BYTES_MAX] = '\0';
    assert_int_equal(archive_name_check(text, NULL), RC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(archive_name_make__default_template__ends_with_the_hash),
        cmocka_unit_test(archive_name_make__every_value__is_known),
        cmocka_unit_test(archive_name_make__hash_in_template__stands_there),
        cmocka_unit_test(archive_name_make__other_characters__become_one_underscore_each),
        cmocka_unit_test(archive_name_make__first_dot__is_replaced),
        cmocka_unit_test(archive_name_make__nothing_rendered__is_the_hash),
        cmocka_unit_test(archive_name_make__too_long__is_150_bytes_and_keeps_the_hash),
        cmocka_unit_test(archive_name_make__exactly_150_bytes__is_not_cut),
        cmocka_unit_test(archive_name_check__unknown_value__is_perm_and_named),
        cmocka_unit_test(archive_name_check__template_over_limit__is_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
