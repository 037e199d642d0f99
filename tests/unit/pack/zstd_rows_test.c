/*
 * zstd_rows - whatever is packed comes back through zstd; what are no rows is left alone
 */
#include "unit/pack/archive_support.h"
#include "unit/pack/rows_support.h"

#include "pack/zstd_rows.h"

#include <zstd.h>

enum { PIECE = ZSTD_ROWS_BYTES_MAX };

static struct zstd_rows *rows_open(void)
{
    assert_true(zstd_rows_is_possible());
    struct zstd_rows *rows = zstd_rows_open(64);
    assert_non_null(rows);
    return rows;
}

/* From and into memory of exactly that size, so that sanitizers see what lies outside. */
static struct buf pack(struct zstd_rows *rows, struct slice raw, size_t most)
{
    size_t room = ZSTD_compressBound(raw.len) + 4;
    struct buf out = BUF_EMPTY;
    char *from = malloc(raw.len + (raw.len == 0));
    unsigned char *to = malloc(room);
    assert_true(from != NULL && to != NULL);
    if (raw.len > 0) {
        memcpy(from, raw.ptr, raw.len);
    }
    size_t len = zstd_rows_pack(rows, (struct slice){from, raw.len}, to, room, most);
    assert_true(len <= most && len <= room);
    buf_add(&out, to, len);
    free(from);
    free(to);
    return out;
}

static void assert_unpacks(struct slice packed, struct slice expected)
{
    char *out = malloc(expected.len + 1);
    assert_non_null(out);
    size_t len = ZSTD_decompress(out, expected.len, packed.ptr, packed.len);
    assert_int_equal(len, expected.len);
    assert_memory_equal(out, expected.ptr == NULL ? "" : expected.ptr, expected.len);
    free(out);
}

/* Returns whether it was packed: only then is there something to unpack. */
static bool comes_back(struct zstd_rows *rows, struct slice raw)
{
    struct buf packed = pack(rows, raw, SIZE_MAX);
    bool is_packed = packed.len > 0;
    if (is_packed) {
        assert_int_equal(ZSTD_getFrameContentSize(packed.ptr, packed.len), raw.len);
        assert_unpacks(buf_slice(&packed), raw);
    }
    buf_release(&packed);
    return is_packed;
}

static void zstd_rows_pack__rows_of_any_length__come_back_through_zstd(void **state)
{
    (void)state;
    static const size_t LENGTHS[] = {1000,   65536,      131071,    131072,    131073,     131096,
                                     131097, 2 * 131072, PIECE - 1, PIECE - 9, PIECE - 25, PIECE};
    struct zstd_rows *rows = rows_open();
    struct buf raw = BUF_EMPTY;
    size_t packed = 0;
    add_rows(&raw, 12000, 1);
    assert_true(raw.len >= PIECE);
    for (size_t len = 0; len < 300; len++) {
        packed += comes_back(rows, (struct slice){raw.ptr, len});
    }
    assert_in_range(packed, 1, 300);
    for (size_t i = 0; i < COUNT(LENGTHS); i++) {
        assert_true(comes_back(rows, (struct slice){raw.ptr, LENGTHS[i]}));
        assert_true(comes_back(rows, (struct slice){raw.ptr + raw.len - LENGTHS[i], LENGTHS[i]}));
    }
    zstd_rows_free(rows);
    buf_release(&raw);
}

static void zstd_rows_pack__copies_and_periods__come_back(void **state)
{
    (void)state;
    struct zstd_rows *rows = rows_open();
    struct buf raw = BUF_EMPTY;
    size_t packed_count = 0;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        buf_clear(&raw);
        add_copies(&raw, 21000 * seed, seed);
        packed_count += comes_back(rows, (struct slice){raw.ptr, 21000 * seed});
    }
    assert_in_range(packed_count, 12, 24); /* some begin with too much noise */
    for (size_t period = 1; period <= 9; period++) {
        buf_clear(&raw);
        for (size_t i = 0; i < PIECE; i++) {
            buf_add_byte(&raw, (char)(i % period * 37));
        }
        for (size_t len = 0; len < 60; len++) {
            (void)comes_back(rows, (struct slice){raw.ptr, len});
        }
        struct buf packed = pack(rows, buf_slice(&raw), PIECE);
        assert_in_range(packed.len, 1, 500);
        assert_unpacks(buf_slice(&packed), buf_slice(&raw));
        buf_release(&packed);
    }
    zstd_rows_free(rows);
    buf_release(&raw);
}

