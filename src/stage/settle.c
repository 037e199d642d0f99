/*
 * settle - ends: finished, failed
 */
#include "stage/settle.h"

#include "spool/tree.h"

int64_t settle_due(const struct subject *subject)
{
    if (subject->view.state != STATE_HANDED_OVER) {
        return INT64_MAX;
    }
    if (subject->order->finish_on == HOUSE_FINISH_HAND_OVER) {
        return subject->view.since_ns;
    }
    int64_t due_ns = 0;
    return __builtin_add_overflow(subject->view.since_ns, subject->order->returns_wait_ns, &due_ns)
               ? INT64_MAX
               : due_ns;
}

static enum rc say(struct subject *subject, enum delivery_event event, enum delivery_state state,
                   const char *reason, int64_t now_ns, struct err *err)
{
    struct journal_writer writer = JOURNAL_WRITER_EMPTY;
    journal_begin(&writer, now_ns, event_name(event), JOURNAL_DAEMON);
    if (state != subject->view.state) {
        journal_put_text(&writer, "state", state_name(state));
    }
    journal_put_text(&writer, "reason", reason);
    enum rc rc = journal_end(&writer, err);
    if (rc != RC_OK) {
        journal_writer_release(&writer);
        return rc;
    }
    return subject_say(subject, &writer, err);
}

enum rc settle_say(struct subject *subject, enum delivery_event event, const char *reason,
                   int64_t now_ns, struct err *err)
{
    enum delivery_state next = STATE_NONE;
    enum rc rc = subject_next(subject, event, &next, err);
    return rc == RC_OK ? say(subject, event, next, reason, now_ns, err) : rc;
}

const char *settle_reason(const struct subject *subject)
{
    return subject->order->finish_on == HOUSE_FINISH_HAND_OVER ? NULL : "returns_wait is over";
}

enum rc settle_end(const struct stage_env *env, struct subject *subject, enum delivery_event event,
                   const char *reason, int64_t now_ns, struct err *err)
{
    enum rc rc = settle_say(subject, event, reason, now_ns, err);
    if (rc == RC_OK && state_is_terminal(subject->view.state)) {
        /* Nothing looks at done/ again: its last line is on disk before it gets there. */
        rc = spool_sync(env->spool, err);
    }
    return rc == RC_OK ? subject_move(env, subject, err) : rc;
}

enum rc settle_retry_line(struct subject *subject, enum delivery_event event, const char *reason,
                          int64_t now_ns, struct err *err)
{
    return say(subject, event, subject->view.state, reason, now_ns, err);
}
