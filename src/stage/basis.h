/*
 * basis - basis/STEP: `sha256sum` lines of what a step decides on
 */
#ifndef POSTROOM_STAGE_BASIS_H
#define POSTROOM_STAGE_BASIS_H

#include "delivery/order.h"
#include "money/lines.h"

/*
 * basis_write - write basis/target, basis/content, basis/budget for the steps that are on; not
 * synced
 *
 * target   the files that select (recipients, exclusions, seeds) and the target's settings
 * content  documents, and the settings of layout and notice
 * budget   the cost lines
 * Files are read and digested once. Returns RC_OK; RC_TEMP, RC_NOMEM
 */
enum rc basis_write(int dirfd, const struct order *order, const struct cost_lines *costs,
                    struct err *err) MUST_CHECK;

#endif
