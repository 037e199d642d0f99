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
 * Nothing waits here but the transport, and that no longer than WAIT_MS: a wish of the daemon is
 * seen in good time.
 */
#include "stage/send_inner.h"

#include "channel/smpp.h"
#include "delivery/order_waves.h"
#include "delivery/reply.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAIT_MS = 100,
    COMMIT_MS = 200,    /* results wait no longer for the next group of intents */
    RETRY_FIRST_S = 30, /* CONTRACT.md section 6: then doubled, to an hour */
    RETRY_LAST_S = 3600,
    STAY_S = 3 /* a worker with nothing to do for longer ends */
};
#define NS_PER_MS (NS_PER_SECOND / 1000)

/* --- records --- */

/* The daemon cannot wait any longer. grace_ns: for what takes a moment alone, on top */
static bool is_time_over(struct sending *sending, int64_t grace_ns)
{
    uint32_t wish = atomic_load(&sending->cell->wish);
    if (wish < SEND_COME_BACK_SOON) {
        return false;
    }
    int64_t limit_ns =
        wish == SEND_STOP ? SEND_STOP_MS * NS_PER_MS : SEND_COME_BACK_S * NS_PER_SECOND;
    int64_t now_ns = clock_monotonic_ns();
    sending->hurried_ns = sending->hurried_ns == 0 ? now_ns : sending->hurried_ns;
    return now_ns - sending->hurried_ns >= limit_ns + grace_ns;
}

/* A commit under way is waited for, a full disk too: what was said to the other side must not be
 * forgotten. Nothing else goes on meanwhile. */
enum rc sending_end_commit(struct sending *sending, struct err *err)
{
    while (send_commit_is_busy(sending->commit)) {
        if (is_time_over(sending, COMMIT_MS * NS_PER_MS)) {
            return err_set(err, RC_TEMP, "progress: the disk did not take it before the end");
        }
        bell_wait(&sending->bell, -1, WAIT_MS);
        atomic_fetch_add(&sending->cell->beats, 1);
    }
    sending->committed_ns = clock_monotonic_ns();
    if (!send_commit_is_begun(sending->commit)) {
        return RC_OK;
    }
    enum rc rc = send_commit_end(sending->commit, err);
    if (rc == RC_OK) {
        receipts_kept(sending);
    }
    return rc;
}

enum rc sending_begin_commit(struct sending *sending, struct err *err)
{
    enum rc rc = receipts_seal(sending, err);
    if (rc == RC_OK && progress_log_waiting(sending->log) == 0) { /* all was for the daemon */
        receipts_kept(sending);
        return RC_OK;
    }
    return rc == RC_OK ? send_commit_begin(sending->commit, err) : rc;
}

enum rc sending_commit(struct sending *sending, struct err *err)
{
    enum rc rc = sending_end_commit(sending, err);
    if (rc == RC_OK && (progress_log_waiting(sending->log) > 0 || receipts_wait(sending))) {
        rc = sending_begin_commit(sending, err);
        rc = rc == RC_OK ? sending_end_commit(sending, err) : rc;
    }
    return rc;
}

enum rc sending_add(struct sending *sending, const struct progress_record *record, struct err *err)
{
    enum rc rc = progress_log_add(sending->log, record, err);
    if (rc == RC_RANGE) { /* the group is full */
        rc = sending_commit(sending, err);
        rc = rc == RC_OK ? progress_log_add(sending->log, record, err) : rc;
    }
    return rc;
}

enum rc sending_record(struct sending *sending, enum progress_act act, uint32_t number,
                       const char *text, struct err *err)
{
    struct progress_record plain = {
        .act = act, .number = number, .at_ns = clock_now_ns(), .text = slice_of(text)};
    return sending_add(sending, &plain, err);
}

enum rc sending_give_up(struct sending *sending, enum progress_act act, uint32_t number,
                        const char *text, struct err *err)
{
    bool is_doubtful = progress_log_table(sending->log)->entries[number - 1].is_doubtful;
    return is_doubtful ? sending_record(sending, PROGRESS_ACT_HOLD, number, "", err)
                       : sending_record(sending, act, number, text, err);
}

/* After `tries` tries: how long until the next, and how long the tries took together. */
static int64_t pause_after(unsigned tries, int64_t *out_elapsed_s)
{
    int64_t pause_s = RETRY_FIRST_S;
    int64_t elapsed_s = 0;
    for (unsigned i = 1; i < tries; i++) {
        elapsed_s += pause_s;
        pause_s = pause_s * 2 > RETRY_LAST_S ? RETRY_LAST_S : pause_s * 2;
    }
    *out_elapsed_s = elapsed_s;
    return pause_s;
}

