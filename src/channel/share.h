/*
 * share - what the senders of one channel have in common: its rate, and its connections
 *
 * The other side counts no deliveries: `rate` and `connections` are the channel's, however many of
 * its deliveries are sent at once. A share lives in memory that the daemon and its send workers see
 * (sys/shared.h). The daemon says how many senders there are; each keeps to its part of the
 * connections, and messages take their turns by one clock.
 */
#ifndef POSTROOM_CHANNEL_SHARE_H
#define POSTROOM_CHANNEL_SHARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct share {
    _Atomic int64_t next_ns;  /* clock_monotonic_ns() before which no message may go */
    _Atomic uint32_t senders; /* written by the daemon alone; 0 is as 1 */
};

/* share_part - of so many (connections, messages a second) those of one sender: at least 1, where
 * there are any */
unsigned int share_part(const struct share *share, unsigned int whole);

/* share_take - one message may go now: it is counted. rate: messages a second, 0: no limit. What
 * was not used in the last twentieth of a second may go at once. */
bool share_take(struct share *share, unsigned int rate, int64_t now_ns);

/* share_next_ns - clock_monotonic_ns() from which share_take may be true; 0 without a rate */
int64_t share_next_ns(const struct share *share, unsigned int rate);

#endif
