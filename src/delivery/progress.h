/*
 * progress - the file `progress` of an online delivery: who was tried, and what became of it
 *
 * Append-only text, written in groups that are on disk as a whole or not at all. The intent to send
 * to somebody is committed before a byte of it leaves, the result after; so what a crash leaves
 * without a result is uncertain, and nobody else is. Recipients stand in it by number alone, from 1
 * in the order of the list (sending/recipients.csv). docs/SPOOL.md has the grammar.
 *
 *               .-------- untried -------.
 *               v                        |
 *     unsent --+---> try ---> intended --+---> sent ---> delivered, undelivered
 *       |      ^                 |       +---> permanent
 *       |      |                 |       '---> temporary ---> try, permanent, expired, suppressed
 *       |      '-- resend --.    v
 *       |                   '- uncertain --- hold ---> held --- resend ---> temporary
 *       '---> expired, suppressed, permanent
 *
 * What is known of a message after it was sent is a receipt. Those that come to the worker that
 * sent it stand in `progress`, those that come another way in `receipts`, which has the same
 * grammar, is read behind it and has one writer too: the daemon.
 *
 * (sys/progress.h is something else: counters in memory.)
 */
#ifndef POSTROOM_DELIVERY_PROGRESS_H
#define POSTROOM_DELIVERY_PROGRESS_H

#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRESS_FILE "progress"
#define PROGRESS_RECEIPTS_FILE "receipts"

enum {
    PROGRESS_MODE = 0640,
    PROGRESS_RECIPIENTS_MAX = 100000000, /* of one delivery: 1.2 GB of states */
    PROGRESS_TEXT_BYTES_MAX = 120,       /* of a server's reply, behind that it is cut */
    PROGRESS_CODE_MAX = 65535,
    PROGRESS_TRIES_MAX = 255,
    PROGRESS_PARTS_MAX = 32, /* of a message, that receipts are told apart by: bits of an entry */
    PROGRESS_ID_BYTES_MAX = 64, /* of what the other side calls a part (SMPP 3.4 5.2.23) */
    PROGRESS_LINE_BYTES = 200,  /* at most, with its newline */
    PROGRESS_GROUP_BYTES_MAX = 1024 * 1024 /* of one commit: about 20,000 results */
};

enum progress_state {
    PROGRESS_UNSENT = 0,
    PROGRESS_INTENDED, /* being sent now; found at a start: uncertain */
    PROGRESS_SENT,
    PROGRESS_TEMPORARY, /* tried again at next_s */
    PROGRESS_PERMANENT,
    PROGRESS_UNCERTAIN,   /* nobody knows; waits for a decision */
    PROGRESS_HELD,        /* nobody knows, and it is not sent again */
    PROGRESS_EXPIRED,     /* too late */
    PROGRESS_SUPPRESSED,  /* became unwanted while the delivery was sending */
    PROGRESS_DELIVERED,   /* sent, and all of it has arrived */
    PROGRESS_UNDELIVERED, /* sent, and the other side gave it up */
    PROGRESS_STATES
};

/* progress_state_name - "unsent", "intended", "sent", ...; never NULL */
const char *progress_state_name(enum progress_state state);

/* What is known of one recipient. */
struct progress_entry {
    uint32_t at_s; /* of the last record, seconds since 1970; 0: none */
    union {
        uint32_t next_s; /* temporary: not tried before */
        uint32_t parts;  /* sent: bits of those that have arrived, the first is 1 */
    };
    uint16_t code;           /* of the last result; 0: none */
    uint8_t state : 7;       /* enum progress_state */
    uint8_t is_doubtful : 1; /* one of its tries was uncertain, and none was `sent` since */
    uint8_t tries;           /* intents that count; stays at PROGRESS_TRIES_MAX */
};

struct progress_table {
    struct progress_entry *entries; /* that of number n at n - 1 */
    uint32_t total;
    uint32_t counts[PROGRESS_STATES];
};

#define PROGRESS_TABLE_EMPTY ((struct progress_table){NULL, 0, {0}})

/*
 * progress_table_load - read a delivery's progress, whether or not somebody is writing it
 *
 * dirfd    the delivery's directory
 * out      release it; with what `receipts` says, where it is there; torn tails are left out
 * Returns  RC_OK; RC_GONE nothing was begun; RC_CORRUPT "progress: byte N: what"; RC_PERM no
 *          regular file; RC_TEMP; RC_NOMEM
 * Cost     1,000,000 recipients with two records each: about 0.1 s, 12 MB
 */
enum rc progress_table_load(int dirfd, struct progress_table *out, struct err *err) MUST_CHECK;
void progress_table_release(struct progress_table *table);

/* progress_table_sent - taken by the other side, whatever became of it then */
uint32_t progress_table_sent(const struct progress_table *table);

/* What the other side calls a part of a message. */
struct progress_id {
    uint32_t number;
    uint32_t part;
    struct slice id;
};

/* Who wants to know of each. at: where its line begins in the file */
struct progress_ids {
    void (*take)(void *ctx, const struct progress_id *id, uint64_t at);
    void *ctx;
};

/* progress_ids_read - every `id` of a delivery's progress, in their order. Results as
 * progress_table_load */
enum rc progress_ids_read(int dirfd, const struct progress_ids *ids, struct err *err) MUST_CHECK;

