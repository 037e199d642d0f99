/*
 * deflate - streams of zlib and libdeflate walked and joined; broken ones refused
 */
#include "unit/pack/archive_support.h"

#include "pack/deflate.h"

#include <libdeflate.h>
#include <zlib.h>

enum { SAMPLE_BYTES = 400000, PACKED_BYTES = 1 << 20 };

static unsigned char packed[PACKED_BYTES];

/* One raw stream by zlib; strategy tells which kinds of block it uses. */
static size_t by_zlib(struct slice raw, int level, int strategy)
{
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, level, Z_DEFLATED, -15, 9, strategy), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)raw.ptr;
    stream.avail_in = (uInt)raw.len;
    stream.next_out = packed;
    stream.avail_out = PACKED_BYTES;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t len = stream.total_out;
    assert_int_equal(deflateEnd(&stream), Z_OK);
    return len;
}

static size_t by_libdeflate(struct slice raw, int level)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(level);
    size_t len = libdeflate_deflate_compress(compressor, raw.ptr, raw.len, packed, PACKED_BYTES);
    libdeflate_free_compressor(compressor);
    assert_true(len > 0);
    return len;
}

static struct slice packed_slice(size_t len)
{
    return (struct slice){(const char *)packed, len};
}

static void assert_unpacks(const struct buf *stream, struct slice expected)
{
    char *out = malloc(expected.len + 1);
    z_stream unpack = {0};
    assert_int_equal(inflateInit2(&unpack, -15), Z_OK);
    unpack.next_in = (Bytef *)stream->ptr;
    unpack.avail_in = (uInt)stream->len;
    unpack.next_out = (Bytef *)out;
    unpack.avail_out = (uInt)expected.len + 1;
    assert_int_equal(inflate(&unpack, Z_FINISH), Z_STREAM_END);
    assert_int_equal(unpack.avail_in, 0);
    assert_int_equal(unpack.total_out, expected.len);
    assert_memory_equal(out, expected.ptr, expected.len);
    (void)inflateEnd(&unpack);
    free(out);
}

static void join(struct buf *stream, size_t len)
{
    struct err err = {""};
    size_t joined = 0;
    assert_ok(deflate_open_end(packed, len, &joined, &err), &err);
    assert_true(joined <= len + DEFLATE_JOIN_BYTES_MAX);
    buf_add(stream, packed, joined);
}

static void deflate_walk__every_kind_of_block__ends_where_the_stream_ends(void **state)
{
    (void)state;
    static const int strategies[] = {Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE,
                                     Z_FIXED};
    struct buf text = BUF_EMPTY;
    fill_text(&text, SAMPLE_BYTES / 2);
    fill_random(&text, SAMPLE_BYTES);
    for (size_t i = 0; i < COUNT(strategies); i++) {
        for (int level = 0; level <= 9; level += 3) {
            size_t len = by_zlib(buf_slice(&text), level, strategies[i]);
            struct deflate_walk walk;
            struct err err = {""};
            assert_ok(deflate_walk(packed_slice(len), &walk, &err), &err);
            assert_int_equal((walk.end_bit + 7) / 8, len);
            assert_int_equal(packed[walk.final_bit / 8] >> (walk.final_bit % 8) & 1, 1);
        }
    }
    buf_release(&text);
}

static void deflate_open_end__many_streams__unpack_as_one(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 5, 10, 100, 1000, 4999, 65535, 65536, 200000};
    struct buf text = BUF_EMPTY;
    struct buf all = BUF_EMPTY;
    struct buf stream = BUF_EMPTY;
    fill_text(&text, SAMPLE_BYTES / 2);
    fill_random(&text, SAMPLE_BYTES);
    memset(text.ptr + 1000, 0, 100000);
    for (int level = 0; level <= 12; level++) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            struct slice raw = {text.ptr + (i % 2) * (text.len / 2 - 1000), sizes[i]};
            join(&stream, by_libdeflate(raw, level));
            buf_add_slice(&all, raw);
            join(&stream, by_zlib(raw, level < 9 ? level : 9, i % 3 == 0 ? Z_FIXED : Z_FILTERED));
            buf_add_slice(&all, raw);
        }
    }
    buf_add_slice(&stream, DEFLATE_END);
    assert_unpacks(&stream, buf_slice(&all));
    buf_release(&text);
    buf_release(&all);
    buf_release(&stream);
}

static void deflate_stored_head__between_joined_streams__is_data(void **state)
{
    (void)state;
    struct buf stream = BUF_EMPTY;
    unsigned char head[DEFLATE_STORED_BYTES];
    join(&stream, by_libdeflate(SLICE_LITERAL("before "), 6));
    deflate_stored_head(7, head);
    buf_add(&stream, head, sizeof head);
    buf_add_text(&stream, "stored ");
    join(&stream, by_libdeflate(SLICE_LITERAL("behind"), 6));
    buf_add_slice(&stream, DEFLATE_END);
    assert_unpacks(&stream, SLICE_LITERAL("before stored behind"));
    buf_release(&stream);
}

static void deflate_walk__stream_cut_anywhere__is_corrupt(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    fill_text(&text, 20000);
    for (int level = 0; level <= 6; level += 3) {
        size_t len = by_libdeflate(buf_slice(&text), level);
        for (size_t cut = 0; cut < len; cut++) {
            struct deflate_walk walk;
            /* a copy of exactly that length, so that a read behind it is seen by the sanitizer */
            unsigned char *bytes = malloc(cut + 1);
            memcpy(bytes, packed, cut);
            enum rc rc = deflate_walk((struct slice){(const char *)bytes, cut}, &walk, NULL);
            free(bytes);
            assert_int_equal(rc, RC_CORRUPT);
        }
    }
    buf_release(&text);
}

