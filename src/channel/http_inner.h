/*
 * http_inner - what the files of the HTTPS transport share; nothing for others to include
 *
 *     http.c           the transport: which way it goes; by libcurl: what waits, what is under way
 *     http_open.c      options looked at, the transport made
 *     http_link.c      HTTP/2 over connections of ours; its sessions: http_session.h
 *     http_request.c   one request on its way through libcurl, and why it broke off
 *     http_multi.c     libcurl's sockets and timer
 */
#ifndef POSTROOM_CHANNEL_HTTP_INNER_H
#define POSTROOM_CHANNEL_HTTP_INNER_H

#include "channel/http.h"
#include "channel/http_verdict.h"
#include "sys/net.h"
#include "template/template.h"

#include <curl/curl.h>

enum {
    HTTP_KEY_BYTES = 256,
    HTTP_HOST_BYTES = 256,
    HTTP_AUTHORITY_BYTES = HTTP_HOST_BYTES + 8, /* brackets, a port */
    HTTP_FIELD_PATH = 3                         /* its place among the fields of a request */
};

struct http;

struct http_slot {
    struct http *http;
    struct outgoing message;
    CURL *easy;                /* made when first needed, kept */
    struct curl_slist headers; /* Idempotency-Key, then the ones that all have */
    char key[HTTP_KEY_BYTES];
    struct buf url;      /* where it holds the address */
    size_t given;        /* bytes of the body that libcurl has taken */
    int64_t given_ns;    /* monotonic: when it had taken all; 0: not yet */
    bool is_begun;       /* in the multi handle */
    bool is_first;       /* alone on its way: shows whether the peer answers */
    uint64_t generation; /* of the connections that it went by */
    size_t answered;     /* bytes of the answer that came */
    size_t kept;         /* of them in answer */
    char answer[HTTP_ANSWER_KEPT_BYTES];
    char error[CURL_ERROR_SIZE];
};

struct http {
    struct transport transport; /* first member */
    char *url;
    struct template *url_template; /* NULL: it is the same for all */
    char host[HTTP_HOST_BYTES];    /* of the url: what the certificate has to carry */
    uint16_t port;
    char authority[HTTP_AUTHORITY_BYTES]; /* host, and port where it is not the usual one */
    size_t path_at;                       /* where the path begins in every url */
    struct transport *link; /* HTTP/2; NULL: libcurl, for a peer that speaks HTTP/1.1 alone */
    struct buf ca;
    struct buf client;
    struct buf client_key;
    char *token; /* "Authorization: Bearer ..."; NULL: none */
    int64_t token_looked_ns;
    int64_t token_stamp[3];
    struct curl_slist *own;       /* the configured headers and ours */
    struct curl_slist with_token; /* token, then own */
    int64_t timeout_ns;
    int token_fd; /* borrowed; -1 */
    unsigned int connections;
    unsigned int connections_now; /* our part of them */
    unsigned int rate;
    struct share *share;
    struct share own_share; /* where nobody else is given */

    unsigned int slot_count;
    struct http_slot *slots;
    unsigned int *waiting; /* ring of slot numbers */
    unsigned int *unused;  /* stack of slot numbers */
    unsigned int waiting_at;
    unsigned int waiting_count;
    unsigned int unused_count;
    unsigned int begun;
    unsigned int begun_present; /* of them by connections of the present generation */

    CURLM *multi;
    struct net_poll *poll; /* libcurl's sockets */
    int64_t timer_ns;      /* when libcurl wants to be called though they are silent; INT64_MAX */
    uint64_t generation;
    int64_t backoff_ns;
    int64_t next_try_ns;
    int64_t next_look_ns; /* for answers that do not come */

    bool is_plain;
    bool is_stale; /* connections are not trusted any more: the multi handle is made anew */
    bool is_ready; /* an answer came on the present connections: many may go */
    bool has_worked;
    bool is_recalled;
    bool is_closing;
    bool is_down;
    char reason[TRANSPORT_REASON_BYTES];

    unsigned int told_count;
    transport_told *told; /* during run */
    void *told_ctx;
};

/* How a request by libcurl ended. */
enum http_end {
    HTTP_ANSWERED,      /* slot->answer, status */
    HTTP_NOT_CONNECTED, /* nothing of it was handed over; the peer is not to be had */
    HTTP_NOT_GIVEN,     /* the connection broke before all of it was handed over */
    HTTP_LOST           /* the connection broke; whatever it did */
};

extern const struct transport_kind http_kind;

/* http_token_read - the token anew, where its file has changed. RC_OK; RC_PERM; RC_RANGE; RC_TEMP;
 * RC_NOMEM: the old one stays */
enum rc http_token_read(struct http *http, struct err *err) MUST_CHECK;

/* http_multi_open - connections begin anew. RC_OK; RC_NOMEM */
enum rc http_multi_open(struct http *http, struct err *err) MUST_CHECK;

/* http_multi_widen - connections_now has grown: so many may be open */
void http_multi_widen(struct http *http);

/* http_perform - wait at most so long, and let libcurl do what can be done. RC_OK; RC_TEMP */
enum rc http_perform(struct http *http, int wait_ms, struct err *err) MUST_CHECK;

/* http_url_make - the url of an address, where it holds one. RC_OK; RC_PERM none can be made;
 * RC_NOMEM
 */
enum rc http_url_make(const struct http *http, struct slice to, struct buf *out,
                      struct err *err) MUST_CHECK;

/* http_request_begin - RC_OK on its way; RC_PERM no url can be made of this address; RC_NOMEM */
enum rc http_request_begin(struct http_slot *slot, int64_t now_ns, struct err *err) MUST_CHECK;

/* http_request_end - out of the multi handle; also while it is under way */
void http_request_end(struct http_slot *slot);

/* http_request_result - how it ended, with the status where it was answered */
enum http_end http_request_result(const struct http_slot *slot, long *out_status);

#endif
