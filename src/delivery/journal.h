/*
 * journal - a delivery's history: one line an event, appended by the daemon alone (docs/SPOOL.md)
 *
 *     TIME EVENT WHO key=value key="value with a blank" ...
 *
 * TIME is UTC with microseconds. A value that is empty or holds a blank, a quote, a backslash, a
 * control character or bytes that are no UTF-8 is written as a JSON string (in which such bytes
 * become U+FFFD). Nothing is synced here: the caller's group sync makes a line durable.
 */
#ifndef POSTROOM_DELIVERY_JOURNAL_H
#define POSTROOM_DELIVERY_JOURNAL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

enum {
    JOURNAL_LINE_BYTES_MAX =
        64 * 1024, /* with its newline; a comment of an approval file fits escaped */
    JOURNAL_PAIRS_MAX = 64,
    JOURNAL_WORD_BYTES_MAX = 64,          /* event, who, key */
    JOURNAL_BYTES_MAX = 64 * 1024 * 1024, /* of a file: some 500,000 events */
    JOURNAL_MODE = 0640
};

#define JOURNAL_FILE "journal"
#define JOURNAL_DAEMON "postroomd" /* WHO when nobody decided */

/* --- writing --- */

/* Lines being made; several may follow each other. */
struct journal_writer {
    struct buf lines;  /* whole lines, and the one being made */
    size_t line_start; /* where that one begins */
    size_t pair_count;
    bool is_bad_word; /* a WHO that cannot stand in a line */
};

#define JOURNAL_WRITER_EMPTY ((struct journal_writer){BUF_EMPTY, 0, 0, false})

void journal_writer_release(struct journal_writer *writer);

/*
 * journal_begin - begin a line
 * event  a word of a-z 0-9 - _ (asserted: event_name() gives one)
 * who    an operator's name, or JOURNAL_DAEMON
 */
void journal_begin(struct journal_writer *writer, int64_t at_ns, const char *event,
                   const char *who);

/* journal_put - add key=value; key is a word as above (asserted) */
void journal_put(struct journal_writer *writer, const char *key, struct slice value);
/* journal_put_text - NULL adds nothing */
void journal_put_text(struct journal_writer *writer, const char *key, const char *value);
void journal_put_u64(struct journal_writer *writer, const char *key, uint64_t value);

/*
 * journal_end - end the line
 * Returns RC_OK; RC_RANGE longer than JOURNAL_LINE_BYTES_MAX or more than JOURNAL_PAIRS_MAX;
 * RC_PERM `who` is no word; RC_NOMEM. After a failure the line is gone and those before it stand
 * (not after RC_NOMEM).
 */
enum rc journal_end(struct journal_writer *writer, struct err *err) MUST_CHECK;

/*
 * journal_append - add whole lines to the journal in dirfd (made with mode 0640 where missing); not
 * synced
 *
 * lines   ends with a newline (asserted); empty: nothing is done
 * Returns RC_OK; RC_RANGE the file would pass JOURNAL_BYTES_MAX; RC_TEMP nothing was added;
 * RC_PERM; RC_IO the end of the file is unknown: stop
 */
enum rc journal_append(int dirfd, struct slice lines, struct err *err) MUST_CHECK;

/* --- reading --- */

/* One line; all of it borrowed during the callback. */
struct journal_line {
    uint64_t number; /* from 1 */
    int64_t at_ns;
    struct slice event;
    struct slice who;
    struct slice keys[JOURNAL_PAIRS_MAX];
    struct slice values[JOURNAL_PAIRS_MAX]; /* unquoted */
    size_t count;
    struct slice raw; /* without the newline */
};

/* What journal_read found at the end. */
struct journal_tail {
    uint64_t line_count; /* whole lines */
    size_t whole_bytes;  /* of them, with newlines */
    size_t torn_bytes;   /* after the last newline: 0, or a line cut off by a crash */
};

/* journal_value - the value of the first pair with that key; false where there is none */
bool journal_value(const struct journal_line *line, const char *key, struct slice *out);

/*
 * journal_read - call fn for each whole line
 *
 * bytes    the file
 * fn       a result other than RC_OK ends the reading and is returned, with fn's own text
 * tail     filled when all whole lines were read; may be NULL. A last line without newline is not
 * handed to fn. Returns  RC_OK; RC_CORRUPT a whole line is damaged ("journal:LINE: what"); RC_RANGE
 * the file is longer than JOURNAL_BYTES_MAX; RC_NOMEM; what fn returned Cost     one pass
 */
enum rc journal_read(struct slice bytes,
                     enum rc (*fn)(void *ctx, const struct journal_line *line, struct err *err),
                     void *ctx, struct journal_tail *tail, struct err *err) MUST_CHECK;

/*
 * journal_cut_torn_tail - cut off a last line without newline, at start; not synced
 *
 * out_cut  bytes cut, 0: none; may be NULL
 * Returns  RC_OK; RC_GONE there is no journal; RC_CORRUPT the tail is longer than any line: nothing
 * was cut; RC_TEMP, RC_PERM, RC_NOMEM, RC_IO Cost     reads the last 64 KiB at most
 */
enum rc journal_cut_torn_tail(int dirfd, size_t *out_cut, struct err *err) MUST_CHECK;

#endif
