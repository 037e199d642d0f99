/*
 * late - rows that are read again as they are delivered
 *
 *     places, by candidate --late_settle--> pieces, by key --late_each--> items of a piece, sorted
 *                                                          (all threads)   and given, in order
 *
 * What a row becomes is mostly longer than the row's place, and memory that is touched for the
 * first time is slow: where the file can be read again, rows are rendered piece by piece, in memory
 * that is used over and over. A piece is an order of its own, so that its memory is bounded too.
 *
 *        claim         make          give
 *   FREE ------> BUSY -------> READY ------> FREE
 */
#include "audience/audience_inner.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    PIECES_EACH = 2,               /* for each thread: one is made, one waits */
    PIECE_BYTES_MIN = 1024 * 1024, /* less memory for a piece: no piece at all */
    THREAD_BYTES = 1024 * 1024,    /* of rows read again, their index, and the items in work */
    OTHER_BYTES_EACH = 32,         /* of a row: its sighting, and its record in the log */
    ALIKE_SAMPLES = 64,            /* of a block's keys */
    ROOM_FOR_SURPRISE = 8          /* an eighth more rows than the first block promises */
};

enum piece_state { PIECE_FREE, PIECE_BUSY, PIECE_READY };

struct piece {
    struct order order;
    enum piece_state state;
    enum rc rc; /* of its making */
    struct err err;
};

struct walk {
    const struct audience *audience;
    struct piece *pieces; /* a ring: number n is n modulo at_once */
    size_t at_once;
    size_t count;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t next; /* to be claimed */
    bool is_over;
};

struct maker {
    struct worker worker;
    struct walk *walk;
    pthread_t id;
};

static enum rc no_memory(struct err *err)
{
    err_set(err, RC_NOMEM, "no memory");
    return RC_NOMEM; /* stated for analysers, which do not see what err_set returns */
}

/* --- whether --- */

static bool is_worth_it(const struct audience_options *options, uint64_t bytes)
{
    return (options->payload != NULL || options->keep != NULL) && options->late_from_bytes > 0 &&
           bytes >= options->late_from_bytes;
}

size_t late_rows_expected(const struct audience *audience, const struct csv_block *first)
{
    uint64_t bytes = csv_cursor_bytes(audience->cursor);
    uint64_t rows = 1;
    if (!is_worth_it(&audience->options, bytes)) {
        return 0;
    }
    for (size_t i = 0; i < first->len; i++) {
        rows += first->bytes[i] == '\n';
    }
    rows = bytes * rows / (first->len + 1);
    return (size_t)(rows + rows / ROOM_FOR_SURPRISE);
}

/* Memory is needed twice: for places while they are cut, beside what tells duplicates and the file
 * that was looked into; and for places, the file and pieces while rows are delivered. What is only
 * counted is delivered by another process. */
static bool has_room(struct audience *audience, size_t rows, uint64_t bytes)
{
    const struct shares *shares = &audience->shares;
    struct late *late = &audience->late;
    size_t room = shares->log + shares->duplicates + shares->order;
    size_t places = rows * sizeof(struct order_ref);
    size_t used = places + audience->threads * (size_t)THREAD_BYTES;
    size_t places_max = audience->options.payload == NULL ? room / 3 : shares->order / 2;

    late->pieces_at_once = (size_t)PIECES_EACH * audience->threads;
    if (bytes >= room || places > places_max ||
        2 * places + rows * OTHER_BYTES_EACH >= room - bytes) {
        return false;
    }
    late->piece_bytes = used > room - bytes ? 0 : (room - bytes - used) / late->pieces_at_once;
    return late->piece_bytes >= PIECE_BYTES_MIN;
}

void late_begin(struct audience *audience, size_t rows)
{
    const struct audience_options *options = &audience->options;
    struct late *late = &audience->late;
    uint64_t bytes = csv_cursor_bytes(audience->cursor);

    if (!is_worth_it(options, bytes) || audience->known.is_on || audience->recall.fd < 0 ||
        bytes >= PLACES_FILE_BYTES_MAX || !has_room(audience, rows, bytes) ||
        mapping_open(options->fd, bytes, &late->mapping, NULL) != RC_OK) {
        return;
    }
    late->rows_max = rows;
    audience->recall.mapping = late->mapping;
    audience->recall.map_bytes = bytes;
    late->places.is_sorted = options->order_count > 0;
    atomic_store(&late->is_on, true);
}

