/*
 * steps - what workers reported and what goes out, in groups that share two syncs
 *
 *     taken in     journal written   | S | renamed to pending/    | S | originals leave their door
 *     extracted    (by the worker)   | S | renamed to extraction/ | S | ledgers, lines
 *     handed over  line, place       | S | moved into pickup/     | S | lines
 *
 * Each delivery is in one of the three groups, so that none sees the steps of another; to each, S
 * is what docs/SPOOL.md wants between its steps. One group that is due takes the others along.
 */
#include "engine/inner.h"

#include "stage/hand_over.h"
#include "stage/settle.h"
#include "stage/shelf.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <stdlib.h>
#include <string.h>

#define DEATH_PAUSE_NS (2 * NS_PER_SECOND)

/* Those that go out in this turn. */
struct going {
    struct hand_over group[GROUP_MAX];
    struct item *items[GROUP_MAX];
    size_t count;
};

static enum rc sync_spool(struct engine *engine, struct err *err)
{
    engine->is_unsynced = false;
    engine->synced_ns = clock_monotonic_ns();
    return spool_sync(engine->env.spool, err);
}

/* --- taken in --- */

/* Without memory for it the delivery is extracted once more. */
static void keep_made(struct item *item, const struct take_in *take,
                      const struct stage_report *report)
{
    if (item == NULL) {
        return;
    }
    free(item->made);
    item->made = report->has_facts != 0 && take->revision == 1 ? malloc(sizeof *item->made) : NULL;
    if (item->made != NULL) {
        *item->made = (struct item_made){take->moment.created_ns, *report};
    }
}

static void after_take_in(struct engine *engine, struct take_in *take,
                          const struct stage_report *report, int64_t now_ns)
{
    struct item *mark = items_find(engine->intaking, take->id);
    if (take->result == TAKE_IN_LATER && mark != NULL) {
        mark->work = WORK_NONE;
        mark->failures += report->outcome != REPORT_NOT_RUN;
        if (report->outcome == REPORT_DIED && mark->failures >= DEATHS_MAX) {
            struct err err = {{0}};
            enum rc rc =
                take_in_refuse(&engine->env, spool_dir(engine->env.spool, SPOOL_INBOX), take->name,
                               "reading it ended the reader three times; send it to "
                               "the makers of postroom, and drop it in another form",
                               &err);
            engine->counters.refused += rc == RC_OK;
            items_remove(engine->intaking, mark);
            return;
        }
        bool is_at_once = report->outcome == REPORT_NOT_RUN;
        mark->due_ns = now_ns + (is_at_once ? BUSY_PAUSE_NS : DEATH_PAUSE_NS);
        works_look_at_inbox(engine, mark->due_ns);
        if (!is_at_once) {
            log_event(LOG_LEVEL_WARNING, "take-in-later", take->id, "reason=\"%s\"",
                      buf_text(&take->text));
        }
        return;
    }
    if (mark != NULL) {
        if (mark->is_unfinished) {
            works_look_at_inbox(engine, now_ns);
        }
        items_remove(engine->intaking, mark);
    }
    engine->counters.taken += take->result == TAKE_IN_TAKEN;
    if (take->result == TAKE_IN_TAKEN && take->has_changed) {
        works_look_at_inbox(engine, now_ns);
    } else if (take->result == TAKE_IN_TAKEN) {
        originals_add(engine, take->id, take->size_bytes);
    }
    engine->counters.refused += take->result == TAKE_IN_REFUSED;
    if (take->result == TAKE_IN_TAKEN) {
        struct item *item = item_at(engine, take->id, take->state);
        keep_made(item, take, report);
    }
}

/* A revision whose delivery a worker has got meanwhile, or which goes out just now, is read again
 * later. */
static void put_busy_off(struct engine *engine)
{
    for (size_t i = 0; i < engine->taken_count; i++) {
        if (works_has(engine, engine->taken[i]->id)) {
            engine->taken_reports[i].outcome = REPORT_NOT_RUN;
        }
    }
}

static void end_taken(struct engine *engine, int64_t now_ns)
{
    take_in_end(engine->taken, engine->taken_reports, engine->taken_count);
    for (size_t i = 0; i < engine->taken_count; i++) {
        after_take_in(engine, engine->taken[i], &engine->taken_reports[i], now_ns);
    }
}

/* --- extracted --- */

/* A crash left whole extractions: they join the group as if a worker had just reported them. */
static void add_recovered(struct engine *engine, int64_t now_ns)
{
    while (engine->extracted_count < GROUP_MAX && engine->book.first != NULL) {
        struct item *item = queue_take(&engine->book);
        struct err err = {{0}};
        struct extract *extract = NULL;
        item->work = WORK_NONE;
        enum rc rc = extract_begin(&engine->env, item->id, now_ns, &extract, &err);
        if (rc != RC_OK) {
            item->due_ns = now_ns + LATER_PAUSE_NS;
            engine_fail(engine, rc == RC_CORRUPT ? RC_PERM : rc, &err, "book", item->id);
            continue;
        }
        item->work = WORK_IN_FLIGHT;
        engine->extracted[engine->extracted_count] = extract;
        memset(&engine->extracted_reports[engine->extracted_count], 0, sizeof(struct stage_report));
        engine->extracted_reports[engine->extracted_count++].outcome = REPORT_DONE;
    }
}

