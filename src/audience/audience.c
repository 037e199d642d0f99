/*
 * audience - rows in, the selected recipients out, in order: what is asked for, and what came of it
 *
 * Contract in the header. select.c works on one block, pipeline.c on all of them.
 */
#include "audience/audience_inner.h"

#include "base/digest.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define MEMORY_BYTES_DEFAULT ((size_t)256 << 20)
#define MEMORY_BYTES_MIN ((size_t)8 << 20)

static const char *const CAUSE_NAMES[] = {[CAUSE_MALFORMED] = "malformed",
                                          [CAUSE_NOT_SELECTED] = "not-selected",
                                          [CAUSE_SUPPRESSED] = "suppressed",
                                          [CAUSE_QUARANTINED] = "quarantined",
                                          [CAUSE_CONTROL_GROUP] = "control-group",
                                          [CAUSE_PRESSURE] = "pressure",
                                          [CAUSE_INCOMPLETE_ADDRESS] = "incomplete-address",
                                          [CAUSE_BAD_ADDRESS] = "bad-address",
                                          [CAUSE_DUPLICATE] = "duplicate",
                                          [CAUSE_OVER_LIMIT] = "over-limit",
                                          [CAUSE_NONE] = "none"};

const char *audience_cause_name(enum audience_cause cause)
{
    return CAUSE_NAMES[cause];
}

static enum rc no_memory(struct err *err)
{
    err_set(err, RC_NOMEM, "no memory");
    return RC_NOMEM; /* stated for analysers, which do not see what err_set returns */
}

static enum rc open_list(struct audience *audience, const struct audience_list *wanted,
                         enum audience_cause cause, struct err *err)
{
    struct list *list = &audience->lists[audience->lists_count++];
    const char *name = wanted->column == NULL ? audience->options.key : wanted->column;
    size_t column = audience->key;

