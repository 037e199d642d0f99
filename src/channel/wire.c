/*
 * wire - addresses tried in turn, then the handshake
 */
#include "channel/wire.h"

#include "sys/fs.h"

#include <assert.h>

enum { ADDRESS_TRIES_MAX = NET_ADDRESSES_MAX };

static void drop_socket(struct wire *wire)
{
    tls_free(wire->tls);
    wire->tls = NULL;
    if (wire->fd >= 0) {
        net_poll_remove(wire->poll, wire->fd);
        fs_drop(&wire->fd);
    }
}

/* Begins with the address `at` or the first after it that can be tried. */
static enum rc try_addresses(struct wire *wire, int64_t now_ns, struct err *err)
{
    enum rc rc = RC_TEMP;
    for (; wire->at < wire->to.count && wire->at < ADDRESS_TRIES_MAX; wire->at++) {
        rc = net_connect(&wire->to.list[wire->at], &wire->fd, err);
        if (rc == RC_OK) {
            rc = net_poll_add(wire->poll, wire->fd, wire, err);
        }
        if (rc == RC_OK) {
            wire->stage = WIRE_CONNECTING;
            wire->deadline_ns = now_ns + wire->wait_ns;
            wire->can_read = wire->can_write = false;
            return RC_OK;
        }
        drop_socket(wire);
    }
    return rc;
}

enum rc wire_connect(struct wire *wire, struct net_poll *poll, const struct net_addresses *to,
                     struct tls_context *context, bool is_tls_first, int64_t wait_ns,
                     int64_t now_ns, struct err *err)
{
    assert(wire->stage == WIRE_IDLE && to->count > 0);
    *wire = (struct wire){.fd = -1,
                          .poll = poll,
                          .to = *to,
                          .context = context,
                          .is_tls_first = is_tls_first && context != NULL,
                          .wait_ns = wait_ns};
    return try_addresses(wire, now_ns, err);
}

void wire_event(struct wire *wire, int events)
{
    wire->can_read = wire->can_read || (events & NET_READ) != 0;
    wire->can_write = wire->can_write || (events & NET_WRITE) != 0;
}

enum rc wire_start_tls(struct wire *wire, int64_t now_ns, struct err *err)
{
    assert(wire->stage == WIRE_OPEN && wire->tls == NULL && wire->context != NULL);
    enum rc rc = tls_open(wire->context, wire->fd, &wire->tls, err);
    if (rc == RC_OK) {
        wire->stage = WIRE_HANDSHAKE;
        wire->deadline_ns = now_ns + wire->wait_ns;
    }
    return rc;
}

/* The address that was tried is given up, the next one begins; err keeps the newest reason. */
static enum rc try_next(struct wire *wire, int64_t now_ns, struct err *err)
{
    char text[NET_TEXT_BYTES];
    net_address_text(&wire->to.list[wire->at], text);
    (void)err_add(err, RC_TEMP, "%s", text);
    drop_socket(wire);
    wire->at++;
    if (wire->at >= wire->to.count) {
        return RC_TEMP;
    }
    enum rc rc = try_addresses(wire, now_ns, err);
    return rc == RC_OK ? RC_STATE : rc;
}

static enum rc drive_connect(struct wire *wire, int64_t now_ns, struct err *err)
{
    enum rc rc = wire->can_write || wire->can_read ? net_connected(wire->fd, err) : RC_STATE;
    if (rc == RC_STATE && now_ns >= wire->deadline_ns) {
        rc = err_set(err, RC_TEMP, "no connection in time");
    }
    if (rc == RC_TEMP) {
        return try_next(wire, now_ns, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    wire->stage = WIRE_OPEN;
    return wire->is_tls_first ? wire_start_tls(wire, now_ns, err) : RC_OK;
}

static enum rc drive_handshake(struct wire *wire, int64_t now_ns, struct err *err)
{
    enum rc rc = tls_handshake(wire->tls, err);
    if (rc == RC_OK) {
        wire->stage = WIRE_OPEN;
        wire->can_read = wire->can_write = true; /* the library may hold bytes already */
    } else if (rc == RC_STATE && now_ns >= wire->deadline_ns) {
        rc = err_set(err, RC_TEMP, "no TLS handshake in time");
    }
    return rc;
}

enum rc wire_drive(struct wire *wire, int64_t now_ns, struct err *err)
{
    enum rc rc = RC_OK;
    if (wire->stage == WIRE_CONNECTING) {
        rc = drive_connect(wire, now_ns, err);
    }
    if (rc == RC_OK && wire->stage == WIRE_HANDSHAKE) {
        rc = drive_handshake(wire, now_ns, err);
    }
    return rc;
}

enum rc wire_read(struct wire *wire, void *bytes, size_t len, size_t *out, struct err *err)
{
    enum rc rc = wire->tls != NULL ? tls_read(wire->tls, bytes, len, out, err)
                                   : net_recv(wire->fd, bytes, len, out, err);
    wire->can_read = wire->can_read && rc == RC_OK;
    return rc;
}

enum rc wire_write(struct wire *wire, const void *bytes, size_t len, size_t *out, struct err *err)
{
    enum rc rc = wire->tls != NULL ? tls_write(wire->tls, bytes, len, out, err)
                                   : net_send(wire->fd, bytes, len, out, err);
    wire->can_write = wire->can_write && rc == RC_OK;
    return rc;
}

void wire_acknowledge(struct wire *wire)
{
    assert(wire->stage == WIRE_OPEN);
    net_acknowledge(wire->fd);
}

void wire_close(struct wire *wire)
{
    drop_socket(wire);
    wire->stage = WIRE_IDLE;
    wire->can_read = wire->can_write = false;
}
