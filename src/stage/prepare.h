/*
 * prepare - a delivery's files are read, checked and counted: by the intake worker, and by
 * `postroom check`
 *
 * What delivery.conf, headers, templates and the list of files show refuses the drop; what only the
 * rows show is a preparation error (CONTRACT.md section 3).
 */
#ifndef POSTROOM_STAGE_PREPARE_H
#define POSTROOM_STAGE_PREPARE_H

#include "audience/audience.h"
#include "base/digest.h"
#include "delivery/order.h"
#include "delivery/step.h"
#include "money/lines.h"
#include "spool/take.h"
#include "stage/lists.h"
#include "stage/making.h"
#include "stage/report.h"
#include "sys/progress.h"

struct prepare_options {
    int dirfd;       /* delivery.conf and what it names */
    int previous_fd; /* of the revision before: a file that is named but not held is copied from
                        there; -1 */
    bool is_dry;     /* `check`: nothing is written */
    int spill_fd;    /* directory for what does not fit into memory; -1: none */
    struct take_copy *last; /* what is not copied to dirfd yet: the recipients are as they are read,
                               anything else is at once; NULL */
    const struct house *house;
    const struct stage_lists *lists;
    const struct order_dropper *dropper;
    const char *id;
    uint64_t revision;
    struct progress_cell *cell;          /* bytes done and in all; NULL */
    const struct extract_moment *moment; /* extracted with its count, where it may be
                                            (making_is_wanted); NULL: never */
};

struct prepared {
    uint64_t rows, records, seeds;
    uint64_t quantity; /* records and seeds, or their pieces (sms: parts) */
    uint64_t excluded[CAUSE_COUNT];
    uint64_t bytes;
    bool has_bad_rows; /* text says which and why */
    bool is_made;      /* extraction.tmp/ is whole, and result says what it holds */
    struct extraction_result result;
    char text[REPORT_TEXT_BYTES];
    /* dry runs only; release with prepared_release */
    struct order *order;
    struct cost_lines costs;
};

/*
 * prepare_run - read, check, count; write settings.conf, target.json, excluded.csv and basis/, and
 * extraction.tmp/ where that is wanted (what is in its way is left to the extract worker to tell)
 *
 * problems  every fault found, with file and line (warnings too)
 * Returns   RC_OK (see has_bad_rows, and options->last is copied); RC_PERM, RC_RANGE, RC_CORRUPT
 * refused; RC_TEMP, RC_NOMEM, RC_IO
 */
enum rc prepare_run(const struct prepare_options *options, struct prepared *out,
                    struct problems *problems, struct err *err) MUST_CHECK;

void prepared_release(struct prepared *prepared);

/* prepare_step_waits - this step opens when the target is counted: it is on, and target, content or
 * budget */
bool prepare_step_waits(const struct order *order, enum step step);

/* prepare_basis_digest - SHA-256 of basis/STEP in a delivery's directory; RC_GONE, RC_TEMP */
enum rc prepare_basis_digest(int dirfd, enum step step, char out_hex[SHA256_HEX_BYTES],
                             struct err *err) MUST_CHECK;

/*
 * prepare_check_layout - would this layout do for this delivery? By the columns in its target.json.
 * Returns RC_OK; RC_PERM; RC_TEMP, RC_NOMEM
 */
enum rc prepare_check_layout(int dirfd, const struct order *order,
                             const struct house_layout *layout, struct err *err) MUST_CHECK;

#endif
