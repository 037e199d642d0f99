/*
 * huffman - prefix codes of limited length for DEFLATE (RFC 1951 3.2.2, 3.2.7)
 */
#ifndef POSTROOM_PACK_HUFFMAN_H
#define POSTROOM_PACK_HUFFMAN_H

#include <stdint.h>

enum {
    HUFFMAN_SYMBOLS_MAX = 288, /* literals and lengths; 2 of them never occur */
    HUFFMAN_BITS_MAX = 15,
    HUFFMAN_LENGTH_SYMBOLS = 19, /* of the code that the codes' lengths are written in */
    HUFFMAN_LENGTH_BITS_MAX = 7
};

/*
 * huffman_lengths - bits of each symbol in a code that is nearly the shortest of those within limit
 *
 * counts    how often each occurs; one that does not gets no code, but always two symbols get one:
 *           readers want whole codes
 * symbols   2..HUFFMAN_SYMBOLS_MAX (asserted)
 * limit     bits at most; 1 << limit is not below symbols (asserted)
 * Cost      a sort of those that occur
 */
void huffman_lengths(const uint32_t *counts, unsigned int symbols, unsigned int limit,
                     uint8_t *out_lengths);

/* huffman_codes - the canonical codes of these lengths, first bit lowest, as DEFLATE sends them */
void huffman_codes(const uint8_t *lengths, unsigned int symbols, uint16_t *out_codes);

/* One step of writing lengths: a length, or one of the three that repeat. */
struct huffman_run {
    uint8_t symbol;     /* 0..15 a length; 16 the last one again; 17, 18 zeros */
    uint8_t extra;      /* what follows it */
    uint8_t extra_bits; /* of extra: 0, 2, 3, 7 */
};

/* huffman_runs - lengths (at most 2 * HUFFMAN_SYMBOLS_MAX) as runs; returns how many: no more than
 * lengths */
unsigned int huffman_runs(const uint8_t *lengths, unsigned int count, struct huffman_run *out);

#endif
