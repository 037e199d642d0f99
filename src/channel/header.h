/*
 * header - the one place where a header of a message is written
 *
 * Every byte of every header goes through here, and a control character (below 0x20, 0x7F) never
 * leaves: what a recipient's row holds can become text in a header, but never a line end and so
 * never a header, a body or a command. Where it came from decides what becomes of it:
 *
 *   from a recipient              it is replaced by a blank, as Postfix does it
 *   from configuration, template  header_check() refuses it before the first message
 *
 * The same holds for U+0080..U+009F and for U+2028, U+2029, which some readers take as line ends;
 * bytes that are no UTF-8 become U+FFFD. Nothing is narrowed: U+760A is three bytes of UTF-8 inside
 * an encoded word, not a line feed.
 *
 * Lines are folded at 78 octets (RFC 5322 2.1.1); no line passes 998. What is not ASCII becomes
 * RFC 2047 encoded words in UTF-8, Q or B, whichever is shorter, never cut inside a code point.
 * Blanks are kept exactly: a run of them is put inside an encoded word, where folding cannot harm
 * it.
 */
#ifndef POSTROOM_CHANNEL_HEADER_H
#define POSTROOM_CHANNEL_HEADER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum {
    HEADER_LINE_BYTES = 78,         /* folded here where there is a blank, RFC 5322 2.1.1 */
    HEADER_LINE_BYTES_MAX = 998,    /* without CRLF, RFC 5322 2.1.1 */
    HEADER_WORD_BYTES_MAX = 960,    /* one word that is not folded: leaves room for a name */
    HEADER_VALUE_BYTES_MAX = 16384, /* of one text; servers begin to cut at 100 KiB of headers */
    HEADER_ENCODED_BYTES_MAX = 75,  /* one encoded word, RFC 2047 2 */
    HEADER_ENCODED_LINE_BYTES = 76  /* a line with one in it, RFC 2047 2 */
};

/*
 * header_check - text that is not a recipient's (configuration, a template) may become a header
 *
 * text    the text; empty is fine
 *
 * Returns   RC_OK
 *           RC_PERM   a control character (a line end, a NUL) or no UTF-8; err says which byte
 *           RC_RANGE  over HEADER_VALUE_BYTES_MAX
 */
enum rc header_check(struct slice text, struct err *err) MUST_CHECK;

/* One header under way: words are put one after another, folded where the line is full */
struct header_line {
    struct buf *out;
    size_t column; /* octets on the line so far */
    size_t limit;  /* of this line: shorter once an encoded word is on it */
    bool has_word;
};

/* header_begin - "Name:"; the name is ours (asserted: printable ASCII without a colon) */
struct header_line header_begin(struct buf *out, const char *name);

/*
 * header_word - a blank or a fold, then the word as it is; control characters become blanks
 *
 * word   of a structured header: ASCII, or UTF-8 in an address that needs SMTPUTF8 (RFC 6532).
 *        Not empty and at most HEADER_WORD_BYTES_MAX (asserted)
 */
void header_word(struct header_line *line, struct slice word);

/* header_text - unstructured text (a subject): words, and encoded words where they are needed */
void header_text(struct header_line *line, struct slice text);

/* header_phrase - a display name: atoms, a quoted string, or encoded words (RFC 5322 3.2.5) */
void header_phrase(struct header_line *line, struct slice text);

/* header_end - CRLF. Lost memory shows in buf_ok(out), here and above */
void header_end(struct header_line *line);

/* header_put - a whole structured header whose value is one run of words parted by blanks */
void header_put(struct buf *out, const char *name, const char *words);

#endif
