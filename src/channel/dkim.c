/*
 * dkim - signing messages
 *
 * Both kinds of keys sign the SHA-256 of the canonical headers; Ed25519 takes that hash as its
 * message (RFC 8463 3). Each thread has its own copy of the key: one that is shared takes a lock
 * for every RSA blinding.
 */
#include "channel/dkim.h"

#include "channel/body_code.h"
#include "channel/dkim_relaxed.h"
#include "channel/header.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_BYTES_MAX = 253 };

static_assert((int)BODY_CODE_LINE_BYTES < (int)HEADER_LINE_BYTES,
              "a line of base64 fits a folded line");

struct dkim {
    EVP_PKEY *key;
    bool is_rsa;
    char domain[NAME_BYTES_MAX + 1];
    char selector[NAME_BYTES_MAX + 1];
};

struct dkim_state {
    EVP_PKEY *key;     /* this thread's own */
    EVP_MD *sha256;    /* fetched once */
    EVP_MD_CTX *hash;  /* bodies, headers */
    EVP_MD_CTX *sign;  /* Ed25519 */
    EVP_PKEY_CTX *rsa; /* RSA, ready to sign */
    struct buf canonical;
    struct buf encoded;
};

/* What is signed, in the order of h=. Oversigned: named once more than it is there. */
static const struct signed_name {
    const char *name; /* lower case */
    const char *shown;
    bool is_oversigned;
} SIGNED[] = {
    {"from", "From", true},
    {"to", "To", true},
    {"subject", "Subject", true},
    {"date", "Date", true},
    {"message-id", "Message-ID", true},
    {"reply-to", "Reply-To", false},
    {"mime-version", "MIME-Version", false},
    {"content-type", "Content-Type", false},
    {"content-transfer-encoding", "Content-Transfer-Encoding", false},
    {"list-unsubscribe", "List-Unsubscribe", false},
    {"list-unsubscribe-post", "List-Unsubscribe-Post", false},
    {"feedback-id", "Feedback-ID", false},
    {"auto-submitted", "Auto-Submitted", false},
};

enum { SIGNED_NAMES = sizeof SIGNED / sizeof SIGNED[0] };

/* --- key --- */

bool dkim_key_mode_is_safe(uint32_t mode)
{
    return (mode & 077) == 0;
}

/* A passphrase could only be asked for on a terminal. */
static int no_passphrase(char *room, int size, int is_writing, void *is_asked)
{
    (void)room;
    (void)size;
    (void)is_writing;
    *(bool *)is_asked = true;
    return -1;
}

static enum rc read_key(struct dkim *made, const struct dkim_options *options, struct err *err)
{
    if (options->key_pem.len > DKIM_KEY_BYTES_MAX) {
        return err_set(err, RC_RANGE, "%s: %zu bytes for a key; at most %d", options->key_file,
                       options->key_pem.len, DKIM_KEY_BYTES_MAX);
    }
    bool is_asked = false;
    BIO *bio = BIO_new_mem_buf(options->key_pem.ptr == NULL ? "" : options->key_pem.ptr,
                               (int)options->key_pem.len);
    if (bio == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a key");
    }
    made->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &is_asked);
    BIO_free(bio);
    ERR_clear_error();
    if (made->key != NULL) {
        return RC_OK;
    }
    if (is_asked) {
        return err_set(
            err, RC_PERM,
            "%s: the key has a passphrase that nobody is there to type; write it without "
            "one (openssl pkey -in KEY -out KEY)",
            options->key_file);
    }
    return err_set(err, RC_PERM,
                   "%s: no private key in PEM; make one with: openssl genrsa -out KEY 2048",
                   options->key_file);
}

