/*
 * transliterate - upper case, NFC and the nearest characters, by ICU
 *
 * A value goes to UTF-16, is put in upper case, composed, and then written. For a single-byte set
 * each run of characters without a code is transliterated as a whole (words in Cyrillic or Greek
 * read better so than letter by letter), in these steps, each only for what the one before left
 * without a code:
 *     1. Any-Latin                       Greek, Cyrillic, Arabic, Han ... to Latin with accents
 *     2. a few names of our own          the euro sign where the set has none: EUR
 *     3. Latin-ASCII                     l for the l with stroke, oe for the ligature
 *     4. compatibility decomposition     a circled 1 is a 1
 *     5. marks and invisible characters are dropped; separators become a space; the rest is '?'
 * What a run became depends on the run alone, so that a cache cannot change the output.
 */
#include "pack/transliterate.h"

#include "base/digest.h"
#include "base/utf8.h"

#include <assert.h>
#include <stdlib.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utf16.h>
#include <unicode/utrans.h>

enum {
    RUN_UNITS_MAX = 128,      /* UTF-16 units given to ICU at once; a longer run goes in pieces */
    ROOM_UNITS = 4096,        /* what a run may become */
    CACHE_SLOTS = 2048,       /* a power of two; 150 KiB for each thread */
    CACHE_RUN_UNITS_MAX = 16, /* longer runs are not kept */
    CACHE_BYTES_MAX = 32
};

struct cached {
    uint16_t run_units; /* 0: free */
    uint16_t bytes;
    uint32_t replaced;
    UChar run[CACHE_RUN_UNITS_MAX];
    char out[CACHE_BYTES_MAX];
};

/* Growable UTF-16 */
struct units {
    UChar *ptr;
    int32_t len;
    int32_t cap;
};

struct transliterator {
    enum encoding encoding;
    const UNormalizer2 *nfc; /* ICU's own, never freed */
    const UNormalizer2 *nfkd;
    UTransliterator *any_latin; /* NULL until the first run without codes */
    UTransliterator *latin_ascii;
    struct units text;
    struct units work;
    struct cached cache[CACHE_SLOTS];
};

/* One run's output while it is made */
struct outcome {
    struct buf *out;
    uint64_t replaced;
};

enum rc transliterator_open(enum encoding encoding, struct transliterator **out, struct err *err)
{
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *nfc = unorm2_getNFCInstance(&status);
    const UNormalizer2 *nfkd = unorm2_getNFKDInstance(&status);
    if (U_FAILURE(status)) {
        return err_set(err, RC_TEMP, "ICU has no normalisation data (%s); reinstall libicu",
                       u_errorName(status));
    }
    struct transliterator *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a transliterator");
    }
    made->encoding = encoding;
    made->nfc = nfc;
    made->nfkd = nfkd;
    *out = made;
    return RC_OK;
}

void transliterator_free(struct transliterator *transliterator)
{
    if (transliterator == NULL) {
        return;
    }
    if (transliterator->any_latin != NULL) {
        utrans_close(transliterator->any_latin);
    }
    if (transliterator->latin_ascii != NULL) {
        utrans_close(transliterator->latin_ascii);
    }
    free(transliterator->text.ptr);
    free(transliterator->work.ptr);
    free(transliterator);
}

static enum rc units_reserve(struct units *units, int32_t cap, struct err *err)
{
    if (cap > units->cap) {
        UChar *ptr = realloc(units->ptr, (size_t)cap * sizeof *ptr);
        if (ptr == NULL) {
            return err_set(err, RC_NOMEM, "no memory for a text of %d characters", cap);
        }
        units->ptr = ptr;
        units->cap = cap;
    }
    return RC_OK;
}

static void units_swap(struct transliterator *t)
{
    struct units text = t->text;
    t->text = t->work;
    t->work = text;
}

static enum rc icu_failed(UErrorCode status, struct err *err)
{
    return status == U_MEMORY_ALLOCATION_ERROR
               ? err_set(err, RC_NOMEM, "no memory for ICU")
               : err_set(err, RC_TEMP, "ICU failed: %s", u_errorName(status));
}

