/*
 * fs_tree - moving, removing, making, listing
 */
#include "unit/sys/support.h"

static void fs_move_noreplace__target_exists__reports_exists(void **state)
{
    struct place *place = *state;
    put_text(place->fd, "a", "a");
    put_text(place->fd, "b", "b");
    assert_int_equal(fs_move_noreplace(place->fd, "a", place->fd, "b", NULL), RC_EXISTS);
    assert_int_equal(fs_move_noreplace(place->fd, "c", place->fd, "d", NULL), RC_GONE);
    assert_string_equal(text_of(place->fd, "b"), "b");
    assert_int_equal(fs_move_noreplace(place->fd, "a", place->fd, "c", NULL), RC_OK);
    assert_string_equal(text_of(place->fd, "c"), "a");
    assert_int_equal(fs_move_replace(place->fd, "c", place->fd, "b", NULL), RC_OK);
    assert_string_equal(text_of(place->fd, "b"), "a");
}

static void fs_link__second_name__of_the_same_file_and_none_replaced(void **state)
{
    struct place *place = *state;
    put_text(place->fd, "a", "a");
    put_text(place->fd, "taken", "t");
    assert_int_equal(fs_link(place->fd, "a", place->fd, "b", NULL), RC_OK);
    assert_int_equal(fs_link(place->fd, "a", place->fd, "taken", NULL), RC_EXISTS);
    assert_int_equal(fs_link(place->fd, "none", place->fd, "c", NULL), RC_GONE);
    assert_string_equal(text_of(place->fd, "b"), "a");
    assert_string_equal(text_of(place->fd, "taken"), "t");
}

static void fs_move_durable__syncs_both_directories(void **state)
{
    struct place *place = *state;
    assert_int_equal(fs_make_dir(place->fd, "x", 0700, -1, NULL), RC_OK);
    int x = -1;
    assert_int_equal(fs_open_dir(place->fd, "x", &x, NULL), RC_OK);
    put_text(place->fd, "a", "a");
    fault_watch();
    assert_int_equal(fs_move_durable(place->fd, "a", x, "a", NULL), RC_OK);
    assert_int_equal(fault_count(FAULT_FSYNC), 2);
    fs_drop(&x);
}

static void fs_move_durable__any_call_fails__says_what_is_known(void **state)
{
    struct place *place = *state;
    put_text(place->fd, "a", "a");
    fault_at(FAULT_RENAME, 1, ENOSPC, FAULT_ONCE);
    assert_int_equal(fs_move_durable(place->fd, "a", place->fd, "b", NULL), RC_TEMP);
    fault_at(FAULT_RENAME, 1, EXDEV, FAULT_ONCE);
    assert_int_equal(fs_move_durable(place->fd, "a", place->fd, "b", NULL), RC_PERM);
    fault_at(FAULT_RENAME, 1, EIO, FAULT_ONCE);
    assert_int_equal(fs_move_durable(place->fd, "a", place->fd, "b", NULL), RC_IO);
    assert_true(fs_exists(place->fd, "a"));
    for (unsigned int nth = 1; nth <= 2; nth++) {
        fault_clear();
        put_text(place->fd, "a", "a");
        (void)unlinkat(place->fd, "b", 0);
        fault_at(FAULT_FSYNC, nth, EIO, FAULT_ONCE);
        assert_int_equal(fs_move_durable(place->fd, "a", place->fd, "b", NULL), RC_IO);
        assert_true(fs_exists(place->fd, "b"));
    }
}

static void fs_exchange__both_exist__are_swapped(void **state)
{
    struct place *place = *state;
    put_text(place->fd, "a", "a");
    put_text(place->fd, "b", "b");
    assert_int_equal(fs_exchange(place->fd, "a", place->fd, "b", NULL), RC_OK);
    assert_string_equal(text_of(place->fd, "a"), "b");
    assert_int_equal(fs_exchange(place->fd, "a", place->fd, "c", NULL), RC_GONE);
}

static void fs_remove_tree__links_inside__are_not_followed(void **state)
{
    struct place *place = *state;
    put_text(place->fd, "kept", "kept");
    assert_int_equal(mkdirat(place->fd, "keptdir", 0700), 0);
    put_text(place->fd, "keptdir/file", "kept");
    assert_int_equal(mkdirat(place->fd, "tree", 0700), 0);
    assert_int_equal(mkdirat(place->fd, "tree/sub", 0700), 0);
    put_text(place->fd, "tree/sub/file", "x");
    assert_int_equal(symlinkat("../kept", place->fd, "tree/link"), 0);
    assert_int_equal(symlinkat("../keptdir", place->fd, "tree/dirlink"), 0);
    assert_int_equal(mkfifoat(place->fd, "tree/fifo", 0600), 0);
    assert_int_equal(fs_remove_tree(place->fd, "tree", NULL), RC_OK);
    assert_false(fs_exists(place->fd, "tree"));
    assert_string_equal(text_of(place->fd, "kept"), "kept");
    assert_string_equal(text_of(place->fd, "keptdir/file"), "kept");
    assert_int_equal(fs_remove_tree(place->fd, "tree", NULL), RC_GONE);
    assert_int_equal(fs_remove_tree(place->fd, "kept", NULL), RC_OK);
    assert_int_equal(fs_remove(place->fd, "kept", NULL), RC_GONE);
}

