/*
 * tar - headers read back by libarchive, GNU tar and Python
 */
#include "unit/pack/archive_support.h"

#include "pack/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

static const int64_t WHEN_S = 1803852000; /* 2027-02-28T22:00:00Z */

/* Reads the one entry of a tar in memory; what it says is compared with what was asked for. */
static void assert_reads_as(const struct buf *tar, const char *path, uint64_t size)
{
    struct archive *reader = archive_read_new();
    struct archive_entry *entry = NULL;
    assert_int_equal(archive_read_support_format_tar(reader), ARCHIVE_OK);
    assert_int_equal(archive_read_open_memory(reader, tar->ptr, tar->len), ARCHIVE_OK);
    assert_int_equal(archive_read_next_header(reader, &entry), ARCHIVE_OK);
    const char *read = archive_entry_pathname_utf8(entry);
    assert_string_equal(read == NULL ? archive_entry_pathname(entry) : read, path);
    assert_int_equal(archive_entry_size(entry), size);
    assert_int_equal(archive_entry_mtime(entry), WHEN_S);
    assert_int_equal(archive_entry_mode(entry), 0100644);
    assert_int_equal(archive_entry_uid(entry), 0);
    assert_int_equal(archive_entry_gid(entry), 0);
    (void)archive_read_free(reader);
}

static void tar_header__any_path_and_size__reads_as_meant(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {
        0, 1, 512, UINT64_C(077777777777), UINT64_C(0100000000000), UINT64_C(1) << 45};
    char paths[9][500] = {"a", "NAME/data.csv", "NAME/documents/été.pdf"};
    memset(paths[3], 'n', 100); /* the longest plain name */
    memset(paths[4], 'n', 150); /* the longest NAME */
    memcpy(paths[4] + 150, "/data-0001.csv", 14);
    memset(paths[5], 'p', 155); /* the longest prefix, the longest name */
    paths[5][155] = '/';
    memset(paths[5] + 156, 'n', 100);
    memset(paths[6], 'p', 155); /* one more: pax */
    paths[6][155] = '/';
    memset(paths[6] + 156, 'n', 101);
    memset(paths[7], 'n', 101); /* nowhere to split: pax */
    memset(paths[8], 'p', 156); /* one more before the slash: pax */
    memcpy(paths[8] + 156, "/n", 2);
    static const size_t blocks[9] = {1, 1, 3, 1, 1, 1, 3, 3, 3};
    for (size_t i = 0; i < COUNT(paths); i++) {
        for (size_t j = 0; j < COUNT(sizes); j++) {
            struct buf tar = BUF_EMPTY;
            tar_header(&tar, paths[i], sizes[j], WHEN_S);
            assert_int_equal(tar.len, blocks[i] * TAR_BLOCK_BYTES);
            assert_reads_as(&tar, paths[i], sizes[j]);
            buf_release(&tar);
        }
    }
}

/* Every length around the digits of a pax record's own length. */
static void tar_header__pax_lengths__are_whole(void **state)
{
    (void)state;
    char path[TAR_PATH_BYTES_MAX + 1];
    for (size_t len = 80; len <= 1200; len++) {
        struct buf tar = BUF_EMPTY;
        memset(path, 'x', len);
        memcpy(path, "\xc3\xa9", 2); /* not ASCII: pax at any length */
        path[len] = '\0';
        tar_header(&tar, path, 7, WHEN_S);
        assert_int_equal(tar.len % TAR_BLOCK_BYTES, 0);
        assert_reads_as(&tar, path, 7);
        buf_release(&tar);
    }
}

/* The fields of a plain header are those that libarchive itself writes. */
static void tar_header__plain_file__means_what_libarchive_writes(void **state)
{
    (void)state;
    struct buf ours = BUF_EMPTY;
    char theirs[10240];
    size_t used = 0;
    struct archive *writer = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    assert_int_equal(archive_write_set_format_ustar(writer), ARCHIVE_OK);
    assert_int_equal(archive_write_open_memory(writer, theirs, sizeof theirs, &used), ARCHIVE_OK);
    archive_entry_set_pathname(entry, "NAME/data.csv");
    archive_entry_set_size(entry, 0);
    archive_entry_set_mtime(entry, WHEN_S, 0);
    archive_entry_set_mode(entry, 0100644);
    assert_int_equal(archive_write_header(writer, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_close(writer), ARCHIVE_OK);
    archive_entry_free(entry);
    (void)archive_write_free(writer);
    tar_header(&ours, "NAME/data.csv", 0, WHEN_S);
    static const struct {
        size_t at;
        size_t len; /* without what ends a number: a space there, a NUL here */
    } fields[] = {{0, 100}, {101, 6},   {109, 6}, {117, 6},  {124, 11}, {136, 11},
                  {156, 1}, {157, 100}, {257, 8}, {265, 64}, {345, 155}};
    for (size_t i = 0; i < COUNT(fields); i++) {
        size_t at = fields[i].at;
        if (fields[i].len == 6) { /* seven digits here, six there */
            assert_int_equal(strtoul(ours.ptr + at - 1, NULL, 8),
                             strtoul(theirs + at - 1, NULL, 8));
            continue;
        }
        assert_memory_equal(ours.ptr + at, theirs + at, fields[i].len);
    }
    buf_release(&ours);
}

static void tar_padding__fills_blocks(void **state)
{
    (void)state;
    assert_int_equal(tar_padding(0), 0);
    assert_int_equal(tar_padding(1), 511);
    assert_int_equal(tar_padding(511), 1);
    assert_int_equal(tar_padding(512), 0);
    assert_int_equal(tar_padding((UINT64_C(1) << 40) + 2), 510);
}

static void tar_header__eight_gibibytes__python_and_gnu_tar_read_it(void **state)
{
    struct place *place = *state;
    struct buf tar = BUF_EMPTY;
    tar_header(&tar, "NAME/data.csv", UINT64_C(9) << 30, WHEN_S);
    int fd = openat(place->fd, "big.tar", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, tar.ptr, tar.len), tar.len);
    buf_release(&tar);
    assert_int_equal(ftruncate(fd, (off_t)((UINT64_C(9) << 30) + 3 * TAR_BLOCK_BYTES)), 0);
    assert_int_equal(close(fd), 0); /* sparse: it takes no room */
    if (can_use("tar")) {
        assert_int_equal(
            run_in(place, "tar --numeric-owner -tvf big.tar | grep -q '0/0 *9663676416 '"), 0);
    }
    if (can_use("python3")) {
        assert_int_equal(run_in(place, "python3 -c 'import tarfile;"
                                       "assert tarfile.open(\"big.tar\").next().size == 9 << 30'"),
                         0);
    }
}

int main(void)
{
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* libarchive warns of names that it cannot show */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tar_header__any_path_and_size__reads_as_meant),
        cmocka_unit_test(tar_header__pax_lengths__are_whole),
        cmocka_unit_test(tar_header__plain_file__means_what_libarchive_writes),
        cmocka_unit_test(tar_padding__fills_blocks),
        with_place(tar_header__eight_gibibytes__python_and_gnu_tar_read_it),
    };
    return cmocka_run_group_tests_name("pack/tar", tests, NULL, NULL);
}
