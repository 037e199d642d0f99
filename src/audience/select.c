/*
 * select - one block: which of its rows go on, and what is remembered of them
 *
 * Runs in any thread; touches its worker and its job alone.
 */
#include "audience/audience_inner.h"

#include "base/digest.h"

#include <stdlib.h>

static enum rc no_memory(struct err *err)
{
    err_set(err, RC_NOMEM, "no memory");
    return RC_NOMEM; /* stated for analysers, which do not see what err_set returns */
}

#define EACH_BYTE(byte) ((uint64_t)(byte)*UINT64_C(0x0101010101010101))

/* some byte of the eight is below 0x20, or 0x7f */
static inline bool has_control(uint64_t eight)
{
    uint64_t del = eight ^ EACH_BYTE(0x7f);
    uint64_t low = (eight - EACH_BYTE(0x20)) & ~eight;
    return ((low | ((del - EACH_BYTE(1)) & ~del)) & EACH_BYTE(0x80)) != 0;
}

static inline bool key_has_control(struct slice key)
{
    uint64_t eight = EACH_BYTE('a');
    if (key.len < sizeof eight) {
        for (size_t at = 0; at < key.len; at++) {
            eight = eight << 8 | (unsigned char)key.ptr[at];
        }
        return has_control(eight);
    }
    size_t last = key.len - sizeof eight; /* overlaps the eight before it */
    for (size_t at = 0; at < last; at += sizeof eight) {
        memcpy(&eight, key.ptr + at, sizeof eight);
        if (has_control(eight)) {
            return true;
        }
    }
    memcpy(&eight, key.ptr + last, sizeof eight);
    return has_control(eight);
}

/* A key stands in excluded.csv, in returns and in logs: no control characters. */
static inline const char *key_fault(struct slice key)
{
    if (key.len == 0) {
        return "the key is empty; every row needs one";
    }
    if (key.len > AUDIENCE_KEY_BYTES_MAX) {
        return "the key is longer than 255 bytes; shorten it";
    }
    return key_has_control(key) ? "the key holds a control character; take it out" : NULL;
}

static void exclude(struct worker *worker, struct job *job, enum audience_cause cause,
                    uint64_t line, struct slice key)
{
    job->excluded[cause]++;
    if (worker->audience->logs_excluded) {
        struct rowlog_record record = {
            .tag = ROWLOG_EXCLUDED + (unsigned)cause, .line = line, .key = key};
        rowlog_put(&job->log, &record);
    }
}

static enum rc malformed(struct worker *worker, struct job *job, uint64_t line, const char *fault)
{
    const struct audience *audience = worker->audience;
    if (!audience->options.excludes_bad_rows) {
        return err_set(&job->err, RC_PERM, "%s:%llu: %s", audience->name, (unsigned long long)line,
                       fault);
    }
    exclude(worker, job, CAUSE_MALFORMED, line, SLICE_LITERAL(""));
    return RC_OK;
}

void select_columns(struct worker *worker, const struct csv_row *row, const struct column_set *set)
{
    struct slice *fields = worker->fields;
    const size_t *columns = set->columns;
    size_t count = set->count;

    worker->scratch.len = 0;
    for (size_t i = 0; i < count; i++) {
        fields[columns[i]] = csv_row_field(row, columns[i], &worker->scratch);
    }
}

/* What lists and the caller have against a row whose fields stand ready. */
static enum rc find_cause(struct worker *worker, struct job *job, const struct audience_row *row,
                          enum audience_cause *out)
{
    const struct audience *audience = worker->audience;

    *out = CAUSE_NONE;
    for (size_t i = 0; i < audience->filters_count; i++) {
        const struct filter *filter = &audience->filters[i];
        bool is_in = false;
        enum rc rc = keyset_has(&filter->keys, worker->fields[filter->column], &worker->found,
                                &is_in, &job->err);
        if (rc != RC_OK) {
            return rc;
        }
        if (is_in) {
            *out = filter->cause;
            return RC_OK;
        }
    }
    if (audience->options.check != NULL) {
        *out = audience->options.check(audience->options.ctx, worker->number, row);
    }
    return RC_OK;
}

void select_key(const struct audience *audience, const struct slice *fields, struct buf *key)
{
    for (size_t i = 0; i < audience->options.order_count; i++) {
        const struct order_column *column = &audience->order_columns[i];
        order_key_add(key, fields[column->column], column->is_descending);
    }
}

