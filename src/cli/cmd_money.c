/*
 * costs and stock - the sums of the two journals
 */
#include "cli/commands.h"
#include "cli/money.h"
#include "cli/out.h"

#include "base/name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* --- costs --- */

static const char *const NAMES[] = {"programme", "campaign", "delivery", "category", "type"};
enum { NAME_COUNT = sizeof NAMES / sizeof NAMES[0], COST_COLUMNS = LEDGER_LEVELS + 3 };

/* "loyalty/spring-2027": the parts into the query, and rows one step finer than what was asked for
 */
static int read_path(struct cli *cli, const char *path, struct ledger_cost_query *query)
{
    const char **parts[] = {&query->programme, &query->campaign, &query->delivery};
    size_t count = 0;
    query->depth = LEDGER_BY_CAMPAIGN;
    for (const char *at = path; at != NULL;) {
        size_t len = strcspn(at, "/");
        struct slice part = {at, len};
        if (count == sizeof parts / sizeof parts[0] || !id_is_valid(part)) {
            return cli_usage(cli, "%s is no PROGRAMME[/CAMPAIGN[/DELIVERY]]", path);
        }
        *parts[count] = arena_text(&cli->arena, part);
        if (*parts[count++] == NULL) {
            return cli_no_memory();
        }
        at = at[len] == '\0' ? NULL : at + len + 1;
    }
    static const enum ledger_depth depths[] = {LEDGER_BY_CAMPAIGN, LEDGER_BY_DELIVERY,
                                               LEDGER_BY_DELIVERY, LEDGER_BY_TYPE};
    query->depth = depths[count];
    return CLI_GO_ON;
}

static int check_day(const struct cli *cli, const char *name, const char *text)
{
    int32_t day = 0;
    if (text != NULL && date_parse(slice_of(text), &day) != RC_OK) {
        return cli_usage(cli, "--%s wants a day like 2027-03-01, not %s", name, text);
    }
    return CLI_GO_ON;
}

static int print_cost_json(const struct ledger_cost_row *row)
{
    json_t *object = json_object();
    for (size_t i = 0; i < NAME_COUNT; i++) {
        if (row->names[i] != NULL) {
            json_put_text(object, NAMES[i], row->names[i]);
        }
    }
    json_put_text(object, "currency", row->currency);
    for (int i = 0; i < LEDGER_LEVELS; i++) {
        json_put_money(object, ledger_level_name((enum ledger_level)i), row->amounts[i],
                       row->digits);
    }
    json_put_money(object, "total", row->total, row->digits);
    return json_print(object);
}

static void add_name(struct buf *out, const struct ledger_cost_row *row)
{
    for (size_t i = 0; i < NAME_COUNT && row->names[i] != NULL; i++) {
        buf_add_text(out, i == 0 ? "" : "/");
        buf_add_text(out, row->names[i]);
    }
}

static void add_amounts(struct out_table *table, const struct ledger_cost_row *row)
{
    char amount[DECIMAL_TEXT_BYTES];
    for (int i = 0; i < LEDGER_LEVELS; i++) {
        table_cell(table, money_format(row->amounts[i], row->digits, amount));
    }
    table_cell(table, money_format(row->total, row->digits, amount));
    table_cell(table, row->currency);
}

/* A last line for each currency, where there is more to add up than one row. */
static void add_totals(struct out_table *table, const struct ledger_cost_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        struct ledger_cost_row sum = {.currency = report->rows[i].currency,
                                      .digits = report->rows[i].digits};
        size_t count = 0;
        bool is_first = true;
        for (size_t j = 0; j < report->count; j++) {
            const struct ledger_cost_row *row = &report->rows[j];
            if (strcmp(row->currency, sum.currency) != 0) {
                continue;
            }
            is_first = is_first && j >= i;
            count++;
            for (int k = 0; k < LEDGER_LEVELS; k++) {
                (void)!__builtin_add_overflow(sum.amounts[k], row->amounts[k], &sum.amounts[k]);
            }
            (void)!__builtin_add_overflow(sum.total, row->total, &sum.total);
        }
        if (is_first && count > 1) {
            table_cell(table, "total");
            add_amounts(table, &sum);
        }
    }
}