static void after_extract(struct engine *engine, struct extract *extract,
                          const struct stage_report *report, int64_t now_ns)
{
    struct item *item = items_find(engine->items, extract->subject.id);
    if (item == NULL) {
        return;
    }
    item->work = WORK_NONE;
    item->state = extract->subject.view.state;
    if (extract->rc == RC_OK) {
        item->failures = 0;
        if (extract->is_published_next && !extract->subject.view.is_held) {
            item->work = WORK_PUBLISH;
            queue_put(&engine->publish, item);
            shelf_put(engine->env.shelf, &extract->subject);
        } else {
            item_wake(engine, item);
        }
    } else if (extract->rc == RC_PERM) {
        log_event(LOG_LEVEL_WARNING, "extraction-failed", item->id, "reason=\"%s\"",
                  extract->err.text);
        item_wake(engine, item);
    } else if (report->outcome == REPORT_NOT_RUN) {
        item_wake(engine, item);
    } else {
        item->failures++;
        item->due_ns =
            now_ns + (INT64_C(1) << (item->failures < 9 ? item->failures : 9)) * NS_PER_SECOND;
        log_event(LOG_LEVEL_WARNING, "extraction-later", item->id, "reason=\"%s\"",
                  extract->err.text);
    }
}

/* One entry that cannot be written would hold up its whole group: each is booked alone then. */
static enum rc book_alone(struct engine *engine, int64_t now_ns, struct err *err)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; i < engine->extracted_count && rc != RC_IO && rc != RC_CORRUPT; i++) {
        struct extract *one = engine->extracted[i];
        struct err own = {{0}};
        if (one->rc != RC_OK) {
            continue;
        }
        rc = extract_book(&one, 1, now_ns, &own);
        if (rc != RC_OK) {
            one->rc = RC_TEMP;
            one->err = own;
            *err = own;
        }
    }
    return rc == RC_IO || rc == RC_CORRUPT ? rc : RC_OK;
}

static void put_off_extracted(struct engine *engine, int64_t now_ns)
{
    for (size_t i = 0; i < engine->extracted_count; i++) {
        struct item *item = items_find(engine->items, engine->extracted[i]->subject.id);
        if (item != NULL) {
            item->work = WORK_NONE;
            item->due_ns = now_ns + LATER_PAUSE_NS;
        }
    }
}

static void end_extracted(struct engine *engine, int64_t now_ns)
{
    struct err err = {{0}};
    size_t count = engine->extracted_count;
    enum rc rc = extract_book(engine->extracted, count, now_ns, &err);
    if (rc == RC_PERM || rc == RC_RANGE || rc == RC_EXISTS) {
        rc = book_alone(engine, now_ns, &err);
    }
    engine->is_unsynced = engine->is_unsynced || count > 0;
    if (rc != RC_OK) {
        put_off_extracted(engine, now_ns);
        engine_fail(engine, rc, &err, "book", NULL);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        after_extract(engine, engine->extracted[i], &engine->extracted_reports[i], now_ns);
    }
}

/* --- handed over --- */

/* Opens up to GROUP_MAX deliveries of the queue that may still go. Until the end of the turn nobody
 * else touches them. */
static void open_going(struct engine *engine, struct going *going, int64_t now_ns)
{
    going->count = 0;
    while (going->count < GROUP_MAX && engine->publish.first != NULL) {
        struct item *item = queue_take(&engine->publish);
        struct hand_over *one = &going->group[going->count];
        *one = (struct hand_over){.subject = SUBJECT_NONE};
        item->work = WORK_NONE;
        enum rc rc = subject_open_next(&engine->env, item->id, &one->subject, &one->err);
        if (rc != RC_OK) {
            due_set_back(engine, item, &one->err, rc == RC_CORRUPT ? RC_PERM : rc, now_ns);
            continue;
        }
        const struct view *view = &one->subject.view;
        bool may_go = view->state == STATE_SENDING ||
                      (view->state == STATE_EXTRACTING && view->is_extracted && !view->is_held) ||
                      (view->state == STATE_EXTRACTION_TO_APPROVE && !view->is_held &&
                       view->steps[STEP_EXTRACTION].status == STEP_STATUS_APPROVED);
        if (!may_go) {
            item->state = view->state;
            subject_close(&one->subject);
            item_wake(engine, item);
            continue;
        }
        item->work = WORK_IN_FLIGHT;
        going->items[going->count++] = item;
    }
}

