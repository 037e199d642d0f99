/*
 * crew - worker processes and the batches they work through
 */
#include "engine/crew.h"

#include "base/instant.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct gang {
    struct crew *crew;
    struct crew_batch *batch; /* NULL: this place is free */
    struct worker worker;
    size_t place;          /* its progress cell */
    uint64_t is_done[1];   /* bit for each job that was reported */
    bool has_ended;        /* the process is gone; what is left in the pipe is read first */
    int status;            /* of waitpid */
    uint64_t last_sum;     /* of the counters, when they last moved */
    int64_t last_moved_ns; /* monotonic */
};
static_assert(CREW_JOBS_MAX <= 64, "is_done has one word");

struct crew {
    struct loop *loop;
    int lock_fd;
    struct progress *progress;
    struct gang gangs[CREW_WORKERS_MAX];
    size_t workers_max;
    size_t busy;
};

enum rc crew_open(struct loop *loop, size_t workers_max, int lock_fd, struct crew **out,
                  struct err *err)
{
    struct crew *crew = calloc(1, sizeof *crew);
    if (crew == NULL) {
        return err_set(err, RC_NOMEM, "no memory for the workers");
    }
    crew->loop = loop;
    crew->lock_fd = lock_fd;
    crew->workers_max = workers_max > CREW_WORKERS_MAX ? CREW_WORKERS_MAX : workers_max;
    enum rc rc = progress_open(CREW_WORKERS_MAX, &crew->progress, err);
    if (rc != RC_OK) {
        free(crew);
        return rc;
    }
    for (size_t i = 0; i < CREW_WORKERS_MAX; i++) {
        crew->gangs[i] = (struct gang){.crew = crew, .place = i, .worker = WORKER_NONE};
    }
    *out = crew;
    return RC_OK;
}

static void gang_forget(struct gang *gang)
{
    loop_unwatch_fd(gang->crew->loop, gang->worker.report_fd);
    worker_release(&gang->worker);
    free(gang->batch);
    gang->batch = NULL;
    gang->crew->busy--;
}

void crew_free(struct crew *crew)
{
    if (crew == NULL) {
        return;
    }
    for (size_t i = 0; i < CREW_WORKERS_MAX; i++) {
        struct gang *gang = &crew->gangs[i];
        if (gang->batch != NULL) {
            if (!gang->has_ended) {
                worker_kill(&gang->worker);
                (void)waitpid(gang->worker.pid, NULL, 0);
            }
            gang_forget(gang);
        }
    }
    progress_free(crew->progress);
    free(crew);
}

/* The body of every worker: the jobs in turn, a report for each. */
struct gang_body {
    const struct crew_batch *batch;
    struct progress_cell *cell;
};

static int work_through(void *ctx, int report_fd)
{
    const struct gang_body *body = ctx;
    for (size_t i = 0; i < body->batch->job_count; i++) {
        static struct stage_report report;
        memset(&report, 0, sizeof report);
        report.job = (uint32_t)i;
        atomic_store(&body->cell->done, 0);
        atomic_store(&body->cell->of, 0);
        atomic_store(&body->cell->phase, (uint32_t)i + 1);
        body->batch->kind->run(body->batch->jobs[i].ctx, &report, body->cell);
        struct err err = {{0}};
        if (fs_write_all(report_fd, &report, sizeof report, &err) != RC_OK) {
            return 1; /* the daemon is gone */
        }
    }
    return 0;
}

static void report_once(struct gang *gang, const struct stage_report *report)
{
    if (report->job >= gang->batch->job_count ||
        (gang->is_done[0] & UINT64_C(1) << report->job) != 0) {
        return; /* a worker that says nonsense is not believed */
    }
    gang->is_done[0] |= UINT64_C(1) << report->job;
    const struct crew_kind *kind = gang->batch->kind;
    kind->done(kind->owner, gang->batch->jobs[report->job].ctx, report);
}

/* Reads every whole report that lies in the pipe. */
static void read_reports(struct gang *gang)
{
    for (size_t i = 0; i < CREW_JOBS_MAX; i++) {
        struct stage_report report;
        ssize_t got = read(gang->worker.report_fd, &report, sizeof report);
        if (got != (ssize_t)sizeof report) {
            return;
        }
        report.text[sizeof report.text - 1] = '\0';
        report.archive[sizeof report.archive - 1] = '\0';
        report.sha256[sizeof report.sha256 - 1] = '\0';
        report_once(gang, &report);
    }
}

