/*
 * layout_plan - what a compiled layout is made of; for the layout_*.c files alone
 *
 * layout.c builds the plan: what is fixed after layout_open() and read by many threads. By it
 * layout_value.c finds what a column shows, layout_lines.c the address lines among it, layout_row.c
 * writes a row, and layout_emit.c finishes values and fills holes.
 */
#ifndef POSTROOM_PACK_LAYOUT_PLAN_H
#define POSTROOM_PACK_LAYOUT_PLAN_H

#include "base/arena.h"
#include "base/name.h"
#include "pack/layout.h"
#include "template/template.h"

/* Where a piece of a value comes from */
enum source_kind {
    SOURCE_FIELD,     /* a field of the row; index */
    SOURCE_LITERAL,   /* text */
    SOURCE_REFERENCE, /* a hole */
    SOURCE_LINE       /* a base address line, normalised; index 0..5 */
};

struct source {
    enum source_kind kind;
    uint32_t index;
    struct slice text;
};

/* A column's value: sources joined without a gap, or a template where there are sections */
struct column_plan {
    const char *name;
    struct source *sources; /* NULL: compiled */
    size_t source_count;
    struct template *compiled;
    uint32_t cut; /* characters a value may have; 0: any number */
    uint32_t pad; /* characters it is filled up to with spaces; 0: not */
    int line;     /* 1..6: an address line, normalised; 0: not */
    bool is_upper;
    bool has_reference;      /* its values have holes */
    bool is_plain_reference; /* it is nothing but the reference */
    bool is_plain_field;     /* sources[0] is a field, and it is the only one */
    bool is_followed;        /* nothing is done to it nor to the next column, whose field is next */
};

/* A base line: fields joined with one space */
enum { LINE_FIELDS_MAX = 3 };
struct line_plan {
    size_t count; /* 0: always empty */
    uint32_t fields[LINE_FIELDS_MAX];
    uint32_t needed; /* bit i: one of these must not be blank, else the line counts as empty ... */
    bool needs_all;  /* ... or all of them must not be */
};

/* The row that templates see: the recipients' fields, then the special columns not among them */
struct special {
    size_t position;
    enum source_kind kind;
    uint32_t index; /* of the line */
};
enum { REFERENCE_BYTES_MAX = ID_BYTES_MAX + 1 + 20 /* digits of a uint64_t */ };
enum { SPECIALS_MAX = 1 + ADDRESS_LINES };

struct layout {
    struct arena arena; /* holds all that follows but the templates */
    enum layout_format format;
    enum layout_quote quote;
    enum encoding encoding;
    char delimiter;
    char quote_mark;
    bool is_flat; /* line breaks become spaces */
    bool has_header;
    bool is_address_checked;
    bool is_reference_bare; /* a plain reference needs no quotes */
    bool has_templates;
    unsigned lines_used; /* bit i: base line i is shown by some column */
    struct slice eol;
    struct slice reference_prefix; /* "ID-" */
    struct slice reference_prefix_upper;
    size_t field_count;
    size_t row_count; /* of the row that templates see */
    struct special specials[SPECIALS_MAX];
    size_t special_count;
    struct column_plan *columns;
    size_t column_count;
    const char **names;
    size_t *holes; /* columns with the reference, in order */
    size_t hole_count;
    struct line_plan lines[ADDRESS_LINES];
    const struct column_plan *line_columns[ADDRESS_LINES]; /* templates that replace a base line */
    size_t country;                                        /* field, or SIZE_MAX */
    uint64_t reference_max;
    struct slice header;
};

struct layout_state {
    const struct layout *layout;
    char between; /* fields that lie one byte apart; NUL: not known */
    struct encoder *encoder;
    struct encoder *composer; /* to UTF-8, for the marks in address lines; NULL until needed */
    struct slice *fields;     /* a short row filled up */
    struct slice *row;        /* the row that templates see */
    struct buf joined;        /* a value before encoding */
    struct buf composed;
    struct buf line; /* the same, normalised as an address line */
    struct buf encoded;
    struct buf clean;   /* fields that held a NUL */
    struct buf lines;   /* the six base lines */
    struct buf printed; /* the six lines of the check */
    struct slice base[ADDRESS_LINES];
    struct layout_counts counts;  /* but for the characters, which the encoder counts */
    struct encoder_counts unseen; /* of rows that were only checked */
};

/* layout_source_at - what stands at a position of the row that templates see */
struct source layout_source_at(const struct layout *layout, size_t position);

/*
 * layout_take_apart - a template into literals and plain columns
 *
 * names   of the row that templates see
 * text    a template that compiles; the literals point into it
 * into    NULL: only count
 *
 * Returns false where it holds anything else: sections, comments, other delimiters
 */
bool layout_take_apart(const struct layout *layout, const char *const *names, struct slice text,
                       struct source *into, size_t *count);

/* layout_line_number - 1..6 for the names line1..line6, else 0 */
int layout_line_number(struct slice name);

/* layout_plan_lines - where each base line comes from, by the recipients' column names */
void layout_plan_lines(struct layout *layout, const char *const *names);

/*
 * layout_put_line - append text as address line `number` (1..6), composed and normalised
 * Returns   RC_OK; RC_NOMEM; RC_TEMP
 */
enum rc layout_put_line(struct layout_state *state, int number, struct slice text, struct buf *out,
                        struct err *err) MUST_CHECK;

/* layout_make_lines - the base lines of `wanted` (bit i: line i) into state->base; else empty */
enum rc layout_make_lines(struct layout_state *state, const struct slice *fields, unsigned wanted,
                          struct err *err) MUST_CHECK;

/* layout_make_row - the row that templates see into state->row; the base lines are made already */
enum rc layout_make_row(struct layout_state *state, const struct slice *fields,
                        struct err *err) MUST_CHECK;

/*
 * layout_make_value - what a column shows of this row: UTF-8, not encoded, NUL for the reference
 * out       borrowed until the next call with this state
 * Returns   RC_OK; RC_RANGE over LAYOUT_VALUE_BYTES_MAX; RC_NOMEM; RC_TEMP; the template's codes
 */
enum rc layout_make_value(struct layout_state *state, const struct column_plan *plan,
                          const struct slice *fields, struct slice *out,
                          struct err *err) MUST_CHECK;

/* layout_whole_row - the row itself, or a copy filled up with empty fields where it is short */
const struct slice *layout_whole_row(struct layout_state *state, const struct slice *fields,
                                     size_t count);

/*
 * layout_finish - append a value, encoded and without holes, as its column shows it: cut, quoted,
 * padded. NUL becomes a space. is_cut is set where characters were lost, else left as it is.
 * Memory failure stays in out.
 */
void layout_finish(const struct layout *layout, const struct column_plan *column,
                   struct slice value, struct buf *out, bool *is_cut);

/* layout_characters - in the layout's encoding */
size_t layout_characters(const struct layout *layout, struct slice value);

/* layout_make_header - the header row into out, encoded; RC_NOMEM, RC_TEMP */
enum rc layout_make_header(const struct layout *layout, struct buf *out,
                           struct err *err) MUST_CHECK;

#endif