    list->name = wanted->name;
    enum rc rc = csv_cursor_open(wanted->fd, wanted->name, audience->delimiter, &list->cursor, err);
    if (rc == RC_OK) {
        rc = csv_cursor_want(list->cursor, name, &list->column, err);
    }
    if (rc == RC_OK && wanted->matches != NULL) {
        rc = csv_cursor_want(audience->cursor, wanted->matches, &column, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    for (size_t i = 0; i < audience->filters_count; i++) {
        if (audience->filters[i].cause == cause && audience->filters[i].column == column) {
            list->filter = i;
            return RC_OK;
        }
    }
    list->filter = audience->filters_count++;
    audience->filters[list->filter] = (struct filter){.cause = cause, .column = column};
    audience->filters[list->filter].keys.strings.fd = -1;
    return RC_OK;
}

static enum rc open_lists(struct audience *audience, struct err *err)
{
    const struct audience_options *options = &audience->options;
    enum rc rc = RC_OK;

    if (options->exclude_count > AUDIENCE_LISTS_MAX ||
        options->quarantine_count > AUDIENCE_LISTS_MAX) {
        return err_set(err, RC_RANGE, "more than %d lists of people to exclude; join them",
                       AUDIENCE_LISTS_MAX);
    }
    for (size_t i = 0; rc == RC_OK && i < options->exclude_count; i++) {
        rc = open_list(audience, &options->exclude[i], CAUSE_SUPPRESSED, err);
    }
    for (size_t i = 0; rc == RC_OK && i < options->quarantine_count; i++) {
        rc = open_list(audience, &options->quarantine[i], CAUSE_QUARANTINED, err);
    }
    return rc;
}

/* 85% of the worker's memory: the rest is for blocks on their way and for what the payloads go
 * through afterwards. Rows are larger than the hashes of their keys: a million of ordinary ones
 * stays in memory within 256 MiB. Where rows are only counted, what order would have had goes to
 * the log, which costs nothing while it is in memory (a million rows with four dedupe columns are
 * 50 MB). */
static void share_memory(struct audience *audience)
{
    const struct audience_options *options = &audience->options;
    size_t memory = options->memory_bytes == 0 ? MEMORY_BYTES_DEFAULT : options->memory_bytes;
    memory = memory < MEMORY_BYTES_MIN ? MEMORY_BYTES_MIN : memory;
    size_t hundredth = memory / 100 * 85 / 100;
    size_t filters = audience->filters_count > 0 ? 20 : 0;
    size_t order = options->payload == NULL ? 0 : 64 - filters;

    audience->shares.filters = filters * hundredth;
    audience->shares.log = (order > 0 ? 7 : 40) * hundredth;
    audience->shares.order = order * hundredth;
    audience->shares.duplicates = (order > 0 ? 29 : 60 - filters) * hundredth;
}

static void choose_threads(struct audience *audience)
{
    unsigned threads = audience->options.threads;

    if (threads == 0) { /* asking opens two files, which a worker may not: for nothing */
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        threads = cores < 1                      ? 1
                  : cores > AUDIENCE_THREADS_MAX ? AUDIENCE_THREADS_MAX
                                                 : (unsigned)cores;
    }
    audience->threads = threads > AUDIENCE_THREADS_MAX ? AUDIENCE_THREADS_MAX : threads;
}

/* Hashes place keys in tables. Whoever writes a list must not know how, or could slow us down;
 * where the kernel put our memory is as good as random, and results do not depend on it. */
static uint64_t unguessable(const void *where)
{
    uint64_t places[3] = {(uint64_t)(uintptr_t)where, (uint64_t)(uintptr_t)&places,
                          (uint64_t)getpid()};
    return hash64(places, sizeof places, (uint64_t)(uintptr_t)&unguessable);
}

static enum rc open_all(struct audience *audience, struct err *err)
{
    const struct audience_options *options = &audience->options;
    enum rc rc = csv_cursor_open_tee(options->fd, options->tee, options->name, audience->delimiter,
                                     &audience->cursor, err);

    if (rc == RC_OK) {
        csv_cursor_names(audience->cursor, &audience->columns);
        rc = audience_find_columns(audience, err);
    }
    if (rc == RC_OK) {
        rc = open_lists(audience, err);
    }
    if (rc == RC_OK && options->seeds_fd >= 0) {
        rc = seeds_open(&audience->seeds, options->seeds_fd, options->seeds_name,
                        audience->delimiter, audience->cursor, err);
    }
    return rc == RC_OK ? audience_choose_columns(audience, err) : rc;
}

enum rc audience_open(const struct audience_options *options, struct audience **out,
                      struct err *err)
{
    struct audience *audience = calloc(1, sizeof *audience);
    if (audience == NULL) {
        return no_memory(err);
    }
    audience->options = *options;
    audience->name = options->name;
    audience->delimiter = ',';
    if (options->delimiter != '\0') {
        audience->delimiter = options->delimiter;
    }
    audience->log.fd = -1;
    order_init(&audience->order, false, 0, -1, 1);
    audience->duplicates.sightings.fd = -1;
    audience->hash_seed = unguessable(audience);
    const char *seed = options->random_seed == NULL ? "" : options->random_seed;
    audience->random_seed = hash64(seed, strlen(seed), 0);
    enum rc rc = open_all(audience, err);
    if (rc != RC_OK) {
        audience_free(audience);
        return rc;
    }
    choose_threads(audience);
    share_memory(audience);
    *out = audience;
    return RC_OK;
}

const char *const *audience_columns(const struct audience *audience, size_t *out_count)
{
    return csv_cursor_names(audience->cursor, out_count);
}

static enum rc fill_filter(struct audience *audience, struct list *list, struct err *err)
{
    struct keyset *keys = &audience->filters[list->filter].keys;

    for (;;) {
        struct csv_record record;
        enum rc rc = csv_cursor_next(list->cursor, &record, err);
        if (rc != RC_OK) {
            return rc == RC_GONE ? RC_OK : rc;
        }
        unsigned long long line = record.line;
        if (record.fault != CSV_SOUND) {
            return err_set(err, RC_PERM, "%s:%llu: %s", list->name, line,
                           csv_fault_text(record.fault));
        }
        struct slice key = record.fields[list->column];
        rc = key.len == 0 ? RC_OK : keyset_add(keys, key, err);
        if (rc != RC_OK) {
            return err_add(err, rc, "%s:%llu", list->name, line);
        }
    }
}

static enum rc fill_filters(struct audience *audience, struct err *err)
{
    enum rc rc = RC_OK;

    for (size_t i = 0; i < audience->filters_count; i++) {
        keyset_init(&audience->filters[i].keys, audience->shares.filters / audience->filters_count,
                    audience->options.spill_fd, audience->hash_seed);
    }
    for (size_t i = 0; rc == RC_OK && i < audience->lists_count; i++) {
        rc = fill_filter(audience, &audience->lists[i], err);
        csv_cursor_free(audience->lists[i].cursor);
        audience->lists[i].cursor = NULL;
    }
    return rc;
}

static enum rc settle(struct audience *audience, struct err *err)
{
    struct outcome *outcome = &audience->outcome;
    uint64_t *excluded = audience->counts.excluded;

    outcome->candidates = audience->duplicates.count;
    enum rc rc = duplicates_resolve(&audience->duplicates, &audience->log, audience->threads,
                                    &outcome->duplicate, err);
    if (rc != RC_OK) {
        return rc;
    }
    outcome->duplicates = bits_sum(&outcome->duplicate);
    rc =
        outcome_limit(outcome, &audience->log, audience->options.limit, audience->random_seed, err);
    excluded[CAUSE_DUPLICATE] += outcome->duplicates;
    excluded[CAUSE_OVER_LIMIT] += outcome->over_limit;
    audience->counts.records = outcome->candidates - outcome->duplicates - outcome->over_limit;
    return rc;
}

static enum rc take_seed(void *ctx, size_t number, const struct audience_row *row, struct buf *out,
                         struct err *err)
{
    struct audience *audience = ctx;
    struct order_chunk chunk = {.bytes = BUF_EMPTY};
    struct buf key = BUF_EMPTY;
    bool is_late = atomic_load(&audience->late.is_on);

    if (audience->options.payload == NULL) {
        return RC_OK;
    }
    enum rc rc = audience->options.payload(audience->options.ctx, 0, row, out, err);
    if (rc == RC_OK && audience->options.seed_mode == SEEDS_SORTED) {
        select_key(audience, row->fields, &key);
        audience->seeds_bytes += key.len + out->len;
        rc = audience->seeds_bytes <= AUDIENCE_SEED_BYTES_MAX
                 ? buf_ok(&key, err)
                 : err_set(err, RC_PERM, "seeds take more than %d bytes; shorten the file",
                           AUDIENCE_SEED_BYTES_MAX);
        if (rc == RC_OK) {
            rc = buf_ok(out, err);
        }
        if (rc == RC_OK) {
            rc = order_chunk_add(is_late ? &audience->late.seeds : &chunk, number, buf_slice(&key),
                                 buf_slice(out), err);
        }
        if (rc == RC_OK) {
            rc = order_take_chunk(&audience->order, &chunk, audience->outcome.candidates, err);
        }
        buf_clear(out);
    }
    buf_release(&key);
    buf_release(&chunk.bytes);
    return rc;
}

static enum rc read_seeds(struct audience *audience, struct err *err)
{
    if (audience->seeds.cursor == NULL) {
        return RC_OK;
    }
    enum rc rc = seeds_read(&audience->seeds, take_seed, audience, err);
    audience->counts.seeds = audience->seeds.count;
    if (rc == RC_OK && audience->options.seed_mode == SEEDS_RANDOM) {
        seeds_place(&audience->seeds, audience->counts.records, audience->random_seed);
    }
    return rc;
}

static enum rc check_counts(const struct audience *audience, struct err *err)
{
    const struct audience_options *options = &audience->options;
    const struct audience_counts *counts = &audience->counts;

    if (options->rows > 0 && counts->rows != options->rows) {
        return err_set(err, RC_PERM,
                       "%s: %" PRIu64 " rows where rows = %" PRIu64
                       " was given; send the whole file or correct the number",
                       audience->name, counts->rows, options->rows);
    }
    if (options->min > 0 && counts->records < options->min) {
        return err_set(err, RC_PERM,
                       "%s: %" PRIu64 " records selected, fewer than min = %" PRIu64
                       "; check the file and where",
                       audience->name, counts->records, options->min);
    }
    if (options->max > 0 && counts->records > options->max) {
        return err_set(err, RC_PERM,
                       "%s: %" PRIu64 " records selected, more than max = %" PRIu64
                       "; check the file and where",
                       audience->name, counts->records, options->max);
    }
    return RC_OK;
}

static void limit_threads(struct audience *audience, const struct csv_cursor *cursor)
{
    uint64_t blocks = csv_cursor_bytes(cursor) / CSV_BLOCK_BYTES + 1;
    if (csv_cursor_bytes(cursor) > 0 && blocks < audience->threads) {
        audience->threads = (unsigned)blocks;
    }
}

/* excluded.csv needs the log and what became of it alone: written while others sort. */
struct excluded_writing {
    const struct audience *audience;
    int fd; /* -1: not wanted */
    uint64_t hash;
    enum rc rc;
    struct err err;
};

static void *write_excluded(void *arg)
{
    struct excluded_writing *writing = arg;
    const struct audience *audience = writing->audience;
    writing->rc = outcome_write(&audience->outcome, &audience->log, &audience->recall, writing->fd,
                                &writing->hash, &writing->err);
    return NULL;
}

/* Who is in is known: the list of those who are not, seeds, order. */
static enum rc finish(struct audience *audience, int excluded_fd, struct err *err)
{
    struct excluded_writing writing = {.audience = audience, .fd = excluded_fd, .rc = RC_OK};
    pthread_t helper;
    bool is_started = excluded_fd >= 0 && audience->threads > 1 &&
                      pthread_create(&helper, NULL, write_excluded, &writing) == 0;
    enum rc rc = late_settle(audience, err);
    bool are_kept = rc == RC_OK && late_keep_rows(audience);
    if (rc == RC_OK) {
        rc = read_seeds(audience, err);
    }
    if (rc == RC_OK) {
        rc = order_finish(&audience->order, err);
    }
    if (is_started) {
        pthread_join(helper, NULL);
    } else if (excluded_fd >= 0) {
        write_excluded(&writing);
    }
    audience->is_kept = rc == RC_OK && writing.rc == RC_OK &&
                        late_keep_head(audience, are_kept, excluded_fd, writing.hash);
    late_read(audience); /* behind the helper, which looks into the file */
    spill_release(&audience->log);
    return rc != RC_OK || writing.rc == RC_OK ? rc
                                              : err_set(err, writing.rc, "%s", writing.err.text);
}

/* A plain file can be read again; what is unpacked or comes from a pipe cannot. */
static void plan_recall(struct audience *audience)
{
    bool is_plain = csv_cursor_bytes(audience->cursor) > 0;
    audience->recall = (struct recall_plan){.fd = is_plain ? audience->options.fd : -1,
                                            .delimiter = audience->delimiter,
                                            .columns = audience->columns,
                                            .key = audience->key,
                                            .dedupe = audience->dedupe,
                                            .dedupe_count = audience->options.dedupe_count};
}

static enum rc select_all(struct audience *audience, struct err *err)
{
    enum rc rc = fill_filters(audience, err);
    if (rc == RC_OK) {
        rc = pipeline_run(audience, err);
        late_read(audience);
    }
    return rc == RC_OK ? settle(audience, err) : rc;
}

/* What tells duplicates has nothing to do: half of its memory is for the order, the other half for
 * who is out and for what grows beside an order. */
static bool take_known(struct audience *audience)
{
    const struct audience_kept *kept = audience->options.kept;
    const struct shares *shares = &audience->shares;
    struct known *known = &audience->known;

    size_t freed = (shares->filters + shares->log + shares->duplicates) / 2;
    known->is_on = kept != NULL && kept_look(kept, audience->options.fd, &known->counts) &&
                   kept_lines(kept, &known->counts, freed, &known->out);
    if (known->is_on) {
        audience->order.memory_bytes += freed;
    }
    return known->is_on;
}

static enum rc select_known(struct audience *audience, struct err *err)
{
    const struct known *known = &audience->known;
    enum rc rc = pipeline_run(audience, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (audience->counts.rows != known->counts.rows ||
        audience->outcome.candidates != known->counts.records) {
        return err_set(err, RC_IO, "%s: the recipients are others than were counted",
                       audience->name);
    }
    audience->counts = known->counts;
    audience->is_taken_over = true;
    return RC_OK;
}

bool audience_is_kept(const struct audience *audience)
{
    return audience->is_kept;
}

bool audience_is_taken_over(const struct audience *audience)
{
    return audience->is_taken_over;
}

enum rc audience_run(struct audience *audience, int excluded_fd, struct audience_counts *counts,
                     struct err *err)
{
    int dir_fd = audience->options.spill_fd;

    if (audience->is_run) {
        return err_set(err, RC_STATE, "these recipients were read already");
    }
    audience->is_run = true;
    audience->logs_excluded = excluded_fd >= 0;
    limit_threads(audience, audience->cursor);
    spill_init(&audience->log, dir_fd, audience->shares.log);
    plan_recall(audience);
    duplicates_init(&audience->duplicates, &audience->recall, audience->options.dedupe_count > 0,
                    audience->shares.duplicates, dir_fd);
    order_init(&audience->order, audience->options.order_count > 0, audience->shares.order, dir_fd,
               audience->threads);
    enum rc rc = late_take_over(audience) ? RC_OK
                 : take_known(audience)   ? select_known(audience, err)
                                          : select_all(audience, err);
    if (rc == RC_OK) {
        rc = finish(audience, audience->is_taken_over ? -1 : excluded_fd, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    *counts = audience->counts;
    return check_counts(audience, err);
}

struct delivery_walk {
    const struct audience *audience;
    audience_take *take;
    void *ctx;
    bool is_late; /* who is out was left out before */
    uint64_t records;
    size_t seed;
};

/* seeds that stand before the next record; or all that are left */
static enum rc give_seeds(struct delivery_walk *walk, bool is_end, struct err *err)
{
    const struct seeds *seeds = &walk->audience->seeds;
    enum rc rc = RC_OK;

    while (rc == RC_OK && walk->seed < seeds->count &&
           (is_end || seeds->items[walk->seed].place <= walk->records)) {
        rc = walk->take(walk->ctx, seeds_payload(seeds, walk->seed++), true, err);
    }
    return rc;
}

static enum rc give_item(void *ctx, uint64_t sequence, struct slice payload, struct err *err)
{
    struct delivery_walk *walk = ctx;
    const struct audience *audience = walk->audience;

    if (sequence >= audience->outcome.candidates) {
        return walk->take(walk->ctx, payload, true, err);
    }
    if (!walk->is_late && !outcome_is_in(&audience->outcome, sequence)) {
        return RC_OK;
    }
    if (audience->options.seed_mode == SEEDS_RANDOM) {
        enum rc rc = give_seeds(walk, false, err);
        if (rc != RC_OK) {
            return rc;
        }
    }
    walk->records++;
    return walk->take(walk->ctx, payload, false, err);
}

enum rc audience_each(const struct audience *audience, audience_take *take, void *ctx,
                      struct err *err)
{
    struct delivery_walk walk = {.audience = audience, .take = take, .ctx = ctx};
    enum audience_seed_mode mode = audience->options.seed_mode;
    enum rc rc = RC_OK;

    if (audience->options.payload == NULL) {
        return RC_OK;
    }
    if (mode == SEEDS_START) {
        rc = give_seeds(&walk, true, err);
    }
    walk.is_late = atomic_load(&audience->late.is_on);
    if (rc == RC_OK) {
        rc = walk.is_late ? late_each(audience, give_item, &walk, err)
                          : order_each(&audience->order, give_item, &walk, err);
    }
    if (rc == RC_OK && (mode == SEEDS_END || mode == SEEDS_RANDOM)) {
        rc = give_seeds(&walk, true, err);
    }
    return rc;
}

void audience_forget(struct audience *audience)
{
    outcome_release(&audience->outcome);
    bits_release(&audience->known.out);
    duplicates_release(&audience->duplicates);
    order_release(&audience->order);
    late_release(&audience->late);
    spill_release(&audience->log);
}

void audience_free(struct audience *audience)
{
    if (audience == NULL) {
        return;
    }
    for (size_t i = 0; i < audience->lists_count; i++) {
        csv_cursor_free(audience->lists[i].cursor);
    }
    for (size_t i = 0; i < audience->filters_count; i++) {
        keyset_release(&audience->filters[i].keys);
    }
    seeds_release(&audience->seeds);
    audience_forget(audience);
    where_free(audience->where);
    free(audience->early.columns);
    free(audience->first.columns);
    free(audience->second.columns);
    csv_cursor_free(audience->cursor);
    free(audience);
}
