/*
 * send_records - what a sending writes down: verdicts, what follows from them, and their commits
 *
 * Nothing is told to the other side that is not on disk: a commit that is under way is waited for.
 */
#include "stage/send_inner.h"

#include "sys/clock.h"
#include "sys/fs.h"

#include <stdlib.h>

enum {
    COMMIT_MS = 200,    /* results wait no longer for the next group of intents */
    RETRY_FIRST_S = 30, /* CONTRACT.md section 6: then doubled, to an hour */
    RETRY_LAST_S = 3600
};

bool sending_is_over(struct sending *sending, int64_t grace_ns)
{
    uint32_t wish = atomic_load(&sending->cell->wish);
    if (wish < SEND_COME_BACK_SOON) {
        return false;
    }
    int64_t limit_ns =
        wish == SEND_STOP ? SEND_STOP_MS * SEND_NS_PER_MS : SEND_COME_BACK_S * NS_PER_SECOND;
    int64_t now_ns = clock_monotonic_ns();
    sending->hurried_ns = sending->hurried_ns == 0 ? now_ns : sending->hurried_ns;
    return now_ns - sending->hurried_ns >= limit_ns + grace_ns;
}

/* A commit under way is waited for, a full disk too: what was said to the other side must not be
 * forgotten. Nothing else goes on meanwhile. */
enum rc sending_end_commit(struct sending *sending, struct err *err)
{
    while (send_commit_is_busy(sending->commit)) {
        if (sending_is_over(sending, COMMIT_MS * SEND_NS_PER_MS)) {
            return err_set(err, RC_TEMP, "progress: the disk did not take it before the end");
        }
        bell_wait(&sending->bell, -1, SEND_WAIT_MS);
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

enum rc sending_record_results(struct sending *sending, struct err *err)
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

/* Results wait no longer than COMMIT_MS for the intents that they are committed with. */
static enum rc commit_old(struct sending *sending, struct err *err)
{
    bool is_old = clock_monotonic_ns() - sending->committed_ns > COMMIT_MS * SEND_NS_PER_MS;
    if (send_commit_is_begun(sending->commit)) {
        return RC_OK;
    }
    return (is_old && progress_log_waiting(sending->log) > 0) || receipts_are_due(sending)
               ? sending_begin_commit(sending, err)
               : RC_OK;
}

enum rc sending_record_told(struct sending *sending, struct err *err)
{
    enum rc rc = sending_record_results(sending, err);
    rc = rc == RC_OK ? receipts_record(sending, err) : rc;
    return rc == RC_OK ? commit_old(sending, err) : rc;
}