/* The same 40,000 bytes twice, 300,000 bytes from each other: they are paid for once. */
static void zstd_rows_pack__repeats_from_far__is_a_repetition(void **state)
{
    (void)state;
    struct zstd_rows *rows = rows_open();
    struct buf raw = BUF_EMPTY;
    struct buf alone = BUF_EMPTY;
    struct buf odd = BUF_EMPTY;
    fill_random(&odd, 40000);
    add_rows(&raw, 1000, 1);
    buf_add_slice(&alone, buf_slice(&raw));
    buf_add_slice(&raw, buf_slice(&odd));
    add_rows(&raw, 3500, 2);
    add_rows(&alone, 3500, 2);
    buf_add_slice(&raw, buf_slice(&odd));
    assert_in_range(raw.len, 380000, PIECE);
    struct buf with = pack(rows, buf_slice(&raw), PIECE);
    struct buf without = pack(rows, buf_slice(&alone), PIECE);
    assert_in_range(with.len, without.len + 40000, without.len + 45000);
    assert_unpacks(buf_slice(&with), buf_slice(&raw));
    zstd_rows_free(rows);
    buf_release(&raw);
    buf_release(&alone);
    buf_release(&odd);
    buf_release(&with);
    buf_release(&without);
}

static void zstd_rows_pack__nothing_repeats__gives_up(void **state)
{
    (void)state;
    struct zstd_rows *rows = rows_open();
    struct buf raw = BUF_EMPTY;
    fill_random(&raw, PIECE);
    assert_false(comes_back(rows, buf_slice(&raw)));
    assert_false(comes_back(rows, (struct slice){raw.ptr, 20}));
    raw.len = 9000;
    add_rows(&raw, 3000, 1);
    assert_false(comes_back(rows, buf_slice(&raw))); /* it was given up before the rows began */
    assert_true(comes_back(rows, (struct slice){raw.ptr + 1000, raw.len - 1000}));
    raw.len = 5000;
    add_rows(&raw, 100, 1);
    fill_random(&raw, 150000); /* nine tenths are noise */
    assert_false(comes_back(rows, buf_slice(&raw)));
    zstd_rows_free(rows);
    buf_release(&raw);
}

/* Words of five bytes in any order: a repetition for nearly each, more than there is room for. */
static void zstd_rows_pack__too_many_repetitions__gives_up(void **state)
{
    (void)state;
    struct zstd_rows *rows = rows_open();
    struct buf words = BUF_EMPTY;
    struct buf raw = BUF_EMPTY;
    uint64_t seed = 7;
    fill_random(&words, (size_t)5 * 300);
    while (raw.len + 5 <= PIECE) {
        buf_add(&raw, words.ptr + 5 * (next_random(&seed) % 300), 5);
    }
    assert_false(comes_back(rows, buf_slice(&raw)));
    assert_true(comes_back(rows, (struct slice){raw.ptr, 262144})); /* of these there are fewer */
    size_t last = 0;
    for (size_t step = 131072; step > 0; step /= 2) { /* the longest that has few enough */
        last += comes_back(rows, (struct slice){raw.ptr, 262144 + last + step}) ? step : 0;
    }
    assert_in_range(262144 + last, 300000, PIECE - 1);
    zstd_rows_free(rows);
    buf_release(&words);
    buf_release(&raw);
}

static void zstd_rows_pack__packed_before__has_no_effect(void **state)
{
    (void)state;
    struct zstd_rows *rows = rows_open();
    struct zstd_rows *fresh = rows_open();
    struct buf first = BUF_EMPTY;
    struct buf second = BUF_EMPTY;
    struct buf noise = BUF_EMPTY;
    add_rows(&first, 5000, 1);
    add_rows(&second, 4000, 2);
    fill_random(&noise, 200000);
    struct buf frames = pack(rows, buf_slice(&first), first.len);
    assert_false(comes_back(rows, buf_slice(&noise)));
    struct buf again = pack(rows, buf_slice(&first), first.len);
    struct buf a = pack(rows, buf_slice(&second), second.len);
    struct buf b = pack(fresh, buf_slice(&second), second.len);
    assert_true(a.len > 0);
    assert_true(slice_equal(buf_slice(&frames), buf_slice(&again)));
    assert_true(slice_equal(buf_slice(&a), buf_slice(&b)));
    buf_add_slice(&frames, buf_slice(&a)); /* one frame behind the other */
    buf_add_slice(&first, buf_slice(&second));
    assert_unpacks(buf_slice(&frames), buf_slice(&first));
    zstd_rows_free(rows);
    zstd_rows_free(fresh);
    buf_release(&first);
    buf_release(&second);
    buf_release(&noise);
    buf_release(&frames);
    buf_release(&again);
    buf_release(&a);
    buf_release(&b);
}

