/*
 * kept - who a count found to be in, for an extraction that would find the same to take over
 *
 * A file of the delivery, beside its recipients: the counts, and of each row that is in where it
 * lies and how its key begins, cut into pieces (places.h). It only spares work: a file that is
 * not there, is damaged, or is of other recipients or another selection is not taken over, and the
 * recipients are read as if they had never been counted.
 */
#ifndef POSTROOM_AUDIENCE_KEPT_H
#define POSTROOM_AUDIENCE_KEPT_H

#include "audience/audience.h"
#include "audience/places.h"
#include "sys/mapping.h"

/*
 * kept_write - write the file
 * kept        its descriptor and its identity
 * recipients  read to their end
 * places      cut
 * Returns     RC_OK; RC_TEMP the disk is full; RC_IO
 * Cost        16 bytes a row
 */
enum rc kept_write(const struct audience_kept *kept, int recipients,
                   const struct audience_counts *counts, const struct places *places,
                   struct err *err) MUST_CHECK;

/* kept_look - may it be taken over? out_counts says how many rows there are then */
bool kept_look(const struct audience_kept *kept, int recipients,
               struct audience_counts *out_counts);

/*
 * kept_read - the places, behind kept_look
 * places    cut, their references borrowed from *out_mapping; is_sorted is as it was written
 * Returns   false: damaged, or it cannot be mapped, and nothing is set
 * Cost      one look at 16 bytes a row
 */
bool kept_read(const struct audience_kept *kept, struct places *places,
               struct mapping **out_mapping);

#endif
