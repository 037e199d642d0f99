/*
 * right - who may decide what (CONTRACT.md section 5), as one pure function
 *
 * Where the contract is silent:
 *   administrators   may do whatever anybody may: reset, send, hold, stop and so on too
 *   all = true       one answer of each *named* entry is wanted; a group is one entry, an answer
 * counts for every entry that means the person. An administrator who is not named (or an owner by
 *                    owner_confirmation) decides for all and closes the step; one who is named
 * answers as that. four_eyes        binds approve, reject, withdraw, restart and confirm. The
 * brakes hold, pause, stop and reset stay with the dropper, and release and resume where nobody
 * else had put the brake on: they let nothing go that others have not approved. send and submit are
 * no decisions. restart          by the rule of reviewers, also where the step is off (then: the
 * owner) withdraw         each of several answers may be withdrawn by who gave it permission first
 * a person who may not decide is told so, whatever the state of the step
 */
#ifndef POSTROOM_OPERATOR_RIGHT_H
#define POSTROOM_OPERATOR_RIGHT_H

#include "base/buf.h"
#include "base/err.h"
#include "delivery/step.h"
#include "delivery/view.h"
#include "operator/person.h"

/* A step as the delivery's frozen settings have it. */
struct right_settings { /* proof send: those of content, whose reviewers may ask for one too */
    bool is_on;         /* not looked at for STEP_DELIVERY, which always exists */
    const char *const *reviewers; /* "bob", "@marketing" */
    size_t reviewer_count;
    bool is_all;
};

struct right_question {
    enum step step;
    enum verb verb;              /* a pair of decision_pair_exists() (asserted) */
    const struct person *person; /* who asks (asserted) */
    struct people people; /* all operators as of now: groups, administrators, names in texts */
    struct right_settings settings;
    const char *owner;   /* name; "" or NULL none */
    const char *dropper; /* name */
    bool is_owner_confirmation;
    bool is_four_eyes;
    const struct view_step *previous; /* how the step stands (asserted) */
    bool is_held;                     /* for hold and release; for pause and resume: is paused */
    const char *held_by;              /* who held or paused it; "" or NULL not known */
};

enum right_ground { RIGHT_AS_REVIEWER, RIGHT_AS_OWNER, RIGHT_AS_ADMINISTRATOR, RIGHT_AS_DECIDER };

struct right_answer {
    enum right_ground ground;
    size_t wanted; /* approve: further answers until the step is approved (key `wanted` of the
                      journal) */
};

/*
 * right_check - may this person decide this now
 *
 * out      filled on RC_OK; may be NULL
 * Returns  RC_OK; RC_PERM this person may not, the text says who may; RC_STATE there is nothing (or
 * nothing more) to decide: the text says who was first and when. Texts name no file: the caller
 * adds FILE. Cost     operators x reviewers
 */
enum rc right_check(const struct right_question *question, struct right_answer *out,
                    struct err *err) MUST_CHECK;

/*
 * right_names - who may, as text for people: "bob, @marketing (dora, eve) or an administrator"
 * For approve, restart and confirm of a step: reviewers, or the owner where none is named.
 * out  appended; a failure is sticky in it
 */
void right_names(const struct right_question *question, struct buf *out);

#endif
