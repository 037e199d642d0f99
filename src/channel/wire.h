/*
 * wire - one connection to a host, plain or TLS, that does not block; for any channel's protocol
 *
 *     wire_connect            wire_drive              wire_start_tls, wire_drive
 *     IDLE -----> CONNECTING -----> HANDSHAKE -----> OPEN -----------------> HANDSHAKE -> OPEN
 *                    |  ^ next address  (only with TLS on connect)
 *                    '--'
 *
 * Any failure leads back to IDLE through wire_close(), which the owner calls. The owner keeps the
 * struct in place while it is connected: its address is the ctx of net_poll's events.
 */
#ifndef POSTROOM_CHANNEL_WIRE_H
#define POSTROOM_CHANNEL_WIRE_H

#include "channel/tls.h"
#include "sys/net.h"

#include <stdint.h>

enum wire_stage { WIRE_IDLE, WIRE_CONNECTING, WIRE_HANDSHAKE, WIRE_OPEN };

struct wire {
    enum wire_stage stage;
    int fd;                      /* -1: none */
    struct net_poll *poll;       /* borrowed */
    struct net_addresses to;     /* a copy */
    size_t at;                   /* the address that is tried */
    struct tls_context *context; /* borrowed; NULL: no TLS at all */
    bool is_tls_first;           /* TLS on connect */
    struct tls *tls;             /* NULL: plain (still) */
    int64_t wait_ns;             /* the longest wait for one address, and for a handshake */
    int64_t deadline_ns;         /* CONNECTING, HANDSHAKE: when it has taken too long */
    bool can_read;               /* not known to be empty */
    bool can_write;              /* not known to be full */
};

#define WIRE_EMPTY ((struct wire){.fd = -1})

/*
 * wire_connect - begin; stage WIRE_IDLE asserted
 *
 * to       at least one address; each is tried for wait_ns, in order
 * context  TLS; NULL: plain. is_tls_first: TLS at once, else with wire_start_tls
 * Returns  RC_OK; RC_TEMP no address could be tried (all of them failed at once)
 */
enum rc wire_connect(struct wire *wire, struct net_poll *poll, const struct net_addresses *to,
                     struct tls_context *context, bool is_tls_first, int64_t wait_ns,
                     int64_t now_ns, struct err *err) MUST_CHECK;

/* wire_event - what net_poll said about it */
void wire_event(struct wire *wire, int events);

/*
 * wire_drive - go on with connecting and handshake
 * Returns RC_OK it is WIRE_OPEN; RC_STATE not yet; RC_TEMP it failed or took too long; RC_PERM the
 *         certificate is not good
 */
enum rc wire_drive(struct wire *wire, int64_t now_ns, struct err *err) MUST_CHECK;

/* wire_start_tls - WIRE_OPEN and plain asserted; stage is WIRE_HANDSHAKE. RC_OK; RC_NOMEM */
enum rc wire_start_tls(struct wire *wire, int64_t now_ns, struct err *err) MUST_CHECK;

/* wire_read, wire_write - as tls_read and tls_write (channel/tls.h), plain where there is no TLS */
enum rc wire_read(struct wire *wire, void *bytes, size_t len, size_t *out,
                  struct err *err) MUST_CHECK;
enum rc wire_write(struct wire *wire, const void *bytes, size_t len, size_t *out,
                   struct err *err) MUST_CHECK;

/* wire_acknowledge - as net_acknowledge; WIRE_OPEN asserted */
void wire_acknowledge(struct wire *wire);

/* wire_close - WIRE_IDLE afterwards, whatever it was */
void wire_close(struct wire *wire);

#endif
