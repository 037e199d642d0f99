/*
 * reread - rows read again by their places, and made into what is delivered
 *
 * Rows are copied out of the mapping before anything is decided by them: as many as fit into a
 * block, which is then scanned like any other. A row that has not its place, its form and the
 * beginning of its key any more is told. (What is as long and has as many fields is not known from
 * what was there: the file is the delivery's own, which nobody else may write.)
 */
#include "audience/audience_inner.h"

enum {
    AHEAD = 16, /* rows that are fetched before they are copied */
    CACHE_LINE = 64,
    FETCH_BYTES_MAX = 4 * CACHE_LINE
};

static enum rc no_memory(struct err *err)
{
    err_set(err, RC_NOMEM, "no memory");
    return RC_NOMEM; /* stated for analysers, which do not see what err_set returns */
}

static enum rc changed(struct err *err)
{
    return err_set(err, RC_IO, "the recipients changed while they were read");
}

static inline void fetch(const char *at, size_t len)
{
    for (size_t i = 0; i < FETCH_BYTES_MAX && i < len + CACHE_LINE; i += CACHE_LINE) {
        __builtin_prefetch(at + i);
    }
}

/* Copies whole lines of a cache: to has room for one more, and so has the file, but at its end. */
static inline void copy_row(char *to, const char *from, size_t len, size_t readable)
{
    if (readable < len + CACHE_LINE) {
        memcpy(to, from, len);
        return;
    }
    for (size_t i = 0; i < len; i += CACHE_LINE) {
        memcpy(to + i, from + i, CACHE_LINE);
    }
}

/* Rows, each with an LF behind it, in worker->rows: one at least, and not many more than a block.
 */
static enum rc gather(struct worker *worker, const struct order_ref *refs, size_t count,
                      size_t *out_count, struct err *err)
{
    const struct recall_plan *plan = &worker->audience->recall;
    const char *bytes = mapping_bytes(plan->mapping);
    struct buf *rows = &worker->rows;
    size_t done = 0;

    buf_clear(rows);
    while (done < count && rows->len < CSV_BLOCK_BYTES) {
        uint64_t at = place_at(refs[done].place);
        size_t len = place_len(refs[done].place);
        if (done + AHEAD < count) {
            fetch(bytes + place_at(refs[done + AHEAD].place), place_len(refs[done + AHEAD].place));
        }
        if (at > plan->map_bytes || plan->map_bytes - at < len) {
            return changed(err);
        }
        if (!buf_reserve(rows, len + CACHE_LINE + CSV_SLACK_BYTES)) {
            return no_memory(err);
        }
        copy_row(rows->ptr + rows->len, bytes + at, len, plan->map_bytes - at);
        rows->len += len;
        rows->ptr[rows->len++] = '\n'; /* the row's own end may be another one, or none */
        done++;
    }
    memset(rows->ptr + rows->len, 0, CSV_SLACK_BYTES);
    *out_count = done;
    /* refs, too, may be a file's */
    const struct mapping *kept = worker->audience->late.kept;
    return kept != NULL && mapping_is_broken(kept) ? changed(err) : recall_check(plan, err);
}

/* The line that a row begins on, counted from the beginning: a fault is told with it, and once. */
static unsigned long long line_at(const struct late *late, uint64_t at)
{
    const char *from = mapping_bytes(late->mapping);
    const char *end = from + at;
    unsigned long long line = 1;

    while (from < end && (from = memchr(from, '\n', (size_t)(end - from))) != NULL) {
        line++;
        from++;
    }
    return line;
}

static enum rc make_items(struct worker *worker, const struct order_ref *refs, size_t count,
                          struct err *err)
{
    const struct audience *audience = worker->audience;
    const struct csv_block block = {.bytes = worker->rows.ptr, .len = worker->rows.len};
    struct order_chunk *chunk = &worker->chunk;
    size_t at = 0;

    chunk->count = 0;
    buf_clear(&chunk->bytes);
    if (!csv_scan(CSV_BEST, block.bytes, block.len, audience->delimiter, &worker->index)) {
        return no_memory(err);
    }
    if (worker->index.rows_count != count || !csv_block_is_clean(&block)) {
        return changed(err);
    }
    for (size_t i = 0; i < count; i++) {
        struct csv_row row = csv_row_at(&block, &worker->index, i);
        size_t len = place_len(refs[i].place);
        if (row.start != at || row.end != at + len || row.fault != CSV_SOUND ||
            row.columns != audience->columns) {
            return changed(err);
        }
        at += len + 1;
        if (!csv_scratch_ready(&worker->scratch, &row)) {
            return no_memory(err);
        }
        select_columns(worker, &row, &audience->second);
        struct audience_row here = {worker->fields, audience->columns, 0, false,
                                    audience->delimiter};
        size_t item_at = chunk->bytes.len;
        enum rc rc = select_item(worker, chunk, &here, i, err);
        if (rc != RC_OK && select_prefix(audience, worker->fields) != refs[i].prefix) {
            return changed(err);
        }
        if (rc != RC_OK) {
            return err_add(err, rc, "%s:%llu", audience->name,
                           line_at(&audience->late, place_at(refs[i].place)));
        }
        /* the item's key begins as the row's did */
        const struct order_item *item =
            (const struct order_item *)(const void *)(chunk->bytes.ptr + item_at);
        if (order_prefix(item, 0) != refs[i].prefix) {
            return changed(err);
        }
    }
    return RC_OK;
}

enum rc reread_rows(struct worker *worker, const struct order_ref *refs, size_t count,
                    order_add *add, struct order *order, uint64_t base, struct err *err)
{
    enum rc rc = RC_OK;
    size_t done = 0;

    while (rc == RC_OK && done < count) {
        size_t here = 0;
        rc = gather(worker, refs + done, count - done, &here, err);
        if (rc == RC_OK) {
            rc = make_items(worker, refs + done, here, err);
        }
        if (rc == RC_OK) {
            rc = add(order, &worker->chunk, base + done, err);
        }
        done += here;
    }
    return rc;
}
