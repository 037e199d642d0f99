/*
 * deliveries - finding, opening and describing deliveries
 */
#include "cli/deliveries.h"

#include "spool/refuse.h"
#include "stage/decide.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

enum {
    STATUS_BYTES_MAX = 4 << 20, /* run/status.json: some 100 bytes a worker */
    LOCATE_TRIES = 3 /* a delivery that moves back while it is looked for is missed once at most */
};

/* What a drop of an id may be called. */
static const char *const SUFFIXES[] = {"", ".tar", ".tar.gz", ".tgz", ".tar.zst", ".zip"};
enum { SUFFIX_COUNT = sizeof SUFFIXES / sizeof SUFFIXES[0] };

/* --- walking --- */

struct walk {
    struct cli *cli;
    enum stage stage;
    int (*fn)(void *ctx, const struct subject *subject);
    void *ctx;
    int code;
    int denied; /* CLI_GO_ON, or 77: one may not be read by the caller */
};

static enum rc visit(void *ctx, const char *id)
{
    struct walk *walk = ctx;
    struct subject subject = SUBJECT_NONE;
    struct err err = {{0}};
    enum rc rc = subject_open_at(walk->cli->spool, walk->stage, id, &subject, &err);
    if (rc == RC_GONE) {
        return RC_OK; /* it moved on meanwhile */
    }
    if (rc == RC_NOMEM) {
        walk->code = cli_no_memory();
        return RC_STATE;
    }
    if (rc != RC_OK) { /* the others are shown all the same */
        int code = cli_fail(rc, &err);
        walk->denied = code == EX_NOPERM ? code : walk->denied;
        return RC_OK;
    }
    walk->code = walk->fn(walk->ctx, &subject);
    subject_close(&subject);
    return walk->code == CLI_GO_ON ? RC_OK : RC_STATE;
}

int deliveries_each(struct cli *cli, unsigned stages,
                    int (*fn)(void *ctx, const struct subject *subject), void *ctx)
{
    struct walk walk = {cli, STAGE_PENDING, fn, ctx, CLI_GO_ON, CLI_GO_ON};
    for (unsigned i = 0; i < STAGE_COUNT; i++) {
        struct err err = {{0}};
        if ((stages >> i & 1U) == 0) {
            continue;
        }
        walk.stage = (enum stage)i;
        enum rc rc = spool_scan(cli->spool, walk.stage, visit, &walk, &err);
        if (walk.code != CLI_GO_ON) {
            return walk.code;
        }
        if (rc != RC_OK && rc != RC_GONE) {
            return cli_fail(rc, &err);
        }
    }
    return walk.denied;
}

/* --- one --- */

bool delivery_in_door(const struct cli *cli, const char *id)
{
    int inbox = spool_dir(cli->spool, SPOOL_INBOX);
    char name[ID_BYTES_MAX + 16];
    for (size_t i = 0; inbox >= 0 && i < SUFFIX_COUNT; i++) {
        (void)snprintf(name, sizeof name, "%s%s", id, SUFFIXES[i]);
        if (fs_exists(inbox, name)) {
            return true;
        }
    }
    return false;
}

bool delivery_refusal(const struct cli *cli, const char *id, char *out)
{
    int refused = spool_dir(cli->spool, SPOOL_REFUSED);
    int64_t newest_ns = INSTANT_NONE;
    for (size_t i = 0; refused >= 0 && i < SUFFIX_COUNT; i++) {
        for (int n = 1; n <= REFUSE_NUMBER_MAX; n++) {
            char name[REFUSE_NAME_BYTES];
            char reason[REFUSE_NAME_BYTES];
            struct stat status;
            if (n == 1) {
                (void)snprintf(name, sizeof name, "%s%s", id, SUFFIXES[i]);
            } else {
                (void)snprintf(name, sizeof name, "%s%s.%d", id, SUFFIXES[i], n);
            }
            (void)snprintf(reason, sizeof reason, "%.240s.reason", name);
            if (fstatat(refused, reason, &status, AT_SYMLINK_NOFOLLOW) != 0) {
                break;
            }
            int64_t at_ns = (int64_t)status.st_mtim.tv_sec * NS_PER_SECOND + status.st_mtim.tv_nsec;
            if (at_ns >= newest_ns) {
                newest_ns = at_ns;
                (void)snprintf(out, REFUSE_NAME_BYTES, "%s", name);
            }
        }
    }
    return newest_ns != INSTANT_NONE;
}

enum rc refusal_text(const struct cli *cli, const char *name, struct buf *out, struct err *err)
{
    char reason[REFUSE_NAME_BYTES + 16];
    (void)snprintf(reason, sizeof reason, "%s.reason", name);
    enum rc rc = fs_read_small(spool_dir(cli->spool, SPOOL_REFUSED), reason,
                               (size_t)REFUSE_REASON_BYTES_MAX * 2, out, err);
    while (rc == RC_OK && out->len > 0 && out->ptr[out->len - 1] == '\n') {
        out->ptr[--out->len] = '\0';
    }
    return rc;
}

