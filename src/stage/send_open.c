/*
 * send_open - everything that one sending needs, opened inside the confined worker
 */
#include "stage/send_inner.h"

#include "channel/http.h"
#include "channel/smpp.h"
#include "channel/smtp.h"
#include "channel/store.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <openssl/crypto.h>
#include <string.h>
#include <unistd.h>

enum {
    KEY_BYTES_MAX = 64 * 1024,       /* a password, a DKIM key, a secret */
    CA_BYTES_MAX = 16 * 1024 * 1024, /* the system's bundle has 0.2 MiB */
    MESSAGE_MODE = 0640 /* what the embedded transports keep, for the operators to look at */
};

static enum rc read_key(int fd, const char *name, size_t max, struct buf *out, struct err *err)
{
    if (fd < 0) {
        return RC_OK;
    }
    enum rc rc = fs_read_fd(fd, max, out, err);
    return rc == RC_OK ? RC_OK : err_add(err, rc, "%s", name);
}

static void wipe(struct buf *secret)
{
    if (secret->ptr != NULL) {
        OPENSSL_cleanse(secret->ptr, secret->cap);
    }
    buf_release(secret);
}

/* A password file's line end is no part of the password. */
static struct slice first_line(const struct buf *text)
{
    size_t len = 0;
    while (len < text->len && text->ptr[len] != '\n' && text->ptr[len] != '\r') {
        len++;
    }
    return (struct slice){buf_text(text), len};
}

/* What a connection shows and trusts, of the files that the daemon opened; empty: there is none */
struct credentials {
    struct buf ca;
    struct buf password;
    struct buf client;
    struct buf client_key;
};

static enum rc read_credentials(const struct send_keys *keys, struct credentials *out,
                                struct err *err)
{
    *out = (struct credentials){BUF_EMPTY, BUF_EMPTY, BUF_EMPTY, BUF_EMPTY};
    enum rc rc = read_key(keys->ca_fd, "ca_file", CA_BYTES_MAX, &out->ca, err);
    rc = rc == RC_OK
             ? read_key(keys->password_fd, "password_file", KEY_BYTES_MAX, &out->password, err)
             : rc;
    rc = rc == RC_OK
             ? read_key(keys->client_cert_fd, "client_cert_file", KEY_BYTES_MAX, &out->client, err)
             : rc;
    return rc == RC_OK ? read_key(keys->client_key_fd, "client_key_file", KEY_BYTES_MAX,
                                  &out->client_key, err)
                       : rc;
}

static void wipe_credentials(struct credentials *credentials)
{
    buf_release(&credentials->ca);
    buf_release(&credentials->client);
    wipe(&credentials->password);
    wipe(&credentials->client_key);
}

static uint16_t port_of(const struct sending *sending)
{
    return house_port(sending->send->env->house, sending->order->channel);
}

static enum rc open_smtp(struct sending *sending, const struct credentials *with, struct err *err)
{
    static const enum smtp_tls kinds[] = {[HOUSE_TLS_CONNECT] = SMTP_TLS_CONNECT,
                                          [HOUSE_TLS_STARTTLS] = SMTP_TLS_STARTTLS,
                                          [HOUSE_TLS_NONE] = SMTP_TLS_NONE};
    const struct house_channel *channel = sending->channel;
    bool has_login = channel->user != NULL && channel->user[0] != '\0';
    struct smtp_options options = {
        .host = channel->host,
        .port = port_of(sending),
        .tls = kinds[channel->tls],
        .ca_pem = buf_slice(&with->ca),
        .client_pem = buf_slice(&with->client),
        .client_key_pem = buf_slice(&with->client_key),
        .user = has_login ? slice_of(channel->user) : SLICE_LITERAL(""),
        .password = first_line(&with->password),
        .connections = (unsigned)channel->connections,
        .rate = (unsigned)channel->rate,
        .share = sending->send->share,
        .timeout_ns = channel->timeout_ns,
    };
    return smtp_open(&options, &sending->transport, err);
}