void late_release(struct late *late)
{
    places_release(&late->places);
    buf_release(&late->seeds.bytes);
    mapping_free(late->mapping);
    mapping_free(late->kept);
    late->mapping = late->kept = NULL;
}

static void drop_mapping(struct audience *audience)
{
    audience->recall.mapping = NULL;
    mapping_free(audience->late.mapping);
    audience->late.mapping = NULL;
}

bool late_take_over(struct audience *audience)
{
    struct late *late = &audience->late;
    const struct audience_kept *kept = audience->options.kept;
    struct audience_counts counts;

    if (kept == NULL || !kept_look(kept, audience->options.fd, &counts)) {
        return false;
    }
    late_begin(audience, (size_t)counts.records);
    if (atomic_load(&late->is_on) && kept_read(kept, &late->places, &late->kept)) {
        audience->counts = counts;
        audience->outcome.candidates = counts.records;
        audience->is_taken_over = true;
        return true;
    }
    atomic_store(&late->is_on, false);
    drop_mapping(audience);
    return false;
}

/* --- while rows are selected --- */

static void drop_places(struct audience *audience)
{
    struct late *late = &audience->late;
    places_release(&late->places);
    mapping_forget(late->mapping);
    atomic_store(&late->is_on, false);
}

/* What was remembered becomes items after all; of a count nothing is kept. */
static enum rc give_up(struct audience *audience, struct worker *worker, struct err *err)
{
    struct late *late = &audience->late;
    struct order *order = &audience->order;
    size_t memory_bytes = order->memory_bytes;
    enum rc rc = RC_OK;

    order->memory_bytes = memory_bytes / 2; /* places take the other half at most */
    if (audience->options.payload != NULL) {
        rc = reread_rows(worker, late->places.refs, late->places.count, order_take_chunk, order, 0,
                         err);
    }
    order->memory_bytes = memory_bytes;
    drop_places(audience);
    return rc;
}

void late_read(struct audience *audience)
{
    if (!atomic_load(&audience->late.is_on)) {
        drop_mapping(audience);
    }
}

/* Half of these keys begin alike: the pieces would be uneven. */
static bool is_alike(const struct order_ref *refs, size_t count)
{
    for (size_t i = 0; count >= ALIKE_SAMPLES && i < ALIKE_SAMPLES; i++) {
        uint64_t prefix = refs[count / ALIKE_SAMPLES * i].prefix;
        size_t same = 0;
        for (size_t j = 0; j < ALIKE_SAMPLES; j++) {
            same += refs[count / ALIKE_SAMPLES * j].prefix == prefix;
        }
        if (same > ALIKE_SAMPLES / 2) {
            return true;
        }
    }
    return false;
}

enum rc late_add(struct audience *audience, struct worker *worker, const struct order_ref *refs,
                 size_t count, uint64_t base, struct err *err)
{
    struct late *late = &audience->late;
    struct places *places = &late->places;
    bool is_on = atomic_load(&late->is_on);
    enum rc rc = RC_OK;

    if (is_on && (places->count + count > late->rows_max ||
                  (places->is_sorted && places->count == 0 && is_alike(refs, count)))) {
        rc = give_up(audience, worker, err);
        is_on = false;
    }
    if (rc == RC_OK && audience->options.payload == NULL) {
        if (is_on && places_add(places, refs, count, NULL) != RC_OK) {
            drop_places(audience);
        }
        return RC_OK;
    }
    if (rc != RC_OK) {
        return rc;
    }
    return is_on ? places_add(places, refs, count, err)
                 : reread_rows(worker, refs, count, order_take_chunk, &audience->order, base, err);
}

enum rc late_settle(struct audience *audience, struct err *err)
{
    struct late *late = &audience->late;
    bool is_uneven = false;
    struct worker worker = {0};

