/*
 * compress - the same bytes out for any number of threads, and back again; every fault told
 */
#include "unit/pack/archive_support.h"

#include "pack/compress.h"
#include "pack/deflate.h"

#include <signal.h>
#include <sys/resource.h>
#include <zlib.h>
#include <zstd.h>

enum { BLOCK = COMPRESS_BLOCK_BYTES };

static const struct slice NOTHING = {NULL, 0};

static int file_make(const struct place *place, const char *name)
{
    int fd = openat(place->fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

/* One span written in pieces of `step` bytes; the file's bytes come back. */
static struct buf pack_one(const struct place *place, struct compress_options options,
                           struct slice raw, size_t step, struct compress_span *span)
{
    struct err err = {""};
    struct compress *compress = NULL;
    uint64_t len = 0;
    options.fd = file_make(place, "packed");
    assert_ok(compress_open(&options, &compress, &err), &err);
    assert_ok(compress_begin(compress, span, SLICE_LITERAL("head"), &err), &err);
    for (size_t at = 0; at < raw.len; at += step) {
        size_t part = raw.len - at < step ? raw.len - at : step;
        assert_ok(compress_write(compress, raw.ptr + at, part, &err), &err);
    }
    assert_ok(compress_end(compress, options.kind == CODEC_DEFLATE ? DEFLATE_END : NOTHING, &err),
              &err);
    assert_ok(compress_drain(compress, &len, &err), &err);
    compress_free(compress);
    (void)close(options.fd);
    struct buf bytes = bytes_of(place->fd, "packed");
    assert_int_equal(bytes.len, len);
    assert_int_equal(span->head_at, 0);
    assert_int_equal(span->head_bytes, 4);
    assert_int_equal(span->packed_bytes + 4, len);
    assert_memory_equal(bytes.ptr, "head", 4);
    return bytes;
}

static void unpack(enum codec_kind kind, struct slice packed, struct buf *out, size_t expected)
{
    assert_true(buf_reserve(out, expected + 1));
    if (kind == CODEC_STORE) {
        buf_add_slice(out, packed);
    } else if (kind == CODEC_ZSTD) {
        size_t len = ZSTD_decompress(out->ptr, expected, packed.ptr, packed.len);
        assert_false(ZSTD_isError(len));
        out->len = len;
    } else {
        z_stream stream = {0};
        assert_int_equal(inflateInit2(&stream, -15), Z_OK);
        stream.next_in = (Bytef *)(uintptr_t)packed.ptr;
        stream.avail_in = (uInt)packed.len;
        stream.next_out = (Bytef *)out->ptr;
        stream.avail_out = (uInt)expected + 1;
        assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
        assert_int_equal(stream.avail_in, 0);
        out->len = stream.total_out;
        (void)inflateEnd(&stream);
    }
}

/* With 1, 2 and 8 threads, in pieces of different lengths: the same bytes, and they come back. */
static void check_threads(const struct place *place, enum codec_kind kind, int level,
                          struct slice raw)
{
    static const unsigned int threads[] = {1, 2, 8};
    struct buf first = BUF_EMPTY;
    char sha256[SHA256_HEX_BYTES];
    sha256_hex(raw.ptr, raw.len, sha256);
    for (size_t t = 0; t < COUNT(threads); t++) {
        struct compress_options options = {.kind = kind, .level = level, .threads = threads[t]};
        struct compress_span span;
        size_t step = t == 0 ? 65536 : t == 1 ? 300001 : 2 * BLOCK;
        struct buf bytes = pack_one(place, options, raw, step, &span);
        assert_int_equal(span.raw_bytes, raw.len);
        assert_string_equal(span.sha256, sha256);
        if (kind != CODEC_ZSTD) {
            assert_int_equal(span.crc, crc32_z(0, (const Bytef *)raw.ptr, raw.len));
        }
        if (t == 0) {
            struct buf back = BUF_EMPTY;
            unpack(kind, (struct slice){bytes.ptr + 4, bytes.len - 4}, &back, raw.len);
            assert_true(slice_equal(buf_slice(&back), raw));
            buf_release(&back);
            first = bytes;
            continue;
        }
        assert_true(slice_equal(buf_slice(&first), buf_slice(&bytes)));
        buf_release(&bytes);
    }
    buf_release(&first);
}

static void compress__sizes_kinds_threads__same_bytes_and_back(void **state)
{
    struct place *place = *state;
    static const size_t sizes[] = {0, 1, 100, BLOCK - 1, BLOCK, BLOCK + 1, 9 * BLOCK + 77};
    struct buf text = BUF_EMPTY;
    fill_text(&text, 5 * BLOCK);
    fill_random(&text, sizes[COUNT(sizes) - 1]);
    for (int kind = CODEC_STORE; kind <= CODEC_ZSTD; kind++) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            check_threads(place, (enum codec_kind)kind, 1, (struct slice){text.ptr, sizes[i]});
        }
    }
    for (int level = 2; level <= 7; level++) {
        check_threads(place, CODEC_DEFLATE, level, buf_slice(&text));
        check_threads(place, CODEC_ZSTD, level, buf_slice(&text));
    }
    buf_release(&text);
}

