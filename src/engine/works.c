/*
 * works - batches for intake and extract workers, and what they report
 */
#include "engine/inner.h"

#include "stage/originals.h"
#include "stage/shelf.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/log.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* --- in the worker --- */

static void run_intake(void *ctx, struct stage_report *report, struct progress_cell *cell)
{
    take_in_work(ctx, report, cell);
}

static void run_extract(void *ctx, struct stage_report *report, struct progress_cell *cell)
{
    extract_work(ctx, report, cell);
}

/* --- reports --- */

static void on_taken(void *owner, void *ctx, const struct stage_report *report)
{
    struct engine *engine = owner;
    assert(engine->taken_count < REPORTS_MAX);
    engine->taken[engine->taken_count] = ctx;
    engine->taken_reports[engine->taken_count++] = *report;
}

static void on_extracted(void *owner, void *ctx, const struct stage_report *report)
{
    struct engine *engine = owner;
    assert(engine->extracted_count < REPORTS_MAX);
    engine->extracted[engine->extracted_count] = ctx;
    engine->extracted_reports[engine->extracted_count++] = *report;
}

void works_open(struct engine *engine)
{
    engine->intake_kind =
        (struct crew_kind){"postroom-intake", run_intake, on_taken, engine, false};
    engine->extract_kind =
        (struct crew_kind){"postroom-extract", run_extract, on_extracted, engine, false};
}

/* --- batches --- */

enum {
    LISTS_FDS = HOUSE_CHANNELS * (SUPPRESS_LISTS_MAX + 1) + 8 /* behind the drops' own files */
};

void works_add_fd(struct crew_batch *batch, int fd)
{
    if (fd >= 0 && batch->keep_count < CREW_FDS_MAX) {
        batch->keep_fds[batch->keep_count++] = fd;
    }
}

void works_add_dir(struct crew_batch *batch, int dirfd, enum worker_access access)
{
    if (dirfd >= 0 && batch->dir_count < WORKER_DIRS_MAX) {
        batch->dirs[batch->dir_count++] = (struct worker_dir){dirfd, access};
        works_add_fd(batch, dirfd);
    }
}

static struct waiting_drop *take_drop(struct engine *engine)
{
    struct waiting_drop *waiting = engine->drops;
    engine->drops = waiting->next;
    engine->drop_count--;
    if (engine->drops == NULL) {
        engine->drops_end = &engine->drops;
    }
    return waiting;
}

static void drop_waiting(struct waiting_drop *waiting)
{
    free(waiting->name);
    free(waiting);
}

void works_look_at_inbox(struct engine *engine, int64_t at_ns)
{
    if (at_ns < engine->inbox_look_ns) {
        engine->inbox_look_ns = at_ns;
    }
}

bool works_has(const struct engine *engine, const char *id)
{
    const struct item *item = items_find(engine->items, id);
    return item != NULL && (item->work == WORK_IN_FLIGHT || item->work == WORK_BOOK);
}

/* Later, because the world was in the way. Marked, so that the next scan passes over it and comes
 * to what lies behind. */
static void put_drop_off(struct engine *engine, const char *id, int64_t now_ns)
{
    struct err err = {{0}};
    struct item *mark = items_find(engine->intaking, id);
    works_look_at_inbox(engine, now_ns + LATER_PAUSE_NS);
    if (mark == NULL && items_add(engine->intaking, id, &mark, &err) != RC_OK) {
        return;
    }
    mark->work = WORK_NONE;
    mark->failures++;
    mark->due_ns = now_ns + LATER_PAUSE_NS;
}

/* The daemon's part of taking one drop in; NULL when it is not to be worked at (now). */
static struct take_in *begin_drop(struct engine *engine, const struct drop *drop, int64_t now_ns)
{
    struct err err = {{0}};
    struct take_in *take = NULL;
    struct item *mark = items_find(engine->intaking, drop->id);
    bool is_being_taken = mark != NULL && mark->work == WORK_IN_FLIGHT;
    if (is_being_taken) {
        mark->is_unfinished = true;
    }
    if (is_being_taken || works_has(engine, drop->id)) {
        /* A second drop of the id, or a revision, waits until the worker is done with the first. */
        engine->is_inbox_retrying = true;
        works_look_at_inbox(engine, now_ns + BUSY_PAUSE_NS);
        return NULL;
    }
    enum rc rc = take_in_begin(&engine->env, drop, &take, &err);
    if (rc == RC_GONE) {
        rc = originals_leave(&engine->env, drop->name, drop->id, &err);
        if (rc == RC_OK) {
            originals_add(engine, drop->id, drop->size_bytes);
        }
    } else if (rc == RC_PERM) {
        struct err own = {{0}};
        rc = take_in_refuse(&engine->env, spool_dir(engine->env.spool, SPOOL_INBOX), drop->name,
                            err.text, &own);
        engine->counters.refused += rc == RC_OK;
        err = own;
    }
    if (rc != RC_OK && rc != RC_GONE) {
        put_drop_off(engine, drop->id, now_ns);
        engine_fail(engine, rc, &err, "take-in", drop->id);
    }
    return take;
}

