/*
 * journal - lines written, lines read, the file they live in
 */
#include "delivery/journal.h"

#include "base/instant.h"
#include "base/utf8.h"
#include "sys/fs.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert(JOURNAL_BYTES_MAX > JOURNAL_LINE_BYTES_MAX, "a journal holds a line");

static bool is_blank_or_control(unsigned char c)
{
    return c <= ' ' || c == 0x7F;
}

/* a-z 0-9 - _: events and keys */
static bool is_word(struct slice text)
{
    if (text.len == 0 || text.len > JOURNAL_WORD_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_') {
            return false;
        }
    }
    return true;
}

/* Anything that stands between two blanks: WHO */
static bool is_who(struct slice text)
{
    if (text.len == 0 || text.len > JOURNAL_WORD_BYTES_MAX || !utf8_is_valid(text)) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (is_blank_or_control((unsigned char)text.ptr[i])) {
            return false;
        }
    }
    return true;
}

static bool needs_quotes(struct slice value)
{
    if (value.len == 0 || !utf8_is_valid(value)) {
        return true;
    }
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (is_blank_or_control((unsigned char)c) || c == '"' || c == '\\') {
            return true;
        }
    }
    return false;
}

/* --- writing --- */

void journal_writer_release(struct journal_writer *writer)
{
    buf_release(&writer->lines);
    *writer = JOURNAL_WRITER_EMPTY;
}

void journal_begin(struct journal_writer *writer, int64_t at_ns, const char *event, const char *who)
{
    char time_text[INSTANT_TEXT_BYTES];
    assert(is_word(slice_of(event)));
    writer->line_start = writer->lines.len;
    writer->pair_count = 0;
    writer->is_bad_word = !is_who(slice_of(who));
    buf_add_format(&writer->lines, "%s %s %s", instant_format(at_ns, time_text), event, who);
}

void journal_put(struct journal_writer *writer, const char *key, struct slice value)
{
    assert(is_word(slice_of(key)));
    writer->pair_count++;
    buf_add_byte(&writer->lines, ' ');
    buf_add_text(&writer->lines, key);
    buf_add_byte(&writer->lines, '=');
    if (needs_quotes(value)) {
        buf_add_json(&writer->lines, value);
    } else {
        buf_add_slice(&writer->lines, value);
    }
}

void journal_put_text(struct journal_writer *writer, const char *key, const char *value)
{
    if (value != NULL) {
        journal_put(writer, key, slice_of(value));
    }
}

void journal_put_u64(struct journal_writer *writer, const char *key, uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    journal_put(writer, key, slice_of(text));
}

/* The line being made never was. */
static void drop_line(struct journal_writer *writer)
{
    writer->lines.len = writer->line_start;
    writer->lines.ptr[writer->lines.len] = '\0';
}

