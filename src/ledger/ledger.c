/*
 * ledger - the writer's keys and appends
 */
#include "ledger/ledger.h"

#include "ledger/scan.h"
#include "ledger/tail.h"
#include "ledger/writer.h"
#include "sys/calls.h"
#include "sys/fs.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    WRITE_TRIES_MAX = 100,     /* EINTR in a row before anything was written */
    FIND_BYTES = 8 * 1024,     /* most entries are read by one call of this size */
    ACCOUNT_BYTES = 6 + 2 * 65 /* "stock:STOCK:LINE" and NUL */
};

/* One group being appended: where each key's entry will begin. */
struct pending {
    uint64_t hash;
    uint64_t offset;
    const char *key;
};

void ledger_close(struct ledger *ledger)
{
    if (ledger != NULL) {
        fs_drop(&ledger->fd);
        ledger_index_release(&ledger->index);
        tally_release(&ledger->stock);
        sha256_free(ledger->sha);
        buf_release(&ledger->text);
        free(ledger);
    }
}

void ledger_head(const struct ledger *ledger, struct ledger_head *out)
{
    *out = ledger->head;
}

static enum rc changed(const struct ledger *ledger, uint64_t offset, struct err *err)
{
    return err_set(err, RC_CORRUPT,
                   "%s: what stands at byte %llu is not what was read at start: somebody else "
                   "wrote to it; stop, then run \"postroom ledger verify\"",
                   ledger->name, (unsigned long long)offset);
}

enum rc ledger_key_stands(const struct ledger *ledger, struct slice key, uint64_t hash, bool *out,
                          uint64_t *out_offset, struct err *err)
{
    char header[LEDGER_LINE_BYTES_MAX];
    size_t cursor = 0;
    uint64_t offset = 0;
    *out = false;
    while (!*out && ledger_index_next(&ledger->index, hash, &cursor, &offset)) {
        struct ledger_view view;
        size_t len = 0;
        enum rc rc =
            ledger_read_at(ledger->fd, ledger->name, header, sizeof header, offset, &len, err);
        if (rc != RC_OK) {
            return rc;
        }
        const char *end = memchr(header, '\n', len);
        if (end == NULL ||
            ledger_header_parse((struct slice){header, (size_t)(end - header)}, &view) != RC_OK) {
            return changed(ledger, offset, err);
        }
        *out = slice_equal(view.key, key);
    }
    if (*out && out_offset != NULL) {
        *out_offset = offset;
    }
    return RC_OK;
}

enum rc ledger_has_key(const struct ledger *ledger, const char *key, bool *out, struct err *err)
{
    struct slice text = slice_of(key);
    return ledger_key_stands(ledger, text, ledger_index_hash(&ledger->index, text), out, NULL, err);
}

/* Read the entry at offset through its chain line; text borrows from `bytes`. */
static enum rc read_entry(const struct ledger *ledger, uint64_t offset, struct buf *bytes,
                          struct slice *text, struct err *err)
{
    static const char chain[] = "\n    ; chain: ";
    for (size_t want = FIND_BYTES; want <= (size_t)LEDGER_ENTRY_BYTES_MAX * 2; want *= 2) {
        size_t len = 0;
        buf_clear(bytes);
        if (!buf_reserve(bytes, want)) {
            return buf_ok(bytes, err);
        }
        enum rc rc = ledger_read_at(ledger->fd, ledger->name, bytes->ptr, want, offset, &len, err);
        if (rc != RC_OK) {
            return rc;
        }
        bytes->ptr[len] = '\0';
        const char *end = strstr(bytes->ptr, chain);
        if (end != NULL) {
            *text = (struct slice){bytes->ptr, (size_t)(end - bytes->ptr) + 1};
            return RC_OK;
        }
        if (len < want) {
            break;
        }
    }
    return changed(ledger, offset, err);
}

