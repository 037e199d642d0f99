/*
 * escape - makes a value harmless where it is put
 *
 * Runs of bytes that stand for themselves are appended at once; most values are one such run.
 */
#include "base/utf8.h"
#include "template/template.h"

static const char *html_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

static void escape_html(struct slice text, struct buf *out)
{
    size_t start = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *replacement = html_of(text.ptr[i]);
        if (replacement != NULL) {
            buf_add(out, text.ptr + start, i - start);
            buf_add_text(out, replacement);
            start = i + 1;
        }
    }
    if (start < text.len) {
        buf_add(out, text.ptr + start, text.len - start);
    }
}

/* RFC 8259 section 7 */
static void escape_json(struct slice text, struct buf *out)
{
    size_t start = 0;
    for (size_t at = 0; at < text.len;) {
        size_t from = at;
        int32_t point = utf8_next(text, &at);
        if (point >= 0x20 && point != '"' && point != '\\' && point != 0x7F) {
            continue;
        }
        buf_add(out, text.ptr + start, from - start);
        start = at;
        if (point < 0) {
            buf_add_text(out, "\xEF\xBF\xBD");
        } else if (point == '"' || point == '\\') {
            buf_add_byte(out, '\\');
            buf_add_byte(out, (char)point);
        } else if (point == '\n') {
            buf_add_text(out, "\\n");
        } else {
            buf_add_format(out, "\\u%04X", (unsigned)point);
        }
    }
    if (start < text.len) {
        buf_add(out, text.ptr + start, text.len - start);
    }
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static void escape_url(struct slice text, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (is_unreserved((char)c)) {
            buf_add_byte(out, (char)c);
        } else {
            const char code[3] = {'%', digits[c >> 4], digits[c & 15]};
            buf_add(out, code, sizeof code);
        }
    }
}

void template_escape_text(enum template_escape escape, struct slice text, struct buf *out)
{
    switch (escape) {
    case TEMPLATE_PLAIN:
        buf_add_slice(out, text);
        break;
    case TEMPLATE_HTML:
        escape_html(text, out);
        break;
    case TEMPLATE_JSON:
        escape_json(text, out);
        break;
    case TEMPLATE_URL:
        escape_url(text, out);
        break;
    }
}