/* Marks the id as being taken in, so that no scan gives it to a second worker. */
static bool mark_intaking(struct engine *engine, const char *id, uint64_t ino)
{
    struct item *mark = items_find(engine->intaking, id);
    struct err err = {{0}};
    if (mark == NULL && items_add(engine->intaking, id, &mark, &err) != RC_OK) {
        return false;
    }
    mark->work = WORK_IN_FLIGHT;
    mark->weight_bytes = ino; /* tells this drop from another of the same id */
    mark->is_unfinished = false;
    return true;
}

/* Opened anew for each worker: the lists are read as they are then. */
void works_open_lists(struct engine *engine, struct crew_batch *batch)
{
    struct stage_lists *lists = &engine->env.lists;
    lists_open(engine->house, spool_dir(engine->env.spool, SPOOL_QUARANTINE), lists);
    for (int channel = 0; channel < HOUSE_CHANNELS; channel++) {
        const struct channel_lists *own = &lists->channels[channel];
        for (size_t i = 0; i < own->suppress_count; i++) {
            if (own->suppress[i] == LIST_UNREADABLE) {
                log_event(LOG_LEVEL_ERROR, "suppress-list", NULL, "file=%s cannot be opened",
                          engine->house->channels[channel].suppress.items[i]);
            }
            works_add_fd(batch, own->suppress[i]);
        }
        if (own->quarantine == LIST_UNREADABLE) {
            log_event(LOG_LEVEL_ERROR, "quarantine", NULL,
                      "file=quarantine/%s.csv cannot be opened", house_channel_name(channel));
        }
        works_add_fd(batch, own->quarantine);
    }
}

/* Jobs of the next batch, at most. */
static size_t jobs_max(const struct engine *engine)
{
    return crew_busy(engine->crew) == 0 ? FIRST_JOBS : CREW_JOBS_MAX;
}

static void start_intake(struct engine *engine, int64_t now_ns)
{
    static struct crew_batch batch;
    const size_t max = jobs_max(engine);
    batch.kind = &engine->intake_kind;
    batch.job_count = batch.dir_count = batch.keep_count = 0;
    uint64_t bytes = 0;
    while (engine->drops != NULL && batch.job_count < max &&
           batch.dir_count + 2 <= WORKER_DIRS_MAX &&
           (batch.job_count == 0 || bytes + engine->drops->drop.size_bytes <= INTAKE_BATCH_BYTES) &&
           batch.keep_count + DROP_FILES_MAX + LISTS_FDS < CREW_FDS_MAX) {
        struct waiting_drop *waiting = take_drop(engine);
        struct take_in *take = begin_drop(engine, &waiting->drop, now_ns);
        door_moves_remove(engine->inbox_moves, waiting->drop.name);
        bytes += waiting->drop.size_bytes;
        uint64_t ino = waiting->drop.ino;
        drop_waiting(waiting);
        if (take == NULL) {
            continue;
        }
        take->may_be_made = due_window_is_open(engine, now_ns);
        if (!mark_intaking(engine, take->id, ino)) {
            take_in_release(take);
            continue;
        }
        for (size_t i = 0; i < take->files.count; i++) {
            works_add_fd(&batch, take->files.files[i].fd);
        }
        works_add_fd(&batch, take->package_fd);
        works_add_dir(&batch, take->staged_fd, WORKER_WRITE);
        works_add_dir(&batch, take->previous_fd, WORKER_READ);
        batch.jobs[batch.job_count++] = (struct crew_job){take, take->id};
    }
    if (batch.job_count == 0) {
        return;
    }
    struct err err = {{0}};
    works_open_lists(engine, &batch);
    enum rc rc = crew_start(engine->crew, &batch, &err);
    lists_close(&engine->env.lists);
    for (size_t i = 0; i < batch.job_count; i++) {
        struct take_in *take = batch.jobs[i].ctx;
        take_in_forked(take);
        if (rc != RC_OK) {
            struct item *mark = items_find(engine->intaking, take->id);
            if (mark != NULL) {
                items_remove(engine->intaking, mark);
            }
            take_in_release(take);
        }
    }
    if (rc != RC_OK) {
        works_look_at_inbox(engine, now_ns + LATER_PAUSE_NS);
        engine_fail(engine, rc, &err, "intake-worker", NULL);
    }
}

