/*
 * wires - the transport: what waits, how many connections, when to try again
 */
#include "channel/wires.h"

#include "sys/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define SECONDS(n) ((int64_t)(n)*1000000000)
#define BACKOFF_FIRST_NS SECONDS(1)
#define BACKOFF_MAX_NS SECONDS(300)
#define LOOKUP_NS SECONDS(30)     /* the resolver's own limits are about that */
#define ADDRESSES_NS SECONDS(300) /* then the name is looked up again */
#define LOOK_NS (SECONDS(1) / 4)  /* how exactly waits are ended */

enum {
    MS_MAX = 1000000000,
    HOST_SHOWN = 253,
    POLLS_MAX = 16 /* of NET_EVENTS_MAX each: more than a channel has connections */
};

static struct wires *wires_of(struct transport *t)
{
    return (struct wires *)(void *)t;
}

static const struct wires *wires_of_const(const struct transport *t)
{
    return (const struct wires *)(const void *)t;
}

/* ---- messages ---- */

void wires_told(void *ctx, const struct verdict_report *report)
{
    struct wires *wires = ctx;
    assert(wires->held > 0 && wires->told != NULL);
    wires->held--;
    wires->told_count++;
    wires->told(wires->told_ctx, report);
}

static bool pop(struct wires *wires, struct outgoing *out)
{
    if (wires->queued == 0) {
        return false;
    }
    *out = wires->queue[wires->queue_at];
    wires->queue_at = (wires->queue_at + 1) % wires->queue_max;
    wires->queued--;
    return true;
}

void wires_tell(struct wires *wires, const struct outgoing *message, enum verdict verdict,
                const char *text)
{
    const struct verdict_report report = {
        .number = message->number, .verdict = verdict, .text = slice_of(text)};
    wires_told(wires, &report);
}

static void give_back(struct wires *wires, const char *text)
{
    struct outgoing message;
    /* What the callback submits meanwhile is not ours to give back. */
    for (unsigned int left = wires->queued; left > 0 && pop(wires, &message); left--) {
        wires_tell(wires, &message, VERDICT_UNTRIED, text);
    }
}

bool wires_next_message(struct wires *wires, struct outgoing *out, int64_t now_ns)
{
    return wires->queued > 0 && share_take(wires->share, wires->rate, now_ns) && pop(wires, out);
}

/* ---- up and down ---- */

static void lengthen_backoff(struct wires *wires)
{
    wires->backoff_ns = wires->backoff_ns == 0 ? BACKOFF_FIRST_NS : wires->backoff_ns * 2;
    wires->backoff_ns = wires->backoff_ns > BACKOFF_MAX_NS ? BACKOFF_MAX_NS : wires->backoff_ns;
}

void wires_pause(struct wires *wires, const char *reason, int64_t pause_ns)
{
    lengthen_backoff(wires);
    pause_ns = pause_ns < wires->backoff_ns ? wires->backoff_ns : pause_ns;
    wires->failed_ns = clock_monotonic_ns(); /* what served before proves nothing any more */
    wires->next_try_ns = wires->failed_ns + pause_ns;
    wires->is_paused = wires->is_down = true;
    (void)snprintf(wires->reason, sizeof wires->reason, "%.*s: %s", HOST_SHOWN, wires->host,
                   reason);
    give_back(wires, wires->reason);
}

static void end_pause(struct wires *wires, int64_t now_ns)
{
    if (wires->is_paused && now_ns >= wires->next_try_ns) {
        wires->is_paused = wires->is_down = false;
    }
}

void wires_proven(struct wires *wires)
{
    wires->backoff_ns = 0;
}