static int print_cost_table(const struct ledger_cost_report *report)
{
    struct out_table table = OUT_TABLE(COST_COLUMNS, 0x7EU);
    if (report->count == 0) {
        return EX_OK;
    }
    table_cell(&table, "");
    for (int i = 0; i < LEDGER_LEVELS; i++) {
        table_cell(&table, ledger_level_name((enum ledger_level)i));
    }
    table_cell(&table, "total");
    table_cell(&table, "");
    for (size_t i = 0; i < report->count; i++) {
        struct buf name = BUF_EMPTY;
        add_name(&name, &report->rows[i]);
        table_cell(&table, buf_text(&name));
        buf_release(&name);
        add_amounts(&table, &report->rows[i]);
    }
    add_totals(&table, report);
    return table_print(&table, 0) ? EX_OK : cli_no_memory();
}

/* Names are ids and amounts are digits: nothing needs quotes. */
static void print_cost_csv(const struct ledger_cost_report *report)
{
    char amount[DECIMAL_TEXT_BYTES];
    for (size_t i = 0; i < NAME_COUNT; i++) {
        (void)printf("%s,", NAMES[i]);
    }
    (void)printf("currency");
    for (int i = 0; i < LEDGER_LEVELS; i++) {
        (void)printf(",%s", ledger_level_name((enum ledger_level)i));
    }
    (void)printf(",total\n");
    for (size_t i = 0; i < report->count; i++) {
        const struct ledger_cost_row *row = &report->rows[i];
        for (size_t j = 0; j < NAME_COUNT; j++) {
            (void)printf("%s,", row->names[j] == NULL ? "" : row->names[j]);
        }
        (void)printf("%s", row->currency);
        for (int j = 0; j < LEDGER_LEVELS; j++) {
            (void)printf(",%s", money_format(row->amounts[j], row->digits, amount));
        }
        (void)printf(",%s\n", money_format(row->total, row->digits, amount));
    }
}

/* Nothing was spent, or there is no such thing? */
static int check_known(const struct cli *cli, const struct ledger_cost_query *query,
                       const struct ledger_cost_report *report)
{
    if (report->count > 0 || query->from != NULL || query->to != NULL) {
        return EX_OK;
    }
    if (query->programme != NULL && house_programme(cli->house, query->programme) == NULL) {
        cli_say_error("%s: no such programme in %s", query->programme, cli->conf_path);
        return EX_NOINPUT;
    }
    if (query->programme == NULL || query->campaign == NULL) {
        return EX_OK;
    }
    const struct house_campaign *campaign = house_campaign(cli->house, query->campaign);
    if (campaign == NULL || strcmp(campaign->programme, query->programme) != 0) {
        cli_say_error("%s/%s: no such campaign in %s", query->programme, query->campaign,
                      cli->conf_path);
        return EX_NOINPUT;
    }
    return EX_OK;
}

int cmd_costs(struct cli *cli, int argc, char **argv)
{
    struct ledger_cost_query query = {.depth = LEDGER_BY_CAMPAIGN};
    bool is_json = false;
    bool is_csv = false;
    const struct cli_option options[] = {{"from", '\0', &query.from, NULL},
                                         {"to", '\0', &query.to, NULL},
                                         {"csv", '\0', NULL, &is_csv},
                                         {"json", '\0', NULL, &is_json}};
    int code = cli_options(cli, options, 4, &argc, &argv);
    if (code == CLI_GO_ON && argc > 1) {
        code = cli_usage(cli, "%s: one argument at most", argv[1]);
    }
    code = code == CLI_GO_ON && argc == 1 ? read_path(cli, argv[0], &query) : code;
    code = code == CLI_GO_ON ? check_day(cli, "from", query.from) : code;
    code = code == CLI_GO_ON ? check_day(cli, "to", query.to) : code;
    code = code == CLI_GO_ON ? cli_spool(cli) : code;
    if (code != CLI_GO_ON) {
        return code;
    }
    struct err err = {{0}};
    struct ledger_cost_report report = LEDGER_COST_REPORT_EMPTY;
    enum rc rc = costs_read(cli, &query, &report, &err);
    if (rc != RC_OK) {
        return cli_fail(rc, &err);
    }
    code = check_known(cli, &query, &report);
    if (is_csv) {
        print_cost_csv(&report);
    } else if (!is_json && code == EX_OK) {
        code = print_cost_table(&report);
    }
    for (size_t i = 0; is_json && code == EX_OK && i < report.count; i++) {
        code = print_cost_json(&report.rows[i]);
    }
    ledger_cost_report_release(&report);
    return code;
}

/* --- stock --- */

enum { STOCK_COLUMNS = 8 };

