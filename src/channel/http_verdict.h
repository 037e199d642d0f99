/*
 * http_verdict - what an answer of a push service means for a message
 *
 * The status decides, and for the services that say more in a JSON body (FCM HTTP v1: errorCode,
 * APNs: reason) their word does. Nothing here knows of connections.
 */
#ifndef POSTROOM_CHANNEL_HTTP_VERDICT_H
#define POSTROOM_CHANNEL_HTTP_VERDICT_H

#include "channel/transport.h"

enum {
    HTTP_ANSWER_KEPT_BYTES = 4096, /* of an answer: an FCM error has about 1 KiB */
    HTTP_WORD_BYTES = 64,          /* "SENDER_ID_MISMATCH" and a NUL */
    HTTP_SECRETS_MAX = 4
};

struct http_answer {
    long status;       /* 100..599 */
    struct slice body; /* what was kept of it */
    bool has_worked;   /* the peer has accepted a message before: the url is right */
    struct slice secrets[HTTP_SECRETS_MAX]; /* never to stand in a reason; empty ones are none */
};

struct http_judgement {
    enum verdict verdict;
    bool is_about_recipient;
    bool is_down; /* nobody is at fault but our settings or the load: pause, say why */
    char reason[TRANSPORT_REASON_BYTES]; /* "HTTP 404 UNREGISTERED: Requested entity ..." */
};

/*
 * http_judge - the verdict
 *
 *     2xx                          SENT
 *     401 403 407                  UNTRIED, down: our token or certificate is at fault
 *     3xx 404 405 421              UNTRIED, down, until one was accepted: the url is wrong; then
 *                                  PERMANENT
 *     429                          TEMPORARY, down
 *     408 409 425 5xx              TEMPORARY
 *     410, or a word that says so  PERMANENT, about the recipient
 *     other 4xx                    PERMANENT
 */
void http_judge(const struct http_answer *answer, struct http_judgement *out);

#endif
