/*
 * originals - drops that were taken in and have left their door are taken apart
 *
 * Small ones wait until nobody is at work (stage/originals.h). A large one is removed at once: what
 * it gives back, room on the disk and pages that were just in use, is what the extraction that
 * begins now asks for. That takes tenths of a second, and is done by the end of a process that
 * holds the files when their names are gone, not by the daemon.
 */
#include "engine/inner.h"

#include "stage/originals.h"

enum { AT_ONCE = 256, WAITING_MAX = 50000 };

#define LARGE_BYTES (UINT64_C(16) << 20)

/* Its end is what it is for. */
static int end(void *ctx, int report_fd)
{
    (void)ctx;
    (void)report_fd;
    return 0;
}

static void on_end(void *ctx, pid_t pid, int status)
{
    struct engine *engine = ctx;
    (void)pid;
    (void)status;
    worker_release(&engine->originals.worker);
}

/* Where no process is to be had, who closes them last pays: we. */
static void give_back(struct engine *engine, const struct originals_held *held)
{
    struct worker *worker = &engine->originals.worker;
    struct worker_options options = {
        .name = "postroom-remove", .keep_fds = held->fds, .keep_count = held->count, .body = end};
    if (worker_start(&options, worker, NULL) == RC_OK &&
        loop_child(engine->loop, worker->pid, worker->pidfd, on_end, engine, NULL) != RC_OK) {
        (void)!worker_wait(worker, &(int){0}, NULL);
        worker_release(worker);
    }
}

void originals_add(struct engine *engine, const char *id, uint64_t bytes)
{
    struct originals *originals = &engine->originals;
    static struct originals_held held;
    if (bytes < LARGE_BYTES || originals->worker.pid > 0 || originals->is_purging) {
        originals->waiting++;
        return;
    }
    originals->waiting += originals_remove(&engine->env, id, &held, NULL) != RC_OK;
    give_back(engine, &held);
    originals_held_release(&held);
}

bool originals_are_many(const struct engine *engine)
{
    return engine->originals.waiting >= WAITING_MAX;
}

struct purge *originals_purge_begin(struct engine *engine)
{
    struct originals *originals = &engine->originals;
    struct purge *purge = originals->waiting > 0 ? originals_begin(&engine->env, AT_ONCE) : NULL;
    originals->known = originals->waiting;
    originals->is_purging = purge != NULL;
    return purge;
}

/* What has come since it began is for the next one. */
void originals_purge_end(struct engine *engine, struct purge *purge)
{
    struct originals *originals = &engine->originals;
    if (purge == NULL) {
        return;
    }
    size_t known = originals->known;
    size_t removed = originals_end(purge);
    size_t left = removed < AT_ONCE || removed > known ? 0 : known - removed;
    originals->waiting = originals->waiting - known + left;
    originals->is_purging = false;
}

void originals_close(struct engine *engine)
{
    worker_release(&engine->originals.worker); /* it ends by itself */
}
