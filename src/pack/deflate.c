/*
 * deflate - see deflate.h. Section numbers are those of RFC 1951.
 *
 * The walker decodes each code to know how many bits it takes and forgets what it stands for. It is
 * a machine of two tables, codes of literals and lengths and codes of distances: an entry says how
 * many bits to take and which table is next, so that the walk hardly branches. Codes up to
 * FAST_BITS are looked up at once, two literals in one step where both fit; the few longer ones
 * are decoded bit by bit.
 */
#include "pack/deflate.h"

#include <assert.h>
#include <string.h>

enum {
    CODE_BITS_MAX = 15,
    FAST_BITS = 11,
    LITERALS_MAX = 288, /* literal and length codes */
    DISTANCES_MAX = 32,
    LENGTH_CODES_MAX = 19,
    END_OF_BLOCK = 256,
    STEP_BITS_MAX = CODE_BITS_MAX + 13 /* of one step: codes and extra bits */
};

/*
 * An entry: what one step does. 0: no code, or one longer than FAST_BITS.
 *   bits 0-5    bits to take, extra bits included
 *   bit 6       special: look at it before the next step
 *   bits 8-11   bits of the codes themselves
 *   bits 12-15  extra bits
 *   bits 16-    symbol where special, else index of the next table's first entry
 */
enum {
    ENTRY_TAKE = 63,
    ENTRY_SPECIAL = 64,
    ENTRY_CODE_SHIFT = 8,
    ENTRY_EXTRA_SHIFT = 12,
    ENTRY_NEXT_SHIFT = 16,
    FAST_MASK = (1 << FAST_BITS) - 1
};

enum code_set { CODES_LITERAL, CODES_DISTANCE, CODES_PLAIN /* the code length codes */ };

struct codes {
    uint16_t count[CODE_BITS_MAX + 1]; /* codes of each length */
    uint16_t symbols[LITERALS_MAX];    /* in the order of their codes */
    enum code_set set;
};

/* The tables of one block. Distances follow literals, so that `next` is one index into both. */
struct tables {
    uint32_t fast[2 << FAST_BITS];
    struct codes codes[2];
};

struct reader {
    const unsigned char *at;
    const unsigned char *end;
    uint64_t bits; /* next bit lowest */
    int count;     /* valid bits; negative: more were taken than there are */
};

static const uint8_t LENGTH_EXTRA[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                         2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};

static inline uint64_t load_64(const unsigned char *bytes)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
#else
    uint64_t value = 0;
    for (unsigned int i = 0; i < 8; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
#endif
}

static inline void reader_fill(struct reader *in)
{
    if (in->end - in->at >= 8) { /* bits above `count` are the same ones that come next time */
        in->bits |= load_64(in->at) << in->count;
        in->at += (63 - in->count) >> 3;
        in->count |= 56;
        return;
    }
    while (in->count <= 55 && in->at < in->end) {
        in->bits |= (uint64_t)*in->at++ << in->count;
        in->count += 8;
    }
}

/* reader_take - the next n <= 16 bits; false at the end of the stream */
static bool reader_take(struct reader *in, int n, unsigned int *out)
{
    if (in->count < n) {
        reader_fill(in);
        if (in->count < n) {
            return false;
        }
    }
    *out = (unsigned int)(in->bits & ((1U << n) - 1));
    in->bits >>= n;
    in->count -= n;
    return true;
}

static inline void reader_skip(struct reader *in, uint32_t entry)
{
    in->bits >>= entry & ENTRY_TAKE;
    in->count -= (int)(entry & ENTRY_TAKE);
}

static uint64_t reader_bit(const struct reader *in, const unsigned char *start)
{
    return (uint64_t)((in->at - start) * 8 - in->count);
}

static uint32_t entry_make(unsigned int code_bits, unsigned int extra, uint32_t high)
{
    return high << ENTRY_NEXT_SHIFT | extra << ENTRY_EXTRA_SHIFT | code_bits << ENTRY_CODE_SHIFT |
           (code_bits + extra);
}