/* Key and payload are made where they stay: a row is most of what is copied. */
enum rc select_item(const struct worker *worker, struct order_chunk *chunk,
                    const struct audience_row *row, uint64_t sequence, struct err *err)
{
    const struct audience *audience = worker->audience;
    struct buf *bytes = &chunk->bytes;
    size_t at = 0;

    enum rc rc = order_chunk_begin(chunk, &at, err);
    if (rc != RC_OK) {
        return rc;
    }
    size_t key_at = bytes->len;
    select_key(audience, row->fields, bytes);
    size_t key_len = bytes->len - key_at;
    rc = audience->options.payload(audience->options.ctx, worker->number, row, bytes, err);
    return rc == RC_OK ? order_chunk_end(chunk, at, key_len, sequence, err) : rc;
}

uint64_t select_prefix(const struct audience *audience, const struct slice *fields)
{
    uint64_t prefix = 0;
    unsigned filled = 0; /* bytes of it */

    for (size_t i = 0; i < audience->options.order_count && filled < sizeof prefix; i++) {
        const struct order_column *column = &audience->order_columns[i];
        struct slice field = fields[column->column];
        unsigned char mask = column->is_descending ? 0xFF : 0;
        for (size_t at = 0; at < field.len && filled < sizeof prefix; at++, filled++) {
            prefix = prefix << 8 | (uint64_t)((unsigned char)field.ptr[at] ^ mask);
        }
        if (filled < sizeof prefix) {
            prefix = prefix << 8 | mask;
            filled++;
        }
    }
    return filled == 0 ? 0 : prefix << 8 * (sizeof prefix - filled);
}

/* The fields of dedupe in one: what is compared where hashes are equal. */
static struct slice composite_of(struct worker *worker)
{
    const struct audience *audience = worker->audience;

    buf_clear(&worker->composite);
    for (size_t i = 0; i < audience->options.dedupe_count; i++) {
        composite_put(&worker->composite, worker->fields[audience->dedupe[i]]);
    }
    return buf_slice(&worker->composite);
}

static uint64_t dedupe_hash_of(const struct worker *worker)
{
    const struct audience *audience = worker->audience;
    uint64_t hash = audience->hash_seed;

    for (size_t i = 0; i < audience->options.dedupe_count; i++) {
        struct slice field = worker->fields[audience->dedupe[i]];
        hash = hash64_short(field.ptr, field.len, hash);
    }
    return hash;
}

/* What the log keeps: where the row lies, or the texts themselves. */
static enum rc log_candidate(struct worker *worker, struct job *job, const struct csv_row *row,
                             uint64_t line)
{
    const struct audience *audience = worker->audience;
    struct rowlog_record record = {.tag = ROWLOG_CANDIDATE, .line = line};

    if (audience->recall.fd >= 0) {
        record.tag = ROWLOG_CANDIDATE_PLACE;
        record.row_at = job->block.at + row->start;
        record.row_len = row->end - row->start;
    } else {
        record.key = worker->fields[audience->key];
        if (audience->options.dedupe_count > 0) {
            record.tag = ROWLOG_CANDIDATE_DEDUPE;
            record.dedupe = composite_of(worker);
            if (worker->composite.is_failed) {
                return no_memory(&job->err);
            }
        }
    }
    rowlog_put(&job->log, &record);
    return RC_OK;
}

static bool has_candidate_room(struct job *job)
{
    if (job->candidates_count < job->candidates_cap) {
        return true;
    }
    size_t cap = job->candidates_cap == 0 ? 4096 : job->candidates_cap * 2;
    struct candidate *candidates = realloc(job->candidates, cap * sizeof *candidates);
    if (candidates == NULL) {
        return false;
    }
    job->candidates = candidates;
    struct order_ref *refs = realloc(job->refs, cap * sizeof *refs);
    if (refs == NULL) {
        return false;
    }
    job->refs = refs;
    job->candidates_cap = cap;
    return true;
}

static enum rc add_candidate(struct worker *worker, struct job *job, const struct csv_row *row,
                             const struct audience_row *fields)
{
    const struct audience *audience = worker->audience;
    struct slice key = worker->fields[audience->key];

    if (!has_candidate_room(job)) {
        return no_memory(&job->err);
    }
    size_t candidate = job->candidates_count++;
    job->candidates[candidate] = (struct candidate){
        hash64_short(key.ptr, key.len, audience->hash_seed), dedupe_hash_of(worker), job->log.len};
    enum rc rc = log_candidate(worker, job, row, fields->line);
    if (rc == RC_OK && job->is_late) {
        job->refs[candidate].prefix = select_prefix(audience, worker->fields);
        job->refs[candidate].place = place_of(job->block.at + row->start, row->end - row->start);
        return RC_OK;
    }
    if (rc != RC_OK || audience->options.payload == NULL) {
        return rc;
    }
    rc = select_item(worker, &job->chunk, fields, candidate, &job->err);
    return rc == RC_OK ? rc
                       : err_add(&job->err, rc, "%s:%llu", audience->name,
                                 (unsigned long long)fields->line);
}

