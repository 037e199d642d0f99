/*
 * order_online - what a delivery says about sending online, held against its channel
 */
#include "base/sender.h"
#include "delivery/order_draft.h"

#include <stdio.h>

#define EMAIL (1U << HOUSE_EMAIL)
#define SMS (1U << HOUSE_SMS)
#define DEVICE ((1U << HOUSE_PUSH) | (1U << HOUSE_INAPP))

/* Which channel sends what. */
static const struct content_key {
    const char *key;
    unsigned channels;
} CONTENT_KEYS[] = {
    {"subject", EMAIL},  {"html", EMAIL},   {"text", EMAIL | SMS},  {"from", EMAIL},
    {"reply_to", EMAIL}, {"images", EMAIL}, {"attachments", EMAIL}, {"unsubscribe", EMAIL},
    {"sender", SMS},     {"title", DEVICE}, {"body", DEVICE},       {"image", DEVICE},
    {"video", DEVICE},   {"data", DEVICE},
};

enum { CONTENT_KEY_COUNT = sizeof CONTENT_KEYS / sizeof CONTENT_KEYS[0] };

static struct place at(const struct order_case *c, const char *in, const char *key)
{
    return order_place(c->file, c->root, in, key);
}

static const config_setting_t *own(const struct order_case *c, const char *in, const char *key)
{
    const config_setting_t *group = in == NULL ? c->root : config_setting_get_member(c->root, in);
    return group == NULL || config_setting_is_group(group) != CONFIG_TRUE
               ? NULL
               : config_setting_get_member(group, key);
}

static bool is_template(const char *text)
{
    return strstr(text, "{{") != NULL;
}

bool order_names_file(const char *place)
{
    return place != NULL && strstr(place, "://") == NULL && !is_template(place);
}

/* --- one channel's content --- */

/* What layers far off said for other channels is left out; what the delivery itself says is wrong.
 */
static void keep_channels_own(struct order_case *c)
{
    struct order *order = &c->draft->order;
    const struct order_content all = order->content;
    unsigned channel = 1U << order->channel;
    for (size_t i = 0; i < CONTENT_KEY_COUNT; i++) {
        const struct content_key *key = &CONTENT_KEYS[i];
        if ((key->channels & channel) == 0 && own(c, "content", key->key) != NULL) {
            problems_add(c->problems, at(c, "content", key->key),
                         "content: %s is not for channel %s; remove it", key->key,
                         house_channel_name(order->channel));
        }
    }
    order->content = (struct order_content){0};
    if (channel == EMAIL) {
        order->content = all;
        order->content.sender = order->content.title = order->content.body = NULL;
        order->content.image = order->content.video = NULL;
        order->content.data = NULL;
        order->content.datum_count = 0;
    } else if (channel == SMS) {
        order->content.text = all.text;
        order->content.sender = all.sender;
    } else {
        order->content.title = all.title;
        order->content.body = all.body;
        order->content.image = all.image;
        order->content.video = all.video;
        order->content.data = all.data;
        order->content.datum_count = all.datum_count;
    }
}

static void want(const struct order_case *c, const char *value, const char *key, const char *like)
{
    if (value == NULL) {
        problems_add(c->problems, at(c, "content", key),
                     "content: %s is missing; add it to content = { }, like %s", key, like);
    }
}

static void check_twice(const struct order_case *c, struct texts files, const char *key)
{
    for (size_t i = 0; i < files.count; i++) {
        order_check_name(c, files.items[i], "content", key);
        if (texts_have((struct texts){files.items, i}, files.items[i])) {
            problems_add(c->problems, at(c, "content", key), "%s: '%s' stands twice; keep one", key,
                         files.items[i]);
        }
    }
}

/* A sender as it will stand in a header; *out_domain is empty where only a recipient's row tells.
 */
static void check_sender(const struct order_case *c, const char *text, const char *key,
                         struct slice *out_domain)
{
    struct sender box = {.domain = {NULL, 0}};
    struct err err = {""};
    if (text != NULL && !is_template(text) && sender_parse(slice_of(text), &box, &err) != RC_OK) {
        problems_add(c->problems, at(c, "content", key), "%s: %s", key, err.text);
    }
    *out_domain = box.domain;
}

static void check_signature(const struct order_case *c, struct slice domain)
{
    const struct house_dkim *dkim = &c->house->channels[HOUSE_EMAIL].dkim;
    if (domain.len > 0 && dkim->domain != NULL &&
        !domain_is_within(domain, slice_of(dkim->domain))) {
        problems_warn(c->problems, at(c, "content", "from"),
                      "from: %.*s is not below %s, which signs (dkim in etc/): receivers will not "
                      "count the signature",
                      (int)domain.len, domain.ptr, dkim->domain);
    }
}

static void check_unsubscribe(const struct order_case *c, const struct house_unsubscribe *way)
{
    struct slice domain;
    if (way->url != NULL && strncmp(way->url, "https://", 8) != 0) {
        problems_add(c->problems, at(c, "content", "unsubscribe"),
                     "unsubscribe: url does not begin with https:// (RFC 8058); correct it");
    }
    check_sender(c, way->mailto, "unsubscribe", &domain);
    if ((way->url != NULL || way->mailto != NULL) &&
        c->house->channels[HOUSE_EMAIL].unsubscribe.secret_file == NULL) {
        problems_add(c->problems, at(c, "content", "unsubscribe"),
                     "unsubscribe: channels.email.unsubscribe in etc/ has no secret_file, so that "
                     "tokens could be made by anybody; have an administrator add one");
    }
}

