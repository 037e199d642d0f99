/*
 * layout - compiling: options and the recipients' columns to a plan
 *
 * Every mistake that a layout can hold is found here, before the first row.
 */
#include "pack/layout.h"

#include "base/utf8.h"
#include "pack/layout_plan.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define REFERENCE "reference"

/* What is needed while compiling and not later */
struct compile {
    struct layout *layout;
    const struct layout_options *options;
    const char **row; /* names of the row that templates see; the first field_count are theirs */
    struct err *err;
};

static enum rc no_memory(struct err *err)
{
    return err_set(err, RC_NOMEM, "no memory for a layout");
}

/* ------------------------------------------------------------------------- separators */

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_separator(char c)
{
    return c == '\t' || (c >= ' ' && c < 0x7F && !is_letter_or_digit(c));
}

static enum rc set_separators(struct compile *compile)
{
    struct layout *layout = compile->layout;
    const struct layout_options *options = compile->options;
    layout->delimiter = (char)(options->delimiter == '\0' ? ';' : options->delimiter);
    layout->quote_mark = (char)(options->quote_mark == '\0' ? '"' : options->quote_mark);
    if (layout->format == LAYOUT_CSV && !is_separator(layout->delimiter)) {
        return err_set(compile->err, RC_PERM,
                       "delimiter 0x%02X cannot stand in %s beside letters and digits; write a "
                       "printable ASCII sign or \"\\t\"",
                       (unsigned)(unsigned char)layout->delimiter, encoding_name(layout->encoding));
    }
    bool has_quotes = layout->format == LAYOUT_CSV && layout->quote != LAYOUT_QUOTE_NEVER;
    if (has_quotes && (!is_separator(layout->quote_mark) || layout->quote_mark == ' ' ||
                       layout->quote_mark == layout->delimiter)) {
        return err_set(compile->err, RC_PERM,
                       "quote mark 0x%02X is not usable with delimiter '%c'; write \"\\\"\", or "
                       "\"\" for none",
                       (unsigned)(unsigned char)layout->quote_mark, layout->delimiter);
    }
    const char *eol = options->eol == NULL ? "\r\n" : options->eol;
    bool is_line_end = strcmp(eol, "\r\n") == 0 || strcmp(eol, "\n") == 0 || strcmp(eol, "\r") == 0;
    if (!is_line_end && (eol[0] != '\0' || layout->format == LAYOUT_CSV)) {
        return err_set(
            compile->err, RC_PERM,
            "eol is no end of line; write \"\\r\\n\", \"\\n\" or \"\\r\" (fixed: or \"\")");
    }
    layout->eol = (struct slice){arena_text(&layout->arena, slice_of(eol)), strlen(eol)};
    return layout->eol.ptr == NULL ? no_memory(compile->err) : RC_OK;
}

static enum rc set_reference(struct compile *compile)
{
    struct layout *layout = compile->layout;
    const char *id = compile->options->delivery_id == NULL ? "" : compile->options->delivery_id;
    size_t len = strlen(id);
    if (len > ID_BYTES_MAX || (len > 0 && !id_is_valid(slice_of(id)))) {
        return err_set(compile->err, RC_PERM, "\"%.80s\" is no delivery id", id);
    }
    char text[ID_BYTES_MAX + 2];
    memcpy(text, id, len);
    text[len] = '-';
    text[len + 1] = '\0';
    layout->reference_prefix = (struct slice){arena_text(&layout->arena, slice_of(text)), len + 1};
    layout->is_reference_bare =
        layout->format == LAYOUT_FIXED ||
        (layout->quote != LAYOUT_QUOTE_ALWAYS && memchr(text, layout->delimiter, len + 1) == NULL &&
         memchr(text, layout->quote_mark, len + 1) == NULL);
    for (size_t i = 0; i < len; i++) {
        text[i] = (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 0x20 : text[i]);
    }
    layout->reference_prefix_upper =
        (struct slice){arena_text(&layout->arena, slice_of(text)), len + 1};
    layout->reference_max = UINT64_MAX;
    return layout->reference_prefix.ptr == NULL || layout->reference_prefix_upper.ptr == NULL
               ? no_memory(compile->err)
               : RC_OK;
}

