/*
 * send_group - the next group of messages, made while the one before is on its way
 *
 *     free ---> chosen ---> made ---> intended ---> submitted ---> told: free
 *               (ahead)    (ahead)    (group)
 *
 * `ahead` and `group` are each one set: the group's intents are being put on disk, or are there,
 * while the messages after it are made. Only intents are recorded, so that who is ahead can be
 * dropped at any time.
 */
#include "stage/send_inner.h"

#include "sys/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- slots --- */

static void free_slot(struct sending *sending, struct send_slot *slot)
{
    send_draft_clear(&slot->draft);
    buf_clear(&slot->ids);
    slot->number = 0;
    sending->free_slots[sending->free_count++] = slot;
}

void group_told(void *ctx, const struct verdict_report *report)
{
    struct sending *sending = ctx;
    struct send_slot *slot = &sending->slots[report->number];
    struct send_result *result = &sending->results[sending->result_count++];
    size_t len =
        report->text.len < sizeof result->text ? report->text.len : sizeof result->text - 1;
    result->number = slot->number;
    result->verdict = report->verdict;
    bool has_pieces = report->verdict == VERDICT_SENT && slot->draft.pieces > 0;
    result->code = has_pieces ? (int)slot->draft.pieces : report->code;
    result->is_about_recipient = report->is_about_recipient;
    if (len > 0) {
        memcpy(result->text, report->text.ptr, len);
    }
    result->text[len] = '\0';
    struct buf free_ids = result->ids;
    result->ids = slot->ids;
    slot->ids = free_ids;
    sending->bytes_held -= slot->draft.bytes.len;
    sending->under_way--;
    free_slot(sending, slot);
}

/* --- choosing --- */

/* The next recipient; 0: nobody now. A sweep to the end begins anew once a second at most, and not
 * while those of the last one are not intended yet. */
