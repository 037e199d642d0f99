/*
 * right - may this person decide this now
 *
 * Three questions, one after the other: does the step exist, may this person, is there anything to
 * decide.
 */
#include "operator/right.h"

#include "base/instant.h"
#include "operator/decision.h"

#include <assert.h>

enum { NAMES_MAX = 20 /* of one group in a text */ };

/* The rule of "who" that a decision falls under. */
enum rule {
    RULE_REVIEW,   /* reviewers, else the owner */
    RULE_WITHDRAW, /* who decided */
    RULE_OWNER,
    RULE_ASK,  /* owner and the reviewers of the content */
    RULE_BRAKE /* owner and start reviewers */
};

struct verb_entry {
    enum rule rule;
    bool is_bound_by_four_eyes;
};

static const struct verb_entry VERB_TABLE[VERB_COUNT] = {
    [VERB_APPROVE] = {RULE_REVIEW, true},    [VERB_REJECT] = {RULE_REVIEW, true},
    [VERB_WITHDRAW] = {RULE_WITHDRAW, true}, [VERB_RESET] = {RULE_OWNER, false},
    [VERB_RESTART] = {RULE_REVIEW, true},    [VERB_SEND] = {RULE_ASK, false},
    [VERB_SUBMIT] = {RULE_OWNER, false},     [VERB_CONFIRM] = {RULE_REVIEW, true},
    [VERB_HOLD] = {RULE_BRAKE, false},       [VERB_RELEASE] = {RULE_BRAKE, false},
    [VERB_PAUSE] = {RULE_BRAKE, false},      [VERB_RESUME] = {RULE_BRAKE, false},
    [VERB_STOP] = {RULE_BRAKE, false},
};

static bool is_named(const char *a, const char *b)
{
    return a != NULL && b != NULL && a[0] != '\0' && strcmp(a, b) == 0;
}

static bool is_owner(const struct right_question *q, const struct person *person)
{
    return is_named(q->owner, person->name);
}

static bool is_reviewer(const struct right_question *q, const struct person *person)
{
    for (size_t i = 0; i < q->settings.reviewer_count; i++) {
        if (person_matches(person, q->settings.reviewers[i])) {
            return true;
        }
    }
    return false;
}

static const struct view_round *answer_of(const struct view_step *step, const char *name)
{
    for (size_t i = 0; i < step->answer_count; i++) {
        if (strcmp(step->answers[i]->who, name) == 0) {
            return step->answers[i];
        }
    }
    return NULL;
}

/* --- names for texts --- */

/* Whom a text may send the reader to: not to who may not decide on what they dropped */
static bool is_eligible(const struct right_question *q, const struct person *person)
{
    return !(q->is_four_eyes && VERB_TABLE[q->verb].is_bound_by_four_eyes &&
             is_named(q->dropper, person->name));
}

static void add_separator(struct buf *out, size_t *count)
{
    if ((*count)++ > 0) {
        buf_add_text(out, ", ");
    }
}

/* "(dora, eve)": the members of a group; NULL: the administrators */
static void add_group(const struct right_question *q, const char *reviewer, struct buf *out)
{
    size_t count = 0;
    buf_add_text(out, " (");
    for (size_t i = 0; i < q->people.count && count <= NAMES_MAX; i++) {
        const struct person *person = &q->people.list[i];
        bool is_in = reviewer == NULL ? person->is_admin : person_matches(person, reviewer);
        if (!is_in || !is_eligible(q, person)) {
            continue;
        }
        add_separator(out, &count);
        buf_add_text(out, count > NAMES_MAX ? "..." : person->name);
    }
    buf_add_text(out, count == 0 ? "nobody)" : ")");
}

static void add_reviewers(const struct right_question *q, struct buf *out, size_t *count)
{
    for (size_t i = 0; i < q->settings.reviewer_count; i++) {
        const char *reviewer = q->settings.reviewers[i];
        const struct person *person = people_find(q->people, reviewer);
        if (person != NULL && !is_eligible(q, person)) {
            continue;
        }
        add_separator(out, count);
        buf_add_text(out, reviewer);
        if (reviewer[0] == '@') {
            add_group(q, reviewer, out);
        } else if (person == NULL) {
            buf_add_text(out, " (no operator any more)");
        }
    }
}

static void add_owner(const struct right_question *q, struct buf *out, size_t *count)
{
    const struct person *owner = people_find(q->people, q->owner);
    if (q->owner == NULL || q->owner[0] == '\0' || (owner != NULL && !is_eligible(q, owner))) {
        return;
    }
    add_separator(out, count);
    buf_add_format(out, "%s (owner)", q->owner);
}

static void add_deciders(const struct right_question *q, struct buf *out, size_t *count)
{
    for (size_t i = 0; i < q->previous->answer_count; i++) {
        add_separator(out, count);
        buf_add_text(out, q->previous->answers[i]->who);
    }
}

