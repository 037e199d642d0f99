/*
 * dkim_relaxed - the relaxed canonical forms of headers and bodies
 */
#include "channel/dkim_relaxed.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_blank_or_end(char c)
{
    return is_blank(c) || c == '\r' || c == '\n';
}

void dkim_relaxed_header(struct slice field, struct buf *out)
{
    size_t at = 0;
    for (; at < field.len && field.ptr[at] != ':'; at++) {
        char c = field.ptr[at];
        if (!is_blank_or_end(c)) {
            buf_add_byte(out, (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c));
        }
    }
    buf_add_byte(out, ':');
    at++;
    for (bool is_first = true; at < field.len; is_first = false) {
        while (at < field.len && is_blank_or_end(field.ptr[at])) {
            at++;
        }
        size_t start = at;
        while (at < field.len && !is_blank_or_end(field.ptr[at])) {
            at++;
        }
        if (at > start) {
            if (!is_first) {
                buf_add_byte(out, ' ');
            }
            buf_add(out, field.ptr + start, at - start);
        }
    }
    buf_add(out, "\r\n", 2);
}

/* Where a line stops being relaxed: a TAB, a run of blanks, a blank at its end; len where nowhere.
 */
static size_t relaxed_run(struct slice line)
{
    const char *end = line.ptr + line.len;
    if (memchr(line.ptr, '\t', line.len) == NULL) {
        for (const char *c = line.ptr; (c = memchr(c, ' ', (size_t)(end - c))) != NULL; c++) {
            if (c + 1 == end || c[1] == ' ') {
                return (size_t)(c - line.ptr);
            }
        }
        return line.len;
    }
    size_t at = 0;
    while (at < line.len && !is_blank(line.ptr[at])) {
        at++;
    }
    return at;
}

static void relax_line(struct slice line, struct buf *out)
{
    size_t at = relaxed_run(line);
    buf_add(out, line.ptr, at);
    while (at < line.len) {
        while (at < line.len && is_blank(line.ptr[at])) {
            at++;
        }
        size_t start = at;
        while (at < line.len && !is_blank(line.ptr[at])) {
            at++;
        }
        if (at > start) {
            buf_add_byte(out, ' ');
            buf_add(out, line.ptr + start, at - start);
        }
    }
}

void dkim_relaxed_body(struct slice body, struct buf *out)
{
    size_t start = out->len;
    size_t end = out->len; /* behind the last line that is not empty */
    (void)buf_reserve(out, body.len + 2);
    buf_add(out, "", 0);
    for (size_t at = 0; at < body.len;) {
        const char *line = body.ptr + at;
        const char *stop = memchr(line, '\n', body.len - at);
        size_t len = stop == NULL ? body.len - at : (size_t)(stop - line);
        at += len + (stop != NULL);
        if (stop != NULL && len > 0 && line[len - 1] == '\r') {
            len--;
        }
        size_t before = out->len;
        relax_line((struct slice){line, len}, out);
        bool is_empty = out->len == before;
        buf_add(out, "\r\n", 2);
        end = is_empty ? end : out->len;
    }
    if (!out->is_failed && out->len > start) {
        out->len = end;
        out->ptr[end] = '\0';
    }
}
