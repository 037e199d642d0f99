/*
 * zip - headers byte by byte, and a sparse zip64 archive read by other people's programs
 */
#include "unit/pack/archive_support.h"

#include "pack/zip.h"

static const int64_t WHEN_S = 1803852759; /* 2027-02-28T22:12:39Z */

static uint64_t number_at(const struct buf *bytes, size_t at, size_t len)
{
    uint64_t value = 0;
    assert_true(at + len <= bytes->len);
    while (len-- > 0) {
        value = value << 8 | (unsigned char)bytes->ptr[at + len];
    }
    return value;
}

static struct zip_member member_of(uint64_t raw_bytes, uint64_t packed_bytes, uint64_t head_at)
{
    return (struct zip_member){"NAME/data.csv", WHEN_S,       0x12345678,
                               raw_bytes,       packed_bytes, head_at};
}

static void zip_local_header__any_size__has_one_length(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 0xFFFFFFFE, 0xFFFFFFFF, UINT64_C(1) << 40};
    size_t len = 0;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct buf header = BUF_EMPTY;
        struct zip_member member = member_of(sizes[i], sizes[i] / 4, 0);
        bool is_large = sizes[i] >= 0xFFFFFFFF;
        zip_local_header(&header, &member);
        len = i == 0 ? header.len : len;
        assert_int_equal(header.len, len);
        assert_int_equal(number_at(&header, 0, 4), 0x04034B50);
        assert_int_equal(number_at(&header, 4, 2), is_large ? 45 : 20);
        assert_int_equal(number_at(&header, 8, 2), 8);
        assert_int_equal(number_at(&header, 10, 2), 22 << 11 | 12 << 5 | 19);
        assert_int_equal(number_at(&header, 12, 2), 47 << 9 | 2 << 5 | 28);
        assert_int_equal(number_at(&header, 14, 4), 0x12345678);
        assert_int_equal(number_at(&header, 18, 4), is_large ? 0xFFFFFFFF : sizes[i] / 4);
        assert_int_equal(number_at(&header, 22, 4), is_large ? 0xFFFFFFFF : sizes[i]);
        assert_int_equal(number_at(&header, 26, 2), 13);
        assert_int_equal(30 + 13 + number_at(&header, 28, 2), header.len);
        assert_int_equal(number_at(&header, 48, 4), WHEN_S);
        assert_int_equal(number_at(&header, 52, 2), is_large ? 0x0001 : 0xA220);
        if (is_large) {
            assert_int_equal(number_at(&header, 56, 8), sizes[i]);
            assert_int_equal(number_at(&header, 64, 8), sizes[i] / 4);
        }
        buf_release(&header);
    }
}

static void zip_central_header__large_or_far__has_the_fields_that_need_it(void **state)
{
    (void)state;
    static const struct {
        uint64_t raw_bytes, packed_bytes, head_at;
        size_t extra_bytes;
    } cases[] = {{10, 8, 5, 9},
                 {10, 8, 0xFFFFFFFF, 9 + 12},
                 {0xFFFFFFFF, 8, 5, 9 + 20},
                 {UINT64_C(1) << 33, UINT64_C(1) << 32, UINT64_C(1) << 40, 9 + 28}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf header = BUF_EMPTY;
        struct zip_member member =
            member_of(cases[i].raw_bytes, cases[i].packed_bytes, cases[i].head_at);
        zip_central_header(&header, &member);
        assert_int_equal(number_at(&header, 0, 4), 0x02014B50);
        assert_int_equal(number_at(&header, 30, 2), cases[i].extra_bytes);
        assert_int_equal(header.len, 46 + 13 + cases[i].extra_bytes);
        assert_int_equal(number_at(&header, 38, 4), UINT64_C(0100644) << 16);
        if (cases[i].head_at >= 0xFFFFFFFF) {
            assert_int_equal(number_at(&header, 42, 4), 0xFFFFFFFF);
            assert_int_equal(number_at(&header, header.len - 8, 8), cases[i].head_at);
        }
        buf_release(&header);
    }
}

static void zip_local_header__times_without_room__are_bounded(void **state)
{
    (void)state;
    static const struct {
        int64_t mtime_s;
        uint64_t date;
        bool has_field;
    } cases[] = {{0, 1 << 5 | 1, true}, /* 1970: before MS-DOS */
                 {315532800, 1 << 5 | 1, true},
                 {INT64_C(2147483648), 58 << 9 | 1 << 5 | 19, false}, /* 2038: after 32 bits */
                 {INT64_C(4354819200), 1 << 5 | 1, false}};           /* 2108: after MS-DOS */
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf header = BUF_EMPTY;
        struct zip_member member = member_of(1, 1, 0);
        member.mtime_s = cases[i].mtime_s;
        zip_local_header(&header, &member);
        assert_int_equal(number_at(&header, 12, 2), cases[i].date);
        assert_int_equal(number_at(&header, 28, 2), cases[i].has_field ? 29 : 20);
        buf_release(&header);
    }
}

