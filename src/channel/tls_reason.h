/*
 * tls_reason - why a certificate was not good, in words; inside the room
 */
#ifndef POSTROOM_CHANNEL_TLS_REASON_H
#define POSTROOM_CHANNEL_TLS_REASON_H

#include "base/err.h"

#include <openssl/ssl.h>

/* tls_reason - "certificate is for other.example, not relay.example"; returns RC_PERM */
enum rc tls_reason(struct err *err, const SSL *ssl, const char *host);

#endif