/* What a flat value shows as a space; NUL is layout's mark and stays */
static bool is_break(int32_t point)
{
    return point != 0 &&
           (u_charType(point) == U_CONTROL_CHAR || point == 0x2028 || point == 0x2029);
}

/* UTF-8 to t->text; one byte gives at most one unit */
static enum rc decode(struct transliterator *t, struct slice text, bool is_flat, struct err *err)
{
    enum rc rc = units_reserve(&t->text, (int32_t)text.len, err);
    if (rc != RC_OK) {
        return rc;
    }
    int32_t len = 0;
    for (size_t at = 0; at < text.len;) {
        int32_t point = utf8_next(text, &at);
        if (point < 0) {
            point = 0xFFFD;
        } else if (is_flat && is_break(point)) {
            at += point == '\r' && at < text.len && text.ptr[at] == '\n';
            point = ' ';
        }
        if (point < 0x10000) {
            t->text.ptr[len++] = (UChar)point;
        } else {
            t->text.ptr[len++] = U16_LEAD(point);
            t->text.ptr[len++] = U16_TRAIL(point);
        }
    }
    t->text.len = len;
    return RC_OK;
}

/* t->text in upper case; one more round where the first shows how much room is needed */
static enum rc raise(struct transliterator *t, struct err *err)
{
    int32_t want = t->text.len + 16;
    for (int round = 0; round < 2; round++) {
        enum rc rc = units_reserve(&t->work, want, err);
        if (rc != RC_OK) {
            return rc;
        }
        UErrorCode status = U_ZERO_ERROR;
        t->work.len = u_strToUpper(t->work.ptr, t->work.cap, t->text.ptr, t->text.len, "", &status);
        if (U_SUCCESS(status)) {
            units_swap(t);
            return RC_OK;
        }
        if (status != U_BUFFER_OVERFLOW_ERROR) {
            return icu_failed(status, err);
        }
        want = t->work.len + 1;
    }
    return err_set(err, RC_TEMP, "ICU changed its mind about the length of an upper-case text");
}

static enum rc compose(struct transliterator *t, struct err *err)
{
    UErrorCode status = U_ZERO_ERROR;
    if (unorm2_quickCheck(t->nfc, t->text.ptr, t->text.len, &status) == UNORM_YES &&
        U_SUCCESS(status)) {
        return RC_OK;
    }
    int32_t want = t->text.len + 16;
    for (int round = 0; round < 2; round++) {
        enum rc rc = units_reserve(&t->work, want, err);
        if (rc != RC_OK) {
            return rc;
        }
        status = U_ZERO_ERROR;
        t->work.len =
            unorm2_normalize(t->nfc, t->text.ptr, t->text.len, t->work.ptr, t->work.cap, &status);
        if (U_SUCCESS(status)) {
            units_swap(t);
            return RC_OK;
        }
        if (status != U_BUFFER_OVERFLOW_ERROR) {
            return icu_failed(status, err);
        }
        want = t->work.len + 1;
    }
    return err_set(err, RC_TEMP, "ICU changed its mind about the length of a composed text");
}

/* The code point at *at, and past it; half a pair gives U+FFFD */
static int32_t next_point(const UChar *text, int32_t *at, int32_t len)
{
    int32_t unit = text[(*at)++];
    if (unit < 0xD800 || unit > 0xDFFF) {
        return unit;
    }
    if (unit > 0xDBFF || *at == len || text[*at] < 0xDC00 || text[*at] > 0xDFFF) {
        return 0xFFFD;
    }
    return 0x10000 + ((unit - 0xD800) << 10) + (text[(*at)++] - 0xDC00);
}

/* Appends the run's codes when every character has one */
static bool put_codes(const struct transliterator *t, const UChar *run, int32_t len,
                      struct buf *out)
{
    for (int32_t at = 0; at < len;) {
        if (encoding_code(t->encoding, next_point(run, &at, len)) < 0) {
            return false;
        }
    }
    for (int32_t at = 0; at < len;) {
        buf_add_byte(out, (char)encoding_code(t->encoding, next_point(run, &at, len)));
    }
    return len > 0;
}

