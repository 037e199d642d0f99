/*
 * target - target.json: what the count of a delivery's target said
 *
 * Written by the intake worker, read by the daemon and by the command. Numbers only, no recipient.
 */
#ifndef POSTROOM_STAGE_TARGET_H
#define POSTROOM_STAGE_TARGET_H

#include "audience/audience.h"
#include "base/arena.h"
#include "base/buf.h"
#include "money/lines.h"

struct target_facts {
    struct arena arena;
    struct buf text; /* as read */
    uint64_t rows, records, seeds;
    uint64_t quantity; /* what is to be paid for: q of the cost rules */
    uint64_t excluded[CAUSE_COUNT];
    uint64_t bytes;             /* of the recipients as dropped */
    const char *const *columns; /* of the recipients, in file order */
    size_t column_count;
    const char *const *warnings;
    size_t warning_count;
    const char *cost_total; /* "105.20"; "" not known */
};

/*
 * target_text - what target.json says, added to `out`
 * quantity  records and seeds, or their pieces: then it is written, as `parts`
 * warnings  texts for people; currency  of the lines
 * Returns   RC_OK; RC_NOMEM
 */
enum rc target_text(const struct audience_counts *counts, uint64_t quantity, uint64_t bytes,
                    const char *const *columns, size_t column_count, const char *const *warnings,
                    size_t warning_count, const struct cost_lines *costs, const char *currency,
                    struct buf *out, struct err *err) MUST_CHECK;

/* target_put - write that text as target.json into a staged directory that has none; not synced
 * Returns RC_OK; RC_TEMP, RC_NOMEM */
enum rc target_put(int dirfd, const struct buf *text, struct err *err) MUST_CHECK;

/* target_read - RC_OK; RC_GONE not counted yet; RC_CORRUPT; RC_TEMP; RC_NOMEM. Release with
 * target_release. */
enum rc target_read(int dirfd, struct target_facts *out, struct err *err) MUST_CHECK;
void target_release(struct target_facts *facts);

#endif
