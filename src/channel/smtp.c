/*
 * smtp - the protocol that wires (channel/wires.h) speak for e-mail
 */
#include "channel/smtp.h"

#include "channel/wires.h"

#include <openssl/crypto.h>
#include <stdlib.h>

enum { WORTH = 4 }; /* so many messages held are worth one more connection */

struct smtp {
    struct wires wires; /* first member */
    struct smtp_settings settings;
    char *helo; /* NULL: the address literal */
    char *user;
    char *password;
};

struct link {
    struct smtp_session smtp;
    struct wires *wires;
};

static struct smtp_session *session_of(void *session)
{
    return &((struct link *)session)->smtp;
}

static const struct smtp_session *session_of_const(const void *session)
{
    return &((const struct link *)session)->smtp;
}

/* ---- the calls of the table ---- */

static void begin(void *session, struct wires *wires, const struct wire *wire, int64_t now_ns)
{
    const struct smtp *smtp = (const struct smtp *)(const void *)wires;
    struct link *link = session;
    char literal[NET_TEXT_BYTES];
    const char *helo = smtp->helo;
    if (helo == NULL) {
        net_local_literal(wire->fd, literal);
        helo = literal;
    }
    link->wires = wires;
    smtp_session_begin(&link->smtp, &smtp->settings, helo, wire->tls != NULL, wires_told, wires,
                       now_ns);
}

static enum rc feed(void *session, struct slice bytes, int64_t now_ns, struct err *err)
{
    return smtp_session_feed(session_of(session), bytes, now_ns, err);
}

static enum rc secured(void *session, int64_t now_ns, struct err *err)
{
    return smtp_session_secured(session_of(session), now_ns, err);
}

static bool has_room(const void *session, int64_t now_ns)
{
    (void)now_ns;
    return smtp_session_has_room(session_of_const(session));
}

static enum rc offer(void *session, const struct outgoing *outgoing, int64_t now_ns,
                     struct err *err)
{
    struct link *link = session;
    struct smtp_message message = {.out = *outgoing};
    struct err why;
    if (smtp_body_scan(outgoing->bytes, &message.body, &why) != RC_OK) {
        wires_tell(link->wires, outgoing, VERDICT_PERMANENT, why.text);
        return RC_OK;
    }
    return smtp_session_offer(&link->smtp, &message, now_ns, err);
}

static enum rc output(void *session, struct slice *out, int64_t now_ns, struct err *err)
{
    return smtp_session_output(session_of(session), out, now_ns, err);
}

static void wrote(void *session, size_t count, int64_t now_ns)
{
    smtp_session_wrote(session_of(session), count, now_ns);
}

static enum rc leave(void *session, int64_t now_ns, struct err *err)
{
    return smtp_session_leave(session_of(session), now_ns, err);
}

static enum wires_phase phase_of(enum smtp_phase phase)
{
    switch (phase) {
    case SMTP_READY:
        return WIRES_READY;
    case SMTP_QUITTING:
        return WIRES_LEAVING;
    case SMTP_OVER:
        return WIRES_OVER;
    default:
        return WIRES_SETTING_UP;
    }
}

static void view(const void *session, struct wires_view *out)
{
    const struct smtp_session *smtp = session_of_const(session);
    *out = (struct wires_view){
        .phase = phase_of(smtp->phase),
        .wants_tls = smtp->phase == SMTP_HANDSHAKE,
        .is_idle = smtp_session_is_idle(smtp),
        .is_leaving = smtp->is_leaving,
        .is_worn = smtp->phase == SMTP_READY && smtp->messages >= smtp->settings->max_messages,
        .has_output = smtp->out_at < smtp->out.len || smtp->slots[0].stage == SMTP_BODY,
        .has_judged = smtp->has_judged,
        .deadline_ns = smtp->deadline_ns,
    };
}

static const char *waits_for(const void *session)
{
    return smtp_session_waits_for(session_of_const(session));
}

static void end(void *session, const char *reason)
{
    smtp_session_end(session_of(session), reason);
}

static void release(void *session)
{
    smtp_session_release(session_of(session));
}

static void wipe(char *text)
{
    if (text != NULL) {
        OPENSSL_cleanse(text, strlen(text));
        free(text);
    }
}

static void free_smtp(struct wires *wires)
{
    struct smtp *smtp = (struct smtp *)(void *)wires; /* its first member */
    free(smtp->helo);
    wipe(smtp->user);
    wipe(smtp->password);
    free(smtp);
}

