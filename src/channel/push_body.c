/*
 * push_body - a template over fixed names, and trials of it
 */
#include "channel/push_body.h"

#include "template/template.h"

#include <jansson.h>
#include <stdlib.h>

static const char *const NAMES[PUSH_FIELDS] = {
    [PUSH_TITLE] = "title",       [PUSH_BODY] = "body",        [PUSH_IMAGE] = "image",
    [PUSH_VIDEO] = "video",       [PUSH_DATA] = "data",        [PUSH_DATA_AS_TEXT] = "data_as_text",
    [PUSH_ADDRESS] = "address",   [PUSH_KEY] = "key",          [PUSH_REFERENCE] = "reference",
    [PUSH_DELIVERY] = "delivery", [PUSH_CAMPAIGN] = "campaign"};

static const char BUILT_IN[] =
    "{\"reference\":\"{{reference}}\",\"campaign\":\"{{campaign}}\",\"delivery\":\"{{delivery}}\","
    "\"key\":\"{{key}}\",\"address\":\"{{address}}\",\"title\":\"{{title}}\",\"body\":\"{{body}}\","
    "\"image\":\"{{image}}\",\"video\":\"{{video}}\",\"data\":{{{data}}}}\n";

/* Whatever can break JSON where it is not escaped. */
static const char AWKWARD[] = "\"\\\n\xF0\x9F\x8E\x81 { 1, ";

struct push_body {
    struct template *template;
};

static enum rc try_out(const struct push_body *body, const char *text, const char *data,
                       const char *file, struct err *err)
{
    struct slice fields[PUSH_FIELDS];
    struct buf out = BUF_EMPTY;
    json_error_t fault;
    for (size_t i = 0; i < PUSH_FIELDS; i++) {
        bool is_data = i == PUSH_DATA || i == PUSH_DATA_AS_TEXT;
        bool is_needed = i == PUSH_ADDRESS || i == PUSH_KEY || i == PUSH_BODY;
        fields[i] = slice_of(is_data ? data : is_needed ? AWKWARD : text);
    }
    enum rc rc = push_body_render(body, fields, &out, err);
    if (rc == RC_OK) {
        json_t *root = json_loadb(buf_text(&out), out.len, JSON_REJECT_DUPLICATES, &fault);
        if (root == NULL) {
            rc = err_set(err, RC_PERM,
                         "%s:%d: gives no JSON%s: %s; write texts as \"{{name}}\" and data as "
                         "{{{data}}}",
                         file, fault.line < 1 ? 1 : fault.line,
                         text[0] == '\0' ? " where title, image and video are empty" : "",
                         fault.text);
        }
        json_decref(root);
    }
    buf_release(&out);
    return rc;
}

enum rc push_body_open(struct slice text, const char *file, struct push_body **out, struct err *err)
{
    const struct template_options options = {
        .escape = TEMPLATE_JSON, .column_names = NAMES, .column_count = PUSH_FIELDS};
    struct push_body *body = calloc(1, sizeof *body);
    if (body == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a body");
    }
    bool is_own = text.ptr != NULL;
    enum rc rc = template_compile(is_own ? text : SLICE_LITERAL(BUILT_IN), file, &options,
                                  &body->template, err);
    rc = rc == RC_OK ? try_out(body, AWKWARD, "{\"a\":1}", file, err) : rc;
    rc = rc == RC_OK ? try_out(body, "", "{}", file, err) : rc;
    if (rc != RC_OK) {
        push_body_free(body);
        return rc;
    }
    *out = body;
    return RC_OK;
}

void push_body_free(struct push_body *body)
{
    if (body != NULL) {
        template_free(body->template);
        free(body);
    }
}

enum rc push_body_render(const struct push_body *body, const struct slice fields[PUSH_FIELDS],
                         struct buf *out, struct err *err)
{
    return template_render(body->template, fields, PUSH_FIELDS, out, err);
}
