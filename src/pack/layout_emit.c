/*
 * layout_emit - from encoded values to the bytes of a record: cut, quotes, padding, holes, header
 */
#include "base/utf8.h"
#include "pack/layout_plan.h"

#include <assert.h>
#include <unicode/uchar.h>

enum {
    DIGITS_MAX = 20, /* of a uint64_t */
    HOLE_LENGTH_BYTES = 4
};

/* A character that belongs to the one before it: marks, joiners, skin tones */
static bool clings(int32_t point)
{
    if (point < 0x300) {
        return false;
    }
    return (U_GET_GC_MASK(point) & U_GC_M_MASK) != 0 || point == 0x200C || point == 0x200D ||
           (point >= 0x1F3FB && point <= 0x1F3FF);
}

static bool is_trail_byte(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

size_t layout_characters(const struct layout *layout, struct slice value)
{
    if (layout->encoding != ENCODING_UTF_8) {
        return value.len;
    }
    size_t count = 0;
    for (size_t i = 0; i < value.len; i++) {
        count += !is_trail_byte(value.ptr[i]);
    }
    return count;
}

/*
 * Bytes of the longest beginning with at most `limit` characters that ends between two characters
 * as a reader sees them. A letter whose mark does not fit goes with its mark.
 */
static size_t cut_utf_8(struct slice value, uint32_t limit)
{
    size_t kept = 0;
    size_t at = 0;
    for (uint32_t count = 0; at < value.len; count++) {
        size_t start = at;
        int32_t point = utf8_next(value, &at);
        if (!clings(point)) {
            kept = start;
        }
        if (count == limit) {
            return clings(point) ? kept : start;
        }
    }
    return value.len;
}

static bool needs_quotes(const struct layout *layout, struct slice value)
{
    if (layout->format != LAYOUT_CSV || layout->quote == LAYOUT_QUOTE_NEVER) {
        return false;
    }
    if (layout->quote == LAYOUT_QUOTE_ALWAYS || (value.len == 0 && layout->column_count == 1)) {
        return true; /* a record of one empty value would be an empty line, which readers skip */
    }
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == layout->delimiter || c == layout->quote_mark || c == '\r' || c == '\n') {
            return true;
        }
    }
    return false;
}

static void put_value(const struct layout *layout, struct slice value, struct buf *out)
{
    bool is_quoted = needs_quotes(layout, value);
    bool never = layout->format == LAYOUT_CSV && layout->quote == LAYOUT_QUOTE_NEVER;
    if (!buf_reserve(out, 2 * value.len + 2)) {
        return;
    }
    char *to = out->ptr + out->len;
    if (is_quoted) {
        *to++ = layout->quote_mark;
    }
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '\0' || (never && c == layout->delimiter)) {
            c = ' ';
        } else if (is_quoted && c == layout->quote_mark) {
            *to++ = c;
        }
        *to++ = c;
    }
    if (is_quoted) {
        *to++ = layout->quote_mark;
    }
    *to = '\0';
    out->len = (size_t)(to - out->ptr);
}

static void put_spaces(struct buf *out, size_t count)
{
    if (count > 0 && buf_reserve(out, count)) {
        memset(out->ptr + out->len, ' ', count);
        out->len += count;
        out->ptr[out->len] = '\0';
    }
}

void layout_finish(const struct layout *layout, const struct column_plan *column,
                   struct slice value, struct buf *out, bool *is_cut)
{
    if (column->cut > 0 && value.len > column->cut) {
        size_t kept =
            layout->encoding == ENCODING_UTF_8 ? cut_utf_8(value, column->cut) : column->cut;
        *is_cut = *is_cut || kept < value.len;
        value.len = kept;
    }
    put_value(layout, value, out);
    if (column->pad > 0) {
        size_t count = layout_characters(layout, value);
        put_spaces(out, column->pad > count ? column->pad - count : 0);
    }
}

static inline size_t count_digits(uint64_t n)
{
    static const uint64_t POWERS[DIGITS_MAX] = {0,
                                                10,
                                                100,
                                                1000,
                                                10000,
                                                100000,
                                                1000000,
                                                10000000,
                                                100000000,
                                                1000000000,
                                                10000000000,
                                                100000000000,
                                                1000000000000,
                                                10000000000000,
                                                100000000000000,
                                                1000000000000000,
                                                10000000000000000,
                                                100000000000000000,
                                                1000000000000000000,
                                                10000000000000000000U};
    /* its bits by the logarithm of 2 (1233 / 4096), and one more from the next power on */
    size_t least = (size_t)(64 - __builtin_clzll(n | 1)) * 1233 >> 12;
    return least + (n >= POWERS[least]);
}

