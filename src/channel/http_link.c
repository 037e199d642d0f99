/*
 * http_link - the protocol that wires (channel/wires.h) speak for push and in-app messages
 */
#include "channel/http_link.h"

#include "channel/http_session.h"
#include "channel/wires.h"

#include <stdlib.h>

/* So many messages held are worth one more connection: few answers at a time cost more. */
#define WORTH (2 * HTTP_STREAMS_A_CONNECTION)

struct link {
    struct wires wires; /* first member */
    struct http_peer peer;
    bool has_h2; /* a connection speaks it */
    bool is_useless;
};

static struct link *link_of(struct transport *t)
{
    return (struct link *)(void *)t;
}

static void pause_all(void *ctx, const char *reason, int64_t pause_ns)
{
    struct link *link = ctx;
    http_peer_begin_anew(&link->peer);
    wires_pause(&link->wires, reason, pause_ns);
}

static void proven(void *ctx)
{
    struct link *link = ctx;
    wires_proven(&link->wires);
}

/* ---- the calls of the table ---- */

static void begin(void *session, struct wires *wires, const struct wire *wire, int64_t now_ns)
{
    struct link *link = (struct link *)(void *)wires;
    bool is_h2 = slice_equal_text(tls_protocol(wire->tls), "h2");
    http_session_begin(session, &link->peer, is_h2, now_ns);
    link->has_h2 = link->has_h2 || is_h2;
    link->is_useless = !link->has_h2;
}

static enum rc feed(void *session, struct slice bytes, int64_t now_ns, struct err *err)
{
    (void)now_ns;
    return http_session_feed(session, bytes, err);
}

static bool has_room(const void *session, int64_t now_ns)
{
    (void)now_ns;
    return http_session_has_room(session);
}

static enum rc offer(void *session, const struct outgoing *message, int64_t now_ns, struct err *err)
{
    return http_session_offer(session, message, now_ns, err);
}

static enum rc output(void *session, struct slice *out, int64_t now_ns, struct err *err)
{
    struct http_session *http = session;
    (void)now_ns;
    if (((const struct link *)http->peer->ctx)->is_useless) { /* it will be given up as it is */
        *out = (struct slice){NULL, 0};
        return RC_OK;
    }
    return http_session_output(http, out, err);
}

static void wrote(void *session, size_t count, int64_t now_ns)
{
    (void)now_ns;
    http_session_wrote(session, count);
}

static enum rc leave(void *session, int64_t now_ns, struct err *err)
{
    struct http_session *http = session;
    (void)now_ns;
    (void)err;
    http->is_leaving = true;
    return RC_OK;
}

static enum rc tick(void *session, int64_t now_ns, struct err *err)
{
    return http_session_tick(session, now_ns, err);
}

static void view(const void *session, struct wires_view *out)
{
    const struct http_session *http = session;
    bool is_over = http_session_is_over(http);
    bool is_leaving = http->is_leaving || http->is_draining;
    *out = (struct wires_view){.phase = is_over           ? WIRES_OVER
                                        : is_leaving      ? WIRES_LEAVING
                                        : http->is_set_up ? WIRES_READY
                                                          : WIRES_SETTING_UP,
                               .is_idle = http->is_set_up && !is_leaving && http->flying == 0,
                               .is_leaving = is_leaving,
                               .has_output = http->out.len > http->out_at,
                               .has_judged = http->has_judged,
                               .deadline_ns = http_session_deadline_ns(http)};
}

static const char *waits_for(const void *session)
{
    (void)session;
    return "an answer"; /* tick says what */
}

static void end(void *session, const char *reason)
{
    http_session_end(session, reason);
}

static void release(void *session)
{
    http_session_release(session);
}

static void free_link(struct wires *wires)
{
    struct link *link = (struct link *)(void *)wires; /* its first member */
    http_peer_release(&link->peer);
    free(link);
}

static const struct wires_protocol PROTOCOL = {.name = "http",
                                               .session_bytes = sizeof(struct http_session),
                                               .is_windowed = true,
                                               .begin = begin,
                                               .feed = feed,
                                               .has_room = has_room,
                                               .offer = offer,
                                               .output = output,
                                               .wrote = wrote,
                                               .leave = leave,
                                               .tick = tick,
                                               .view = view,
                                               .waits_for = waits_for,
                                               .end = end,
                                               .release = release,
                                               .free = free_link};

/* ---- opening ---- */

static enum rc set_up(struct link *link, struct http *http, struct err *err)
{
    const struct wires_options wires = {.host = http->host,
                                        .port = http->port,
                                        .is_tls_first = true,
                                        .alpn = "h2,http/1.1",
                                        .ca_pem = buf_slice(&http->ca),
                                        .client_pem = buf_slice(&http->client),
                                        .client_key_pem = buf_slice(&http->client_key),
                                        .connections = http->connections,
                                        .queue = http->slot_count,
                                        .rate = http->rate,
                                        .share = http->share,
                                        .worth = WORTH,
                                        .timeout_ns = http->timeout_ns};
    link->peer.told = wires_told;
    link->peer.pause = pause_all;
    link->peer.proven = proven;
    link->peer.ctx = link; /* whose first member the wires are */
    enum rc rc = http_peer_open(&link->peer, http, err);
    return rc == RC_OK ? wires_open(&link->wires, &PROTOCOL, &wires, err) : rc;
}

enum rc http_link_open(struct http *http, struct transport **out, struct err *err)
{
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        return err_set(err, RC_NOMEM, "http: no memory");
    }
    enum rc rc = set_up(link, http, err);
    if (rc != RC_OK) {
        wires_release(&link->wires);
        free_link(&link->wires);
        return rc;
    }
    *out = (struct transport *)(void *)link; /* its first member */
    return RC_OK;
}

void http_link_pause(struct transport *link, const char *reason, int64_t pause_ns)
{
    pause_all(link_of(link), reason, pause_ns);
}

bool http_link_is_useless(const struct transport *link)
{
    return ((const struct link *)(const void *)link)->is_useless;
}

bool http_link_take_back(struct transport *link, struct outgoing *out)
{
    return wires_take_back(&link_of(link)->wires, out);
}
