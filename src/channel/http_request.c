/*
 * http_request - one POST on its way through libcurl
 */
#include "channel/http_inner.h"

#include "sys/clock.h"
#include "sys/net.h"

#include <assert.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum { RECEIVE_BYTES = 4096, UPLOAD_BYTES = 16384 }; /* of libcurl, for each request under way */

/* ---- what libcurl calls ---- */

static size_t give_body(char *into, size_t size, size_t count, void *ctx)
{
    struct http_slot *slot = ctx;
    const struct slice bytes = slot->message.bytes;
    size_t len = bytes.len - slot->given;
    if (len == 0) {
        return CURL_READFUNC_ABORT; /* a second time: allow_sending should have stopped it */
    }
    len = len < size * count ? len : size * count;
    memcpy(into, bytes.ptr + slot->given, len);
    slot->given += len;
    if (slot->given == bytes.len && slot->given_ns == 0) {
        slot->given_ns = clock_monotonic_ns();
    }
    return len;
}

/* Called before each sending, also when libcurl wants to send a request again by itself: that is
 * for the caller to decide. The connection stays for others. */
static int allow_sending(void *ctx, char *our_ip, char *peer_ip, int our_port, int peer_port)
{
    const struct http_slot *slot = ctx;
    (void)our_ip;
    (void)peer_ip;
    (void)our_port;
    (void)peer_port;
    return slot->given == 0 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

/* It is never rewound: without a seek function libcurl would close the connection that it made. */
static int rewind_nothing(void *ctx, curl_off_t offset, int origin)
{
    (void)ctx;
    (void)offset;
    (void)origin;
    return CURL_SEEKFUNC_OK;
}

static size_t take_answer(char *bytes, size_t size, size_t count, void *ctx)
{
    struct http_slot *slot = ctx;
    size_t len = size * count;
    size_t room = sizeof slot->answer - slot->kept;
    slot->answered += len;
    room = len < room ? len : room;
    memcpy(slot->answer + slot->kept, bytes, room);
    slot->kept += room;
    return slot->answered > HTTP_ANSWER_BYTES_MAX ? 0 : len;
}

/* ---- TLS ---- */

/* The name has to stand among the subject alternative names (RFC 9525); libcurl alone would take a
 * common name where there are none. */
static CURLcode set_context(CURL *easy, void *context, void *ctx)
{
    const struct http *http = ctx;
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);
    (void)easy;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    int is_set = net_is_address(http->host) ? X509_VERIFY_PARAM_set1_ip_asc(param, http->host)
                                            : X509_VERIFY_PARAM_set1_host(param, http->host, 0);
    return is_set == 1 ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

/* ---- one request ---- */

static CURLcode set_blob(CURL *easy, CURLoption option, const struct buf *bytes)
{
    struct curl_blob blob = {bytes->ptr, bytes->len, CURL_BLOB_NOCOPY};
    return curl_easy_setopt(easy, option, &blob);
}

#define SET(option, value)                                                                         \
    if (code == CURLE_OK) {                                                                        \
        code = curl_easy_setopt(easy, option, value);                                              \
    }

static CURLcode set_tls(struct http *http, CURL *easy)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2)
    SET(CURLOPT_SSL_VERIFYPEER, 1L)
    SET(CURLOPT_SSL_VERIFYHOST, 2L)
    SET(CURLOPT_SSL_CTX_FUNCTION, set_context)
    SET(CURLOPT_SSL_CTX_DATA, http)
    if (code == CURLE_OK && http->ca.len > 0) {
        SET(CURLOPT_CAINFO, NULL)
        SET(CURLOPT_CAPATH, NULL)
        code = code == CURLE_OK ? set_blob(easy, CURLOPT_CAINFO_BLOB, &http->ca) : code;
    }
    if (code == CURLE_OK && http->client.len > 0) {
        code = set_blob(easy, CURLOPT_SSLCERT_BLOB, &http->client);
        code = code == CURLE_OK ? set_blob(easy, CURLOPT_SSLKEY_BLOB, &http->client_key) : code;
    }
    return code;
}