/* Two digits at a time, from the end: this runs once for every row. */
static inline size_t put_digits(uint64_t n, char out[DIGITS_MAX])
{
    static const char PAIRS[] =
        "00010203040506070809101112131415161718192021222324252627282930313233"
        "34353637383940414243444546474849505152535455565758596061626364656667"
        "68697071727374757677787980818283848586878889909192939495969798"
        "99";
    size_t count = count_digits(n);
    char *at = out + count;
    while (n >= 100) {
        at -= 2;
        memcpy(at, PAIRS + 2 * (n % 100), 2);
        n /= 100;
    }
    if (n >= 10) {
        memcpy(out, PAIRS + 2 * n, 2);
    } else {
        *out = (char)('0' + n);
    }
    return count;
}

/* Appends a plain reference; `text` is in the column's case */
static void put_reference(const struct layout *layout, const struct column_plan *column,
                          struct slice text, struct buf *out)
{
    bool is_cut = false; /* reference_max was held against n: it is not */
    if (!layout->is_reference_bare) {
        layout_finish(layout, column, text, out, &is_cut);
        return;
    }
    buf_add(out, text.ptr, text.len);
    if (column->pad > text.len) {
        put_spaces(out, column->pad - text.len);
    }
}

/* Appends a value that holds the reference: NUL in `value` stands for it */
static void fill_value(const struct layout *layout, const struct column_plan *column,
                       struct slice value, struct slice reference, struct buf *out)
{
    size_t marks = 0;
    for (size_t i = 0; i < value.len; i++) {
        marks += value.ptr[i] == '\0';
    }
    /* The filled text is built behind out's end, its finished form behind that, then moved down:
     * with the room for both made beforehand nothing is allocated for a row. */
    size_t filled = value.len - marks + marks * reference.len;
    if (!buf_reserve(out, filled + 2 * filled + 2 + column->pad)) {
        return;
    }
    size_t start = out->len;
    char *to = out->ptr + start;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\0') {
            memcpy(to, reference.ptr, reference.len);
            to += reference.len;
        } else {
            *to++ = value.ptr[i];
        }
    }
    bool is_cut = false;
    out->len = start + filled;
    layout_finish(layout, column, (struct slice){out->ptr + start, filled}, out, &is_cut);
    if (!out->is_failed) {
        size_t finished = out->len - start - filled;
        memmove(out->ptr + start, out->ptr + start + filled, finished);
        out->len = start + finished;
        out->ptr[out->len] = '\0';
    }
}

/* One hole at *at of the payload; *at moves past it. false: the payload does not fit the layout */
static bool fill_hole(const struct layout *layout, const struct column_plan *column,
                      struct slice payload, size_t *at, struct slice reference, struct buf *out)
{
    if (*at >= payload.len) {
        return false;
    }
    const char *from = payload.ptr + *at;
    const char *mark = memchr(from, '\0', payload.len - *at);
    if (mark == NULL) {
        return false;
    }
    buf_add(out, from, (size_t)(mark - from));
    *at = (size_t)(mark - payload.ptr) + 1;
    if (column->is_plain_reference) {
        put_reference(layout, column, reference, out);
        return true;
    }
    uint32_t len = 0;
    if (payload.len - *at < HOLE_LENGTH_BYTES) {
        return false;
    }
    memcpy(&len, payload.ptr + *at, HOLE_LENGTH_BYTES);
    *at += HOLE_LENGTH_BYTES;
    if (payload.len - *at < len) {
        return false;
    }
    fill_value(layout, column, (struct slice){payload.ptr + *at, len}, reference, out);
    *at += len;
    return true;
}

