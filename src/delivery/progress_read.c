/*
 * progress_read - the groups of a progress file, checked and folded
 *
 * Every truncation is a torn tail, every other change is damage: a header has a fixed width, says
 * how long its group is and is hashed itself, so that a group that is all there is never taken for
 * one that is not. A power cut may also leave a tail that was never written: pages of zeros in the
 * last group are a torn tail too.
 */
#include "delivery/progress_inner.h"

#include "base/buf.h"
#include "base/digest.h"
#include "base/instant.h"
#include "sys/calls.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
    ZERO_RUN_BYTES = 16, /* no line of ours holds a NUL; one flipped bit makes one, never of '\n' */
    READ_BYTES = 2 * (PROGRESS_HEAD_BYTES + PROGRESS_GROUP_BYTES_MAX),
    INTERRUPTS_MAX = 1000
};

struct reading {
    int fd;
    struct buf buf; /* bytes from `at` on */
    size_t used;    /* of buf */
    bool is_end;    /* buf holds all that is left of the file */
    struct progress_table *table;
    const struct progress_ids *ids; /* NULL: nobody wants them */
    bool is_receipts;               /* `receipts`, read over what `progress` said */
    bool has_list;                  /* its first line was read */
    struct progress_end end;
    uint64_t line_at; /* in the file, of the line that is read */
    bool has_time;
};

/* --- lines --- */

static bool take_word(struct slice *text, const char *word)
{
    size_t len = strlen(word);
    if (text->len < len || memcmp(text->ptr, word, len) != 0) {
        return false;
    }
    text->ptr += len;
    text->len -= len;
    return true;
}

/* " 123", without leading zeros */
static bool take_number(struct slice *text, uint32_t *out)
{
    uint64_t value = 0;
    size_t at = 1;
    if (text->len < 2 || text->ptr[0] != ' ' ||
        (text->ptr[1] == '0' && text->len > 2 && text->ptr[2] >= '0' && text->ptr[2] <= '9')) {
        return false;
    }
    for (; at < text->len && text->ptr[at] >= '0' && text->ptr[at] <= '9'; at++) {
        value = value * 10 + (uint64_t)(text->ptr[at] - '0');
        if (value > UINT32_MAX) {
            return false;
        }
    }
    text->ptr += at;
    text->len -= at;
    *out = (uint32_t)value;
    return at > 1;
}

bool progress_read_id(struct slice line, struct progress_id *out)
{
    bool is_id = take_word(&line, progress_kinds[PROGRESS_ACT_ID].word) &&
                 take_number(&line, &out->number) && take_number(&line, &out->part) &&
                 line.len > 1 && line.ptr[0] == ' ';
    if (is_id) {
        out->id = (struct slice){line.ptr + 1, line.len - 1};
    }
    return is_id;
}

static const char *read_list(struct reading *r, struct slice line, struct err *err)
{
    uint32_t total = 0;
    if (!take_word(&line, "recipients") || !take_number(&line, &total) || line.len != 0 ||
        total < 1 || total > PROGRESS_RECIPIENTS_MAX) {
        return "no number of recipients at its beginning";
    }
    r->has_list = true;
    if (r->is_receipts) {
        return total == r->table->total ? NULL : "about another number of recipients";
    }
    return progress_table_open(r->table, total, err) == RC_OK ? NULL : "";
}

static const char *read_time(struct reading *r, struct slice line)
{
    int64_t at_ns = 0;
    line.ptr += 2;
    line.len -= 2;
    if (instant_parse(line, &at_ns) != RC_OK || at_ns / NS_PER_SECOND > (int64_t)UINT32_MAX) {
        return "no time";
    }
    r->end.at_s = (uint32_t)(at_ns / NS_PER_SECOND);
    r->has_time = true;
    return NULL;
}

/* Receipts may come twice, and `receipts` does not know what `progress` learns later: there the
 * first of them counts, and what does not fit is no damage. */
static const char *take_step(struct reading *r, const struct progress_step *step, struct slice rest)
{
    if (r->is_receipts) {
        bool is_known = step->number >= 1 && step->number <= r->table->total;
        if (!is_known || !progress_may_follow(r->table, step)) {
            return is_known ? NULL : "a recipient that is not in the list";
        }
    }
    const char *fault = progress_apply(r->table, step);
    if (fault == NULL && step->act == PROGRESS_ACT_ID && rest.len > 1 && r->ids != NULL) {
        const struct progress_id id = {step->number, step->first, {rest.ptr + 1, rest.len - 1}};
        r->ids->take(r->ids->ctx, &id, r->line_at);
    }
    return fault;
}

