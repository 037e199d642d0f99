/*
 * scan - one pass over a journal
 */
#include "ledger/scan.h"

#include "ledger/tail.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    READ_BYTES = 1 << 20,
    /* "    ; chain: ", 20 digits, blank, 64 hex digits, newline, NUL */
    CHAIN_LINE_BYTES = 128,
    /* the longest entry with its chain line and blank line */
    WINDOW_BYTES_MAX = LEDGER_ENTRY_BYTES_MAX + READ_BYTES
};

const char LEDGER_HASH_NONE[SHA256_HEX_BYTES] =
    "0000000000000000000000000000000000000000000000000000000000000000";

static const char MEND[] =
    "restore the file from a copy that \"postroom ledger verify\" finds good, or set it aside";

void ledger_chain_hash(struct sha256 *sha, const char *previous, struct slice text,
                       char out[SHA256_HEX_BYTES])
{
    sha256_add(sha, previous, SHA256_HEX_BYTES - 1);
    sha256_add(sha, text.ptr, text.len);
    sha256_end(sha, out);
}

static int chain_line(uint64_t number, const char *hash, char out[CHAIN_LINE_BYTES])
{
    return snprintf(out, CHAIN_LINE_BYTES, "    ; chain: %llu %s\n", (unsigned long long)number,
                    hash);
}

void ledger_chain_write(uint64_t number, const char *hash, struct buf *out)
{
    char line[CHAIN_LINE_BYTES];
    int length = chain_line(number, hash, line);
    assert(length > 0 && length < CHAIN_LINE_BYTES);
    buf_add(out, line, (size_t)length);
    buf_add_byte(out, '\n');
}

