/*
 * doors - inbox and approved: what was dropped, found by listing
 */
#include "engine/inner.h"

#include "spool/refuse.h"
#include "stage/decide.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After a temporary fault a door is looked at again so much later. */
#define DOOR_RETRY_NS (2 * NS_PER_SECOND)
#define FOLDER_LOOK_NS NS_PER_SECOND
#define SETTLE_SLACK_NS (NS_PER_SECOND / 2)
#define DECISION_RETRY_NS (NS_PER_SECOND / 10)

struct scan {
    struct engine *engine;
    int64_t now_ns;
    int64_t next_ns;  /* the nearest next_look of what is not complete */
    bool is_settling; /* something is complete but for the time to settle */
};

static void look_again(int64_t *at_ns, int64_t candidate_ns)
{
    if (candidate_ns < *at_ns) {
        *at_ns = candidate_ns;
    }
}

/* Not complete: looked at again later. What only has to settle is told from what waits for a
 * person. */
static void wait_for(struct scan *scan, const struct drop *drop)
{
    look_again(&scan->next_ns, drop->next_look_ns);
    int64_t settled_ns = scan->now_ns + scan->engine->house->settle_ns + SETTLE_SLACK_NS;
    scan->is_settling = scan->is_settling || drop->next_look_ns <= settled_ns;
}

/* A drop that is wrong by its looks alone. */
static enum rc refuse(struct engine *engine, int door, const struct drop *drop)
{
    struct err err = {{0}};
    enum rc rc = RC_OK;
    char reason[DECIDE_NAME_BYTES + DOOR_FAULT_BYTES + 4];
    bool is_named = strncmp(drop->fault, drop->name, strlen(drop->name)) == 0;
    (void)snprintf(reason, sizeof reason, "%.255s%s%s", is_named ? "" : drop->name,
                   is_named ? "" : ": ", drop->fault);
    if (drop->is_stuck) {
        struct refusal refusal;
        rc = spool_refuse_reason(engine->env.spool, drop->name, reason, &refusal, &err);
    } else {
        rc = take_in_refuse(&engine->env, door, drop->name, reason, &err);
        engine->counters.refused += rc == RC_OK;
    }
    if (rc == RC_IO) {
        engine_fail(engine, rc, &err, "refuse", NULL);
    }
    return rc == RC_IO ? RC_IO : RC_OK;
}

/* --- inbox --- */

static enum rc keep_drop(struct engine *engine, const struct drop *drop)
{
    struct waiting_drop *waiting = calloc(1, sizeof *waiting);
    char *name = strdup(drop->name);
    if (waiting == NULL || name == NULL) {
        free(waiting);
        free(name);
        return RC_NOMEM;
    }
    waiting->drop = *drop;
    waiting->name = name;
    waiting->drop.name = name;
    waiting->drop.fault = "";
    *engine->drops_end = waiting;
    engine->drops_end = &waiting->next;
    engine->drop_count++;
    return RC_OK;
}

static enum rc on_inbox(void *ctx, const struct drop *drop)
{
    struct scan *scan = ctx;
    struct engine *engine = scan->engine;
    if (!drop->is_complete) {
        wait_for(scan, drop);
        return RC_OK;
    }
    if (drop->fault[0] != '\0') {
        return refuse(engine, spool_dir(engine->env.spool, SPOOL_INBOX), drop);
    }
    struct item *intaking = items_find(engine->intaking, drop->id);
    if (intaking != NULL && intaking->work == WORK_IN_FLIGHT &&
        intaking->weight_bytes != drop->ino) {
        intaking->is_unfinished =
            true; /* another drop of this id: looked at when the first is done */
    }
    if (intaking != NULL && (intaking->work == WORK_IN_FLIGHT || intaking->due_ns > scan->now_ns)) {
        if (intaking->work != WORK_IN_FLIGHT) {
            look_again(&scan->next_ns, intaking->due_ns);
        }
        return RC_OK;
    }
    if (engine->drop_count >= DROPS_MAX) {
        scan->next_ns = 0;
        return RC_STATE;
    }
    return keep_drop(engine, drop);
}

