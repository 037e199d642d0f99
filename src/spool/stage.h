/*
 * stage - where a delivery stands: its directory's place is its stage, one rename is the commit of
 * a change
 *
 *     run/intake --> pending <--> extract --> outbox --> done
 *                       \____________\___________________^
 */
#ifndef POSTROOM_SPOOL_STAGE_H
#define POSTROOM_SPOOL_STAGE_H

#include "spool/tree.h"

#include <stddef.h>

enum stage { STAGE_PENDING, STAGE_EXTRACT, STAGE_OUTBOX, STAGE_DONE, STAGE_COUNT };

/* Deliveries in one stage: 100,000 is what the numbers of the house are made for; beyond this
 * something runs away. */
enum { STAGE_DELIVERIES_MAX = 2000000 };

/* stage_name - "pending", "extract", "outbox", "done" */
const char *stage_name(enum stage stage);

/* stage_dir - descriptor of the stage's directory, borrowed */
int stage_dir(const struct spool *spool, enum stage stage);

/*
 * spool_move - move one delivery between stages; on disk after the next spool_sync()
 *
 * id        valid delivery id (asserted)
 * Returns   RC_OK      it is in `to`
 *           RC_GONE    it is not in `from`; nothing changed
 *           RC_EXISTS  `to` already holds this id; nothing changed
 *           RC_TEMP    nothing changed, try again later
 *           RC_IO      outcome unknown: in exactly one of the two; ask spool_locate()
 * Cost      1 rename
 */
enum rc spool_move(const struct spool *spool, const char *id, enum stage from, enum stage to,
                   struct err *err) MUST_CHECK;

/* spool_move_durable - the same, with both directories synced. Cost: 1 rename, 2 fsync */
enum rc spool_move_durable(const struct spool *spool, const char *id, enum stage from,
                           enum stage to, struct err *err) MUST_CHECK;

/* spool_admit - run/intake/NAME becomes pending/ID: a delivery is taken. Not synced. Returns as
 * spool_move. */
enum rc spool_admit(const struct spool *spool, const char *name, const char *id,
                    struct err *err) MUST_CHECK;

/*
 * spool_locate - the stage of a delivery
 * Returns RC_OK; RC_GONE in none; RC_CORRUPT in two (both named in the text; neither is touched);
 *         RC_TEMP, RC_PERM a stage could not be searched: nobody knows
 */
enum rc spool_locate(const struct spool *spool, const char *id, enum stage *out,
                     struct err *err) MUST_CHECK;

/*
 * spool_scan - call fn(ctx, id) for every delivery of a stage, in byte order of the ids
 *
 * Names that begin with a dot and names that are no ids are passed over. The list is read before
 * the first call: fn may move and remove deliveries.
 *
 * Returns  RC_OK
 *          what fn returned, if it was not RC_OK: the scan ends there
 *          RC_RANGE  more than STAGE_DELIVERIES_MAX
 *          RC_GONE   read-only spool without that stage;  RC_TEMP;  RC_NOMEM
 */
enum rc spool_scan(const struct spool *spool, enum stage stage,
                   enum rc (*fn)(void *ctx, const char *id), void *ctx, struct err *err) MUST_CHECK;

/* spool_open_delivery - descriptor of a delivery's directory; the caller closes it. RC_GONE;
 * RC_PERM; RC_TEMP */
enum rc spool_open_delivery(const struct spool *spool, enum stage stage, const char *id,
                            int *out_fd, struct err *err) MUST_CHECK;

#endif