static enum rc check_key(struct dkim *made, const struct dkim_options *options, struct err *err)
{
    int kind = EVP_PKEY_get_base_id(made->key);
    int bits = EVP_PKEY_get_bits(made->key);
    made->is_rsa = kind == EVP_PKEY_RSA;
    if (kind == EVP_PKEY_ED25519) {
        return RC_OK;
    }
    if (!made->is_rsa) {
        const char *name = EVP_PKEY_get0_type_name(made->key);
        return err_set(err, RC_PERM,
                       "%s: a key of type %s; DKIM takes RSA (openssl genrsa -out KEY 2048) or "
                       "Ed25519 (openssl genpkey -algorithm ed25519 -out KEY)",
                       options->key_file, name == NULL ? "unknown" : name);
    }
    if (bits < DKIM_RSA_BITS_MIN || bits > DKIM_RSA_BITS_MAX) {
        return err_set(err, RC_PERM,
                       "%s: an RSA key of %d bits; %d to %d are taken (openssl genrsa -out KEY "
                       "2048), and its public half goes into the DNS anew",
                       options->key_file, bits, DKIM_RSA_BITS_MIN, DKIM_RSA_BITS_MAX);
    }
    return RC_OK;
}

/* Letters, digits, hyphens and dots; a selector may hold an underscore too */
static enum rc copy_name(const char *text, const char *setting, const char *more, char *out,
                         struct err *err)
{
    size_t len = strlen(text);
    bool is_good = len > 0 && len <= NAME_BYTES_MAX && text[0] != '.' && text[len - 1] != '.' &&
                   strstr(text, "..") == NULL;
    for (size_t i = 0; is_good && i < len; i++) {
        char c = text[i];
        is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '.' || strchr(more, c) != NULL;
    }
    if (!is_good) {
        return err_set(err, RC_PERM,
                       "dkim.%s: not a name of letters, digits, hyphens and dots (a domain with "
                       "other letters is written in its xn-- form)",
                       setting);
    }
    memcpy(out, text, len + 1);
    return RC_OK;
}

enum rc dkim_open(const struct dkim_options *options, struct dkim **out, struct err *err)
{
    assert(options->domain != NULL && options->selector != NULL && options->key_file != NULL);
    struct dkim *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a key");
    }
    enum rc rc = copy_name(options->domain, "domain", "", made->domain, err);
    rc = rc == RC_OK ? copy_name(options->selector, "selector", "_", made->selector, err) : rc;
    rc = rc == RC_OK ? read_key(made, options, err) : rc;
    rc = rc == RC_OK ? check_key(made, options, err) : rc;
    if (rc != RC_OK) {
        dkim_free(made);
        return rc;
    }
    *out = made;
    return RC_OK;
}

void dkim_free(struct dkim *dkim)
{
    if (dkim != NULL) {
        EVP_PKEY_free(dkim->key);
        free(dkim);
    }
}

/* --- one thread --- */

static bool prepare_rsa(struct dkim_state *state)
{
    state->rsa = EVP_PKEY_CTX_new_from_pkey(NULL, state->key, NULL);
    return state->rsa != NULL && EVP_PKEY_sign_init(state->rsa) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(state->rsa, RSA_PKCS1_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(state->rsa, state->sha256) == 1;
}

enum rc dkim_state_open(const struct dkim *dkim, struct dkim_state **out, struct err *err)
{
    struct dkim_state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return err_set(err, RC_NOMEM, "no memory for signatures");
    }
    state->key = EVP_PKEY_dup(dkim->key);
    state->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    state->hash = EVP_MD_CTX_new();
    state->sign = EVP_MD_CTX_new();
    if (state->key == NULL || state->sha256 == NULL || state->hash == NULL || state->sign == NULL ||
        (dkim->is_rsa && !prepare_rsa(state))) {
        dkim_state_free(state);
        return err_set(err, RC_NOMEM, "libcrypto is not ready to sign");
    }
    *out = state;
    return RC_OK;
}

void dkim_state_free(struct dkim_state *state)
{
    if (state == NULL) {
        return;
    }
    EVP_PKEY_CTX_free(state->rsa);
    EVP_MD_CTX_free(state->sign);
    EVP_MD_CTX_free(state->hash);
    EVP_MD_free(state->sha256);
    EVP_PKEY_free(state->key);
    buf_release(&state->canonical);
    buf_release(&state->encoded);
    free(state);
}