    if (!atomic_load(&late->is_on) || late->places.borrowed != NULL) {
        return RC_OK;
    }
    enum rc rc = places_cut(&late->places, &audience->outcome, audience->threads, &is_uneven, err);
    if (audience->options.payload == NULL) {
        if (rc != RC_OK || is_uneven) {
            drop_places(audience);
        }
        return RC_OK;
    }
    if (rc == RC_OK && is_uneven) {
        rc = audience_worker_init(&worker, audience, 0) ? give_up(audience, &worker, err)
                                                        : no_memory(err);
        audience_worker_release(&worker);
    }
    return rc;
}

bool late_keep_rows(struct audience *audience)
{
    struct late *late = &audience->late;
    return audience->options.payload == NULL && atomic_load(&late->is_on) &&
           kept_write_rows(audience->options.keep, &late->places, &late->kept_hash);
}

bool late_keep_head(const struct audience *audience, bool has_rows, int excluded_fd,
                    uint64_t lines_hash)
{
    const struct late *late = &audience->late;
    const struct kept_said said = {.counts = audience->counts,
                                   .lines_hash = lines_hash,
                                   .rows_hash = late->kept_hash,
                                   .places = has_rows ? &late->places : NULL};
    /* Rows that found no room on the disk: what an extraction by the list would spill does not. */
    bool is_short = atomic_load(&late->is_on) && !has_rows;
    return audience->options.keep != NULL && audience->options.payload == NULL && !is_short &&
           kept_write_head(audience->options.keep, audience->options.fd, excluded_fd, &said);
}

/* --- while they are delivered --- */

/* The seeds that belong to this piece stand behind its recipients, as long as nobody sorted. */
static enum rc add_seeds(struct worker *worker, struct order *order, size_t number, struct err *err)
{
    const struct audience *audience = worker->audience;
    const struct late *late = &audience->late;
    struct order_chunk *chunk = &worker->chunk;
    enum rc rc = RC_OK;
    size_t at = 0;

    chunk->count = 0;
    buf_clear(&chunk->bytes);
    while (rc == RC_OK && at < late->seeds.bytes.len) {
        const struct order_item *seed =
            (const struct order_item *)(const void *)(late->seeds.bytes.ptr + at);
        if (places_piece_of(&late->places, order_prefix(seed, 0)) == number) {
            rc = order_chunk_add(chunk, seed->sequence, (struct slice){seed->bytes, seed->key_len},
                                 (struct slice){seed->bytes + seed->key_len, seed->payload_len},
                                 err);
        }
        at += order_item_size(seed->key_len, seed->payload_len);
    }
    return rc == RC_OK ? order_keep_chunk(order, chunk, audience->outcome.candidates, err) : rc;
}

static void make_piece(struct worker *worker, struct piece *piece, size_t number)
{
    size_t count = 0;
    const struct order_ref *refs = places_piece(&worker->audience->late.places, number, &count);

    piece->rc = reread_rows(worker, refs, count, order_keep_chunk, &piece->order, 0, &piece->err);
    if (piece->rc == RC_OK) {
        piece->rc = add_seeds(worker, &piece->order, number, &piece->err);
    }
    if (piece->rc == RC_OK) {
        piece->rc = order_finish(&piece->order, &piece->err);
    }
}

static bool may_make(const struct walk *walk)
{
    return walk->next < walk->count && walk->pieces[walk->next % walk->at_once].state == PIECE_FREE;
}

/* With the mutex held; it is let go for the work. */
static void make_next(struct walk *walk, struct worker *worker)
{
    size_t number = walk->next++;
    struct piece *piece = &walk->pieces[number % walk->at_once];

    piece->state = PIECE_BUSY;
    pthread_mutex_unlock(&walk->mutex);
    make_piece(worker, piece, number);
    pthread_mutex_lock(&walk->mutex);
    piece->state = PIECE_READY;
    pthread_cond_broadcast(&walk->changed);
}

