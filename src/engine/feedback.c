/*
 * feedback - the doors outbox/feedback/CHANNEL: found by listing, one file a turn
 *
 * One file a turn, so that a large one holds nothing else up for longer than it takes itself.
 */
#include "engine/inner.h"

#include "spool/refuse.h"
#include "stage/feedback.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOOR_RETRY_NS (2 * NS_PER_SECOND)
#define FAULT_RETRY_NS (20 * NS_PER_SECOND)
#define SETTLE_SLACK_NS (NS_PER_SECOND / 2)

enum { FILE_NAME_BYTES = 256 };

struct feedback_door {
    int channel; /* enum house_channel_kind */
    int fd;      /* -1: mail has none */
    struct door_moves *moves;
    int64_t look_ns; /* wall clock: scan again then; 0: at once; INT64_MAX: when told */
    bool is_settling;
};

struct feedbacks {
    struct feedback_door doors[HOUSE_CHANNELS];
};

struct feedback_scan {
    struct engine *engine;
    struct feedback_door *door;
    int64_t now_ns;
    int64_t next_ns;
    bool is_settling;
    char name[FILE_NAME_BYTES]; /* the oldest that is complete; "" none */
    char fault[DOOR_FAULT_BYTES + FILE_NAME_BYTES];
    int64_t ctime_ns;
};

static void on_change(void *ctx, const struct loop_change *change)
{
    struct feedback_door *door = ctx;
    if (change->kind == LOOP_MOVED_IN) {
        door_moves_add(door->moves, change->name);
    } else if (change->kind == LOOP_CREATED || change->kind == LOOP_GONE) {
        door_moves_remove(door->moves, change->name);
    }
    if (change->kind != LOOP_GONE) {
        door->look_ns = 0;
    }
}

/* Of paper it is the router that sends things back. */
static bool has_door(int channel)
{
    return channel != HOUSE_MAIL;
}

enum rc feedbacks_open(struct engine *engine, struct err *err)
{
    struct feedbacks *feedbacks = calloc(1, sizeof *feedbacks);
    if (feedbacks == NULL) {
        return err_set(err, RC_NOMEM, "no memory for the doors of feedback");
    }
    engine->feedbacks = feedbacks;
    for (int i = 0; i < HOUSE_CHANNELS; i++) {
        feedbacks->doors[i] = (struct feedback_door){.channel = i, .fd = -1};
    }
    enum rc rc = RC_OK;
    for (int i = 0; rc == RC_OK && i < HOUSE_CHANNELS; i++) {
        struct feedback_door *door = &feedbacks->doors[i];
        int watch = -1; /* lasts as long as the loop */
        if (!has_door(i)) {
            continue;
        }
        rc = spool_feedback(engine->env.spool, house_channel_name(i), &door->fd, err);
        rc = rc == RC_OK ? door_moves_open(&door->moves, err) : rc;
        rc =
            rc == RC_OK ? loop_watch_dir(engine->loop, door->fd, on_change, door, &watch, err) : rc;
    }
    return rc;
}

void feedbacks_release(struct engine *engine)
{
    for (int i = 0; engine->feedbacks != NULL && i < HOUSE_CHANNELS; i++) {
        fs_drop(&engine->feedbacks->doors[i].fd);
        door_moves_free(engine->feedbacks->doors[i].moves);
    }
    free(engine->feedbacks);
    engine->feedbacks = NULL;
}

/* --- scanning --- */

static void look_again(int64_t *at_ns, int64_t candidate_ns)
{
    *at_ns = candidate_ns < *at_ns ? candidate_ns : *at_ns;
}

static const char *fault_of(const struct drop *drop)
{
    size_t len = strlen(drop->name);
    if (drop->fault[0] != '\0') {
        return drop->fault;
    }
    if (drop->kind != DROP_DIR && (len < 5 || strcmp(drop->name + len - 4, ".csv") != 0)) {
        return "is no feedback; give it a name that ends in .csv";
    }
    return drop->kind == DROP_DIR ? "is a directory; drop the files in it" : "";
}

