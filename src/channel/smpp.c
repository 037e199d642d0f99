/*
 * smpp - the protocol that wires (channel/wires.h) speak for text messages
 */
#include "channel/smpp.h"

#include "channel/wires.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#define TIMEOUT_NS ((int64_t)30 * 1000000000)
#define SEQUENCE_MAX 0x70000000U /* 3.2: up to 7FFFFFFF; the next session begins anew */

struct smpp {
    struct wires wires; /* first member */
    struct smpp_settings settings;
    char system_id[SMPP_SYSTEM_ID_BYTES_MAX + 1];
    char password[SMPP_PASSWORD_BYTES_MAX + 1];
};

/* ---- the calls of the table ---- */

static void begin(void *session, struct wires *wires, const struct wire *wire, int64_t now_ns)
{
    const struct smpp *smpp = (const struct smpp *)(const void *)wires;
    (void)wire;
    smpp_session_begin(session, &smpp->settings, wires_told, wires, now_ns);
}

static enum rc feed(void *session, struct slice bytes, int64_t now_ns, struct err *err)
{
    return smpp_session_feed(session, bytes, now_ns, err);
}

static bool has_room(const void *session, int64_t now_ns)
{
    return smpp_session_has_room(session, now_ns);
}

static enum rc offer(void *session, const struct outgoing *message, int64_t now_ns, struct err *err)
{
    return smpp_session_offer(session, message, now_ns, err);
}

static enum rc output(void *session, struct slice *out, int64_t now_ns, struct err *err)
{
    (void)now_ns;
    (void)err;
    *out = smpp_session_output(session);
    return RC_OK;
}

static void wrote(void *session, size_t count, int64_t now_ns)
{
    (void)now_ns;
    smpp_session_wrote(session, count);
}

static enum rc leave(void *session, int64_t now_ns, struct err *err)
{
    return smpp_session_leave(session, now_ns, err);
}

static enum rc tick(void *session, int64_t now_ns, struct err *err)
{
    return smpp_session_tick(session, now_ns, err);
}

static void recall(void *session)
{
    smpp_session_recall(session);
}

static void view(const void *session, struct wires_view *out)
{
    static const enum wires_phase phases[] = {[SMPP_BINDING] = WIRES_SETTING_UP,
                                              [SMPP_BOUND] = WIRES_READY,
                                              [SMPP_UNBINDING] = WIRES_LEAVING,
                                              [SMPP_OVER] = WIRES_OVER};
    const struct smpp_session *smpp = session;
    *out = (struct wires_view){.phase = phases[smpp->phase],
                               .is_idle = smpp_session_is_idle(smpp) && !smpp->settings->is_staying,
                               .is_leaving = smpp->is_leaving,
                               .is_worn = smpp->sequence > SEQUENCE_MAX,
                               .has_output = smpp->out.len > smpp->out_at,
                               .has_judged = smpp->has_judged,
                               .deadline_ns = smpp_session_deadline_ns(smpp)};
}

static const char *waits_for(const void *session)
{
    (void)session;
    return "an answer"; /* tick says what */
}

static void end(void *session, const char *reason)
{
    smpp_session_end(session, reason);
}

static void release(void *session)
{
    smpp_session_release(session);
}

static void free_smpp(struct wires *wires)
{
    struct smpp *smpp = (struct smpp *)(void *)wires; /* its first member */
    OPENSSL_cleanse(smpp->password, sizeof smpp->password);
    free(smpp);
}

static const struct wires_protocol PROTOCOL = {.name = "smpp",
                                               .session_bytes = sizeof(struct smpp_session),
                                               .is_windowed = true,
                                               .begin = begin,
                                               .feed = feed,
                                               .has_room = has_room,
                                               .offer = offer,
                                               .output = output,
                                               .wrote = wrote,
                                               .leave = leave,
                                               .tick = tick,
                                               .recall = recall,
                                               .view = view,
                                               .waits_for = waits_for,
                                               .end = end,
                                               .release = release,
                                               .free = free_smpp};

/* ---- opening ---- */

