/*
 * mime - what is prepared once per delivery
 *
 * One list of steps serves both mime_open(), which ends with the first problem, and mime_check(),
 * which reports them all.
 */
#include "channel/mime.h"

#include "base/name.h"
#include "base/utf8.h"
#include "channel/mime_plan.h"

#include <assert.h>
#include <stdlib.h>

struct building {
    const struct mime_options *options;
    const char **columns; /* the recipients' and, where there is one, "unsubscribe" */
    size_t count;         /* with it */
    struct slice *fields; /* [count] empty ones, for what is fixed */
    struct mime *made;
    struct mime_state scratch;
};

/* --- templates --- */

static const struct piece_rule {
    const char *name;
    bool is_header;
    bool is_required;
    size_t offset; /* of its struct mime_text in struct mime_options */
} PIECES[MIME_PIECES] = {
    [PIECE_SUBJECT] = {"subject", true, true, offsetof(struct mime_options, subject)},
    [PIECE_FROM] = {"from", true, true, offsetof(struct mime_options, from)},
    [PIECE_REPLY_TO] = {"reply_to", true, false, offsetof(struct mime_options, reply_to)},
    [PIECE_TEXT] = {"text", false, false, offsetof(struct mime_options, text)},
    [PIECE_HTML] = {"html", false, false, offsetof(struct mime_options, html)},
};

static const struct mime_text *text_of(const struct mime_options *options,
                                       enum mime_piece_kind kind)
{
    return (const struct mime_text *)(const void *)((const char *)options + PIECES[kind].offset);
}

static enum rc fail_at(const struct mime_text *text, const char *name, enum rc rc, struct err *err)
{
    return err_add(err, rc, "%s:%d: %s", text->file, text->line > 0 ? text->line : 1, name);
}

static enum rc check_body_bytes(const struct mime_text *text, struct err *err)
{
    int line = text->line > 0 ? text->line : 1;
    for (size_t at = 0; at < text->text.len;) {
        int32_t point = utf8_next(text->text, &at);
        line += point == '\n';
        if (point < 0 || point == 0) {
            return err_set(err, RC_PERM, "%s:%d: %s; save it as UTF-8 text", text->file, line,
                           point < 0 ? "a byte that is no UTF-8" : "a NUL");
        }
    }
    return RC_OK;
}

/* A text without a column in it is the same for everybody. */
static enum rc make_ready(struct building *building, enum mime_piece_kind kind, struct err *err)
{
    struct mime *made = building->made;
    struct mime_piece *piece = &made->piece[kind];
    struct buf *text = &building->scratch.text;
    buf_clear(text);
    enum rc rc = template_render(piece->compiled, building->fields, building->count, text, err);
    if (rc != RC_OK) {
        return rc;
    }
    switch (kind) {
    case PIECE_SUBJECT:
        return mime_put_subject(&piece->ready, buf_slice(text), 0, &building->scratch.name, err);
    case PIECE_FROM:
        return mime_put_mailbox(&piece->ready, "From", buf_slice(text), &building->scratch.name,
                                &made->from, err);
    case PIECE_REPLY_TO:
        return mime_put_mailbox(&piece->ready, "Reply-To", buf_slice(text), &building->scratch.name,
                                &made->reply_to, err);
    case PIECE_TEXT:
    case PIECE_HTML:
        mime_put_part(&building->scratch, kind == PIECE_HTML, buf_slice(text), &piece->ready,
                      &piece->ready);
        break;
    case MIME_PIECES:
        break;
    }
    return RC_OK;
}

static enum rc add_piece(struct building *building, enum mime_piece_kind kind, struct err *err)
{
    const struct mime_options *options = building->options;
    const struct piece_rule *rule = &PIECES[kind];
    const struct mime_text *text = text_of(options, kind);
    struct mime_piece *piece = &building->made->piece[kind];
    if (text->text.ptr == NULL) {
        return rule->is_required ? err_set(err, RC_PERM, "%s is missing; write it", rule->name)
                                 : RC_OK;
    }
    enum rc rc = rule->is_header ? header_check(text->text, err) : check_body_bytes(text, err);
    if (rc != RC_OK) {
        return rule->is_header ? fail_at(text, rule->name, rc, err) : rc;
    }
    struct template_options compile = {.escape =
                                           kind == PIECE_HTML ? TEMPLATE_HTML : TEMPLATE_PLAIN,
                                       .column_names = building->columns,
                                       .column_count = building->count,
                                       .first_line = text->line,
                                       .load_partial = options->load_partial,
                                       .loader_context = options->loader_context};
    rc = template_compile(text->text, text->file, &compile, &piece->compiled, err);
    if (rc != RC_OK) {
        return rc;
    }
    piece->is_fixed = template_used_count(piece->compiled) == 0;
    rc = piece->is_fixed ? make_ready(building, kind, err) : RC_OK;
    if (rc != RC_OK) {
        return fail_at(text, rule->name, rc, err);
    }
    return buf_ok(&piece->ready, err);
}

