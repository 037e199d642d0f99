/*
 * smpp - text messages to an SMSC or aggregator by SMPP 3.4 (transport.h)
 *
 * A message's bytes are its text in UTF-8, `from` the sender (may be empty: the peer's default),
 * `to` the number. Sessions: smpp_session.h; connections, look-ups and back-off: wires.h.
 */
#ifndef POSTROOM_CHANNEL_SMPP_H
#define POSTROOM_CHANNEL_SMPP_H

#include "channel/smpp_session.h"
#include "sys/net.h"

enum {
    SMPP_CONNECTIONS_MAX = 16, /* binds of one account; peers allow a few */
    SMPP_QUEUE_MAX = 32000,
    SMPP_QUEUE_MIN = 64, /* default of options.queue: two windows for each connection, or this. What
                            waits here when the sender is killed is held, though it never left */
    SMPP_SYSTEM_ID_BYTES_MAX = 15, /* 5.2.1, 5.2.2: 16 and 9 with their NUL */
    SMPP_PASSWORD_BYTES_MAX = 8
};

struct smpp_options {
    const char *host; /* name or address; also what the certificate has to carry. Copied */
    uint16_t port;
    bool is_plain;       /* no TLS: what is sent, password included, can be read on the way */
    struct slice ca_pem; /* as in tls.h; all slices are copied or read while opening */
    struct slice client_pem;
    struct slice client_key_pem;
    struct slice system_id;
    struct slice password;
    const struct net_addresses *addresses; /* where to connect; NULL: host is looked up */
    unsigned int connections;              /* 1..SMPP_CONNECTIONS_MAX */
    unsigned int window;                   /* 1..SMPP_WINDOW_MAX, of each */
    unsigned int queue;                    /* messages waiting at most, 0: default */
    unsigned int rate;                     /* messages a second at most; 0: no limit */
    struct share *share; /* of rate and connections, with others; borrowed. NULL: nobody else */
    int64_t timeout_ns;  /* longest wait for an answer; 0: 30 s */
    struct smpp_receipts receipts; /* `receipt` NULL: those that come are answered and forgotten */
};

/*
 * smpp_open - the transport; nothing is connected yet
 * Returns RC_OK; RC_PERM an option that cannot be: no host, a certificate or key that cannot be
 * read, a system_id or password that SMPP cannot carry; RC_RANGE connections, window or queue;
 * RC_NOMEM; RC_TEMP no descriptor
 */
enum rc smpp_open(const struct smpp_options *options, struct transport **out,
                  struct err *err) MUST_CHECK;

/* smpp_kept - receipts up to this number are on disk: they are answered during the next run */
void smpp_kept(struct transport *t, uint64_t number);

/* smpp_stay - connections stay though there is nothing to send, for receipts, until the transport
 * is closed */
void smpp_stay(struct transport *t);

/* smpp_is_bound - a receipt can come: there is a connection, and it is set up */
bool smpp_is_bound(const struct transport *t);

#endif