static const char *read_step(struct reading *r, struct slice line)
{
    struct progress_step step = {.at_s = r->end.at_s};
    for (int act = 0; act < PROGRESS_ACTS; act++) {
        const struct progress_kind *kind = &progress_kinds[act];
        struct slice rest = line;
        if (rest.ptr[0] != kind->word[0] || !take_word(&rest, kind->word) ||
            !take_number(&rest, &step.number)) {
            continue;
        }
        step.act = (enum progress_act)act;
        if (r->is_receipts && act != PROGRESS_ACT_DELIVERED && act != PROGRESS_ACT_UNDELIVERED) {
            return "no receipt";
        }
        bool is_good = kind->numbers < 1 || take_number(&rest, &step.first);
        is_good = is_good && (kind->numbers < 2 || take_number(&rest, &step.wait_s));
        is_good = is_good && (rest.len == 0 || rest.ptr[0] == ' ');
        is_good = is_good && (act == PROGRESS_ACT_TRY || step.first <= PROGRESS_CODE_MAX);
        return is_good ? take_step(r, &step, rest) : "numbers that are none";
    }
    return "a word that is not known";
}

/* NULL; what is wrong; "": err says it */
static const char *read_line(struct reading *r, struct slice line, struct err *err)
{
    if (!r->has_list) {
        return read_list(r, line, err);
    }
    if (line.len > 2 && line.ptr[0] == '@' && line.ptr[1] == ' ') {
        return read_time(r, line);
    }
    return line.len == 0 ? "an empty line" : !r->has_time ? "no time" : read_step(r, line);
}

static enum rc read_body(struct reading *r, struct slice body, uint32_t lines, struct err *err)
{
    uint32_t count = 0;
    r->has_time = false;
    for (size_t at = 0; at < body.len; count++) {
        const char *end = memchr(body.ptr + at, '\n', body.len - at);
        size_t len = end == NULL ? body.len - at : (size_t)(end - (body.ptr + at));
        r->line_at = r->end.whole_bytes + PROGRESS_HEAD_BYTES + at;
        const char *fault = end == NULL || len >= PROGRESS_LINE_BYTES
                                ? "a line that does not end"
                                : read_line(r, (struct slice){body.ptr + at, len}, err);
        if (fault != NULL && fault[0] == '\0') {
            return RC_NOMEM;
        }
        if (fault != NULL) {
            return err_set(err, RC_CORRUPT, "progress: byte %" PRIu64 ": %s; restore the file",
                           r->line_at, fault);
        }
        at += len + 1;
    }
    return count == lines ? RC_OK
                          : err_set(err, RC_CORRUPT,
                                    "progress: byte %" PRIu64 ": not as many lines as it says; "
                                    "restore the file",
                                    r->end.whole_bytes);
}

/* --- groups --- */

uint64_t progress_head(char out[PROGRESS_HEAD_BYTES + 1], struct slice body, uint32_t lines,
                       uint64_t chain)
{
    uint64_t hash = hash64(body.ptr, body.len, chain);
    (void)snprintf(out, PROGRESS_HEAD_BYTES + 1, "group %08zu %06" PRIu32 " %016" PRIx64 " ",
                   body.len, lines, hash);
    uint64_t head = hash64(out, PROGRESS_HEAD_HASHED, chain);
    (void)snprintf(out + PROGRESS_HEAD_HASHED, PROGRESS_HEAD_BYTES + 1 - PROGRESS_HEAD_HASHED,
                   "%016" PRIx64 "\n", head);
    return head;
}

static uint32_t digits(const char *text, size_t len)
{
    uint32_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value = value * 10 + (uint32_t)(unsigned char)(text[i] - '0');
    }
    return value;
}

/* bytes that were never written: a run of zeros, or zeros up to the end of the file */
static bool has_zeros(struct slice bytes)
{
    size_t run = bytes.ptr[bytes.len - 1] == '\0' ? ZERO_RUN_BYTES : 0;
    for (size_t i = 0; i < bytes.len && run < ZERO_RUN_BYTES; i++) {
        run = bytes.ptr[i] == '\0' ? run + 1 : 0;
    }
    return run >= ZERO_RUN_BYTES;
}

static enum rc fill(struct reading *r, struct err *err)
{
    size_t left = r->buf.len - r->used;
    if (r->is_end || left >= PROGRESS_HEAD_BYTES + PROGRESS_GROUP_BYTES_MAX) {
        return RC_OK;
    }
    if (r->used > 0) {
        memmove(r->buf.ptr, r->buf.ptr + r->used, left);
        r->buf.len = left;
        r->used = 0;
    }
    for (int interrupts = 0; r->buf.len < READ_BYTES && !r->is_end;) {
        ssize_t got = sys_calls.read(r->fd, r->buf.ptr + r->buf.len, READ_BYTES - r->buf.len);
        if (got < 0 && (errno != EINTR || ++interrupts > INTERRUPTS_MAX)) {
            return sys_err(err, errno, "progress: read");
        }
        r->buf.len += got > 0 ? (size_t)got : 0;
        r->is_end = got == 0;
    }
    return RC_OK;
}

static enum rc damaged(const struct reading *r, struct err *err)
{
    return err_set(err, RC_CORRUPT,
                   "progress: byte %" PRIu64
                   ": what was written here has changed; restore the file",
                   r->end.whole_bytes);
}

