/*
 * seeds - control addresses that are mixed into what is delivered
 *
 * Contract in the header.
 */
#include "audience/seeds.h"

#include "base/digest.h"
#include "base/name.h"

#include <stdlib.h>

enum { FIRST_SEEDS = 64 };

static enum rc no_memory(struct err *err)
{
    err_set(err, RC_NOMEM, "no memory");
    return RC_NOMEM; /* stated for analysers, which do not see what err_set returns */
}

static enum rc map_columns(struct seeds *seeds, const struct csv_cursor *recipients,
                           struct err *err)
{
    size_t count = 0;
    size_t columns = 0;
    const char *const *names = csv_cursor_names(seeds->cursor, &count);
    const char *const *wanted = csv_cursor_names(recipients, &columns);

    seeds->columns = columns;
    seeds->map = calloc(count, sizeof *seeds->map);
    seeds->fields = calloc(columns, sizeof *seeds->fields);
    if (seeds->map == NULL || seeds->fields == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        seeds->map[i] = csv_cursor_column(recipients, names[i]);
        if (seeds->map[i] != CSV_NO_COLUMN) {
            continue;
        }
        const char *near = name_nearest(slice_of(names[i]), wanted, columns);
        if (near == NULL) {
            return err_set(err, RC_PERM,
                           "%s:1: column \"%.100s\" is none of the recipients'; take it out",
                           seeds->name, names[i]);
        }
        return err_set(err, RC_PERM,
                       "%s:1: column \"%.100s\" is none of the recipients'; did you mean "
                       "\"%.100s\"?",
                       seeds->name, names[i], near);
    }
    return RC_OK;
}

enum rc seeds_open(struct seeds *seeds, int fd, const char *name, char delimiter,
                   const struct csv_cursor *recipients, struct err *err)
{
    *seeds = (struct seeds){.name = name, .bytes = BUF_EMPTY};
    enum rc rc = csv_cursor_open(fd, name, delimiter, &seeds->cursor, err);
    if (rc == RC_OK) {
        rc = map_columns(seeds, recipients, err);
    }
    if (rc != RC_OK) {
        seeds_release(seeds);
    }
    return rc;
}

void seeds_release(struct seeds *seeds)
{
    csv_cursor_free(seeds->cursor);
    free(seeds->map);
    free(seeds->fields);
    free(seeds->items);
    buf_release(&seeds->bytes);
    *seeds = (struct seeds){.bytes = BUF_EMPTY};
}

static enum rc add_seed(struct seeds *seeds, struct slice payload, unsigned long long line,
                        struct err *err)
{
    if (seeds->count == AUDIENCE_SEEDS_MAX) {
        return err_set(err, RC_PERM, "%s:%llu: more than %d seeds; shorten the file", seeds->name,
                       line, AUDIENCE_SEEDS_MAX);
    }
    if (payload.len > AUDIENCE_SEED_BYTES_MAX - seeds->bytes.len) {
        return err_set(err, RC_PERM, "%s:%llu: seeds take more than %d bytes; shorten the file",
                       seeds->name, line, AUDIENCE_SEED_BYTES_MAX);
    }
    if (seeds->count % FIRST_SEEDS == 0) {
        struct seed *items = realloc(seeds->items, (seeds->count + FIRST_SEEDS) * sizeof *items);
        if (items == NULL) {
            return no_memory(err);
        }
        seeds->items = items;
    }
    seeds->items[seeds->count] = (struct seed){0, seeds->count, seeds->bytes.len, payload.len};
    seeds->count++;
    buf_add_slice(&seeds->bytes, payload);
    return buf_ok(&seeds->bytes, err);
}

static enum rc read_one(struct seeds *seeds, seeds_take *take, void *ctx, struct buf *out,
                        bool *out_is_end, struct err *err)
{
    struct csv_record record;
    enum rc rc = csv_cursor_next(seeds->cursor, &record, err);
    if (rc != RC_OK) {
        *out_is_end = rc == RC_GONE;
        return *out_is_end ? RC_OK : rc;
    }
    unsigned long long line = record.line;
    if (record.fault != CSV_SOUND) {
        return err_set(err, RC_PERM, "%s:%llu: %s", seeds->name, line,
                       csv_fault_text(record.fault));
    }
    for (size_t i = 0; i < record.count; i++) {
        seeds->fields[seeds->map[i]] = record.fields[i];
    }
    struct audience_row row = {seeds->fields, seeds->columns, record.line, true, '\0'};
    buf_clear(out);
    rc = take(ctx, seeds->count, &row, out, err);
    if (rc != RC_OK) {
        return err_add(err, rc, "%s:%llu", seeds->name, line);
    }
    rc = buf_ok(out, err);
    return rc == RC_OK ? add_seed(seeds, buf_slice(out), line, err) : rc;
}

enum rc seeds_read(struct seeds *seeds, seeds_take *take, void *ctx, struct err *err)
{
    struct buf out = BUF_EMPTY;
    enum rc rc = RC_OK;

    for (size_t i = 0; i < seeds->columns; i++) {
        seeds->fields[i] = SLICE_LITERAL("");
    }
    bool is_end = false;
    while (rc == RC_OK && !is_end) {
        rc = read_one(seeds, take, ctx, &out, &is_end, err);
    }
    buf_release(&out);
    return rc;
}

static int compare_places(const void *a, const void *b)
{
    const struct seed *x = a;
    const struct seed *y = b;
    if (x->place != y->place) {
        return x->place < y->place ? -1 : 1;
    }
    return x->number < y->number ? -1 : x->number > y->number;
}

void seeds_place(struct seeds *seeds, uint64_t records, uint64_t seed)
{
    for (size_t i = 0; i < seeds->count; i++) {
        uint64_t number = seeds->items[i].number;
        seeds->items[i].place = hash64(&number, sizeof number, seed) % (records + 1);
    }
    if (seeds->count > 1) {
        qsort(seeds->items, seeds->count, sizeof *seeds->items, compare_places);
    }
}