static void compress__higher_level__is_smaller(void **state)
{
    struct place *place = *state;
    struct buf text = BUF_EMPTY;
    fill_text(&text, 2 * BLOCK);
    for (int kind = CODEC_DEFLATE; kind <= CODEC_ZSTD; kind++) {
        size_t len[3];
        static const int levels[3] = {1, 0 /* 6 */, 9};
        for (int i = 0; i < 3; i++) {
            struct compress_options options = {
                .kind = (enum codec_kind)kind, .level = levels[i], .threads = 2};
            struct compress_span span;
            struct buf bytes = pack_one(place, options, buf_slice(&text), BLOCK, &span);
            len[i] = bytes.len;
            buf_release(&bytes);
        }
        assert_true(len[0] > len[2] && len[1] > len[2]);
        assert_true(kind == CODEC_ZSTD || len[0] > len[1]); /* zstd 1 is hard to beat here */
    }
    buf_release(&text);
}

/* Many small spans with heads and tails: more of them than the ring has slots. */
static void compress__many_spans__each_has_its_figures(void **state)
{
    struct place *place = *state;
    enum { SPANS = 200 };
    struct err err = {""};
    struct compress_span *spans = calloc(SPANS, sizeof *spans);
    struct buf text = BUF_EMPTY;
    struct buf total = BUF_EMPTY;
    struct compress *compress;
    fill_text(&text, 3 * BLOCK);
    for (unsigned int threads = 1; threads <= 3; threads++) {
        struct compress_options options = {.fd = file_make(place, "spans"),
                                           .kind = CODEC_DEFLATE,
                                           .level = 1,
                                           .threads = threads,
                                           .has_total = true};
        uint64_t len;
        assert_ok(compress_open(&options, &compress, &err), &err);
        buf_clear(&total);
        for (size_t i = 0; i < SPANS; i++) {
            struct slice raw = {text.ptr + i, i % 50 == 7 ? BLOCK + i : i * 3};
            assert_ok(compress_begin(compress, &spans[i], SLICE_LITERAL("<head>"), &err), &err);
            assert_ok(compress_write(compress, raw.ptr, raw.len, &err), &err);
            assert_ok(compress_end(compress, DEFLATE_END, &err), &err);
            buf_add_slice(&total, raw);
        }
        assert_ok(compress_drain(compress, &len, &err), &err);
        char sha256[SHA256_HEX_BYTES];
        char expected[SHA256_HEX_BYTES];
        compress_total(compress, sha256);
        sha256_hex(total.ptr, total.len, expected);
        assert_string_equal(sha256, expected);
        struct buf bytes = bytes_of(place->fd, "spans");
        assert_int_equal(bytes.len, len);
        uint64_t at = 0;
        for (size_t i = 0; i < SPANS; i++) {
            struct buf back = BUF_EMPTY;
            assert_int_equal(spans[i].head_at, at);
            assert_memory_equal(bytes.ptr + at, "<head>", 6);
            unpack(CODEC_DEFLATE, (struct slice){bytes.ptr + at + 6, spans[i].packed_bytes}, &back,
                   spans[i].raw_bytes);
            assert_memory_equal(back.ptr, text.ptr + i, back.len);
            sha256_hex(back.ptr, back.len, expected);
            assert_string_equal(spans[i].sha256, expected);
            buf_release(&back);
            at += 6 + spans[i].packed_bytes;
        }
        assert_int_equal(at, len);
        buf_release(&bytes);
        compress_free(compress);
        (void)close(options.fd);
    }
    buf_release(&total);
    buf_release(&text);
    free(spans);
}

/* Writes blocks until it fails, or all of them; the first fault is what every call tells. */
static enum rc pack_until_fault(int fd, unsigned int threads, size_t blocks, struct err *err)
{
    struct compress_options options = {
        .fd = fd, .kind = CODEC_STORE, .level = 1, .threads = threads};
    struct compress_span span;
    struct compress *compress;
    struct buf text = BUF_EMPTY;
    uint64_t len;
    fill_text(&text, BLOCK);
    assert_ok(compress_open(&options, &compress, err), err);
    enum rc rc = compress_begin(compress, &span, NOTHING, err);
    for (size_t i = 0; rc == RC_OK && i < blocks; i++) {
        rc = compress_write(compress, text.ptr, text.len, err);
    }
    enum rc end = compress_end(compress, NOTHING, rc == RC_OK ? err : NULL);
    assert_true(rc == RC_OK || end == rc);
    rc = compress_drain(compress, &len, end == RC_OK ? err : NULL);
    assert_true(end == RC_OK || end == rc);
    compress_free(compress);
    buf_release(&text);
    return rc;
}

