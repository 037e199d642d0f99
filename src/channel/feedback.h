/*
 * feedback - a file dropped in outbox/feedback/CHANNEL/: what came back of messages
 *
 * CSV with a header; needed are key or address (or both), and status: bounced, complained,
 * unsubscribed or delivered. reason, delivery and reference (ID-n) may stand beside, other columns
 * are passed over. Of who is delivered the reference alone is enough. A file is taken whole or
 * refused whole. The door itself is looked at by spool/door.h, like any other; who takes the file
 * hands its descriptor here.
 */
#ifndef POSTROOM_CHANNEL_FEEDBACK_H
#define POSTROOM_CHANNEL_FEEDBACK_H

#include "base/arena.h"
#include "base/err.h"

#include <stdint.h>

enum {
    FEEDBACK_ROWS_MAX = 1000000,                   /* of one file */
    FEEDBACK_BYTES_MAX = 256 * 1024 * 1024,        /* of one file, as it lies */
    FEEDBACK_MEMORY_BYTES_MAX = 256 * 1024 * 1024, /* of what was read */
    FEEDBACK_ADDRESS_BYTES_MAX = 4096,             /* of a key or address: push tokens are long */
    FEEDBACK_REASON_BYTES_MAX = 200                /* kept of a reason */
};

enum feedback_status {
    FEEDBACK_BOUNCED = 0,
    FEEDBACK_COMPLAINED,
    FEEDBACK_UNSUBSCRIBED,
    FEEDBACK_DELIVERED,
    FEEDBACK_STATUSES
};

/* feedback_status_name - "bounced", ...; never NULL */
const char *feedback_status_name(enum feedback_status status);

struct feedback_row {
    uint64_t line;
    const char *key;      /* "" where there is none; then there is an address */
    const char *address;  /* "" where there is none */
    const char *reason;   /* "" none */
    const char *delivery; /* "" none; else a valid id: that of the reference, where there is one */
    uint32_t number;      /* delivered: of the reference; 0: there is none */
    enum feedback_status status;
};

struct feedback {
    struct arena arena; /* owns all texts */
    struct feedback_row *rows;
    size_t count;
    size_t counts[FEEDBACK_STATUSES];
};

#define FEEDBACK_EMPTY ((struct feedback){ARENA_EMPTY, NULL, 0, {0}})

/*
 * feedback_read - a whole file
 *
 * fd       borrowed for the call
 * name     for error texts
 * out      FEEDBACK_EMPTY; release it
 * Returns  RC_OK; RC_PERM "NAME:LINE: what; mend": nothing of it is taken; RC_RANGE the same, more
 *          rows or bytes than above; RC_TEMP, RC_IO it cannot be read now; RC_NOMEM
 */
enum rc feedback_read(int fd, const char *name, struct feedback *out, struct err *err) MUST_CHECK;
void feedback_release(struct feedback *feedback);

/* feedback_quarantines - this status ends the use of an address: all but delivered */
bool feedback_quarantines(enum feedback_status status);

#endif
