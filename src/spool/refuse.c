/*
 * refuse - the reason first, then the drop: a crash between the two leaves a reason without its
 * drop, which the same refusal finds again by its text
 */
#include "spool/refuse.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "sys/calls.h"
#include "sys/fs.h"
#include "sys/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    BASE_BYTES_MAX =
        200, /* of NAME: leaves room for .100000.reason and for the temporary name's .tmp */
    REASON_MODE = 0640
};
static const char reason_suffix[] = ".reason";

/* NAME as it may stand in refused/: no control characters, no bytes that are no UTF-8, not hidden,
 * no option */
static void safe_name(const char *name, char out[REFUSE_NAME_BYTES])
{
    struct slice text = slice_of(name);
    size_t len = 0;
    for (size_t at = 0; at < text.len;) {
        size_t start = at;
        int32_t c = utf8_next(text, &at);
        size_t width = at - start;
        if (len + width > BASE_BYTES_MAX) {
            break;
        }
        if (c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == '/' || c == '\\') {
            memset(out + len, '_', width);
        } else {
            memcpy(out + len, text.ptr + start, width);
        }
        len += width;
    }
    if (len == 0 || out[0] == '.' || out[0] == '-') {
        out[0] = '_';
        len = len == 0 ? 1 : len;
    }
    out[len] = '\0';
}

/* RC_OK: there is something of that name; RC_GONE; RC_TEMP */
static enum rc look(int dirfd, const char *name, struct err *err)
{
    struct stat status;
    if (fstatat(dirfd, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        return RC_OK;
    }
    return sys_err(err, errno, "look for %s", name);
}

/* The reason of that name has exactly this text and no drop beside it: ours, from before a crash
 * (or of a drop that stayed). */
static bool is_same_reason(int dirfd, const char *reason_name, const struct buf *text)
{
    struct buf found = BUF_EMPTY;
    bool is_same =
        fs_read_small(dirfd, reason_name, REFUSE_REASON_BYTES_MAX + 1, &found, NULL) == RC_OK &&
        slice_equal(buf_slice(&found), buf_slice(text));
    buf_release(&found);
    return is_same;
}

/* Finds NAME, NAME.2, ... that is free, or holds the same reason without a drop. */
static enum rc find_name(int refused, const char *base, const struct buf *text, struct refusal *out,
                         bool *out_is_written, struct err *err)
{
    for (int number = 1; number <= REFUSE_NUMBER_MAX; number++) {
        char reason_name[REFUSE_NAME_BYTES + sizeof reason_suffix];
        if (number == 1) {
            (void)snprintf(out->name, sizeof out->name, "%s", base);
        } else {
            (void)snprintf(out->name, sizeof out->name, "%.*s.%d", (int)BASE_BYTES_MAX, base,
                           number);
        }
        (void)snprintf(reason_name, sizeof reason_name, "%s%s", out->name, reason_suffix);
        enum rc drop = look(refused, out->name, err);
        enum rc reason = look(refused, reason_name, err);
        if (drop == RC_GONE && reason == RC_GONE) {
            *out_is_written = false;
            return RC_OK;
        }
        if (drop != RC_GONE && drop != RC_OK) {
            return drop;
        }
        if (reason != RC_GONE && reason != RC_OK) {
            return reason;
        }
        if (drop == RC_GONE && is_same_reason(refused, reason_name, text)) {
            *out_is_written = true;
            return RC_OK;
        }
    }
    return err_set(err, RC_RANGE, "more than %d refusals of one name; clear them out of refused/",
                   (int)REFUSE_NUMBER_MAX);
}

static enum rc reason_text(const char *reason, struct buf *text, struct err *err)
{
    /* Line ends stay, everything else that could fool a terminal does not. */
    for (struct slice rest = slice_of(reason); rest.len > 0;) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end == NULL ? rest.len : (size_t)(end - rest.ptr);
        log_add_escaped(text, (struct slice){rest.ptr, len});
        buf_add_byte(text, '\n');
        size_t used = end == NULL ? len : len + 1;
        rest = (struct slice){rest.ptr + used, rest.len - used};
    }
    if (text->len > REFUSE_REASON_BYTES_MAX) {
        text->len = REFUSE_REASON_BYTES_MAX - 1;
        buf_add_byte(text, '\n');
    }
    return buf_ok(text, err);
}

static enum rc write_reason(const struct spool *spool, const char *name, const char *reason,
                            struct refusal *out, struct err *err)
{
    int refused = spool_dir(spool, SPOOL_REFUSED);
    char base[REFUSE_NAME_BYTES];
    struct buf text = BUF_EMPTY;
    bool is_written = false;
    safe_name(name, base);
    enum rc rc = reason_text(reason, &text, err);
    if (rc == RC_OK) {
        rc = find_name(refused, base, &text, out, &is_written, err);
    }
    if (rc == RC_OK && !is_written) {
        char reason_name[REFUSE_NAME_BYTES + sizeof reason_suffix];
        (void)snprintf(reason_name, sizeof reason_name, "%s%s", out->name, reason_suffix);
        rc = fs_put_volatile(refused, reason_name, REASON_MODE, text.ptr, text.len, err);
    }
    buf_release(&text);
    return rc;
}

enum rc spool_refuse_reason(const struct spool *spool, const char *name, const char *reason,
                            struct refusal *out, struct err *err)
{
    struct refusal refusal = {.has_stayed = true};
    enum rc rc = write_reason(spool, name, reason, &refusal, err);
    if (rc != RC_OK) {
        return err_add(err, rc, "refuse a drop");
    }
    *out = refusal;
    return RC_OK;
}

enum rc spool_refuse(const struct spool *spool, int door, const char *name, const char *reason,
                     struct refusal *out, struct err *err)
{
    struct refusal refusal = {.has_stayed = false};
    enum rc rc = look(door, name, err);
    if (rc == RC_OK) {
        rc = write_reason(spool, name, reason, &refusal, err);
    }
    if (rc == RC_OK) {
        rc = fs_move_noreplace(door, name, spool_dir(spool, SPOOL_REFUSED), refusal.name, err);
        if (rc == RC_PERM) {
            /* Another user's directory, and we may not rewrite its "..": it stays, its reason is
             * there. */
            refusal.has_stayed = true;
            rc = RC_OK;
        }
    }
    if (rc != RC_OK) {
        return err_add(err, rc, "refuse a drop");
    }
    *out = refusal;
    return RC_OK;
}
