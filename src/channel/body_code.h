/*
 * body_code - text and files as they travel in a body: 7bit, quoted-printable, base64
 *
 * What is written has only CRLF as line end, no line over 78 octets (76 where it is encoded) and no
 * byte over 0x7F, so that it passes any relay unchanged: no 8BITMIME is ever needed. No line of
 * it begins with "--=_", so that a boundary that begins with "=_" cannot occur in it.
 *
 * A lone dot and "From " at the start of a line are encoded, although SMTP stuffs dots and no
 * mailbox of today should need it: relays that get it wrong still deliver the text as it was.
 */
#ifndef POSTROOM_CHANNEL_BODY_CODE_H
#define POSTROOM_CHANNEL_BODY_CODE_H

#include "base/buf.h"
#include "base/slice.h"

enum body_code { BODY_7BIT = 0, BODY_QUOTED_PRINTABLE, BODY_BASE64 };

enum {
    BODY_CODE_LINE_BYTES = 76, /* RFC 2045 6.7 and 6.8 */
    BODY_PLAIN_LINE_BYTES = 78 /* RFC 5322 2.1.1: text as it is only where all lines fit */
};

/* body_code_name - the value of Content-Transfer-Encoding; never NULL */
const char *body_code_name(enum body_code code);

/*
 * body_clean - append text as it is meant: UTF-8, every line end (CRLF, LF, CR) as CRLF
 * Control characters other than TAB become blanks, bytes that are no UTF-8 become U+FFFD.
 * Lost memory shows in buf_ok(out). Cost: one pass.
 */
void body_clean(struct slice text, struct buf *out);

/*
 * body_encode - append clean text in the form that fits: 7bit where it may travel as it is, else
 * the shorter of quoted-printable and base64
 *
 * clean   as body_clean() writes it
 *
 * The last line has a line end only if it has one in the text. Lost memory shows in buf_ok(out).
 * Cost    one pass to look, one or two to write
 */
enum body_code body_encode(struct slice clean, struct buf *out);

/* body_base64 - append bytes as lines of 76, the last one without line end */
void body_base64(struct slice bytes, struct buf *out);

/* body_base64_group - the four characters of 1 to 3 bytes; returns the place behind them */
char *body_base64_group(const unsigned char *bytes, size_t have, char *out);

/* body_base64_size - how many bytes body_base64() appends for `len` */
size_t body_base64_size(size_t len);

#endif