void wires_failed(struct wires *wires, int64_t begun_ns, const char *reason, int64_t now_ns)
{
    /* Ten connections that break together are one failure. */
    if (begun_ns >= wires->failed_ns) {
        int64_t pause_until_ns = wires->is_paused ? wires->next_try_ns : 0;
        lengthen_backoff(wires);
        wires->failed_ns = now_ns;
        wires->next_try_ns = now_ns + wires->backoff_ns;
        wires->next_try_ns =
            wires->next_try_ns < pause_until_ns ? pause_until_ns : wires->next_try_ns;
    }
    if (wires->open == 0 && !wires->is_paused) {
        wires->is_down = true;
        (void)snprintf(wires->reason, sizeof wires->reason, "%s:%u: %s", wires->host,
                       (unsigned int)wires->port, reason);
        give_back(wires, wires->reason);
    }
}

void wires_works(struct wires *wires, int64_t begun_ns, bool is_proven)
{
    wires->is_down = wires->is_paused;
    if (is_proven && begun_ns >= wires->failed_ns) {
        wires->backoff_ns = 0;
    }
}

/* ---- addresses ---- */

static enum rc start_lookup(struct wires *wires, int64_t now_ns, struct err *err)
{
    wires->lookup_begun_ns = now_ns;
    enum rc rc = net_lookup_start(wires->host, wires->port, &wires->lookup, err);
    return rc == RC_OK ? net_poll_add(wires->poll, net_lookup_fd(wires->lookup), wires, err) : rc;
}

static void end_lookup(struct wires *wires)
{
    if (wires->lookup != NULL) {
        net_poll_remove(wires->poll, net_lookup_fd(wires->lookup));
        net_lookup_free(wires->lookup);
        wires->lookup = NULL;
    }
}

static void look_at_lookup(struct wires *wires, int64_t now_ns)
{
    struct err why = {""};
    enum rc rc = net_lookup_result(wires->lookup, &wires->addresses, &why);
    if (rc == RC_STATE) {
        if (now_ns - wires->lookup_begun_ns < LOOKUP_NS) {
            return;
        }
        rc = err_set(&why, RC_TEMP, "look up %s: no answer in time", wires->host);
    }
    end_lookup(wires);
    wires->looked_up_ns = now_ns;
    if (rc != RC_OK) {
        wires_failed(wires, wires->lookup_begun_ns, why.text, now_ns);
    }
}

static bool are_addresses_fresh(const struct wires *wires, int64_t now_ns)
{
    return wires->addresses.count > 0 &&
           (wires->is_fixed || now_ns - wires->looked_up_ns < ADDRESSES_NS);
}

/* ---- connections ---- */

static unsigned int connections_wanted(const struct wires *wires, int64_t now_ns)
{
    if (wires->is_closing || now_ns < wires->next_try_ns) {
        return 0;
    }
    if (wires->ready == 0) {
        return wires->queued > 0 || wires->is_down ? 1 : 0;
    }
    unsigned int worth = wires->queued == 0 ? 0 : (wires->held + wires->worth - 1) / wires->worth;
    unsigned int most = share_part(wires->share, wires->connections_max);
    return worth < most ? worth : most;
}

static void open_connections(struct wires *wires, int64_t now_ns)
{
    unsigned int wanted = connections_wanted(wires, now_ns);
    struct err why = {""};
    if (wires->lookup != NULL) {
        look_at_lookup(wires, now_ns);
    }
    if (wires->open >= wanted || wires->lookup != NULL) {
        return;
    }
    if (!are_addresses_fresh(wires, now_ns)) {
        wires->addresses.count = 0;
        if (start_lookup(wires, now_ns, &why) != RC_OK) {
            end_lookup(wires);
            wires_failed(wires, now_ns, why.text, now_ns);
        }
        return;
    }
    for (unsigned int i = 0; i < wires->connections_max && wires->open < wanted; i++) {
        if (!wires->connections[i].is_open) {
            wires_connection_open(&wires->connections[i], now_ns);
            wanted = now_ns < wires->next_try_ns ? 0 : wanted; /* that one failed at once */
        }
    }
}

