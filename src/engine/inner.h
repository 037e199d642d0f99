/*
 * inner - the engine's own parts: what they share
 *
 *     engine.c  the turn
 *     open.c    what a daemon begins with, and its end
 *     doors.c   inbox and approved: what was dropped
 *     works.c   batches for intake and extract workers
 *     steps.c   what they reported, and what goes out: in groups that share syncs
 *     originals.c  drops that were taken in, to be removed
 *     proofs.c  workers that make the lists of proofs
 *     feedback.c  outbox/feedback: what came back of messages
 *     sends.c   send workers, and what becomes of them
 *     posts.c   who has a send worker, and who stays for receipts
 *     receipts.c  what their sessions heard of other deliveries
 *     due.c     what each delivery's state asks for
 *     status.c  run/status.json, run/metrics.prom
 */
#ifndef POSTROOM_ENGINE_INNER_H
#define POSTROOM_ENGINE_INNER_H

#include "engine/crew.h"
#include "engine/engine.h"
#include "engine/items.h"
#include "spool/door.h"
#include "stage/env.h"
#include "stage/extract.h"
#include "stage/send.h"
#include "stage/take_in.h"

enum {
    GROUP_MAX = 256, /* deliveries that share the syncs of a step */
    REPORTS_MAX = GROUP_MAX + (int)CREW_WORKERS_MAX * (int)CREW_JOBS_MAX, /* no worker is started
                              beside GROUP_MAX that wait */
    EXTRACT_BACKLOG = 256, /* so many wait for a worker: drops get one worker at most, so that what
                              is begun goes out first, and is still open (stage/shelf.h) */
    DROPS_MAX = 240,  /* found by one scan and waiting for a worker: the next scan, which finds the
                         rest, goes on beside workers */
    DEATHS_MAX = 3,   /* workers that one drop or delivery may cost before it is set aside */
    RETIRED_MAX = 64, /* configurations that a worker's job still speaks of */
    FIRST_JOBS = 12, /* of a worker that is alone: it begins soon, and the next is made beside it */
    INTAKE_BATCH_BYTES = 8 << 20,
    EXTRACT_BATCH_BYTES = 8 << 20
};

/* A group is worth its syncs when it has so many, or when its first has waited so long: a moment,
 * or, while workers have many small deliveries in hand, as long as makes a group of those. */
#define GROUP_GOOD 96
#define GROUP_PATIENCE_NS (20 * INT64_C(1000000))
#define GROUP_MANY 32
#define GROUP_MANY_PATIENCE_NS (100 * INT64_C(1000000))

#define LATER_PAUSE_NS (1 * NS_PER_SECOND) /* after a fault of the world */
#define BUSY_PAUSE_NS (NS_PER_SECOND / 10) /* while somebody else has the delivery */

/* A complete drop, waiting for a worker. */
struct waiting_drop {
    struct waiting_drop *next;
    struct drop drop; /* name points to the next, fault is "" */
    char *name;       /* owned */
};

struct counters {
    uint64_t taken, refused, handed_over, sent, failed, finished, stopped, decided, feedback;
};

/* Originals that were taken in, in run/intake. */
struct originals {
    size_t waiting;       /* to be taken apart */
    size_t known;         /* of those, when the last purge began */
    bool is_purging;      /* by helpers: nothing is forked meanwhile */
    struct worker worker; /* gives back what a large one held; pid -1: none does */
};

struct engine {
    const struct engine_options *options;
    struct house *house;
    struct house *retired[RETIRED_MAX];
    size_t retired_count;
    int lock_fd;
    int32_t stock_day; /* local day on which orders were last received */
    struct loop *loop;
    struct crew *crew;
    struct proofs *proofs;
    struct feedbacks *feedbacks;
    struct sends *sends; /* have a crew of their own: they last long and mostly wait */
    struct stage_env env;
    int64_t started_ns;

    struct items *items;       /* deliveries on their way */
    struct item_queue advance; /* their state has to be looked at */
    struct item_queue extract; /* wait for a worker */
    struct item_queue book;    /* a crash left a whole extraction/ */
    struct item_queue publish; /* to be handed over */
    struct item_queue send;    /* wait for a send worker */
    struct item_queue proof;   /* wait for a worker that makes a proof's list */

