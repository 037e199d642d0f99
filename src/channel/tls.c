/*
 * tls - OpenSSL with verification always on; bytes go through sys/net
 */
#include "channel/tls.h"

#include "channel/tls_reason.h"
#include "sys/net.h"

#include <assert.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

enum {
    HOST_BYTES_MAX = 253,
    ALPN_BYTES_MAX = 64,
    SECURITY_LEVEL = 2 /* 112 bits: RSA and DH of 2048 bits, no SHA-1 signatures */
};

struct tls_context {
    SSL_CTX *ctx;
    BIO_METHOD *socket;   /* recv and send without SIGPIPE */
    SSL_SESSION *session; /* of the newest connection; NULL: none yet */
    bool is_address;
    char host[HOST_BYTES_MAX + 1];
};

struct tls {
    SSL *ssl;
    struct tls_context *context; /* borrowed */
    X509 *refused;               /* the peer's certificate, once verification found fault with it */
};

/* ---- errors ---- */

/* The newest of OpenSSL's errors; the queue is empty afterwards. */
static enum rc ssl_err(struct err *err, enum rc rc, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);
    ERR_clear_error();
    return err_set(err, rc, "%s: %s", what, reason == NULL ? "failed" : reason);
}

/* ---- the socket under the records ---- */

static int socket_write(BIO *bio, const char *bytes, size_t len, size_t *out)
{
    BIO_clear_retry_flags(bio);
    int fd = -1;
    (void)BIO_get_fd(bio, &fd);
    if (len == 0) {
        *out = 0;
        return 1;
    }
    enum rc rc = net_send(fd, bytes, len, out, NULL);
    if (rc == RC_STATE) {
        BIO_set_retry_write(bio);
    }
    return rc == RC_OK;
}

static int socket_read(BIO *bio, char *bytes, size_t len, size_t *out)
{
    BIO_clear_retry_flags(bio);
    int fd = -1;
    (void)BIO_get_fd(bio, &fd);
    if (len == 0) {
        *out = 0;
        return 1;
    }
    enum rc rc = net_recv(fd, bytes, len, out, NULL);
    if (rc == RC_STATE) {
        BIO_set_retry_read(bio);
    }
    return rc == RC_OK;
}

/* The descriptor lies in the BIO's data, one more than it is, so that 0 is no NULL. */
static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    switch (command) {
    case BIO_C_GET_FD:
        *(int *)pointer = *(int *)BIO_get_data(bio);
        return 1;
    case BIO_CTRL_FLUSH:
        return 1;
    default:
        return 0;
    }
}

static int socket_destroy(BIO *bio)
{
    free(BIO_get_data(bio));
    return 1;
}

static BIO_METHOD *socket_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (method != NULL && (BIO_meth_set_write_ex(method, socket_write) != 1 ||
                           BIO_meth_set_read_ex(method, socket_read) != 1 ||
                           BIO_meth_set_ctrl(method, socket_control) != 1 ||
                           BIO_meth_set_destroy(method, socket_destroy) != 1)) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

static BIO *socket_open(struct tls_context *context, int fd)
{
    BIO *bio = BIO_new(context->socket);
    int *kept = malloc(sizeof *kept);
    if (bio == NULL || kept == NULL) {
        BIO_free(bio);
        free(kept);
        return NULL;
    }
    *kept = fd;
    BIO_set_data(bio, kept);
    BIO_set_init(bio, 1);
    return bio;
}

/* ---- context ---- */

static BIO *memory(struct slice pem)
{
    return pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.ptr, (int)pem.len);
}

/* Certificates of a PEM text, given to take one at a time. */
static enum rc each_certificate(struct slice pem, const char *what,
                                int (*take)(SSL_CTX *ctx, X509 *certificate, int at), SSL_CTX *ctx,
                                struct err *err)
{
    BIO *bio = memory(pem);
    int count = 0;
    bool is_taken = true;
    X509 *certificate = NULL;
    while (bio != NULL && is_taken &&
           (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        is_taken = take(ctx, certificate, count++) == 1;
        X509_free(certificate);
    }
    BIO_free(bio);
    if (count == 0 || !is_taken) {
        return ssl_err(err, RC_PERM, what);
    }
    /* What ended the loop: no further PEM block, or one that is damaged. */
    unsigned long why = ERR_peek_last_error();
    if (ERR_GET_REASON(why) != PEM_R_NO_START_LINE) {
        return ssl_err(err, RC_PERM, what);
    }
    ERR_clear_error();
    return RC_OK;
}

static int take_authority(SSL_CTX *ctx, X509 *certificate, int at)
{
    (void)at;
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), certificate);
}

