/*
 * due - what each delivery's state asks for
 */
#include "engine/inner.h"

#include "stage/decide.h"
#include "stage/hand_over.h"
#include "stage/proof.h"
#include "stage/settle.h"
#include "stage/shelf.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Between two tries after a temporary fault: doubled from 1 s to 5 min. */
static int64_t backoff_ns(uint32_t failures)
{
    uint32_t shift = failures < 8 ? failures : 8;
    return (INT64_C(1) << shift) * NS_PER_SECOND;
}

void item_wake(struct engine *engine, struct item *item)
{
    if (item->work == WORK_NONE) {
        item->work = WORK_ADVANCE;
        item->due_ns = INT64_MAX;
        queue_put(&engine->advance, item);
    }
}

struct item *item_at(struct engine *engine, const char *id, enum delivery_state state)
{
    struct item *item = items_find(engine->items, id);
    if (item == NULL) {
        if (state_is_terminal(state)) {
            return NULL;
        }
        struct err err = {{0}};
        enum rc rc = items_add(engine->items, id, &item, &err);
        if (rc != RC_OK) {
            engine_fail(engine, rc, &err, "item", id);
            return NULL;
        }
        item->work = WORK_NONE;
    }
    item->state = state;
    item_wake(engine, item);
    return item;
}

void item_unfinished(struct engine *engine, const char *id)
{
    /* Its true state is read when it is looked at; any that is on its way will do. */
    struct item *item = item_at(engine, id, STATE_TARGET_READY);
    if (item != NULL) {
        item->is_unfinished = true;
    }
}

void due_set_back(struct engine *engine, struct item *item, const struct err *err, enum rc rc,
                  int64_t now_ns)
{
    item->failures++;
    item->work = WORK_NONE;
    item->due_ns = now_ns + backoff_ns(item->failures);
    engine_fail(engine, rc, err, "delayed", item->id);
}

void due_forget(struct engine *engine, struct item *item)
{
    switch (item->state) {
    case STATE_FINISHED:
        engine->counters.finished++;
        break;
    case STATE_STOPPED:
        engine->counters.stopped++;
        break;
    case STATE_FAILED:
        engine->counters.failed++;
        break;
    default:
        break;
    }
    log_event(LOG_LEVEL_INFO, state_name(item->state), item->id, "stage=done");
    items_remove(engine->items, item);
}

/* --- when an extraction may begin --- */

static bool window_is_open(const struct house *house, int64_t now_ns, int64_t *out_next_ns)
{
    int start = house->extract.window_start_min;
    int end = house->extract.window_end_min;
    if (start == SCHEMA_NONE || start == end) {
        return true;
    }
    int minute = clock_local_minutes(now_ns);
    bool is_open = start < end ? minute >= start && minute < end : minute >= start || minute < end;
    *out_next_ns = is_open ? now_ns : clock_next_local(now_ns, start);
    return is_open;
}

bool due_window_is_open(const struct engine *engine, int64_t now_ns)
{
    int64_t next_ns = 0;
    return window_is_open(engine->house, now_ns, &next_ns);
}

/* The instant at which this extraction may begin, as far as known now; now_ns or earlier: at once.
 */
static int64_t extraction_due_ns(const struct engine *engine, const struct subject *subject,
                                 int64_t now_ns)
{
    int64_t at_ns = subject->order->schedule.extract_at;
    if (at_ns != INSTANT_NONE && at_ns > now_ns) {
        return at_ns;
    }
    int64_t next_ns = now_ns;
    return window_is_open(engine->house, now_ns, &next_ns) ? now_ns : next_ns;
}

static uint64_t recipients_bytes(const struct subject *subject)
{
    struct stat status;
    return fstatat(subject->dirfd, subject->order->target.file, &status, AT_SYMLINK_NOFOLLOW) ==
                       0 &&
                   status.st_size > 0
               ? (uint64_t)status.st_size
               : 0;
}

static void enqueue(struct item_queue *queue, struct item *item, enum item_work work)
{
    item->work = work;
    queue_put(queue, item);
}

/* --- by state --- */

static void at_extracting(struct engine *engine, struct item *item, const struct subject *subject)
{
    if (subject->view.is_extracted) {
        enqueue(&engine->publish, item, WORK_PUBLISH);
    } else if (fs_exists(subject->dirfd, "extraction")) {
        enqueue(&engine->book, item, WORK_BOOK);
    } else {
        item->weight_bytes = recipients_bytes(subject);
        enqueue(&engine->extract, item, WORK_EXTRACT);
    }
}

