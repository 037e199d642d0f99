/*
 * unsubscribe - tokens against a known HMAC, places, and what is refused
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "channel/unsubscribe.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define SECRET SLICE_LITERAL("0123456789abcdef0123456789abcdef")
/* printf 'spring-email\nk-1' | openssl dgst -sha256 -hmac SECRET -binary | basenc --base64url */
#define TOKEN "M7a-BFVPoZLSTHJsm-TnmoItz23hSj1hCxdNxiyjsb8"

struct bench {
    struct unsubscribe *unsubscribe;
    struct unsubscribe_state *state;
    struct buf out;
};

static struct bench bench_open(const char *url, const char *mailto)
{
    struct unsubscribe_options options = {url, mailto, SECRET, "spring-email"};
    struct bench bench = {NULL, NULL, BUF_EMPTY};
    struct err err = {""};
    enum rc rc = unsubscribe_open(&options, &bench.unsubscribe, &err);
    if (rc != RC_OK) {
        print_message("%s\n", err.text);
    }
    assert_int_equal(rc, RC_OK);
    assert_int_equal(unsubscribe_state_open(bench.unsubscribe, &bench.state, &err), RC_OK);
    return bench;
}

static void bench_close(struct bench *bench)
{
    unsubscribe_state_free(bench->state);
    unsubscribe_free(bench->unsubscribe);
    buf_release(&bench->out);
}

static const char *headers(struct bench *bench, struct slice key)
{
    struct err err = {""};
    assert_int_equal(unsubscribe_render(bench->unsubscribe, bench->state, key, &err), RC_OK);
    buf_clear(&bench->out);
    unsubscribe_put(bench->state, &bench->out);
    return buf_text(&bench->out);
}

static void unsubscribe_put__url_and_mailto__two_headers(void **state)
{
    (void)state;
    struct bench bench = bench_open("https://example.net/u?lang=fr&t={{token}}", "no@example.net");
    const char *expected =
        "List-Unsubscribe: <https://example.net/u?lang=fr&t=" TOKEN ">,\r\n"
        " <mailto:no@example.net?subject=unsubscribe%20spring-email%20k-1%20" TOKEN
        ">\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n";
    assert_string_equal(headers(&bench, SLICE_LITERAL("k-1")), expected);
    assert_true(
        slice_equal_text(unsubscribe_url(bench.state), "https://example.net/u?lang=fr&t=" TOKEN));
    assert_string_equal(headers(&bench, SLICE_LITERAL("k-1")), expected);
    assert_null(strstr(headers(&bench, SLICE_LITERAL("k-2")), TOKEN));
    bench_close(&bench);
}

static void unsubscribe_put__url_without_places__says_whose_token_it_is(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"https://e.example/u", "<https://e.example/u?delivery=spring-email&key=k-1&token=" TOKEN},
        {"https://e.example/u?", "<https://e.example/u?delivery=spring-email&key=k-1&token=" TOKEN},
        {"https://e.example/u?a=b",
         "<https://e.example/u?a=b&delivery=spring-email&key=k-1&token=" TOKEN},
        {"https://e.example/{{delivery}}",
         "<https://e.example/spring-email?delivery=spring-email&key=k-1&token=" TOKEN}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bench bench = bench_open(cases[i][0], NULL);
        assert_non_null(strstr(headers(&bench, SLICE_LITERAL("k-1")), cases[i][1]));
        bench_close(&bench);
    }
}

static void unsubscribe_put__mailto_alone__no_one_click(void **state)
{
    (void)state;
    struct bench bench = bench_open("", "mailto:no+{{token}}@example.net");
    assert_string_equal(headers(&bench, SLICE_LITERAL("k-1")),
                        "List-Unsubscribe: <mailto:no+" TOKEN "@example.net>\r\n");
    assert_int_equal(unsubscribe_url(bench.state).len, 0);
    bench_close(&bench);
}

