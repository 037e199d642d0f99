/*
 * smtp - the transport: what waits, how many connections, when to try again
 */
#include "channel/smtp_inner.h"

#include "sys/clock.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#define SECONDS(n) ((int64_t)(n)*1000000000)
#define BACKOFF_FIRST_NS SECONDS(1)
#define BACKOFF_MAX_NS SECONDS(300)
#define LOOKUP_NS SECONDS(30)     /* the resolver's own limits are about that */
#define ADDRESSES_NS SECONDS(300) /* then the name is looked up again */
#define LOOK_NS (SECONDS(1) / 4)  /* how exactly waits are ended */
#define RATE_BURST_NS (SECONDS(1) / 20)

enum {
    QUEUE_A_CONNECTION_WORTH = 4, /* so many messages held are worth one more connection */
    POLLS_MAX = SMTP_CONNECTIONS_MAX / NET_EVENTS_MAX + 1,
    MS_MAX = 1000000000
};

static struct smtp *smtp_of(struct transport *t)
{
    return (struct smtp *)(void *)t;
}

static const struct smtp *smtp_of_const(const struct transport *t)
{
    return (const struct smtp *)(const void *)t;
}

/* ---- messages ---- */

void smtp_told(void *ctx, const struct verdict_report *report)
{
    struct smtp *smtp = ctx;
    assert(smtp->held > 0 && smtp->told != NULL);
    smtp->held--;
    smtp->told_count++;
    smtp->told(smtp->told_ctx, report);
}

static bool pop(struct smtp *smtp, struct smtp_message *out)
{
    if (smtp->queued == 0) {
        return false;
    }
    *out = smtp->queue[smtp->queue_at];
    smtp->queue_at = (smtp->queue_at + 1) % smtp->queue_max;
    smtp->queued--;
    return true;
}

static void tell(struct smtp *smtp, const struct smtp_message *message, enum verdict verdict,
                 const char *text)
{
    const struct verdict_report report = {
        .number = message->out.number, .verdict = verdict, .text = slice_of(text)};
    smtp_told(smtp, &report);
}

static void give_back(struct smtp *smtp, const char *text)
{
    struct smtp_message message;
    /* What the callback submits meanwhile is not ours to give back. */
    for (unsigned int left = smtp->queued; left > 0 && pop(smtp, &message); left--) {
        tell(smtp, &message, VERDICT_UNTRIED, text);
    }
}

bool smtp_next_message(struct smtp *smtp, struct smtp_message *out, int64_t now_ns)
{
    struct err why;
    while (smtp->rate == 0 || now_ns >= smtp->next_send_ns) {
        if (!pop(smtp, out)) {
            return false;
        }
        if (smtp_body_scan(out->out.bytes, &out->body, &why) == RC_OK) {
            if (smtp->rate > 0) {
                int64_t from_ns = now_ns - RATE_BURST_NS;
                from_ns = smtp->next_send_ns > from_ns ? smtp->next_send_ns : from_ns;
                smtp->next_send_ns = from_ns + SECONDS(1) / smtp->rate;
            }
            return true;
        }
        tell(smtp, out, VERDICT_PERMANENT, why.text);
    }
    return false;
}

/* ---- up and down ---- */

void smtp_failed(struct smtp *smtp, int64_t begun_ns, const char *reason, int64_t now_ns)
{
    /* Ten connections that break together are one failure. */
    if (begun_ns >= smtp->failed_ns) {
        smtp->backoff_ns = smtp->backoff_ns == 0 ? BACKOFF_FIRST_NS : smtp->backoff_ns * 2;
        smtp->backoff_ns = smtp->backoff_ns > BACKOFF_MAX_NS ? BACKOFF_MAX_NS : smtp->backoff_ns;
        smtp->failed_ns = now_ns;
        smtp->next_try_ns = now_ns + smtp->backoff_ns;
    }
    if (smtp->open == 0) {
        smtp->is_down = true;
        (void)snprintf(smtp->reason, sizeof smtp->reason, "%s:%u: %s", smtp->host,
                       (unsigned int)smtp->port, reason);
        give_back(smtp, smtp->reason);
    }
}

void smtp_works(struct smtp *smtp, int64_t begun_ns, bool is_proven)
{
    smtp->is_down = false;
    if (is_proven && begun_ns >= smtp->failed_ns) {
        smtp->backoff_ns = 0;
    }
}

/* ---- addresses ---- */

static enum rc start_lookup(struct smtp *smtp, int64_t now_ns, struct err *err)
{
    smtp->lookup_begun_ns = now_ns;
    enum rc rc = net_lookup_start(smtp->host, smtp->port, &smtp->lookup, err);
    return rc == RC_OK ? net_poll_add(smtp->poll, net_lookup_fd(smtp->lookup), smtp, err) : rc;
}

