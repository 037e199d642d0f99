/*
 * sends - send workers, one for each delivery that is sending, and what becomes of them
 */
#include "engine/inner.h"

#include "base/digest.h"
#include "channel/quarantine.h"
#include "delivery/reply.h"
#include "engine/places.h"
#include "engine/posts.h"
#include "stage/proof.h"
#include "stage/settle.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SENT_MAX = 64 };

#define LISTS_LOOK_NS (3 * NS_PER_SECOND) /* a few stats; the contract: within 60 seconds */
/* Between two recalls of a channel's workers: a list that is written all the time is obeyed in
 * time, and something is sent between. With a look and a recall it stays below the 60 seconds. */
#define RECALL_PAUSE_NS (45 * NS_PER_SECOND)
#define SEND_PAUSE_NS NS_PER_SECOND /* after a fault, or from a relay that is away: doubled */
#define SEND_PAUSES 8               /* times: to some four minutes */
#define LISTENER_PAUSE_NS (NS_PER_SECOND / 10) /* until one that was asked to end is gone */

/* What a send worker reads beside its delivery: the resolver's files, each where it leads, and the
 * system's trusted certificates. Not all of /etc: our own keys may lie there. */
static const char *const SYSTEM_PLACES[] = {
    "/etc/resolv.conf",    "/etc/hosts",    "/etc/nsswitch.conf", "/etc/host.conf",
    "/etc/gai.conf",       "/etc/services", "/etc/ssl/certs",     "/usr/share/ca-certificates",
    "/etc/ca-certificates"};

struct sends {
    struct crew *crew;
    struct crew_kind kind;
    struct places *places;
    struct item_queue waiting[HOUSE_CHANNELS]; /* for a place of their channel */
    struct posts posts;
    struct post_job *ended[SENT_MAX]; /* reported, to be settled */
    struct stage_report reports[SENT_MAX];
    size_t ended_count;
    int64_t lists_look_ns; /* monotonic */
    uint64_t lists_sum[HOUSE_CHANNELS];
    bool is_recall_due[HOUSE_CHANNELS];  /* a list changed since its workers began */
    int64_t recalled_ns[HOUSE_CHANNELS]; /* monotonic; 0: never */
};

static void run_send(void *ctx, struct stage_report *report, struct progress_cell *cell)
{
    post_run(ctx, report, cell);
}

/* Of a channel, or of all (-1), but not this one: peers allow an account few connections, and there
 * are few workers. Returns whether there is any. */
static bool end_listeners(struct sends *sends, int channel, const struct post *but)
{
    bool is_any = false;
    for (const struct post *post = sends->posts.first; post != NULL; post = post->next) {
        if (post != but && post_is_listening(post) &&
            (channel < 0 || channel == post_channel(post))) {
            is_any = true;
            (void)crew_wish(sends->crew, post->listen_id, SEND_COME_BACK_SOON);
        }
    }
    return is_any;
}

size_t sends_listening(const struct engine *engine)
{
    size_t count = 0;
    for (const struct post *post = engine->sends->posts.first; post != NULL; post = post->next) {
        count += post_is_listening(post);
    }
    return count;
}

void sends_end_listening(struct engine *engine)
{
    (void)end_listeners(engine->sends, -1, NULL);
}

bool sends_has(const struct engine *engine, const char *id)
{
    return posts_find(&engine->sends->posts, id) != NULL;
}

bool sends_has_channel(const struct engine *engine, int channel)
{
    return posts_find_channel(&engine->sends->posts, channel) != NULL;
}

/* A place is free: who waits for one is looked at again, before those that came later. */
static void leave(struct engine *engine, const char *id, int channel)
{
    struct item_queue *waiting = &engine->sends->waiting[channel];
    struct item_queue later = engine->send;
    places_leave(engine->sends->places, id);
    engine->send = *waiting;
    *waiting = (struct item_queue){NULL, NULL, 0};
    while (later.first != NULL) {
        queue_put(&engine->send, queue_take(&later));
    }
}

static void on_ended(void *owner, void *ctx, const struct stage_report *report)
{
    struct engine *engine = owner;
    struct sends *sends = engine->sends;
    struct post_job *job = ctx;
    job->is_told = true;
    if (!post_is_at_work(job->post)) {
        leave(engine, job->post->send->subject.id, post_channel(job->post));
    }
    if (sends->ended_count == SENT_MAX) {
        sends_commit(engine, clock_now_ns());
    }
    sends->ended[sends->ended_count] = job;
    sends->reports[sends->ended_count++] = *report;
}

