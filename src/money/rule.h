/*
 * rule - what a service charges: one cost rule and the amount it gives for a quantity
 *
 * Pure: no clock, no files. All arithmetic is exact decimal; a line is rounded once, half away from
 * zero, to the minor unit of the currency (CONTRACT.md section 7).
 */
#ifndef POSTROOM_MONEY_RULE_H
#define POSTROOM_MONEY_RULE_H

#include "base/decimal.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A price list of more steps than this is a mistake, not a price list. */
enum { COST_STEPS_MAX = 1000 };

/* Days since 1970-01-01 that stand for "no such limit". */
#define COST_DAY_FIRST INT32_MIN
#define COST_DAY_LAST INT32_MAX

enum cost_kind {
    COST_FIXED,                /* amount, whatever the quantity */
    COST_LINEAR,               /* amount * q / per */
    COST_LINEAR_BY_THRESHOLD,  /* q * price of the first step with upto >= q, else q * beyond */
    COST_CONSTANT_BY_THRESHOLD /* amount of the first step with upto >= q, else beyond */
};

struct cost_step {
    uint64_t upto; /* pieces, inclusive */
    struct decimal amount;
};

struct cost_rule {
    enum cost_kind kind;
    struct decimal amount;         /* COST_FIXED, COST_LINEAR */
    uint64_t per;                  /* COST_LINEAR: pieces that `amount` pays for */
    const struct cost_step *steps; /* thresholds; borrowed, ascending */
    size_t step_count;
    bool has_beyond; /* thresholds: the price above the last step was given */
    struct decimal beyond;
    bool has_minimum;
    struct decimal minimum;  /* least amount of a line for q > 0 */
    int32_t valid_from_day;  /* days since 1970-01-01, inclusive; COST_DAY_FIRST: no limit */
    int32_t valid_until_day; /* inclusive; COST_DAY_LAST: no limit */
};

/*
 * cost_kind_parse - from "fixed", "linear", "linear_by_threshold", "constant_by_threshold"
 * Returns   RC_OK; RC_PERM another word (text names the nearest)
 */
enum rc cost_kind_parse(struct slice text, enum cost_kind *out, struct err *err) MUST_CHECK;

/* cost_kind_name - the word of the configuration for a kind; never NULL */
const char *cost_kind_name(enum cost_kind kind);

/*
 * cost_rule_check - is the rule one that can be applied?
 *
 * Steps given and strictly ascending from 1, `beyond` given, per > 0, no amount below zero,
 * validity not empty. What the kind does not use is not looked at.
 *
 * Returns   RC_OK; RC_PERM with what is wrong and what to do (the caller puts FILE:LINE before it)
 * Cost      O(steps)
 */
enum rc cost_rule_check(const struct cost_rule *rule, struct err *err) MUST_CHECK;

/*
 * cost_amount_minor - the amount of one line
 *
 * rule      a rule that cost_rule_check() passed (asserted)
 * quantity  pieces. For 0 every rule but COST_FIXED gives 0, its minimum too: what depends on
 *           pieces costs nothing without them.
 * day       the day it is charged, days since 1970-01-01 in the house's timezone
 * digits    minor digits of the currency, 0..4 (asserted)
 *
 * Returns   RC_OK; RC_PERM the rule is not valid on that day (text names the day and the validity);
 *           RC_RANGE the amount does not fit
 * Cost      O(log steps)
 */
enum rc cost_amount_minor(const struct cost_rule *rule, uint64_t quantity, int32_t day, int digits,
                          int64_t *out_minor, struct err *err) MUST_CHECK;

#endif