void right_names(const struct right_question *question, struct buf *out)
{
    enum rule rule = VERB_TABLE[question->verb].rule;
    bool has_reviewers = question->settings.reviewer_count > 0;
    size_t count = 0;
    if (rule == RULE_WITHDRAW) {
        add_deciders(question, out, &count);
    }
    bool takes_both = rule == RULE_BRAKE || rule == RULE_ASK;
    if ((rule == RULE_REVIEW || takes_both) && has_reviewers) {
        add_reviewers(question, out, &count);
    }
    if (rule == RULE_OWNER || takes_both ||
        (rule == RULE_REVIEW && (!has_reviewers || question->is_owner_confirmation))) {
        add_owner(question, out, &count);
    }
    buf_add_text(out, count == 0 ? "an administrator" : " or an administrator");
    add_group(question, NULL, out);
}

static enum rc refuse(const struct right_question *q, const char *why, struct err *err)
{
    struct buf names = BUF_EMPTY;
    right_names(q, &names);
    enum rc rc =
        err_set(err, RC_PERM, "%s may not %s %s of this delivery: %s; ask %s", q->person->name,
                verb_name(q->verb), step_name(q->step), why, buf_text(&names));
    buf_release(&names);
    return rc;
}

/* --- may this person --- */

static bool may_review(const struct right_question *q, enum right_ground *ground)
{
    if (is_reviewer(q, q->person)) {
        *ground = RIGHT_AS_REVIEWER;
        return true;
    }
    if (is_owner(q, q->person) && (q->settings.reviewer_count == 0 || q->is_owner_confirmation)) {
        *ground = RIGHT_AS_OWNER;
        return true;
    }
    return false;
}

static bool may_by_rule(const struct right_question *q, enum right_ground *ground)
{
    switch (VERB_TABLE[q->verb].rule) {
    case RULE_REVIEW:
        return may_review(q, ground);
    case RULE_WITHDRAW:
        *ground = RIGHT_AS_DECIDER;
        return answer_of(q->previous, q->person->name) != NULL;
    case RULE_OWNER:
        *ground = RIGHT_AS_OWNER;
        return is_owner(q, q->person);
    case RULE_ASK:
    case RULE_BRAKE:
        *ground = is_owner(q, q->person) ? RIGHT_AS_OWNER : RIGHT_AS_REVIEWER;
        return is_owner(q, q->person) || is_reviewer(q, q->person);
    }
    return false;
}

static const char *why_not(const struct right_question *q)
{
    bool has_reviewers = q->settings.reviewer_count > 0;
    switch (VERB_TABLE[q->verb].rule) {
    case RULE_REVIEW:
        if (!has_reviewers) {
            return "no reviewer is named, so its owner decides";
        }
        return is_owner(q, q->person) ? "reviewers are named and the owner is not among them "
                                        "(owner_confirmation is off)"
                                      : "others are named as reviewers";
    case RULE_WITHDRAW:
        return "somebody else decided";
    case RULE_OWNER:
        return "that is for its owner";
    case RULE_ASK:
        return "that is for its owner and those who review its content";
    case RULE_BRAKE:
        return "that is for its owner and those who may start it";
    }
    return "";
}

static enum rc check_person(const struct right_question *q, enum right_ground *ground,
                            struct err *err)
{
    if (!may_by_rule(q, ground)) {
        if (!q->person->is_admin) {
            return refuse(q, why_not(q), err);
        }
        *ground = RIGHT_AS_ADMINISTRATOR;
    }
    if (!q->is_four_eyes || !is_named(q->dropper, q->person->name)) {
        return RC_OK;
    }
    if (VERB_TABLE[q->verb].is_bound_by_four_eyes) {
        return refuse(q, "nobody decides on what they dropped themselves (four_eyes)", err);
    }
    bool is_brake_off = q->verb == VERB_RELEASE || q->verb == VERB_RESUME;
    if (is_brake_off && q->held_by != NULL && q->held_by[0] != '\0' &&
        strcmp(q->held_by, q->person->name) != 0) {
        return err_set(err, RC_PERM,
                       "%s may not %s what %s %s: nobody lets go what they dropped themselves "
                       "(four_eyes); ask %s",
                       q->person->name, verb_name(q->verb), q->held_by,
                       q->verb == VERB_RELEASE ? "held" : "paused", q->held_by);
    }
    return RC_OK;
}

/* --- is there anything to decide --- */

/* "target was approved by bob at T: the first answer counts; ..." */
static enum rc decided_already(const struct right_question *q, struct err *err)
{
    const struct view_step *step = q->previous;
    const struct view_round *first = step->answer_count == 0 ? NULL : step->answers[0];
    const char *done = q->step == STEP_DELIVERY               ? "confirmed"
                       : step->status == STEP_STATUS_REJECTED ? "rejected"
                                                              : "approved";
    const char *mend = q->step == STEP_DELIVERY ? "hold or stop it if it should not go"
                       : step->status == STEP_STATUS_REJECTED
                           ? "it stays so until a new revision, or until that answer is withdrawn"
                           : "it can only be withdrawn, by who decided or by an administrator";
    char at[INSTANT_TEXT_BYTES];
    if (first == NULL) {
        return err_set(err, RC_STATE, "%s was %s already; %s", step_name(q->step), done, mend);
    }
    return err_set(err, RC_STATE, "%s was %s by %s at %s, who was first; %s", step_name(q->step),
                   done, first->who, instant_format_seconds(first->at_ns, at), mend);
}