enum rc sends_open(struct engine *engine, struct err *err)
{
    struct sends *sends = calloc(1, sizeof *sends);
    if (sends == NULL) {
        return err_set(err, RC_NOMEM, "no memory for send workers");
    }
    engine->sends = sends;
    sends->kind = (struct crew_kind){"postroom-send", run_send, on_ended, engine, true};
    enum rc rc = places_open(&sends->places, err);
    return rc == RC_OK ? crew_open(engine->loop, PLACES_MAX + 1, engine->lock_fd, &sends->crew, err)
                       : rc;
}

/* --- lists that change --- */

static uint64_t stamp_of(int dirfd, const char *path, uint64_t sum)
{
    struct stat status = {0};
    if (fstatat(dirfd, path, &status, 0) != 0) {
        return hash64("-", 1, sum);
    }
    int64_t stamp[] = {status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_size,
                       (int64_t)status.st_ino};
    return hash64(stamp, sizeof stamp, sum);
}

/* One number that changes when a list of the channel does, or its token: a new one comes by rename,
 * so that the descriptor which a worker was given stays with the old one. */
static uint64_t lists_sum(const struct engine *engine, int channel)
{
    const struct texts paths = engine->house->channels[channel].suppress;
    char file[QUARANTINE_FILE_BYTES];
    uint64_t sum = 1;
    for (size_t i = 0; i < paths.count; i++) {
        sum = stamp_of(AT_FDCWD, paths.items[i], sum);
    }
    if (engine->house->channels[channel].token_file != NULL) {
        sum = stamp_of(AT_FDCWD, engine->house->channels[channel].token_file, sum);
    }
    return stamp_of(spool_dir(engine->env.spool, SPOOL_QUARANTINE),
                    quarantine_file(house_channel_name(channel), file), sum);
}

struct recall {
    struct engine *engine;
    int channel;
};

static void recall_one(void *ctx, const char *kind, const char *id, uint64_t done, uint64_t of)
{
    struct recall *recall = ctx;
    const struct item *item = items_find(recall->engine->items, id);
    (void)kind;
    (void)done;
    (void)of;
    if (item != NULL && item->channel == recall->channel) {
        (void)crew_wish(recall->engine->sends->crew, id, SEND_COME_BACK);
    }
}

/* A worker has read the lists at its start: where one changed, it comes back and starts again. */
static void look_at_channel(struct engine *engine, int channel)
{
    struct sends *sends = engine->sends;
    uint64_t sum = lists_sum(engine, channel);
    int64_t now_ns = clock_monotonic_ns();
    int64_t before_ns = sends->recalled_ns[channel];
    bool is_new = sends->lists_sum[channel] != 0 && sum != sends->lists_sum[channel];
    sends->lists_sum[channel] = sum;
    sends->is_recall_due[channel] =
        crew_busy(sends->crew) > 0 && (is_new || sends->is_recall_due[channel]);
    if (sends->is_recall_due[channel] &&
        (before_ns == 0 || now_ns - before_ns >= RECALL_PAUSE_NS)) {
        struct recall recall = {engine, channel};
        sends->is_recall_due[channel] = false;
        sends->recalled_ns[channel] = now_ns;
        crew_each(sends->crew, recall_one, &recall);
    }
}

/* Whoever failed for good in one delivery goes into the quarantine by our own hand: that recalls
 * nobody, or each delivery that settles would end the workers of all others. */
static enum rc settle(struct engine *engine, struct subject *subject, int64_t now_ns,
                      bool *out_is_over, struct err *err)
{
    int channel = subject->order->channel;
    look_at_channel(engine, channel); /* what others changed before is not ours */
    enum rc rc = send_settle(&engine->env, subject, now_ns, out_is_over, err);
    engine->sends->lists_sum[channel] = lists_sum(engine, channel);
    return rc;
}

static void look_at_lists(struct engine *engine)
{
    struct sends *sends = engine->sends;
    if (crew_busy(sends->crew) == 0 ||
        clock_monotonic_ns() - sends->lists_look_ns < LISTS_LOOK_NS) {
        return;
    }
    sends->lists_look_ns = clock_monotonic_ns();
    for (int channel = 0; channel < HOUSE_CHANNELS; channel++) {
        look_at_channel(engine, channel);
    }
}

/* --- start --- */

static void add_system_places(struct crew_batch *batch, int fds[], size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < sizeof SYSTEM_PLACES / sizeof SYSTEM_PLACES[0]; i++) {
        int fd = open(SYSTEM_PLACES[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd >= 0) {
            batch->dirs[batch->dir_count++] = (struct worker_dir){fd, WORKER_READ};
            fds[(*count)++] = fd;
        }
    }
}