static void end_lookup(struct smtp *smtp)
{
    if (smtp->lookup != NULL) {
        net_poll_remove(smtp->poll, net_lookup_fd(smtp->lookup));
        net_lookup_free(smtp->lookup);
        smtp->lookup = NULL;
    }
}

static void look_at_lookup(struct smtp *smtp, int64_t now_ns)
{
    struct err why = {""};
    enum rc rc = net_lookup_result(smtp->lookup, &smtp->addresses, &why);
    if (rc == RC_STATE) {
        if (now_ns - smtp->lookup_begun_ns < LOOKUP_NS) {
            return;
        }
        rc = err_set(&why, RC_TEMP, "look up %s: no answer in time", smtp->host);
    }
    end_lookup(smtp);
    smtp->looked_up_ns = now_ns;
    if (rc != RC_OK) {
        smtp_failed(smtp, smtp->lookup_begun_ns, why.text, now_ns);
    }
}

static bool are_addresses_fresh(const struct smtp *smtp, int64_t now_ns)
{
    return smtp->addresses.count > 0 &&
           (smtp->is_fixed || now_ns - smtp->looked_up_ns < ADDRESSES_NS);
}

/* ---- connections ---- */

static unsigned int connections_wanted(const struct smtp *smtp, int64_t now_ns)
{
    if (smtp->is_closing || now_ns < smtp->next_try_ns) {
        return 0;
    }
    if (smtp->ready == 0) {
        return smtp->queued > 0 || smtp->is_down ? 1 : 0;
    }
    unsigned int worth =
        smtp->queued == 0 ? 0
                          : (smtp->held + QUEUE_A_CONNECTION_WORTH - 1) / QUEUE_A_CONNECTION_WORTH;
    return worth < smtp->connections_max ? worth : smtp->connections_max;
}

static void open_connections(struct smtp *smtp, int64_t now_ns)
{
    unsigned int wanted = connections_wanted(smtp, now_ns);
    struct err why = {""};
    if (smtp->lookup != NULL) {
        look_at_lookup(smtp, now_ns);
    }
    if (smtp->open >= wanted || smtp->lookup != NULL) {
        return;
    }
    if (!are_addresses_fresh(smtp, now_ns)) {
        smtp->addresses.count = 0;
        if (start_lookup(smtp, now_ns, &why) != RC_OK) {
            end_lookup(smtp);
            smtp_failed(smtp, now_ns, why.text, now_ns);
        }
        return;
    }
    for (unsigned int i = 0; i < smtp->connections_max && smtp->open < wanted; i++) {
        if (!smtp->connections[i].is_open) {
            smtp_connection_open(&smtp->connections[i], now_ns);
            wanted = now_ns < smtp->next_try_ns ? 0 : wanted; /* that one failed at once */
        }
    }
}

/* Work for those who have nothing to do, and no event to wake them */
static void wake_idle(struct smtp *smtp, int64_t now_ns)
{
    for (unsigned int i = 0; i < smtp->connections_max && smtp->queued > 0; i++) {
        struct smtp_connection *connection = &smtp->connections[i];
        if (connection->is_open && connection->has_session &&
            smtp_session_is_idle(&connection->session) &&
            (smtp->rate == 0 || now_ns >= smtp->next_send_ns)) {
            smtp_connection_serve(connection, now_ns);
        }
    }
}

static void look_at_all(struct smtp *smtp, int64_t now_ns)
{
    for (unsigned int i = 0; i < smtp->connections_max; i++) {
        struct smtp_connection *connection = &smtp->connections[i];
        if (connection->is_open) {
            smtp_connection_look(connection, now_ns);
        }
        if (connection->is_open && smtp->is_closing && !connection->session.is_leaving) {
            smtp_connection_serve(connection, now_ns);
        }
    }
}

/* What the caller has brought, and whom it is worth to connect for */
static void advance(struct smtp *smtp, int64_t now_ns)
{
    if (smtp->is_recalled) {
        smtp->is_recalled = false;
        give_back(smtp, "recalled");
    }
    open_connections(smtp, now_ns);
    wake_idle(smtp, now_ns);
}

/* What peers have brought; waits at most timeout_ms for something. */
static enum rc listen_to_all(struct smtp *smtp, int timeout_ms, size_t *out_count, struct err *err)
{
    struct net_event events[NET_EVENTS_MAX];
    *out_count = 0;
    enum rc rc = net_poll_wait(smtp->poll, timeout_ms, events, out_count, err);
    int64_t now_ns = clock_monotonic_ns();
    for (size_t i = 0; rc == RC_OK && i < *out_count; i++) {
        if (events[i].ctx != smtp) { /* else the lookup: advance looks at it */
            struct smtp_connection *connection = events[i].ctx;
            wire_event(&connection->wire, events[i].events);
            if (connection->is_open) {
                smtp_connection_serve(connection, now_ns);
            }
        }
    }
    return rc;
}

