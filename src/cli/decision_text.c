/*
 * decision_text - the text and the name of an approval file
 */
#include "cli/decision_text.h"

#include "conf/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void add_setting(struct buf *out, const char *name, const char *value)
{
    buf_add_format(out, "%s = ", name);
    conf_write_text(out, value);
    buf_add_text(out, ";\n");
}

void decision_text_add(const struct decision_text *decision, struct buf *out)
{
    if (decision->layout != NULL) {
        buf_add_text(out, decision->layout);
        buf_add_byte(out, '\n');
    }
    add_setting(out, "delivery", decision->id);
    add_setting(out, "step", step_name(decision->step));
    add_setting(out, "decision", verb_name(decision->verb));
    if (decision->comment != NULL && decision->comment[0] != '\0') {
        add_setting(out, "comment", decision->comment);
    }
    if (decision->note != NULL && decision->note[0] != '\0') {
        add_setting(out, "note", decision->note);
    }
    if (decision->sha256 != NULL && decision->sha256[0] != '\0') {
        add_setting(out, "sha256", decision->sha256);
    }
    if (decision->is_recalled) {
        buf_add_text(out, "recalled = true;\n");
    }
}

char *decision_text_name(const struct decision_text *decision, int64_t at_ns,
                         char out[DECISION_NAME_BYTES])
{
    (void)snprintf(out, DECISION_NAME_BYTES, "%.64s-%s-%s-%" PRId64 ".conf", decision->id,
                   step_name(decision->step), verb_name(decision->verb), at_ns);
    return out;
}

bool decision_text_is_kept_as(const char *kept, const char *name)
{
    size_t digits = strspn(kept, "0123456789");
    return digits > 0 && kept[digits] == '-' && strcmp(kept + digits + 1, name) == 0;
}

static enum rc add_step(struct slice word, enum step out[DECISION_STEPS_MAX], size_t *count,
                        struct err *err)
{
    enum step step = STEP_TARGET;
    if (!step_from_name(word, &step)) {
        const char *nearest = name_nearest(word, step_names(), STEP_COUNT);
        return nearest == NULL
                   ? err_set(err, RC_PERM, "\"%.*s\" is no step (target, content, extraction, ...)",
                             (int)word.len, word.ptr)
                   : err_set(err, RC_PERM, "\"%.*s\" is no step; did you mean %s?", (int)word.len,
                             word.ptr, nearest);
    }
    for (size_t i = 0; i < *count; i++) {
        if (out[i] == step) {
            return err_set(err, RC_PERM, "step %s is named twice", step_name(step));
        }
    }
    out[(*count)++] = step;
    return RC_OK;
}

enum rc decision_steps_read(const char *text, enum step out[DECISION_STEPS_MAX], size_t *out_count,
                            struct err *err)
{
    *out_count = 0;
    for (const char *at = text;;) {
        size_t len = strcspn(at, ",");
        enum rc rc = add_step((struct slice){at, len}, out, out_count, err);
        if (rc != RC_OK) {
            return rc;
        }
        if (at[len] == '\0') {
            return RC_OK;
        }
        at += len + 1;
    }
}

const char *decision_past(enum verb verb)
{
    static const char *const words[VERB_COUNT] = {
        [VERB_APPROVE] = "approved", [VERB_REJECT] = "rejected",   [VERB_WITHDRAW] = "withdrawn",
        [VERB_RESET] = "reset",      [VERB_RESTART] = "restarted", [VERB_SEND] = "sent",
        [VERB_SUBMIT] = "submitted", [VERB_CONFIRM] = "confirmed", [VERB_HOLD] = "held",
        [VERB_RELEASE] = "released", [VERB_PAUSE] = "paused",      [VERB_RESUME] = "resumed",
        [VERB_STOP] = "stopped",
    };
    return words[verb];
}
