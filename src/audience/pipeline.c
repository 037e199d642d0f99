/*
 * pipeline - blocks through all threads, and together again in the order of the file
 *
 *        read          select        commit          copy
 *   FREE ------> BUSY --------> DONE -------> COPYING ------> FREE
 *
 * Reading is for one at a time, committing too, in order; selecting and copying for all.
 *
 * A ring of jobs; block n is job n modulo the ring. Every thread does whatever is next: commit the
 * oldest job if it is done, else read the next block and work on it, else wait. A block whose
 * reading or selection failed is committed like the others, so that the first fault of the file is
 * the one that is told.
 */
#include "audience/audience_inner.h"

#include <pthread.h>
#include <stdlib.h>

enum job_state { JOB_FREE, JOB_BUSY, JOB_DONE, JOB_COPYING };

/* Jobs for each thread: one in work, one done or being committed. */
enum { JOBS_EACH = 2, JOBS_MAX = JOBS_EACH * AUDIENCE_THREADS_MAX + 1 };

struct pipeline {
    struct job jobs[JOBS_MAX];
    struct audience *audience;
    struct csv_block first; /* the rest of the block that the header is in */
    struct csv_reader *reader;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum job_state states[JOBS_MAX];
    size_t jobs_count;
    uint64_t next_read;
    uint64_t next_commit;
    bool is_reading;
    bool is_committing;
    unsigned copying; /* jobs that are COPYING */
    bool is_read;     /* no block follows next_read */
    enum rc rc;       /* anything but RC_OK: all stop */
    struct err err;
};

struct thread {
    struct worker worker;
    struct pipeline *pipeline;
    pthread_t id;
};

static enum rc read_block(struct pipeline *pipeline, struct job *job)
{
    if (pipeline->next_read == 0) {
        csv_block_release(&job->block);
        job->block = pipeline->first;
        pipeline->first = (struct csv_block){0};
        return RC_OK;
    }
    return csv_reader_next(pipeline->reader, &job->block, &job->err);
}

static void show_progress(const struct pipeline *pipeline)
{
    const struct audience_progress *progress = &pipeline->audience->options.progress;
    uint64_t done = 0;
    uint64_t total = 0;

    csv_reader_progress(pipeline->reader, &done, &total);
    if (progress->bytes_done != NULL) {
        atomic_store_explicit(progress->bytes_done, done, memory_order_relaxed);
    }
    if (progress->bytes_total != NULL) {
        atomic_store_explicit(progress->bytes_total, total, memory_order_relaxed);
    }
}

static void add_rows(struct audience *audience, uint64_t rows)
{
    audience->counts.rows += rows;
    if (audience->options.progress.rows_done != NULL) {
        atomic_store_explicit(audience->options.progress.rows_done, audience->counts.rows,
                              memory_order_relaxed);
    }
}

/* out_to: where the chunk is to be copied */
static enum rc commit(struct pipeline *pipeline, struct worker *worker, struct job *job,
                      char **out_to)
{
    struct audience *audience = pipeline->audience;
    struct err *err = &pipeline->err;

    if (job->rc != RC_OK) {
        return err_set(err, job->rc, "%s", job->err.text);
    }
    if (audience->known.is_on) {
        uint64_t before = audience->outcome.candidates;
        audience->outcome.candidates += job->candidates_count;
        add_rows(audience, job->rows);
        return order_place_chunk(&audience->order, &job->chunk, before, out_to, err);
    }
    uint64_t log_base = spill_size(&audience->log);
    uint64_t sequence = audience->duplicates.count;
    enum rc rc = spill_add(&audience->log, job->log.ptr, job->log.len, err);
    if (rc == RC_OK) {
        rc = duplicates_add(&audience->duplicates, job->candidates, job->candidates_count, log_base,
                            err);
    }
    if (rc == RC_OK) {
        rc = job->is_late
                 ? late_add(audience, worker, job->refs, job->candidates_count, sequence, err)
                 : order_place_chunk(&audience->order, &job->chunk, sequence, out_to, err);
    }
    add_rows(audience, job->rows);
    for (size_t i = 0; i < CAUSE_COUNT; i++) {
        audience->counts.excluded[i] += job->excluded[i];
    }
    return rc;
}

static void stop(struct pipeline *pipeline, enum rc rc)
{
    if (rc != RC_OK && pipeline->rc == RC_OK) {
        pipeline->rc = rc;
    }
}

/* With the mutex held; it is let go for the commit itself, and for the copy. */
static void do_commit(struct pipeline *pipeline, struct worker *worker)
{
    size_t at = (size_t)(pipeline->next_commit % pipeline->jobs_count);
    struct job *job = &pipeline->jobs[at];
    char *to = NULL;

    pipeline->is_committing = true;
    pthread_mutex_unlock(&pipeline->mutex);
    enum rc rc = commit(pipeline, worker, job, &to);
    pthread_mutex_lock(&pipeline->mutex);
    pipeline->is_committing = false;
    pipeline->states[at] = JOB_COPYING;
    pipeline->copying++;
    pipeline->next_commit++;
    stop(pipeline, rc);
    pthread_cond_broadcast(&pipeline->changed);
    pthread_mutex_unlock(&pipeline->mutex);
    order_copy_chunk(&job->chunk, to);
    pthread_mutex_lock(&pipeline->mutex);
    pipeline->states[at] = JOB_FREE;
    pipeline->copying--;
    pthread_cond_broadcast(&pipeline->changed);
}