static enum rc record_temporary(struct sending *sending, struct progress_record *result,
                                struct err *err)
{
    const struct progress_table *table = progress_log_table(sending->log);
    int64_t elapsed_s = 0;
    int64_t pause_s = pause_after(table->entries[result->number - 1].tries, &elapsed_s);
    if ((elapsed_s + pause_s) * NS_PER_SECOND > sending->channel->retry_for_ns) {
        result->act = PROGRESS_ACT_PERMANENT; /* retry_for is over */
    } else {
        result->next_ns = result->at_ns + pause_s * NS_PER_SECOND;
    }
    return sending_add(sending, result, err);
}

enum rc sending_decide_uncertain(struct sending *sending, uint32_t number, bool is_crash,
                                 struct err *err)
{
    const struct progress_table *table = progress_log_table(sending->log);
    struct progress_record decided = {
        .act = PROGRESS_ACT_RESEND, .number = number, .at_ns = clock_now_ns()};
    int64_t elapsed_s = 0;
    unsigned tries = table->entries[number - 1].tries;
    int64_t pause_s = pause_after(tries, &elapsed_s);
    pause_s = is_crash && tries <= 1 ? 0 : pause_s;
    int64_t not_after = sending->order->schedule.not_after;
    decided.next_ns = decided.at_ns + pause_s * NS_PER_SECOND;
    decided.code = table->entries[number - 1].code;
    if (sending->channel->uncertain != HOUSE_RESEND ||
        (elapsed_s + pause_s) * NS_PER_SECOND > sending->channel->retry_for_ns ||
        (not_after != INSTANT_NONE && decided.next_ns >= not_after)) {
        decided.act = PROGRESS_ACT_HOLD;
    }
    return sending_add(sending, &decided, err);
}

static bool is_unreachable(const struct send_result *result)
{
    return result->verdict == VERDICT_PERMANENT && result->is_about_recipient;
}

/* Whose address is at fault is not written to again: kept beside the list, for the daemon to take
 * over (docs/SPOOL.md S5). */
static enum rc note_unreachable(struct sending *sending, struct err *err)
{
    struct quarantine_entry *entries = calloc(sending->result_count + 1, sizeof *entries);
    struct buf texts = BUF_EMPTY;
    size_t count = 0;
    int dirfd = -1;
    enum rc rc = RC_OK;
    if (entries == NULL) {
        return err_set(err, RC_NOMEM, "no memory for addresses");
    }
    for (size_t i = 0; rc == RC_OK && i < sending->result_count; i++) {
        const struct send_result *result = &sending->results[i];
        struct recipient recipient;
        if (!is_unreachable(result)) {
            continue;
        }
        rc = recipients_read(sending->list, result->number, &recipient, err);
        if (rc == RC_OK && buf_reserve(&texts, recipient.address.len)) {
            entries[count] = (struct quarantine_entry){
                .since_ns = clock_now_ns(), .cause = "permanent", .delivery = sending->order->id};
            entries[count].address.len = recipient.address.len;
            buf_add_slice(&texts, recipient.address);
            count++;
        }
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) { /* the buffer has stopped moving */
        entries[i].address.ptr = texts.ptr + at;
        at += entries[i].address.len;
    }
    rc = rc == RC_OK ? buf_ok(&texts, err) : rc;
    if (rc == RC_OK && count > 0) {
        rc = fs_open_dir(sending->send->dirfd, SEND_DIR, &dirfd, err);
        rc = rc == RC_OK ? quarantine_add(dirfd, house_channel_name(sending->order->channel),
                                          entries, count, NULL, err)
                         : rc;
    }
    fs_drop(&dirfd);
    buf_release(&texts);
    free(entries);
    return rc;
}

