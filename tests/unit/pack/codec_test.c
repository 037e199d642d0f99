/*
 * codec - zstd's levels: each comes back, and what zstd_rows is not made for is zstd's own
 */
#include "unit/pack/archive_support.h"
#include "unit/pack/rows_support.h"

#include "pack/codec.h"
#include "pack/zstd_rows.h"

#include <zstd.h>

static struct buf pack(int level, struct slice raw)
{
    struct err err = {""};
    struct codec *codec = NULL;
    struct buf out = BUF_EMPTY;
    size_t room = codec_bound(CODEC_ZSTD, raw.len);
    assert_ok(codec_open(CODEC_ZSTD, level, &codec, &err), &err);
    assert_true(buf_reserve(&out, room));
    assert_ok(codec_pack(codec, raw, 0, (unsigned char *)out.ptr, room, &out.len, &err), &err);
    codec_free(codec);
    return out;
}

/* What zstd's own level makes of it, as a frame with a checksum */
static struct buf pack_plain(int level, struct slice raw)
{
    struct buf out = BUF_EMPTY;
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    assert_true(zstd != NULL && buf_reserve(&out, ZSTD_compressBound(raw.len) + 4));
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, level)));
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1)));
    out.len = ZSTD_compress2(zstd, out.ptr, ZSTD_compressBound(raw.len) + 4, raw.ptr, raw.len);
    assert_false(ZSTD_isError(out.len));
    (void)ZSTD_freeCCtx(zstd);
    return out;
}

static void assert_plain(int level, struct slice raw, bool is_plain)
{
    struct buf ours = pack(level, raw);
    struct buf plain = pack_plain(level, raw);
    assert_true(slice_equal(buf_slice(&ours), buf_slice(&plain)) == is_plain);
    buf_release(&ours);
    buf_release(&plain);
}

static void codec_pack__zstd_at_each_level__comes_back(void **state)
{
    (void)state;
    static const size_t LENGTHS[] = {0, 1, 8191, 8192, 100000, ZSTD_ROWS_BYTES_MAX};
    struct buf raw = BUF_EMPTY;
    add_rows(&raw, 12000, 1);
    for (int level = CODEC_LEVEL_MIN; level <= CODEC_LEVEL_MAX; level++) {
        for (size_t i = 0; i < COUNT(LENGTHS); i++) {
            struct buf packed = pack(level, (struct slice){raw.ptr, LENGTHS[i]});
            char *out = malloc(LENGTHS[i] + 1);
            assert_non_null(out);
            assert_int_equal(ZSTD_decompress(out, LENGTHS[i], packed.ptr, packed.len), LENGTHS[i]);
            assert_memory_equal(out, raw.ptr, LENGTHS[i]);
            free(out);
            buf_release(&packed);
        }
    }
    buf_release(&raw);
}

static void codec_pack__rows_for_zstd__are_searched_by_zstd_rows_from_4_to_6(void **state)
{
    (void)state;
    struct buf raw = BUF_EMPTY;
    add_rows(&raw, 5000, 1);
    for (int level = 1; level <= 6; level++) {
        assert_plain(level, buf_slice(&raw), level < 4);
    }
    buf_release(&raw);
}

static void codec_pack__no_rows_for_zstd__are_zstds_own(void **state)
{
    (void)state;
    struct buf raw = BUF_EMPTY;
    add_rows(&raw, 15000, 1);
    assert_true(raw.len > ZSTD_ROWS_BYTES_MAX);
    for (int level = 4; level <= 6; level++) {
        assert_plain(level, (struct slice){raw.ptr, 8191}, true);                 /* too few */
        assert_plain(level, (struct slice){raw.ptr, ZSTD_ROWS_BYTES_MAX}, false); /* they are */
        assert_plain(level, (struct slice){raw.ptr, ZSTD_ROWS_BYTES_MAX + 1}, true);
    }
    buf_clear(&raw);
    fill_random(&raw, 100000);
    assert_plain(6, buf_slice(&raw), true);
    buf_clear(&raw); /* half of it repeats: it shrinks, but not as rows do */
    add_copies(&raw, 300000, 1);
    assert_plain(6, buf_slice(&raw), true);
    buf_release(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codec_pack__zstd_at_each_level__comes_back),
        cmocka_unit_test(codec_pack__rows_for_zstd__are_searched_by_zstd_rows_from_4_to_6),
        cmocka_unit_test(codec_pack__no_rows_for_zstd__are_zstds_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