static enum rc at_extraction_pending(struct engine *engine, struct item *item,
                                     struct subject *subject, int64_t now_ns, struct err *err)
{
    item->due_ns = extraction_due_ns(engine, subject, now_ns);
    if (item->due_ns > now_ns) {
        return RC_OK;
    }
    enum rc rc =
        item->made == NULL ? RC_STATE : works_take_made(engine, item, subject, now_ns, err);
    if (rc == RC_STATE) {
        item->weight_bytes = recipients_bytes(subject);
        enqueue(&engine->extract, item, WORK_EXTRACT);
        rc = RC_OK;
    }
    return rc;
}

/* What was made with the count holds for the first look at its state: who waits, for people or an
 * hour, is extracted when that has come, without who must not be contacted then. */
static void forget_made(struct item *item, const struct subject *subject)
{
    if (item->made == NULL) {
        return;
    }
    if (subject->dirfd >= 0) {
        (void)!fs_remove_tree(subject->dirfd, extract_way_of(subject->order)->temporary, NULL);
    }
    free(item->made);
    item->made = NULL;
}

/* Online: who gets it is fixed by an extract worker, then a send worker has it. */
static void at_scheduled(struct engine *engine, struct item *item, const struct subject *subject,
                         int64_t now_ns)
{
    int64_t at_ns = subject->order->schedule.contact_at;
    at_ns = at_ns == INSTANT_NONE ? now_ns : at_ns;
    item->due_ns = at_ns < item->due_ns ? at_ns : item->due_ns; /* not_after, else never */
    if (at_ns <= now_ns) {
        item->weight_bytes = recipients_bytes(subject);
        enqueue(&engine->extract, item, WORK_EXTRACT);
    }
}

static void at_sending(struct engine *engine, struct item *item, const struct subject *subject)
{
    if (subject->view.is_extracted) {
        enqueue(&engine->send, item, WORK_SEND);
    } else if (fs_exists(subject->dirfd, "sending")) {
        enqueue(&engine->book, item, WORK_BOOK);
    } else {
        item->weight_bytes = recipients_bytes(subject);
        enqueue(&engine->extract, item, WORK_EXTRACT);
    }
}

/* A trial of the message: its list first, then a send worker has it. */
static void at_proof(struct engine *engine, struct item *item, const struct subject *subject,
                     uint32_t proof)
{
    if (proof_is_fixed(subject, proof)) {
        enqueue(&engine->send, item, WORK_SEND);
    } else {
        enqueue(&engine->proof, item, WORK_PROOF);
    }
}

static enum rc at_handed_over(struct engine *engine, struct item *item, struct subject *subject,
                              int64_t now_ns, struct err *err)
{
    item->due_ns = settle_due(subject);
    if (item->due_ns > now_ns) {
        return RC_OK;
    }
    enum rc rc =
        settle_end(&engine->env, subject, EVENT_FINISHED, settle_reason(subject), now_ns, err);
    item->state = subject->view.state;
    return rc;
}

/*
 * Online: who waits for people, or is paused, when not_after comes has waited too long. Pending
 * ones fail; one that was paused goes on, so that who is left is counted as expired. *out_is_over:
 * that was it.
 */
static enum rc at_not_after(struct engine *engine, struct item *item, struct subject *subject,
                            int64_t now_ns, bool *out_is_over, struct err *err)
{
    int64_t not_after = subject->order->schedule.not_after;
    enum delivery_state state = subject->view.state;
    bool is_paused = state == STATE_PAUSED;
    *out_is_over = false;
    if (subject->order->channel == HOUSE_MAIL || not_after == INSTANT_NONE ||
        (!is_paused && state_stage(state) != STAGE_PENDING)) {
        return RC_OK;
    }
    item->due_ns = not_after;
    if (now_ns < not_after) {
        return RC_OK;
    }
    *out_is_over = true;
    enum rc rc = is_paused
                     ? settle_say(subject, EVENT_RESUMED, "too late", now_ns, err)
                     : settle_end(&engine->env, subject, EVENT_FAILED, "too late", now_ns, err);
    item->state = subject->view.state;
    engine->is_unsynced = true;
    if (rc == RC_OK && is_paused) {
        at_sending(engine, item, subject);
    }
    return rc;
}

