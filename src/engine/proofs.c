/*
 * proofs - workers that make the lists of proofs; a send worker has them then (sends.c)
 */
#include "engine/inner.h"

#include "stage/proof.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <stdlib.h>

enum { MADE_MAX = 64 /* reported at once: more than there are workers */ };

struct proofs {
    struct crew_kind kind;
    struct proof *made[MADE_MAX];
    struct stage_report reports[MADE_MAX];
    size_t made_count;
};

static void run_proof(void *ctx, struct stage_report *report, struct progress_cell *cell)
{
    proof_work(ctx, report, cell);
}

static void on_made(void *owner, void *ctx, const struct stage_report *report)
{
    struct engine *engine = owner;
    struct proofs *proofs = engine->proofs;
    if (proofs->made_count == MADE_MAX) {
        proofs_commit(engine, clock_now_ns());
    }
    proofs->made[proofs->made_count] = ctx;
    proofs->reports[proofs->made_count++] = *report;
}

enum rc proofs_open(struct engine *engine, struct err *err)
{
    engine->proofs = calloc(1, sizeof *engine->proofs);
    if (engine->proofs == NULL) {
        return err_set(err, RC_NOMEM, "no memory for proofs");
    }
    engine->proofs->kind = (struct crew_kind){"postroom-proof", run_proof, on_made, engine, false};
    return RC_OK;
}

/* After a fault: doubled from 2 s to 17 min. */
static int64_t pause_ns(const struct item *item)
{
    return (INT64_C(2) << (item->failures < 9 ? item->failures : 9)) * NS_PER_SECOND;
}

static void put_off(struct engine *engine, struct item *item, enum rc rc, const struct err *err,
                    int64_t now_ns)
{
    item->work = WORK_NONE;
    item->due_ns = now_ns + pause_ns(item);
    item->failures++;
    engine_fail(engine, rc == RC_CORRUPT ? RC_PERM : rc, err, "proof", item->id);
}

static enum rc start_worker(struct engine *engine, struct proof *proof, struct err *err)
{
    static struct crew_batch batch;
    batch.kind = &engine->proofs->kind;
    batch.job_count = batch.dir_count = batch.keep_count = 0;
    works_add_dir(&batch, proof->subject.dirfd, WORKER_READ);
    works_add_dir(&batch, proof->dirfd, WORKER_WRITE);
    batch.jobs[batch.job_count++] = (struct crew_job){proof, proof->subject.id};
    works_open_lists(engine, &batch);
    enum rc rc = crew_start(engine->crew, &batch, err);
    lists_close(&engine->env.lists);
    return rc;
}

static void start_one(struct engine *engine, struct item *item, int64_t now_ns)
{
    struct proof *proof = NULL;
    struct err err = {{0}};
    item->work = WORK_NONE;
    enum rc rc = proof_begin(&engine->env, item->id, &proof, &err);
    if (rc == RC_STATE || rc == RC_GONE) {
        item_wake(engine, item); /* it moved on meanwhile: look again */
        return;
    }
    rc = rc == RC_OK ? start_worker(engine, proof, &err) : rc;
    if (rc != RC_OK) {
        put_off(engine, item, rc, &err, now_ns);
        proof_release(proof);
        return;
    }
    item->work = WORK_IN_FLIGHT;
}

void proofs_start(struct engine *engine, int64_t now_ns)
{
    while (engine->proof.first != NULL && crew_has_room(engine->crew, &engine->proofs->kind)) {
        start_one(engine, queue_take(&engine->proof), now_ns);
    }
}

static void commit_one(struct engine *engine, struct proof *proof,
                       const struct stage_report *report, int64_t now_ns)
{
    struct item *item = items_find(engine->items, proof->subject.id);
    struct err err = {{0}};
    enum rc rc = proof_fix(proof, report, now_ns, &err);
    engine->is_unsynced = true;
    if (item == NULL) {
        return;
    }
    bool is_told = rc == RC_PERM && report->outcome == REPORT_PREPARATION_ERROR;
    if (rc == RC_OK || is_told) { /* whole, or told to be impossible */
        item->work = WORK_NONE;
        item->failures = 0;
        item_wake(engine, item);
    } else {
        put_off(engine, item, rc, &err, now_ns);
    }
}

void proofs_commit(struct engine *engine, int64_t now_ns)
{
    struct proofs *proofs = engine->proofs;
    for (size_t i = 0; i < proofs->made_count; i++) {
        if (engine->fatal == RC_OK) {
            commit_one(engine, proofs->made[i], &proofs->reports[i], now_ns);
        }
        proof_release(proofs->made[i]);
    }
    proofs->made_count = 0;
}

size_t proofs_waiting(const struct engine *engine)
{
    return engine->proofs->made_count;
}

void proofs_release(struct engine *engine)
{
    if (engine->proofs != NULL) {
        for (size_t i = 0; i < engine->proofs->made_count; i++) {
            proof_release(engine->proofs->made[i]);
        }
        free(engine->proofs);
        engine->proofs = NULL;
    }
}