static bool is_being_revised(const struct engine *engine, const char *id)
{
    const struct item *mark = items_find(engine->intaking, id);
    return mark != NULL && mark->work == WORK_IN_FLIGHT;
}

enum rc works_take_made(struct engine *engine, struct item *item, struct subject *subject,
                        int64_t now_ns, struct err *err)
{
    if (engine->extracted_count >= GROUP_MAX || is_being_revised(engine, item->id)) {
        return RC_STATE;
    }
    struct extract *extract = NULL;
    enum rc rc =
        extract_begin_made(&engine->env, subject, item->made->created_ns, now_ns, &extract, err);
    if (rc == RC_OK) {
        item->state = extract->subject.view.state;
        item->work = WORK_IN_FLIGHT;
        on_extracted(engine, extract, &item->made->report);
    }
    return rc;
}

static void start_extract(struct engine *engine, int64_t now_ns)
{
    static struct crew_batch batch;
    const size_t max = jobs_max(engine);
    batch.kind = &engine->extract_kind;
    batch.job_count = batch.dir_count = batch.keep_count = 0;
    uint64_t bytes = 0;
    while (engine->extract.first != NULL && batch.job_count < max &&
           (batch.job_count == 0 ||
            bytes + engine->extract.first->weight_bytes <= EXTRACT_BATCH_BYTES)) {
        struct item *item = queue_take(&engine->extract);
        struct extract *extract = NULL;
        struct err err = {{0}};
        item->work = WORK_NONE;
        if (is_being_revised(engine, item->id)) {
            item->due_ns = now_ns + BUSY_PAUSE_NS; /* its rows are newer */
            continue;
        }
        if (item->state == STATE_EXTRACTION_PENDING && !due_window_is_open(engine, now_ns)) {
            item_wake(engine, item); /* it closed while the queue was long */
            continue;
        }
        enum rc rc = extract_begin(&engine->env, item->id, now_ns, &extract, &err);
        if (rc == RC_STATE || rc == RC_GONE) {
            item_wake(engine, item); /* it moved on meanwhile: look again */
            continue;
        }
        if (rc != RC_OK) {
            item->due_ns = now_ns + LATER_PAUSE_NS;
            engine_fail(engine, rc == RC_CORRUPT ? RC_PERM : rc, &err, "extract", item->id);
            continue;
        }
        item->state = extract->subject.view.state;
        item->work = WORK_IN_FLIGHT;
        bytes += item->weight_bytes;
        works_add_dir(&batch, extract->subject.dirfd, WORKER_WRITE);
        batch.jobs[batch.job_count++] = (struct crew_job){extract, extract->subject.id};
    }
    if (batch.job_count == 0) {
        return;
    }
    struct err err = {{0}};
    works_open_lists(engine, &batch);
    enum rc rc = crew_start(engine->crew, &batch, &err);
    lists_close(&engine->env.lists);
    for (size_t i = 0; rc != RC_OK && i < batch.job_count; i++) {
        struct extract *extract = batch.jobs[i].ctx;
        struct item *item = items_find(engine->items, extract->subject.id);
        if (item != NULL) {
            item->work = WORK_NONE;
            item->due_ns = now_ns + LATER_PAUSE_NS;
        }
        extract_release(extract);
    }
    if (rc != RC_OK) {
        engine_fail(engine, rc, &err, "extract-worker", NULL);
    }
}

static bool may_take_in(const struct engine *engine)
{
    return engine->drops != NULL && engine->taken_count < GROUP_MAX &&
           crew_has_room(engine->crew, &engine->intake_kind) &&
           (engine->extract.count < EXTRACT_BACKLOG ||
            crew_jobs(engine->crew, &engine->intake_kind) == 0);
}

void works_start(struct engine *engine, int64_t now_ns)
{
    while (may_take_in(engine)) {
        size_t before = crew_busy(engine->crew);
        start_intake(engine, now_ns);
        if (crew_busy(engine->crew) == before && engine->fatal != RC_OK) {
            return;
        }
    }
    while (engine->extracted_count < GROUP_MAX &&
           group_is_due(engine, engine->extract.count * 2, &engine->extract_since_ns) &&
           crew_has_room(engine->crew, &engine->extract_kind)) {
        size_t before = crew_busy(engine->crew);
        start_extract(engine, now_ns);
        if (crew_busy(engine->crew) == before && engine->extract.first != NULL) {
            return; /* no worker to be had */
        }
    }
}

void works_release(struct engine *engine)
{
    for (size_t i = 0; i < engine->taken_count; i++) {
        take_in_release(engine->taken[i]);
    }
    for (size_t i = 0; i < engine->extracted_count; i++) {
        extract_release(engine->extracted[i]);
    }
    engine->taken_count = engine->extracted_count = 0;
}