static void add_send(struct crew_batch *batch, struct post *post)
{
    struct send *send = post->send;
    const int keys[] = {send->keys.ca_fd,        send->keys.password_fd,
                        send->keys.dkim_fd,      send->keys.unsubscribe_fd,
                        send->keys.token_fd,     send->keys.client_cert_fd,
                        send->keys.client_key_fd};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        works_add_fd(batch, keys[i]);
    }
    /* It talks to the network: the journal, decisions and settings are not for it to write. */
    works_add_dir(batch, send->subject.dirfd, WORKER_READ);
    if (send->dirfd != send->subject.dirfd) {
        works_add_fd(batch, send->dirfd);
    }
    works_add_dir(batch, send->progress_fd, WORKER_WRITE);
    works_add_dir(batch, send->list_fd, WORKER_WRITE);
    works_add_dir(batch, send->messages_fd, WORKER_WRITE);
    works_add_fd(batch, send->heard_fd);
    batch->jobs[batch->job_count++] = (struct crew_job){&post->work, send->subject.id};
    post->work.is_open = true;
    if (send_may_listen(send)) {
        batch->jobs[batch->job_count++] = (struct crew_job){&post->listen, post->listen_id};
        post->listen.is_open = true;
    }
}

static enum rc start_worker(struct engine *engine, struct post *post, struct err *err)
{
    static struct crew_batch batch;
    struct sends *sends = engine->sends;
    int system_fds[sizeof SYSTEM_PLACES / sizeof SYSTEM_PLACES[0]];
    size_t system_count = 0;
    int channel = post_channel(post);
    batch.kind = &sends->kind;
    batch.job_count = batch.dir_count = batch.keep_count = 0;
    batch.connect_port = house_port(engine->house, channel);
    look_at_channel(engine, channel); /* before they are read; others may have read older ones */
    add_send(&batch, post);
    add_system_places(&batch, system_fds, &system_count);
    works_open_lists(engine, &batch);
    enum rc rc = crew_start(sends->crew, &batch, err);
    lists_close(&engine->env.lists);
    for (size_t i = 0; i < system_count; i++) {
        fs_drop(&system_fds[i]);
    }
    if (rc != RC_OK) {
        post->work.is_open = post->listen.is_open = false;
    }
    return rc;
}

static int64_t pause_ns(const struct item *item)
{
    uint32_t shift = item->failures < SEND_PAUSES ? item->failures : SEND_PAUSES;
    return SEND_PAUSE_NS << shift;
}

/* So many deliveries of the channel are sent at once: each has a connection. 0: no limit */
static int32_t most_of(const struct engine *engine, int channel)
{
    return house_connects(engine->house, channel) ? engine->house->channels[channel].connections
                                                  : 0;
}

static bool finds_place(struct engine *engine, struct send *send)
{
    struct places *places = engine->sends->places;
    int channel = send->subject.order->channel;
    send->share = places_share(places, channel);
    return places_take(places, send->subject.id, channel, most_of(engine, channel),
                       clock_monotonic_ns());
}

static void start_one(struct engine *engine, struct item *item, int64_t now_ns)
{
    struct send *send = NULL;
    struct err err = {{0}};
    item->work = WORK_NONE;
    enum rc rc = send_begin(&engine->env, item->id, &send, &err);
    if (rc == RC_STATE || rc == RC_GONE) {
        item_wake(engine, item); /* it moved on meanwhile: look again */
        return;
    }
    if (rc == RC_OK) {
        item->channel = (uint8_t)send->subject.order->channel;
        if (sends_has(engine, item->id)) { /* who waits for its receipts: one writer at a time */
            (void)end_listeners(engine->sends, item->channel, NULL);
            item->due_ns = now_ns + LISTENER_PAUSE_NS;
            send_release(send);
            return;
        }
        if (!finds_place(engine, send)) {
            item->work = WORK_SEND;
            queue_put(&engine->sends->waiting[item->channel], item);
            send_release(send);
            return;
        }
        struct post *post = posts_open(&engine->sends->posts, send);
        rc = post == NULL ? err_set(&err, RC_NOMEM, "no memory for a sending")
                          : start_worker(engine, post, &err);
        if (rc != RC_OK) {
            leave(engine, item->id, item->channel);
        }
        if (rc != RC_OK && post != NULL) {
            posts_close(&engine->sends->posts, post);
            send = NULL;
        }
    }
    if (rc != RC_OK) {
        item->due_ns = now_ns + pause_ns(item);
        item->failures++;
        engine_fail(engine, rc == RC_CORRUPT ? RC_PERM : rc, &err, "send", item->id);
        send_release(send);
        return;
    }
    item->work = WORK_IN_FLIGHT;
}