/* What is the same for every request of a slot. */
static CURLcode set_up(struct http_slot *slot, CURL *easy)
{
    struct http *http = slot->http;
    CURLcode code = set_tls(http, easy);
    SET(CURLOPT_PRIVATE, slot)
    SET(CURLOPT_ERRORBUFFER, slot->error)
    SET(CURLOPT_NOSIGNAL, 1L)
    SET(CURLOPT_PROXY, "")
    SET(CURLOPT_PROTOCOLS_STR, http->is_plain ? "http,https" : "https")
    SET(CURLOPT_FOLLOWLOCATION, 0L)
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1)
    SET(CURLOPT_TCP_KEEPALIVE, 1L)
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(http->timeout_ns / 1000000))
    SET(CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES)
    SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BYTES)
    SET(CURLOPT_POST, 1L)
    SET(CURLOPT_READFUNCTION, give_body)
    SET(CURLOPT_READDATA, slot)
    SET(CURLOPT_PREREQFUNCTION, allow_sending)
    SET(CURLOPT_PREREQDATA, slot)
    SET(CURLOPT_SEEKFUNCTION, rewind_nothing)
    SET(CURLOPT_SEEKDATA, slot)
    SET(CURLOPT_WRITEFUNCTION, take_answer)
    SET(CURLOPT_WRITEDATA, slot)
    SET(CURLOPT_URL, http->url)
    SET(CURLOPT_HTTPHEADER, &slot->headers)
    return code;
}

static enum rc make_easy(struct http_slot *slot, struct err *err)
{
    if (slot->easy != NULL) {
        return RC_OK;
    }
    slot->easy = curl_easy_init();
    if (slot->easy == NULL || set_up(slot, slot->easy) != CURLE_OK) {
        curl_easy_cleanup(slot->easy);
        slot->easy = NULL;
        return err_set(err, RC_NOMEM, "no memory for a request");
    }
    return RC_OK;
}

enum rc http_url_make(const struct http *http, struct slice to, struct buf *out, struct err *err)
{
    buf_clear(out);
    enum rc rc = template_render(http->url_template, &to, 1, out, err);
    if (rc == RC_OK && out->len > HTTP_URL_BYTES_MAX) {
        rc = err_set(err, RC_PERM, "its address makes the url longer than %d bytes",
                     HTTP_URL_BYTES_MAX);
    }
    return rc == RC_RANGE ? RC_PERM : rc;
}

static enum rc make_url(struct http_slot *slot, struct err *err)
{
    if (slot->http->url_template == NULL) {
        return RC_OK;
    }
    enum rc rc = http_url_make(slot->http, slot->message.to, &slot->url, err);
    if (rc == RC_OK &&
        curl_easy_setopt(slot->easy, CURLOPT_URL, buf_text(&slot->url)) != CURLE_OK) {
        rc = err_set(err, RC_NOMEM, "no memory for a url");
    }
    return rc;
}

enum rc http_request_begin(struct http_slot *slot, int64_t now_ns, struct err *err)
{
    struct http *http = slot->http;
    enum rc rc = make_easy(slot, err);
    rc = rc == RC_OK ? make_url(slot, err) : rc;
    if (rc != RC_OK) {
        return rc;
    }
    (void)snprintf(slot->key, sizeof slot->key, "Idempotency-Key: %s", slot->message.unique);
    slot->headers =
        (struct curl_slist){slot->key, http->token == NULL ? http->own : &http->with_token};
    slot->given = slot->answered = slot->kept = 0;
    slot->given_ns = slot->message.bytes.len == 0 ? now_ns : 0;
    slot->error[0] = '\0';
    CURLcode code = curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                     (curl_off_t)slot->message.bytes.len);
    if (code != CURLE_OK || curl_multi_add_handle(http->multi, slot->easy) != CURLM_OK) {
        return err_set(err, RC_NOMEM, "no memory for a request");
    }
    slot->is_begun = true;
    return RC_OK;
}

void http_request_end(struct http_slot *slot)
{
    assert(slot->is_begun);
    (void)curl_multi_remove_handle(slot->http->multi, slot->easy);
    slot->is_begun = false;
}

enum http_end http_request_result(const struct http_slot *slot, long *out_status)
{
    long status = 0;
    (void)curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
    *out_status = status;
    if (status >= 200) { /* its body may have broken off: that says no less */
        return HTTP_ANSWERED;
    }
    if (slot->given_ns == 0) {
        return slot->given == 0 ? HTTP_NOT_CONNECTED : HTTP_NOT_GIVEN;
    }
    return HTTP_LOST;
}
