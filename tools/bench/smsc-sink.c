/*
 * smsc-sink - an SMSC over TLS that takes every text message and does nothing with it
 *
 *     smsc-sink PEM KEY
 *
 * For measuring those who send: it answers what can be read at once with one write, a thread for
 * each connection. Whoever binds may. Listens on 127.0.0.1, prints `port N`, serves until a signal
 * ends it.
 */
#include "channel/smpp_pdu.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

enum { IN_BYTES = 128 * 1024, BACKLOG = 64 };

struct peer {
    SSL *ssl;
    int fd;
    size_t len; /* of in */
    struct buf out;
    char in[IN_BYTES];
};

static _Noreturn void die(int code, const char *what)
{
    (void)fprintf(stderr, "smsc-sink: %s\n", what);
    exit(code);
}

/* ---- one connection ---- */

static enum rc answer(struct peer *peer, const struct smpp_pdu *asked)
{
    static const enum smpp_kind kinds[SMPP_KINDS] = {[SMPP_submit_sm] = SMPP_submit_sm_resp,
                                                     [SMPP_unbind] = SMPP_unbind_resp,
                                                     [SMPP_bind_transceiver] =
                                                         SMPP_bind_transceiver_resp,
                                                     [SMPP_enquire_link] = SMPP_enquire_link_resp};
    struct smpp_pdu reply = {
        .kind = SMPP_generic_nack, .status = SMPP_ESME_RINVCMDID, .sequence = asked->sequence};
    if (!smpp_is_request(asked)) {
        return RC_OK;
    }
    if (asked->kind != SMPP_UNKNOWN && kinds[asked->kind] != 0) {
        reply.kind = kinds[asked->kind];
        reply.status = SMPP_ESME_ROK;
    }
    if (reply.kind == SMPP_submit_sm_resp) {
        reply.body.sm_resp.message_id = SLICE_LITERAL("1");
    }
    return smpp_pack(&reply, &peer->out, NULL);
}

/* All whole PDUs in `in`; what is left moves to its front. */
static enum rc answer_all(struct peer *peer)
{
    struct smpp_pdu pdu;
    size_t at = 0;
    size_t used = 0;
    enum rc rc = RC_OK;
    while (rc == RC_OK) {
        struct slice rest = {peer->in + at, peer->len - at};
        rc = smpp_parse(rest, &pdu, &used, NULL);
        if (rc == RC_OK) {
            at += used;
            rc = answer(peer, &pdu);
        }
    }
    memmove(peer->in, peer->in + at, peer->len - at);
    peer->len -= at;
    return rc == RC_STATE ? RC_OK : rc;
}

static bool read_some(struct peer *peer)
{
    size_t got = 0;
    if (SSL_read_ex(peer->ssl, peer->in + peer->len, sizeof peer->in - peer->len, &got) != 1) {
        return false;
    }
    peer->len += got;
    return true;
}

/* What has come already is answered together. */
static bool read_all(struct peer *peer)
{
    bool is_open = read_some(peer);
    while (is_open && SSL_pending(peer->ssl) > 0 && peer->len < sizeof peer->in / 2) {
        is_open = read_some(peer);
    }
    return is_open;
}

static void *serve(void *ctx)
{
    struct peer *peer = ctx;
    size_t written = 0;
    bool is_open = SSL_accept(peer->ssl) == 1;
    while (is_open) {
        is_open = read_all(peer) && answer_all(peer) == RC_OK;
        if (is_open && peer->out.len > 0) {
            is_open = SSL_write_ex(peer->ssl, peer->out.ptr, peer->out.len, &written) == 1;
        }
        buf_clear(&peer->out);
    }
    SSL_free(peer->ssl);
    (void)close(peer->fd);
    buf_release(&peer->out);
    free(peer);
    return NULL;
}

/* ---- all of them ---- */

static void begin(SSL_CTX *context, int fd)
{
    const int one = 1;
    pthread_t thread;
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) {
        die(EX_OSERR, "no memory");
    }
    peer->fd = fd;
    peer->ssl = SSL_new(context);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (peer->ssl == NULL || SSL_set_fd(peer->ssl, fd) != 1 ||
        pthread_create(&thread, NULL, serve, peer) != 0) {
        die(EX_OSERR, "no thread for a connection");
    }
    (void)pthread_detach(thread);
}

static int listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        die(EX_OSERR, "cannot listen");
    }
    (void)printf("port %u\n", (unsigned)ntohs(address.sin_port));
    (void)fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        die(EX_USAGE, "usage: smsc-sink PEM KEY");
    }
    (void)signal(SIGPIPE, SIG_IGN);
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL || SSL_CTX_use_certificate_chain_file(context, argv[1]) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, argv[2], SSL_FILETYPE_PEM) != 1) {
        die(EX_NOINPUT, "certificate or key cannot be used");
    }
    (void)SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
    int fd = listen_somewhere();
    for (;;) {
        int made = accept(fd, NULL, NULL);
        if (made >= 0) {
            begin(context, made);
        }
    }
}
