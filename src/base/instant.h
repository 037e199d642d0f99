/*
 * instant - points in time as nanoseconds since 1970-01-01T00:00:00Z, and their text in UTC
 * Pure: the clock itself is sys/clock.h, and so are local dates, which need the zone files.
 */
#ifndef POSTROOM_BASE_INSTANT_H
#define POSTROOM_BASE_INSTANT_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define INSTANT_NONE INT64_MIN

enum { INSTANT_TEXT_BYTES = 96, DATE_TEXT_BYTES = 48 /* any int32 fits, so nothing is ever cut */ };

/*
 * instant_parse - ISO 8601 with a zone: 2027-03-01T22:00:00+01:00, ...Z
 * A fraction of a second is allowed; what is finer than a nanosecond is dropped.
 * Returns   RC_OK
 *           RC_PERM   not such a text (a missing zone is refused: it would mean two things)
 *           RC_RANGE  a year outside 1970..2261
 */
enum rc instant_parse(struct slice text, int64_t *out_ns) MUST_CHECK;

/* instant_format - 2027-03-01T21:00:00.123456Z into out (INSTANT_TEXT_BYTES); returns out */
char *instant_format(int64_t at_ns, char *out);

/* instant_format_seconds - 2027-03-01T21:00:00Z into out (INSTANT_TEXT_BYTES); returns out */
char *instant_format_seconds(int64_t at_ns, char *out);

/* date_parse - YYYY-MM-DD to days since 1970-01-01; RC_PERM no such day; RC_RANGE a year
 * outside 1970..2261 */
enum rc date_parse(struct slice text, int32_t *out_days) MUST_CHECK;

/* date_format - days since 1970-01-01 as YYYY-MM-DD into out (DATE_TEXT_BYTES); returns out */
char *date_format(int32_t days, char *out);

#endif
