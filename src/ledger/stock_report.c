/*
 * stock_report - what each stock line held, got and gave
 */
#include "ledger/report.h"

#include "ledger/tally.h"

#include <assert.h>
#include <stdlib.h>

enum movement { OPENED, RECEIVED, ADJUSTED, CONSUMED, MOVEMENTS };

static_assert((int)MOVEMENTS <= (int)TALLY_SUMS, "movements fit a tally row");

static bool has_prefix(struct slice text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.ptr, prefix, len) == 0;
}

/* What kind of entry it is decides what its stock: postings are. */
static enum movement movement_of(const struct ledger_view *view)
{
    if (has_prefix(view->key, "opening/") || slice_equal_text(view->description, "carried")) {
        return OPENED;
    }
    if (has_prefix(view->key, "order/")) {
        return RECEIVED;
    }
    for (size_t i = 0; i < view->count; i++) {
        if (has_prefix(view->lines[i].account, "consumed:")) {
            return CONSUMED;
        }
    }
    return ADJUSTED;
}

static enum rc take_stock(void *ctx, const struct ledger_view *view, struct err *err)
{
    struct tally *tally = ctx;
    enum movement movement = movement_of(view);
    for (size_t i = 0; i < view->count; i++) {
        const struct ledger_line *line = &view->lines[i];
        if (!has_prefix(line->account, "stock:")) {
            continue;
        }
        struct tally_row *row = tally_row(tally, line->account);
        if (row == NULL) {
            return err_set(err, RC_NOMEM, "no memory for the rows of the stock report");
        }
        /* An amount read from a file is never INT64_MIN: it has an opposite. */
        tally_add(&row->sums[movement], movement == CONSUMED ? -line->amount : line->amount);
    }
    return RC_OK;
}

static int by_stock(const void *a, const void *b)
{
    const struct ledger_stock_row *left = a;
    const struct ledger_stock_row *right = b;
    int order = strcmp(left->stock, right->stock);
    return order != 0 ? order : strcmp(left->line, right->line);
}

static bool write_row(const struct tally_row *from, struct arena *arena,
                      struct ledger_stock_row *row)
{
    static const size_t skip = sizeof "stock:" - 1;
    struct slice rest = {from->key.ptr + skip, from->key.len - skip};
    const char *colon = memchr(rest.ptr, ':', rest.len);
    size_t stock_len = colon == NULL ? rest.len : (size_t)(colon - rest.ptr);
    struct slice line = {"", 0};
    if (colon != NULL) {
        line = (struct slice){colon + 1, rest.len - stock_len - 1};
    }
    *row = (struct ledger_stock_row){
        .stock = arena_text(arena, (struct slice){rest.ptr, stock_len}),
        .line = arena_text(arena, line),
        .opened = from->sums[OPENED],
        .received = from->sums[RECEIVED],
        .adjusted = from->sums[ADJUSTED],
        .consumed = from->sums[CONSUMED],
    };
    tally_add(&row->in_stock, row->opened);
    tally_add(&row->in_stock, row->received);
    tally_add(&row->in_stock, row->adjusted);
    tally_add(&row->in_stock, row->consumed == INT64_MIN ? INT64_MAX : -row->consumed);
    return row->stock != NULL && row->line != NULL;
}

enum rc ledger_stock_report(int fd, const char *name, struct ledger_stock_report *out,
                            struct err *err)
{
    assert(out->rows == NULL);
    struct tally tally = TALLY_EMPTY;
    struct ledger_extent extent;
    enum rc rc = ledger_read(fd, name, take_stock, &tally, &extent, err);
    if (rc == RC_OK) {
        out->extent = extent;
        out->rows = calloc(tally.count + 1, sizeof *out->rows);
        bool is_good = out->rows != NULL;
        for (; out->count < tally.count && is_good; out->count++) {
            is_good = write_row(&tally.rows[out->count], &out->arena, &out->rows[out->count]);
        }
        if (is_good) {
            qsort(out->rows, out->count, sizeof *out->rows, by_stock);
        } else {
            ledger_stock_report_release(out);
            rc = err_set(err, RC_NOMEM, "no memory for the rows of the stock report");
        }
    }
    tally_release(&tally);
    return rc;
}

void ledger_stock_report_release(struct ledger_stock_report *report)
{
    free(report->rows);
    arena_release(&report->arena);
    *report = LEDGER_STOCK_REPORT_EMPTY;
}