static enum rc hash_canonical(struct dkim_state *state, size_t len, unsigned char *out,
                              struct err *err)
{
    enum rc rc = buf_ok(&state->canonical, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (EVP_DigestInit_ex(state->hash, state->sha256, NULL) != 1 ||
        (len > 0 && EVP_DigestUpdate(state->hash, state->canonical.ptr, len) != 1) ||
        EVP_DigestFinal_ex(state->hash, out, NULL) != 1) {
        return err_set(err, RC_NOMEM, "libcrypto could not hash");
    }
    return RC_OK;
}

enum rc dkim_sign_hash(const struct dkim *dkim, struct dkim_state *state,
                       const unsigned char hash[DKIM_HASH_BYTES], unsigned char *out,
                       size_t *out_len, struct err *err)
{
    *out_len = DKIM_SIGNATURE_BYTES_MAX;
    bool is_signed =
        dkim->is_rsa ? EVP_PKEY_sign(state->rsa, out, out_len, hash, DKIM_HASH_BYTES) == 1
                     : EVP_MD_CTX_reset(state->sign) == 1 &&
                           EVP_DigestSignInit(state->sign, NULL, NULL, NULL, state->key) == 1 &&
                           EVP_DigestSign(state->sign, out, out_len, hash, DKIM_HASH_BYTES) == 1;
    if (!is_signed) {
        ERR_clear_error();
        return err_set(err, RC_NOMEM, "libcrypto could not sign");
    }
    return RC_OK;
}

/* --- message --- */

struct fields {
    struct slice field[DKIM_FIELDS_MAX]; /* with CRLF */
    uint8_t name[DKIM_FIELDS_MAX];       /* index in SIGNED; SIGNED_NAMES: not signed */
    size_t count;
};

static uint8_t find_name(struct slice field)
{
    const char *colon = memchr(field.ptr, ':', field.len);
    size_t len = colon == NULL ? 0 : (size_t)(colon - field.ptr);
    for (size_t i = 0; i < SIGNED_NAMES; i++) {
        if (strlen(SIGNED[i].name) != len) {
            continue;
        }
        size_t at = 0;
        while (at < len && ((field.ptr[at] >= 'A' && field.ptr[at] <= 'Z')
                                ? field.ptr[at] | 0x20
                                : field.ptr[at]) == SIGNED[i].name[at]) {
            at++;
        }
        if (at == len) {
            return (uint8_t)i;
        }
    }
    return SIGNED_NAMES;
}

static enum rc split_fields(struct slice head, struct fields *out, struct err *err)
{
    out->count = 0;
    for (size_t at = 0; at < head.len;) {
        size_t start = at;
        do {
            const char *stop = memchr(head.ptr + at, '\n', head.len - at);
            at = stop == NULL ? head.len : (size_t)(stop - head.ptr) + 1;
        } while (at < head.len && (head.ptr[at] == ' ' || head.ptr[at] == '\t'));
        if (out->count == DKIM_FIELDS_MAX) {
            return err_set(err, RC_RANGE, "more than %d header fields", DKIM_FIELDS_MAX);
        }
        out->field[out->count] = (struct slice){head.ptr + start, at - start};
        out->name[out->count] = find_name(out->field[out->count]);
        out->count++;
    }
    return RC_OK;
}

/* h=, and the canonical headers in its order: of several of one name the lowest first (5.4.2) */
static void put_names(struct dkim_state *state, const struct fields *fields,
                      struct header_line *line)
{
    char word[128] = "h=";
    size_t len = 2;
    bool is_first = true;
    for (size_t i = 0; i < SIGNED_NAMES; i++) {
        size_t named = SIGNED[i].is_oversigned;
        for (size_t k = fields->count; k-- > 0;) {
            if (fields->name[k] == i) {
                dkim_relaxed_header(fields->field[k], &state->canonical);
                named++;
            }
        }
        for (; named > 0; named--) {
            if (!is_first) {
                word[len++] = ':';
                header_word(line, (struct slice){word, len});
                len = 0;
            }
            memcpy(word + len, SIGNED[i].shown, strlen(SIGNED[i].shown));
            len += strlen(SIGNED[i].shown);
            is_first = false;
        }
    }
    word[len++] = ';';
    header_word(line, (struct slice){word, len});
}

static void put_word(struct header_line *line, const char *tag, const char *value)
{
    char word[NAME_BYTES_MAX + 8];
    int len = snprintf(word, sizeof word, "%s=%s;", tag, value);
    assert(len > 0 && (size_t)len < sizeof word);
    header_word(line, (struct slice){word, (size_t)len});
}

/* Each line of base64 is one word. */
static void put_signature(struct dkim_state *state, struct slice signature,
                          struct header_line *line)
{
    buf_clear(&state->encoded);
    body_base64(signature, &state->encoded);
    struct slice text = buf_slice(&state->encoded);
    while (text.len > 0) {
        const char *stop = memchr(text.ptr, '\r', text.len);
        size_t len = stop == NULL ? text.len : (size_t)(stop - text.ptr);
        size_t passed = stop == NULL ? len : len + 2;
        header_word(line, (struct slice){text.ptr, len});
        text.ptr += passed;
        text.len -= passed;
    }
}

static enum rc put_body_hash(struct dkim_state *state, struct slice body, struct header_line *line,
                             struct err *err)
{
    unsigned char hash[DKIM_HASH_BYTES];
    buf_clear(&state->canonical);
    dkim_relaxed_body(body, &state->canonical);
    enum rc rc = hash_canonical(state, state->canonical.len, hash, err);
    buf_clear(&state->encoded);
    body_base64((struct slice){(const char *)hash, sizeof hash}, &state->encoded);
    rc = rc == RC_OK ? buf_ok(&state->encoded, err) : rc;
    if (rc == RC_OK) {
        put_word(line, "bh", buf_text(&state->encoded));
    }
    return rc;
}

static enum rc sign_fields(const struct dkim *dkim, struct dkim_state *state,
                           const struct fields *fields, struct slice body, int64_t at_s,
                           struct buf *out, struct err *err)
{
    size_t start = out->len;
    struct header_line line = header_begin(out, "DKIM-Signature");
    put_word(&line, "v", "1");
    put_word(&line, "a", dkim->is_rsa ? "rsa-sha256" : "ed25519-sha256");
    put_word(&line, "c", "relaxed/relaxed");
    put_word(&line, "d", dkim->domain);
    put_word(&line, "s", dkim->selector);
    if (at_s >= 0) {
        char seconds[24];
        (void)snprintf(seconds, sizeof seconds, "%lld", (long long)at_s);
        put_word(&line, "t", seconds);
    }
    enum rc rc = put_body_hash(state, body, &line, err);
    if (rc != RC_OK) {
        return rc;
    }
    buf_clear(&state->canonical);
    put_names(state, fields, &line);
    header_word(&line, SLICE_LITERAL("b="));
    rc = buf_ok(out, err);
    if (rc != RC_OK) {
        return rc;
    }
    /* the signature signs its own header with an empty b= and without its CRLF (3.7) */
    dkim_relaxed_header((struct slice){out->ptr + start, out->len - start}, &state->canonical);
    unsigned char hash[DKIM_HASH_BYTES];
    unsigned char signature[DKIM_SIGNATURE_BYTES_MAX];
    size_t len = 0;
    rc = hash_canonical(state, state->canonical.len - 2, hash, err);
    rc = rc == RC_OK ? dkim_sign_hash(dkim, state, hash, signature, &len, err) : rc;
    if (rc != RC_OK) {
        return rc;
    }
    put_signature(state, (struct slice){(const char *)signature, len}, &line);
    header_end(&line);
    rc = buf_ok(&state->encoded, err);
    return rc == RC_OK ? buf_ok(out, err) : rc;
}

enum rc dkim_sign(const struct dkim *dkim, struct dkim_state *state, struct slice head,
                  struct slice body, int64_t at_s, struct buf *out, struct err *err)
{
    struct fields fields;
    size_t start = out->len;
    enum rc rc = split_fields(head, &fields, err);
    rc = rc == RC_OK ? sign_fields(dkim, state, &fields, body, at_s, out, err) : rc;
    if (rc != RC_OK && !out->is_failed && out->ptr != NULL) {
        out->len = start;
        out->ptr[start] = '\0';
    }
    return rc;
}
