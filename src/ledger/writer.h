/*
 * writer - what the files of the ledger's writer share (ledger.c, open.c); not for other rooms
 */
#ifndef POSTROOM_LEDGER_WRITER_H
#define POSTROOM_LEDGER_WRITER_H

#include "ledger/index.h"
#include "ledger/ledger.h"
#include "ledger/tally.h"

struct ledger {
    int fd; /* O_RDWR | O_APPEND */
    char name[LEDGER_NAME_BYTES_MAX + 1];
    uint64_t end; /* bytes of the file; everything before it is whole and on disk */
    struct ledger_head head;
    struct ledger_index index;
    struct tally stock; /* account stock:STOCK:LINE -> pieces in sums[0] */
    struct sha256 *sha;
    struct buf text; /* of the group being appended */
    bool is_stopped; /* a sync failed: nothing is written any more */
};

/* ledger_key_stands - ledger_has_key with the key's hash at hand; the offset where it stands */
enum rc ledger_key_stands(const struct ledger *ledger, struct slice key, uint64_t hash, bool *out,
                          uint64_t *out_offset, struct err *err) MUST_CHECK;

/* ledger_is_stock_account - does the account count for ledger_stock()? */
bool ledger_is_stock_account(struct slice account);

#endif
