/*
 * subject - one delivery opened for a use case
 */
#include "stage/subject.h"

#include "stage/shelf.h"
#include "sys/fs.h"

#include <string.h>

enum rc order_load_from(int dirfd, struct order **out, struct err *err)
{
    struct buf text = BUF_EMPTY;
    enum rc rc = fs_read_small(dirfd, SETTINGS_FILE, SETTINGS_BYTES_MAX, &text, err);
    if (rc == RC_OK) {
        rc = order_load(buf_slice(&text), SETTINGS_FILE, out, err);
    }
    buf_release(&text);
    return rc;
}

enum rc subject_open_at(const struct spool *spool, enum stage stage, const char *id,
                        struct subject *out, struct err *err)
{
    struct subject subject = SUBJECT_NONE;
    (void)strncpy(subject.id, id, sizeof subject.id - 1);
    subject.stage = stage;
    enum rc rc = spool_open_delivery(spool, stage, id, &subject.dirfd, err);
    if (rc == RC_OK) {
        rc = order_load_from(subject.dirfd, &subject.order, err);
        /* Its place is there but its settings are not: that is damage, not absence. */
        rc = rc == RC_GONE ? RC_CORRUPT : rc;
    }
    if (rc == RC_OK) {
        rc = view_load(subject.dirfd, &subject.view, err);
        rc = rc == RC_GONE ? RC_CORRUPT : rc;
    }
    if (rc != RC_OK) {
        subject_close(&subject);
        return err_add(err, rc, "%s", id);
    }
    *out = subject;
    return RC_OK;
}

enum rc subject_open(const struct spool *spool, const char *id, struct subject *out,
                     struct err *err)
{
    enum stage stage = STAGE_PENDING;
    enum rc rc = spool_locate(spool, id, &stage, err);
    return rc == RC_OK ? subject_open_at(spool, stage, id, out, err) : rc;
}

enum rc subject_open_next(const struct stage_env *env, const char *id, struct subject *out,
                          struct err *err)
{
    return shelf_take(env->shelf, env->spool, id, out) ? RC_OK
                                                       : subject_open(env->spool, id, out, err);
}

void subject_close(struct subject *subject)
{
    fs_drop(&subject->dirfd);
    order_free(subject->order);
    subject->order = NULL;
    view_release(&subject->view);
}

struct delivery_path subject_path(const struct order *order)
{
    return (struct delivery_path){
        .is_online = order->channel != HOUSE_MAIL,
        .wants_confirm = order->needs_confirmation,
        .wants_extraction_approval = order->steps[ORDER_STEP_EXTRACTION].is_on,
        .wants_proof = order->steps[ORDER_STEP_PROOF].is_on,
    };
}

enum rc subject_next(const struct subject *subject, enum delivery_event event,
                     enum delivery_state *out, struct err *err)
{
    struct delivery_path path = subject_path(subject->order);
    return state_after(subject->view.state, event, &path, out, err);
}

enum rc subject_reload(struct subject *subject, struct err *err)
{
    view_release(&subject->view);
    return view_load(subject->dirfd, &subject->view, err);
}

enum rc subject_say(struct subject *subject, struct journal_writer *writer, struct err *err)
{
    struct slice lines = buf_slice(&writer->lines);
    enum rc rc = journal_append(subject->dirfd, lines, err);
    if (rc == RC_OK) {
        rc = view_add(&subject->view, lines, err);
        rc = rc == RC_STATE ? subject_reload(subject, err) : rc;
    }
    journal_writer_release(writer);
    return rc;
}

enum rc subject_move(const struct stage_env *env, struct subject *subject, struct err *err)
{
    enum stage to = state_stage(subject->view.state);
    if (to == subject->stage) {
        return RC_OK;
    }
    if (to == STAGE_DONE) {
        (void)!fs_remove(subject->dirfd, KEPT_FILE, NULL); /* before: nobody looks there again */
    }
    enum rc rc = spool_move(env->spool, subject->id, subject->stage, to, err);
    if (rc == RC_OK) {
        subject->stage = to;
    }
    return rc;
}
