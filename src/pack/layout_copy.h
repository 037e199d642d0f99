/*
 * layout_copy - values that need nothing done to them are copied and looked at in one go
 *
 * Most values are short, without a delimiter, quote mark or control character in them, and ASCII or
 * such letters as need nothing done in UTF-8. Values that lie side by side in the recipients as in
 * the output are copied together, with what stands between them (a span). Two machines: words of
 * eight bytes in plain C, and SSE2 with sixteen; what the former calls odd the latter may not
 * (values beyond ASCII), and both ways lead to the same output. For layout_row.c.
 */
#ifndef POSTROOM_PACK_LAYOUT_COPY_H
#define POSTROOM_PACK_LAYOUT_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (unsigned char)(value))

enum {
    COPY_WORD = 8, /* bytes looked at together */
    COPY_VECTOR = 16
};

/* What a plain value must not hold, besides control characters and the rest of what is no ASCII. */
struct copy_marks {
    char delimiter;
    char quote;   /* NUL, which no value may hold anyway, where there is none */
    char between; /* COPY_SPAN: what stands between the values, and becomes the delimiter */
    unsigned char odd_from; /* bytes from here on are odd: COPY_ASCII or COPY_LATIN */
};

enum {
    COPY_ASCII = 0x80,
    COPY_LATIN = 0xCC /* UTF-8 up to U+02FF: first bytes are C3 to CB. C2 is odd: controls */
};

enum copy_kind {
    COPY_VALUE,
    COPY_UPPER, /* in upper case; ASCII alone */
    COPY_SPAN   /* several values at once */
};

/* --- words --- */

/* High bits are set where one of the eight bytes is odd; when none is, no high bit is set. */
static inline uint64_t odd_bytes(uint64_t word, const struct copy_marks *marks)
{
    uint64_t delimiter = word ^ EACH_BYTE(marks->delimiter);
    uint64_t quote = word ^ EACH_BYTE(marks->quote);
    return (word | ((word - EACH_BYTE(0x20)) & ~word) | ((delimiter - EACH_BYTE(1)) & ~delimiter) |
            ((quote - EACH_BYTE(1)) & ~quote)) &
           EACH_BYTE(0x80);
}

/* Upper case of eight ASCII bytes; of others anything */
static inline uint64_t upper_bytes(uint64_t word)
{
    uint64_t from_a = word + EACH_BYTE(0x80 - 'a');
    uint64_t past_z = word + EACH_BYTE(0x80 - 'z' - 1);
    return word ^ (((from_a & ~past_z) & EACH_BYTE(0x80)) >> 2);
}

static inline uint64_t copy_word(char *to, const char *from, size_t bytes, enum copy_kind kind,
                                 const struct copy_marks *marks)
{
    uint64_t word = EACH_BYTE(from[0]); /* what is not filled repeats a byte that is looked at */
    memcpy(&word, from, bytes);
    uint64_t odd = odd_bytes(word, marks);
    if (kind == COPY_UPPER) {
        word = upper_bytes(word);
    }
    memcpy(to, &word, bytes);
    return odd;
}

/* Words know ASCII alone, and no spans: these go byte by byte. */
static inline bool copy_span_bytes(char *to, const char *from, size_t len,
                                   const struct copy_marks *marks)
{
    bool is_odd = false;
    for (size_t at = 0; at < len; at++) {
        unsigned char byte = (unsigned char)from[at];
        bool is_between = from[at] == marks->between;
        is_odd |= !is_between && (byte < 0x20 || byte >= marks->odd_from || byte == 0xC2 ||
                                  from[at] == marks->delimiter || from[at] == marks->quote);
        to[at] = from[at];
        if (is_between) {
            to[at] = marks->delimiter;
        }
    }
    return !is_odd;
}

/*
 * copy_plain_words - copy len bytes as `kind` says
 * Returns false where one of them is odd; what was written is then of no use
 */
static inline bool copy_plain_words(char *to, const char *from, size_t len, enum copy_kind kind,
                                    const struct copy_marks *marks)
{
    uint64_t odd = 0;
    if (kind == COPY_SPAN) {
        return copy_span_bytes(to, from, len, marks);
    }
    if (len >= COPY_WORD) {
        for (size_t at = 0; at + COPY_WORD <= len; at += COPY_WORD) {
            odd |= copy_word(to + at, from + at, COPY_WORD, kind, marks);
        }
        odd |= copy_word(to + len - COPY_WORD, from + len - COPY_WORD, COPY_WORD, kind, marks);
    } else if (len >= COPY_WORD / 2) {
        odd = copy_word(to, from, COPY_WORD / 2, kind, marks) |
              copy_word(to + len - COPY_WORD / 2, from + len - COPY_WORD / 2, COPY_WORD / 2, kind,
                        marks);
    } else {
        for (size_t at = 0; at < len; at++) {
            odd |= copy_word(to + at, from + at, 1, kind, marks);
        }
    }
    return odd == 0;
}

