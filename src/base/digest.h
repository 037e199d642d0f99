/*
 * digest - SHA-256 (libcrypto) as a value, and hex
 */
#ifndef POSTROOM_BASE_DIGEST_H
#define POSTROOM_BASE_DIGEST_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>
#include <string.h>

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

__extension__ typedef unsigned __int128 digest_product;

/* both halves of the product of two numbers */
static inline uint64_t hash64_fold(uint64_t a, uint64_t b)
{
    digest_product product = (digest_product)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/*
 * hash64_short - another hash for the same use, half the price where there are 16 bytes or fewer
 * (the rest goes to hash64): two products, as in wyhash. Differs between machines' byte orders, so
 * nothing of it may be kept.
 */
static inline uint64_t hash64_short(const void *bytes, size_t len, uint64_t seed)
{
    const unsigned char *from = bytes;
    uint64_t first = 0;
    uint64_t last = 0;
    if (len > 16) {
        return hash64(bytes, len, seed);
    }
    if (len >= 8) {
        memcpy(&first, from, 8);
        memcpy(&last, from + len - 8, 8);
    } else if (len >= 4) {
        memcpy(&first, from, 4);
        memcpy(&last, from + len - 4, 4);
    } else if (len > 0) {
        first = from[0] | (uint64_t)from[len / 2] << 8 | (uint64_t)from[len - 1] << 16;
    }
    first ^= UINT64_C(0xa0761d6478bd642f) ^ (seed << 32 | seed >> 32);
    return hash64_fold(UINT64_C(0xe7037ed1a0b428db) ^ len, hash64_fold(first, last ^ seed));
}

#endif
