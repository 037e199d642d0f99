/*
 * http_session - every message gets one verdict, and the right one, whatever the peer does
 *
 * The peer is a server session of nghttp2; what it does with a request is in `act`.
 */
#include "unit/sys/support.h"

#include "channel/http_session.h"

#define SECOND ((int64_t)1000000000)

enum { VERDICTS_MAX = 200, STREAMS_MAX = 200, BODY_BYTES = 2000 };

enum act { ANSWER, KEEP_SILENT, RESET, REFUSE };

struct scene {
    struct http http;
    struct http_peer peer;
    struct http_session session;
    nghttp2_session *server;
    nghttp2_session_callbacks *callbacks;
    enum act act;
    const char *status;
    const char *field; /* one more of the answer: "retry-after: 7"; NULL */
    int32_t asked[STREAMS_MAX];
    size_t asked_count;
    char path[256];
    char key[256];
    size_t body_bytes;

    struct verdict_report told[VERDICTS_MAX];
    char texts[VERDICTS_MAX][200];
    size_t count;
    char paused[200];
    int64_t pause_ns;
    int64_t now;
    struct err err;
};

/* ---- what the session tells ---- */

static void told(void *ctx, const struct verdict_report *report)
{
    struct scene *scene = ctx;
    assert_true(scene->count < VERDICTS_MAX);
    (void)snprintf(scene->texts[scene->count], sizeof scene->texts[0], "%.*s",
                   (int)report->text.len, report->text.ptr);
    scene->told[scene->count++] = *report;
}

static void paused(void *ctx, const char *reason, int64_t pause_ns)
{
    struct scene *scene = ctx;
    (void)snprintf(scene->paused, sizeof scene->paused, "%s", reason);
    scene->pause_ns = pause_ns;
    http_peer_begin_anew(&scene->peer);
}

static void proven(void *ctx)
{
    ((struct scene *)ctx)->paused[0] = '\0';
}

/* ---- the peer ---- */

static nghttp2_nv pair(const char *name, const char *value)
{
    return http_field(name, slice_of(value), NGHTTP2_NV_FLAG_NONE);
}

static void answer(struct scene *scene, int32_t stream)
{
    char name[64] = "x";
    const char *value = "y";
    if (scene->field != NULL) {
        size_t len = strcspn(scene->field, ":");
        (void)snprintf(name, sizeof name, "%.*s", (int)len, scene->field);
        value = scene->field + len + 2;
    }
    const nghttp2_nv fields[] = {pair(":status", scene->status), pair(name, value)};
    assert_int_equal(nghttp2_submit_response(scene->server, stream, fields, 2, NULL), 0);
}

static int on_request_field(nghttp2_session *server, const nghttp2_frame *frame,
                            const uint8_t *name, size_t name_len, const uint8_t *value,
                            size_t value_len, uint8_t flags, void *ctx)
{
    struct scene *scene = ctx;
    const char *what = (const char *)name;
    (void)server;
    (void)frame;
    (void)name_len;
    (void)value_len;
    (void)flags;
    if (strcmp(what, ":path") == 0) {
        (void)snprintf(scene->path, sizeof scene->path, "%s", (const char *)value);
    } else if (strcmp(what, "idempotency-key") == 0) {
        (void)snprintf(scene->key, sizeof scene->key, "%s", (const char *)value);
    }
    return 0;
}

static int on_request_data(nghttp2_session *server, uint8_t flags, int32_t stream,
                           const uint8_t *bytes, size_t len, void *ctx)
{
    (void)server;
    (void)flags;
    (void)stream;
    (void)bytes;
    ((struct scene *)ctx)->body_bytes += len;
    return 0;
}

static int on_request(nghttp2_session *server, const nghttp2_frame *frame, void *ctx)
{
    struct scene *scene = ctx;
    if ((frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) ||
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
        return 0;
    }
    assert_true(scene->asked_count < STREAMS_MAX);
    scene->asked[scene->asked_count++] = frame->hd.stream_id;
    if (scene->act == ANSWER) {
        answer(scene, frame->hd.stream_id);
    } else if (scene->act != KEEP_SILENT) {
        (void)nghttp2_submit_rst_stream(server, 0, frame->hd.stream_id,
                                        scene->act == REFUSE ? NGHTTP2_REFUSED_STREAM
                                                             : NGHTTP2_INTERNAL_ERROR);
    }
    return 0;
}

