/*
 * reply - see reply.h
 */
#include "delivery/reply.h"

#include <string.h>

enum {
    CODE_DIGITS = 3,   /* RFC 5321 4.2 */
    BLOTTED_DIGITS = 7 /* a run of so many may be somebody's number; codes and ports are shorter */
};

static bool is_of_number(char c)
{
    return (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '(' || c == ')' || c == '/';
}

/* A word of a reply that may name the recipient: an address, or a long number. */
static bool is_personal(const char *word, size_t len)
{
    size_t digits = 0;
    bool is_number = true;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)word[i];
        if (c == '@') {
            return true;
        }
        digits += c >= '0' && c <= '9' ? 1 : 0;
        bool is_around = c == '<' || c == '>' || c == ':' || c == ',' || c == '.' || c == '"';
        is_number = is_number && (is_of_number((char)c) || is_around);
    }
    return is_number && digits >= BLOTTED_DIGITS;
}

void reply_blot(struct buf *out, struct slice text, size_t max_bytes)
{
    size_t room = max_bytes;
    for (size_t at = 0; at < text.len && room > 1;) {
        size_t from = at;
        while (at < text.len && (unsigned char)text.ptr[at] > ' ') {
            at++;
        }
        const char *word = text.ptr + from;
        size_t len = at - from;
        at += at < text.len ? 1 : 0;
        if (len == 0) {
            continue;
        }
        if (is_personal(word, len)) {
            word = "*";
            len = 1;
        }
        buf_add_byte(out, ' ');
        room--;
        for (size_t i = 0; i < len && room > 0; i++, room--) {
            char c = word[i];
            if ((unsigned char)c >= 0x7f) {
                c = '?';
            }
            buf_add_byte(out, c);
        }
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

size_t reply_begin(const char *reason)
{
    for (const char *at = strstr(reason, ": "); at != NULL; at = strstr(at + 1, ": ")) {
        const char *code = at + 2;
        bool is_code = is_digit(code[0]) && is_digit(code[1]) && is_digit(code[2]);
        if (is_code && (code[CODE_DIGITS] == ' ' || code[CODE_DIGITS] == '\0')) {
            return (size_t)(code - reason) + CODE_DIGITS;
        }
    }
    return strlen(reason);
}
