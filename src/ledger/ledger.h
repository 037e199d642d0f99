/*
 * ledger - the one writer of a journal (cost.journal, stock.journal)
 *
 * The file is only ever appended to: whole groups of entries by one write and one fdatasync,
 * chained by SHA-256 (scan.h). What is not whole at the end is cut off at open and kept aside; what
 * is damaged anywhere else is never touched.
 *
 * One writer: the caller holds the spool's lock. The file's length is compared before each append,
 * so that a second writer is noticed rather than overwritten.
 */
#ifndef POSTROOM_LEDGER_LEDGER_H
#define POSTROOM_LEDGER_LEDGER_H

#include "ledger/entry.h"

enum {
    LEDGER_NAME_BYTES_MAX = 100, /* of the file; NAME.torn-TIME.N has to fit 255 */
    LEDGER_TIME_BYTES_MAX = 40,
    LEDGER_GROUP_MAX = 1 << 16,       /* entries of one append */
    LEDGER_GROUP_BYTES_MAX = 1 << 26, /* bytes of one append: 64 MiB in memory */
    LEDGER_TORN_MAX = 100             /* files kept aside with the same TIME */
};

struct ledger;

/* What ledger_open() cut off. */
struct ledger_recovery {
    bool is_cut;
    uint64_t bytes;    /* cut off */
    uint64_t entries;  /* whole ones that stay */
    char kept_as[256]; /* the file in the same directory that holds them; "" when nothing was cut */
};

struct ledger_receipt {
    uint64_t number;
    char hash[SHA256_HEX_BYTES];
    char date[LEDGER_DATE_BYTES]; /* as written: never before the last entry's */
};

struct ledger_head {
    uint64_t number;              /* 0: no entry yet */
    char hash[SHA256_HEX_BYTES];  /* 64 zeros for no entry */
    char date[LEDGER_DATE_BYTES]; /* "" for no entry */
};

/*
 * ledger_open - open or make the journal for writing, check all of it, mend a torn tail
 *
 * dirfd      the ledger's directory, readable (it is synced); borrowed for this call
 * name       "cost.journal"
 * time_text  what NAME.torn-TIME is to be called, e.g. "20270301T210000Z": A-Z a-z 0-9 . _ -
 *            (asserted)
 * out        the writer, freed by ledger_close(); NULL on failure
 * recovery   what was cut off, for the log; or NULL
 *
 * Returns    RC_OK
 *            RC_CORRUPT  the chain breaks: FILE:LINE, entry number, mend. Nothing was changed.
 *                        Also: a key stands twice, a date goes back, no header line
 *            RC_PERM     not a regular file, a symlink, no permission
 *            RC_TEMP     the torn tail cannot be kept aside (full disk): nothing was changed
 *            RC_EXISTS   LEDGER_TORN_MAX files of that TIME lie there
 *            RC_RANGE    more keys or larger entries than the limits
 *            RC_IO       a read or a sync failed;  RC_NOMEM
 * Cost       one pass: 40 MB in about 0.1 s; 16 bytes a key, at most 7/8 full
 */
enum rc ledger_open(int dirfd, const char *name, const char *time_text, struct ledger **out,
                    struct ledger_recovery *recovery, struct err *err) MUST_CHECK;

/* ledger_close - free the writer; NULL allowed. Everything appended is on disk already. */
void ledger_close(struct ledger *ledger);

/* ledger_head - number, hash and date of the last entry: the witness for manifests */
void ledger_head(const struct ledger *ledger, struct ledger_head *out);

/*
 * ledger_has_key - does an entry of this key stand in the file?
 * Returns   RC_OK with the answer (exact: the key is read from the file); RC_IO, RC_CORRUPT the
 *           file is not what it was
 * Cost      1 probe; 1 read where it stands
 */
enum rc ledger_has_key(const struct ledger *ledger, const char *key, bool *out,
                       struct err *err) MUST_CHECK;

/*
 * ledger_find - the entry of a key, as it stands
 * out       LEDGER_COPY_EMPTY; released with ledger_copy_release()
 * Returns   RC_OK; RC_GONE no such key; RC_CORRUPT, RC_IO the file is not what it was; RC_NOMEM
 * Cost      1 probe, 1 read of the entry
 */
enum rc ledger_find(const struct ledger *ledger, const char *key, struct ledger_copy *out,
                    struct err *err) MUST_CHECK;

/*
 * ledger_append - write a group of entries: one write, one fdatasync
 *
 * entries   each balanced in each commodity (asserted); a date before the last entry's is raised to
 *           it
 * receipts  room for `count`, or NULL; meaningful only after RC_OK
 *
 * Returns   RC_OK      all are on disk
 *           RC_EXISTS  a key stands already, or twice in the group; nothing was written
 *           RC_PERM    an entry that cannot be written (ledger_entry_check); nothing was written
 *           RC_RANGE   also a group over LEDGER_GROUP_MAX or LEDGER_GROUP_BYTES_MAX; the same
 *           RC_TEMP    no space, or a short write: cut back, nothing was written; try again later
 *           RC_CORRUPT the file is longer or shorter than we left it: somebody else wrote
 *           RC_IO      fdatasync, or the cut after a failed write, failed: on disk or not, unknown
 *           RC_NOMEM   nothing was written
 *           After RC_CORRUPT and RC_IO every further append is refused with RC_IO: stop the
 *           process, open again.
 * Cost      1 fstat, 1 write, 1 fdatasync for the group
 */
enum rc ledger_append(struct ledger *ledger, const struct ledger_entry *entries, size_t count,
                      struct ledger_receipt *receipts, struct err *err) MUST_CHECK;

/*
 * ledger_stock - pieces in stock now: the sum of the account stock:STOCK:LINE in all commodities
 * stock, line  ids. 0 for an account that was never used. Cost: 1 probe, no reading
 */
int64_t ledger_stock(const struct ledger *ledger, const char *stock, const char *line);

#endif
