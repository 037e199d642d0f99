/*
 * digest - SHA-256 (libcrypto) as a value, and hex
 */
#ifndef POSTROOM_BASE_DIGEST_H
#define POSTROOM_BASE_DIGEST_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_HEX_BYTES = 65 /* with NUL */ };

struct sha256; /* running digest */

/* sha256_open - NULL when there is no memory */
struct sha256 *sha256_open(void);
void sha256_add(struct sha256 *sha, const void *bytes, size_t len);
/* sha256_end - the digest so far as hex; the running digest starts anew */
void sha256_end(struct sha256 *sha, char out_hex[SHA256_HEX_BYTES]);
void sha256_free(struct sha256 *sha);

/* sha256_hex - digest of one run of bytes as lower-case hex */
void sha256_hex(const void *bytes, size_t len, char out_hex[SHA256_HEX_BYTES]);

/* hash64 - fast non-cryptographic hash (XXH3) with a seed, for tables: never an identity by itself
 */
uint64_t hash64(const void *bytes, size_t len, uint64_t seed);

#endif
