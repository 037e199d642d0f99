/*
 * delivered - rows of feedback that say of messages that they arrived, to the deliveries they name
 *
 * A row names its delivery by `reference`, or by `delivery`, and then its recipient by key or
 * address. It becomes a line of the delivery's `receipts` (delivery/progress.h), once.
 */
#ifndef POSTROOM_STAGE_DELIVERED_H
#define POSTROOM_STAGE_DELIVERED_H

#include "channel/feedback.h"
#include "stage/env.h"

/*
 * delivered_record - all rows with FEEDBACK_DELIVERED; others are passed over
 *
 * channel       enum house_channel_kind: a delivery of another one is not meant
 * out_recorded  recipients that were not known as delivered before
 * Returns       RC_OK, also where rows name nobody; RC_TEMP later, twice is as once; RC_NOMEM;
 * RC_IO stop Cost          for each delivery that is named: its progress read, its list where a row
 * has no reference, 1 fdatasync
 */
enum rc delivered_record(const struct stage_env *env, int channel, const struct feedback *feedback,
                         int64_t now_ns, size_t *out_recorded, struct err *err) MUST_CHECK;

#endif
