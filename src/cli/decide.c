/*
 * decide - decisions dropped in approved/
 *
 *     approved/NAME  --accepted-->  ID/decisions/NNNN-NAME, then a line in ID/journal names it
 *                    --refused--->  refused/NAME.reason, then refused/NAME
 *
 * Both are seen by looking, as everybody may: nothing but the file goes to the daemon.
 */
#include "cli/decide.h"

#include "cli/decision_text.h"
#include "cli/deliveries.h"
#include "cli/out.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

enum { DECISIONS_MAX = 10000, DECISION_MODE = 0640 };

enum outcome { OUTCOME_WAITS, OUTCOME_ACCEPTED, OUTCOME_REFUSED };

/* One file. */
struct dropped {
    const char *id;
    enum step step;
    char sha256[SHA256_HEX_BYTES];
    char name[DECISION_NAME_BYTES];
    enum outcome outcome;
};

void pause_ms(int64_t ms)
{
    struct timespec span = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&span, NULL); /* a signal only makes it shorter */
}

/* --- before --- */

/* Every delivery exists; what is decided on is what stands now. */
static int look_at_all(struct cli *cli, const struct decide_plan *plan, struct dropped *list)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->id_count; i++) {
        struct subject subject = SUBJECT_NONE;
        int code = delivery_open(cli, plan->ids[i], &subject);
        if (code != CLI_GO_ON) {
            return code;
        }
        for (size_t j = 0; j < plan->step_count; j++) {
            struct dropped *one = &list[count++];
            const char *now = subject.view.steps[plan->steps[j]].sha256;
            one->id = plan->ids[i];
            one->step = plan->steps[j];
            (void)snprintf(one->sha256, sizeof one->sha256, "%s",
                           plan->sha256 != NULL ? plan->sha256 : now);
        }
        subject_close(&subject);
    }
    return CLI_GO_ON;
}

static int drop_one(const struct cli *cli, const struct decide_plan *plan, struct dropped *one)
{
    bool is_ask = plan->verb == VERB_SEND; /* what is said with it is its note */
    struct decision_text text = {.id = one->id,
                                 .step = one->step,
                                 .verb = plan->verb,
                                 .comment = is_ask ? NULL : plan->comment,
                                 .note = is_ask ? plan->comment : NULL,
                                 .sha256 = one->sha256,
                                 .layout = plan->layout,
                                 .is_recalled = plan->is_recalled};
    struct buf bytes = BUF_EMPTY;
    struct err err = {{0}};
    decision_text_add(&text, &bytes);
    decision_text_name(&text, clock_now_ns(), one->name);
    enum rc rc = buf_ok(&bytes, &err);
    if (rc == RC_OK) {
        rc = fs_put_volatile(spool_dir(cli->spool, SPOOL_APPROVED), one->name, DECISION_MODE,
                             bytes.ptr, bytes.len, &err);
    }
    buf_release(&bytes);
    if (rc == RC_PERM) {
        cli_say_error("approved/: %s; are you in the operators' group?", err.text);
        return EX_NOPERM;
    }
    return rc == RC_OK ? CLI_GO_ON : cli_fail(rc, &err);
}

/* --- after --- */

static void tell_accepted(const struct dropped *one, enum verb verb, const struct subject *subject,
                          const struct view_round *round)
{
    if (one->step == STEP_DELIVERY) {
        out_line("%s: %s by %s; now: %s%s", one->id, decision_past(verb), round->who,
                 state_shown_as(subject->view.state), subject->view.is_held ? ", held" : "");
    } else {
        const char *done = verb == VERB_SEND ? "asked for" : decision_past(verb);
        out_line("%s: %s %s by %s; now: %s", one->id, step_name(one->step), done, round->who,
                 state_shown_as(subject->view.state));
    }
}

/* Does a line of the journal name the file? */
static bool is_in_journal(struct cli *cli, const struct dropped *one, enum verb verb)
{
    struct subject subject = SUBJECT_NONE;
    bool is_there = false;
    if (subject_open(cli->spool, one->id, &subject, NULL) != RC_OK) {
        return false; /* it moves just now: looked at again */
    }
    for (size_t i = subject.view.round_count; i > 0 && !is_there; i--) {
        const struct view_round *round = subject.view.rounds[i - 1];
        is_there = decision_text_is_kept_as(round->file, one->name);
        if (is_there) {
            tell_accepted(one, verb, &subject, round);
        }
    }
    subject_close(&subject);
    return is_there;
}

