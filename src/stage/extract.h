/*
 * extract - the rows are fixed, the archive is made, the ledgers are written
 *
 *     begin (daemon)  line `extracting`, place extract/
 *     work  (worker)  extraction.tmp/: archive, .sha256, manifest; excluded.csv
 *     weigh, keep, book (daemon)  for a group: sync, rename to extraction/, sync, ledgers, line
 *                     `extracted`; the syncs are shared with others (engine/steps.c)
 *
 * Online it is the same way with other names: line `sending` and place outbox/deliveries,
 * sending.tmp/ with the list of who gets it, sending/, line `fixed`; then stage/send goes on.
 *
 * Disk states: docs/SPOOL.md E1 to E4, S1, S2.
 */
#ifndef POSTROOM_STAGE_EXTRACT_H
#define POSTROOM_STAGE_EXTRACT_H

#include "stage/cost.h"
#include "stage/making.h"
#include "stage/report.h"
#include "stage/subject.h"
#include "sys/progress.h"

/* What a channel calls the steps of this way. */
struct extract_way {
    const char *temporary; /* directory that the worker fills */
    const char *whole;     /* what it becomes */
    enum delivery_event begins;
    enum delivery_event ends;
    enum delivery_state waits; /* the state before */
    enum delivery_state works; /* the state meanwhile */
};

/* extract_way_of - of an order's channel; never NULL */
const struct extract_way *extract_way_of(const struct order *order);

/* What extraction/ says of itself, read back from its manifest. */
struct extraction_facts {
    uint64_t rows, records, seeds;
    char archive[REPORT_ARCHIVE_BYTES]; /* "": none was made */
    char sha256[SHA256_HEX_BYTES];      /* of the archive; "" */
};

struct extract {
    const struct stage_env *env;
    struct subject subject;
    struct extract_moment moment;
    /* while it is booked */
    struct extraction_facts facts;
    uint64_t quantity; /* records and seeds, or their pieces */
    struct cost_slot slot;
    bool is_whole; /* extraction/ is there */
    /* after extract_book */
    enum rc rc;
    struct err err;
    bool is_published_next; /* mail, approved or not to be approved: hand it over */
};

/*
 * extract_begin - open a delivery that is due and put it into extract/, or outbox/deliveries online
 * Returns RC_OK; RC_STATE it does not wait for this, nor is it being done (any more); RC_GONE,
 * RC_CORRUPT, RC_TEMP, RC_IO, RC_NOMEM
 */
enum rc extract_begin(const struct stage_env *env, const char *id, int64_t now_ns,
                      struct extract **out, struct err *err) MUST_CHECK;

/*
 * extract_begin_made - the same, where the intake worker has filled extraction.tmp/ with the count
 * (stage/making.h) and a sync has followed: it is kept, and goes to extract_weigh() with the
 * worker's report
 *
 * take_subject  waits for its extraction, and is not held (asserted); taken in any case
 * created_ns    of that worker's moment
 * Returns RC_OK; RC_TEMP, RC_IO, RC_NOMEM
 */
enum rc extract_begin_made(const struct stage_env *env, struct subject *take_subject,
                           int64_t created_ns, int64_t now_ns, struct extract **out,
                           struct err *err) MUST_CHECK;

/* extract_work - in the worker: write way->temporary and fill the report */
void extract_work(struct extract *extract, struct stage_report *report, struct progress_cell *cell);

/*
 * extract_weigh - begin to settle a group whose workers are done (or which a crash left with a
 * whole extraction/): those that could not are told so in their journals
 *
 * Sets rc and err of each: RC_OK it goes on; RC_PERM it failed, a line says why, its state is
 * preparation-error; others: later. Then sync the spool, and extract_keep().
 */
void extract_weigh(struct extract **group, const struct stage_report *reports, size_t count,
                   int64_t now_ns);

/* extract_keep - what is on disk gets its name, extraction/; then sync the spool, and
 * extract_book() */
void extract_keep(struct extract **group, const struct stage_report *reports, size_t count);

/*
 * extract_book - ledger entries of those that go on, in one append, then their lines
 *
 * Sets rc and err of each: RC_OK its state moved on (subject.view.state); RC_PERM it failed, a line
 * says why, its state is preparation-error or failed; others: later. Returns RC_OK; RC_IO stop;
 * others: nothing was booked of those whose rc is RC_OK.
 */
enum rc extract_book(struct extract **group, size_t count, int64_t now_ns,
                     struct err *err) MUST_CHECK;

void extract_release(struct extract *extract);

/* extraction_facts_read - of mail. RC_OK; RC_GONE there is no extraction/; RC_CORRUPT; RC_TEMP;
 * RC_NOMEM */
enum rc extraction_facts_read(int dirfd, struct extraction_facts *out, struct err *err) MUST_CHECK;

#endif
