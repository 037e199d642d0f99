/*
 * deflate_rows - see deflate_rows.h
 *
 * Two tables lead from bytes to where they stood before: `longs` from eight bytes to the last two
 * places, `shorts` from four to the last. Places are kept modulo 64 KiB: one that is too old looks
 * like a newer one, where other bytes stand, and those are compared anyway. A repetition is put off
 * by a byte as long as the one that begins there gains more (lazy matching).
 *
 * Steps are collected, counted, and written as blocks with codes of their own (3.2.7).
 */
#include "pack/deflate_rows.h"

#include "pack/huffman.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW = DEFLATE_ROWS_WINDOW,
    MATCH_MIN = 4, /* bytes that `shorts` knows; three gain too little to look for them */
    MATCH_MAX = 258,
    LONG_LOG = 16,
    SHORT_LOG = 14,
    TAIL = 24, /* at the end of a piece bytes are written as they are: reads stay inside */
    STEPS_MAX = 40000,
    LITERALS = 286, /* literals, the end of a block, lengths */
    DISTANCES = 30,
    END_OF_BLOCK = 256,
    FIRST_LENGTH = 257,
    STEP_BITS_MAX = 48, /* two codes of 15 bits and their extra bits, 5 and 13 */
    HEAD_BYTES_MAX = 400,
    JOIN_BYTES = 5 /* an empty stored block brings the piece to a whole byte */
};

struct match {
    uint32_t length; /* 0: none */
    uint32_t distance;
};

/* A code, or a length's code with its extra bits */
struct code {
    uint32_t bits;
    uint32_t count;
};

