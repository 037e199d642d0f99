/*
 * csv_utf8_x86 - is it UTF-8, by AVX2 and AVX-512
 *
 * Three table look-ups a byte pair, after Keiser and Lemire, "Validating UTF-8 in less than one
 * instruction per byte" (2020).
 */
#include "audience/csv_scan_inner.h"

#if defined(__x86_64__)
#include <immintrin.h>

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

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i table256_of(const uint8_t table[16])
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
}

AVX2 static inline __m256i avx2_faults(__m256i in, __m256i before)
{
    const __m256i nibble = _mm256_set1_epi8(0x0f);
    __m256i joint = _mm256_permute2x128_si256(before, in, 0x21);
    __m256i prev1 = _mm256_alignr_epi8(in, joint, 15);
    __m256i prev2 = _mm256_alignr_epi8(in, joint, 14);
    __m256i prev3 = _mm256_alignr_epi8(in, joint, 13);
    __m256i first_high = _mm256_shuffle_epi8(table256_of(FIRST_HIGH),
                                             _mm256_and_si256(_mm256_srli_epi16(prev1, 4), nibble));
    __m256i first_low =
        _mm256_shuffle_epi8(table256_of(FIRST_LOW), _mm256_and_si256(prev1, nibble));
    __m256i second_high = _mm256_shuffle_epi8(table256_of(SECOND_HIGH),
                                              _mm256_and_si256(_mm256_srli_epi16(in, 4), nibble));
    __m256i special = _mm256_and_si256(_mm256_and_si256(first_high, first_low), second_high);
    /* behind a lead byte of three (two back) or four (three back) a continuation must stand */
    __m256i third = _mm256_subs_epu8(prev2, _mm256_set1_epi8(0xe0 - 0x80));
    __m256i fourth = _mm256_subs_epu8(prev3, _mm256_set1_epi8(0xf0 - 0x80));
    __m256i must = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
    return _mm256_xor_si256(must, special);
}

/* ASCII or not is asked for four vectors at once: names and streets of most languages have a byte
 * above 0x7f every few words, and a question with a new answer each time costs more than the check.
 */
enum { UTF8_VECTORS = 4 };

AVX2 static inline __m256i load32(const char *bytes)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)bytes);
}

AVX2 bool csv_utf8_avx2(const char *bytes, size_t len)
{
    __m256i faults = _mm256_setzero_si256();
    __m256i before = _mm256_setzero_si256();
    size_t at = 0;

    for (; len - at >= UTF8_VECTORS * sizeof before; at += UTF8_VECTORS * sizeof before) {
        __m256i a = load32(bytes + at);
        __m256i b = load32(bytes + at + 32);
        __m256i c = load32(bytes + at + 64);
        __m256i d = load32(bytes + at + 96);
        __m256i all = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
        if (_mm256_movemask_epi8(_mm256_or_si256(all, before)) != 0) {
            faults = _mm256_or_si256(faults, avx2_faults(a, before));
            faults = _mm256_or_si256(faults, avx2_faults(b, a));
            faults = _mm256_or_si256(faults, avx2_faults(c, b));
            faults = _mm256_or_si256(faults, avx2_faults(d, c));
        }
        before = d;
    }
    for (; at < len; at += sizeof before) {
        /* what lies behind the end counts as NUL bytes */
        char last[sizeof before] = {0};
        memcpy(last, bytes + at, len - at < sizeof last ? len - at : sizeof last);
        __m256i in = load32(last);
        faults = _mm256_or_si256(faults, avx2_faults(in, before));
        before = in;
    }
    return _mm256_testz_si256(faults, faults) != 0;
}

#define AVX512 __attribute__((target("avx512f,avx512bw")))

AVX512 static inline __m512i table512_of(const uint8_t table[16])
{
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)table));
}

AVX512 static inline __m512i avx512_faults(__m512i in, __m512i before)
{
    const __m512i nibble = _mm512_set1_epi8(0x0f);
    __m512i joint = _mm512_alignr_epi64(in, before, 6);
    __m512i prev1 = _mm512_alignr_epi8(in, joint, 15);
    __m512i prev2 = _mm512_alignr_epi8(in, joint, 14);
    __m512i prev3 = _mm512_alignr_epi8(in, joint, 13);
    __m512i first_high = _mm512_shuffle_epi8(table512_of(FIRST_HIGH),
                                             _mm512_and_si512(_mm512_srli_epi16(prev1, 4), nibble));
    __m512i first_low =
        _mm512_shuffle_epi8(table512_of(FIRST_LOW), _mm512_and_si512(prev1, nibble));
    __m512i second_high = _mm512_shuffle_epi8(table512_of(SECOND_HIGH),
                                              _mm512_and_si512(_mm512_srli_epi16(in, 4), nibble));
    __m512i special = _mm512_and_si512(_mm512_and_si512(first_high, first_low), second_high);
    __m512i third = _mm512_subs_epu8(prev2, _mm512_set1_epi8(0xe0 - 0x80));
    __m512i fourth = _mm512_subs_epu8(prev3, _mm512_set1_epi8(0xf0 - 0x80));
    __m512i must = _mm512_and_si512(_mm512_or_si512(third, fourth), _mm512_set1_epi8((char)0x80));
    return _mm512_xor_si512(must, special);
}

AVX512 bool csv_utf8_avx512(const char *bytes, size_t len)
{
    __m512i faults = _mm512_setzero_si512();
    __m512i before = _mm512_setzero_si512();
    size_t at = 0;

    for (; len - at >= 2 * sizeof before; at += 2 * sizeof before) {
        __m512i a = _mm512_loadu_si512((const void *)(bytes + at));
        __m512i b = _mm512_loadu_si512((const void *)(bytes + at + sizeof a));
        if (_mm512_movepi8_mask(_mm512_or_si512(_mm512_or_si512(a, b), before)) != 0) {
            faults = _mm512_or_si512(faults, avx512_faults(a, before));
            faults = _mm512_or_si512(faults, avx512_faults(b, a));
        }
        before = b;
    }
    for (; at < len; at += sizeof before) {
        uint64_t keep = len - at < sizeof before ? ((uint64_t)1 << (len - at)) - 1 : ~(uint64_t)0;
        __m512i in = _mm512_maskz_loadu_epi8(keep, (const void *)(bytes + at));
        faults = _mm512_or_si512(faults, avx512_faults(in, before));
        before = in;
    }
    return _mm512_test_epi8_mask(faults, faults) == 0;
}
#endif
