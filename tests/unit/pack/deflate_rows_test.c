/*
 * deflate_rows, huffman - whatever is packed comes back through zlib; codes are whole and short
 */
#include "unit/pack/archive_support.h"
#include "unit/pack/rows_support.h"

#include "pack/deflate.h"
#include "pack/deflate_rows.h"
#include "pack/huffman.h"

#include <libdeflate.h>
#include <zlib.h>

enum { ROOM_MORE = 1024 };

/* Into memory of exactly that size, so that sanitizers see what is written behind it. */
static struct buf pack_behind(struct deflate_rows *rows, size_t before, struct slice raw,
                              size_t room)
{
    struct buf out = BUF_EMPTY;
    unsigned char *bytes = malloc(room + 1);
    assert_non_null(bytes);
    size_t len = deflate_rows_pack(rows, raw, before, bytes, room);
    assert_true(len <= room);
    buf_add(&out, bytes, len);
    free(bytes);
    return out;
}

static struct buf pack(struct deflate_rows *rows, struct slice raw, size_t room)
{
    return pack_behind(rows, 0, raw, room);
}

static void assert_unpacks(struct slice packed, struct slice expected)
{
    struct buf stream = BUF_EMPTY;
    unsigned char *out = malloc(expected.len + 1);
    z_stream z = {0};
    assert_non_null(out);
    buf_add_slice(&stream, packed);
    buf_add_slice(&stream, DEFLATE_END);
    assert_int_equal(inflateInit2(&z, -15), Z_OK);
    z.next_in = (Bytef *)stream.ptr;
    z.avail_in = (uInt)stream.len;
    z.next_out = out;
    z.avail_out = (uInt)expected.len + 1;
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    assert_int_equal(z.total_out, expected.len);
    if (expected.len > 0) {
        assert_memory_equal(out, expected.ptr, expected.len);
    }
    (void)inflateEnd(&z);
    buf_release(&stream);
    free(out);
}

static void assert_comes_back(struct deflate_rows *rows, struct slice raw)
{
    struct buf packed = pack(rows, raw, 2 * raw.len + ROOM_MORE);
    assert_true(packed.len > 0);
    assert_unpacks(buf_slice(&packed), raw);
    buf_release(&packed);
}

static void deflate_rows_pack__any_bytes__come_back_through_zlib(void **state)
{
    (void)state;
    struct deflate_rows *rows = deflate_rows_open(64);
    struct buf raw = BUF_EMPTY;
    assert_non_null(rows);
    add_rows(&raw, 20000, 1);
    for (size_t len = 0; len < 300; len++) {
        assert_comes_back(rows, (struct slice){raw.ptr, len});
    }
    assert_comes_back(rows, buf_slice(&raw));
    for (uint64_t seed = 1; seed <= 12; seed++) {
        buf_clear(&raw);
        add_copies(&raw, 20000 * seed, seed);
        assert_comes_back(rows, buf_slice(&raw));
    }
    for (size_t period = 1; period <= 9; period++) {
        buf_clear(&raw);
        for (size_t i = 0; i < 100000; i++) {
            buf_add_byte(&raw, (char)(i % period * 37));
        }
        assert_comes_back(rows, buf_slice(&raw));
    }
    deflate_rows_free(rows);
    buf_release(&raw);
}

/* More steps than one block has, without a repetition; each byte value. */
static void deflate_rows_pack__nothing_repeats__comes_back(void **state)
{
    (void)state;
    struct deflate_rows *rows = deflate_rows_open(64);
    struct buf raw = BUF_EMPTY;
    uint64_t seed = 3;
    assert_non_null(rows);
    for (size_t i = 0; i < 150000; i++) {
        buf_add_byte(&raw, (char)next_random(&seed));
    }
    assert_comes_back(rows, buf_slice(&raw));
    deflate_rows_free(rows);
    buf_release(&raw);
}

