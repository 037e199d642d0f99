/*
 * open - the writer's start: one pass over the whole journal, then the torn tail
 *
 * The cut: the tail is copied to NAME.torn-TIME and synced, only then the journal is cut back and
 * synced. A crash in between leaves a copy too many, never a byte too few.
 */
#include "ledger/scan.h"
#include "ledger/writer.h"
#include "sys/fs.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { JOURNAL_MODE = 0640 };

static_assert(LEDGER_NAME_BYTES_MAX + LEDGER_TIME_BYTES_MAX + 16 <
                  sizeof((struct ledger_recovery *)0)->kept_as,
              "NAME.torn-TIME.N fits");

/* Stock lines are few and asked for at each approval: their levels are kept while reading. */
static enum rc count_stock(struct ledger *ledger, struct slice text, struct err *err)
{
    static const char start[] = "    stock:";
    const char *end = text.ptr + text.len;
    const char *at = text.ptr;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        struct slice line = {at, (size_t)((newline == NULL ? end : newline) - at)};
        struct ledger_line posting;
        if (line.len > sizeof start && memcmp(at, start, sizeof start - 1) == 0 &&
            ledger_line_parse(line, &posting) == RC_OK) {
            struct tally_row *row = tally_row(&ledger->stock, posting.account);
            if (row == NULL) {
                return err_set(err, RC_NOMEM, "%s: no memory for stock levels", ledger->name);
            }
            tally_add(&row->sums[0], posting.amount);
        }
        at = line.ptr + line.len + 1;
    }
    return RC_OK;
}

static enum rc take(struct ledger *ledger, const struct ledger_scan *scan,
                    const struct ledger_view *view, struct err *err)
{
    enum rc rc = ledger_index_reserve(&ledger->index, 1, err);
    if (rc != RC_OK) {
        return rc;
    }
    bool stands = false;
    uint64_t hash = ledger_index_hash(&ledger->index, view->key);
    rc = ledger_key_stands(ledger, view->key, hash, &stands, NULL, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (stands) {
        return err_set(err, RC_CORRUPT,
                       "%s:%llu: entry %llu has the key %.*s, which stands before it already, "
                       "though its chain holds; restore the file from a copy, or set it aside",
                       ledger->name, (unsigned long long)view->line,
                       (unsigned long long)view->number, (int)view->key.len, view->key.ptr);
    }
    ledger_index_put(&ledger->index, hash, view->offset);
    return count_stock(ledger, scan->text, err);
}

/* Read everything; RC_OK whole, RC_STATE whole up to a torn tail. *limit: bytes of the file. */
static enum rc read_all(struct ledger *ledger, uint64_t *limit, struct err *err)
{
    struct ledger_scan scan = LEDGER_SCAN_EMPTY;
    struct ledger_view view;
    enum rc rc = ledger_scan_open(&scan, ledger->fd, ledger->name, err);
    while (rc == RC_OK) {
        rc = ledger_scan_next(&scan, &view, err);
        if (rc == RC_OK) {
            rc = take(ledger, &scan, &view, err);
        }
    }
    if (rc == RC_GONE || rc == RC_STATE) {
        rc = rc == RC_GONE ? RC_OK : RC_STATE;
        ledger->end = ledger_scan_offset(&scan);
        *limit = scan.limit;
        ledger->head.number = scan.number;
        memcpy(ledger->head.hash, scan.hash, sizeof ledger->head.hash);
        memcpy(ledger->head.date, scan.date, sizeof ledger->head.date);
    }
    ledger_scan_release(&scan);
    return rc;
}

static enum rc create_aside(int dirfd, const char *name, const char *time_text, int *out_fd,
                            struct ledger_recovery *recovery, struct err *err)
{
    for (int n = 1; n <= LEDGER_TORN_MAX; n++) {
        char more[16] = "";
        if (n > 1) {
            (void)snprintf(more, sizeof more, ".%d", n);
        }
        (void)snprintf(recovery->kept_as, sizeof recovery->kept_as, "%s.torn-%s%s", name, time_text,
                       more);
        enum rc rc = fs_create(dirfd, recovery->kept_as, JOURNAL_MODE, out_fd, err);
        if (rc != RC_EXISTS) {
            return rc;
        }
    }
    return err_set(err, RC_EXISTS, "%s: %d files %s.torn-%s lie there; move them away", name,
                   LEDGER_TORN_MAX, name, time_text);
}

/* Copy the tail aside, durably. RC_OK it is on disk; on failure the copy is removed. */
static enum rc keep_aside(struct ledger *ledger, int dirfd, const char *time_text,
                          struct ledger_recovery *recovery, struct err *err)
{
    int fd = -1;
    enum rc rc = create_aside(dirfd, ledger->name, time_text, &fd, recovery, err);
    if (rc != RC_OK) {
        recovery->kept_as[0] = '\0';
        return rc;
    }
    if (lseek(ledger->fd, (off_t)ledger->end, SEEK_SET) < 0) {
        rc = err_set(err, RC_IO, "the torn tail cannot be read");
    }
    uint64_t copied = 0;
    if (rc == RC_OK) {
        rc = fs_copy_fd(ledger->fd, fd, recovery->bytes, NULL, &copied, err);
    }
    if (rc == RC_OK && copied != recovery->bytes) {
        rc = err_set(err, RC_IO, "the torn tail changed while it was copied");
    }
    if (rc == RC_OK) {
        rc = fs_sync_file(fd, err);
    }
    if (rc == RC_OK) {
        rc = fs_close(&fd, err);
    }
    if (rc == RC_OK) {
        rc = fs_sync_dir(dirfd, err);
    }
    if (rc != RC_OK) {
        fs_drop(&fd);
        if (rc != RC_IO) {
            enum rc removed = fs_remove(dirfd, recovery->kept_as, NULL);
            (void)removed; /* a copy too many harms nobody */
        }
        recovery->kept_as[0] = '\0';
    }
    return rc;
}

static enum rc cut_tail(struct ledger *ledger, int dirfd, const char *time_text, uint64_t limit,
                        struct ledger_recovery *recovery, struct err *err)
{
    recovery->bytes = limit - ledger->end;
    recovery->entries = ledger->head.number;
    enum rc rc = keep_aside(ledger, dirfd, time_text, recovery, err);
    if (rc == RC_OK) {
        rc = fs_truncate(ledger->fd, ledger->end, err);
    }
    if (rc == RC_OK) {
        rc = fs_sync_file(ledger->fd, err);
    }
    if (rc != RC_OK) {
        return err_add(err, rc, "%s: its torn tail cannot be cut off", ledger->name);
    }
    recovery->is_cut = true;
    return RC_OK;
}

static bool is_time_text(const char *text)
{
    struct slice all = slice_of(text);
    for (size_t i = 0; i < all.len; i++) {
        char c = text[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-')) {
            return false;
        }
    }
    return all.len > 0 && all.len <= LEDGER_TIME_BYTES_MAX;
}

/* Nobody who picks ids knows where this process's memory lies: they cannot aim at one slot. */
static uint64_t seed_of(const void *here)
{
    return (uint64_t)(uintptr_t)here * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)time(NULL);
}

