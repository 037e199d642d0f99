/*
 * mailbox - which addresses go out, in which form, and which are refused by which rule
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "channel/mailbox.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define E_ACUTE "\xC3\xA9"
#define U_UML "\xC3\xBC"

static void mailbox_address_parse__good__goes_out_in_this_form(void **state)
{
    (void)state;
    static const struct {
        const char *text, *out;
        bool needs_smtputf8;
    } cases[] = {
        {"ann@example.org", "ann@example.org", false},
        {"Ann.Lee+x@Example.ORG", "Ann.Lee+x@Example.ORG", false},
        {"o'neil!#$%&*/=?^_`{|}~-@e.example", "o'neil!#$%&*/=?^_`{|}~-@e.example", false},
        {"\"a@b\"@example.org", "\"a@b\"@example.org", false},
        {"\"a\\\"b\"@example.org", "\"a\\\"b\"@example.org", false},
        {"root@localhost", "root@localhost", false},
        {"a@b" U_UML "cher.example", "a@xn--bcher-kva.example", false},
        {"a@B" U_UML "CHER.example", "a@xn--bcher-kva.example", false},
        {"\xE7\x98\x8A@example.org", "\xE7\x98\x8A@example.org", true},
        {"zo" E_ACUTE "@b" U_UML "cher.example", "zo" E_ACUTE "@xn--bcher-kva.example", true}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mailbox_address address;
        struct err err = {""};
        enum rc rc = mailbox_address_parse(slice_of(cases[i].text), &address, &err);
        if (rc != RC_OK) {
            print_message("%s: %s\n", cases[i].text, err.text);
        }
        assert_int_equal(rc, RC_OK);
        assert_string_equal(address.text, cases[i].out);
        assert_int_equal(address.needs_smtputf8, cases[i].needs_smtputf8);
        assert_int_equal(address.text[address.domain_at - 1], '@');
    }
}

static void mailbox_address_parse__bad__says_which_rule(void **state)
{
    (void)state;
    const struct {
        struct slice text;
        const char *expected;
    } cases[] = {{SLICE_LITERAL(""), "no @ in the address"},
                 {SLICE_LITERAL("ann"), "no @ in the address"},
                 {SLICE_LITERAL("@example.org"), "nothing before the @"},
                 {SLICE_LITERAL("ann@"), "nothing behind the @"},
                 {SLICE_LITERAL("a b@example.org"), "a blank or an angle bracket"},
                 {SLICE_LITERAL("<a@example.org>"), "a blank or an angle bracket"},
                 {SLICE_LITERAL("\"a b\"@example.org"), "a blank or an angle bracket"},
                 {SLICE_LITERAL("a@example.org> SIZE=1"), "a blank or an angle bracket"},
                 {SLICE_LITERAL("a@example.org\r\nRCPT"), "control or hidden"},
                 {SLICE_LITERAL("a\0@example.org"), "control or hidden"},
                 {SLICE_LITERAL("a@example.org\x7F"), "control or hidden"},
                 {SLICE_LITERAL("a\xE2\x80\x8B@example.org"), "control or hidden"},
                 {SLICE_LITERAL("a\xE2\x80\xAE@example.org"), "control or hidden"},
                 {SLICE_LITERAL("a\xC2\x85@example.org"), "control or hidden"},
                 {SLICE_LITERAL("a\xED\xA0\x80@example.org"), "no UTF-8"},
                 {SLICE_LITERAL(".a@example.org"), "a dot at the edge"},
                 {SLICE_LITERAL("a.@example.org"), "a dot at the edge"},
                 {SLICE_LITERAL("a..b@example.org"), "a dot at the edge"},
                 {SLICE_LITERAL("a,b@example.org"), "needs quotes"},
                 {SLICE_LITERAL("a@b@example.org"), "needs quotes"},
                 {SLICE_LITERAL("\"a@example.org"), "do not close"},
                 {SLICE_LITERAL("\"a\\\"@example.org"), "do not close"},
                 {SLICE_LITERAL("\"\"@example.org"), "do not close"},
                 {SLICE_LITERAL("\"a\"b\"@example.org"), "a quote inside its quotes"},
                 {SLICE_LITERAL("a@example..org"), "an empty label"},
                 {SLICE_LITERAL("a@.example.org"), "an empty label"},
                 {SLICE_LITERAL("a@example.org."), "an empty label"},
                 {SLICE_LITERAL("a@-b.example"), "a hyphen"},
                 {SLICE_LITERAL("a@b-.example"), "a hyphen"},
                 {SLICE_LITERAL("a@b_c.example"), "no host name has"},
                 {SLICE_LITERAL("a@[192.0.2.1]"), "no host name has"},
                 {SLICE_LITERAL("a@b" U_UML "_.example"), "no internationalised host name"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mailbox_address address;
        struct err err = {""};
        assert_int_equal(mailbox_address_parse(cases[i].text, &address, &err), RC_PERM);
        if (strstr(err.text, cases[i].expected) == NULL) {
            print_message("%.*s: %s\n", (int)cases[i].text.len, cases[i].text.ptr, err.text);
        }
        assert_non_null(strstr(err.text, cases[i].expected));
    }
}

static enum rc parse_lengths(size_t local, size_t labels, size_t label)
{
    struct buf text = BUF_EMPTY;
    for (size_t i = 0; i < local; i++) {
        buf_add_byte(&text, 'a');
    }
    buf_add_byte(&text, '@');
    for (size_t i = 0; i < labels; i++) {
        if (i > 0) {
            buf_add_byte(&text, '.');
        }
        for (size_t k = 0; k < label; k++) {
            buf_add_byte(&text, 'b');
        }
    }
    struct mailbox_address address;
    enum rc rc = mailbox_address_parse(buf_slice(&text), &address, NULL);
    buf_release(&text);
    return rc;
}

static void mailbox_address_parse__lengths__at_the_limit_and_beyond(void **state)
{
    (void)state;
    assert_int_equal(parse_lengths(64, 1, 10), RC_OK);
    assert_int_equal(parse_lengths(65, 1, 10), RC_RANGE);
    assert_int_equal(parse_lengths(1, 1, 63), RC_OK);
    assert_int_equal(parse_lengths(1, 1, 64), RC_RANGE);
    assert_int_equal(parse_lengths(62, 3, 63), RC_OK);    /* 62 + 1 + 191 = 254 */
    assert_int_equal(parse_lengths(63, 3, 63), RC_RANGE); /* 255 */
    assert_int_equal(parse_lengths(1, 5, 51), RC_RANGE);  /* a domain of 259 */
}

static void mailbox_parse__names__are_unquoted_and_put_again(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *address, *header;
    } cases[] = {
        {"shop@example.net", "", "shop@example.net", "From: shop@example.net\r\n"},
        {" <shop@example.net> ", "", "shop@example.net", "From: shop@example.net\r\n"},
        {"Shop <shop@example.net>", "Shop", "shop@example.net",
         "From: Shop <shop@example.net>\r\n"},
        {"\"Shop, Inc.\" <shop@example.net>", "Shop, Inc.", "shop@example.net",
         "From: \"Shop, Inc.\" <shop@example.net>\r\n"},
        {"Shop, Inc. <shop@example.net>", "Shop, Inc.", "shop@example.net",
         "From: \"Shop, Inc.\" <shop@example.net>\r\n"},
        {"\"a \\\"b\\\"\" <s@e.example>", "a \"b\"", "s@e.example",
         "From: \"a \\\"b\\\"\" <s@e.example>\r\n"},
        {"\"a\" b <s@e.example>", "\"a\" b", "s@e.example",
         "From: \"\\\"a\\\" b\" <s@e.example>\r\n"},
        {"eve <eve@example.com> <s@e.example>", "eve <eve@example.com>", "s@e.example",
         "From: \"eve <eve@example.com>\" <s@e.example>\r\n"},
        {E_ACUTE "lise <s@e.example>", E_ACUTE "lise", "s@e.example",
         "From: =?UTF-8?B?w6lsaXNl?= <s@e.example>\r\n"},
    };
    struct buf scratch = BUF_EMPTY;
    struct buf out = BUF_EMPTY;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mailbox mailbox;
        struct err err = {""};
        assert_int_equal(mailbox_parse(slice_of(cases[i].text), &scratch, &mailbox, &err), RC_OK);
        assert_true(slice_equal_text(mailbox.name, cases[i].name));
        assert_string_equal(mailbox.address.text, cases[i].address);
        buf_clear(&out);
        mailbox_put(&out, "From", mailbox.name, &mailbox.address);
        assert_string_equal(buf_text(&out), cases[i].header);
    }
    buf_release(&scratch);
    buf_release(&out);
}

