/*
 * take_in - a drop becomes a delivery in pending/
 */
#include "stage/take_in.h"

#include "conf/house.h"
#include "spool/refuse.h"
#include "spool/take.h"
#include "stage/decide.h"
#include "stage/originals.h"
#include "stage/prepare.h"
#include "stage/revise.h"
#include "stage/shelf.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/log.h"
#include "sys/user.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One delivery's files together: more than any list of recipients of today (a billion rows). */
#define TAKE_IN_BYTES_MAX (UINT64_C(256) << 30)

/* --- before the work --- */

/* Who dropped it, as the house knows people. */
static enum rc find_dropper(const struct stage_env *env, uid_t uid, struct order_dropper *out,
                            struct err *err)
{
    char user[USER_NAME_BYTES];
    enum rc rc = user_name(uid, user, err);
    if (rc != RC_OK && rc != RC_GONE) {
        return RC_TEMP;
    }
    const struct house_operator *operator= rc == RC_OK ? house_operator_by_user(env->house, user)
                                                       : NULL;
    if (operator== NULL) {
        return err_set(
            err, RC_PERM,
            "dropped by %s (uid %ju), who is no operator; name the user in `operators` of "
            "postroom.conf, or let an operator drop it",
            rc == RC_OK ? user : "a user without a name", (uintmax_t)uid);
    }
    *out =
        (struct order_dropper){operator->name, operator->is_admin, operator->may_act_for_others };
    return RC_OK;
}

/* A drop with the id of a delivery that exists: a revision, the rest of a crash, or too late. */
static enum rc meet_previous(struct take_in *take, struct err *err)
{
    enum stage stage = STAGE_PENDING;
    enum rc rc = spool_locate(take->env->spool, take->id, &stage, err);
    if (rc == RC_GONE) {
        take->revision = 1;
        return RC_OK;
    }
    if (rc != RC_OK) {
        return rc == RC_CORRUPT ? RC_PERM : rc;
    }
    struct subject previous = SUBJECT_NONE;
    rc = subject_open_at(take->env->spool, stage, take->id, &previous, err);
    if (rc != RC_OK) {
        return rc == RC_CORRUPT ? RC_PERM : rc;
    }
    const char *owner = previous.order->owner;
    if (strcmp(previous.view.drop, take->identity) == 0) {
        rc = RC_GONE; /* I2: this very drop was taken */
    } else if (stage == STAGE_OUTBOX || stage == STAGE_DONE) {
        rc = err_set(err, RC_PERM,
                     "%s has reached %s (%s) and cannot be revised; give the delivery a new id",
                     take->id, stage_name(stage), state_name(previous.view.state));
    } else if (strcmp(owner, take->dropper.operator_name) != 0 && !take->dropper.is_admin) {
        rc = err_set(
            err, RC_PERM,
            "%s exists and belongs to %s: a revision comes from its owner or an administrator; "
            "give the delivery a new id",
            take->id, owner);
    } else {
        take->revision = previous.view.revision + 1;
        take->previous_stage = stage;
        take->previous_fd = previous.dirfd;
        previous.dirfd = -1;
    }
    subject_close(&previous);
    return rc;
}