static void fs_remove_tree__deeper_than_the_limit__is_refused(void **state)
{
    struct place *place = *state;
    char path[64] = "d";
    for (int i = 0; i <= FS_TREE_DEPTH_MAX; i++) {
        assert_int_equal(mkdirat(place->fd, path, 0700), 0);
        strcat(path, "/d");
    }
    assert_int_equal(fs_remove_tree(place->fd, "d", NULL), RC_RANGE);
    int fd = -1;
    assert_int_equal(fs_open_dir(place->fd, "d/d", &fd, NULL), RC_OK);
    assert_int_equal(fs_remove_tree(fd, "d", NULL), RC_OK);
    fs_drop(&fd);
}

static void fs_make_dir__modes_are_exact(void **state)
{
    struct place *place = *state;
    mode_t old = umask(077);
    assert_int_equal(fs_make_dir(place->fd, "door", 03730, (int64_t)getgid(), NULL), RC_OK);
    umask(old);
    assert_int_equal(mode_of(place->fd, "door"), 03730);
    assert_int_equal(fs_make_dir(place->fd, "door", 0700, -1, NULL), RC_EXISTS);
    assert_int_equal(mode_of(place->fd, "door"), 03730);
    fault_at(FAULT_MKDIR, 1, ENOSPC, FAULT_ONCE);
    assert_int_equal(fs_make_dir(place->fd, "e", 0700, -1, NULL), RC_TEMP);
    assert_int_equal(fs_make_dir(place->fd, "no/e", 0700, -1, NULL), RC_GONE);
    /* When the mode cannot be set, nothing with a wrong mode stays. */
    fault_at(FAULT_OPEN, 1, EMFILE, FAULT_ONCE);
    assert_int_equal(fs_make_dir(place->fd, "e", 0700, -1, NULL), RC_TEMP);
    assert_false(fs_exists(place->fd, "e"));
}

static void fs_make_open_dir__is_the_one_that_was_made(void **state)
{
    struct place *place = *state;
    int before = open_descriptors();
    int fd = -1;
    assert_int_equal(fs_make_open_dir(place->fd, "d", 0750, -1, &fd, NULL), RC_OK);
    put_text(fd, "inside", "x");
    assert_true(fs_exists(place->fd, "d/inside"));
    fs_drop(&fd);
    assert_int_equal(fs_make_open_dir(place->fd, "d", 0750, -1, &fd, NULL), RC_EXISTS);
    assert_int_equal(fd, -1);
    assert_int_equal(open_descriptors(), before);
}

static void fs_list__names__are_sorted_and_bounded(void **state)
{
    struct place *place = *state;
    struct fs_names names = FS_NAMES_EMPTY;
    assert_int_equal(fs_list(place->fd, 10, &names, NULL), RC_OK);
    assert_int_equal(names.count, 0);
    fs_names_release(&names);
    put_text(place->fd, "b", "");
    put_text(place->fd, "a", "");
    put_text(place->fd, "\xff", "");
    put_text(place->fd, ".hidden", "");
    assert_int_equal(fs_list(place->fd, 4, &names, NULL), RC_OK);
    assert_int_equal(names.count, 3);
    assert_string_equal(names.names[0], "a");
    assert_string_equal(names.names[1], "b");
    assert_string_equal(names.names[2], "\xff");
    fs_names_release(&names);
    assert_int_equal(fs_list(place->fd, 3, &names, NULL), RC_RANGE);
    fault_at(FAULT_OPEN, 1, EMFILE, FAULT_ONCE);
    assert_int_equal(fs_list(place->fd, 4, &names, NULL), RC_TEMP);
    put_text(place->fd, "file", "");
    int fd = openat(place->fd, "file", O_RDONLY);
    assert_int_equal(fs_list(fd, 4, &names, NULL), RC_PERM);
    (void)close(fd);
}

static enum rc stop_at_once(void *ctx, const char *name)
{
    (void)name;
    ++*(int *)ctx;
    return RC_STATE;
}

static void fs_each__callback_says_stop__stops(void **state)
{
    struct place *place = *state;
    int count = 0;
    put_text(place->fd, "a", "");
    put_text(place->fd, "b", "");
    assert_int_equal(fs_each(place->fd, 10, stop_at_once, &count, NULL), RC_STATE);
    assert_int_equal(count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_place(fs_move_noreplace__target_exists__reports_exists),
        with_place(fs_link__second_name__of_the_same_file_and_none_replaced),
        with_place(fs_move_durable__syncs_both_directories),
        with_place(fs_move_durable__any_call_fails__says_what_is_known),
        with_place(fs_exchange__both_exist__are_swapped),
        with_place(fs_remove_tree__links_inside__are_not_followed),
        with_place(fs_remove_tree__deeper_than_the_limit__is_refused),
        with_place(fs_make_dir__modes_are_exact),
        with_place(fs_make_open_dir__is_the_one_that_was_made),
        with_place(fs_list__names__are_sorted_and_bounded),
        with_place(fs_each__callback_says_stop__stops),
    };
    return cmocka_run_group_tests_name("sys/fs_tree", tests, NULL, NULL);
}
