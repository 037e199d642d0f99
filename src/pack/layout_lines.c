/*
 * layout_lines - where the address lines come from, how they are made of a row, and their check
 */
#include "pack/layout_plan.h"

#include <assert.h>

/* The first byte of U+0300 and beyond in UTF-8: from here on there are combining marks */
enum { MARKS_LEAD = 0xCC };

int layout_line_number(struct slice name)
{
    bool is_line = name.len == 5 && memcmp(name.ptr, "line", 4) == 0 && name.ptr[4] >= '1' &&
                   name.ptr[4] <= '0' + ADDRESS_LINES;
    return is_line ? name.ptr[4] - '0' : 0;
}

/* A line's pieces in order; of each piece the first name that the recipients have */
struct recipe {
    const char *names[LINE_FIELDS_MAX][3];
    uint32_t needed; /* pieces */
    bool needs_all;
};

static const struct recipe recipes[ADDRESS_LINES] = {
    {{{"title", NULL, NULL}, {"first_name", NULL, NULL}, {"last_name", "name", NULL}}, 6, false},
    {{{"address2", NULL, NULL}}, 0, false},
    {{{"address3", NULL, NULL}}, 0, false},
    {{{"address1", "street", "address"}}, 0, false},
    {{{"address4", "locality", NULL}}, 0, false},
    {{{"postcode", "zip", NULL}, {"city", "town", NULL}}, 3, true}};

static size_t find_field(const struct layout *layout, const char *const *names, const char *name)
{
    for (size_t i = 0; i < layout->field_count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static struct line_plan follow(const struct layout *layout, const char *const *names,
                               const struct recipe *recipe)
{
    struct line_plan line = {0, {0}, 0, recipe->needs_all};
    bool is_missing = false;
    for (uint32_t piece = 0; piece < LINE_FIELDS_MAX; piece++) {
        size_t field = SIZE_MAX;
        for (size_t i = 0; i < 3 && field == SIZE_MAX && recipe->names[piece][i] != NULL; i++) {
            field = find_field(layout, names, recipe->names[piece][i]);
        }
        bool is_needed = (recipe->needed >> piece & 1) != 0;
        if (field != SIZE_MAX) {
            line.needed |= is_needed ? 1U << line.count : 0;
            line.fields[line.count++] = (uint32_t)field;
        } else {
            is_missing = is_missing || is_needed;
        }
    }
    bool is_unusable = recipe->needs_all ? is_missing : recipe->needed != 0 && line.needed == 0;
    return is_unusable ? (struct line_plan){0, {0}, 0, false} : line;
}

void layout_plan_lines(struct layout *layout, const char *const *names)
{
    bool has_own = false;
    for (size_t i = 0; i < layout->field_count; i++) {
        int number = layout_line_number(slice_of(names[i]));
        if (number > 0) {
            has_own = true;
            layout->lines[number - 1] = (struct line_plan){1, {(uint32_t)i}, 0, false};
        }
    }
    for (size_t i = 0; !has_own && i < ADDRESS_LINES; i++) {
        layout->lines[i] = follow(layout, names, &recipes[i]);
    }
}

static bool may_hold_marks(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] >= MARKS_LEAD) {
            return true;
        }
    }
    return false;
}

enum rc layout_put_line(struct layout_state *state, int number, struct slice text, struct buf *out,
                        struct err *err)
{
    if (text.len == 0) {
        return RC_OK;
    }
    if (may_hold_marks(text)) {
        enum rc rc = RC_OK;
        if (state->composer == NULL) {
            rc = encoder_open(ENCODING_UTF_8, &state->composer, err);
        }
        buf_clear(&state->composed);
        if (rc == RC_OK) {
            rc = encoder_put(state->composer, text, false, true, &state->composed, err);
        }
        if (rc != RC_OK) {
            return rc;
        }
        text = buf_slice(&state->composed);
    }
    address_line(number, text, out);
    return buf_ok(out, err);
}

static bool is_blank(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] > ' ') {
            return false;
        }
    }
    return true;
}

/* Whether the fields that a base line needs are there (a title alone is no name) */
static bool is_line_usable(const struct line_plan *line, const struct slice *fields)
{
    uint32_t given = 0;
    for (size_t i = 0; i < line->count; i++) {
        given |= is_blank(fields[line->fields[i]]) ? 0 : 1U << i;
    }
    uint32_t met = given & line->needed;
    return line->needed == 0 || (line->needs_all ? met == line->needed : met != 0);
}

