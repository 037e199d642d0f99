/*
 * scan - text and tags of a template
 *
 * A tag that stands alone on its line (blanks aside) takes the whole line with it, except values,
 * which never stand alone (mustache specification 1.4.2, "standalone").
 */
#include "template/scan.h"

#include <stdarg.h>
#include <stdio.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_space(char c)
{
    return is_blank(c) || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

static struct slice trimmed(struct slice text)
{
    while (text.len > 0 && is_space(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && is_space(text.ptr[text.len - 1])) {
        text.len--;
    }
    return text;
}

struct scan scan_start(struct slice text, const char *file_name, int first_line)
{
    return (struct scan){.text = text,
                         .open = {.bytes = "{{", .len = 2},
                         .close = {.bytes = "}}", .len = 2},
                         .file_name = file_name,
                         .first_line = first_line > 0 ? first_line : 1};
}

bool scan_starts_line(const struct scan *scan, size_t at)
{
    return at == 0 || scan->text.ptr[at - 1] == '\n';
}

int scan_line(const struct scan *scan, size_t at)
{
    int line = scan->first_line;
    for (size_t i = 0; i < at && i < scan->text.len; i++) {
        line += scan->text.ptr[i] == '\n';
    }
    return line;
}

enum rc scan_fail(const struct scan *scan, size_t at, enum rc rc, struct err *err,
                  const char *format, ...)
{
    char text[ERR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(err, rc, "%s:%d: %s", scan->file_name, scan_line(scan, at), text);
}

char *quote_name(struct slice name, char *out)
{
    enum { SHOWN_MAX = QUOTED_BYTES - 4 /* "..." and NUL */ };
    size_t shown = name.len < SHOWN_MAX ? name.len : SHOWN_MAX;
    while (shown < name.len && shown > 0 && ((unsigned char)name.ptr[shown] & 0xC0) == 0x80) {
        shown--; /* not in the middle of a character */
    }
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        out[i] = name.ptr[i];
        if (c < 0x20 || c == 0x7F) {
            out[i] = '?';
        }
    }
    memcpy(out + shown, shown < name.len ? "..." : "", shown < name.len ? 4 : 1);
    return out;
}

/* Where `what` begins at or behind `from`; text.len when nowhere. */
static size_t find(struct slice text, size_t from, const char *what, size_t what_len)
{
    while (from < text.len && text.len - from >= what_len) {
        const char *hit = memchr(text.ptr + from, what[0], text.len - from - what_len + 1);
        if (hit == NULL) {
            break;
        }
        if (memcmp(hit, what, what_len) == 0) {
            return (size_t)(hit - text.ptr);
        }
        from = (size_t)(hit - text.ptr) + 1;
    }
    return text.len;
}

/* One delimiter off the front of *rest: up to the next blank. */
static bool take_delimiter(struct slice *rest, struct delimiter *out)
{
    size_t len = 0;
    while (len < rest->len && !is_space(rest->ptr[len]) && rest->ptr[len] != '=') {
        len++;
    }
    if (len == 0 || len > sizeof out->bytes) {
        return false;
    }
    memcpy(out->bytes, rest->ptr, len);
    out->len = len;
    *rest = trimmed((struct slice){rest->ptr + len, rest->len - len});
    return true;
}

/* {{=<% %>=}}: body is what stands between the two '=' */
static enum rc set_delimiters(struct scan *scan, struct slice body, size_t tag_at, struct err *err)
{
    struct slice rest = trimmed(body);
    struct delimiter open;
    struct delimiter close;
    if (!take_delimiter(&rest, &open) || !take_delimiter(&rest, &close) || rest.len != 0) {
        return scan_fail(
            scan, tag_at, RC_PERM, err,
            "delimiters make no sense; write {{=<%% %%>=}}: two words of 1 to %d bytes "
            "without '='",
            TEMPLATE_DELIMITER_BYTES_MAX);
    }
    scan->open = open;
    scan->close = close;
    return RC_OK;
}

/* What the first byte of a tag says about it. false: a kind that is not known. */
static bool kind_of(char sigil, enum tag_kind *out)
{
    switch (sigil) {
    case '#':
        *out = TAG_SECTION;
        return true;
    case '^':
        *out = TAG_INVERTED;
        return true;
    case '/':
        *out = TAG_CLOSE;
        return true;
    case '>':
        *out = TAG_PARTIAL;
        return true;
    case '!':
        *out = TAG_COMMENT;
        return true;
    case '=':
        *out = TAG_DELIMITERS;
        return true;
    case '&':
    case '{':
        *out = TAG_VALUE_RAW;
        return true;
    case '<':
    case '$':
        return false;
    default:
        *out = TAG_VALUE;
        return true;
    }
}

static enum rc check_name(const struct scan *scan, const struct scan_step *step, struct err *err)
{
    if (step->name.len == 0) {
        return scan_fail(scan, step->tag_at, RC_PERM, err, "a tag without a name; give it one");
    }
    if (step->name.len > TEMPLATE_NAME_BYTES_MAX) {
        return scan_fail(scan, step->tag_at, RC_PERM, err,
                         "a name of %zu bytes; at most %d, is a tag not closed?", step->name.len,
                         TEMPLATE_NAME_BYTES_MAX);
    }
    if (step->kind == TAG_PARTIAL && step->name.ptr[0] == '*') {
        return scan_fail(scan, step->tag_at, RC_PERM, err,
                         "a partial whose name is looked up is not known; name it plainly");
    }
    return RC_OK;
}

/* The tag whose opening delimiter stands at step->tag_at; moves scan->at behind it. */
static enum rc read_tag(struct scan *scan, struct scan_step *step, struct err *err)
{
    struct slice text = scan->text;
    size_t body = step->tag_at + scan->open.len;
    char sigil = '\0';
    if (body < text.len) {
        sigil = text.ptr[body];
    }
    if (!kind_of(sigil, &step->kind)) {
        return scan_fail(scan, step->tag_at, RC_PERM, err,
                         "inheritance (a tag that begins with '%c') is not known; use a partial",
                         sigil);
    }
    /* A triple mustache and a change of delimiters end with their own byte and the delimiter. */
    char end[1 + TEMPLATE_DELIMITER_BYTES_MAX];
    size_t end_len = 0;
    if (sigil == '{' || sigil == '=') {
        end[end_len++] = sigil == '{' ? '}' : '=';
    }
    memcpy(end + end_len, scan->close.bytes, scan->close.len);
    end_len += scan->close.len;
    body += step->kind == TAG_VALUE ? 0 : 1;
    size_t close_at = body <= text.len ? find(text, body, end, end_len) : text.len;
    if (close_at >= text.len) {
        return scan_fail(scan, step->tag_at, RC_PERM, err,
                         "a tag that does not close; end it with %.*s", (int)end_len, end);
    }
    scan->at = close_at + end_len;
    struct slice inside = {text.ptr + body, close_at - body};
    if (step->kind == TAG_DELIMITERS) {
        return set_delimiters(scan, inside, step->tag_at, err);
    }
    if (step->kind == TAG_COMMENT) {
        return RC_OK;
    }
    step->name = trimmed(inside);
    return check_name(scan, step, err);
}

/* Widen a tag that is alone on its line to the line. Blanks next to a tag are looked at twice at
 * most. */
static void settle_standalone(struct scan *scan, struct scan_step *step)
{
    if (step->kind == TAG_VALUE || step->kind == TAG_VALUE_RAW) {
        return;
    }
    struct slice text = scan->text;
    size_t start = step->tag_at;
    while (start > step->text_at && is_blank(text.ptr[start - 1])) {
        start--;
    }
    size_t end = scan->at;
    while (end < text.len && is_blank(text.ptr[end])) {
        end++;
    }
    bool is_last = end == text.len;
    if (end < text.len && text.ptr[end] == '\r') {
        end++;
    }
    bool ends_line = end < text.len && text.ptr[end] == '\n';
    if (!scan_starts_line(scan, start) || (!is_last && !ends_line)) {
        return;
    }
    step->is_standalone = true;
    step->indent = (struct slice){text.ptr + start, step->tag_at - start};
    step->text.len = start - step->text_at;
    scan->at = is_last ? end : end + 1;
}

enum rc scan_next(struct scan *scan, struct scan_step *out, struct err *err)
{
    size_t open_at = find(scan->text, scan->at, scan->open.bytes, scan->open.len);
    *out = (struct scan_step){
        .text = {scan->text.ptr + scan->at, open_at - scan->at},
        .text_at = scan->at,
        .kind = TAG_END,
        .tag_at = open_at,
    };
    if (open_at == scan->text.len) {
        scan->at = scan->text.len;
        return RC_OK;
    }
    enum rc rc = read_tag(scan, out, err);
    if (rc == RC_OK) {
        settle_standalone(scan, out);
    }
    return rc;
}
