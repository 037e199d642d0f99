/*
 * list - deliveries, a line each
 */
#include "cli/commands.h"
#include "cli/listing.h"

#include "sys/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

enum { LIST_COLUMNS = 5 };

struct list {
    const struct listing_wants *wants;
    struct out_table table;
    int64_t now_ns;
    size_t count;
};

static bool is_wanted(const struct listing_wants *wants, const struct subject *subject)
{
    return (wants->campaign == NULL || strcmp(wants->campaign, subject->order->campaign) == 0) &&
           (wants->state == STATE_NONE || wants->state == subject->view.state);
}

static bool is_late(const struct subject *subject, int64_t now_ns)
{
    for (int i = 0; i < STEP_COUNT; i++) {
        int64_t deadline_ns = delivery_deadline(subject, (enum step)i);
        if (delivery_step_waits(subject, (enum step)i) && deadline_ns != INSTANT_NONE &&
            deadline_ns < now_ns) {
            return true;
        }
    }
    return false;
}

static int add_line(void *ctx, const struct subject *subject)
{
    struct list *list = ctx;
    char when[OUT_WHEN_BYTES];
    if (!is_wanted(list->wants, subject)) {
        return CLI_GO_ON;
    }
    table_cell(&list->table, subject->id);
    table_format(&list->table, "%s%s%s", state_shown_as(subject->view.state),
                 subject->view.is_held ? ", held" : "",
                 is_late(subject, list->now_ns) ? ", late" : "");
    table_cell(&list->table, subject->order->campaign);
    table_format(&list->table, "%" PRIu64, subject->view.records);
    table_cell(&list->table, out_when(subject->view.since_ns, when));
    list->count++;
    return CLI_GO_ON;
}

static json_t *open_steps(const struct subject *subject)
{
    json_t *steps = json_array();
    for (int i = 0; i < STEP_COUNT; i++) {
        if (delivery_step_waits(subject, (enum step)i)) {
            json_add_text(steps, step_name((enum step)i));
        }
    }
    return steps;
}

static int print_json(void *ctx, const struct subject *subject)
{
    const struct list *list = ctx;
    const struct order *order = subject->order;
    if (!is_wanted(list->wants, subject)) {
        return CLI_GO_ON;
    }
    json_t *object = json_object();
    json_put_text(object, "id", subject->id);
    json_put_text(object, "state", state_name(subject->view.state));
    json_put_text(object, "shown", state_shown_as(subject->view.state));
    json_put_text(object, "stage", stage_name(subject->stage));
    json_put_text(object, "programme", order->programme);
    json_put_text(object, "campaign", order->campaign);
    json_put_text(object, "channel", house_channel_name(order->channel));
    json_put_text(object, "label", order->label);
    json_put_text(object, "owner", order->owner);
    json_put_count(object, "rows", subject->view.rows);
    json_put_count(object, "records", subject->view.records);
    json_put_when(object, "since", subject->view.since_ns);
    json_put_bool(object, "held", subject->view.is_held);
    json_put_bool(object, "late", is_late(subject, list->now_ns));
    (void)json_object_set_new(object, "waiting", open_steps(subject));
    int code = json_print(object);
    return code == EX_OK ? CLI_GO_ON : code;
}

int listing_print(struct cli *cli, const struct listing_wants *wants)
{
    struct list list = {wants, OUT_TABLE(LIST_COLUMNS, 1U << 3), clock_now_ns(), 0};
    int code = deliveries_each(cli, wants->stages, add_line, &list);
    if (!table_print(&list.table, 0) && code == CLI_GO_ON) {
        code = cli_no_memory();
    }
    size_t refused = refused_count(cli);
    if (refused > 0) {
        (void)printf("%zu refused\n", refused);
    }
    return code == CLI_GO_ON ? EX_OK : code;
}

int cmd_list(struct cli *cli, int argc, char **argv)
{
    bool is_all = false;
    bool is_json = false;
    const char *campaign = NULL;
    const char *state = NULL;
    const struct cli_option options[] = {{"all", 'a', NULL, &is_all},
                                         {"campaign", '\0', &campaign, NULL},
                                         {"state", '\0', &state, NULL},
                                         {"json", '\0', NULL, &is_json}};
    struct listing_wants wants = {STAGES_ON_THE_WAY, NULL, STATE_NONE};
    int code = cli_options(cli, options, sizeof options / sizeof options[0], &argc, &argv);
    if (code == CLI_GO_ON && argc > 0) {
        code = cli_usage(cli, "%s: no argument is wanted", argv[0]);
    }
    if (code == CLI_GO_ON && state != NULL) {
        code = cli_state(cli, state, &wants.state);
    }
    code = code == CLI_GO_ON ? cli_spool(cli) : code;
    if (code != CLI_GO_ON) {
        return code;
    }
    wants.stages = is_all || state != NULL ? STAGES_ALL : STAGES_ON_THE_WAY;
    wants.campaign = campaign;
    if (!is_json) {
        return listing_print(cli, &wants);
    }
    struct list list = {&wants, OUT_TABLE(LIST_COLUMNS, 0), clock_now_ns(), 0};
    code = deliveries_each(cli, wants.stages, print_json, &list);
    return code == CLI_GO_ON ? EX_OK : code;
}