/* A sound row: its key, where, lists, check. */
static enum rc select_row(struct worker *worker, struct job *job, const struct csv_row *row,
                          uint64_t line)
{
    const struct audience *audience = worker->audience;

    if (!csv_scratch_ready(&worker->scratch, row)) {
        return no_memory(&job->err);
    }
    select_columns(worker, row, &audience->first);
    struct slice key = worker->fields[audience->key];
    const char *fault = key_fault(key);
    if (fault != NULL) {
        return malformed(worker, job, line, fault);
    }
    if (audience->where != NULL && !where_matches(audience->where, worker->fields)) {
        exclude(worker, job, CAUSE_NOT_SELECTED, line, key);
        return RC_OK;
    }
    const struct column_set *second = job->is_late ? &audience->early : &audience->second;
    if (second->count > 0) {
        select_columns(worker, row, second);
    }
    struct audience_row here = {worker->fields, audience->columns, line, false,
                                audience->delimiter};
    enum audience_cause cause = CAUSE_NONE;
    enum rc rc = find_cause(worker, job, &here, &cause);
    if (rc != RC_OK) {
        return rc;
    }
    if (cause != CAUSE_NONE) {
        exclude(worker, job, cause, line, worker->fields[audience->key]);
        return RC_OK;
    }
    return add_candidate(worker, job, row, &here);
}

/* A row that a count found to be in is rendered, and no more. */
static enum rc select_known(struct worker *worker, struct job *job, const struct csv_row *row,
                            uint64_t line)
{
    const struct audience *audience = worker->audience;
    if (!csv_scratch_ready(&worker->scratch, row)) {
        return no_memory(&job->err);
    }
    select_columns(worker, row, &audience->second);
    struct audience_row here = {worker->fields, audience->columns, line, false,
                                audience->delimiter};
    enum rc rc = select_item(worker, &job->chunk, &here, job->candidates_count++, &job->err);
    return rc == RC_OK
               ? rc
               : err_add(&job->err, rc, "%s:%llu", audience->name, (unsigned long long)line);
}

static enum rc select_sound(struct worker *worker, struct job *job, const struct csv_row *row,
                            uint64_t line)
{
    return worker->audience->known.is_on ? select_known(worker, job, row, line)
                                         : select_row(worker, job, row, line);
}

static void clear(struct job *job, const struct audience *audience)
{
    job->rc = RC_OK;
    job->rows = 0;
    memset(job->excluded, 0, sizeof job->excluded);
    buf_clear(&job->log);
    job->candidates_count = 0;
    job->is_late = atomic_load_explicit(&audience->late.is_on, memory_order_relaxed);
    job->chunk.count = 0;
    buf_clear(&job->chunk.bytes);
}

void select_block(struct worker *worker, struct job *job)
{
    const struct audience *audience = worker->audience;
    const struct csv_block *block = &job->block;

    clear(job, audience);
    if (!csv_scan(CSV_BEST, block->bytes, block->len, audience->delimiter, &worker->index)) {
        job->rc = no_memory(&job->err);
        return;
    }
    bool is_clean = csv_block_is_clean(block);
    for (size_t i = block->skip_rows; i < worker->index.rows_count && job->rc == RC_OK; i++) {
        struct csv_row row = csv_row_at(block, &worker->index, i);
        if (row.start == row.end && audience->columns > 1) {
            continue;
        }
        uint64_t line = block->first_line + row.line_in_block;
        job->rows++;
        if (known_is_out(&audience->known, line)) {
            continue;
        }
        if (csv_row_is_long(&row)) {
            job->rc = csv_row_limits(&row, audience->name, line, &job->err);
            if (job->rc != RC_OK) {
                return;
            }
        }
        bool is_sound = is_clean && row.fault == CSV_SOUND && row.columns == audience->columns;
        enum csv_fault fault =
            is_sound ? CSV_SOUND : csv_row_fault(&row, audience->columns, is_clean);
        job->rc = fault == CSV_SOUND ? select_sound(worker, job, &row, line)
                                     : malformed(worker, job, line, csv_fault_text(fault));
    }
    if (job->rc == RC_OK) {
        job->rc = buf_ok(&job->log, &job->err);
    }
}
