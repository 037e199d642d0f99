/*
 * report - cost sums by level
 *
 * Rows are tallied under "CURRENCY\tPROGRAMME:CAMPAIGN:..." : the part of the account behind its
 * level, cut at the depth. Ids hold neither ':' nor a tab.
 */
#include "ledger/report.h"

#include "ledger/tally.h"

#include <assert.h>
#include <stdlib.h>

enum {
    COST_PARTS = 7,             /* cost, level, and the five names */
    DIGITS_SUM = LEDGER_LEVELS, /* the tally's column that holds the currency's digits */
    NAMES = LEDGER_DEPTHS - 1,
    KEY_BYTES = LEDGER_COMMODITY_BYTES_MAX + 1 + LEDGER_ACCOUNT_BYTES_MAX
};

static_assert((int)DIGITS_SUM < (int)TALLY_SUMS, "levels and digits fit a tally row");

static const char *const LEVEL_NAMES[] = {
    [LEDGER_PLANNED] = "planned", [LEDGER_RESERVED] = "reserved", [LEDGER_COMMITTED] = "committed",
    [LEDGER_SPENT] = "spent",     [LEDGER_INVOICED] = "invoiced",
};

const char *ledger_level_name(enum ledger_level level)
{
    assert(level >= 0 && level < LEDGER_LEVELS);
    return LEVEL_NAMES[level];
}

struct costs {
    const struct ledger_cost_query *query;
    struct tally tally;
    uint64_t other_postings;
};

/* Split at ':' into at most max parts; returns how many there are, max + 1 for more. */
static size_t split(struct slice text, struct slice *parts, size_t max)
{
    size_t count = 0;
    size_t from = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i == text.len || text.ptr[i] == ':') {
            if (count == max) {
                return max + 1;
            }
            parts[count++] = (struct slice){text.ptr + from, i - from};
            from = i + 1;
        }
    }
    return count;
}

static bool is_wanted(const char *wanted, struct slice name)
{
    return wanted == NULL || slice_equal_text(name, wanted);
}

static int level_of(struct slice name)
{
    for (int i = 0; i < LEDGER_LEVELS; i++) {
        if (slice_equal_text(name, LEVEL_NAMES[i])) {
            return i;
        }
    }
    return -1;
}

static enum rc add_cost(struct costs *costs, const struct ledger_line *line, struct err *err)
{
    const struct ledger_cost_query *query = costs->query;
    struct slice parts[COST_PARTS];
    size_t count = split(line->account, parts, COST_PARTS);
    if (!slice_equal_text(parts[0], "cost")) {
        return RC_OK;
    }
    int level = count == COST_PARTS ? level_of(parts[1]) : -1;
    if (level < 0) {
        costs->other_postings++;
        return RC_OK;
    }
    if (!is_wanted(query->programme, parts[2]) || !is_wanted(query->campaign, parts[3]) ||
        !is_wanted(query->delivery, parts[4])) {
        return RC_OK;
    }
    char key[KEY_BYTES];
    size_t len = line->commodity.len;
    memcpy(key, line->commodity.ptr, len);
    key[len++] = '\t';
    if (query->depth > LEDGER_BY_CURRENCY) {
        struct slice last = parts[1 + (size_t)query->depth];
        size_t names_len = (size_t)(last.ptr + last.len - parts[2].ptr);
        memcpy(key + len, parts[2].ptr, names_len);
        len += names_len;
    }
    struct tally_row *row = tally_row(&costs->tally, (struct slice){key, len});
    if (row == NULL) {
        return err_set(err, RC_NOMEM, "no memory for the rows of the cost report");
    }
    tally_add(&row->sums[level], line->amount);
    row->sums[DIGITS_SUM] = line->digits;
    return RC_OK;
}

