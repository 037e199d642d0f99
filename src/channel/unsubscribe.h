/*
 * unsubscribe - the address where a recipient says no, with a token that only we can make
 *
 * token = base64url(HMAC-SHA256(secret, delivery id LF key)), 43 characters, no padding. Who serves
 * the address knows the secret, and so tells a true request from an invented one without any table.
 *
 * The url and the mailto address may have places: {{token}}, {{delivery}}, {{key}}, all escaped for
 * a URL. A url without {{token}} gets "delivery=...&key=...&token=..." appended to its query, a
 * mailto without it and without a query "?subject=unsubscribe...", because a token alone does not
 * say whose it is.
 *
 * RFC 2369 (List-Unsubscribe), RFC 8058 (one click: https, List-Unsubscribe-Post, both signed).
 */
#ifndef POSTROOM_CHANNEL_UNSUBSCRIBE_H
#define POSTROOM_CHANNEL_UNSUBSCRIBE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum {
    UNSUBSCRIBE_TOKEN_BYTES = 43,
    UNSUBSCRIBE_SECRET_BYTES_MIN = 16, /* 128 bits: what can be guessed protects nobody */
    UNSUBSCRIBE_SECRET_BYTES_MAX = 4096,
    UNSUBSCRIBE_URI_BYTES_MAX = 900 /* rendered: it stands on one line of a header */
};

struct unsubscribe_options {
    const char *url;      /* https://...; NULL or "": none */
    const char *mailto;   /* unsubscribe@example.net, with or without "mailto:"; NULL or "": none */
    struct slice secret;  /* the bytes of the secret file, borrowed during the open */
    const char *delivery; /* id; borrowed during the open */
};

struct unsubscribe;       /* shared by all threads */
struct unsubscribe_state; /* one thread's HMAC and texts */

/*
 * unsubscribe_open
 *
 * Returns   RC_OK     out is NULL where neither url nor mailto is given
 *           RC_PERM   a url that is not https, an address with a blank, a bracket or a place that
 * is not known; a secret that is missing or too short RC_RANGE  too long RC_NOMEM
 */
enum rc unsubscribe_open(const struct unsubscribe_options *options, struct unsubscribe **out,
                         struct err *err) MUST_CHECK;

/* unsubscribe_free - accepts NULL; the secret is wiped */
void unsubscribe_free(struct unsubscribe *unsubscribe);

/* unsubscribe_state_open - RC_OK; RC_NOMEM. The plan outlives the state. */
enum rc unsubscribe_state_open(const struct unsubscribe *unsubscribe,
                               struct unsubscribe_state **out, struct err *err) MUST_CHECK;

void unsubscribe_state_free(struct unsubscribe_state *state);

/*
 * unsubscribe_render - the addresses of one recipient
 *
 * key     of the recipient
 *
 * Returns   RC_OK     unsubscribe_url() and unsubscribe_put() hold until the next call
 *           RC_PERM   the key makes the address longer than UNSUBSCRIBE_URI_BYTES_MAX
 *           RC_NOMEM
 */
enum rc unsubscribe_render(const struct unsubscribe *unsubscribe, struct unsubscribe_state *state,
                           struct slice key, struct err *err) MUST_CHECK;

/* unsubscribe_url - for a link in the message; empty where there is only a mailto */
struct slice unsubscribe_url(const struct unsubscribe_state *state);

/* unsubscribe_put - List-Unsubscribe, and List-Unsubscribe-Post where there is a url */
void unsubscribe_put(const struct unsubscribe_state *state, struct buf *out);

#endif
