/*
 * http_exchange - requests into streams, answers into verdicts
 */
#include "channel/http_session.h"

#include "base/number.h"
#include "sys/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define NS_PER_SECOND ((int64_t)1000000000)

enum { PAUSE_S_MAX = 3600, LENGTH_BYTES = 24 };

/* ---- the end of a request ---- */

bool http_flight_has_left(const struct http_session *session, const struct http_flight *flight)
{
    return flight->end_bytes != 0 && session->written >= flight->end_bytes;
}

/* Nothing of its message is needed any more. */
static void free_flight(struct http_session *session, struct http_flight *flight)
{
    struct http_peer *peer = session->peer;
    if (session->h2 != NULL) {
        (void)nghttp2_session_set_stream_user_data(session->h2, flight->stream, NULL);
    }
    peer->flying -= flight->generation == peer->generation ? 1 : 0;
    flight->stream = 0;
    session->unused[HTTP_STREAMS_A_CONNECTION - session->flying] =
        (unsigned int)(flight - session->flights);
    session->flying--;
}

static void tell(const struct http_session *session, uint64_t number, struct verdict_report *report)
{
    report->number = number;
    session->peer->told(session->peer->ctx, report);
}

void http_flight_end(struct http_session *session, struct http_flight *flight, enum verdict verdict,
                     const char *text)
{
    struct verdict_report report = {.verdict = verdict, .text = slice_of(text)};
    uint64_t number = flight->message.number;
    free_flight(session, flight);
    tell(session, number, &report);
}

static void judge(struct http_session *session, const struct http_flight *flight,
                  struct http_judgement *out)
{
    const struct http *http = session->peer->http;
    struct http_answer answer = {.status = flight->status,
                                 .body = buf_slice(&flight->answer),
                                 .has_worked = http->has_worked,
                                 .secrets = {flight->message.to}};
    if (http->token != NULL) {
        answer.secrets[1] = slice_of(strrchr(http->token, ' ') + 1);
    }
    http_judge(&answer, out);
}

static void prove(struct http_session *session)
{
    struct http_peer *peer = session->peer;
    session->has_judged = true;
    if (!peer->is_proven) {
        peer->is_proven = true;
        peer->proven(peer->ctx);
    }
}

static void answered(struct http_session *session, struct http_flight *flight)
{
    struct http_peer *peer = session->peer;
    struct http_judgement judgement;
    judge(session, flight, &judgement);
    int64_t pause_s = flight->status >= 400 ? flight->retry_after_s : 0;
    bool is_present = flight->generation == peer->generation;
    uint64_t number = flight->message.number;
    struct verdict_report report = {.verdict = judgement.verdict,
                                    .code = flight->status,
                                    .is_about_recipient = judgement.is_about_recipient,
                                    .text = slice_of(judgement.reason)};
    peer->http->has_worked = peer->http->has_worked || judgement.verdict == VERDICT_SENT;
    if (flight->status == 401) {
        peer->http->token_looked_ns = 0; /* a new one may be there */
    }
    free_flight(session, flight);
    if (is_present && (judgement.is_down || pause_s > 0)) {
        peer->pause(peer->ctx, judgement.reason, pause_s * NS_PER_SECOND);
    } else if (is_present) {
        prove(session);
    }
    tell(session, number, &report);
}

/* A peer that does so with every request is not asked again and again at once. */
static void not_answered(struct http_session *session, struct http_flight *flight,
                         enum verdict verdict, const char *text)
{
    struct http_peer *peer = session->peer;
    if (flight->generation == peer->generation && flight->is_first) {
        peer->pause(peer->ctx, text, 0);
    } else if (flight->generation == peer->generation) {
        http_peer_begin_anew(peer);
    }
    http_flight_end(session, flight, verdict, text);
}

static void refused(struct http_session *session, struct http_flight *flight)
{
    not_answered(session, flight, VERDICT_UNTRIED, "the peer refused the request unprocessed");
}

static void reset(struct http_session *session, struct http_flight *flight, uint32_t code)
{
    char text[TRANSPORT_REASON_BYTES];
    (void)snprintf(text, sizeof text, "HTTP/2 stream %d was not closed cleanly: %s (err %u)",
                   (int)flight->stream, nghttp2_http2_strerror(code), (unsigned int)code);
    bool has_left = http_flight_has_left(session, flight);
    not_answered(session, flight, has_left ? VERDICT_UNCERTAIN : VERDICT_UNTRIED, text);
}

/* ---- what nghttp2 calls ---- */

static struct http_flight *flight_of(nghttp2_session *h2, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(h2, stream);
}