static int tell_absence(const struct cli *cli, const char *id)
{
    char name[REFUSE_NAME_BYTES];
    if (delivery_in_door(cli, id)) {
        cli_say_error("%s: not taken in yet: it lies in inbox/; is postroomd running? (postroom "
                      "status)",
                      id);
    } else if (delivery_refusal(cli, id, name)) {
        cli_say_error("%s: no such delivery; a drop of that name was refused: postroom refused "
                      "tells why",
                      id);
    } else {
        cli_say_error("%s: no such delivery; `postroom list --all` shows them", id);
    }
    return EX_NOINPUT;
}

int delivery_open(struct cli *cli, const char *id, struct subject *out)
{
    struct err err = {{0}};
    enum rc rc = RC_GONE;
    if (!id_is_valid(slice_of(id))) {
        return cli_usage(cli, "%s is no delivery id (1 to 64 of A-Z a-z 0-9 . _ -)", id);
    }
    for (int i = 0; rc == RC_GONE && i < LOCATE_TRIES; i++) {
        rc = subject_open(cli->spool, id, out, &err);
    }
    if (rc == RC_GONE) {
        return tell_absence(cli, id);
    }
    return rc == RC_OK ? CLI_GO_ON : cli_fail(rc, &err);
}

/* --- steps --- */

static_assert((int)STEP_TARGET == ORDER_STEP_TARGET && (int)STEP_DELIVERY == ORDER_STEP_DELIVERY &&
                  (int)STEP_COUNT == ORDER_STEPS,
              "steps are numbered alike in decisions and in settings");

struct right_question delivery_question(const struct cli *cli, const struct subject *subject,
                                        enum step step, enum verb verb, const struct person *person)
{
    return (struct right_question){
        .step = step,
        .verb = verb,
        .person = person,
        .people = cli->people,
        .settings = decide_settings(subject->order, step, verb),
        .owner = subject->order->owner,
        .dropper = subject->view.dropper,
        .is_owner_confirmation = cli->house->owner_confirmation,
        .is_four_eyes = cli->house->four_eyes,
        .previous = &subject->view.steps[step],
        .is_held = subject->view.is_held,
        .held_by = subject->view.held_by,
    };
}

enum verb delivery_step_verb(enum step step)
{
    return step == STEP_DELIVERY ? VERB_CONFIRM : VERB_APPROVE;
}

bool delivery_step_waits(const struct subject *subject, enum step step)
{
    return subject->view.steps[step].is_open && !state_is_terminal(subject->view.state);
}

int64_t delivery_deadline(const struct subject *subject, enum step step)
{
    int64_t opened_ns = subject->view.steps[step].opened_ns;
    int64_t for_ns = subject->order->steps[step].deadline_ns;
    int64_t out = INSTANT_NONE;
    if (opened_ns == INSTANT_NONE || for_ns <= 0 ||
        __builtin_add_overflow(opened_ns, for_ns, &out)) {
        return INSTANT_NONE;
    }
    return out;
}

int cli_state(const struct cli *cli, const char *text, enum delivery_state *out)
{
    const char *names[STATE_COUNT];
    size_t count = 0;
    if (state_from_name(slice_of(text), out)) {
        return CLI_GO_ON;
    }
    for (int i = STATE_NONE + 1; i < STATE_COUNT; i++) {
        names[count++] = state_name((enum delivery_state)i);
    }
    const char *nearest = name_nearest(slice_of(text), names, count);
    return nearest == NULL ? cli_usage(cli, "%s is no state (see postroom(1))", text)
                           : cli_usage(cli, "%s is no state; did you mean %s?", text, nearest);
}

/* --- run/ --- */

json_t *status_read(const struct cli *cli)
{
    struct buf text = BUF_EMPTY;
    json_t *root = NULL;
    int run = spool_dir(cli->spool, SPOOL_RUN);
    if (run >= 0 && fs_read_small(run, "status.json", STATUS_BYTES_MAX, &text, NULL) == RC_OK) {
        root = json_loadb(buf_text(&text), text.len, 0, NULL);
    }
    buf_release(&text);
    return root;
}

bool delivery_working(const json_t *status, const char *id, uint64_t *out_done, uint64_t *out_of)
{
    const json_t *working = json_object_get(status, "working");
    for (size_t i = 0; i < json_array_size(working); i++) {
        const json_t *one = json_array_get(working, i);
        const char *name = json_string_value(json_object_get(one, "id"));
        if (name != NULL && strcmp(name, id) == 0) {
            *out_done = (uint64_t)json_integer_value(json_object_get(one, "done"));
            *out_of = (uint64_t)json_integer_value(json_object_get(one, "of"));
            return true;
        }
    }
    return false;
}

static enum rc count_reason(void *ctx, const char *name)
{
    size_t *count = ctx;
    size_t len = strlen(name);
    *count += len > strlen(".reason") && strcmp(name + len - strlen(".reason"), ".reason") == 0;
    return RC_OK;
}

size_t refused_count(const struct cli *cli)
{
    size_t count = 0;
    int refused = spool_dir(cli->spool, SPOOL_REFUSED);
    if (refused >= 0 &&
        fs_each(refused, FS_TREE_ENTRIES_MAX, count_reason, &count, NULL) != RC_OK) {
        return 0;
    }
    return count;
}
