/*
 * decide - approve, reject, withdraw; confirm, hold, release, stop; restart; reset; proof send
 */
#include "cli/commands.h"
#include "cli/decide.h"
#include "cli/decision_text.h"

#include "conf/schema.h"
#include "operator/decision.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* The options that all decisions have, and the arguments behind them. */
struct decide_args {
    const char *message;
    const char *sha256;
    const char *layout;
    bool is_recalled;
    bool is_no_wait;
    int argc;
    char **argv;
};

enum extra { EXTRA_NONE, EXTRA_RECALLED, EXTRA_LAYOUT };

static bool is_sha256(const char *text)
{
    return strlen(text) == SHA256_HEX_BYTES - 1 &&
           strspn(text, "0123456789abcdef") == SHA256_HEX_BYTES - 1;
}

static int read_args(struct cli *cli, int argc, char **argv, enum extra extra,
                     struct decide_args *out)
{
    struct cli_option options[CLI_OPTIONS_MAX] = {{"message", 'm', &out->message, NULL},
                                                  {"sha256", '\0', &out->sha256, NULL},
                                                  {"no-wait", '\0', NULL, &out->is_no_wait}};
    size_t count = 3;
    if (extra == EXTRA_RECALLED) {
        options[count++] = (struct cli_option){"recalled", '\0', NULL, &out->is_recalled};
    } else if (extra == EXTRA_LAYOUT) {
        options[count++] = (struct cli_option){"layout", '\0', &out->layout, NULL};
    }
    int code = cli_options(cli, options, count, &argc, &argv);
    if (code != CLI_GO_ON) {
        return code;
    }
    if (out->message != NULL && strlen(out->message) > DECISION_COMMENT_BYTES_MAX) {
        return cli_usage(cli, "the comment is longer than %d bytes", DECISION_COMMENT_BYTES_MAX);
    }
    if (out->sha256 != NULL && !is_sha256(out->sha256)) {
        return cli_usage(cli, "--sha256 wants 64 lower-case hex digits");
    }
    out->argc = argc;
    out->argv = argv;
    return CLI_GO_ON;
}

static int run(struct cli *cli, const struct decide_args *args, int id_count,
               const enum step *steps, size_t step_count, enum verb verb)
{
    struct decide_plan plan = {.ids = args->argv,
                               .id_count = (size_t)id_count,
                               .steps = steps,
                               .step_count = step_count,
                               .verb = verb,
                               .comment = args->message,
                               .sha256 = args->sha256,
                               .layout = args->layout,
                               .is_recalled = args->is_recalled,
                               .is_no_wait = args->is_no_wait};
    if (args->sha256 != NULL && plan.id_count * step_count != 1) {
        return cli_usage(cli, "--sha256 goes with one step of one delivery");
    }
    int code = cli_ids_ok(cli, args->argv, id_count);
    return code == CLI_GO_ON ? decide_run(cli, &plan) : code;
}

