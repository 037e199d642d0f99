/*
 * content - what an online delivery says
 *
 * E-mail is made here (channel/mime), push and in-app messages by content_push, text messages by
 * content_sms.
 */
#include "stage/content.h"

#include "base/arena.h"
#include "channel/mime.h"
#include "stage/content_push.h"
#include "stage/content_sms.h"
#include "sys/fs.h"

#include <stdlib.h>
#include <string.h>

/* Counting and previews have no key: their links show that they are none that count. */
static const char STAND_IN_SECRET[] = "no secret: a preview of postroom";

#define FEEDBACK_SENDER "postroom" /* last part of Feedback-ID: the same for all that we send */

struct content {
    struct push *push; /* push, inapp; the others are NULL */
    struct mime *mime;
    struct dkim *dkim;
    struct content_sms *sms; /* of a delivery by SMS; then the others are NULL */
};

struct content_state {
    struct push_state push;
    struct mime_state *mime;
    struct content_sms_state *sms;
};

/* What mime_open borrows while it runs. */
struct sources {
    const struct order *order;
    const struct content_wants *wants;
    struct arena arena; /* of the lists */
    struct buf html;
    struct buf text;
    struct buf *files; /* images, then attachments */
    size_t file_count;
    struct mime_options options;
};

static void sources_release(struct sources *sources)
{
    for (size_t i = 0; i < sources->file_count; i++) {
        buf_release(&sources->files[i]);
    }
    buf_release(&sources->html);
    buf_release(&sources->text);
    arena_release(&sources->arena);
}

static enum rc read_text(struct sources *sources, const char *name, struct buf *into,
                         struct mime_text *out, struct err *err)
{
    if (name == NULL) {
        return RC_OK;
    }
    enum rc rc = fs_read_small(sources->wants->dirfd, name, TEMPLATE_BYTES_MAX, into, err);
    if (rc == RC_RANGE) {
        return err_set(err, RC_RANGE, "%s:1: larger than 1 MiB; put pictures in files of their own",
                       name);
    }
    *out = (struct mime_text){{buf_text(into), into->len}, name, 1};
    return rc == RC_OK ? RC_OK : err_add(err, rc, "%s", name);
}

static enum rc read_files(struct sources *sources, const struct texts *names, size_t at,
                          size_t *total, const struct mime_file **out, struct err *err)
{
    struct mime_file *files = arena_array(&sources->arena, names->count + 1, sizeof *files);
    enum rc rc = RC_OK;
    if (files == NULL) {
        return err_set(err, RC_NOMEM, "no memory for files");
    }
    for (size_t i = 0; rc == RC_OK && i < names->count; i++) {
        struct buf *bytes = &sources->files[at + i];
        rc = fs_read_small(sources->wants->dirfd, names->items[i], CONTENT_FILES_BYTES_MAX, bytes,
                           err);
        *total += bytes->len;
        if (rc == RC_RANGE || (rc == RC_OK && *total > CONTENT_FILES_BYTES_MAX)) {
            rc = err_set(err, RC_RANGE,
                         "%s: images and attachments are larger than %d MiB together; link to them",
                         names->items[i], CONTENT_FILES_BYTES_MAX >> 20);
        }
        files[i] = (struct mime_file){names->items[i], {buf_text(bytes), bytes->len}};
    }
    *out = files;
    return rc;
}

static struct mime_text inline_text(const char *text, const char *file)
{
    return text == NULL ? (struct mime_text){{NULL, 0}, NULL, 0}
                        : (struct mime_text){slice_of(text), file, 1};
}

/* The delivery's own where it says something, else the channel's. */
static struct mime_text nearest_text(const char *own, const char *house)
{
    return own != NULL ? inline_text(own, "delivery.conf") : inline_text(house, "postroom.conf");
}

