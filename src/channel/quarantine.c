/*
 * quarantine - a CSV that people may edit, read into two sets and appended to
 */
#include "channel/quarantine.h"

#include "audience/csv_cursor.h"
#include "audience/keyset.h"
#include "base/instant.h"
#include "base/name.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TAIL_BYTES_MAX = 64 * 1024, /* of a last line without its newline; ours have some hundred */
    COLUMNS_MAX = 64,           /* of a file that people added columns to */
    NUMBER_DIGITS_MIN = 7,
    NUMBER_DIGITS_MAX = 15 /* E.164 */
};

/* Our columns, in the order of a new file. */
enum column { ADDRESS = 0, KEY, SINCE, CAUSE, DELIVERY, OWN_COLUMNS };

static const char *const NAMES[OWN_COLUMNS] = {"address", "key", "since", "cause", "delivery"};

struct quarantine {
    struct keyset addresses;
    struct keyset keys;
    size_t places[OWN_COLUMNS]; /* CSV_NO_COLUMN: the file has no such column */
    size_t columns;             /* of the file */
};

const char *quarantine_file(const char *channel, char out[QUARANTINE_FILE_BYTES])
{
    assert(id_is_valid(slice_of(channel)));
    (void)snprintf(out, QUARANTINE_FILE_BYTES, "%s.csv", channel);
    return out;
}

/* A number as people write it: country code first, after + or 00, parted as they like; E.164's
 * digits into out. false: it is none. */
static bool fold_number(struct slice text, char out[NUMBER_DIGITS_MAX], size_t *out_count)
{
    size_t count = 0;
    size_t skip = text.len > 2 && memcmp(text.ptr, "00", 2) == 0 ? 2 : 0;
    for (size_t i = skip; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= '0' && c <= '9') {
            if (count == NUMBER_DIGITS_MAX) {
                return false;
            }
            out[count++] = c;
        } else if (c == '\0' || strchr(i == 0 ? "+(" : " .-/()", c) == NULL) {
            return false;
        }
    }
    *out_count = count;
    return count >= NUMBER_DIGITS_MIN;
}

void quarantine_fold(struct slice address, struct buf *out)
{
    char digits[NUMBER_DIGITS_MAX];
    size_t count = 0;
    if (fold_number(address, digits, &count)) {
        buf_add(out, digits, count);
        return;
    }
    size_t domain = address.len;
    while (domain > 0 && address.ptr[domain - 1] != '@') {
        domain--;
    }
    buf_add(out, address.ptr, domain);
    for (size_t i = domain; i < address.len; i++) {
        char c = address.ptr[i];
        if (domain > 0 && c >= 'A' && c <= 'Z') {
            c = (char)(c - 'A' + 'a');
        }
        buf_add_byte(out, c);
    }
}

/* --- the sets --- */

static struct quarantine *empty(void)
{
    struct quarantine *q = calloc(1, sizeof *q);
    if (q != NULL) {
        /* Nobody outside can know where this lies and when it was made. */
        uint64_t seed = (uint64_t)(uintptr_t)q ^ (uint64_t)clock_monotonic_ns();
        keyset_init(&q->addresses, QUARANTINE_MEMORY_BYTES / 2, -1, seed);
        keyset_init(&q->keys, QUARANTINE_MEMORY_BYTES / 2, -1, seed);
    }
    return q;
}

void quarantine_free(struct quarantine *quarantine)
{
    if (quarantine != NULL) {
        keyset_release(&quarantine->addresses);
        keyset_release(&quarantine->keys);
        free(quarantine);
    }
}

size_t quarantine_count(const struct quarantine *quarantine)
{
    return quarantine->addresses.count + quarantine->keys.count;
}

static enum rc put(struct quarantine *q, struct slice address, struct slice key,
                   struct buf *scratch, struct err *err)
{
    enum rc rc = RC_OK;
    if (address.len > 0) {
        buf_clear(scratch);
        quarantine_fold(address, scratch);
        rc = buf_ok(scratch, err);
        rc = rc == RC_OK ? keyset_add(&q->addresses, buf_slice(scratch), err) : rc;
    }
    return rc == RC_OK && key.len > 0 ? keyset_add(&q->keys, key, err) : rc;
}

