/*
 * progress_inner - what reader and writer of `progress` share (inside delivery only)
 *
 *     group LEN LINES HASH HEAD      fixed width; LEN bytes and LINES lines follow
 *     recipients 1000                in the first group alone, first
 *     @ 2027-03-01T08:00:00Z         the time of what follows, to the second
 *     try 17 1
 *     sent 17 250 2.0.0 Ok
 *
 * HASH is that of the bytes that follow, HEAD that of the header before it, both seeded with the
 * HEAD of the group before (0 for the first), so that no group can be left out, doubled or moved.
 */
#ifndef POSTROOM_DELIVERY_PROGRESS_INNER_H
#define POSTROOM_DELIVERY_PROGRESS_INNER_H

#include "delivery/progress.h"

enum {
    PROGRESS_HEAD_BYTES = 56,  /* "group 00000057 000003 0123456789abcdef 0123456789abcdef\n" */
    PROGRESS_HEAD_HASHED = 39, /* of it, before HEAD */
    PROGRESS_GROUP_LINES_MAX = 999999,
    PROGRESS_IDS_BYTES_MAX = PROGRESS_PARTS_MAX * (PROGRESS_ID_BYTES_MAX + 24) /* their lines */
};

/* A kind of record: its word in the file, where it may happen, where it leads. */
struct progress_kind {
    const char *word;
    unsigned from;   /* set of states, 1 << state */
    uint8_t to;      /* enum progress_state */
    uint8_t numbers; /* behind the recipient's: tries; code; code and seconds; part */
};

extern const struct progress_kind progress_kinds[PROGRESS_ACTS];

/* A record as it stands in the file. */
struct progress_step {
    enum progress_act act;
    uint32_t number;
    uint32_t at_s;
    uint32_t first; /* code, or which try, or which part */
    uint32_t wait_s;
};

/* progress_apply - fold one record; NULL, or why it cannot be */
const char *progress_apply(struct progress_table *table, const struct progress_step *step);

/* progress_is_of_part - its number is that of a part, not a code */
bool progress_is_of_part(enum progress_act act);

/* progress_may_follow - in the state that its recipient has */
bool progress_may_follow(const struct progress_table *table, const struct progress_step *step);

/* progress_table_open - all unsent; RC_OK, RC_NOMEM */
enum rc progress_table_open(struct progress_table *table, uint32_t total,
                            struct err *err) MUST_CHECK;

/* Where a reading ended. */
struct progress_end {
    uint64_t whole_bytes; /* of whole groups */
    uint64_t torn_bytes;  /* behind them */
    uint64_t chain;       /* HEAD of the last */
    uint32_t at_s;
};

/* progress_read_id - a line of PROGRESS_ACT_ID, without its newline; false: it is none */
bool progress_read_id(struct slice line, struct progress_id *out);

/* progress_read - fold a file from its beginning; `table` is empty or becomes what was read. ids:
 * told of, or NULL */
enum rc progress_read(int fd, const struct progress_ids *ids, struct progress_table *table,
                      struct progress_end *out, struct err *err) MUST_CHECK;

/* progress_read_receipts - fold `receipts` over the table of its delivery's progress */
enum rc progress_read_receipts(int fd, struct progress_table *table, struct progress_end *out,
                               struct err *err) MUST_CHECK;

/* progress_head - the header of a group into out; returns its HEAD */
uint64_t progress_head(char out[PROGRESS_HEAD_BYTES + 1], struct slice body, uint32_t lines,
                       uint64_t chain);

#endif
