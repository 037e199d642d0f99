/*
 * wires_connection - a wire and a session brought together
 */
#include "channel/wires.h"

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

struct wires_view wires_connection_view(const struct wires_connection *connection)
{
    struct wires_view view = {.deadline_ns = INT64_MAX};
    connection->owner->protocol->view(connection->session, &view);
    return view;
}

void wires_connection_drop(struct wires_connection *connection)
{
    struct wires *wires = connection->owner;
    if (!connection->is_open) {
        return;
    }
    wires->ready -= connection->is_ready;
    wires->open--;
    wire_close(&connection->wire);
    if (connection->has_session) {
        wires->protocol->release(connection->session);
    }
    connection->is_open = connection->has_session = false;
    connection->is_ready = connection->is_surplus = false;
}

static bool is_unwanted(const struct wires_connection *connection)
{
    return connection->owner->is_closing || connection->is_surplus;
}

/* The connection is of no use any more. */
static void lose(struct wires_connection *connection, const struct err *why, int64_t now_ns)
{
    struct wires *wires = connection->owner;
    int64_t begun_ns = connection->begun_ns;
    char reason[TRANSPORT_REASON_BYTES];
    (void)snprintf(reason, sizeof reason, "%.*s", (int)sizeof reason - 1, why->text);
    bool is_quiet = is_unwanted(connection);
    if (connection->has_session) {
        /* Peers close what idles; what served before may break: neither is held against the peer.
         */
        struct wires_view view = wires_connection_view(connection);
        is_quiet = is_quiet || view.has_judged || view.is_idle || view.phase > WIRES_READY;
        wires->protocol->end(connection->session, reason);
    }
    wires_connection_drop(connection);
    if (!is_quiet) {
        wires_failed(wires, begun_ns, reason, now_ns);
    }
}

void wires_connection_open(struct wires_connection *connection, int64_t now_ns)
{
    struct wires *wires = connection->owner;
    struct err why = {""};
    int64_t wait_ns =
        wires->timeout_ns > 0 && wires->timeout_ns < CONNECT_NS ? wires->timeout_ns : CONNECT_NS;
    assert(!connection->is_open);
    connection->is_open = true;
    connection->has_session = false;
    connection->begun_ns = now_ns;
    connection->idle_ns = 0;
    wires->open++;
    if (wire_connect(&connection->wire, wires->poll, &wires->addresses, wires->tls,
                     wires->is_tls_first, wait_ns, now_ns, &why) != RC_OK) {
        lose(connection, &why, now_ns);
    }
}

/* ---- one step ---- */

