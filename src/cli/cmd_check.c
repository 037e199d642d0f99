/*
 * check - what would happen to a delivery; changes nothing
 */
#include "cli/checking.h"
#include "cli/commands.h"
#include "cli/out.h"
#include "cli/packaging.h"

#include "delivery/step.h"
#include "stage/decide.h"
#include "sys/fs.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

enum { CHECK_COLUMNS = 3 };

/* --- JSON --- */

static json_t *lines_of(const struct cost_lines *costs, int digits)
{
    json_t *list = json_array();
    for (size_t i = 0; i < costs->count; i++) {
        const struct cost_line *line = &costs->lines[i];
        json_t *object = json_object();
        json_put_text(object, "category", line->category);
        json_put_text(object, "type", line->type);
        json_put_money(object, "amount", line->amount_minor, digits);
        json_put_bool(object, "surcharge", line->is_surcharge);
        (void)json_array_append_new(list, object);
    }
    return list;
}

static int print_json(const struct checking *checking, const char *id)
{
    const struct prepared *prepared = &checking->prepared;
    const char *currency = prepared->order == NULL ? NULL : prepared->order->currency;
    int digits = currency == NULL ? 2 : currency_digits(currency);
    json_t *root = json_object();
    json_t *excluded = json_object();
    json_t *warnings = json_array();
    json_t *errors = json_array();
    for (int i = 0; i < CAUSE_COUNT; i++) {
        if (prepared->excluded[i] > 0) {
            json_put_count(excluded, audience_cause_name((enum audience_cause)i),
                           prepared->excluded[i]);
        }
    }
    for (size_t i = 0; i < checking->problems.count; i++) {
        const struct problem *problem = &checking->problems.lines[i];
        json_add_text(problem->is_warning ? warnings : errors, problem->text);
    }
    for (size_t i = 0; i < checking->stock_warning_count; i++) {
        json_add_text(warnings, checking->stock_warnings[i]);
    }
    json_put_text(root, "id", id);
    json_put_count(root, "rows", prepared->rows);
    json_put_count(root, "records", prepared->records);
    json_put_count(root, "seeds", prepared->seeds);
    if (prepared->order != NULL && prepared->order->channel == HOUSE_SMS) {
        json_put_count(root, "parts", prepared->quantity);
    }
    (void)json_object_set_new(root, "excluded", excluded);
    (void)json_object_set_new(root, "costs", lines_of(&prepared->costs, digits));
    json_put_money(root, "total", prepared->costs.total_minor, digits);
    json_put_text(root, "currency", currency);
    (void)json_object_set_new(root, "warnings", warnings);
    (void)json_object_set_new(root, "errors", errors);
    return json_print(root);
}

/* --- text --- */

static void add_count(struct out_table *table, const char *name, uint64_t count)
{
    table_cell(table, name);
    table_count(table, count);
    table_cell(table, "");
}

static void add_costs(struct out_table *table, const struct prepared *prepared)
{
    const char *currency = prepared->order->currency;
    int digits = currency_digits(currency);
    char amount[DECIMAL_TEXT_BYTES];
    for (size_t i = 0; i < prepared->costs.count; i++) {
        const struct cost_line *line = &prepared->costs.lines[i];
        table_format(table, "%s/%s%s", line->category, line->type,
                     line->is_surcharge ? " (surcharge)" : "");
        table_cell(table, money_format(line->amount_minor, digits, amount));
        table_cell(table, currency);
    }
    table_cell(table, "total");
    table_cell(table, money_format(prepared->costs.total_minor, digits, amount));
    table_cell(table, currency);
}

static void print_steps(const struct order *order)
{
    struct buf steps = BUF_EMPTY;
    for (int i = 0; i < STEP_COUNT; i++) {
        if (i != STEP_PROOF && decide_step_on(order, (enum step)i)) { /* nobody approves proofs */
            buf_add_text(&steps, steps.len == 0 ? "" : ", ");
            buf_add_text(&steps, i == STEP_DELIVERY ? "confirmation" : step_name((enum step)i));
        }
    }
    out_line("  approvals  %s", steps.len == 0 ? "none" : buf_text(&steps));
    if (decide_step_on(order, STEP_PROOF)) {
        out_line("  proofs     to %zu addresses, when asked for",
                 order->steps[ORDER_STEP_PROOF].proof_target.count);
    }
    buf_release(&steps);
}

static int print_text(const struct checking *checking, const char *id)
{
    const struct prepared *prepared = &checking->prepared;
    struct out_table table = OUT_TABLE(CHECK_COLUMNS, 1U << 1);
    if (checking->is_partial) {
        out_line("%s: a revision; rows are counted when it is taken in, as files of it come from "
                 "the revision before",
                 id);
        return EX_OK;
    }
    if (prepared->order == NULL) {
        return EX_OK;
    }
    out_line("%s: %s, campaign %s, owner %s", id, house_channel_name(prepared->order->channel),
             prepared->order->campaign, prepared->order->owner);
    if (prepared->has_bad_rows) {
        return EX_OK; /* the counts end where the fault is */
    }
    add_count(&table, "rows", prepared->rows);
    for (int i = 0; i < CAUSE_COUNT; i++) {
        if (prepared->excluded[i] > 0) {
            add_count(&table, audience_cause_name((enum audience_cause)i), prepared->excluded[i]);
        }
    }
    add_count(&table, "records", prepared->records);
    add_count(&table, "seeds", prepared->seeds);
    if (prepared->order->channel == HOUSE_SMS) {
        add_count(&table, "parts", prepared->quantity);
    }
    add_costs(&table, prepared);
    if (!table_print(&table, 2)) {
        return cli_no_memory();
    }
    print_steps(prepared->order);
    return EX_OK;
}

int cmd_check(struct cli *cli, int argc, char **argv)
{
    bool is_json = false;
    char id[CHECKING_NAME_BYTES] = "";
    const struct cli_option options[] = {{"json", '\0', NULL, &is_json}};
    int code = cli_options(cli, options, 1, &argc, &argv);
    if (code == CLI_GO_ON && argc != 1) {
        code = cli_usage(cli, "one folder is wanted");
    }
    code = code == CLI_GO_ON ? cli_house(cli) : code;
    if (code != CLI_GO_ON) {
        return code;
    }
    struct err err = {{0}};
    int dirfd = -1;
    enum rc rc = cli_folder_open(argv[0], &dirfd, &err);
    if (rc != RC_OK) {
        return cli_fail(rc, &err);
    }
    if (!checking_id(argv[0], NULL, id)) {
        cli_say_error("%s: the folder's name is the delivery's id: 1 to 64 of A-Z a-z 0-9 . _ -; "
                      "rename it",
                      argv[0]);
        fs_drop(&dirfd);
        return EX_DATAERR;
    }
    struct checking *checking = NULL;
    cli_spool_quietly(cli);
    code = checking_run(cli, dirfd, id, &checking);
    if (code == CLI_GO_ON) {
        struct fs_names names = FS_NAMES_EMPTY;
        rc = packaging_list(dirfd, &names, &checking->problems, &err);
        fs_names_release(&names);
        code = rc == RC_OK ? CLI_GO_ON : cli_fail(rc, &err);
    }
    if (code == CLI_GO_ON) {
        int printed = is_json ? print_json(checking, id) : print_text(checking, id);
        code = checking_tell(checking);
        code = code == EX_OK ? printed : code;
    }
    checking_free(checking);
    fs_drop(&dirfd);
    return code;
}
