/*
 * refuse - what cannot be accepted goes to refused/, with its reason beside; nothing is ever
 * deleted
 */
#ifndef POSTROOM_SPOOL_REFUSE_H
#define POSTROOM_SPOOL_REFUSE_H

#include "spool/tree.h"

#include <stdbool.h>

enum {
    REFUSE_NAME_BYTES = 256,
    REFUSE_NUMBER_MAX = 100000, /* NAME.2 ... NAME.100000: refusals of one name */
    REFUSE_REASON_BYTES_MAX = 16384
};

struct refusal {
    char name[REFUSE_NAME_BYTES]; /* in refused/: NAME, or NAME.2, NAME.3 where taken; the reason is
                                     NAME.reason */
    bool has_stayed; /* the drop could not be moved and still lies in its door; only the reason was
                        written */
};

/*
 * spool_refuse - write NAME.reason, then move door/NAME to refused/NAME
 *
 * name    as it lies in the door, raw bytes; in refused/ control characters, slashes, backslashes
 *         and bytes that are no UTF-8 become '_', so does a leading '.' or '-'; cut at 200 bytes
 * reason  text; its lines are kept, other control characters escaped, a newline added; cut at
 *         REFUSE_REASON_BYTES_MAX
 * Not synced: a crash leaves at most a reason without its drop, and the same call after it uses
 * that name again.
 *
 * Returns RC_OK
 *         RC_GONE   there is no such drop (any more)
 *         RC_TEMP   nothing moved, try again
 *         RC_RANGE  REFUSE_NUMBER_MAX passed;  RC_NOMEM
 *         RC_IO     outcome of the rename unknown
 */
enum rc spool_refuse(const struct spool *spool, int door, const char *name, const char *reason,
                     struct refusal *out, struct err *err) MUST_CHECK;

/*
 * spool_refuse_reason - only the reason, for what was not moved (a stuck drop); the same reason
 * again changes nothing
 * Returns as spool_refuse
 */
enum rc spool_refuse_reason(const struct spool *spool, const char *name, const char *reason,
                            struct refusal *out, struct err *err) MUST_CHECK;

#endif
