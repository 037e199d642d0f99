/*
 * decide - a file dropped in approved/ becomes a decision on a delivery, or is refused
 *
 * Weighing: who dropped it (operator/identity), what it says (operator/decision), whether it means
 * what stands now (state, basis digest, age), whether that person may (operator/right). Then it
 * moves into decisions/, its effects are made, and a line names it. Effects may run twice; a crash
 * between is finished by decide_again (docs/SPOOL.md D1).
 */
#ifndef POSTROOM_STAGE_DECIDE_H
#define POSTROOM_STAGE_DECIDE_H

#include "operator/right.h"
#include "stage/env.h"
#include "stage/subject.h"

enum { DECIDE_NAME_BYTES = 256 };

/* What became of a file. */
struct decided {
    char id[ID_BYTES_MAX + 1]; /* of the delivery; "" when it could not be told */
    enum delivery_state state; /* afterwards; STATE_NONE when refused */
    bool ends_worker;    /* RC_TEMP: a permitted stop waits for the worker that has the delivery */
    bool pauses_worker;  /* RC_OK: a pause: whoever sends it begins nothing more */
    bool resumes_worker; /* RC_OK: who still waits for answers goes on */
    bool is_unfinished; /* it was accepted, and a fault came before its end: decide_again ends it */
};

/*
 * decide_file - weigh one complete file of a door and act on it; the group's sync is the caller's
 *
 * door     descriptor of approved/ or approved/OPERATOR/
 * folder   OPERATOR, or NULL
 * name     in the door
 * is_busy  a worker has that delivery: asked with the id; a decision that cannot wait beside a
 * worker is RC_TEMP Returns  RC_OK accepted; RC_PERM refused, err says why, and the file lies in
 * refused/; RC_TEMP later, the file lies where it was; RC_GONE its owner took it back; RC_IO stop;
 * RC_NOMEM
 */
enum rc decide_file(const struct stage_env *env, int door, const char *folder, const char *name,
                    int64_t now_ns, bool (*is_busy)(void *ctx, const char *id), void *ctx,
                    struct decided *out, struct err *err) MUST_CHECK;

/*
 * decide_again - finish what a crash interrupted: every file in decisions/ that no line names
 * Returns RC_OK; RC_TEMP, RC_IO, RC_NOMEM
 */
enum rc decide_again(const struct stage_env *env, struct subject *subject, int64_t now_ns,
                     struct err *err) MUST_CHECK;

/* decide_is_ready - every step that comes before the extraction is approved or off */
bool decide_is_ready(const struct subject *subject);

/* decide_step_on - the step waits for somebody in this delivery (it is on and exists for its
 * channel) */
bool decide_step_on(const struct order *order, enum step step);

/* decide_settings - whom a decision on a step is asked of: the step's own, but a proof may be asked
 * for by who reviews the content */
struct right_settings decide_settings(const struct order *order, enum step step, enum verb verb);

/* decide_say_ready - the line `ready` with the next state; RC_STATE when something is still open */
enum rc decide_say_ready(struct subject *subject, int64_t now_ns, struct err *err) MUST_CHECK;

#endif