static int take_own(SSL_CTX *ctx, X509 *certificate, int at)
{
    return (int)(at == 0 ? SSL_CTX_use_certificate(ctx, certificate)
                         : SSL_CTX_add1_chain_cert(ctx, certificate));
}

/* No key that needs a pass phrase: nobody is there to be asked. */
static int no_pass_phrase(char *out, int size, int is_writing, void *ctx)
{
    (void)out;
    (void)size;
    (void)is_writing;
    (void)ctx;
    return -1;
}

static enum rc load_own(SSL_CTX *ctx, const struct tls_options *options, struct err *err)
{
    enum rc rc = each_certificate(options->client_pem, "client certificate", take_own, ctx, err);
    if (rc != RC_OK) {
        return rc;
    }
    BIO *bio = memory(options->client_key_pem);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);
    BIO_free(bio);
    if (key == NULL || SSL_CTX_use_PrivateKey(ctx, key) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1) {
        rc = ssl_err(err, RC_PERM, "private key of the client certificate");
    }
    EVP_PKEY_free(key);
    return rc;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION_free(context->session);
    context->session = session;
    return 1; /* the reference is ours now */
}

/* Keeps the certificate for the reason; what was found stands. */
static int note_refused(int is_good, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *tls = ssl == NULL ? NULL : SSL_get_app_data(ssl);
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    if (is_good != 1 && tls != NULL && tls->refused == NULL && leaf != NULL &&
        X509_up_ref(leaf) == 1) {
        tls->refused = leaf;
    }
    return is_good;
}

static enum rc require_name(struct tls_context *context, struct err *err)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context->ctx);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    int done = context->is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, context->host)
                                   : X509_VERIFY_PARAM_set1_host(param, context->host, 0);
    return done == 1 ? RC_OK : ssl_err(err, RC_PERM, "name of the peer");
}

/* RFC 7301 3.1: each name behind its length */
static enum rc offer_protocols(SSL_CTX *ctx, const char *names, struct err *err)
{
    unsigned char list[ALPN_BYTES_MAX];
    size_t len = 0;
    while (*names != '\0') {
        size_t name = strcspn(names, ",");
        if (name == 0 || name > UCHAR_MAX || len + 1 + name > sizeof list) {
            return err_set(err, RC_PERM, "TLS: protocols to offer");
        }
        list[len] = (unsigned char)name;
        memcpy(list + len + 1, names, name);
        len += 1 + name;
        names += name + (names[name] == ',' ? 1 : 0);
    }
    return SSL_CTX_set_alpn_protos(ctx, list, (unsigned int)len) == 0
               ? RC_OK
               : ssl_err(err, RC_NOMEM, "TLS: protocols to offer");
}

static enum rc set_up(struct tls_context *context, const struct tls_options *options,
                      struct err *err)
{
    context->socket = socket_method();
    context->ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX *ctx = context->ctx;
    if (context->socket == NULL || ctx == NULL) {
        return ssl_err(err, RC_NOMEM, "TLS");
    }
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
        return ssl_err(err, RC_PERM, "TLS 1.2");
    }
    SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1); /* head and body of a record with one recv */
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, note_refused);
    (void)SSL_CTX_set_app_data(ctx, context);
    (void)SSL_CTX_set_session_cache_mode(ctx,
                                         SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    enum rc rc = require_name(context, err);
    if (rc == RC_OK && options->ca_pem.len > 0) {
        rc = each_certificate(options->ca_pem, "certificates that are trusted", take_authority, ctx,
                              err);
    } else if (rc == RC_OK && SSL_CTX_set_default_verify_paths(ctx) != 1) {
        rc = ssl_err(err, RC_PERM, "the system's certificates");
    }
    if (rc == RC_OK && options->client_pem.len > 0) {
        rc = load_own(ctx, options, err);
    }
    return rc == RC_OK && options->alpn != NULL ? offer_protocols(ctx, options->alpn, err) : rc;
}

enum rc tls_context_open(const struct tls_options *options, struct tls_context **out,
                         struct err *err)
{
    size_t len = options->host == NULL ? 0 : strlen(options->host);
    if (len == 0 || len > HOST_BYTES_MAX) {
        return err_set(err, RC_PERM, "the name of the peer has 1 to %d bytes", (int)HOST_BYTES_MAX);
    }
    struct tls_context *context = calloc(1, sizeof *context);
    if (context == NULL) {
        return err_set(err, RC_NOMEM, "TLS: no memory");
    }
    memcpy(context->host, options->host, len);
    context->is_address = net_is_address(context->host);
    ERR_clear_error();
    enum rc rc = set_up(context, options, err);
    if (rc != RC_OK) {
        tls_context_free(context);
        return rc;
    }
    *out = context;
    return RC_OK;
}