/* Waits that took too long. This process may have stood still: an answer that lies in the socket by
 * now is heard first, or a message that was taken would be uncertain. */
static enum rc judge_waits(struct smtp *smtp, struct err *err)
{
    int64_t now_ns = clock_monotonic_ns(); /* what comes behind this is not late */
    size_t count = NET_EVENTS_MAX;
    enum rc rc = RC_OK;
    if (now_ns < smtp->next_look_ns && !smtp->is_closing) {
        return RC_OK;
    }
    for (unsigned int i = 0; rc == RC_OK && count == NET_EVENTS_MAX && i < POLLS_MAX; i++) {
        rc = listen_to_all(smtp, 0, &count, err);
    }
    smtp->next_look_ns = now_ns + LOOK_NS;
    if (rc == RC_OK) {
        look_at_all(smtp, now_ns);
    }
    return rc;
}

/* ---- the calls of the table ---- */

static size_t room(const struct transport *t)
{
    const struct smtp *smtp = smtp_of_const(t);
    if (smtp->is_closing || smtp->is_down) {
        return 0;
    }
    unsigned int most = smtp->queue_max;
    if (smtp->rate > 0 && smtp->rate / 2 < most) {
        most = smtp->rate < 2 ? 1 : smtp->rate / 2; /* half a second: pausing takes no longer */
    }
    return smtp->queued < most ? most - smtp->queued : 0;
}

static enum rc submit(struct transport *t, const struct outgoing *message, struct err *err)
{
    struct smtp *smtp = smtp_of(t);
    (void)err;
    assert(smtp->queued < smtp->queue_max);
    unsigned int at = (smtp->queue_at + smtp->queued) % smtp->queue_max;
    smtp->queue[at] = (struct smtp_message){.out = *message};
    smtp->queued++;
    smtp->held++;
    return RC_OK;
}

/* A message may go as soon as the rate allows it, and a connection waits for one. */
static bool waits_for_rate(const struct smtp *smtp)
{
    if (smtp->queued == 0 || smtp->rate == 0) {
        return false;
    }
    for (unsigned int i = 0; i < smtp->connections_max; i++) {
        const struct smtp_connection *connection = &smtp->connections[i];
        if (connection->is_ready && smtp_session_is_idle(&connection->session)) {
            return true;
        }
    }
    return false;
}

static int64_t deadline_ns(const struct transport *t)
{
    const struct smtp *smtp = smtp_of_const(t);
    int64_t at = INT64_MAX;
    if (smtp->is_busy || smtp->is_recalled) {
        return clock_monotonic_ns();
    }
    if (smtp->open > 0 || smtp->lookup != NULL) {
        at = smtp->next_look_ns;
    } else if ((smtp->queued > 0 || smtp->is_down) && !smtp->is_closing) {
        at = smtp->next_try_ns;
    }
    return waits_for_rate(smtp) && smtp->next_send_ns < at ? smtp->next_send_ns : at;
}

static int wait_ms(const struct smtp *smtp, int timeout_ms, int64_t now_ns)
{
    int64_t at = deadline_ns(&smtp->transport);
    if (smtp->told_count > 0 || at <= now_ns) {
        return 0;
    }
    if (at == INT64_MAX) {
        return timeout_ms;
    }
    int64_t ms = (at - now_ns + 999999) / 1000000;
    ms = ms > MS_MAX ? MS_MAX : ms;
    return timeout_ms >= 0 && timeout_ms < ms ? timeout_ms : (int)ms;
}

static enum rc run(struct transport *t, int timeout_ms, transport_told *told, void *ctx,
                   struct err *err)
{
    struct smtp *smtp = smtp_of(t);
    size_t count = 0;
    smtp->told = told;
    smtp->told_ctx = ctx;
    smtp->told_count = 0;
    enum rc rc = judge_waits(smtp, err);
    int64_t now_ns = clock_monotonic_ns();
    advance(smtp, now_ns);
    bool was_busy = smtp->is_busy;
    int wait = wait_ms(smtp, timeout_ms, now_ns);
    smtp->is_busy = false;
    rc = rc == RC_OK ? listen_to_all(smtp, wait, &count, err) : rc;
    now_ns = clock_monotonic_ns();
    for (unsigned int i = 0; was_busy && i < smtp->connections_max; i++) {
        if (smtp->connections[i].is_open) {
            smtp_connection_serve(&smtp->connections[i], now_ns);
        }
    }
    advance(smtp, now_ns);
    smtp->told = NULL;
    return rc;
}

static int fd(const struct transport *t)
{
    return net_poll_fd(smtp_of_const(t)->poll);
}

