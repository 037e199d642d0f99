/*
 * feedback - a file dropped in outbox/feedback/CHANNEL/ becomes rows of the channel's quarantine
 *
 * A file is taken whole or refused whole. Taken: whoever bounced, complained or unsubscribed is in
 * quarantine/CHANNEL.csv, durably, and then the file is moved to quarantine/taken/CHANNEL/. A crash
 * between is no harm: an address stands in the quarantine once (docs/SPOOL.md Q1). Who is
 * `delivered` is so with the delivery that the row names (stage/delivered.h).
 *
 * Who may drop: an operator, by the owner of the file. Who reads it is the daemon itself: rows are
 * parsed by channel/feedback, within its bounds.
 */
#ifndef POSTROOM_STAGE_FEEDBACK_H
#define POSTROOM_STAGE_FEEDBACK_H

#include "channel/feedback.h"
#include "stage/env.h"

#define FEEDBACK_TAKEN_DIR "taken" /* in quarantine/: CHANNEL/TIME-NAME below it */

/* What became of a file; no recipient in it. */
struct feedback_taken {
    size_t rows;
    size_t counts[FEEDBACK_STATUSES];
    size_t added;    /* to the quarantine: were not in it before */
    size_t recorded; /* as delivered, with their delivery */
};

/*
 * feedback_take - weigh one complete file of a door and act on it
 *
 * door     descriptor of outbox/feedback/CHANNEL
 * channel  enum house_channel_kind, not mail
 * Returns  RC_OK taken; RC_PERM refused, err says why, and the file lies in refused/; RC_TEMP
 *          later, it lies where it was; RC_GONE its owner took it back; RC_IO stop; RC_NOMEM
 * Cost     1,000,000 rows: about a second; 1 fdatasync
 */
enum rc feedback_take(const struct stage_env *env, int door, int channel, const char *name,
                      int64_t now_ns, struct feedback_taken *out, struct err *err) MUST_CHECK;

#endif
