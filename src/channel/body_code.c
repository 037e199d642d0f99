/*
 * body_code - text and files as they travel in a body
 *
 * Every message goes through body_clean() and body_encode(): runs of bytes that stay as they are
 * are found by a table and copied at once.
 */
#include "channel/body_code.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdint.h>

enum {
    BASE64_GROUPS_A_LINE = BODY_CODE_LINE_BYTES / 4,
    BASE64_BYTES_A_LINE = BASE64_GROUPS_A_LINE * 3,
    QP_WIDTH = 3,                             /* =XX */
    QP_LINE_BYTES = BODY_CODE_LINE_BYTES - 1, /* the soft line end takes one */
    QP_SLACK_BYTES = 128                      /* written past a limit before it is noticed */
};

const char *body_code_name(enum body_code code)
{
    static const char *const names[] = {"7bit", "quoted-printable", "base64"};
    return names[code];
}

/* --- cleaning --- */

static bool is_ordinary(unsigned char c)
{
    return (c >= 0x20 && c < 0x7F) || c == '\t';
}

/* Bytes of `text` from `at` on that stay as they are */
static size_t ordinary_run(struct slice text, size_t at)
{
    size_t start = at;
    while (text.len - at >= sizeof(uint64_t)) {
        /* eight at once: none with its high bit, none below 0x20, none 0x7F */
        uint64_t eight;
        memcpy(&eight, text.ptr + at, sizeof eight);
        uint64_t below = (eight - UINT64_C(0x2020202020202020)) & ~eight;
        uint64_t del = eight + UINT64_C(0x0101010101010101);
        if (((eight | below | del) & UINT64_C(0x8080808080808080)) != 0) {
            break;
        }
        at += sizeof eight;
    }
    while (at < text.len && is_ordinary((unsigned char)text.ptr[at])) {
        at++;
    }
    return at - start;
}

/* One byte or code point that is not ordinary */
static void clean_one(struct slice text, size_t *at, struct buf *out)
{
    size_t start = *at;
    int32_t point = utf8_next(text, at);
    if (point == '\n' || point == '\r') {
        *at += point == '\r' && *at < text.len && text.ptr[*at] == '\n';
        buf_add(out, "\r\n", 2);
    } else if (point < 0) {
        buf_add(out, "\xEF\xBF\xBD", 3);
    } else if (point < 0x80) {
        buf_add_byte(out, ' ');
    } else {
        buf_add(out, text.ptr + start, *at - start);
    }
}

void body_clean(struct slice text, struct buf *out)
{
    (void)buf_reserve(out, text.len + text.len / 16);
    buf_add(out, "", 0);
    for (size_t at = 0; at < text.len;) {
        size_t run = ordinary_run(text, at);
        buf_add(out, text.ptr + at, run);
        at += run;
        if (at < text.len) {
            clean_one(text, &at, out);
        }
    }
}

/* --- lines --- */

/* The line at *at without its CRLF, which is passed; *has_end says whether there was one */
static struct slice next_line(struct slice clean, size_t *at, bool *has_end)
{
    const char *start = clean.ptr + *at;
    const char *end = memchr(start, '\r', clean.len - *at);
    *has_end = end != NULL;
    size_t len = end == NULL ? clean.len - *at : (size_t)(end - start);
    *at += len + (*has_end ? 2 : 0);
    return (struct slice){start, len};
}

/* What a relay or a mailbox may change at the start of a line */
static bool has_fragile_start(struct slice line)
{
    return line.len > 0 && (line.ptr[0] == '.' || (line.ptr[0] == 'F' && line.len >= 5 &&
                                                   memcmp(line.ptr, "From ", 5) == 0));
}

static bool has_fragile_end(struct slice line)
{
    return line.len > 0 && (line.ptr[line.len - 1] == ' ' || line.ptr[line.len - 1] == '\t');
}

static bool is_all_ascii(struct slice text)
{
    size_t at = 0;
    uint64_t seen = 0;
    for (; text.len - at >= sizeof seen; at += sizeof seen) {
        uint64_t eight;
        memcpy(&eight, text.ptr + at, sizeof eight);
        seen |= eight;
    }
    for (; at < text.len; at++) {
        seen |= (uint64_t)(unsigned char)text.ptr[at] & 0x80;
    }
    return (seen & UINT64_C(0x8080808080808080)) == 0;
}

static bool fits_7bit(struct slice clean)
{
    if (!is_all_ascii(clean)) {
        return false;
    }
    for (size_t at = 0; at < clean.len;) {
        bool has_end;
        struct slice line = next_line(clean, &at, &has_end);
        if (line.len > BODY_PLAIN_LINE_BYTES || has_fragile_start(line) || has_fragile_end(line) ||
            (line.len >= 4 && memcmp(line.ptr, "--=_", 4) == 0)) {
            return false;
        }
    }
    return true;
}

/* --- quoted-printable, RFC 2045 6.7 --- */

