/*
 * content_sms - text and sender rendered, parts counted
 */
#include "stage/content_sms.h"

#include "channel/sms_text.h"
#include "template/template.h"

#include <stdlib.h>
#include <string.h>

#define PROOF_MARK "[proof %u] " /* what a trial says of itself, before its text */

enum { LONG_PARTS = 4 }; /* a text of its own that long is worth a word */

struct content_sms {
    struct template *text;
    struct template *sender; /* NULL: the peer's default */
    size_t columns;
};

struct content_sms_state {
    struct buf text;
    struct buf sender;
};

static enum rc compile(const char *text, const char *what, const char *const *columns, size_t count,
                       struct template **out, struct err *err)
{
    const struct template_options options = {
        .escape = TEMPLATE_PLAIN, .column_names = columns, .column_count = count};
    enum rc rc = template_compile(slice_of(text), "delivery.conf", &options, out, err);
    return rc == RC_OK ? RC_OK : err_add(err, rc, "content: %s", what);
}

enum rc content_sms_open(const struct order *order, const char *const *columns, size_t count,
                         struct content_sms **out, struct err *err)
{
    const struct order_content *content = &order->content;
    struct content_sms *sms = calloc(1, sizeof *sms);
    if (sms == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a content");
    }
    sms->columns = count;
    enum rc rc = compile(content->text, "text", columns, count, &sms->text, err);
    if (rc == RC_OK && content->sender != NULL) {
        rc = compile(content->sender, "sender", columns, count, &sms->sender, err);
    }
    if (rc != RC_OK) {
        content_sms_free(sms);
        return rc;
    }
    *out = sms;
    return RC_OK;
}

void content_sms_free(struct content_sms *sms)
{
    if (sms != NULL) {
        template_free(sms->text);
        template_free(sms->sender);
        free(sms);
    }
}

static bool is_template(const char *text)
{
    return strstr(text, "{{") != NULL;
}

/* What the text alone shows: the alphabet that one character asks for, and its length. */
static void warn_of_text(const char *text, struct problems *problems)
{
    const struct place at = {"delivery.conf", 0};
    struct sms_measure measure;
    struct slice odd = sms_odd_character(slice_of(text));
    if (odd.len > 0) {
        problems_warn(problems, at,
                      "content: text has '%.*s', which GSM 03.38 lacks: a message holds %d "
                      "characters, not %d, and each of several parts %d, not %d",
                      (int)odd.len, odd.ptr, SMS_UCS2_UNITS, SMS_GSM_UNITS, SMS_UCS2_UNITS_JOINED,
                      SMS_GSM_UNITS_JOINED);
    }
    if (!is_template(text) && sms_measure(slice_of(text), &measure, NULL) == RC_OK &&
        measure.parts >= LONG_PARTS) {
        problems_warn(problems, at, "content: text takes %u parts for each recipient",
                      (unsigned int)measure.parts);
    }
}

enum rc content_sms_check(const struct order *order, const char *const *columns, size_t count,
                          struct problems *problems, struct err *err)
{
    const struct order_content *content = &order->content;
    struct content_sms *sms = NULL;
    struct err why = {""};
    enum rc rc = content_sms_open(order, columns, count, &sms, err);
    if (rc != RC_OK) {
        return rc;
    }
    content_sms_free(sms);
    if (content->sender != NULL && !is_template(content->sender) &&
        sms_sender(slice_of(content->sender), &why) != RC_OK) {
        return err_set(err, RC_PERM, "delivery.conf: content: sender: %s", why.text);
    }
    warn_of_text(content->text, problems);
    return RC_OK;
}

bool content_sms_uses(const struct content_sms *sms, size_t column)
{
    return template_uses(sms->text, column) ||
           (sms->sender != NULL && template_uses(sms->sender, column));
}

enum rc content_sms_state_open(struct content_sms_state **out, struct err *err)
{
    struct content_sms_state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a message");
    }
    *out = state;
    return RC_OK;
}

void content_sms_state_free(struct content_sms_state *state)
{
    if (state != NULL) {
        buf_release(&state->text);
        buf_release(&state->sender);
        free(state);
    }
}

static enum rc render_text(const struct content_sms *sms, struct content_sms_state *state,
                           const struct slice *fields, uint32_t proof, uint32_t *out_pieces,
                           struct err *err)
{
    struct sms_measure measure;
    buf_clear(&state->text);
    if (proof > 0) {
        buf_add_format(&state->text, PROOF_MARK, (unsigned int)proof);
    }
    size_t mark = state->text.len;
    enum rc rc = template_render(sms->text, fields, sms->columns, &state->text, err);
    if (rc == RC_OK && state->text.len == mark) {
        rc = err_set(err, RC_PERM, "the message is empty");
    }
    rc = rc == RC_OK ? sms_measure(buf_slice(&state->text), &measure, err) : rc;
    if (rc == RC_OK) {
        *out_pieces = measure.parts;
    }
    return rc;
}

enum rc content_sms_render(const struct content_sms *sms, struct content_sms_state *state,
                           const struct recipient *recipient, uint32_t proof,
                           struct content_message *out, struct err *err)
{
    uint32_t pieces = 0;
    enum rc rc = render_text(sms, state, recipient->fields, proof, &pieces, err);
    buf_clear(&state->sender);
    if (rc == RC_OK && sms->sender != NULL) {
        rc = template_render(sms->sender, recipient->fields, sms->columns, &state->sender, err);
        rc = rc == RC_OK ? sms_sender(buf_slice(&state->sender), err) : rc;
    }
    if (rc == RC_OK) {
        *out = (struct content_message){.bytes = buf_slice(&state->text),
                                        .from = buf_slice(&state->sender),
                                        .to = recipient->address,
                                        .pieces = pieces};
    }
    return rc;
}

enum rc content_sms_pieces(const struct content_sms *sms, struct content_sms_state *state,
                           const struct slice *fields, uint32_t *out, struct err *err)
{
    return render_text(sms, state, fields, 0, out, err);
}
