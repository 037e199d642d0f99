/*
 * send_work - the send worker: intents first, then messages, then what became of them
 *
 *     choose    who is next: not tried, or due again; within the waves that have begun; who has
 *               become unwanted is recorded at once
 *     make      their messages, in threads (send_render.h); who cannot be written to is recorded
 *     intend    the group's intents, and the results since the last one, are put on disk in a
 *               thread (send_commit.h): one write, one fdatasync
 *     submit    only now may a byte of them leave
 *     run       verdicts come in, some at once, some much later
 *
 * So one group is sent while the next one's intents go to the disk and the one after is made.
 * Nothing waits here but the transport, and that no longer than SEND_WAIT_MS: a wish of the daemon
 * is seen in good time.
 */
#include "stage/send_inner.h"

#include "channel/smpp.h"
#include "delivery/order_waves.h"
#include "delivery/reply.h"
#include "sys/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { STAY_S = 3 /* a worker with nothing to do for longer ends */ };

/* --- time --- */

/* not_after is there: who was not sent to will not be. */
static enum rc expire_rest(struct sending *sending, struct err *err)
{
    const struct progress_table *table = progress_log_table(sending->log);
    enum rc rc = RC_OK;
    for (uint32_t n = 1; rc == RC_OK && n <= table->total; n++) {
        uint8_t state = table->entries[n - 1].state;
        if (state == PROGRESS_UNSENT || state == PROGRESS_TEMPORARY) {
            rc = sending_give_up(sending, PROGRESS_ACT_EXPIRED, n, "", err);
        }
    }
    return rc;
}

static bool is_too_late(const struct sending *sending, int64_t now_ns)
{
    int64_t not_after = sending->order->schedule.not_after;
    return sending->send->proof == 0 && not_after != INSTANT_NONE && now_ns >= not_after;
}

/* What waits for longer ends at not_after. INT64_MAX (nothing waits) stays. */
static int64_t before_not_after(const struct sending *sending, int64_t next_ns)
{
    int64_t not_after = sending->order->schedule.not_after;
    bool is_bound = sending->send->proof == 0 && not_after != INSTANT_NONE && next_ns != INT64_MAX;
    return is_bound && not_after < next_ns ? not_after : next_ns;
}

/* How many from the first on may be sent to; *next_ns: when more may. */
static uint32_t waves_open(const struct sending *sending, int64_t now_ns, int64_t *next_ns)
{
    uint32_t total = recipients_total(sending->list);
    int64_t began_ns = sending->send->subject.view.fixed_ns;
    int64_t next = SCHEMA_NONE;
    *next_ns = INT64_MAX;
    if (sending->send->proof > 0 || sending->order->waves.count == 0) {
        return total;
    }
    uint64_t open = order_waves_open(&sending->order->waves, total, now_ns - began_ns, &next);
    if (next != SCHEMA_NONE) {
        *next_ns = began_ns + next;
    }
    return (uint32_t)open;
}

/* --- the loop --- */

/* The first fault is told, and the rest goes on. */
static enum rc first_of(enum rc rc, enum rc next, const struct err *why, struct err *err)
{
    return rc != RC_OK || next == RC_OK ? rc : err_set(err, next, "%s", why->text);
}

/* Nothing more is begun; what is under way gets its verdict, as late as the transport's own waits
 * allow: whom the other side has not answered yet would be sent to again. A fault at one result
 * does not end that for the others. */
enum rc sending_come_back(struct sending *sending, struct err *err)
{
    struct transport_state state = {0};
    struct err why = {{0}};
    group_drop_ahead(sending);
    enum rc rc = sending_end_commit(sending, err);
    if (receipts_wait(sending)) { /* answered before we leave: else they come again */
        rc = first_of(rc, sending_commit(sending, &why), &why, err);
    }
    transport_close(sending->transport);
    if (!send_commit_is_begun(sending->commit)) { /* nobody was written to of these */
        rc = first_of(rc, group_submit(sending, true, &why), &why, err);
    }
    while (rc != RC_IO && !state.is_closed && !sending_is_over(sending, 0)) {
        enum rc run = transport_run(sending->transport, SEND_WAIT_MS, group_told, sending, &why);
        rc = first_of(rc, run, &why, err);
        rc = first_of(rc, sending_record_results(sending, &why), &why, err);
        rc = first_of(rc, receipts_record(sending, &why), &why, err);
        transport_state(sending->transport, &state);
        atomic_fetch_add(&sending->cell->beats, 1);
        if (run != RC_OK) {
            clock_pause_ms(SEND_WAIT_MS);
        }
    }
    return rc == RC_IO ? rc : first_of(rc, sending_commit(sending, &why), &why, err);
}

static void show(const struct sending *sending)
{
    const uint32_t *counts = progress_log_table(sending->log)->counts;
    atomic_store_explicit(&sending->cell->done,
                          progress_log_table(sending->log)->total - counts[PROGRESS_UNSENT] -
                              counts[PROGRESS_TEMPORARY] - counts[PROGRESS_INTENDED],
                          memory_order_relaxed);
    atomic_fetch_add_explicit(&sending->cell->beats, 1, memory_order_relaxed);
}

