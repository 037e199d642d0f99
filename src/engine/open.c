/*
 * open - what a daemon begins with: configuration, spool, lock, ledgers, recovery; and its end
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
    DESCRIPTORS_WANTED = 65536,
    LOCK_TRIES = 500, /* 5 s: a killed worker may be in a long write */
    LOCK_PAUSE_MS = 10
};

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

static bool is_same_text(const char *a, const char *b)
{
    return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static void wake_waiting(void *ctx, struct item *item)
{
    item_wake(ctx, item);
}

void engine_reload(struct engine *engine)
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

void engine_free_retired(struct engine *engine)
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

int engine_open(struct engine *engine, const struct engine_options *options)
{
    struct err err = {{0}};
    *engine =
        (struct engine){.options = options, .lock_fd = -1, .originals = {.worker = WORKER_NONE}};
    engine->drops_end = &engine->drops;
    raise_descriptor_limit();
    int code = open_house(engine);
    if (code != EX_OK) {
        return code;
    }
    engine->started_ns = clock_now_ns();
    engine->full_look_ns = clock_monotonic_ns();
    enum rc rc = open_engine(engine, &err);
    if (rc != RC_OK) {
        log_event(LOG_LEVEL_ERROR, "start-failed", NULL, "rc=%s reason=\"%s\"", rc_name(rc),
                  err.text);
        return rc_exit(rc);
    }
    return EX_OK;
}

void engine_close(struct engine *engine)
{
    crew_free(engine->crew);
    originals_close(engine);
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