static const struct wires_protocol PROTOCOL = {.name = "smtp",
                                               .session_bytes = sizeof(struct link),
                                               .begin = begin,
                                               .feed = feed,
                                               .secured = secured,
                                               .has_room = has_room,
                                               .offer = offer,
                                               .output = output,
                                               .wrote = wrote,
                                               .leave = leave,
                                               .view = view,
                                               .waits_for = waits_for,
                                               .end = end,
                                               .release = release,
                                               .free = free_smtp};

/* ---- opening ---- */

static enum rc check(const struct smtp_options *options, struct err *err)
{
    if (options->connections < 1 || options->connections > SMTP_CONNECTIONS_MAX ||
        options->queue > SMTP_QUEUE_MAX) {
        return err_set(err, RC_RANGE, "smtp: 1 to %d connections, at most %d messages waiting",
                       (int)SMTP_CONNECTIONS_MAX, (int)SMTP_QUEUE_MAX);
    }
    if (options->user.len > 0 && options->tls == SMTP_TLS_NONE) {
        return err_set(err, RC_PERM, "smtp: a login needs TLS; a password never goes out in clear");
    }
    if ((options->user.len > 0 && memchr(options->user.ptr, '\0', options->user.len) != NULL) ||
        (options->password.len > 0 &&
         memchr(options->password.ptr, '\0', options->password.len) != NULL)) {
        return err_set(err, RC_PERM, "smtp: user or password holds a NUL");
    }
    if (options->user.len > SMTP_CREDENTIAL_BYTES_MAX ||
        options->password.len > SMTP_CREDENTIAL_BYTES_MAX) {
        return err_set(err, RC_RANGE, "smtp: user and password have at most %d bytes",
                       (int)SMTP_CREDENTIAL_BYTES_MAX);
    }
    return RC_OK;
}

/* NUL-terminated; wiped by wipe() through its first NUL, which credentials do not hold */
static char *copy(struct slice text)
{
    char *made = malloc(text.len + 1);
    if (made != NULL) {
        if (text.len > 0) {
            memcpy(made, text.ptr, text.len);
        }
        made[text.len] = '\0';
    }
    return made;
}

static enum rc set_up(struct smtp *smtp, const struct smtp_options *options, struct err *err)
{
    struct wires_options wires = {.host = options->host,
                                  .port = options->port,
                                  .is_plain = options->tls == SMTP_TLS_NONE,
                                  .is_tls_first = options->tls == SMTP_TLS_CONNECT,
                                  .ca_pem = options->ca_pem,
                                  .client_pem = options->client_pem,
                                  .client_key_pem = options->client_key_pem,
                                  .addresses = options->addresses,
                                  .connections = options->connections,
                                  .queue = options->queue,
                                  .rate = options->rate,
                                  .share = options->share,
                                  .worth = WORTH,
                                  .timeout_ns = options->timeout_ns};
    if (wires.queue == 0) {
        wires.queue = options->connections * SMTP_QUEUE_A_CONNECTION;
    }
    smtp->helo = options->helo == NULL ? NULL : copy(slice_of(options->helo));
    smtp->user = copy(options->user);
    smtp->password = copy(options->password);
    if ((options->helo != NULL && smtp->helo == NULL) || smtp->user == NULL ||
        smtp->password == NULL) {
        return err_set(err, RC_NOMEM, "smtp: no memory");
    }
    smtp->settings = (struct smtp_settings){
        .tls = options->tls,
        .user = slice_of(smtp->user),
        .password = slice_of(smtp->password),
        .timeout_ns = options->timeout_ns,
        .max_messages = options->max_messages > 0 ? options->max_messages
                                                  : (unsigned int)SMTP_MESSAGES_A_CONNECTION};
    return wires_open(&smtp->wires, &PROTOCOL, &wires, err);
}

enum rc smtp_open(const struct smtp_options *options, struct transport **out, struct err *err)
{
    enum rc rc = check(options, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct smtp *smtp = calloc(1, sizeof *smtp);
    if (smtp == NULL) {
        return err_set(err, RC_NOMEM, "smtp: no memory");
    }
    rc = set_up(smtp, options, err);
    if (rc != RC_OK) {
        wires_release(&smtp->wires);
        free_smtp(&smtp->wires);
        return rc;
    }
    *out = (struct transport *)(void *)smtp; /* its first member */
    return RC_OK;
}
