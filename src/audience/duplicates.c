/*
 * duplicates - which candidates have the key, or the dedupe columns, of an earlier one that passed
 *
 * Contract in the header. Rows with the same key form a chain in the order of the file, so do rows
 * with the same dedupe columns; a row can be a link of one chain of each kind. Chains are found by
 * all threads, each in a range of hashes of its own. Along a chain travels one fact: "a row of this
 * chain passed". Rows are visited in order; a row to which no chain brings that fact passes, and so
 * tells both its chains. Only rows that have a next one in some chain need a visit.
 */
#include "audience/duplicates.h"

#include "audience/rowlog.h"
#include "audience/side_by_side.h"
#include "audience/suspects.h"

#include <assert.h>
#include <stdlib.h>

enum {
    PLACE_BITS = 40,
    PLACE_HALF_BITS = PLACE_BITS / 2,
    ROW_LOW_BITS = 24,
    ROW_HIGH_BITS = 64 - SUSPECTS_HASH_BITS,
    SIGHTINGS_AT_ONCE = 8 * 1024,
    RANGES_MAX = 8,              /* of hashes, each for a thread */
    RANGES_ROWS_MIN = 16 * 1024, /* fewer are not worth a thread */
    SUSPECTS_PERCENT = 60,       /* of a kind's memory; the rest is for the pairs */
    LINKS_PERCENT = 8            /* of all: the links of chains, which are few in most lists */
};

static_assert(SUSPECTS_HASH_BITS + PLACE_HALF_BITS == 64, "a sighting's words");
static_assert(ROW_HIGH_BITS + ROW_LOW_BITS >= 40 && ROW_LOW_BITS + PLACE_BITS == 64, "a pair");

#define PLACE_MASK (((uint64_t)1 << PLACE_BITS) - 1)
#define PLACE_HALF_MASK (((uint64_t)1 << PLACE_HALF_BITS) - 1)
#define ROW_HIGH_MASK (((uint64_t)1 << ROW_HIGH_BITS) - 1)

/* hash: in the upper bits */
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

void duplicates_init(struct duplicates *duplicates, const struct recall_plan *plan, bool has_dedupe,
                     size_t memory_bytes, int dir_fd)
{
    *duplicates = (struct duplicates){
        .plan = plan, .has_dedupe = has_dedupe, .memory_bytes = memory_bytes, .dir_fd = dir_fd};
    spill_init(&duplicates->sightings, dir_fd, memory_bytes / 2);
}

void duplicates_release(struct duplicates *duplicates)
{
    spill_release(&duplicates->sightings);
}

enum rc duplicates_add(struct duplicates *duplicates, const struct candidate *candidates,
                       size_t count, uint64_t log_base, struct err *err)
{
    struct sighting sightings[512];
    enum rc rc = RC_OK;

    if (count == 0) {
        return RC_OK;
    }
    if (duplicates->count + count > DUPLICATES_ROWS_MAX ||
        log_base + candidates[count - 1].log_at > PLACE_MASK) {
        return err_set(err, RC_RANGE, "more rows than one delivery may have; split it");
    }
    for (size_t i = 0; rc == RC_OK && i < count;) {
        size_t here = 0;
        for (; here < sizeof sightings / sizeof sightings[0] && i < count; here++, i++) {
            uint64_t place = log_base + candidates[i].log_at;
            sightings[here] = (struct sighting){
                (candidates[i].key_hash & ~PLACE_HALF_MASK) | place >> PLACE_HALF_BITS,
                (candidates[i].dedupe_hash & ~PLACE_HALF_MASK) | (place & PLACE_HALF_MASK)};
        }
        rc = spill_add(&duplicates->sightings, sightings, here * sizeof sightings[0], err);
    }
    duplicates->count += count;
    return rc;
}

/* One of the different texts that a hash stands for: nearly always there is one. */
struct chain {
    uint64_t place; /* of a record with that text */
    uint64_t row;   /* the last one of the chain so far */
};

enum { KINDS = 2 }; /* keys, dedupe columns */

/* What finds the hashes of one kind that may stand twice. They are divided into ranges by their
 * upper bits. */
struct finder {
    const struct duplicates *duplicates;
    bool is_dedupe;
    size_t memory_bytes;
    unsigned range_bits;
    struct suspects suspects;
    struct pairs pairs[RANGES_MAX]; /* (hash, row) */
    struct buf scratch;
    enum rc rc;
    struct err err;
};

/* What finds the chains of one kind among the hashes of a range. */
struct linker {
    const struct duplicates *duplicates;
    const struct spill *log;
    bool is_dedupe;
    struct pairs *from;
    struct pairs links; /* (row, next row << 1 | is_dedupe) */
    bool has_hash;
    uint64_t hash;
    struct chain *chains; /* texts of this hash */
    size_t chains_count;
    size_t chains_cap;
    struct buf text;     /* of the chain that was looked at last: one often has many rows */
    uint64_t text_place; /* whose; UINT64_MAX: nobody's */
    struct buf scratch;
    struct recall recall;
    enum rc rc;
    struct err err;
};