void doors_scan_inbox(struct engine *engine, int64_t now_ns)
{
    if (engine->drop_count > 0 || now_ns < engine->inbox_look_ns) {
        return;
    }
    struct err err = {{0}};
    struct scan scan = {engine, now_ns, INT64_MAX, false};
    struct door_options options = {.now_ns = now_ns,
                                   .settle_ns = engine->house->settle_ns,
                                   .wants_deliveries = true,
                                   .moves = engine->inbox_moves};
    engine->inbox_look_ns = INT64_MAX;
    engine->is_inbox_retrying = false;
    enum rc rc =
        door_scan(spool_dir(engine->env.spool, SPOOL_INBOX), &options, on_inbox, &scan, &err);
    if (rc != RC_OK && rc != RC_STATE) {
        look_again(&scan.next_ns, now_ns + DOOR_RETRY_NS);
        engine_fail(engine, rc, &err, "inbox", NULL);
    }
    look_again(&engine->inbox_look_ns, scan.next_ns);
    engine->is_inbox_settling = scan.is_settling;
}

/* --- approved --- */

struct decision_file {
    char name[DECIDE_NAME_BYTES];
    char folder[ID_BYTES_MAX + 1]; /* "" the door itself */
    int64_t ctime_ns;
};

enum { DECISIONS_MAX = 20000 }; /* of one scan; the rest is found by the next */

struct decision_scan {
    struct scan scan;
    const char *folder; /* NULL: the door itself */
    int door;           /* descriptor of what is being scanned */
    struct decision_file *files;
    size_t count;
    size_t capacity;
    char folders[256][ID_BYTES_MAX + 1];
    size_t folder_count;
};

static enum rc keep_decision(struct decision_scan *scan, const struct drop *drop)
{
    if (scan->count == scan->capacity) {
        size_t capacity = scan->capacity == 0 ? 64 : scan->capacity * 2;
        struct decision_file *files = realloc(scan->files, capacity * sizeof *files);
        if (files == NULL) {
            return RC_NOMEM;
        }
        scan->files = files;
        scan->capacity = capacity;
    }
    struct decision_file *file = &scan->files[scan->count++];
    (void)snprintf(file->name, sizeof file->name, "%s", drop->name);
    (void)snprintf(file->folder, sizeof file->folder, "%s",
                   scan->folder == NULL ? "" : scan->folder);
    file->ctime_ns = drop->ctime_ns;
    return RC_OK;
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t name_len = strlen(name);
    size_t len = strlen(suffix);
    return name_len > len && strcmp(name + name_len - len, suffix) == 0;
}

static enum rc on_approved(void *ctx, const struct drop *drop)
{
    struct decision_scan *scan = ctx;
    struct engine *engine = scan->scan.engine;
    bool is_folder = drop->kind == DROP_DIR && scan->folder == NULL &&
                     house_operator_by_name(engine->house, drop->name) != NULL;
    if (is_folder) {
        if (scan->folder_count < sizeof scan->folders / sizeof scan->folders[0]) {
            (void)snprintf(scan->folders[scan->folder_count++], ID_BYTES_MAX + 1, "%s", drop->name);
        }
        return RC_OK;
    }
    if (!drop->is_complete) {
        wait_for(&scan->scan, drop);
        return RC_OK;
    }
    if (drop->fault[0] != '\0') {
        return refuse(engine, scan->door, drop);
    }
    if (!has_suffix(drop->name, ".conf") && !has_suffix(drop->name, ".sig")) {
        struct drop other = *drop;
        other.fault = "is no approval file; give it a name that ends in .conf";
        return refuse(engine, scan->door, &other);
    }
    return scan->count < DECISIONS_MAX ? keep_decision(scan, drop) : RC_OK;
}

/* In the order in which they were dropped: a withdrawal comes after what it withdraws. */
static int by_time(const void *a, const void *b)
{
    const struct decision_file *left = a;
    const struct decision_file *right = b;
    if (left->ctime_ns != right->ctime_ns) {
        return left->ctime_ns < right->ctime_ns ? -1 : 1;
    }
    return strcmp(left->name, right->name);
}

static bool is_busy(void *ctx, const char *id)
{
    const struct engine *engine = ctx;
    const struct item *item = items_find(engine->items, id);
    return item != NULL && (item->work == WORK_IN_FLIGHT || item->work == WORK_BOOK);
}