/* One group. RC_GONE: what is left is none, or a torn one. */
static enum rc read_group(struct reading *r, struct err *err)
{
    struct slice left = {r->buf.ptr + r->used, r->buf.len - r->used};
    char head[PROGRESS_HEAD_BYTES + 1];
    if (left.len < PROGRESS_HEAD_BYTES) {
        return RC_GONE;
    }
    /* The last group: nothing whole can stand behind it. */
    bool may_be_torn = r->is_end && left.len <= PROGRESS_HEAD_BYTES + PROGRESS_GROUP_BYTES_MAX;
    bool is_zero = may_be_torn && has_zeros(left);
    struct slice body = {left.ptr + PROGRESS_HEAD_BYTES, digits(left.ptr + 6, 8)};
    uint64_t chain = hash64(left.ptr, PROGRESS_HEAD_HASHED, r->end.chain);
    (void)snprintf(head, sizeof head, "%016" PRIx64 "\n", chain);
    if (memcmp(head, left.ptr + PROGRESS_HEAD_HASHED, PROGRESS_HEAD_BYTES - PROGRESS_HEAD_HASHED) !=
            0 ||
        memcmp(left.ptr, "group ", 6) != 0 || body.len > PROGRESS_GROUP_BYTES_MAX) {
        return is_zero ? RC_GONE : damaged(r, err);
    }
    if (body.len > left.len - PROGRESS_HEAD_BYTES) {
        return RC_GONE;
    }
    uint32_t lines = digits(left.ptr + 15, 6);
    if (progress_head(head, body, lines, r->end.chain) != chain ||
        memcmp(head, left.ptr, PROGRESS_HEAD_BYTES) != 0) {
        return is_zero ? RC_GONE : damaged(r, err);
    }
    enum rc rc = read_body(r, body, lines, err);
    r->end.chain = chain;
    r->end.whole_bytes += PROGRESS_HEAD_BYTES + body.len;
    r->used += PROGRESS_HEAD_BYTES + body.len;
    return rc;
}

static enum rc read_all(struct reading *r, struct progress_end *out, struct err *err)
{
    enum rc rc =
        buf_reserve(&r->buf, READ_BYTES) ? RC_OK : err_set(err, RC_NOMEM, "progress: no memory");
    while (rc == RC_OK) {
        rc = fill(r, err);
        rc = rc == RC_OK ? read_group(r, err) : rc;
    }
    r->end.torn_bytes = r->buf.len - r->used;
    buf_release(&r->buf);
    *out = r->end;
    return rc == RC_GONE ? RC_OK : rc;
}

enum rc progress_read(int fd, const struct progress_ids *ids, struct progress_table *table,
                      struct progress_end *out, struct err *err)
{
    struct reading r = {.fd = fd, .buf = BUF_EMPTY, .table = table, .ids = ids};
    return read_all(&r, out, err);
}

enum rc progress_read_receipts(int fd, struct progress_table *table, struct progress_end *out,
                               struct err *err)
{
    struct reading r = {.fd = fd, .buf = BUF_EMPTY, .table = table, .is_receipts = true};
    enum rc rc = read_all(&r, out, err);
    return rc == RC_OK ? RC_OK : err_add(err, rc, PROGRESS_RECEIPTS_FILE);
}

static enum rc load_progress(int dirfd, const struct progress_ids *ids, struct progress_table *out,
                             struct err *err)
{
    struct progress_end end;
    int fd = -1;
    *out = PROGRESS_TABLE_EMPTY;
    enum rc rc = fs_open_regular(dirfd, PROGRESS_FILE, &fd, err);
    rc = rc == RC_OK ? progress_read(fd, ids, out, &end, err) : rc;
    fs_drop(&fd);
    return rc == RC_OK && out->entries == NULL
               ? err_set(err, RC_GONE, "progress: nothing was begun")
               : rc;
}

static enum rc load_receipts(int dirfd, struct progress_table *table, struct err *err)
{
    struct progress_end end;
    int fd = -1;
    enum rc rc = fs_open_regular(dirfd, PROGRESS_RECEIPTS_FILE, &fd, err);
    if (rc == RC_GONE) {
        return RC_OK;
    }
    rc = rc == RC_OK ? progress_read_receipts(fd, table, &end, err) : rc;
    fs_drop(&fd);
    return rc;
}

enum rc progress_table_load(int dirfd, struct progress_table *out, struct err *err)
{
    enum rc rc = load_progress(dirfd, NULL, out, err);
    rc = rc == RC_OK ? load_receipts(dirfd, out, err) : rc;
    if (rc != RC_OK) {
        progress_table_release(out);
    }
    return rc;
}

enum rc progress_ids_read(int dirfd, const struct progress_ids *ids, struct err *err)
{
    struct progress_table table;
    enum rc rc = load_progress(dirfd, ids, &table, err);
    progress_table_release(&table);
    return rc;
}
