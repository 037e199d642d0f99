/*
 * layout_row - one row, written by the plan
 *
 * Most values are short, without a delimiter, quote or line break in them: copied and looked at in
 * one go (layout_copy.h), several at once where they lie side by side. Most others only have
 * letters beyond ASCII: encoded where they stand. What shows something else goes the long way:
 * encoded, cut, quoted, padded (encoding.c, layout_finish).
 */
#include "pack/layout_copy.h"
#include "pack/layout_plan.h"

#include <assert.h>
#include <stdlib.h>

enum { SLACK = 32 /* room behind a value: quotes, delimiter, a word written too far */ };

enum rc layout_state_open(const struct layout *layout, struct layout_state **out, struct err *err)
{
    struct layout_state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a layout's state");
    }
    state->layout = layout;
    state->fields = calloc(layout->field_count + 1, sizeof *state->fields);
    state->row = calloc(layout->row_count + 1, sizeof *state->row);
    enum rc rc = state->fields == NULL || state->row == NULL
                     ? err_set(err, RC_NOMEM, "no memory for a layout's state")
                     : encoder_open(layout->encoding, &state->encoder, err);
    if (rc != RC_OK) {
        layout_state_free(state);
        return rc;
    }
    *out = state;
    return RC_OK;
}

void layout_state_between(struct layout_state *state, char between)
{
    state->between = between;
}

void layout_state_free(struct layout_state *state)
{
    if (state == NULL) {
        return;
    }
    encoder_free(state->encoder);
    encoder_free(state->composer);
    free(state->fields);
    free(state->row);
    buf_release(&state->joined);
    buf_release(&state->composed);
    buf_release(&state->line);
    buf_release(&state->encoded);
    buf_release(&state->clean);
    buf_release(&state->lines);
    buf_release(&state->printed);
    free(state);
}

struct layout_counts layout_counts(const struct layout_state *state)
{
    struct layout_counts counts = state->counts;
    struct encoder_counts seen = encoder_counts(state->encoder);
    counts.transliterated = seen.transliterated - state->unseen.transliterated;
    counts.replaced = seen.replaced - state->unseen.replaced;
    return counts;
}

/* Where a record is being written: out's bytes, in registers */
struct writer {
    char *to;
    char *end;
};

static inline void put_padding(struct writer *writer, size_t count)
{
    for (size_t at = 0; at < count; at += COPY_WORD) {
        const uint64_t spaces = EACH_BYTE(' ');
        memcpy(writer->to + at, &spaces, COPY_WORD);
    }
    writer->to += count;
}

static void writer_attach(struct writer *writer, struct buf *out)
{
    writer->to = out->ptr + out->len;
    writer->end = out->ptr + out->cap;
}

static void writer_detach(struct writer *writer, struct buf *out)
{
    out->len = (size_t)(writer->to - out->ptr);
    out->ptr[out->len] = '\0';
}

static bool writer_reserve(struct writer *writer, struct buf *out, size_t more)
{
    if ((size_t)(writer->end - writer->to) > more) {
        return true;
    }
    writer_detach(writer, out);
    bool is_made = buf_reserve(out, more);
    writer_attach(writer, out);
    return is_made;
}

/* The long way: text is encoded, then finished, or left as a hole with the encoded text */
static enum rc put_long(struct layout_state *state, const struct column_plan *plan,
                        struct slice text, struct buf *out, struct err *err)
{
    const struct layout *layout = state->layout;
    buf_clear(&state->encoded);
    enum rc rc =
        encoder_put(state->encoder, text, plan->is_upper, layout->is_flat, &state->encoded, err);
    if (rc != RC_OK) {
        return err_add(err, rc, "column %s", plan->name);
    }
    if (plan->has_reference) {
        uint32_t len = (uint32_t)state->encoded.len;
        buf_add_byte(out, '\0');
        buf_add(out, &len, sizeof len);
        buf_add_slice(out, buf_slice(&state->encoded));
    } else {
        bool is_cut = false;
        layout_finish(layout, plan, buf_slice(&state->encoded), out, &is_cut);
        state->counts.cut += is_cut;
    }
    return buf_ok(out, err);
}

/* A value that needs nothing but its encoding; *out_len bytes, which are as many characters when
 * no width counts them. */
static inline bool put_short(const struct layout_state *state, const struct column_plan *plan,
                             const struct copy_marks *marks, struct slice text, char *to,
                             size_t *out_len)
{
    bool is_copied = plan->is_upper ? copy_plain(to, text.ptr, text.len, COPY_UPPER, marks)
                                    : copy_plain(to, text.ptr, text.len, COPY_VALUE, marks);
    if (is_copied) {
        *out_len = text.len;
        return true;
    }
    const char both[2] = {marks->delimiter, marks->quote};
    return plan->pad == 0 &&
           encoder_put_clean(state->encoder, text, plan->is_upper, both, to, out_len);
}

