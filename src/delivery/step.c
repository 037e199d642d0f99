/*
 * step - the words of steps and decisions
 */
#include "delivery/step.h"

#include <assert.h>

static const char *const STEPS[STEP_COUNT] = {"target",     "content", "budget",
                                              "extraction", "proof",   "delivery"};

static const char *const VERBS[VERB_COUNT] = {"approve", "reject", "withdraw", "reset", "restart",
                                              "send",    "submit", "confirm",  "hold",  "release",
                                              "pause",   "resume", "stop"};

static bool find(struct slice name, const char *const *names, int count, int *out)
{
    for (int i = 0; i < count; i++) {
        if (slice_equal_text(name, names[i])) {
            *out = i;
            return true;
        }
    }
    return false;
}

const char *step_name(enum step step)
{
    assert((int)step >= 0 && step < STEP_COUNT);
    return STEPS[step];
}

bool step_from_name(struct slice name, enum step *out)
{
    int found = 0;
    if (!find(name, STEPS, STEP_COUNT, &found)) {
        return false;
    }
    *out = (enum step)found;
    return true;
}

const char *const *step_names(void)
{
    return STEPS;
}

const char *verb_name(enum verb verb)
{
    assert((int)verb >= 0 && verb < VERB_COUNT);
    return VERBS[verb];
}

bool verb_from_name(struct slice name, enum verb *out)
{
    int found = 0;
    if (!find(name, VERBS, VERB_COUNT, &found)) {
        return false;
    }
    *out = (enum verb)found;
    return true;
}

const char *const *verb_names(void)
{
    return VERBS;
}