static void deflate_rows_pack__packed_before__has_no_effect(void **state)
{
    (void)state;
    struct deflate_rows *rows = deflate_rows_open(16);
    struct deflate_rows *fresh = deflate_rows_open(16);
    struct buf first = BUF_EMPTY;
    struct buf second = BUF_EMPTY;
    assert_true(rows != NULL && fresh != NULL);
    add_rows(&first, 5000, 1);
    add_rows(&second, 5000, 2);
    struct buf ignored = pack(rows, buf_slice(&first), first.len);
    struct buf a = pack(rows, buf_slice(&second), second.len);
    struct buf b = pack(fresh, buf_slice(&second), second.len);
    assert_true(ignored.len > 0 && a.len > 0);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.ptr, b.ptr, a.len);
    buf_add_slice(&ignored, buf_slice(&a)); /* one piece behind the other */
    buf_add_slice(&first, buf_slice(&second));
    assert_unpacks(buf_slice(&ignored), buf_slice(&first));
    deflate_rows_free(rows);
    deflate_rows_free(fresh);
    buf_release(&first);
    buf_release(&second);
    buf_release(&ignored);
    buf_release(&a);
    buf_release(&b);
}

static void add_noise_to(struct buf *out, size_t len, uint64_t *seed)
{
    while (out->len < len) {
        buf_add_byte(out, (char)next_random(seed));
    }
}

/* Eight bytes stand in the first piece where the second has seven of them: a place that was left
 * over would be a good one, and nothing else leads there. */
static void deflate_rows_pack__place_of_the_piece_before__is_forgotten(void **state)
{
    (void)state;
    struct deflate_rows *rows = deflate_rows_open(64);
    struct deflate_rows *fresh = deflate_rows_open(64);
    struct buf first = BUF_EMPTY;
    struct buf second = BUF_EMPTY;
    uint64_t seed = 5;
    assert_true(rows != NULL && fresh != NULL);
    add_noise_to(&first, 50, &seed);
    buf_add_slice(&first, SLICE_LITERAL("abcdefgh"));
    add_noise_to(&first, 200, &seed);
    add_noise_to(&second, 50, &seed);
    buf_add_slice(&second, SLICE_LITERAL("abcdefgX"));
    add_noise_to(&second, 80, &seed);
    buf_add_slice(&second, SLICE_LITERAL("abcdZZZZ"));
    add_noise_to(&second, 120, &seed);
    buf_add_slice(&second, SLICE_LITERAL("abcdefgh"));
    add_noise_to(&second, 200, &seed);
    struct buf ignored = pack(rows, buf_slice(&first), 2 * first.len + ROOM_MORE);
    struct buf a = pack(rows, buf_slice(&second), 2 * second.len + ROOM_MORE);
    struct buf b = pack(fresh, buf_slice(&second), 2 * second.len + ROOM_MORE);
    assert_true(a.len > 0 && slice_equal(buf_slice(&a), buf_slice(&b)));
    deflate_rows_free(rows);
    deflate_rows_free(fresh);
    buf_release(&first);
    buf_release(&second);
    buf_release(&ignored);
    buf_release(&a);
    buf_release(&b);
}

/* Pieces that repeat what the one before ends with: the stream comes back, and a copy costs next to
 * nothing. */
static void deflate_rows_pack__behind_another__repeats_its_end(void **state)
{
    (void)state;
    static const size_t PIECES[] = {100000, 1, 7, 30, 50000, 40000, 100};
    struct deflate_rows *rows = deflate_rows_open(64);
    struct buf raw = BUF_EMPTY;
    assert_non_null(rows);
    add_rows(&raw, 6000, 5);
    add_copies(&raw, raw.len + 100000, 6);
    for (int is_behind = 0; is_behind < 2; is_behind++) {
        struct buf stream = BUF_EMPTY;
        size_t at = 0;
        for (size_t i = 0; i < COUNT(PIECES); i++) {
            size_t before = at < DEFLATE_ROWS_WINDOW ? at : DEFLATE_ROWS_WINDOW;
            struct slice piece = {raw.ptr + at, PIECES[i]};
            struct buf packed =
                pack_behind(rows, is_behind ? before : 0, piece, 2 * piece.len + ROOM_MORE);
            assert_true(packed.len > 0);
            buf_add_slice(&stream, buf_slice(&packed));
            buf_release(&packed);
            at += PIECES[i];
        }
        assert_unpacks(buf_slice(&stream), (struct slice){raw.ptr, at});
        buf_release(&stream);
    }
    buf_clear(&raw);
    assert_true(buf_reserve(&raw, 60000)); /* it does not move any more */
    fill_random(&raw, 30000);
    buf_add_slice(&raw, buf_slice(&raw));
    struct buf copy = pack_behind(rows, 30000, (struct slice){raw.ptr + 30000, 30000}, 60000);
    assert_in_range(copy.len, 1, 1000); /* nothing but where it stood */
    buf_release(&copy);
    deflate_rows_free(rows);
    buf_release(&raw);
}