static int on_stream_close(nghttp2_session *h2, int32_t stream, uint32_t code, void *ctx)
{
    struct http_session *session = ctx;
    struct http_flight *flight = flight_of(h2, stream);
    if (flight == NULL) {
        return 0;
    }
    if (flight->status >= 200) { /* its body may have broken off: that says no less */
        answered(session, flight);
    } else if (code == NGHTTP2_REFUSED_STREAM) {
        refused(session, flight);
    } else {
        reset(session, flight, code);
    }
    return 0;
}

/* A request that was made and may not be sent: they said GOAWAY meanwhile. */
static int on_frame_not_send(nghttp2_session *h2, const nghttp2_frame *frame, int code, void *ctx)
{
    struct http_session *session = ctx;
    (void)h2;
    (void)code;
    for (size_t i = 0; frame->hd.type == NGHTTP2_HEADERS && i < HTTP_STREAMS_A_CONNECTION; i++) {
        struct http_flight *flight = &session->flights[i];
        if (flight->stream != 0 && flight->stream == frame->hd.stream_id) {
            refused(session, flight);
        }
    }
    return 0;
}

/* Called while nghttp2 hands the frame's bytes over, before they are in session->out. */
static int on_frame_send(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
    struct http_session *session = ctx;
    bool is_last = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                   (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    struct http_flight *flight = is_last ? flight_of(h2, frame->hd.stream_id) : NULL;
    if (flight != NULL) {
        session->made_whole = flight;
    }
    return 0;
}

static int on_frame_recv(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
    struct http_session *session = ctx;
    if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
        session->is_set_up = true;
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        session->is_draining = true;
        (void)snprintf(session->goaway, sizeof session->goaway, "the peer said GOAWAY: %s",
                       nghttp2_http2_strerror(frame->goaway.error_code));
    }
    struct http_flight *flight =
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 && frame->hd.type != NGHTTP2_SETTINGS
            ? flight_of(h2, frame->hd.stream_id)
            : NULL;
    if (flight != NULL && flight->end_bytes == 0) { /* answered before all of it was asked */
        (void)nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, flight->stream, NGHTTP2_CANCEL);
    }
    return 0;
}

/* RFC 9110 10.2.3: seconds, or a date */
static int64_t retry_after_s(const char *text)
{
    uint64_t seconds = 0;
    enum rc rc = number_parse_u64(slice_of(text), PAUSE_S_MAX, &seconds);
    if (rc == RC_OK || rc == RC_RANGE) {
        return rc == RC_OK ? (int64_t)seconds : PAUSE_S_MAX;
    }
    time_t at = curl_getdate(text, NULL);
    int64_t left = at < 0 ? 0 : (int64_t)at - clock_now_ns() / NS_PER_SECOND;
    return left < 0 ? 0 : left > PAUSE_S_MAX ? PAUSE_S_MAX : left;
}

/* nghttp2 ends names and values with a NUL. */
static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *ctx)
{
    struct http_flight *flight = flight_of(h2, frame->hd.stream_id);
    const struct slice what = {(const char *)name, name_len};
    uint64_t status = 0;
    (void)value_len;
    (void)flags;
    (void)ctx;
    if (flight == NULL) {
        return 0;
    }
    if (slice_equal(what, SLICE_LITERAL(":status"))) {
        /* nghttp2 has seen three digits (RFC 9113 8.3.2) */
        if (number_parse_u64(slice_of((const char *)value), 999, &status) == RC_OK) {
            flight->status = (int32_t)status;
        }
    } else if (slice_equal(what, SLICE_LITERAL("retry-after"))) {
        flight->retry_after_s = retry_after_s((const char *)value);
    }
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *bytes,
                   size_t len, void *ctx)
{
    struct http_flight *flight = flight_of(h2, stream);
    (void)flags;
    (void)ctx;
    if (flight == NULL) {
        return 0;
    }
    size_t room = HTTP_ANSWER_KEPT_BYTES - flight->answer.len;
    if (flight->status >= 300) { /* else nobody asks what it says */
        buf_add(&flight->answer, bytes, len < room ? len : room);
    }
    flight->answered += len;
    if (flight->answered > HTTP_ANSWER_BYTES_MAX) {
        (void)nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
    }
    return 0;
}