static enum rc open_smpp(struct sending *sending, const struct credentials *with, struct err *err)
{
    const struct house_channel *channel = sending->channel;
    int connections =
        channel->connections < SMPP_CONNECTIONS_MAX ? channel->connections : SMPP_CONNECTIONS_MAX;
    struct smpp_options options = {
        .host = channel->host,
        .port = port_of(sending),
        .is_plain = channel->tls == HOUSE_TLS_NONE,
        .ca_pem = buf_slice(&with->ca),
        .client_pem = buf_slice(&with->client),
        .client_key_pem = buf_slice(&with->client_key),
        .system_id = slice_of(channel->system_id),
        .password = first_line(&with->password),
        .connections = (unsigned)connections,
        .window = (unsigned)channel->window,
        .rate = (unsigned)channel->rate,
        .share = sending->send->share,
        .timeout_ns = channel->timeout_ns,
    };
    if (sending->receipts != NULL) {
        options.receipts = receipts_wanted(sending);
    }
    return smpp_open(&options, &sending->transport, err);
}

static enum rc open_http(struct sending *sending, const struct credentials *with, struct err *err)
{
    const struct house_channel *channel = sending->channel;
    struct http_options options = {
        .name = house_channel_name(sending->order->channel),
        .url = channel->url,
        .is_plain = channel->tls == HOUSE_TLS_NONE,
        .ca_pem = buf_slice(&with->ca),
        .client_pem = buf_slice(&with->client),
        .client_key_pem = buf_slice(&with->client_key),
        .token_fd = sending->send->keys.token_fd,
        .headers = channel->headers.items,
        .header_count = channel->headers.count,
        .connections = (unsigned)channel->connections,
        .rate = (unsigned)channel->rate,
        .share = sending->send->share,
        .timeout_ns = channel->timeout_ns,
    };
    return http_open(&options, &sending->transport, err);
}

/* Transports that connect; the others keep what they are given. */
typedef enum rc open_connecting(struct sending *sending, const struct credentials *with,
                                struct err *err);

static open_connecting *connecting(const char *transport)
{
    static const struct {
        const char *name;
        open_connecting *open;
    } known[] = {{"smtp", open_smtp}, {"smpp", open_smpp}, {"http", open_http}};
    for (size_t i = 0; transport != NULL && i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].name, transport) == 0) {
            return known[i].open;
        }
    }
    return NULL;
}

static enum rc open_transport(struct sending *sending, struct err *err)
{
    const char *transport = sending->channel->transport;
    open_connecting *open = connecting(transport);
    if (open != NULL) {
        struct credentials credentials;
        enum rc rc = read_credentials(&sending->send->keys, &credentials, err);
        rc = rc == RC_OK ? open(sending, &credentials, err) : rc;
        wipe_credentials(&credentials);
        return rc;
    }
    if (transport != NULL && strcmp(transport, "null") == 0) {
        return null_open(&sending->transport, err);
    }
    if (sending->order->channel == HOUSE_SMS) {
        return folder_open(sending->send->messages_fd, MESSAGE_MODE, ".txt", &sending->transport,
                           err);
    }
    if (sending->order->channel == HOUSE_PUSH || sending->order->channel == HOUSE_INAPP) {
        return folder_open(sending->send->messages_fd, MESSAGE_MODE, ".json", &sending->transport,
                           err);
    }
    return maildir_open(sending->send->messages_fd, MESSAGE_MODE, sending->send->env->group_gid,
                        &sending->transport, err);
}

static enum rc open_content(struct sending *sending, struct err *err)
{
    const struct send_keys *keys = &sending->send->keys;
    struct buf dkim = BUF_EMPTY;
    struct buf secret = BUF_EMPTY;
    size_t count = 0;
    const char *const *columns = recipients_columns(sending->list, &count);
    enum rc rc = read_key(keys->dkim_fd, "dkim", KEY_BYTES_MAX, &dkim, err);
    rc = rc == RC_OK
             ? read_key(keys->unsubscribe_fd, "unsubscribe secret", KEY_BYTES_MAX, &secret, err)
             : rc;
    if (rc == RC_OK) {
        struct content_wants wants = {.dirfd = sending->send->subject.dirfd,
                                      .house = sending->send->env->house,
                                      .revision = sending->send->subject.view.revision,
                                      .dkim_key = {buf_text(&dkim), dkim.len},
                                      .is_for_real = true,
                                      .unsubscribe_secret = {buf_text(&secret), secret.len}};
        rc = content_open(sending->order, &wants, columns, count, &sending->content, err);
    }
    wipe(&dkim);
    wipe(&secret);
    return rc;
}