static void zstd_rows_pack__more_than_it_may_take__gives_up(void **state)
{
    (void)state;
    struct zstd_rows *rows = rows_open();
    struct buf raw = BUF_EMPTY;
    add_rows(&raw, 3000, 1);
    struct buf whole = pack(rows, buf_slice(&raw), raw.len);
    assert_in_range(whole.len, 1, raw.len);
    struct buf exactly = pack(rows, buf_slice(&raw), whole.len);
    struct buf less = pack(rows, buf_slice(&raw), whole.len - 1);
    assert_int_equal(exactly.len, whole.len);
    assert_int_equal(less.len, 0);
    zstd_rows_free(rows);
    buf_release(&raw);
    buf_release(&whole);
    buf_release(&exactly);
    buf_release(&less);
}

static void zstd_rows_pack__rows__have_their_size_and_a_checksum(void **state)
{
    (void)state;
    struct zstd_rows *rows = rows_open();
    struct buf raw = BUF_EMPTY;
    add_rows(&raw, 300, 1);
    struct buf packed = pack(rows, buf_slice(&raw), raw.len);
    char *out = malloc(raw.len);
    assert_true(out != NULL && packed.len > 9);
    assert_int_equal(packed.ptr[4] & 4, 4); /* RFC 8878 3.1.1.1.1.5 */
    assert_int_equal(ZSTD_getFrameContentSize(packed.ptr, packed.len), raw.len);
    packed.ptr[packed.len - 1] = (char)(packed.ptr[packed.len - 1] ^ 1);
    assert_true(ZSTD_isError(ZSTD_decompress(out, raw.len, packed.ptr, packed.len)));
    free(out);
    zstd_rows_free(rows);
    buf_release(&raw);
    buf_release(&packed);
}

/* 4,000 rows of 64 bytes, each like the one before but for a byte in another place: that byte, and
 * next to nothing for a distance that is always the same. */
static void zstd_rows_pack__the_same_distance_again__costs_little(void **state)
{
    (void)state;
    enum { ROW = 64, ROWS = 4000 };
    struct zstd_rows *rows = rows_open();
    struct buf raw = BUF_EMPTY;
    uint64_t seed = 11;
    assert_true(buf_reserve(&raw, ROW * ROWS)); /* it does not move any more */
    fill_random(&raw, ROW);
    for (size_t i = 1; i < ROWS; i++) {
        buf_add(&raw, raw.ptr + raw.len - ROW, ROW);
        raw.ptr[raw.len - ROW + i * 11 % ROW] = (char)next_random(&seed);
    }
    struct buf packed = pack(rows, buf_slice(&raw), raw.len);
    assert_in_range(packed.len, ROWS, ROWS * 9 / 4);
    zstd_rows_free(rows);
    buf_release(&raw);
    buf_release(&packed);
}

static void zstd_rows_pack__ordered_rows__are_as_small_as_zstd_makes_them(void **state)
{
    (void)state;
    struct zstd_rows *rows = rows_open();
    struct zstd_rows *hasty = zstd_rows_open(1);
    struct buf raw = BUF_EMPTY;
    assert_non_null(hasty);
    add_rows(&raw, 7000, 1);
    assert_in_range(raw.len, 300000, PIECE);
    struct buf packed = pack(rows, buf_slice(&raw), raw.len);
    size_t room = ZSTD_compressBound(raw.len);
    char *bytes = malloc(room);
    assert_non_null(bytes);
    size_t theirs = ZSTD_compress(bytes, room, raw.ptr, raw.len, 5);
    assert_false(ZSTD_isError(theirs));
    assert_in_range(packed.len, 1, theirs + theirs / 50);
    struct buf first = pack(hasty, buf_slice(&raw), raw.len); /* nothing is put off */
    assert_in_range(packed.len, 1, first.len - first.len / 50);
    free(bytes);
    zstd_rows_free(hasty);
    buf_release(&first);
    zstd_rows_free(rows);
    buf_release(&packed);
    buf_release(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zstd_rows_pack__rows_of_any_length__come_back_through_zstd),
        cmocka_unit_test(zstd_rows_pack__copies_and_periods__come_back),
        cmocka_unit_test(zstd_rows_pack__repeats_from_far__is_a_repetition),
        cmocka_unit_test(zstd_rows_pack__nothing_repeats__gives_up),
        cmocka_unit_test(zstd_rows_pack__too_many_repetitions__gives_up),
        cmocka_unit_test(zstd_rows_pack__packed_before__has_no_effect),
        cmocka_unit_test(zstd_rows_pack__more_than_it_may_take__gives_up),
        cmocka_unit_test(zstd_rows_pack__rows__have_their_size_and_a_checksum),
        cmocka_unit_test(zstd_rows_pack__the_same_distance_again__costs_little),
        cmocka_unit_test(zstd_rows_pack__ordered_rows__are_as_small_as_zstd_makes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
