/*
 * buf - growable bytes with a sticky failure
 */
#include "base/buf.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_BYTES = 256 };

void buf_release(struct buf *buf)
{
    free(buf->ptr);
    *buf = BUF_EMPTY;
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->is_failed = false;
    if (buf->ptr != NULL) {
        buf->ptr[0] = '\0';
    }
}

bool buf_grow(struct buf *buf, size_t more)
{
    if (buf->is_failed) {
        return false;
    }
    if (more >= BUF_BYTES_MAX || buf->len + more >= BUF_BYTES_MAX) {
        buf->is_failed = true;
        return false;
    }
    size_t want = buf->cap == 0 ? FIRST_BYTES : buf->cap;
    while (want < buf->len + more + 1) {
        want += want / 2;
    }
    char *ptr = realloc(buf->ptr, want);
    if (ptr == NULL) {
        buf->is_failed = true;
        return false;
    }
    buf->ptr = ptr;
    buf->cap = want;
    return true;
}

void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_add_format(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) {
        buf->is_failed = true;
        return;
    }
    if (!buf_reserve(buf, (size_t)length)) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(buf->ptr + buf->len, (size_t)length + 1, format, args);
    va_end(args);
    buf->len += (size_t)length;
}

void buf_add_json(struct buf *buf, struct slice text)
{
    buf_add_byte(buf, '"');
    for (size_t at = 0; at < text.len;) {
        size_t start = at;
        int32_t point = utf8_next(text, &at);
        if (point < 0) {
            buf_add_text(buf, "\xEF\xBF\xBD");
        } else if (point == '"' || point == '\\') {
            buf_add_byte(buf, '\\');
            buf_add_byte(buf, (char)point);
        } else if (point == '\n') {
            buf_add_text(buf, "\\n");
        } else if (point < 0x20 || point == 0x7F) {
            buf_add_format(buf, "\\u%04X", (unsigned)point);
        } else {
            buf_add(buf, text.ptr + start, at - start);
        }
    }
    buf_add_byte(buf, '"');
}

char *buf_take(struct buf *buf)
{
    if (!buf_reserve(buf, 0) || buf->is_failed) {
        buf_release(buf);
        return NULL;
    }
    buf->ptr[buf->len] = '\0';
    char *ptr = buf->ptr;
    *buf = BUF_EMPTY;
    return ptr;
}

enum rc buf_ok(const struct buf *buf, struct err *err)
{
    return buf->is_failed ? err_set(err, RC_NOMEM, "no memory for %zu bytes", buf->len) : RC_OK;
}