static uint32_t choose(struct sending *sending, uint32_t upto, int64_t now_ns)
{
    const struct progress_table *table = progress_log_table(sending->log);
    uint32_t number = 0;
    if (!sending->is_sweep_over) {
        number = progress_table_next(table, sending->cursor, upto, now_ns);
    } else if (sending->ahead_count == 0 &&
               clock_monotonic_ns() - sending->swept_ns > NS_PER_SECOND) {
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

static enum rc choose_one(struct sending *sending, uint32_t number, struct err *err)
{
    struct recipient recipient;
    const char *cause = NULL;
    enum rc rc = recipients_read(sending->list, number, &recipient, err);
    if (rc == RC_OK && sending->unwanted != NULL) {
        rc = unwanted_cause(sending->unwanted, recipient.key, recipient.address, &cause, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    if (cause != NULL) {
        return sending_give_up(sending, PROGRESS_ACT_SUPPRESSED, number, cause, err);
    }
    struct send_slot *slot = sending->free_slots[sending->free_count - 1];
    rc = send_draft_fill(&slot->draft, &recipient, err);
    if (rc == RC_OK) {
        sending->free_count--;
        slot->number = number;
        slot->is_repeat = progress_log_table(sending->log)->entries[number - 1].tries > 0;
        name_slot(sending, slot, number);
        sending->drafts[sending->ahead_count] = &slot->draft;
        sending->ahead[sending->ahead_count++] = slot;
    }
    return rc;
}

/* Half of what the transport takes: while one half is sent the other is made and put on disk. One
 * that has nothing to wait for is through with all of it at once. */
static size_t ahead_max(const struct sending *sending)
{
    size_t max = transport_fd(sending->transport) < 0 ? sending->window : sending->window / 2;
    max = max < 1 ? 1 : max;
    return max < SEND_GROUP_MAX ? max : SEND_GROUP_MAX;
}

enum rc group_choose(struct sending *sending, uint32_t upto, int64_t now_ns, struct err *err)
{
    size_t max = ahead_max(sending);
    enum rc rc = RC_OK;
    if (sending->ahead_count > 0 || sending->free_count < max ||
        transport_room(sending->transport) == 0 || sending->bytes_held >= SEND_BYTES_MAX) {
        return RC_OK;
    }
    for (size_t i = 0; rc == RC_OK && i < SEND_SLOTS_MAX && sending->ahead_count < max; i++) {
        uint32_t number = choose(sending, upto, now_ns);
        if (number == 0) {
            break;
        }
        rc = choose_one(sending, number, err);
    }
    if (rc == RC_OK && sending->ahead_count > 0) {
        send_render_begin(sending->render, sending->drafts, sending->ahead_count,
                          SEND_BYTES_MAX - sending->bytes_held);
    }
    return rc;
}

/* As if never chosen: looked for again from there on. */
static void put_back(struct sending *sending, struct send_slot *slot)
{
    if (sending->is_sweep_over || slot->number < sending->cursor) {
        sending->cursor = slot->number;
        sending->is_sweep_over = false;
    }
    free_slot(sending, slot);
}

void group_drop_ahead(struct sending *sending)
{
    send_render_wait(sending->render);
    for (size_t i = sending->ahead_count; i > 0; i--) {
        put_back(sending, sending->ahead[i - 1]);
    }
    sending->ahead_count = 0;
}

/* --- intending --- */

static enum rc intend_one(struct sending *sending, struct send_slot *slot, struct err *err)
{
    const struct send_draft *draft = &slot->draft;
    enum rc rc = RC_OK;
    switch (draft->rc) {
    case RC_OK:
        rc = sending_record(sending, PROGRESS_ACT_TRY, slot->number, "", err);
        if (rc == RC_OK) {
            sending->group[sending->group_count++] = slot;
            sending->under_way++;
            sending->bytes_held += draft->bytes.len;
        }
        return rc;
    case RC_PERM:
    case RC_RANGE:
        rc = sending_record(sending, PROGRESS_ACT_PERMANENT, slot->number, draft->why.text, err);
        free_slot(sending, slot);
        return rc;
    case RC_STATE: /* no room for its bytes yet */
        put_back(sending, slot);
        return RC_OK;
    default:
        return err_set(err, draft->rc, "%s", draft->why.text);
    }
}

enum rc group_intend(struct sending *sending, struct err *err)
{
    size_t room = transport_room(sending->transport);
    bool has_room = room >= sending->ahead_count || (room > 0 && sending->under_way == 0);
    enum rc rc = RC_OK;
    if (sending->ahead_count == 0 || sending->group_count > 0 || !has_room ||
        send_commit_is_begun(sending->commit) || send_render_is_busy(sending->render)) {
        return RC_OK;
    }
    for (size_t i = 0; rc == RC_OK && i < sending->ahead_count; i++) {
        rc = intend_one(sending, sending->ahead[i], err);
    }
    sending->ahead_count = 0;
    return rc == RC_OK && progress_log_waiting(sending->log) > 0
               ? sending_begin_commit(sending, err)
               : rc;
}

/* --- submitting --- */

enum rc group_submit(struct sending *sending, bool is_untried, struct err *err)
{
    assert(!send_commit_is_begun(sending->commit));
    while (sending->group_count > 0) {
        struct send_slot *slot = sending->group[sending->group_at];
        struct outgoing outgoing = {.number = (uint64_t)(slot - sending->slots),
                                    .from = buf_slice(&slot->draft.from),
                                    .to = buf_slice(&slot->draft.to),
                                    .bytes = buf_slice(&slot->draft.bytes),
                                    .unique = slot->unique,
                                    .needs_smtputf8 = slot->draft.needs_smtputf8,
                                    .is_repeat = slot->is_repeat};
        enum rc rc = is_untried ? RC_STATE : transport_submit(sending->transport, &outgoing, err);
        if (rc == RC_STATE) { /* it went down meanwhile: not a byte left */
            struct verdict_report untried = {.number = outgoing.number, .verdict = VERDICT_UNTRIED};
            group_told(sending, &untried);
        } else if (rc != RC_OK) {
            return rc; /* that one and those behind it are still the group */
        }
        sending->group_at++;
        sending->group_count--;
    }
    sending->group_at = 0;
    return RC_OK;
}
