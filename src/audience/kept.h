/*
 * kept - who a count found to be in, for an extraction that would find the same to take over
 *
 * A file of the delivery, beside its recipients: the counts, and, where these are not too many, of
 * each row that is in where it lies and how its key begins, cut into pieces (places.h). Where they
 * are, who is out stands in the count's list, excluded.csv. It only spares work: a file that is
 * not there, is damaged, or is of other recipients or another selection is not taken over, and the
 * recipients are read as if they had never been counted.
 */
#ifndef POSTROOM_AUDIENCE_KEPT_H
#define POSTROOM_AUDIENCE_KEPT_H

#include "audience/audience.h"
#include "audience/places.h"
#include "sys/mapping.h"

/*
 * kept_write_rows - the first half of the file
 * places      cut
 * out_hash    for kept_write_head
 * Returns     false: the disk has little room or none, and the file is empty
 * Cost        16 bytes a row
 */
bool kept_write_rows(const struct audience_kept *kept, const struct places *places,
                     uint64_t *out_hash);

/* What a count says. */
struct kept_said {
    struct audience_counts counts;
    uint64_t lines_hash;         /* of those that are not in (outcome_write) */
    uint64_t rows_hash;          /* kept_write_rows */
    const struct places *places; /* NULL: there are no rows */
};

/*
 * kept_write_head - the other half, which makes it whole
 * recipients  read to their end
 * excluded    the list of those that are not in, written to its end
 */
bool kept_write_head(const struct audience_kept *kept, int recipients, int excluded,
                     const struct kept_said *said);

/* kept_look - may it be taken over? out_counts says how many rows there are then */
bool kept_look(const struct audience_kept *kept, int recipients,
               struct audience_counts *out_counts);

/*
 * kept_lines - the lines of the recipients whose rows are out, by the count's list, behind
 * kept_look
 * counts        as kept_look gave them
 * memory_bytes  for a bit for each line, and an eighth more (twice, for a moment)
 * Returns       false: they are others than were counted, or there is not so much memory
 */
bool kept_lines(const struct audience_kept *kept, const struct audience_counts *counts,
                size_t memory_bytes, struct bits *out);

/*
 * kept_read - the places, behind kept_look
 * places    cut, their references borrowed from *out_mapping; is_sorted is as it was written
 * Returns   false: there are none, they are damaged, or cannot be mapped, and nothing is set
 * Cost      one look at 16 bytes a row
 */
bool kept_read(const struct audience_kept *kept, struct places *places,
               struct mapping **out_mapping);

#endif
