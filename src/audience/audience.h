/*
 * audience - rows in, the selected recipients out, in order
 *
 *     recipients --blocks--> scan, select --in file order--> log of rows, payloads --> order, seeds
 *        (one reader)        (all threads)                   duplicates, limit (audience_each)
 *
 * Blocks of whole rows are read one after another, worked on by all threads, and put together again
 * in the order of the file, so that the result does not depend on the number of threads. What needs
 * all rows (duplicates, limit, order) is settled behind the last one. Memory is bounded: what grows
 * goes to unnamed files in the directory given.
 *
 * Selection, first cause wins: malformed, not-selected (where), suppressed (exclude), quarantined,
 * what the caller's check says, duplicate, over-limit. rows = records + all excluded, always; seeds
 * come on top.
 */
#ifndef POSTROOM_AUDIENCE_AUDIENCE_H
#define POSTROOM_AUDIENCE_AUDIENCE_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/slice.h"
#include "sys/tee.h"

#include <stdatomic.h>
#include <stdint.h>

enum {
    AUDIENCE_KEY_BYTES_MAX = 255,
    AUDIENCE_LISTS_MAX = 64,         /* exclude and quarantine, each */
    AUDIENCE_NAMED_COLUMNS_MAX = 64, /* in dedupe, in order */
    AUDIENCE_THREADS_MAX = 32,
    AUDIENCE_LATE_BYTES = 4 * 1024 * 1024, /* late_from_bytes that is worth it */
    AUDIENCE_SEEDS_MAX = 10000,
    AUDIENCE_SEED_BYTES_MAX = 16 * 1024 * 1024 /* payloads of all seeds; sorted: keys too */
};

/* In the order in which they are looked for. */
enum audience_cause {
    CAUSE_MALFORMED,
    CAUSE_NOT_SELECTED,
    CAUSE_SUPPRESSED,
    CAUSE_QUARANTINED,
    CAUSE_CONTROL_GROUP,
    CAUSE_PRESSURE,
    CAUSE_INCOMPLETE_ADDRESS,
    CAUSE_BAD_ADDRESS,
    CAUSE_DUPLICATE,
    CAUSE_OVER_LIMIT,
    CAUSE_COUNT,
    CAUSE_NONE = CAUSE_COUNT
};

/* audience_cause_name - the contract's word: "malformed", "not-selected", ...; never NULL */
const char *audience_cause_name(enum audience_cause cause);

enum audience_seed_mode {
    SEEDS_SORTED, /* by the order columns, behind equal recipients; without those, at the end */
    SEEDS_START,
    SEEDS_END,
    SEEDS_RANDOM /* by random_seed */
};

struct audience_row {
    const struct slice *fields; /* by column of the recipients' header; no quotes around them */
    size_t count;
    uint64_t line; /* of the recipients, or of the seeds, file; 0: not known */
    bool is_seed;
    char between; /* what stands between fields that lie one byte apart in memory, and in none of
                     those; NUL: not known */
};

/* A CSV file of people to leave out. Malformed rows in it are an error, empty fields are passed
 * over. */
struct audience_list {
    int fd;
    const char *name;    /* for error texts */
    const char *column;  /* its column; NULL: the key's name */
    const char *matches; /* the recipients' column that is compared with it; NULL: the key */
};

/* Where progress is shown, relaxed; NULL: not wanted. A sys/progress cell has places for two. */
struct audience_progress {
    _Atomic uint64_t *rows_done;
    _Atomic uint64_t *bytes_done;  /* of the file as stored */
    _Atomic uint64_t *bytes_total; /* 0: not known */
};

/* What is kept of a count, for an extraction to take over (kept.h). */
struct audience_kept {
    int fd;
    int excluded_fd; /* taken over: the list of the count; while counting it is given to
                        audience_run */
    /* A digest of everything that says who is in, but the recipients themselves: the program,
     * settings, lists (which file each is, and that it was not changed since), seed. */
    char identity[SHA256_HEX_BYTES];
};

struct audience_options {
    int fd; /* recipients, as they are or packed with gzip or zstd; borrowed like all below */
    struct tee *tee; /* the copy of them that fd is of is written while they are read; NULL: fd has
                        them all */
    const char *name;
    char delimiter; /* of every file here; 0: a comma */
    const char *key;
    const char *where; /* NULL or "": everybody */
    const struct audience_list *exclude;
    size_t exclude_count;
    const struct audience_list *quarantine;
    size_t quarantine_count;
    const char *const *dedupe; /* columns; first one in wins */
    size_t dedupe_count;
    const char *const *order; /* columns; "-name" descending */
    size_t order_count;
    uint64_t limit;          /* 0: none */
    const char *random_seed; /* NULL counts as "" */
    int seeds_fd;            /* -1: none */
    const char *seeds_name;
    enum audience_seed_mode seed_mode;
    bool excludes_bad_rows; /* on_bad_row = "exclude"; else the first one is an error */
    uint64_t rows;          /* expected in the file; 0: not given */
    uint64_t min;           /* records; 0: not given */
    uint64_t max;
    size_t memory_bytes;      /* of the whole worker, of which this takes 85%; 0: 256 MiB */
    uint64_t late_from_bytes; /* recipients of a plain file that is this long, or longer, are read
                                 again as they are delivered, where that takes less memory, and
                                 payload is called then; 0: never */
    const struct audience_kept *keep; /* payload is NULL, and audience_run has an excluded_fd: what
                                         was found is written there (audience_is_kept) */
    const struct audience_kept *kept; /* what a count wrote: taken over where it is of the same
                                         recipients and the same identity (audience_is_taken_over):
                                         rows are read again, or those are passed over that its
                                         list says are out */
    int spill_fd;                     /* directory for temporary data; -1: none */
    unsigned threads;                 /* 0: one for each core */

