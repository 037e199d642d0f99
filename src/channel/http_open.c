/*
 * http_open - the HTTPS transport made, its settings looked at
 */
#include "channel/http_inner.h"

#include "base/number.h"
#include "channel/http_link.h"
#include "channel/tls.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char TOKEN_HEADER[] = "Authorization: Bearer ";

enum { TOKEN_ROOM = sizeof TOKEN_HEADER + HTTP_TOKEN_BYTES_MAX };

/* ---- the url ---- */

static enum rc check_part(struct http *http, CURLU *parsed, struct err *err)
{
    static const CURLUPart unwanted[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_FRAGMENT};
    char *text = NULL;
    for (size_t i = 0; i < sizeof unwanted / sizeof unwanted[0]; i++) {
        if (curl_url_get(parsed, unwanted[i], &text, 0) == CURLUE_OK) {
            curl_free(text);
            return err_set(err, RC_PERM, "holds a user, a password or a fragment; take it out");
        }
    }
    bool is_good = curl_url_get(parsed, CURLUPART_SCHEME, &text, 0) == CURLUE_OK &&
                   (strcmp(text, "https") == 0 || (http->is_plain && strcmp(text, "http") == 0));
    curl_free(text);
    if (!is_good) {
        return err_set(err, RC_PERM, "does not begin with https://");
    }
    text = NULL;
    is_good = curl_url_get(parsed, CURLUPART_HOST, &text, 0) == CURLUE_OK;
    size_t len = is_good ? strlen(text) : 0;
    bool is_bracketed = len > 2 && text[0] == '['; /* IPv6 */
    is_good = len > 0 && len < sizeof http->host;
    if (is_good) {
        (void)snprintf(http->host, sizeof http->host, "%.*s", (int)(is_bracketed ? len - 2 : len),
                       text + (is_bracketed ? 1 : 0));
    }
    curl_free(text);
    return is_good ? RC_OK : err_set(err, RC_PERM, "names no host");
}

/* What stands before the path names the peer: it is the same for all. */
static enum rc split_url(struct http *http, CURLU *parsed, const char *url, struct err *err)
{
    static const char SCHEME[] = "https://";
    char *port = NULL;
    size_t at = strlen(url) < sizeof SCHEME ? strlen(url) : sizeof SCHEME - 1;
    uint64_t number = 0;
    http->path_at = at + strcspn(url + at, "/?");
    if (http->url_template != NULL && memchr(http->url, '{', http->path_at) != NULL) {
        return err_set(err, RC_PERM, "has its address before the path");
    }
    bool is_good = curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                   number_parse_u64(slice_of(port), UINT16_MAX, &number) == RC_OK && number > 0;
    curl_free(port);
    http->port = (uint16_t)number;
    bool is_bracketed = strchr(http->host, ':') != NULL;
    int len = snprintf(http->authority, sizeof http->authority, "%s%s%s", is_bracketed ? "[" : "",
                       http->host, is_bracketed ? "]" : "");
    if (number != 443) {
        (void)snprintf(http->authority + len, sizeof http->authority - (size_t)len, ":%u",
                       (unsigned int)number);
    }
    return is_good ? RC_OK : err_set(err, RC_PERM, "names a port that cannot be");
}

static enum rc check_url(struct http *http, const char *url, struct err *err)
{
    CURLU *parsed = curl_url();
    if (parsed == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a url");
    }
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, 0);
    enum rc rc = code == CURLUE_OK
                     ? check_part(http, parsed, err)
                     : err_set(err, RC_PERM, "is no url: %s", curl_url_strerror(code));
    rc = rc == RC_OK ? split_url(http, parsed, url, err) : rc;
    curl_url_cleanup(parsed);
    return rc;
}