/* The entry of a symbol (3.2.5); 0 where the symbol is none. */
static uint32_t entry_of(enum code_set set, unsigned int symbol, unsigned int code_bits)
{
    if (set == CODES_PLAIN) {
        return entry_make(code_bits, 0, symbol) | ENTRY_SPECIAL;
    }
    if (set == CODES_DISTANCE) {
        return symbol > 29 ? 0 : entry_make(code_bits, symbol < 4 ? 0 : symbol / 2 - 1, 0);
    }
    if (symbol < END_OF_BLOCK) {
        return entry_make(code_bits, 0, 0);
    }
    if (symbol == END_OF_BLOCK) {
        return entry_make(code_bits, 0, symbol) | ENTRY_SPECIAL;
    }
    return symbol > 285 ? 0 : entry_make(code_bits, LENGTH_EXTRA[symbol - 257], 1U << FAST_BITS);
}

static unsigned int reverse_bits(unsigned int code, unsigned int length)
{
    unsigned int reversed = 0;
    for (unsigned int i = 0; i < length; i++) {
        reversed = reversed << 1 | (code >> i & 1);
    }
    return reversed;
}

/* Two literals, or a literal and a length, in one step where both codes are within the index. */
static void pair_literals(uint32_t *fast)
{
    for (unsigned int i = 1U << FAST_BITS; i-- > 0;) { /* downwards: i >> n is not paired yet */
        uint32_t first = fast[i];
        if (first == 0 || (first & ENTRY_SPECIAL) != 0 || first >> ENTRY_NEXT_SHIFT != 0) {
            continue;
        }
        unsigned int code_bits = first & ENTRY_TAKE;
        uint32_t second = fast[i >> code_bits];
        unsigned int second_bits = second >> ENTRY_CODE_SHIFT & 15;
        if (second == 0 || (second & ENTRY_SPECIAL) != 0 || code_bits + second_bits > FAST_BITS) {
            continue;
        }
        fast[i] = entry_make(code_bits + second_bits, second >> ENTRY_EXTRA_SHIFT & 15,
                             second >> ENTRY_NEXT_SHIFT);
    }
}

/*
 * Canonical codes from their lengths (3.2.2); false where there are more codes than bits allow. A
 * set that is not complete is allowed: the code that it leaves out is refused when it is met.
 */
static bool codes_build(struct codes *codes, uint32_t *fast, enum code_set set,
                        const uint8_t *lengths, unsigned int symbols)
{
    unsigned int next_code[CODE_BITS_MAX + 2] = {0};
    unsigned int offset[CODE_BITS_MAX + 2] = {0};
    memset(fast, 0, sizeof *fast << FAST_BITS);
    memset(codes->count, 0, sizeof codes->count);
    codes->set = set;
    for (unsigned int i = 0; i < symbols; i++) {
        codes->count[lengths[i]]++;
    }
    codes->count[0] = 0;
    for (unsigned int length = 1; length <= CODE_BITS_MAX; length++) {
        unsigned int end = next_code[length] + codes->count[length];
        if (end > 1U << length) {
            return false;
        }
        next_code[length + 1] = end << 1;
        offset[length + 1] = offset[length] + codes->count[length];
    }
    for (unsigned int i = 0; i < symbols; i++) {
        unsigned int length = lengths[i];
        if (length == 0) {
            continue;
        }
        codes->symbols[offset[length]++] = (uint16_t)i;
        unsigned int code = next_code[length]++;
        if (length <= FAST_BITS) {
            uint32_t entry = entry_of(set, i, length);
            for (unsigned int at = reverse_bits(code, length); at < 1U << FAST_BITS;
                 at += 1U << length) {
                fast[at] = entry;
            }
        }
    }
    if (set == CODES_LITERAL) {
        pair_literals(fast);
    }
    return true;
}

/* The entry of a code longer than FAST_BITS: the canonical code is counted along, bit by bit. */
static uint32_t codes_find_long(const struct codes *codes, uint64_t bits)
{
    unsigned int code = 0;
    unsigned int first = 0;
    unsigned int index = 0;
    for (unsigned int length = 1; length <= CODE_BITS_MAX; length++) {
        code |= (unsigned int)(bits >> (length - 1)) & 1;
        unsigned int count = codes->count[length];
        if (code < first + count) {
            return entry_of(codes->set, codes->symbols[index + (code - first)], length);
        }
        index += count;
        first = (first + count) << 1;
        code <<= 1;
    }
    return 0;
}

