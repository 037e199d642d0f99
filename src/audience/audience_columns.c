/*
 * audience_columns - which columns of the recipients are looked at, and when
 *
 * A field is taken out of its quotes only where somebody looks at it.
 */
#include "audience/audience_inner.h"

#include <stdlib.h>

enum rc audience_find_columns(struct audience *audience, struct err *err)
{
    const struct audience_options *options = &audience->options;
    enum rc rc = csv_cursor_want(audience->cursor, options->key, &audience->key, err);

    if (rc == RC_OK && (options->dedupe_count > AUDIENCE_NAMED_COLUMNS_MAX ||
                        options->order_count > AUDIENCE_NAMED_COLUMNS_MAX)) {
        return err_set(err, RC_RANGE, "more than %d columns in dedupe or order; name fewer",
                       AUDIENCE_NAMED_COLUMNS_MAX);
    }
    for (size_t i = 0; rc == RC_OK && i < options->dedupe_count; i++) {
        rc = csv_cursor_want(audience->cursor, options->dedupe[i], &audience->dedupe[i], err);
    }
    for (size_t i = 0; rc == RC_OK && i < options->order_count; i++) {
        struct order_column *column = &audience->order_columns[i];
        const char *name = options->order[i];
        /* a column whose own name begins with a minus is meant as it stands */
        column->is_descending =
            name[0] == '-' && csv_cursor_column(audience->cursor, name) == CSV_NO_COLUMN;
        rc = csv_cursor_want(audience->cursor, name + column->is_descending, &column->column, err);
    }
    if (rc == RC_OK && options->where != NULL && options->where[0] != '\0') {
        size_t count = 0;
        const char *const *names = csv_cursor_names(audience->cursor, &count);
        rc = where_compile(slice_of(options->where), names, count, &audience->where, err);
    }
    return rc;
}

static void set_add(struct column_set *set, size_t column)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->columns[i] == column) {
            return;
        }
    }
    set->columns[set->count++] = column;
}

static void set_copy(struct column_set *set, const struct column_set *from)
{
    memcpy(set->columns, from->columns, from->count * sizeof *set->columns);
    set->count = from->count;
}

/* What selecting itself looks at behind where. The key is taken again: what was out of its quotes
 * before is overwritten. */
static void set_own(const struct audience *audience, struct column_set *set)
{
    const struct audience_options *options = &audience->options;

    set->count = 0;
    for (size_t i = 0; i < options->dedupe_count; i++) {
        set_add(set, audience->dedupe[i]);
    }
    for (size_t i = 0;
         (options->payload != NULL || options->keep != NULL) && i < options->order_count; i++) {
        set_add(set, audience->order_columns[i].column);
    }
    for (size_t i = 0; i < audience->filters_count; i++) {
        set_add(set, audience->filters[i].column);
    }
    if (set->count > 0 || options->payload != NULL) {
        set_add(set, audience->key);
    }
}

/* A check looks at what the payload's maker looks at. */
static void set_early(struct audience *audience)
{
    if (audience->options.check != NULL) {
        set_copy(&audience->early, &audience->second);
    } else {
        set_own(audience, &audience->early);
    }
}

/* Which columns of a row are taken out of their quotes, before and behind where. */
enum rc audience_choose_columns(struct audience *audience, struct err *err)
{
    const struct audience_options *options = &audience->options;

    audience->first.columns = calloc(audience->columns, sizeof(size_t));
    audience->second.columns = calloc(audience->columns, sizeof(size_t));
    audience->early.columns = calloc(audience->columns, sizeof(size_t));
    if (audience->first.columns == NULL || audience->second.columns == NULL ||
        audience->early.columns == NULL) {
        err_set(err, RC_NOMEM, "no memory");
        return RC_NOMEM; /* stated for analysers, which do not see what err_set returns */
    }
    set_add(&audience->first, audience->key);
    if (audience->where != NULL) {
        size_t count = 0;
        const size_t *columns = where_columns(audience->where, &count);
        for (size_t i = 0; i < count; i++) {
            set_add(&audience->first, columns[i]);
        }
    }
    set_own(audience, &audience->second);
    for (size_t i = 0;
         (options->check != NULL || options->payload != NULL) && i < audience->columns; i++) {
        set_add(&audience->second, i);
    }
    set_early(audience);
    return RC_OK;
}

void audience_narrow(struct audience *audience, bool (*uses)(const void *ctx, size_t column),
                     const void *ctx)
{
    bool is_looked_at = audience->options.check != NULL || audience->options.payload != NULL;
    set_own(audience, &audience->second);
    for (size_t i = 0; is_looked_at && i < audience->columns; i++) {
        if (i == audience->key || uses(ctx, i)) {
            set_add(&audience->second, i);
        }
    }
    set_early(audience);
}