static enum rc read_sources(struct sources *sources, const struct dkim *dkim, struct err *err)
{
    const struct order *order = sources->order;
    const struct order_content *content = &order->content;
    const struct house_channel *channel = &sources->wants->house->channels[order->channel];
    bool has_own = content->unsubscribe.url != NULL || content->unsubscribe.mailto != NULL;
    const struct house_unsubscribe *unsubscribe =
        has_own ? &content->unsubscribe : &channel->unsubscribe;
    struct slice secret = sources->wants->unsubscribe_secret;
    bool wants_token = unsubscribe->url != NULL || unsubscribe->mailto != NULL;
    size_t total = 0;
    if (sources->wants->is_for_real && wants_token && secret.len == 0) {
        /* Tokens of a secret that stands in our source could be made by anybody for anybody. */
        return err_set(err, RC_PERM,
                       "unsubscribe: channels.%s.unsubscribe has no secret_file; add one",
                       house_channel_name(order->channel));
    }
    struct mime_options *options = &sources->options;
    *options = (struct mime_options){
        .subject = inline_text(content->subject, "delivery.conf"),
        .from = nearest_text(content->from, channel->from),
        .reply_to = nearest_text(content->reply_to, channel->reply_to),
        .image_count = content->images.count,
        .attachment_count = content->attachments.count,
        .unsubscribe_url = unsubscribe->url,
        .unsubscribe_mailto = unsubscribe->mailto,
        .unsubscribe_secret = secret.len > 0 ? secret : SLICE_LITERAL(STAND_IN_SECRET),
        .dkim = dkim,
        .delivery = order->id,
        .revision = (uint32_t)sources->wants->revision,
        .campaign = order->campaign,
        .feedback_sender = FEEDBACK_SENDER,
    };
    sources->file_count = content->images.count + content->attachments.count;
    sources->files = arena_array(&sources->arena, sources->file_count + 1, sizeof *sources->files);
    if (sources->files == NULL) {
        sources->file_count = 0;
        return err_set(err, RC_NOMEM, "no memory for files");
    }
    for (size_t i = 0; i < sources->file_count; i++) {
        sources->files[i] = BUF_EMPTY;
    }
    enum rc rc = read_text(sources, content->html, &sources->html, &options->html, err);
    rc = rc == RC_OK ? read_text(sources, content->text, &sources->text, &options->text, err) : rc;
    rc = rc == RC_OK ? read_files(sources, &content->images, 0, &total, &options->images, err) : rc;
    return rc == RC_OK ? read_files(sources, &content->attachments, content->images.count, &total,
                                    &options->attachments, err)
                       : rc;
}

static enum rc open_dkim(const struct order *order, const struct content_wants *wants,
                         struct dkim **out, struct err *err)
{
    const struct house_dkim *dkim = &wants->house->channels[order->channel].dkim;
    if (wants->dkim_key.len == 0) {
        return RC_OK;
    }
    struct dkim_options options = {.domain = dkim->domain,
                                   .selector = dkim->selector,
                                   .key_pem = wants->dkim_key,
                                   .key_file = dkim->key_file};
    return dkim_open(&options, out, err);
}

static bool is_push(const struct order *order)
{
    return order->channel == HOUSE_PUSH || order->channel == HOUSE_INAPP;
}

static enum rc open_email(const struct order *order, const struct content_wants *wants,
                          const char *const *columns, size_t count, struct content *content,
                          struct err *err)
{
    struct sources sources = {.order = order, .wants = wants, .arena = ARENA_EMPTY};
    enum rc rc = open_dkim(order, wants, &content->dkim, err);
    rc = rc == RC_OK ? read_sources(&sources, content->dkim, err) : rc;
    rc = rc == RC_OK ? mime_open(&sources.options, columns, count, &content->mime, err) : rc;
    sources_release(&sources);
    return rc;
}

enum rc content_open(const struct order *order, const struct content_wants *wants,
                     const char *const *columns, size_t count, struct content **out,
                     struct err *err)
{
    struct content *content = calloc(1, sizeof *content);
    if (content == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a content");
    }
    enum rc rc = RC_OK;
    if (order->channel == HOUSE_SMS) {
        rc = content_sms_open(order, columns, count, &content->sms, err);
    } else if (is_push(order)) {
        rc = content_push_open(order, wants, columns, count, &content->push, err);
    } else {
        rc = open_email(order, wants, columns, count, content, err);
    }
    if (rc != RC_OK) {
        content_free(content);
        return rc;
    }
    *out = content;
    return RC_OK;
}

