/*
 * sender - one taken apart
 */
#include "base/sender.h"

#include "base/utf8.h"

static struct slice trimmed(struct slice text)
{
    while (text.len > 0 && text.ptr[0] == ' ') {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && text.ptr[text.len - 1] == ' ') {
        text.len--;
    }
    return text;
}

static bool has_control(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < ' ' || c == 0x7f) {
            return true;
        }
    }
    return false;
}

/* a blank, a control character or one of these */
static bool has_any(struct slice text, const char *of)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= ' ' || c == 0x7f || strchr(of, (char)c) != NULL) {
            return true;
        }
    }
    return false;
}

/* Letters, digits and hyphens between points, or UTF-8 beyond ASCII (RFC 6531). */
static bool is_domain(struct slice text)
{
    size_t label = 0;
    if (text.len == 0 || text.len > SENDER_DOMAIN_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
        bool is_plain = is_letter || (c >= '0' && c <= '9') || c == '-';
        if (c == '.' ? label == 0 : !is_plain) {
            return false;
        }
        label = c == '.' ? 0 : label + 1;
    }
    return label > 0;
}

enum rc sender_parse(struct slice text, struct sender *out, struct err *err)
{
    struct sender box = {.name = {text.ptr, 0}, .address = trimmed(text)};
    const char *open = text.len == 0 ? NULL : memchr(text.ptr, '<', text.len);
    if (!utf8_is_valid(text)) {
        return err_set(err, RC_PERM, "bytes that are no UTF-8; save the file as UTF-8");
    }
    if (has_control(text)) {
        return err_set(err, RC_PERM, "a control character; remove it");
    }
    if (open != NULL) {
        struct slice rest = trimmed((struct slice){open, text.len - (size_t)(open - text.ptr)});
        if (rest.len < 2 || rest.ptr[rest.len - 1] != '>') {
            return err_set(err, RC_PERM,
                           "'%.*s' does not end in '>'; write Name <name@example.net>",
                           (int)text.len, text.ptr);
        }
        box.name = trimmed((struct slice){text.ptr, (size_t)(open - text.ptr)});
        box.address = (struct slice){rest.ptr + 1, rest.len - 2};
    }
    if (box.name.len >= 2 && box.name.ptr[0] == '"' && box.name.ptr[box.name.len - 1] == '"') {
        box.name = (struct slice){box.name.ptr + 1, box.name.len - 2};
    }
    const char *at = box.address.len == 0 ? NULL : memchr(box.address.ptr, '@', box.address.len);
    if (at != NULL) {
        box.local = (struct slice){box.address.ptr, (size_t)(at - box.address.ptr)};
        box.domain = (struct slice){at + 1, box.address.len - box.local.len - 1};
    }
    if (box.local.len == 0 || box.local.len > SENDER_LOCAL_BYTES_MAX ||
        has_any(box.local, "\"(),:;<>[\\]") || !is_domain(box.domain)) {
        return err_set(err, RC_PERM,
                       "'%.*s' is no mail address; write name@example.net or "
                       "Name <name@example.net>",
                       (int)box.address.len, box.address.ptr);
    }
    *out = box;
    return RC_OK;
}

static char lower(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (char)(c - 'A' + 'a');
    }
    return c;
}

bool domain_is_within(struct slice domain, struct slice top)
{
    if (top.len == 0 || domain.len < top.len ||
        (domain.len > top.len && domain.ptr[domain.len - top.len - 1] != '.')) {
        return false;
    }
    for (size_t i = 0; i < top.len; i++) {
        if (lower(domain.ptr[domain.len - top.len + i]) != lower(top.ptr[i])) {
            return false;
        }
    }
    return true;
}