/* A relay that refuses us may name a recipient. */
static void say_reason(struct stage_report *report, const char *reason)
{
    size_t ours = reply_begin(reason);
    struct buf blotted = BUF_EMPTY;
    reply_blot(&blotted, slice_of(reason + ours), TRANSPORT_REASON_BYTES);
    (void)snprintf(report->text, sizeof report->text, "%.*s%s", (int)ours, reason,
                   buf_ok(&blotted, NULL) == RC_OK ? buf_text(&blotted) : "");
    buf_release(&blotted);
}

/* When there may be something to do again, wall clock; 0: there is something now. INT64_MAX: no
 * more. `why` says what is waited for. */
static int64_t next_work_ns(const struct sending *sending, uint32_t upto, int64_t wave_ns,
                            int64_t now_ns, struct stage_report *report)
{
    const struct progress_table *table = progress_log_table(sending->log);
    struct transport_state state;
    transport_state(sending->transport, &state);
    report->text[0] = '\0';
    report->is_away = 0;
    if (table->counts[PROGRESS_UNSENT] + table->counts[PROGRESS_TEMPORARY] == 0) {
        return INT64_MAX;
    }
    if (!state.is_up) {
        report->is_away = 1;
        say_reason(report, state.reason);
        return now_ns + (state.next_try_ns - clock_monotonic_ns());
    }
    if (progress_table_next(table, 1, upto, now_ns) > 0) {
        return 0;
    }
    int64_t retry_ns = progress_table_retry(table, upto);
    bool is_retry = retry_ns != INSTANT_NONE && retry_ns <= wave_ns;
    (void)snprintf(report->text, sizeof report->text, "%s",
                   is_retry ? "temporary failures are tried again" : "the next wave");
    return is_retry ? retry_ns : wave_ns;
}

/* What can be done for the groups now, each step of another one: the one whose intents are on disk
 * leaves, the one that is made is intended, the next one is chosen. */
static enum rc move_groups(struct sending *sending, uint32_t upto, int64_t now_ns, struct err *err)
{
    enum rc rc = RC_OK;
    if (send_commit_is_begun(sending->commit) && !send_commit_is_busy(sending->commit)) {
        rc = sending_end_commit(sending, err);
    }
    if (rc == RC_OK && !send_commit_is_begun(sending->commit)) {
        rc = group_submit(sending, false, err);
    }
    rc = rc == RC_OK ? group_intend(sending, err) : rc;
    return rc == RC_OK ? group_choose(sending, upto, now_ns, err) : rc;
}

static enum rc run_transport(struct sending *sending, struct err *err)
{
    struct transport_state state;
    transport_state(sending->transport, &state);
    bool is_waiting = sending->under_way > 0 || sending->ahead_count > 0 ||
                      send_commit_is_begun(sending->commit) || !state.is_up;
    int64_t ns = transport_deadline_ns(sending->transport) - clock_monotonic_ns();
    int64_t most_ms = receipts_wait(sending) ? SEND_RECEIPTS_MS : SEND_WAIT_MS;
    if (is_waiting && ns > 0) {
        bell_wait(&sending->bell, transport_fd(sending->transport),
                  ns > most_ms * SEND_NS_PER_MS
                      ? (int)most_ms
                      : (int)((ns + SEND_NS_PER_MS - 1) / SEND_NS_PER_MS));
    }
    return transport_run(sending->transport, 0, group_told, sending, err);
}

/* Nothing is under way, and who is ahead cannot go: the transport is down. */
static bool is_idle(struct sending *sending)
{
    bool can_go = sending->ahead_count > 0 &&
                  (send_render_is_busy(sending->render) || transport_room(sending->transport) > 0);
    return sending->under_way == 0 && !send_commit_is_begun(sending->commit) && !can_go;
}

/* Paused: nothing is begun. Who goes on again finds the connections still there, and does not wait
 * for what the other side has not answered yet. */
static enum rc begin_rest(struct sending *sending, struct err *err)
{
    if (sending->is_resting) {
        return RC_OK;
    }
    sending->is_resting = true;
    group_drop_ahead(sending);
    transport_recall(sending->transport);
    enum rc rc = sending_end_commit(sending, err);
    return rc == RC_OK ? group_submit(sending, true, err) : rc;
}

/* One turn of a paused sending; *out_is_over: nothing is under way any more */
static enum rc rest(struct sending *sending, bool *out_is_over, struct err *err)
{
    enum rc rc = begin_rest(sending, err);
    rc = rc == RC_OK ? run_transport(sending, err) : rc;
    rc = rc == RC_OK ? sending_record_told(sending, err) : rc;
    if (rc == RC_OK && send_commit_is_begun(sending->commit) &&
        !send_commit_is_busy(sending->commit)) {
        rc = sending_end_commit(sending, err);
    }
    show(sending);
    *out_is_over = sending->under_way == 0;
    return rc;
}