static enum rc add_subject(struct building *building, struct err *err)
{
    return add_piece(building, PIECE_SUBJECT, err);
}

static enum rc add_from(struct building *building, struct err *err)
{
    return add_piece(building, PIECE_FROM, err);
}

static enum rc add_reply_to(struct building *building, struct err *err)
{
    return add_piece(building, PIECE_REPLY_TO, err);
}

static enum rc add_text(struct building *building, struct err *err)
{
    return add_piece(building, PIECE_TEXT, err);
}

static enum rc add_html(struct building *building, struct err *err)
{
    const struct mime_options *options = building->options;
    if (options->text.text.ptr == NULL && options->html.text.ptr == NULL) {
        return err_set(err, RC_PERM, "neither text nor html; write one of them");
    }
    return add_piece(building, PIECE_HTML, err);
}

/* --- the rest --- */

static enum rc add_unsubscribe(struct building *building, struct err *err)
{
    const struct mime_options *options = building->options;
    struct unsubscribe_options unsubscribe = {.url = options->unsubscribe_url,
                                              .mailto = options->unsubscribe_mailto,
                                              .secret = options->unsubscribe_secret,
                                              .delivery = options->delivery};
    return unsubscribe_open(&unsubscribe, &building->made->unsubscribe, err);
}

static enum rc check_files(struct building *building, struct err *err)
{
    return mime_check_files(building->options, err);
}

static enum rc check_cids(struct building *building, struct err *err)
{
    return mime_check_cids(building->options, err);
}

static enum rc add_sender(struct building *building, struct err *err)
{
    const char *sender = building->options->envelope_sender;
    if (sender == NULL) {
        return RC_OK;
    }
    building->made->has_sender = true;
    enum rc rc = mailbox_address_parse(slice_of(sender), &building->made->sender, err);
    return rc == RC_OK ? RC_OK : err_add(err, rc, "the envelope's sender");
}

/* RFC 5322 3.6.4. An id may have dots where a dot-atom may not: such a dot becomes '+', which no id
 * has, so that two ids stay two. */
static enum rc add_message_id(struct building *building, struct err *err)
{
    const struct mime_options *options = building->options;
    struct mime *made = building->made;
    struct mailbox_address checked;
    struct buf probe = BUF_EMPTY;
    buf_add_text(&probe, "id@");
    if (options->domain != NULL) {
        buf_add_text(&probe, options->domain);
    } else if (made->piece[PIECE_FROM].is_fixed) {
        buf_add_slice(&probe, mailbox_domain(&made->from));
    }
    enum rc rc = buf_ok(&probe, err);
    rc = rc == RC_OK ? mailbox_address_parse(buf_slice(&probe), &checked, err) : rc;
    buf_release(&probe);
    if (rc != RC_OK) {
        return err_add(err, rc, "the domain of Message-ID; name one where from has columns in it");
    }
    buf_add_format(&made->message_id, ".r%u.", (unsigned)options->revision);
    for (const char *c = options->delivery; *c != '\0'; c++) {
        bool is_bad_dot = *c == '.' && (c[1] == '.' || c[1] == '\0');
        buf_add_byte(&made->message_id, (char)(is_bad_dot ? '+' : *c));
    }
    buf_add_byte(&made->message_id, '@');
    buf_add_slice(&made->message_id, mailbox_domain(&checked));
    buf_add_byte(&made->message_id, '>');
    return buf_ok(&made->message_id, err);
}

static enum rc add_tail(struct building *building, struct err *err)
{
    const struct mime_options *options = building->options;
    struct buf *out = &building->made->tail_head;
    if (options->campaign != NULL) {
        const char *sender =
            options->feedback_sender == NULL ? "postroom" : options->feedback_sender;
        if (!id_is_valid(slice_of(options->campaign)) || !id_is_valid(slice_of(sender))) {
            return err_set(err, RC_PERM,
                           "Feedback-ID: campaign and sender are names like ids: "
                           "letters, digits, and . _ -");
        }
        struct buf words = BUF_EMPTY;
        buf_add_format(&words, "%s:%s:email:%s", options->campaign, options->delivery, sender);
        enum rc rc = buf_ok(&words, err);
        if (rc == RC_OK) {
            header_put(out, "Feedback-ID", buf_text(&words));
        }
        buf_release(&words);
        if (rc != RC_OK) {
            return rc;
        }
    }
    if (options->is_notice) {
        header_put(out, "Auto-Submitted", "auto-generated");
    }
    header_put(out, "MIME-Version", "1.0");
    return buf_ok(out, err);
}

