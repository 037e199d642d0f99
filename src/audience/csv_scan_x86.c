/*
 * csv_scan_x86 - the vector machines of csv_scan: SSE2 (every x86-64 has it), AVX2 and AVX-512
 *
 * The loops are in csv_scan_words.inc, written once; here stand the loads, and what AVX-512 has an
 * instruction of its own for.
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

struct constants_sse2 {
    __m128i quote, lf, delimiter, cr;
};

static inline struct constants_sse2 constants_of_sse2(char delimiter)
{
    return (struct constants_sse2){_mm_set1_epi8('"'), _mm_set1_epi8('\n'),
                                   _mm_set1_epi8(delimiter), _mm_set1_epi8('\r')};
}

static inline uint64_t mask_sse2(const __m128i in[4], __m128i want)
{
    uint64_t mask = 0;
    for (int i = 0; i < 4; i++) {
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(in[i], want)) << (16 * i);
    }
    return mask;
}

static inline struct words load_sse2(const char *bytes, const struct constants_sse2 *want)
{
    __m128i in[4];
    for (size_t i = 0; i < 4; i++) {
        in[i] = _mm_loadu_si128((const __m128i *)(const void *)(bytes + 16 * i));
    }
    return (struct words){mask_sse2(in, want->quote), mask_sse2(in, want->lf),
                          mask_sse2(in, want->delimiter), mask_sse2(in, want->cr)};
}

/* ctz of 0 is undefined in C: the 65th bit stands in */
static inline uint32_t lowest_sse2(uint64_t bits)
{
    return (uint32_t)__builtin_ctzll(bits | (uint64_t)1 << 63);
}

#define TARGET
#define ISA(name) name##_sse2
#include "audience/csv_scan_words.inc"
#undef TARGET
#undef ISA

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

struct constants_avx2 {
    __m256i quote, lf, delimiter, cr;
};

AVX2 static inline struct constants_avx2 constants_of_avx2(char delimiter)
{
    return (struct constants_avx2){_mm256_set1_epi8('"'), _mm256_set1_epi8('\n'),
                                   _mm256_set1_epi8(delimiter), _mm256_set1_epi8('\r')};
}

AVX2 static inline uint64_t mask_avx2(__m256i low, __m256i high, __m256i want)
{
    uint64_t mask = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, want));
    return mask | (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, want)) << 32;
}

AVX2 static inline struct words load_avx2(const char *bytes, const struct constants_avx2 *want)
{
    __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)bytes);
    __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(bytes + 32));
    return (struct words){mask_avx2(low, high, want->quote), mask_avx2(low, high, want->lf),
                          mask_avx2(low, high, want->delimiter), mask_avx2(low, high, want->cr)};
}

AVX2 static inline uint32_t lowest_avx2(uint64_t bits)
{
    return (uint32_t)_tzcnt_u64(bits);
}

#define TARGET AVX2
#define ISA(name) name##_avx2
#include "audience/csv_scan_words.inc"
#undef TARGET
#undef ISA

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi2,bmi,bmi2,popcnt")))

struct constants_avx512 {
    __m512i quote, lf, delimiter, cr;
};

AVX512 static inline struct constants_avx512 constants_of_avx512(char delimiter)
{
    return (struct constants_avx512){_mm512_set1_epi8('"'), _mm512_set1_epi8('\n'),
                                     _mm512_set1_epi8(delimiter), _mm512_set1_epi8('\r')};
}

AVX512 static inline struct words load_avx512(const char *bytes,
                                              const struct constants_avx512 *want)
{
    __m512i in = _mm512_loadu_si512((const void *)bytes);
    return (struct words){
        _mm512_cmpeq_epi8_mask(in, want->quote), _mm512_cmpeq_epi8_mask(in, want->lf),
        _mm512_cmpeq_epi8_mask(in, want->delimiter), _mm512_cmpeq_epi8_mask(in, want->cr)};
}

/* The numbers of the bits, one a byte and close together, become positions sixteen at a time. */
AVX512 static inline void put_ends_avx512(uint32_t *to, uint64_t bits, uint32_t at)
{
    static const uint8_t NUMBERS[CSV_WORD] = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    const __m512i base = _mm512_set1_epi32((int)at);
    const uint32_t *behind = to + __builtin_popcountll(bits);
    __m512i found = _mm512_maskz_compress_epi8(bits, _mm512_loadu_si512((const void *)NUMBERS));

    do {
        __m512i sixteen = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(found));
        _mm512_storeu_si512((void *)to, _mm512_add_epi32(sixteen, base));
        found = _mm512_alignr_epi64(found, found, 2);
        to += 16;
    } while (__builtin_expect(to < behind, 0));
}

#define TARGET AVX512
#define HAS_PUT_ENDS
#define ISA(name) name##_avx512
#include "audience/csv_scan_words.inc"
#endif
