/*
 * duplicates - which candidates have the key, or the dedupe columns, of an earlier one that passed
 *
 * Exact, and the same whatever the number of rows or threads: rows are taken in the order of the
 * file, one is a duplicate when a row before it that is none has the same key or the same dedupe
 * columns. Of each row 16 bytes of hashes are kept, on disk where they grow; those that may stand
 * twice (suspects) are sorted as pairs (hash, row), and rows with equal hashes are compared in full
 * in the log of rows. Memory is one or two bits a candidate, and the bound given.
 */
#ifndef POSTROOM_AUDIENCE_DUPLICATES_H
#define POSTROOM_AUDIENCE_DUPLICATES_H

#include "audience/pairs.h"
#include "audience/recall.h"

#define DUPLICATES_ROWS_MAX ((uint64_t)1 << 40) /* 44 bits of hash, 40 of row, 40 of place */
#define DUPLICATES_LOG_BYTES_MAX ((uint64_t)1 << 40)

/* One candidate of a block. */
struct candidate {
    uint64_t key_hash;
    uint64_t dedupe_hash; /* meaningless without dedupe columns */
    uint64_t log_at;      /* of its record, within what the block adds to the log */
};

/* What is kept of a candidate; which row it is follows from its place among the others. */
struct sighting {
    uint64_t key;    /* 44 bits of hash, upper 20 of the log's place */
    uint64_t dedupe; /* the same, lower 20 */
};

struct duplicates {
    const struct recall_plan *plan; /* how rows are read again that the log has only the place of */
    bool has_dedupe;
    size_t memory_bytes;
    int dir_fd;
    uint64_t count; /* candidates so far: the number of the next one */
    struct spill sightings;
};

void duplicates_init(struct duplicates *duplicates, const struct recall_plan *plan, bool has_dedupe,
                     size_t memory_bytes, int dir_fd);
void duplicates_release(struct duplicates *duplicates);

/*
 * duplicates_add - the candidates of a block, in the order of the file
 * log_base  offset of the block's records in the log
 * Returns   RC_OK; RC_RANGE a limit above; what spill_add returns
 */
enum rc duplicates_add(struct duplicates *duplicates, const struct candidate *candidates,
                       size_t count, uint64_t log_base, struct err *err) MUST_CHECK;

/* A bit for each candidate. */
struct bits {
    uint64_t *words; /* NULL: all clear */
    uint64_t count;
};

static inline bool bits_get(const struct bits *bits, uint64_t at)
{
    return bits->words != NULL && (bits->words[at / 64] >> (at % 64) & 1) != 0;
}

static inline void bits_set(struct bits *bits, uint64_t at)
{
    bits->words[at / 64] |= (uint64_t)1 << (at % 64);
}

bool bits_init(struct bits *bits, uint64_t count);
uint64_t bits_sum(const struct bits *bits);
void bits_release(struct bits *bits);

/*
 * duplicates_resolve - mark the duplicates
 * log       the rows' records
 * threads   hashes are divided among so many, or fewer
 * dropped   result; the caller releases it
 * Returns   RC_OK; RC_NOMEM; RC_RANGE; RC_TEMP; RC_IO. What was added is used up
 */
enum rc duplicates_resolve(struct duplicates *duplicates, const struct spill *log, unsigned threads,
                           struct bits *dropped, struct err *err) MUST_CHECK;

#endif
