/*
 * http_session - the conversation: SETTINGS, frames in and out, GOAWAY, time
 */
#include "channel/http_session.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>

/* ---- what sessions share ---- */

static void add_field(struct http_peer *peer, const char *name, const char *value)
{
    assert(peer->field_count < HTTP_FIELDS_MAX);
    peer->fields[peer->field_count++] = http_field(
        name, slice_of(value), NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

/* Those that speak of a connection are none of HTTP/2's (RFC 9113 8.2.2). */
static bool is_for_http1(const char *name)
{
    static const char *const names[] = {"keep-alive", "proxy-connection", "te", "upgrade",
                                        "expect"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void add_configured(struct http_peer *peer, const char *header, char *name)
{
    size_t len = strcspn(header, ":");
    for (size_t i = 0; i < len; i++) {
        name[i] = (char)tolower((unsigned char)header[i]);
    }
    name[len] = '\0';
    const char *value = header + len + 1;
    value += strspn(value, " ");
    if (!is_for_http1(name) && value[0] != '\0') {
        add_field(peer, name, value);
    }
}

static enum rc make_fields(struct http_peer *peer, struct err *err)
{
    size_t room = 0;
    for (const struct curl_slist *at = peer->http->own; at != NULL; at = at->next) {
        room += strlen(at->data) + 1;
    }
    if (!buf_reserve(&peer->names, room)) {
        return buf_ok(&peer->names, err);
    }
    add_field(peer, ":method", "POST");
    add_field(peer, ":scheme", "https");
    add_field(peer, ":authority", peer->http->authority);
    static_assert(HTTP_FIELD_PATH == 3, "the fourth field");
    add_field(peer, ":path", peer->http->url + peer->http->path_at);
    peer->fields[HTTP_FIELD_PATH].flags = NGHTTP2_NV_FLAG_NO_COPY_NAME;
    char *name = peer->names.ptr; /* it has room for all, and stays where it is */
    for (const struct curl_slist *at = peer->http->own; at != NULL; at = at->next) {
        add_configured(peer, at->data, name);
        name += strlen(name) + 1;
    }
    return RC_OK;
}

enum rc http_peer_open(struct http_peer *peer, struct http *http, struct err *err)
{
    peer->http = http;
    peer->generation = 1;
    enum rc rc = make_fields(peer, err);
    return rc == RC_OK ? http_exchange_callbacks(&peer->callbacks, err) : rc;
}

void http_peer_release(struct http_peer *peer)
{
    nghttp2_session_callbacks_del(peer->callbacks);
    buf_release(&peer->names);
    buf_release(&peer->url);
}

void http_peer_begin_anew(struct http_peer *peer)
{
    peer->generation++;
    peer->flying = 0;
    peer->is_proven = false;
}

/* ---- begin and end ---- */

void http_session_begin(struct http_session *session, struct http_peer *peer, bool is_h2,
                        int64_t now_ns)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0}, /* of theirs: there are none */
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP_ANSWER_BYTES_MAX}};
    assert(session->h2 == NULL && session->out.ptr == NULL);
    session->peer = peer;
    session->out_at = 0;
    session->made = session->written = 0;
    session->made_whole = NULL;
    session->begun_ns = now_ns;
    session->look_ns = INT64_MAX;
    session->is_set_up = session->is_draining = session->is_leaving = false;
    session->is_goodbye = session->has_judged = false;
    session->flying = 0;
    for (unsigned int i = 0; i < HTTP_STREAMS_A_CONNECTION; i++) {
        session->unused[i] = HTTP_STREAMS_A_CONNECTION - 1 - i;
    }
    session->is_h2 = is_h2;
    if (!is_h2 || nghttp2_session_client_new(&session->h2, peer->callbacks, session) != 0) {
        session->h2 = NULL;
        return; /* feed and output say so */
    }
    (void)nghttp2_submit_settings(session->h2, NGHTTP2_FLAG_NONE, settings,
                                  sizeof settings / sizeof settings[0]);
}

void http_session_end(struct http_session *session, const char *reason)
{
    struct http_peer *peer = session->peer;
    for (size_t i = 0; i < HTTP_STREAMS_A_CONNECTION; i++) {
        struct http_flight *flight = &session->flights[i];
        if (flight->stream != 0) {
            bool has_left = http_flight_has_left(session, flight);
            if (flight->generation == peer->generation) {
                http_peer_begin_anew(peer);
            }
            http_flight_end(session, flight, has_left ? VERDICT_UNCERTAIN : VERDICT_UNTRIED,
                            reason);
        }
    }
}

void http_session_release(struct http_session *session)
{
    nghttp2_session_del(session->h2);
    session->h2 = NULL;
    for (size_t i = 0; i < HTTP_STREAMS_A_CONNECTION; i++) {
        buf_release(&session->flights[i].answer);
        session->flights[i].stream = 0;
    }
    buf_release(&session->out);
}

/* ---- in ---- */

static enum rc is_open(const struct http_session *session, struct err *err)
{
    if (!session->is_h2) {
        return err_set(err, RC_TEMP, "the peer speaks no HTTP/2 on this connection");
    }
    return session->h2 != NULL ? RC_OK : err_set(err, RC_NOMEM, "no memory for HTTP/2");
}

