/*
 * smtp_body - messages on their way through DATA: checked once, copied in runs between dots
 */
#include "channel/smtp_command.h"

#include <stdint.h>

static bool has_8bit(struct slice bytes)
{
    uint64_t seen = 0;
    size_t i = 0;
    for (; i + sizeof seen <= bytes.len; i += sizeof seen) {
        uint64_t word = 0;
        memcpy(&word, bytes.ptr + i, sizeof word);
        seen |= word;
    }
    for (; i < bytes.len; i++) {
        seen |= (unsigned char)bytes.ptr[i];
    }
    return (seen & UINT64_C(0x8080808080808080)) != 0;
}

/* One line without its LF; is_open: the last one, that has none */
static enum rc check_line(const char *line, size_t len, bool is_open, struct err *err)
{
    if (!is_open) {
        if (len == 0 || line[len - 1] != '\r') {
            return err_set(err, RC_PERM, "message holds a line feed without carriage return");
        }
        len--;
    }
    if (len > SMTP_TEXT_LINE_BYTES_MAX) {
        return err_set(err, RC_PERM, "message holds a line of %zu bytes, %d are allowed", len,
                       (int)SMTP_TEXT_LINE_BYTES_MAX);
    }
    if (len > 0 && memchr(line, '\r', len) != NULL) {
        return err_set(err, RC_PERM, "message holds a carriage return without line feed");
    }
    return RC_OK;
}

enum rc smtp_body_scan(struct slice bytes, struct smtp_body *out, struct err *err)
{
    *out = (struct smtp_body){.bytes = bytes};
    if (bytes.len == 0) {
        return RC_OK;
    }
    if (memchr(bytes.ptr, '\0', bytes.len) != NULL) {
        return err_set(err, RC_PERM, "message holds a NUL");
    }
    const char *at = bytes.ptr;
    const char *end = bytes.ptr + bytes.len;
    while (at < end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        out->is_open = feed == NULL;
        out->dots += *at == '.';
        enum rc rc = check_line(at, (size_t)((feed == NULL ? end : feed) - at), out->is_open, err);
        if (rc != RC_OK) {
            return rc;
        }
        at = feed == NULL ? end : feed + 1;
    }
    out->is_8bit = has_8bit(bytes);
    return RC_OK;
}

size_t smtp_body_size(const struct smtp_body *body)
{
    return body->bytes.len + (body->is_open ? 2 : 0);
}

/* The end of the run that begins at `at` and can be copied as it is: before the next line that
 * begins with a dot, or `limit`. `at` is not itself such a line's begin, or its dot was added. */
static size_t run_end(struct slice bytes, size_t at, size_t limit)
{
    const char *from = bytes.ptr + at;
    const char *end = bytes.ptr + limit;
    const char *feed = NULL;
    while (from < end && (feed = memchr(from, '\n', (size_t)(end - from))) != NULL) {
        from = feed + 1;
        if (from < end && *from == '.') {
            return (size_t)(from - bytes.ptr);
        }
    }
    return limit;
}

bool smtp_body_add(const struct smtp_body *body, size_t *at, size_t room, struct buf *out)
{
    struct slice bytes = body->bytes;
    size_t limit = bytes.len - *at > room ? *at + room : bytes.len;
    if (body->dots == 0 && limit > *at) {
        buf_add(out, bytes.ptr + *at, limit - *at);
        *at = limit;
    }
    while (*at < limit) {
        bool is_line_begin = *at == 0 || bytes.ptr[*at - 1] == '\n';
        if (is_line_begin && bytes.ptr[*at] == '.') {
            buf_add_byte(out, '.');
        }
        size_t end = run_end(bytes, *at, limit);
        buf_add(out, bytes.ptr + *at, end - *at);
        *at = end;
    }
    if (*at < bytes.len) {
        return false;
    }
    buf_add_text(out, body->is_open ? "\r\n" : "");
    return true;
}