static enum rc open_source(struct take_in *take, const struct drop *drop, struct err *err)
{
    int door = spool_dir(take->env->spool, SPOOL_INBOX);
    if (drop->kind == DROP_DIR) {
        int dirfd = -1;
        enum rc rc = fs_open_dir(door, drop->name, &dirfd, err);
        if (rc == RC_OK) {
            rc = drop_open_files(dirfd, &take->files, err);
        }
        fs_drop(&dirfd);
        if (rc == RC_OK && take->files.uid != drop->uid) {
            return err_set(err, RC_TEMP, "%s changed hands", drop->name);
        }
        return rc == RC_RANGE ? RC_PERM : rc;
    }
    struct stat status;
    enum rc rc = fs_open_regular(door, drop->name, &take->package_fd, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (fstat(take->package_fd, &status) != 0 || status.st_ino != drop->ino ||
        status.st_uid != drop->uid) {
        return err_set(err, RC_TEMP, "%s was replaced", drop->name);
    }
    return status.st_nlink == 1
               ? RC_OK
               : err_set(err, RC_PERM, "%s: has %ju names (hard links); copy it and drop the copy",
                         drop->name, (uintmax_t)status.st_nlink);
}

static enum rc make_staging(struct take_in *take, struct err *err)
{
    int intake = spool_dir(take->env->spool, SPOOL_INTAKE);
    int64_t gid = take->env->group_gid;
    enum rc rc = fs_make_open_dir(intake, take->id, 0750, gid, &take->staged_fd, err);
    if (rc != RC_EXISTS) {
        return rc;
    }
    /* What lies there may be a whole old revision that met a full disk on its way to revisions/. */
    rc = revise_put_away_left(take->env, take->id, err);
    rc = rc == RC_OK ? fs_remove_tree(intake, take->id, err) : rc;
    return rc == RC_OK || rc == RC_GONE
               ? fs_make_open_dir(intake, take->id, 0750, gid, &take->staged_fd, err)
               : rc;
}

enum rc take_in_begin(const struct stage_env *env, const struct drop *drop, struct take_in **out,
                      struct err *err)
{
    struct take_in *take = calloc(1, sizeof *take);
    if (take == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a drop");
    }
    take->env = env;
    take->kind = drop->kind;
    take->size_bytes = drop->size_bytes;
    extract_moment_take(env, clock_now_ns(), &take->moment);
    take->files = DROP_FILES_EMPTY;
    take->package_fd = take->staged_fd = take->previous_fd = -1;
    (void)snprintf(take->id, sizeof take->id, "%s", drop->id);
    (void)snprintf(take->name, sizeof take->name, "%s", drop->name);
    (void)snprintf(take->identity, sizeof take->identity, "%" PRIu64 ":%" PRId64, drop->ino,
                   drop->ctime_ns);
    enum rc rc = find_dropper(env, drop->uid, &take->dropper, err);
    if (rc == RC_OK) {
        rc = meet_previous(take, err);
    }
    if (rc == RC_OK) {
        rc = open_source(take, drop, err);
    }
    if (rc == RC_OK) {
        rc = make_staging(take, err);
    }
    if (rc != RC_OK) {
        take_in_release(take);
        return rc;
    }
    *out = take;
    return RC_OK;
}

void take_in_forked(struct take_in *take)
{
    drop_files_release(&take->files);
    fs_drop(&take->package_fd);
}

void take_in_release(struct take_in *take)
{
    if (take != NULL) {
        take_in_forked(take);
        fs_drop(&take->staged_fd);
        fs_drop(&take->previous_fd);
        order_free(take->order);
        view_release(&take->view);
        buf_release(&take->text);
        free(take);
    }
}

/* --- the work --- */

/* last: of a directory, what is copied as it is read */
static enum rc copy_drop(struct take_in *take, struct take_copy *last, struct err *err)
{
    struct take_limits limits = {.total_bytes = TAKE_IN_BYTES_MAX};
    struct take_result result;
    if (take->kind == DROP_DIR) {
        return take_files(&take->files, take->staged_fd, &limits, last, &result, err);
    }
    return take_package(take->package_fd, take->kind, take->staged_fd, &limits, &result, err);
}

void take_in_work(struct take_in *take, struct stage_report *report, struct progress_cell *cell)
{
    struct err err = {{0}};
    struct err changed = {{0}};
    struct take_copy last = TAKE_COPY_NONE;
    struct problems *problems = calloc(1, sizeof *problems);
    enum rc rc = problems == NULL ? RC_NOMEM : RC_OK;
    struct prepared prepared = {0};
    if (rc == RC_OK) {
        problems_init(problems);
        rc = copy_drop(take, &last, &err);
    }
    if (rc == RC_OK) {
        struct prepare_options options = {.dirfd = take->staged_fd,
                                          .previous_fd = take->previous_fd,
                                          .spill_fd = take->staged_fd,
                                          .last = &last,
                                          .house = take->env->house,
                                          .lists = &take->env->lists,
                                          .dropper = &take->dropper,
                                          .id = take->id,
                                          .revision = take->revision,
                                          .cell = cell};
        options.moment = take->may_be_made && take->revision == 1 ? &take->moment : NULL;
        rc = prepare_run(&options, &prepared, problems, &err);
    }
    /* Nothing is told of a drop that is still being written, but that. */
    if (rc == RC_TEMP || rc == RC_NOMEM || rc == RC_IO) {
        take_drop(&last);
    } else if (take_finish(&last, &changed) != RC_OK) {
        rc = err_set(&err, RC_TEMP, "%s", changed.text);
    }
    if (rc == RC_OK && !prepared.has_bad_rows && take->previous_fd >= 0) {
        report->is_same_ground = revise_is_same_ground(take->staged_fd, take->previous_fd);
    }
    report->rows = prepared.rows;
    report->records = prepared.records;
    report->seeds = prepared.seeds;
    report->bytes = prepared.bytes;
    if (rc == RC_OK && prepared.is_made) {
        report->has_facts = 1;
        report->quantity = prepared.quantity;
        (void)snprintf(report->archive, sizeof report->archive, "%s", prepared.result.archive);
        (void)snprintf(report->sha256, sizeof report->sha256, "%s", prepared.result.sha256);
    }
    switch (rc) {
    case RC_OK:
        report->outcome = prepared.has_bad_rows ? REPORT_PREPARATION_ERROR : REPORT_DONE;
        (void)snprintf(report->text, sizeof report->text, "%s", prepared.text);
        break;
    case RC_TEMP:
    case RC_NOMEM:
    case RC_IO:
        report->outcome = REPORT_TEMP;
        (void)snprintf(report->text, sizeof report->text, "%s", err.text);
        break;
    default:
        report->outcome = REPORT_REFUSED;
        if (problems != NULL && problems->error_count > 0) {
            struct buf text = BUF_EMPTY;
            problems_print(problems, &text);
            (void)snprintf(report->text, sizeof report->text, "%s", buf_text(&text));
            buf_release(&text);
        } else {
            (void)snprintf(report->text, sizeof report->text, "%s", err.text);
        }
        break;
    }
    if (problems != NULL) {
        problems_release(problems);
        free(problems);
    }
}

/* --- after the work --- */

enum rc take_in_refuse(const struct stage_env *env, int door, const char *name, const char *reason,
                       struct err *err)
{
    struct refusal refusal;
    enum rc rc = spool_refuse(env->spool, door, name, reason, &refusal, err);
    if (rc == RC_OK) {
        log_event(LOG_LEVEL_WARNING, "refused", refusal.name, "reason=\"%.*s\"",
                  (int)strcspn(reason, "\n"), reason);
    }
    return rc;
}

static void put_steps(struct take_in *take, const struct view *previous, const struct order *order,
                      struct journal_writer *writer, struct err *err, int64_t now_ns, enum rc *rc)
{
    static const enum step steps[] = {STEP_TARGET, STEP_CONTENT, STEP_BUDGET};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && *rc == RC_OK; i++) {
        char digest[SHA256_HEX_BYTES];
        if (!prepare_step_waits(order, steps[i]) ||
            (revise_keeps_step(take->staged_fd, take->previous_fd, steps[i]) &&
             previous->steps[steps[i]].status != STEP_STATUS_REJECTED)) {
            continue;
        }
        *rc = prepare_basis_digest(take->staged_fd, steps[i], digest, err);
        journal_begin(writer, now_ns, event_name(EVENT_OPENED), JOURNAL_DAEMON);
        journal_put_text(writer, "step", step_name(steps[i]));
        journal_put_text(writer, "sha256", digest);
        enum rc ended = journal_end(writer, err);
        *rc = *rc == RC_OK ? ended : *rc;
    }
}