/* What becomes of one whose archive lies in pickup/, or which could not go. */
static void after_going(struct engine *engine, struct hand_over *one, struct item *item,
                        int64_t now_ns)
{
    if (one->rc == RC_OK) {
        one->rc = subject_move(&engine->env, &one->subject, &one->err);
        item->state = one->subject.view.state;
    }
    if (one->rc == RC_PERM && item->state == STATE_FAILED) {
        log_event(LOG_LEVEL_ERROR, "hand-over-failed", item->id, "reason=\"%s\"", one->err.text);
        due_forget(engine, item);
    } else if (one->rc != RC_OK && !state_is_terminal(item->state)) {
        due_set_back(engine, item, &one->err, one->rc, now_ns);
    } else if (one->rc != RC_OK) {
        item_wake(engine, item); /* its line is there, its place is not */
    } else if (state_is_terminal(item->state)) {
        due_forget(engine, item);
    }
}

/* What ends with the hand-over ends in the same group: the lines, one sync, the moves to done/. */
static void finish_going(struct engine *engine, struct going *going, int64_t now_ns)
{
    struct err err = {{0}};
    bool is_any = false;
    for (size_t i = 0; i < going->count; i++) {
        struct hand_over *one = &going->group[i];
        struct item *item = going->items[i];
        engine->counters.handed_over += one->rc == RC_OK;
        item->failures = one->rc == RC_OK ? 0 : item->failures;
        item->work = WORK_NONE;
        item->state = one->subject.view.state;
        item->due_ns = settle_due(&one->subject);
        if (one->rc == RC_OK && item->due_ns <= now_ns) {
            one->rc = settle_say(&one->subject, EVENT_FINISHED, settle_reason(&one->subject),
                                 now_ns, &one->err);
            is_any = is_any || one->rc == RC_OK;
        }
    }
    enum rc rc = is_any ? sync_spool(engine, &err) : RC_OK;
    if (rc != RC_OK) {
        engine_fail(engine, rc, &err, "sync", NULL);
        return;
    }
    for (size_t i = 0; i < going->count; i++) {
        after_going(engine, &going->group[i], going->items[i], now_ns);
    }
}

static void end_going(struct engine *engine, struct going *going, int64_t now_ns)
{
    struct err err = {{0}};
    enum rc rc = hand_over_end(&engine->env, going->group, going->count, now_ns, &err);
    if (rc == RC_OK) {
        finish_going(engine, going, now_ns);
    } else {
        engine_fail(engine, rc, &err, "hand-over", NULL);
    }
    engine->is_unsynced = engine->is_unsynced || going->count > 0;
}

/* --- all three --- */

static bool is_any_due(struct engine *engine)
{
    bool is_taken_due = group_is_due(engine, engine->taken_count, &engine->taken_since_ns);
    bool is_extracted_due =
        group_is_due(engine, engine->extracted_count, &engine->extracted_since_ns);
    bool is_publish_due = group_is_due(engine, engine->publish.count, &engine->publish_since_ns);
    return is_taken_due || is_extracted_due || is_publish_due;
}

/* The steps before, between and behind the two syncs. */
static enum rc run_to_second_sync(struct engine *engine, struct going *going, int64_t now_ns,
                                  struct err *err)
{
    struct take_in **taken = engine->taken;
    enum rc rc = take_in_weigh(taken, engine->taken_reports, engine->taken_count, now_ns, err);
    if (rc == RC_OK) {
        extract_weigh(engine->extracted, engine->extracted_reports, engine->extracted_count,
                      now_ns);
        hand_over_begin(&engine->env, going->group, going->count, now_ns);
        rc = sync_spool(engine, err);
    }
    rc = rc == RC_OK ? take_in_admit(taken, engine->taken_count, now_ns, err) : rc;
    if (rc == RC_OK) {
        extract_keep(engine->extracted, engine->extracted_reports, engine->extracted_count);
        hand_over_publish(&engine->env, going->group, going->count);
        rc = sync_spool(engine, err);
    }
    return rc;
}

static void release_all(struct engine *engine, struct going *going)
{
    for (size_t i = 0; i < going->count; i++) {
        subject_close(&going->group[i].subject);
    }
    going->count = 0;
    works_release(engine);
    engine->taken_since_ns = engine->extracted_since_ns = engine->publish_since_ns = 0;
}

void steps_run(struct engine *engine, int64_t now_ns)
{
    static struct going going;
    struct err err = {{0}};
    add_recovered(engine, now_ns);
    if (engine->fatal != RC_OK || !is_any_due(engine)) {
        return;
    }
    open_going(engine, &going, now_ns);
    put_busy_off(engine);
    enum rc rc = run_to_second_sync(engine, &going, now_ns, &err);
    if (rc != RC_OK) {
        engine_fail(engine, rc, &err, "steps", NULL);
    } else {
        end_taken(engine, now_ns);
        end_extracted(engine, now_ns);
    }
    if (engine->fatal == RC_OK) {
        end_going(engine, &going, now_ns);
    }
    release_all(engine, &going);
}
