/*
 * number - checked numbers from text and checked sums
 */
#ifndef POSTROOM_BASE_NUMBER_H
#define POSTROOM_BASE_NUMBER_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

/*
 * number_parse_u64 / number_parse_i64 - digits only (i64: one leading '-' too), no blanks, no '+'
 * Returns   RC_OK; RC_PERM not a number; RC_RANGE does not fit min..max
 */
enum rc number_parse_u64(struct slice text, uint64_t max, uint64_t *out) MUST_CHECK;
enum rc number_parse_i64(struct slice text, int64_t min, int64_t max, int64_t *out) MUST_CHECK;

/* number_size - bytes from "256MiB", "64 KiB", "1GiB", "4096", "10kB"; RC_PERM, RC_RANGE */
enum rc number_parse_size(struct slice text, uint64_t *out_bytes) MUST_CHECK;

/* number_duration - nanoseconds from "3d", "-1d", "90s", "15m", "1h", "500ms"; RC_PERM, RC_RANGE */
enum rc number_parse_duration(struct slice text, int64_t *out_ns) MUST_CHECK;

static inline bool add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

#endif
