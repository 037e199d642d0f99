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
 * hand_over_begin - state `sending` and place outbox/deliveries, for a group
 *
 * Each comes with state extracting (extracted, not to be approved), extraction-to-approve
 * (approved) or sending (a crash was between). Sets rc and err of each, as the next steps do for
 * those whose rc is RC_OK. Then sync the spool, and hand_over_publish().
 */
void hand_over_begin(const struct stage_env *env, struct hand_over *group, size_t count,
                     int64_t now_ns);

/* hand_over_publish - what lies beside the archives, and the archives, into pickup/; then sync the
 * spool, and hand_over_end() */
void hand_over_publish(const struct stage_env *env, struct hand_over *group, size_t count);

/* hand_over_end - the line of each whose archive lies in pickup/, on disk; one whose name another's
 * archive has fails (RC_PERM, state failed). Returns RC_OK; RC_IO stop */
enum rc hand_over_end(const struct stage_env *env, struct hand_over *group, size_t count,
                      int64_t now_ns, struct err *err) MUST_CHECK;

/*
 * hand_over_recall - take an archive back from pickup/ into the delivery, and what lies beside it
 * away: for `stop` with recalled = true. May run twice; one that the router has fetched and removed
 * is no fault. Returns RC_OK; RC_TEMP, RC_IO, RC_PERM
 */
enum rc hand_over_recall(const struct stage_env *env, struct subject *subject,
                         struct err *err) MUST_CHECK;

#endif
