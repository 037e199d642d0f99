/*
 * packaging - what submit packs is what taking in unpacks
 */
#include "cli/packaging.h"
#include "spool/take.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct folders {
    char path[64];
    int top;
    int from; /* the folder that is packed */
    int to;   /* where it is unpacked */
    struct problems problems;
    struct fs_names names;
};

static int set_up(void **state)
{
    struct folders *folders = calloc(1, sizeof *folders);
    assert_non_null(folders);
    (void)snprintf(folders->path, sizeof folders->path, "%s", "/tmp/postroom-packaging-XXXXXX");
    assert_non_null(mkdtemp(folders->path));
    folders->top = open(folders->path, O_RDONLY | O_DIRECTORY);
    assert_int_equal(mkdirat(folders->top, "from", 0700), 0);
    assert_int_equal(mkdirat(folders->top, "to", 0700), 0);
    assert_int_equal(fs_open_dir(folders->top, "from", &folders->from, NULL), RC_OK);
    assert_int_equal(fs_open_dir(folders->top, "to", &folders->to, NULL), RC_OK);
    problems_init(&folders->problems);
    folders->names = FS_NAMES_EMPTY;
    *state = folders;
    return 0;
}

static int tear_down(void **state)
{
    struct folders *folders = *state;
    fs_names_release(&folders->names);
    problems_release(&folders->problems);
    fs_drop(&folders->from);
    fs_drop(&folders->to);
    fs_drop(&folders->top);
    int parent = open("/tmp", O_RDONLY | O_DIRECTORY);
    assert_int_equal(fs_remove_tree(parent, folders->path + strlen("/tmp/"), NULL), RC_OK);
    fs_drop(&parent);
    free(folders);
    return 0;
}

static void put(const struct folders *folders, const char *name, const void *bytes, size_t len)
{
    assert_int_equal(fs_put_volatile(folders->from, name, 0600, bytes, len, NULL), RC_OK);
}

/* Packs `from`, and unpacks it as the daemon does. */
static void round_trip(struct folders *folders)
{
    struct err err = {{0}};
    struct take_result result;
    const struct take_limits limits = {.total_bytes = UINT64_MAX};
    int fd = -1;
    assert_int_equal(packaging_list(folders->from, &folders->names, &folders->problems, &err),
                     RC_OK);
    assert_int_equal(folders->problems.error_count, 0);
    assert_int_equal(fs_create(folders->top, "p.tar.zst", 0600, &fd, NULL), RC_OK);
    assert_int_equal(packaging_write(folders->from, &folders->names, fd, &err), RC_OK);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    enum rc rc = take_package(fd, DROP_TAR_ZST, folders->to, &limits, &result, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, RC_OK);
    assert_int_equal(result.files, folders->names.count);
    fs_drop(&fd);
}

static void packaging_write__names_and_bytes__arrive_unchanged(void **state)
{
    struct folders *folders = *state;
    struct buf big = BUF_EMPTY;
    struct buf back = BUF_EMPTY;
    for (uint64_t i = 0; i < 200000; i++) {
        uint64_t word = hash64(&i, sizeof i, 7);
        buf_add(&big, &word, sizeof word);
    }
    put(folders, "delivery.conf", "label = \"x\";\n", 13);
    put(folders, "empty.csv", "", 0);
    put(folders, "Brochüre n°1 – été.pdf", big.ptr, big.len);
    put(folders, ".hidden", "x", 1);
    put(folders, "delivery.conf~", "old", 3);
    round_trip(folders);
    assert_int_equal(folders->names.count, 3);
    assert_int_equal(fs_read_small(folders->to, "Brochüre n°1 – été.pdf", 1 << 24, &back, NULL),
                     RC_OK);
    assert_int_equal(back.len, big.len);
    assert_memory_equal(back.ptr, big.ptr, big.len);
    assert_true(fs_exists(folders->to, "empty.csv"));
    assert_false(fs_exists(folders->to, ".hidden"));
    buf_release(&big);
    buf_release(&back);
}

static void packaging_list__link_folder_and_reserved_name__are_problems(void **state)
{
    struct folders *folders = *state;
    put(folders, "delivery.conf", "x", 1);
    put(folders, "journal", "x", 1);
    assert_int_equal(mkdirat(folders->from, "more", 0700), 0);
    assert_int_equal(symlinkat("delivery.conf", folders->from, "link.csv"), 0);
    assert_int_equal(packaging_list(folders->from, &folders->names, &folders->problems, NULL),
                     RC_OK);
    assert_int_equal(folders->problems.error_count, 3);
}

static void packaging_write__file_gone_meanwhile__is_an_error_with_its_name(void **state)
{
    struct folders *folders = *state;
    struct err err = {{0}};
    int fd = -1;
    put(folders, "delivery.conf", "x", 1);
    put(folders, "z.csv", "x", 1);
    assert_int_equal(packaging_list(folders->from, &folders->names, &folders->problems, NULL),
                     RC_OK);
    assert_int_equal(unlinkat(folders->from, "z.csv", 0), 0);
    assert_int_equal(fs_create(folders->top, "p", 0600, &fd, NULL), RC_OK);
    assert_int_equal(packaging_write(folders->from, &folders->names, fd, &err), RC_GONE);
    assert_non_null(strstr(err.text, "z.csv"));
    fs_drop(&fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(packaging_write__names_and_bytes__arrive_unchanged, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(packaging_list__link_folder_and_reserved_name__are_problems,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            packaging_write__file_gone_meanwhile__is_an_error_with_its_name, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