static enum rc emit_holes(const struct layout *layout, struct slice payload, uint64_t n,
                          struct buf *out, struct err *err)
{
    if (n > layout->reference_max) {
        return err_set(err, RC_RANGE,
                       "reference %s%llu is wider than its column; widen the column reference",
                       layout->reference_prefix.ptr, (unsigned long long)n);
    }
    char plain[REFERENCE_BYTES_MAX];
    char upper[REFERENCE_BYTES_MAX];
    size_t prefix = layout->reference_prefix.len;
    memcpy(plain, layout->reference_prefix.ptr, prefix);
    memcpy(upper, layout->reference_prefix_upper.ptr, prefix);
    size_t digits = put_digits(n, plain + prefix);
    memcpy(upper + prefix, plain + prefix, digits);
    size_t former = out->len;
    size_t at = 0;
    for (size_t i = 0; i < layout->hole_count; i++) {
        const struct column_plan *column = &layout->columns[layout->holes[i]];
        struct slice reference = {column->is_upper ? upper : plain, prefix + digits};
        if (!fill_hole(layout, column, payload, &at, reference, out)) {
            out->len = former;
            return err_set(err, RC_CORRUPT, "a rendered row does not fit its layout at column %s",
                           column->name);
        }
    }
    buf_add(out, payload.ptr + at, payload.len - at);
    buf_add_slice(out, layout->eol);
    enum rc rc = buf_ok(out, err);
    if (rc != RC_OK) {
        out->len = former;
    }
    return rc;
}

/* The usual layout: one column is the reference, and nothing has to be done to it. false: it is
 * not so, nothing was appended. */
static bool emit_plain(const struct layout *layout, struct slice payload, uint64_t n,
                       struct buf *out)
{
    const struct column_plan *column = &layout->columns[layout->holes[0]];
    const char *mark = payload.len == 0 ? NULL
                       : payload.ptr[0] == '\0'
                           ? payload.ptr /* most often it is the first column */
                           : memchr(payload.ptr, '\0', payload.len);
    if (layout->hole_count != 1 || !column->is_plain_reference || column->pad > 0 ||
        !layout->is_reference_bare || n > layout->reference_max || mark == NULL ||
        !buf_reserve(out, payload.len + REFERENCE_BYTES_MAX + layout->eol.len)) {
        return false;
    }
    struct slice prefix =
        column->is_upper ? layout->reference_prefix_upper : layout->reference_prefix;
    size_t before = (size_t)(mark - payload.ptr);
    size_t behind = payload.len - before - 1;
    char *to = out->ptr + out->len;
    memcpy(to, payload.ptr, before);
    to += before;
    memcpy(to, prefix.ptr, prefix.len);
    to += prefix.len;
    to += put_digits(n, to);
    memcpy(to, mark + 1, behind);
    to += behind;
    for (size_t i = 0; i < layout->eol.len; i++) { /* two at most: less than a call */
        *to++ = layout->eol.ptr[i];
    }
    out->len = (size_t)(to - out->ptr);
    out->ptr[out->len] = '\0';
    return true;
}

enum rc layout_emit(const struct layout *layout, struct slice payload, uint64_t n, struct buf *out,
                    struct err *err)
{
    if (layout->hole_count > 0 && emit_plain(layout, payload, n, out)) {
        return RC_OK;
    }
    if (layout->hole_count > 0) {
        return emit_holes(layout, payload, n, out, err);
    }
    if (!buf_reserve(out, payload.len + layout->eol.len)) {
        return buf_ok(out, err);
    }
    buf_add_slice(out, payload);
    buf_add_slice(out, layout->eol);
    return RC_OK;
}

enum rc layout_make_header(const struct layout *layout, struct buf *out, struct err *err)
{
    struct encoder *encoder = NULL;
    struct buf title = BUF_EMPTY;
    bool is_cut = false;
    enum rc rc = encoder_open(layout->encoding, &encoder, err);
    for (size_t i = 0; rc == RC_OK && i < layout->column_count; i++) {
        buf_clear(&title);
        rc = encoder_put(encoder, slice_of(layout->names[i]), false, true, &title, err);
        if (i > 0 && layout->format == LAYOUT_CSV) {
            buf_add_byte(out, layout->delimiter);
        }
        layout_finish(layout, &layout->columns[i], buf_slice(&title), out, &is_cut);
    }
    buf_add_slice(out, layout->eol);
    if (rc == RC_OK) {
        rc = buf_ok(out, err);
    }
    buf_release(&title);
    encoder_free(encoder);
    return rc;
}