static void deflate_rows_pack__too_little_room__gives_up(void **state)
{
    (void)state;
    struct deflate_rows *rows = deflate_rows_open(64);
    struct buf raw = BUF_EMPTY;
    assert_non_null(rows);
    add_rows(&raw, 3000, 1);
    struct buf whole = pack(rows, buf_slice(&raw), raw.len);
    size_t least = 0;
    for (size_t room = 0; room < whole.len + ROOM_MORE; room += 1 + room / 50) {
        struct buf packed = pack(rows, buf_slice(&raw), room);
        assert_true(packed.len == 0 || packed.len == whole.len);
        least = packed.len > 0 && least == 0 ? room : least;
        buf_release(&packed);
    }
    assert_in_range(least, whole.len, whole.len + ROOM_MORE);
    deflate_rows_free(rows);
    buf_release(&raw);
    buf_release(&whole);
}

static void deflate_rows_pack__rows__are_about_as_small_as_libdeflate_makes_them(void **state)
{
    (void)state;
    struct deflate_rows *rows = deflate_rows_open(64);
    struct libdeflate_compressor *other = libdeflate_alloc_compressor(6);
    struct buf raw = BUF_EMPTY;
    assert_true(rows != NULL && other != NULL);
    add_rows(&raw, 10000, 1);
    struct buf packed = pack(rows, buf_slice(&raw), raw.len);
    size_t room = libdeflate_deflate_compress_bound(other, raw.len);
    unsigned char *bytes = malloc(room);
    assert_non_null(bytes);
    size_t theirs = libdeflate_deflate_compress(other, raw.ptr, raw.len, bytes, room);
    assert_in_range(packed.len, 1, theirs + theirs / 25);
    free(bytes);
    libdeflate_free_compressor(other);
    deflate_rows_free(rows);
    buf_release(&packed);
    buf_release(&raw);
}

/* ---- codes ---- */

/* Bits of an unlimited shortest code: the sum of all joints. */
static uint64_t shortest_bits(const uint32_t *counts, unsigned int symbols)
{
    uint64_t nodes[HUFFMAN_SYMBOLS_MAX];
    unsigned int n = 0;
    uint64_t bits = 0;
    for (unsigned int i = 0; i < symbols; i++) {
        if (counts[i] > 0) {
            nodes[n++] = counts[i];
        }
    }
    while (n > 1) {
        for (unsigned int side = 0; side < 2; side++) { /* the two smallest to the end */
            for (unsigned int i = 0; i + 1 + side < n; i++) {
                if (nodes[i] < nodes[i + 1]) {
                    uint64_t swap = nodes[i];
                    nodes[i] = nodes[i + 1];
                    nodes[i + 1] = swap;
                }
            }
        }
        nodes[n - 2] += nodes[n - 1];
        bits += nodes[n - 2];
        n--;
    }
    return bits;
}

static void check_lengths(const uint32_t *counts, unsigned int symbols, unsigned int limit,
                          bool is_limited)
{
    uint8_t lengths[HUFFMAN_SYMBOLS_MAX];
    uint32_t space = 0;
    uint64_t bits = 0;
    unsigned int used = 0;
    huffman_lengths(counts, symbols, limit, lengths);
    for (unsigned int i = 0; i < symbols; i++) {
        assert_true(lengths[i] <= limit);
        assert_true(lengths[i] > 0 || counts[i] == 0);
        space += lengths[i] == 0 ? 0 : 1U << (limit - lengths[i]);
        bits += (uint64_t)lengths[i] * counts[i];
        used += counts[i] > 0;
    }
    assert_int_equal(space, 1U << limit);
    if (!is_limited && used > 1) {
        assert_int_equal(bits, shortest_bits(counts, symbols));
    }
}

