/*
 * Senders as people write them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sender.h"

struct good_row {
    const char *text;
    const char *name;
    const char *local;
    const char *domain;
};

static void sender_parse__good_senders__are_taken_apart(void **state)
{
    (void)state;
    static const struct good_row rows[] = {
        {"shop@example.net", "", "shop", "example.net"},
        {" shop@example.net ", "", "shop", "example.net"},
        {"Shop <shop@example.net>", "Shop", "shop", "example.net"},
        {"<shop@example.net>", "", "shop", "example.net"},
        {"\"Shop, Paris\" <shop+x@example.net>", "Shop, Paris", "shop+x", "example.net"},
        {"Caf\xC3\xA9 \xF0\x9F\x93\xAE <caf\xC3\xA9@caf\xC3\xA9.example>",
         "Caf\xC3\xA9 \xF0\x9F\x93\xAE", "caf\xC3\xA9", "caf\xC3\xA9.example"},
        {"root@localhost", "", "root", "localhost"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sender box;
        assert_int_equal(sender_parse(slice_of(rows[i].text), &box, NULL), RC_OK);
        assert_true(slice_equal_text(box.name, rows[i].name));
        assert_true(slice_equal_text(box.local, rows[i].local));
        assert_true(slice_equal_text(box.domain, rows[i].domain));
        assert_int_equal(box.address.len, box.local.len + box.domain.len + 1);
    }
}

static void sender_parse__what_is_none__is_refused_with_a_mend(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "shop",
        "shop@",
        "@example.net",
        "Shop <shop@example.net",
        "Shop <shop@example.net> x",
        "a@b.example, c@d.example",
        "shop@example.net\r\nBcc: x@y.example",
        "Shop\n <shop@example.net>",
        "s hop@example.net",
        "shop@exa mple.net",
        "shop@example..net",
        "shop@.example.net",
        "shop@example.net.",
        "<<shop@example.net>>",
        "sh\xFFp@example.net",
        "a@b@example.net",
        "0123456789012345678901234567890123456789012345678901234567890123x@example.net",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sender box;
        struct err err = {""};
        assert_int_equal(sender_parse(slice_of(bad[i]), &box, &err), RC_PERM);
        assert_non_null(strchr(err.text, ';'));
    }
    struct sender box;
    assert_int_equal(sender_parse(SLICE_LITERAL("a\0b@example.net"), &box, NULL), RC_PERM);
}

static void domain_is_within__same_or_below__whatever_the_case(void **state)
{
    (void)state;
    assert_true(domain_is_within(slice_of("example.net"), slice_of("example.net")));
    assert_true(domain_is_within(slice_of("News.Example.NET"), slice_of("example.net")));
    assert_false(domain_is_within(slice_of("badexample.net"), slice_of("example.net")));
    assert_false(domain_is_within(slice_of("example.net"), slice_of("news.example.net")));
    assert_false(domain_is_within(slice_of("example.net"), slice_of("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sender_parse__good_senders__are_taken_apart),
        cmocka_unit_test(sender_parse__what_is_none__is_refused_with_a_mend),
        cmocka_unit_test(domain_is_within__same_or_below__whatever_the_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