/* It could take a message now, and no event need come to wake it. */
static bool is_hungry(const struct wires_connection *connection, int64_t now_ns)
{
    const struct wires_protocol *protocol = connection->owner->protocol;
    return connection->is_open && connection->has_session &&
           (protocol->is_windowed ? protocol->has_room(connection->session, now_ns)
                                  : wires_connection_view(connection).is_idle);
}

/* Work for those who have nothing to do, and no event to wake them */
static void wake_idle(struct wires *wires, int64_t now_ns)
{
    for (unsigned int i = 0; i < wires->connections_max && wires->queued > 0; i++) {
        struct wires_connection *connection = &wires->connections[i];
        if (is_hungry(connection, now_ns) && now_ns >= share_next_ns(wires->share, wires->rate)) {
            wires_connection_serve(connection, now_ns);
        }
    }
}

/* Another sender has begun: those beyond our part say goodbye. */
static void mark_surplus(struct wires *wires)
{
    unsigned int most = share_part(wires->share, wires->connections_max);
    for (unsigned int i = 0, kept = 0; i < wires->connections_max; i++) {
        struct wires_connection *connection = &wires->connections[i];
        kept += connection->is_open && !connection->is_surplus;
        connection->is_surplus = connection->is_surplus || (connection->is_open && kept > most);
    }
}

static bool is_to_leave(const struct wires_connection *connection)
{
    return (connection->owner->is_closing || connection->is_surplus) && connection->has_session &&
           !wires_connection_view(connection).is_leaving;
}

static void look_at_all(struct wires *wires, int64_t now_ns)
{
    mark_surplus(wires);
    for (unsigned int i = 0; i < wires->connections_max; i++) {
        struct wires_connection *connection = &wires->connections[i];
        if (connection->is_open) {
            wires_connection_look(connection, now_ns);
        }
        if (connection->is_open && is_to_leave(connection)) {
            wires_connection_serve(connection, now_ns);
        }
    }
}

static void recall_sessions(struct wires *wires)
{
    for (unsigned int i = 0; wires->protocol->recall != NULL && i < wires->connections_max; i++) {
        if (wires->connections[i].is_open && wires->connections[i].has_session) {
            wires->protocol->recall(wires->connections[i].session);
        }
    }
}

/* What the caller has brought, and whom it is worth to connect for */
static void advance(struct wires *wires, int64_t now_ns)
{
    if (wires->is_recalled) {
        wires->is_recalled = false;
        give_back(wires, "recalled");
        recall_sessions(wires);
    }
    end_pause(wires, now_ns);
    open_connections(wires, now_ns);
    wake_idle(wires, now_ns);
}

/* What peers have brought; waits at most timeout_ms for something. */
static enum rc listen_to_all(struct wires *wires, int timeout_ms, size_t *out_count,
                             struct err *err)
{
    struct net_event events[NET_EVENTS_MAX];
    *out_count = 0;
    enum rc rc = net_poll_wait(wires->poll, timeout_ms, events, out_count, err);
    int64_t now_ns = clock_monotonic_ns();
    for (size_t i = 0; rc == RC_OK && i < *out_count; i++) {
        if (events[i].ctx != wires) { /* else the lookup: advance looks at it */
            struct wires_connection *connection = events[i].ctx;
            wire_event(&connection->wire, events[i].events);
            if (connection->is_open) {
                wires_connection_serve(connection, now_ns);
            }
        }
    }
    return rc;
}

/* Waits that took too long. This process may have stood still: an answer that lies in the socket by
 * now is heard first, or a message that was taken would be uncertain. */
static enum rc judge_waits(struct wires *wires, struct err *err)
{
    int64_t now_ns = clock_monotonic_ns(); /* what comes behind this is not late */
    size_t count = NET_EVENTS_MAX;
    enum rc rc = RC_OK;
    if (now_ns < wires->next_look_ns && !wires->is_closing) {
        return RC_OK;
    }
    for (unsigned int i = 0; rc == RC_OK && count == NET_EVENTS_MAX && i < POLLS_MAX; i++) {
        rc = listen_to_all(wires, 0, &count, err);
    }
    wires->next_look_ns = now_ns + LOOK_NS;
    if (rc == RC_OK) {
        look_at_all(wires, now_ns);
    }
    return rc;
}

