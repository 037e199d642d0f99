/*
 * budget - what a campaign or programme has in its levels, and whether that is too much
 *
 * An amount stands at one level at a time: each level's ledger entry reverses the level before it.
 * So the calculated cost is the plain sum of the levels.
 */
#ifndef POSTROOM_MONEY_BUDGET_H
#define POSTROOM_MONEY_BUDGET_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* minor units of one currency */
struct budget {
    bool has_allocated; /* without it nothing is ever over budget */
    int64_t allocated;
    int64_t planned;
    int64_t reserved;
    int64_t committed;
    int64_t spent;
    int64_t invoiced;
};

struct budget_state {
    int64_t calculated; /* all levels */
    int64_t left;       /* allocated - calculated; 0 without allocated */
    bool is_over;       /* calculated > allocated: a warning */
};

/*
 * budget_state_of - add the levels up and compare
 * Returns   RC_OK; RC_RANGE a sum does not fit
 */
enum rc budget_state_of(const struct budget *budget, struct budget_state *out,
                        struct err *err) MUST_CHECK;

#endif
