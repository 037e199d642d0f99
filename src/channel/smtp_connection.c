/*
 * smtp_connection - a wire and a session brought together
 */
#include "channel/smtp_inner.h"

#include <assert.h>
#include <stdio.h>

#define SECONDS(n) ((int64_t)(n)*1000000000)

enum {
    READS_A_ROUND = 8,  /* of 64 KiB: then the others have their turn */
    WRITES_A_ROUND = 8, /* of one record, or 64 KiB in clear */
    STEPS_A_ROUND = 8   /* handshake, EHLO, ...: a peer cannot keep us for itself */
};
#define CONNECT_NS                                                                                 \
    SECONDS(30)             /* each address, and the handshake; or the timeout where that is less */
#define IDLE_NS SECONDS(60) /* then we say QUIT: peers wait 5 minutes (RFC 5321 4.5.3.2.7) */

void smtp_connection_drop(struct smtp_connection *connection)
{
    struct smtp *smtp = connection->owner;
    if (!connection->is_open) {
        return;
    }
    smtp->ready -= connection->is_ready;
    smtp->open--;
    wire_close(&connection->wire);
    smtp_session_release(&connection->session);
    connection->is_open = connection->has_session = connection->is_ready = false;
}

/* The connection is of no use any more. */
static void lose(struct smtp_connection *connection, const struct err *why, int64_t now_ns)
{
    struct smtp *smtp = connection->owner;
    struct smtp_session *session = &connection->session;
    int64_t begun_ns = connection->begun_ns;
    char reason[TRANSPORT_REASON_BYTES];
    (void)snprintf(reason, sizeof reason, "%.*s", (int)sizeof reason - 1, why->text);
    bool is_quiet = smtp->is_closing;
    if (connection->has_session) {
        /* Peers close what idles; what served before may break: neither is held against the relay.
         */
        is_quiet = is_quiet || session->has_judged || smtp_session_is_idle(session) ||
                   session->phase > SMTP_READY;
        smtp_session_end(session, reason);
    }
    smtp_connection_drop(connection);
    if (!is_quiet) {
        smtp_failed(smtp, begun_ns, reason, now_ns);
    }
}

void smtp_connection_open(struct smtp_connection *connection, int64_t now_ns)
{
    struct smtp *smtp = connection->owner;
    struct err why = {""};
    int64_t wait_ns = smtp->settings.timeout_ns > 0 && smtp->settings.timeout_ns < CONNECT_NS
                          ? smtp->settings.timeout_ns
                          : CONNECT_NS;
    assert(!connection->is_open);
    connection->is_open = true;
    connection->has_session = false;
    connection->begun_ns = now_ns;
    connection->idle_ns = 0;
    connection->session = (struct smtp_session){.phase = SMTP_GREETING, .out = BUF_EMPTY};
    smtp->open++;
    if (wire_connect(&connection->wire, smtp->poll, &smtp->addresses, smtp->tls,
                     smtp->settings.tls == SMTP_TLS_CONNECT, wait_ns, now_ns, &why) != RC_OK) {
        lose(connection, &why, now_ns);
    }
}

/* ---- one step ---- */

static enum rc begin_session(struct smtp_connection *connection, int64_t now_ns)
{
    struct smtp *smtp = connection->owner;
    char literal[NET_TEXT_BYTES];
    const char *helo = smtp->helo;
    if (helo == NULL) {
        net_local_literal(connection->wire.fd, literal);
        helo = literal;
    }
    connection->has_session = true;
    smtp_session_begin(&connection->session, &smtp->settings, helo, connection->wire.tls != NULL,
                       smtp_told, smtp, now_ns);
    return RC_OK;
}

/* Connecting and handshake. RC_OK: there is a session that may be talked to */
static enum rc reach(struct smtp_connection *connection, int64_t now_ns, struct err *err)
{
    if (connection->wire.stage == WIRE_OPEN) {
        return RC_OK;
    }
    enum rc rc = wire_drive(&connection->wire, now_ns, err);
    if (rc != RC_OK) {
        return rc;
    }
    return connection->has_session ? smtp_session_secured(&connection->session, now_ns, err)
                                   : begin_session(connection, now_ns);
}

static enum rc listen_to_peer(struct smtp_connection *connection, int64_t now_ns, struct err *err)
{
    struct smtp *smtp = connection->owner;
    struct smtp_session *session = &connection->session;
    enum rc rc = RC_OK;
    for (int i = 0; rc == RC_OK && i < READS_A_ROUND && connection->wire.can_read; i++) {
        size_t count = 0;
        rc = wire_read(&connection->wire, smtp->in, sizeof smtp->in, &count, err);
        if (rc == RC_OK) {
            rc = smtp_session_feed(session, (struct slice){smtp->in, count}, now_ns, err);
        }
        if (session->phase == SMTP_HANDSHAKE || session->phase == SMTP_OVER) {
            break;
        }
    }
    if (session->phase == SMTP_READY) {
        smtp->ready += !connection->is_ready;
        connection->is_ready = true;
        smtp_works(smtp, connection->begun_ns, session->has_judged);
    }
    return rc == RC_STATE ? RC_OK : rc;
}

