/*
 * status - is postroomd running, and what waits
 *
 * Stuck: something holds the lock but is not the process that writes run/status.json, or there is
 * no such file; or a door holds what is complete for long while no worker is busy.
 */
#include "cli/commands.h"
#include "cli/decide.h"
#include "cli/deliveries.h"
#include "cli/out.h"

#include "spool/door.h"
#include "sys/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

enum { STATUS_COLUMNS = 2, START_WAIT_MS = 2000 };
#define STUCK_AFTER_NS (INT64_C(600) * NS_PER_SECOND) /* a drop lies complete for that long */

struct census {
    uint64_t stages[STAGE_COUNT];
    uint64_t states[STATE_COUNT];
    char oldest_id[ID_BYTES_MAX + 1]; /* "" nothing waits */
    enum step oldest_step;
    int64_t oldest_ns;
};

static int count_subject(void *ctx, const struct subject *subject)
{
    struct census *census = ctx;
    census->stages[subject->stage]++;
    census->states[subject->view.state]++;
    for (int i = 0; i < STEP_COUNT; i++) {
        int64_t opened_ns = subject->view.steps[i].opened_ns;
        if (delivery_step_waits(subject, (enum step)i) && opened_ns != INSTANT_NONE &&
            (census->oldest_id[0] == '\0' || opened_ns < census->oldest_ns)) {
            (void)snprintf(census->oldest_id, sizeof census->oldest_id, "%s", subject->id);
            census->oldest_step = (enum step)i;
            census->oldest_ns = opened_ns;
        }
    }
    return CLI_GO_ON;
}

static enum rc count_done(void *ctx, const char *id)
{
    struct census *census = ctx;
    (void)id;
    census->stages[STAGE_DONE]++;
    return RC_OK;
}

static int take_census(struct cli *cli, struct census *out)
{
    struct err err = {{0}};
    int code = deliveries_each(cli, STAGES_ON_THE_WAY, count_subject, out);
    if (code != CLI_GO_ON) {
        return code;
    }
    /* What is done is only counted: there may be very many. */
    enum rc rc = spool_scan(cli->spool, STAGE_DONE, count_done, out, &err);
    return rc == RC_OK || rc == RC_GONE ? CLI_GO_ON : cli_fail(rc, &err);
}

/* --- stuck? --- */

struct old_drop {
    int64_t before_ns;
    size_t count;
};

static enum rc look_at_drop(void *ctx, const struct drop *drop)
{
    struct old_drop *old = ctx;
    old->count += drop->is_complete && !drop->is_stuck && drop->ctime_ns < old->before_ns;
    return RC_OK;
}

/* Who may not list a door cannot see what lies in it: then nothing is said. */
static bool has_old_drops(const struct cli *cli, enum spool_place place)
{
    int64_t now_ns = clock_now_ns();
    struct old_drop old = {now_ns - STUCK_AFTER_NS, 0};
    struct door_options options = {.now_ns = now_ns,
                                   .settle_ns = cli->house->settle_ns,
                                   .wants_deliveries = place == SPOOL_INBOX};
    int door = spool_dir(cli->spool, place);
    return door >= 0 && door_scan(door, &options, look_at_drop, &old, NULL) == RC_OK &&
           old.count > 0;
}

static const char *why_stuck(const struct cli *cli, const json_t *status, pid_t pid)
{
    json_int_t writer = json_integer_value(json_object_get(status, "pid"));
    if (status == NULL) {
        return "it holds the lock and writes no run/status.json";
    }
    if (pid != 0 && writer != 0 && writer != (json_int_t)pid) {
        return "run/status.json is of another process; a worker may have outlived its daemon";
    }
    if (json_array_size(json_object_get(status, "working")) > 0) {
        return NULL;
    }
    if (has_old_drops(cli, SPOOL_INBOX)) {
        return "inbox/ holds what was complete ten minutes ago";
    }
    return has_old_drops(cli, SPOOL_APPROVED) ? "approved/ holds what was complete ten minutes ago"
                                              : NULL;
}

/* A daemon that has just started has the lock before it has written its status. */
static const char *why_stuck_patiently(const struct cli *cli, json_t **status, pid_t pid)
{
    const char *why = why_stuck(cli, *status, pid);
    for (int waited = 0; why != NULL && waited < START_WAIT_MS && cli_is_running(cli, NULL);
         waited += 10 * DECIDE_POLL_MS) {
        pause_ms(10 * (int64_t)DECIDE_POLL_MS);
        json_decref(*status);
        *status = status_read(cli);
        why = why_stuck(cli, *status, pid);
    }
    return why;
}