static void decide(struct engine *engine, const struct decision_file *file, int64_t now_ns,
                   int64_t *next_ns)
{
    struct err err = {{0}};
    struct decided decided = {.state = STATE_NONE};
    int approved = spool_dir(engine->env.spool, SPOOL_APPROVED);
    int door = approved;
    enum rc rc = file->folder[0] == '\0' ? RC_OK : fs_open_dir(approved, file->folder, &door, &err);
    if (rc == RC_OK) {
        rc = decide_file(&engine->env, door, file->folder[0] == '\0' ? NULL : file->folder,
                         file->name, now_ns, is_busy, engine, &decided, &err);
    }
    switch (rc) {
    case RC_OK:
        engine->counters.decided++;
        engine->is_unsynced = true;
        (void)item_at(engine, decided.id, decided.state);
        if (decided.pauses_worker) {
            (void)sends_recall(engine, decided.id, SEND_PAUSE);
        }
        if (decided.resumes_worker) {
            sends_resume(engine, decided.id);
        }
        break;
    case RC_PERM:
        engine->counters.refused++;
        break;
    case RC_GONE:
        break;
    case RC_TEMP:
        if (decided.ends_worker && !sends_recall(engine, decided.id, SEND_STOP)) {
            crew_end_job(engine->crew, decided.id);
        }
        look_again(next_ns, now_ns + DECISION_RETRY_NS);
        break;
    default:
        look_again(next_ns, now_ns + DOOR_RETRY_NS);
        engine_fail(engine, rc, &err, "decision", NULL);
        break;
    }
    if (decided.is_unfinished) {
        log_event(LOG_LEVEL_WARNING, "decision-unfinished", decided.id, "reason=\"%s\"", err.text);
        item_unfinished(engine, decided.id);
    }
    if (rc != RC_TEMP) { /* what is looked at again has not to wait until it is settled */
        door_moves_remove(engine->approved_moves, file->name);
    }
    if (door != approved) {
        fs_drop(&door);
    }
}

void doors_scan_approved(struct engine *engine, int64_t now_ns)
{
    if (now_ns < engine->approved_look_ns) {
        return;
    }
    struct err err = {{0}};
    static struct decision_scan scan;
    scan = (struct decision_scan){.scan = {engine, now_ns, INT64_MAX, false}};
    struct door_options options = {
        .now_ns = now_ns, .settle_ns = engine->house->settle_ns, .moves = engine->approved_moves};
    int approved = spool_dir(engine->env.spool, SPOOL_APPROVED);
    engine->approved_look_ns = INT64_MAX;
    scan.door = approved;
    enum rc rc = door_scan(approved, &options, on_approved, &scan, &err);
    for (size_t i = 0; rc == RC_OK && i < scan.folder_count; i++) {
        int folder = -1;
        scan.folder = scan.folders[i];
        rc = fs_open_dir(approved, scan.folder, &folder, &err);
        scan.door = folder;
        rc = rc == RC_OK ? door_scan(folder, &options, on_approved, &scan, &err) : rc;
        fs_drop(&folder);
    }
    if (rc != RC_OK) {
        look_again(&scan.scan.next_ns, now_ns + DOOR_RETRY_NS);
        engine_fail(engine, rc, &err, "approved", NULL);
    }
    if (scan.count > 0) {
        qsort(scan.files, scan.count, sizeof *scan.files, by_time);
    }
    for (size_t i = 0; i < scan.count && engine->fatal == RC_OK; i++) {
        decide(engine, &scan.files[i], now_ns, &scan.scan.next_ns);
    }
    free(scan.files);
    if (scan.folder_count > 0) {
        look_again(&scan.scan.next_ns, now_ns + FOLDER_LOOK_NS); /* they are not watched */
    }
    look_again(&engine->approved_look_ns, scan.scan.next_ns);
    engine->is_approved_settling = scan.scan.is_settling;
}

void doors_release(struct engine *engine)
{
    while (engine->drops != NULL) {
        struct waiting_drop *next = engine->drops->next;
        free(engine->drops->name);
        free(engine->drops);
        engine->drops = next;
    }
    door_moves_free(engine->inbox_moves);
    door_moves_free(engine->approved_moves);
}
