/*
 * rowlog - what is remembered of each row until it is known who is in, in the order of the file
 *
 * Rows that passed everything but duplicates and the limit ("candidates"), and, where excluded.csv
 * is wanted, rows that did not. Duplicates are compared with it, and excluded.csv is written from
 * it. Of a candidate that can be read again (recall.h) only its place is kept.
 */
#ifndef POSTROOM_AUDIENCE_ROWLOG_H
#define POSTROOM_AUDIENCE_ROWLOG_H

#include "audience/recall.h"
#include "audience/spill.h"

/* A record's first byte: one of these, or ROWLOG_EXCLUDED plus the cause. */
enum {
    ROWLOG_CANDIDATE = 0,
    ROWLOG_CANDIDATE_DEDUPE = 1,
    ROWLOG_CANDIDATE_PLACE = 2,
    ROWLOG_EXCLUDED = 3
};

struct rowlog_record {
    unsigned tag;
    uint64_t line;
    struct slice key;    /* not of ROWLOG_CANDIDATE_PLACE */
    struct slice dedupe; /* ROWLOG_CANDIDATE_DEDUPE: the composite of the dedupe columns */
    uint64_t row_at;     /* ROWLOG_CANDIDATE_PLACE: where the row lies, and how long it is */
    uint64_t row_len;
};

/* rowlog_put - append a record; a failure sticks in out */
void rowlog_put(struct buf *out, const struct rowlog_record *record);

/* rowlog_at - the record at an offset; borrowed from the log or from scratch. RC_OK; RC_IO;
 * RC_NOMEM */
enum rc rowlog_at(const struct spill *log, uint64_t at, struct buf *scratch,
                  struct rowlog_record *out, struct err *err) MUST_CHECK;

/* rowlog_key, rowlog_dedupe - of a candidate, read again where the log has its place alone.
 * Borrowed as the record, or until recall is used again. RC_OK; RC_IO; RC_NOMEM */
enum rc rowlog_key(const struct rowlog_record *record, const struct recall_plan *plan,
                   struct recall *recall, struct slice *out, struct err *err) MUST_CHECK;
enum rc rowlog_dedupe(const struct rowlog_record *record, const struct recall_plan *plan,
                      struct recall *recall, struct slice *out, struct err *err) MUST_CHECK;

/* Takes records one by one, with the number of candidates before; anything but RC_OK ends the walk
 * and is its result. */
typedef enum rc rowlog_take(void *ctx, const struct rowlog_record *record, uint64_t candidate,
                            struct err *err);

/* Whether a candidate, counted from 0, is of no interest to who walks. */
typedef bool rowlog_passes(const void *ctx, uint64_t candidate);

/*
 * rowlog_each - all records in order
 *
 * passes    candidates that are not to be taken (mostly nearly all: they cost little where the log
 *           has their places alone); NULL: all are taken
 *
 * Returns   RC_OK; what take returned; RC_IO; RC_NOMEM
 */
enum rc rowlog_each(const struct spill *log, rowlog_passes *passes, rowlog_take *take, void *ctx,
                    struct err *err) MUST_CHECK;

#endif
