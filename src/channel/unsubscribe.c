/*
 * unsubscribe - the address where a recipient says no
 */
#include "channel/unsubscribe.h"

#include "channel/header.h"
#include "template/template.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

static_assert(UNSUBSCRIBE_URI_BYTES_MAX + 3 <= HEADER_WORD_BYTES_MAX, "an address is one word");

enum { PLACE_TOKEN, PLACE_DELIVERY, PLACE_KEY, PLACES };

static const char *const PLACE_NAMES[PLACES] = {"token", "delivery", "key"};

struct unsubscribe {
    struct template *url;    /* NULL: none */
    struct template *mailto; /* NULL: none */
    char *delivery;
    unsigned char *secret;
    size_t secret_len;
};

struct unsubscribe_state {
    EVP_MAC *mac;
    EVP_MAC_CTX *keyed; /* never used up: copied for each token */
    struct buf url;
    struct buf mailto;
};

/* --- open --- */

/* RFC 3986 has no blanks, brackets, quotes or control characters in an address, and all is ASCII; a
 * comma is data there, but the header parts its addresses with commas. Returns uri.len: none. */
static size_t first_foreign_byte(struct slice uri)
{
    size_t i = 0;
    while (i < uri.len && uri.ptr[i] > ' ' && uri.ptr[i] < 0x7F &&
           strchr("<>\"\\,", uri.ptr[i]) == NULL) {
        i++;
    }
    return i;
}

static enum rc check_uri(struct slice uri, const char *setting, struct err *err)
{
    size_t at = first_foreign_byte(uri);
    if (at < uri.len) {
        return err_set(err, RC_PERM,
                       "unsubscribe.%s: byte %zu cannot stand in an address; write it as %%XX",
                       setting, at + 1);
    }
    return uri.len <= UNSUBSCRIBE_URI_BYTES_MAX
               ? RC_OK
               : err_set(err, RC_RANGE, "unsubscribe.%s: %zu bytes; at most %d", setting, uri.len,
                         UNSUBSCRIBE_URI_BYTES_MAX);
}

static enum rc compile(struct slice uri, const char *setting, struct template **out,
                       struct err *err)
{
    struct template_options options = {
        .escape = TEMPLATE_URL, .column_names = PLACE_NAMES, .column_count = PLACES};
    char name[64] = "unsubscribe.";
    memcpy(name + strlen(name), setting, strlen(setting) + 1);
    return template_compile(uri, name, &options, out, err);
}

static enum rc open_url(struct unsubscribe *made, const char *url, struct err *err)
{
    struct slice text = slice_of(url);
    enum rc rc = check_uri(text, "url", err);
    if (rc != RC_OK) {
        return rc;
    }
    if (strncmp(url, "https://", 8) != 0 || strchr(url, '#') != NULL || text.len == 8) {
        return err_set(err, RC_PERM,
                       "unsubscribe.url: one click needs an https address without a fragment (RFC "
                       "8058); write https://...");
    }
    rc = compile(text, "url", &made->url, err);
    if (rc != RC_OK || template_uses(made->url, PLACE_TOKEN)) {
        return rc;
    }
    template_free(made->url);
    made->url = NULL;
    struct buf longer = BUF_EMPTY;
    const char *query = strchr(url, '?');
    buf_add_slice(&longer, text);
    if (query == NULL) {
        buf_add_byte(&longer, '?');
    } else if (query[1] != '\0' && url[text.len - 1] != '&') {
        buf_add_byte(&longer, '&');
    }
    buf_add_text(&longer, "delivery={{delivery}}&key={{key}}&token={{token}}");
    rc = buf_ok(&longer, err);
    rc = rc == RC_OK ? compile(buf_slice(&longer), "url", &made->url, err) : rc;
    buf_release(&longer);
    return rc;
}