/* The oldest complete one is kept, with what is wrong with it. */
static enum rc on_drop(void *ctx, const struct drop *drop)
{
    struct feedback_scan *scan = ctx;
    if (!drop->is_complete) {
        int64_t settled_ns = scan->now_ns + scan->engine->house->settle_ns + SETTLE_SLACK_NS;
        look_again(&scan->next_ns, drop->next_look_ns);
        scan->is_settling = scan->is_settling || drop->next_look_ns <= settled_ns;
        return RC_OK;
    }
    if (drop->is_stuck) {
        struct refusal refusal;
        struct err err = {{0}};
        return spool_refuse_reason(scan->engine->env.spool, drop->name, drop->fault, &refusal,
                                   &err) == RC_IO
                   ? RC_IO
                   : RC_OK;
    }
    if (scan->name[0] != '\0' && drop->ctime_ns >= scan->ctime_ns) {
        scan->next_ns = 0; /* another one, in the next turn */
        return RC_OK;
    }
    if (scan->name[0] != '\0') {
        scan->next_ns = 0;
    }
    const char *fault = fault_of(drop);
    bool is_named = strncmp(fault, drop->name, strlen(drop->name)) == 0;
    (void)snprintf(scan->name, sizeof scan->name, "%s", drop->name);
    (void)snprintf(scan->fault, sizeof scan->fault, "%s%s%s",
                   fault[0] == '\0' || is_named ? "" : drop->name,
                   fault[0] == '\0' || is_named ? "" : ": ", fault);
    scan->ctime_ns = drop->ctime_ns;
    return RC_OK;
}

static void tell_taken(struct engine *engine, const struct feedback_scan *scan,
                       const struct feedback_taken *taken)
{
    engine->counters.feedback++;
    log_event(LOG_LEVEL_INFO, "feedback-taken", house_channel_name(scan->door->channel),
              "file=\"%s\" rows=%zu bounced=%zu complained=%zu unsubscribed=%zu delivered=%zu "
              "quarantined=%zu recorded=%zu",
              scan->name, taken->rows, taken->counts[FEEDBACK_BOUNCED],
              taken->counts[FEEDBACK_COMPLAINED], taken->counts[FEEDBACK_UNSUBSCRIBED],
              taken->counts[FEEDBACK_DELIVERED], taken->added, taken->recorded);
}

static void take_one(struct feedback_scan *scan)
{
    struct engine *engine = scan->engine;
    struct feedback_taken taken;
    struct err err = {{0}};
    enum rc rc = RC_PERM;
    if (scan->fault[0] != '\0') {
        enum rc refused =
            take_in_refuse(&engine->env, scan->door->fd, scan->name, scan->fault, &err);
        rc = refused == RC_OK ? RC_PERM : refused;
    } else {
        rc = feedback_take(&engine->env, scan->door->fd, scan->door->channel, scan->name,
                           scan->now_ns, &taken, &err);
    }
    if (rc == RC_OK) {
        tell_taken(engine, scan, &taken);
        engine->is_unsynced = true;
    } else if (rc == RC_PERM) {
        engine->counters.refused++;
    } else if (rc != RC_GONE) {
        scan->next_ns = scan->now_ns + FAULT_RETRY_NS; /* those behind it wait, too */
        engine_fail(engine, rc, &err, "feedback", house_channel_name(scan->door->channel));
    }
    door_moves_remove(scan->door->moves, scan->name);
}

static void scan_door(struct engine *engine, struct feedback_door *door, int64_t now_ns)
{
    static struct feedback_scan scan;
    scan = (struct feedback_scan){
        .engine = engine, .door = door, .now_ns = now_ns, .next_ns = INT64_MAX};
    struct door_options options = {
        .now_ns = now_ns, .settle_ns = engine->house->settle_ns, .moves = door->moves};
    struct err err = {{0}};
    door->look_ns = INT64_MAX;
    enum rc rc = door_scan(door->fd, &options, on_drop, &scan, &err);
    if (rc != RC_OK) {
        look_again(&scan.next_ns, now_ns + DOOR_RETRY_NS);
        engine_fail(engine, rc, &err, "feedback", house_channel_name(door->channel));
    } else if (scan.name[0] != '\0') {
        take_one(&scan);
    }
    look_again(&door->look_ns, scan.next_ns);
    door->is_settling = scan.is_settling;
}

void feedbacks_scan(struct engine *engine, int64_t now_ns)
{
    for (int i = 0; i < HOUSE_CHANNELS && engine->fatal == RC_OK; i++) {
        struct feedback_door *door = &engine->feedbacks->doors[i];
        if (door->fd >= 0 && now_ns >= door->look_ns) {
            scan_door(engine, door, now_ns);
        }
    }
}

void feedbacks_look_all(struct engine *engine)
{
    for (int i = 0; i < HOUSE_CHANNELS; i++) {
        engine->feedbacks->doors[i].look_ns = 0;
    }
}

int64_t feedbacks_next_ns(const struct engine *engine)
{
    int64_t next_ns = INT64_MAX;
    for (int i = 0; i < HOUSE_CHANNELS; i++) {
        const struct feedback_door *door = &engine->feedbacks->doors[i];
        if (door->fd >= 0) {
            look_again(&next_ns, door->look_ns);
        }
    }
    return next_ns;
}

bool feedbacks_is_settling(const struct engine *engine)
{
    bool is_any = false;
    for (int i = 0; i < HOUSE_CHANNELS; i++) {
        is_any = is_any || engine->feedbacks->doors[i].is_settling;
    }
    return is_any;
}