/* With the mutex held: the oldest job is done, and what it needs of those before it is there. */
static bool may_commit(const struct pipeline *pipeline)
{
    size_t at = (size_t)(pipeline->next_commit % pipeline->jobs_count);
    const struct job *job = &pipeline->jobs[at];
    return !pipeline->is_committing && pipeline->next_commit < pipeline->next_read &&
           pipeline->states[at] == JOB_DONE &&
           (pipeline->copying == 0 ||
            (!job->is_late && !order_is_full(&pipeline->audience->order, &job->chunk)));
}

/* With the mutex held; it is let go for reading and selecting. */
static void do_block(struct pipeline *pipeline, struct worker *worker)
{
    size_t at = (size_t)(pipeline->next_read % pipeline->jobs_count);
    struct job *job = &pipeline->jobs[at];

    pipeline->is_reading = true;
    pipeline->states[at] = JOB_BUSY;
    pthread_mutex_unlock(&pipeline->mutex);
    enum rc rc = read_block(pipeline, job);
    pthread_mutex_lock(&pipeline->mutex);
    pipeline->is_reading = false;
    show_progress(pipeline);
    if (rc == RC_GONE) {
        pipeline->is_read = true;
        pipeline->states[at] = JOB_FREE;
        pthread_cond_broadcast(&pipeline->changed);
        return;
    }
    pipeline->next_read++;
    pipeline->is_read = rc != RC_OK;
    pthread_cond_broadcast(&pipeline->changed);
    if (rc == RC_OK) {
        pthread_mutex_unlock(&pipeline->mutex);
        select_block(worker, job);
        pthread_mutex_lock(&pipeline->mutex);
    } else {
        job->rc = rc;
    }
    pipeline->states[at] = JOB_DONE;
    pthread_cond_broadcast(&pipeline->changed);
}

static void *work(void *arg)
{
    struct thread *thread = arg;
    struct pipeline *p = thread->pipeline;

    pthread_mutex_lock(&p->mutex);
    while (p->rc == RC_OK && !(p->is_read && p->next_commit == p->next_read)) {
        size_t next = (size_t)(p->next_read % p->jobs_count);
        if (may_commit(p)) {
            do_commit(p, &thread->worker);
        } else if (!p->is_reading && !p->is_read && p->states[next] == JOB_FREE) {
            do_block(p, &thread->worker);
        } else {
            pthread_cond_wait(&p->changed, &p->mutex);
        }
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

void *lines_calloc(size_t size)
{
    size_t whole = (size + CACHE_LINES - 1) / CACHE_LINES * CACHE_LINES;
    void *lines = aligned_alloc(CACHE_LINES, whole);
    return lines == NULL ? NULL : memset(lines, 0, whole);
}

bool audience_worker_init(struct worker *worker, const struct audience *audience, unsigned number)
{
    *worker = (struct worker){.audience = audience, .number = number, .index = CSV_INDEX_EMPTY};
    worker->fields = lines_calloc(audience->columns * sizeof *worker->fields);
    for (size_t i = 0; worker->fields != NULL && i < audience->columns; i++) {
        worker->fields[i] = SLICE_LITERAL("");
    }
    return worker->fields != NULL;
}

void audience_worker_release(struct worker *worker)
{
    csv_index_release(&worker->index);
    free(worker->fields);
    buf_release(&worker->scratch);
    buf_release(&worker->found);
    buf_release(&worker->composite);
    buf_release(&worker->rows);
    buf_release(&worker->chunk.bytes);
}

static void job_release(struct job *job)
{
    csv_block_release(&job->block);
    buf_release(&job->log);
    free(job->candidates);
    free(job->refs);
    buf_release(&job->chunk.bytes);
}

/* The calling thread is one of them; where others cannot be started, fewer do the same work. */
static void run_threads(struct thread *threads, unsigned count)
{
    unsigned started = 1;

    for (; started < count; started++) {
        if (pthread_create(&threads[started].id, NULL, work, &threads[started]) != 0) {
            break;
        }
    }
    work(&threads[0]);
    for (unsigned i = 1; i < started; i++) {
        pthread_join(threads[i].id, NULL);
    }
}

enum rc pipeline_run(struct audience *audience, struct err *err)
{
    unsigned count = audience->threads;
    struct pipeline *pipeline = lines_calloc(sizeof *pipeline);
    struct thread *threads = lines_calloc(count * sizeof *threads);
    enum rc rc = pipeline == NULL || threads == NULL ? RC_NOMEM : RC_OK;

    for (unsigned i = 0; rc == RC_OK && i < count; i++) {
        threads[i].pipeline = pipeline;
        rc = audience_worker_init(&threads[i].worker, audience, i) ? RC_OK : RC_NOMEM;
    }
    if (rc == RC_OK) {
        pipeline->audience = audience;
        pipeline->jobs_count = (size_t)JOBS_EACH * count + (count > 1);
        pipeline->reader = csv_cursor_take(audience->cursor, &pipeline->first);
        late_begin(audience, late_rows_expected(audience, &pipeline->first));
        pthread_mutex_init(&pipeline->mutex, NULL);
        pthread_cond_init(&pipeline->changed, NULL);
        run_threads(threads, count);
        pthread_mutex_destroy(&pipeline->mutex);
        pthread_cond_destroy(&pipeline->changed);
        rc = pipeline->rc == RC_OK ? RC_OK : err_set(err, pipeline->rc, "%s", pipeline->err.text);
    } else {
        err_set(err, RC_NOMEM, "no memory");
    }
    for (unsigned i = 0; threads != NULL && i < count; i++) {
        audience_worker_release(&threads[i].worker);
    }
    for (size_t i = 0; pipeline != NULL && i < JOBS_MAX; i++) {
        job_release(&pipeline->jobs[i]);
    }
    if (pipeline != NULL) {
        csv_block_release(&pipeline->first);
    }
    free(threads);
    free(pipeline);
    return rc;
}
