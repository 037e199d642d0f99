/*
 * decimal - exact decimal numbers (prices, amounts); no floating point touches money
 */
#ifndef POSTROOM_BASE_DECIMAL_H
#define POSTROOM_BASE_DECIMAL_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

enum {
    DECIMAL_SCALE_MAX = 9,  /* digits after the point; unit prices show 5 in the field */
    DECIMAL_TEXT_BYTES = 48 /* sign, digits, point, NUL, with room to spare */
};

/* value = units / 10^scale */
struct decimal {
    int64_t units;
    int scale; /* 0..DECIMAL_SCALE_MAX */
};

/*
 * decimal_parse - from text like "0.1243", "-12", "5000.00"
 * Plain ASCII digits, at most one point with a digit on both sides, one leading '-'; no exponent,
 * no grouping, no '+', no blanks. Returns   RC_OK; RC_PERM not a decimal; RC_RANGE too many digits
 */
enum rc decimal_parse(struct slice text, struct decimal *out) MUST_CHECK;

/* decimal_compare - <0, 0, >0 by value ("1.0" equals "1"); exact */
int decimal_compare(struct decimal a, struct decimal b);

/*
 * decimal_times_ratio_minor - round_half_away(value * times / per) in minor units of a currency
 *
 * times   pieces, >= 0;  per  > 0 (asserted)
 * digits  minor digits of the currency (EUR 2, JPY 0), 0..4 (asserted)
 * Returns RC_OK; RC_RANGE where the result does not fit int64
 */
enum rc decimal_times_ratio_minor(struct decimal value, uint64_t times, uint64_t per, int digits,
                                  int64_t *out_minor) MUST_CHECK;

/* money_format - "-105.20" into out, which holds DECIMAL_TEXT_BYTES; returns out */
char *money_format(int64_t amount_minor, int digits, char *out);

/* money_parse - "105.20" to minor units; RC_PERM when it has more digits than the currency */
enum rc money_parse(struct slice text, int digits, int64_t *out_minor) MUST_CHECK;

/* currency_digits - minor digits of an ISO 4217 code (default 2); pure table */
int currency_digits(const char *code);

#endif
