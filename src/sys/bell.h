/*
 * bell - what a thread rings so that another one stops waiting
 *
 * Rung while nobody waits it is kept: the next wait ends at once. Many rings may end one wait, so
 * who was woken looks at everything.
 */
#ifndef POSTROOM_SYS_BELL_H
#define POSTROOM_SYS_BELL_H

#include "base/err.h"

struct bell {
    int fd;
};

#define BELL_NONE ((struct bell){-1})

/* bell_open - RC_OK; RC_TEMP no descriptor to be had */
enum rc bell_open(struct bell *bell, struct err *err) MUST_CHECK;

/* bell_close - BELL_NONE is allowed; the bell is none afterwards */
void bell_close(struct bell *bell);

/* bell_ring - from any thread; cannot fail. Cost: 1 system call */
void bell_ring(const struct bell *bell);

/*
 * bell_wait - until it is rung, or other_fd is readable, or the time is over
 *
 * other_fd    -1: the bell alone
 * timeout_ms  0: only look; -1: without end
 * The bell is silent afterwards; a signal ends the wait, too.
 */
void bell_wait(const struct bell *bell, int other_fd, int timeout_ms);

#endif
