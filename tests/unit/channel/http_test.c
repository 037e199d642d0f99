/*
 * http - settings that cannot be, found before anything is sent
 */
#include "unit/sys/support.h"

#include "channel/http.h"

static enum rc try_open(struct http_options options, struct err *err)
{
    struct transport *t = NULL;
    options.name = "push";
    options.connections = options.connections == 0 ? 1 : options.connections;
    options.timeout_ns = 1000000000;
    options.url = options.url == NULL ? "https://push.example/" : options.url;
    enum rc rc = http_open(&options, &t, err);
    transport_free(t);
    return rc;
}

static void http_open__urls__https_alone_without_a_login(void **state)
{
    static const struct {
        const char *url;
        enum rc rc;
        bool is_plain;
    } ROWS[] = {
        {"https://push.example/v1/send", RC_OK, false},
        {"https://push.example/3/device/{{address}}", RC_OK, false},
        {"https://[::1]:8443/x", RC_OK, false},
        {"http://push.example/", RC_PERM, false},
        {"http://push.example/", RC_OK, true},
        {"ftp://push.example/", RC_PERM, true},
        {"https://user:word@push.example/", RC_PERM, false},
        {"https://push.example/#part", RC_PERM, false},
        {"https://push.example/{{adress}}", RC_PERM, false},
        {"https://", RC_PERM, false},
        {"push.example", RC_PERM, false},
        {"", RC_PERM, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct err err = {""};
        const struct http_options options = {
            .url = ROWS[i].url, .is_plain = ROWS[i].is_plain, .token_fd = -1};
        assert_int_equal(try_open(options, &err), ROWS[i].rc);
    }
}

static void http_open__headers__ours_and_broken_ones_are_refused(void **state)
{
    static const struct {
        const char *header;
        enum rc rc;
    } ROWS[] = {
        {"apns-topic: com.example.app", RC_OK},
        {"apns-priority: 5", RC_OK},
        {"authorization: Bearer x", RC_PERM},
        {"Idempotency-Key: x", RC_PERM},
        {"Host: other.example", RC_PERM},
        {"no colon", RC_PERM},
        {"two words: x", RC_PERM},
        {"a: b\r\nc: d", RC_PERM},
        {": x", RC_PERM},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct err err = {""};
        const struct http_options options = {
            .headers = &ROWS[i].header, .header_count = 1, .token_fd = -1};
        assert_int_equal(try_open(options, &err), ROWS[i].rc);
    }
}

static void http_open__tokens__one_word(void **state)
{
    static const struct {
        const char *text;
        enum rc rc;
    } ROWS[] = {
        {"ya29.a0Af_H-6\n", RC_OK},
        {"word", RC_OK},
        {"word \r\n", RC_OK},
        {"", RC_PERM},
        {"\n", RC_PERM},
        {"two words", RC_PERM},
        {"a\nX-Evil: b", RC_PERM},
        {"a\x01", RC_PERM},
    };
    struct place *place = *state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct err err = {""};
        assert_int_equal(
            fs_put_volatile(place->fd, "token", 0600, ROWS[i].text, strlen(ROWS[i].text), NULL),
            RC_OK);
        int fd = openat(place->fd, "token", O_RDONLY);
        assert_int_equal(try_open((struct http_options){.token_fd = fd}, &err), ROWS[i].rc);
        assert_null(strstr(err.text, "two"));
        (void)close(fd);
    }
}

static void http_open__certificates_and_numbers_that_cannot_be__are_refused(void **state)
{
    struct err err = {""};
    (void)state;
    assert_int_equal(
        try_open((struct http_options){.token_fd = -1, .ca_pem = SLICE_LITERAL("no certificate")},
                 &err),
        RC_PERM);
    assert_int_equal(
        try_open((struct http_options){.token_fd = -1, .client_pem = SLICE_LITERAL("none")}, &err),
        RC_PERM);
    assert_int_equal(
        try_open((struct http_options){.token_fd = -1, .connections = HTTP_CONNECTIONS_MAX + 1},
                 &err),
        RC_RANGE);
}

static void on_told(void *ctx, const struct verdict_report *report)
{
    enum verdict *verdict = ctx;
    *verdict = report->verdict;
}

static void http_recall__what_was_not_begun__comes_back_untried(void **state)
{
    struct transport *t = NULL;
    const struct http_options options = {.name = "push",
                                         .url = "https://127.0.0.1:1/",
                                         .token_fd = -1,
                                         .connections = 1,
                                         .timeout_ns = 1000000000};
    const struct outgoing message = {
        .to = SLICE_LITERAL("a"), .bytes = SLICE_LITERAL("{}"), .unique = "a.1"};
    struct transport_state now;
    enum verdict verdict = VERDICT_SENT;
    (void)state;
    assert_int_equal(http_open(&options, &t, NULL), RC_OK);
    assert_int_equal(transport_room(t), HTTP_STREAMS_A_CONNECTION);
    assert_int_equal(transport_deadline_ns(t), INT64_MAX);
    assert_int_equal(transport_submit(t, &message, NULL), RC_OK);
    assert_int_equal(transport_room(t), HTTP_STREAMS_A_CONNECTION - 1);
    transport_close(t);
    assert_int_equal(transport_room(t), 0);
    assert_int_equal(transport_run(t, 0, on_told, &verdict, NULL), RC_OK);
    assert_int_equal(verdict, VERDICT_UNTRIED);
    transport_state(t, &now);
    assert_true(now.is_closed);
    transport_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_open__urls__https_alone_without_a_login),
        cmocka_unit_test(http_open__headers__ours_and_broken_ones_are_refused),
        with_place(http_open__tokens__one_word),
        cmocka_unit_test(http_open__certificates_and_numbers_that_cannot_be__are_refused),
        cmocka_unit_test(http_recall__what_was_not_begun__comes_back_untried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
