/*
 * codec - zstd's levels: each comes back, and what zstd_rows is not made for is zstd's own; and no
 * block depends on those before it
 */
#include "unit/pack/archive_support.h"
#include "unit/pack/rows_support.h"

#include "pack/codec.h"
#include "pack/zstd_rows.h"

#include <zstd.h>

static struct codec *open_codec(enum codec_kind kind, int level)
{
    struct err err = {""};
    struct codec *codec = NULL;
    assert_ok(codec_open(kind, level, &codec, &err), &err);
    return codec;
}

static struct buf pack_by(struct codec *codec, enum codec_kind kind, struct slice raw)
{
    struct err err = {""};
    struct buf out = BUF_EMPTY;
    size_t room = codec_bound(kind, raw.len);
    assert_true(buf_reserve(&out, room));
    assert_ok(codec_pack(codec, raw, 0, (unsigned char *)out.ptr, room, &out.len, &err), &err);
    return out;
}

static struct buf pack(int level, struct slice raw)
{
    struct codec *codec = open_codec(CODEC_ZSTD, level);
    struct buf out = pack_by(codec, CODEC_ZSTD, raw);
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

/* Which thread packs a block, and what it packed before, is chance: the archive must not show it.
 */
static void codec_pack__a_block_behind_others__is_the_same(void **state)
{
    (void)state;
    enum { BEFORE = 262144, SMALL = 876 };
    struct buf raw = BUF_EMPTY;
    add_rows(&raw, 30000, 1);
    for (int level = CODEC_LEVEL_MIN; level <= CODEC_LEVEL_MAX; level++) {
        for (int kind = 0; kind < 2; kind++) {
            enum codec_kind of = kind == 0 ? CODEC_DEFLATE : CODEC_ZSTD;
            struct codec *fresh = open_codec(of, level);
            struct codec *used = open_codec(of, level);
            size_t end = level == CODEC_LEVEL_MIN ? raw.len : 20 * (size_t)SMALL;
            for (size_t at = 0; at + SMALL <= end; at += SMALL) {
                struct slice block = {raw.ptr + at, SMALL};
                if (at % (100 * (size_t)SMALL) == 0) {
                    struct slice other = {raw.ptr + raw.len - BEFORE - at / 2, BEFORE};
                    struct buf before = pack_by(used, of, other);
                    buf_release(&before);
                }
                struct buf want = pack_by(fresh, of, block);
                struct buf got = pack_by(used, of, block);
                assert_true(slice_equal(buf_slice(&got), buf_slice(&want)));
                buf_release(&want);
                buf_release(&got);
            }
            codec_free(used);
            codec_free(fresh);
        }
    }
    buf_release(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codec_pack__zstd_at_each_level__comes_back),
        cmocka_unit_test(codec_pack__rows_for_zstd__are_searched_by_zstd_rows_from_4_to_6),
        cmocka_unit_test(codec_pack__no_rows_for_zstd__are_zstds_own),
        cmocka_unit_test(codec_pack__a_block_behind_others__is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
