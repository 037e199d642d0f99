/*
 * progress - the writer of a delivery's progress
 */
#include "delivery/progress_inner.h"

#include "base/buf.h"
#include "base/instant.h"
#include "delivery/reply.h"
#include "sys/fs.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct progress_log {
    int fd;
    struct progress_table table;
    uint64_t chain; /* HEAD of the last group that was sealed */
    struct buf body;
    uint32_t lines;
    size_t waiting;          /* records in the body */
    int64_t at_s;            /* of its last time line */
    uint64_t body_at;        /* where its group begins in the file */
    struct progress_ids ids; /* take NULL: nobody wants them */

    struct buf sealed; /* header and body, to be written; a length of 0: none */
    size_t sealed_waiting;
    const char *sealed_text; /* its bytes until another is sealed, also once they are written */
    size_t sealed_bytes;
    atomic_bool is_broken; /* a sync failed: nothing may be written any more */
    bool is_receipts;
};

/* The header is filled in when the group is sealed. */
static void keep_head(struct buf *body)
{
    static const char no_head[PROGRESS_HEAD_BYTES];
    buf_clear(body);
    buf_add(body, no_head, sizeof no_head);
}

/* --- lines --- */

static void add_time(struct progress_log *log, int64_t at_s)
{
    char text[INSTANT_TEXT_BYTES];
    buf_add_format(&log->body, "@ %s\n", instant_format_seconds(at_s * NS_PER_SECOND, text));
    log->lines++;
    log->at_s = at_s;
}

/* "1 m-7 2 m-8": a line each */
static void add_ids(struct progress_log *log, uint32_t number, struct slice ids)
{
    for (size_t at = 0; at < ids.len; at++) {
        size_t from = at;
        for (int blanks = 0; at < ids.len; at++) {
            blanks += ids.ptr[at] == ' ';
            if (blanks == 2) {
                break;
            }
        }
        size_t line = log->body.len;
        buf_add_format(&log->body, "id %" PRIu32 " ", number);
        buf_add(&log->body, ids.ptr + from, at - from);
        buf_add_byte(&log->body, '\n');
        log->lines++;
        struct progress_id id;
        if (log->ids.take != NULL && buf_ok(&log->body, NULL) == RC_OK &&
            progress_read_id((struct slice){log->body.ptr + line, log->body.len - line - 1}, &id)) {
            log->ids.take(log->ids.ctx, &id, log->body_at + line);
        }
    }
}

static void add_line(struct progress_log *log, const struct progress_step *step, struct slice text)
{
    const struct progress_kind *kind = &progress_kinds[step->act];
    buf_add_format(&log->body, "%s %" PRIu32, kind->word, step->number);
    if (kind->numbers > 0) {
        buf_add_format(&log->body, " %" PRIu32, step->first);
    }
    if (kind->numbers > 1) {
        buf_add_format(&log->body, " %" PRIu32, step->wait_s);
    }
    if (step->act != PROGRESS_ACT_TRY) {
        reply_blot(&log->body, text, PROGRESS_TEXT_BYTES_MAX);
    }
    buf_add_byte(&log->body, '\n');
    log->lines++;
}

/* --- adding --- */

