/*
 * push_body - the request that carries one push or in-app message: JSON from a template
 *
 * One template for each channel (channels.push.body). Its names are the fields below; {{name}} is
 * escaped for the inside of a JSON string, which the template has the quotes of. `data` and
 * `data_as_text` are JSON objects themselves and stand as {{{data}}}. That it gives JSON is tried
 * out while opening.
 */
#ifndef POSTROOM_CHANNEL_PUSH_BODY_H
#define POSTROOM_CHANNEL_PUSH_BODY_H

#include "base/buf.h"
#include "base/err.h"

enum push_field {
    PUSH_TITLE, /* title, body, image and video may be empty */
    PUSH_BODY,
    PUSH_IMAGE,
    PUSH_VIDEO,
    PUSH_DATA,         /* a JSON object */
    PUSH_DATA_AS_TEXT, /* the same, each value a text (FCM takes no other) */
    PUSH_ADDRESS,
    PUSH_KEY,
    PUSH_REFERENCE,
    PUSH_DELIVERY,
    PUSH_CAMPAIGN,
    PUSH_FIELDS
};

struct push_body;

/*
 * push_body_open - compile a template and try it out
 *
 * text, file  the template and its name for errors; text.ptr NULL: the one that is built in, with
 *             all fields
 * Returns     RC_OK; RC_PERM, RC_RANGE "FILE:LINE: ..." an unknown name, or what it gives is no
 *             JSON; RC_NOMEM
 */
enum rc push_body_open(struct slice text, const char *file, struct push_body **out,
                       struct err *err) MUST_CHECK;
void push_body_free(struct push_body *body);

/* push_body_render - append the request. RC_OK; RC_RANGE too long; RC_NOMEM. Cost: O(output) */
enum rc push_body_render(const struct push_body *body, const struct slice fields[PUSH_FIELDS],
                         struct buf *out, struct err *err) MUST_CHECK;

#endif
