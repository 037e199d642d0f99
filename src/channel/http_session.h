/*
 * http_session - one HTTP/2 conversation as a client, without I/O: bytes in, bytes out
 *
 *     SETTINGS awaited -> ready -> draining (their GOAWAY, or we leave) -> over
 *
 * Frames and header compression are nghttp2's. A message is one request; what becomes of it:
 *
 *     answered                                           http_verdict.h
 *     refused (REFUSED_STREAM, above GOAWAY's last       UNTRIED
 *     stream: RFC 9113 8.7)
 *     reset otherwise, broken off, no answer in time     UNTRIED while its last byte has not left,
 *                                                        then UNCERTAIN
 *
 * Nothing is asked before the peer's SETTINGS came: a peer that refuses our certificate does so
 * after the handshake (RFC 8446 4.4.2.4), and by then a request would be on its way.
 */
#ifndef POSTROOM_CHANNEL_HTTP_SESSION_H
#define POSTROOM_CHANNEL_HTTP_SESSION_H

#include "channel/http_inner.h"

#include <nghttp2/nghttp2.h>

enum {
    HTTP_FIELDS_OURS = 8, /* four that begin with a colon, and ours */
    HTTP_FIELDS_MAX = HTTP_HEADERS_MAX + HTTP_FIELDS_OURS
};

/* What all sessions of a transport share; borrowed by them. */
struct http_peer {
    struct http *http; /* url, headers, token, timeout; of what follows only has_worked is set */
    nghttp2_session_callbacks *callbacks;
    nghttp2_nv fields[HTTP_FIELDS_MAX]; /* the same in every request; names in lower case */
    size_t field_count;
    struct buf names; /* of fields */
    struct buf url;   /* of the request that is made */

    bool is_proven;      /* an answer came, and nothing was lost since: many may go */
    unsigned int flying; /* requests under way since is_proven was last false */
    uint64_t generation; /* counts how often it became false */

    void (*told)(void *ctx, const struct verdict_report *report);
    void (*pause)(void *ctx, const char *reason, int64_t pause_ns);
    void (*proven)(void *ctx); /* is_proven has become true */
    void *ctx;
};

/* A request under way. */
struct http_flight {
    struct outgoing message;
    int32_t stream; /* 0: free */
    int32_t status; /* of the answer; 0: none yet */
    int64_t begun_ns;
    uint64_t end_bytes; /* it has left when so many bytes were written; 0: not all of it is made */
    size_t given;       /* bytes of the body that were made into frames */
    size_t answered;    /* bytes of the answer's body that came */
    int64_t retry_after_s;
    struct buf answer; /* what is kept of it */
    bool is_first;     /* alone under way: shows whether the peer answers */
    uint64_t generation;
};

struct http_session {
    struct http_peer *peer;
    nghttp2_session *h2; /* NULL: no memory, or the peer speaks no HTTP/2 */
    struct buf out;
    size_t out_at;
    uint64_t made; /* bytes that were put into out, and that were written */
    uint64_t written;
    struct http_flight *made_whole; /* whose last frame is the one that goes into out; NULL */
    int64_t begun_ns;
    int64_t look_ns; /* when an answer may be late; INT64_MAX */
    bool is_h2;
    bool is_set_up;   /* their SETTINGS came */
    bool is_draining; /* they said GOAWAY */
    bool is_leaving;  /* we want to */
    bool is_goodbye;  /* our GOAWAY is in out */
    bool has_judged;  /* a message got its verdict by an answer */
    char goaway[TRANSPORT_REASON_BYTES];

    unsigned int flying;
    unsigned int unused[HTTP_STREAMS_A_CONNECTION]; /* stack of places in flights */
    struct http_flight flights[HTTP_STREAMS_A_CONNECTION];
};

/* http_peer_open - headers and callbacks made; told, pause, proven and ctx are the caller's. RC_OK;
 * RC_NOMEM
 */
enum rc http_peer_open(struct http_peer *peer, struct http *http, struct err *err) MUST_CHECK;
void http_peer_release(struct http_peer *peer);

/* http_peer_begin_anew - what is under way may be lost: one request has to show whether it goes on
 */
void http_peer_begin_anew(struct http_peer *peer);

/* http_session_begin - a session that was zeroed once, or released; is_h2: what TLS agreed on */
void http_session_begin(struct http_session *session, struct http_peer *peer, bool is_h2,
                        int64_t now_ns);

/* http_session_feed - bytes from the peer. RC_OK; RC_TEMP, RC_NOMEM: the session is over */
enum rc http_session_feed(struct http_session *session, struct slice bytes,
                          struct err *err) MUST_CHECK;

/* http_session_has_room - one message may be offered */
bool http_session_has_room(const struct http_session *session);

/* http_session_offer - has_room was true. RC_OK also where the message got its verdict at once;
 * RC_TEMP, RC_NOMEM: it got its verdict, and the session is over */
enum rc http_session_offer(struct http_session *session, const struct outgoing *message,
                           int64_t now_ns, struct err *err) MUST_CHECK;

/* http_session_output, http_session_wrote - bytes for the peer, until they are said to be written.
 * RC_OK; RC_TEMP, RC_NOMEM: the session is over */
enum rc http_session_output(struct http_session *session, struct slice *out,
                            struct err *err) MUST_CHECK;
void http_session_wrote(struct http_session *session, size_t count);

/* http_session_tick - answers that are late: their messages are uncertain, the transport pauses and
 * others keep their hope. RC_OK; RC_TEMP the peer does not even say SETTINGS */
enum rc http_session_tick(struct http_session *session, int64_t now_ns, struct err *err) MUST_CHECK;

/* http_session_deadline_ns - when tick wants to be called */
int64_t http_session_deadline_ns(const struct http_session *session);

/* http_session_is_over - all is said: close */
bool http_session_is_over(const struct http_session *session);

/* http_session_end - the connection is gone: verdicts for all */
void http_session_end(struct http_session *session, const char *reason);

/* http_session_release - accepts one that was zeroed */
void http_session_release(struct http_session *session);

/* ---- between http_session.c and http_exchange.c ---- */

/* http_exchange_callbacks - what nghttp2 calls while answers come. RC_OK; RC_NOMEM */
enum rc http_exchange_callbacks(nghttp2_session_callbacks **out, struct err *err) MUST_CHECK;

/* http_field - as nghttp2 takes it, which changes nothing of it */
nghttp2_nv http_field(const char *name, struct slice value, uint8_t flags);

/* http_flight_has_left - its last byte may be with the peer */
bool http_flight_has_left(const struct http_session *session, const struct http_flight *flight);

/* http_flight_end - its place is free, its message has this verdict */
void http_flight_end(struct http_session *session, struct http_flight *flight, enum verdict verdict,
                     const char *text);

#endif
