/*
 * decision_text - the text and the name of an approval file; pure
 */
#ifndef POSTROOM_CLI_DECISION_TEXT_H
#define POSTROOM_CLI_DECISION_TEXT_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/name.h"
#include "delivery/step.h"

#include <stdbool.h>
#include <stdint.h>

/* ID-STEP-VERB-TIME.conf: ids have 64 bytes, steps and verbs at most 10, the time 19. */
enum { DECISION_NAME_BYTES = ID_BYTES_MAX + 64 };

struct decision_text {
    const char *id;
    enum step step;
    enum verb verb;
    const char *comment; /* NULL none */
    const char *sha256;  /* NULL or "" none */
    const char *layout;  /* "layout = { ... };" as libconfig text, put first so that its lines keep
                            their numbers; NULL */
    bool is_recalled;
    const char *note; /* of proof send; NULL none */
};

/* decision_text_add - append the file's text; texts are escaped so that libconfig reads the same
 * bytes */
void decision_text_add(const struct decision_text *decision, struct buf *out);

/* decision_text_name - a name that no other decision has: the time is in nanoseconds. Returns out.
 */
char *decision_text_name(const struct decision_text *decision, int64_t at_ns,
                         char out[DECISION_NAME_BYTES]);

/*
 * decision_text_is_kept_as - is `kept`, a name in decisions/ (NNNN-NAME), the file that was dropped
 * as `name`? The daemon keeps the first 200 bytes of a name; ours are shorter.
 */
bool decision_text_is_kept_as(const char *kept, const char *name);

enum { DECISION_STEPS_MAX = STEP_COUNT };

/*
 * decision_steps_read - "target,content" to steps, each once
 * Returns RC_OK; RC_PERM a word that is no step (nearest name told), or a step twice, or none
 */
enum rc decision_steps_read(const char *text, enum step out[DECISION_STEPS_MAX], size_t *out_count,
                            struct err *err) MUST_CHECK;

/* decision_past - "approved", as in "approved by bob"; verb below VERB_COUNT */
const char *decision_past(enum verb verb);

#endif