static enum rc hand_over(struct smtp_connection *connection, int64_t now_ns, struct err *err)
{
    struct smtp *smtp = connection->owner;
    struct smtp_session *session = &connection->session;
    struct smtp_message message;
    enum rc rc = RC_OK;
    while (rc == RC_OK && smtp_session_has_room(session) &&
           smtp_next_message(smtp, &message, now_ns)) {
        rc = smtp_session_offer(session, &message, now_ns, err);
    }
    bool is_worn = session->phase == SMTP_READY && session->messages >= smtp->settings.max_messages;
    if (rc == RC_OK && !session->is_leaving && (is_worn || smtp->is_closing)) {
        rc = smtp_session_leave(session, now_ns, err);
    }
    return rc;
}

static enum rc talk(struct smtp_connection *connection, int64_t now_ns, struct err *err)
{
    struct smtp_session *session = &connection->session;
    enum rc rc = RC_OK;
    for (int i = 0; rc == RC_OK && i < WRITES_A_ROUND; i++) {
        struct slice out;
        size_t count = 0;
        rc = smtp_session_output(session, &out, now_ns, err);
        if (rc != RC_OK || out.len == 0 || !connection->wire.can_write) {
            break;
        }
        rc = wire_write(&connection->wire, out.ptr, out.len, &count, err);
        if (rc == RC_OK) {
            smtp_session_wrote(session, count, now_ns);
        }
    }
    return rc == RC_STATE ? RC_OK : rc;
}

static bool has_output(const struct smtp_connection *connection)
{
    return connection->session.out_at < connection->session.out.len ||
           connection->session.slots[0].stage == SMTP_BODY;
}

/* RC_STATE: it has to wait for the socket now */
static enum rc step(struct smtp_connection *connection, int64_t now_ns, struct err *err)
{
    struct smtp_session *session = &connection->session;
    enum rc rc = reach(connection, now_ns, err);
    if (rc == RC_OK) {
        rc = listen_to_peer(connection, now_ns, err);
    }
    if (rc == RC_OK) {
        rc = hand_over(connection, now_ns, err);
    }
    if (rc == RC_OK) {
        rc = talk(connection, now_ns, err);
    }
    if (rc == RC_OK && session->phase == SMTP_OVER) {
        return err_set(err, RC_GONE, "closed");
    }
    if (rc == RC_OK && session->phase == SMTP_HANDSHAKE && !has_output(connection)) {
        return wire_start_tls(&connection->wire, now_ns, err);
    }
    bool can_go_on =
        connection->wire.can_read || (has_output(connection) && connection->wire.can_write);
    return rc == RC_OK && !can_go_on ? RC_STATE : rc;
}

void smtp_connection_serve(struct smtp_connection *connection, int64_t now_ns)
{
    struct err why = {""};
    enum rc rc = RC_OK;
    for (int i = 0; rc == RC_OK && connection->is_open && i < STEPS_A_ROUND; i++) {
        rc = step(connection, now_ns, &why);
    }
    if (rc == RC_OK) {
        connection->owner->is_busy = true;
    } else if (rc != RC_STATE) {
        lose(connection, &why, now_ns);
        return;
    }
    connection->idle_ns = connection->has_session && smtp_session_is_idle(&connection->session)
                              ? (connection->idle_ns == 0 ? now_ns : connection->idle_ns)
                              : 0;
}

void smtp_connection_look(struct smtp_connection *connection, int64_t now_ns)
{
    struct smtp *smtp = connection->owner;
    struct smtp_session *session = &connection->session;
    struct err why = {""};
    bool is_reaching = connection->wire.stage != WIRE_OPEN;
    if (smtp->is_closing && (is_reaching || session->phase < SMTP_READY)) {
        (void)err_set(&why, RC_TEMP, "closed");
        lose(connection, &why, now_ns);
    } else if (is_reaching && now_ns >= connection->wire.deadline_ns) {
        smtp_connection_serve(connection, now_ns);
    } else if (!is_reaching && now_ns >= session->deadline_ns) {
        (void)err_set(&why, RC_TEMP, "no answer in time: waited for %s",
                      smtp_session_waits_for(session));
        lose(connection, &why, now_ns);
    } else if (connection->idle_ns != 0 && now_ns - connection->idle_ns >= IDLE_NS) {
        connection->idle_ns = 0;
        if (smtp_session_leave(session, now_ns, &why) == RC_OK) {
            smtp_connection_serve(connection, now_ns);
        }
    }
}