static enum rc take_text(struct slice text, size_t most, const char *what, char *out,
                         struct err *err)
{
    if (text.len > most || (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL)) {
        return err_set(err, RC_PERM, "smpp: %s has at most %zu bytes (SMPP 3.4) and no NUL", what,
                       most);
    }
    if (text.len > 0) {
        memcpy(out, text.ptr, text.len);
    }
    out[text.len] = '\0';
    return RC_OK;
}

static enum rc set_up(struct smpp *smpp, const struct smpp_options *options, struct err *err)
{
    struct wires_options wires = {.host = options->host,
                                  .port = options->port,
                                  .is_plain = options->is_plain,
                                  .is_tls_first = true,
                                  .ca_pem = options->ca_pem,
                                  .client_pem = options->client_pem,
                                  .client_key_pem = options->client_key_pem,
                                  .addresses = options->addresses,
                                  .connections = options->connections,
                                  .queue = options->queue,
                                  .rate = options->rate,
                                  .share = options->share,
                                  .worth = 2 * options->window,
                                  .timeout_ns = options->timeout_ns};
    if (wires.queue == 0) {
        wires.queue = options->connections * 2 * options->window;
        wires.queue = wires.queue < SMPP_QUEUE_MIN   ? (unsigned int)SMPP_QUEUE_MIN
                      : wires.queue > SMPP_QUEUE_MAX ? (unsigned int)SMPP_QUEUE_MAX
                                                     : wires.queue;
    }
    enum rc rc =
        take_text(options->system_id, SMPP_SYSTEM_ID_BYTES_MAX, "system_id", smpp->system_id, err);
    rc = rc == RC_OK ? take_text(options->password, SMPP_PASSWORD_BYTES_MAX, "password",
                                 smpp->password, err)
                     : rc;
    smpp->settings = (struct smpp_settings){
        .system_id = slice_of(smpp->system_id),
        .password = slice_of(smpp->password),
        .window = options->window,
        .timeout_ns = options->timeout_ns > 0 ? options->timeout_ns : TIMEOUT_NS,
        .receipts = options->receipts};
    return rc == RC_OK ? wires_open(&smpp->wires, &PROTOCOL, &wires, err) : rc;
}

enum rc smpp_open(const struct smpp_options *options, struct transport **out, struct err *err)
{
    if (options->connections < 1 || options->connections > SMPP_CONNECTIONS_MAX ||
        options->window < 1 || options->window > SMPP_WINDOW_MAX ||
        options->queue > SMPP_QUEUE_MAX) {
        return err_set(err, RC_RANGE,
                       "smpp: 1 to %d connections, a window of 1 to %d, at most %d messages "
                       "waiting",
                       (int)SMPP_CONNECTIONS_MAX, (int)SMPP_WINDOW_MAX, (int)SMPP_QUEUE_MAX);
    }
    struct smpp *smpp = calloc(1, sizeof *smpp);
    if (smpp == NULL) {
        return err_set(err, RC_NOMEM, "smpp: no memory");
    }
    enum rc rc = set_up(smpp, options, err);
    if (rc != RC_OK) {
        wires_release(&smpp->wires);
        free_smpp(&smpp->wires);
        return rc;
    }
    *out = (struct transport *)(void *)smpp; /* its first member */
    return RC_OK;
}

/* ---- receipts ---- */

static struct smpp *smpp_of(struct transport *t)
{
    return (struct smpp *)(void *)t;
}

void smpp_kept(struct transport *t, uint64_t number)
{
    struct wires *wires = &smpp_of(t)->wires;
    struct err why = {""};
    for (unsigned int i = 0; i < wires->connections_max; i++) {
        const struct wires_connection *connection = &wires->connections[i];
        if (connection->is_open && connection->has_session) {
            /* Of a peer that does not read, what is not answered comes again. */
            (void)!smpp_session_kept(connection->session, number, &why);
            wires->is_busy = true;
        }
    }
}

void smpp_stay(struct transport *t)
{
    smpp_of(t)->settings.is_staying = true;
}

bool smpp_is_bound(const struct transport *t)
{
    return ((const struct smpp *)(const void *)t)->wires.ready > 0;
}
