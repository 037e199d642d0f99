/*
 * engine - start, recovery, the turn, the end
 */
#include "engine/inner.h"

#include "delivery/order.h"
#include "stage/cost.h"
#include "stage/recover.h"
#include "stage/shelf.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/lock.h"
#include "sys/log.h"
#include "sys/notify.h"
#include "sys/user.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    WAIT_MAX_MS = 60 * 1000,
    WAIT_BUSY_MS = 250, /* while workers are at work: for their progress */
    DESCRIPTORS_WANTED = 65536,
    LOCK_TRIES = 500, /* 5 s: a killed worker may be in a long write */
    LOCK_PAUSE_MS = 10,
    GATHER_MS = 5, /* how long to wait for a group to grow; reports wake us anyway */
    ORIGINALS_AT_ONCE = 256,
    ORIGINALS_MAX = 50000,
    ONCE_TRIES = 3 /* `--once` waits while a drop that cannot be read now was tried less often */
};

/* The listing is the truth: the doors are looked at at least so often. */
#define FULL_LOOK_NS (60 * NS_PER_SECOND)

#define UNSYNCED_MAX_NS NS_PER_SECOND

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

/* --- configuration --- */

/* Loads and checks everything; prints every problem. NULL where it is wrong. */
static struct house *load_house(const char *path, bool is_quiet)
{
    struct err err = {{0}};
    struct house *house = NULL;
    struct problems *problems = calloc(1, sizeof *problems);
    if (problems == NULL) {
        return NULL;
    }
    problems_init(problems);
    enum rc rc = house_load(path, &house, problems, &err);
    rc = rc == RC_OK ? order_check_house(house, problems, &err) : rc;
    rc = rc == RC_OK ? house_check_secrets(house, problems, &err) : rc;
    if (!is_quiet || rc != RC_OK) {
        for (size_t i = 0; i < problems->count; i++) {
            fprintf(stderr, "postroomd: %s%s\n", problems->lines[i].is_warning ? "warning: " : "",
                    problems->lines[i].text);
        }
        if (rc != RC_OK && problems->error_count == 0) {
            fprintf(stderr, "postroomd: %s\n", err.text);
        }
    }
    if (rc == RC_OK) {
        rc = clock_set_zone(house->timezone, &err);
        if (rc != RC_OK) {
            fprintf(stderr, "postroomd: %s: timezone: %s\n", path, err.text);
        }
    }
    if (rc != RC_OK) {
        house_free(house);
        house = NULL;
    }
    problems_release(problems);
    free(problems);
    return house;
}

int engine_check(const char *conf_path)
{
    struct house *house = load_house(conf_path, false);
    int code = house == NULL ? EX_CONFIG : EX_OK;
    if (house != NULL) {
        printf("%s: %zu operators, %zu campaigns, %zu providers, %zu stocks: good\n", conf_path,
               house->operator_count, house->campaign_count, house->provider_count,
               house->stock_count);
    }
    house_free(house);
    return code;
}