static enum rc open_url(struct http *http, const struct http_options *options, struct err *err)
{
    static const char *const columns[] = {"address"};
    const struct template_options compile = {
        .escape = TEMPLATE_URL, .column_names = columns, .column_count = 1};
    const struct slice sample = SLICE_LITERAL("address");
    struct buf url = BUF_EMPTY;
    if (options->url == NULL || strlen(options->url) > HTTP_URL_BYTES_MAX) {
        return err_set(err, RC_PERM, "%s: no url, or one of more than %d bytes", options->name,
                       HTTP_URL_BYTES_MAX);
    }
    http->url = strdup(options->url);
    enum rc rc = http->url == NULL ? err_set(err, RC_NOMEM, "no memory for a url") : RC_OK;
    rc = rc == RC_OK
             ? template_compile(slice_of(options->url), "url", &compile, &http->url_template, err)
             : rc;
    rc = rc == RC_OK ? template_render(http->url_template, &sample, 1, &url, err) : rc;
    rc = rc == RC_OK ? check_url(http, buf_text(&url), err) : rc;
    if (rc == RC_OK && !template_uses(http->url_template, 0)) {
        template_free(http->url_template);
        http->url_template = NULL;
    }
    buf_release(&url);
    return rc == RC_OK ? RC_OK : err_add(err, rc, "%s: url", options->name);
}

/* ---- headers and token ---- */

static bool is_header(const char *text)
{
    static const char *const ours[] = {"Authorization", "Idempotency-Key",   "Host",
                                       "Expect",        "Transfer-Encoding", "Content-Length",
                                       "Connection"};
    size_t name = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    if (name == 0 || text[name] != ':' || strlen(text) > HTTP_HEADER_BYTES_MAX) {
        return false;
    }
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7F) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (strlen(ours[i]) == name && curl_strnequal(text, ours[i], name) != 0) {
            return false;
        }
    }
    return true;
}

static enum rc add_header(struct http *http, const char *text, struct err *err)
{
    struct curl_slist *longer = curl_slist_append(http->own, text);
    if (longer == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a header");
    }
    http->own = longer;
    return RC_OK;
}

static enum rc open_headers(struct http *http, const struct http_options *options, struct err *err)
{
    /* Expect: without a value: libcurl waits for no 100 Continue. */
    enum rc rc = add_header(http, "Content-Type: application/json", err);
    rc = rc == RC_OK ? add_header(http, "Expect:", err) : rc;
    if (options->header_count > HTTP_HEADERS_MAX) {
        return err_set(err, RC_RANGE, "%s: more than %d headers", options->name, HTTP_HEADERS_MAX);
    }
    for (size_t i = 0; rc == RC_OK && i < options->header_count; i++) {
        rc = is_header(options->headers[i])
                 ? add_header(http, options->headers[i], err)
                 : err_set(err, RC_PERM,
                           "%s: headers: '%.64s' is no header of yours to set; write \"Name: "
                           "value\"",
                           options->name, options->headers[i]);
    }
    return rc;
}

static bool is_token_byte(char c)
{
    return (unsigned char)c > 0x20 && (unsigned char)c < 0x7F;
}

/* A line end is no part of it; a blank or a control character inside cannot be. */
static enum rc take_token(struct http *http, const struct buf *file, struct err *err)
{
    size_t len = 0;
    while (len < file->len && is_token_byte(file->ptr[len])) {
        len++;
    }
    for (size_t i = len; i < file->len; i++) {
        if (strchr(" \t\r\n", file->ptr[i]) == NULL || file->ptr[i] == '\0') {
            len = 0;
        }
    }
    if (len == 0) {
        return err_set(err, RC_PERM, "token_file: holds no token, which is one word");
    }
    if (http->token == NULL) {
        http->token = calloc(1, TOKEN_ROOM);
        if (http->token == NULL) {
            return err_set(err, RC_NOMEM, "no memory for a token");
        }
    }
    (void)snprintf(http->token, TOKEN_ROOM, "%s%.*s", TOKEN_HEADER, (int)len, file->ptr);
    http->with_token = (struct curl_slist){http->token, http->own};
    return RC_OK;
}

enum rc http_token_read(struct http *http, struct err *err)
{
    struct stat about;
    if (http->token_fd < 0 || fstat(http->token_fd, &about) != 0) {
        return RC_OK;
    }
    const int64_t stamp[3] = {about.st_mtim.tv_sec, about.st_mtim.tv_nsec, about.st_size};
    if (http->token != NULL && memcmp(stamp, http->token_stamp, sizeof stamp) == 0) {
        return RC_OK;
    }
    struct buf file = BUF_EMPTY;
    enum rc rc = lseek(http->token_fd, 0, SEEK_SET) == 0
                     ? fs_read_fd(http->token_fd, HTTP_TOKEN_BYTES_MAX, &file, err)
                     : err_set(err, RC_TEMP, "cannot be read again");
    rc = rc == RC_OK ? take_token(http, &file, err) : err_add(err, rc, "token_file");
    if (rc == RC_OK) {
        memcpy(http->token_stamp, stamp, sizeof stamp);
    }
    if (file.ptr != NULL) {
        OPENSSL_cleanse(file.ptr, file.cap);
    }
    buf_release(&file);
    return rc;
}

