/* originals leave their door, and are taken apart */
#include "stage/originals.h"

#include "sys/fault.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants those before it */
#include <cmocka.h>

enum { MANY = 20 };

static int make_folder(void **state)
{
    const char *top = getenv("TMPDIR");
    char path[96];
    (void)snprintf(path, sizeof path, "%s/postroom-originals-XXXXXX", top == NULL ? "/tmp" : top);
    *state = strdup(path);
    return *state == NULL || mkdtemp(*state) == NULL;
}

static int remove_folder(void **state)
{
    fault_clear();
    char *slash = strrchr(*state, '/');
    *slash = '\0';
    int top = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum rc rc = fs_remove_tree(top, slash + 1, NULL);
    fs_drop(&top);
    free(*state);
    return rc != RC_OK;
}

static void open_env(void **state, struct stage_env *env)
{
    char path[160];
    const struct spool_options options = {.group = -1};
    (void)snprintf(path, sizeof path, "%s/spool", (const char *)*state);
    *env = (struct stage_env){.group_gid = -1};
    assert_int_equal(spool_open(path, NULL, &options, &env->spool, NULL), RC_OK);
}

static int intake_of(const struct stage_env *env)
{
    return spool_dir(env->spool, SPOOL_INTAKE);
}

static void make_original(const struct stage_env *env, int number)
{
    char name[64];
    (void)snprintf(name, sizeof name, ".taken-%d", number);
    assert_int_equal(mkdirat(intake_of(env), name, 0750), 0);
    (void)snprintf(name, sizeof name, ".taken-%d/delivery.conf", number);
    assert_int_equal(fs_put_new(intake_of(env), name, 0640, "x", 1, NULL), RC_OK);
}

static enum rc count_one(void *ctx, const char *name)
{
    (void)name;
    ++*(size_t *)ctx;
    return RC_OK;
}

static size_t entries(int dirfd)
{
    size_t count = 0;
    assert_int_equal(fs_each(dirfd, 1000, count_one, &count, NULL), RC_OK);
    return count;
}

static void originals_begin__more_than_asked_for__takes_so_many(void **state)
{
    struct stage_env env;
    open_env(state, &env);
    for (int i = 0; i < MANY; i++) {
        make_original(&env, i);
    }
    assert_int_equal(mkdirat(intake_of(&env), "being-taken", 0750), 0);
    assert_int_equal(originals_end(originals_begin(&env, MANY - 4)), MANY - 4);
    assert_int_equal(entries(intake_of(&env)), 5);
    assert_int_equal(originals_end(originals_begin(&env, MANY)), 4);
    assert_int_equal(faccessat(intake_of(&env), "being-taken", F_OK, 0), 0);
    assert_int_equal(originals_end(originals_begin(&env, MANY)), 0);
    assert_int_equal(originals_end(NULL), 0);
    spool_free(env.spool);
}

static void originals_leave__an_earlier_original_lies_there__takes_its_place(void **state)
{
    struct stage_env env;
    open_env(state, &env);
    int inbox = spool_dir(env.spool, SPOOL_INBOX);
    make_original(&env, 1);
    assert_int_equal(mkdirat(inbox, "1", 0750), 0);
    assert_int_equal(originals_leave(&env, "1", "1", NULL), RC_OK);
    assert_int_equal(entries(inbox), 0);
    assert_int_equal(faccessat(intake_of(&env), ".taken-1/delivery.conf", F_OK, 0), -1);
    spool_free(env.spool);
}

static void originals_leave__the_earlier_one_was_just_taken_apart__leaves_its_door(void **state)
{
    struct stage_env env;
    open_env(state, &env);
    int inbox = spool_dir(env.spool, SPOOL_INBOX);
    assert_int_equal(mkdirat(inbox, "1", 0750), 0);
    fault_at(FAULT_RENAME, 1, EEXIST, FAULT_ONCE); /* and then it is gone */
    assert_int_equal(originals_leave(&env, "1", "1", NULL), RC_OK);
    fault_clear();
    assert_int_equal(entries(inbox), 0);
    assert_int_equal(faccessat(intake_of(&env), ".taken-1", F_OK, 0), 0);
    spool_free(env.spool);
}

static void originals_remove__one_of_several__is_gone_alone_and_held(void **state)
{
    struct stage_env env;
    struct originals_held held;
    struct stat status;
    open_env(state, &env);
    make_original(&env, 1);
    make_original(&env, 2);
    assert_int_equal(mkdirat(intake_of(&env), ".taken-1/folder", 0750), 0);
    assert_int_equal(symlinkat("/etc/passwd", intake_of(&env), ".taken-1/link"), 0);
    assert_int_equal(mkdirat(intake_of(&env), "1", 0750), 0);
    assert_int_equal(originals_remove(&env, "1", &held, NULL), RC_OK);
    assert_int_equal(faccessat(intake_of(&env), ".taken-1", F_OK, 0), -1);
    assert_int_equal(entries(intake_of(&env)), 2);
    bool is_file_held = false;
    for (size_t i = 0; i < held.count; i++) {
        assert_int_equal(fstat(held.fds[i], &status), 0);
        assert_int_equal(status.st_nlink, 0);
        is_file_held |= S_ISREG(status.st_mode) && status.st_size == 1;
    }
    assert_true(is_file_held);
    int fd = held.fds[0];
    originals_held_release(&held);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(originals_remove(&env, "1", &held, NULL), RC_OK);
    assert_int_equal(held.count, 0);
    spool_free(env.spool);
}

static void originals_remove__a_package__is_gone_and_held(void **state)
{
    struct stage_env env;
    struct originals_held held;
    struct stat status;
    open_env(state, &env);
    assert_int_equal(fs_put_new(intake_of(&env), ".taken-1", 0640, "zip", 3, NULL), RC_OK);
    assert_int_equal(originals_remove(&env, "1", &held, NULL), RC_OK);
    assert_int_equal(entries(intake_of(&env)), 0);
    assert_int_equal(held.count, 1);
    assert_int_equal(fstat(held.fds[0], &status), 0);
    assert_int_equal(status.st_size, 3);
    originals_held_release(&held);
    spool_free(env.spool);
}

static void originals_remove__more_files_than_are_held__all_are_gone(void **state)
{
    struct stage_env env;
    struct originals_held held;
    open_env(state, &env);
    make_original(&env, 1);
    for (int i = 0; i < ORIGINALS_HELD_MAX + 5; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, ".taken-1/%d", i);
        assert_int_equal(mknodat(intake_of(&env), name, S_IFREG | 0640, 0), 0);
    }
    assert_int_equal(originals_remove(&env, "1", &held, NULL), RC_OK);
    assert_int_equal(entries(intake_of(&env)), 0);
    assert_int_equal(held.count, ORIGINALS_HELD_MAX);
    originals_held_release(&held);
    spool_free(env.spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(originals_begin__more_than_asked_for__takes_so_many,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(
            originals_leave__an_earlier_original_lies_there__takes_its_place, make_folder,
            remove_folder),
        cmocka_unit_test_setup_teardown(
            originals_leave__the_earlier_one_was_just_taken_apart__leaves_its_door, make_folder,
            remove_folder),
        cmocka_unit_test_setup_teardown(originals_remove__one_of_several__is_gone_alone_and_held,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(originals_remove__a_package__is_gone_and_held, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(originals_remove__more_files_than_are_held__all_are_gone,
                                        make_folder, remove_folder),
    };
    return cmocka_run_group_tests_name("stage/originals", tests, NULL, NULL);
}
