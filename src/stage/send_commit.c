/*
 * send_commit - a thread that waits for the disk so that nobody else does
 */
#include "stage/send_commit.h"

#include "sys/clock.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum {
    STACK_BYTES = 256 * 1024,
    DISK_TRIES = 600, /* of a commit while the disk is full, one each half second */
    DISK_PAUSE_MS = 500
};

struct send_commit {
    struct progress_log *log;
    const struct bell *bell;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool has_thread;
    bool is_begun; /* the caller's alone */

    bool is_busy; /* under the lock, from here on */
    bool is_stopping;
    enum rc rc;
    struct err why;
};

static bool is_stopped(struct send_commit *commit)
{
    (void)pthread_mutex_lock(&commit->lock);
    bool is_stopping = commit->is_stopping;
    (void)pthread_mutex_unlock(&commit->lock);
    return is_stopping;
}

static enum rc write_group(struct send_commit *commit, struct err *why)
{
    enum rc rc = progress_log_write(commit->log, why);
    for (int i = 0; rc == RC_TEMP && i < DISK_TRIES && !is_stopped(commit); i++) {
        clock_pause_ms(DISK_PAUSE_MS);
        rc = progress_log_write(commit->log, why);
    }
    return rc;
}

/* With the lock held before and after. */
static void work(struct send_commit *commit)
{
    struct err why = {{0}};
    (void)pthread_mutex_unlock(&commit->lock);
    enum rc rc = write_group(commit, &why);
    (void)pthread_mutex_lock(&commit->lock);
    commit->rc = rc;
    commit->why = why;
    commit->is_busy = false;
    (void)pthread_cond_broadcast(&commit->changed);
    bell_ring(commit->bell);
}

static void *thread_main(void *ctx)
{
    struct send_commit *commit = ctx;
    (void)pthread_mutex_lock(&commit->lock);
    while (!commit->is_stopping) {
        if (commit->is_busy) {
            work(commit);
        } else {
            (void)pthread_cond_wait(&commit->changed, &commit->lock);
        }
    }
    (void)pthread_mutex_unlock(&commit->lock);
    return NULL;
}

/* Signals belong to the thread that knows what they mean. */
static void start_thread(struct send_commit *commit)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    if (pthread_attr_init(&attributes) != 0) {
        return;
    }
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    commit->has_thread = pthread_create(&commit->thread, &attributes, thread_main, commit) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
}

enum rc send_commit_open(struct progress_log *log, const struct bell *bell,
                         struct send_commit **out, struct err *err)
{
    struct send_commit *commit = calloc(1, sizeof *commit);
    if (commit == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a commit");
    }
    commit->log = log;
    commit->bell = bell;
    (void)pthread_mutex_init(&commit->lock, NULL);
    (void)pthread_cond_init(&commit->changed, NULL);
    start_thread(commit);
    *out = commit;
    return RC_OK;
}

void send_commit_free(struct send_commit *commit)
{
    if (commit == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&commit->lock);
    commit->is_stopping = true;
    (void)pthread_cond_broadcast(&commit->changed);
    (void)pthread_mutex_unlock(&commit->lock);
    if (commit->has_thread) {
        (void)pthread_join(commit->thread, NULL);
    }
    (void)pthread_cond_destroy(&commit->changed);
    (void)pthread_mutex_destroy(&commit->lock);
    free(commit);
}

enum rc send_commit_begin(struct send_commit *commit, struct err *err)
{
    assert(!commit->is_begun);
    enum rc rc = commit->rc == RC_OK ? RC_OK : progress_log_write(commit->log, err);
    rc = rc == RC_OK ? progress_log_seal(commit->log, err) : rc;
    if (rc != RC_OK) {
        return rc;
    }
    commit->is_begun = true;
    (void)pthread_mutex_lock(&commit->lock);
    commit->is_busy = true;
    (void)pthread_cond_broadcast(&commit->changed);
    if (!commit->has_thread) {
        work(commit);
    }
    (void)pthread_mutex_unlock(&commit->lock);
    return RC_OK;
}

bool send_commit_is_begun(const struct send_commit *commit)
{
    return commit->is_begun;
}

bool send_commit_is_busy(struct send_commit *commit)
{
    (void)pthread_mutex_lock(&commit->lock);
    bool is_busy = commit->is_busy;
    (void)pthread_mutex_unlock(&commit->lock);
    return is_busy;
}

enum rc send_commit_end(struct send_commit *commit, struct err *err)
{
    assert(commit->is_begun);
    (void)pthread_mutex_lock(&commit->lock);
    while (commit->is_busy) {
        (void)pthread_cond_wait(&commit->changed, &commit->lock);
    }
    enum rc rc = commit->rc;
    (void)pthread_mutex_unlock(&commit->lock);
    commit->is_begun = false;
    return rc == RC_OK ? RC_OK : err_set(err, rc, "%s", commit->why.text);
}