/* The lines of a delivery just taken: what it is, which steps wait, and whether none does. What a
 * new one is now is folded from them; a revision's history is longer. */
static enum rc write_journal(struct take_in *take, const struct stage_report *report,
                             int64_t now_ns, struct err *err)
{
    enum rc rc = order_load_from(take->staged_fd, &take->order, err);
    if (rc != RC_OK) {
        return rc;
    }
    const struct order *order = take->order;
    bool is_broken = report->outcome == REPORT_PREPARATION_ERROR;
    struct journal_writer writer = JOURNAL_WRITER_EMPTY;
    journal_begin(&writer, now_ns, event_name(EVENT_TAKEN), take->dropper.operator_name);
    journal_put_u64(&writer, "revision", take->revision);
    journal_put_text(&writer, "drop", take->identity);
    journal_put_u64(&writer, "rows", report->rows);
    journal_put_u64(&writer, "records", report->records);
    journal_put_u64(&writer, "seeds", report->seeds);
    journal_put_text(&writer, "state",
                     state_name(is_broken ? STATE_PREPARATION_ERROR : STATE_TARGET_READY));
    if (is_broken) {
        journal_put_text(&writer, "reason", report->text);
    }
    rc = journal_end(&writer, err);
    if (rc == RC_OK && !is_broken) {
        struct view previous = {0};
        rc = take->previous_fd >= 0 ? view_load(take->previous_fd, &previous, err) : RC_OK;
        put_steps(take, &previous, order, &writer, err, now_ns, &rc);
        view_release(&previous);
    }
    if (rc == RC_OK) {
        rc = journal_append(take->staged_fd, buf_slice(&writer.lines), err);
    }
    if (rc == RC_OK && take->revision == 1) {
        rc = view_fold(buf_slice(&writer.lines), &take->view, err);
    }
    journal_writer_release(&writer);
    return rc;
}