void tls_context_free(struct tls_context *context)
{
    if (context != NULL) {
        SSL_SESSION_free(context->session);
        SSL_CTX_free(context->ctx);
        BIO_meth_free(context->socket);
        free(context);
    }
}

/* ---- connection ---- */

enum rc tls_open(struct tls_context *context, int fd, struct tls **out, struct err *err)
{
    ERR_clear_error();
    struct tls *tls = calloc(1, sizeof *tls);
    SSL *ssl = tls == NULL ? NULL : SSL_new(context->ctx);
    BIO *bio = ssl == NULL ? NULL : socket_open(context, fd);
    if (bio == NULL) {
        SSL_free(ssl);
        free(tls);
        return ssl_err(err, RC_NOMEM, "TLS: no memory");
    }
    SSL_set_bio(ssl, bio, bio);
    tls->ssl = ssl;
    tls->context = context;
    (void)SSL_set_app_data(ssl, tls);
    if (!context->is_address && SSL_set_tlsext_host_name(ssl, context->host) != 1) {
        tls_free(tls);
        return ssl_err(err, RC_NOMEM, "TLS: server name");
    }
    if (context->session != NULL) {
        (void)SSL_set_session(ssl, context->session); /* else a full handshake */
    }
    SSL_set_connect_state(ssl);
    *out = tls;
    return RC_OK;
}

enum rc tls_handshake(struct tls *tls, struct err *err)
{
    ERR_clear_error();
    int done = SSL_do_handshake(tls->ssl);
    long verified = SSL_get_verify_result(tls->ssl);
    if (done == 1) {
        /* The library has refused what is not good already; this is the second lock. */
        return verified == X509_V_OK ? RC_OK
                                     : tls_reason(err, verified, tls->refused, tls->context->host);
    }
    int why = SSL_get_error(tls->ssl, done);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        return RC_STATE;
    }
    if (verified != X509_V_OK) {
        enum rc rc = tls_reason(err, verified, tls->refused, tls->context->host);
        ERR_clear_error();
        return rc;
    }
    if (ERR_peek_last_error() == 0 ||
        ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        return err_set(err, RC_TEMP, "connection lost during the TLS handshake");
    }
    return ssl_err(err, RC_TEMP, "TLS handshake");
}

/* What a read or write that gave nothing means */
static enum rc outcome(struct tls *tls, const char *what, struct err *err)
{
    int why = SSL_get_error(tls->ssl, 0);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        return RC_STATE;
    }
    unsigned long code = ERR_peek_last_error();
    if (why == SSL_ERROR_ZERO_RETURN || code == 0 ||
        ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        return err_set(err, RC_GONE, "connection closed by the peer");
    }
    return ssl_err(err, RC_GONE, what);
}

enum rc tls_write(struct tls *tls, const void *bytes, size_t len, size_t *out, struct err *err)
{
    assert(len > 0);
    ERR_clear_error();
    return SSL_write_ex(tls->ssl, bytes, len, out) == 1 ? RC_OK : outcome(tls, "TLS write", err);
}

enum rc tls_read(struct tls *tls, void *bytes, size_t len, size_t *out, struct err *err)
{
    assert(len > 0);
    ERR_clear_error();
    return SSL_read_ex(tls->ssl, bytes, len, out) == 1 ? RC_OK : outcome(tls, "TLS read", err);
}

bool tls_is_resumed(const struct tls *tls)
{
    return SSL_session_reused(tls->ssl) == 1;
}

struct slice tls_protocol(const struct tls *tls)
{
    const unsigned char *name = NULL;
    unsigned int len = 0;
    SSL_get0_alpn_selected(tls->ssl, &name, &len);
    return (struct slice){(const char *)name, len};
}

const char *tls_version(const struct tls *tls)
{
    return SSL_get_version(tls->ssl);
}

void tls_free(struct tls *tls)
{
    if (tls != NULL) {
        ERR_clear_error();
        if (SSL_is_init_finished(tls->ssl)) {
            (void)SSL_shutdown(tls->ssl);
        }
        SSL_free(tls->ssl);
        X509_free(tls->refused);
        ERR_clear_error();
        free(tls);
    }
}
