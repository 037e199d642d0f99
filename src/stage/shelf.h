/*
 * shelf - deliveries kept open between two steps that follow each other
 *
 * Most deliveries go from one step to the next within moments. What the first step opened (the
 * directory, the frozen order, the view) is laid here, and the next step takes it instead of
 * reading and parsing it again. The disk stays the truth: what is taken is used only when the
 * directory, the settings and the journal are the very ones that were read.
 *
 * Bounded: SHELF_SETS * SHELF_WAYS deliveries, the one laid here longest goes first.
 */
#ifndef POSTROOM_STAGE_SHELF_H
#define POSTROOM_STAGE_SHELF_H

#include "stage/subject.h"

enum { SHELF_SETS = 128, SHELF_WAYS = 4 }; /* each delivery: a descriptor and some 20 KiB */

struct shelf;

/* shelf_open - an empty one; RC_NOMEM */
enum rc shelf_open(struct shelf **out, struct err *err) MUST_CHECK;

/* shelf_free - close what lies on it; NULL is allowed */
void shelf_free(struct shelf *shelf);

/*
 * shelf_put - lay an open delivery here; *take_subject is SUBJECT_NONE afterwards
 *
 * shelf  NULL: it is only closed
 * Its view has to be that of the journal, its stage that of its place.
 * Cost   3 stat; may close another delivery
 */
void shelf_put(struct shelf *shelf, struct subject *take_subject);

/*
 * shelf_take - take a delivery that was laid here
 *
 * shelf    NULL: as if it were empty
 * Returns  true: *out is as subject_open would have opened it; false: it is not here, or something
 *          about it changed meanwhile (then it is closed)
 * Cost     3 stat
 */
bool shelf_take(struct shelf *shelf, const struct spool *spool, const char *id,
                struct subject *out);

#endif
