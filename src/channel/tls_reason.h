/*
 * tls_reason - why a certificate was not good, in words; inside the room
 */
#ifndef POSTROOM_CHANNEL_TLS_REASON_H
#define POSTROOM_CHANNEL_TLS_REASON_H

#include "base/err.h"

#include <openssl/x509.h>

/*
 * tls_reason - "certificate is for other.example, not relay.example"
 *
 * found        an X509_V_ERR_...
 * certificate  the peer's; NULL: not known
 * Returns RC_PERM
 */
enum rc tls_reason(struct err *err, long found, const X509 *certificate, const char *host);

#endif
