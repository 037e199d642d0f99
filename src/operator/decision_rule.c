/*
 * decision_rule - which decision belongs to which step, and in which states it means something
 */
#include "operator/decision.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#define S(state) (UINT32_C(1) << (STATE_##state))
static_assert(STATE_COUNT <= 32, "a set of states is a uint32_t");

#define WAITING (S(CONFIRMATION_PENDING) | S(EXTRACTION_PENDING) | S(SCHEDULED))
#define PROOFS (S(PROOF_TO_SEND) | S(PROOF_TO_SUBMIT) | S(PROOF_TO_APPROVE))
#define EXTRACT (S(EXTRACTING) | S(EXTRACTION_TO_APPROVE) | PROOFS)
#define PENDING (S(PREPARATION_ERROR) | S(TARGET_READY) | WAITING)
#define AT_ROUTER (S(HANDED_OVER) | S(ACKNOWLEDGED) | S(ROUTER_REFUSED))

struct pair {
    enum step step;
    enum verb verb;
    bool is_available; /* in this version */
    uint32_t states;   /* in which it means something */
};

/* CONTRACT.md section 5. `withdraw` and `reset`: while nothing that builds on it has begun. */
static const struct pair PAIRS[] = {
    {STEP_TARGET, VERB_APPROVE, true, S(TARGET_READY)},
    {STEP_TARGET, VERB_REJECT, true, S(TARGET_READY)},
    {STEP_TARGET, VERB_WITHDRAW, true, S(TARGET_READY) | WAITING},
    {STEP_CONTENT, VERB_APPROVE, true, S(TARGET_READY)},
    {STEP_CONTENT, VERB_REJECT, true, S(TARGET_READY)},
    {STEP_CONTENT, VERB_WITHDRAW, true, S(TARGET_READY) | WAITING},
    {STEP_CONTENT, VERB_RESET, true, S(TARGET_READY) | WAITING},
    {STEP_BUDGET, VERB_APPROVE, true, S(TARGET_READY)},
    {STEP_BUDGET, VERB_REJECT, true, S(TARGET_READY)},
    {STEP_BUDGET, VERB_WITHDRAW, true, S(TARGET_READY) | WAITING},
    {STEP_EXTRACTION, VERB_APPROVE, true, S(EXTRACTION_TO_APPROVE)},
    {STEP_EXTRACTION, VERB_REJECT, true, S(EXTRACTION_TO_APPROVE)},
    {STEP_EXTRACTION, VERB_WITHDRAW, true, S(EXTRACTION_TO_APPROVE)},
    {STEP_EXTRACTION, VERB_RESTART, true, S(EXTRACTION_TO_APPROVE)},
    {STEP_PROOF, VERB_APPROVE, false, S(PROOF_TO_APPROVE)},
    {STEP_PROOF, VERB_REJECT, false, S(PROOF_TO_APPROVE)},
    {STEP_PROOF, VERB_WITHDRAW, false, S(PROOF_TO_APPROVE)},
    {STEP_PROOF, VERB_SEND, true, /* of mail stage/decide knows that it is not */
     S(PROOF_TO_SEND) | S(PROOF_TO_SUBMIT) | S(TARGET_READY) | S(CONFIRMATION_PENDING)},
    {STEP_PROOF, VERB_SUBMIT, false, S(PROOF_TO_SUBMIT)},
    {STEP_PROOF, VERB_RESTART, false, PROOFS},
    {STEP_DELIVERY, VERB_CONFIRM, true, S(CONFIRMATION_PENDING)},
    {STEP_DELIVERY, VERB_HOLD, true, PENDING | EXTRACT},
    {STEP_DELIVERY, VERB_RELEASE, true, PENDING | EXTRACT},
    {STEP_DELIVERY, VERB_PAUSE, true, S(SENDING)},
    {STEP_DELIVERY, VERB_RESUME, true, S(PAUSED)},
    {STEP_DELIVERY, VERB_STOP, true, PENDING | EXTRACT | S(SENDING) | S(PAUSED) | AT_ROUTER},
};

static const struct pair *pair_of(enum step step, enum verb verb)
{
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++) {
        if (PAIRS[i].step == step && PAIRS[i].verb == verb) {
            return &PAIRS[i];
        }
    }
    return NULL;
}

bool decision_pair_exists(enum step step, enum verb verb)
{
    return pair_of(step, verb) != NULL;
}

bool decision_pair_is_available(enum step step, enum verb verb)
{
    const struct pair *pair = pair_of(step, verb);
    return pair != NULL && pair->is_available;
}

enum rc decision_fits(enum step step, enum verb verb, bool is_recalled, enum delivery_state state,
                      struct err *err)
{
    const struct pair *pair = pair_of(step, verb);
    assert(pair != NULL && state != STATE_NONE);
    uint32_t here = UINT32_C(1) << state;
    if ((pair->states & here) == 0) {
        return err_set(err, RC_STATE, "%s %s means nothing while the delivery is %s (%s); %s",
                       step_name(step), verb_name(verb), state_name(state), state_shown_as(state),
                       state_is_terminal(state) ? "it has ended, drop a delivery with a new id"
                                                : "look at 'postroom show' for what it waits for");
    }
    if (verb == VERB_STOP && (here & AT_ROUTER) != 0 && !is_recalled) {
        return err_set(err, RC_STATE,
                       "the archive is with the router (%s); to stop it all the same say "
                       "'recalled = true;': the archive is then removed and the router told",
                       state_name(state));
    }
    return RC_OK;
}
