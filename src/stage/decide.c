/*
 * decide - a file dropped in approved/ becomes a decision on a delivery, or is refused
 */
#include "stage/decide.h"

#include "operator/decision.h"
#include "operator/identity.h"
#include "operator/right.h"
#include "stage/cost.h"
#include "stage/hand_over.h"
#include "stage/prepare.h"
#include "stage/proof.h"
#include "stage/send.h"
#include "stage/take_in.h"
#include "stage/target.h"
#include "stage/undo.h"
#include "sys/fs.h"
#include "sys/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One file being weighed. */
struct weighing {
    const struct stage_env *env;
    const char *file; /* as people know it */
    int64_t now_ns;
    struct arena arena;
    struct people people;
    struct identity identity;
    struct decision decision;
    struct subject subject;
    struct right_answer answer;
    char digest[SHA256_HEX_BYTES]; /* of the file */
};

static const enum order_step_kind ORDER_STEP_OF[STEP_COUNT] = {
    [STEP_TARGET] = ORDER_STEP_TARGET, [STEP_CONTENT] = ORDER_STEP_CONTENT,
    [STEP_BUDGET] = ORDER_STEP_BUDGET, [STEP_EXTRACTION] = ORDER_STEP_EXTRACTION,
    [STEP_PROOF] = ORDER_STEP_PROOF,   [STEP_DELIVERY] = ORDER_STEP_DELIVERY,
};

/* --- readiness --- */

bool decide_step_on(const struct order *order, enum step step)
{
    if (step == STEP_DELIVERY) {
        return order->needs_confirmation;
    }
    if (step == STEP_BUDGET && !order->steps[ORDER_STEP_TARGET].is_on) {
        return false; /* CONTRACT.md section 4: budget exists only where target is on */
    }
    return order->steps[ORDER_STEP_OF[step]].is_on;
}

struct right_settings decide_settings(const struct order *order, enum step step, enum verb verb)
{
    enum step asked = step == STEP_PROOF && verb == VERB_SEND ? STEP_CONTENT : step;
    const struct order_step *settings = &order->steps[ORDER_STEP_OF[asked]];
    bool is_on = decide_step_on(order, asked);
    bool counts = is_on || asked == step; /* who would review what is off is nobody special */
    return (struct right_settings){is_on, settings->reviewers.items,
                                   counts ? settings->reviewers.count : 0, settings->is_all};
}

bool decide_is_ready(const struct subject *subject)
{
    static const enum step before[] = {STEP_TARGET, STEP_CONTENT, STEP_BUDGET};
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        if (decide_step_on(subject->order, before[i]) &&
            subject->view.steps[before[i]].status != STEP_STATUS_APPROVED) {
            return false;
        }
    }
    return true;
}

