/*
 * smtp_inner - the transport (smtp.c) and one of its connections (smtp_connection.c)
 */
#ifndef POSTROOM_CHANNEL_SMTP_INNER_H
#define POSTROOM_CHANNEL_SMTP_INNER_H

#include "channel/smtp.h"
#include "channel/wire.h"

struct smtp;

struct smtp_connection {
    struct wire wire; /* first member: its address is what events carry */
    struct smtp *owner;
    struct smtp_session session;
    bool is_open;     /* in use, from the first connect on */
    bool has_session; /* greeted, or waiting for that */
    bool is_ready;    /* past EHLO and AUTH: counted in owner->ready */
    int64_t begun_ns;
    int64_t idle_ns; /* since when there was nothing to do; 0: busy */
};

struct smtp {
    struct transport transport; /* first member */
    struct smtp_settings settings;
    struct net_poll *poll;
    struct tls_context *tls; /* NULL: plain */
    char *host;
    char *helo; /* NULL: the address literal */
    char *user;
    char *password;
    uint16_t port;
    unsigned int rate;

    struct net_addresses addresses; /* count 0: not known */
    bool is_fixed;                  /* the addresses were given */
    int64_t looked_up_ns;
    struct net_lookup *lookup; /* NULL: none under way */
    int64_t lookup_begun_ns;

    struct smtp_connection *connections;
    unsigned int connections_max;
    unsigned int open;  /* of them in use */
    unsigned int ready; /* of them past EHLO and AUTH */

    struct smtp_message *queue; /* ring */
    unsigned int queue_max;
    unsigned int queue_at;
    unsigned int queued;
    unsigned int held; /* without a verdict: queued and in sessions */

    bool is_recalled;
    bool is_closing;
    bool is_down;
    bool is_busy; /* something was left to do without waiting */
    int64_t backoff_ns;
    int64_t failed_ns;    /* when the newest failure was counted */
    int64_t next_try_ns;  /* no new connection before */
    int64_t next_send_ns; /* rate */
    int64_t next_look_ns; /* when the waits of all connections are looked at next */
    char reason[TRANSPORT_REASON_BYTES];

    transport_told *told; /* during run */
    void *told_ctx;
    unsigned int told_count; /* in this run */
    char in[64 * 1024];      /* of any connection, while it is read */
};

/* smtp_connection_open - begin to connect to the addresses of the transport. Failures are counted,
 * not returned. */
void smtp_connection_open(struct smtp_connection *connection, int64_t now_ns);

/* smtp_connection_serve - read, hand over, write what can be done now */
void smtp_connection_serve(struct smtp_connection *connection, int64_t now_ns);

/* smtp_connection_look - waits that took too long, connections that idle */
void smtp_connection_look(struct smtp_connection *connection, int64_t now_ns);

/* smtp_connection_drop - close without a word */
void smtp_connection_drop(struct smtp_connection *connection);

/* ---- of the transport, for its connections ---- */

/* smtp_next_message - the next one that waits and may go now; false: none */
bool smtp_next_message(struct smtp *smtp, struct smtp_message *out, int64_t now_ns);

/* smtp_failed - an attempt begun then came to nothing */
void smtp_failed(struct smtp *smtp, int64_t begun_ns, const char *reason, int64_t now_ns);

/* smtp_works - a connection begun then serves: down no more; is_proven: it gave verdicts, too */
void smtp_works(struct smtp *smtp, int64_t begun_ns, bool is_proven);

/* smtp_told - passes a verdict on; ctx is the struct smtp */
void smtp_told(void *ctx, const struct verdict_report *report);

#endif