static enum rc lay_out(struct building *building, struct err *err)
{
    enum rc rc = mime_lay_out(building->made, building->options, err);
    return rc == RC_OK ? buf_ok(&building->made->tail_head, err) : rc;
}

typedef enum rc building_step(struct building *building, struct err *err);

static building_step *const STEPS[] = {add_unsubscribe, add_subject,    add_from,    add_reply_to,
                                       add_text,        add_html,       check_files, check_cids,
                                       add_sender,      add_message_id, add_tail,    lay_out};

enum { STEP_COUNT = sizeof STEPS / sizeof STEPS[0] };

/* --- open and check --- */

static enum rc prepare(struct building *building, const char *const *columns, size_t count,
                       struct err *err)
{
    struct mime *made = calloc(1, sizeof *made);
    building->made = made;
    building->columns = calloc(count + 1, sizeof *building->columns);
    building->fields = calloc(count + 1, sizeof *building->fields);
    if (made == NULL || building->columns == NULL || building->fields == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a delivery's messages");
    }
    bool has_url =
        building->options->unsubscribe_url != NULL && building->options->unsubscribe_url[0] != '\0';
    made->has_unsubscribe_column = has_url;
    for (size_t i = 0; i < count; i++) {
        building->columns[i] = columns[i];
        made->has_unsubscribe_column =
            made->has_unsubscribe_column && strcmp(columns[i], "unsubscribe") != 0;
    }
    building->columns[count] = "unsubscribe";
    building->count = count + made->has_unsubscribe_column;
    made->column_count = count;
    made->dkim = building->options->dkim;
    return RC_OK;
}

static void finish(struct building *building)
{
    mime_state_release(&building->scratch);
    free(building->columns);
    free(building->fields);
}

enum rc mime_open(const struct mime_options *options, const char *const *columns, size_t count,
                  struct mime **out, struct err *err)
{
    assert(options->delivery != NULL && id_is_valid(slice_of(options->delivery)));
    struct building building = {.options = options};
    enum rc rc = prepare(&building, columns, count, err);
    for (size_t i = 0; rc == RC_OK && i < STEP_COUNT; i++) {
        rc = STEPS[i](&building, err);
    }
    finish(&building);
    if (rc != RC_OK) {
        mime_free(building.made);
        return rc;
    }
    *out = building.made;
    return RC_OK;
}

bool mime_uses(const struct mime *mime, size_t column)
{
    for (size_t i = 0; i < MIME_PIECES; i++) {
        const struct template *compiled = mime->piece[i].compiled;
        if (compiled != NULL && column < mime->column_count && template_uses(compiled, column)) {
            return true;
        }
    }
    return false;
}

void mime_free(struct mime *mime)
{
    if (mime == NULL) {
        return;
    }
    for (size_t i = 0; i < MIME_PIECES; i++) {
        template_free(mime->piece[i].compiled);
        buf_release(&mime->piece[i].ready);
    }
    buf_release(&mime->message_id);
    buf_release(&mime->tail_head);
    buf_release(&mime->before_text);
    buf_release(&mime->before_html);
    buf_release(&mime->after);
    unsubscribe_free(mime->unsubscribe);
    free(mime);
}

static void warn(const struct mime_options *options, mime_report *report, void *context)
{
    struct err note;
    for (size_t i = 0; options->html.text.ptr != NULL && i < options->image_count; i++) {
        if (!mime_names_image(options, options->images[i].name)) {
            (void)err_set(
                &note, RC_OK,
                "images: \"%s\" is not shown; name it by cid:%s in the html, or remove it",
                options->images[i].name, options->images[i].name);
            report(context, true, note.text);
        }
    }
    if (options->html.text.ptr != NULL && options->text.text.ptr == NULL) {
        report(context, true,
               "html without text: readers that show no html see nothing; add a text");
    }
}

enum rc mime_check(const struct mime_options *options, const char *const *columns, size_t count,
                   mime_report *report, void *context, struct err *err)
{
    assert(options->delivery != NULL && id_is_valid(slice_of(options->delivery)));
    struct building building = {.options = options};
    enum rc rc = prepare(&building, columns, count, err);
    bool has_error = false;
    for (size_t i = 0; rc == RC_OK && i < STEP_COUNT; i++) {
        struct err note = {""};
        enum rc found = STEPS[i](&building, &note);
        /* without a from there is no domain, but that was said */
        bool is_echo = STEPS[i] == add_message_id && has_error && options->domain == NULL;
        if (found == RC_NOMEM) {
            rc = err_set(err, found, "%s", note.text);
        } else if (found != RC_OK && !is_echo) {
            has_error = true;
            report(context, false, note.text);
        }
    }
    if (rc == RC_OK) {
        warn(options, report, context);
    }
    finish(&building);
    mime_free(building.made);
    return rc == RC_OK && has_error ? err_set(err, RC_PERM, "the content has errors") : rc;
}
