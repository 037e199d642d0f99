/*
 * duplicates - which candidates have the key, or the dedupe columns, of an earlier one that passed
 *
 * Contract in the header. Rows with the same key form a chain in the order of the file, so do rows
 * with the same dedupe columns; a row can be a link of one chain of each kind. Along a chain
 * travels one fact: "a row of this chain passed". Rows are visited in order; a row to which no
 * chain brings that fact passes, and so tells both its chains. Only rows that have a next one in
 * some chain need a visit.
 */
#include "audience/duplicates.h"

#include "audience/rowlog.h"

#include <pthread.h>
#include <stdlib.h>

enum { PLACE_BITS = 40, ROW_LOW_BITS = 24 };

#define PLACE_MASK (((uint64_t)1 << PLACE_BITS) - 1)
#define ROW_HIGH_MASK (((uint64_t)1 << (PLACE_BITS - ROW_LOW_BITS)) - 1)

static inline struct pair pack(uint64_t hash, uint64_t row, uint64_t place)
{
    return (struct pair){(hash & ~ROW_HIGH_MASK) | row >> ROW_LOW_BITS, row << PLACE_BITS | place};
}

static inline uint64_t row_of(const struct pair *pair)
{
    return (pair->high & ROW_HIGH_MASK) << ROW_LOW_BITS | pair->low >> PLACE_BITS;
}

bool bits_init(struct bits *bits, uint64_t count)
{
    bits->count = count;
    bits->words = calloc((size_t)(count / 64 + 1), sizeof *bits->words);
    return bits->words != NULL;
}

uint64_t bits_sum(const struct bits *bits)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; bits->words != NULL && i < bits->count / 64 + 1; i++) {
        sum += (uint64_t)__builtin_popcountll(bits->words[i]);
    }
    return sum;
}

void bits_release(struct bits *bits)
{
    free(bits->words);
    *bits = (struct bits){NULL, 0};
}

void duplicates_init(struct duplicates *duplicates, bool has_dedupe, size_t memory_bytes,
                     int dir_fd)
{
    /* with dedupe columns: two sets, and the links of their chains, which are few in most lists */
    size_t share = has_dedupe ? memory_bytes / 100 * 46 : memory_bytes;
    *duplicates = (struct duplicates){
        .has_dedupe = has_dedupe, .memory_bytes = memory_bytes / 100 * 8, .dir_fd = dir_fd};
    pairs_init(&duplicates->keys, share, dir_fd);
    pairs_init(&duplicates->dedupes, share, dir_fd);
}

void duplicates_release(struct duplicates *duplicates)
{
    pairs_release(&duplicates->keys);
    pairs_release(&duplicates->dedupes);
}

static enum rc add_hashes(struct pairs *pairs, const struct candidate *candidates, size_t count,
                          bool is_dedupe, uint64_t row, uint64_t log_base, struct err *err)
{
    enum rc rc = pairs_room(pairs, count, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct pair *to = pairs->items + pairs->count;
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = is_dedupe ? candidates[i].dedupe_hash : candidates[i].key_hash;
        to[i] = pack(hash, row + i, log_base + candidates[i].log_at);
    }
    pairs->count += count;
    pairs->total += count;
    return RC_OK;
}

enum rc duplicates_add(struct duplicates *duplicates, const struct candidate *candidates,
                       size_t count, uint64_t log_base, struct err *err)
{
    uint64_t row = duplicates->count;

    if (count == 0) {
        return RC_OK;
    }
    if (row + count > DUPLICATES_ROWS_MAX || log_base + candidates[count - 1].log_at > PLACE_MASK) {
        return err_set(err, RC_RANGE, "more rows than one delivery may have; split it");
    }
    enum rc rc = add_hashes(&duplicates->keys, candidates, count, false, row, log_base, err);
    if (rc == RC_OK && duplicates->has_dedupe) {
        rc = add_hashes(&duplicates->dedupes, candidates, count, true, row, log_base, err);
    }
    duplicates->count += count;
    return rc;
}

/* One of the different texts that a hash stands for: nearly always there is one. */
struct chain {
    uint64_t place; /* of a record with that text */
    uint64_t row;   /* the last one of the chain so far */
};