/* One value, short or long */
static inline enum rc put_value(struct layout_state *state, const struct column_plan *plan,
                                const struct copy_marks *marks, struct slice text,
                                struct writer *writer, struct buf *out, struct err *err)
{
    const struct layout *layout = state->layout;
    bool is_quoted = layout->format == LAYOUT_CSV && layout->quote == LAYOUT_QUOTE_ALWAYS;
    bool is_short = !plan->has_reference && (plan->cut == 0 || text.len <= plan->cut) &&
                    (text.len > 0 || layout->column_count > 1);
    if (!writer_reserve(writer, out, text.len + plan->pad + SLACK)) {
        return buf_ok(out, err);
    }
    size_t len = 0;
    char *start = writer->to + is_quoted;
    if (is_short && put_short(state, plan, marks, text, start, &len)) {
        if (is_quoted) {
            start[-1] = layout->quote_mark;
            start[len] = layout->quote_mark;
        }
        writer->to = start + len + is_quoted;
        if (plan->pad > len) {
            put_padding(writer, plan->pad - len);
        }
        return RC_OK;
    }
    writer_detach(writer, out);
    enum rc rc = put_long(state, plan, text, out, err);
    if (rc == RC_OK && !buf_reserve(out, SLACK)) {
        rc = buf_ok(out, err);
    }
    writer_attach(writer, out);
    return rc;
}

/* Bytes beyond ASCII that may be copied: none where characters are counted or changed. */
static unsigned char odd_from(const struct layout *layout, const struct column_plan *plan)
{
    return layout->encoding == ENCODING_UTF_8 && plan->pad == 0 && !plan->is_upper ? COPY_LATIN
                                                                                   : COPY_ASCII;
}

/* Columns from `first` on whose fields lie side by side, copied together; returns how many: 0 where
 * that cannot be. */
static inline size_t put_span(const struct layout_state *state, size_t first,
                              const struct copy_marks *marks, const struct slice *fields,
                              struct writer *writer, struct buf *out)
{
    const struct column_plan *plan = &state->layout->columns[first];
    const struct slice *from = &fields[plan->sources[0].index];
    size_t count = 1;
    while (plan[count - 1].is_followed &&
           (uintptr_t)from[count].ptr == (uintptr_t)from[count - 1].ptr + from[count - 1].len + 1) {
        count++;
    }
    size_t len = (size_t)(from[count - 1].ptr - from->ptr) + from[count - 1].len;
    if (count == 1 || len > LAYOUT_VALUE_BYTES_MAX || !writer_reserve(writer, out, len + SLACK) ||
        !copy_plain(writer->to, from->ptr, len, COPY_SPAN, marks)) {
        return 0;
    }
    writer->to += len;
    return count;
}

static enum rc put_columns(struct layout_state *state, const struct slice *fields, struct buf *out,
                           struct err *err)
{
    const struct layout *layout = state->layout;
    bool is_csv = layout->format == LAYOUT_CSV;
    struct copy_marks marks = {'\0', '\0', state->between, COPY_ASCII};
    if (is_csv) {
        marks.delimiter = layout->delimiter;
        marks.quote = layout->quote_mark;
    }
    size_t alone = 0; /* columns before this one were no span */
    struct writer writer;
    if (!buf_reserve(out, SLACK)) {
        return buf_ok(out, err);
    }
    writer_attach(&writer, out);
    enum rc rc = RC_OK;
    for (size_t i = 0; i < layout->column_count && rc == RC_OK; i++) {
        const struct column_plan *plan = &layout->columns[i];
        struct slice text = {NULL, 0};
        if (i > 0 && is_csv) {
            *writer.to++ = layout->delimiter;
        }
        marks.odd_from = odd_from(layout, plan);
        if (plan->is_followed && state->between != '\0' && i >= alone) {
            size_t count = put_span(state, i, &marks, fields, &writer, out);
            if (count > 0) {
                i += count - 1;
                continue;
            }
            alone = i + 1;
            while (layout->columns[alone - 1].is_followed) {
                alone++;
            }
        }
        if (plan->is_plain_reference) {
            *writer.to++ = '\0';
            rc = writer_reserve(&writer, out, SLACK) ? RC_OK : buf_ok(out, err);
            continue;
        }
        if (plan->is_plain_field && plan->line == 0) {
            text = fields[plan->sources[0].index];
            if (text.len > LAYOUT_VALUE_BYTES_MAX) {
                rc = layout_make_value(state, plan, fields, &text, err);
            }
        } else {
            rc = layout_make_value(state, plan, fields, &text, err);
        }
        if (rc == RC_OK) {
            rc = put_value(state, plan, &marks, text, &writer, out, err);
        }
    }
    writer_detach(&writer, out);
    return rc;
}

enum rc layout_payload(const struct layout *layout, struct layout_state *state,
                       const struct slice *fields, size_t count, struct buf *out, struct err *err)
{
    assert(state->layout == layout);
    size_t former = out->len;
    uint64_t transliterated = encoder_counts(state->encoder).transliterated;
    fields = layout_whole_row(state, fields, count);
    enum rc rc = RC_OK;
    if (layout->lines_used != 0) {
        rc = layout_make_lines(state, fields, layout->lines_used, err);
    }
    if (rc == RC_OK && layout->has_templates) {
        rc = layout_make_row(state, fields, err);
    }
    if (rc == RC_OK) {
        rc = put_columns(state, fields, out, err);
    }
    if (rc != RC_OK) {
        out->len = former;
        return rc;
    }
    bool is_changed = encoder_counts(state->encoder).transliterated != transliterated;
    state->counts.transliterated_rows += is_changed;
    return RC_OK;
}