void content_free(struct content *content)
{
    if (content != NULL) {
        push_free(content->push);
        mime_free(content->mime);
        dkim_free(content->dkim);
        content_sms_free(content->sms);
        free(content);
    }
}

static void take_problem(void *ctx, bool is_warning, const char *text)
{
    struct problems *problems = ctx;
    if (is_warning) {
        problems_warn(problems, (struct place){"delivery.conf", 0}, "content: %s", text);
    } else {
        problems_add_line(problems, text);
    }
}

enum rc content_check(const struct order *order, const struct content_wants *wants,
                      const char *const *columns, size_t count, struct problems *problems,
                      struct err *err)
{
    if (order->channel == HOUSE_SMS) {
        return content_sms_check(order, columns, count, problems, err);
    }
    struct sources sources = {.order = order, .wants = wants, .arena = ARENA_EMPTY};
    if (is_push(order)) {
        return RC_OK; /* content_open has said all there is to say */
    }
    enum rc rc = read_sources(&sources, NULL, err);
    rc = rc == RC_OK ? mime_check(&sources.options, columns, count, take_problem, problems, err)
                     : rc;
    sources_release(&sources);
    return rc;
}

bool content_uses(const struct content *content, size_t column)
{
    return content->sms != NULL    ? content_sms_uses(content->sms, column)
           : content->push != NULL ? push_uses(content->push, column)
                                   : mime_uses(content->mime, column);
}

enum rc content_state_open(const struct content *content, struct content_state **out,
                           struct err *err)
{
    struct content_state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a message");
    }
    enum rc rc = RC_OK;
    if (content->sms != NULL) {
        rc = content_sms_state_open(&state->sms, err);
    } else if (content->mime != NULL) {
        rc = mime_state_open(content->mime, &state->mime, err);
    }
    if (rc != RC_OK) {
        free(state);
        return rc;
    }
    *out = state;
    return RC_OK;
}

void content_state_free(struct content_state *state)
{
    if (state != NULL) {
        push_state_release(&state->push);
        mime_state_free(state->mime);
        content_sms_state_free(state->sms);
        free(state);
    }
}

static enum rc render_push(const struct content *content, struct content_state *state,
                           const struct recipient *recipient, uint32_t proof,
                           struct content_message *out, struct err *err)
{
    const struct push_recipient to = {recipient->fields, recipient->key, recipient->address,
                                      recipient->number, proof};
    enum rc rc = push_render(content->push, &state->push, &to, err);
    if (rc == RC_OK) {
        *out = (struct content_message){.bytes = buf_slice(&state->push.request),
                                        .to = recipient->address};
    }
    return rc;
}

enum rc content_render(const struct content *content, struct content_state *state,
                       const struct recipient *recipient, uint32_t proof, int64_t date_s,
                       struct content_message *out, struct err *err)
{
    if (content->sms != NULL) {
        return content_sms_render(content->sms, state->sms, recipient, proof, out, err);
    }
    struct mime_recipient to = {.number = recipient->number,
                                .key = recipient->key,
                                .address = recipient->address,
                                .proof = proof,
                                .date_s = date_s};
    struct mime_message message;
    if (content->push != NULL) {
        return render_push(content, state, recipient, proof, out, err);
    }
    enum rc rc = mime_render(content->mime, state->mime, recipient->fields, &to, &message, err);
    if (rc == RC_OK) {
        *out = (struct content_message){message.bytes, message.sender, message.recipient,
                                        message.needs_smtputf8, 0};
    }
    return rc;
}

bool content_has_pieces(const struct content *content)
{
    return content->sms != NULL;
}

enum rc content_pieces(const struct content *content, struct content_state *state,
                       const struct slice *fields, uint32_t *out, struct err *err)
{
    return content_sms_pieces(content->sms, state->sms, fields, out, err);
}
