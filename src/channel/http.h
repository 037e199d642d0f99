/*
 * http - push and in-app messages to a service by HTTPS (transport.h): one POST for each message
 *
 * By HTTP/2, up to a hundred requests on each connection (nghttp2 makes the frames); by HTTP/1.1
 * (libcurl) where the peer's first connection speaks no other. The certificate is verified, no
 * redirect is followed, no proxy of the environment is used. A first request shows that the peer
 * answers before others are begun; after a loss there is a first one again.
 *
 *     answered                                   http_verdict.h
 *     not connected, not wholly handed over      UNTRIED
 *     refused (REFUSED_STREAM, above GOAWAY's    UNTRIED: sent again on another connection
 *     last stream, RFC 9113 8.7)
 *     handed over, then lost or not answered     UNCERTAIN
 *
 * Nothing goes out twice without a new intent: libcurl, which sends a request again by itself when
 * a connection that it reused breaks, cannot here, as bodies cannot be rewound.
 */
#ifndef POSTROOM_CHANNEL_HTTP_H
#define POSTROOM_CHANNEL_HTTP_H

#include "channel/share.h"
#include "channel/transport.h"

enum {
    HTTP_CONNECTIONS_MAX = 1000,
    HTTP_STREAMS_A_CONNECTION = 100, /* what RFC 9113 6.5.2 calls the least a peer should allow */
    HTTP_HELD_MAX = 1024,            /* messages that wait at once */
    HTTP_URL_BYTES_MAX = 8192,
    HTTP_HEADERS_MAX = 32,
    HTTP_HEADER_BYTES_MAX = 1024,
    HTTP_TOKEN_BYTES_MAX = 8192,
    HTTP_ANSWER_BYTES_MAX = 64 * 1024 /* of one answer; what is longer is broken off */
};

struct http_options {
    const char *name;        /* "push", "inapp": of the settings, for errors */
    const char *url;         /* https://; {{address}} in it is the recipient's, escaped. Copied */
    bool is_plain;           /* tls = "none": http:// is allowed, over HTTP/1.1 */
    struct slice ca_pem;     /* trusted certificates; empty: the system's. All slices are copied */
    struct slice client_pem; /* our certificate and what leads to its issuer; empty: none */
    struct slice client_key_pem;
    int token_fd;               /* file with the bearer token, borrowed; -1: none */
    const char *const *headers; /* "apns-topic: com.example.app", copied */
    size_t header_count;
    unsigned int connections; /* 1..HTTP_CONNECTIONS_MAX */
    unsigned int rate;        /* messages a second at most; 0: no limit */
    struct share *share; /* of rate and connections, with others; borrowed. NULL: nobody else */
    int64_t timeout_ns;  /* longest wait for a connection, and for an answer */
};

/*
 * http_open - the transport; nothing is connected yet
 * Returns RC_OK; RC_PERM an option that cannot be: the url, a header, a certificate or key, a token
 * that is empty or holds blanks; RC_RANGE a number or length beyond the limits; RC_NOMEM; RC_TEMP
 */
enum rc http_open(const struct http_options *options, struct transport **out,
                  struct err *err) MUST_CHECK;

#endif
