/*
 * rule - the four rules of the cost structures
 */
#include "money/rule.h"

#include "base/instant.h"
#include "base/name.h"

#include <assert.h>
#include <string.h>

static const char *const KIND_NAMES[] = {
    [COST_FIXED] = "fixed",
    [COST_LINEAR] = "linear",
    [COST_LINEAR_BY_THRESHOLD] = "linear_by_threshold",
    [COST_CONSTANT_BY_THRESHOLD] = "constant_by_threshold",
};

enum { KIND_COUNT = sizeof KIND_NAMES / sizeof KIND_NAMES[0], DAY_TEXT_BYTES = 16 };

enum rc cost_kind_parse(struct slice text, enum cost_kind *out, struct err *err)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (slice_equal_text(text, KIND_NAMES[i])) {
            *out = (enum cost_kind)i;
            return RC_OK;
        }
    }
    const char *nearest = name_nearest(text, KIND_NAMES, KIND_COUNT);
    return err_set(err, RC_PERM,
                   "unknown rule; write \"%s\" (there are fixed, linear, linear_by_threshold and "
                   "constant_by_threshold)",
                   nearest == NULL ? "linear" : nearest);
}

const char *cost_kind_name(enum cost_kind kind)
{
    assert((size_t)kind < KIND_COUNT);
    return KIND_NAMES[kind];
}

static bool has_steps(enum cost_kind kind)
{
    return kind == COST_LINEAR_BY_THRESHOLD || kind == COST_CONSTANT_BY_THRESHOLD;
}

static enum rc check_steps(const struct cost_rule *rule, struct err *err)
{
    const char *kind = cost_kind_name(rule->kind);
    if (rule->step_count == 0) {
        return err_set(err, RC_PERM, "rule %s has no steps; give steps = ( { upto; amount; } )",
                       kind);
    }
    if (rule->step_count > COST_STEPS_MAX) {
        return err_set(err, RC_PERM, "rule %s has %zu steps, at most %d; join some of them", kind,
                       rule->step_count, COST_STEPS_MAX);
    }
    uint64_t before = 0;
    for (size_t i = 0; i < rule->step_count; i++) {
        if (rule->steps[i].upto <= before) {
            return err_set(err, RC_PERM,
                           "rule %s: step %zu has upto = %llu, not above %llu; put the steps in "
                           "ascending order, from 1, each once",
                           kind, i + 1, (unsigned long long)rule->steps[i].upto,
                           (unsigned long long)before);
        }
        if (rule->steps[i].amount.units < 0) {
            return err_set(err, RC_PERM, "rule %s: step %zu has an amount below zero", kind, i + 1);
        }
        before = rule->steps[i].upto;
    }
    if (!rule->has_beyond) {
        return err_set(err, RC_PERM, "rule %s: beyond is missing; give the amount above %llu", kind,
                       (unsigned long long)before);
    }
    if (rule->beyond.units < 0) {
        return err_set(err, RC_PERM, "rule %s: beyond is below zero", kind);
    }
    return RC_OK;
}

enum rc cost_rule_check(const struct cost_rule *rule, struct err *err)
{
    if (has_steps(rule->kind)) {
        enum rc rc = check_steps(rule, err);
        if (rc != RC_OK) {
            return rc;
        }
    } else if (rule->amount.units < 0) {
        return err_set(err, RC_PERM, "rule %s: amount is below zero", cost_kind_name(rule->kind));
    }
    if (rule->kind == COST_LINEAR && rule->per == 0) {
        return err_set(err, RC_PERM,
                       "rule linear: per = 0; give the number of pieces that the "
                       "amount pays for, 1 or more");
    }
    if (rule->has_minimum && rule->minimum.units < 0) {
        return err_set(err, RC_PERM, "rule %s: minimum is below zero", cost_kind_name(rule->kind));
    }
    if (rule->valid_from_day > rule->valid_until_day) {
        return err_set(err, RC_PERM, "rule %s: valid_until is before valid_from; no day is left",
                       cost_kind_name(rule->kind));
    }
    return RC_OK;
}

/* The price of the first step with upto >= quantity; beyond where there is none. */
static struct decimal step_amount(const struct cost_rule *rule, uint64_t quantity)
{
    size_t low = 0;
    size_t high = rule->step_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rule->steps[middle].upto >= quantity) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low < rule->step_count ? rule->steps[low].amount : rule->beyond;
}

static enum rc check_day(const struct cost_rule *rule, int32_t day, struct err *err)
{
    char on[DAY_TEXT_BYTES];
    char limit[DAY_TEXT_BYTES];
    if (day < rule->valid_from_day) {
        return err_set(err, RC_PERM,
                       "the price is not valid on %s: it begins on %s; add a price for that day",
                       date_format(day, on), date_format(rule->valid_from_day, limit));
    }
    if (day > rule->valid_until_day) {
        return err_set(err, RC_PERM,
                       "the price is not valid on %s: it ended on %s; add a price for that day",
                       date_format(day, on), date_format(rule->valid_until_day, limit));
    }
    return RC_OK;
}

static enum rc apply(const struct cost_rule *rule, uint64_t quantity, int digits,
                     int64_t *out_minor)
{
    switch (rule->kind) {
    case COST_FIXED:
        return decimal_times_ratio_minor(rule->amount, 1, 1, digits, out_minor);
    case COST_LINEAR:
        return decimal_times_ratio_minor(rule->amount, quantity, rule->per, digits, out_minor);
    case COST_LINEAR_BY_THRESHOLD:
        return decimal_times_ratio_minor(step_amount(rule, quantity), quantity, 1, digits,
                                         out_minor);
    case COST_CONSTANT_BY_THRESHOLD:
        return decimal_times_ratio_minor(step_amount(rule, quantity), 1, 1, digits, out_minor);
    }
    return RC_RANGE; /* not reached: cost_rule_check() knows every kind */
}

enum rc cost_amount_minor(const struct cost_rule *rule, uint64_t quantity, int32_t day, int digits,
                          int64_t *out_minor, struct err *err)
{
    assert(rule->kind != COST_LINEAR || rule->per > 0);
    assert(!has_steps(rule->kind) || (rule->step_count > 0 && rule->has_beyond));
    enum rc rc = check_day(rule, day, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (quantity == 0 && rule->kind != COST_FIXED) {
        *out_minor = 0;
        return RC_OK;
    }
    int64_t amount = 0;
    int64_t minimum = 0;
    rc = apply(rule, quantity, digits, &amount);
    if (rc == RC_OK && rule->has_minimum) {
        rc = decimal_times_ratio_minor(rule->minimum, 1, 1, digits, &minimum);
        amount = amount < minimum ? minimum : amount;
    }
    if (rc != RC_OK) {
        return err_set(err, RC_RANGE,
                       "the amount for %llu pieces is larger than can be kept; check amount and "
                       "per",
                       (unsigned long long)quantity);
    }
    *out_minor = amount;
    return RC_OK;
}
