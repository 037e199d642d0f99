/*
 * lines - the cost lines of one delivery: which cost types count, what each costs, the total
 *
 * A cost type with is_selected counts unless the delivery names its costs; a delivery that names
 * costs gets those and no others (CONTRACT.md section 9). A surcharge adds a line of its own.
 */
#ifndef POSTROOM_MONEY_LINES_H
#define POSTROOM_MONEY_LINES_H

#include "money/rule.h"

/* Types of one service and choices of one delivery: twice as many lines fit one ledger entry. */
enum { COST_TYPES_MAX = 1000 };

struct cost_type {
    const char *category; /* an id */
    const char *type;     /* an id, unique in its category */
    struct cost_rule rule;
    bool is_selected;  /* counts where the delivery names no costs */
    bool is_mandatory; /* a type of this category has to be among the lines */
    const char *stock; /* STOCK/LINE it takes a piece from for each piece; NULL: none */
};

/* what a delivery names under `costs` */
struct cost_choice {
    const char *category;
    const char *type;
    struct decimal surcharge; /* 0: none; below zero is a rebate */
};

struct cost_line {
    const char *category; /* borrowed from the cost type */
    const char *type;
    int64_t amount_minor;
    bool is_surcharge;
    const char *stock;       /* STOCK/LINE or NULL; never on a surcharge */
    uint64_t stock_quantity; /* pieces taken from it; 0 without stock */
};

struct cost_lines {
    struct cost_line *lines; /* in the order of the service's types; a surcharge follows its line */
    size_t count;
    int64_t total_minor;
};

#define COST_LINES_EMPTY ((struct cost_lines){NULL, 0, 0})

/*
 * cost_lines_for - the lines and their total
 *
 * types    all cost types of the service; borrowed, rules checked. The lines point into them.
 * choices  what the delivery names; choice_count 0: the selected types count
 * quantity pieces to send (records and, where the house counts them, seeds)
 * day      day it is charged;  digits  of the currency: as for cost_amount_minor()
 * out      COST_LINES_EMPTY; filled only on success, released by cost_lines_release()
 *
 * Returns  RC_OK      count may be 0: nothing costs anything
 *          RC_PERM    a choice that the service does not have (nearest name told) or names twice, a
 *                     mandatory category without a type, a rule not valid on that day
 *          RC_RANGE   more than COST_TYPES_MAX types or choices; an amount does not fit
 *          RC_NOMEM
 * Cost     O(types * choices)
 */
enum rc cost_lines_for(const struct cost_type *types, size_t type_count,
                       const struct cost_choice *choices, size_t choice_count, uint64_t quantity,
                       int32_t day, int digits, struct cost_lines *out, struct err *err) MUST_CHECK;

/* cost_lines_release - free the lines; out is COST_LINES_EMPTY afterwards */
void cost_lines_release(struct cost_lines *lines);

#endif