/* Most have nothing to tell: no room is kept for it. Without memory it stays untold. */
static void say(struct take_in *take, const char *text)
{
    buf_clear(&take->text);
    buf_add_text(&take->text, text);
}

/* Decides by the report what becomes of one drop; the journal is written for those that are taken.
 */
static enum rc weigh(struct take_in *take, const struct stage_report *report, int64_t now_ns,
                     struct err *err)
{
    const struct stage_env *env = take->env;
    enum rc rc = RC_OK;
    switch ((enum report_outcome)report->outcome) {
    case REPORT_DONE:
    case REPORT_PREPARATION_ERROR:
        take->keeps_place = report->is_same_ground != 0 && take->previous_stage == STAGE_EXTRACT;
        if (take->keeps_place) {
            take->result = TAKE_IN_TAKEN; /* its journal goes on where it is */
            return RC_OK;
        }
        if (take->revision > 1) {
            rc = revise_carry_over(take->staged_fd, take->previous_fd, err);
        }
        rc = rc == RC_OK ? write_journal(take, report, now_ns, err) : rc;
        take->result = rc == RC_OK ? TAKE_IN_TAKEN : TAKE_IN_LATER;
        return rc;
    case REPORT_REFUSED:
        say(take, report->text);
        rc = take_in_refuse(env, spool_dir(env->spool, SPOOL_INBOX), take->name, report->text, err);
        take->result = rc == RC_OK ? TAKE_IN_REFUSED : rc == RC_GONE ? TAKE_IN_GONE : TAKE_IN_LATER;
        return rc == RC_IO ? rc : RC_OK;
    case REPORT_TEMP:
    case REPORT_NOT_RUN:
    case REPORT_DIED:
    case REPORT_WAITING: /* no intake says so */
    case REPORT_IO:
        break;
    }
    say(take, report->text);
    take->result = TAKE_IN_LATER;
    return RC_OK;
}

