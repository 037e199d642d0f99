/*
 * http_verdict - what answers of push services mean
 */
#include "unit/sys/support.h"

#include "channel/http_verdict.h"

static const char UNREGISTERED[] =
    "{\"error\":{\"code\":404,\"message\":\"Requested entity was not found.\",\"status\":"
    "\"NOT_FOUND\",\"details\":[{\"@type\":\"type.googleapis.com/google.firebase.fcm.v1.FcmError\","
    "\"errorCode\":\"UNREGISTERED\"}]}}";
static const char BAD_TOKEN[] =
    "{\"error\":{\"code\":400,\"message\":\"Invalid\\nargument\",\"status\":\"INVALID_ARGUMENT\","
    "\"details\":[{\"fieldViolations\":[{\"field\":\"message.token\"}]}]}}";

static struct http_judgement judge(long status, const char *body, bool has_worked)
{
    const struct http_answer answer = {
        .status = status, .body = slice_of(body), .has_worked = has_worked};
    struct http_judgement out;
    http_judge(&answer, &out);
    return out;
}

static void http_judge__every_kind_of_status__has_its_verdict(void **state)
{
    static const struct {
        long status;
        enum verdict verdict;
        bool is_about_recipient;
        bool is_down;
    } ROWS[] = {
        {200, VERDICT_SENT, false, false},      {204, VERDICT_SENT, false, false},
        {301, VERDICT_PERMANENT, false, false}, {400, VERDICT_PERMANENT, false, false},
        {401, VERDICT_UNTRIED, false, true},    {403, VERDICT_UNTRIED, false, true},
        {404, VERDICT_PERMANENT, false, false}, {407, VERDICT_UNTRIED, false, true},
        {408, VERDICT_TEMPORARY, false, false}, {409, VERDICT_TEMPORARY, false, false},
        {410, VERDICT_PERMANENT, true, false},  {413, VERDICT_PERMANENT, false, false},
        {422, VERDICT_PERMANENT, false, false}, {425, VERDICT_TEMPORARY, false, false},
        {429, VERDICT_TEMPORARY, false, true},  {500, VERDICT_TEMPORARY, false, false},
        {503, VERDICT_TEMPORARY, false, false}, {599, VERDICT_TEMPORARY, false, false},
        {999, VERDICT_TEMPORARY, false, false}, {100, VERDICT_TEMPORARY, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct http_judgement got = judge(ROWS[i].status, "", true);
        assert_int_equal(got.verdict, ROWS[i].verdict);
        assert_int_equal(got.is_about_recipient, ROWS[i].is_about_recipient);
        assert_int_equal(got.is_down, ROWS[i].is_down);
    }
}

static void http_judge__url_that_never_worked__costs_nobody_an_attempt(void **state)
{
    static const long STATUSES[] = {301, 302, 404, 405, 421};
    (void)state;
    for (size_t i = 0; i < sizeof STATUSES / sizeof STATUSES[0]; i++) {
        struct http_judgement got = judge(STATUSES[i], "not found", false);
        assert_int_equal(got.verdict, VERDICT_UNTRIED);
        assert_true(got.is_down);
    }
    assert_int_equal(judge(410, "", false).verdict, VERDICT_PERMANENT);
}

static void http_judge__word_that_names_the_recipient__is_permanent_and_about_them(void **state)
{
    static const struct {
        long status;
        const char *body;
        const char *reason;
    } ROWS[] = {
        {404, UNREGISTERED, "HTTP 404 UNREGISTERED: Requested entity was not found."},
        {400, BAD_TOKEN, "HTTP 400 INVALID_ARGUMENT: Invalid argument"},
        {403, "{\"error\":{\"details\":[{\"errorCode\":\"SENDER_ID_MISMATCH\"}]}}",
         "HTTP 403 SENDER_ID_MISMATCH"},
        {410, "{\"reason\":\"ExpiredToken\",\"timestamp\":1}", "HTTP 410 ExpiredToken"},
        {400, "{\"reason\":\"DeviceTokenNotForTopic\"}", "HTTP 400 DeviceTokenNotForTopic"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct http_judgement got = judge(ROWS[i].status, ROWS[i].body, false);
        assert_int_equal(got.verdict, VERDICT_PERMANENT);
        assert_true(got.is_about_recipient);
        assert_false(got.is_down);
        assert_string_equal(got.reason, ROWS[i].reason);
    }
}

static void http_judge__same_word_from_a_server_in_trouble__is_temporary(void **state)
{
    (void)state;
    struct http_judgement got = judge(503, UNREGISTERED, true);
    assert_int_equal(got.verdict, VERDICT_TEMPORARY);
    assert_false(got.is_about_recipient);
}

static void http_judge__message_that_repeats_a_secret__is_left_out(void **state)
{
    (void)state;
    const struct http_answer answer = {
        .status = 400,
        .body = SLICE_LITERAL("{\"reason\":\"tok-en\",\"message\":\"no device tok-en here\"}"),
        .secrets = {{NULL, 0}, SLICE_LITERAL("tok-en")}};
    struct http_judgement got;
    http_judge(&answer, &got);
    assert_string_equal(got.reason, "HTTP 400");
}

static void http_judge__bodies_that_are_no_json_or_hostile__give_one_clean_line(void **state)
{
    static const char *const BODIES[] = {"<html>",
                                         "{\"reason\":\"two words\"}",
                                         "{\"reason\":7}",
                                         "{\"error\":",
                                         "[[[[[[[[[[{\"reason\":\"deep\"}]]]]]]]]]]",
                                         "\"text\"",
                                         "null"};
    (void)state;
    for (size_t i = 0; i < sizeof BODIES / sizeof BODIES[0]; i++) {
        assert_string_equal(judge(400, BODIES[i], true).reason, "HTTP 400");
    }
    char body[HTTP_ANSWER_KEPT_BYTES] = "{\"message\":\"";
    memset(body + 12, 'x', 2000);
    (void)snprintf(body + 2012, sizeof body - 2012, "\\u0007\"}");
    struct http_judgement got = judge(400, body, true);
    assert_in_range(strlen(got.reason), 200, TRANSPORT_REASON_BYTES - 1);
    assert_string_equal(judge(400, "{\"message\":\"a\\u0007\\u0085b\"}", true).reason,
                        "HTTP 400: a  b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_judge__every_kind_of_status__has_its_verdict),
        cmocka_unit_test(http_judge__url_that_never_worked__costs_nobody_an_attempt),
        cmocka_unit_test(http_judge__word_that_names_the_recipient__is_permanent_and_about_them),
        cmocka_unit_test(http_judge__same_word_from_a_server_in_trouble__is_temporary),
        cmocka_unit_test(http_judge__message_that_repeats_a_secret__is_left_out),
        cmocka_unit_test(http_judge__bodies_that_are_no_json_or_hostile__give_one_clean_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
