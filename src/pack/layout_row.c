/*
 * layout_row - one row, written by the plan
 *
 * Most values are short ASCII without a delimiter, quote or line break in them. Such a value is
 * copied eight bytes at a time while the same eight bytes are looked at for anything that is not
 * so; what shows something else goes the long way: encoded, cut, quoted, padded (encoding.c,
 * layout_finish).
 */
#include "pack/layout_plan.h"

#include <assert.h>
#include <stdlib.h>

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (unsigned char)(value))

enum {
    WORD = 8,  /* bytes looked at together */
    SLACK = 32 /* room behind a value: quotes, delimiter, a word written too far */
};

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

struct masks {
    uint64_t delimiter;
    uint64_t quote;
};

static inline uint64_t load(const char *from, size_t bytes)
{
    uint64_t word = 0;
    memcpy(&word, from, bytes);
    return word;
}

/* High bits are set where one of the eight bytes is not ASCII, a control character, the delimiter
 * or the quote mark; when none is, no high bit is set. */
static inline uint64_t odd_bytes(uint64_t word, const struct masks *masks)
{
    uint64_t delimiter = word ^ masks->delimiter;
    uint64_t quote = word ^ masks->quote;
    return word | ((word - EACH_BYTE(0x20)) & ~word) | ((delimiter - EACH_BYTE(1)) & ~delimiter) |
           ((quote - EACH_BYTE(1)) & ~quote);
}

/* Upper case of eight ASCII bytes; of others anything */
static inline uint64_t upper_bytes(uint64_t word)
{
    uint64_t from_a = word + EACH_BYTE(0x80 - 'a');
    uint64_t past_z = word + EACH_BYTE(0x80 - 'z' - 1);
    return word ^ (((from_a & ~past_z) & EACH_BYTE(0x80)) >> 2);
}

static inline uint64_t copy_word(char *to, const char *from, size_t bytes, bool is_upper,
                                 const struct masks *masks)
{
    uint64_t word = load(from, bytes);
    /* The bytes beyond are made letters, so that they are not odd. */
    uint64_t odd = odd_bytes(bytes == WORD ? word : word | EACH_BYTE('a') << (8 * bytes), masks);
    if (is_upper) {
        word = upper_bytes(word);
    }
    memcpy(to, &word, bytes);
    return odd;
}

/*
 * copy_plain - copy len bytes, which may write up to SLACK too far
 * Returns false when one of them is odd; what was written is then of no use.
 */
static inline bool copy_plain(char *to, const char *from, size_t len, bool is_upper,
                              const struct masks *masks)
{
    uint64_t odd = 0;
    if (len >= WORD) {
        for (size_t at = 0; at + WORD <= len; at += WORD) {
            odd |= copy_word(to + at, from + at, WORD, is_upper, masks);
        }
        odd |= copy_word(to + len - WORD, from + len - WORD, WORD, is_upper, masks);
    } else if (len >= WORD / 2) {
        odd = copy_word(to, from, WORD / 2, is_upper, masks) |
              copy_word(to + len - WORD / 2, from + len - WORD / 2, WORD / 2, is_upper, masks);
    } else {
        for (size_t at = 0; at < len; at++) {
            odd |= copy_word(to + at, from + at, 1, is_upper, masks);
        }
    }
    return (odd & EACH_BYTE(0x80)) == 0;
}

static inline void put_padding(struct writer *writer, size_t count)
{
    for (size_t at = 0; at < count; at += WORD) {
        const uint64_t spaces = EACH_BYTE(' ');
        memcpy(writer->to + at, &spaces, WORD);
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

/* One value, plain or long */
static inline enum rc put_value(struct layout_state *state, const struct column_plan *plan,
                                const struct masks *masks, struct slice text, struct writer *writer,
                                struct buf *out, struct err *err)
{
    const struct layout *layout = state->layout;
    bool is_quoted = layout->format == LAYOUT_CSV && layout->quote == LAYOUT_QUOTE_ALWAYS;
    bool is_plain = !plan->has_reference && (plan->cut == 0 || text.len <= plan->cut) &&
                    (text.len > 0 || layout->column_count > 1);
    if (!writer_reserve(writer, out, text.len + plan->pad + SLACK)) {
        return buf_ok(out, err);
    }
    if (is_plain) {
        char *start = writer->to + is_quoted;
        bool is_copied = plan->is_upper ? copy_plain(start, text.ptr, text.len, true, masks)
                                        : copy_plain(start, text.ptr, text.len, false, masks);
        if (is_copied) {
            if (is_quoted) {
                start[-1] = layout->quote_mark;
                start[text.len] = layout->quote_mark;
            }
            writer->to = start + text.len + is_quoted;
            if (plan->pad > text.len) {
                put_padding(writer, plan->pad - text.len);
            }
            return RC_OK;
        }
    }
    writer_detach(writer, out);
    enum rc rc = put_long(state, plan, text, out, err);
    if (rc == RC_OK && !buf_reserve(out, SLACK)) {
        rc = buf_ok(out, err);
    }
    writer_attach(writer, out);
    return rc;
}

static enum rc put_columns(struct layout_state *state, const struct slice *fields, struct buf *out,
                           struct err *err)
{
    const struct layout *layout = state->layout;
    bool is_csv = layout->format == LAYOUT_CSV;
    const struct masks masks = {EACH_BYTE(is_csv ? layout->delimiter : 0),
                                EACH_BYTE(is_csv ? layout->quote_mark : 0)};
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
            rc = put_value(state, plan, &masks, text, &writer, out, err);
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