static bool is_same_text(const char *a, const char *b)
{
    return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static int64_t operators_gid(const struct house *house);
static enum rc make_routers(struct engine *engine, struct err *err);

static void wake_waiting(void *ctx, struct item *item)
{
    item_wake(ctx, item);
}

/* SIGHUP: the new configuration, or the old one if the new one is wrong. */
static void reload(struct engine *engine)
{
    engine->is_reload_wanted = false;
    struct err err = {{0}};
    struct house *house = load_house(engine->options->conf_path, true);
    bool is_good = house != NULL && is_same_text(house->spool, engine->house->spool) &&
                   is_same_text(house->routers, engine->house->routers) &&
                   engine->retired_count < RETIRED_MAX;
    if (!is_good) {
        log_event(LOG_LEVEL_ERROR, "reload-refused", NULL, "reason=\"%s\"",
                  house == NULL ? "the new configuration is wrong"
                                : "another spool needs a new start");
        house_free(house);
        (void)!clock_set_zone(engine->house->timezone, &err);
        return;
    }
    engine->retired[engine->retired_count++] = engine->house; /* jobs at work may point into it */
    engine->house = house;
    engine->env.house = house;
    engine->env.group_gid = operators_gid(house);
    engine->stock_day = INT32_MIN; /* new lines are opened */
    enum rc rc = make_routers(engine, &err);
    if (rc != RC_OK) {
        engine_fail(engine, rc, &err, "routers", NULL);
    }
    items_each(engine->items, wake_waiting, engine); /* hours and windows may be others now */
    log_event(LOG_LEVEL_INFO, "reloaded", NULL, "operators=%zu campaigns=%zu",
              house->operator_count, house->campaign_count);
}

static void free_retired(struct engine *engine)
{
    if (crew_busy(engine->crew) == 0 && sends_busy(engine) == 0 && engine->taken_count == 0 &&
        engine->extracted_count == 0) {
        for (size_t i = 0; i < engine->retired_count; i++) {
            house_free(engine->retired[i]);
        }
        engine->retired_count = 0;
    }
}

/* --- start --- */

static void on_inbox_change(void *ctx, const struct loop_change *change)
{
    struct engine *engine = ctx;
    if (change->kind == LOOP_MOVED_IN) {
        door_moves_add(engine->inbox_moves, change->name);
    } else if (change->kind == LOOP_CREATED || change->kind == LOOP_GONE) {
        door_moves_remove(engine->inbox_moves, change->name);
    }
    if (change->kind != LOOP_GONE) {
        engine->inbox_look_ns = 0;
    }
}

static void on_approved_change(void *ctx, const struct loop_change *change)
{
    struct engine *engine = ctx;
    if (change->kind == LOOP_MOVED_IN) {
        door_moves_add(engine->approved_moves, change->name);
    } else if (change->kind == LOOP_CREATED || change->kind == LOOP_GONE) {
        door_moves_remove(engine->approved_moves, change->name);
    }
    if (change->kind != LOOP_GONE) {
        engine->approved_look_ns = 0;
    }
}

static void on_signal(void *ctx, int signal_number)
{
    struct engine *engine = ctx;
    if (signal_number == SIGHUP) {
        engine->is_reload_wanted = true;
    } else {
        engine->is_stopping = true;
    }
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTORS_WANTED) {
        limit.rlim_cur = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int64_t operators_gid(const struct house *house)
{
    gid_t gid = 0;
    struct err err = {{0}};
    if (house->group == NULL) {
        return -1;
    }
    if (group_gid(house->group, &gid, &err) != RC_OK) {
        log_event(LOG_LEVEL_WARNING, "no-group", house->group, "reason=\"%s\"", err.text);
        return -1;
    }
    return (int64_t)gid;
}

/*
 * One daemon for a spool. The workers of a daemon that died hold its lock until they are gone too,
 * which the kernel sees to within moments: that is waited for. A daemon that lives is not.
 */
static enum rc take_lock(struct engine *engine, struct err *err)
{
    int run_dirfd = spool_dir(engine->env.spool, SPOOL_RUN);
    enum rc rc = lock_take(run_dirfd, "lock", &engine->lock_fd, err);
    for (int i = 0; rc == RC_EXISTS && i < LOCK_TRIES; i++) {
        pid_t holder = 0;
        bool is_alive = lock_holder(run_dirfd, "lock", &holder, NULL) == RC_OK && holder > 0 &&
                        (kill(holder, 0) == 0 || errno != ESRCH);
        if (is_alive) {
            break;
        }
        (void)poll(NULL, 0, LOCK_PAUSE_MS);
        rc = lock_take(run_dirfd, "lock", &engine->lock_fd, err);
    }
    return rc;
}

/* The configuration, the spool and the lock; a sysexits.h code, EX_OK when all is there. */
static int open_house(struct engine *engine)
{
    struct err err = {{0}};
    engine->house = load_house(engine->options->conf_path, true);
    if (engine->house == NULL) {
        return EX_CONFIG;
    }
    engine->env.house = engine->house;
    engine->env.group_gid = operators_gid(engine->house);
    /* What the daemon makes belongs to the operators' group, so that they can read it. */
    if (engine->env.group_gid >= 0 && setegid((gid_t)engine->env.group_gid) != 0) {
        log_event(LOG_LEVEL_WARNING, "no-group", engine->house->group,
                  "this process is not a member of it");
    }
    struct spool_options options = {.group = engine->env.group_gid};
    enum rc rc = spool_open(engine->house->spool, engine->house->routers, &options,
                            &engine->env.spool, &err);
    if (rc != RC_OK) {
        fprintf(stderr, "postroomd: %s\n", err.text);
        return rc == RC_PERM || rc == RC_GONE ? EX_CONFIG : rc_exit(rc);
    }
    rc = take_lock(engine, &err);
    if (rc != RC_OK) {
        fprintf(stderr, "postroomd: %s\n", err.text);
        return rc == RC_EXISTS ? EX_TEMPFAIL : rc_exit(rc);
    }
    return EX_OK;
}

static enum rc open_ledger(struct engine *engine, const char *name, struct ledger **out,
                           struct err *err)
{
    struct ledger_recovery recovery;
    char time_text[INSTANT_TEXT_BYTES];
    char plain[INSTANT_TEXT_BYTES];
    size_t used = 0;
    instant_format_seconds(engine->started_ns, time_text);
    for (const char *c = time_text; *c != '\0'; c++) {
        if (*c != '-' && *c != ':') {
            plain[used++] = *c;
        }
    }
    plain[used] = '\0';
    enum rc rc =
        ledger_open(spool_dir(engine->env.spool, SPOOL_LEDGER), name, plain, out, &recovery, err);
    if (rc == RC_OK && recovery.is_cut) {
        log_event(LOG_LEVEL_WARNING, "ledger-cut", name, "bytes=%" PRIu64 " kept-as=%s",
                  recovery.bytes, recovery.kept_as);
    }
    return rc;
}

static void on_recovered(void *ctx, const char *id, enum delivery_state state, bool is_unfinished)
{
    if (is_unfinished) {
        item_unfinished(ctx, id);
    } else {
        (void)item_at(ctx, id, state);
    }
}

static enum rc make_routers(struct engine *engine, struct err *err)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < engine->house->provider_count; i++) {
        const struct house_provider *provider = &engine->house->providers[i];
        struct spool_router router = SPOOL_ROUTER_NONE;
        gid_t gid = 0;
        bool is_known = provider->group != NULL && group_gid(provider->group, &gid, NULL) == RC_OK;
        rc = spool_router(engine->env.spool, provider->name, is_known ? (int64_t)gid : -1, &router,
                          err);
        spool_router_release(&router);
    }
    return rc;
}