/* The process is gone: what it did not report is told to its owner. */
static void settle_rest(struct gang *gang)
{
    struct progress_cell *cell = progress_cell(gang->crew->progress, gang->place);
    uint32_t at = atomic_load(&cell->phase);
    bool is_unmade = WIFEXITED(gang->status) && WEXITSTATUS(gang->status) == WORKER_EXIT_SETUP;
    at = at == 0 ? 1 : at; /* it died before its first job: that one is told, or it would be tried
                              without end */
    char how[WORKER_END_BYTES];
    worker_end_text(gang->status, how);
    for (uint32_t i = 0; i < gang->batch->job_count; i++) {
        if ((gang->is_done[0] & UINT64_C(1) << i) != 0) {
            continue;
        }
        struct stage_report report = {.job = i, .outcome = REPORT_NOT_RUN};
        if (i + 1 == at) {
            /* A machine that cannot make workers says nothing against the job. */
            report.outcome = is_unmade ? REPORT_TEMP : REPORT_DIED;
            (void)snprintf(report.text, sizeof report.text, "the worker ended: %s", how);
            log_event(LOG_LEVEL_ERROR, "worker-died", gang->batch->jobs[i].id, "kind=%s end=\"%s\"",
                      gang->batch->kind->name, how);
        }
        report_once(gang, &report);
    }
}

static void on_report(void *ctx, int fd, int events)
{
    (void)fd;
    struct gang *gang = ctx;
    read_reports(gang);
    if ((events & LOOP_HANGUP) != 0) {
        loop_unwatch_fd(gang->crew->loop,
                        gang->worker.report_fd); /* the end itself comes by pidfd */
    }
}

static void on_end(void *ctx, pid_t pid, int status)
{
    (void)pid;
    struct gang *gang = ctx;
    gang->has_ended = true;
    gang->status = status;
    read_reports(gang);
    settle_rest(gang);
    gang_forget(gang);
}

bool crew_has_room(const struct crew *crew, const struct crew_kind *kind)
{
    size_t same = 0;
    for (size_t i = 0; i < CREW_WORKERS_MAX; i++) {
        same += crew->gangs[i].batch != NULL && crew->gangs[i].batch->kind == kind;
    }
    return crew->busy < crew->workers_max && same + 1 < crew->workers_max;
}

enum rc crew_start(struct crew *crew, const struct crew_batch *batch, struct err *err)
{
    size_t place = 0;
    while (place < CREW_WORKERS_MAX && crew->gangs[place].batch != NULL) {
        place++;
    }
    if (place == CREW_WORKERS_MAX || crew->busy >= crew->workers_max) {
        return err_set(err, RC_STATE, "all workers are busy");
    }
    struct gang *gang = &crew->gangs[place];
    struct crew_batch *copy = malloc(sizeof *copy);
    if (copy == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a batch");
    }
    *copy = *batch;
    copy->keep_fds[copy->keep_count++] = crew->lock_fd;
    progress_reset(crew->progress, place);
    struct gang_body body = {copy, progress_cell(crew->progress, place)};
    struct worker_options options = {
        .name = batch->kind->name,
        .keep_fds = copy->keep_fds,
        .keep_count = copy->keep_count,
        .dirs = copy->dirs,
        .dir_count = copy->dir_count,
        .may_connect = copy->kind->may_connect,
        .connect_port = copy->connect_port,
        .body = work_through,
        .ctx = &body,
    };
    struct worker worker = WORKER_NONE;
    enum rc rc = worker_start(&options, &worker, err);
    if (rc != RC_OK) {
        free(copy);
        return rc;
    }
    *gang = (struct gang){.crew = crew,
                          .batch = copy,
                          .worker = worker,
                          .place = place,
                          .last_moved_ns = clock_monotonic_ns()};
    crew->busy++;
    rc = loop_watch_fd(crew->loop, worker.report_fd, LOOP_READ, on_report, gang, err);
    if (rc == RC_OK) {
        rc = loop_child(crew->loop, worker.pid, worker.pidfd, on_end, gang, err);
    }
    if (rc != RC_OK) {
        worker_kill(&gang->worker);
        (void)waitpid(gang->worker.pid, NULL, 0);
        gang_forget(gang);
    }
    return rc;
}

