/*
 * outcome - who of the candidates is in: duplicates out, the limit applied, excluded.csv written
 */
#ifndef POSTROOM_AUDIENCE_OUTCOME_H
#define POSTROOM_AUDIENCE_OUTCOME_H

#include "audience/duplicates.h"
#include "audience/rowlog.h"
#include "base/digest.h"

struct outcome {
    struct bits duplicate; /* by candidate */
    struct bits over;
    uint64_t candidates;
    uint64_t duplicates;
    uint64_t over_limit;
};

static inline bool outcome_is_in(const struct outcome *outcome, uint64_t candidate)
{
    return !bits_get(&outcome->duplicate, candidate) && !bits_get(&outcome->over, candidate);
}

/*
 * outcome_limit - keep `limit` candidates that are no duplicates, picked at random by their lines
 * outcome   candidates, duplicate and duplicates are set
 * limit     0: all
 * seed      the same seed picks the same lines
 * Returns   RC_OK; RC_NOMEM; RC_IO
 * Memory    one bit a candidate, 512 KiB, and 1/65536 of the candidates
 */
enum rc outcome_limit(struct outcome *outcome, const struct spill *log, uint64_t limit,
                      uint64_t seed, struct err *err) MUST_CHECK;

/* outcome_hash_line - of the lines of those that are not in, one after the other, from 0 */
static inline uint64_t outcome_hash_line(uint64_t hash, uint64_t line)
{
    return hash64_fold(hash ^ line, UINT64_C(0x9E3779B97F4A7C15));
}

/*
 * outcome_write - line,key,cause of every row that is not in, in the order of the file
 * plan      how rows are read again that the log has only the place of
 * fd        written from where it stands; borrowed
 * out_hash  of all lines (outcome_hash_line)
 * Returns   RC_OK; RC_TEMP the disk is full; RC_IO; RC_NOMEM
 */
enum rc outcome_write(const struct outcome *outcome, const struct spill *log,
                      const struct recall_plan *plan, int fd, uint64_t *out_hash,
                      struct err *err) MUST_CHECK;

void outcome_release(struct outcome *outcome);

#endif
