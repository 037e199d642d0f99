/*
 * smtp_command - what goes to an SMTP server: commands that cannot carry a second one, and bodies
 * that cannot end early
 *
 * Every command of the client is made here. No byte below 0x20, no 0x7f and no angle bracket of an
 * argument ever becomes part of one (RFC 5321 4.1.2), so that no address is a command.
 */
#ifndef POSTROOM_CHANNEL_SMTP_COMMAND_H
#define POSTROOM_CHANNEL_SMTP_COMMAND_H

#include "base/buf.h"

#include <stdint.h>

enum {
    SMTP_PATH_BYTES_MAX = 254,       /* RFC 5321 4.5.3.1.3, without the brackets */
    SMTP_TEXT_LINE_BYTES_MAX = 998,  /* RFC 5322 2.1.1, without CRLF */
    SMTP_CREDENTIAL_BYTES_MAX = 2048 /* each of user and password */
};

/* ---- commands ---- */

/*
 * smtp_command_address - the address can stand in an envelope
 *
 * Returns RC_OK; RC_PERM it has no @ with something on both sides, is too long, holds a control
 * character, a blank, an angle bracket or bytes that are no UTF-8. out_is_ascii (may be NULL): it
 * needs no SMTPUTF8
 */
enum rc smtp_command_address(struct slice address, bool *out_is_ascii, struct err *err) MUST_CHECK;

/* smtp_command_plain - VERB, with an argument where it is not empty. Returns RC_OK; RC_PERM the
 * argument holds a byte that no command may */
enum rc smtp_command_plain(struct buf *out, const char *verb, struct slice argument,
                           struct err *err) MUST_CHECK;

struct smtp_mail {
    struct slice from;   /* checked; may be empty: <> */
    uint64_t size_bytes; /* 0: not said */
    bool is_8bit;        /* BODY=8BITMIME */
    bool is_utf8;        /* SMTPUTF8 */
};

/* smtp_command_mail, _rcpt - MAIL FROM and RCPT TO. RC_OK; RC_PERM as smtp_command_address */
enum rc smtp_command_mail(struct buf *out, const struct smtp_mail *mail,
                          struct err *err) MUST_CHECK;
enum rc smtp_command_rcpt(struct buf *out, struct slice to, struct err *err) MUST_CHECK;

/*
 * smtp_command_auth_plain - AUTH PLAIN with its response (RFC 4616)
 * smtp_command_base64     - one response line (AUTH LOGIN)
 * RC_OK; RC_PERM too long, or a NUL in it. Wipe out after it was written.
 */
enum rc smtp_command_auth_plain(struct buf *out, struct slice user, struct slice password,
                                struct err *err) MUST_CHECK;
enum rc smtp_command_base64(struct buf *out, struct slice text, struct err *err) MUST_CHECK;

/* ---- bodies ---- */

struct smtp_body {
    struct slice bytes; /* borrowed */
    size_t dots;        /* lines that begin with a dot: each is sent with one more */
    bool is_8bit;       /* holds a byte above 0x7f */
    bool is_open;       /* its last line has no CRLF: one is added */
};

/*
 * smtp_body_scan - look whether a message can be sent as it is
 * Returns RC_OK; RC_PERM a CR or LF alone (it could end the message for some servers), a NUL, a
 * line longer than SMTP_TEXT_LINE_BYTES_MAX Cost    one pass
 */
enum rc smtp_body_scan(struct slice bytes, struct smtp_body *out, struct err *err) MUST_CHECK;

/* smtp_body_size - bytes on the wire without the added dots and the final one (RFC 1870) */
size_t smtp_body_size(const struct smtp_body *body);

/*
 * smtp_body_add - append the next part of the body, dot-stuffed
 *
 * at       bytes of the body already done; moved
 * room     about how many bytes to append at most; a whole line, or a dot more than that, may come
 * Returns  true: the body is complete, its final CRLF included (the dot that ends it is not)
 */
bool smtp_body_add(const struct smtp_body *body, size_t *at, size_t room, struct buf *out);

#endif