enum rc journal_end(struct journal_writer *writer, struct err *err)
{
    buf_add_byte(&writer->lines, '\n');
    enum rc rc = buf_ok(&writer->lines, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (writer->is_bad_word) {
        rc = err_set(err, RC_PERM,
                     "a journal line cannot name an operator so; names follow the "
                     "rule for ids");
    } else if (writer->lines.len - writer->line_start > JOURNAL_LINE_BYTES_MAX) {
        rc = err_set(err, RC_RANGE, "a journal line of %zu bytes is longer than %d",
                     writer->lines.len - writer->line_start, JOURNAL_LINE_BYTES_MAX);
    } else if (writer->pair_count > JOURNAL_PAIRS_MAX) {
        rc = err_set(err, RC_RANGE, "a journal line of %zu pairs has more than %d",
                     writer->pair_count, JOURNAL_PAIRS_MAX);
    }
    if (rc != RC_OK) {
        drop_line(writer);
    }
    return rc;
}

enum rc journal_append(int dirfd, struct slice lines, struct err *err)
{
    if (lines.len == 0) {
        return RC_OK;
    }
    assert(lines.ptr[lines.len - 1] == '\n');
    int fd = -1;
    enum rc rc = fs_open_append(dirfd, JOURNAL_FILE, JOURNAL_MODE, &fd, err);
    if (rc != RC_OK) {
        return err_add(err, rc, "journal");
    }
    struct stat status;
    if (fstat(fd, &status) != 0) {
        rc = err_set(err, RC_TEMP, "journal: its size cannot be read");
    } else if (lines.len > JOURNAL_BYTES_MAX ||
               status.st_size > (off_t)JOURNAL_BYTES_MAX - (off_t)lines.len) {
        rc = err_set(err, RC_RANGE, "journal: it would grow past %d bytes", JOURNAL_BYTES_MAX);
    } else {
        rc = fs_append(fd, lines.ptr, lines.len, err);
        rc = rc == RC_OK ? rc : err_add(err, rc, "journal");
    }
    if (rc != RC_OK) {
        fs_drop(&fd);
        return rc;
    }
    rc = fs_close(&fd, err);
    return rc == RC_OK ? rc : err_add(err, rc, "journal");
}

/* --- reading --- */

bool journal_value(const struct journal_line *line, const char *key, struct slice *out)
{
    for (size_t i = 0; i < line->count; i++) {
        if (slice_equal_text(line->keys[i], key)) {
            *out = line->values[i];
            return true;
        }
    }
    return false;
}

/* Four hex digits at `at`; -1 where there are none */
static int32_t hex4(struct slice text, size_t at)
{
    int32_t value = 0;
    if (text.len < at + 4) {
        return -1;
    }
    for (size_t i = at; i < at + 4; i++) {
        char c = text.ptr[i];
        int32_t digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* \uXXXX with *at on the first digit, two of them for a surrogate pair (RFC 8259 7); -1 damaged */
static int32_t take_escaped_point(struct slice text, size_t *at)
{
    int32_t point = hex4(text, *at);
    *at += 4;
    if (point < 0 || (point >= 0xDC00 && point <= 0xDFFF)) {
        return -1;
    }
    if (point < 0xD800 || point > 0xDBFF) {
        return point;
    }
    if (text.len < *at + 6 || text.ptr[*at] != '\\' || text.ptr[*at + 1] != 'u') {
        return -1;
    }
    int32_t low = hex4(text, *at + 2);
    *at += 6;
    if (low < 0xDC00 || low > 0xDFFF) {
        return -1;
    }
    return 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
}

/* One escape with *at behind its backslash, into scratch; false: damaged */
static bool take_escape(struct slice text, size_t *at, char *scratch, size_t *used)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    if (*at >= text.len) {
        return false;
    }
    char c = text.ptr[(*at)++];
    if (c == 'u') {
        int32_t point = take_escaped_point(text, at);
        if (point < 0) {
            return false;
        }
        *used += utf8_put(point, scratch + *used); /* at most 4 bytes for 6 read */
        return true;
    }
    const char *found = c == '\0' ? NULL : strchr(letters, c);
    if (found == NULL) {
        return false;
    }
    scratch[(*used)++] = meanings[found - letters];
    return true;
}

/* A JSON string with *at behind its opening quote; the value goes to scratch, which holds a line */
static bool take_quoted(struct slice text, size_t *at, char *scratch, size_t *used,
                        struct slice *out)
{
    size_t start = *used;
    while (*at < text.len) {
        char c = text.ptr[(*at)++];
        if (c == '"') {
            *out = (struct slice){scratch + start, *used - start};
            return true;
        }
        if (c != '\\') {
            scratch[(*used)++] = c;
        } else if (!take_escape(text, at, scratch, used)) {
            return false;
        }
    }
    return false;
}

static struct slice take_until(struct slice text, size_t *at, char end)
{
    size_t start = *at;
    while (*at < text.len && text.ptr[*at] != end) {
        (*at)++;
    }
    return (struct slice){text.ptr + start, *at - start};
}

/* One " key=value" with *at on the blank; NULL, or what is wrong */
static const char *take_pair(struct journal_line *line, size_t *at, char *scratch, size_t *used)
{
    struct slice text = line->raw;
    if (line->count == JOURNAL_PAIRS_MAX) {
        return "more than 64 pairs";
    }
    (*at)++;
    struct slice key = take_until(text, at, '=');
    if (*at == text.len || !is_word(key)) {
        return "a word that is no key=value";
    }
    (*at)++;
    struct slice value;
    if (*at < text.len && text.ptr[*at] == '"') {
        (*at)++;
        if (!take_quoted(text, at, scratch, used, &value)) {
            return "a quoted value that does not end, or has a bad escape";
        }
    } else {
        value = take_until(text, at, ' ');
        if (needs_quotes(value)) {
            return "a value that should stand in quotes";
        }
    }
    if (*at < text.len && text.ptr[*at] != ' ') {
        return "something behind a value";
    }
    line->keys[line->count] = key;
    line->values[line->count] = value;
    line->count++;
    return NULL;
}

/* NULL, or what is wrong with line->raw; scratch holds JOURNAL_LINE_BYTES_MAX */
static const char *parse_line(struct journal_line *line, char *scratch)
{
    struct slice text = line->raw;
    size_t at = 0;
    size_t used = 0;
    line->count = 0;
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7F) {
            return "a control character";
        }
    }
    if (!utf8_is_valid(text)) {
        return "bytes that are no UTF-8";
    }
    struct slice time_text = take_until(text, &at, ' ');
    if (time_text.len == 0 || time_text.ptr[time_text.len - 1] != 'Z' ||
        instant_parse(time_text, &line->at_ns) != RC_OK) {
        return "no time in UTC at its beginning";
    }
    at += at < text.len;
    line->event = take_until(text, &at, ' ');
    if (!is_word(line->event)) {
        return "no event";
    }
    at += at < text.len;
    line->who = take_until(text, &at, ' ');
    if (!is_who(line->who)) {
        return "nobody who did it";
    }
    const char *fault = NULL;
    while (fault == NULL && at < text.len) {
        fault = take_pair(line, &at, scratch, &used);
    }
    return fault;
}

