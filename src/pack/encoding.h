/*
 * encoding - UTF-8 text to the bytes that a mail house reads
 *
 * Target encodings are UTF-8 and three single-byte sets. What a set has no code for is
 * transliterated: first to Latin letters, then to the nearest characters of the set (l for U+0142,
 * oe for U+0153), and what still has no code becomes '?'. Combining marks are composed first (NFC);
 * a mark that nothing composes with is dropped. ICU is opened only when the first such character
 * appears.
 */
#ifndef POSTROOM_PACK_ENCODING_H
#define POSTROOM_PACK_ENCODING_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

enum encoding {
    ENCODING_UTF_8 = 0,
    ENCODING_ISO_8859_1,
    ENCODING_ISO_8859_15,
    ENCODING_WINDOWS_1252,
    ENCODING_COUNT
};

/*
 * encoding_parse - from a setting: "UTF-8", "ISO-8859-1", "ISO-8859-15", "windows-1252"
 * Case does not matter; "utf8", "latin1", "latin9" and "cp1252" are taken too.
 * Returns   RC_OK; RC_PERM with a text that lists the names
 */
enum rc encoding_parse(const char *name, enum encoding *out, struct err *err) MUST_CHECK;

/* encoding_name - the name as the manifest shows it; never NULL */
const char *encoding_name(enum encoding encoding);

/*
 * encoding_code - the byte of a code point in a single-byte set
 * Returns 0..255, or -1 where the set has no code; UTF-8 is asserted away. Cost: a table look-up.
 */
int encoding_code(enum encoding encoding, int32_t code_point);

enum { ENCODER_TEXT_BYTES_MAX = 1 << 26 }; /* one value; keeps ICU's counts in 32 bits */

struct encoder; /* one for each thread: transliterators and a bounded cache of what they said */

struct encoder_counts {
    uint64_t transliterated; /* characters that had no code, '?' included */
    uint64_t replaced;       /* of these: became '?' */
};

/* encoder_open - RC_OK; RC_NOMEM. No ICU object is made yet. */
enum rc encoder_open(enum encoding encoding, struct encoder **out, struct err *err) MUST_CHECK;
void encoder_free(struct encoder *encoder);

/*
 * encoder_put - append text in the target encoding
 *
 * text       UTF-8; a byte that is no UTF-8 counts as U+FFFD. NUL passes through (it is layout's
 *            hole mark).
 * is_upper   Unicode upper case first (one character may become two: the sharp s gives SS)
 * is_flat    control characters and line and paragraph separators become a space, CR LF one space
 *
 * Returns    RC_OK; RC_NOMEM; RC_RANGE over ENCODER_TEXT_BYTES_MAX; RC_TEMP ICU has no data here
 *            (text says so). On failure out has its former length.
 * Cost       a table look-up for each character; a transliteration of a run not met before some
 *            microseconds, and the first one some 10 ms
 */
enum rc encoder_put(struct encoder *encoder, struct slice text, bool is_upper, bool is_flat,
                    struct buf *out, struct err *err) MUST_CHECK;

/*
 * encoder_put_clean - the same for text that needs no help: every character has a code and is no
 * control character
 *
 * marks      two ASCII characters that it must not hold either
 * to         room for text.len bytes
 * out_len    what was written: at most text.len
 * Returns    false where it needs encoder_put(): what was written is then of no use
 */
bool encoder_put_clean(const struct encoder *encoder, struct slice text, bool is_upper,
                       const char marks[2], char *to, size_t *out_len);

/* encoder_counts - since it was opened */
struct encoder_counts encoder_counts(const struct encoder *encoder);

#endif
