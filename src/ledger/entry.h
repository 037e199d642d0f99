/*
 * entry - one entry of a journal: what is to be written, its text, and what is read back
 *
 * The text is what hledger and ledger read as it is (CONTRACT.md section 7):
 *
 *     2027-03-01 * (spring-letter/extraction/1) committed
 *         cost:committed:loyalty:spring-2027:spring-letter:envelope:c5      9.56 EUR
 *         due:committed:nord-routage:letter                                -9.56 EUR
 *         ; chain: 1 24f8bb60...                 (SHA-256, see scan.h)
 *                                                (one blank line ends the entry)
 *
 * A commodity of three capital letters (a currency) stands bare, any other in double quotes.
 */
#ifndef POSTROOM_LEDGER_ENTRY_H
#define POSTROOM_LEDGER_ENTRY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

enum {
    LEDGER_LINE_BYTES_MAX = 4096,    /* one line with its newline; also a bound for readers */
    LEDGER_POSTINGS_MAX = 4096,      /* of one entry: 1,000 cost types with surcharges fit twice */
    LEDGER_KEY_BYTES_MAX = 512,      /* four ids and their words, reversed more than once */
    LEDGER_ACCOUNT_BYTES_MAX = 1024, /* seven parts of 64 bytes fit twice */
    LEDGER_DESCRIPTION_BYTES_MAX = 1024,
    LEDGER_COMMODITY_BYTES_MAX = 64, /* an id or a currency code */
    LEDGER_DATE_BYTES = 11,          /* YYYY-MM-DD and NUL */
    LEDGER_ENTRY_BYTES_MAX = LEDGER_LINE_BYTES_MAX * (LEDGER_POSTINGS_MAX + 2)
};

struct ledger_posting {
    const char *account;   /* parts joined by ':', of A-Z a-z 0-9 . _ - / */
    int64_t amount;        /* minor units of a currency, or pieces */
    const char *commodity; /* NULL: the entry's, with the entry's digits */
    int digits;            /* minor digits of `commodity`; not looked at when that is NULL */
};

struct ledger_entry {
    const char *date;        /* YYYY-MM-DD */
    const char *key;         /* "spring-letter/extraction/1"; unique in its journal */
    const char *description; /* "committed", "opening", "reversed", "carried" */
    const char *commodity;   /* "EUR", "env-c5" */
    int digits;              /* minor digits: EUR 2, JPY 0, pieces 0; 0..4 */
    const struct ledger_posting *postings;
    size_t count;
};

/* A posting as it stands in a file; slices point into the reader's memory. */
struct ledger_line {
    struct slice account;
    struct slice commodity; /* without quotes */
    int64_t amount;         /* in units of 10^-digits */
    int digits;
};

/* An entry as it stands in a file; valid until the callback that got it returns. */
struct ledger_view {
    uint64_t number; /* from 1 */
    uint64_t line;   /* of its first line, from 1 */
    uint64_t offset; /* of its first byte */
    struct slice date;
    struct slice key;
    struct slice description;
    const struct ledger_line *lines;
    size_t count;
    const char *hash; /* 64 hex digits and NUL */
};

/*
 * ledger_entry_check - can the entry be written so that it is read back as it is?
 * Returns   RC_OK; RC_PERM no such date, a key, description, account or commodity with bytes that
 *           it may not have; RC_RANGE longer than its limit, fewer than 2 postings or more than
 *           LEDGER_POSTINGS_MAX. The text names the key and what is wrong.
 */
enum rc ledger_entry_check(const struct ledger_entry *entry, struct err *err) MUST_CHECK;

/* ledger_entry_is_balanced - the postings of each commodity sum to zero. Cost: postings x
 * commodities */
bool ledger_entry_is_balanced(const struct ledger_entry *entry);

/*
 * ledger_entry_write - append header and posting lines, through the newline before the chain line
 * date  what to write instead of entry->date (dates never go back)
 * Accounts are left-aligned, amounts right-aligned in one column.
 */
void ledger_entry_write(const struct ledger_entry *entry, const char *date, struct buf *out);

/*
 * ledger_header_parse - the first line of an entry, without its newline
 * Sets date, key and description of out. Returns RC_OK; RC_PERM it is none
 */
enum rc ledger_header_parse(struct slice line, struct ledger_view *out) MUST_CHECK;

/* ledger_line_parse - one posting line, without its newline. Returns RC_OK; RC_PERM it is none */
enum rc ledger_line_parse(struct slice line, struct ledger_line *out) MUST_CHECK;

/* ledger_view_is_balanced - as ledger_entry_is_balanced, of what was read */
bool ledger_view_is_balanced(const struct ledger_view *view);

/* An entry that owns its text. */
struct ledger_copy {
    struct arena arena;
    struct ledger_entry entry;
};

#define LEDGER_COPY_EMPTY ((struct ledger_copy){.arena = ARENA_EMPTY})

/* ledger_copy_view - keep what a reader showed; out is LEDGER_COPY_EMPTY. RC_OK; RC_NOMEM */
enum rc ledger_copy_view(const struct ledger_view *view, struct ledger_copy *out,
                         struct err *err) MUST_CHECK;

/*
 * ledger_reversal - the entry that undoes another: KEY/reversed, all signs flipped, same accounts
 *
 * entry    borrowed; may be released afterwards
 * date     YYYY-MM-DD of the reversal
 * out      LEDGER_COPY_EMPTY; release it with ledger_copy_release()
 * Returns  RC_OK; RC_RANGE the key gets too long, or an amount has no opposite; RC_NOMEM
 */
enum rc ledger_reversal(const struct ledger_entry *entry, const char *date, struct ledger_copy *out,
                        struct err *err) MUST_CHECK;

/* ledger_copy_release - free it; it is LEDGER_COPY_EMPTY afterwards */
void ledger_copy_release(struct ledger_copy *copy);

#endif
