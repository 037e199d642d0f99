/*
 * engine - the turn: what a daemon does between its beginning and its end (open.c)
 */
#include "engine/inner.h"

#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/log.h"
#include "sys/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    WAIT_MAX_MS = 60 * 1000,
    WAIT_BUSY_MS = 250, /* while workers are at work: for their progress */
    GATHER_MS = 5,      /* how long to wait for a group to grow; reports wake us anyway */
    ONCE_TRIES = 3 /* `--once` waits while a drop that cannot be read now was tried less often */
};

/* The listing is the truth: the doors are looked at at least so often. */
#define FULL_LOOK_NS (60 * NS_PER_SECOND)

/* Soon: what a worker writes into temporary files meanwhile goes to the disk with such a sync. */
#define UNSYNCED_MAX_NS (NS_PER_SECOND / 5)

/* `--once` waits for what falls due within so long. */
#define ONCE_PATIENCE_NS (2 * NS_PER_SECOND)

void engine_fail(struct engine *engine, enum rc rc, const struct err *err, const char *what,
                 const char *id)
{
    bool is_fatal = rc == RC_IO || rc == RC_CORRUPT;
    log_event(is_fatal ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, what, id, "rc=%s reason=\"%s\"",
              rc_name(rc), err->text);
    if (is_fatal && engine->fatal == RC_OK) {
        engine->fatal = rc;
        engine->fatal_err = *err;
    }
}

/* --- the turn --- */

bool group_is_due(const struct engine *engine, size_t count, int64_t *since_ns)
{
    int64_t now_ns = clock_monotonic_ns();
    if (count == 0) {
        *since_ns = 0;
        return false;
    }
    if (*since_ns == 0) {
        *since_ns = now_ns;
    }
    int64_t patience_ns =
        crew_jobs(engine->crew, NULL) >= GROUP_MANY ? GROUP_MANY_PATIENCE_NS : GROUP_PATIENCE_NS;
    bool is_due =
        count >= GROUP_GOOD || now_ns - *since_ns >= patience_ns || crew_busy(engine->crew) == 0;
    *since_ns = is_due ? 0 : *since_ns;
    return is_due;
}

static bool has_queued(const struct engine *engine)
{
    return engine->advance.first != NULL || engine->publish.first != NULL ||
           engine->book.first != NULL || engine->taken_count > 0 || engine->extracted_count > 0 ||
           proofs_waiting(engine) > 0 || receipts_are_waiting(engine);
}

/* Something is queued, but only to become a larger group. */
static bool only_gathers(const struct engine *engine)
{
    return engine->advance.first == NULL && engine->book.first == NULL &&
           crew_busy(engine->crew) > 0;
}

/* Orders that arrive today are received once a day. */
static void look_at_stock(struct engine *engine, int64_t now_ns)
{
    int32_t today = clock_local_date(now_ns, NULL);
    if (today == engine->stock_day) {
        return;
    }
    struct err err = {{0}};
    enum rc rc = cost_open_stock(&engine->env, now_ns, &err);
    if (rc != RC_OK) {
        engine_fail(engine, rc, &err, "stock", NULL);
    } else {
        engine->stock_day = today;
    }
}

/* Between the steps of a turn, which wait for the disk: what has ended meanwhile makes room for
 * what waits for a worker, so that the cores are not idle while a step is. */
static void keep_busy(struct engine *engine, int64_t now_ns)
{
    struct err err = {{0}};
    enum rc rc = loop_run_once(engine->loop, 0, &err);
    if (rc != RC_OK) {
        engine_fail(engine, rc, &err, "wait", NULL);
    }
    if (engine->fatal == RC_OK && !engine->is_stopping) {
        works_start(engine, now_ns);
    }
}

/* What is left is the daemon's own: no worker is at work or wanted. */
static bool is_nobody_at_work(const struct engine *engine, int64_t now_ns)
{
    return crew_busy(engine->crew) + sends_busy(engine) == 0 && engine->drops == NULL &&
           engine->inbox_look_ns > now_ns && engine->extract.first == NULL;
}

/* The last groups wait for the disk, and nothing else does: originals are taken apart meanwhile. */
static void run_steps(struct engine *engine, int64_t now_ns)
{
    bool is_time = has_queued(engine) && is_nobody_at_work(engine, now_ns);
    struct purge *purge = is_time ? originals_purge_begin(engine) : NULL;
    steps_run(engine, now_ns);
    originals_purge_end(engine, purge);
}