/* Connecting and handshake. RC_OK: there is a session that may be talked to */
static enum rc reach(struct wires_connection *connection, int64_t now_ns, struct err *err)
{
    const struct wires_protocol *protocol = connection->owner->protocol;
    if (connection->wire.stage == WIRE_OPEN) {
        return RC_OK;
    }
    enum rc rc = wire_drive(&connection->wire, now_ns, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (connection->has_session) {
        return protocol->secured(connection->session, now_ns, err);
    }
    connection->has_session = true;
    protocol->begin(connection->session, connection->owner, &connection->wire, now_ns);
    return RC_OK;
}

static enum rc listen_to_peer(struct wires_connection *connection, int64_t now_ns, struct err *err)
{
    struct wires *wires = connection->owner;
    struct wires_view view = {.phase = WIRES_SETTING_UP};
    bool was_read = false;
    enum rc rc = RC_OK;
    for (int i = 0; rc == RC_OK && i < READS_A_ROUND && connection->wire.can_read; i++) {
        size_t count = 0;
        rc = wire_read(&connection->wire, wires->in, sizeof wires->in, &count, err);
        if (rc == RC_OK) {
            was_read = true;
            rc = wires->protocol->feed(connection->session, (struct slice){wires->in, count},
                                       now_ns, err);
        }
        view = wires_connection_view(connection);
        if (view.wants_tls || view.phase == WIRES_OVER) {
            break;
        }
    }
    if (was_read && wires->protocol->is_windowed) { /* it may have more, and we nothing to say */
        wire_acknowledge(&connection->wire);
    }
    if (view.phase == WIRES_READY) {
        wires->ready += !connection->is_ready;
        connection->is_ready = true;
        wires_works(wires, connection->begun_ns, view.has_judged);
    }
    return rc == RC_STATE ? RC_OK : rc;
}

static enum rc hand_over(struct wires_connection *connection, int64_t now_ns, struct err *err)
{
    struct wires *wires = connection->owner;
    const struct wires_protocol *protocol = wires->protocol;
    struct outgoing message;
    enum rc rc = RC_OK;
    while (rc == RC_OK && !connection->is_surplus &&
           protocol->has_room(connection->session, now_ns) &&
           wires_next_message(wires, &message, now_ns)) {
        rc = protocol->offer(connection->session, &message, now_ns, err);
    }
    struct wires_view view = wires_connection_view(connection);
    if (rc == RC_OK && !view.is_leaving && (view.is_worn || is_unwanted(connection))) {
        rc = protocol->leave(connection->session, now_ns, err);
    }
    return rc;
}

static enum rc talk(struct wires_connection *connection, int64_t now_ns, struct err *err)
{
    const struct wires_protocol *protocol = connection->owner->protocol;
    enum rc rc = RC_OK;
    for (int i = 0; rc == RC_OK && i < WRITES_A_ROUND; i++) {
        struct slice out;
        size_t count = 0;
        rc = protocol->output(connection->session, &out, now_ns, err);
        if (rc != RC_OK || out.len == 0 || !connection->wire.can_write) {
            break;
        }
        rc = wire_write(&connection->wire, out.ptr, out.len, &count, err);
        if (rc == RC_OK) {
            protocol->wrote(connection->session, count, now_ns);
        }
    }
    return rc == RC_STATE ? RC_OK : rc;
}

/* RC_STATE: it has to wait for the socket now */
static enum rc step(struct wires_connection *connection, int64_t now_ns, struct err *err)
{
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
    if (rc != RC_OK) {
        return rc;
    }
    struct wires_view view = wires_connection_view(connection);
    if (view.phase == WIRES_OVER) {
        return err_set(err, RC_GONE, "closed");
    }
    if (view.wants_tls && !view.has_output) {
        return wire_start_tls(&connection->wire, now_ns, err);
    }
    bool can_go_on = connection->wire.can_read || (view.has_output && connection->wire.can_write);
    return can_go_on ? RC_OK : RC_STATE;
}

void wires_connection_serve(struct wires_connection *connection, int64_t now_ns)
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
    bool is_idle = connection->has_session && wires_connection_view(connection).is_idle;
    connection->idle_ns = !is_idle ? 0 : connection->idle_ns == 0 ? now_ns : connection->idle_ns;
}

/* What the session itself does when time has passed */
static void tick(struct wires_connection *connection, int64_t now_ns)
{
    struct err why = {""};
    if (connection->owner->protocol->tick(connection->session, now_ns, &why) == RC_OK) {
        wires_connection_serve(connection, now_ns);
    } else {
        lose(connection, &why, now_ns);
    }
}

void wires_connection_look(struct wires_connection *connection, int64_t now_ns)
{
    const struct wires_protocol *protocol = connection->owner->protocol;
    bool is_reaching = connection->wire.stage != WIRE_OPEN;
    struct wires_view view = {.phase = WIRES_SETTING_UP};
    struct err why = {""};
    if (connection->has_session) {
        view = wires_connection_view(connection);
    }
    if (is_unwanted(connection) && (is_reaching || view.phase < WIRES_READY)) {
        (void)err_set(&why, RC_TEMP, "closed");
        lose(connection, &why, now_ns);
    } else if (is_reaching && now_ns >= connection->wire.deadline_ns) {
        wires_connection_serve(connection, now_ns);
    } else if (!is_reaching && now_ns >= view.deadline_ns && protocol->tick != NULL) {
        tick(connection, now_ns);
    } else if (!is_reaching && now_ns >= view.deadline_ns) {
        (void)err_set(&why, RC_TEMP, "no answer in time: waited for %s",
                      protocol->waits_for(connection->session));
        lose(connection, &why, now_ns);
    } else if (connection->idle_ns != 0 && now_ns - connection->idle_ns >= IDLE_NS) {
        connection->idle_ns = 0;
        if (protocol->leave(connection->session, now_ns, &why) == RC_OK) {
            wires_connection_serve(connection, now_ns);
        }
    }
}