/* ---- the calls of the table ---- */

static size_t room(const struct transport *t)
{
    const struct wires *wires = wires_of_const(t);
    if (wires->is_closing || wires->is_down) {
        return 0;
    }
    unsigned int most = wires->queue_max;
    unsigned int rate = share_part(wires->share, wires->rate);
    if (rate > 0 && rate / 2 < most) {
        most = rate < 2 ? 1 : rate / 2; /* half a second: pausing takes no longer */
    }
    return wires->queued < most ? most - wires->queued : 0;
}

bool wires_take_back(struct wires *wires, struct outgoing *out)
{
    bool is_there = pop(wires, out);
    wires->held -= is_there ? 1 : 0;
    return is_there;
}

static enum rc submit(struct transport *t, const struct outgoing *message, struct err *err)
{
    struct wires *wires = wires_of(t);
    (void)err;
    assert(wires->queued < wires->queue_max);
    unsigned int at = (wires->queue_at + wires->queued) % wires->queue_max;
    wires->queue[at] = *message;
    wires->queued++;
    wires->held++;
    return RC_OK;
}

/* A message may go as soon as the rate allows it, and a connection waits for one. */
static bool waits_for_rate(const struct wires *wires, int64_t now_ns)
{
    if (wires->queued == 0 || wires->rate == 0) {
        return false;
    }
    for (unsigned int i = 0; i < wires->connections_max; i++) {
        if (is_hungry(&wires->connections[i], now_ns)) {
            return true;
        }
    }
    return false;
}

static int64_t deadline_ns(const struct transport *t)
{
    const struct wires *wires = wires_of_const(t);
    int64_t at = INT64_MAX;
    if (wires->is_busy || wires->is_recalled) {
        return clock_monotonic_ns();
    }
    if (wires->open > 0 || wires->lookup != NULL) {
        at = wires->next_look_ns;
    } else if ((wires->queued > 0 || wires->is_down) && !wires->is_closing) {
        at = wires->next_try_ns;
    }
    if (wires->is_paused && wires->next_try_ns < at) {
        at = wires->next_try_ns;
    }
    int64_t next_ns = share_next_ns(wires->share, wires->rate);
    return waits_for_rate(wires, clock_monotonic_ns()) && next_ns < at ? next_ns : at;
}

