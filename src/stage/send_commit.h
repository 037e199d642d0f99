/*
 * send_commit - a group of progress put on disk by a thread of its own, while others are on their
 * way
 *
 * One group at a time: begin seals it (what is recorded from then on belongs to the next one), end
 * says that it is on disk. While the disk is full it is tried again and again: what was said to the
 * other side must not be forgotten. Where no thread can be had, begin does the work itself.
 */
#ifndef POSTROOM_STAGE_SEND_COMMIT_H
#define POSTROOM_STAGE_SEND_COMMIT_H

#include "delivery/progress.h"
#include "sys/bell.h"

#include <stdbool.h>

struct send_commit;

/*
 * send_commit_open - for one log, which is the caller's to add to and nobody's to commit otherwise
 * bell     rung at the end of each commit; borrowed like the log
 * Returns  RC_OK; RC_NOMEM
 */
enum rc send_commit_open(struct progress_log *log, const struct bell *bell,
                         struct send_commit **out, struct err *err) MUST_CHECK;

/* send_commit_free - waits for a commit under way. NULL is allowed */
void send_commit_free(struct send_commit *commit);

/* send_commit_begin - not while one is begun (asserted). RC_OK; RC_NOMEM; RC_TEMP, RC_IO as said of
 * the one before, which still is not on disk */
enum rc send_commit_begin(struct send_commit *commit, struct err *err) MUST_CHECK;

/* send_commit_is_begun - begun, and its end was not asked for; no system call */
bool send_commit_is_begun(const struct send_commit *commit);

/* send_commit_is_busy - begun, and not on disk yet */
bool send_commit_is_busy(struct send_commit *commit);

/*
 * send_commit_end - of one that was begun (asserted); waits for it
 * Returns  RC_OK on disk; RC_TEMP the disk was full all the time, the group is kept; RC_IO stop
 * this process
 */
enum rc send_commit_end(struct send_commit *commit, struct err *err) MUST_CHECK;

#endif