static enum rc text_at(struct linker *linker, uint64_t place, struct slice *out, struct err *err)
{
    struct rowlog_record record;
    enum rc rc = rowlog_at(linker->log, place, &linker->scratch, &record, err);
    if (rc != RC_OK) {
        return rc;
    }
    return linker->is_dedupe
               ? rowlog_dedupe(&record, linker->duplicates->plan, &linker->recall, out, err)
               : rowlog_key(&record, linker->duplicates->plan, &linker->recall, out, err);
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
        if (same) {
            struct pair link = {chain->row, row << 1 | linker->is_dedupe};
            chain->row = row;
            return pairs_add(&linker->links, link, err);
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

typedef enum rc sighting_take(struct finder *finder, const struct sighting *sighting, uint64_t row,
                              struct err *err);

static inline uint64_t hash_of(const struct finder *finder, const struct sighting *sighting)
{
    return finder->is_dedupe ? sighting->dedupe : sighting->key;
}

static enum rc note_sighting(struct finder *finder, const struct sighting *sighting, uint64_t row,
                             struct err *err)
{
    (void)row;
    (void)err;
    suspects_note(&finder->suspects, hash_of(finder, sighting) >> PLACE_HALF_BITS);
    return RC_OK;
}

static enum rc pair_sighting(struct finder *finder, const struct sighting *sighting, uint64_t row,
                             struct err *err)
{
    uint64_t hash = hash_of(finder, sighting);
    if (!suspects_ask(&finder->suspects, hash >> PLACE_HALF_BITS)) {
        return RC_OK;
    }
    uint64_t place =
        (sighting->key & PLACE_HALF_MASK) << PLACE_HALF_BITS | (sighting->dedupe & PLACE_HALF_MASK);
    size_t range = finder->range_bits == 0 ? 0 : (size_t)(hash >> (64 - finder->range_bits));
    return pairs_add(&finder->pairs[range], pack(hash, row, place), err);
}

static inline enum rc each_sighting(struct finder *finder, sighting_take *take, struct err *err)
{
    const struct spill *spill = &finder->duplicates->sightings;
    enum rc rc = RC_OK;

    for (uint64_t row = 0; rc == RC_OK && row < finder->duplicates->count;) {
        struct slice view;
        rc = spill_view(spill, row * sizeof(struct sighting),
                        SIGHTINGS_AT_ONCE * sizeof(struct sighting), &finder->scratch, &view, err);
        const struct sighting *sightings = (const struct sighting *)(const void *)view.ptr;
        size_t count = rc == RC_OK ? view.len / sizeof *sightings : 0;
        for (size_t i = 0; rc == RC_OK && i < count; i++) {
            rc = take(finder, &sightings[i], row++, err);
        }
    }
    return rc;
}

/* Those that may stand twice become pairs. */
static void *find_suspects(void *arg)
{
    struct finder *finder = arg;
    size_t for_suspects = finder->memory_bytes / 100 * SUSPECTS_PERCENT;

    finder->rc =
        suspects_init(&finder->suspects, finder->duplicates->count, for_suspects, &finder->err);
    if (finder->rc == RC_OK && finder->suspects.seen != NULL) {
        finder->rc = each_sighting(finder, note_sighting, &finder->err);
    }
    if (finder->rc == RC_OK) {
        finder->rc = each_sighting(finder, pair_sighting, &finder->err);
    }
    suspects_release(&finder->suspects);
    buf_release(&finder->scratch);
    return NULL;
}

static void link_all(struct linker *linker)
{
    linker->text_place = UINT64_MAX;
    linker->rc = pairs_each(linker->from, take_hashes, linker, &linker->err);
    free(linker->chains);
    buf_release(&linker->text);
    buf_release(&linker->scratch);
    recall_release(&linker->recall);
}

/* A range of hashes, one kind after the other: by one thread. */
struct range {
    struct linker kinds[KINDS];
    unsigned kinds_count;
};

static void *link_range(void *arg)
{
    struct range *range = arg;
    for (unsigned i = 0; i < range->kinds_count; i++) {
        link_all(&range->kinds[i]);
    }
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

/* links: sorted by row, of all chains */
static enum rc visit_links(struct pairs *links, uint64_t rows, struct bits *dropped,
                           struct err *err)
{
    struct visit visit = {{NULL, 0}, {NULL, 0}};
    enum rc rc = RC_OK;

    if (!bits_init(&visit.key_taken, rows) || !bits_init(&visit.dedupe_taken, rows)) {
        rc = err_set(err, RC_NOMEM, "no memory");
    }
    if (rc == RC_OK) {
        rc = pairs_each(links, take_links, &visit, err);
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

/* One set of links, so that they come in one order: the first linker's. */
static enum rc gather_links(struct range *ranges, unsigned count, struct err *err)
{
    struct pairs *all = &ranges[0].kinds[0].links;
    enum rc rc = RC_OK;

    for (unsigned i = 0; rc == RC_OK && i < count; i++) {
        for (unsigned kind = 0; rc == RC_OK && kind < ranges[i].kinds_count; kind++) {
            struct linker *linker = &ranges[i].kinds[kind];
            if (linker->rc != RC_OK) {
                return err_set(err, linker->rc, "%s", linker->err.text);
            }
            if (&linker->links != all) {
                rc = pairs_each(&linker->links, take_over, all, err);
            }
        }
    }
    return rc;
}

/* Everything that the search needs; memory for one. */
struct search {
    struct finder finders[KINDS];
    struct range ranges[RANGES_MAX];
    unsigned kinds_count;
    unsigned range_bits;
};

static void plan_finders(struct search *search, const struct duplicates *duplicates)
{
    /* the sightings have half, where they are in memory */
    size_t percent = 100 - LINKS_PERCENT - (duplicates->sightings.fd < 0 ? 50 : 0);

    for (unsigned kind = 0; kind < search->kinds_count; kind++) {
        search->finders[kind] = (struct finder){.duplicates = duplicates,
                                                .is_dedupe = kind == 1,
                                                .memory_bytes = duplicates->memory_bytes / 100 *
                                                                percent / search->kinds_count,
                                                .range_bits = search->range_bits};
        size_t for_pairs = search->finders[kind].memory_bytes / 100 * (100 - SUSPECTS_PERCENT);
        for (size_t i = 0; i < (size_t)1 << search->range_bits; i++) {
            pairs_init(&search->finders[kind].pairs[i], for_pairs >> search->range_bits,
                       duplicates->dir_fd);
        }
    }
}

static void plan_ranges(struct search *search, const struct duplicates *duplicates,
                        const struct spill *log)
{
    /* the first gets the links of all the others too, and half of what there is */
    size_t half = duplicates->memory_bytes / 100 * LINKS_PERCENT / 2;

    for (size_t i = 0; i < (size_t)1 << search->range_bits; i++) {
        struct range *range = &search->ranges[i];
        range->kinds_count = search->kinds_count;
        for (unsigned kind = 0; kind < search->kinds_count; kind++) {
            bool is_first = i == 0 && kind == 0;
            range->kinds[kind] = (struct linker){.duplicates = duplicates,
                                                 .log = log,
                                                 .is_dedupe = kind == 1,
                                                 .from = &search->finders[kind].pairs[i]};
            pairs_init(&range->kinds[kind].links,
                       is_first ? half : (half / search->kinds_count) >> search->range_bits,
                       duplicates->dir_fd);
        }
    }
}

static enum rc find_and_link(struct search *search, unsigned threads, struct err *err)
{
    unsigned kinds = search->kinds_count;
    unsigned count = 1U << search->range_bits;

    side_by_side(find_suspects, search->finders, sizeof search->finders[0],
                 threads > 1 ? kinds : 1);
    if (threads <= 1 && kinds > 1) {
        find_suspects(&search->finders[1]);
    }
    for (unsigned kind = 0; kind < kinds; kind++) {
        if (search->finders[kind].rc != RC_OK) {
            return err_set(err, search->finders[kind].rc, "%s", search->finders[kind].err.text);
        }
    }
    side_by_side(link_range, search->ranges, sizeof search->ranges[0], count);
    return gather_links(search->ranges, count, err);
}

static void search_free(struct search *search)
{
    for (unsigned kind = 0; kind < search->kinds_count; kind++) {
        for (size_t i = 0; i < (size_t)1 << search->range_bits; i++) {
            pairs_release(&search->finders[kind].pairs[i]);
            pairs_release(&search->ranges[i].kinds[kind].links);
        }
    }
    free(search);
}

static unsigned range_bits_for(const struct duplicates *duplicates, unsigned threads)
{
    unsigned bits = 0;
    while (duplicates->count >= RANGES_ROWS_MIN && 2U << bits <= threads &&
           2U << bits <= RANGES_MAX) {
        bits++;
    }
    return bits;
}

static enum rc resolve(struct duplicates *duplicates, const struct spill *log, unsigned threads,
                       struct bits *dropped, struct err *err)
{
    struct search *search = calloc(1, sizeof *search);
    if (search == NULL) {
        return err_set(err, RC_NOMEM, "no memory");
    }
    search->kinds_count = duplicates->has_dedupe ? KINDS : 1;
    search->range_bits = range_bits_for(duplicates, threads);
    plan_finders(search, duplicates);
    plan_ranges(search, duplicates, log);
    enum rc rc = find_and_link(search, threads, err);
    struct pairs *links = &search->ranges[0].kinds[0].links;
    if (rc == RC_OK && links->total > 0) {
        rc = visit_links(links, duplicates->count, dropped, err);
    }
    search_free(search);
    return rc;
}

enum rc duplicates_resolve(struct duplicates *duplicates, const struct spill *log, unsigned threads,
                           struct bits *dropped, struct err *err)
{
    *dropped = (struct bits){NULL, 0};
    enum rc rc = spill_flush(&duplicates->sightings, err);
    if (rc == RC_OK) {
        rc = resolve(duplicates, log, threads, dropped, err);
    }
    spill_release(&duplicates->sightings);
    return rc;
}
