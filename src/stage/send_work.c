/*
 * send_work - the send worker: intents first, then messages, then what became of them
 *
 *     choose    who is next: not tried, or due again; within the waves that have begun
 *     render    into a slot; who has become unwanted, or cannot be written to, is recorded at once
 *     commit    the group's intents, and the results since the last one: one write, one fdatasync
 *     submit    only now may a byte of them leave
 *     run       verdicts come in, some at once, some much later
 *
 * Nothing waits here but the transport, and that no longer than WAIT_MS: a wish of the daemon is
 * seen in good time.
 */
#include "stage/send_inner.h"

#include "delivery/order_waves.h"
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
    STAY_S = 3,      /* a worker with nothing to do for longer ends */
    DISK_TRIES = 600 /* of a commit while the disk is full, one each half second */
};
#define DISK_PAUSE_MS 500
#define NS_PER_MS (NS_PER_SECOND / 1000)

/* --- records --- */

static enum rc commit(struct sending *sending, struct err *err)
{
    enum rc rc = progress_log_commit(sending->log, err);
    /* A full disk: what was said to the other side must not be forgotten, so it is waited for. */
    for (int i = 0; rc == RC_TEMP && i < DISK_TRIES; i++) {
        atomic_fetch_add(&sending->cell->beats, 1);
        clock_pause_ms(DISK_PAUSE_MS);
        rc = progress_log_commit(sending->log, err);
    }
    sending->committed_ns = clock_monotonic_ns();
    return rc;
}

static enum rc record(struct sending *sending, const struct progress_record *record,
                      struct err *err)
{
    enum rc rc = progress_log_add(sending->log, record, err);
    if (rc == RC_RANGE) { /* the group is full */
        rc = commit(sending, err);
        rc = rc == RC_OK ? progress_log_add(sending->log, record, err) : rc;
    }
    return rc;
}

static enum rc record_plain(struct sending *sending, enum progress_act act, uint32_t number,
                            const char *text, struct err *err)
{
    struct progress_record plain = {
        .act = act, .number = number, .at_ns = clock_now_ns(), .text = slice_of(text)};
    return record(sending, &plain, err);
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
    return record(sending, result, err);
}

/* Whose address is at fault is not written to again: kept beside the list, for the daemon to take
 * over (docs/SPOOL.md S5). */