static void unsubscribe_render__key_with_anything__is_escaped(void **state)
{
    (void)state;
    struct bench bench = bench_open("https://e.example/{{key}}/{{token}}", NULL);
    assert_non_null(strstr(headers(&bench, SLICE_LITERAL("a>\r\nBcc: x/\0\xC3\xA9")),
                           "<https://e.example/a%3E%0D%0ABcc%3A%20x%2F%00%C3%A9/"));
    bench_close(&bench);
    bench = bench_open("https://e.example/{{{key}}}/{{token}}", NULL);
    struct err err = {""};
    assert_int_equal(
        unsubscribe_render(bench.unsubscribe, bench.state, SLICE_LITERAL("a>\r\nBcc: x"), &err),
        RC_PERM);
    assert_string_equal(err.text,
                        "the key puts a sign into the unsubscribe address that cannot stand there");
    bench_close(&bench);
}

static void unsubscribe_render__key_too_long__is_that_recipients_fault(void **state)
{
    (void)state;
    struct bench bench = bench_open("https://e.example/u", NULL);
    static char key[UNSUBSCRIBE_URI_BYTES_MAX];
    memset(key, 'k', sizeof key);
    assert_int_equal(
        unsubscribe_render(bench.unsubscribe, bench.state, (struct slice){key, sizeof key}, NULL),
        RC_PERM);
    (void)headers(&bench, SLICE_LITERAL("k-1"));
    bench_close(&bench);
}

static void assert_refused(const char *url, const char *mailto, struct slice secret, enum rc rc,
                           const char *text)
{
    struct unsubscribe_options options = {url, mailto, secret, "d"};
    struct unsubscribe *made = NULL;
    struct err err = {""};
    assert_int_equal(unsubscribe_open(&options, &made, &err), rc);
    assert_null(made);
    if (strstr(err.text, text) == NULL) {
        print_message("%s\n", err.text);
    }
    assert_non_null(strstr(err.text, text));
}

static void unsubscribe_open__bad_settings__are_refused(void **state)
{
    (void)state;
    assert_refused("http://e.example/", NULL, SECRET, RC_PERM, "needs an https address");
    assert_refused("https://", NULL, SECRET, RC_PERM, "needs an https address");
    assert_refused("https://e.example/#x", NULL, SECRET, RC_PERM, "needs an https address");
    assert_refused("https://e.example/ x", NULL, SECRET, RC_PERM, "unsubscribe.url: byte 19");
    assert_refused("https://e.example/\r\n", NULL, SECRET, RC_PERM, "unsubscribe.url: byte 19");
    assert_refused("https://e.example/>", NULL, SECRET, RC_PERM, "unsubscribe.url: byte 19");
    assert_refused("https://e.example/{{tokn}}", NULL, SECRET, RC_PERM, "did you mean \"token\"");
    assert_refused(NULL, "nobody", SECRET, RC_PERM, "unsubscribe.mailto: no @");
    assert_refused("https://e.example/", NULL, SLICE_LITERAL("short"), RC_PERM,
                   "unsubscribe.secret_file: a secret of 5 bytes");
    static char url[UNSUBSCRIBE_URI_BYTES_MAX + 2];
    memset(url, 'x', sizeof url - 1);
    memcpy(url, "https://", 8);
    assert_refused(url, NULL, SECRET, RC_RANGE, "unsubscribe.url: 901 bytes");
    static char secret[UNSUBSCRIBE_SECRET_BYTES_MAX + 1];
    assert_refused("https://e.example/", NULL, (struct slice){secret, sizeof secret}, RC_RANGE,
                   "unsubscribe.secret_file");
}

static void unsubscribe_open__neither_url_nor_mailto__there_is_none(void **state)
{
    (void)state;
    struct unsubscribe_options options = {NULL, "", {NULL, 0}, "d"};
    struct unsubscribe *made = NULL;
    assert_int_equal(unsubscribe_open(&options, &made, NULL), RC_OK);
    assert_null(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsubscribe_put__url_and_mailto__two_headers),
        cmocka_unit_test(unsubscribe_put__url_without_places__says_whose_token_it_is),
        cmocka_unit_test(unsubscribe_put__mailto_alone__no_one_click),
        cmocka_unit_test(unsubscribe_render__key_with_anything__is_escaped),
        cmocka_unit_test(unsubscribe_render__key_too_long__is_that_recipients_fault),
        cmocka_unit_test(unsubscribe_open__bad_settings__are_refused),
        cmocka_unit_test(unsubscribe_open__neither_url_nor_mailto__there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