/* The codes of one block up to its end (3.2.3). */
static bool walk_codes(struct reader *in, const struct tables *tables)
{
    static_assert(2 * STEP_BITS_MAX <= 56, "two steps need one filling");
    struct reader r = *in; /* in registers */
    uint32_t next = 0;
    do { /* each turn takes at least one bit of the stream */
        reader_fill(&r);
        uint32_t entry = tables->fast[next + (r.bits & FAST_MASK)];
        if (entry != 0 && (entry & ENTRY_SPECIAL) == 0) {
            reader_skip(&r, entry);
            next = entry >> ENTRY_NEXT_SHIFT;
            entry = tables->fast[next + (r.bits & FAST_MASK)];
        }
        if (entry == 0) {
            entry = codes_find_long(&tables->codes[next >> FAST_BITS], r.bits);
            if (entry == 0) {
                return false;
            }
        }
        reader_skip(&r, entry);
        next = entry >> ENTRY_NEXT_SHIFT;
    } while (next != END_OF_BLOCK && r.count >= 0);
    *in = r;
    return r.count >= 0;
}

static bool walk_stored(struct reader *in)
{
    unsigned int skip;
    unsigned int len;
    unsigned int complement;
    if (!reader_take(in, in->count & 7, &skip) || !reader_take(in, 16, &len) ||
        !reader_take(in, 16, &complement) || (len ^ complement) != 0xFFFF) {
        return false;
    }
    in->at -= in->count / 8; /* the reader stands at a byte boundary: whole bytes go back */
    in->bits = 0;
    in->count = 0;
    if ((size_t)(in->end - in->at) < len) {
        return false;
    }
    in->at += len;
    return true;
}

/* The code lengths of a dynamic block (3.2.7), by the code length codes in tables. */
static bool read_lengths(struct reader *in, const struct tables *tables, uint8_t *lengths,
                         unsigned int total)
{
    unsigned int done = 0;
    while (done < total) {
        reader_fill(in);
        uint32_t entry = tables->fast[in->bits & FAST_MASK];
        unsigned int symbol = entry >> ENTRY_NEXT_SHIFT;
        if (entry == 0 || (int)(entry & ENTRY_TAKE) > in->count) {
            return false; /* these codes have 7 bits at most: there are no long ones */
        }
        reader_skip(in, entry);
        if (symbol < 16) {
            lengths[done++] = (uint8_t)symbol;
            continue;
        }
        unsigned int more;
        uint8_t repeated = 0;
        if (!reader_take(in, symbol == 16 ? 2 : symbol == 17 ? 3 : 7, &more)) {
            return false;
        }
        unsigned int times = more + (symbol == 18 ? 11 : 3);
        if (symbol == 16) {
            if (done == 0) {
                return false;
            }
            repeated = lengths[done - 1];
        }
        if (times > total - done) {
            return false;
        }
        memset(lengths + done, repeated, times);
        done += times;
    }
    return true;
}

static bool tables_build(struct tables *tables, const uint8_t *literals, unsigned int literal_count,
                         const uint8_t *distances, unsigned int distance_count)
{
    return codes_build(&tables->codes[0], tables->fast, CODES_LITERAL, literals, literal_count) &&
           codes_build(&tables->codes[1], tables->fast + (1U << FAST_BITS), CODES_DISTANCE,
                       distances, distance_count);
}

