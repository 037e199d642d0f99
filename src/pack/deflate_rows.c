/*
 * deflate_rows - see deflate_rows.h
 *
 * Steps (bytes, and the repetitions that rows_match.h finds) are collected, counted, and written as
 * blocks with codes of their own (3.2.7).
 */
#include "pack/deflate_rows.h"

#include "pack/huffman.h"
#include "pack/rows_match.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW = DEFLATE_ROWS_WINDOW,
    MATCH_MAX = 258,
    STEPS_MAX = 40000,
    STEP_MAX = ROWS_PUT_OFF_MAX + 1, /* a repetition, and bytes before it */
    LITERALS = 286,                  /* literals, the end of a block, lengths */
    DISTANCES = 30,
    END_OF_BLOCK = 256,
    FIRST_LENGTH = 257,
    STEP_BITS_MAX = 48, /* two codes of 15 bits and their extra bits, 5 and 13 */
    HEAD_BYTES_MAX = 400,
    JOIN_BYTES = 5 /* an empty stored block brings the piece to a whole byte */
};

/* A code, or a length's code with its extra bits */
struct code {
    uint32_t bits;
    uint32_t count;
};

struct deflate_rows {
    unsigned int lazy_max;
    struct rows_places places;
    uint32_t steps[STEPS_MAX]; /* a literal, or length << 16 | distance */
    size_t steps_count;
    uint32_t literal_counts[LITERALS];
    uint32_t distance_counts[DISTANCES];
    struct code literals[LITERALS];
    struct code lengths[MATCH_MAX + 1];
    struct code distances[DISTANCES];
    uint8_t length_symbols[MATCH_MAX + 1]; /* less FIRST_LENGTH */
};

static const uint16_t LENGTH_BASES[29] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                          15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                          67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t LENGTH_EXTRA[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                         2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};

struct deflate_rows *deflate_rows_open(unsigned int lazy_max)
{
    struct deflate_rows *rows = malloc(sizeof *rows);
    if (rows == NULL) {
        return NULL;
    }
    rows->lazy_max = lazy_max;
    for (unsigned int symbol = 0; symbol < 29; symbol++) {
        for (unsigned int length = LENGTH_BASES[symbol]; length <= MATCH_MAX; length++) {
            rows->length_symbols[length] = (uint8_t)symbol;
        }
    }
    return rows;
}

void deflate_rows_free(struct deflate_rows *rows)
{
    free(rows);
}

/* --- steps --- */

static inline uint32_t distance_symbol(uint32_t distance)
{
    uint32_t less = distance - 1;
    if (less < 4) {
        return less;
    }
    uint32_t log = rows_log_2(less);
    return 2 * log + (less >> (log - 1) & 1);
}

static inline void put_literal(struct deflate_rows *rows, unsigned char byte)
{
    rows->steps[rows->steps_count++] = byte;
    rows->literal_counts[byte]++;
}

static inline void put_match(struct deflate_rows *rows, const struct repetition *match)
{
    rows->steps[rows->steps_count++] = match->length << 16 | match->distance;
    rows->literal_counts[FIRST_LENGTH + rows->length_symbols[match->length]]++;
    rows->distance_counts[distance_symbol(match->distance)]++;
}

/* One step and the bytes before it that are none; returns what comes next. */
static inline size_t step(struct deflate_rows *rows, const unsigned char *bytes, size_t at,
                          size_t len)
{
    const struct rows_search search = {
        .window = WINDOW, .length_max = MATCH_MAX, .lazy_max = rows->lazy_max};
    size_t from = at;
    struct repetition found = rows_next(&rows->places, bytes, &at, len, &search);
    if (found.length == 0) {
        put_literal(rows, bytes[at]);
        return at + 1;
    }
    while (from < at) {
        put_literal(rows, bytes[from++]);
    }
    put_match(rows, &found);
    return at + found.length;
}

