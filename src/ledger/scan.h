/*
 * scan - walk a journal once from its first byte, checking the chain
 *
 * The chain line of entry N holds N and SHA-256 over the 64 hex digits of entry N-1 (64 zeros
 * before the first) followed by the entry's bytes through the newline before the chain line.
 *
 * How a file may end, and what it is then (CONTRACT.md section 7):
 *
 *     ...; chain: 7 HEX \n \n          whole
 *     ... without chain line or blank  torn: an append was cut short; the tail may be cut off
 *     anything else                    corrupt: also where the last chain line is there but damaged
 *
 * The walk reads what the file held when it was opened: an append meanwhile is not seen. Shared by
 * the writer, the readers and verify; not for other rooms.
 */
#ifndef POSTROOM_LEDGER_SCAN_H
#define POSTROOM_LEDGER_SCAN_H

#include "ledger/entry.h"

struct ledger_scan {
    int fd;           /* borrowed; read with pread */
    const char *name; /* borrowed; for error texts */
    uint64_t limit;   /* bytes of the file when the walk began */
    char *window;
    size_t capacity;
    size_t used;            /* bytes in the window */
    size_t at;              /* next entry in the window */
    uint64_t window_offset; /* of window[0] in the file */
    struct sha256 *sha;
    /* what was whole so far */
    uint64_t number;
    uint64_t line_count;
    char hash[SHA256_HEX_BYTES];
    char date[LEDGER_DATE_BYTES]; /* of the last entry; "" before the first */
    /* the entry that ledger_scan_next() gave */
    struct slice text; /* its header and postings, through the newline before the chain line */
    struct ledger_line *lines; /* room for LEDGER_POSTINGS_MAX, made by ledger_scan_lines() */
};

#define LEDGER_SCAN_EMPTY ((struct ledger_scan){.fd = -1})

/*
 * ledger_scan_open - begin at the file's first byte
 * scan      LEDGER_SCAN_EMPTY; always released by ledger_scan_release()
 * Returns   RC_OK; RC_PERM not a regular file; RC_IO it cannot be read; RC_NOMEM
 */
enum rc ledger_scan_open(struct ledger_scan *scan, int fd, const char *name,
                         struct err *err) MUST_CHECK;

void ledger_scan_release(struct ledger_scan *scan);

/*
 * ledger_scan_next - the next whole entry: header parsed, chain checked, no postings yet
 *
 * out       valid until the next call
 * Returns   RC_OK
 *           RC_GONE     the file ends here, whole
 *           RC_STATE    the rest is a torn tail: it begins at ledger_scan_offset()
 *           RC_CORRUPT  the chain breaks here: FILE:LINE, entry, what to do
 *           RC_RANGE    an entry is larger than LEDGER_ENTRY_BYTES_MAX, yet whole
 *           RC_IO       the file cannot be read;  RC_NOMEM
 * Cost      amortised O(bytes): one read, one SHA-256
 */
enum rc ledger_scan_next(struct ledger_scan *scan, struct ledger_view *out,
                         struct err *err) MUST_CHECK;

/* ledger_scan_offset - end of the last whole entry, in bytes */
uint64_t ledger_scan_offset(const struct ledger_scan *scan);

/*
 * ledger_scan_lines - parse the postings of the entry just given into view->lines
 * Returns   RC_OK; RC_CORRUPT a line that is no posting; RC_RANGE more than LEDGER_POSTINGS_MAX;
 *           RC_NOMEM
 */
enum rc ledger_scan_lines(struct ledger_scan *scan, struct ledger_view *view,
                          struct err *err) MUST_CHECK;

/* ledger_chain_hash - the hash of an entry's text after `previous`; out may be previous */
void ledger_chain_hash(struct sha256 *sha, const char *previous, struct slice text,
                       char out[SHA256_HEX_BYTES]);

/* ledger_chain_write - the chain line and the blank line that end an entry */
void ledger_chain_write(uint64_t number, const char *hash, struct buf *out);

/* LEDGER_HASH_NONE - what stands before the first entry */
extern const char LEDGER_HASH_NONE[SHA256_HEX_BYTES];

#endif