size_t crew_busy(const struct crew *crew)
{
    return crew->busy;
}

size_t crew_jobs(const struct crew *crew, const struct crew_kind *kind)
{
    size_t jobs = 0;
    for (size_t i = 0; i < CREW_WORKERS_MAX; i++) {
        const struct gang *gang = &crew->gangs[i];
        if (gang->batch != NULL && (kind == NULL || gang->batch->kind == kind)) {
            jobs += gang->batch->job_count - (size_t)__builtin_popcountll(gang->is_done[0]);
        }
    }
    return jobs;
}

void crew_look(struct crew *crew)
{
    int64_t now_ns = clock_monotonic_ns();
    for (size_t i = 0; i < CREW_WORKERS_MAX; i++) {
        struct gang *gang = &crew->gangs[i];
        if (gang->batch == NULL) {
            continue;
        }
        struct progress_cell *cell = progress_cell(crew->progress, i);
        uint64_t sum = atomic_load(&cell->done) + atomic_load(&cell->beats) +
                       ((uint64_t)atomic_load(&cell->phase) << 48);
        if (sum != gang->last_sum) {
            gang->last_sum = sum;
            gang->last_moved_ns = now_ns;
        } else if (now_ns - gang->last_moved_ns > CREW_SILENCE_S * NS_PER_SECOND) {
            log_event(LOG_LEVEL_ERROR, "worker-hangs", NULL, "kind=%s pid=%d",
                      gang->batch->kind->name, (int)gang->worker.pid);
            gang->last_moved_ns = now_ns;
            worker_kill(&gang->worker);
        }
    }
}

void crew_end_job(struct crew *crew, const char *id)
{
    for (size_t i = 0; i < CREW_WORKERS_MAX; i++) {
        struct gang *gang = &crew->gangs[i];
        for (size_t j = 0; gang->batch != NULL && j < gang->batch->job_count; j++) {
            bool is_open = (gang->is_done[0] & UINT64_C(1) << j) == 0;
            if (is_open && strcmp(gang->batch->jobs[j].id, id) == 0) {
                log_event(LOG_LEVEL_INFO, "worker-ended", id, "pid=%d", (int)gang->worker.pid);
                worker_kill(&gang->worker);
                return;
            }
        }
    }
}

/* Of the worker that has the job of this id and did not report it yet; NULL: nobody */
static struct progress_cell *cell_of(const struct crew *crew, const char *id)
{
    for (size_t i = 0; i < CREW_WORKERS_MAX; i++) {
        const struct gang *gang = &crew->gangs[i];
        for (size_t j = 0; gang->batch != NULL && j < gang->batch->job_count; j++) {
            bool is_open = (gang->is_done[0] & UINT64_C(1) << j) == 0;
            if (is_open && strcmp(gang->batch->jobs[j].id, id) == 0) {
                return progress_cell(crew->progress, i);
            }
        }
    }
    return NULL;
}

bool crew_wish(struct crew *crew, const char *id, uint32_t wish)
{
    struct progress_cell *cell = cell_of(crew, id);
    if (cell != NULL && atomic_load(&cell->wish) < wish) {
        atomic_store(&cell->wish, wish);
    }
    return cell != NULL;
}

void crew_take_back(struct crew *crew, const char *id, uint32_t wish)
{
    struct progress_cell *cell = cell_of(crew, id);
    if (cell != NULL && atomic_load(&cell->wish) == wish) { /* nobody else writes it */
        atomic_store(&cell->wish, 0);
    }
}

void crew_each(const struct crew *crew,
               void (*fn)(void *ctx, const char *kind, const char *id, uint64_t done, uint64_t of),
               void *ctx)
{
    for (size_t i = 0; i < CREW_WORKERS_MAX; i++) {
        const struct gang *gang = &crew->gangs[i];
        if (gang->batch == NULL) {
            continue;
        }
        struct progress_cell *cell = progress_cell(crew->progress, i);
        uint32_t at = atomic_load(&cell->phase);
        /* A job that was reported belongs to its owner again, who may have freed it. */
        if (at >= 1 && at <= gang->batch->job_count &&
            (gang->is_done[0] & UINT64_C(1) << (at - 1)) == 0) {
            fn(ctx, gang->batch->kind->name, gang->batch->jobs[at - 1].id, atomic_load(&cell->done),
               atomic_load(&cell->of));
        }
    }
}
