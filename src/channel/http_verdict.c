/*
 * http_verdict - statuses and words, as tables
 */
#include "channel/http_verdict.h"

#include "base/utf8.h"

#include <jansson.h>
#include <stdio.h>

enum {
    DEPTH_MAX = 6,    /* of an error's JSON: FCM nests four deep */
    MEMBERS_MAX = 64, /* looked at, of one object or list */
    MESSAGE_BYTES_MAX = 300
};

/* Words that name the recipient as the cause whatever the status.
 * firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode; Apple, "Handling notification responses
 * from APNs" */
static const char *const RECIPIENT_WORDS[] = {"UNREGISTERED",   "SENDER_ID_MISMATCH",
                                              "Unregistered",   "ExpiredToken",
                                              "BadDeviceToken", "DeviceTokenNotForTopic"};

static const struct rule {
    int from;
    int to;
    enum verdict verdict;
    bool is_down;
    bool is_about_recipient;
    bool is_url; /* until something was accepted the url is at fault */
} RULES[] = {
    {200, 299, VERDICT_SENT, false, false, false},
    {300, 399, VERDICT_PERMANENT, false, false, true},
    {401, 401, VERDICT_UNTRIED, true, false, false},
    {403, 403, VERDICT_UNTRIED, true, false, false},
    {404, 405, VERDICT_PERMANENT, false, false, true},
    {407, 407, VERDICT_UNTRIED, true, false, false},
    {408, 409, VERDICT_TEMPORARY, false, false, false}, /* 409: the same key is being worked on */
    {410, 410, VERDICT_PERMANENT, false, true, false},
    {421, 421, VERDICT_PERMANENT, false, false, true},
    {425, 425, VERDICT_TEMPORARY, false, false, false},
    {429, 429, VERDICT_TEMPORARY, true, false, false},
    {400, 499, VERDICT_PERMANENT, false, false, false},
    {0, 999, VERDICT_TEMPORARY, false, false, false},
};

/* The first text of that name, outermost first; NULL. */
static const char *find(const json_t *node, const char *name, int depth)
{
    const char *found = json_string_value(json_object_get(node, name));
    int count = 0;
    if (found != NULL || depth == 0) {
        return found;
    }
    void *at = json_object_iter((json_t *)node);
    for (; at != NULL && found == NULL && count < MEMBERS_MAX; count++) {
        found = find(json_object_iter_value(at), name, depth - 1);
        at = json_object_iter_next((json_t *)node, at);
    }
    for (size_t i = 0; i < json_array_size(node) && found == NULL && i < MEMBERS_MAX; i++) {
        found = find(json_array_get(node, i), name, depth - 1);
    }
    return found;
}

static bool is_word(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len < HTTP_WORD_BYTES &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.") == len;
}

static const char *word_of(const json_t *root)
{
    static const char *const names[] = {"errorCode", "reason", "status"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *word = find(root, names[i], DEPTH_MAX);
        if (word != NULL && is_word(word)) {
            return word;
        }
    }
    return "";
}

static bool is_about_recipient(const json_t *root, const char *word)
{
    for (size_t i = 0; i < sizeof RECIPIENT_WORDS / sizeof RECIPIENT_WORDS[0]; i++) {
        if (strcmp(word, RECIPIENT_WORDS[i]) == 0) {
            return true;
        }
    }
    /* FCM says INVALID_ARGUMENT of whatever is wrong, and which field it is. */
    const char *field = find(root, "field", DEPTH_MAX);
    return field != NULL && strcmp(field, "message.token") == 0;
}

static bool holds_secret(const struct http_answer *answer, const char *text)
{
    size_t len = strlen(text);
    for (size_t s = 0; s < HTTP_SECRETS_MAX; s++) {
        const struct slice secret = answer->secrets[s];
        for (size_t i = 0; secret.len > 0 && i + secret.len <= len; i++) {
            if (memcmp(text + i, secret.ptr, secret.len) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* One line of it: control characters become blanks, a cut character goes. */
static void add_line(char *out, size_t room, const char *text)
{
    size_t at = 0;
    size_t len = 0;
    struct slice all = {text, strlen(text)};
    while (at < all.len && at < MESSAGE_BYTES_MAX) {
        size_t from = at;
        int32_t code = utf8_next(all, &at);
        bool is_plain = code >= 0x20 && code != 0x7F && !(code >= 0x80 && code < 0xA0);
        if (len + 5 > room) {
            break;
        }
        if (is_plain) {
            memcpy(out + len, text + from, at - from);
            len += at - from;
        } else {
            out[len++] = ' ';
        }
    }
    out[len] = '\0';
}

static void write_reason(const struct http_answer *answer, const json_t *root, const char *word,
                         char out[TRANSPORT_REASON_BYTES])
{
    char line[MESSAGE_BYTES_MAX + 8] = "";
    const char *message = find(root, "message", DEPTH_MAX);
    if (message != NULL && !holds_secret(answer, message)) {
        add_line(line, sizeof line, message);
    }
    bool has_word = word[0] != '\0' && !holds_secret(answer, word);
    (void)snprintf(out, TRANSPORT_REASON_BYTES, "HTTP %ld%s%s%s%s", answer->status,
                   has_word ? " " : "", has_word ? word : "", line[0] == '\0' ? "" : ": ", line);
}

void http_judge(const struct http_answer *answer, struct http_judgement *out)
{
    const struct rule *rule = RULES;
    bool is_good = answer->status >= 200 && answer->status < 300;
    json_t *root = is_good || answer->body.len == 0
                       ? NULL
                       : json_loadb(answer->body.ptr, answer->body.len, 0, NULL);
    const char *word = word_of(root);
    while (answer->status < rule->from || answer->status > rule->to) {
        rule++;
    }
    *out = (struct http_judgement){.verdict = rule->verdict,
                                   .is_down = rule->is_down,
                                   .is_about_recipient = rule->is_about_recipient};
    if (answer->status >= 400 && answer->status < 500 && is_about_recipient(root, word)) {
        out->verdict = VERDICT_PERMANENT;
        out->is_about_recipient = true;
        out->is_down = false;
    } else if (rule->is_url && !answer->has_worked) {
        out->verdict = VERDICT_UNTRIED;
        out->is_down = true;
    }
    write_reason(answer, root, word, out->reason);
    json_decref(root);
}