static bool read_dynamic(struct reader *in, struct tables *tables)
{
    static const uint8_t ORDER[LENGTH_CODES_MAX] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                    11, 4,  12, 3, 13, 2, 14, 1, 15};
    unsigned int literal_count;
    unsigned int distance_count;
    unsigned int length_count;
    uint8_t lengths[LITERALS_MAX + DISTANCES_MAX] = {0};
    uint8_t code_lengths[LENGTH_CODES_MAX] = {0};
    if (!reader_take(in, 5, &literal_count) || !reader_take(in, 5, &distance_count) ||
        !reader_take(in, 4, &length_count)) {
        return false;
    }
    literal_count += 257;
    distance_count += 1;
    length_count += 4;
    for (unsigned int i = 0; i < length_count; i++) {
        unsigned int length;
        if (!reader_take(in, 3, &length)) {
            return false;
        }
        code_lengths[ORDER[i]] = (uint8_t)length;
    }
    /* The tables serve for the code length codes first. */
    return codes_build(&tables->codes[0], tables->fast, CODES_PLAIN, code_lengths,
                       LENGTH_CODES_MAX) &&
           read_lengths(in, tables, lengths, literal_count + distance_count) &&
           tables_build(tables, lengths, literal_count, lengths + literal_count, distance_count);
}

/* The fixed codes (3.2.6). */
static bool set_fixed(struct tables *tables)
{
    uint8_t literals[LITERALS_MAX];
    uint8_t distances[DISTANCES_MAX];
    memset(literals, 8, 144);
    memset(literals + 144, 9, 112);
    memset(literals + 256, 7, 24);
    memset(literals + 280, 8, 8);
    memset(distances, 5, sizeof distances);
    return tables_build(tables, literals, LITERALS_MAX, distances, DISTANCES_MAX);
}

static bool walk_block(struct reader *in, unsigned int type)
{
    struct tables tables;
    switch (type) {
    case 0:
        return walk_stored(in);
    case 1:
        return set_fixed(&tables) && walk_codes(in, &tables);
    case 2:
        return read_dynamic(in, &tables) && walk_codes(in, &tables);
    default:
        return false;
    }
}

enum rc deflate_walk(struct slice stream, struct deflate_walk *out, struct err *err)
{
    const unsigned char *start = (const unsigned char *)stream.ptr;
    struct reader in = {start, start + stream.len, 0, 0};
    struct deflate_walk walk = {0};
    unsigned int is_final = 0;
    while (!is_final) { /* each turn takes at least three bits of the stream */
        unsigned int type;
        walk.final_bit = reader_bit(&in, start);
        if (!reader_take(&in, 1, &is_final) || !reader_take(&in, 2, &type) ||
            !walk_block(&in, type)) {
            return err_set(err, RC_CORRUPT,
                           "no whole DEFLATE stream: the block at bit %llu of %llu is broken",
                           (unsigned long long)walk.final_bit, (unsigned long long)stream.len * 8);
        }
    }
    walk.end_bit = reader_bit(&in, start);
    *out = walk;
    return RC_OK;
}

enum rc deflate_open_end(unsigned char *bytes, size_t len, size_t *out_len, struct err *err)
{
    struct deflate_walk walk = {0};
    enum rc rc = deflate_walk((struct slice){(const char *)bytes, len}, &walk, err);
    if (rc != RC_OK) {
        return rc;
    }
    if ((walk.end_bit + 7) / 8 != len) {
        return err_set(err, RC_CORRUPT, "DEFLATE stream of %zu bytes ends at bit %llu", len,
                       (unsigned long long)walk.end_bit);
    }
    bytes[walk.final_bit / 8] &= (unsigned char)~(1U << (walk.final_bit % 8));
    unsigned int used = (unsigned int)(walk.end_bit % 8);
    if (used != 0) {
        bytes[len - 1] &= (unsigned char)((1U << used) - 1);
    }
    /* An empty stored block (3.2.4): three bits 000 in what is left of the last byte or in one
     * more, padding to a byte boundary, length 0 and its complement. */
    if (used == 0 || used > 5) {
        bytes[len++] = 0;
    }
    memcpy(bytes + len, "\x00\x00\xff\xff", 4);
    *out_len = len + 4;
    return RC_OK;
}

void deflate_stored_head(uint16_t len, unsigned char out[DEFLATE_STORED_BYTES])
{
    out[0] = 0;
    out[1] = (unsigned char)(len & 0xFF);
    out[2] = (unsigned char)(len >> 8);
    out[3] = (unsigned char)~out[1];
    out[4] = (unsigned char)~out[2];
}
