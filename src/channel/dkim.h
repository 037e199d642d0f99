/*
 * dkim - signing messages: relaxed/relaxed, rsa-sha256 and ed25519-sha256 (RFC 6376, 8301, 8463)
 *
 * From, To, Subject, Date and Message-ID are named once more than they are there, so that nobody
 * can add a second one behind the signature; the other headers that a reader acts on are named as
 * often as they are there. There is no l=: a body cannot be added to. There is no clock: t= is what
 * the caller says, so that a message made again is the same to the byte.
 *
 * Keys: RSA of 2048 to 8192 bits, or Ed25519; PEM without a passphrase.
 */
#ifndef POSTROOM_CHANNEL_DKIM_H
#define POSTROOM_CHANNEL_DKIM_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

enum {
    DKIM_RSA_BITS_MIN = 2048, /* RFC 8301 3.2 */
    DKIM_RSA_BITS_MAX = 8192, /* beyond, one signature takes longer than its sending */
    DKIM_KEY_BYTES_MAX = 65536,
    DKIM_HASH_BYTES = 32,
    DKIM_SIGNATURE_BYTES_MAX = DKIM_RSA_BITS_MAX / 8,
    DKIM_FIELDS_MAX = 64 /* header fields of a message that is signed */
};

struct dkim_options {
    const char *domain;   /* d=: a host name, A-labels */
    const char *selector; /* s=: below domain's _domainkey */
    struct slice key_pem; /* borrowed during the open; the caller wipes it */
    const char *key_file; /* for error texts */
};

struct dkim;       /* key and names; shared by all threads */
struct dkim_state; /* one thread's contexts: nothing is allocated and no lock taken per message */

/* dkim_key_mode_is_safe - nobody but its owner may read or write the key (st_mode of the file) */
bool dkim_key_mode_is_safe(uint32_t mode);

/*
 * dkim_open - read the key
 *
 * Returns   RC_OK
 *           RC_PERM   no PEM, a passphrase, another kind of key, too few or too many bits, a domain
 *                     or selector that is no host name; the text names the file and the mend
 *           RC_RANGE  the file is over DKIM_KEY_BYTES_MAX
 *           RC_NOMEM
 */
enum rc dkim_open(const struct dkim_options *options, struct dkim **out,
                  struct err *err) MUST_CHECK;

/* dkim_free - accepts NULL; libcrypto wipes the key */
void dkim_free(struct dkim *dkim);

/* dkim_state_open - RC_OK; RC_NOMEM. The signer outlives the state. */
enum rc dkim_state_open(const struct dkim *dkim, struct dkim_state **out,
                        struct err *err) MUST_CHECK;

void dkim_state_free(struct dkim_state *state);

/*
 * dkim_sign - append the header DKIM-Signature for a message
 *
 * head   the header fields, each with its CRLF, without the empty line behind them
 * body   what follows the empty line
 * at_s   t=, seconds since 1970; negative: no t=
 * out    appended to; on an error its length is as before
 *
 * Returns   RC_OK
 *           RC_RANGE  more than DKIM_FIELDS_MAX header fields
 *           RC_NOMEM  also when libcrypto fails
 * Cost      one pass over head and body, one signature
 */
enum rc dkim_sign(const struct dkim *dkim, struct dkim_state *state, struct slice head,
                  struct slice body, int64_t at_s, struct buf *out, struct err *err) MUST_CHECK;

/*
 * dkim_sign_hash - the signature of the hash of canonical headers, as it stands in b=
 *
 * out, out_len   DKIM_SIGNATURE_BYTES_MAX bytes of room; how many it has
 *
 * Returns   RC_OK; RC_NOMEM also when libcrypto fails
 */
enum rc dkim_sign_hash(const struct dkim *dkim, struct dkim_state *state,
                       const unsigned char hash[DKIM_HASH_BYTES], unsigned char *out,
                       size_t *out_len, struct err *err) MUST_CHECK;

#endif
