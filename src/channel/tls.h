/*
 * tls - client side TLS over our own sockets, verified or not at all
 *
 * TLS 1.2 or newer. The chain has to end in a trusted certificate and a subject alternative name
 * has to be the host (RFC 9525: never the common name, a wildcard only as the whole first label; an
 * address only as an IP name). There is no switch to turn that off. One context serves all
 * connections to one host and lets later ones resume the session of earlier ones.
 */
#ifndef POSTROOM_CHANNEL_TLS_H
#define POSTROOM_CHANNEL_TLS_H

#include "base/err.h"
#include "base/slice.h"

enum { TLS_RECORD_BYTES = 16384 }; /* the largest record (RFC 8446 5.1): write in such pieces */

struct tls_options {
    const char *host;    /* name or address that the certificate has to carry; copied */
    struct slice ca_pem; /* trusted certificates; empty: the system's store, read as it is needed */
    struct slice client_pem; /* our certificate and what leads to its issuer; empty: none */
    struct slice
        client_key_pem; /* its private key, not encrypted; wipe it after tls_context_open */
    const char *alpn;   /* protocols offered, the best first: "h2,http/1.1"; NULL: none */
};

struct tls_context;

/*
 * tls_context_open - read certificates and make the context
 * Returns RC_OK; RC_PERM a certificate or key that cannot be read, that do not fit each other, or
 * an invalid host; RC_NOMEM
 */
enum rc tls_context_open(const struct tls_options *options, struct tls_context **out,
                         struct err *err) MUST_CHECK;
void tls_context_free(struct tls_context *context);

struct tls;

/* tls_open - a connection on a socket that is connected; fd and context borrowed. RC_OK; RC_NOMEM
 */
enum rc tls_open(struct tls_context *context, int fd, struct tls **out, struct err *err) MUST_CHECK;

/*
 * tls_handshake - go on with the handshake
 * Returns RC_OK done, verified; RC_STATE wait for the socket (either direction) and call again;
 * RC_PERM the certificate is not good: err says for what; RC_TEMP anything else (no TLS at the
 * other end, no common version, the connection was lost)
 */
enum rc tls_handshake(struct tls *tls, struct err *err) MUST_CHECK;

/*
 * tls_write - RC_OK *out bytes were handed to the kernel as whole records; RC_STATE not now: call
 * it again with the same bytes (they may have moved, more may follow); RC_GONE the connection is
 * over
 */
enum rc tls_write(struct tls *tls, const void *bytes, size_t len, size_t *out,
                  struct err *err) MUST_CHECK;

/* tls_read - RC_OK *out bytes; RC_STATE nothing more now; RC_GONE the connection is over */
enum rc tls_read(struct tls *tls, void *bytes, size_t len, size_t *out, struct err *err) MUST_CHECK;

/* tls_is_resumed - the handshake took up an earlier session (for tests and status) */
bool tls_is_resumed(const struct tls *tls);

/* tls_protocol - what was agreed on of options.alpn; empty: nothing. Valid while tls is open */
struct slice tls_protocol(const struct tls *tls);

/* tls_version - "TLSv1.3"; valid while tls is open */
const char *tls_version(const struct tls *tls);

/* tls_free - say close_notify where that does not block, and free; the socket stays open. NULL
 * allowed. */
void tls_free(struct tls *tls);

#endif