/* Steps for what fits into one block; returns what comes next. */
static size_t collect(struct deflate_rows *rows, const unsigned char *bytes, size_t at, size_t len)
{
    rows->steps_count = 0;
    memset(rows->literal_counts, 0, sizeof rows->literal_counts);
    memset(rows->distance_counts, 0, sizeof rows->distance_counts);
    while (at + ROWS_TAIL < len && rows->steps_count + STEP_MAX <= STEPS_MAX) {
        at = step(rows, bytes, at, len);
    }
    while (at + ROWS_TAIL >= len && at < len && rows->steps_count < STEPS_MAX) {
        put_literal(rows, bytes[at++]);
    }
    rows->literal_counts[END_OF_BLOCK] = 1;
    return at;
}

/* --- writing --- */

struct writer {
    unsigned char *to;
    uint64_t bits;
    uint32_t count; /* below 8 between steps */
};

/* at most 56 bits together with those that wait */
static inline void put_bits(struct writer *writer, uint64_t bits, uint32_t count)
{
    writer->bits |= bits << writer->count;
    writer->count += count;
}

/* 8 bytes behind `to` are writable */
static inline void flush_bits(struct writer *writer)
{
    uint64_t bytes = writer->bits;
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    bytes = __builtin_bswap64(bytes);
#endif
    memcpy(writer->to, &bytes, sizeof bytes);
    writer->to += writer->count / 8;
    writer->bits >>= writer->count & ~7U;
    writer->count &= 7;
}

/* The lengths of both codes, as one row: what a block begins with, and how many are sent of each */
struct head {
    uint8_t lengths[LITERALS + DISTANCES];
    unsigned int literal_count;
    unsigned int distance_count;
    struct huffman_run runs[LITERALS + DISTANCES];
    unsigned int run_count;
    uint8_t run_lengths[HUFFMAN_LENGTH_SYMBOLS];
    uint16_t run_codes[HUFFMAN_LENGTH_SYMBOLS];
};

static void make_head(const uint8_t *literals, const uint8_t *distances, struct head *head)
{
    uint32_t counts[HUFFMAN_LENGTH_SYMBOLS] = {0};
    head->literal_count = LITERALS;
    while (head->literal_count > FIRST_LENGTH && literals[head->literal_count - 1] == 0) {
        head->literal_count--;
    }
    head->distance_count = DISTANCES;
    while (head->distance_count > 1 && distances[head->distance_count - 1] == 0) {
        head->distance_count--;
    }
    memcpy(head->lengths, literals, head->literal_count);
    memcpy(head->lengths + head->literal_count, distances, head->distance_count);
    head->run_count =
        huffman_runs(head->lengths, head->literal_count + head->distance_count, head->runs);
    for (unsigned int i = 0; i < head->run_count; i++) {
        counts[head->runs[i].symbol]++;
    }
    huffman_lengths(counts, HUFFMAN_LENGTH_SYMBOLS, HUFFMAN_LENGTH_BITS_MAX, head->run_lengths);
    huffman_codes(head->run_lengths, HUFFMAN_LENGTH_SYMBOLS, head->run_codes);
}

static void write_head(struct writer *writer, const struct head *head)
{
    static const uint8_t ORDER[HUFFMAN_LENGTH_SYMBOLS] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                          11, 4,  12, 3, 13, 2, 14, 1, 15};
    unsigned int sent = HUFFMAN_LENGTH_SYMBOLS;
    while (sent > 4 && head->run_lengths[ORDER[sent - 1]] == 0) {
        sent--;
    }
    put_bits(writer, 2U << 1, 3); /* not final, codes of its own */
    put_bits(writer, head->literal_count - FIRST_LENGTH, 5);
    put_bits(writer, head->distance_count - 1, 5);
    put_bits(writer, sent - 4, 4);
    flush_bits(writer);
    for (unsigned int i = 0; i < sent; i++) {
        put_bits(writer, head->run_lengths[ORDER[i]], 3);
        flush_bits(writer);
    }
    for (unsigned int i = 0; i < head->run_count; i++) {
        const struct huffman_run *run = &head->runs[i];
        put_bits(writer, head->run_codes[run->symbol], head->run_lengths[run->symbol]);
        put_bits(writer, run->extra, run->extra_bits);
        flush_bits(writer);
    }
}

static uint32_t distance_extra(uint32_t symbol)
{
    return symbol < 4 ? 0 : symbol / 2 - 1;
}

