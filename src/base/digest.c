/*
 * digest - SHA-256 by libcrypto, XXH3 by libxxhash
 */
#include "base/digest.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct sha256 {
    EVP_MD_CTX *ctx;
};

static void to_hex(const unsigned char *bytes, char *out_hex)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        out_hex[2 * i] = digits[bytes[i] >> 4];
        out_hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    out_hex[SHA256_HEX_BYTES - 1] = '\0';
}

struct sha256 *sha256_open(void)
{
    struct sha256 *sha = calloc(1, sizeof *sha);
    if (sha == NULL) {
        return NULL;
    }
    sha->ctx = EVP_MD_CTX_new();
    if (sha->ctx == NULL || EVP_DigestInit_ex(sha->ctx, EVP_sha256(), NULL) != 1) {
        sha256_free(sha);
        return NULL;
    }
    return sha;
}

void sha256_add(struct sha256 *sha, const void *bytes, size_t len)
{
    int is_done = EVP_DigestUpdate(sha->ctx, bytes, len);
    assert(is_done == 1); /* SHA-256 over memory has no way to fail */
    (void)is_done;
}

void sha256_end(struct sha256 *sha, char out_hex[SHA256_HEX_BYTES])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int is_done = EVP_DigestFinal_ex(sha->ctx, bytes, &len);
    is_done &= EVP_DigestInit_ex(sha->ctx, EVP_sha256(), NULL);
    assert(is_done == 1 && len == SHA256_BYTES);
    (void)is_done;
    to_hex(bytes, out_hex);
}

void sha256_free(struct sha256 *sha)
{
    if (sha != NULL) {
        EVP_MD_CTX_free(sha->ctx);
        free(sha);
    }
}

void sha256_hex(const void *bytes, size_t len, char out_hex[SHA256_HEX_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    int is_done = EVP_Digest(bytes, len, digest, &digest_len, EVP_sha256(), NULL);
    assert(is_done == 1 && digest_len == SHA256_BYTES);
    (void)is_done;
    to_hex(digest, out_hex);
}

uint64_t hash64(const void *bytes, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, len, seed);
}