static void recall(struct transport *t)
{
    smtp_of(t)->is_recalled = true;
}

static void close_all(struct transport *t)
{
    struct smtp *smtp = smtp_of(t);
    smtp->is_closing = true;
    smtp->is_busy = true;
    end_lookup(smtp);
}

static void state(const struct transport *t, struct transport_state *out)
{
    const struct smtp *smtp = smtp_of_const(t);
    *out = (struct transport_state){.is_up = !smtp->is_down,
                                    .is_closed =
                                        smtp->is_closing && smtp->open == 0 && smtp->held == 0,
                                    .held = smtp->held,
                                    .next_try_ns = smtp->next_try_ns,
                                    .reason = smtp->is_down ? smtp->reason : ""};
}

static void wipe(char *text)
{
    if (text != NULL) {
        OPENSSL_cleanse(text, strlen(text));
        free(text);
    }
}

static void free_smtp(struct smtp *smtp)
{
    for (unsigned int i = 0; smtp->connections != NULL && i < smtp->connections_max; i++) {
        smtp_connection_drop(&smtp->connections[i]);
    }
    if (smtp->poll != NULL) {
        end_lookup(smtp);
    }
    net_poll_free(smtp->poll);
    tls_context_free(smtp->tls);
    free(smtp->connections);
    free(smtp->queue);
    free(smtp->host);
    free(smtp->helo);
    wipe(smtp->user);
    wipe(smtp->password);
    free(smtp);
}

static void free_all(struct transport *t)
{
    free_smtp(smtp_of(t));
}

static const struct transport_kind KIND = {.name = "smtp",
                                           .room = room,
                                           .submit = submit,
                                           .run = run,
                                           .fd = fd,
                                           .deadline_ns = deadline_ns,
                                           .recall = recall,
                                           .close = close_all,
                                           .state = state,
                                           .free = free_all};

/* ---- opening ---- */

static enum rc check(const struct smtp_options *options, struct err *err)
{
    if (options->host == NULL || options->host[0] == '\0' || options->port == 0) {
        return err_set(err, RC_PERM, "smtp: host and port are needed");
    }
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

static enum rc allocate(struct smtp *smtp, const struct smtp_options *options, struct err *err)
{
    smtp->connections_max = options->connections;
    smtp->queue_max =
        options->queue > 0 ? options->queue : options->connections * SMTP_QUEUE_A_CONNECTION;
    smtp->connections = calloc(smtp->connections_max, sizeof *smtp->connections);
    smtp->queue = calloc(smtp->queue_max, sizeof *smtp->queue);
    smtp->host = copy(slice_of(options->host));
    smtp->helo = options->helo == NULL ? NULL : copy(slice_of(options->helo));
    smtp->user = copy(options->user);
    smtp->password = copy(options->password);
    if (smtp->connections == NULL || smtp->queue == NULL || smtp->host == NULL ||
        (options->helo != NULL && smtp->helo == NULL) || smtp->user == NULL ||
        smtp->password == NULL) {
        return err_set(err, RC_NOMEM, "smtp: no memory");
    }
    for (unsigned int i = 0; i < smtp->connections_max; i++) {
        smtp->connections[i].owner = smtp;
        smtp->connections[i].wire = WIRE_EMPTY;
    }
    return RC_OK;
}

static enum rc set_up(struct smtp *smtp, const struct smtp_options *options, struct err *err)
{
    const struct tls_options tls = {.host = options->host,
                                    .ca_pem = options->ca_pem,
                                    .client_pem = options->client_pem,
                                    .client_key_pem = options->client_key_pem};
    enum rc rc = allocate(smtp, options, err);
    if (rc == RC_OK && options->tls != SMTP_TLS_NONE) {
        rc = tls_context_open(&tls, &smtp->tls, err);
    }
    if (rc == RC_OK) {
        rc = net_poll_open(&smtp->poll, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    smtp->port = options->port;
    smtp->rate = options->rate;
    smtp->settings = (struct smtp_settings){
        .tls = options->tls,
        .user = slice_of(smtp->user),
        .password = slice_of(smtp->password),
        .timeout_ns = options->timeout_ns,
        .max_messages = options->max_messages > 0 ? options->max_messages
                                                  : (unsigned int)SMTP_MESSAGES_A_CONNECTION};
    if (options->addresses != NULL && options->addresses->count > 0) {
        smtp->addresses = *options->addresses;
        smtp->is_fixed = true;
    }
    return RC_OK;
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
    smtp->transport.kind = &KIND;
    rc = set_up(smtp, options, err);
    if (rc != RC_OK) {
        free_smtp(smtp);
        return rc;
    }
    *out = (struct transport *)(void *)smtp; /* its first member */
    return RC_OK;
}