enum rc quarantine_has(const struct quarantine *quarantine, struct slice address, struct slice key,
                       struct buf *scratch, bool *out, struct err *err)
{
    struct buf folded = BUF_EMPTY;
    bool is_in = false;
    enum rc rc = RC_OK;
    if (address.len > 0 && quarantine->addresses.count > 0) {
        quarantine_fold(address, &folded);
        rc = buf_ok(&folded, err);
        rc = rc == RC_OK
                 ? keyset_has(&quarantine->addresses, buf_slice(&folded), scratch, &is_in, err)
                 : rc;
    }
    if (rc == RC_OK && !is_in && key.len > 0 && quarantine->keys.count > 0) {
        rc = keyset_has(&quarantine->keys, key, scratch, &is_in, err);
    }
    buf_release(&folded);
    if (rc == RC_OK) {
        *out = is_in;
    }
    return rc;
}

/* --- reading --- */

static struct slice field(const struct quarantine *q, const struct csv_record *record,
                          enum column column)
{
    size_t place = q->places[column];
    return place == CSV_NO_COLUMN ? (struct slice){NULL, 0} : record->fields[place];
}

static enum rc read_header(struct quarantine *q, const struct csv_cursor *cursor, const char *name,
                           struct err *err)
{
    (void)csv_cursor_names(cursor, &q->columns);
    for (int i = 0; i < OWN_COLUMNS; i++) {
        q->places[i] = csv_cursor_column(cursor, NAMES[i]);
    }
    if (q->places[ADDRESS] == CSV_NO_COLUMN && q->places[KEY] == CSV_NO_COLUMN) {
        return err_set(err, RC_PERM,
                       "%s:1: no column \"address\"; its first line is %s,%s,%s,%s,%s", name,
                       NAMES[0], NAMES[1], NAMES[2], NAMES[3], NAMES[4]);
    }
    return q->columns <= COLUMNS_MAX
               ? RC_OK
               : err_set(err, RC_PERM, "%s:1: more than %d columns; take some out", name,
                         COLUMNS_MAX);
}

static bool ends_in_newline(int fd)
{
    struct stat status;
    char last = '\0';
    return fstat(fd, &status) == 0 && status.st_size > 0 &&
           pread(fd, &last, 1, status.st_size - 1) == 1 && last == '\n';
}

static enum rc read_rows(struct quarantine *q, struct csv_cursor *cursor, int fd, const char *name,
                         struct err *err)
{
    struct buf scratch = BUF_EMPTY;
    struct csv_record record;
    uint64_t bad_line = 0;
    enum rc rc = csv_cursor_next(cursor, &record, err);
    while (rc == RC_OK && bad_line == 0) {
        if (record.fault != CSV_SOUND) {
            bad_line = record.line;
        } else {
            rc = put(q, field(q, &record, ADDRESS), field(q, &record, KEY), &scratch, err);
        }
        rc = rc == RC_OK ? csv_cursor_next(cursor, &record, err) : rc;
    }
    buf_release(&scratch);
    /* A last line that is half there was torn by a crash: it says nothing. */
    if (bad_line != 0 && (rc == RC_OK || rc == RC_GONE) && (rc == RC_OK || ends_in_newline(fd))) {
        return err_set(err, RC_PERM, "%s:%" PRIu64 ": malformed, or not %zu fields; mend the line",
                       name, bad_line, q->columns);
    }
    return rc == RC_GONE ? RC_OK : rc;
}

enum rc quarantine_load(int fd, const char *name, struct quarantine **out, struct err *err)
{
    struct stat status;
    struct csv_cursor *cursor = NULL;
    struct quarantine *q = empty();
    enum rc rc = q == NULL ? err_set(err, RC_NOMEM, "%s: no memory", name) : RC_OK;
    bool has_rows = fd >= 0 && fstat(fd, &status) == 0 && status.st_size > 0;
    if (rc == RC_OK && has_rows) {
        rc = csv_cursor_open(fd, name, ',', &cursor, err);
        rc = rc == RC_OK ? read_header(q, cursor, name, err) : rc;
        rc = rc == RC_OK ? read_rows(q, cursor, fd, name, err) : rc;
    }
    csv_cursor_free(cursor);
    if (rc != RC_OK) {
        quarantine_free(q);
        return rc;
    }
    *out = q;
    return RC_OK;
}