static bool put_own_name(int32_t point, struct buf *out)
{
    static const struct {
        int32_t point;
        const char *text;
    } names[] = {{0x20AC, "EUR"}, {0x02BE, "'"}, {0x02BF, "'"}, {0x02B9, "'"}, {0x02BA, "\""}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].point == point) {
            buf_add_text(out, names[i].text);
            return true;
        }
    }
    return false;
}

/* Step 5: nothing of the kind exists in the set */
static void put_rest(int32_t point, struct outcome *outcome)
{
    int8_t kind = u_charType(point);
    bool is_invisible = kind == U_FORMAT_CHAR || kind == U_NON_SPACING_MARK ||
                        kind == U_ENCLOSING_MARK || kind == U_COMBINING_SPACING_MARK;
    bool is_blank = kind == U_SPACE_SEPARATOR || kind == U_LINE_SEPARATOR ||
                    kind == U_PARAGRAPH_SEPARATOR || kind == U_CONTROL_CHAR;
    if (is_blank) {
        buf_add_byte(outcome->out, ' ');
    } else if (!is_invisible) {
        buf_add_byte(outcome->out, '?');
        outcome->replaced++;
    }
}

/* Steps 2 to 5 for one character that Any-Latin left or made */
static void put_nearest(struct transliterator *t, int32_t point, struct outcome *outcome)
{
    int code = encoding_code(t->encoding, point);
    if (code >= 0) {
        buf_add_byte(outcome->out, (char)code);
        return;
    }
    if (put_own_name(point, outcome->out)) {
        return;
    }
    UChar room[ROOM_UNITS];
    int32_t len = 0;
    U16_APPEND_UNSAFE(room, len, point);
    int32_t limit = len;
    UErrorCode status = U_ZERO_ERROR;
    utrans_transUChars(t->latin_ascii, room, &len, ROOM_UNITS, 0, &limit, &status);
    if (U_SUCCESS(status) && put_codes(t, room, len, outcome->out)) {
        return;
    }
    status = U_ZERO_ERROR;
    len = unorm2_getDecomposition(t->nfkd, point, room, ROOM_UNITS, &status);
    if (U_FAILURE(status) || len <= 0) {
        put_rest(point, outcome);
        return;
    }
    for (int32_t at = 0; at < len;) {
        int32_t part = next_point(room, &at, len);
        code = encoding_code(t->encoding, part);
        if (code >= 0) {
            buf_add_byte(outcome->out, (char)code);
        } else {
            put_rest(part, outcome);
        }
    }
}

static enum rc open_rules(struct transliterator *t, struct err *err)
{
    static const UChar any_latin[] = u"Any-Latin";
    static const UChar latin_ascii[] = u"Latin-ASCII";
    UErrorCode status = U_ZERO_ERROR;
    if (t->any_latin == NULL) {
        t->any_latin = utrans_openU(any_latin, -1, UTRANS_FORWARD, NULL, 0, NULL, &status);
    }
    if (t->latin_ascii == NULL && U_SUCCESS(status)) {
        t->latin_ascii = utrans_openU(latin_ascii, -1, UTRANS_FORWARD, NULL, 0, NULL, &status);
    }
    return U_SUCCESS(status) ? RC_OK : icu_failed(status, err);
}

/* One run, at most RUN_UNITS_MAX units, none with a code */
static enum rc transliterate(struct transliterator *t, const UChar *run, int32_t len,
                             struct outcome *outcome, struct err *err)
{
    enum rc rc = open_rules(t, err);
    if (rc != RC_OK) {
        return rc;
    }
    UChar room[ROOM_UNITS];
    int32_t limit = len;
    UErrorCode status = U_ZERO_ERROR;
    memcpy(room, run, (size_t)len * sizeof *run);
    utrans_transUChars(t->any_latin, room, &len, ROOM_UNITS, 0, &limit, &status);
    if (status == U_BUFFER_OVERFLOW_ERROR) {
        len = limit < ROOM_UNITS ? limit : ROOM_UNITS; /* what there is room for */
    } else if (U_FAILURE(status)) {
        return icu_failed(status, err);
    }
    for (int32_t at = 0; at < len;) {
        put_nearest(t, next_point(room, &at, len), outcome);
    }
    return RC_OK;
}

