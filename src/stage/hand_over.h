/*
 * hand_over - the archive goes to the router: into its pickup/, complete, by rename
 *
 * Disk states: docs/SPOOL.md O1 to O3. The archive moves, never a copy: when it is gone from the
 * delivery it was published.
 */
#ifndef POSTROOM_STAGE_HAND_OVER_H
#define POSTROOM_STAGE_HAND_OVER_H

#include "stage/subject.h"

/* One delivery on its way out. */
struct hand_over {
    struct subject subject;
    enum rc rc;
    struct err err;
};

/*
 * hand_over_group - publish the archives of a group: state `sending`, place outbox/deliveries,
 * sync, pickup, sync, line
 *
 * Each comes with state extracting (extracted, not to be approved), extraction-to-approve
 * (approved) or sending (a crash was between). Sets rc and err of each. Returns RC_OK; RC_IO stop.
 */
enum rc hand_over_group(const struct stage_env *env, struct hand_over *group, size_t count,
                        int64_t now_ns, struct err *err) MUST_CHECK;

/*
 * hand_over_recall - take an archive back from pickup/ into the delivery, and what lies beside it
 * away: for `stop` with recalled = true. May run twice; one that the router has fetched and removed
 * is no fault. Returns RC_OK; RC_TEMP, RC_IO, RC_PERM
 */
enum rc hand_over_recall(const struct stage_env *env, struct subject *subject,
                         struct err *err) MUST_CHECK;

#endif