static void compress__full_disk__is_temp_with_a_text(void **state)
{
    (void)state;
    for (unsigned int threads = 1; threads <= 4; threads++) {
        struct err err = {""};
        int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(pack_until_fault(fd, threads, 40, &err), RC_TEMP);
        assert_non_null(strstr(err.text, "No space"));
        assert_int_equal(pack_until_fault(fd, threads, 1, &err), RC_TEMP);
        (void)close(fd);
    }
}

static void compress__file_size_limit__is_temp(void **state)
{
    struct place *place = *state;
    struct rlimit old;
    struct err err = {""};
    int fd = file_make(place, "limited");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit limit = {5 * BLOCK + 100, old.rlim_max};
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    enum rc rc = pack_until_fault(fd, 2, 20, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, before);
    (void)close(fd);
    assert_int_equal(rc, RC_TEMP);
}

static void compress__nth_write_fails__is_told_once_and_ever_after(void **state)
{
    struct place *place = *state;
    for (unsigned int nth = 1; nth <= 6; nth++) {
        for (unsigned int threads = 1; threads <= 2; threads++) {
            struct err err = {""};
            int fd = file_make(place, "faulty");
            fault_at(FAULT_WRITE, nth, EIO, FAULT_ONCE);
            enum rc rc = pack_until_fault(fd, threads, 10, &err);
            fault_clear();
            assert_int_equal(rc, RC_TEMP);
            assert_true(err.text[0] != '\0');
            (void)close(fd);
        }
    }
}

static void compress__short_writes_and_signals__write_every_byte(void **state)
{
    struct place *place = *state;
    static const int error_numbers[] = {0, EINTR};
    for (size_t i = 0; i < COUNT(error_numbers); i++) {
        struct err err = {""};
        int fd = file_make(place, "short");
        fault_at(FAULT_WRITE, 3, error_numbers[i], FAULT_ONCE);
        assert_ok(pack_until_fault(fd, 1, 5, &err), &err);
        fault_clear();
        (void)close(fd);
        struct buf bytes = bytes_of(place->fd, "short");
        assert_int_equal(bytes.len, 5 * BLOCK);
        buf_release(&bytes);
    }
}

static void compress_open__level_out_of_range__is_refused(void **state)
{
    (void)state;
    struct compress *compress = NULL;
    struct err err = {""};
    struct compress_options options = {.fd = -1, .kind = CODEC_DEFLATE, .level = 10};
    assert_int_equal(compress_open(&options, &compress, &err), RC_RANGE);
    assert_non_null(strstr(err.text, "level 10"));
    options.level = -1;
    assert_int_equal(compress_open(&options, &compress, &err), RC_RANGE);
    assert_null(compress);
    compress_free(NULL);
}

static void compress_free__in_the_middle__ends_its_threads(void **state)
{
    struct place *place = *state;
    struct buf text = BUF_EMPTY;
    fill_text(&text, 6 * BLOCK);
    for (int i = 0; i < 20; i++) {
        struct err err = {""};
        struct compress *compress;
        struct compress_span span;
        struct compress_options options = {.fd = file_make(place, "dropped"),
                                           .kind = i % 2 == 0 ? CODEC_DEFLATE : CODEC_ZSTD,
                                           .level = 1,
                                           .threads = 100 /* cut to the limit */};
        assert_ok(compress_open(&options, &compress, &err), &err);
        assert_ok(compress_begin(compress, &span, NOTHING, &err), &err);
        assert_ok(compress_write(compress, text.ptr, text.len, &err), &err);
        compress_free(compress);
        (void)close(options.fd);
    }
    buf_release(&text);
}

static void compress_memory_bytes__default_of_two_threads__is_small(void **state)
{
    (void)state;
    assert_true(compress_memory_bytes(CODEC_DEFLATE, 2) < (size_t)7 << 20);
    assert_true(compress_memory_bytes(CODEC_ZSTD, 64) < (size_t)140 << 20);
    assert_int_equal(compress_memory_bytes(CODEC_ZSTD, 64), compress_memory_bytes(CODEC_ZSTD, 99));
    assert_int_equal(compress_memory_bytes(CODEC_ZSTD, 0), compress_memory_bytes(CODEC_ZSTD, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_place(compress__sizes_kinds_threads__same_bytes_and_back),
        with_place(compress__higher_level__is_smaller),
        with_place(compress__many_spans__each_has_its_figures),
        with_place(compress__full_disk__is_temp_with_a_text),
        with_place(compress__file_size_limit__is_temp),
        with_place(compress__nth_write_fails__is_told_once_and_ever_after),
        with_place(compress__short_writes_and_signals__write_every_byte),
        with_place(compress_open__level_out_of_range__is_refused),
        with_place(compress_free__in_the_middle__ends_its_threads),
        with_place(compress_memory_bytes__default_of_two_threads__is_small),
    };
    return cmocka_run_group_tests_name("pack/compress", tests, NULL, NULL);
}