enum rc ledger_scan_open(struct ledger_scan *scan, int fd, const char *name, struct err *err)
{
    struct stat status;
    scan->fd = fd;
    scan->name = name;
    memcpy(scan->hash, LEDGER_HASH_NONE, sizeof scan->hash);
    if (fstat(fd, &status) != 0) {
        return err_set(err, RC_IO, "%s: cannot be examined: %s", name, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(err, RC_PERM, "%s: not a regular file; move it away", name);
    }
    scan->limit = (uint64_t)status.st_size;
    scan->sha = sha256_open();
    scan->window = malloc(READ_BYTES);
    if (scan->sha == NULL || scan->window == NULL) {
        return err_set(err, RC_NOMEM, "%s: no memory to read it", name);
    }
    scan->capacity = READ_BYTES;
    return RC_OK;
}

void ledger_scan_release(struct ledger_scan *scan)
{
    sha256_free(scan->sha);
    free(scan->window);
    free(scan->lines);
    *scan = LEDGER_SCAN_EMPTY;
}

uint64_t ledger_scan_offset(const struct ledger_scan *scan)
{
    return scan->window_offset + scan->at;
}

/* Bytes of the file that are not in the window yet. */
static uint64_t unread(const struct ledger_scan *scan)
{
    return scan->limit - scan->window_offset - scan->used;
}

/* Move the unfinished entry to the front of the window and read on behind it. */
static enum rc fill(struct ledger_scan *scan, struct err *err)
{
    if (scan->at > 0) {
        memmove(scan->window, scan->window + scan->at, scan->used - scan->at);
        scan->window_offset += scan->at;
        scan->used -= scan->at;
        scan->at = 0;
    }
    if (scan->used == scan->capacity) {
        assert(scan->capacity > 0); /* ledger_scan_open() made the window */
        size_t capacity = scan->capacity * 2;
        char *window = realloc(scan->window, capacity);
        if (window == NULL) {
            return err_set(err, RC_NOMEM, "%s: no memory for one entry", scan->name);
        }
        scan->window = window;
        scan->capacity = capacity;
    }
    size_t want = scan->capacity - scan->used;
    want = want < unread(scan) ? want : (size_t)unread(scan);
    size_t got = 0;
    enum rc rc = ledger_read_at(scan->fd, scan->name, scan->window + scan->used, want,
                                scan->window_offset + scan->used, &got, err);
    if (rc == RC_OK) {
        scan->used += got;
        if (got < want) {
            scan->limit = scan->window_offset + scan->used; /* it was cut while we read */
        }
    }
    return rc;
}

/*
 * The bytes of the next entry through the newline before its blank line, and its lines.
 * RC_OK; RC_GONE the file ends before a blank line does
 */
static enum rc find_block(struct ledger_scan *scan, struct slice *block, uint64_t *line_count,
                          struct err *err)
{
    size_t searched = 0; /* bytes of the entry behind which the search goes on */
    uint64_t lines = 0;
    for (;;) {
        const char *start = scan->window + scan->at;
        size_t len = scan->used - scan->at;
        const char *newline = NULL;
        while (searched < len &&
               (newline = memchr(start + searched, '\n', len - searched)) != NULL) {
            size_t next = (size_t)(newline - start) + 1;
            if (next == len) {
                break; /* what follows the newline is not read yet */
            }
            lines++;
            searched = next;
            if (start[next] == '\n') {
                *block = (struct slice){start, next};
                *line_count = lines + 1;
                return RC_OK;
            }
        }
        searched = newline == NULL ? len : (size_t)(newline - start);
        if (unread(scan) == 0 || len > WINDOW_BYTES_MAX) {
            return RC_GONE;
        }
        enum rc rc = fill(scan, err);
        if (rc != RC_OK) {
            return rc;
        }
    }
}

/* The entry at the walk's place is not whole: an append cut short, or damage? */
static enum rc judge(struct ledger_scan *scan, struct slice block, struct err *err)
{
    bool is_torn = false;
    uint64_t from = ledger_scan_offset(scan);
    enum rc rc = ledger_tail_is_torn(scan->fd, scan->name, from, scan->limit, &is_torn, err);
    if (rc != RC_OK) {
        return rc;
    }
    unsigned long long line = (unsigned long long)scan->line_count + 1;
    unsigned long long entry = (unsigned long long)scan->number + 1;
    if (is_torn) {
        return err_set(err, RC_STATE,
                       "%s:%llu: entry %llu is torn: an append was cut short (%llu bytes)",
                       scan->name, line, entry, (unsigned long long)(scan->limit - from));
    }
    if (block.len > LEDGER_ENTRY_BYTES_MAX) {
        return err_set(err, RC_RANGE, "%s:%llu: entry %llu is larger than %d bytes; %s", scan->name,
                       line, entry, LEDGER_ENTRY_BYTES_MAX, MEND);
    }
    return err_set(err, RC_CORRUPT,
                   "%s:%llu: entry %llu is not what was written there: its chain does not hold "
                   "(changed, added, removed or moved); %s",
                   scan->name, line, entry, MEND);
}

/* The chain holds, so these are our own bytes: what is wrong now was written wrong, or forged. */
static enum rc not_ours(const struct ledger_scan *scan, const char *what, struct err *err)
{
    return err_set(err, RC_CORRUPT, "%s:%llu: entry %llu %s, though its chain holds; %s",
                   scan->name, (unsigned long long)scan->line_count + 1,
                   (unsigned long long)scan->number + 1, what, MEND);
}

static enum rc take_entry(struct ledger_scan *scan, struct slice text, struct ledger_view *out,
                          struct err *err)
{
    const char *end = memchr(text.ptr, '\n', text.len);
    struct slice header = {text.ptr, end == NULL ? 0 : (size_t)(end - text.ptr)};
    *out = (struct ledger_view){.number = scan->number + 1,
                                .line = scan->line_count + 1,
                                .offset = ledger_scan_offset(scan),
                                .hash = scan->hash};
    if (end == NULL || ledger_header_parse(header, out) != RC_OK) {
        return not_ours(scan, "has no header line", err);
    }
    if (memcmp(out->date.ptr, scan->date, LEDGER_DATE_BYTES - 1) < 0) {
        return not_ours(scan, "has an earlier date than the entry before it", err);
    }
    memcpy(scan->date, out->date.ptr, LEDGER_DATE_BYTES - 1);
    return RC_OK;
}

enum rc ledger_scan_next(struct ledger_scan *scan, struct ledger_view *out, struct err *err)
{
    struct slice block = {NULL, 0};
    uint64_t line_count = 0;
    enum rc rc = find_block(scan, &block, &line_count, err);
    if (rc == RC_GONE) {
        return ledger_scan_offset(scan) == scan->limit ? RC_GONE : judge(scan, block, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    /* The block's last line, which has to be the one chain line that fits what is before it. */
    size_t text_len = block.len - 1;
    while (text_len > 0 && block.ptr[text_len - 1] != '\n') {
        text_len--;
    }
    struct slice text = {block.ptr, text_len};
    char hash[SHA256_HEX_BYTES];
    char line[CHAIN_LINE_BYTES];
    ledger_chain_hash(scan->sha, scan->hash, text, hash);
    int length = chain_line(scan->number + 1, hash, line);
    if (!slice_equal((struct slice){line, (size_t)length},
                     (struct slice){block.ptr + text_len, block.len - text_len})) {
        return judge(scan, block, err);
    }
    if (block.len > LEDGER_ENTRY_BYTES_MAX) {
        return judge(scan, block, err);
    }
    rc = take_entry(scan, text, out, err);
    if (rc == RC_OK) {
        memcpy(scan->hash, hash, sizeof hash);
        scan->text = text;
        scan->number++;
        scan->line_count += line_count;
        scan->at += block.len + 1;
    }
    return rc;
}

enum rc ledger_scan_lines(struct ledger_scan *scan, struct ledger_view *view, struct err *err)
{
    if (scan->lines == NULL) {
        scan->lines = calloc(LEDGER_POSTINGS_MAX, sizeof *scan->lines);
        if (scan->lines == NULL) {
            return err_set(err, RC_NOMEM, "%s: no memory for postings", scan->name);
        }
    }
    const char *at = memchr(scan->text.ptr, '\n', scan->text.len);
    const char *end = scan->text.ptr + scan->text.len;
    size_t count = 0;
    assert(at != NULL); /* ledger_scan_next() found the header line */
    for (at++; at < end; count++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        struct slice line = {at, (size_t)((newline == NULL ? end : newline) - at)};
        unsigned long long file_line = view->line;
        file_line += count + 1;
        if (count == LEDGER_POSTINGS_MAX) {
            return err_set(err, RC_RANGE, "%s:%llu: entry %llu has more than %d postings; %s",
                           scan->name, (unsigned long long)view->line,
                           (unsigned long long)view->number, LEDGER_POSTINGS_MAX, MEND);
        }
        if (line.len >= LEDGER_LINE_BYTES_MAX ||
            ledger_line_parse(line, &scan->lines[count]) != RC_OK) {
            return err_set(err, RC_CORRUPT,
                           "%s:%llu: entry %llu has a line that is no posting, though its chain "
                           "holds; %s",
                           scan->name, file_line, (unsigned long long)view->number, MEND);
        }
        at = line.ptr + line.len + 1;
    }
    view->lines = scan->lines;
    view->count = count;
    return RC_OK;
}
