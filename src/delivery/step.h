/*
 * step - what can be decided on, and the answers that exist: the words of approval files and of the
 * journal
 */
#ifndef POSTROOM_DELIVERY_STEP_H
#define POSTROOM_DELIVERY_STEP_H

#include "base/slice.h"

/* In the order in which a delivery meets them. */
enum step {
    STEP_TARGET,
    STEP_CONTENT,
    STEP_BUDGET,
    STEP_EXTRACTION,
    STEP_PROOF,
    STEP_DELIVERY, /* starting it, and the brakes: hold, stop */
    STEP_COUNT
};

/* The `decision` of an approval file. */
enum verb {
    VERB_APPROVE,
    VERB_REJECT,
    VERB_WITHDRAW,
    VERB_RESET,
    VERB_RESTART,
    VERB_SEND,
    VERB_SUBMIT,
    VERB_CONFIRM,
    VERB_HOLD,
    VERB_RELEASE,
    VERB_PAUSE,
    VERB_RESUME,
    VERB_STOP,
    VERB_COUNT
};

/* step_name - "target", "content", ...; step below STEP_COUNT (asserted) */
const char *step_name(enum step step);

/* step_from_name - false, and *out untouched, where there is no such step */
bool step_from_name(struct slice name, enum step *out);

/* step_names - all names in order, STEP_COUNT of them, for "did you mean" */
const char *const *step_names(void);

/* verb_name, verb_from_name, verb_names - the same for decisions: "approve", "reject", ... */
const char *verb_name(enum verb verb);
bool verb_from_name(struct slice name, enum verb *out);
const char *const *verb_names(void);

#endif
