/*
 * csv_scan_x86 - the vector machines of csv_scan: SSE2 (every x86-64 has it) and AVX2
 *
 * The loops are in csv_scan_words.inc, written once; here stand the loads. The check of UTF-8 by
 * three table look-ups a byte pair follows Keiser and Lemire, "Validating UTF-8 in less than one
 * instruction per byte" (2020).
 */
#include "audience/csv_scan_inner.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* bit i: byte i of the 64 is that character */
struct words {
    uint64_t quote;
    uint64_t lf;
    uint64_t delimiter;
    uint64_t cr;
};

struct sse2_constants {
    __m128i quote, lf, delimiter, cr;
};

static inline struct sse2_constants sse2_constants_of(char delimiter)
{
    return (struct sse2_constants){_mm_set1_epi8('"'), _mm_set1_epi8('\n'),
                                   _mm_set1_epi8(delimiter), _mm_set1_epi8('\r')};
}

static inline uint64_t sse2_mask(const __m128i in[4], __m128i want)
{
    uint64_t mask = 0;
    for (int i = 0; i < 4; i++) {
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(in[i], want)) << (16 * i);
    }
    return mask;
}

static inline struct words sse2_load(const char *bytes, const struct sse2_constants *want)
{
    __m128i in[4];
    for (size_t i = 0; i < 4; i++) {
        in[i] = _mm_loadu_si128((const __m128i *)(const void *)(bytes + 16 * i));
    }
    return (struct words){sse2_mask(in, want->quote), sse2_mask(in, want->lf),
                          sse2_mask(in, want->delimiter), sse2_mask(in, want->cr)};
}

#define TARGET
#define CONSTANTS struct sse2_constants
#define CONSTANTS_OF sse2_constants_of
#define LOAD sse2_load
#define FLATTEN sse2_flatten
#define SCAN csv_scan_sse2
#define SPLIT csv_split_sse2
#include "audience/csv_scan_words.inc"
#undef TARGET
#undef CONSTANTS
#undef CONSTANTS_OF
#undef LOAD
#undef FLATTEN
#undef SCAN
#undef SPLIT

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

struct avx2_constants {
    __m256i quote, lf, delimiter, cr;
};

AVX2 static inline struct avx2_constants avx2_constants_of(char delimiter)
{
    return (struct avx2_constants){_mm256_set1_epi8('"'), _mm256_set1_epi8('\n'),
                                   _mm256_set1_epi8(delimiter), _mm256_set1_epi8('\r')};
}

AVX2 static inline uint64_t avx2_mask(__m256i low, __m256i high, __m256i want)
{
    uint64_t mask = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, want));
    return mask | (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, want)) << 32;
}

AVX2 static inline struct words avx2_load(const char *bytes, const struct avx2_constants *want)
{
    __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)bytes);
    __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(bytes + 32));
    return (struct words){avx2_mask(low, high, want->quote), avx2_mask(low, high, want->lf),
                          avx2_mask(low, high, want->delimiter), avx2_mask(low, high, want->cr)};
}

#define TARGET AVX2
#define CONSTANTS struct avx2_constants
#define CONSTANTS_OF avx2_constants_of
#define LOAD avx2_load
#define FLATTEN avx2_flatten
#define SCAN csv_scan_avx2
#define SPLIT csv_split_avx2
#include "audience/csv_scan_words.inc"

/* What two bytes in a row can be wrong about; a fault is a bit that all three tables agree on. */
enum {
    TOO_SHORT = 1 << 0,  /* a lead byte, then no continuation */
    TOO_LONG = 1 << 1,   /* ASCII, then a continuation */
    OVERLONG_3 = 1 << 2, /* E0 80..9F */
    TOO_LARGE = 1 << 3,  /* F4 90.. and above */
    SURROGATE = 1 << 4,  /* ED A0.. */
    OVERLONG_2 = 1 << 5, /* C0, C1 */
    TOO_LARGE_1000 = 1 << 6,
    OVERLONG_4 = 1 << 6, /* F0 80..8F */
    TWO_CONTS = 1 << 7,  /* two continuations: right only behind a lead byte of three or four */
    CARRY = TOO_SHORT | TOO_LONG | TWO_CONTS
};