static enum rc take_costs(void *ctx, const struct ledger_view *view, struct err *err)
{
    struct costs *costs = ctx;
    const char *from = costs->query->from;
    const char *to = costs->query->to;
    /* YYYY-MM-DD sorts as text */
    if ((from != NULL && slice_compare(view->date, slice_of(from)) < 0) ||
        (to != NULL && slice_compare(view->date, slice_of(to)) > 0)) {
        return RC_OK;
    }
    enum rc rc = RC_OK;
    for (size_t i = 0; i < view->count && rc == RC_OK; i++) {
        rc = add_cost(costs, &view->lines[i], err);
    }
    return rc;
}

static int compare_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? (a != NULL) - (b != NULL) : strcmp(a, b);
}

static int by_names(const void *a, const void *b)
{
    const struct ledger_cost_row *left = a;
    const struct ledger_cost_row *right = b;
    for (size_t i = 0; i < NAMES; i++) {
        int order = compare_text(left->names[i], right->names[i]);
        if (order != 0) {
            return order;
        }
    }
    return compare_text(left->currency, right->currency);
}

/* One tallied row as a report row. False without memory. */
static bool write_row(const struct tally_row *from, enum ledger_depth depth, struct arena *arena,
                      struct ledger_cost_row *row)
{
    const char *tab = memchr(from->key.ptr, '\t', from->key.len);
    assert(tab != NULL); /* add_cost() put it there */
    size_t currency_len = (size_t)(tab - from->key.ptr);
    struct slice names = {tab + 1, from->key.len - currency_len - 1};
    struct slice parts[NAMES];
    size_t count = depth == LEDGER_BY_CURRENCY ? 0 : split(names, parts, NAMES);
    *row = (struct ledger_cost_row){
        .currency = arena_text(arena, (struct slice){from->key.ptr, currency_len}),
        .digits = (int)from->sums[DIGITS_SUM]};
    bool is_good = row->currency != NULL;
    for (size_t i = 0; i < count; i++) {
        row->names[i] = arena_text(arena, parts[i]);
        is_good = is_good && row->names[i] != NULL;
    }
    for (size_t i = 0; i < LEDGER_LEVELS; i++) {
        row->amounts[i] = from->sums[i];
        tally_add(&row->total, from->sums[i]);
    }
    return is_good;
}

static bool is_zero(const struct tally_row *row)
{
    for (size_t i = 0; i < LEDGER_LEVELS; i++) {
        if (row->sums[i] != 0) {
            return false;
        }
    }
    return true;
}

static enum rc write_rows(const struct costs *costs, struct ledger_cost_report *out,
                          struct err *err)
{
    out->rows = calloc(costs->tally.count + 1, sizeof *out->rows);
    bool is_good = out->rows != NULL;
    for (size_t i = 0; i < costs->tally.count && is_good; i++) {
        const struct tally_row *row = &costs->tally.rows[i];
        if (!is_zero(row)) {
            is_good = write_row(row, costs->query->depth, &out->arena, &out->rows[out->count]);
            out->count += is_good;
        }
    }
    if (!is_good) {
        ledger_cost_report_release(out);
        return err_set(err, RC_NOMEM, "no memory for the rows of the cost report");
    }
    qsort(out->rows, out->count, sizeof *out->rows, by_names);
    return RC_OK;
}

enum rc ledger_cost_report(int fd, const char *name, const struct ledger_cost_query *query,
                           struct ledger_cost_report *out, struct err *err)
{
    assert(query->depth >= 0 && query->depth < LEDGER_DEPTHS && out->rows == NULL);
    struct costs costs = {.query = query, .tally = TALLY_EMPTY};
    struct ledger_extent extent;
    enum rc rc = ledger_read(fd, name, take_costs, &costs, &extent, err);
    if (rc == RC_OK) {
        rc = write_rows(&costs, out, err);
    }
    if (rc == RC_OK) {
        out->other_postings = costs.other_postings;
        out->extent = extent;
    }
    tally_release(&costs.tally);
    return rc;
}

void ledger_cost_report_release(struct ledger_cost_report *report)
{
    free(report->rows);
    arena_release(&report->arena);
    *report = LEDGER_COST_REPORT_EMPTY;
}