enum rc decide_say_ready(struct subject *subject, int64_t now_ns, struct err *err)
{
    enum delivery_state next = STATE_NONE;
    if (!decide_is_ready(subject)) {
        return err_set(err, RC_STATE, "%s waits for an approval", subject->id);
    }
    enum rc rc = subject_next(subject, EVENT_READY, &next, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct journal_writer writer = JOURNAL_WRITER_EMPTY;
    journal_begin(&writer, now_ns, event_name(EVENT_READY), JOURNAL_DAEMON);
    journal_put_text(&writer, "state", state_name(next));
    rc = journal_end(&writer, err);
    if (rc != RC_OK) {
        journal_writer_release(&writer);
        return rc;
    }
    return subject_say(subject, &writer, err);
}

/* --- weighing --- */

/* Who, and what: fills identity and decision. */
static enum rc read_file(struct weighing *w, int dirfd, const char *folder, const char *name,
                         struct err *err)
{
    int fd = -1;
    struct buf bytes = BUF_EMPTY;
    enum rc rc =
        identity_open(dirfd, name, w->file, DECISION_FILE_BYTES_MAX, &fd, &w->identity, err);
    if (rc == RC_OK) {
        rc = identity_of_uid(w->identity.uid, w->people, w->file, &w->identity.person,
                             w->identity.user, err);
    }
    if (rc == RC_OK && folder != NULL) {
        rc = identity_check_folder(w->identity.person, folder, w->file, err);
    }
    if (rc == RC_OK) {
        rc = identity_read(fd, w->file, &w->identity, &bytes, err);
    }
    if (rc == RC_OK) {
        sha256_hex(bytes.ptr, bytes.len, w->digest);
        rc = decision_read(buf_slice(&bytes), w->file, &w->decision, err);
    }
    buf_release(&bytes);
    fs_drop(&fd);
    return rc == RC_RANGE ? RC_PERM : rc;
}

/* A decision is on what stands: not on what was there before, nor on something else. */
static enum rc check_basis(struct weighing *w, struct err *err)
{
    const struct decision *decision = &w->decision;
    const struct view_step *step = &w->subject.view.steps[decision->step];
    char path[64];
    (void)snprintf(path, sizeof path, "basis/%s", step_name(decision->step));
    struct stat status;
    int fd = -1;
    if (fs_open_regular(w->subject.dirfd, path, &fd, NULL) != RC_OK) {
        return RC_OK; /* a step without a basis: `delivery` */
    }
    bool is_known = fstat(fd, &status) == 0;
    fs_drop(&fd);
    if (!is_known) {
        return RC_TEMP;
    }
    int64_t opened_ns = (int64_t)status.st_mtim.tv_sec * NS_PER_SECOND + status.st_mtim.tv_nsec;
    if (w->identity.mtime_ns < opened_ns) {
        return err_set(
            err, RC_PERM,
            "%s: older than what it decides on: %s of %s was opened after it was written; look at "
            "it and decide again",
            w->file, step_name(decision->step), w->subject.id);
    }
    if (decision->sha256[0] != '\0' && strcmp(decision->sha256, step->sha256) != 0) {
        return err_set(
            err, RC_PERM,
            "%s: sha256 is not that of %s of %s (now %s): it decides on something else; look "
            "again and decide on that",
            w->file, step_name(decision->step), w->subject.id, step->sha256);
    }
    return RC_OK;
}

/* Whoever paused it last; "" nobody. */
static const char *paused_by(const struct view *view)
{
    for (size_t i = view->round_count; i > 0; i--) {
        if (view->rounds[i - 1]->verb == VERB_PAUSE) {
            return view->rounds[i - 1]->who;
        }
    }
    return "";
}

static enum rc check_right(struct weighing *w, struct err *err)
{
    bool is_pausing = w->decision.verb == VERB_PAUSE || w->decision.verb == VERB_RESUME;
    const struct order *order = w->subject.order;
    struct right_question question = {
        .step = w->decision.step,
        .verb = w->decision.verb,
        .person = w->identity.person,
        .people = w->people,
        .settings = decide_settings(order, w->decision.step, w->decision.verb),
        .owner = order->owner,
        .dropper = w->subject.view.dropper,
        .is_owner_confirmation = w->env->house->owner_confirmation,
        .is_four_eyes = w->env->house->four_eyes,
        .previous = &w->subject.view.steps[w->decision.step],
        .is_held = is_pausing ? w->subject.view.state == STATE_PAUSED : w->subject.view.is_held,
        .held_by = is_pausing ? paused_by(&w->subject.view) : w->subject.view.held_by,
    };
    enum rc rc = right_check(&question, &w->answer, err);
    return rc == RC_OK ? rc : err_add(err, rc, "%s", w->file);
}

/* A decision on a delivery that costs more than `signature_above` wants a signature: without one it
 * is refused. */
static enum rc check_signature(const struct weighing *w, struct err *err)
{
    struct decimal limit = w->env->house->signature_above;
    bool is_letting_go = w->decision.verb == VERB_APPROVE || w->decision.verb == VERB_CONFIRM;
    if (!decimal_is_set(limit) || !is_letting_go) {
        return RC_OK;
    }
    struct target_facts facts;
    struct decimal cost;
    enum rc rc = target_read(w->subject.dirfd, &facts, err);
    if (rc != RC_OK) {
        return rc;
    }
    bool is_below = decimal_parse(slice_of(facts.cost_total), &cost) == RC_OK &&
                    decimal_compare(cost, limit) <= 0;
    if (!is_below) {
        rc = err_set(err, RC_PERM,
                     "%s: %s costs %s %s, above signature_above: a signed decision is wanted, and "
                     "signatures are "
                     "not available in this version; raise signature_above in postroom.conf",
                     w->file, w->subject.id, facts.cost_total, w->subject.order->currency);
    }
    target_release(&facts);
    return rc;
}

/* A proof is asked for where there is somebody to send it to, and one after another. */
static enum rc check_proof(const struct weighing *w, struct err *err)
{
    const struct order *order = w->subject.order;
    const struct view *view = &w->subject.view;
    const struct view_proof *due = view_proof_due(view);
    if (order->channel == HOUSE_MAIL) {
        return err_set(err, RC_PERM, "%s: proofs of mail are not available in this version",
                       w->file);
    }
    if (!order->steps[ORDER_STEP_PROOF].is_on) {
        return err_set(err, RC_PERM,
                       "%s: proofs are off for %s; say who gets them in a new revision: approvals "
                       "= { proof = { target = [ \"you@example.net\" ]; }; };",
                       w->file, w->subject.id);
    }
    if (due != NULL) {
        return err_set(
            err, RC_STATE,
            "%s: proof %llu, which %s asked for, is not sent yet; 'postroom log %s' says "
            "when it is",
            w->file, (unsigned long long)due->number, due->who, w->subject.id);
    }
    if (view->proof_count >= PROOFS_MAX) {
        return err_set(err, RC_PERM, "%s: %s has had %d proofs; that is enough", w->file,
                       w->subject.id, PROOFS_MAX);
    }
    return RC_OK;
}

static enum rc find_subject(struct weighing *w, struct err *err)
{
    enum rc rc = subject_open(w->env->spool, w->decision.delivery, &w->subject, err);
    if (rc == RC_GONE) {
        return err_set(err, RC_PERM,
                       "%s: there is no delivery %s; look at `postroom list --all` for its id",
                       w->file, w->decision.delivery);
    }
    return rc;
}

static enum rc weigh(struct weighing *w, struct err *err)
{
    const struct decision *decision = &w->decision;
    /* First who: a late answer is told who was first, whatever the delivery is doing by now. */
    enum rc rc = check_right(w, err);
    if (rc == RC_OK && w->subject.view.state == STATE_SENDING &&
        w->subject.order->channel == HOUSE_MAIL) {
        return err_set(err, RC_TEMP, "%s is being handed over", w->subject.id);
    }
    if (rc == RC_OK) {
        rc = decision_fits(decision->step, decision->verb, decision->is_recalled,
                           w->subject.view.state, err);
        rc = rc == RC_OK ? rc : err_add(err, rc, "%s", w->file);
    }
    rc = rc == RC_OK ? check_basis(w, err) : rc;
    rc = rc == RC_OK && decision->verb == VERB_SEND ? check_proof(w, err) : rc;
    if (rc == RC_OK && decision->step == STEP_EXTRACTION && decision->verb == VERB_APPROVE) {
        bool is_reversed = false;
        rc = cost_is_reversed(w->env, w->subject.order, w->subject.view.extraction_round,
                              &is_reversed, err);
        if (rc == RC_OK && is_reversed) {
            rc = err_set(err, RC_TEMP, "%s is being restarted", w->subject.id);
        }
    }
    rc = rc == RC_OK ? check_signature(w, err) : rc;
    if (rc == RC_OK && decision->layout != NULL) {
        rc = undo_check_layout(&w->subject, decision->layout, w->file, err);
    }
    return rc;
}

/* --- effects --- */

static enum delivery_event event_of(enum verb verb)
{
    switch (verb) {
    case VERB_APPROVE:
        return EVENT_APPROVED;
    case VERB_REJECT:
        return EVENT_REJECTED;
    case VERB_WITHDRAW:
        return EVENT_WITHDRAWN;
    case VERB_RESET:
        return EVENT_RESET;
    case VERB_RESTART:
        return EVENT_RESTARTED;
    case VERB_SEND:
        return EVENT_PROOF_WANTED;
    case VERB_CONFIRM:
        return EVENT_CONFIRMED;
    case VERB_HOLD:
        return EVENT_HELD;
    case VERB_RELEASE:
        return EVENT_RELEASED;
    case VERB_PAUSE:
        return EVENT_PAUSED;
    case VERB_RESUME:
        return EVENT_RESUMED;
    case VERB_STOP:
        return EVENT_STOPPED;
    default:
        return EVENT_COUNT; /* decision_read() lets nothing else through */
    }
}

/* What belongs to one decision only. */
static void put_particulars(const struct weighing *w, enum delivery_event event,
                            struct journal_writer *writer)
{
    const struct view *view = &w->subject.view;
    if (event == EVENT_RESTARTED) {
        journal_put_u64(writer, "round", view->extraction_round);
    } else if (event == EVENT_PROOF_WANTED) {
        size_t count = view->proof_count;
        journal_put_u64(writer, "proof", count == 0 ? 1 : view->proofs[count - 1].number + 1);
        if (w->decision.note != NULL && w->decision.note[0] != '\0') {
            journal_put_text(writer, "note", w->decision.note);
        }
    }
}

static enum rc say_decision(struct weighing *w, const char *kept_as, struct err *err)
{
    struct subject *subject = &w->subject;
    enum delivery_event event = event_of(w->decision.verb);
    enum delivery_state next = STATE_NONE;
    enum rc rc = subject_next(subject, event, &next, err);
    if (rc != RC_OK) {
        return rc;
    }
    bool is_answer = w->decision.verb == VERB_APPROVE || w->decision.verb == VERB_CONFIRM;
    if (is_answer && w->answer.wanted > 0) {
        next = subject->view.state; /* `all = true`: others have to answer too */
    }
    struct journal_writer writer = JOURNAL_WRITER_EMPTY;
    journal_begin(&writer, w->now_ns, event_name(event), w->identity.person->name);
    journal_put_text(&writer, "step", step_name(w->decision.step));
    journal_put_text(&writer, "file", kept_as);
    journal_put_text(&writer, "sha256", w->digest);
    if (w->decision.comment[0] != '\0') {
        journal_put_text(&writer, "comment", w->decision.comment);
    }
    if (is_answer && w->answer.wanted > 0) {
        journal_put_u64(&writer, "wanted", w->answer.wanted);
    }
    put_particulars(w, event, &writer);
    if (next != subject->view.state) {
        journal_put_text(&writer, "state", state_name(next));
    }
    rc = journal_end(&writer, err);
    if (rc != RC_OK) {
        journal_writer_release(&writer);
        return rc;
    }
    return subject_say(subject, &writer, err);
}

/* What the decision does beyond its line. Each part may have been done before a crash. */
static enum rc make_effects(struct weighing *w, struct err *err)
{
    bool is_undoing = w->decision.verb == VERB_RESTART || w->decision.verb == VERB_STOP;
    if (!is_undoing) {
        return RC_OK;
    }
    /* The file has to be in its place on disk before the ledgers say that it was obeyed. */
    enum rc rc = spool_sync(w->env->spool, err);
    if (w->subject.order->channel != HOUSE_MAIL) {
        return rc == RC_OK ? send_spend(w->env, &w->subject, w->now_ns, err) : rc;
    }
    if (rc == RC_OK && w->subject.stage == STAGE_OUTBOX) {
        rc = hand_over_recall(w->env, &w->subject, err);
    }
    if (rc == RC_OK) {
        rc = undo_extraction(w->env, &w->subject, w->now_ns, err);
    }
    if (rc == RC_OK && w->decision.verb == VERB_RESTART && w->decision.layout != NULL) {
        rc = undo_set_layout(&w->subject, w->decision.layout, w->file, err);
    }
    return rc;
}

static enum rc act(struct weighing *w, const char *kept_as, struct err *err)
{
    enum rc rc = make_effects(w, err);
    rc = rc == RC_OK ? say_decision(w, kept_as, err) : rc;
    if (rc == RC_OK && w->subject.view.state == STATE_TARGET_READY &&
        decide_is_ready(&w->subject)) {
        rc = decide_say_ready(&w->subject, w->now_ns, err);
    }
    if (rc == RC_OK && state_is_terminal(w->subject.view.state)) {
        rc = spool_sync(w->env->spool, err); /* nothing looks at done/ again */
    }
    rc = rc == RC_OK ? subject_move(w->env, &w->subject, err) : rc;
    if (rc == RC_OK) {
        log_event(LOG_LEVEL_INFO, event_name(event_of(w->decision.verb)), w->subject.id,
                  "step=%s who=%s state=%s", step_name(w->decision.step), w->identity.person->name,
                  state_name(w->subject.view.state));
    }
    return rc;
}

/* approved/NAME becomes decisions/NNNN-NAME: numbered in the order of arrival. */
static enum rc keep_file(struct weighing *w, int door, const char *name, char *kept_as,
                         struct err *err)
{
    int decisions = -1;
    struct fs_names names = FS_NAMES_EMPTY;
    enum rc rc = fs_make_dir(w->subject.dirfd, "decisions", 0750, w->env->group_gid, err);
    rc = rc == RC_EXISTS ? RC_OK : rc;
    rc = rc == RC_OK ? fs_open_dir(w->subject.dirfd, "decisions", &decisions, err) : rc;
    rc = rc == RC_OK ? fs_list(decisions, 100000, &names, err) : rc;
    if (rc == RC_OK) {
        (void)snprintf(kept_as, DECIDE_NAME_BYTES, "%04zu-%.200s", names.count + 1, name);
        rc = fs_move_noreplace(door, name, decisions, kept_as, err);
    }
    fs_names_release(&names);
    fs_drop(&decisions);
    return rc;
}

static void weighing_release(struct weighing *w)
{
    decision_release(&w->decision);
    subject_close(&w->subject);
    arena_release(&w->arena);
}

/* While a worker has the delivery only what does not pull the ground from under it is decided at
 * once. */
static bool can_be_beside_worker(enum verb verb)
{
    return verb == VERB_HOLD || verb == VERB_RELEASE || verb == VERB_PAUSE || verb == VERB_RESUME;
}

enum rc decide_file(const struct stage_env *env, int door, const char *folder, const char *name,
                    int64_t now_ns, bool (*is_busy)(void *ctx, const char *id), void *ctx,
                    struct decided *out, struct err *err)
{
    struct weighing w = {.env = env, .file = name, .now_ns = now_ns, .subject = SUBJECT_NONE};
    char kept_as[DECIDE_NAME_BYTES] = "";
    *out = (struct decided){.state = STATE_NONE};
    enum rc rc = people_of_house(env->house, &w.arena, &w.people, err);
    if (rc == RC_OK && identity_is_signature_name(name)) {
        rc = identity_refuse_signature(name, err);
    }
    rc = rc == RC_OK ? read_file(&w, door, folder, name, err) : rc;
    if (rc == RC_OK) {
        (void)snprintf(out->id, sizeof out->id, "%s", w.decision.delivery);
        rc = find_subject(&w, err);
    }
    if (rc == RC_OK && is_busy(ctx, out->id) && !can_be_beside_worker(w.decision.verb)) {
        /* A stop that is permitted does not wait for hours of work that nobody wants any more; and
         * who asks for a proof while there is one on its way is told so at once. */
        bool is_weighed = w.decision.verb == VERB_STOP || w.decision.verb == VERB_SEND;
        rc = is_weighed ? weigh(&w, err) : RC_OK;
        out->ends_worker = w.decision.verb == VERB_STOP && rc == RC_OK;
        rc = rc == RC_OK ? err_set(err, RC_TEMP, "%s is being worked at", out->id) : rc;
    }
    rc = rc == RC_OK ? weigh(&w, err) : rc;
    if (rc == RC_OK) {
        rc = keep_file(&w, door, name, kept_as, err);
        if (rc == RC_OK) {
            rc = act(&w, kept_as, err);
            out->is_unfinished = rc != RC_OK;
        }
        out->state = w.subject.view.state;
        out->pauses_worker = rc == RC_OK && w.decision.verb == VERB_PAUSE;
        out->resumes_worker = rc == RC_OK && w.decision.verb == VERB_RESUME;
    } else if (rc == RC_PERM || rc == RC_STATE || rc == RC_CORRUPT) {
        rc = RC_PERM;
        struct err own = {{0}};
        enum rc refused = take_in_refuse(env, door, name, err->text, &own);
        if (refused != RC_OK) {
            *err = own;
            rc = refused == RC_IO ? RC_IO : RC_TEMP;
        }
    }
    weighing_release(&w);
    return rc;
}

/* --- after a crash --- */

/* A file of decisions/ without a line: weigh it again where it lies, and finish or refuse it. */
static enum rc finish_file(const struct stage_env *env, struct subject *subject, int decisions,
                           const char *name, int64_t now_ns, struct err *err)
{
    struct weighing w = {.env = env, .file = name, .now_ns = now_ns, .subject = SUBJECT_NONE};
    enum rc rc = people_of_house(env->house, &w.arena, &w.people, err);
    rc = rc == RC_OK ? read_file(&w, decisions, NULL, name, err) : rc;
    rc = rc == RC_OK ? find_subject(&w, err) : rc;
    rc = rc == RC_OK ? weigh(&w, err) : rc;
    if (rc == RC_OK) {
        rc = act(&w, name, err);
    } else if (rc == RC_PERM || rc == RC_STATE) {
        struct err own = {{0}};
        rc = take_in_refuse(env, decisions, name, err->text, &own);
        *err = own;
    }
    if (rc == RC_OK && w.subject.dirfd >= 0) {
        subject->stage = w.subject.stage;
        rc = subject_reload(subject, err);
    }
    weighing_release(&w);
    return rc;
}

enum rc decide_again(const struct stage_env *env, struct subject *subject, int64_t now_ns,
                     struct err *err)
{
    int decisions = -1;
    struct fs_names names = FS_NAMES_EMPTY;
    enum rc rc = fs_open_dir(subject->dirfd, "decisions", &decisions, err);
    if (rc == RC_GONE) {
        return RC_OK;
    }
    rc = rc == RC_OK ? fs_list(decisions, 100000, &names, err) : rc;
    for (size_t i = 0; rc == RC_OK && i < names.count; i++) {
        if (!view_names_file(&subject->view, names.names[i])) {
            rc = finish_file(env, subject, decisions, names.names[i], now_ns, err);
        }
    }
    fs_names_release(&names);
    fs_drop(&decisions);
    return rc;
}