/* window: so much of a body is taken, and no more; 0: all */
static void open_server(struct scene *scene, uint32_t streams, uint32_t window)
{
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams},
                                               {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window}};
    nghttp2_option *option = NULL;
    assert_int_equal(nghttp2_option_new(&option), 0);
    nghttp2_option_set_no_auto_window_update(option, window > 0);
    assert_int_equal(nghttp2_session_callbacks_new(&scene->callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(scene->callbacks, on_request_field);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(scene->callbacks, on_request_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(scene->callbacks, on_request);
    assert_int_equal(nghttp2_session_server_new2(&scene->server, scene->callbacks, scene, option),
                     0);
    assert_int_equal(nghttp2_submit_settings(scene->server, 0, settings, window > 0 ? 2 : 1), 0);
    nghttp2_option_del(option);
}

/* ---- bytes to and fro ---- */

/* As far as `most` bytes of the session reach the peer. */
static enum rc say(struct scene *scene, size_t most)
{
    struct slice out = SLICE_LITERAL("");
    enum rc rc = http_session_output(&scene->session, &out, &scene->err);
    size_t count = out.len < most ? out.len : most;
    if (rc == RC_OK && count > 0) {
        assert_true(nghttp2_session_mem_recv(scene->server, (const uint8_t *)out.ptr, count) >= 0);
        http_session_wrote(&scene->session, count);
    }
    return rc;
}

static enum rc hear(struct scene *scene)
{
    const uint8_t *bytes = NULL;
    ssize_t len = 0;
    enum rc rc = RC_OK;
    while (rc == RC_OK && (len = nghttp2_session_mem_send(scene->server, &bytes)) > 0) {
        struct slice some = {(const char *)bytes, (size_t)len};
        rc = http_session_feed(&scene->session, some, &scene->err);
    }
    return rc;
}

static enum rc talk(struct scene *scene)
{
    enum rc rc = say(scene, SIZE_MAX);
    rc = rc == RC_OK ? hear(scene) : rc;
    rc = rc == RC_OK ? say(scene, SIZE_MAX) : rc;
    return rc == RC_OK ? hear(scene) : rc;
}

static struct scene *open_scene_with(uint32_t streams, uint32_t window)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    scene->status = "200";
    scene->now = SECOND;
    scene->http.url = strdup("https://push.example/3/device?x=1");
    scene->http.path_at = strlen("https://push.example");
    scene->http.timeout_ns = 5 * SECOND;
    scene->http.own = curl_slist_append(NULL, "Content-Type: application/json");
    scene->http.own = curl_slist_append(scene->http.own, "Upgrade: no");
    (void)snprintf(scene->http.authority, sizeof scene->http.authority, "push.example");
    scene->peer.told = told;
    scene->peer.pause = paused;
    scene->peer.proven = proven;
    scene->peer.ctx = scene;
    assert_int_equal(http_peer_open(&scene->peer, &scene->http, &scene->err), RC_OK);
    open_server(scene, streams, window);
    http_session_begin(&scene->session, &scene->peer, true, scene->now);
    return scene;
}

static struct scene *open_scene(uint32_t streams)
{
    return open_scene_with(streams, 0);
}

static void close_scene(struct scene *scene)
{
    http_session_end(&scene->session, "the end");
    http_session_release(&scene->session);
    http_peer_release(&scene->peer);
    nghttp2_session_del(scene->server);
    nghttp2_session_callbacks_del(scene->callbacks);
    curl_slist_free_all(scene->http.own);
    free(scene->http.url);
    free(scene);
}

static void offer(struct scene *scene, uint64_t number)
{
    static char body[BODY_BYTES];
    const struct outgoing message = {.number = number,
                                     .to = SLICE_LITERAL("token"),
                                     .bytes = {body, sizeof body},
                                     .unique = "a.1.7"};
    assert_true(http_session_has_room(&scene->session));
    assert_int_equal(http_session_offer(&scene->session, &message, scene->now, &scene->err), RC_OK);
}

/* One was answered: others may go. */
static void prove(struct scene *scene)
{
    assert_int_equal(talk(scene), RC_OK);
    offer(scene, 1000);
    assert_int_equal(talk(scene), RC_OK);
    assert_int_equal(scene->count, 1);
    assert_int_equal(scene->told[0].verdict, VERDICT_SENT);
    scene->count = 0;
}

static void check(const struct scene *scene, size_t at, uint64_t number, enum verdict verdict)
{
    assert_true(at < scene->count);
    assert_int_equal(scene->told[at].number, number);
    assert_int_equal(scene->told[at].verdict, verdict);
}

/* ---- the tests ---- */

static void http_session__settings_have_not_come__nothing_is_asked(void **state)
{
    struct scene *scene = open_scene(100);
    (void)state;
    assert_false(http_session_has_room(&scene->session));
    assert_int_equal(http_session_deadline_ns(&scene->session), 6 * SECOND);
    assert_int_equal(http_session_tick(&scene->session, 5 * SECOND, &scene->err), RC_OK);
    assert_int_equal(http_session_tick(&scene->session, 6 * SECOND, &scene->err), RC_TEMP);
    assert_int_equal(talk(scene), RC_OK);
    assert_true(http_session_has_room(&scene->session));
    close_scene(scene);
}

static void http_session__a_request__carries_path_key_and_the_whole_body(void **state)
{
    struct scene *scene = open_scene(100);
    (void)state;
    prove(scene);
    assert_string_equal(scene->path, "/3/device?x=1");
    assert_string_equal(scene->key, "a.1.7");
    assert_int_equal(scene->body_bytes, BODY_BYTES);
    close_scene(scene);
}

static void http_session__first_request__is_alone_until_it_is_answered(void **state)
{
    struct scene *scene = open_scene(100);
    (void)state;
    assert_int_equal(talk(scene), RC_OK);
    offer(scene, 1);
    assert_false(http_session_has_room(&scene->session));
    assert_int_equal(talk(scene), RC_OK);
    check(scene, 0, 1, VERDICT_SENT);
    for (uint64_t n = 2; n <= 101; n++) {
        offer(scene, n);
    }
    assert_false(http_session_has_room(&scene->session)); /* a hundred streams */
    assert_int_equal(talk(scene), RC_OK);
    assert_int_equal(talk(scene), RC_OK); /* the peer's window is smaller than all bodies */
    assert_int_equal(talk(scene), RC_OK);
    assert_int_equal(scene->count, 101);
    assert_true(http_session_has_room(&scene->session));
    close_scene(scene);
}

static void http_session__peer_allows_few_streams__no_more_are_begun(void **state)
{
    struct scene *scene = open_scene(2);
    (void)state;
    prove(scene);
    offer(scene, 1);
    offer(scene, 2);
    assert_false(http_session_has_room(&scene->session));
    close_scene(scene);
}

static void http_session__refused_stream__is_untried_and_the_next_one_is_alone(void **state)
{
    struct scene *scene = open_scene(100);
    (void)state;
    prove(scene);
    scene->act = REFUSE;
    offer(scene, 1);
    assert_int_equal(talk(scene), RC_OK);
    check(scene, 0, 1, VERDICT_UNTRIED);
    assert_string_equal(scene->paused, "");
    offer(scene, 2); /* and refused as the first one: the transport pauses */
    assert_false(http_session_has_room(&scene->session));
    assert_int_equal(talk(scene), RC_OK);
    check(scene, 1, 2, VERDICT_UNTRIED);
    assert_string_equal(scene->paused, "the peer refused the request unprocessed");
    close_scene(scene);
}

static void http_session__reset_stream__is_uncertain(void **state)
{
    struct scene *scene = open_scene(100);
    (void)state;
    prove(scene);
    scene->act = RESET;
    offer(scene, 1);
    assert_int_equal(talk(scene), RC_OK);
    check(scene, 0, 1, VERDICT_UNCERTAIN);
    assert_string_equal(scene->texts[0],
                        "HTTP/2 stream 3 was not closed cleanly: INTERNAL_ERROR (err 2)");
    close_scene(scene);
}

static void http_session__goaway__above_its_last_stream_all_are_untried(void **state)
{
    struct scene *scene = open_scene(100);
    (void)state;
    prove(scene);
    scene->act = KEEP_SILENT;
    for (uint64_t n = 1; n <= 3; n++) {
        offer(scene, n); /* streams 3, 5, 7 */
    }
    assert_int_equal(say(scene, SIZE_MAX), RC_OK);
    assert_int_equal(nghttp2_submit_goaway(scene->server, 0, 5, NGHTTP2_NO_ERROR, NULL, 0), 0);
    answer(scene, 3);
    assert_int_equal(hear(scene), RC_OK);
    assert_int_equal(scene->count, 2);
    assert_false(http_session_has_room(&scene->session));
    assert_false(http_session_is_over(&scene->session)); /* 5 may be answered yet */
    check(scene, 0, 3, VERDICT_UNTRIED);
    check(scene, 1, 1, VERDICT_SENT);
    answer(scene, 5);
    assert_int_equal(hear(scene), RC_OK);
    check(scene, 2, 2, VERDICT_SENT);
    assert_int_equal(say(scene, SIZE_MAX), RC_OK);
    assert_true(http_session_is_over(&scene->session));
    close_scene(scene);
}

static void http_session__goaway_that_answered_nobody__is_a_failure_of_the_connection(void **state)
{
    struct scene *scene = open_scene(100);
    (void)state;
    assert_int_equal(talk(scene), RC_OK);
    assert_int_equal(nghttp2_submit_goaway(scene->server, 0, 0, NGHTTP2_ENHANCE_YOUR_CALM, NULL, 0),
                     0);
    assert_int_equal(hear(scene), RC_TEMP);
    assert_string_equal(scene->err.text, "the peer said GOAWAY: ENHANCE_YOUR_CALM");
    close_scene(scene);
}

static void http_session__connection_lost__who_has_wholly_left_is_uncertain(void **state)
{
    struct scene *scene = open_scene(100);
    struct slice out;
    (void)state;
    prove(scene);
    scene->act = KEEP_SILENT;
    offer(scene, 1);
    offer(scene, 2);
    assert_int_equal(http_session_output(&scene->session, &out, &scene->err), RC_OK);
    assert_int_equal(say(scene, out.len - 1), RC_OK); /* but for a byte of the second one's body */
    http_session_end(&scene->session, "lost");
    assert_int_equal(scene->count, 2);
    check(scene, 0, 1, VERDICT_UNCERTAIN);
    check(scene, 1, 2, VERDICT_UNTRIED);
    assert_false(scene->peer.is_proven);
    close_scene(scene);
}

static void http_session__no_answer_in_time__is_uncertain_and_others_keep_their_hope(void **state)
{
    struct scene *scene = open_scene(100);
    (void)state;
    prove(scene);
    scene->act = KEEP_SILENT;
    offer(scene, 1);
    scene->now += 2 * SECOND;
    offer(scene, 2);
    assert_int_equal(talk(scene), RC_OK);
    assert_int_equal(http_session_deadline_ns(&scene->session), 6 * SECOND);
    assert_int_equal(http_session_tick(&scene->session, 6 * SECOND, &scene->err), RC_OK);
    assert_int_equal(scene->count, 1);
    check(scene, 0, 1, VERDICT_UNCERTAIN);
    assert_string_equal(scene->paused, "no answer in time");
    assert_int_equal(http_session_deadline_ns(&scene->session), 8 * SECOND);
    assert_false(http_session_has_room(&scene->session));
    answer(scene, 5);
    assert_int_equal(talk(scene), RC_OK);
    check(scene, 1, 2, VERDICT_SENT);
    assert_true(http_session_is_over(&scene->session));
    close_scene(scene);
}

static void http_session__answered_before_all_was_asked__has_its_verdict(void **state)
{
    struct scene *scene = open_scene_with(100, BODY_BYTES / 2);
    (void)state;
    scene->status = "413";
    assert_int_equal(talk(scene), RC_OK);
    offer(scene, 1);
    assert_int_equal(talk(scene), RC_OK);
    assert_int_equal(scene->body_bytes, BODY_BYTES / 2);
    assert_int_equal(scene->count, 0);
    answer(scene, 1);
    assert_int_equal(hear(scene), RC_OK);
    assert_int_equal(say(scene, SIZE_MAX), RC_OK);
    check(scene, 0, 1, VERDICT_PERMANENT);
    assert_int_equal(scene->told[0].code, 413);
    close_scene(scene);
}

static void http_session__peer_takes_no_more_of_a_body__is_untried_in_the_end(void **state)
{
    struct scene *scene = open_scene_with(100, BODY_BYTES / 2);
    (void)state;
    assert_int_equal(talk(scene), RC_OK);
    offer(scene, 1);
    assert_int_equal(talk(scene), RC_OK);
    assert_int_equal(http_session_tick(&scene->session, 6 * SECOND, &scene->err), RC_OK);
    check(scene, 0, 1, VERDICT_UNTRIED);
    assert_string_equal(scene->paused, "no answer in time");
    assert_int_equal(say(scene, SIZE_MAX), RC_OK);
    assert_true(http_session_is_over(&scene->session));
    close_scene(scene);
}

static void http_session__retry_after__is_how_long_the_transport_pauses(void **state)
{
    static const struct {
        const char *field;
        int64_t pause_s;
    } ROWS[] = {{"retry-after: 7", 7},
                {"retry-after: 99999999999999999999", 3600},
                {"retry-after: Thu, 01 Jan 1970 00:00:00 GMT", 0},
                {"retry-after: Fri, 01 Jan 2100 00:00:00 GMT", 3600},
                {"retry-after: soon", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct scene *scene = open_scene(100);
        prove(scene);
        scene->status = "429";
        scene->field = ROWS[i].field;
        offer(scene, 1);
        assert_int_equal(talk(scene), RC_OK);
        check(scene, 0, 1, VERDICT_TEMPORARY);
        assert_string_equal(scene->paused, "HTTP 429");
        assert_int_equal(scene->pause_ns, ROWS[i].pause_s * SECOND);
        close_scene(scene);
    }
}

static void http_session__what_is_no_http2__ends_the_session(void **state)
{
    struct scene *scene = open_scene(100);
    const struct slice words = SLICE_LITERAL("HTTP/1.1 400 Bad Request\r\n\r\n");
    struct slice out;
    (void)state;
    assert_int_equal(http_session_output(&scene->session, &out, &scene->err), RC_OK);
    http_session_wrote(&scene->session, out.len);
    enum rc rc = http_session_feed(&scene->session, words, &scene->err);
    if (rc == RC_OK) { /* nghttp2 says GOAWAY and has no more to say */
        assert_int_equal(http_session_output(&scene->session, &out, &scene->err), RC_OK);
        http_session_wrote(&scene->session, out.len);
        assert_true(http_session_is_over(&scene->session));
    }
    assert_false(http_session_has_room(&scene->session));
    close_scene(scene);
}

static void http_session__leave__waits_for_answers_and_says_goodbye(void **state)
{
    struct scene *scene = open_scene(100);
    (void)state;
    prove(scene);
    scene->act = KEEP_SILENT;
    offer(scene, 1);
    assert_int_equal(talk(scene), RC_OK);
    scene->session.is_leaving = true;
    assert_int_equal(talk(scene), RC_OK);
    assert_false(http_session_is_over(&scene->session));
    answer(scene, 3);
    assert_int_equal(hear(scene), RC_OK);
    check(scene, 0, 1, VERDICT_SENT);
    assert_int_equal(say(scene, SIZE_MAX), RC_OK);
    assert_true(http_session_is_over(&scene->session));
    close_scene(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_session__settings_have_not_come__nothing_is_asked),
        cmocka_unit_test(http_session__a_request__carries_path_key_and_the_whole_body),
        cmocka_unit_test(http_session__first_request__is_alone_until_it_is_answered),
        cmocka_unit_test(http_session__peer_allows_few_streams__no_more_are_begun),
        cmocka_unit_test(http_session__refused_stream__is_untried_and_the_next_one_is_alone),
        cmocka_unit_test(http_session__reset_stream__is_uncertain),
        cmocka_unit_test(http_session__goaway__above_its_last_stream_all_are_untried),
        cmocka_unit_test(http_session__goaway_that_answered_nobody__is_a_failure_of_the_connection),
        cmocka_unit_test(http_session__connection_lost__who_has_wholly_left_is_uncertain),
        cmocka_unit_test(http_session__no_answer_in_time__is_uncertain_and_others_keep_their_hope),
        cmocka_unit_test(http_session__answered_before_all_was_asked__has_its_verdict),
        cmocka_unit_test(http_session__peer_takes_no_more_of_a_body__is_untried_in_the_end),
        cmocka_unit_test(http_session__retry_after__is_how_long_the_transport_pauses),
        cmocka_unit_test(http_session__what_is_no_http2__ends_the_session),
        cmocka_unit_test(http_session__leave__waits_for_answers_and_says_goodbye),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