    /*
     * check - is there more against this row? Called by several threads at once, for rows that
     * passed everything up to here, never for seeds. A cause, or CAUSE_NONE. NULL: nothing
     */
    enum audience_cause (*check)(void *ctx, unsigned thread, const struct audience_row *row);

    /*
     * payload - append to out what is ordered and delivered for this row. Called by several
     * threads at once; `thread` is below AUDIENCE_THREADS_MAX. It is asked by audience_run, before
     * it is known who is a duplicate or over the limit (or, by a list that is taken over, for who
     * is in alone), or (late_from_bytes) by each audience_each, for who is delivered, while take is
     * called for others; row->line may be 0 then. What is to be
     * counted over delivered rows must travel in the payload. Anything but RC_OK ends the run, or
     * the walk, with that, FILE:LINE put before the text. NULL: nothing is ordered or delivered,
     * rows are only counted
     */
    enum rc (*payload)(void *ctx, unsigned thread, const struct audience_row *row, struct buf *out,
                       struct err *err);
    void *ctx; /* of check and payload */

    struct audience_progress progress;
};

struct audience_counts {
    uint64_t rows;
    uint64_t records;
    uint64_t seeds;
    uint64_t excluded[CAUSE_COUNT];
};

struct audience;

/*
 * audience_open - read headers, compile where, look for every column that is named
 * options   copied; what it points to must stay until audience_free
 * Returns   RC_OK; RC_PERM the drop is wrong ("FILE:LINE: what; mend", "where: position N: ...");
 *           RC_RANGE a limit above or one of where's; RC_IO; RC_NOMEM
 */
enum rc audience_open(const struct audience_options *options, struct audience **out,
                      struct err *err) MUST_CHECK;

/* audience_columns - the recipients' header; borrowed */
const char *const *audience_columns(const struct audience *audience, size_t *out_count);

/*
 * audience_narrow - check and payload look at these columns alone: fields of others may be empty
 * Before audience_run. Without it they see all columns.
 */
void audience_narrow(struct audience *audience, bool (*uses)(const void *ctx, size_t column),
                     const void *ctx);

/*
 * audience_run - read everything, and settle who is in; once
 *
 * excluded_fd  gets "line,key,cause" and a line for each excluded row in the order of the file (the
 *              key is empty where the row has no valid one); -1: not wanted
 * counts       filled on RC_OK, and where rows, min or max do not hold
 * Returns      RC_OK; RC_PERM ("FILE:LINE: ...") a file that breaks halfway, a malformed row
 *              where those are not excluded, rows, min or max do not hold; RC_RANGE not to be done
 *              within memory_bytes; RC_TEMP the disk is full; RC_IO; RC_NOMEM; what payload returns
 */
enum rc audience_run(struct audience *audience, int excluded_fd, struct audience_counts *counts,
                     struct err *err) MUST_CHECK;

/* audience_is_kept - behind audience_run: `keep` holds who is in */
bool audience_is_kept(const struct audience *audience);

/* audience_is_taken_over - behind audience_run: counts and who is in are those of `kept`, and
 * nothing was written to excluded_fd: the list of the count is the list */
bool audience_is_taken_over(const struct audience *audience);

/* Takes payloads in their final order; anything but RC_OK ends the walk and is its result. */
typedef enum rc audience_take(void *ctx, struct slice payload, bool is_seed, struct err *err);

/*
 * audience_each - deliver, after a run that was RC_OK; may be called again. take is called by the
 * calling thread alone
 * Returns   RC_OK; what take or payload returned; RC_IO, also where the recipients cannot be read
 *           again or have changed; RC_RANGE not to be done within memory_bytes; RC_TEMP the disk is
 *           full; RC_NOMEM
 */
enum rc audience_each(const struct audience *audience, audience_take *take, void *ctx,
                      struct err *err) MUST_CHECK;

/* audience_forget - behind the last audience_each: what rows held, memory and temporary files, is
 * given back; everything else can still be asked. In any thread. Cost: about 0.1 s a gigabyte of
 * temporary files */
void audience_forget(struct audience *audience);

void audience_free(struct audience *audience);

#endif