/* The same through the cache */
static enum rc put_run(struct transliterator *t, const UChar *run, int32_t len, struct buf *out,
                       struct encoder_counts *counts, struct err *err)
{
    size_t run_bytes = (size_t)len * sizeof *run;
    struct cached *slot = &t->cache[hash64(run, run_bytes, 0) % CACHE_SLOTS];
    if (slot->run_units == len && memcmp(slot->run, run, run_bytes) == 0) {
        buf_add(out, slot->out, slot->bytes);
        counts->replaced += slot->replaced;
        return RC_OK;
    }
    size_t start = out->len;
    struct outcome outcome = {out, 0};
    enum rc rc = transliterate(t, run, len, &outcome, err);
    if (rc != RC_OK) {
        return rc;
    }
    counts->replaced += outcome.replaced;
    size_t bytes = out->len - start;
    if (!out->is_failed && len <= CACHE_RUN_UNITS_MAX && bytes <= CACHE_BYTES_MAX) {
        slot->run_units = (uint16_t)len;
        slot->bytes = (uint16_t)bytes;
        slot->replaced = (uint32_t)outcome.replaced;
        memcpy(slot->run, run, run_bytes);
        if (bytes > 0) {
            memcpy(slot->out, out->ptr + start, bytes);
        }
    }
    return RC_OK;
}

static enum rc put_single_byte(struct transliterator *t, struct buf *out,
                               struct encoder_counts *counts, struct err *err)
{
    int32_t len = t->text.len;
    const UChar *text = t->text.ptr;
    for (int32_t at = 0; at < len;) {
        int32_t run_start = at;
        int32_t run_end = at;
        int code = -1;
        while (at < len && run_end - run_start < RUN_UNITS_MAX - 1) {
            code = encoding_code(t->encoding, next_point(text, &at, len));
            if (code >= 0) {
                break;
            }
            run_end = at;
            counts->transliterated++;
        }
        if (run_end > run_start) {
            enum rc rc = put_run(t, text + run_start, run_end - run_start, out, counts, err);
            if (rc != RC_OK) {
                return rc;
            }
        }
        if (code >= 0) {
            buf_add_byte(out, (char)code);
        }
    }
    return RC_OK;
}

static void put_utf_8(const struct transliterator *t, struct buf *out)
{
    for (int32_t at = 0; at < t->text.len;) {
        char bytes[4];
        size_t len = utf8_put(next_point(t->text.ptr, &at, t->text.len), bytes);
        buf_add(out, bytes, len);
    }
}

enum rc transliterator_put(struct transliterator *transliterator, struct slice text, bool is_upper,
                           bool is_flat, struct buf *out, struct encoder_counts *counts,
                           struct err *err)
{
    if (text.len > ENCODER_TEXT_BYTES_MAX) {
        return err_set(err, RC_RANGE, "a value of %zu bytes is too long to encode (%d at most)",
                       text.len, ENCODER_TEXT_BYTES_MAX);
    }
    size_t former = out->len;
    enum rc rc = decode(transliterator, text, is_flat, err);
    if (rc == RC_OK && is_upper) {
        rc = raise(transliterator, err);
    }
    if (rc == RC_OK) {
        rc = compose(transliterator, err);
    }
    if (rc == RC_OK && transliterator->encoding == ENCODING_UTF_8) {
        put_utf_8(transliterator, out);
    } else if (rc == RC_OK) {
        rc = put_single_byte(transliterator, out, counts, err);
    }
    if (rc == RC_OK) {
        rc = buf_ok(out, err);
    }
    if (rc != RC_OK) {
        out->len = former;
    }
    return rc;
}
