/*
 * wires - a transport over connections to one host (transport.h), whatever is spoken on them
 *
 *     wires.c             what waits, how many connections, when to try again
 *     wires_connection.c  one connection: a wire (wire.h) and a session of the protocol
 *     smtp.c, smpp.c      a protocol: options checked, its session given as a table of calls
 *
 * The name is looked up in a thread (sys/net.h) and again after five minutes. A first connection
 * shows that the peer is there before others are opened; as many are opened as the messages that
 * wait are worth. What cannot be sent yet waits here: so many that a group of intents can be
 * recorded with one sync.
 */
#ifndef POSTROOM_CHANNEL_WIRES_H
#define POSTROOM_CHANNEL_WIRES_H

#include "channel/share.h"
#include "channel/transport.h"
#include "channel/wire.h"

struct wires;

enum wires_phase {
    WIRES_SETTING_UP, /* greeting, login: no message yet */
    WIRES_READY,
    WIRES_LEAVING, /* saying goodbye */
    WIRES_OVER     /* that was answered: close */
};

/* What a session says of itself. */
struct wires_view {
    enum wires_phase phase;
    bool wants_tls;      /* once its output is written: make TLS, then `secured` */
    bool is_idle;        /* ready, nothing under way and nothing owed */
    bool is_leaving;     /* takes no more messages */
    bool is_worn;        /* should not take more: say goodbye */
    bool has_output;     /* bytes wait to be written */
    bool has_judged;     /* the peer has given a verdict in this session */
    int64_t deadline_ns; /* when the peer has taken too long, or `tick` wants to be called */
};

/*
 * A protocol: what wires do with a session, which does no I/O itself. Calls that return fail with
 * RC_TEMP or RC_NOMEM when the session is over; `end` is called then. Verdicts go to wires_told.
 */
struct wires_protocol {
    const char *name;
    size_t session_bytes; /* of one session; zeroed before the first `begin` */
    bool is_windowed;     /* takes more messages while others are under way, without an event */

    void (*begin)(void *session, struct wires *wires, const struct wire *wire, int64_t now_ns);
    enum rc (*feed)(void *session, struct slice bytes, int64_t now_ns, struct err *err);
    enum rc (*secured)(void *session, int64_t now_ns, struct err *err); /* NULL: never wants_tls */
    bool (*has_room)(const void *session, int64_t now_ns);
    enum rc (*offer)(void *session, const struct outgoing *message, int64_t now_ns,
                     struct err *err); /* has_room was true */
    enum rc (*output)(void *session, struct slice *out, int64_t now_ns, struct err *err);
    void (*wrote)(void *session, size_t count, int64_t now_ns);
    enum rc (*leave)(void *session, int64_t now_ns, struct err *err);
    enum rc (*tick)(void *session, int64_t now_ns,
                    struct err *err); /* NULL: deadline_ns is final */
    void (*recall)(void *session);    /* what has not begun is told UNTRIED; NULL: begins at once */
    void (*view)(const void *session, struct wires_view *out);
    const char *(*waits_for)(const void *session);  /* "the greeting" */
    void (*end)(void *session, const char *reason); /* the connection is gone: verdicts for all */
    void (*release)(void *session);

    void (*free)(struct wires *wires); /* whatever the protocol keeps, and the struct itself */
};

struct wires_options {
    const char *host; /* name or address; also what the certificate has to carry. Copied */
    uint16_t port;
    bool is_plain;       /* no TLS at all */
    bool is_tls_first;   /* TLS on connect, else when the session wants it */
    struct slice ca_pem; /* as in tls.h */
    struct slice client_pem;
    struct slice client_key_pem;
    const char *alpn;
    const struct net_addresses *addresses; /* where to connect; NULL: host is looked up */
    unsigned int connections;              /* at least 1 */
    unsigned int queue;                    /* messages waiting at most, at least 1 */
    unsigned int rate;                     /* messages a second at most; 0: no limit */
    struct share *share; /* of these, with others; borrowed. NULL: it is the only one */
    unsigned int worth;  /* so many messages held are worth one more connection; at least 1 */
    int64_t timeout_ns;  /* longest wait for a connection where that is less than 30 s; 0 */
};

struct wires_connection {
    struct wire wire; /* first member: its address is what events carry */
    struct wires *owner;
    void *session;
    bool is_open;     /* in use, from the first connect on */
    bool has_session; /* begun: greeted, or waiting for that */
    bool is_ready;    /* set up: counted in owner->ready */
    bool is_surplus;  /* more than our part: takes nothing more and says goodbye */
    int64_t begun_ns;
    int64_t idle_ns; /* since when there was nothing to do; 0: busy */
};