/* ---- certificates ---- */

/* What the other transports would say of them, before anything is sent. */
static enum rc check_certificates(const struct http *http, struct err *err)
{
    struct tls_context *context = NULL;
    const struct tls_options options = {.host = http->host,
                                        .ca_pem = buf_slice(&http->ca),
                                        .client_pem = buf_slice(&http->client),
                                        .client_key_pem = buf_slice(&http->client_key)};
    enum rc rc = tls_context_open(&options, &context, err);
    tls_context_free(context);
    return rc;
}

static enum rc open_certificates(struct http *http, const struct http_options *options,
                                 struct err *err)
{
    buf_add_slice(&http->ca, options->ca_pem);
    buf_add_slice(&http->client, options->client_pem);
    buf_add_slice(&http->client_key, options->client_key_pem);
    enum rc rc = buf_ok(&http->ca, err);
    rc = rc == RC_OK ? buf_ok(&http->client, err) : rc;
    rc = rc == RC_OK ? buf_ok(&http->client_key, err) : rc;
    return rc == RC_OK ? check_certificates(http, err) : rc;
}

/* ---- all of it ---- */

static enum rc open_slots(struct http *http, struct err *err)
{
    /* As many wait as may be under way: what waits has its intent, and a kill holds it too. */
    unsigned int wanted = http->connections * HTTP_STREAMS_A_CONNECTION;
    http->slot_count = wanted < HTTP_HELD_MAX ? wanted : HTTP_HELD_MAX;
    http->slots = calloc(http->slot_count, sizeof *http->slots);
    http->waiting = calloc(http->slot_count, sizeof *http->waiting);
    http->unused = calloc(http->slot_count, sizeof *http->unused);
    if (http->slots == NULL || http->waiting == NULL || http->unused == NULL) {
        return err_set(err, RC_NOMEM, "no memory for requests");
    }
    for (unsigned int i = 0; i < http->slot_count; i++) {
        http->slots[i].http = http;
        http->unused[http->unused_count++] = http->slot_count - 1 - i;
    }
    return RC_OK;
}

enum rc http_open(const struct http_options *options, struct transport **out, struct err *err)
{
    static bool is_started; /* one thread sends */
    if (options->connections == 0 || options->connections > HTTP_CONNECTIONS_MAX ||
        options->timeout_ns <= 0) {
        return err_set(err, RC_RANGE, "%s: connections are 1 to %d", options->name,
                       HTTP_CONNECTIONS_MAX);
    }
    if (!is_started && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return err_set(err, RC_NOMEM, "%s: libcurl cannot be started", options->name);
    }
    is_started = true;
    struct http *http = calloc(1, sizeof *http);
    if (http == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a transport");
    }
    *http = (struct http){.transport = {&http_kind},
                          .is_plain = options->is_plain,
                          .token_fd = options->token_fd,
                          .connections = options->connections,
                          .rate = options->rate,
                          .share = options->share,
                          .timeout_ns = options->timeout_ns,
                          .generation = 1};
    http->share = http->share == NULL ? &http->own_share : http->share;
    http->connections_now = share_part(http->share, http->connections);
    enum rc rc = open_url(http, options, err);
    rc = rc == RC_OK ? open_headers(http, options, err) : rc;
    if (rc == RC_OK) {
        rc = http_token_read(http, err);
        rc = rc == RC_OK ? RC_OK : err_add(err, rc, "%s", options->name);
    }
    rc = rc == RC_OK ? open_certificates(http, options, err) : rc;
    rc = rc == RC_OK ? open_slots(http, err) : rc;
    rc = rc == RC_OK ? http_multi_open(http, err) : rc;
    bool is_secure = rc == RC_OK && curl_strnequal(http->url, "https:", 6) != 0;
    rc = is_secure ? http_link_open(http, &http->link, err) : rc;
    if (rc != RC_OK) {
        transport_free(&http->transport);
        return rc;
    }
    *out = &http->transport;
    return RC_OK;
}