enum rc ledger_find(const struct ledger *ledger, const char *key, struct ledger_copy *out,
                    struct err *err)
{
    struct slice wanted = slice_of(key);
    uint64_t offset = 0;
    bool stands = false;
    enum rc rc = ledger_key_stands(ledger, wanted, ledger_index_hash(&ledger->index, wanted),
                                   &stands, &offset, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (!stands) {
        return err_set(err, RC_GONE, "%s: no entry has the key %s", ledger->name, key);
    }
    struct buf bytes = BUF_EMPTY;
    struct ledger_scan scan = LEDGER_SCAN_EMPTY;
    scan.name = ledger->name;
    rc = read_entry(ledger, offset, &bytes, &scan.text, err);
    if (rc == RC_OK) {
        const char *end = scan.text.ptr == NULL ? NULL : memchr(scan.text.ptr, '\n', scan.text.len);
        struct ledger_view view = {.offset = offset};
        struct slice header = {scan.text.ptr, end == NULL ? 0 : (size_t)(end - scan.text.ptr)};
        rc = ledger_header_parse(header, &view) == RC_OK ? RC_OK : changed(ledger, offset, err);
        if (rc == RC_OK) {
            rc = ledger_scan_lines(&scan, &view, err);
        }
        if (rc == RC_OK) {
            rc = ledger_copy_view(&view, out, err);
        }
    }
    ledger_scan_release(&scan);
    buf_release(&bytes);
    return rc;
}

static int by_hash(const void *a, const void *b)
{
    const struct pending *left = a;
    const struct pending *right = b;
    return left->hash < right->hash ? -1 : left->hash > right->hash;
}

/* No key of the group stands in the file or twice in the group. Sorts `group` by hash. */
static enum rc check_keys(const struct ledger *ledger, struct pending *group, size_t count,
                          struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        bool stands = false;
        enum rc rc =
            ledger_key_stands(ledger, slice_of(group[i].key), group[i].hash, &stands, NULL, err);
        if (rc != RC_OK) {
            return rc;
        }
        if (stands) {
            return err_set(err, RC_EXISTS, "%s: an entry has the key %s already", ledger->name,
                           group[i].key);
        }
    }
    qsort(group, count, sizeof *group, by_hash);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count && group[j].hash == group[i].hash; j++) {
            if (strcmp(group[i].key, group[j].key) == 0) {
                return err_set(err, RC_EXISTS, "%s: the key %s stands twice in one group",
                               ledger->name, group[i].key);
            }
        }
    }
    return RC_OK;
}

/* The group's text in ledger->text, its receipts, its place in `group`; *head moves on. */
static enum rc compose(struct ledger *ledger, const struct ledger_entry *entries, size_t count,
                       struct ledger_head *head, struct pending *group,
                       struct ledger_receipt *receipts, struct err *err)
{
    struct buf *text = &ledger->text;
    buf_clear(text);
    for (size_t i = 0; i < count; i++) {
        const struct ledger_entry *entry = &entries[i];
        enum rc rc = ledger_entry_check(entry, err);
        if (rc != RC_OK) {
            return rc;
        }
        assert(ledger_entry_is_balanced(entry));
        if (strcmp(entry->date, head->date) > 0) {
            memcpy(head->date, entry->date, sizeof head->date);
        }
        size_t from = text->len;
        ledger_entry_write(entry, head->date, text);
        rc = buf_ok(text, err);
        if (rc != RC_OK) {
            return rc;
        }
        if (text->len > LEDGER_GROUP_BYTES_MAX) {
            return err_set(err, RC_RANGE, "%s: a group of more than %d bytes; write it in parts",
                           ledger->name, LEDGER_GROUP_BYTES_MAX);
        }
        ledger_chain_hash(ledger->sha, head->hash,
                          (struct slice){text->ptr + from, text->len - from}, head->hash);
        head->number++;
        ledger_chain_write(head->number, head->hash, text);
        group[i].offset = ledger->end + from;
        if (receipts != NULL) {
            receipts[i].number = head->number;
            memcpy(receipts[i].hash, head->hash, sizeof receipts[i].hash);
            memcpy(receipts[i].date, head->date, sizeof receipts[i].date);
        }
    }
    return buf_ok(text, err);
}

/* A failed write may have left a part of the group: back to where the file was whole. */
static enum rc cut_back(struct ledger *ledger, struct err *err)
{
    struct err why = {""};
    enum rc rc = fs_truncate(ledger->fd, ledger->end, &why);
    if (rc == RC_OK) {
        rc = fs_sync_file(ledger->fd, &why);
    }
    if (rc != RC_OK) {
        ledger->is_stopped = true;
        return err_add(err, RC_IO, "%s: cannot be cut back after a failed write (%s)", ledger->name,
                       why.text);
    }
    return RC_TEMP;
}

