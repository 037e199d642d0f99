/*
 * buf - growable bytes with a sticky failure
 *
 * Appending never returns an error: when memory runs out (or BUF_BYTES_MAX is passed) the buffer
 * remembers it, drops what follows, and buf_ok() says so once at the end. The bytes are always
 * followed by a NUL that does not count, so that buf_text() can be printed.
 */
#ifndef POSTROOM_BASE_BUF_H
#define POSTROOM_BASE_BUF_H

#include "base/err.h"
#include "base/slice.h"

/* Nothing of ours is kept in memory beyond this: larger data goes to disk in runs. */
#define BUF_BYTES_MAX ((size_t)1 << 33)

struct buf {
    char *ptr; /* NULL while nothing was appended */
    size_t len;
    size_t cap;
    bool is_failed;
};

#define BUF_EMPTY ((struct buf){NULL, 0, 0, false})

/* buf_release - free the bytes; the buffer is empty and usable again. Accepts a fresh one. */
void buf_release(struct buf *buf);

/* buf_clear - forget the bytes and the failure, keep the memory */
void buf_clear(struct buf *buf);

/* buf_grow - buf_reserve where there is no room yet; the others are inline, as rows are made of
 * them */
bool buf_grow(struct buf *buf, size_t more);

/* buf_reserve - make room for `more` bytes behind len; false (and sticky failure) where it cannot
 */
static inline bool buf_reserve(struct buf *buf, size_t more)
{
    return (!buf->is_failed && buf->cap > buf->len && buf->cap - buf->len - 1 >= more) ||
           buf_grow(buf, more);
}

static inline void buf_add(struct buf *buf, const void *bytes, size_t len)
{
    if (!buf_reserve(buf, len)) {
        return;
    }
    if (len > 0) {
        memcpy(buf->ptr + buf->len, bytes, len);
    }
    buf->len += len;
    buf->ptr[buf->len] = '\0';
}

static inline void buf_add_slice(struct buf *buf, struct slice bytes)
{
    buf_add(buf, bytes.ptr, bytes.len);
}

static inline void buf_add_byte(struct buf *buf, char byte)
{
    if (buf_reserve(buf, 1)) {
        buf->ptr[buf->len++] = byte;
        buf->ptr[buf->len] = '\0';
    }
}

void buf_add_text(struct buf *buf, const char *text);
void buf_add_format(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* buf_add_json - a JSON string with its quotes; bytes that are no UTF-8 become U+FFFD */
void buf_add_json(struct buf *buf, struct slice text);

/* buf_take - hand the bytes (NUL-terminated) to the caller, who frees them; NULL after a failure.
 * The buffer is empty afterwards. */
char *buf_take(struct buf *buf);

/* buf_ok - RC_OK, or RC_NOMEM with a text when an append was lost */
enum rc buf_ok(const struct buf *buf, struct err *err) MUST_CHECK;

static inline const char *buf_text(const struct buf *buf)
{
    return buf->ptr == NULL ? "" : buf->ptr;
}

static inline struct slice buf_slice(const struct buf *buf)
{
    return (struct slice){buf->ptr, buf->len};
}

#endif