/* To go on, as far as the daemon wishes; false: come back */
static bool goes_on(struct sending *sending, enum rc *rc, struct err *err)
{
    bool is_over = false;
    while (*rc == RC_OK && !is_over && atomic_load(&sending->cell->wish) == SEND_PAUSE) {
        *rc = rest(sending, &is_over, err);
    }
    sending->is_resting = false;
    return *rc == RC_OK && atomic_load(&sending->cell->wish) == SEND_GO_ON;
}

static enum rc loop(struct sending *sending, struct stage_report *report, struct err *err)
{
    enum rc rc = RC_OK;
    report->outcome = REPORT_WAITING;
    report->next_ns = 0;
    while (goes_on(sending, &rc, err)) {
        int64_t now_ns = clock_now_ns();
        int64_t wave_ns = INT64_MAX;
        uint32_t upto = waves_open(sending, now_ns, &wave_ns);
        if (is_too_late(sending, now_ns)) {
            break;
        }
        rc = move_groups(sending, upto, now_ns, err);
        rc = rc == RC_OK ? run_transport(sending, err) : rc;
        rc = rc == RC_OK ? sending_record_told(sending, err) : rc;
        show(sending);
        if (rc != RC_OK || !is_idle(sending)) {
            continue;
        }
        group_drop_ahead(sending);
        report->next_ns =
            before_not_after(sending, next_work_ns(sending, upto, wave_ns, now_ns, report));
        if (report->next_ns == INT64_MAX) {
            report->outcome = REPORT_DONE;
            break;
        }
        if (report->next_ns - now_ns > STAY_S * NS_PER_SECOND) {
            break;
        }
        if (report->next_ns > now_ns) { /* it is not worth another worker */
            clock_pause_ms(SEND_WAIT_MS);
        }
        sending->is_sweep_over = false;
        sending->cursor = 1;
    }
    return rc;
}

/* All is done that can be done for now, and not all that was sent is known to have arrived. */
static bool is_to_listen(const struct sending *sending, const struct stage_report *report)
{
    return send_may_listen(sending->send) && atomic_load(&sending->cell->wish) == SEND_GO_ON &&
           report->is_away == 0 && !is_too_late(sending, clock_now_ns()) &&
           progress_log_table(sending->log)->counts[PROGRESS_SENT] > 0 &&
           smpp_is_bound(sending->transport);
}

static enum rc send_all(struct send *send, struct sending *sending, struct stage_report *report,
                        struct err *err)
{
    enum rc rc = sending_open(sending, err);
    if (rc != RC_OK) {
        return rc;
    }
    atomic_store(&sending->cell->of, recipients_total(sending->list));
    rc = loop(sending, report, err);
    if (rc == RC_OK && is_to_listen(sending, report)) {
        rc = sending_commit(sending, err);
        if (rc == RC_OK) {
            send->listening = sending;
            return RC_OK;
        }
    }
    /* Also after a fault of ours: what was said to the other side is recorded if it can be. It
     * cannot where a sync failed. */
    struct err other = {{0}};
    enum rc ended = rc == RC_IO ? RC_OK : sending_come_back(sending, &other);
    if (rc == RC_OK && ended != RC_OK) {
        rc = err_set(err, ended, "%s", other.text);
    }
    if (rc == RC_OK && is_too_late(sending, clock_now_ns())) {
        rc = expire_rest(sending, err);
        rc = rc == RC_OK ? sending_commit(sending, err) : rc;
        report->outcome = REPORT_DONE;
    }
    show(sending);
    return rc;
}

static struct sending *sending_new(struct send *send, struct progress_cell *cell)
{
    struct sending *sending = calloc(1, sizeof *sending);
    if (sending != NULL) {
        sending->send = send;
        sending->order = send->subject.order;
        sending->channel = &send->env->house->channels[sending->order->channel];
        sending->cell = cell;
        sending->list_fd = -1;
        sending->bell = BELL_NONE;
        sending->cursor = 1;
        sending->date_s = send->date_ns / NS_PER_SECOND;
    }
    return sending;
}

void send_work(struct send *send, struct stage_report *report, struct progress_cell *cell)
{
    struct err err = {{0}};
    enum rc rc = RC_NOMEM;
    struct sending *sending = sending_new(send, cell);
    if (sending == NULL) {
        rc = err_set(&err, RC_NOMEM, "no memory for a sending");
    } else {
        rc = send_all(send, sending, report, &err);
        if (send->listening == NULL) {
            sending_close(sending);
            free(sending);
        }
    }
    sending_report(rc, &err, report);
}

void sending_report(enum rc rc, const struct err *err, struct stage_report *report)
{
    if (rc != RC_OK) {
        bool is_lasting = rc == RC_PERM || rc == RC_RANGE || rc == RC_CORRUPT;
        report->outcome = rc == RC_IO  ? REPORT_IO
                          : is_lasting ? REPORT_PREPARATION_ERROR
                                       : REPORT_TEMP;
        (void)snprintf(report->text, sizeof report->text, "%s", err->text);
    }
}