static enum rc not_waiting(const struct right_question *q, struct err *err)
{
    return err_set(err, RC_STATE,
                   "%s does not wait for an answer now; 'postroom todo' lists what does",
                   step_name(q->step));
}

static enum rc check_answer(const struct right_question *q, struct err *err)
{
    const struct view_step *step = q->previous;
    if (step->status == STEP_STATUS_CLOSED) {
        return not_waiting(q, err);
    }
    if (step->status != STEP_STATUS_OPEN) {
        return decided_already(q, err);
    }
    const struct view_round *own = answer_of(step, q->person->name);
    if (own != NULL) {
        char at[INSTANT_TEXT_BYTES];
        /* A confirmation cannot be withdrawn (CONTRACT.md section 5), an approval can. */
        return err_set(err, RC_STATE,
                       "%s answered %s at %s already; one answer of each is wanted%s",
                       q->person->name, step_name(q->step), instant_format_seconds(own->at_ns, at),
                       q->step == STEP_DELIVERY ? "" : ": withdraw it to answer again");
    }
    return RC_OK;
}

static enum rc check_brake(const struct right_question *q, bool is_on, struct err *err)
{
    const char *state = q->verb == VERB_PAUSE || q->verb == VERB_RESUME ? "paused" : "held";
    if (is_on == q->is_held) {
        return RC_OK;
    }
    if (!q->is_held) {
        return err_set(err, RC_STATE, "the delivery is not %s; there is nothing to %s", state,
                       verb_name(q->verb));
    }
    bool is_known = q->held_by != NULL && q->held_by[0] != '\0';
    return err_set(err, RC_STATE, "the delivery is %s already%s%s; %s it first to go on", state,
                   is_known ? " by " : "", is_known ? q->held_by : "",
                   q->verb == VERB_PAUSE ? "resume" : "release");
}

static enum rc check_moment(const struct right_question *q, struct err *err)
{
    const struct view_step *step = q->previous;
    switch (q->verb) {
    case VERB_APPROVE:
    case VERB_REJECT:
    case VERB_CONFIRM:
        return check_answer(q, err);
    case VERB_RESTART:
        return step->status == STEP_STATUS_APPROVED ? decided_already(q, err) : RC_OK;
    case VERB_RESET:
        if (step->answer_count > 0) {
            return RC_OK;
        }
        return step->status == STEP_STATUS_OPEN
                   ? err_set(err, RC_STATE,
                             "%s waits for an answer already; nothing is to be reset",
                             step_name(q->step))
                   : not_waiting(q, err);
    case VERB_HOLD:
    case VERB_PAUSE:
        return check_brake(q, false, err);
    case VERB_RELEASE:
    case VERB_RESUME:
        return check_brake(q, true, err);
    default:
        return RC_OK;
    }
}

/* --- all = true --- */

static bool is_answered(const struct right_question *q, const char *reviewer)
{
    if (person_matches(q->person, reviewer)) {
        return true;
    }
    for (size_t i = 0; i < q->previous->answer_count; i++) {
        const char *who = q->previous->answers[i]->who;
        const struct person *person = people_find(q->people, who);
        if (person != NULL ? person_matches(person, reviewer) : strcmp(who, reviewer) == 0) {
            return true;
        }
    }
    return false;
}

/* Named entries that nobody has answered for, this answer counted */
static size_t answers_wanted(const struct right_question *q, enum right_ground ground)
{
    size_t wanted = 0;
    bool is_approval = q->verb == VERB_APPROVE || q->verb == VERB_CONFIRM;
    if (!is_approval || !q->settings.is_all || ground != RIGHT_AS_REVIEWER) {
        return 0;
    }
    for (size_t i = 0; i < q->settings.reviewer_count; i++) {
        wanted += !is_answered(q, q->settings.reviewers[i]);
    }
    return wanted;
}

enum rc right_check(const struct right_question *question, struct right_answer *out,
                    struct err *err)
{
    const struct right_question *q = question;
    enum right_ground ground = RIGHT_AS_REVIEWER;
    assert(q->person != NULL && q->previous != NULL);
    assert(decision_pair_exists(q->step, q->verb));
    if (!q->settings.is_on && q->step != STEP_DELIVERY && q->verb != VERB_RESTART &&
        q->verb != VERB_SEND && q->verb != VERB_SUBMIT) {
        return err_set(
            err, RC_STATE,
            "%s is not a step of this delivery: it is off in 'approvals'; decide on one that "
            "'postroom show' lists",
            step_name(q->step));
    }
    if (q->verb == VERB_WITHDRAW && q->previous->answer_count == 0) {
        return err_set(err, RC_STATE, "nobody has decided %s; there is nothing to withdraw",
                       step_name(q->step));
    }
    enum rc rc = check_person(q, &ground, err);
    rc = rc == RC_OK ? check_moment(q, err) : rc;
    if (rc == RC_OK && out != NULL) {
        *out = (struct right_answer){ground, answers_wanted(q, ground)};
    }
    return rc;
}
