/*
 * read - journals for everybody else: many readers, no lock
 */
#ifndef POSTROOM_LEDGER_READ_H
#define POSTROOM_LEDGER_READ_H

#include "ledger/entry.h"

/* How far a file is whole. */
struct ledger_extent {
    uint64_t number;              /* entries; 0: none */
    char hash[SHA256_HEX_BYTES];  /* of the last one; 64 zeros for none */
    char date[LEDGER_DATE_BYTES]; /* of the last one; "" for none */
    uint64_t bytes;               /* of whole entries */
    uint64_t torn_bytes;          /* behind them: an append under way, or one that was cut short */
};

/* What was written down about the ledger outside it, e.g. in a manifest. */
struct ledger_witness {
    uint64_t number; /* 0: there was no entry yet */
    char hash[SHA256_HEX_BYTES];
    const char *from; /* where it was found, for the error text; borrowed */
};

/*
 * ledger_read - call fn for each whole entry, in order, the chain checked
 *
 * fd      open for reading, its offset is not used; borrowed
 * name    for error texts
 * fn      a result other than RC_OK ends the walk and is returned; NULL: only the extent
 * out     how far it is whole, also where the walk ended early; or NULL
 *
 * Returns RC_OK      to the end; a torn tail is left out and told in out->torn_bytes
 *         RC_CORRUPT FILE:LINE, entry, mend. A walk during which a full disk makes the writer cut
 *                    a group back may say this too: walk again
 *         RC_RANGE, RC_PERM, RC_IO, RC_NOMEM as ledger_open()
 * Cost    one pass
 */
enum rc ledger_read(int fd, const char *name,
                    enum rc (*fn)(void *ctx, const struct ledger_view *view, struct err *err),
                    void *ctx, struct ledger_extent *out, struct err *err) MUST_CHECK;

/*
 * ledger_verify - everything that can be said against a journal
 *
 * Finds any byte changed, entries removed, added, moved, unbalanced, a key twice; with a witness
 * also a tail cut off, a rollback and a history written anew.
 *
 * witnesses  in any order; borrowed
 * out        how far it is whole; or NULL
 *
 * Returns    RC_OK      whole, and every witness is met
 *            RC_CORRUPT FILE:LINE, entry and what was found, or the witness that is not met
 *            RC_STATE   whole and witnessed but for a torn tail: an append is under way, or
 *                       the daemon will cut it off at its next start
 *            RC_RANGE, RC_PERM, RC_IO, RC_NOMEM as ledger_open()
 * Cost       one pass, 16 bytes a key
 */
enum rc ledger_verify(int fd, const char *name, const struct ledger_witness *witnesses,
                      size_t count, struct ledger_extent *out, struct err *err) MUST_CHECK;

#endif