static enum rc note_unreachable(struct sending *sending, enum rc rc, struct err *err)
{
    struct quarantine_entry *entries = calloc(sending->result_count + 1, sizeof *entries);
    struct buf texts = BUF_EMPTY;
    size_t count = 0;
    int dirfd = -1;
    if (entries == NULL) {
        return err_set(err, RC_NOMEM, "no memory for addresses");
    }
    for (size_t i = 0; rc == RC_OK && i < sending->result_count; i++) {
        const struct send_result *result = &sending->results[i];
        struct recipient recipient;
        if (result->verdict != VERDICT_PERMANENT || !result->is_about_recipient) {
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
    return result->verdict == VERDICT_TEMPORARY ? record_temporary(sending, &one, err)
                                                : record(sending, &one, err);
}

/* What the transport told since the last time. Stored messages are on disk first. */
static enum rc record_results(struct sending *sending, struct err *err)
{
    if (sending->result_count == 0) {
        return RC_OK;
    }
    enum rc rc = transport_flush(sending->transport, err);
    rc = sending->send->proof == 0 ? note_unreachable(sending, rc, err) : rc;
    for (size_t i = 0; rc == RC_OK && i < sending->result_count; i++) {
        rc = record_result(sending, &sending->results[i], err);
    }
    sending->result_count = 0;
    return rc;
}

/* --- verdicts --- */

static void told(void *ctx, const struct verdict_report *report)
{
    struct sending *sending = ctx;
    struct send_slot *slot = &sending->slots[report->number];
    struct send_result *result = &sending->results[sending->result_count++];
    bool has_pieces = report->verdict == VERDICT_SENT && slot->pieces > 0;
    *result = (struct send_result){.number = slot->number,
                                   .verdict = report->verdict,
                                   .code = has_pieces ? (int)slot->pieces : report->code,
                                   .is_about_recipient = report->is_about_recipient};
    (void)snprintf(result->text, sizeof result->text, "%.*s", (int)report->text.len,
                   report->text.ptr == NULL ? "" : report->text.ptr);
    sending->bytes_under_way -= slot->bytes.len;
    sending->under_way--;
    slot->number = 0;
}

/* --- the next group --- */

static struct send_slot *free_slot(struct sending *sending)
{
    for (size_t i = 0; i < sending->window; i++) {
        if (sending->slots[i].number == 0) {
            return &sending->slots[i];
        }
    }
    return NULL;
}

static bool fill_slot(struct send_slot *slot, const struct content_message *message)
{
    buf_clear(&slot->bytes);
    buf_clear(&slot->from);
    buf_clear(&slot->to);
    buf_add_slice(&slot->bytes, message->bytes);
    buf_add_slice(&slot->from, message->from);
    buf_add_slice(&slot->to, message->to);
    slot->needs_smtputf8 = message->needs_smtputf8;
    slot->pieces = message->pieces;
    return !slot->bytes.is_failed && !slot->from.is_failed && !slot->to.is_failed;
}

static void name_slot(const struct sending *sending, struct send_slot *slot, uint32_t number)
{
    const char *id = sending->order->id;
    unsigned long long revision = sending->send->subject.view.revision;
    if (sending->send->proof > 0) {
        (void)snprintf(slot->unique, sizeof slot->unique, "%s.%llu.proof%u.%u", id, revision,
                       sending->send->proof, number);
    } else {
        (void)snprintf(slot->unique, sizeof slot->unique, "%s.%llu.%u", id, revision, number);
    }
}

/* One recipient: into a slot with an intent, or told at once why not. */
static enum rc prepare_one(struct sending *sending, uint32_t number, struct err *err)
{
    struct recipient recipient;
    struct content_message message;
    struct err why = {{0}};
    const char *cause = NULL;
    enum rc rc = recipients_read(sending->list, number, &recipient, err);
    if (rc == RC_OK && sending->unwanted != NULL) {
        rc = unwanted_cause(sending->unwanted, recipient.key, recipient.address, &cause, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    if (cause != NULL) {
        return record_plain(sending, PROGRESS_ACT_SUPPRESSED, number, cause, err);
    }
    rc = content_render(sending->content, sending->state, &recipient, sending->send->proof,
                        sending->date_s, &message, &why);
    if (rc == RC_PERM || rc == RC_RANGE) {
        return record_plain(sending, PROGRESS_ACT_PERMANENT, number, why.text, err);
    }
    if (rc != RC_OK) {
        return err_set(err, rc, "%s", why.text);
    }
    struct send_slot *slot = free_slot(sending);
    if (slot == NULL || !fill_slot(slot, &message)) {
        return err_set(err, RC_NOMEM, "no memory for a message");
    }
    slot->is_repeat = progress_log_table(sending->log)->entries[number - 1].tries > 0;
    name_slot(sending, slot, number);
    rc = record_plain(sending, PROGRESS_ACT_TRY, number, "", err);
    if (rc == RC_OK) {
        slot->number = number;
        sending->group[sending->group_count++] = slot;
        sending->under_way++;
        sending->bytes_under_way += slot->bytes.len;
    }
    return rc;
}

/* The next recipient; 0: nobody now. A sweep to the end begins anew once a second at most. */
static uint32_t choose(struct sending *sending, uint32_t upto, int64_t now_ns)
{
    const struct progress_table *table = progress_log_table(sending->log);
    uint32_t number = 0;
    if (!sending->is_sweep_over) {
        number = progress_table_next(table, sending->cursor, upto, now_ns);
    } else if (clock_monotonic_ns() - sending->swept_ns > NS_PER_SECOND) {
        number = progress_table_next(table, 1, upto, now_ns);
        sending->swept_ns = clock_monotonic_ns();
    }
    sending->is_sweep_over = number == 0;
    if (number > 0) {
        sending->cursor = number + 1;
        sending->is_sweep_over = number == table->total;
    } else {
        sending->cursor = 1;
    }
    return number;
}

static enum rc submit_group(struct sending *sending, struct err *err)
{
    for (size_t i = 0; i < sending->group_count; i++) {
        struct send_slot *slot = sending->group[i];
        struct outgoing outgoing = {.number = (uint64_t)(slot - sending->slots),
                                    .from = buf_slice(&slot->from),
                                    .to = buf_slice(&slot->to),
                                    .bytes = buf_slice(&slot->bytes),
                                    .unique = slot->unique,
                                    .needs_smtputf8 = slot->needs_smtputf8,
                                    .is_repeat = slot->is_repeat};
        enum rc rc = transport_submit(sending->transport, &outgoing, err);
        if (rc == RC_STATE) { /* it went down meanwhile: not a byte left */
            struct verdict_report untried = {.number = outgoing.number, .verdict = VERDICT_UNTRIED};
            told(sending, &untried);
        } else if (rc != RC_OK) {
            return rc;
        }
    }
    sending->group_count = 0;
    return RC_OK;
}

/* As many as there is room for; the group is worth its sync when half of the window is free. */
static enum rc send_group(struct sending *sending, uint32_t upto, int64_t now_ns, struct err *err)
{
    size_t room = transport_room(sending->transport);
    size_t free_slots = sending->window - sending->under_way;
    room = room < free_slots ? room : free_slots;
    room = room > SEND_GROUP_MAX ? SEND_GROUP_MAX : room;
    enum rc rc = RC_OK;
    if (room == 0 || (room < sending->window / 2 && sending->under_way > 0)) {
        return RC_OK;
    }
    for (size_t i = 0; rc == RC_OK && i < SEND_SLOTS_MAX && sending->group_count < room &&
                       sending->bytes_under_way < SEND_BYTES_MAX;
         i++) {
        uint32_t number = choose(sending, upto, now_ns);
        if (number == 0) {
            break;
        }
        rc = prepare_one(sending, number, err);
    }
    if (rc == RC_OK && progress_log_waiting(sending->log) > 0) {
        rc = commit(sending, err);
    }
    return rc == RC_OK ? submit_group(sending, err) : rc;
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
            rc = record_plain(sending, PROGRESS_ACT_EXPIRED, n, "", err);
        }
    }
    return rc;
}

static bool is_too_late(const struct sending *sending, int64_t now_ns)
{
    int64_t not_after = sending->order->schedule.not_after;
    return sending->send->proof == 0 && not_after != INSTANT_NONE && now_ns >= not_after;
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

/* Nothing more is begun; what is under way gets its verdict, for a while. */
static enum rc come_back(struct sending *sending, int64_t until_ns, struct err *err)
{
    struct transport_state state = {0};
    enum rc rc = RC_OK;
    transport_close(sending->transport);
    do {
        rc = transport_run(sending->transport, WAIT_MS, told, sending, err);
        rc = rc == RC_OK ? record_results(sending, err) : rc;
        transport_state(sending->transport, &state);
        atomic_fetch_add(&sending->cell->beats, 1);
    } while (rc == RC_OK && !state.is_closed && clock_monotonic_ns() < until_ns);
    return rc == RC_OK && progress_log_waiting(sending->log) > 0 ? commit(sending, err) : rc;
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

/* When there may be something to do again, wall clock; 0: there is something now. INT64_MAX: no
 * more. `why` says what is waited for. */
static int64_t next_work_ns(const struct sending *sending, uint32_t upto, int64_t wave_ns,
                            int64_t now_ns, struct stage_report *report)
{
    const struct progress_table *table = progress_log_table(sending->log);
    struct transport_state state;
    transport_state(sending->transport, &state);
    report->text[0] = '\0';
    if (table->counts[PROGRESS_UNSENT] + table->counts[PROGRESS_TEMPORARY] == 0) {
        return INT64_MAX;
    }
    if (!state.is_up) {
        (void)snprintf(report->text, sizeof report->text, "%.500s", state.reason);
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

static enum rc loop(struct sending *sending, struct stage_report *report, struct err *err)
{
    enum rc rc = RC_OK;
    report->outcome = REPORT_WAITING;
    report->next_ns = 0;
    while (rc == RC_OK && atomic_load(&sending->cell->wish) == SEND_GO_ON) {
        int64_t now_ns = clock_now_ns();
        int64_t wave_ns = INT64_MAX;
        uint32_t upto = waves_open(sending, now_ns, &wave_ns);
        if (is_too_late(sending, now_ns)) {
            break;
        }
        rc = send_group(sending, upto, now_ns, err);
        if (rc == RC_OK) {
            rc = transport_run(sending->transport, sending->under_way > 0 ? WAIT_MS : 0, told,
                               sending, err);
        }
        rc = rc == RC_OK ? record_results(sending, err) : rc;
        bool is_old = clock_monotonic_ns() - sending->committed_ns > COMMIT_MS * NS_PER_MS;
        if (rc == RC_OK && is_old && progress_log_waiting(sending->log) > 0) {
            rc = commit(sending, err);
        }
        show(sending);
        if (rc != RC_OK || sending->under_way > 0) {
            continue;
        }
        report->next_ns = next_work_ns(sending, upto, wave_ns, now_ns, report);
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

static enum rc send_all(struct sending *sending, struct stage_report *report, struct err *err)
{
    enum rc rc = sending_open(sending, err);
    if (rc != RC_OK) {
        return rc;
    }
    atomic_store(&sending->cell->of, recipients_total(sending->list));
    rc = loop(sending, report, err);
    /* Also after a fault of ours: what was said to the other side is recorded if it can be. */
    struct err other = {{0}};
    enum rc ended =
        come_back(sending, clock_monotonic_ns() + SEND_COME_BACK_S * NS_PER_SECOND, &other);
    if (rc == RC_OK && ended != RC_OK) {
        rc = err_set(err, ended, "%s", other.text);
    }
    if (rc == RC_OK && is_too_late(sending, clock_now_ns())) {
        rc = expire_rest(sending, err);
        rc = rc == RC_OK ? commit(sending, err) : rc;
        report->outcome = REPORT_DONE;
    }
    show(sending);
    return rc;
}

void send_work(struct send *send, struct stage_report *report, struct progress_cell *cell)
{
    struct err err = {{0}};
    struct sending *sending = calloc(1, sizeof *sending);
    enum rc rc = sending == NULL ? err_set(&err, RC_NOMEM, "no memory for a sending") : RC_OK;
    if (rc == RC_OK) {
        *sending = (struct sending){.send = send,
                                    .order = send->subject.order,
                                    .cell = cell,
                                    .list_fd = -1,
                                    .cursor = 1,
                                    .date_s = send->subject.view.fixed_ns / NS_PER_SECOND};
        sending->channel = &send->env->house->channels[sending->order->channel];
        rc = send_all(sending, report, &err);
        sending_close(sending);
        free(sending);
    }
    if (rc != RC_OK) {
        report->outcome = rc == RC_PERM || rc == RC_RANGE || rc == RC_CORRUPT
                              ? REPORT_PREPARATION_ERROR
                              : REPORT_TEMP;
        (void)snprintf(report->text, sizeof report->text, "%s", err.text);
    }
}