static uint32_t seconds_of(int64_t ns)
{
    int64_t s = ns < 0 ? 0 : ns / NS_PER_SECOND;
    return s > (int64_t)UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

static struct progress_step step_of(const struct progress_log *log,
                                    const struct progress_record *record)
{
    struct progress_step step = {.act = record->act,
                                 .number = record->number,
                                 .at_s = seconds_of(record->at_ns),
                                 .first = record->code};
    if (step.first > PROGRESS_CODE_MAX) {
        step.first = PROGRESS_CODE_MAX;
    }
    if (record->act == PROGRESS_ACT_TRY && record->number <= log->table.total) {
        uint32_t tries = log->table.entries[record->number - 1].tries;
        step.first = tries < PROGRESS_TRIES_MAX ? tries + 1 : PROGRESS_TRIES_MAX;
    }
    if (progress_kinds[record->act].numbers > 1 && record->next_ns > record->at_ns) {
        step.wait_s = seconds_of(record->next_ns) - step.at_s;
    }
    return step;
}

static bool is_full(const struct progress_log *log, const struct progress_record *record)
{
    size_t bytes = 2 * (size_t)PROGRESS_LINE_BYTES +
                   (record->ids.len > 0 ? (size_t)PROGRESS_IDS_BYTES_MAX : 0);
    return log->body.len + bytes > PROGRESS_GROUP_BYTES_MAX ||
           log->lines + 2 + PROGRESS_PARTS_MAX > PROGRESS_GROUP_LINES_MAX;
}

enum rc progress_log_add(struct progress_log *log, const struct progress_record *record,
                         struct err *err)
{
    assert(record->act < PROGRESS_ACTS);
    if (atomic_load_explicit(&log->is_broken, memory_order_relaxed)) {
        return err_set(err, RC_IO, "progress: a commit failed before; start again");
    }
    if (record->number < 1 || record->number > log->table.total) {
        return err_set(err, RC_RANGE, "progress: there is no recipient %" PRIu32, record->number);
    }
    assert(record->act != PROGRESS_ACT_ID && record->ids.len <= PROGRESS_IDS_BYTES_MAX);
    assert(!log->is_receipts || record->act == PROGRESS_ACT_DELIVERED ||
           record->act == PROGRESS_ACT_UNDELIVERED);
    if (is_full(log, record)) {
        return err_set(err, RC_RANGE, "progress: the group is full; commit it");
    }
    const struct progress_entry *entry = &log->table.entries[record->number - 1];
    struct progress_step step = step_of(log, record);
    if (!progress_may_follow(&log->table, &step)) {
        return err_set(err, RC_STATE, "progress: recipient %" PRIu32 " is %s: not to be %s",
                       record->number, progress_state_name((enum progress_state)entry->state),
                       progress_kinds[record->act].word);
    }
    if ((int64_t)step.at_s != log->at_s || log->lines == 0) {
        add_time(log, (int64_t)step.at_s);
    }
    add_line(log, &step, record->text);
    if (record->act == PROGRESS_ACT_SENT) {
        add_ids(log, step.number, record->ids);
    }
    const char *fault = progress_apply(&log->table, &step);
    assert(fault == NULL); /* looked at above */
    (void)fault;
    log->waiting++;
    return buf_ok(&log->body, err);
}

enum rc progress_log_seal(struct progress_log *log, struct err *err)
{
    char head[PROGRESS_HEAD_BYTES + 1];
    struct buf free_buf = log->sealed;
    enum rc rc = buf_ok(&log->body, err);
    assert(log->sealed.len == 0);
    if (rc != RC_OK || log->lines == 0) {
        return rc;
    }
    /* The header's place is kept in front of the body: one write. */
    struct slice body = {log->body.ptr + PROGRESS_HEAD_BYTES, log->body.len - PROGRESS_HEAD_BYTES};
    log->chain = progress_head(head, body, log->lines, log->chain);
    memcpy(log->body.ptr, head, PROGRESS_HEAD_BYTES);
    log->sealed = log->body;
    log->sealed_waiting = log->waiting;
    log->sealed_text = log->sealed.ptr;
    log->sealed_bytes = log->sealed.len;
    log->body_at += log->sealed.len;
    log->body = free_buf;
    keep_head(&log->body);
    log->lines = 0;
    log->waiting = 0;
    return RC_OK;
}

enum rc progress_log_write(struct progress_log *log, struct err *err)
{
    if (atomic_load(&log->is_broken)) {
        return err_set(err, RC_IO, "progress: a commit failed before; start again");
    }
    if (log->sealed.len == 0) {
        return RC_OK;
    }
    enum rc rc = fs_append_durable(log->fd, log->sealed.ptr, log->sealed.len, err);
    if (rc == RC_OK) {
        buf_clear(&log->sealed);
        log->sealed_waiting = 0;
        return RC_OK;
    }
    if (rc == RC_IO) {
        atomic_store(&log->is_broken, true);
    }
    return err_add(err, rc, "progress");
}

enum rc progress_log_commit(struct progress_log *log, struct err *err)
{
    enum rc rc = progress_log_write(log, err);
    rc = rc == RC_OK ? progress_log_seal(log, err) : rc;
    return rc == RC_OK ? progress_log_write(log, err) : rc;
}

bool progress_log_id(const struct progress_log *log, uint64_t at, char store[PROGRESS_LINE_BYTES],
                     struct progress_id *out)
{
    uint64_t sealed_at = log->body_at - log->sealed_bytes;
    size_t len = 0;
    if (at >= log->body_at) {
        size_t from = (size_t)(at - log->body_at);
        len = from < log->body.len ? log->body.len - from : 0;
        len = len < PROGRESS_LINE_BYTES ? len : PROGRESS_LINE_BYTES;
        memcpy(store, len > 0 ? log->body.ptr + from : "", len);
    } else if (at >= sealed_at) { /* perhaps another thread is writing it; its bytes stay */
        size_t from = (size_t)(at - sealed_at);
        len = log->sealed_bytes - from;
        len = len < PROGRESS_LINE_BYTES ? len : PROGRESS_LINE_BYTES;
        memcpy(store, log->sealed_text + from, len);
    } else {
        ssize_t got = pread(log->fd, store, PROGRESS_LINE_BYTES, (off_t)at);
        len = got > 0 ? (size_t)got : 0;
    }
    const char *end = memchr(store, '\n', len);
    return end != NULL && progress_read_id((struct slice){store, (size_t)(end - store)}, out);
}

size_t progress_log_waiting(const struct progress_log *log)
{
    return log->waiting + log->sealed_waiting;
}

const struct progress_table *progress_log_table(const struct progress_log *log)
{
    return &log->table;
}

/* --- opening --- */

static enum rc begin(struct progress_log *log, int dirfd, uint32_t total, struct err *err)
{
    enum rc rc = progress_table_open(&log->table, total, err);
    if (rc == RC_OK) {
        buf_add_format(&log->body, "recipients %" PRIu32 "\n", total);
        log->lines++;
        rc = progress_log_commit(log, err);
    }
    /* The name too. */
    return rc == RC_OK ? fs_sync_dir(dirfd, err) : rc;
}

static enum rc go_on(struct progress_log *log, uint32_t total, const struct progress_end *end,
                     struct err *err)
{
    if (log->table.total != total) {
        return err_set(err, RC_CORRUPT,
                       "progress: is about %" PRIu32 " recipients, the list has %" PRIu32
                       "; restore the one that was changed",
                       log->table.total, total);
    }
    log->chain = end->chain;
    log->at_s = (int64_t)end->at_s;
    log->body_at = end->whole_bytes;
    return RC_OK;
}

/* What a crash left without a result. */
static enum rc settle_intended(struct progress_log *log, int64_t now_ns, struct err *err)
{
    enum rc rc = RC_OK;
    for (uint32_t n = 1; rc == RC_OK && log->table.counts[PROGRESS_INTENDED] > 0; n++) {
        if (log->table.entries[n - 1].state != PROGRESS_INTENDED) {
            continue;
        }
        const struct progress_record record = {.act = PROGRESS_ACT_UNCERTAIN,
                                               .number = n,
                                               .at_ns = now_ns,
                                               .text = SLICE_LITERAL("no result before a restart")};
        rc = progress_log_add(log, &record, err);
        if (rc == RC_RANGE) {
            rc = progress_log_commit(log, err);
            n--; /* that one again */
        }
    }
    return rc == RC_OK ? progress_log_commit(log, err) : rc;
}

/* The file as a crash left it: read, its torn tail cut off. */
static enum rc recover(struct progress_log *log, const struct progress_ids *ids,
                       struct progress_end *end, struct err *err)
{
    enum rc rc = log->is_receipts ? progress_read_receipts(log->fd, &log->table, end, err)
                                  : progress_read(log->fd, ids, &log->table, end, err);
    if (rc == RC_OK && end->torn_bytes > 0) {
        rc = fs_truncate(log->fd, end->whole_bytes, err);
    }
    return rc;
}

static struct progress_log *log_new(void)
{
    struct progress_log *log = calloc(1, sizeof *log);
    if (log != NULL) {
        log->fd = -1;
        log->at_s = -1;
        keep_head(&log->body);
    }
    return log;
}

enum rc progress_receipts_open(int dirfd, struct progress_log **out, struct err *err)
{
    struct progress_end end = {0};
    int fd = -1;
    struct progress_log *log = log_new();
    if (log == NULL) {
        return err_set(err, RC_NOMEM, "receipts: no memory");
    }
    log->is_receipts = true;
    enum rc rc = fs_open_regular(dirfd, PROGRESS_FILE, &fd, err);
    rc = rc == RC_OK ? progress_read(fd, NULL, &log->table, &end, err) : rc;
    if (rc == RC_OK && log->table.entries == NULL) {
        rc = err_set(err, RC_GONE, "progress: nothing was begun");
    }
    fs_drop(&fd);
    end = (struct progress_end){0};
    rc = rc == RC_OK ? fs_open_append(dirfd, PROGRESS_RECEIPTS_FILE, PROGRESS_MODE, &log->fd, err)
                     : rc;
    rc = rc == RC_OK ? recover(log, NULL, &end, err) : rc;
    if (rc == RC_OK && end.whole_bytes == 0) {
        buf_add_format(&log->body, "recipients %" PRIu32 "\n", log->table.total);
        log->lines++;
        rc = fs_sync_dir(dirfd, err);
    }
    if (rc != RC_OK) {
        progress_log_free(log);
        return rc;
    }
    log->chain = end.chain;
    log->at_s = (int64_t)end.at_s;
    *out = log;
    return RC_OK;
}

enum rc progress_log_open(int dirfd, uint32_t total, int64_t now_ns, const struct progress_ids *ids,
                          struct progress_log **out, struct err *err)
{
    assert(total >= 1 && total <= PROGRESS_RECIPIENTS_MAX);
    struct progress_end end = {0};
    struct progress_log *log = log_new();
    if (log == NULL) {
        return err_set(err, RC_NOMEM, "progress: no memory");
    }
    enum rc rc = fs_open_append(dirfd, PROGRESS_FILE, PROGRESS_MODE, &log->fd, err);
    log->ids = ids == NULL ? (struct progress_ids){NULL, NULL} : *ids;
    rc = rc == RC_OK ? recover(log, ids, &end, err) : rc;
    if (rc == RC_OK) {
        rc = log->table.entries == NULL ? begin(log, dirfd, total, err)
                                        : go_on(log, total, &end, err);
    }
    rc = rc == RC_OK ? settle_intended(log, now_ns, err) : rc;
    if (rc != RC_OK) {
        progress_log_free(log);
        return rc;
    }
    *out = log;
    return RC_OK;
}

void progress_log_free(struct progress_log *log)
{
    if (log != NULL) {
        fs_drop(&log->fd);
        progress_table_release(&log->table);
        buf_release(&log->body);
        buf_release(&log->sealed);
        free(log);
    }
}