/* What was added to or changed in a drop since it was copied is not ours to remove: it comes as the
 * next revision. */
static bool is_as_it_was(const struct take_in *take)
{
    struct drop_stamp stamp;
    char identity[DROP_IDENTITY_BYTES];
    if (door_stamp(spool_dir(take->env->spool, SPOOL_INBOX), take->name, &stamp, NULL) != RC_OK) {
        return true; /* gone, or not to be seen: the rename will tell */
    }
    (void)snprintf(identity, sizeof identity, "%" PRIu64 ":%" PRId64, stamp.ino, stamp.ctime_ns);
    return strcmp(identity, take->identity) == 0;
}

static void remove_original(struct take_in *take)
{
    struct err err = {{0}};
    take->has_changed = !is_as_it_was(take);
    if (take->has_changed) {
        log_event(LOG_LEVEL_WARNING, "original-changed", take->id,
                  "it is taken again as a revision");
        return;
    }
    if (originals_leave(take->env, take->name, take->id, &err) != RC_OK) {
        log_event(LOG_LEVEL_WARNING, "original-stays", take->id, "reason=\"%s\"", err.text);
    }
}

static enum rc admit(struct take_in *take, int64_t now_ns, struct err *err)
{
    if (take->keeps_place) {
        return revise_in_place(take, now_ns, err);
    }
    enum rc rc = take->revision > 1 ? revise_admit(take, now_ns, err)
                                    : spool_admit(take->env->spool, take->id, take->id, err);
    if (rc == RC_OK && take->revision > 1) {
        rc = view_load(take->staged_fd, &take->view, err);
    }
    take->state = take->view.state;
    return rc;
}

/* What was taken in waits for nobody: its next step finds it open. */
static void hand_on(struct take_in *take)
{
    struct subject subject = {
        .stage = STAGE_PENDING, .dirfd = take->staged_fd, .order = take->order, .view = take->view};
    if (take->keeps_place || take->revision > 1 || take->state != STATE_TARGET_READY ||
        !decide_is_ready(&subject)) {
        return;
    }
    (void)snprintf(subject.id, sizeof subject.id, "%s", take->id);
    shelf_put(take->env->shelf, &subject);
    take->staged_fd = -1;
    take->order = NULL;
    take->view = (struct view){.state = take->state};
}

enum rc take_in_weigh(struct take_in **group, const struct stage_report *reports, size_t count,
                      int64_t now_ns, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct err own = {{0}};
        enum rc rc = weigh(group[i], &reports[i], now_ns, &own);
        if (rc == RC_IO) {
            *err = own;
            return rc;
        }
        if (rc != RC_OK) {
            say(group[i], own.text);
        }
    }
    return RC_OK;
}

enum rc take_in_admit(struct take_in **group, size_t count, int64_t now_ns, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct err own = {{0}};
        if (group[i]->result != TAKE_IN_TAKEN) {
            /* What was copied or unpacked of it is not kept. */
            const struct spool *spool = group[i]->env->spool;
            (void)!fs_remove_tree(spool_dir(spool, SPOOL_INTAKE), group[i]->id, &own);
            continue;
        }
        enum rc rc = admit(group[i], now_ns, &own);
        if (rc != RC_OK) {
            group[i]->result = TAKE_IN_LATER;
            say(group[i], own.text);
        }
        if (rc == RC_IO) {
            *err = own;
            return rc;
        }
    }
    return RC_OK;
}

void take_in_end(struct take_in **group, const struct stage_report *reports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (group[i]->result == TAKE_IN_TAKEN) {
            remove_original(group[i]);
            hand_on(group[i]);
            log_event(LOG_LEVEL_INFO, "taken", group[i]->id,
                      "revision=%" PRIu64 " rows=%" PRIu64 " records=%" PRIu64 " state=%s",
                      group[i]->revision, reports[i].rows, reports[i].records,
                      state_name(group[i]->state));
        }
    }
}