/* What is recorded. */
enum progress_act {
    PROGRESS_ACT_TRY,        /* the intent; nothing may leave before the commit */
    PROGRESS_ACT_SENT,       /* results, each behind an intent */
    PROGRESS_ACT_TEMPORARY,  /* next_ns says when to try again */
    PROGRESS_ACT_PERMANENT,  /* also without an intent: cannot be made, or given up */
    PROGRESS_ACT_UNCERTAIN,  /* also by progress_log_open, of what a crash left */
    PROGRESS_ACT_UNTRIED,    /* not a byte of it left after all: the intent does not count */
    PROGRESS_ACT_EXPIRED,    /* not_after is there */
    PROGRESS_ACT_SUPPRESSED, /* text: the cause */
    PROGRESS_ACT_RESEND,     /* decisions on uncertain and held ones */
    PROGRESS_ACT_HOLD,
    PROGRESS_ACT_ID,          /* a line of PROGRESS_ACT_SENT; not to be added by itself */
    PROGRESS_ACT_DELIVERED,   /* receipts; code: of which part, 0 of all of the message */
    PROGRESS_ACT_UNDELIVERED, /* text: the other side's word */
    PROGRESS_ACTS
};

struct progress_record {
    enum progress_act act;
    uint32_t number;   /* of the recipient, 1..total */
    int64_t at_ns;     /* now; kept to the second */
    uint32_t code;     /* results: the reply's, 0 none; above PROGRESS_CODE_MAX it is cut down */
    int64_t next_ns;   /* PROGRESS_ACT_TEMPORARY, PROGRESS_ACT_RESEND: not tried before */
    struct slice text; /* results: the reply's; any bytes. Addresses and long numbers in it are
                          blotted out, control characters and what is no ASCII become '?' */
    struct slice ids;  /* PROGRESS_ACT_SENT: "1 m-7 2 m-8", part and what the other side calls it,
                          at most PROGRESS_PARTS_MAX; printable ASCII. They are on disk with the
                          result or not at all. */
};

/* The file while it is written: one writer. */
struct progress_log;

/*
 * progress_log_open - begin or go on
 *
 * total    recipients in the list, 1..PROGRESS_RECIPIENTS_MAX (asserted)
 * now_ns   wall clock
 * ids      told every `id` that is read, and that is added later; NULL: nobody wants them
 * A torn tail is cut off. What was intended and has no result is recorded as uncertain (and
 * committed): ask the counts. A new file and its name are on disk.
 * Returns  RC_OK; RC_CORRUPT also: it is about another number of recipients; RC_PERM; RC_TEMP;
 *          RC_NOMEM; RC_IO stop this process
 */
enum rc progress_log_open(int dirfd, uint32_t total, int64_t now_ns, const struct progress_ids *ids,
                          struct progress_log **out, struct err *err) MUST_CHECK;

/*
 * progress_receipts_open - the file `receipts` of a delivery that sends or has sent, to add to
 *
 * Its table is that of progress_table_load, whether or not a worker is writing `progress`; only
 * PROGRESS_ACT_DELIVERED and PROGRESS_ACT_UNDELIVERED may be added (asserted). Its name is on disk.
 * Returns  as progress_log_open; RC_GONE nothing was begun
 */
enum rc progress_receipts_open(int dirfd, struct progress_log **out, struct err *err) MUST_CHECK;

/* progress_log_free - close; what was not committed is lost. NULL is allowed */
void progress_log_free(struct progress_log *log);

/* progress_log_table - as it is with everything added so far; borrowed */
const struct progress_table *progress_log_table(const struct progress_log *log);

/*
 * progress_log_add - put one record into the group
 * Returns  RC_OK; RC_STATE not allowed in the recipient's state, or a receipt that is known
 *          (nothing is recorded); RC_RANGE no
 *          such number, or the group is full: commit first; RC_NOMEM open it again; RC_IO a commit
 *          failed before
 */
enum rc progress_log_add(struct progress_log *log, const struct progress_record *record,
                         struct err *err) MUST_CHECK;

/*
 * progress_log_commit - the group onto the disk
 * Returns  RC_OK also where there is nothing; RC_TEMP nothing was written, the group is kept: call
 *          again; RC_NOMEM; RC_IO stop this process
 * Cost     1 write, 1 fdatasync; twice that where a sealed group is there, too
 */
enum rc progress_log_commit(struct progress_log *log, struct err *err) MUST_CHECK;

/*
 * progress_log_seal - end the group: what is added from now on belongs to the next one
 * Not before the one sealed earlier is on disk (asserted). RC_OK, also where there is nothing;
 * RC_NOMEM
 *
 * progress_log_write - the sealed group onto the disk: the second half of progress_log_commit, and
 * the one call that another thread may make while this one adds records. Nobody else calls
 * progress_log_commit, _seal, _waiting or _free meanwhile. Results and cost as progress_log_commit
 */
enum rc progress_log_seal(struct progress_log *log, struct err *err) MUST_CHECK;
enum rc progress_log_write(struct progress_log *log, struct err *err) MUST_CHECK;

/*
 * progress_log_id - the `id` whose line begins at `at`, on disk or not yet
 *
 * store    what out->id points to
 * Returns  false: there is none (any more)
 * Cost     1 system call where it is on disk
 */
bool progress_log_id(const struct progress_log *log, uint64_t at, char store[PROGRESS_LINE_BYTES],
                     struct progress_id *out);

/* progress_log_waiting - records that are not committed yet */
size_t progress_log_waiting(const struct progress_log *log);

/*
 * progress_table_next - the first number from `from` on, and not above `upto`, that may be tried at
 * now_ns: unsent, or temporary and due. 0: none. Cost: O(numbers passed over)
 */
uint32_t progress_table_next(const struct progress_table *table, uint32_t from, uint32_t upto,
                             int64_t now_ns);

/* progress_table_retry - when the first temporary one of 1..upto is due, ns; INSTANT_NONE: there is
 * none. Cost: O(upto) */
int64_t progress_table_retry(const struct progress_table *table, uint32_t upto);

#endif