static enum rc write_group(struct ledger *ledger, struct err *err)
{
    struct stat status;
    if (fstat(ledger->fd, &status) != 0 || (uint64_t)status.st_size != ledger->end) {
        ledger->is_stopped = true;
        return changed(ledger, ledger->end, err);
    }
    ssize_t written = -1;
    int tries = 0;
    do {
        written = sys_calls.write(ledger->fd, ledger->text.ptr, ledger->text.len);
    } while (written < 0 && errno == EINTR && ++tries < WRITE_TRIES_MAX);
    if (written < 0 || (size_t)written != ledger->text.len) {
        enum rc rc = err_set(err, RC_TEMP, "%s: an append failed: %s; make room, it is tried again",
                             ledger->name, written < 0 ? strerror(errno) : "short write");
        (void)rc;
        return cut_back(ledger, err);
    }
    enum rc rc = fs_sync_data(ledger->fd, err);
    if (rc != RC_OK) {
        ledger->is_stopped = true;
        return err_add(err, RC_IO, "%s", ledger->name);
    }
    return RC_OK;
}

bool ledger_is_stock_account(struct slice account)
{
    static const char start[] = "stock:";
    return account.len >= sizeof start && memcmp(account.ptr, start, sizeof start - 1) == 0;
}

/* Make the rows beforehand, so that nothing can fail once the group is on disk. */
static enum rc reserve_stock(struct ledger *ledger, const struct ledger_entry *entries,
                             size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < entries[i].count; j++) {
            struct slice account = slice_of(entries[i].postings[j].account);
            if (ledger_is_stock_account(account) && tally_row(&ledger->stock, account) == NULL) {
                return err_set(err, RC_NOMEM, "%s: no memory for stock levels", ledger->name);
            }
        }
    }
    return RC_OK;
}

static void count_group(struct ledger *ledger, const struct ledger_entry *entries,
                        const struct pending *group, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ledger_index_put(&ledger->index, group[i].hash, group[i].offset);
        for (size_t j = 0; j < entries[i].count; j++) {
            const struct ledger_posting *posting = &entries[i].postings[j];
            struct slice account = slice_of(posting->account);
            if (ledger_is_stock_account(account)) {
                struct tally_row *row = tally_row(&ledger->stock, account);
                assert(row != NULL); /* reserve_stock() made it */
                tally_add(&row->sums[0], posting->amount);
            }
        }
    }
}

enum rc ledger_append(struct ledger *ledger, const struct ledger_entry *entries, size_t count,
                      struct ledger_receipt *receipts, struct err *err)
{
    if (ledger->is_stopped) {
        return err_set(err, RC_IO,
                       "%s: refuses appends since one failed; stop the daemon and start it again",
                       ledger->name);
    }
    if (count == 0) {
        return RC_OK;
    }
    if (count > LEDGER_GROUP_MAX) {
        return err_set(err, RC_RANGE, "%s: a group of %zu entries, at most %d", ledger->name, count,
                       LEDGER_GROUP_MAX);
    }
    struct pending *group = calloc(count, sizeof *group);
    if (group == NULL) {
        return err_set(err, RC_NOMEM, "%s: no memory for a group of entries", ledger->name);
    }
    for (size_t i = 0; i < count; i++) {
        group[i].key = entries[i].key;
        group[i].hash = ledger_index_hash(&ledger->index, slice_of(entries[i].key));
    }
    struct ledger_head head = ledger->head;
    enum rc rc = compose(ledger, entries, count, &head, group, receipts, err);
    if (rc == RC_OK) {
        rc = check_keys(ledger, group, count, err);
    }
    if (rc == RC_OK) {
        rc = ledger_index_reserve(&ledger->index, count, err);
    }
    if (rc == RC_OK) {
        rc = reserve_stock(ledger, entries, count, err);
    }
    if (rc == RC_OK) {
        rc = write_group(ledger, err);
    }
    if (rc == RC_OK) {
        ledger->end += ledger->text.len;
        ledger->head = head;
        count_group(ledger, entries, group, count);
    }
    free(group);
    return rc;
}

int64_t ledger_stock(const struct ledger *ledger, const char *stock, const char *line)
{
    char account[ACCOUNT_BYTES];
    int length = snprintf(account, sizeof account, "stock:%s:%s", stock, line);
    if (length < 0 || (size_t)length >= sizeof account) {
        return 0; /* longer than ids are: no such account */
    }
    const struct tally_row *row =
        tally_find(&ledger->stock, (struct slice){account, (size_t)length});
    return row == NULL ? 0 : row->sums[0];
}