/* Appends one base line to state->lines */
static enum rc make_line(struct layout_state *state, int number, const struct slice *fields,
                         struct err *err)
{
    const struct line_plan *line = &state->layout->lines[number - 1];
    if (line->count == 1) {
        return layout_put_line(state, number, fields[line->fields[0]], &state->lines, err);
    }
    buf_clear(&state->joined);
    for (size_t i = 0; i < line->count; i++) {
        buf_add_slice(&state->joined, fields[line->fields[i]]);
        buf_add_byte(&state->joined, ' ');
    }
    enum rc rc = buf_ok(&state->joined, err);
    return rc == RC_OK
               ? layout_put_line(state, number, buf_slice(&state->joined), &state->lines, err)
               : rc;
}

enum rc layout_make_lines(struct layout_state *state, const struct slice *fields, unsigned wanted,
                          struct err *err)
{
    size_t ends[ADDRESS_LINES] = {0};
    buf_clear(&state->lines);
    for (size_t i = 0; i < ADDRESS_LINES; i++) {
        if ((wanted >> i & 1) != 0 && state->layout->lines[i].count > 0) {
            enum rc rc = make_line(state, (int)i + 1, fields, err);
            if (rc != RC_OK) {
                return rc;
            }
        }
        ends[i] = state->lines.len;
    }
    for (size_t i = 0; i < ADDRESS_LINES; i++) {
        size_t start = i == 0 ? 0 : ends[i - 1];
        state->base[i] = (struct slice){buf_text(&state->lines) + start, ends[i] - start};
    }
    return RC_OK;
}

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

/* Whether a line that fits as UTF-8 is too long once it is transliterated and in upper case */
static enum rc check_encoded(struct layout_state *state, size_t at, struct slice line,
                             enum address_verdict *out, struct err *err)
{
    if (is_ascii(line)) {
        return RC_OK;
    }
    const struct column_plan *plan = state->layout->line_columns[at];
    buf_clear(&state->encoded);
    enum rc rc = encoder_put(state->encoder, line, plan != NULL && plan->is_upper, true,
                             &state->encoded, err);
    if (rc == RC_OK && layout_characters(state->layout, buf_slice(&state->encoded)) >
                           ADDRESS_LINE_CHARACTERS_MAX) {
        *out = ADDRESS_BAD;
    }
    return rc;
}

/* The six lines as they would be printed, in place of state->base. A base line without what it
 * needs (a title alone is no name) is empty here. */
static enum rc make_printed_lines(struct layout_state *state, const struct slice *fields,
                                  struct err *err)
{
    const struct layout *layout = state->layout;
    struct buf *room = &state->printed;
    buf_clear(room);
    enum rc rc = layout_make_lines(state, fields, (1U << ADDRESS_LINES) - 1, err);
    if (rc == RC_OK && layout->has_templates) {
        rc = layout_make_row(state, fields, err);
    }
    size_t ends[ADDRESS_LINES] = {0};
    for (size_t i = 0; rc == RC_OK && i < ADDRESS_LINES; i++) {
        struct slice text = {NULL, 0};
        if (layout->line_columns[i] != NULL) {
            rc = layout_make_value(state, layout->line_columns[i], fields, &text, err);
        } else if (is_line_usable(&layout->lines[i], fields)) {
            text = state->base[i];
        }
        buf_add_slice(room, text);
        ends[i] = room->len;
    }
    if (rc == RC_OK) {
        rc = buf_ok(room, err);
    }
    for (size_t i = 0; rc == RC_OK && i < ADDRESS_LINES; i++) {
        size_t start = i == 0 ? 0 : ends[i - 1];
        state->base[i] = (struct slice){buf_text(room) + start, ends[i] - start};
    }
    return rc;
}

enum rc layout_address_check(const struct layout *layout, struct layout_state *state,
                             const struct slice *fields, size_t count, enum address_verdict *out,
                             struct err *err)
{
    assert(state->layout == layout);
    if (!layout->is_address_checked) {
        *out = ADDRESS_OK;
        return RC_OK;
    }
    fields = layout_whole_row(state, fields, count);
    enum rc rc = make_printed_lines(state, fields, err);
    if (rc != RC_OK) {
        return rc;
    }
    bool is_france = layout->country == SIZE_MAX || address_is_france(fields[layout->country]);
    enum address_verdict verdict = address_check(state->base, is_france);
    struct encoder_counts before = encoder_counts(state->encoder);
    for (size_t i = 0; rc == RC_OK && verdict == ADDRESS_OK && i < ADDRESS_LINES; i++) {
        rc = check_encoded(state, i, state->base[i], &verdict, err);
    }
    struct encoder_counts after = encoder_counts(state->encoder);
    state->unseen.transliterated += after.transliterated - before.transliterated;
    state->unseen.replaced += after.replaced - before.replaced;
    *out = verdict;
    return rc;
}