/* ------------------------------------------------------------------------- names */

/* Index of a name among the first `count` of the row; SIZE_MAX: none */
static size_t find_name(const struct compile *compile, struct slice name, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal_text(name, compile->row[i])) {
            return i;
        }
    }
    return SIZE_MAX;
}

static size_t find_field(const struct compile *compile, const char *name)
{
    return find_name(compile, slice_of(name), compile->layout->field_count);
}

static void add_special(struct compile *compile, const char *name, enum source_kind kind,
                        uint32_t index)
{
    struct layout *layout = compile->layout;
    size_t position = find_name(compile, slice_of(name), layout->row_count);
    if (position == SIZE_MAX) {
        position = layout->row_count++;
        compile->row[position] = name;
    }
    layout->specials[layout->special_count++] = (struct special){position, kind, index};
}

/* The row that templates see: the recipients' columns, then what we add */
static enum rc set_row(struct compile *compile, const struct slice *columns, size_t count)
{
    static const char *const line_names[ADDRESS_LINES] = {"line1", "line2", "line3",
                                                          "line4", "line5", "line6"};
    struct layout *layout = compile->layout;
    compile->row = arena_array(&layout->arena, count + SPECIALS_MAX, sizeof *compile->row);
    if (compile->row == NULL) {
        return no_memory(compile->err);
    }
    for (size_t i = 0; i < count; i++) {
        compile->row[i] = arena_text(&layout->arena, columns[i]);
        if (compile->row[i] == NULL) {
            return no_memory(compile->err);
        }
    }
    layout->field_count = count;
    layout->row_count = count;
    add_special(compile, REFERENCE, SOURCE_REFERENCE, 0);
    for (uint32_t i = 0; layout->is_address_checked && i < ADDRESS_LINES; i++) {
        add_special(compile, line_names[i], SOURCE_LINE, i);
    }
    return RC_OK;
}

static enum rc unknown_column(const struct compile *compile, const char *what, const char *name)
{
    const char *nearest = name_nearest(slice_of(name), compile->row, compile->layout->row_count);
    if (nearest != NULL) {
        return err_set(compile->err, RC_PERM,
                       "%s \"%.80s\" is no column of the recipients; did you mean \"%.80s\"?", what,
                       name, nearest);
    }
    return err_set(compile->err, RC_PERM,
                   "%s \"%.80s\" is no column of the recipients; name one, or give it a value",
                   what, name);
}

/* ------------------------------------------------------------------------- address lines */

static enum rc set_country(struct compile *compile)
{
    const char *name = compile->options->address_country;
    compile->layout->country = find_field(compile, name == NULL ? "country" : name);
    return name != NULL && compile->layout->country == SIZE_MAX
               ? unknown_column(compile, "address country", name)
               : RC_OK;
}

/* The lines without which every row would be incomplete must come from somewhere */
static enum rc check_lines(const struct compile *compile)
{
    const struct layout *layout = compile->layout;
    bool given[ADDRESS_LINES];
    for (size_t i = 0; i < ADDRESS_LINES; i++) {
        given[i] = layout->lines[i].count > 0 || layout->line_columns[i] != NULL;
    }
    const char *missing = !given[0]                ? "line1 (last_name or name)"
                          : !given[3] && !given[4] ? "line4 (address1)"
                          : !given[5]              ? "line6 (postcode and city)"
                                                   : NULL;
    return missing == NULL ? RC_OK
                           : err_set(compile->err, RC_PERM,
                                     "address nf-z10-011: no column gives %s; add a layout column "
                                     "of that name with a value",
                                     missing);
}

/* ------------------------------------------------------------------------- values */

static void note_source(struct layout *layout, struct column_plan *plan, struct source source)
{
    plan->has_reference = plan->has_reference || source.kind == SOURCE_REFERENCE;
    layout->lines_used |= source.kind == SOURCE_LINE ? 1U << source.index : 0;
}