struct reading {
    enum rc (*fn)(void *ctx, const struct journal_line *line, struct err *err);
    void *ctx;
    struct journal_line line;
    char scratch[JOURNAL_LINE_BYTES_MAX]; /* unquoted values of one line: never longer than the line
                                           */
};

static enum rc read_line(struct reading *reading, struct slice raw, uint64_t number,
                         struct err *err)
{
    reading->line.raw = raw;
    reading->line.number = number;
    if (raw.len >= JOURNAL_LINE_BYTES_MAX) {
        return err_set(err, RC_CORRUPT,
                       "journal:%" PRIu64 ": a line longer than %d bytes; restore the journal",
                       number, JOURNAL_LINE_BYTES_MAX);
    }
    const char *fault = parse_line(&reading->line, reading->scratch);
    if (fault != NULL) {
        return err_set(err, RC_CORRUPT, "journal:%" PRIu64 ": %s; restore the journal", number,
                       fault);
    }
    return reading->fn(reading->ctx, &reading->line, err);
}

enum rc journal_read(struct slice bytes,
                     enum rc (*fn)(void *ctx, const struct journal_line *line, struct err *err),
                     void *ctx, struct journal_tail *tail, struct err *err)
{
    if (bytes.len > JOURNAL_BYTES_MAX) {
        return err_set(err, RC_RANGE, "journal: %zu bytes are more than %d", bytes.len,
                       JOURNAL_BYTES_MAX);
    }
    struct reading *reading = malloc(sizeof *reading);
    if (reading == NULL) {
        return err_set(err, RC_NOMEM, "journal: no memory for a line");
    }
    reading->fn = fn;
    reading->ctx = ctx;
    enum rc rc = RC_OK;
    uint64_t number = 0;
    size_t at = 0;
    while (rc == RC_OK && at < bytes.len) {
        const char *end = memchr(bytes.ptr + at, '\n', bytes.len - at);
        if (end == NULL) {
            break; /* torn by a crash */
        }
        struct slice raw = {bytes.ptr + at, (size_t)(end - (bytes.ptr + at))};
        number++;
        at += raw.len + 1;
        rc = read_line(reading, raw, number, err);
    }
    if (rc == RC_OK && tail != NULL) {
        *tail = (struct journal_tail){number, at, bytes.len - at};
    }
    free(reading);
    return rc;
}

/* --- the torn tail --- */

/* How many of the file's bytes are whole lines; reads its end */
static enum rc whole_bytes(int fd, uint64_t size, uint64_t *out, struct err *err)
{
    uint64_t from = size > JOURNAL_LINE_BYTES_MAX ? size - JOURNAL_LINE_BYTES_MAX : 0;
    struct buf end = BUF_EMPTY;
    enum rc rc = RC_OK;
    if (lseek(fd, (off_t)from, SEEK_SET) < 0) {
        return err_set(err, RC_TEMP, "its end cannot be read");
    }
    rc = fs_read_fd(fd, JOURNAL_LINE_BYTES_MAX, &end, err);
    if (rc == RC_OK) {
        size_t keep = end.len;
        while (keep > 0 && end.ptr[keep - 1] != '\n') {
            keep--;
        }
        if (keep == 0 && from > 0) {
            rc = err_set(err, RC_CORRUPT, "its last line is longer than %d bytes; restore it",
                         JOURNAL_LINE_BYTES_MAX);
        }
        *out = from + keep;
    }
    buf_release(&end);
    return rc;
}

enum rc journal_cut_torn_tail(int dirfd, size_t *out_cut, struct err *err)
{
    int fd = -1;
    enum rc rc = fs_open_beneath(dirfd, JOURNAL_FILE, O_RDWR, &fd, err);
    struct stat status;
    uint64_t keep = 0;
    if (rc == RC_OK && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) {
        rc = err_set(err, RC_PERM, "it is not a regular file");
    }
    if (rc == RC_OK) {
        rc = whole_bytes(fd, (uint64_t)status.st_size, &keep, err);
    }
    if (rc == RC_OK && keep < (uint64_t)status.st_size) {
        rc = fs_truncate(fd, keep, err);
    }
    if (rc != RC_OK) {
        fs_drop(&fd);
        return err_add(err, rc, "journal");
    }
    rc = fs_close(&fd, err);
    if (rc == RC_OK && out_cut != NULL) {
        *out_cut = (size_t)((uint64_t)status.st_size - keep);
    }
    return rc == RC_OK ? rc : err_add(err, rc, "journal");
}