enum rc http_exchange_callbacks(nghttp2_session_callbacks **out, struct err *err)
{
    if (nghttp2_session_callbacks_new(out) != 0) {
        return err_set(err, RC_NOMEM, "no memory for HTTP/2");
    }
    nghttp2_session_callbacks_set_on_stream_close_callback(*out, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(*out, on_frame_not_send);
    nghttp2_session_callbacks_set_on_frame_send_callback(*out, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_recv_callback(*out, on_frame_recv);
    nghttp2_session_callbacks_set_on_header_callback(*out, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(*out, on_data);
    return RC_OK;
}

/* ---- a request ---- */

static ssize_t give_body(nghttp2_session *h2, int32_t stream, uint8_t *into, size_t room,
                         uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    struct http_flight *flight = flight_of(h2, stream);
    (void)source;
    (void)ctx;
    if (flight == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* it has its verdict: the stream goes */
    }
    const struct slice body = flight->message.bytes;
    size_t len = body.len - flight->given;
    len = len < room ? len : room;
    memcpy(into, body.ptr + flight->given, len);
    flight->given += len;
    if (flight->given == body.len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)len;
}

nghttp2_nv http_field(const char *name, struct slice value, uint8_t flags)
{
    return (nghttp2_nv){.name = (uint8_t *)name,
                        .value = (uint8_t *)value.ptr,
                        .namelen = strlen(name),
                        .valuelen = value.len,
                        .flags = flags};
}

static struct slice path_of(struct http_peer *peer, const struct outgoing *message, struct err *err,
                            enum rc *rc)
{
    const struct http *http = peer->http;
    struct slice url = slice_of(http->url);
    if (http->url_template != NULL) {
        *rc = http_url_make(http, message->to, &peer->url, err);
        url = buf_slice(&peer->url);
    }
    return *rc == RC_OK ? (struct slice){url.ptr + http->path_at, url.len - http->path_at}
                        : SLICE_LITERAL("/");
}

/* nghttp2 copies what is not marked. */
static enum rc submit(struct http_session *session, struct http_flight *flight, struct slice path,
                      struct err *err)
{
    const struct http_peer *peer = session->peer;
    const struct slice body = flight->message.bytes;
    nghttp2_data_provider provider = {.read_callback = give_body};
    nghttp2_nv fields[HTTP_FIELDS_MAX];
    char length[LENGTH_BYTES];
    size_t count = peer->field_count;
    (void)snprintf(length, sizeof length, "%zu", body.len);
    memcpy(fields, peer->fields, count * sizeof *fields);
    fields[HTTP_FIELD_PATH].value = (uint8_t *)path.ptr;
    fields[HTTP_FIELD_PATH].valuelen = path.len;
    fields[count++] = http_field("content-length", slice_of(length), NGHTTP2_NV_FLAG_NONE);
    fields[count++] = http_field("idempotency-key", slice_of(flight->message.unique),
                                 NGHTTP2_NV_FLAG_NO_INDEX); /* never the same */
    if (peer->http->token != NULL) {
        const char *value = strchr(peer->http->token, ' ') + 1;
        fields[count++] = http_field("authorization", slice_of(value), NGHTTP2_NV_FLAG_NONE);
    }
    int32_t stream = nghttp2_submit_request(session->h2, NULL, fields, count,
                                            body.len == 0 ? NULL : &provider, flight);
    if (stream < 0) {
        return err_set(err, RC_TEMP, "HTTP/2: %s", nghttp2_strerror(stream));
    }
    flight->stream = stream;
    return RC_OK;
}

enum rc http_session_offer(struct http_session *session, const struct outgoing *message,
                           int64_t now_ns, struct err *err)
{
    struct http_peer *peer = session->peer;
    struct err why = {""};
    enum rc rc = RC_OK;
    struct slice path = path_of(peer, message, &why, &rc);
    if (rc != RC_OK) {
        struct verdict_report report = {.verdict =
                                            rc == RC_PERM ? VERDICT_PERMANENT : VERDICT_UNTRIED,
                                        .is_about_recipient = rc == RC_PERM,
                                        .text = slice_of(why.text)};
        tell(session, message->number, &report);
        return rc == RC_PERM ? RC_OK : err_set(err, rc, "%s", why.text);
    }
    assert(session->flying < HTTP_STREAMS_A_CONNECTION);
    unsigned int place = session->unused[HTTP_STREAMS_A_CONNECTION - 1 - session->flying];
    struct http_flight *flight = &session->flights[place];
    struct buf answer = flight->answer; /* its memory serves again */
    buf_clear(&answer);
    *flight = (struct http_flight){.message = *message,
                                   .begun_ns = now_ns,
                                   .answer = answer,
                                   .is_first = !peer->is_proven,
                                   .generation = peer->generation};
    rc = submit(session, flight, path, err);
    if (rc != RC_OK) {
        struct verdict_report report = {.verdict = VERDICT_UNTRIED, .text = slice_of(err->text)};
        tell(session, message->number, &report);
        return rc;
    }
    session->flying++;
    peer->flying++;
    int64_t late_ns = now_ns + peer->http->timeout_ns;
    session->look_ns = late_ns < session->look_ns ? late_ns : session->look_ns;
    return RC_OK;
}
