/*
 * encoding - the tables, and the fast way for text that needs no help
 *
 * encoder_put() walks the text once. As long as every character has a code (or is one that NFC
 * leaves alone), its bytes go straight out. The first one that does not fit takes the whole value
 * back and hands it to transliterate.c.
 */
#include "pack/encoding.h"

#include "base/utf8.h"
#include "pack/transliterate.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

enum {
    TABLE_POINTS = 0x300, /* from U+0300 on there are combining marks */
    NO_CODE = -1,
    SHARP_S = 0xDF
};

struct encoder {
    enum encoding encoding;
    struct encoder_counts counts;
    struct transliterator *transliterator; /* NULL until it is needed */
    int16_t codes[TABLE_POINTS];           /* byte, or NO_CODE; unused for UTF-8 */
};

struct code {
    int32_t point;
    unsigned char byte;
};

/* The bytes 80..9F of windows-1252, as the WHATWG and Unicode tables give them; five are
 * unassigned. */
static const struct code windows_1252_codes[] = {
    {0x20AC, 0x80}, {0x201A, 0x82}, {0x0192, 0x83}, {0x201E, 0x84}, {0x2026, 0x85}, {0x2020, 0x86},
    {0x2021, 0x87}, {0x02C6, 0x88}, {0x2030, 0x89}, {0x0160, 0x8A}, {0x2039, 0x8B}, {0x0152, 0x8C},
    {0x017D, 0x8E}, {0x2018, 0x91}, {0x2019, 0x92}, {0x201C, 0x93}, {0x201D, 0x94}, {0x2022, 0x95},
    {0x2013, 0x96}, {0x2014, 0x97}, {0x02DC, 0x98}, {0x2122, 0x99}, {0x0161, 0x9A}, {0x203A, 0x9B},
    {0x0153, 0x9C}, {0x017E, 0x9E}, {0x0178, 0x9F}};

/* Where ISO-8859-15 differs from ISO-8859-1 */
static const struct code iso_8859_15_codes[] = {{0x20AC, 0xA4}, {0x0160, 0xA6}, {0x0161, 0xA8},
                                                {0x017D, 0xB4}, {0x017E, 0xB8}, {0x0152, 0xBC},
                                                {0x0153, 0xBD}, {0x0178, 0xBE}};

static const char *const names[ENCODING_COUNT] = {"UTF-8", "ISO-8859-1", "ISO-8859-15",
                                                  "windows-1252"};

enum rc encoding_parse(const char *name, enum encoding *out, struct err *err)
{
    static const struct {
        const char *name;
        enum encoding encoding;
    } known[] = {{"UTF-8", ENCODING_UTF_8},
                 {"utf8", ENCODING_UTF_8},
                 {"ISO-8859-1", ENCODING_ISO_8859_1},
                 {"latin1", ENCODING_ISO_8859_1},
                 {"ISO-8859-15", ENCODING_ISO_8859_15},
                 {"latin9", ENCODING_ISO_8859_15},
                 {"windows-1252", ENCODING_WINDOWS_1252},
                 {"cp1252", ENCODING_WINDOWS_1252}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcasecmp(name, known[i].name) == 0) {
            *out = known[i].encoding;
            return RC_OK;
        }
    }
    return err_set(err, RC_PERM,
                   "encoding \"%.64s\" is unknown; write UTF-8, ISO-8859-1, ISO-8859-15 or "
                   "windows-1252",
                   name);
}

const char *encoding_name(enum encoding encoding)
{
    return encoding < ENCODING_COUNT ? names[encoding] : "unknown";
}

static int code_in(const struct code *codes, size_t count, int32_t point)
{
    for (size_t i = 0; i < count; i++) {
        if (codes[i].point == point) {
            return codes[i].byte;
        }
    }
    return NO_CODE;
}

static bool is_code_of(const struct code *codes, size_t count, int byte)
{
    for (size_t i = 0; i < count; i++) {
        if (codes[i].byte == byte) {
            return true;
        }
    }
    return false;
}

int encoding_code(enum encoding encoding, int32_t code_point)
{
    assert(encoding != ENCODING_UTF_8);
    if (code_point >= 0 && code_point < 0x80) {
        return code_point;
    }
    if (encoding == ENCODING_WINDOWS_1252 && (code_point < 0xA0 || code_point > 0xFF)) {
        return code_in(windows_1252_codes, sizeof windows_1252_codes / sizeof(struct code),
                       code_point);
    }
    if (encoding == ENCODING_ISO_8859_15) {
        size_t count = sizeof iso_8859_15_codes / sizeof(struct code);
        if (code_point > 0xFF) {
            return code_in(iso_8859_15_codes, count, code_point);
        }
        if (is_code_of(iso_8859_15_codes, count, code_point)) {
            return NO_CODE;
        }
    }
    /* The control characters 80..9F are letters to whoever reads the file as windows-1252: no code.
     */
    return code_point >= 0xA0 && code_point <= 0xFF ? code_point : NO_CODE;
}

enum rc encoder_open(enum encoding encoding, struct encoder **out, struct err *err)
{
    struct encoder *encoder = calloc(1, sizeof *encoder);
    if (encoder == NULL) {
        return err_set(err, RC_NOMEM, "no memory for an encoder");
    }
    encoder->encoding = encoding;
    for (int32_t i = 0; encoding != ENCODING_UTF_8 && i < TABLE_POINTS; i++) {
        encoder->codes[i] = (int16_t)encoding_code(encoding, i);
    }
    *out = encoder;
    return RC_OK;
}

