/*
 * push - texts rendered plain, escaped once where they are put into the request
 */
#include "channel/push.h"

#include "template/template.h"

#include <inttypes.h>
#include <stdlib.h>

enum { TEXTS = PUSH_VIDEO + 1 }; /* title, body, image, video: the first fields */

struct datum {
    struct buf name;        /* as JSON, with quotes */
    struct buf fixed;       /* no text: as it stands */
    struct template *value; /* NULL: fixed */
};

struct push {
    struct push_body *body;
    struct template *texts[TEXTS]; /* NULL: empty */
    struct datum data[PUSH_DATA_MAX];
    size_t datum_count;
    const char *delivery;
    const char *campaign;
};

struct columns {
    const char *const *names;
    size_t count;
};

static enum rc compile(const char *text, const char *what, const struct columns *columns,
                       struct template **out, struct err *err)
{
    const struct template_options options = {
        .escape = TEMPLATE_PLAIN, .column_names = columns->names, .column_count = columns->count};
    if (text == NULL) {
        return RC_OK;
    }
    enum rc rc = template_compile(slice_of(text), "delivery.conf", &options, out, err);
    return rc == RC_OK ? RC_OK : err_set(err, rc, "%s (content: %s)", err->text, what);
}

static enum rc open_datum(const struct push_datum *datum, const struct columns *columns,
                          struct datum *out, struct err *err)
{
    buf_add_json(&out->name, slice_of(datum->name));
    if (!datum->is_text) {
        buf_add_text(&out->fixed, datum->value);
        return buf_ok(&out->fixed, err);
    }
    enum rc rc = buf_ok(&out->name, err);
    return rc == RC_OK ? compile(datum->value, datum->name, columns, &out->value, err) : rc;
}

enum rc push_open(const struct push_options *options, const char *const *columns, size_t count,
                  struct push **out, struct err *err)
{
    const struct columns over = {columns, count};
    const char *const texts[TEXTS] = {options->title, options->body, options->image,
                                      options->video};
    static const char *const names[TEXTS] = {"title", "body", "image", "video"};
    struct err why = {""};
    if (options->datum_count > PUSH_DATA_MAX) {
        return err_set(err, RC_RANGE, "data has more than %d values", PUSH_DATA_MAX);
    }
    struct push *push = calloc(1, sizeof *push);
    if (push == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a message");
    }
    push->delivery = options->delivery;
    push->campaign = options->campaign;
    enum rc rc = push_body_open(options->request, options->request_file, &push->body, &why);
    for (size_t i = 0; rc == RC_OK && i < TEXTS; i++) {
        rc = compile(texts[i], names[i], &over, &push->texts[i], &why);
    }
    for (size_t i = 0; rc == RC_OK && i < options->datum_count; i++) {
        push->datum_count++;
        rc = open_datum(&options->data[i], &over, &push->data[i], &why);
    }
    if (rc != RC_OK) {
        push_free(push);
        return err_set(err, rc, "%s", why.text);
    }
    *out = push;
    return RC_OK;
}

void push_free(struct push *push)
{
    if (push == NULL) {
        return;
    }
    push_body_free(push->body);
    for (size_t i = 0; i < TEXTS; i++) {
        template_free(push->texts[i]);
    }
    for (size_t i = 0; i < push->datum_count; i++) {
        buf_release(&push->data[i].name);
        buf_release(&push->data[i].fixed);
        template_free(push->data[i].value);
    }
    free(push);
}

bool push_uses(const struct push *push, size_t column)
{
    bool is_used = false;
    for (size_t i = 0; i < TEXTS; i++) {
        is_used = is_used || (push->texts[i] != NULL && template_uses(push->texts[i], column));
    }
    for (size_t i = 0; i < push->datum_count; i++) {
        const struct template *value = push->data[i].value;
        is_used = is_used || (value != NULL && template_uses(value, column));
    }
    return is_used;
}

void push_state_release(struct push_state *state)
{
    for (size_t i = 0; i < PUSH_FIELDS; i++) {
        buf_release(&state->texts[i]);
    }
    buf_release(&state->value);
    buf_release(&state->request);
}

/* Both objects: values as they are, and each as a text. */
static enum rc render_data(const struct push *push, struct push_state *state,
                           const struct slice *fields, struct err *err)
{
    struct buf *plain = &state->texts[PUSH_DATA];
    struct buf *texts = &state->texts[PUSH_DATA_AS_TEXT];
    buf_add_byte(plain, '{');
    buf_add_byte(texts, '{');
    for (size_t i = 0; i < push->datum_count; i++) {
        const struct datum *datum = &push->data[i];
        const struct slice comma = {",", i > 0 ? 1 : 0};
        struct slice value = buf_slice(&datum->fixed);
        if (datum->value != NULL) {
            buf_clear(&state->value);
            enum rc rc = template_render(datum->value, fields, SIZE_MAX, &state->value, err);
            if (rc != RC_OK) {
                return rc;
            }
            value = buf_slice(&state->value);
        }
        struct buf *const both[] = {plain, texts};
        for (size_t k = 0; k < 2; k++) {
            buf_add_slice(both[k], comma);
            buf_add_slice(both[k], buf_slice(&datum->name));
            buf_add_byte(both[k], ':');
            if (datum->value != NULL || both[k] == texts) {
                buf_add_json(both[k], value);
            } else {
                buf_add_slice(both[k], value);
            }
        }
    }
    buf_add_byte(plain, '}');
    buf_add_byte(texts, '}');
    enum rc rc = buf_ok(plain, err);
    return rc == RC_OK ? buf_ok(texts, err) : rc;
}

/* A trial says that it is one in what is shown first. */
static void add_proof(const struct push *push, struct push_state *state, uint32_t proof)
{
    enum push_field shown = push->texts[PUSH_TITLE] != NULL ? PUSH_TITLE : PUSH_BODY;
    if (proof > 0) {
        buf_add_format(&state->texts[shown], "[Proof %" PRIu32 "] ", proof);
    }
}

enum rc push_render(const struct push *push, struct push_state *state,
                    const struct push_recipient *recipient, struct err *err)
{
    struct slice fields[PUSH_FIELDS];
    enum rc rc = RC_OK;
    for (size_t i = 0; i < PUSH_FIELDS; i++) {
        buf_clear(&state->texts[i]);
    }
    buf_clear(&state->request);
    add_proof(push, state, recipient->proof);
    for (size_t i = 0; rc == RC_OK && i < TEXTS; i++) {
        rc = push->texts[i] == NULL ? RC_OK
                                    : template_render(push->texts[i], recipient->fields, SIZE_MAX,
                                                      &state->texts[i], err);
    }
    rc = rc == RC_OK ? render_data(push, state, recipient->fields, err) : rc;
    buf_add_format(&state->texts[PUSH_REFERENCE], "%s-%" PRIu64, push->delivery, recipient->number);
    if (rc != RC_OK || (rc = buf_ok(&state->texts[PUSH_REFERENCE], err)) != RC_OK) {
        return rc;
    }
    for (size_t i = 0; i < PUSH_FIELDS; i++) {
        fields[i] = buf_slice(&state->texts[i]);
    }
    fields[PUSH_ADDRESS] = recipient->address;
    fields[PUSH_KEY] = recipient->key;
    fields[PUSH_DELIVERY] = slice_of(push->delivery);
    fields[PUSH_CAMPAIGN] = slice_of(push->campaign == NULL ? "" : push->campaign);
    return push_body_render(push->body, fields, &state->request, err);
}