/* --- printing --- */

static int print_json(const struct cli *cli, const struct census *census, json_t *status,
                      bool is_running, pid_t pid, const char *stuck)
{
    json_t *root = json_object();
    json_t *stages = json_object();
    json_t *states = json_object();
    json_t *working = json_object_get(status, "working");
    json_put_bool(root, "running", is_running);
    (void)json_object_set_new(root, "pid", pid == 0 ? json_null() : json_integer(pid));
    json_put_text(root, "since",
                  is_running ? json_string_value(json_object_get(status, "since")) : NULL);
    json_put_text(root, "stuck", stuck);
    for (int i = 0; i < STAGE_COUNT; i++) {
        json_put_count(stages, stage_name((enum stage)i), census->stages[i]);
    }
    for (int i = STATE_NONE + 1; i < STATE_COUNT; i++) {
        if (census->states[i] > 0) {
            json_put_count(states, state_name((enum delivery_state)i), census->states[i]);
        }
    }
    (void)json_object_set_new(root, "stages", stages);
    (void)json_object_set_new(root, "states", states);
    json_put_count(root, "refused", refused_count(cli));
    json_t *oldest = json_null();
    if (census->oldest_id[0] != '\0') {
        oldest = json_object();
        json_put_text(oldest, "id", census->oldest_id);
        json_put_text(oldest, "step", step_name(census->oldest_step));
        json_put_when(oldest, "since", census->oldest_ns);
    }
    (void)json_object_set_new(root, "oldest", oldest);
    (void)json_object_set_new(root, "working",
                              is_running && working != NULL ? json_incref(working) : json_array());
    return json_print(root);
}

static int print_text(const struct cli *cli, const struct census *census, const json_t *status,
                      bool is_running, pid_t pid, const char *stuck)
{
    struct out_table table = OUT_TABLE(STATUS_COLUMNS, 1U);
    char when[OUT_WHEN_BYTES];
    size_t refused = refused_count(cli);
    if (!is_running) {
        out_line("postroomd is not running");
    } else {
        out_line("postroomd runs, process %ld%s%s", (long)pid,
                 stuck == NULL ? "" : ", STUCK: ", stuck == NULL ? "" : stuck);
    }
    for (int i = STATE_NONE + 1; i < STATE_COUNT; i++) {
        if (census->states[i] > 0) {
            table_count(&table, census->states[i]);
            table_format(&table, "%s (%s)", state_shown_as((enum delivery_state)i),
                         stage_name(state_stage((enum delivery_state)i)));
        }
    }
    table_count(&table, census->stages[STAGE_DONE]);
    table_cell(&table, "done");
    table_count(&table, refused);
    table_cell(&table, "refused");
    table_count(&table, json_array_size(json_object_get(status, "working")));
    table_cell(&table, "being worked at");
    if (!table_print(&table, 2)) {
        return cli_no_memory();
    }
    if (census->oldest_id[0] != '\0') {
        out_line("waits longest: %s of %s, since %s", step_name(census->oldest_step),
                 census->oldest_id, out_when(census->oldest_ns, when));
    }
    return EX_OK;
}

int cmd_status(struct cli *cli, int argc, char **argv)
{
    bool is_json = false;
    struct census census = {.oldest_id = ""};
    const struct cli_option options[] = {{"json", '\0', NULL, &is_json}};
    int code = cli_options(cli, options, 1, &argc, &argv);
    if (code == CLI_GO_ON && argc > 0) {
        code = cli_usage(cli, "%s: no argument is wanted", argv[0]);
    }
    code = code == CLI_GO_ON ? cli_spool(cli) : code;
    code = code == CLI_GO_ON ? take_census(cli, &census) : code;
    if (code != CLI_GO_ON) {
        return code;
    }
    pid_t pid = 0;
    bool is_running = cli_is_running(cli, &pid);
    json_t *status = is_running ? status_read(cli) : NULL;
    const char *stuck = is_running ? why_stuck_patiently(cli, &status, pid) : NULL;
    code = is_json ? print_json(cli, &census, status, is_running, pid, stuck)
                   : print_text(cli, &census, status, is_running, pid, stuck);
    json_decref(status);
    return code == EX_OK && (!is_running || stuck != NULL) ? EX_UNAVAILABLE : code;
}