static struct ledger *make(const char *name)
{
    struct ledger *ledger = calloc(1, sizeof *ledger);
    if (ledger == NULL) {
        return NULL;
    }
    ledger->fd = -1;
    (void)snprintf(ledger->name, sizeof ledger->name, "%s", name);
    memcpy(ledger->head.hash, LEDGER_HASH_NONE, sizeof ledger->head.hash);
    ledger->index = LEDGER_INDEX_EMPTY(seed_of(ledger));
    ledger->stock = TALLY_EMPTY;
    ledger->text = BUF_EMPTY;
    ledger->sha = sha256_open();
    if (ledger->sha == NULL) {
        ledger_close(ledger);
        return NULL;
    }
    return ledger;
}

enum rc ledger_open(int dirfd, const char *name, const char *time_text, struct ledger **out,
                    struct ledger_recovery *recovery, struct err *err)
{
    assert(is_time_text(time_text) && strlen(name) <= LEDGER_NAME_BYTES_MAX);
    struct ledger_recovery cut = {.is_cut = false};
    uint64_t limit = 0;
    *out = NULL;
    struct ledger *ledger = make(name);
    if (ledger == NULL) {
        return err_set(err, RC_NOMEM, "%s: no memory to open it", name);
    }
    enum rc rc = fs_open_append(dirfd, name, JOURNAL_MODE, &ledger->fd, err);
    if (rc == RC_OK) {
        rc = fs_sync_dir(dirfd, err); /* the name, where it is new */
    }
    if (rc == RC_OK) {
        rc = read_all(ledger, &limit, err);
    }
    if (rc == RC_STATE) {
        rc = cut_tail(ledger, dirfd, time_text, limit, &cut, err);
    }
    if (rc != RC_OK) {
        ledger_close(ledger);
        return rc;
    }
    if (recovery != NULL) {
        *recovery = cut;
    }
    *out = ledger;
    return RC_OK;
}