static enum rc set_template(struct compile *compile, const char *value, struct column_plan *plan)
{
    struct layout *layout = compile->layout;
    char where[LAYOUT_NAME_BYTES_MAX + 32];
    (void)snprintf(where, sizeof where, "layout column %s", plan->name);
    struct template_options options = {
        .escape = TEMPLATE_PLAIN, .column_names = compile->row, .column_count = layout->row_count};
    enum rc rc = template_compile(slice_of(value), where, &options, &plan->compiled, compile->err);
    if (rc != RC_OK) {
        return rc;
    }
    for (size_t i = 0; i < template_used_count(plan->compiled); i++) {
        note_source(layout, plan,
                    layout_source_at(layout, template_used_column(plan->compiled, i)));
    }
    char *text = arena_text(&layout->arena, slice_of(value));
    if (text == NULL) {
        return no_memory(compile->err);
    }
    size_t count = 0;
    if (!layout_take_apart(layout, compile->row, slice_of(text), NULL, &count)) {
        layout->has_templates = true;
        return RC_OK;
    }
    plan->sources = arena_array(&layout->arena, count, sizeof *plan->sources);
    if (plan->sources == NULL) {
        return no_memory(compile->err);
    }
    (void)layout_take_apart(layout, compile->row, slice_of(text), plan->sources,
                            &plan->source_count);
    template_free(plan->compiled);
    plan->compiled = NULL;
    return RC_OK;
}

static enum rc set_plain(struct compile *compile, struct column_plan *plan)
{
    struct layout *layout = compile->layout;
    size_t position = find_name(compile, slice_of(plan->name), layout->row_count);
    if (position == SIZE_MAX) {
        return unknown_column(compile, "layout column", plan->name);
    }
    plan->sources = arena_array(&layout->arena, 1, sizeof *plan->sources);
    if (plan->sources == NULL) {
        return no_memory(compile->err);
    }
    plan->sources[0] = layout_source_at(layout, position);
    plan->source_count = 1;
    note_source(layout, plan, plan->sources[0]);
    return RC_OK;
}

/* ------------------------------------------------------------------------- columns */

static enum rc check_name(const struct compile *compile, size_t at)
{
    const char *name = compile->options->columns[at].name;
    if (name == NULL || name[0] == '\0') {
        return err_set(compile->err, RC_PERM, "layout column %zu has no name", at + 1);
    }
    if (strlen(name) > LAYOUT_NAME_BYTES_MAX) {
        return err_set(compile->err, RC_RANGE,
                       "layout column \"%.60s...\": a name has at most %d bytes", name,
                       LAYOUT_NAME_BYTES_MAX);
    }
    if (!utf8_is_valid(slice_of(name))) {
        return err_set(compile->err, RC_PERM, "the name of layout column %zu is not UTF-8", at + 1);
    }
    for (size_t i = 0; i < at; i++) {
        if (strcmp(compile->options->columns[i].name, name) == 0) {
            return err_set(
                compile->err, RC_PERM,
                "layout column \"%s\" stands twice (%zu and %zu); rename one, with a value", name,
                i + 1, at + 1);
        }
    }
    return RC_OK;
}

static enum rc set_width(const struct compile *compile, const struct layout_column *column,
                         struct column_plan *plan)
{
    struct layout *layout = compile->layout;
    if (column->width > LAYOUT_WIDTH_MAX) {
        return err_set(compile->err, RC_RANGE, "layout column \"%s\": width %u is over %d",
                       column->name, (unsigned)column->width, LAYOUT_WIDTH_MAX);
    }
    if (layout->format == LAYOUT_FIXED && column->width == 0) {
        return err_set(compile->err, RC_PERM,
                       "layout column \"%s\" has no width; format \"fixed\" needs one, as in "
                       "{ name = \"%s\"; width = 38; }",
                       column->name, column->name);
    }
    plan->cut = column->width;
    plan->pad = layout->format == LAYOUT_FIXED ? column->width : 0;
    bool is_over = plan->cut == 0 || plan->cut > ADDRESS_LINE_CHARACTERS_MAX;
    if (plan->line > 0 && is_over) {
        plan->cut = ADDRESS_LINE_CHARACTERS_MAX;
    }
    return RC_OK;
}