static void *make_pieces(void *arg)
{
    struct maker *maker = arg;
    struct walk *walk = maker->walk;

    pthread_mutex_lock(&walk->mutex);
    while (!walk->is_over && walk->next < walk->count) {
        if (may_make(walk)) {
            make_next(walk, &maker->worker);
        } else {
            pthread_cond_wait(&walk->changed, &walk->mutex);
        }
    }
    pthread_mutex_unlock(&walk->mutex);
    return NULL;
}

/* The calling thread gives the pieces in order, and makes some while the next one is not ready. */
static enum rc give_pieces(struct walk *walk, struct worker *worker, order_take *take, void *ctx,
                           struct err *err)
{
    enum rc rc = RC_OK;

    pthread_mutex_lock(&walk->mutex);
    for (size_t number = 0; rc == RC_OK && number < walk->count; number++) {
        struct piece *piece = &walk->pieces[number % walk->at_once];
        while (piece->state != PIECE_READY) {
            if (may_make(walk)) {
                make_next(walk, worker);
            } else {
                pthread_cond_wait(&walk->changed, &walk->mutex);
            }
        }
        pthread_mutex_unlock(&walk->mutex);
        rc = piece->rc == RC_OK ? order_each(&piece->order, take, ctx, err)
                                : err_set(err, piece->rc, "%s", piece->err.text);
        order_reset(&piece->order);
        pthread_mutex_lock(&walk->mutex);
        piece->state = PIECE_FREE;
        pthread_cond_broadcast(&walk->changed);
    }
    walk->is_over = true;
    pthread_cond_broadcast(&walk->changed);
    pthread_mutex_unlock(&walk->mutex);
    return rc;
}

/* The calling thread is the first; where others cannot be started, fewer do the same work. */
static enum rc run_makers(struct walk *walk, struct maker *makers, unsigned count, order_take *take,
                          void *ctx, struct err *err)
{
    unsigned started = 1;

    pthread_mutex_init(&walk->mutex, NULL);
    pthread_cond_init(&walk->changed, NULL);
    for (; started < count && started < walk->count; started++) {
        makers[started].walk = walk;
        if (pthread_create(&makers[started].id, NULL, make_pieces, &makers[started]) != 0) {
            break;
        }
    }
    enum rc rc = give_pieces(walk, &makers[0].worker, take, ctx, err);
    for (unsigned i = 1; i < started; i++) {
        pthread_join(makers[i].id, NULL);
    }
    pthread_cond_destroy(&walk->changed);
    pthread_mutex_destroy(&walk->mutex);
    return rc;
}

static bool prepare(struct walk *walk, struct maker *makers, unsigned count)
{
    const struct audience *audience = walk->audience;

    walk->pieces = calloc(walk->at_once, sizeof *walk->pieces);
    for (size_t i = 0; walk->pieces != NULL && i < walk->at_once; i++) {
        struct order *order = &walk->pieces[i].order;
        order_init(order, audience->late.places.is_sorted, audience->late.piece_bytes,
                   audience->options.spill_fd, 1);
        order->slab_bytes = 0;
    }
    bool is_ready = walk->pieces != NULL && makers != NULL;
    for (unsigned i = 0; is_ready && i < count; i++) {
        is_ready = audience_worker_init(&makers[i].worker, audience, i);
    }
    return is_ready;
}

enum rc late_each(const struct audience *audience, order_take *take, void *ctx, struct err *err)
{
    unsigned count = audience->threads;
    struct walk walk = {.audience = audience,
                        .at_once = audience->late.pieces_at_once,
                        .count = places_pieces(&audience->late.places)};
    struct maker *makers = lines_calloc(count * sizeof *makers);
    enum rc rc = prepare(&walk, makers, count) ? run_makers(&walk, makers, count, take, ctx, err)
                                               : no_memory(err);
    for (size_t i = 0; walk.pieces != NULL && i < walk.at_once; i++) {
        order_release(&walk.pieces[i].order);
    }
    for (unsigned i = 0; makers != NULL && i < count; i++) {
        audience_worker_release(&makers[i].worker);
    }
    free(walk.pieces);
    free(makers);
    return rc;
}
