/*
 * todo - what waits for an operator
 */
#include "cli/commands.h"
#include "cli/deliveries.h"
#include "cli/out.h"

#include "sys/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

enum { TODO_COLUMNS = 5 };

struct todo {
    struct cli *cli;
    const struct person *person;
    struct out_table table;
    int64_t now_ns;
    bool is_json;
};

static int print_json(const struct todo *todo, const struct subject *subject, enum step step)
{
    const struct view_step *view = &subject->view.steps[step];
    int64_t deadline_ns = delivery_deadline(subject, step);
    json_t *object = json_object();
    json_put_text(object, "id", subject->id);
    json_put_text(object, "step", step_name(step));
    json_put_text(object, "campaign", subject->order->campaign);
    json_put_text(object, "label", subject->order->label);
    json_put_text(object, "owner", subject->order->owner);
    json_put_count(object, "records", subject->view.records);
    json_put_when(object, "since", view->opened_ns);
    json_put_when(object, "deadline", deadline_ns);
    json_put_bool(object, "late", deadline_ns != INSTANT_NONE && deadline_ns < todo->now_ns);
    json_put_text(object, "sha256", view->sha256[0] == '\0' ? NULL : view->sha256);
    int code = json_print(object);
    return code == EX_OK ? CLI_GO_ON : code;
}

static void add_line(struct todo *todo, const struct subject *subject, enum step step)
{
    char when[OUT_WHEN_BYTES];
    int64_t deadline_ns = delivery_deadline(subject, step);
    table_cell(&todo->table, subject->id);
    table_cell(&todo->table, step_name(step));
    table_cell(&todo->table, subject->order->campaign);
    table_format(&todo->table, "%" PRIu64 " records", subject->view.records);
    table_format(
        &todo->table, "%s %s",
        deadline_ns == INSTANT_NONE  ? "since"
        : deadline_ns < todo->now_ns ? "LATE since"
                                     : "until",
        out_when(deadline_ns == INSTANT_NONE ? subject->view.steps[step].opened_ns : deadline_ns,
                 when));
}

static int look(void *ctx, const struct subject *subject)
{
    struct todo *todo = ctx;
    for (int i = 0; i < STEP_COUNT; i++) {
        enum step step = (enum step)i;
        if (!delivery_step_waits(subject, step)) {
            continue;
        }
        struct right_question question =
            delivery_question(todo->cli, subject, step, delivery_step_verb(step), todo->person);
        if (right_check(&question, NULL, NULL) != RC_OK) {
            continue;
        }
        if (!todo->is_json) {
            add_line(todo, subject, step);
            continue;
        }
        int code = print_json(todo, subject, step);
        if (code != CLI_GO_ON) {
            return code;
        }
    }
    return CLI_GO_ON;
}

static int find_person(struct cli *cli, int argc, char **argv, const struct person **out)
{
    if (argc > 1) {
        return cli_usage(cli, "%s: one operator at most", argv[1]);
    }
    if (argc == 1) {
        *out = people_find(cli->people, argv[0]);
        if (*out == NULL) {
            cli_say_error("%s: no such operator; 'operators' of %s names them", argv[0],
                          cli->conf_path);
            return EX_NOINPUT;
        }
        return CLI_GO_ON;
    }
    const char *why = NULL;
    *out = cli_caller(cli, &why);
    if (*out == NULL) {
        cli_say_error("%s", why);
        return EX_NOPERM;
    }
    return CLI_GO_ON;
}

int cmd_todo(struct cli *cli, int argc, char **argv)
{
    struct todo todo = {.cli = cli, .table = OUT_TABLE(TODO_COLUMNS, 1U << 3)};
    const struct cli_option options[] = {{"json", '\0', NULL, &todo.is_json}};
    int code = cli_options(cli, options, 1, &argc, &argv);
    code = code == CLI_GO_ON ? cli_spool(cli) : code;
    code = code == CLI_GO_ON ? find_person(cli, argc, argv, &todo.person) : code;
    if (code != CLI_GO_ON) {
        return code;
    }
    todo.now_ns = clock_now_ns();
    code = deliveries_each(cli, STAGES_ON_THE_WAY, look, &todo);
    if (!table_print(&todo.table, 0) && code == CLI_GO_ON) {
        code = cli_no_memory();
    }
    return code == CLI_GO_ON ? EX_OK : code;
}