static void deflate_open_end__bytes_behind_the_end__is_corrupt(void **state)
{
    (void)state;
    size_t joined;
    struct err err = {""};
    size_t len = by_libdeflate(SLICE_LITERAL("some bytes and some more bytes"), 6);
    packed[len] = 0;
    assert_int_equal(deflate_open_end(packed, len + 1, &joined, &err), RC_CORRUPT);
    assert_non_null(strstr(err.text, "DEFLATE"));
}

static void deflate_walk__codes_that_are_none__are_corrupt(void **state)
{
    (void)state;
    static const struct slice bad[] = {
        {"\x07", 1},                         /* block type 3 */
        {"\x01\x05\x00\x00\x00hello", 10},   /* stored: the complement does not fit */
        {"\x01\x05\x00\xfa\xffhell", 9},     /* stored: shorter than it says */
        {"\x1b\x03\x00", 3},                 /* fixed: length code 286 */
        {"\x05\xe0\xff\xff\xff\xff\xff", 7}, /* dynamic: too many codes for their lengths */
        {"\x05\x00\x00\x00\x00\x00\x00", 7}  /* dynamic: no code at all */
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct deflate_walk walk;
        assert_int_equal(deflate_walk(bad[i], &walk, NULL), RC_CORRUPT);
    }
}

struct bits {
    unsigned char bytes[512];
    size_t count;
};

static void put_bits(struct bits *bits, unsigned int value, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++, bits->count++) {
        bits->bytes[bits->count / 8] |= (unsigned char)((value >> i & 1) << (bits->count % 8));
    }
}

/* A dynamic block whose literals A (and B, too) and whose end of block have codes of one bit. */
static enum rc walk_one_bit_codes(bool has_b)
{
    struct bits bits = {{0}, 0};
    struct deflate_walk walk;
    put_bits(&bits, 1 | 2 << 1, 3); /* final, dynamic */
    put_bits(&bits, 15 << 10, 14);  /* 257 literals, 1 distance, 19 code lengths */
    put_bits(&bits, 0, 9);          /* 16, 17, 18 are not used */
    for (int i = 0; i < 16; i++) {
        put_bits(&bits, 4, 3); /* lengths 0..15 by four bits each: the code is the length */
    }
    for (int i = 0; i <= 257; i++) {
        bool is_one = i == 'A' || (has_b && i == 'B') || i == 256;
        put_bits(&bits, is_one ? 8 : 0, 4); /* 1, most significant bit first */
    }
    put_bits(&bits, 0, 1);             /* A, or with B the end */
    put_bits(&bits, has_b ? 0 : 1, 1); /* the end */
    return deflate_walk((struct slice){(const char *)bits.bytes, (bits.count + 7) / 8}, &walk,
                        NULL);
}

static void deflate_walk__more_codes_than_their_bits_allow__is_corrupt(void **state)
{
    (void)state;
    assert_int_equal(walk_one_bit_codes(false), RC_OK);
    assert_int_equal(walk_one_bit_codes(true), RC_CORRUPT);
}

/* zlib is the referee: where it takes a damaged stream as whole, so do we, to the same bit. */
static void deflate_walk__damaged_streams__agrees_with_zlib(void **state)
{
    (void)state;
    enum { ROUNDS = 20000, TEXT_BYTES = 3000 };
    uint64_t seed = 20240229;
    struct buf text = BUF_EMPTY;
    fill_text(&text, TEXT_BYTES);
    size_t len = by_libdeflate(buf_slice(&text), 6);
    unsigned char *copy = malloc(len);
    char *out = malloc((size_t)1 << 20);
    size_t whole = 0;
    for (int i = 0; i < ROUNDS; i++) {
        memcpy(copy, packed, len);
        for (uint64_t flips = 1 + next_random(&seed) % 3; flips > 0; flips--) {
            uint64_t bit = next_random(&seed) % (len * 8);
            copy[bit / 8] ^= (unsigned char)(1U << (bit % 8));
        }
        z_stream unpack = {0};
        assert_int_equal(inflateInit2(&unpack, -15), Z_OK);
        unpack.next_in = copy;
        unpack.avail_in = (uInt)len;
        unpack.next_out = (Bytef *)out;
        unpack.avail_out = 1 << 20;
        int end = inflate(&unpack, Z_FINISH);
        size_t used = len - unpack.avail_in;
        (void)inflateEnd(&unpack);
        struct deflate_walk walk;
        enum rc rc = deflate_walk((struct slice){(const char *)copy, len}, &walk, NULL);
        if (end == Z_STREAM_END) {
            assert_int_equal(rc, RC_OK);
            assert_int_equal((walk.end_bit + 7) / 8, used);
            whole++;
        }
    }
    assert_true(whole > 0 && whole < ROUNDS);
    free(out);
    free(copy);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deflate_walk__every_kind_of_block__ends_where_the_stream_ends),
        cmocka_unit_test(deflate_open_end__many_streams__unpack_as_one),
        cmocka_unit_test(deflate_stored_head__between_joined_streams__is_data),
        cmocka_unit_test(deflate_walk__stream_cut_anywhere__is_corrupt),
        cmocka_unit_test(deflate_open_end__bytes_behind_the_end__is_corrupt),
        cmocka_unit_test(deflate_walk__codes_that_are_none__are_corrupt),
        cmocka_unit_test(deflate_walk__more_codes_than_their_bits_allow__is_corrupt),
        cmocka_unit_test(deflate_walk__damaged_streams__agrees_with_zlib),
    };
    return cmocka_run_group_tests_name("pack/deflate", tests, NULL, NULL);
}
