/*
 * crew - worker processes and the batches they work through
 *
 * A batch is a list of jobs of one kind that one worker does in turn. The worker reports each job
 * when it is done; the daemon commits reports in groups. A worker that dies costs the job it was at
 * (REPORT_DIED); the jobs behind it are told REPORT_NOT_RUN and belong to the caller again.
 */
#ifndef POSTROOM_ENGINE_CREW_H
#define POSTROOM_ENGINE_CREW_H

#include "stage/report.h"
#include "sys/loop.h"
#include "sys/progress.h"
#include "sys/worker.h"

enum {
    CREW_JOBS_MAX =
        60, /* of a batch: each has a directory that the worker may write (WORKER_DIRS_MAX) */
    CREW_WORKERS_MAX = 16,   /* at once */
    CREW_FDS_MAX = 2000,     /* kept by one worker */
    CREW_SILENCE_S = 15 * 60 /* a worker whose counters stand still for so long is ended */
};
static_assert((int)CREW_JOBS_MAX <= (int)WORKER_DIRS_MAX, "a directory for each job");

struct crew;

/* One kind of work. */
struct crew_kind {
    const char *name; /* of the process */
    /* run - in the worker: do job `ctx`, fill the report (outcome, numbers, text) */
    void (*run)(void *ctx, struct stage_report *report, struct progress_cell *cell);
    /* done - in the daemon: called exactly once for each job of a batch that was started */
    void (*done)(void *owner, void *ctx, const struct stage_report *report);
    void *owner;
    bool may_connect; /* as in sys/worker.h */
};

struct crew_job {
    void *ctx;      /* borrowed until done() */
    const char *id; /* for the progress of `show`; borrowed until done() */
};

struct crew_batch {
    const struct crew_kind *kind;
    struct crew_job jobs[CREW_JOBS_MAX];
    size_t job_count;
    struct worker_dir dirs[WORKER_DIRS_MAX];
    size_t dir_count;
    uint16_t connect_port;          /* of a kind that may connect, as in sys/worker.h */
    int keep_fds[CREW_FDS_MAX + 1]; /* and the lock */
    size_t keep_count;
};

/* crew_open - lock_fd is kept by every worker, so that none writes beside a restarted daemon */
enum rc crew_open(struct loop *loop, size_t workers_max, int lock_fd, struct crew **out,
                  struct err *err) MUST_CHECK;

/* crew_free - kill what is still at work and forget it (without calling done) */
void crew_free(struct crew *crew);

/* crew_has_room - another worker of this kind may start: no kind takes the last place of the others
 */
bool crew_has_room(const struct crew *crew, const struct crew_kind *kind);

/*
 * crew_start - fork a worker for the batch; the batch itself is copied
 * Returns RC_OK; RC_STATE no room; RC_TEMP, RC_NOMEM: done() is not called for any of its jobs
 */
enum rc crew_start(struct crew *crew, const struct crew_batch *batch, struct err *err) MUST_CHECK;

/* crew_wish - tell the worker that is at the job of this id (sys/progress cell->wish); a greater
 * wish that was told before stands. Nobody has it: false */
bool crew_wish(struct crew *crew, const char *id, uint32_t wish);

/* crew_take_back - this very wish, if it still stands, is none (0) any more */
void crew_take_back(struct crew *crew, const char *id, uint32_t wish);

size_t crew_busy(const struct crew *crew);

/* crew_jobs - jobs of a kind (NULL: of every kind) that workers have and did not report yet */
size_t crew_jobs(const struct crew *crew, const struct crew_kind *kind);

/* crew_look - end workers that hang; call now and then */
void crew_look(struct crew *crew);

/* crew_end_job - end the worker that is at, or comes to, the job of this id: it will be told
 * REPORT_DIED or REPORT_NOT_RUN. Nobody has it: no fault */
void crew_end_job(struct crew *crew, const char *id);

/* crew_each - what is being worked at: fn(ctx, kind name, id, rows done, rows or bytes in all (0:
 * not known)) */
void crew_each(const struct crew *crew,
               void (*fn)(void *ctx, const char *kind, const char *id, uint64_t done, uint64_t of),
               void *ctx);

#endif