static enum rc record_result(struct sending *sending, const struct send_result *result,
                             struct err *err)
{
    static const enum progress_act acts[] = {[VERDICT_SENT] = PROGRESS_ACT_SENT,
                                             [VERDICT_TEMPORARY] = PROGRESS_ACT_TEMPORARY,
                                             [VERDICT_PERMANENT] = PROGRESS_ACT_PERMANENT,
                                             [VERDICT_UNCERTAIN] = PROGRESS_ACT_UNCERTAIN,
                                             [VERDICT_UNTRIED] = PROGRESS_ACT_UNTRIED};
    struct progress_record one = {.act = acts[result->verdict],
                                  .number = result->number,
                                  .at_ns = clock_now_ns(),
                                  .code = result->code > 0 ? (uint32_t)result->code : 0,
                                  .text = slice_of(result->text)};
    if (result->verdict == VERDICT_UNTRIED) {
        one.text = SLICE_LITERAL("");
    }
    if (result->verdict == VERDICT_SENT && result->ids.len > 0) {
        one.ids = buf_slice(&result->ids);
        one.text = SLICE_LITERAL(""); /* one of them again */
    }
    if (result->verdict == VERDICT_TEMPORARY) {
        return record_temporary(sending, &one, err);
    }
    const struct progress_table *table = progress_log_table(sending->log);
    bool is_known = table->entries[result->number - 1].state == PROGRESS_UNCERTAIN;
    enum rc rc =
        is_known ? RC_OK : sending_add(sending, &one, err); /* it was not decided on then */
    return rc == RC_OK && result->verdict == VERDICT_UNCERTAIN
               ? sending_decide_uncertain(sending, result->number, false, err)
               : rc;
}

/* Those that could not be recorded stay, in their order, for the next time. */
static enum rc record_some(struct sending *sending, bool are_unreachable, struct err *err)
{
    size_t kept = 0;
    enum rc rc = RC_OK;
    for (size_t i = 0; i < sending->result_count; i++) {
        struct send_result *result = &sending->results[i];
        bool is_meant = is_unreachable(result) == are_unreachable;
        if (rc == RC_OK && is_meant) {
            rc = record_result(sending, result, err);
        }
        if (rc != RC_OK || !is_meant) {
            struct send_result other = sending->results[kept];
            sending->results[kept++] = *result; /* their buffers change places */
            sending->results[i] = other;
        }
    }
    sending->result_count = kept;
    return rc;
}

/* What the transport told since the last time. Stored messages are on disk first; whose address is
 * at fault comes last, after it was noted, and holds up nobody else's result. */
static enum rc record_results(struct sending *sending, struct err *err)
{
    if (sending->result_count == 0) {
        return RC_OK;
    }
    enum rc rc = transport_flush(sending->transport, err);
    rc = rc == RC_OK ? record_some(sending, false, err) : rc;
    if (rc == RC_OK && sending->result_count > 0 && sending->send->proof == 0) {
        rc = note_unreachable(sending, err);
    }
    return rc == RC_OK ? record_some(sending, true, err) : rc;
}

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
    while (rc != RC_IO && !state.is_closed && !is_time_over(sending, 0)) {
        enum rc run = transport_run(sending->transport, WAIT_MS, group_told, sending, &why);
        rc = first_of(rc, run, &why, err);
        rc = first_of(rc, record_results(sending, &why), &why, err);
        rc = first_of(rc, receipts_record(sending, &why), &why, err);
        transport_state(sending->transport, &state);
        atomic_fetch_add(&sending->cell->beats, 1);
        if (run != RC_OK) {
            clock_pause_ms(WAIT_MS);
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
    int64_t most_ms = receipts_wait(sending) ? SEND_RECEIPTS_MS : WAIT_MS;
    if (is_waiting && ns > 0) {
        bell_wait(&sending->bell, transport_fd(sending->transport),
                  ns > most_ms * NS_PER_MS ? (int)most_ms
                                           : (int)((ns + NS_PER_MS - 1) / NS_PER_MS));
    }
    return transport_run(sending->transport, 0, group_told, sending, err);
}

/* Results wait no longer than COMMIT_MS for the intents that they are committed with. */
static enum rc commit_old(struct sending *sending, struct err *err)
{
    bool is_old = clock_monotonic_ns() - sending->committed_ns > COMMIT_MS * NS_PER_MS;
    if (send_commit_is_begun(sending->commit)) {
        return RC_OK;
    }
    return (is_old && progress_log_waiting(sending->log) > 0) || receipts_are_due(sending)
               ? sending_begin_commit(sending, err)
               : RC_OK;
}

enum rc sending_record_told(struct sending *sending, struct err *err)
{
    enum rc rc = record_results(sending, err);
    rc = rc == RC_OK ? receipts_record(sending, err) : rc;
    return rc == RC_OK ? commit_old(sending, err) : rc;
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
            clock_pause_ms(WAIT_MS);
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
