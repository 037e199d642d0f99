/*
 * decision - an approval file, read
 *
 * libconfig syntax, looked at by conf/guard.h before the library parses it. Every fault is one text
 * "FILE:LINE: what is wrong; what to do".
 */
#ifndef POSTROOM_OPERATOR_DECISION_H
#define POSTROOM_OPERATOR_DECISION_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/slice.h"
#include "delivery/state.h"
#include "delivery/step.h"

enum {
    DECISION_FILE_BYTES_MAX = 64 * 1024,
    DECISION_COMMENT_BYTES_MAX = 4096 /* fits a journal line, however it is escaped */
};

struct decision {
    struct arena arena; /* owns the texts */
    const char *delivery;
    enum step step;
    enum verb verb;
    const char *comment; /* "" none */
    const char *sha256;  /* 64 lower-case hex digits; "" none */
    /* "layout = { ... };" as libconfig text, each setting on the line that it has in the file, so
     * that a reader's FILE:LINE stays true; NULL none */
    const char *layout;
    const char *note; /* of `proof send`; NULL none */
    bool is_recalled; /* recalled = true of `delivery stop` */
};

/*
 * decision_read - parse an approval file
 *
 * bytes    the whole file
 * file     its name, for texts
 * out      initialised here; release it also after a failure (it is then empty)
 * Returns  RC_OK; RC_RANGE longer than DECISION_FILE_BYTES_MAX; RC_PERM any fault of the
 * file, also a decision or entry that this version does not have; RC_NOMEM
 */
enum rc decision_read(struct slice bytes, const char *file, struct decision *out,
                      struct err *err) MUST_CHECK;

/* decision_release - free it; accepts a zeroed or released one */
void decision_release(struct decision *decision);

/* decision_pair_exists - CONTRACT.md section 5: this decision is one of this step */
bool decision_pair_exists(enum step step, enum verb verb);

/* decision_pair_is_available - it exists and this version has it (of
 * proofs: send alone) */
bool decision_pair_is_available(enum step step, enum verb verb);

/*
 * decision_fits - the delivery is in a state in which this decision means something
 *
 * Who may and whether the step was decided already is right_check()'s question. Ask that first: a
 * late answer is to be told who was first, not that the delivery has gone on meanwhile. state    of
 * the delivery, not STATE_NONE (asserted) Returns  RC_OK; RC_STATE, the text says what the delivery
 * is doing and what to do
 */
enum rc decision_fits(enum step step, enum verb verb, bool is_recalled, enum delivery_state state,
                      struct err *err) MUST_CHECK;

#endif