/* The largest n with so many digits */
static uint64_t largest(size_t digits)
{
    uint64_t n = 0;
    for (size_t i = 0; i < digits; i++) {
        if (n > (UINT64_MAX - 9) / 10) {
            return UINT64_MAX;
        }
        n = n * 10 + 9;
    }
    return n;
}

static enum rc check_reference(const struct compile *compile, const struct column_plan *plan)
{
    struct layout *layout = compile->layout;
    if (layout->reference_prefix.len < 2) {
        return err_set(compile->err, RC_PERM,
                       "layout column \"%s\": there is no delivery id for it", plan->name);
    }
    /* Returns refer to it: it must come out of the file as it is. */
    if (layout->format == LAYOUT_CSV && layout->quote == LAYOUT_QUOTE_NEVER &&
        memchr(layout->reference_prefix.ptr, layout->delimiter, layout->reference_prefix.len) !=
            NULL) {
        return err_set(
            compile->err, RC_PERM,
            "layout column \"%s\": delimiter '%c' stands in the references and nothing is "
            "quoted; choose another delimiter",
            plan->name, layout->delimiter);
    }
    if (!plan->is_plain_reference || plan->cut == 0) {
        return RC_OK;
    }
    if (plan->cut <= layout->reference_prefix.len) {
        return err_set(compile->err, RC_PERM,
                       "layout column \"%s\": width %u is too narrow for %s1; at least %zu",
                       plan->name, (unsigned)plan->cut, layout->reference_prefix.ptr,
                       layout->reference_prefix.len + 1);
    }
    uint64_t max = largest(plan->cut - layout->reference_prefix.len);
    layout->reference_max = max < layout->reference_max ? max : layout->reference_max;
    return RC_OK;
}

static enum rc set_column(struct compile *compile, size_t at)
{
    struct layout *layout = compile->layout;
    const struct layout_column *column = &compile->options->columns[at];
    struct column_plan *plan = &layout->columns[at];
    enum rc rc = check_name(compile, at);
    if (rc != RC_OK) {
        return rc;
    }
    plan->name = arena_text(&layout->arena, slice_of(column->name));
    if (plan->name == NULL) {
        return no_memory(compile->err);
    }
    layout->names[at] = plan->name;
    plan->is_upper = column->is_upper;
    plan->line = layout->is_address_checked ? layout_line_number(slice_of(plan->name)) : 0;
    rc = set_width(compile, column, plan);
    if (rc == RC_OK) {
        rc = column->value == NULL ? set_plain(compile, plan)
                                   : set_template(compile, column->value, plan);
    }
    if (rc != RC_OK) {
        return rc;
    }
    enum source_kind only = plan->source_count == 1 ? plan->sources[0].kind : SOURCE_LITERAL;
    plan->is_plain_reference = only == SOURCE_REFERENCE && plan->line == 0;
    plan->is_plain_field = only == SOURCE_FIELD;
    if (plan->line > 0 && column->value != NULL) {
        layout->line_columns[plan->line - 1] = plan;
    }
    if (!plan->has_reference) {
        return RC_OK;
    }
    layout->holes[layout->hole_count++] = at;
    return check_reference(compile, plan);
}

static bool is_bare(const struct column_plan *plan)
{
    return plan->is_plain_field && plan->line == 0 && plan->cut == 0 && plan->pad == 0 &&
           !plan->is_upper;
}

/* Columns that stand in the output as in the recipients, one after the other. */
static void note_followed(struct layout *layout)
{
    bool is_plain_csv = layout->format == LAYOUT_CSV && layout->quote == LAYOUT_QUOTE_MINIMAL;
    for (size_t i = 0; is_plain_csv && i + 1 < layout->column_count; i++) {
        struct column_plan *plan = &layout->columns[i];
        plan->is_followed = is_bare(plan) && is_bare(plan + 1) &&
                            plan[1].sources[0].index == plan->sources[0].index + 1;
    }
}