static void huffman_lengths__any_counts__make_a_whole_code_within_the_limit(void **state)
{
    (void)state;
    uint64_t seed = 9;
    for (int round = 0; round < 400; round++) {
        uint32_t counts[HUFFMAN_SYMBOLS_MAX] = {0};
        unsigned int symbols = 2 + (unsigned int)(next_random(&seed) % 285);
        for (unsigned int i = 0; i < symbols; i++) {
            counts[i] = next_random(&seed) % 3 == 0 ? 0 : 1 + (uint32_t)(next_random(&seed) % 50);
        }
        check_lengths(counts, symbols, HUFFMAN_BITS_MAX, false);
        check_lengths(counts, symbols, 9, true);
    }
    uint32_t few[19] = {0};
    check_lengths(few, 19, HUFFMAN_LENGTH_BITS_MAX, true);
    few[5] = 7;
    check_lengths(few, 19, HUFFMAN_LENGTH_BITS_MAX, true);
}

/* Fibonacci's numbers make the longest codes. */
static void huffman_lengths__codes_would_be_too_long__are_cut(void **state)
{
    (void)state;
    uint32_t counts[40] = {1, 1};
    for (int i = 2; i < 40; i++) {
        counts[i] = counts[i - 1] + counts[i - 2];
    }
    check_lengths(counts, 40, HUFFMAN_BITS_MAX, true);
    check_lengths(counts, 40, 6, true);
    check_lengths(counts, 19, HUFFMAN_LENGTH_BITS_MAX, true);
    check_lengths(counts, 12, HUFFMAN_BITS_MAX, false);
}

static void huffman_runs__any_lengths__say_the_same(void **state)
{
    (void)state;
    uint64_t seed = 4;
    for (int round = 0; round < 500; round++) {
        uint8_t lengths[316];
        uint8_t said[316];
        struct huffman_run runs[316];
        unsigned int count = 1 + (unsigned int)(next_random(&seed) % 316);
        for (unsigned int i = 0; i < count;) {
            uint8_t length = next_random(&seed) % 2 == 0 ? 0 : (uint8_t)(next_random(&seed) % 16);
            for (size_t n = 1 + next_random(&seed) % 200; n > 0 && i<count; n -= n> 9 ? 1 : n) {
                lengths[i++] = length;
            }
        }
        unsigned int run_count = huffman_runs(lengths, count, runs);
        unsigned int at = 0;
        for (unsigned int i = 0; i < run_count; i++) {
            unsigned int times = runs[i].symbol < 16    ? 1
                                 : runs[i].symbol == 18 ? 11U + runs[i].extra
                                                        : 3U + runs[i].extra;
            uint8_t length = runs[i].symbol < 16    ? runs[i].symbol
                             : runs[i].symbol == 16 ? said[at - 1]
                                                    : 0;
            assert_true(at + times <= count);
            memset(said + at, length, times);
            at += times;
        }
        assert_int_equal(at, count);
        assert_memory_equal(said, lengths, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deflate_rows_pack__any_bytes__come_back_through_zlib),
        cmocka_unit_test(deflate_rows_pack__nothing_repeats__comes_back),
        cmocka_unit_test(deflate_rows_pack__packed_before__has_no_effect),
        cmocka_unit_test(deflate_rows_pack__place_of_the_piece_before__is_forgotten),
        cmocka_unit_test(deflate_rows_pack__behind_another__repeats_its_end),
        cmocka_unit_test(deflate_rows_pack__too_little_room__gives_up),
        cmocka_unit_test(deflate_rows_pack__rows__are_about_as_small_as_libdeflate_makes_them),
        cmocka_unit_test(huffman_lengths__any_counts__make_a_whole_code_within_the_limit),
        cmocka_unit_test(huffman_lengths__codes_would_be_too_long__are_cut),
        cmocka_unit_test(huffman_runs__any_lengths__say_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