struct deflate_rows {
    unsigned int lazy_max;
    uint32_t longs[1 << LONG_LOG]; /* two places: the newer one in the lower half */
    uint16_t shorts[1 << SHORT_LOG];
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

/* --- looking for repetitions --- */

static inline uint64_t load_64(const unsigned char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static const uint64_t MIX = UINT64_C(0x9E3779B185EBCA87);

static inline uint32_t *long_at(struct deflate_rows *rows, uint64_t eight)
{
    return &rows->longs[(eight * MIX) >> (64 - LONG_LOG)];
}

static inline uint16_t *short_at(struct deflate_rows *rows, uint64_t eight)
{
    return &rows->shorts[((eight << 32) * MIX) >> (64 - SHORT_LOG)];
}

static inline void note(struct deflate_rows *rows, const unsigned char *bytes, size_t at)
{
    uint64_t eight = load_64(bytes + at);
    uint32_t *places = long_at(rows, eight);
    *places = *places << 16 | (uint16_t)at;
    *short_at(rows, eight) = (uint16_t)at;
}

/* Equal bytes of a and b, at most `most`; the first `from` are known to be equal. */
static inline uint32_t common(const unsigned char *a, const unsigned char *b, uint32_t from,
                              uint32_t most)
{
    uint32_t length = from;
    while (length + 8 <= most) {
        uint64_t differs = load_64(a + length) ^ load_64(b + length);
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

/* How far back a place lies; 0 or more than WINDOW: not to be used */
static inline uint32_t distance_to(uint32_t place, size_t at)
{
    uint32_t distance = (uint16_t)(at - place);
    return distance <= at ? distance : 0;
}

/* The longest repetition at `at` that the tables lead to; TAIL bytes follow. */
static inline struct match find(struct deflate_rows *rows, const unsigned char *bytes, size_t at,
                                uint32_t most)
{
    const unsigned char *here = bytes + at;
    uint64_t eight = load_64(here);
    uint32_t places = *long_at(rows, eight);
    struct match best = {MATCH_MIN - 1, 0};
    for (int i = 0; i < 2; i++, places >>= 16) {
        uint32_t distance = distance_to(places, at);
        if (distance - 1 >= WINDOW) {
            continue;
        }
        uint64_t differs = load_64(here - distance) ^ eight;
        uint32_t length = differs != 0 ? (uint32_t)__builtin_ctzll(differs) / 8
                                       : common(here, here - distance, 8, most);
        if (length > best.length) {
            best = (struct match){length, distance};
        }
    }
    if (best.length < 8) {
        uint32_t distance = distance_to(*short_at(rows, eight), at);
        if (distance - 1 < WINDOW) {
            uint64_t differs = load_64(here - distance) ^ eight;
            uint32_t length = differs != 0 ? (uint32_t)__builtin_ctzll(differs) / 8 : 8;
            if (length > best.length) {
                best = (struct match){length, distance};
            }
        }
    }
    if (best.distance == 0) {
        best.length = 0;
    }
    return best;
}

static inline uint32_t log_2(uint32_t number)
{
    return 31 - (uint32_t)__builtin_clz(number);
}

/* A literal costs about as much as four bytes of repetition gain, a distance a bit for each
 * doubling. */
static inline bool is_better(const struct match *later, const struct match *now)
{
    return later->length > 0 &&
           4 * later->length + log_2(now->distance) > 4 * now->length + log_2(later->distance);
}

/* --- steps --- */

static inline uint32_t distance_symbol(uint32_t distance)
{
    uint32_t less = distance - 1;
    if (less < 4) {
        return less;
    }
    uint32_t log = log_2(less);
    return 2 * log + (less >> (log - 1) & 1);
}

static inline void put_literal(struct deflate_rows *rows, unsigned char byte)
{
    rows->steps[rows->steps_count++] = byte;
    rows->literal_counts[byte]++;
}

static inline void put_match(struct deflate_rows *rows, const struct match *match)
{
    rows->steps[rows->steps_count++] = match->length << 16 | match->distance;
    rows->literal_counts[FIRST_LENGTH + rows->length_symbols[match->length]]++;
    rows->distance_counts[distance_symbol(match->distance)]++;
}

static inline uint32_t most_at(size_t at, size_t len)
{
    return len - at < MATCH_MAX ? (uint32_t)(len - at) : MATCH_MAX;
}

/* One step and those before it that were put off; returns what comes next. */
static inline size_t step(struct deflate_rows *rows, const unsigned char *bytes, size_t at,
                          size_t len)
{
    struct match match = find(rows, bytes, at, most_at(at, len));
    note(rows, bytes, at);
    if (match.length == 0) {
        put_literal(rows, bytes[at]);
        return at + 1;
    }
    while (match.length < rows->lazy_max && at + 1 + TAIL < len &&
           rows->steps_count + 2 < STEPS_MAX) {
        struct match later = find(rows, bytes, at + 1, most_at(at + 1, len));
        if (!is_better(&later, &match)) {
            break;
        }
        put_literal(rows, bytes[at++]);
        note(rows, bytes, at);
        match = later;
    }
    put_match(rows, &match);
    size_t end = at + match.length;
    size_t last = end + TAIL < len ? end : len - TAIL;
    for (size_t i = at + 1; i < last; i++) {
        note(rows, bytes, i);
    }
    return end;
}

/* Steps for what fits into one block; returns what comes next. */
static size_t collect(struct deflate_rows *rows, const unsigned char *bytes, size_t at, size_t len)
{
    rows->steps_count = 0;
    memset(rows->literal_counts, 0, sizeof rows->literal_counts);
    memset(rows->distance_counts, 0, sizeof rows->distance_counts);
    while (at + TAIL < len && rows->steps_count + 1 < STEPS_MAX) {
        at = step(rows, bytes, at, len);
    }
    while (at + TAIL >= len && at < len && rows->steps_count < STEPS_MAX) {
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
    for (uint32_t length = MATCH_MIN; length <= MATCH_MAX; length++) {
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

/* Tables that know what stands before the piece, and nothing else. */
static void begin(struct deflate_rows *rows, const unsigned char *bytes, size_t before, size_t len)
{
    memset(rows->longs, 0, sizeof rows->longs);
    memset(rows->shorts, 0, sizeof rows->shorts);
    for (size_t i = 0; i < before && i + TAIL < len; i++) {
        note(rows, bytes, i);
    }
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
    begin(rows, bytes, before, len);
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
