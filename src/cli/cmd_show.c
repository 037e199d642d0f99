/*
 * show - everything about one delivery
 */
#include "cli/commands.h"
#include "cli/decision_text.h"
#include "cli/describe.h"
#include "cli/out.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { FACT_COLUMNS = 2, SHA256_SHOWN = 12 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static long long count_of(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static void add_fact(struct out_table *table, const char *name, const char *value)
{
    if (value[0] != '\0') {
        table_cell(table, name);
        table_cell(table, value);
    }
}

static void add_place(struct out_table *table, const json_t *root, const struct subject *subject)
{
    char when[OUT_WHEN_BYTES];
    add_fact(table, "label", text_of(root, "label"));
    table_cell(table, "state");
    table_format(table, "%s (%s) since %s%s", text_of(root, "shown"), text_of(root, "state"),
                 out_when(subject->view.since_ns, when), subject->view.is_held ? ", held" : "");
    add_fact(table, "reason", text_of(root, "reason"));
    if (subject->view.is_held) {
        table_cell(table, "held by");
        table_format(table, "%s %s", text_of(root, "held_by"), text_of(root, "held_comment"));
    }
    table_cell(table, "campaign");
    table_format(table, "%s (%s)", text_of(root, "campaign"), text_of(root, "programme"));
    table_cell(table, "channel");
    table_format(table, "%s %s%s%s", text_of(root, "channel"), text_of(root, "provider"),
                 subject->order->service == NULL ? "" : "/", text_of(root, "service"));
    add_fact(table, "owner", text_of(root, "owner"));
}

static void add_counts(struct out_table *table, const json_t *root)
{
    const json_t *progress = json_object_get(root, "progress");
    const char *cause;
    json_t *count;
    table_cell(table, "rows");
    table_format(table, "%lld in the file", count_of(root, "rows"));
    json_object_foreach(json_object_get(root, "excluded"), cause, count)
    {
        table_cell(table, "");
        table_format(table, "%lld %s", (long long)json_integer_value(count), cause);
    }
    table_cell(table, "records");
    table_format(table, "%lld and %lld seeds", count_of(root, "records"), count_of(root, "seeds"));
    if (count_of(progress, "done") != count_of(progress, "of")) {
        table_cell(table, "progress");
        table_format(table, "%lld of %lld", count_of(progress, "done"), count_of(progress, "of"));
    }
    static const char *const verdicts[] = {"sent",      "delivered", "undelivered", "failed",
                                           "uncertain", "expired",   "retrying"};
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        if (count_of(root, verdicts[i]) > 0) {
            table_cell(table, verdicts[i]);
            table_format(table, "%lld", count_of(root, verdicts[i]));
        }
    }
}

static void add_money(struct out_table *table, const json_t *root)
{
    const char *level;
    json_t *amount;
    if (text_of(root, "estimate")[0] != '\0') {
        table_cell(table, "estimate");
        table_format(table, "%s %s", text_of(root, "estimate"), text_of(root, "currency"));
    }
    json_object_foreach(json_object_get(root, "cost"), level, amount)
    {
        const char *text = json_string_value(amount);
        if (text != NULL && strspn(text, "0.") != strlen(text)) {
            table_cell(table, level);
            table_format(table, "%s %s", text, text_of(root, "currency"));
        }
    }
    add_fact(table, "archive", text_of(root, "archive"));
}

static void add_proofs(struct out_table *table, const json_t *root)
{
    size_t i;
    json_t *proof;
    json_array_foreach(json_object_get(root, "proofs"), i, proof)
    {
        const char *reason = text_of(proof, "reason");
        table_format(table, "proof %lld", count_of(proof, "proof"));
        if (strcmp(text_of(proof, "state"), "sent") == 0) {
            table_format(table, "%lld sent, %lld failed, %lld uncertain", count_of(proof, "sent"),
                         count_of(proof, "failed"), count_of(proof, "uncertain"));
        } else {
            table_format(table, "%s%s%s", text_of(proof, "state"), reason[0] == '\0' ? "" : ": ",
                         reason);
        }
    }
}

static void print_warnings(const json_t *root)
{
    size_t i;
    json_t *warning;
    json_array_foreach(json_object_get(root, "warnings"), i, warning)
    {
        out_line("warning: %s", json_string_value(warning));
    }
}

static void print_decisions(const struct cli *cli, const struct subject *subject)
{
    char when[OUT_WHEN_BYTES];
    for (size_t i = 0; i < subject->view.round_count; i++) {
        const struct view_round *round = subject->view.rounds[i];
        out_line("%s  %s %s by %s%s%s", out_when(round->at_ns, when), step_name(round->step),
                 round->verb == VERB_SEND ? "asked for" : decision_past(round->verb), round->who,
                 round->comment[0] == '\0' ? "" : ": ", round->comment);
    }
    for (int i = 0; i < STEP_COUNT; i++) {
        enum step step = (enum step)i;
        if (!delivery_step_waits(subject, step)) {
            continue;
        }
        struct buf who = BUF_EMPTY;
        struct right_question question =
            delivery_question(cli, subject, step, delivery_step_verb(step), NULL);
        right_names(&question, &who);
        int64_t deadline_ns = delivery_deadline(subject, step);
        out_line("waits: %s, for %s%s%s%s%.*s", step_name(step), buf_text(&who),
                 deadline_ns == INSTANT_NONE ? "" : ", until ",
                 deadline_ns == INSTANT_NONE ? "" : out_when(deadline_ns, when),
                 subject->view.steps[step].sha256[0] == '\0' ? "" : ", sha256 ", SHA256_SHOWN,
                 subject->view.steps[step].sha256);
        buf_release(&who);
    }
}

static int print_text(const struct cli *cli, const struct subject *subject, json_t *root)
{
    struct out_table table = OUT_TABLE(FACT_COLUMNS, 0);
    if (subject->view.revision > 1) {
        out_line("%s, revision %lld", subject->id, count_of(root, "revision"));
    } else {
        out_line("%s", subject->id);
    }
    add_place(&table, root, subject);
    add_counts(&table, root);
    add_proofs(&table, root);
    add_money(&table, root);
    if (!table_print(&table, 2)) {
        return cli_no_memory();
    }
    print_warnings(root);
    print_decisions(cli, subject);
    return EX_OK;
}

int cmd_show(struct cli *cli, int argc, char **argv)
{
    bool is_json = false;
    const struct cli_option options[] = {{"json", '\0', NULL, &is_json}};
    struct subject subject = SUBJECT_NONE;
    int code = cli_options(cli, options, 1, &argc, &argv);
    if (code == CLI_GO_ON && argc != 1) {
        code = cli_usage(cli, "one delivery is wanted");
    }
    code = code == CLI_GO_ON ? cli_spool(cli) : code;
    code = code == CLI_GO_ON ? delivery_open(cli, argv[0], &subject) : code;
    if (code != CLI_GO_ON) {
        return code;
    }
    struct err err = {{0}};
    json_t *root = NULL;
    enum rc rc = describe(cli, &subject, &root, &err);
    if (rc != RC_OK) {
        code = cli_fail(rc, &err);
    } else if (is_json) {
        code = json_print(root);
    } else {
        code = print_text(cli, &subject, root);
        json_decref(root);
    }
    subject_close(&subject);
    return code;
}