static const uint8_t FIRST_HIGH[16] = {TOO_LONG,
                                       TOO_LONG,
                                       TOO_LONG,
                                       TOO_LONG,
                                       TOO_LONG,
                                       TOO_LONG,
                                       TOO_LONG,
                                       TOO_LONG,
                                       TWO_CONTS,
                                       TWO_CONTS,
                                       TWO_CONTS,
                                       TWO_CONTS,
                                       TOO_SHORT | OVERLONG_2,
                                       TOO_SHORT,
                                       TOO_SHORT | OVERLONG_3 | SURROGATE,
                                       TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4};
static const uint8_t FIRST_LOW[16] = {CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4,
                                      CARRY | OVERLONG_2,
                                      CARRY,
                                      CARRY,
                                      CARRY | TOO_LARGE,
                                      CARRY | TOO_LARGE | TOO_LARGE_1000,
                                      CARRY | TOO_LARGE | TOO_LARGE_1000,
                                      CARRY | TOO_LARGE | TOO_LARGE_1000,
                                      CARRY | TOO_LARGE | TOO_LARGE_1000,
                                      CARRY | TOO_LARGE | TOO_LARGE_1000,
                                      CARRY | TOO_LARGE | TOO_LARGE_1000,
                                      CARRY | TOO_LARGE | TOO_LARGE_1000,
                                      CARRY | TOO_LARGE | TOO_LARGE_1000,
                                      CARRY | TOO_LARGE | TOO_LARGE_1000 | SURROGATE,
                                      CARRY | TOO_LARGE | TOO_LARGE_1000,
                                      CARRY | TOO_LARGE | TOO_LARGE_1000};
static const uint8_t SECOND_HIGH[16] = {TOO_SHORT,
                                        TOO_SHORT,
                                        TOO_SHORT,
                                        TOO_SHORT,
                                        TOO_SHORT,
                                        TOO_SHORT,
                                        TOO_SHORT,
                                        TOO_SHORT,
                                        TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 |
                                            TOO_LARGE_1000 | OVERLONG_4,
                                        TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE,
                                        TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE,
                                        TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE,
                                        TOO_SHORT,
                                        TOO_SHORT,
                                        TOO_SHORT,
                                        TOO_SHORT};

AVX2 static inline __m256i table_of(const uint8_t table[16])
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
}

AVX2 static inline __m256i utf8_faults(__m256i in, __m256i before)
{
    const __m256i nibble = _mm256_set1_epi8(0x0f);
    __m256i joint = _mm256_permute2x128_si256(before, in, 0x21);
    __m256i prev1 = _mm256_alignr_epi8(in, joint, 15);
    __m256i prev2 = _mm256_alignr_epi8(in, joint, 14);
    __m256i prev3 = _mm256_alignr_epi8(in, joint, 13);
    __m256i first_high = _mm256_shuffle_epi8(table_of(FIRST_HIGH),
                                             _mm256_and_si256(_mm256_srli_epi16(prev1, 4), nibble));
    __m256i first_low = _mm256_shuffle_epi8(table_of(FIRST_LOW), _mm256_and_si256(prev1, nibble));
    __m256i second_high = _mm256_shuffle_epi8(table_of(SECOND_HIGH),
                                              _mm256_and_si256(_mm256_srli_epi16(in, 4), nibble));
    __m256i special = _mm256_and_si256(_mm256_and_si256(first_high, first_low), second_high);
    /* behind a lead byte of three (two back) or four (three back) a continuation must stand */
    __m256i third = _mm256_subs_epu8(prev2, _mm256_set1_epi8(0xe0 - 0x80));
    __m256i fourth = _mm256_subs_epu8(prev3, _mm256_set1_epi8(0xf0 - 0x80));
    __m256i must = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
    return _mm256_xor_si256(must, special);
}

AVX2 bool csv_utf8_avx2(const char *bytes, size_t len)
{
    __m256i faults = _mm256_setzero_si256();
    __m256i before = _mm256_setzero_si256();

    for (size_t at = 0; at < len; at += 32) {
        __m256i in = _mm256_loadu_si256((const __m256i *)(const void *)(bytes + at));
        if (len - at < 32) {
            /* what lies behind the end counts as NUL bytes */
            char last[32] = {0};
            memcpy(last, bytes + at, len - at);
            in = _mm256_loadu_si256((const __m256i *)(const void *)last);
        }
        if (_mm256_movemask_epi8(_mm256_or_si256(in, before)) != 0) {
            faults = _mm256_or_si256(faults, utf8_faults(in, before));
        }
        before = in;
    }
    return _mm256_testz_si256(faults, faults) != 0;
}
#endif