/* --- SSE2 --- */

#ifdef __SSE2__
/* Which bytes are odd, in upper case or not; as they go out: to *out */
static inline int look_at_vector(__m128i bytes, enum copy_kind kind, const struct copy_marks *marks,
                                 __m128i *out)
{
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    __m128i beyond = _mm_or_si128(
        _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8((char)marks->odd_from)), bytes),
        _mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)0xC2)));
    __m128i mark = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(marks->delimiter)),
                                _mm_cmpeq_epi8(bytes, _mm_set1_epi8(marks->quote)));
    __m128i odd = _mm_or_si128(_mm_or_si128(control, beyond), mark);
    if (kind == COPY_UPPER) {
        __m128i small = _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8('a' - 1)),
                                      _mm_cmplt_epi8(bytes, _mm_set1_epi8('z' + 1)));
        bytes = _mm_xor_si128(bytes, _mm_and_si128(small, _mm_set1_epi8('a' - 'A')));
    } else if (kind == COPY_SPAN) {
        __m128i between = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(marks->between));
        odd = _mm_andnot_si128(between, odd);
        bytes = _mm_xor_si128(
            bytes,
            _mm_and_si128(between, _mm_set1_epi8((char)(marks->between ^ marks->delimiter))));
    }
    *out = bytes;
    return _mm_movemask_epi8(odd);
}

static inline int copy_vector(char *to, const char *from, enum copy_kind kind,
                              const struct copy_marks *marks)
{
    __m128i out;
    int odd =
        look_at_vector(_mm_loadu_si128((const __m128i *)(const void *)from), kind, marks, &out);
    _mm_storeu_si128((__m128i *)(void *)to, out);
    return odd;
}

/* Fewer than sixteen bytes: two loads that overlap, of the largest size that fits. */
static inline int copy_short(char *to, const char *from, size_t len, enum copy_kind kind,
                             const struct copy_marks *marks)
{
    size_t half = len >= 8 ? 8 : len >= 4 ? 4 : len >= 2 ? 2 : 1;
    uint64_t first = EACH_BYTE(from[0]);
    uint64_t last = first;
    __m128i out;
    switch (half) {
    case 8:
        memcpy(&first, from, 8);
        memcpy(&last, from + len - 8, 8);
        break;
    case 4:
        memcpy(&first, from, 4);
        memcpy(&last, from + len - 4, 4);
        break;
    case 2:
        memcpy(&first, from, 2);
        memcpy(&last, from + len - 2, 2);
        break;
    default:
        break;
    }
    int odd = look_at_vector(_mm_set_epi64x((int64_t)last, (int64_t)first), kind, marks, &out);
    uint64_t words[2];
    _mm_storeu_si128((__m128i *)(void *)words, out);
    switch (half) {
    case 8:
        memcpy(to, &words[0], 8);
        memcpy(to + len - 8, &words[1], 8);
        break;
    case 4:
        memcpy(to, &words[0], 4);
        memcpy(to + len - 4, &words[1], 4);
        break;
    case 2:
        memcpy(to, &words[0], 2);
        memcpy(to + len - 2, &words[1], 2);
        break;
    default:
        memcpy(to, &words[0], 1);
        break;
    }
    return odd;
}

/* copy_plain_vectors - as copy_plain_words */
static inline bool copy_plain_vectors(char *to, const char *from, size_t len, enum copy_kind kind,
                                      const struct copy_marks *marks)
{
    int odd = 0;
    if (len < COPY_VECTOR) {
        return len == 0 || copy_short(to, from, len, kind, marks) == 0;
    }
    for (size_t at = 0; at + COPY_VECTOR <= len; at += COPY_VECTOR) {
        odd |= copy_vector(to + at, from + at, kind, marks);
    }
    odd |= copy_vector(to + len - COPY_VECTOR, from + len - COPY_VECTOR, kind, marks);
    return odd == 0;
}
#endif

static inline bool copy_plain(char *to, const char *from, size_t len, enum copy_kind kind,
                              const struct copy_marks *marks)
{
#ifdef __SSE2__
    return copy_plain_vectors(to, from, len, kind, marks);
#else
    return copy_plain_words(to, from, len, kind, marks);
#endif
}

#endif