void sends_start(struct engine *engine, int64_t now_ns)
{
    while (engine->send.first != NULL && crew_has_room(engine->sends->crew, &engine->sends->kind)) {
        start_one(engine, queue_take(&engine->send), now_ns);
    }
}

/* --- the end of a worker --- */

/* But for the words behind a reply's code, which are others each time. */
static bool is_same_reason(const char *one, const char *other)
{
    size_t len = reply_begin(one);
    return len == reply_begin(other) && memcmp(one, other, len) == 0;
}

/* Said once: the journal is no place for every try. */
static enum rc say_delay(struct subject *subject, const char *reason, int64_t now_ns,
                         struct err *err)
{
    if (reason[0] == '\0' || is_same_reason(subject->view.reason, reason)) {
        return RC_OK;
    }
    return settle_retry_line(subject, EVENT_DELAYED, reason, now_ns, err);
}

/* A worker tries a relay that is away a few times; how long until the next worker grows here. */
static int64_t next_start_ns(const struct item *item, const struct subject *subject,
                             const struct stage_report *report, bool is_fault, int64_t now_ns)
{
    int64_t pause = now_ns + pause_ns(item);
    int64_t not_after = subject->order->schedule.not_after;
    if (is_fault || report->next_ns == INT64_MAX) { /* something is left, or it would have ended */
        return pause;
    }
    int64_t next = report->is_away != 0 && report->next_ns < pause ? pause : report->next_ns;
    return not_after != INSTANT_NONE && not_after < next ? not_after : next;
}

static void put_off(struct engine *engine, struct item *item, struct subject *subject,
                    const struct stage_report *report, int64_t now_ns)
{
    struct err err = {{0}};
    bool is_fault = report->outcome != REPORT_WAITING && report->outcome != REPORT_DONE &&
                    report->outcome != REPORT_NOT_RUN;
    if (subject->view.state != STATE_SENDING) {
        item_wake(engine, item);
        return;
    }
    enum rc rc = say_delay(subject, report->text, now_ns, &err);
    if (rc != RC_OK) {
        engine_fail(engine, rc, &err, "delay", item->id);
    }
    engine->is_unsynced = true;
    item->work = WORK_NONE;
    item->due_ns = next_start_ns(item, subject, report, is_fault, now_ns);
    item->failures = is_fault || report->is_away != 0 ? item->failures + 1 : 0;
    log_event(is_fault ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "sending-later", item->id,
              "seconds=%lld reason=\"%s\"",
              (long long)((item->due_ns > now_ns ? item->due_ns - now_ns : 0) / NS_PER_SECOND),
              report->text);
}

/* A proof: nothing but its line; the delivery goes its own way. */
static void settle_proof(struct engine *engine, const struct send *send,
                         const struct stage_report *report, int64_t now_ns)
{
    struct item *item = items_find(engine->items, send->subject.id);
    struct subject subject = SUBJECT_NONE;
    struct err err = {{0}};
    bool is_over = false;
    if (item == NULL) {
        return;
    }
    item->work = WORK_NONE;
    enum rc rc = subject_open(engine->env.spool, item->id, &subject, &err);
    rc = rc == RC_OK ? proof_settle(&subject, send->proof, report, now_ns, &is_over, &err) : rc;
    engine->is_unsynced = true;
    if (rc == RC_OK && is_over) {
        item->failures = 0;
        item_wake(engine, item);
    } else {
        bool is_waiting = rc == RC_OK && report->outcome == REPORT_WAITING;
        bool is_timed = is_waiting && report->is_away == 0 && report->next_ns != INT64_MAX;
        item->due_ns = is_timed ? report->next_ns : now_ns + pause_ns(item);
        item->failures += !is_timed;
        log_event(is_waiting ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "proof-later", item->id,
                  "proof=%u reason=\"%s\"", send->proof, rc == RC_OK ? report->text : err.text);
    }
    if (rc == RC_IO) {
        engine_fail(engine, rc, &err, "proof", item->id);
    }
    subject_close(&subject);
}