    struct items *intaking;     /* drops with a worker, or set back after one died */
    struct waiting_drop *drops; /* complete, oldest first */
    struct waiting_drop **drops_end;
    size_t drop_count;
    struct door_moves *inbox_moves;
    struct door_moves *approved_moves;
    int64_t inbox_look_ns; /* wall clock: scan again then; 0: at once; INT64_MAX: when told */
    int64_t approved_look_ns;
    bool is_inbox_settling; /* something in it is only waiting for `settle`: `--once` waits too */
    bool is_approved_settling;
    bool is_inbox_retrying; /* a drop was put off for a moment */
    int64_t taken_since_ns; /* monotonic: when the first of the group was reported */
    int64_t extracted_since_ns;
    int64_t publish_since_ns;
    int64_t extract_since_ns;
    int64_t full_look_ns; /* monotonic: when the doors were last looked at without being told */

    struct take_in *taken[REPORTS_MAX]; /* reported, to be committed */
    struct stage_report *taken_reports;
    size_t taken_count;
    struct extract *extracted[REPORTS_MAX];
    struct stage_report *extracted_reports;
    size_t extracted_count;

    struct crew_kind intake_kind;
    struct crew_kind extract_kind;
    struct counters counters;
    struct originals originals;
    int64_t synced_ns;      /* monotonic: the last sync */
    int64_t quiet_since_ns; /* monotonic: only listeners are left of `--once`; 0: more is */
    int64_t status_ns;      /* monotonic: when run/status.json was last written */
    uint64_t status_sum;
    char receipts_after[ID_BYTES_MAX + 1]; /* the last file of outbox/receipts that was looked at */
    bool is_receipts_due;                  /* a pass through that is under way */
    bool is_unsynced; /* lines that nothing outside depends on are not on disk yet */
    bool is_stopping;
    bool is_reload_wanted;
    enum rc fatal; /* stop with this */
    struct err fatal_err;
};

/* engine_fail - stop the engine (RC_IO, RC_CORRUPT); others are logged and outlived */
void engine_fail(struct engine *engine, enum rc rc, const struct err *err, const char *what,
                 const char *id);

/* group_is_due - worth its syncs now: large, old, or nothing else is under way. since_ns is set
 * when it is 0. */
bool group_is_due(const struct engine *engine, size_t count, int64_t *since_ns);

/* item_wake - have its state looked at in this turn */
void item_wake(struct engine *engine, struct item *item);

/* item_at - it is known to be in this state; made when it is new, forgotten when that ends it */
struct item *item_at(struct engine *engine, const char *id, enum delivery_state state);

/* item_unfinished - something was begun with it and met a temporary fault: finish it when its state
 * is looked at */
void item_unfinished(struct engine *engine, const char *id);

/*
 * open.c
 * engine_open - everything but the first turn; prints or logs what is wrong. A sysexits.h code,
 * EX_OK when all is there. engine_close also after a failure
 */
int engine_open(struct engine *engine, const struct engine_options *options);
void engine_close(struct engine *engine);
/* engine_reload - SIGHUP: the new configuration, or the old one if the new one is wrong */
void engine_reload(struct engine *engine);
/* engine_free_retired - configurations before that, once no job points into them */
void engine_free_retired(struct engine *engine);

/* doors.c */
void doors_scan_inbox(struct engine *engine, int64_t now_ns);
void doors_scan_approved(struct engine *engine, int64_t now_ns);
void doors_release(struct engine *engine);

/* works.c */
void works_open(struct engine *engine);
void works_start(struct engine *engine, int64_t now_ns);
void works_release(struct engine *engine);
/* works_has - a worker has the delivery of this id, or it is in a step of this turn */
bool works_has(const struct engine *engine, const char *id);
/*
 * works_take_made - its extraction was made with its count: begin it, as if a worker had just
 * reported it. subject waits for it; taken unless RC_STATE
 * Returns RC_OK; RC_STATE not in this turn: it is extracted like any other; as extract_begin_made
 */
enum rc works_take_made(struct engine *engine, struct item *item, struct subject *subject,
                        int64_t now_ns, struct err *err) MUST_CHECK;
/* works_look_at_inbox - at this time (wall clock), or before */
void works_look_at_inbox(struct engine *engine, int64_t at_ns);
void works_add_fd(struct crew_batch *batch, int fd);
void works_add_dir(struct crew_batch *batch, int dirfd, enum worker_access access);
/* works_open_lists - of who is not to be contacted, for the next worker; lists_close() once it is
 * forked */