struct wires {
    struct transport transport; /* first member */
    struct transport_kind kind; /* ours, under the protocol's name */
    const struct wires_protocol *protocol;
    struct net_poll *poll;
    struct tls_context *tls; /* NULL: plain */
    char *host;
    uint16_t port;
    bool is_tls_first;
    unsigned int rate;
    struct share *share;
    struct share own; /* where nobody else is given */
    unsigned int worth;
    int64_t timeout_ns;

    struct net_addresses addresses; /* count 0: not known */
    bool is_fixed;                  /* the addresses were given */
    int64_t looked_up_ns;
    struct net_lookup *lookup; /* NULL: none under way */
    int64_t lookup_begun_ns;

    struct wires_connection *connections;
    unsigned char *sessions; /* one each, session_bytes apart */
    unsigned int connections_max;
    unsigned int open;  /* of them in use */
    unsigned int ready; /* of them set up */

    struct outgoing *queue; /* ring */
    unsigned int queue_max;
    unsigned int queue_at;
    unsigned int queued;
    unsigned int held; /* without a verdict: queued and in sessions */

    bool is_recalled;
    bool is_closing;
    bool is_down;
    bool is_paused; /* down by wires_pause, until next_try_ns */
    bool is_busy;   /* something was left to do without waiting */
    int64_t backoff_ns;
    int64_t failed_ns;    /* when the newest failure was counted */
    int64_t next_try_ns;  /* no new connection before */
    int64_t next_look_ns; /* when the waits of all connections are looked at next */
    char reason[TRANSPORT_REASON_BYTES];

    transport_told *told; /* during run */
    void *told_ctx;
    unsigned int told_count; /* in this run */
    char in[64 * 1024];      /* of any connection, while it is read */
};

/*
 * wires_open - a zeroed struct becomes a transport; nothing is connected yet
 * options  host and port as said above (RC_PERM without), the numbers asserted
 * Returns  RC_OK; RC_PERM host, port, certificate or key cannot be; RC_NOMEM; RC_TEMP no
 * descriptor. After a failure: wires_release
 */
enum rc wires_open(struct wires *wires, const struct wires_protocol *protocol,
                   const struct wires_options *options, struct err *err) MUST_CHECK;

/* wires_release - everything but the struct itself; accepts a zeroed one */
void wires_release(struct wires *wires);

/* wires_told - a session's verdict; ctx is the struct wires */
void wires_told(void *ctx, const struct verdict_report *report);

/* wires_tell - the same for a message that is told at once */
void wires_tell(struct wires *wires, const struct outgoing *message, enum verdict verdict,
                const char *text);

/* wires_pause - the peer is there and does not want us now: down for at least so long, and longer
 * each time until wires_proven. Connections stay; reason is copied */
void wires_pause(struct wires *wires, const char *reason, int64_t pause_ns);

/* wires_take_back - the next message that waits, without a verdict; false: there is none */
bool wires_take_back(struct wires *wires, struct outgoing *out);

/* wires_proven - a message was judged: the next pause is a short one again */
void wires_proven(struct wires *wires);

/* ---- between wires.c and wires_connection.c ---- */

/* wires_connection_open - begin to connect to the addresses. Failures are counted, not returned. */
void wires_connection_open(struct wires_connection *connection, int64_t now_ns);

/* wires_connection_serve - read, hand over, write what can be done now */
void wires_connection_serve(struct wires_connection *connection, int64_t now_ns);

/* wires_connection_look - waits that took too long, connections that idle */
void wires_connection_look(struct wires_connection *connection, int64_t now_ns);

/* wires_connection_drop - close without a word */
void wires_connection_drop(struct wires_connection *connection);

/* wires_connection_view - what its session says; only with has_session */
struct wires_view wires_connection_view(const struct wires_connection *connection);

/* wires_next_message - the next one that waits and may go now; false: none */
bool wires_next_message(struct wires *wires, struct outgoing *out, int64_t now_ns);

/* wires_failed - an attempt begun then came to nothing */
void wires_failed(struct wires *wires, int64_t begun_ns, const char *reason, int64_t now_ns);

/* wires_works - a connection begun then serves: down no more; is_proven: it gave verdicts, too */
void wires_works(struct wires *wires, int64_t begun_ns, bool is_proven);

#endif
