/*
 * smtp - e-mail to a relay over several connections (transport.h)
 *
 * Up to two messages are under way on each connection (smtp_session.h), the others wait in the
 * wires (wires.h), which see to names, connections and back-off.
 */
#ifndef POSTROOM_CHANNEL_SMTP_H
#define POSTROOM_CHANNEL_SMTP_H

#include "channel/smtp_session.h"
#include "sys/net.h"

enum {
    SMTP_CONNECTIONS_MAX = 1000,
    SMTP_QUEUE_A_CONNECTION = 32, /* default of options.queue, for each connection */
    SMTP_QUEUE_MAX = 32000,
    SMTP_MESSAGES_A_CONNECTION = 1000 /* default of options.max_messages */
};

struct smtp_options {
    const char *host; /* name or address; also what the certificate has to carry. Copied */
    uint16_t port;
    enum smtp_tls tls;
    struct slice ca_pem; /* as in tls.h; all slices are copied or read while opening */
    struct slice client_pem;
    struct slice client_key_pem;
    struct slice user; /* empty: no login */
    struct slice password;
    const char *helo;                      /* our name in EHLO; NULL: our address as a literal */
    const struct net_addresses *addresses; /* where to connect; NULL: host is looked up */
    unsigned int connections;              /* 1..SMTP_CONNECTIONS_MAX */
    unsigned int queue;                    /* messages held at most, 0: default */
    unsigned int rate;                     /* messages a second at most; 0: no limit */
    struct share *share; /* of rate and connections, with others; borrowed. NULL: nobody else */
    unsigned int max_messages; /* of one connection; 0: default */
    int64_t timeout_ns;        /* longest wait for any answer; 0: RFC 5321's limits, up
                                  to 10 minutes for the reply to the final dot */
};

/*
 * smtp_open - the transport; nothing is connected yet
 * Returns RC_OK; RC_PERM an option that cannot be: no host, a certificate or key that cannot be
 * read, a login without TLS (a password never goes out in clear); RC_RANGE connections or queue;
 * RC_NOMEM; RC_TEMP no descriptor
 */
enum rc smtp_open(const struct smtp_options *options, struct transport **out,
                  struct err *err) MUST_CHECK;

#endif