static enum rc open_mailto(struct unsubscribe *made, const char *mailto, struct err *err)
{
    if (strncmp(mailto, "mailto:", 7) == 0) {
        mailto += 7;
    }
    enum rc rc = check_uri(slice_of(mailto), "mailto", err);
    if (rc != RC_OK) {
        return rc;
    }
    if (strchr(mailto, '@') == NULL) {
        return err_set(err, RC_PERM,
                       "unsubscribe.mailto: no @ in it; write it like unsubscribe@example.net");
    }
    struct buf uri = BUF_EMPTY;
    buf_add_text(&uri, "mailto:");
    buf_add_text(&uri, mailto);
    if (strchr(mailto, '?') == NULL && strstr(mailto, "{{") == NULL) {
        buf_add_text(&uri, "?subject=unsubscribe%20{{delivery}}%20{{key}}%20{{token}}");
    }
    rc = buf_ok(&uri, err);
    rc = rc == RC_OK ? compile(buf_slice(&uri), "mailto", &made->mailto, err) : rc;
    buf_release(&uri);
    return rc;
}

static enum rc open_secret(struct unsubscribe *made, struct slice secret, struct err *err)
{
    if (secret.len < UNSUBSCRIBE_SECRET_BYTES_MIN) {
        return err_set(err, RC_PERM,
                       "unsubscribe.secret_file: a secret of %zu bytes; at least %d (openssl rand "
                       "-hex 32 makes one)",
                       secret.len, UNSUBSCRIBE_SECRET_BYTES_MIN);
    }
    if (secret.len > UNSUBSCRIBE_SECRET_BYTES_MAX) {
        return err_set(err, RC_RANGE, "unsubscribe.secret_file: %zu bytes; at most %d", secret.len,
                       UNSUBSCRIBE_SECRET_BYTES_MAX);
    }
    made->secret = malloc(secret.len);
    if (made->secret == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a secret");
    }
    memcpy(made->secret, secret.ptr, secret.len);
    made->secret_len = secret.len;
    return RC_OK;
}

enum rc unsubscribe_open(const struct unsubscribe_options *options, struct unsubscribe **out,
                         struct err *err)
{
    *out = NULL;
    bool has_url = options->url != NULL && options->url[0] != '\0';
    bool has_mailto = options->mailto != NULL && options->mailto[0] != '\0';
    if (!has_url && !has_mailto) {
        return RC_OK;
    }
    struct unsubscribe *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return err_set(err, RC_NOMEM, "no memory for the unsubscribe address");
    }
    made->delivery = strdup(options->delivery);
    enum rc rc = made->delivery == NULL ? err_set(err, RC_NOMEM, "no memory for an id") : RC_OK;
    rc = rc == RC_OK && has_url ? open_url(made, options->url, err) : rc;
    rc = rc == RC_OK && has_mailto ? open_mailto(made, options->mailto, err) : rc;
    rc = rc == RC_OK ? open_secret(made, options->secret, err) : rc;
    if (rc != RC_OK) {
        unsubscribe_free(made);
        return rc;
    }
    *out = made;
    return RC_OK;
}

void unsubscribe_free(struct unsubscribe *unsubscribe)
{
    if (unsubscribe == NULL) {
        return;
    }
    template_free(unsubscribe->url);
    template_free(unsubscribe->mailto);
    free(unsubscribe->delivery);
    OPENSSL_clear_free(unsubscribe->secret, unsubscribe->secret_len);
    free(unsubscribe);
}

/* --- one thread --- */

enum rc unsubscribe_state_open(const struct unsubscribe *unsubscribe,
                               struct unsubscribe_state **out, struct err *err)
{
    struct unsubscribe_state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return err_set(err, RC_NOMEM, "no memory for an unsubscribe address");
    }
    char sha256[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
                           OSSL_PARAM_construct_end()};
    state->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    state->keyed = state->mac == NULL ? NULL : EVP_MAC_CTX_new(state->mac);
    if (state->keyed == NULL ||
        EVP_MAC_init(state->keyed, unsubscribe->secret, unsubscribe->secret_len, params) != 1) {
        unsubscribe_state_free(state);
        return err_set(err, RC_NOMEM, "libcrypto has no HMAC-SHA256");
    }
    *out = state;
    return RC_OK;
}

void unsubscribe_state_free(struct unsubscribe_state *state)
{
    if (state == NULL) {
        return;
    }
    EVP_MAC_CTX_free(state->keyed);
    EVP_MAC_free(state->mac);
    buf_release(&state->url);
    buf_release(&state->mailto);
    free(state);
}

