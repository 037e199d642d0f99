/*
 * report - sums of the two journals, for `postroom costs` and `postroom stock`
 *
 * A reversal is an entry with the signs turned, so that plain sums are net of reversals.
 */
#ifndef POSTROOM_LEDGER_REPORT_H
#define POSTROOM_LEDGER_REPORT_H

#include "ledger/read.h"

/* The second part of cost:LEVEL:PROGRAMME:CAMPAIGN:DELIVERY:CATEGORY:TYPE. */
enum ledger_level {
    LEDGER_PLANNED,
    LEDGER_RESERVED,
    LEDGER_COMMITTED,
    LEDGER_SPENT,
    LEDGER_INVOICED,
    LEDGER_LEVELS
};

/* How finely costs are told apart: one row for each ... */
enum ledger_depth {
    LEDGER_BY_CURRENCY, /* the total */
    LEDGER_BY_PROGRAMME,
    LEDGER_BY_CAMPAIGN,
    LEDGER_BY_DELIVERY,
    LEDGER_BY_CATEGORY,
    LEDGER_BY_TYPE,
    LEDGER_DEPTHS
};

/* ledger_level_name - "planned", ... as in the account; never NULL */
const char *ledger_level_name(enum ledger_level level);

struct ledger_cost_query {
    const char *programme; /* NULL: all; so campaign and delivery */
    const char *campaign;
    const char *delivery;
    const char *from; /* YYYY-MM-DD, inclusive; NULL: no limit */
    const char *to;   /* inclusive */
    enum ledger_depth depth;
};

struct ledger_cost_row {
    const char *names[LEDGER_DEPTHS - 1]; /* programme, campaign, delivery, category, type; NULL
                                             below the depth */
    const char *currency;
    int digits;                     /* of the currency */
    int64_t amounts[LEDGER_LEVELS]; /* minor units */
    int64_t total;                  /* all levels: an amount stands at one level at a time */
};

struct ledger_cost_report {
    struct ledger_cost_row *rows; /* by names in byte order, then currency; none is all zero */
    size_t count;
    uint64_t other_postings; /* cost: accounts of another shape, not in the rows */
    struct ledger_extent extent;
    struct arena arena; /* holds the texts */
};

#define LEDGER_COST_REPORT_EMPTY ((struct ledger_cost_report){.arena = ARENA_EMPTY})

/*
 * ledger_cost_report - the cost journal summed up
 *
 * fd, name  as ledger_read()
 * out       LEDGER_COST_REPORT_EMPTY; released by ledger_cost_report_release()
 * Returns   as ledger_read(); out is filled only on RC_OK. Sums stop at the ends of int64.
 * Cost      one pass; memory for each row
 */
enum rc ledger_cost_report(int fd, const char *name, const struct ledger_cost_query *query,
                           struct ledger_cost_report *out, struct err *err) MUST_CHECK;

void ledger_cost_report_release(struct ledger_cost_report *report);

struct ledger_stock_row {
    const char *stock;
    const char *line;
    int64_t opened;   /* entries keyed opening/... and carried over; pieces */
    int64_t received; /* entries keyed order/... */
    int64_t adjusted; /* all other entries without a consumed: posting */
    int64_t consumed; /* taken by deliveries: entries with a consumed: posting */
    int64_t in_stock; /* opened + received + adjusted - consumed; may be below zero */
};

struct ledger_stock_report {
    struct ledger_stock_row *rows; /* by stock, then line, in byte order */
    size_t count;
    struct ledger_extent extent;
    struct arena arena;
};

#define LEDGER_STOCK_REPORT_EMPTY ((struct ledger_stock_report){.arena = ARENA_EMPTY})

/* ledger_stock_report - the stock journal summed up; as ledger_cost_report() */
enum rc ledger_stock_report(int fd, const char *name, struct ledger_stock_report *out,
                            struct err *err) MUST_CHECK;

void ledger_stock_report_release(struct ledger_stock_report *report);

#endif
