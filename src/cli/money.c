/*
 * money - what the journals say
 */
#include "cli/money.h"

#include "stage/cost.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { WALK_TRIES = 3, WARNING_BYTES = 512 };

enum rc ledger_file_open(const struct cli *cli, const char *name, int *out_fd, struct err *err)
{
    int dir = spool_dir(cli->spool, SPOOL_LEDGER);
    *out_fd = -1;
    if (dir < 0) {
        return RC_OK;
    }
    enum rc rc = fs_open_regular(dir, name, out_fd, err);
    return rc == RC_GONE ? RC_OK : rc;
}

enum rc costs_read(const struct cli *cli, const struct ledger_cost_query *query,
                   struct ledger_cost_report *out, struct err *err)
{
    int fd = -1;
    enum rc rc = ledger_file_open(cli, COST_JOURNAL, &fd, err);
    if (rc == RC_OK && fd >= 0) {
        rc = RC_CORRUPT;
        /* While the writer cuts a group back a walk may see damage that is none (ledger/read.h). */
        for (int i = 0; rc == RC_CORRUPT && i < WALK_TRIES; i++) {
            rc = ledger_cost_report(fd, COST_JOURNAL, query, out, err);
        }
    }
    fs_drop(&fd);
    return rc;
}

enum rc stock_read(const struct cli *cli, struct ledger_stock_report *out, struct err *err)
{
    int fd = -1;
    enum rc rc = ledger_file_open(cli, STOCK_JOURNAL, &fd, err);
    if (rc == RC_OK && fd >= 0) {
        rc = RC_CORRUPT;
        for (int i = 0; rc == RC_CORRUPT && i < WALK_TRIES; i++) {
            rc = ledger_stock_report(fd, STOCK_JOURNAL, out, err);
        }
    }
    fs_drop(&fd);
    return rc;
}

/* --- shortages --- */

/* What the journal holds of "STOCK/LINE"; before its opening entry: what the house says. */
static int64_t in_stock(const struct cli *cli, const struct ledger_stock_report *report,
                        const char *path)
{
    const char *slash = strchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    for (size_t i = 0; slash != NULL && i < report->count; i++) {
        const struct ledger_stock_row *row = &report->rows[i];
        if (strlen(row->stock) == len && memcmp(row->stock, path, len) == 0 &&
            strcmp(row->line, slash + 1) == 0) {
            return row->in_stock;
        }
    }
    const struct house_stock_line *line = house_stock_line(cli->house, path, NULL);
    return line == NULL ? 0 : line->initial;
}

static void weigh_line(const char *path, int64_t has, uint64_t needed, bool is_taken,
                       void (*add)(void *ctx, const char *text), void *ctx)
{
    char text[WARNING_BYTES];
    if (is_taken && has < 0) {
        (void)snprintf(text, sizeof text,
                       "stock %s: %" PRId64 " pieces short after this delivery; order more", path,
                       -has);
        add(ctx, text);
    } else if (!is_taken && (has < 0 || (uint64_t)has < needed)) {
        (void)snprintf(text, sizeof text,
                       "stock %s: %" PRId64 " in stock, %" PRIu64 " needed; order more", path, has,
                       needed);
        add(ctx, text);
    }
}

enum rc stock_warnings(const struct cli *cli, const struct order *order, uint64_t quantity,
                       bool is_taken, void (*add)(void *ctx, const char *text), void *ctx,
                       struct err *err)
{
    struct cost_lines lines = COST_LINES_EMPTY;
    struct ledger_stock_report report = LEDGER_STOCK_REPORT_EMPTY;
    enum rc rc = cost_of_order(order, quantity, clock_now_ns(), &lines, err);
    rc = rc == RC_OK ? stock_read(cli, &report, err) : rc;
    for (size_t i = 0; rc == RC_OK && i < lines.count; i++) {
        const char *path = lines.lines[i].stock;
        uint64_t needed = 0;
        bool is_first = path != NULL;
        for (size_t j = 0; path != NULL && j < lines.count; j++) {
            if (lines.lines[j].stock != NULL && strcmp(lines.lines[j].stock, path) == 0) {
                is_first = is_first && j >= i; /* several costs may draw on one line: told once */
                needed += lines.lines[j].stock_quantity;
            }
        }
        if (is_first) {
            weigh_line(path, in_stock(cli, &report, path), needed, is_taken, add, ctx);
        }
    }
    ledger_stock_report_release(&report);
    cost_lines_release(&lines);
    return rc;
}