/* RFC 4648 5, without padding */
static void put_base64url(const unsigned char bytes[32], char out[UNSUBSCRIBE_TOKEN_BYTES])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned pending = 0;
    unsigned bits = 0;
    size_t at = 0;
    for (size_t i = 0; i < 32; i++) {
        pending = pending << 8 | bytes[i];
        for (bits += 8; bits >= 6; bits -= 6) {
            out[at++] = digits[pending >> (bits - 6) & 63];
        }
    }
    out[at++] = digits[pending << (6 - bits) & 63];
}

static enum rc make_token(const struct unsubscribe *unsubscribe, struct unsubscribe_state *state,
                          struct slice key, char out[UNSUBSCRIBE_TOKEN_BYTES], struct err *err)
{
    unsigned char digest[32];
    size_t len = 0;
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(state->keyed);
    bool is_made =
        ctx != NULL &&
        EVP_MAC_update(ctx, (const unsigned char *)unsubscribe->delivery,
                       strlen(unsubscribe->delivery)) == 1 &&
        EVP_MAC_update(ctx, (const unsigned char *)"\n", 1) == 1 &&
        (key.len == 0 || EVP_MAC_update(ctx, (const unsigned char *)key.ptr, key.len) == 1) &&
        EVP_MAC_final(ctx, digest, &len, sizeof digest) == 1 && len == sizeof digest;
    EVP_MAC_CTX_free(ctx);
    if (!is_made) {
        return err_set(err, RC_NOMEM, "no memory for a token");
    }
    put_base64url(digest, out);
    return RC_OK;
}

static enum rc render_one(const struct template *compiled, const struct slice *places,
                          struct buf *out, struct err *err)
{
    buf_clear(out);
    if (compiled == NULL) {
        return RC_OK;
    }
    enum rc rc = template_render(compiled, places, PLACES, out, err);
    if (rc == RC_OK && out->len > UNSUBSCRIBE_URI_BYTES_MAX) {
        return err_set(err, RC_PERM, "an unsubscribe address of %zu bytes; at most %d", out->len,
                       UNSUBSCRIBE_URI_BYTES_MAX);
    }
    if (rc == RC_OK && first_foreign_byte(buf_slice(out)) < out->len) {
        return err_set(err, RC_PERM,
                       "the key puts a sign into the unsubscribe address that cannot stand there");
    }
    return rc == RC_RANGE ? RC_PERM : rc;
}

enum rc unsubscribe_render(const struct unsubscribe *unsubscribe, struct unsubscribe_state *state,
                           struct slice key, struct err *err)
{
    char token[UNSUBSCRIBE_TOKEN_BYTES];
    enum rc rc = make_token(unsubscribe, state, key, token, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct slice places[PLACES] = {[PLACE_TOKEN] = {token, sizeof token},
                                   [PLACE_DELIVERY] = slice_of(unsubscribe->delivery),
                                   [PLACE_KEY] = key};
    rc = render_one(unsubscribe->url, places, &state->url, err);
    return rc == RC_OK ? render_one(unsubscribe->mailto, places, &state->mailto, err) : rc;
}

struct slice unsubscribe_url(const struct unsubscribe_state *state)
{
    return buf_slice(&state->url);
}

static void put_uri(struct header_line *line, const struct buf *uri, bool is_last)
{
    char word[UNSUBSCRIBE_URI_BYTES_MAX + 3];
    size_t len = 0;
    word[len++] = '<';
    memcpy(word + len, uri->ptr, uri->len);
    len += uri->len;
    word[len++] = '>';
    if (!is_last) {
        word[len++] = ',';
    }
    header_word(line, (struct slice){word, len});
}

void unsubscribe_put(const struct unsubscribe_state *state, struct buf *out)
{
    struct header_line line = header_begin(out, "List-Unsubscribe");
    if (state->url.len > 0) {
        put_uri(&line, &state->url, state->mailto.len == 0);
    }
    if (state->mailto.len > 0) {
        put_uri(&line, &state->mailto, true);
    }
    header_end(&line);
    if (state->url.len > 0) {
        header_put(out, "List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
    }
}