/* Signing is worth every core; without it one thread makes messages faster than any relay takes
 * them. */
static enum rc open_helpers(struct sending *sending, struct err *err)
{
    long cores = sending->send->keys.dkim_fd >= 0 ? sysconf(_SC_NPROCESSORS_ONLN) : 1;
    cores = cores < 1 ? 1 : cores;
    cores = cores > SEND_RENDER_THREADS_MAX ? SEND_RENDER_THREADS_MAX : cores;
    struct send_render_options options = {.content = sending->content,
                                          .proof = sending->send->proof,
                                          .date_s = sending->date_s,
                                          .threads = (unsigned int)cores,
                                          .bell = &sending->bell};
    enum rc rc = bell_open(&sending->bell, err);
    rc = rc == RC_OK ? send_render_open(&options, &sending->render, err) : rc;
    return rc == RC_OK ? send_commit_open(sending->log, &sending->bell, &sending->commit, err) : rc;
}

/* What a crash, or a worker that could not wait, left uncertain */
static enum rc decide_uncertain(struct sending *sending, struct err *err)
{
    const struct progress_table *table = progress_log_table(sending->log);
    enum rc rc = RC_OK;
    for (uint32_t n = 1; rc == RC_OK && n <= table->total && table->counts[PROGRESS_UNCERTAIN] > 0;
         n++) {
        if (table->entries[n - 1].state == PROGRESS_UNCERTAIN) {
            rc = sending_decide_uncertain(sending, n, true, err);
        }
    }
    return rc;
}

enum rc sending_open(struct sending *sending, struct err *err)
{
    const struct send *send = sending->send;
    struct progress_ids ids;
    enum rc rc = fs_open_regular(send->dirfd, RECIPIENTS_PATH, &sending->list_fd, err);
    rc = rc == RC_OK ? recipients_open(sending->list_fd, &sending->list, err) : rc;
    if (rc == RC_OK && recipients_total(sending->list) == 0) {
        rc = err_set(err, RC_CORRUPT, "%s: nobody is in it", RECIPIENTS_PATH);
    }
    rc = rc == RC_OK ? receipts_open(sending, &ids, err) : rc;
    rc = rc == RC_OK ? progress_log_open(send->dirfd, recipients_total(sending->list),
                                         clock_now_ns(), &ids, &sending->log, err)
                     : rc;
    if (rc == RC_OK && send->proof == 0) {
        rc = unwanted_load(send->env->house, sending->order->channel,
                           &send->env->lists.channels[sending->order->channel],
                           sending->order->target.key, &sending->unwanted, err);
    }
    rc = rc == RC_OK ? open_content(sending, err) : rc;
    rc = rc == RC_OK ? open_helpers(sending, err) : rc;
    rc = rc == RC_OK ? decide_uncertain(sending, err) : rc;
    rc = rc == RC_OK ? open_transport(sending, err) : rc;
    for (size_t i = SEND_SLOTS_MAX; i > 0; i--) { /* the first one is taken first */
        sending->free_slots[sending->free_count++] = &sending->slots[i - 1];
    }
    if (rc == RC_OK) {
        size_t room = transport_room(sending->transport);
        sending->window = room > SEND_SLOTS_MAX ? SEND_SLOTS_MAX : room;
    }
    return rc;
}

void sending_close(struct sending *sending)
{
    transport_free(sending->transport);
    send_render_free(sending->render);
    send_commit_free(sending->commit);
    bell_close(&sending->bell);
    content_free(sending->content);
    unwanted_free(sending->unwanted);
    progress_log_free(sending->log);
    receipts_close(sending);
    recipients_free(sending->list);
    fs_drop(&sending->list_fd);
    for (size_t i = 0; i < SEND_SLOTS_MAX; i++) {
        send_draft_release(&sending->slots[i].draft);
        buf_release(&sending->slots[i].ids);
        buf_release(&sending->results[i].ids);
    }
}
