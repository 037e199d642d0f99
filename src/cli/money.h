/*
 * money - what the journals say, for show, check, costs, stock and ledger
 */
#ifndef POSTROOM_CLI_MONEY_H
#define POSTROOM_CLI_MONEY_H

#include "cli/cli.h"
#include "delivery/order.h"
#include "ledger/report.h"

#define COST_JOURNAL "cost.journal"
#define STOCK_JOURNAL "stock.journal"

/*
 * ledger_file_open - open a journal for reading
 * *out_fd is -1 where there is none yet (also RC_OK). RC_OK; RC_PERM; RC_TEMP
 */
enum rc ledger_file_open(const struct cli *cli, const char *name, int *out_fd,
                         struct err *err) MUST_CHECK;

/* costs_read - ledger_cost_report of this spool; empty where there is no journal yet */
enum rc costs_read(const struct cli *cli, const struct ledger_cost_query *query,
                   struct ledger_cost_report *out, struct err *err) MUST_CHECK;

/* stock_read - ledger_stock_report of this spool; empty where there is no journal yet */
enum rc stock_read(const struct cli *cli, struct ledger_stock_report *out,
                   struct err *err) MUST_CHECK;

/*
 * stock_warnings - what is short in stock for an order of so many pieces
 *
 * is_taken  the pieces were taken already: short means below zero
 * add       called with each warning
 * Returns   RC_OK; what stock_read() and cost_of_order() return
 */
enum rc stock_warnings(const struct cli *cli, const struct order *order, uint64_t quantity,
                       bool is_taken, void (*add)(void *ctx, const char *text), void *ctx,
                       struct err *err) MUST_CHECK;

#endif