void works_open_lists(struct engine *engine, struct crew_batch *batch);

/*
 * originals.c
 * originals_add - one has left its door, or is gone: a large one is taken apart at once
 */
void originals_add(struct engine *engine, const char *id, uint64_t bytes);
/* originals_are_many - so many that they are not left until there is nothing better to do */
bool originals_are_many(const struct engine *engine);
/* originals_purge_begin - take some of those that wait apart, by helpers; NULL: nothing to do.
 * originals_purge_end - until it is done. Nothing is forked between the two */
struct purge *originals_purge_begin(struct engine *engine);
void originals_purge_end(struct engine *engine, struct purge *purge);
/* originals_close - what is not taken apart yet is at the next start */
void originals_close(struct engine *engine);

/* steps.c */
void steps_run(struct engine *engine, int64_t now_ns);

/* proofs.c */
enum rc proofs_open(struct engine *engine, struct err *err) MUST_CHECK;
void proofs_start(struct engine *engine, int64_t now_ns);
void proofs_commit(struct engine *engine, int64_t now_ns);
/* proofs_waiting - reported, to be committed */
size_t proofs_waiting(const struct engine *engine);
void proofs_release(struct engine *engine);

/* feedback.c */
enum rc feedbacks_open(struct engine *engine, struct err *err) MUST_CHECK;
/* feedbacks_scan - look at the doors that something happened in, and take one file */
void feedbacks_scan(struct engine *engine, int64_t now_ns);
/* feedbacks_look_all - at the next scan, look at every door */
void feedbacks_look_all(struct engine *engine);
/* feedbacks_next_ns - wall clock: when to look again; is_settling: something is only waiting for
 * that */
int64_t feedbacks_next_ns(const struct engine *engine);
bool feedbacks_is_settling(const struct engine *engine);
void feedbacks_release(struct engine *engine);

/* receipts.c */
/* receipts_look - files of outbox/receipts may have lines to be taken over: look at all again */
void receipts_look(struct engine *engine);
/* receipts_turn - take one of them over */
void receipts_turn(struct engine *engine, int64_t now_ns);
bool receipts_are_waiting(const struct engine *engine);

/* sends.c */
/* sends_has - a worker is at work for this delivery, or stays for its receipts; sends_has_channel -
 * for any of a channel */
bool sends_has(const struct engine *engine, const char *id);
bool sends_has_channel(const struct engine *engine, int channel);
enum rc sends_open(struct engine *engine, struct err *err) MUST_CHECK;
void sends_start(struct engine *engine, int64_t now_ns);
void sends_commit(struct engine *engine, int64_t now_ns);
/* sends_recall - have the worker of this delivery end in good order (enum send_wish says how soon);
 * false: it has none */
bool sends_recall(struct engine *engine, const char *id, enum send_wish wish);
/* sends_resume - a worker that was told to pause, and that has not come back yet, goes on */
void sends_resume(struct engine *engine, const char *id);
size_t sends_busy(const struct engine *engine);
/* sends_listening - of the busy ones, those that have sent and only wait for receipts;
 * sends_end_listening - they have waited long enough */
size_t sends_listening(const struct engine *engine);
void sends_end_listening(struct engine *engine);
void sends_each(const struct engine *engine,
                void (*fn)(void *ctx, const char *kind, const char *id, uint64_t done, uint64_t of),
                void *ctx);
/* sends_end - all come back, for at most SEND_COME_BACK_S and one second more */
void sends_end(struct engine *engine);
void sends_release(struct engine *engine);

/* due.c */
void due_advance(struct engine *engine, int64_t now_ns);
int64_t due_next_ns(struct engine *engine);
/* due_set_back - later, because the world was in the way */
void due_set_back(struct engine *engine, struct item *item, const struct err *err, enum rc rc,
                  int64_t now_ns);
/* due_forget - it has ended: counted, logged, no item any more */
void due_forget(struct engine *engine, struct item *item);
bool due_window_is_open(const struct engine *engine, int64_t now_ns);
void due_wake(struct engine *engine, int64_t now_ns);

/* status.c */
enum status_when {
    STATUS_IN_TURN, /* when something changed, and not too often */
    STATUS_AT_REST, /* when something changed: there is time now */
    STATUS_ALWAYS
};
void status_write(struct engine *engine, enum status_when when);

#endif