static void turn(struct engine *engine)
{
    int64_t now_ns = clock_now_ns();
    if (engine->is_reload_wanted) {
        engine_reload(engine);
    }
    look_at_stock(engine, now_ns);
    keep_busy(engine, now_ns);
    run_steps(engine, now_ns);
    proofs_commit(engine, now_ns);
    sends_commit(engine, now_ns);
    receipts_turn(engine, now_ns);
    feedbacks_scan(engine, now_ns);
    now_ns = clock_now_ns(); /* the disk was waited for: what begins now did not begin before */
    doors_scan_approved(engine, now_ns);
    doors_scan_inbox(engine, now_ns);
    due_advance(engine, now_ns);
    if (engine->fatal == RC_OK && !engine->is_stopping) {
        works_start(engine, now_ns);
        proofs_start(engine, now_ns);
        sends_start(engine, now_ns);
    }
    crew_look(engine->crew);
    engine_free_retired(engine);
    status_write(engine, STATUS_IN_TURN);
}

/* Lines that nothing outside depends on share the syncs of the next groups, or one of their own
 * when there is nothing better to do, or when those do not come. */
static void sync_idle(struct engine *engine)
{
    struct err err = {{0}};
    if (engine->is_unsynced && engine->fatal == RC_OK) {
        engine->is_unsynced = false;
        engine->synced_ns = clock_monotonic_ns();
        enum rc rc = spool_sync(engine->env.spool, &err);
        if (rc != RC_OK) {
            engine_fail(engine, rc, &err, "sync", NULL);
        }
    }
}

/* Originals are taken apart when there is nothing better to do, or when they have become many;
 * true: there are more. */
static bool purge_originals(struct engine *engine, bool is_idle)
{
    if (!is_idle && !originals_are_many(engine)) {
        return false;
    }
    struct purge *purge = originals_purge_begin(engine);
    originals_purge_end(engine, purge);
    return purge != NULL && engine->originals.waiting > 0;
}

static int64_t nearest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int wait_ms(struct engine *engine)
{
    if ((engine->inbox_look_ns == 0 && engine->drops == NULL) || engine->approved_look_ns == 0) {
        return 0;
    }
    if (has_queued(engine) || engine->extract_since_ns != 0) {
        return only_gathers(engine) ? GATHER_MS : 0;
    }
    int64_t next_ns = nearest(due_next_ns(engine), engine->approved_look_ns);
    next_ns = nearest(next_ns, feedbacks_next_ns(engine));
    if (engine->drops == NULL) {
        next_ns = nearest(next_ns, engine->inbox_look_ns);
    }
    int64_t now_ns = clock_now_ns();
    bool is_busy = crew_busy(engine->crew) + sends_busy(engine) > 0;
    int64_t limit_ms = is_busy ? WAIT_BUSY_MS : WAIT_MAX_MS;
    if (next_ns <= now_ns) {
        return 0;
    }
    int64_t left_ms = (next_ns - now_ns) / 1000000 + 1;
    return (int)nearest(left_ms, limit_ms);
}

static void look_for_retry(void *ctx, struct item *mark)
{
    bool *is_any = ctx;
    /* One that was taken back by its owner while it waited is forgotten after a moment. */
    bool is_fresh = mark->due_ns + ONCE_PATIENCE_NS * 2 > clock_now_ns();
    *is_any = *is_any || mark->work == WORK_IN_FLIGHT || (mark->failures < ONCE_TRIES && is_fresh);
}

/* `--once`: may the world still move without people and hours? */
static bool is_quiet(struct engine *engine)
{
    bool is_retrying = false;
    items_each(engine->intaking, look_for_retry, &is_retrying);
    return crew_busy(engine->crew) == 0 && sends_busy(engine) == sends_listening(engine) &&
           !has_queued(engine) && engine->drops == NULL && engine->extract.first == NULL &&
           engine->send.first == NULL && engine->proof.first == NULL &&
           !feedbacks_is_settling(engine) && feedbacks_next_ns(engine) > clock_now_ns() &&
           engine->inbox_look_ns > clock_now_ns() && !engine->is_inbox_settling &&
           !engine->is_approved_settling && !engine->is_inbox_retrying && !is_retrying &&
           due_next_ns(engine) > clock_now_ns() + ONCE_PATIENCE_NS;
}