/* Codes of this block's steps, into the tables that writing looks them up in; the bits it takes. */
static uint64_t make_codes(struct deflate_rows *rows, struct head *head)
{
    uint8_t literals[LITERALS];
    uint8_t distances[DISTANCES];
    uint16_t codes[LITERALS];
    uint64_t bits = 0;
    huffman_lengths(rows->literal_counts, LITERALS, HUFFMAN_BITS_MAX, literals);
    huffman_codes(literals, LITERALS, codes);
    for (uint32_t i = 0; i < LITERALS; i++) {
        uint32_t extra = i < FIRST_LENGTH ? 0 : LENGTH_EXTRA[i - FIRST_LENGTH];
        rows->literals[i] = (struct code){codes[i], literals[i]};
        bits += (uint64_t)rows->literal_counts[i] * (literals[i] + extra);
    }
    for (uint32_t length = ROWS_MATCH_MIN; length <= MATCH_MAX; length++) {
        uint32_t symbol = rows->length_symbols[length];
        const struct code *code = &rows->literals[FIRST_LENGTH + symbol];
        rows->lengths[length] =
            (struct code){code->bits | (length - LENGTH_BASES[symbol]) << code->count,
                          code->count + LENGTH_EXTRA[symbol]};
    }
    huffman_lengths(rows->distance_counts, DISTANCES, HUFFMAN_BITS_MAX, distances);
    huffman_codes(distances, DISTANCES, codes);
    for (uint32_t i = 0; i < DISTANCES; i++) {
        rows->distances[i] = (struct code){codes[i], distances[i]};
        bits += (uint64_t)rows->distance_counts[i] * (distances[i] + distance_extra(i));
    }
    make_head(literals, distances, head);
    return bits;
}

static void write_steps(const struct deflate_rows *rows, struct writer *out)
{
    struct writer writer = *out; /* in registers */
    for (size_t i = 0; i < rows->steps_count; i++) {
        uint32_t step = rows->steps[i];
        uint32_t length = step >> 16;
        if (length == 0) {
            put_bits(&writer, rows->literals[step].bits, rows->literals[step].count);
            flush_bits(&writer);
            continue;
        }
        uint32_t distance = step & 0xFFFF;
        uint32_t symbol = distance_symbol(distance);
        uint32_t extra = distance_extra(symbol);
        const struct code *code = &rows->distances[symbol];
        put_bits(&writer, rows->lengths[length].bits, rows->lengths[length].count);
        put_bits(&writer, code->bits, code->count);
        put_bits(&writer, (distance - 1) & ((1U << extra) - 1), extra);
        flush_bits(&writer);
    }
    put_bits(&writer, rows->literals[END_OF_BLOCK].bits, rows->literals[END_OF_BLOCK].count);
    flush_bits(&writer);
    *out = writer;
}

size_t deflate_rows_pack(struct deflate_rows *rows, struct slice raw, size_t before,
                         unsigned char *out, size_t out_cap)
{
    static_assert(STEP_BITS_MAX + 7 <= 56, "a step fits behind the bits that wait");
    const unsigned char *bytes = (const unsigned char *)raw.ptr - before;
    struct writer writer = {out, 0, 0};
    size_t len = before + raw.len;
    size_t at = before;
    assert(raw.len <= DEFLATE_ROWS_BYTES_MAX && before <= WINDOW);
    if (out_cap < JOIN_BYTES + sizeof writer.bits) {
        return 0;
    }
    rows_begin(&rows->places, bytes, before, len);
    while (at < len) { /* each turn takes a byte at least */
        struct head head;
        at = collect(rows, bytes, at, len);
        uint64_t bits = make_codes(rows, &head);
        size_t room = out_cap - (size_t)(writer.to - out);
        if (bits / 8 + HEAD_BYTES_MAX + JOIN_BYTES + sizeof writer.bits > room) {
            return 0;
        }
        write_head(&writer, &head);
        write_steps(rows, &writer);
    }
    put_bits(&writer, 0, 3); /* 3.2.4, not final */
    writer.count = (writer.count + 7) & ~7U;
    flush_bits(&writer);
    memcpy(writer.to, "\x00\x00\xff\xff", 4);
    return (size_t)(writer.to - out) + 4;
}