static int print_stock_json(const struct ledger_stock_row *row, int64_t alert)
{
    json_t *object = json_object();
    json_put_text(object, "stock", row->stock);
    json_put_text(object, "line", row->line);
    (void)json_object_set_new(object, "opened", json_integer(row->opened));
    (void)json_object_set_new(object, "received", json_integer(row->received));
    (void)json_object_set_new(object, "adjusted", json_integer(row->adjusted));
    (void)json_object_set_new(object, "consumed", json_integer(row->consumed));
    (void)json_object_set_new(object, "in_stock", json_integer(row->in_stock));
    (void)json_object_set_new(object, "alert",
                              alert == SCHEMA_NONE ? json_null() : json_integer(alert));
    json_put_bool(object, "low", alert != SCHEMA_NONE && row->in_stock <= alert);
    return json_print(object);
}

static void add_stock_row(struct out_table *table, const struct ledger_stock_row *row,
                          int64_t alert)
{
    table_format(table, "%s/%s", row->stock, row->line);
    table_format(table, "%" PRId64, row->opened);
    table_format(table, "%" PRId64, row->received);
    table_format(table, "%" PRId64, row->adjusted);
    table_format(table, "%" PRId64, row->consumed);
    table_format(table, "%" PRId64, row->in_stock);
    if (alert == SCHEMA_NONE) {
        table_cell(table, "");
    } else {
        table_format(table, "%" PRId64, alert);
    }
    table_cell(table, row->in_stock < 0                                ? "SHORT"
                      : alert != SCHEMA_NONE && row->in_stock <= alert ? "LOW"
                                                                       : "");
}

static const struct ledger_stock_row *find_row(const struct ledger_stock_report *report,
                                               const char *stock, const char *line)
{
    for (size_t i = 0; i < report->count; i++) {
        if (strcmp(report->rows[i].stock, stock) == 0 && strcmp(report->rows[i].line, line) == 0) {
            return &report->rows[i];
        }
    }
    return NULL;
}

struct stock_out {
    struct out_table table;
    bool is_json;
    int code;
};

static void put_stock(struct stock_out *out, const struct ledger_stock_row *row, int64_t alert)
{
    if (out->is_json) {
        int code = print_stock_json(row, alert);
        out->code = out->code == EX_OK ? code : out->code;
    } else {
        add_stock_row(&out->table, row, alert);
    }
}

/* Lines of the house first, as configured; then those that only the journal still knows. */
static void put_all_stock(struct stock_out *out, const struct house *house,
                          const struct ledger_stock_report *report)
{
    for (size_t i = 0; i < house->stock_count; i++) {
        for (size_t j = 0; j < house->stocks[i].line_count; j++) {
            const struct house_stock_line *line = &house->stocks[i].lines[j];
            const struct ledger_stock_row *row =
                find_row(report, house->stocks[i].name, line->name);
            struct ledger_stock_row unopened = {.stock = house->stocks[i].name,
                                                .line = line->name,
                                                .opened = line->initial,
                                                .in_stock = line->initial};
            put_stock(out, row == NULL ? &unopened : row, line->alert);
        }
    }
    for (size_t i = 0; i < report->count; i++) {
        struct buf path = BUF_EMPTY;
        buf_add_format(&path, "%s/%s", report->rows[i].stock, report->rows[i].line);
        if (house_stock_line(house, buf_text(&path), NULL) == NULL) {
            put_stock(out, &report->rows[i], SCHEMA_NONE);
        }
        buf_release(&path);
    }
}

int cmd_stock(struct cli *cli, int argc, char **argv)
{
    static const char *const titles[STOCK_COLUMNS] = {
        "", "opened", "received", "adjusted", "consumed", "in stock", "alert", ""};
    struct stock_out out = {.table = OUT_TABLE(STOCK_COLUMNS, 0x7EU), .code = EX_OK};
    const struct cli_option options[] = {{"json", '\0', NULL, &out.is_json}};
    int code = cli_options(cli, options, 1, &argc, &argv);
    if (code == CLI_GO_ON && argc > 0) {
        code = cli_usage(cli, "%s: no argument is wanted", argv[0]);
    }
    code = code == CLI_GO_ON ? cli_spool(cli) : code;
    if (code != CLI_GO_ON) {
        return code;
    }
    struct err err = {{0}};
    struct ledger_stock_report report = LEDGER_STOCK_REPORT_EMPTY;
    enum rc rc = stock_read(cli, &report, &err);
    if (rc != RC_OK) {
        return cli_fail(rc, &err);
    }
    for (size_t i = 0; i < STOCK_COLUMNS; i++) {
        table_cell(&out.table, titles[i]);
    }
    put_all_stock(&out, cli->house, &report);
    ledger_stock_report_release(&report);
    if (out.is_json) {
        table_release(&out.table);
    } else if (!table_print(&out.table, 0)) {
        out.code = cli_no_memory();
    }
    return out.code;
}