static enum rc set_columns(struct compile *compile)
{
    struct layout *layout = compile->layout;
    size_t count = compile->options->column_count;
    if (count == 0) {
        return err_set(compile->err, RC_PERM, "the layout has no columns");
    }
    if (count > LAYOUT_COLUMNS_MAX) {
        return err_set(compile->err, RC_RANGE, "the layout has %zu columns; at most %d", count,
                       LAYOUT_COLUMNS_MAX);
    }
    layout->columns = arena_array(&layout->arena, count, sizeof *layout->columns);
    layout->names = arena_array(&layout->arena, count, sizeof *layout->names);
    layout->holes = arena_array(&layout->arena, count, sizeof *layout->holes);
    if (layout->columns == NULL || layout->names == NULL || layout->holes == NULL) {
        return no_memory(compile->err);
    }
    layout->column_count = count;
    for (size_t i = 0; i < count; i++) {
        enum rc rc = set_column(compile, i);
        if (rc != RC_OK) {
            return rc;
        }
    }
    note_followed(layout);
    return RC_OK;
}

/* ------------------------------------------------------------------------- the whole */

static enum rc set_header(struct compile *compile)
{
    struct layout *layout = compile->layout;
    struct buf header = BUF_EMPTY;
    enum rc rc = layout_make_header(layout, &header, compile->err);
    if (rc == RC_OK) {
        layout->header = (struct slice){arena_text(&layout->arena, buf_slice(&header)), header.len};
        rc = layout->header.ptr == NULL ? no_memory(compile->err) : RC_OK;
    }
    buf_release(&header);
    return rc;
}

static enum rc compile_all(struct compile *compile, const struct slice *columns, size_t count)
{
    enum rc rc = set_separators(compile);
    if (rc == RC_OK) {
        rc = set_reference(compile);
    }
    if (rc == RC_OK) {
        rc = set_row(compile, columns, count);
    }
    if (rc == RC_OK && compile->layout->is_address_checked) {
        layout_plan_lines(compile->layout, compile->row);
        rc = set_country(compile);
    }
    if (rc == RC_OK) {
        rc = set_columns(compile);
    }
    if (rc == RC_OK && compile->layout->is_address_checked) {
        rc = check_lines(compile);
    }
    if (rc == RC_OK && compile->layout->has_header) {
        rc = set_header(compile);
    }
    return rc;
}

enum rc layout_open(const struct layout_options *options, const struct slice *columns,
                    size_t column_count, struct layout **out, struct err *err)
{
    struct layout *layout = calloc(1, sizeof *layout);
    if (layout == NULL) {
        return no_memory(err);
    }
    layout->format = options->format;
    layout->quote = options->quote;
    layout->encoding = options->encoding;
    layout->has_header = options->has_header;
    layout->is_address_checked = options->is_address_checked;
    layout->country = SIZE_MAX;
    layout->is_flat = options->format == LAYOUT_FIXED || options->quote == LAYOUT_QUOTE_NEVER;
    struct compile compile = {layout, options, NULL, err};
    enum rc rc = compile_all(&compile, columns, column_count);
    if (rc != RC_OK) {
        layout_free(layout);
        return rc;
    }
    *out = layout;
    return RC_OK;
}

void layout_free(struct layout *layout)
{
    if (layout == NULL) {
        return;
    }
    for (size_t i = 0; i < layout->column_count; i++) {
        template_free(layout->columns[i].compiled);
    }
    arena_release(&layout->arena);
    free(layout);
}

uint64_t layout_reference_max(const struct layout *layout)
{
    return layout->reference_max;
}

void layout_header_row(const struct layout *layout, struct buf *out)
{
    buf_add_slice(out, layout->header);
}

const char *const *layout_columns(const struct layout *layout, size_t *out_count)
{
    *out_count = layout->column_count;
    return layout->names;
}