static void resolve_email(struct order_case *c)
{
    struct order_content *content = &c->draft->order.content;
    const struct house_channel *channel = &c->house->channels[HOUSE_EMAIL];
    struct slice from;
    struct slice ignored;
    content->from = content->from == NULL ? channel->from : content->from;
    content->reply_to = content->reply_to == NULL ? channel->reply_to : content->reply_to;
    if (content->unsubscribe.url == NULL && content->unsubscribe.mailto == NULL) {
        content->unsubscribe = channel->unsubscribe; /* the secret is not frozen: who sends looks it
                                                        up in the house */
    }
    want(c, content->subject, "subject", "subject = \"Hello {{first_name}}\";");
    if (content->html == NULL) {
        want(c, content->text, "text", "text = \"mail.txt\"; or html = \"mail.html\";");
    }
    if (content->from == NULL) {
        problems_add(c->problems, at(c, "content", "from"),
                     "content: from is missing; add from = \"Shop <shop@example.net>\"; here, or "
                     "to channels.email in etc/");
    }
    order_check_name(c, content->html, "content", "html");
    order_check_name(c, content->text, "content", "text");
    check_twice(c, content->images, "images");
    check_twice(c, content->attachments, "attachments");
    check_sender(c, content->from, "from", &from);
    check_sender(c, content->reply_to, "reply_to", &ignored);
    check_signature(c, from);
    check_unsubscribe(c, &content->unsubscribe);
}

static void resolve_other(struct order_case *c)
{
    struct order *order = &c->draft->order;
    struct order_content *content = &order->content;
    if (order->channel == HOUSE_SMS) {
        const char *sender = c->house->channels[HOUSE_SMS].sender;
        content->sender = content->sender == NULL ? sender : content->sender;
        want(c, content->text, "text", "text = \"Hello {{first_name}}\";");
        return;
    }
    want(c, content->body, "body", "body = \"Hello {{first_name}}\";");
    if (order_names_file(content->image)) {
        order_check_name(c, content->image, "content", "image");
    }
    if (order_names_file(content->video)) {
        order_check_name(c, content->video, "content", "video");
    }
}

/* --- the rest --- */

static void resolve_address(struct order_target *target, int channel)
{
    static const char *const columns[HOUSE_CHANNELS] = {
        [HOUSE_EMAIL] = "email", [HOUSE_SMS] = "mobile", [HOUSE_PUSH] = "token"};
    if (target->address == NULL) {
        target->address = columns[channel] == NULL ? target->key : columns[channel];
    }
}

static void check_times(const struct order_case *c)
{
    const struct order_schedule *schedule = &c->draft->order.schedule;
    if (own(c, "schedule", "extract_at") != NULL) {
        problems_add(c->problems, at(c, "schedule", "extract_at"),
                     "extract_at is for mail; for online deliveries write contact_at");
    }
    if (schedule->contact_at != INSTANT_NONE && schedule->not_after != INSTANT_NONE &&
        schedule->not_after <= schedule->contact_at) {
        problems_add(c->problems, at(c, "schedule", "not_after"),
                     "not_after is not later than contact_at; correct one");
    }
}

static void refuse_own(const struct order_case *c, const char *key, const char *mend)
{
    if (own(c, NULL, key) != NULL) {
        problems_add(c->problems, at(c, NULL, key), "%s is not for channel %s; %s", key,
                     house_channel_name(c->draft->order.channel), mend);
    }
}

/* A trial needs somebody to go to; whether they are addresses is the channel's question. */
static void check_proof(const struct order_case *c)
{
    const struct order_step *proof = &c->draft->order.steps[ORDER_STEP_PROOF];
    if (proof->is_on && proof->proof_target.count == 0) {
        problems_add(
            c->problems, at(c, "approvals", "proof"),
            "proof: target is missing; write proof = { target = [ \"you@example.net\" ]; };");
    } else if (proof->is_on && proof->proof_target.count > ORDER_PROOF_TARGET_MAX) {
        problems_add(c->problems, at(c, "approvals", "proof"),
                     "proof: target has %zu addresses; at most %d", proof->proof_target.count,
                     ORDER_PROOF_TARGET_MAX);
    }
}

void order_resolve_online(struct order_case *c)
{
    struct order *order = &c->draft->order;
    refuse_own(c, "documents", "write attachments in content = { }");
    refuse_own(c, "notice", "remove it: a notice goes to a router");
    order->documents = (struct texts){NULL, 0};
    order->notice = (struct order_notice){0};
    order->schedule.extract_at = INSTANT_NONE;
    keep_channels_own(c);
    if (order->channel == HOUSE_EMAIL) {
        resolve_email(c);
    } else {
        resolve_other(c);
    }
    resolve_address(&order->target, order->channel);
    check_times(c);
    check_proof(c);
}

void order_resolve_paper(struct order_case *c)
{
    struct order *order = &c->draft->order;
    refuse_own(c, "content", "mail has documents and notice");
    refuse_own(c, "waves", "remove it");
    if (order->steps[ORDER_STEP_PROOF].is_on) {
        problems_add(c->problems, at(c, "approvals", "proof"),
                     "proofs are not available in this version; write proof = false;");
    }
    order->content = (struct order_content){0};
    order->waves = (struct order_waves){0};
}