/* `--once`: all is sent; receipts that come at once are heard, later ones wait for the next run. */
static bool is_heard_out(struct engine *engine)
{
    int64_t now_ns = clock_monotonic_ns();
    if (sends_busy(engine) == 0) {
        return true;
    }
    engine->quiet_since_ns = engine->quiet_since_ns == 0 ? now_ns : engine->quiet_since_ns;
    if (now_ns - engine->quiet_since_ns >= ONCE_PATIENCE_NS) {
        sends_end_listening(engine);
    }
    return false;
}

static bool is_until_over(const struct engine *engine)
{
    if (engine->options->until_minutes < 0) {
        return true;
    }
    return clock_now_ns() >= clock_next_local(engine->started_ns, engine->options->until_minutes);
}

static void run(struct engine *engine)
{
    while (engine->fatal == RC_OK && !engine->is_stopping) {
        turn(engine);
        if (engine->fatal != RC_OK || engine->is_stopping) {
            break;
        }
        int timeout_ms = wait_ms(engine);
        bool is_idle = timeout_ms > 0 && crew_busy(engine->crew) == 0;
        bool is_late = clock_monotonic_ns() - engine->synced_ns > UNSYNCED_MAX_NS;
        if (timeout_ms > 0) {
            if (is_idle || is_late) {
                sync_idle(engine);
            }
            status_write(engine, is_idle ? STATUS_AT_REST : STATUS_IN_TURN);
        }
        if (purge_originals(engine, is_idle)) {
            timeout_ms = 0;
        }
        if (engine->options->is_once && timeout_ms > 0 && is_quiet(engine)) {
            if (is_until_over(engine) && is_heard_out(engine)) {
                break;
            }
            timeout_ms = timeout_ms < 1000 ? timeout_ms : 1000;
        } else {
            engine->quiet_since_ns = 0;
        }
        struct err err = {{0}};
        enum rc rc = loop_run_once(engine->loop, timeout_ms, &err);
        if (rc != RC_OK) {
            engine_fail(engine, rc, &err, "wait", NULL);
        }
        int64_t now_ns = clock_now_ns();
        due_wake(engine, now_ns);
        if (clock_monotonic_ns() - engine->full_look_ns > FULL_LOOK_NS) {
            engine->full_look_ns = clock_monotonic_ns();
            engine->inbox_look_ns = engine->approved_look_ns = 0;
            feedbacks_look_all(engine);
        }
    }
}

/* --- the end --- */

struct waiting_count {
    uint64_t count;
};

static void count_waiting(void *ctx, struct item *item)
{
    struct waiting_count *waiting = ctx;
    waiting->count +=
        state_stage(item->state) == STAGE_PENDING || state_stage(item->state) == STAGE_EXTRACT;
}

static void print_counts(struct engine *engine)
{
    struct waiting_count waiting = {0};
    const struct counters *c = &engine->counters;
    items_each(engine->items, count_waiting, &waiting);
    printf("taken=%" PRIu64 " refused=%" PRIu64 " handed-over=%" PRIu64 " sent=%" PRIu64
           " waiting=%" PRIu64 " failed=%" PRIu64 "\n",
           c->taken, c->refused, c->handed_over, c->sent, waiting.count, c->failed);
    (void)fflush(stdout);
}

int engine_run(const struct engine_options *options)
{
    static struct engine engine;
    struct err err = {{0}};
    int code = engine_open(&engine, options);
    if (code == EX_OK) {
        log_event(LOG_LEVEL_INFO, "started", NULL, "pid=%d deliveries=%zu spool=%s", (int)getpid(),
                  items_count(engine.items), engine.house->spool);
        status_write(&engine, STATUS_ALWAYS);
        (void)!notify_send("READY=1", &err);
        run(&engine);
        (void)!notify_send("STOPPING=1", &err);
        if (engine.fatal == RC_OK) {
            sends_end(&engine);
        }
        sync_idle(&engine);
        code = engine.fatal == RC_OK ? EX_OK : rc_exit(engine.fatal);
        if (options->is_once && code == EX_OK) {
            print_counts(&engine);
        }
        if (engine.fatal == RC_OK) {
            status_write(&engine, STATUS_ALWAYS);
        }
        log_event(LOG_LEVEL_INFO, "stopped", NULL, "exit=%d", code);
    }
    engine_close(&engine);
    return code;
}
