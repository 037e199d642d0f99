/*
 * log - one event, one line, one write
 */
#include "sys/log.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum log_level lowest = LOG_LEVEL_INFO;
static int log_fd = STDERR_FILENO;

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void log_set_level(enum log_level level)
{
    lowest = level;
}

void log_set_fd(int fd)
{
    log_fd = fd;
}

/* Control characters in all their forms: C0, DEL and C1, which terminals obey too */
static bool is_control(int32_t code_point)
{
    return code_point < 0x20 || (code_point >= 0x7f && code_point <= 0x9f);
}

/* Calls put(ctx, bytes, len) for runs that may stand as they are and for \xNN */
static void escape(struct slice bytes, void (*put)(void *ctx, const char *bytes, size_t len),
                   void *ctx)
{
    static const char digits[] = "0123456789abcdef";
    size_t kept = 0;
    for (size_t at = 0; at < bytes.len;) {
        size_t start = at;
        if (!is_control(utf8_next(bytes, &at))) {
            continue; /* -1, no UTF-8, counts as a control character: it is below 0x20 */
        }
        put(ctx, bytes.ptr + kept, start - kept);
        for (size_t i = start; i < at; i++) {
            unsigned char byte = (unsigned char)bytes.ptr[i];
            const char text[4] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
            put(ctx, text, sizeof text);
        }
        kept = at;
    }
    put(ctx, bytes.ptr + kept, bytes.len - kept);
}

static void put_to_buf(void *ctx, const char *bytes, size_t len)
{
    buf_add(ctx, bytes, len);
}

void log_add_escaped(struct buf *buf, struct slice bytes)
{
    if (bytes.len > 0) {
        escape(bytes, put_to_buf, buf);
    }
}

/* A line on the stack: logging must work when there is no memory. */
struct line {
    char bytes[LOG_LINE_BYTES_MAX];
    size_t len;
};

static void put_to_line(void *ctx, const char *bytes, size_t len)
{
    struct line *line = ctx;
    size_t room = sizeof line->bytes - 1 - line->len; /* one is kept for the newline */
    size_t used = len < room ? len : room;
    if (used > 0) {
        memcpy(line->bytes + line->len, bytes, used);
        line->len += used;
    }
}

void log_event(enum log_level level, const char *event, const char *id, const char *format, ...)
{
    if (level > lowest) {
        return;
    }
    int saved = errno;
    char rest[LOG_LINE_BYTES_MAX];
    va_list args;
    va_start(args, format);
    int written = vsnprintf(rest, sizeof rest, format, args);
    va_end(args);
    if (written < 0) {
        rest[0] = '\0';
    }
    struct line line = {.len = 0};
    const char *const words[] = {level_names[level], event, id == NULL ? "-" : id, rest};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (words[i][0] == '\0') {
            continue;
        }
        if (i > 0) {
            put_to_line(&line, " ", 1);
        }
        escape(slice_of(words[i]), put_to_line, &line);
    }
    line.bytes[line.len++] = '\n';
    /* Not by the swappable table: a test's planned fault must not hit the line that reports it. */
    ssize_t sent = write(log_fd, line.bytes, line.len);
    (void)sent;
    errno = saved;
}
