/*
 * audience_inner - what the files of the pipeline share; nothing for others to include
 */
#ifndef POSTROOM_AUDIENCE_AUDIENCE_INNER_H
#define POSTROOM_AUDIENCE_AUDIENCE_INNER_H

#include "audience/audience.h"
#include "audience/csv_cursor.h"
#include "audience/kept.h"
#include "audience/keyset.h"
#include "audience/order.h"
#include "audience/outcome.h"
#include "audience/places.h"
#include "audience/seeds.h"
#include "audience/where.h"
#include "sys/mapping.h"

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

/* Rows that are read again as they are delivered. */
struct late {
    atomic_bool is_on;       /* changed by who commits */
    struct mapping *mapping; /* of the whole file; audience.recall looks there, too */
    struct places places;
    struct mapping *kept;     /* places borrow from it */
    uint64_t kept_hash;       /* of the rows that are kept */
    struct order_chunk seeds; /* those that are sorted among the recipients */
    size_t rows_max;          /* more than were expected: memory is short */
    size_t pieces_at_once;    /* that are made, or wait to be delivered */
    size_t piece_bytes;       /* memory of each */
};

/* Who is out, told by a count: the others are in, and nothing else is asked of a row. */
struct known {
    bool is_on;
    struct bits out; /* by line */
    struct audience_counts counts;
};

static inline bool known_is_out(const struct known *known, uint64_t line)
{
    return line < known->out.count && bits_get(&known->out, line);
}

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
    struct column_set early;  /* the same, where its payload is made late */
    struct shares shares;
    unsigned threads;
    uint64_t hash_seed;   /* of tables: not to be guessed, without effect on results */
    uint64_t random_seed; /* from options.random_seed */
    bool logs_excluded;
    bool is_run;
    bool is_kept;
    bool is_taken_over;

    struct recall_plan recall;
    struct spill log;
    struct duplicates duplicates;
    struct order order; /* nothing is in it while late.is_on */
    struct late late;
    struct known known;
    size_t seeds_bytes; /* of the sorted ones, with their keys */
    struct outcome outcome;
    struct audience_counts counts;
};

/* audience_find_columns - key, dedupe, order and where by the recipients' header. RC_OK; RC_PERM;
 * RC_NOMEM */
enum rc audience_find_columns(struct audience *audience, struct err *err) MUST_CHECK;

/* audience_choose_columns - which columns of a row are taken out of their quotes, before and behind
 * where. RC_OK; RC_NOMEM */
enum rc audience_choose_columns(struct audience *audience, struct err *err) MUST_CHECK;

/* The pipeline: from blocks to log, duplicates and order. Results as audience_run. */
enum rc pipeline_run(struct audience *audience, struct err *err) MUST_CHECK;

/* What one thread works with. */
struct worker {
    alignas(CACHE_LINES) const struct audience *audience;
    unsigned number;
    struct csv_index index;
    struct slice *fields;
    struct buf scratch;
    struct buf found; /* keyset_has */
    struct buf composite;
    struct buf rows;          /* reread */
    struct order_chunk chunk; /* reread */
};

/* lines_calloc - calloc for what threads of their own write to */
void *lines_calloc(size_t size);

/* audience_worker_init - false: no memory; audience_worker_release accepts a zero-initialised one
 */
bool audience_worker_init(struct worker *worker, const struct audience *audience, unsigned number);
void audience_worker_release(struct worker *worker);

/* A block on its way, and what became of its rows. */
struct job {
    alignas(CACHE_LINES) struct csv_block block;
    enum rc rc;   /* of its reading or its rows */
    bool is_late; /* places, by candidate, instead of a chunk */
    struct err err;
    uint64_t rows;
    uint64_t excluded[CAUSE_COUNT];
    struct buf log;
    struct candidate *candidates;
    size_t candidates_count;
    size_t candidates_cap;
    struct order_ref *refs; /* as many as candidates have room */
    struct order_chunk chunk;
};

/* select_block - scan a block and put its rows where they belong; result in job->rc */
void select_block(struct worker *worker, struct job *job);

/* select_columns - take these columns of a row out of their quotes, into worker->fields; scratch is
 * ready for the row */
void select_columns(struct worker *worker, const struct csv_row *row, const struct column_set *set);

/* select_key - the composite of the order columns of a row, appended to key */
void select_key(const struct audience *audience, const struct slice *fields, struct buf *key);

/* select_prefix - the first 8 bytes of what select_key makes, as order_prefix has them */
uint64_t select_prefix(const struct audience *audience, const struct slice *fields);

/* select_item - key and payload of a row as an item. What order_chunk_end and payload return */
enum rc select_item(const struct worker *worker, struct order_chunk *chunk,
                    const struct audience_row *row, uint64_t sequence, struct err *err) MUST_CHECK;

typedef enum rc order_add(struct order *order, struct order_chunk *chunk, uint64_t base,
                          struct err *err);

/*
 * reread_rows - read rows again, and hand them over as items
 * refs      their places, in late.mapping
 * add       order_take_chunk or order_keep_chunk
 * base      the sequence of the first; the others follow
 * Returns   RC_OK; RC_IO they cannot be read again, or are no such rows any more; what payload and
 *           order_take_chunk return
 */
enum rc reread_rows(struct worker *worker, const struct order_ref *refs, size_t count,
                    order_add *add, struct order *order, uint64_t base, struct err *err) MUST_CHECK;

/*
 * late_begin - whether rows are to be read again, or (counting) their places to be kept for that:
 * where it is allowed, the file is a plain one, and the file and the places of its rows fit into
 * memory
 * rows      as many as there may be
 */
void late_begin(struct audience *audience, size_t rows);

/* late_rows_expected - of a plain file, by its first block, and some more; 0 where it is none */
size_t late_rows_expected(const struct audience *audience, const struct csv_block *first);

/* late_take_over - begin, with the places that options.kept holds, and its counts. false: nothing
 * was taken over */
bool late_take_over(struct audience *audience);

/* late_add - the places of a block's candidates, `base` before them; where memory is short for so
 * many, all become items after all. By one thread at a time, while nobody copies into the order.
 * RC_OK; what reread_rows and places_add return */
enum rc late_add(struct audience *audience, struct worker *worker, const struct order_ref *refs,
                 size_t count, uint64_t base, struct err *err) MUST_CHECK;

/* late_read - nobody looks into the file before late_each: where rows became items, it is not
 * mapped any more */
void late_read(struct audience *audience);

/* late_settle - who is in is known: cut the places into pieces. Results as late_add */
enum rc late_settle(struct audience *audience, struct err *err) MUST_CHECK;

/* late_keep_rows, late_keep_head - behind late_settle of a count: write who is in to options.keep,
 * the rows while the list of those who are not is written, the head when it is. false: nothing is
 * kept: what spares an extraction work is not worth a count that fails */
bool late_keep_rows(struct audience *audience);
bool late_keep_head(const struct audience *audience, bool has_rows, int excluded_fd,
                    uint64_t lines_hash);

/* late_each - as order_each: all recipients in order, and the sorted seeds among them. Sequences of
 * recipients are below the number of candidates and mean nothing; those of seeds are not below */
enum rc late_each(const struct audience *audience, order_take *take, void *ctx,
                  struct err *err) MUST_CHECK;

void late_release(struct late *late);

#endif
