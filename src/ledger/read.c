/*
 * read - walking a journal for readers, and verifying it
 */
#include "ledger/read.h"

#include "ledger/index.h"
#include "ledger/scan.h"
#include "ledger/tail.h"

#include <stdlib.h>

static void fill_extent(const struct ledger_scan *scan, struct ledger_extent *out)
{
    *out = (struct ledger_extent){.number = scan->number,
                                  .bytes = ledger_scan_offset(scan),
                                  .torn_bytes = scan->limit - ledger_scan_offset(scan)};
    memcpy(out->hash, scan->hash, sizeof out->hash);
    memcpy(out->date, scan->date, sizeof out->date);
}

enum rc ledger_read(int fd, const char *name,
                    enum rc (*fn)(void *ctx, const struct ledger_view *view, struct err *err),
                    void *ctx, struct ledger_extent *out, struct err *err)
{
    struct ledger_scan scan = LEDGER_SCAN_EMPTY;
    struct ledger_view view;
    struct err torn = {""}; /* a torn tail is no fault here */
    bool is_end = false;
    enum rc rc = ledger_scan_open(&scan, fd, name, err);
    while (rc == RC_OK && !is_end) {
        rc = ledger_scan_next(&scan, &view, &torn);
        is_end = rc == RC_GONE || rc == RC_STATE;
        if (is_end) {
            rc = RC_OK;
        } else if (rc != RC_OK) {
            (void)err_set(err, rc, "%s", torn.text);
        } else if (fn != NULL) {
            rc = ledger_scan_lines(&scan, &view, err);
            rc = rc == RC_OK ? fn(ctx, &view, err) : rc;
        }
    }
    if (out != NULL) {
        fill_extent(&scan, out);
    }
    ledger_scan_release(&scan);
    return rc;
}

/* What verify keeps while it walks. */
struct check {
    int fd;
    const char *name;
    struct ledger_index index;
    struct ledger_witness *witnesses; /* ascending by number */
    size_t count;
    size_t met; /* witnesses met so far */
};

static enum rc check_key(struct check *check, const struct ledger_view *view, struct err *err)
{
    enum rc rc = ledger_index_reserve(&check->index, 1, err);
    uint64_t hash = ledger_index_hash(&check->index, view->key);
    uint64_t offset = 0;
    size_t cursor = 0;
    while (rc == RC_OK && ledger_index_next(&check->index, hash, &cursor, &offset)) {
        char header[LEDGER_LINE_BYTES_MAX];
        struct ledger_view other = {.number = 0};
        size_t len = 0;
        rc = ledger_read_at(check->fd, check->name, header, sizeof header, offset, &len, err);
        const char *end = rc == RC_OK ? memchr(header, '\n', len) : NULL;
        if (end != NULL &&
            ledger_header_parse((struct slice){header, (size_t)(end - header)}, &other) == RC_OK &&
            slice_equal(other.key, view->key)) {
            return err_set(err, RC_CORRUPT,
                           "%s:%llu: entry %llu has the key %.*s, which stands before it already",
                           check->name, (unsigned long long)view->line,
                           (unsigned long long)view->number, (int)view->key.len, view->key.ptr);
        }
    }
    if (rc == RC_OK) {
        ledger_index_put(&check->index, hash, view->offset);
    }
    return rc;
}

static enum rc check_witnesses(struct check *check, uint64_t number, uint64_t line,
                               const char *hash, struct err *err)
{
    for (; check->met < check->count && check->witnesses[check->met].number <= number;
         check->met++) {
        const struct ledger_witness *witness = &check->witnesses[check->met];
        if (memcmp(witness->hash, hash, SHA256_HEX_BYTES - 1) != 0) {
            return err_set(err, RC_CORRUPT,
                           "%s:%llu: entry %llu is not the one that %s has seen (%.12s..., here "
                           "%.12s...): history was written anew; restore the file from a copy",
                           check->name, (unsigned long long)line, (unsigned long long)number,
                           witness->from, witness->hash, hash);
        }
    }
    return RC_OK;
}

static enum rc check_entry(void *ctx, const struct ledger_view *view, struct err *err)
{
    struct check *check = ctx;
    enum rc rc = check_key(check, view, err);
    if (rc == RC_OK && !ledger_view_is_balanced(view)) {
        rc = err_set(err, RC_CORRUPT,
                     "%s:%llu: entry %llu does not sum to zero, though its chain "
                     "holds",
                     check->name, (unsigned long long)view->line, (unsigned long long)view->number);
    }
    return rc == RC_OK ? check_witnesses(check, view->number, view->line, view->hash, err) : rc;
}

static int by_number(const void *a, const void *b)
{
    const struct ledger_witness *left = a;
    const struct ledger_witness *right = b;
    return left->number < right->number ? -1 : left->number > right->number;
}

static enum rc sort_witnesses(struct check *check, const struct ledger_witness *witnesses,
                              size_t count, struct err *err)
{
    check->witnesses = calloc(count + 1, sizeof *check->witnesses);
    if (check->witnesses == NULL) {
        return err_set(err, RC_NOMEM, "%s: no memory for the witnesses", check->name);
    }
    for (size_t i = 0; i < count; i++) {
        check->witnesses[i] = witnesses[i];
    }
    qsort(check->witnesses, count, sizeof *check->witnesses, by_number);
    check->count = count;
    return check_witnesses(check, 0, 1, LEDGER_HASH_NONE, err);
}

enum rc ledger_verify(int fd, const char *name, const struct ledger_witness *witnesses,
                      size_t count, struct ledger_extent *out, struct err *err)
{
    struct check check = {.fd = fd, .name = name, .index = LEDGER_INDEX_EMPTY(0)};
    struct ledger_extent extent = {.number = 0};
    enum rc rc = sort_witnesses(&check, witnesses, count, err);
    if (rc == RC_OK) {
        rc = ledger_read(fd, name, check_entry, &check, &extent, err);
    }
    if (rc == RC_OK && check.met < check.count) {
        const struct ledger_witness *witness = &check.witnesses[check.count - 1];
        rc = err_set(err, RC_CORRUPT,
                     "%s: ends at entry %llu, but %s has seen entry %llu: entries were cut off, or "
                     "an older copy was put back; restore the newer file",
                     name, (unsigned long long)extent.number, witness->from,
                     (unsigned long long)witness->number);
    }
    if (rc == RC_OK && extent.torn_bytes > 0) {
        rc =
            err_set(err, RC_STATE,
                    "%s: %llu bytes after entry %llu are a torn append; the daemon cuts them off "
                    "at its next start, and keeps them aside",
                    name, (unsigned long long)extent.torn_bytes, (unsigned long long)extent.number);
    }
    if (out != NULL) {
        *out = extent;
    }
    ledger_index_release(&check.index);
    free(check.witnesses);
    return rc;
}
