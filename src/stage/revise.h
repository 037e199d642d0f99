/*
 * revise - a drop with the id of a delivery that exists: its next revision
 *
 * The new directory is made whole in run/intake with the history of the old one, then the two
 * change places in one instant (RENAME_EXCHANGE), and the old one goes to revisions/N of the new.
 * Disk state: docs/SPOOL.md I3.
 */
#ifndef POSTROOM_STAGE_REVISE_H
#define POSTROOM_STAGE_REVISE_H

#include "stage/take_in.h"

/*
 * revise_carry_over - copy journal, decisions and what else is history into the staged directory;
 * the basis of a step that did not change keeps its time, so that decisions on it are still on it
 * Returns RC_OK; RC_TEMP, RC_NOMEM
 */
enum rc revise_carry_over(int staged_fd, int previous_fd, struct err *err) MUST_CHECK;

/* revise_keeps_step - basis/STEP is the same in both: the step keeps its answer. false without a
 * previous one */
bool revise_keeps_step(int staged_fd, int previous_fd, enum step step);

/*
 * revise_is_same_ground - in the worker: do both directories select and lay out the same, at the
 * same costs, with the same documents? What is in extract/ then stays there (CONTRACT.md section
 * 3). false also where it cannot be told
 */
bool revise_is_same_ground(int staged_fd, int previous_fd);

/*
 * revise_in_place - the revision of a delivery whose extraction stays: settings are replaced, the
 * old ones put away Returns RC_OK; RC_TEMP it moved on meanwhile; RC_IO, RC_CORRUPT, RC_NOMEM
 */
enum rc revise_in_place(struct take_in *take, int64_t now_ns, struct err *err) MUST_CHECK;

/*
 * revise_admit - undo what the old revision had extracted, exchange the directories, put the old
 * one away Returns RC_OK; RC_GONE the old one has moved on; RC_TEMP, RC_IO, RC_CORRUPT, RC_NOMEM
 */
enum rc revise_admit(struct take_in *take, int64_t now_ns, struct err *err) MUST_CHECK;

/*
 * revise_put_away_left - an old revision that was exchanged out, and met a fault before it was put
 * away, goes to revisions/ now; what else lies in run/intake/ID is left alone Returns RC_OK;
 * RC_TEMP, RC_IO
 */
enum rc revise_put_away_left(const struct stage_env *env, const char *id,
                             struct err *err) MUST_CHECK;

/*
 * revise_recover - finish what a crash left in run/intake (I3), before it is emptied
 * Returns RC_OK; RC_TEMP, RC_IO, RC_NOMEM
 */
enum rc revise_recover(const struct stage_env *env, struct err *err) MUST_CHECK;

#endif