/* ID... STEP[,STEP] */
static int on_steps(struct cli *cli, int argc, char **argv, enum verb verb)
{
    struct decide_args args = {0};
    enum step steps[DECISION_STEPS_MAX];
    size_t count = 0;
    struct err err = {{0}};
    int code = read_args(cli, argc, argv, EXTRA_NONE, &args);
    if (code != CLI_GO_ON) {
        return code;
    }
    if (args.argc < 2) {
        return cli_usage(cli, "a delivery and a step are wanted");
    }
    if (decision_steps_read(args.argv[args.argc - 1], steps, &count, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    for (size_t i = 0; i < count; i++) {
        if (!decision_pair_exists(steps[i], verb)) {
            return cli_usage(cli, "there is no %s of step %s", verb_name(verb),
                             step_name(steps[i]));
        }
        if (!decision_pair_is_available(steps[i], verb)) {
            cli_say_error("%s: step %s is not available in this version", cli->command,
                          step_name(steps[i]));
            return EX_UNAVAILABLE;
        }
    }
    return run(cli, &args, args.argc - 1, steps, count, verb);
}

int cmd_approve(struct cli *cli, int argc, char **argv)
{
    return on_steps(cli, argc, argv, VERB_APPROVE);
}

int cmd_reject(struct cli *cli, int argc, char **argv)
{
    return on_steps(cli, argc, argv, VERB_REJECT);
}

int cmd_withdraw(struct cli *cli, int argc, char **argv)
{
    return on_steps(cli, argc, argv, VERB_WITHDRAW);
}

/* ID... */
static int on_deliveries(struct cli *cli, int argc, char **argv, enum verb verb)
{
    struct decide_args args = {0};
    const enum step step = STEP_DELIVERY;
    int code = read_args(cli, argc, argv, verb == VERB_STOP ? EXTRA_RECALLED : EXTRA_NONE, &args);
    if (code == CLI_GO_ON && args.argc < 1) {
        code = cli_usage(cli, "a delivery is wanted");
    }
    return code == CLI_GO_ON ? run(cli, &args, args.argc, &step, 1, verb) : code;
}

int cmd_confirm(struct cli *cli, int argc, char **argv)
{
    return on_deliveries(cli, argc, argv, VERB_CONFIRM);
}

int cmd_hold(struct cli *cli, int argc, char **argv)
{
    return on_deliveries(cli, argc, argv, VERB_HOLD);
}

int cmd_release(struct cli *cli, int argc, char **argv)
{
    return on_deliveries(cli, argc, argv, VERB_RELEASE);
}

int cmd_pause(struct cli *cli, int argc, char **argv)
{
    return on_deliveries(cli, argc, argv, VERB_PAUSE);
}

int cmd_resume(struct cli *cli, int argc, char **argv)
{
    return on_deliveries(cli, argc, argv, VERB_RESUME);
}

int cmd_stop(struct cli *cli, int argc, char **argv)
{
    return on_deliveries(cli, argc, argv, VERB_STOP);
}

int cmd_reset(struct cli *cli, int argc, char **argv)
{
    struct decide_args args = {0};
    const enum step step = STEP_CONTENT;
    int code = read_args(cli, argc, argv, EXTRA_NONE, &args);
    if (code == CLI_GO_ON && (args.argc != 2 || strcmp(args.argv[1], "content") != 0)) {
        code = cli_usage(cli, "a delivery and the word content are wanted");
    }
    return code == CLI_GO_ON ? run(cli, &args, 1, &step, 1, VERB_RESET) : code;
}

/* send ID...; what else there is to do with proofs belongs to mail. */
int cmd_proof(struct cli *cli, int argc, char **argv)
{
    static const char *const words[] = {"send", "submit", "approve", "reject", "restart"};
    struct decide_args args = {0};
    const enum step step = STEP_PROOF;
    enum { WORDS = sizeof words / sizeof words[0] };
    int code = read_args(cli, argc, argv, EXTRA_NONE, &args);
    if (code == CLI_GO_ON && args.argc < 2) {
        code = cli_usage(cli, "send and a delivery are wanted");
    }
    if (code != CLI_GO_ON) {
        return code;
    }
    for (size_t i = 1; i < WORDS; i++) {
        if (strcmp(args.argv[0], words[i]) == 0) {
            cli_say_error(
                "proof: %s is for proofs of mail, which are not available in this version",
                words[i]);
            return EX_UNAVAILABLE;
        }
    }
    if (strcmp(args.argv[0], words[0]) != 0) {
        const char *nearest = name_nearest(slice_of(args.argv[0]), words, WORDS);
        return nearest == NULL ? cli_usage(cli, "there is no proof %s", args.argv[0])
                               : cli_usage(cli, "there is no proof %s; did you mean %s?",
                                           args.argv[0], nearest);
    }
    args.argc--;
    args.argv++;
    return run(cli, &args, args.argc, &step, 1, VERB_SEND);
}

/* --- restart --- */

/* The file's text as it may stand in a decision: "layout = {...};", wrapped where it holds the
 * settings alone. */
static int read_layout(const char *path, struct buf *out)
{
    struct buf bytes = BUF_EMPTY;
    struct err err = {{0}};
    struct conf_tree *tree = NULL;
    struct problems *problems = calloc(1, sizeof *problems);
    if (problems == NULL) {
        return cli_no_memory();
    }
    problems_init(problems);
    enum rc rc = conf_file_read(path, GUARD_DECISION_BYTES_MAX / 2, &bytes, &err);
    rc = rc == RC_OK
             ? conf_tree_parse(buf_slice(&bytes), GUARD_DECISION, path, problems, &tree, &err)
             : rc;
    if (rc == RC_OK) {
        bool has_name = config_setting_get_member(conf_tree_root(tree), "layout") != NULL;
        buf_add_text(out, has_name ? "" : "layout = { ");
        buf_add_slice(out, buf_slice(&bytes));
        buf_add_text(out, has_name ? "" : "\n};");
        rc = buf_ok(out, &err);
    }
    conf_tree_free(tree);
    buf_release(&bytes);
    problems_release(problems);
    free(problems);
    return rc == RC_OK ? CLI_GO_ON : cli_fail(rc, &err);
}

int cmd_restart(struct cli *cli, int argc, char **argv)
{
    struct decide_args args = {0};
    const enum step step = STEP_EXTRACTION;
    struct buf layout = BUF_EMPTY;
    int code = read_args(cli, argc, argv, EXTRA_LAYOUT, &args);
    if (code == CLI_GO_ON && args.argc != 1) {
        code = cli_usage(cli, "one delivery is wanted");
    }
    if (code == CLI_GO_ON && args.layout != NULL) {
        code = read_layout(args.layout, &layout);
        args.layout = buf_text(&layout);
    }
    code = code == CLI_GO_ON ? run(cli, &args, 1, &step, 1, VERB_RESTART) : code;
    buf_release(&layout);
    return code;
}