/* What finds the chains of one kind. */
struct linker {
    struct pairs *from;
    struct pairs *links; /* (row, next row << 1 | is_dedupe); NULL: mark next rows in dropped */
    struct bits *dropped;
    const struct spill *log;
    bool is_dedupe;
    bool has_hash;
    uint64_t hash;
    struct chain *chains; /* texts of this hash */
    size_t chains_count;
    size_t chains_cap;
    struct buf text;     /* of the chain that was looked at last: one often has many rows */
    uint64_t text_place; /* whose; UINT64_MAX: nobody's */
    struct buf scratch;
    enum rc rc;
    struct err err;
};

static enum rc text_at(struct linker *linker, uint64_t place, struct slice *out, struct err *err)
{
    struct rowlog_record record;
    enum rc rc = rowlog_at(linker->log, place, &linker->scratch, &record, err);
    if (rc == RC_OK) {
        *out = linker->is_dedupe ? record.dedupe : record.key;
    }
    return rc;
}

static enum rc is_same(struct linker *linker, uint64_t chain_place, uint64_t place, bool *out,
                       struct err *err)
{
    struct slice text;
    enum rc rc = RC_OK;

    if (linker->text_place != chain_place) {
        linker->text_place = UINT64_MAX;
        rc = text_at(linker, chain_place, &text, err);
        if (rc != RC_OK) {
            return rc;
        }
        buf_clear(&linker->text);
        buf_add_slice(&linker->text, text);
        rc = buf_ok(&linker->text, err);
        if (rc != RC_OK) {
            return rc;
        }
        linker->text_place = chain_place;
    }
    rc = text_at(linker, place, &text, err);
    if (rc == RC_OK) {
        *out = slice_equal(buf_slice(&linker->text), text);
    }
    return rc;
}

static enum rc new_chain(struct linker *linker, uint64_t place, uint64_t row, struct err *err)
{
    if (linker->chains_count == linker->chains_cap) {
        size_t cap = linker->chains_cap == 0 ? 16 : linker->chains_cap * 2;
        struct chain *chains = realloc(linker->chains, cap * sizeof *chains);
        if (chains == NULL) {
            return err_set(err, RC_NOMEM, "no memory");
        }
        linker->chains = chains;
        linker->chains_cap = cap;
    }
    linker->chains[linker->chains_count++] = (struct chain){place, row};
    return RC_OK;
}

static enum rc link_row(struct linker *linker, uint64_t place, uint64_t row, struct err *err)
{
    for (size_t i = 0; i < linker->chains_count; i++) {
        struct chain *chain = &linker->chains[i];
        bool same = false;
        enum rc rc = is_same(linker, chain->place, place, &same, err);
        if (rc != RC_OK) {
            return rc;
        }
        if (same && linker->links == NULL) {
            bits_set(linker->dropped, row);
            return RC_OK;
        }
        if (same) {
            struct pair link = {chain->row, row << 1 | linker->is_dedupe};
            chain->row = row;
            return pairs_add(linker->links, link, err);
        }
    }
    return new_chain(linker, place, row, err);
}

/* Rows come by hash, and within a hash in the order of the file. The first of a hash is only noted:
 * nearly all stay alone. */
static enum rc take_hashes(void *ctx, const struct pair *items, size_t count, struct err *err)
{
    struct linker *linker = ctx;
    enum rc rc = RC_OK;

    for (size_t i = 0; rc == RC_OK && i < count; i++) {
        uint64_t hash = items[i].high & ~ROW_HIGH_MASK;
        if (!linker->has_hash || hash != linker->hash) {
            linker->has_hash = true;
            linker->hash = hash;
            linker->chains_count = 0;
            if (linker->chains_cap > 0) {
                linker->chains[linker->chains_count++] =
                    (struct chain){items[i].low & PLACE_MASK, row_of(&items[i])};
                continue;
            }
        }
        rc = link_row(linker, items[i].low & PLACE_MASK, row_of(&items[i]), err);
    }
    return rc;
}

static void *link_all(void *arg)
{
    struct linker *linker = arg;
    linker->text_place = UINT64_MAX;
    linker->rc = pairs_each(linker->from, take_hashes, linker, &linker->err);
    free(linker->chains);
    buf_release(&linker->text);
    buf_release(&linker->scratch);
    return NULL;
}