static int wait_ms(const struct wires *wires, int timeout_ms, int64_t now_ns)
{
    int64_t at = deadline_ns(&wires->transport);
    if (wires->told_count > 0 || at <= now_ns) {
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
    struct wires *wires = wires_of(t);
    size_t count = 0;
    wires->told = told;
    wires->told_ctx = ctx;
    wires->told_count = 0;
    enum rc rc = judge_waits(wires, err);
    int64_t now_ns = clock_monotonic_ns();
    advance(wires, now_ns);
    bool was_busy = wires->is_busy;
    int wait = wait_ms(wires, timeout_ms, now_ns);
    wires->is_busy = false;
    rc = rc == RC_OK ? listen_to_all(wires, wait, &count, err) : rc;
    now_ns = clock_monotonic_ns();
    for (unsigned int i = 0; was_busy && i < wires->connections_max; i++) {
        if (wires->connections[i].is_open) {
            wires_connection_serve(&wires->connections[i], now_ns);
        }
    }
    advance(wires, now_ns);
    wires->told = NULL;
    return rc;
}

static int fd(const struct transport *t)
{
    return net_poll_fd(wires_of_const(t)->poll);
}

static void recall(struct transport *t)
{
    wires_of(t)->is_recalled = true;
}

static void close_all(struct transport *t)
{
    struct wires *wires = wires_of(t);
    wires->is_closing = true;
    wires->is_busy = true;
    end_lookup(wires);
}

static void state(const struct transport *t, struct transport_state *out)
{
    const struct wires *wires = wires_of_const(t);
    *out = (struct transport_state){.is_up = !wires->is_down,
                                    .is_closed =
                                        wires->is_closing && wires->open == 0 && wires->held == 0,
                                    .held = wires->held,
                                    .next_try_ns = wires->next_try_ns,
                                    .reason = wires->is_down ? wires->reason : ""};
}

void wires_release(struct wires *wires)
{
    for (unsigned int i = 0; wires->connections != NULL && i < wires->connections_max; i++) {
        wires_connection_drop(&wires->connections[i]);
    }
    if (wires->poll != NULL) {
        end_lookup(wires);
    }
    net_poll_free(wires->poll);
    tls_context_free(wires->tls);
    free(wires->connections);
    free(wires->sessions);
    free(wires->queue);
    free(wires->host);
}

static void free_all(struct transport *t)
{
    struct wires *wires = wires_of(t);
    wires_release(wires);
    wires->protocol->free(wires);
}

static const struct transport_kind KIND = {.room = room,
                                           .submit = submit,
                                           .run = run,
                                           .fd = fd,
                                           .deadline_ns = deadline_ns,
                                           .recall = recall,
                                           .close = close_all,
                                           .state = state,
                                           .free = free_all};

/* ---- opening ---- */

static enum rc allocate(struct wires *wires, const struct wires_options *options, struct err *err)
{
    size_t bytes = wires->protocol->session_bytes;
    wires->connections_max = options->connections;
    wires->queue_max = options->queue;
    wires->connections = calloc(wires->connections_max, sizeof *wires->connections);
    wires->sessions = calloc(wires->connections_max, bytes);
    wires->queue = calloc(wires->queue_max, sizeof *wires->queue);
    wires->host = strdup(options->host);
    if (wires->connections == NULL || wires->sessions == NULL || wires->queue == NULL ||
        wires->host == NULL) {
        return err_set(err, RC_NOMEM, "%s: no memory", wires->protocol->name);
    }
    for (unsigned int i = 0; i < wires->connections_max; i++) {
        wires->connections[i].owner = wires;
        wires->connections[i].wire = WIRE_EMPTY;
        wires->connections[i].session = wires->sessions + i * bytes;
    }
    return RC_OK;
}

enum rc wires_open(struct wires *wires, const struct wires_protocol *protocol,
                   const struct wires_options *options, struct err *err)
{
    const struct tls_options tls = {.host = options->host,
                                    .ca_pem = options->ca_pem,
                                    .client_pem = options->client_pem,
                                    .client_key_pem = options->client_key_pem,
                                    .alpn = options->alpn};
    if (options->host == NULL || options->host[0] == '\0' || options->port == 0) {
        return err_set(err, RC_PERM, "%s: host and port are needed", protocol->name);
    }
    assert(options->connections > 0 && options->queue > 0 && options->worth > 0);
    wires->protocol = protocol;
    wires->kind = KIND;
    wires->kind.name = protocol->name;
    wires->transport.kind = &wires->kind;
    wires->port = options->port;
    wires->rate = options->rate;
    wires->share = options->share == NULL ? &wires->own : options->share;
    wires->worth = options->worth;
    wires->timeout_ns = options->timeout_ns;
    wires->is_tls_first = options->is_tls_first;
    enum rc rc = allocate(wires, options, err);
    if (rc == RC_OK && !options->is_plain) {
        rc = tls_context_open(&tls, &wires->tls, err);
    }
    if (rc == RC_OK && options->addresses != NULL && options->addresses->count > 0) {
        wires->addresses = *options->addresses;
        wires->is_fixed = true;
    }
    return rc == RC_OK ? net_poll_open(&wires->poll, err) : rc;
}