static void mailbox_parse__bad__is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "Shop",
                                      "Shop <shop>",
                                      "Shop shop@example.net",
                                      "shop@example.net>",
                                      "Shop <shop@example.net> x",
                                      "<>"};
    struct buf scratch = BUF_EMPTY;
    struct mailbox mailbox;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(mailbox_parse(slice_of(bad[i]), &scratch, &mailbox, NULL), RC_PERM);
    }
    struct buf text = BUF_EMPTY;
    for (size_t i = 0; i <= MAILBOX_NAME_BYTES_MAX; i++) {
        buf_add_byte(&text, 'x');
    }
    buf_add_text(&text, " <a@b.example>");
    assert_int_equal(mailbox_parse(buf_slice(&text), &scratch, &mailbox, NULL), RC_RANGE);
    buf_release(&text);
    buf_release(&scratch);
}

static void mailbox_comparable__domains_differ_in_case__compare_as_equal(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"Ann@Example.ORG", "Ann@example.org"},
                                           {"a@B" U_UML "cher.example", "a@xn--bcher-kva.example"},
                                           {"a@XN--BCHER-KVA.example", "a@xn--bcher-kva.example"},
                                           {"No Address", "No Address"}};
    struct buf out = BUF_EMPTY;
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf_clear(&out);
        mailbox_comparable(slice_of(cases[i][0]), &out);
        assert_string_equal(buf_text(&out), cases[i][1]);
    }
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mailbox_address_parse__good__goes_out_in_this_form),
        cmocka_unit_test(mailbox_address_parse__bad__says_which_rule),
        cmocka_unit_test(mailbox_address_parse__lengths__at_the_limit_and_beyond),
        cmocka_unit_test(mailbox_parse__names__are_unquoted_and_put_again),
        cmocka_unit_test(mailbox_parse__bad__is_refused),
        cmocka_unit_test(mailbox_comparable__domains_differ_in_case__compare_as_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
