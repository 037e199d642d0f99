/*
 * settle - ends: finished, failed
 */
#ifndef POSTROOM_STAGE_SETTLE_H
#define POSTROOM_STAGE_SETTLE_H

#include "stage/subject.h"

/*
 * settle_due - when a delivery that is handed over ends by itself
 * Returns the instant (now_ns or earlier: at once); INT64_MAX never by itself
 */
int64_t settle_due(const struct subject *subject);

/*
 * settle_end - the line of a terminal event, then its place done/; not synced
 * event   EVENT_FINISHED, EVENT_FAILED
 * Returns RC_OK; RC_STATE not from this state; RC_TEMP, RC_IO, RC_NOMEM
 */
enum rc settle_end(const struct stage_env *env, struct subject *subject, enum delivery_event event,
                   const char *reason, int64_t now_ns, struct err *err) MUST_CHECK;

/* settle_say - only the line of settle_end: for a group, that shares the sync before the moves.
 * Returns as settle_end */
enum rc settle_say(struct subject *subject, enum delivery_event event, const char *reason,
                   int64_t now_ns, struct err *err) MUST_CHECK;

/* settle_reason - why a delivery that is handed over ends; NULL: as ordered */
const char *settle_reason(const struct subject *subject);

/* settle_fail_line - only the line of a failure that may be tried again (extraction-failed) */
enum rc settle_retry_line(struct subject *subject, enum delivery_event event, const char *reason,
                          int64_t now_ns, struct err *err) MUST_CHECK;

#endif
