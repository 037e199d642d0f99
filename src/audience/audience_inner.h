/*
 * audience_inner - what the files of the pipeline share; nothing for others to include
 */
#ifndef POSTROOM_AUDIENCE_AUDIENCE_INNER_H
#define POSTROOM_AUDIENCE_AUDIENCE_INNER_H

#include "audience/audience.h"
#include "audience/csv_cursor.h"
#include "audience/keyset.h"
#include "audience/order.h"
#include "audience/outcome.h"
#include "audience/seeds.h"
#include "audience/where.h"

#include <stdalign.h>

/* What different threads write to lies in different lines of their caches; processors fetch two at
 * a time. */
enum { CACHE_LINES = 128 };

/* People to leave out: all lists that are compared with the same column for the same cause. */
struct filter {
    enum audience_cause cause;
    size_t column; /* of the recipients */
    struct keyset keys;
};

/* A list whose header was read; its rows are in the filter after filters_fill. */
struct list {
    const char *name;
    struct csv_cursor *cursor;
    size_t column; /* of the list */
    size_t filter;
};

struct order_column {
    size_t column;
    bool is_descending;
};

/* Columns to be unquoted, each once. */
struct column_set {
    size_t *columns;
    size_t count;
};

/* How memory is shared out; bytes. */
struct shares {
    size_t filters;
    size_t log;
    size_t duplicates;
    size_t order;
};

struct audience {
    struct audience_options options;
    const char *name;
    char delimiter;
    struct csv_cursor *cursor; /* recipients */
    size_t columns;
    size_t key;
    struct where *where; /* NULL: everybody */
    struct filter filters[2 * AUDIENCE_LISTS_MAX];
    size_t filters_count;
    struct list lists[2 * AUDIENCE_LISTS_MAX];
    size_t lists_count;
    size_t dedupe[AUDIENCE_NAMED_COLUMNS_MAX];
    struct order_column order_columns[AUDIENCE_NAMED_COLUMNS_MAX];
    struct seeds seeds;
    struct column_set first;  /* the key, and what where reads */
    struct column_set second; /* the key, and what is needed of a row that where lets through */
    struct shares shares;
    unsigned threads;
    uint64_t hash_seed;   /* of tables: not to be guessed, without effect on results */
    uint64_t random_seed; /* from options.random_seed */
    bool logs_excluded;
    bool is_run;

    struct recall_plan recall;
    struct spill log;
    struct duplicates duplicates;
    struct order order;
    struct outcome outcome;
    struct audience_counts counts;
};

/* The pipeline: from blocks to log, duplicates and order. Results as audience_run. */
enum rc pipeline_run(struct audience *audience, struct err *err) MUST_CHECK;

/* What one thread works with. */
struct worker {
    alignas(CACHE_LINES) struct audience *audience;
    unsigned number;
    struct csv_index index;
    struct slice *fields;
    struct buf scratch;
    struct buf found; /* keyset_has */
    struct buf composite;
};

/* A block on its way, and what became of its rows. */
struct job {
    alignas(CACHE_LINES) struct csv_block block;
    enum rc rc; /* of its reading or its rows */
    struct err err;
    uint64_t rows;
    uint64_t excluded[CAUSE_COUNT];
    struct buf log;
    struct candidate *candidates;
    size_t candidates_count;
    size_t candidates_cap;
    struct order_chunk chunk;
};

/* select_block - scan a block and put its rows where they belong; result in job->rc */
void select_block(struct worker *worker, struct job *job);

/* select_key - the composite of the order columns of a row, appended to key */
void select_key(const struct audience *audience, const struct slice *fields, struct buf *key);

#endif