/* --- adding --- */

/* A last line without its newline: its fields are all there, or it was torn. */
static size_t fields_of(struct slice line)
{
    size_t fields = 1;
    bool is_quoted = false;
    for (size_t i = 0; i < line.len; i++) {
        is_quoted = line.ptr[i] == '"' ? !is_quoted : is_quoted;
        fields += line.ptr[i] == ',' && !is_quoted;
    }
    return is_quoted ? 0 : fields;
}

static enum rc read_tail(int fd, uint64_t size, struct buf *out, struct err *err)
{
    uint64_t from = size > TAIL_BYTES_MAX ? size - TAIL_BYTES_MAX : 0;
    if (lseek(fd, (off_t)from, SEEK_SET) < 0) {
        return err_set(err, RC_TEMP, "its end cannot be read");
    }
    return fs_read_fd(fd, TAIL_BYTES_MAX, out, err);
}

/* What is cut off is kept beside: it may be a line that somebody was writing. */
static enum rc put_aside(int dirfd, int fd, const char *file, uint64_t keep, struct slice line,
                         struct err *err)
{
    char aside[QUARANTINE_FILE_BYTES + 32];
    (void)snprintf(aside, sizeof aside, "%s.torn-%" PRId64, file, clock_now_ns() / NS_PER_SECOND);
    enum rc rc = fs_put_durable(dirfd, aside, QUARANTINE_MODE, line.ptr, line.len, err);
    return rc == RC_OK ? fs_truncate(fd, keep, err) : rc;
}

/* Cuts a torn last line off; *out_wants_newline: the last line is whole but for that. */
static enum rc mend_tail(int dirfd, int fd, const char *file, size_t columns,
                         bool *out_wants_newline, struct err *err)
{
    struct stat status;
    struct buf tail = BUF_EMPTY;
    *out_wants_newline = false;
    if (ends_in_newline(fd) || fstat(fd, &status) != 0) {
        return RC_OK;
    }
    enum rc rc = read_tail(fd, (uint64_t)status.st_size, &tail, err);
    size_t at = tail.len;
    while (at > 0 && tail.ptr[at - 1] != '\n') {
        at--;
    }
    /* A header alone is never torn: it is written as a whole file. */
    struct slice line = {tail.ptr + at, tail.len - at};
    *out_wants_newline = at == 0 || fields_of(line) == columns;
    if (rc == RC_OK && !*out_wants_newline) {
        rc = put_aside(dirfd, fd, file, (uint64_t)status.st_size - line.len, line, err);
    }
    buf_release(&tail);
    return rc;
}

/* The header alone: what a whole line has. */
static enum rc count_columns(int fd, const char *file, size_t *out, struct err *err)
{
    struct csv_cursor *cursor = NULL;
    enum rc rc = csv_cursor_open(fd, file, ',', &cursor, err);
    if (rc == RC_OK) {
        (void)csv_cursor_names(cursor, out);
    }
    csv_cursor_free(cursor);
    return rc;
}

static void add_own(const struct quarantine_entry *entry, enum column column, struct buf *out)
{
    char when[INSTANT_TEXT_BYTES];
    switch (column) {
    case ADDRESS:
        csv_put_field(out, entry->address, ',');
        break;
    case KEY:
        csv_put_field(out, entry->key, ',');
        break;
    case SINCE:
        buf_add_text(out, instant_format_seconds(entry->since_ns, when));
        break;
    case CAUSE:
        csv_put_field(out, slice_of(entry->cause), ',');
        break;
    case DELIVERY:
        csv_put_field(out, slice_of(entry->delivery == NULL ? "" : entry->delivery), ',');
        break;
    default:
        break;
    }
}

/* A row in the order of the file's columns; those of people stay empty. */
static void add_row(const struct quarantine *q, const struct quarantine_entry *entry,
                    struct buf *out)
{
    for (size_t place = 0; place < q->columns; place++) {
        buf_add_text(out, place > 0 ? "," : "");
        for (int i = 0; i < OWN_COLUMNS; i++) {
            if (q->places[i] == place) {
                add_own(entry, (enum column)i, out);
            }
        }
    }
    buf_add_byte(out, '\n');
}