static enum rc open_parts(struct engine *engine, struct err *err)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t workers = cores < 1 ? 3 : (size_t)cores + 2;
    enum rc rc = items_open(&engine->items, err);
    rc = rc == RC_OK ? items_open(&engine->intaking, err) : rc;
    rc = rc == RC_OK ? shelf_open(&engine->env.shelf, err) : rc;
    rc = rc == RC_OK ? door_moves_open(&engine->inbox_moves, err) : rc;
    rc = rc == RC_OK ? door_moves_open(&engine->approved_moves, err) : rc;
    rc = rc == RC_OK ? loop_open(&engine->loop, err) : rc;
    rc = rc == RC_OK ? loop_signals(engine->loop, on_signal, engine, err) : rc;
    rc = rc == RC_OK ? crew_open(engine->loop, workers, engine->lock_fd, &engine->crew, err) : rc;
    engine->taken_reports = calloc(REPORTS_MAX, sizeof *engine->taken_reports);
    engine->extracted_reports = calloc(REPORTS_MAX, sizeof *engine->extracted_reports);
    if (rc == RC_OK && (engine->taken_reports == NULL || engine->extracted_reports == NULL)) {
        rc = err_set(err, RC_NOMEM, "no memory for reports");
    }
    if (rc == RC_OK) {
        works_open(engine);
        rc = sends_open(engine, err);
        rc = rc == RC_OK ? proofs_open(engine, err) : rc;
        rc = rc == RC_OK ? feedbacks_open(engine, err) : rc;
        receipts_look(engine); /* what a crash left */
    }
    if (rc == RC_OK) {
        int watch = -1; /* both last as long as the loop */
        rc = loop_watch_dir(engine->loop, spool_dir(engine->env.spool, SPOOL_INBOX),
                            on_inbox_change, engine, &watch, err);
        rc = rc == RC_OK
                 ? loop_watch_dir(engine->loop, spool_dir(engine->env.spool, SPOOL_APPROVED),
                                  on_approved_change, engine, &watch, err)
                 : rc;
    }
    return rc;
}