enum rc http_session_feed(struct http_session *session, struct slice bytes, struct err *err)
{
    enum rc rc = is_open(session, err);
    if (rc != RC_OK) {
        return rc;
    }
    ssize_t used = nghttp2_session_mem_recv(session->h2, (const uint8_t *)bytes.ptr, bytes.len);
    if (used < 0) {
        return err_set(err, RC_TEMP, "HTTP/2: %s", nghttp2_strerror((int)used));
    }
    if (session->is_draining && session->flying == 0 && !session->has_judged &&
        !session->is_leaving) {
        return err_set(err, RC_TEMP, "%s", session->goaway); /* it answered nobody */
    }
    return RC_OK;
}

/* ---- out ---- */

static bool is_said(const struct http_session *session)
{
    return session->flying == 0 && (session->is_leaving || session->is_draining);
}

static void note_whole(struct http_session *session)
{
    if (session->made_whole != NULL) {
        session->made_whole->end_bytes = session->made;
        session->made_whole = NULL;
    }
}

static enum rc make_frames(struct http_session *session, struct err *err)
{
    const uint8_t *bytes = NULL;
    ssize_t len = 1;
    if (is_said(session) && !session->is_goodbye) {
        session->is_goodbye = true;
        (void)nghttp2_session_terminate_session(session->h2, NGHTTP2_NO_ERROR);
    }
    while (len > 0) {
        len = nghttp2_session_mem_send(session->h2, &bytes);
        if (len > 0) {
            buf_add(&session->out, bytes, (size_t)len);
            session->made += (uint64_t)len;
            note_whole(session);
        }
    }
    return len == 0 ? buf_ok(&session->out, err)
                    : err_set(err, RC_TEMP, "HTTP/2: %s", nghttp2_strerror((int)len));
}

enum rc http_session_output(struct http_session *session, struct slice *out, struct err *err)
{
    enum rc rc = is_open(session, err);
    rc = rc == RC_OK ? make_frames(session, err) : rc;
    *out = (struct slice){session->out.ptr + (rc == RC_OK ? session->out_at : 0),
                          rc == RC_OK ? session->out.len - session->out_at : 0};
    return rc;
}

void http_session_wrote(struct http_session *session, size_t count)
{
    assert(count <= session->out.len - session->out_at);
    session->out_at += count;
    session->written += count;
    if (session->out_at == session->out.len) {
        buf_clear(&session->out);
        session->out_at = 0;
    }
}

bool http_session_is_over(const struct http_session *session)
{
    if (session->h2 == NULL) {
        return false;
    }
    bool is_written = session->out.len == session->out_at;
    bool has_ended =
        nghttp2_session_want_read(session->h2) == 0 && nghttp2_session_want_write(session->h2) == 0;
    return is_written && (session->is_goodbye || has_ended);
}

bool http_session_has_room(const struct http_session *session)
{
    const struct http_peer *peer = session->peer;
    if (session->h2 == NULL || !session->is_set_up || session->is_draining || session->is_leaving ||
        (!peer->is_proven && peer->flying > 0)) {
        return false;
    }
    uint32_t most =
        nghttp2_session_get_remote_settings(session->h2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    most = most < HTTP_STREAMS_A_CONNECTION ? most : HTTP_STREAMS_A_CONNECTION;
    return session->flying < most && nghttp2_session_check_request_allowed(session->h2) != 0;
}

/* ---- time ---- */

int64_t http_session_deadline_ns(const struct http_session *session)
{
    return session->is_set_up ? session->look_ns
                              : session->begun_ns + session->peer->http->timeout_ns;
}

static void give_up(struct http_session *session, struct http_flight *flight)
{
    struct http_peer *peer = session->peer;
    bool has_left = http_flight_has_left(session, flight);
    (void)nghttp2_submit_rst_stream(session->h2, NGHTTP2_FLAG_NONE, flight->stream, NGHTTP2_CANCEL);
    session->is_leaving = true; /* it is not trusted any more */
    if (flight->generation == peer->generation) {
        peer->pause(peer->ctx, "no answer in time", 0);
    }
    http_flight_end(session, flight, has_left ? VERDICT_UNCERTAIN : VERDICT_UNTRIED,
                    "no answer in time");
}

enum rc http_session_tick(struct http_session *session, int64_t now_ns, struct err *err)
{
    if (!session->is_set_up) {
        return now_ns < http_session_deadline_ns(session)
                   ? RC_OK
                   : err_set(err, RC_TEMP, "no answer in time: waited for SETTINGS");
    }
    session->look_ns = INT64_MAX;
    for (size_t i = 0; i < HTTP_STREAMS_A_CONNECTION; i++) {
        struct http_flight *flight = &session->flights[i];
        int64_t late_ns = flight->begun_ns + session->peer->http->timeout_ns;
        if (flight->stream != 0 && now_ns >= late_ns) {
            give_up(session, flight);
        } else if (flight->stream != 0 && late_ns < session->look_ns) {
            session->look_ns = late_ns;
        }
    }
    return RC_OK;
}