static void settle_one(struct engine *engine, const char *id, const struct stage_report *report,
                       int64_t now_ns)
{
    struct item *item = items_find(engine->items, id);
    struct subject subject = SUBJECT_NONE;
    struct err err = {{0}};
    bool is_over = false;
    if (item == NULL) {
        return;
    }
    item->work = WORK_NONE;
    /* A stop may have waited for this end: it comes before the next worker. */
    engine->approved_look_ns = 0;
    /* Anew: a decision may have been made meanwhile. */
    enum rc rc = subject_open(engine->env.spool, id, &subject, &err);
    rc = rc == RC_OK ? settle(engine, &subject, now_ns, &is_over, &err) : rc;
    if (rc != RC_OK) {
        item->failures++;
        item->due_ns = now_ns + pause_ns(item);
        engine_fail(engine, rc == RC_CORRUPT ? RC_PERM : rc, &err, "settle", id);
    } else if (is_over) {
        item->state = subject.view.state;
        engine->counters.sent += item->state == STATE_FINISHED;
        due_forget(engine, item);
    } else {
        item->state = subject.view.state;
        put_off(engine, item, &subject, report, now_ns);
    }
    subject_close(&subject);
}

/* Who only listens goes first. */
static void recall_longest(struct engine *engine, int channel)
{
    if (end_listeners(engine->sends, channel, NULL)) {
        return;
    }
    const char *id = places_next(engine->sends->places, channel, clock_monotonic_ns());
    if (id != NULL) {
        (void)sends_recall(engine, id, SEND_COME_BACK);
    }
}

/* Where some wait for a place, those that have one make room in turns. */
static void take_turns(struct engine *engine)
{
    struct sends *sends = engine->sends;
    for (int channel = 0; channel < HOUSE_CHANNELS; channel++) {
        if (sends->waiting[channel].first != NULL) {
            recall_longest(engine, channel);
        }
    }
    if (engine->send.first != NULL && !crew_has_room(sends->crew, &sends->kind)) {
        recall_longest(engine, -1);
    }
}

void sends_commit(struct engine *engine, int64_t now_ns)
{
    struct sends *sends = engine->sends;
    struct err err = {{0}};
    for (size_t i = 0; i < sends->ended_count; i++) {
        const struct stage_report *report = &sends->reports[i];
        struct post *post = sends->ended[i]->post;
        bool is_work = sends->ended[i] == &post->work;
        if (report->outcome == REPORT_IO) { /* docs/SPOOL.md: a sync that fails ends the daemon */
            engine_fail(engine, err_set(&err, RC_IO, "%s", report->text), &err, "send",
                        post->send->subject.id);
        } else if (engine->fatal == RC_OK && is_work && post->send->proof > 0) {
            settle_proof(engine, post->send, &sends->reports[i], now_ns);
        } else if (engine->fatal == RC_OK && is_work) {
            settle_one(engine, post->send->subject.id, &sends->reports[i], now_ns);
            (void)end_listeners(sends, post_channel(post), post); /* one hears it for all */
        }
        sends->ended[i]->is_open = false;
        receipts_look(engine);
        posts_close(&sends->posts, post);
    }
    sends->ended_count = 0;
    look_at_lists(engine);
    take_turns(engine);
    crew_look(sends->crew);
}

bool sends_recall(struct engine *engine, const char *id, enum send_wish wish)
{
    return crew_wish(engine->sends->crew, id, wish);
}

void sends_resume(struct engine *engine, const char *id)
{
    crew_take_back(engine->sends->crew, id, SEND_PAUSE);
}

size_t sends_busy(const struct engine *engine)
{
    return engine->sends == NULL ? 0 : crew_busy(engine->sends->crew) + engine->sends->ended_count;
}

void sends_each(const struct engine *engine,
                void (*fn)(void *ctx, const char *kind, const char *id, uint64_t done, uint64_t of),
                void *ctx)
{
    crew_each(engine->sends->crew, fn, ctx);
}

static void recall_any(void *ctx, const char *kind, const char *id, uint64_t done, uint64_t of)
{
    (void)kind;
    (void)done;
    (void)of;
    (void)sends_recall(ctx, id, SEND_COME_BACK_SOON);
}

void sends_end(struct engine *engine)
{
    int64_t until_ns = clock_monotonic_ns() + (SEND_COME_BACK_S + 1) * NS_PER_SECOND;
    struct err err = {{0}};
    if (engine->sends == NULL || engine->sends->crew == NULL) {
        return;
    }
    crew_each(engine->sends->crew, recall_any, engine);
    while (crew_busy(engine->sends->crew) > 0 && clock_monotonic_ns() < until_ns &&
           loop_run_once(engine->loop, 100, &err) == RC_OK) {
        sends_commit(engine, clock_now_ns());
    }
    sends_commit(engine, clock_now_ns());
}

void sends_release(struct engine *engine)
{
    if (engine->sends != NULL) {
        crew_free(engine->sends->crew);
        places_free(engine->sends->places);
        posts_release(&engine->sends->posts);
        free(engine->sends);
        engine->sends = NULL;
    }
}
