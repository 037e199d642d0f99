/*
 * rows_match - what repeats in rows of text: the search of deflate_rows and zstd_rows
 *
 * Rows repeat what stands in rows before them: whole fields, and several in a row. So a repetition
 * is looked for by eight bytes first and by four only where those are new, and the newest one or
 * two are looked at, not a chain of dozens.
 *
 * Two tables lead from bytes to where they stood before: `longs` from eight bytes to the last two
 * places, `shorts` from four to the last. Both only propose: bytes are compared anyway. A
 * repetition is put off by a byte as long as the one that begins there gains more (lazy matching).
 *
 * Inline, with limits that are constants where it is called: two machines come of one text.
 */
#ifndef POSTROOM_PACK_ROWS_MATCH_H
#define POSTROOM_PACK_ROWS_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The compiler would take calls for cheaper, and lose the constants: a tenth of the time. */
#define ROWS_INLINE static inline __attribute__((always_inline))

enum {
    ROWS_MATCH_MIN = 4,    /* bytes that `shorts` knows; three gain too little to look for them */
    ROWS_BYTE_BITS = 3,    /* what one byte more of a repetition gains */
    ROWS_PUT_OFF_MAX = 64, /* bytes by which one repetition is put off */
    ROWS_TAIL = 24,        /* at an end bytes are taken as they are: reads stay inside */
    ROWS_LONG_LOG = 16,
    ROWS_SHORT_LOG = 14
};

/* Where bytes stood. Two places of 32 bits in one of `longs`, the newer one in the lower half:
 * narrower ones were slower. */
struct rows_places {
    uint64_t longs[1 << ROWS_LONG_LOG];
    uint32_t shorts[1 << ROWS_SHORT_LOG];
};

struct rows_search {
    uint32_t window;     /* how far back a repetition may lie, bytes */
    uint32_t length_max; /* of a repetition, bytes; ROWS_TAIL at least */
    uint32_t lazy_max;   /* one of so many bytes is never put off */
};

struct repetition {
    uint32_t length; /* 0: none */
    uint32_t distance;
};

static inline uint64_t rows_eight(const unsigned char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static inline uint32_t rows_log_2(uint32_t number)
{
    return 31 - (uint32_t)__builtin_clz(number);
}

static inline uint64_t *rows_long_at(struct rows_places *places, uint64_t eight)
{
    return &places->longs[(eight * UINT64_C(0x9E3779B185EBCA87)) >> (64 - ROWS_LONG_LOG)];
}

static inline uint32_t *rows_short_at(struct rows_places *places, uint64_t eight)
{
    return &places->shorts[((eight << 32) * UINT64_C(0x9E3779B185EBCA87)) >> (64 - ROWS_SHORT_LOG)];
}

/* ROWS_TAIL bytes stand at bytes + at */
static inline void rows_note(struct rows_places *places, const unsigned char *bytes, size_t at)
{
    uint64_t eight = rows_eight(bytes + at);
    uint64_t *two = rows_long_at(places, eight);
    *two = *two << 32 | (uint32_t)at;
    *rows_short_at(places, eight) = (uint32_t)at;
}

/* Equal bytes of a and b, at most `most`; the first eight are known to be equal. */
static inline uint32_t rows_common(const unsigned char *a, const unsigned char *b, uint32_t most)
{
    uint32_t length = 8;
    while (length + 8 <= most) {
        uint64_t differs = rows_eight(a + length) ^ rows_eight(b + length);
        if (differs != 0) {
            return length + (uint32_t)__builtin_ctzll(differs) / 8;
        }
        length += 8;
    }
    while (length < most && a[length] == b[length]) {
        length++;
    }
    return length;
}

/* The longest repetition at `at` that the tables lead to; ROWS_TAIL bytes follow before `end`. */
ROWS_INLINE struct repetition rows_find(struct rows_places *places, const unsigned char *bytes,
                                        size_t at, size_t end, const struct rows_search *search)
{
    const unsigned char *here = bytes + at;
    uint32_t most = end - at < search->length_max ? (uint32_t)(end - at) : search->length_max;
    uint64_t eight = rows_eight(here);
    uint64_t two = *rows_long_at(places, eight);
    struct repetition best = {ROWS_MATCH_MIN - 1, 0};
    for (int i = 0; i < 2; i++, two >>= 32) {
        uint32_t distance = (uint32_t)at - (uint32_t)two;
        if (distance - 1 >= search->window) { /* 0 is none either */
            continue;
        }
        uint64_t differs = rows_eight(here - distance) ^ eight;
        uint32_t length = differs != 0 ? (uint32_t)__builtin_ctzll(differs) / 8
                                       : rows_common(here, here - distance, most);
        if (length > best.length) {
            best = (struct repetition){length, distance};
        }
    }
    if (best.length < 8) {
        uint32_t distance = (uint32_t)at - *rows_short_at(places, eight);
        if (distance - 1 < search->window) {
            uint64_t differs = rows_eight(here - distance) ^ eight;
            uint32_t length = differs != 0 ? (uint32_t)__builtin_ctzll(differs) / 8 : 8;
            if (length > best.length) {
                best = (struct repetition){length, distance};
            }
        }
    }
    if (best.distance == 0) {
        best.length = 0;
    }
    return best;
}

/* A doubled distance costs a bit. */
static inline bool rows_is_better(const struct repetition *later, const struct repetition *now)
{
    return later->length > 0 && ROWS_BYTE_BITS * later->length + rows_log_2(now->distance) >
                                    ROWS_BYTE_BITS * now->length + rows_log_2(later->distance);
}

/* --- for those that pack --- */

/*
 * rows_begin - forget everything, then note what stands before a piece
 *
 * before  so many bytes, which may be repeated; 0: the tables know nothing
 * len     of what is at bytes, `before` included; less than 4 GiB
 */
static inline void rows_begin(struct rows_places *places, const unsigned char *bytes, size_t before,
                              size_t len)
{
    memset(places, 0, sizeof *places);
    for (size_t i = 0; i < before && i + ROWS_TAIL < len; i++) {
        rows_note(places, bytes, i);
    }
}

/*
 * rows_next - the next repetition, from *at on
 *
 * at      more than ROWS_TAIL before end; moves to where the repetition begins, by at most
 *         ROWS_PUT_OFF_MAX bytes, which are no repetition. Where none begins it stays
 * end     nothing at or behind it is read or repeated
 * Returns a repetition (of ROWS_MATCH_MIN bytes at least, inside, no further back than the window
 *         or `bytes`), whose bytes are noted; or none, with one byte noted: that one is no
 *         repetition
 */
ROWS_INLINE struct repetition rows_next(struct rows_places *places, const unsigned char *bytes,
                                        size_t *at, size_t end, const struct rows_search *search)
{
    size_t from = *at;
    struct repetition found = rows_find(places, bytes, from, end, search);
    rows_note(places, bytes, from);
    if (found.length == 0) {
        return found;
    }
    while (found.length < search->lazy_max && from - *at < ROWS_PUT_OFF_MAX &&
           from + 1 + ROWS_TAIL < end) {
        struct repetition later = rows_find(places, bytes, from + 1, end, search);
        if (!rows_is_better(&later, &found)) {
            break;
        }
        rows_note(places, bytes, ++from);
        found = later;
    }
    size_t behind = from + found.length;
    size_t last = behind + ROWS_TAIL < end ? behind : end - ROWS_TAIL;
    for (size_t i = from + 1; i < last; i++) {
        rows_note(places, bytes, i);
    }
    *at = from;
    return found;
}

#endif