static enum rc open_engine(struct engine *engine, struct err *err)
{
    enum rc rc = open_parts(engine, err);
    rc = rc == RC_OK ? open_ledger(engine, "cost.journal", &engine->env.cost, err) : rc;
    rc = rc == RC_OK ? open_ledger(engine, "stock.journal", &engine->env.stock, err) : rc;
    rc = rc == RC_OK ? make_routers(engine, err) : rc;
    rc = rc == RC_OK ? cost_open_stock(&engine->env, engine->started_ns, err) : rc;
    rc = rc == RC_OK ? recover_spool(&engine->env, engine->started_ns, on_recovered, engine, err)
                     : rc;
    engine->stock_day = clock_local_date(engine->started_ns, NULL);
    return rc;
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

/* known  originals when it began; what has come since is for the next one */
static void end_purge(struct engine *engine, struct purge *purge, size_t known)
{
    size_t removed = take_in_purge_end(purge);
    size_t left = removed < ORIGINALS_AT_ONCE || removed > known ? 0 : known - removed;
    engine->originals = engine->originals - known + left;
}

/* The last groups wait for the disk, and nothing else does: originals are taken apart meanwhile. */
static void run_steps(struct engine *engine, int64_t now_ns)
{
    struct purge *purge = NULL;
    size_t known = engine->originals;
    if (engine->originals > 0 && has_queued(engine) && is_nobody_at_work(engine, now_ns)) {
        purge = take_in_purge_begin(&engine->env, ORIGINALS_AT_ONCE);
    }
    steps_run(engine, now_ns);
    if (purge != NULL) {
        end_purge(engine, purge, known);
    }
}

static void turn(struct engine *engine)
{
    int64_t now_ns = clock_now_ns();
    if (engine->is_reload_wanted) {
        reload(engine);
    }
    look_at_stock(engine, now_ns);
    keep_busy(engine, now_ns);
    run_steps(engine, now_ns);
    proofs_commit(engine, now_ns);
    sends_commit(engine, now_ns);
    receipts_turn(engine, now_ns);
    feedbacks_scan(engine, now_ns);
    doors_scan_approved(engine, now_ns);
    doors_scan_inbox(engine, now_ns);
    due_advance(engine, now_ns);
    if (engine->fatal == RC_OK && !engine->is_stopping) {
        works_start(engine, now_ns);
        proofs_start(engine, now_ns);
        sends_start(engine, now_ns);
    }
    crew_look(engine->crew);
    free_retired(engine);
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
    if (engine->originals == 0 || (!is_idle && engine->originals < ORIGINALS_MAX)) {
        return false;
    }
    end_purge(engine, take_in_purge_begin(&engine->env, ORIGINALS_AT_ONCE), engine->originals);
    return engine->originals > 0;
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

static void close_engine(struct engine *engine)
{
    crew_free(engine->crew);
    sends_release(engine);
    proofs_release(engine);
    feedbacks_release(engine);
    works_release(engine);
    doors_release(engine);
    shelf_free(engine->env.shelf);
    loop_free(engine->loop);
    ledger_close(engine->env.cost);
    ledger_close(engine->env.stock);
    items_free(engine->items);
    items_free(engine->intaking);
    free(engine->taken_reports);
    free(engine->extracted_reports);
    spool_free(engine->env.spool);
    for (size_t i = 0; i < engine->retired_count; i++) {
        house_free(engine->retired[i]);
    }
    house_free(engine->house);
    fs_drop(&engine->lock_fd);
}

int engine_run(const struct engine_options *options)
{
    static struct engine engine;
    struct err err = {{0}};
    engine = (struct engine){.options = options, .lock_fd = -1};
    engine.drops_end = &engine.drops;
    raise_descriptor_limit();
    int code = open_house(&engine);
    if (code == EX_OK) {
        engine.started_ns = clock_now_ns();
        engine.full_look_ns = clock_monotonic_ns();
        enum rc rc = open_engine(&engine, &err);
        if (rc != RC_OK) {
            log_event(LOG_LEVEL_ERROR, "start-failed", NULL, "rc=%s reason=\"%s\"", rc_name(rc),
                      err.text);
            code = rc_exit(rc);
        }
    }
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
    close_engine(&engine);
    return code;
}
