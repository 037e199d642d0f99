/*
 * outcome - who of the candidates is in: duplicates out, the limit applied, excluded.csv written
 *
 * Contract in the header. The limit draws a number for each line, by a mapping in which no two
 * lines have the same number, and keeps the smallest. Which number is the last to be kept is found
 * in two walks over the log: one counts numbers by their upper 16 bits, one collects those that
 * share them with the wanted one.
 */
#include "audience/outcome.h"

#include "audience/audience.h"
#include "audience/csv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUCKETS = 1 << 16, BUCKET_SHIFT = 48, WRITE_BYTES = 256 * 1024 };

/* One-to-one on 64 bits (the finaliser of SplitMix64). */
static inline uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static inline uint64_t draw(uint64_t line, uint64_t seed)
{
    return mix(mix(line + seed) ^ seed);
}

struct limit_walk {
    struct outcome *outcome;
    uint64_t seed;
    uint64_t *buckets; /* first walk: candidates by upper bits */
    uint64_t bucket;   /* second walk: the one that is cut */
    uint64_t *numbers; /* second walk: those in it */
    size_t numbers_count;
    uint64_t last_kept; /* third walk */
};

/* Whoever is excluded already draws no number. */
static bool next_number(const struct limit_walk *walk, const struct rowlog_record *record,
                        uint64_t candidate, uint64_t *out)
{
    *out = draw(record->line, walk->seed);
    return record->tag < ROWLOG_EXCLUDED && !bits_get(&walk->outcome->duplicate, candidate);
}

static enum rc count_number(void *ctx, const struct rowlog_record *record, uint64_t candidate,
                            struct err *err)
{
    struct limit_walk *walk = ctx;
    uint64_t number = 0;
    (void)err;
    if (next_number(walk, record, candidate, &number)) {
        walk->buckets[number >> BUCKET_SHIFT]++;
    }
    return RC_OK;
}

static enum rc collect_number(void *ctx, const struct rowlog_record *record, uint64_t candidate,
                              struct err *err)
{
    struct limit_walk *walk = ctx;
    uint64_t number = 0;
    (void)err;
    if (next_number(walk, record, candidate, &number) && number >> BUCKET_SHIFT == walk->bucket) {
        walk->numbers[walk->numbers_count++] = number;
    }
    return RC_OK;
}

static enum rc mark_number(void *ctx, const struct rowlog_record *record, uint64_t candidate,
                           struct err *err)
{
    struct limit_walk *walk = ctx;
    uint64_t number = 0;
    (void)err;
    if (next_number(walk, record, candidate, &number) && number > walk->last_kept) {
        bits_set(&walk->outcome->over, candidate);
        walk->outcome->over_limit++;
    }
    return RC_OK;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static enum rc find_last_kept(struct limit_walk *walk, const struct spill *log, uint64_t limit,
                              struct err *err)
{
    uint64_t before = 0;
    enum rc rc = rowlog_each(log, NULL, count_number, walk, err);
    if (rc != RC_OK) {
        return rc;
    }
    while (before + walk->buckets[walk->bucket] < limit) {
        before += walk->buckets[walk->bucket++];
    }
    walk->numbers = malloc((size_t)walk->buckets[walk->bucket] * sizeof *walk->numbers);
    if (walk->numbers == NULL) {
        return err_set(err, RC_NOMEM, "no memory");
    }
    rc = rowlog_each(log, NULL, collect_number, walk, err);
    if (rc != RC_OK) {
        return rc;
    }
    qsort(walk->numbers, walk->numbers_count, sizeof *walk->numbers, compare_numbers);
    walk->last_kept = walk->numbers[limit - before - 1];
    return RC_OK;
}

enum rc outcome_limit(struct outcome *outcome, const struct spill *log, uint64_t limit,
                      uint64_t seed, struct err *err)
{
    struct limit_walk walk = {.outcome = outcome, .seed = seed};

    if (limit == 0 || outcome->candidates - outcome->duplicates <= limit) {
        return RC_OK;
    }
    walk.buckets = calloc(BUCKETS, sizeof *walk.buckets);
    enum rc rc = walk.buckets == NULL || !bits_init(&outcome->over, outcome->candidates)
                     ? err_set(err, RC_NOMEM, "no memory")
                     : find_last_kept(&walk, log, limit, err);
    if (rc == RC_OK) {
        rc = rowlog_each(log, NULL, mark_number, &walk, err);
    }
    free(walk.buckets);
    free(walk.numbers);
    return rc;
}

struct writer {
    const struct outcome *outcome;
    const struct recall_plan *plan;
    struct recall recall;
    int fd;
    uint64_t hash;
    struct buf out;
};

static enum rc write_out(struct writer *writer, struct err *err)
{
    enum rc rc = buf_ok(&writer->out, err);
    size_t at = 0;

    while (rc == RC_OK && at < writer->out.len) {
        ssize_t put = write(writer->fd, writer->out.ptr + at, writer->out.len - at);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            int fault = put == 0 ? ENOSPC : errno;
            rc =
                err_set(err, fault == ENOSPC || fault == EDQUOT || fault == EFBIG ? RC_TEMP : RC_IO,
                        "the list of excluded rows could not be written: %s", strerror(fault));
        } else {
            at += (size_t)put;
        }
    }
    buf_clear(&writer->out);
    return rc;
}

/* Without printf: there may be as many of them as rows. */
static void put_line(struct buf *out, uint64_t line, struct slice key, enum audience_cause cause)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + line % 10);
        line /= 10;
    } while (line > 0);
    buf_add(out, digits + at, sizeof digits - at);
    buf_add_byte(out, ',');
    csv_put_field(out, key, ',');
    buf_add_byte(out, ',');
    buf_add_text(out, audience_cause_name(cause));
    buf_add_byte(out, '\n');
}

static bool is_in(const void *ctx, uint64_t candidate)
{
    const struct writer *writer = ctx;
    return outcome_is_in(writer->outcome, candidate);
}

static enum rc write_row(void *ctx, const struct rowlog_record *record, uint64_t candidate,
                         struct err *err)
{
    struct writer *writer = ctx;
    enum audience_cause cause = CAUSE_OVER_LIMIT;

    if (record->tag >= ROWLOG_EXCLUDED) {
        cause = (enum audience_cause)(record->tag - ROWLOG_EXCLUDED);
    } else if (bits_get(&writer->outcome->duplicate, candidate)) {
        cause = CAUSE_DUPLICATE;
    }
    struct slice key;
    enum rc rc = rowlog_key(record, writer->plan, &writer->recall, &key, err);
    if (rc != RC_OK) {
        return rc;
    }
    put_line(&writer->out, record->line, key, cause);
    writer->hash = outcome_hash_line(writer->hash, record->line);
    return writer->out.len < WRITE_BYTES ? RC_OK : write_out(writer, err);
}

enum rc outcome_write(const struct outcome *outcome, const struct spill *log,
                      const struct recall_plan *plan, int fd, uint64_t *out_hash, struct err *err)
{
    struct writer writer = {.outcome = outcome, .plan = plan, .fd = fd, .out = BUF_EMPTY};

    buf_add_text(&writer.out, "line,key,cause\n");
    enum rc rc = rowlog_each(log, is_in, write_row, &writer, err);
    if (rc == RC_OK) {
        rc = write_out(&writer, err);
    }
    *out_hash = writer.hash;
    buf_release(&writer.out);
    recall_release(&writer.recall);
    return rc;
}

void outcome_release(struct outcome *outcome)
{
    bits_release(&outcome->duplicate);
    bits_release(&outcome->over);
}
