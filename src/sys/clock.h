/*
 * clock - what time it is, and local dates
 *
 * Wall time is only recorded and compared with appointments; time limits run on the monotonic
 * clock. Both can be replaced for tests. Local time is that of clock_set_zone(), for the whole
 * process.
 */
#ifndef POSTROOM_SYS_CLOCK_H
#define POSTROOM_SYS_CLOCK_H

#include "base/err.h"

#include <stdint.h>

enum { CLOCK_DATE_BYTES = 11, CLOCK_MINUTES_A_DAY = 1440 };

/* clock_now_ns - wall clock, nanoseconds since 1970-01-01T00:00:00Z */
int64_t clock_now_ns(void);

/* clock_monotonic_ns - nanoseconds since some start; never goes back */
int64_t clock_monotonic_ns(void);

/* clock_pause_ms - do nothing for so long: for workers alone */
void clock_pause_ms(int ms);

struct clock_source {
    int64_t (*now_ns)(void);
    int64_t (*monotonic_ns)(void);
};

/* clock_replace - use other clocks (tests); NULL puts the real ones back */
void clock_replace(const struct clock_source *source);

/*
 * clock_set_zone - local time is that of an IANA zone: "Europe/Paris", "UTC"
 * Returns RC_OK; RC_PERM no such zone on this machine (or a name that is none)
 */
enum rc clock_set_zone(const char *name, struct err *err) MUST_CHECK;

/* clock_local_date - the local day: days since 1970-01-01 is returned, YYYY-MM-DD goes to out (may
 * be NULL) */
int32_t clock_local_date(int64_t at_ns, char out[CLOCK_DATE_BYTES]);

/* clock_local_minutes - whole minutes since local midnight by the clock on the wall, 0..1439 */
int clock_local_minutes(int64_t at_ns);

/*
 * clock_next_local - the first instant after at_ns when the local time of day is that
 * minutes  since midnight, 0..1439 (asserted). Where summer time skips that time of day, the
 * instant of the skip counts; where it comes twice, the first.
 */
int64_t clock_next_local(int64_t at_ns, int minutes);

#endif