static enum rc act_by_state(struct engine *engine, struct item *item, struct subject *subject,
                            int64_t now_ns, struct err *err)
{
    enum rc rc = RC_OK;
    if (subject->view.state == STATE_TARGET_READY && decide_is_ready(subject)) {
        rc = decide_say_ready(subject, now_ns, err);
        engine->is_unsynced = true;
    }
    item->state = subject->view.state;
    bool is_over = false;
    rc = rc == RC_OK ? at_not_after(engine, item, subject, now_ns, &is_over, err) : rc;
    if (rc != RC_OK || is_over) {
        return rc;
    }
    uint32_t proof = proof_due(subject);
    if (rc == RC_OK && proof > 0) { /* also while it is held: a proof is what it may be held for */
        at_proof(engine, item, subject, proof);
        return RC_OK;
    }
    if (rc != RC_OK || (subject->view.is_held && item->state != STATE_SENDING &&
                        item->state != STATE_HANDED_OVER)) {
        return rc;
    }
    switch (item->state) {
    case STATE_EXTRACTION_PENDING:
        rc = at_extraction_pending(engine, item, subject, now_ns, err);
        break;
    case STATE_EXTRACTING:
        at_extracting(engine, item, subject);
        break;
    case STATE_EXTRACTION_TO_APPROVE:
        if (subject->view.steps[STEP_EXTRACTION].status == STEP_STATUS_APPROVED) {
            enqueue(&engine->publish, item, WORK_PUBLISH);
        }
        break;
    case STATE_SCHEDULED:
        at_scheduled(engine, item, subject, now_ns);
        break;
    case STATE_SENDING:
        if (subject->order->channel == HOUSE_MAIL) {
            enqueue(&engine->publish, item, WORK_PUBLISH);
        } else {
            at_sending(engine, item, subject);
        }
        break;
    case STATE_HANDED_OVER:
        rc = at_handed_over(engine, item, subject, now_ns, err);
        break;
    default:
        break; /* waits for people */
    }
    return rc;
}

/* What an earlier fault left half done is ended first: a decision without its line, a place that is
 * not the state's. */
static enum rc finish(struct engine *engine, struct item *item, struct subject *subject,
                      int64_t now_ns, struct err *err)
{
    enum rc rc = RC_OK;
    if (item->is_unfinished) {
        rc = decide_again(&engine->env, subject, now_ns, err);
        item->is_unfinished = rc != RC_OK;
    }
    return rc == RC_OK ? subject_move(&engine->env, subject, err) : rc;
}

static void advance(struct engine *engine, struct item *item, int64_t now_ns)
{
    struct err err = {{0}};
    struct subject subject = SUBJECT_NONE;
    item->work = WORK_NONE;
    item->due_ns = INT64_MAX;
    enum rc rc = subject_open_next(&engine->env, item->id, &subject, &err);
    if (rc == RC_GONE) {
        log_event(LOG_LEVEL_ERROR, "delivery-vanished", item->id, "stage=none");
        items_remove(engine->items, item);
        return;
    }
    rc = rc == RC_OK ? finish(engine, item, &subject, now_ns, &err) : rc;
    rc = rc == RC_OK ? act_by_state(engine, item, &subject, now_ns, &err) : rc;
    forget_made(item, &subject);
    if (rc == RC_OK && (item->work == WORK_EXTRACT || item->work == WORK_PUBLISH)) {
        shelf_put(engine->env.shelf, &subject);
    }
    subject_close(&subject);
    if (rc != RC_OK) {
        /* A damaged delivery costs itself only: it stays where it is, with its reason in the log.
         */
        due_set_back(engine, item, &err, rc == RC_CORRUPT ? RC_PERM : rc, now_ns);
    } else if (state_is_terminal(item->state)) {
        due_forget(engine, item);
    }
}

void due_advance(struct engine *engine, int64_t now_ns)
{
    for (size_t i = 0; i < GROUP_MAX && engine->advance.first != NULL && engine->fatal == RC_OK;
         i++) {
        advance(engine, queue_take(&engine->advance), now_ns);
    }
}

/* --- time --- */

struct wakening {
    struct engine *engine;
    int64_t now_ns;
    int64_t next_ns;
};

static void look_at_due(void *ctx, struct item *item)
{
    struct wakening *wakening = ctx;
    if (item->work != WORK_NONE) {
        return;
    }
    if (item->due_ns <= wakening->now_ns) {
        item_wake(wakening->engine, item);
    } else if (item->due_ns < wakening->next_ns) {
        wakening->next_ns = item->due_ns;
    }
}

/* Both walk every item: cheap beside a turn's file work, and called at most a few times a second.
 */
void due_wake(struct engine *engine, int64_t now_ns)
{
    struct wakening wakening = {engine, now_ns, INT64_MAX};
    items_each(engine->items, look_at_due, &wakening);
}

static void look_at_next(void *ctx, struct item *item)
{
    struct wakening *wakening = ctx;
    if (item->work == WORK_NONE && item->due_ns < wakening->next_ns) {
        wakening->next_ns = item->due_ns;
    }
}

int64_t due_next_ns(struct engine *engine)
{
    struct wakening wakening = {engine, 0, INT64_MAX};
    items_each(engine->items, look_at_next, &wakening);
    return wakening.next_ns;
}
