/*
 * layout_value - what a column shows of a row: its sources, and their text before it is encoded
 */
#include "pack/layout_plan.h"

struct source layout_source_at(const struct layout *layout, size_t position)
{
    for (size_t i = 0; i < layout->special_count; i++) {
        if (layout->specials[i].position == position) {
            return (struct source){layout->specials[i].kind, layout->specials[i].index, {NULL, 0}};
        }
    }
    return (struct source){SOURCE_FIELD, (uint32_t)position, {NULL, 0}};
}

/* One tag of a template at text[*at], which begins with "{{": the column's position, or SIZE_MAX
 * when it is anything but a plain {{name}}, {{{name}}} or {{&name}} */
static size_t plain_tag(const struct layout *layout, const char *const *names, struct slice text,
                        size_t *at)
{
    size_t from = *at + 2;
    bool is_triple = from < text.len && text.ptr[from] == '{';
    from += is_triple || (from < text.len && text.ptr[from] == '&');
    size_t to = from;
    while (to < text.len && text.ptr[to] != '}') {
        to++;
    }
    size_t close = is_triple ? 3 : 2;
    if (text.len - to < close || memcmp(text.ptr + to, "}}}", close) != 0) {
        return SIZE_MAX;
    }
    *at = to + close;
    while (from < to && text.ptr[from] == ' ') {
        from++;
    }
    while (from < to && text.ptr[to - 1] == ' ') {
        to--;
    }
    /* A name that begins like a section or comment is not taken here, whatever it is. */
    if (from == to || strchr("#^/!>=<$.*&{", text.ptr[from]) != NULL) {
        return SIZE_MAX;
    }
    struct slice name = {text.ptr + from, to - from};
    for (size_t i = 0; i < layout->row_count; i++) {
        if (slice_equal_text(name, names[i])) {
            return i;
        }
    }
    return SIZE_MAX;
}

static size_t next_tag(struct slice text, size_t at)
{
    while (at < text.len &&
           !(text.len - at >= 2 && text.ptr[at] == '{' && text.ptr[at + 1] == '{')) {
        at++;
    }
    return at;
}

bool layout_take_apart(const struct layout *layout, const char *const *names, struct slice text,
                       struct source *into, size_t *count)
{
    *count = 0;
    for (size_t at = 0; at < text.len;) {
        size_t tag = next_tag(text, at);
        struct source source = {SOURCE_LITERAL, 0, {text.ptr + at, tag - at}};
        if (tag == at) {
            size_t position = plain_tag(layout, names, text, &at);
            if (position == SIZE_MAX) {
                return false;
            }
            source = layout_source_at(layout, position);
        } else {
            at = tag;
        }
        if (into != NULL) {
            into[*count] = source;
        }
        *count += 1;
    }
    return true;
}

bool layout_uses(const struct layout *layout, size_t column)
{
    if (layout->is_address_checked || layout->lines_used != 0 || layout->has_templates) {
        return true;
    }
    for (size_t i = 0; i < layout->column_count; i++) {
        const struct column_plan *plan = &layout->columns[i];
        for (size_t j = 0; j < plan->source_count; j++) {
            if (plan->sources[j].kind == SOURCE_FIELD && plan->sources[j].index == column) {
                return true;
            }
        }
    }
    return false;
}

const struct slice *layout_whole_row(struct layout_state *state, const struct slice *fields,
                                     size_t count)
{
    size_t wanted = state->layout->field_count;
    if (count >= wanted) {
        return fields;
    }
    for (size_t i = 0; i < wanted; i++) {
        state->fields[i] = i < count ? fields[i] : (struct slice){NULL, 0};
    }
    return state->fields;
}

static const char hole_mark[1] = {'\0'};

static struct slice source_text(const struct layout_state *state, const struct source *source,
                                const struct slice *fields)
{
    switch (source->kind) {
    case SOURCE_FIELD:
        return fields[source->index];
    case SOURCE_LINE:
        return state->base[source->index];
    case SOURCE_REFERENCE:
        return (struct slice){hole_mark, 1};
    case SOURCE_LITERAL:
        break;
    }
    return source->text;
}

static void blank_nul(char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\0') {
            bytes[i] = ' ';
        }
    }
}

static void join_sources(struct layout_state *state, const struct column_plan *plan,
                         const struct slice *fields)
{
    struct buf *joined = &state->joined;
    buf_clear(joined);
    for (size_t i = 0; i < plan->source_count; i++) {
        struct slice text = source_text(state, &plan->sources[i], fields);
        size_t start = joined->len;
        buf_add_slice(joined, text);
        bool is_data = plan->sources[i].kind != SOURCE_REFERENCE;
        if (plan->has_reference && is_data && !joined->is_failed && text.len > 0) {
            blank_nul(joined->ptr + start, text.len);
        }
    }
}

/* Fields with a NUL are copied without it, so that no hole is invented. */
enum rc layout_make_row(struct layout_state *state, const struct slice *fields, struct err *err)
{
    const struct layout *layout = state->layout;
    size_t unclean = 0;
    for (size_t i = 0; i < layout->field_count; i++) {
        state->row[i] = fields[i];
        if (fields[i].len > 0 && memchr(fields[i].ptr, '\0', fields[i].len) != NULL) {
            unclean += fields[i].len;
        }
    }
    if (unclean > 0) {
        buf_clear(&state->clean);
        if (!buf_reserve(&state->clean, unclean)) {
            return buf_ok(&state->clean, err);
        }
        for (size_t i = 0; i < layout->field_count; i++) {
            if (fields[i].len > 0 && memchr(fields[i].ptr, '\0', fields[i].len) != NULL) {
                char *copy = state->clean.ptr + state->clean.len;
                buf_add_slice(&state->clean, fields[i]);
                blank_nul(copy, fields[i].len);
                state->row[i].ptr = copy;
            }
        }
    }
    for (size_t i = 0; i < layout->special_count; i++) {
        struct source source = {layout->specials[i].kind, layout->specials[i].index, {NULL, 0}};
        state->row[layout->specials[i].position] = source_text(state, &source, fields);
    }
    return RC_OK;
}

enum rc layout_make_value(struct layout_state *state, const struct column_plan *plan,
                          const struct slice *fields, struct slice *out, struct err *err)
{
    enum rc rc = RC_OK;
    if (plan->source_count == 1) {
        *out = source_text(state, &plan->sources[0], fields);
    } else if (plan->compiled == NULL) {
        join_sources(state, plan, fields);
        rc = buf_ok(&state->joined, err);
        *out = buf_slice(&state->joined);
    } else {
        buf_clear(&state->joined);
        rc = template_render(plan->compiled, state->row, state->layout->row_count, &state->joined,
                             err);
        *out = buf_slice(&state->joined);
    }
    bool is_normal = plan->sources != NULL && plan->source_count == 1 &&
                     plan->sources[0].kind == SOURCE_LINE &&
                     plan->sources[0].index + 1 == (uint32_t)plan->line;
    if (rc == RC_OK && plan->line > 0 && !is_normal) {
        buf_clear(&state->line);
        rc = layout_put_line(state, plan->line, *out, &state->line, err);
        *out = buf_slice(&state->line);
    }
    if (rc == RC_OK && out->len > LAYOUT_VALUE_BYTES_MAX) {
        rc = err_set(err, RC_RANGE, "column %s: a value of %zu bytes is over %d", plan->name,
                     out->len, LAYOUT_VALUE_BYTES_MAX);
    }
    return rc;
}