void encoder_free(struct encoder *encoder)
{
    if (encoder != NULL) {
        transliterator_free(encoder->transliterator);
        free(encoder);
    }
}

struct encoder_counts encoder_counts(const struct encoder *encoder)
{
    return encoder->counts;
}

/* A control character that a flat value shows as a space; NUL is layout's mark and stays. */
static bool is_control(int32_t point)
{
    return (point > 0 && point < 0x20) || (point >= 0x7F && point < 0xA0) || point == 0x2028 ||
           point == 0x2029;
}

/* Upper case below U+0100 where it is one character of the same block; -1: somebody else's work. */
static int32_t upper_latin_1(int32_t point)
{
    if (point < 0x80) {
        return point >= 'a' && point <= 'z' ? point - 0x20 : point;
    }
    if (point >= 0xE0 && point <= 0xFE && point != 0xF7) {
        return point - 0x20;
    }
    bool has_other_upper = point == SHARP_S || point == 0xB5 || point == 0xFF;
    return has_other_upper || point > 0xFF ? -1 : point;
}

/* Beyond the table: characters that NFC never changes and that have no case */
static bool is_inert(int32_t point)
{
    return (point >= 0x2010 && point <= 0x2027) || point == 0x20AC || point == 0x2122;
}

/*
 * put_point - append one character the fast way
 * Returns false when the value needs ICU: no code, possibly not NFC, or case beyond Latin-1.
 */
static inline bool put_point(const struct encoder *encoder, int32_t point, bool is_upper, char **to)
{
    if (point >= TABLE_POINTS && !is_inert(point)) {
        return false;
    }
    if (is_upper && point < TABLE_POINTS) {
        if (point == SHARP_S) {
            *(*to)++ = 'S';
            *(*to)++ = 'S';
            return true;
        }
        point = upper_latin_1(point);
        if (point < 0) {
            return false;
        }
    }
    if (encoder->encoding == ENCODING_UTF_8) {
        *to += utf8_put(point, *to);
        return true;
    }
    int code =
        point < TABLE_POINTS ? encoder->codes[point] : encoding_code(encoder->encoding, point);
    *(*to)++ = (char)code;
    return code != NO_CODE;
}

/* utf8_next() without a call for the one- and two-byte forms that French is made of */
static inline int32_t next_point(struct slice text, size_t *at)
{
    unsigned char lead = (unsigned char)text.ptr[*at];
    if (lead < 0x80) {
        *at += 1;
        return lead;
    }
    if (lead >= 0xC2 && lead < 0xE0 && text.len - *at >= 2) {
        unsigned char trail = (unsigned char)text.ptr[*at + 1];
        if ((trail & 0xC0) == 0x80) {
            *at += 2;
            return (lead & 0x1F) << 6 | (trail & 0x3F);
        }
    }
    return utf8_next(text, at);
}

static bool put_fast(const struct encoder *encoder, struct slice text, bool is_upper, bool is_flat,
                     struct buf *out)
{
    char *to = out->ptr + out->len;
    for (size_t at = 0; at < text.len;) {
        int32_t point = next_point(text, &at);
        if (point >= 0x20 && point < 0x7F) {
            *to++ = (char)(is_upper && point >= 'a' && point <= 'z' ? point - 0x20 : point);
            continue;
        }
        if (point < 0) {
            return false;
        }
        if (is_flat && is_control(point)) {
            at += point == '\r' && at < text.len && text.ptr[at] == '\n';
            point = ' ';
        }
        if (!put_point(encoder, point, is_upper, &to)) {
            return false;
        }
    }
    out->len = (size_t)(to - out->ptr);
    out->ptr[out->len] = '\0';
    return true;
}

bool encoder_put_clean(const struct encoder *encoder, struct slice text, bool is_upper,
                       const char marks[2], char *to, size_t *out_len)
{
    char *start = to;
    for (size_t at = 0; at < text.len;) {
        int32_t point = next_point(text, &at);
        if (point < 0x20 || (point >= 0x7F && point < 0xA0) || point == marks[0] ||
            point == marks[1]) {
            return false;
        }
        if (point < 0x7F) {
            *to++ = (char)(is_upper && point >= 'a' && point <= 'z' ? point - 0x20 : point);
        } else if (point == 0x2028 || point == 0x2029 ||
                   !put_point(encoder, point, is_upper, &to)) {
            return false;
        }
    }
    *out_len = (size_t)(to - start);
    return true;
}

enum rc encoder_put(struct encoder *encoder, struct slice text, bool is_upper, bool is_flat,
                    struct buf *out, struct err *err)
{
    /* No fast character has more bytes out than in: the sharp s is two bytes both ways. */
    if (!buf_reserve(out, text.len)) {
        return buf_ok(out, err);
    }
    if (put_fast(encoder, text, is_upper, is_flat, out)) {
        return RC_OK;
    }
    if (encoder->transliterator == NULL) {
        enum rc rc = transliterator_open(encoder->encoding, &encoder->transliterator, err);
        if (rc != RC_OK) {
            return rc;
        }
    }
    return transliterator_put(encoder->transliterator, text, is_upper, is_flat, out,
                              &encoder->counts, err);
}
