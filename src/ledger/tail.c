/*
 * tail - telling a torn append from damage
 */
#include "ledger/tail.h"

#include "base/digest.h"
#include "base/slice.h"
#include "ledger/entry.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    CHUNK_BYTES = 64 * 1024,
    HASH_HEX = SHA256_HEX_BYTES - 1,
    HASH_HEX_DAMAGED_MAX = 4, /* digits damaged in a line that still counts as a chain line */
    QUOTED_BYTES = LEDGER_COMMODITY_BYTES_MAX + 2,
    READ_INTERRUPTS_MAX = 1000 /* EINTR in a row: a signal storm is an error, not a hang */
};

struct tail {
    char line[LEDGER_LINE_BYTES_MAX];
    size_t len;     /* bytes of the line so far; more than fit are counted, not kept */
    bool has_blank; /* a blank line before any chain line: no append begins with that */
    bool has_chain;
    bool has_more; /* something follows the chain line */
    bool is_exact; /* the chain line is one to the letter */
};

enum rc ledger_read_at(int fd, const char *name, void *bytes, size_t len, uint64_t offset,
                       size_t *out_len, struct err *err)
{
    size_t done = 0;
    int interrupts = 0;
    while (done < len) {
        ssize_t got = pread(fd, (char *)bytes + done, len - done, (off_t)(offset + done));
        if (got > 0) {
            done += (size_t)got;
            interrupts = 0;
        } else if (got == 0) {
            break;
        } else if (errno != EINTR || ++interrupts > READ_INTERRUPTS_MAX) {
            unsigned long long at = offset;
            at += done;
            return err_set(err, RC_IO, "%s: cannot be read at byte %llu: %s", name, at,
                           strerror(errno));
        }
    }
    *out_len = done;
    return RC_OK;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static size_t count_hex(struct slice text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        count += is_hex(text.ptr[i]);
    }
    return count;
}

/* The one posting that could end in 60 hex digits: a commodity with such an id, in its quotes. */
static bool ends_in_quotes(struct slice line)
{
    size_t from = line.len > QUOTED_BYTES ? line.len - QUOTED_BYTES : 0;
    size_t count = 0;
    for (size_t i = from; i < line.len; i++) {
        count += line.ptr[i] == '"';
    }
    return count >= 2;
}

static bool is_like_chain(struct slice line)
{
    return line.len > HASH_HEX && !ends_in_quotes(line) &&
           count_hex((struct slice){line.ptr + line.len - HASH_HEX, HASH_HEX}) >=
               HASH_HEX - HASH_HEX_DAMAGED_MAX;
}

static bool is_exact_chain(struct slice line)
{
    static const char start[] = "    ; chain: ";
    size_t at = sizeof start - 1;
    if (line.len < at + 2 + HASH_HEX || memcmp(line.ptr, start, at) != 0) {
        return false;
    }
    size_t digits_end = line.len - HASH_HEX - 1;
    for (; at < digits_end; at++) {
        if (line.ptr[at] < '0' || line.ptr[at] > '9') {
            return false;
        }
    }
    return line.ptr[digits_end] == ' ' &&
           count_hex((struct slice){line.ptr + digits_end + 1, HASH_HEX}) == HASH_HEX;
}

static void tail_add(struct tail *tail, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && !tail->has_more; i++) {
        tail->has_more = tail->has_chain;
        if (bytes[i] != '\n') {
            if (tail->len < sizeof tail->line) {
                tail->line[tail->len] = bytes[i];
            }
            tail->len++;
            continue;
        }
        struct slice line = {tail->line, tail->len};
        tail->has_blank = tail->has_blank || tail->len == 0;
        if (tail->len <= sizeof tail->line && is_like_chain(line)) {
            tail->has_chain = true;
            tail->is_exact = is_exact_chain(line);
        }
        tail->len = 0;
    }
}

enum rc ledger_tail_is_torn(int fd, const char *name, uint64_t from, uint64_t limit, bool *out,
                            struct err *err)
{
    struct tail tail = {.len = 0};
    char chunk[CHUNK_BYTES];
    while (from < limit && !tail.has_more) {
        size_t want = limit - from < sizeof chunk ? (size_t)(limit - from) : sizeof chunk;
        size_t got = 0;
        enum rc rc = ledger_read_at(fd, name, chunk, want, from, &got, err);
        if (rc != RC_OK) {
            return rc;
        }
        if (got == 0) {
            break; /* it became shorter meanwhile */
        }
        tail_add(&tail, chunk, got);
        from += got;
    }
    *out = !tail.has_chain || (tail.is_exact && !tail.has_more && !tail.has_blank);
    return RC_OK;
}