static void zip_local_header__name_beyond_ascii__is_marked_utf8(void **state)
{
    (void)state;
    struct buf header = BUF_EMPTY;
    struct zip_member member = member_of(1, 1, 0);
    member.path = "NAME/documents/\xc3\xa9t\xc3\xa9.pdf";
    zip_local_header(&header, &member);
    assert_int_equal(number_at(&header, 6, 2), 1 << 11);
    buf_release(&header);
}

static void zip_end__only_where_needed__has_zip64_records(void **state)
{
    (void)state;
    static const struct {
        uint64_t members, at, bytes;
        bool is_64;
    } cases[] = {{0, 0, 0, false},
                 {65534, 0xFFFFFFFE, 0xFFFFFFFE, false},
                 {65535, 10, 10, true},
                 {1, 0xFFFFFFFF, 10, true},
                 {1, 10, 0xFFFFFFFF, true}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf end = BUF_EMPTY;
        zip_end(&end, cases[i].members, cases[i].at, cases[i].bytes);
        assert_int_equal(end.len, cases[i].is_64 ? 56 + 20 + 22 : 22);
        if (cases[i].is_64) {
            assert_int_equal(number_at(&end, 0, 4), 0x06064B50);
            assert_int_equal(number_at(&end, 32, 8), cases[i].members);
            assert_int_equal(number_at(&end, 40, 8), cases[i].bytes);
            assert_int_equal(number_at(&end, 48, 8), cases[i].at);
            assert_int_equal(number_at(&end, 64, 8), cases[i].at + cases[i].bytes);
        }
        assert_int_equal(number_at(&end, end.len - 22, 4), 0x06054B50);
        buf_release(&end);
    }
}

/* A member of 5 GiB that is a hole in the file, and a real one behind it: the second one's offset,
 * the directory's offset and the first one's sizes all need 64 bits. */
static void zip__sparse_five_gibibytes__is_read_by_others(void **state)
{
    struct place *place = *state;
    static const char hello[] = "\xcb\x48\xcd\xc9\xc9\x07"; /* "hello" */
    struct buf bytes = BUF_EMPTY;
    struct zip_member hole = member_of(UINT64_C(5) << 30, UINT64_C(5) << 30, 0);
    hole.path = "NAME/hole";
    zip_local_header(&bytes, &hole);
    int fd = openat(place->fd, "big.zip", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, bytes.ptr, bytes.len), bytes.len);
    struct zip_member real = member_of(5, sizeof hello, bytes.len + hole.packed_bytes);
    real.crc = 0x3610A686;
    buf_clear(&bytes);
    zip_local_header(&bytes, &real);
    buf_add(&bytes, hello, sizeof hello);
    size_t directory = bytes.len;
    zip_central_header(&bytes, &hole);
    zip_central_header(&bytes, &real);
    zip_end(&bytes, 2, real.head_at + directory, bytes.len - directory);
    assert_int_equal(pwrite(fd, bytes.ptr, bytes.len, (off_t)real.head_at), bytes.len);
    assert_int_equal(close(fd), 0);
    buf_release(&bytes);
    if (can_use("python3")) {
        assert_int_equal(run_in(place,
                                "python3 -c 'import zipfile; z = zipfile.ZipFile(\"big.zip\");"
                                "assert z.read(\"NAME/data.csv\") == b\"hello\";"
                                "assert z.getinfo(\"NAME/hole\").file_size == 5 << 30'"),
                         0);
    }
    if (can_use("unzip")) {
        assert_int_equal(run_in(place, "test \"$(unzip -p big.zip NAME/data.csv)\" = hello && "
                                       "unzip -l big.zip | grep -q 5368709120"),
                         0);
    }
    if (can_use("7z")) {
        assert_int_equal(run_in(place, "test \"$(7z x -so big.zip NAME/data.csv)\" = hello && "
                                       "7z l big.zip | grep -q 5368709120"),
                         0);
    }
    if (can_use("bsdtar")) {
        assert_int_equal(run_in(place, "test \"$(bsdtar -xOf big.zip NAME/data.csv)\" = hello && "
                                       "bsdtar -tvf big.zip | grep -q 5368709120"),
                         0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zip_local_header__any_size__has_one_length),
        cmocka_unit_test(zip_central_header__large_or_far__has_the_fields_that_need_it),
        cmocka_unit_test(zip_local_header__times_without_room__are_bounded),
        cmocka_unit_test(zip_local_header__name_beyond_ascii__is_marked_utf8),
        cmocka_unit_test(zip_end__only_where_needed__has_zip64_records),
        with_place(zip__sparse_five_gibibytes__is_read_by_others),
    };
    return cmocka_run_group_tests_name("pack/zip", tests, NULL, NULL);
}