/* Octets that stand for themselves; blanks too, unless they end a line */
static bool is_qp_literal(unsigned char c)
{
    return (c >= 0x20 && c < 0x7F && c != '=') || c == '\t';
}

static char *put_line_end(char *out)
{
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

static char *put_hex(char *out, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    *out++ = '=';
    *out++ = digits[c >> 4];
    *out++ = digits[c & 15];
    return out;
}

/* Octets of the code point that begins with c (clean text): they stay on one line */
static size_t point_bytes(unsigned char c)
{
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

/* Literal octets from line.ptr + i on, at most `room` */
static size_t literal_run(struct slice line, size_t i, size_t room)
{
    size_t most = line.len - i < room ? line.len - i : room;
    size_t run = 0;
    while (run < most && is_qp_literal((unsigned char)line.ptr[i + run])) {
        run++;
    }
    return run;
}

/* One line of text to one or more lines of output; NULL when `limit` is passed */
static char *put_qp_line(struct slice line, char *out, const char *limit)
{
    size_t literal_end = line.len - has_fragile_end(line);
    size_t column = 0;
    for (size_t i = 0; i < line.len;) {
        struct slice rest = {line.ptr + i, line.len - i};
        size_t run =
            column == 0 && has_fragile_start(rest)
                ? 0
                : literal_run((struct slice){line.ptr, literal_end}, i, QP_LINE_BYTES - column);
        memcpy(out, line.ptr + i, run);
        out += run;
        column += run;
        i += run;
        if (i == line.len) {
            break;
        }
        size_t bytes = point_bytes((unsigned char)line.ptr[i]);
        bool is_literal = i < literal_end && is_qp_literal((unsigned char)line.ptr[i]);
        size_t width = is_literal && column > 0 ? 1 : bytes * QP_WIDTH;
        if (column + width > QP_LINE_BYTES) {
            *out++ = '=';
            out = put_line_end(out);
            column = 0;
        } else {
            for (size_t k = 0; k < bytes; k++) {
                out = put_hex(out, (unsigned char)line.ptr[i + k]);
            }
            column += width;
            i += bytes;
        }
        if (out > limit) {
            return NULL;
        }
    }
    return out;
}

/* false, and nothing appended, where base64 (`limit` octets) is shorter */
static bool put_qp(struct slice clean, size_t limit, struct buf *out)
{
    if (!buf_reserve(out, limit + QP_SLACK_BYTES)) {
        return true; /* the failure shows in buf_ok() */
    }
    char *to = out->ptr + out->len;
    const char *end = to + limit;
    for (size_t at = 0; at < clean.len;) {
        bool has_end;
        struct slice line = next_line(clean, &at, &has_end);
        if (line.len > (size_t)(end - to)) {
            return false;
        }
        to = put_qp_line(line, to, end);
        if (to == NULL) {
            return false;
        }
        if (has_end) {
            to = put_line_end(to);
        }
        if (to > end) {
            return false;
        }
    }
    out->len = (size_t)(to - out->ptr);
    out->ptr[out->len] = '\0';
    return true;
}

/* --- base64, RFC 2045 6.8 --- */

size_t body_base64_size(size_t len)
{
    size_t lines = (len + BASE64_BYTES_A_LINE - 1) / BASE64_BYTES_A_LINE;
    return (len + 2) / 3 * 4 + (lines > 1 ? (lines - 1) * 2 : 0);
}

char *body_base64_group(const unsigned char *bytes, size_t have, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned group = (unsigned)bytes[0] << 16;
    group |= have > 1 ? (unsigned)bytes[1] << 8 : 0;
    group |= have > 2 ? (unsigned)bytes[2] : 0;
    *out++ = digits[group >> 18];
    *out++ = digits[group >> 12 & 63];
    *out++ = (char)(have > 1 ? digits[group >> 6 & 63] : '=');
    *out++ = (char)(have > 2 ? digits[group & 63] : '=');
    return out;
}

void body_base64(struct slice bytes, struct buf *out)
{
    size_t size = body_base64_size(bytes.len);
    if (!buf_reserve(out, size)) {
        return;
    }
    assert(out->ptr != NULL); /* reserved */
    const unsigned char *from = (const unsigned char *)bytes.ptr;
    char *to = out->ptr + out->len;
    size_t groups = 0;
    for (size_t at = 0; at < bytes.len; at += 3) {
        if (groups == BASE64_GROUPS_A_LINE) {
            to = put_line_end(to);
            groups = 0;
        }
        to = body_base64_group(from + at, bytes.len - at < 3 ? bytes.len - at : 3, to);
        groups++;
    }
    assert(to == out->ptr + out->len + size);
    out->len += size;
    out->ptr[out->len] = '\0';
}

enum body_code body_encode(struct slice clean, struct buf *out)
{
    if (fits_7bit(clean)) {
        buf_add_slice(out, clean);
        return BODY_7BIT;
    }
    if (put_qp(clean, body_base64_size(clean.len), out)) {
        return BODY_QUOTED_PRINTABLE;
    }
    body_base64(clean, out);
    return BODY_BASE64;
}