/* The visit: which facts each kind of chain brought to a row. */
struct visit {
    struct bits key_taken;
    struct bits dedupe_taken;
};

static enum rc take_links(void *ctx, const struct pair *items, size_t count, struct err *err)
{
    struct visit *visit = ctx;

    (void)err;
    for (size_t i = 0; i < count; i++) {
        uint64_t row = items[i].high;
        uint64_t next = items[i].low >> 1;
        struct bits *kind = (items[i].low & 1) != 0 ? &visit->dedupe_taken : &visit->key_taken;
        bool passes = !bits_get(&visit->key_taken, row) && !bits_get(&visit->dedupe_taken, row);
        if (passes || bits_get(kind, row)) {
            bits_set(kind, next);
        }
    }
    return RC_OK;
}

static enum rc take_over(void *ctx, const struct pair *items, size_t count, struct err *err)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < count; i++) {
        rc = pairs_add(ctx, items[i], err);
    }
    return rc;
}

static enum rc visit_links(struct pairs *key_links, struct pairs *dedupe_links, uint64_t rows,
                           struct bits *dropped, struct err *err)
{
    struct visit visit = {{NULL, 0}, {NULL, 0}};
    /* one set of links, so that they come in one order */
    enum rc rc = pairs_each(dedupe_links, take_over, key_links, err);

    if (rc == RC_OK &&
        (!bits_init(&visit.key_taken, rows) || !bits_init(&visit.dedupe_taken, rows))) {
        rc = err_set(err, RC_NOMEM, "no memory");
    }
    if (rc == RC_OK) {
        rc = pairs_each(key_links, take_links, &visit, err);
    }
    if (rc == RC_OK) {
        for (uint64_t i = 0; i < rows / 64 + 1; i++) {
            visit.key_taken.words[i] |= visit.dedupe_taken.words[i];
        }
        *dropped = visit.key_taken;
        visit.key_taken.words = NULL;
    }
    bits_release(&visit.key_taken);
    bits_release(&visit.dedupe_taken);
    return rc;
}

static enum rc result_of(const struct linker *linker, struct err *err)
{
    return linker->rc == RC_OK ? RC_OK : err_set(err, linker->rc, "%s", linker->err.text);
}

static enum rc resolve_both(struct duplicates *duplicates, const struct spill *log,
                            unsigned threads, struct bits *dropped, struct err *err)
{
    struct pairs links[2];
    struct linker linkers[2] = {
        {.from = &duplicates->keys, .links = &links[0], .log = log},
        {.from = &duplicates->dedupes, .links = &links[1], .log = log, .is_dedupe = true}};
    pthread_t helper;

    pairs_init(&links[0], duplicates->memory_bytes / 2, duplicates->dir_fd);
    pairs_init(&links[1], duplicates->memory_bytes / 2, duplicates->dir_fd);
    bool is_started = threads > 1 && pthread_create(&helper, NULL, link_all, &linkers[1]) == 0;
    link_all(&linkers[0]);
    if (is_started) {
        pthread_join(helper, NULL);
    } else {
        link_all(&linkers[1]);
    }
    enum rc rc = result_of(&linkers[0], err);
    if (rc == RC_OK) {
        rc = result_of(&linkers[1], err);
    }
    if (rc == RC_OK && links[0].total + links[1].total > 0) {
        rc = visit_links(&links[0], &links[1], duplicates->count, dropped, err);
    }
    pairs_release(&links[0]);
    pairs_release(&links[1]);
    return rc;
}

enum rc duplicates_resolve(struct duplicates *duplicates, const struct spill *log, unsigned threads,
                           struct bits *dropped, struct err *err)
{
    *dropped = (struct bits){NULL, 0};
    if (duplicates->has_dedupe) {
        return resolve_both(duplicates, log, threads, dropped, err);
    }
    /* keys alone: all but the first of a chain are duplicates */
    if (!bits_init(dropped, duplicates->count)) {
        return err_set(err, RC_NOMEM, "no memory");
    }
    struct linker linker = {.from = &duplicates->keys, .dropped = dropped, .log = log};
    link_all(&linker);
    return result_of(&linker, err);
}