/* The rows of those who are not in yet. */
static enum rc make_rows(struct quarantine *q, const struct quarantine_entry *entries, size_t count,
                         struct buf *out, size_t *out_added, struct err *err)
{
    struct buf scratch = BUF_EMPTY;
    enum rc rc = RC_OK;
    size_t added = 0;
    for (size_t i = 0; rc == RC_OK && i < count; i++) {
        struct slice key =
            q->places[KEY] == CSV_NO_COLUMN ? (struct slice){NULL, 0} : entries[i].key;
        struct slice address =
            q->places[ADDRESS] == CSV_NO_COLUMN ? (struct slice){NULL, 0} : entries[i].address;
        bool is_in = address.len == 0 && key.len == 0;
        rc = is_in ? RC_OK
                   : quarantine_has(q, address, address.len > 0 ? (struct slice){NULL, 0} : key,
                                    &scratch, &is_in, err);
        if (rc == RC_OK && !is_in) {
            rc = put(q, address, key, &scratch, err);
            add_row(q, &entries[i], out);
            added++;
        }
    }
    buf_release(&scratch);
    *out_added = added;
    return rc == RC_OK ? buf_ok(out, err) : rc;
}

static enum rc add_to_new(int dirfd, const char *file, const struct quarantine_entry *entries,
                          size_t count, size_t *out_added, struct err *err)
{
    struct buf text = BUF_EMPTY;
    struct quarantine *q = empty();
    if (q == NULL) {
        return err_set(err, RC_NOMEM, "no memory");
    }
    for (size_t i = 0; i < OWN_COLUMNS; i++) {
        q->places[i] = i;
        buf_add_format(&text, "%s%s", i > 0 ? "," : "", NAMES[i]);
    }
    q->columns = OWN_COLUMNS;
    buf_add_byte(&text, '\n');
    enum rc rc = make_rows(q, entries, count, &text, out_added, err);
    if (rc == RC_OK) {
        rc = fs_put_durable(dirfd, file, QUARANTINE_MODE, text.ptr, text.len, err);
    }
    quarantine_free(q);
    buf_release(&text);
    return rc;
}

static enum rc add_to_old(int dirfd, int fd, const char *file,
                          const struct quarantine_entry *entries, size_t count, size_t *out_added,
                          struct err *err)
{
    struct buf text = BUF_EMPTY;
    struct quarantine *q = NULL;
    bool wants_newline = false;
    size_t columns = 0;
    enum rc rc = count_columns(fd, file, &columns, err);
    rc = rc == RC_OK ? mend_tail(dirfd, fd, file, columns, &wants_newline, err) : rc;
    rc = rc == RC_OK ? quarantine_load(fd, file, &q, err) : rc;
    if (rc == RC_OK && wants_newline) {
        buf_add_byte(&text, '\n');
    }
    rc = rc == RC_OK ? make_rows(q, entries, count, &text, out_added, err) : rc;
    if (rc == RC_OK && *out_added > 0) {
        rc = fs_append_durable(fd, text.ptr, text.len, err);
    }
    quarantine_free(q);
    buf_release(&text);
    return rc;
}

enum rc quarantine_add(int dirfd, const char *channel, const struct quarantine_entry *entries,
                       size_t count, size_t *out_added, struct err *err)
{
    char file[QUARANTINE_FILE_BYTES];
    struct stat status;
    int fd = -1;
    size_t added = 0;
    (void)quarantine_file(channel, file);
    enum rc rc = fs_open_beneath(dirfd, file, O_RDWR | O_APPEND, &fd, err);
    bool is_new = rc == RC_GONE;
    if (rc == RC_OK && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) {
        rc = err_set(err, RC_PERM, "it is no regular file; move it away");
    } else if (rc == RC_OK) {
        is_new = status.st_size == 0;
    }
    if (rc == RC_OK || rc == RC_GONE) {
        rc = is_new ? add_to_new(dirfd, file, entries, count, &added, err)
                    : add_to_old(dirfd, fd, file, entries, count, &added, err);
    }
    fs_drop(&fd);
    if (out_added != NULL) {
        *out_added = rc == RC_OK ? added : 0;
    }
    return rc == RC_OK ? rc : err_add(err, rc, "quarantine");
}