/* The reason says why; whether it was the person that it was about is asked of the same rule. */
static int refusal_code(struct cli *cli, const struct dropped *one, enum verb verb)
{
    const struct person *caller = cli_caller(cli, NULL);
    struct subject subject = SUBJECT_NONE;
    int code = EX_DATAERR;
    if (caller == NULL) {
        return EX_NOPERM;
    }
    if (subject_open(cli->spool, one->id, &subject, NULL) == RC_OK) {
        struct right_question question = delivery_question(cli, &subject, one->step, verb, caller);
        code = right_check(&question, NULL, NULL) == RC_PERM ? EX_NOPERM : EX_DATAERR;
        subject_close(&subject);
    }
    return code;
}

static int tell_refused(struct cli *cli, const struct dropped *one, enum verb verb)
{
    struct buf reason = BUF_EMPTY;
    struct err err = {{0}};
    enum rc rc = refusal_text(cli, one->name, &reason, &err);
    const char *text = rc == RC_OK ? buf_text(&reason) : err.text;
    size_t name_len = strlen(one->name);
    if (strncmp(text, one->name, name_len) == 0 && strncmp(text + name_len, ": ", 2) == 0) {
        text += name_len + 2; /* the file was made here: its name tells the caller nothing */
    }
    cli_say_error("%s: %s %s refused: %s", one->id, step_name(one->step), verb_name(verb), text);
    buf_release(&reason);
    return refusal_code(cli, one, verb);
}

/* Looks once at one file; *code gets worse, never better. */
static void look_again(struct cli *cli, struct dropped *one, enum verb verb, int *code)
{
    char reason[DECISION_NAME_BYTES + 16];
    int refused = spool_dir(cli->spool, SPOOL_REFUSED);
    (void)snprintf(reason, sizeof reason, "%s.reason", one->name);
    /* The reason is there before the file leaves the door; it may also stay, with a reason. */
    if (refused >= 0 && fs_exists(refused, reason)) {
        one->outcome = OUTCOME_REFUSED;
        int mine = tell_refused(cli, one, verb);
        *code = *code == EX_NOPERM ? EX_NOPERM : mine;
    } else if (!fs_exists(spool_dir(cli->spool, SPOOL_APPROVED), one->name) &&
               is_in_journal(cli, one, verb)) {
        one->outcome = OUTCOME_ACCEPTED;
    }
}

static int wait_for_all(struct cli *cli, struct dropped *list, size_t count, enum verb verb)
{
    int code = EX_OK;
    int64_t start_ns = clock_monotonic_ns();
    int64_t seen_ns = start_ns; /* the daemon was last seen */
    size_t waits = count;
    for (;;) {
        waits = 0;
        for (size_t i = 0; i < count; i++) {
            if (list[i].outcome == OUTCOME_WAITS) {
                look_again(cli, &list[i], verb, &code);
                waits += list[i].outcome == OUTCOME_WAITS;
            }
        }
        int64_t now_ns = clock_monotonic_ns();
        seen_ns = cli_is_running(cli, NULL) ? now_ns : seen_ns;
        if (waits == 0 || now_ns - start_ns > (int64_t)DECIDE_WAIT_MS * 1000000 ||
            now_ns - seen_ns > (int64_t)DAEMON_GRACE_MS * 1000000) {
            break;
        }
        pause_ms(DECIDE_POLL_MS);
    }
    bool is_running = cli_is_running(cli, NULL);
    for (size_t i = 0; i < count; i++) {
        if (list[i].outcome == OUTCOME_WAITS) {
            cli_say_error("%s: %s %s lies in approved/ and was not taken yet%s", list[i].id,
                          step_name(list[i].step), verb_name(verb),
                          is_running ? "; look again with postroom log"
                                     : ": postroomd is not running");
        }
    }
    return code == EX_OK && waits > 0 ? EX_TEMPFAIL : code;
}

int decide_run(struct cli *cli, const struct decide_plan *plan)
{
    size_t count = plan->id_count * plan->step_count;
    int code = cli_spool(cli);
    if (code != CLI_GO_ON) {
        return code;
    }
    if (spool_dir(cli->spool, SPOOL_APPROVED) < 0) {
        cli_say_error("%s/approved: there is no such door yet; start postroomd",
                      spool_path(cli->spool));
        return EX_UNAVAILABLE;
    }
    if (count > DECISIONS_MAX) {
        return cli_usage(cli, "more than %d decisions at once", DECISIONS_MAX);
    }
    struct dropped *list = calloc(count, sizeof *list);
    if (list == NULL) {
        return cli_no_memory();
    }
    code = look_at_all(cli, plan, list);
    for (size_t i = 0; code == CLI_GO_ON && i < count; i++) {
        code = drop_one(cli, plan, &list[i]);
    }
    if (code == CLI_GO_ON) {
        code = plan->is_no_wait ? EX_OK : wait_for_all(cli, list, count, plan->verb);
    }
    free(list);
    return code;
}
