/*
 * wait - until deliveries have got somewhere
 *
 * A delivery has reached a state when it is in it, or was in it since it was last taken in or
 * restarted: what passed while nobody looked counts.
 */
#include "cli/commands.h"
#include "cli/decide.h"
#include "cli/deliveries.h"
#include "cli/out.h"

#include "base/number.h"
#include "spool/refuse.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sysexits.h>

enum { WAIT_POLL_MS = 100 };

struct waiting {
    bool is_any_end;           /* handed-over or finished */
    enum delivery_state state; /* else this one */
    bool is_reached;
};

static bool is_wanted(const struct waiting *waiting, enum delivery_state state)
{
    return waiting->is_any_end ? state == STATE_HANDED_OVER || state == STATE_FINISHED
                               : state == waiting->state;
}

static enum rc look_at_event(void *ctx, const struct journal_line *line, struct err *err)
{
    struct waiting *waiting = ctx;
    struct slice name;
    enum delivery_state state = STATE_NONE;
    (void)err;
    if (slice_equal_text(line->event, event_name(EVENT_TAKEN)) ||
        slice_equal_text(line->event, event_name(EVENT_RESTARTED))) {
        waiting->is_reached = false;
    }
    if (journal_value(line, "state", &name) && state_from_name(name, &state)) {
        waiting->is_reached = waiting->is_reached || is_wanted(waiting, state);
    }
    return RC_OK;
}

static int tell_end(const struct subject *subject)
{
    cli_say_error("%s: %s%s%s", subject->id, state_shown_as(subject->view.state),
                  subject->view.reason[0] == '\0' ? "" : ": ", subject->view.reason);
    return EX_DATAERR;
}

static int look_at_subject(struct waiting *waiting, const struct subject *subject)
{
    struct buf bytes = BUF_EMPTY;
    struct err err = {{0}};
    enum delivery_state state = subject->view.state;
    waiting->is_reached = false;
    enum rc rc = fs_read_small(subject->dirfd, JOURNAL_FILE, JOURNAL_BYTES_MAX, &bytes, &err);
    rc = rc == RC_OK ? journal_read(buf_slice(&bytes), look_at_event, waiting, NULL, &err) : rc;
    buf_release(&bytes);
    if (rc != RC_OK) {
        return cli_fail(rc, &err);
    }
    if (waiting->is_reached || is_wanted(waiting, state)) {
        return EX_OK;
    }
    bool is_lost = state_is_terminal(state) || state == STATE_PREPARATION_ERROR;
    return is_lost ? tell_end(subject) : CLI_GO_ON;
}

/* Nowhere: on its way through the door, refused, or unknown. */
static int look_for_drop(struct cli *cli, const char *id)
{
    char name[REFUSE_NAME_BYTES];
    struct buf reason = BUF_EMPTY;
    struct err err = {{0}};
    if (delivery_in_door(cli, id)) {
        return CLI_GO_ON;
    }
    struct subject subject = SUBJECT_NONE; /* taken between the two looks */
    if (subject_open(cli->spool, id, &subject, NULL) == RC_OK) {
        subject_close(&subject);
        return CLI_GO_ON;
    }
    if (!delivery_refusal(cli, id, name)) {
        return delivery_open(cli, id, &subject) == CLI_GO_ON ? (subject_close(&subject), CLI_GO_ON)
                                                             : EX_NOINPUT;
    }
    enum rc rc = refusal_text(cli, name, &reason, &err);
    cli_say_error("%s: refused: %s", id, rc == RC_OK ? buf_text(&reason) : err.text);
    buf_release(&reason);
    return EX_DATAERR;
}

/* CLI_GO_ON: not yet. */
static int look_at(struct cli *cli, struct waiting *waiting, const char *id)
{
    struct subject subject = SUBJECT_NONE;
    struct err err = {{0}};
    enum rc rc = subject_open(cli->spool, id, &subject, &err);
    if (rc == RC_GONE) {
        return look_for_drop(cli, id);
    }
    if (rc != RC_OK) {
        return cli_fail(rc, &err);
    }
    int code = look_at_subject(waiting, &subject);
    subject_close(&subject);
    return code;
}

static int wait_for_all(struct cli *cli, struct waiting *waiting, char **ids, int count,
                        int64_t timeout_ns)
{
    int64_t start_ns = clock_monotonic_ns();
    bool *is_done = calloc((size_t)count, sizeof *is_done);
    int worst = EX_OK;
    if (is_done == NULL) {
        return cli_no_memory();
    }
    for (;;) {
        int waits = 0;
        for (int i = 0; i < count; i++) {
            int code = is_done[i] ? EX_OK : look_at(cli, waiting, ids[i]);
            is_done[i] = code != CLI_GO_ON;
            waits += code == CLI_GO_ON;
            worst = code > EX_OK ? code : worst;
        }
        if (waits == 0) {
            break;
        }
        if (timeout_ns >= 0 && clock_monotonic_ns() - start_ns >= timeout_ns) {
            for (int i = 0; i < count; i++) {
                if (!is_done[i]) {
                    cli_say_error("%s: not there yet; see postroom show %s", ids[i], ids[i]);
                }
            }
            worst = worst == EX_OK ? EX_TEMPFAIL : worst;
            break;
        }
        pause_ms(WAIT_POLL_MS);
    }
    free(is_done);
    return worst;
}

static int read_timeout(const struct cli *cli, const char *text, int64_t *out_ns)
{
    uint64_t seconds = 0;
    if (number_parse_u64(slice_of(text), INT32_MAX, &seconds) == RC_OK) {
        *out_ns = (int64_t)seconds * NS_PER_SECOND;
        return CLI_GO_ON;
    }
    if (number_parse_duration(slice_of(text), out_ns) != RC_OK || *out_ns < 0) {
        return cli_usage(cli, "--timeout wants a time like 90s, 10m or 1h, not %s", text);
    }
    return CLI_GO_ON;
}

int cmd_wait(struct cli *cli, int argc, char **argv)
{
    const char *state = NULL;
    const char *timeout = NULL;
    int64_t timeout_ns = -1;
    struct waiting waiting = {.is_any_end = true};
    const struct cli_option options[] = {{"for", '\0', &state, NULL},
                                         {"timeout", 't', &timeout, NULL}};
    int code = cli_options(cli, options, 2, &argc, &argv);
    if (code == CLI_GO_ON && argc < 1) {
        code = cli_usage(cli, "a delivery is wanted");
    }
    if (code == CLI_GO_ON && state != NULL) {
        waiting.is_any_end = false;
        code = cli_state(cli, state, &waiting.state);
    }
    if (code == CLI_GO_ON && timeout != NULL) {
        code = read_timeout(cli, timeout, &timeout_ns);
    }
    code = code == CLI_GO_ON ? cli_ids_ok(cli, argv, argc) : code;
    code = code == CLI_GO_ON ? cli_spool(cli) : code;
    return code == CLI_GO_ON ? wait_for_all(cli, &waiting, argv, argc, timeout_ns) : code;
}
