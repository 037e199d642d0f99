/*
 * recover - what a restart does with each delivery
 */
#include "stage/recover.h"

#include "stage/decide.h"
#include "stage/extract.h"
#include "stage/revise.h"
#include "sys/fs.h"
#include "sys/log.h"

struct recovery {
    const struct stage_env *env;
    int64_t now_ns;
    enum stage stage;
    void (*fn)(void *ctx, const char *id, enum delivery_state state, bool is_unfinished);
    void *ctx;
    struct err err;
};

static enum rc cut_torn_journal(const struct recovery *r, const char *id, struct err *err)
{
    int dirfd = -1;
    size_t cut = 0;
    enum rc rc = spool_open_delivery(r->env->spool, r->stage, id, &dirfd, err);
    rc = rc == RC_OK ? journal_cut_torn_tail(dirfd, &cut, err) : rc;
    fs_drop(&dirfd);
    if (cut > 0) {
        log_event(LOG_LEVEL_WARNING, "journal-cut", id, "bytes=%zu", cut);
    }
    return rc;
}

/* P2: what was extracted with the count is not kept where the daemon that waited for it is gone. */
static enum rc drop_made(const struct subject *subject, struct err *err)
{
    if (subject->stage != STAGE_PENDING) {
        return RC_OK;
    }
    enum rc rc = fs_remove_tree(subject->dirfd, extract_way_of(subject->order)->temporary, err);
    return rc == RC_GONE ? RC_OK : rc;
}

static enum rc recover_delivery(void *ctx, const char *id)
{
    struct recovery *r = ctx;
    struct subject subject = SUBJECT_NONE;
    struct err err = {{0}};
    enum rc rc = cut_torn_journal(r, id, &err);
    rc = rc == RC_OK ? subject_open_at(r->env->spool, r->stage, id, &subject, &err) : rc;
    rc = rc == RC_OK ? drop_made(&subject, &err) : rc;
    rc = rc == RC_OK ? decide_again(r->env, &subject, r->now_ns, &err) : rc;
    rc = rc == RC_OK ? subject_move(r->env, &subject, &err) : rc;
    if (rc == RC_OK) {
        r->fn(r->ctx, id, subject.view.state, false);
    }
    subject_close(&subject);
    if (rc == RC_IO) {
        r->err = err;
        return rc;
    }
    if (rc != RC_OK && rc != RC_CORRUPT) {
        r->fn(r->ctx, id, STATE_TARGET_READY, true);
    } else if (rc != RC_OK) {
        log_event(LOG_LEVEL_ERROR, "delivery-set-aside", id, "reason=\"%s\"", err.text);
    }
    return RC_OK;
}

enum rc recover_spool(const struct stage_env *env, int64_t now_ns,
                      void (*fn)(void *ctx, const char *id, enum delivery_state state,
                                 bool is_unfinished),
                      void *ctx, struct err *err)
{
    struct recovery recovery = {.env = env, .now_ns = now_ns, .fn = fn, .ctx = ctx};
    enum rc rc = revise_recover(env, err);
    rc = rc == RC_OK ? spool_clear_intake(env->spool, err) : rc;
    static const enum stage stages[] = {STAGE_OUTBOX, STAGE_EXTRACT, STAGE_PENDING};
    for (size_t i = 0; rc == RC_OK && i < sizeof stages / sizeof stages[0]; i++) {
        recovery.stage = stages[i];
        rc = spool_scan(env->spool, stages[i], recover_delivery, &recovery, err);
        if (rc == RC_IO && recovery.err.text[0] != '\0') {
            *err = recovery.err;
        }
    }
    return rc == RC_OK ? spool_sync(env->spool, err) : rc;
}
