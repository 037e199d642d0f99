/*
 * identity_test - whose file is it, and may such a file be a decision
 */
#include "unit/delivery/folder.h"

#include "base/instant.h"
#include "operator/identity.h"
#include "sys/fault.h"

#include <errno.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { LIMIT = 100 };

/* --- the file as it is --- */

struct stat_row {
    mode_t mode;
    unsigned links;
    long size;
    enum rc rc;
    const char *says;
};

static void identity_check_stat__every_kind__as_in_the_contract(void **unused)
{
    (void)unused;
    static const struct stat_row rows[] = {
        {S_IFREG | 0600, 1, 1, RC_OK, ""},
        {S_IFREG | 0644, 1, LIMIT, RC_OK, ""},
        {S_IFREG | 0444, 1, 1, RC_OK, ""},
        {S_IFREG | 0600, 1, LIMIT + 1, RC_RANGE, "has 101 bytes, 100 are allowed; "},
        {S_IFREG | 0600, 1, INT64_C(8) << 40, RC_RANGE, "100 are allowed"},
        {S_IFREG | 0600, 1, 0, RC_PERM, "it is empty"},
        {S_IFREG | 0620, 1, 1, RC_PERM, "(mode 0620)"},
        {S_IFREG | 0602, 1, 1, RC_PERM, "chmod go-w"},
        {S_IFREG | 0666, 1, 1, RC_PERM, "others than its owner"},
        {S_IFREG | 0600, 2, 1, RC_PERM, "2 names (hard links)"},
        {S_IFREG | 0600, 0, 1, RC_GONE, "removed"},
        {S_IFLNK | 0777, 1, 1, RC_PERM, "not a regular file"},
        {S_IFDIR | 0700, 1, 1, RC_PERM, "not a regular file"},
        {S_IFIFO | 0600, 1, 1, RC_PERM, "not a regular file"},
        {S_IFSOCK | 0600, 1, 1, RC_PERM, "not a regular file"},
        {S_IFCHR | 0600, 1, 1, RC_PERM, "not a regular file"},
        {S_IFBLK | 0600, 1, 1, RC_PERM, "not a regular file"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stat status;
        struct err err = {""};
        memset(&status, 0, sizeof status);
        status.st_mode = rows[i].mode;
        status.st_nlink = rows[i].links;
        status.st_size = rows[i].size;
        enum rc rc = identity_check_stat(&status, "a.conf", LIMIT, &err);
        if (rc != rows[i].rc || strstr(err.text, rows[i].says) == NULL) {
            fail_msg("row %zu: %s '%s'", i, rc_name(rc), err.text);
        }
        assert_true(rc == RC_OK || strncmp(err.text, "a.conf: ", 8) == 0);
    }
}

static enum rc open_name(const struct folder *folder, const char *name, struct err *err)
{
    struct identity identity;
    int fd = -1;
    enum rc rc = identity_open(folder->fd, name, name, LIMIT, &fd, &identity, err);
    assert_int_equal(fd >= 0, rc == RC_OK);
    fs_drop(&fd);
    return rc;
}

static void identity_open__good_file__tells_owner_times_and_size(void **state)
{
    const struct folder *folder = *state;
    struct identity identity;
    struct stat status;
    struct buf bytes = BUF_EMPTY;
    int fd = -1;
    folder_put(folder, "a.conf", slice_of("step = 1;"), 0640);
    assert_int_equal(fstatat(folder->fd, "a.conf", &status, 0), 0);
    assert_int_equal(identity_open(folder->fd, "a.conf", "a.conf", 9, &fd, &identity, NULL), RC_OK);
    assert_null(identity.person);
    assert_int_equal(identity.uid, getuid());
    assert_int_equal(identity.size_bytes, 9);
    assert_int_equal(identity.mtime_ns,
                     status.st_mtim.tv_sec * NS_PER_SECOND + status.st_mtim.tv_nsec);
    assert_int_equal(identity.inode, status.st_ino);
    assert_int_equal(identity_read(fd, "a.conf", &identity, &bytes, NULL), RC_OK);
    assert_string_equal(buf_text(&bytes), "step = 1;");
    buf_release(&bytes);
    fs_drop(&fd);
}

static void identity_open__links_fifos_and_directories__are_refused(void **state)
{
    const struct folder *folder = *state;
    struct err err = {""};
    folder_put(folder, "good", slice_of("x"), 0600);
    assert_int_equal(symlinkat("good", folder->fd, "link"), 0);
    assert_int_equal(open_name(folder, "link", &err), RC_PERM);
    assert_string_equal(err.text, "link: it is a symbolic link; drop the file itself");
    assert_int_equal(symlinkat("/etc/passwd", folder->fd, "out"), 0);
    assert_int_equal(open_name(folder, "out", &err), RC_PERM);
    assert_int_equal(mkfifoat(folder->fd, "fifo", 0600), 0); /* opening it must not wait */
    assert_int_equal(open_name(folder, "fifo", &err), RC_PERM);
    assert_non_null(strstr(err.text, "not a regular file"));
    assert_int_equal(mkdirat(folder->fd, "dir", 0700), 0);
    assert_int_equal(open_name(folder, "dir", &err), RC_PERM);
    assert_int_equal(linkat(folder->fd, "good", folder->fd, "hard", 0), 0);
    assert_int_equal(open_name(folder, "hard", &err), RC_PERM);
    assert_non_null(strstr(err.text, "2 names (hard links)"));
}

static void identity_open__socket__is_refused(void **state)
{
    const struct folder *folder = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct err err = {""};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.90s/sock", folder->path);
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(sock >= 0);
    assert_int_equal(bind(sock, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(open_name(folder, "sock", &err), RC_PERM);
    assert_non_null(strstr(err.text, "not a regular file"));
    assert_int_equal(close(sock), 0);
}

static void identity_open__names_that_lead_elsewhere__are_refused(void **state)
{
    const struct folder *folder = *state;
    static const char *const bad[] = {"", "..", ".", "/etc/passwd", "a/b", "../x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(open_name(folder, bad[i], NULL), RC_PERM);
    }
    assert_int_equal(open_name(folder, "none", NULL), RC_GONE);
}

static void identity_open__too_long_empty_or_writable__are_refused(void **state)
{
    const struct folder *folder = *state;
    folder_put(folder, "long", slice_of("x"), 0600);
    int fd = openat(folder->fd, "long", O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, LIMIT + 1), 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(open_name(folder, "long", NULL), RC_RANGE);
    folder_put(folder, "empty", slice_of(""), 0600);
    assert_int_equal(open_name(folder, "empty", NULL), RC_PERM);
    folder_put(folder, "wide", slice_of("x"), 0660);
    assert_int_equal(open_name(folder, "wide", NULL), RC_PERM);
}

static void identity_open__unreadable__stays_and_is_looked_at_again(void **state)
{
    const struct folder *folder = *state;
    struct err err = {""};
    folder_put(folder, "a", slice_of("x"), 0600);
    fault_at(FAULT_OPEN, 1, EACCES, FAULT_ONCE);
    enum rc rc = open_name(folder, "a", &err);
    fault_clear();
    assert_int_equal(rc, RC_TEMP);
    assert_non_null(strstr(err.text, "may not read it"));
    fault_at(FAULT_OPEN, 1, EMFILE, FAULT_ONCE);
    rc = open_name(folder, "a", &err);
    fault_clear();
    assert_int_equal(rc, RC_TEMP);
}

/* --- read once, look again --- */

typedef void change_fn(const struct folder *folder);

static void grow(const struct folder *folder)
{
    int fd = openat(folder->fd, "a", O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "more", 4), 4);
    assert_int_equal(close(fd), 0);
}

static void shrink(const struct folder *folder)
{
    int fd = openat(folder->fd, "a", O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, 2), 0);
    assert_int_equal(close(fd), 0);
}

static void touch(const struct folder *folder)
{
    const struct timespec times[2] = {{1, 0}, {1, 0}};
    assert_int_equal(utimensat(folder->fd, "a", times, 0), 0);
}

static void take_back(const struct folder *folder)
{
    assert_int_equal(unlinkat(folder->fd, "a", 0), 0);
}

static void identity_read__changed_after_the_look__is_left_for_later(void **state)
{
    const struct folder *folder = *state;
    static const struct {
        change_fn *change;
        enum rc rc;
    } rows[] = {{grow, RC_TEMP}, {shrink, RC_TEMP}, {touch, RC_TEMP}, {take_back, RC_GONE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct identity identity;
        struct buf bytes = BUF_EMPTY;
        int fd = -1;
        folder_put(folder, "a", slice_of("before"), 0600);
        assert_int_equal(identity_open(folder->fd, "a", "a", LIMIT, &fd, &identity, NULL), RC_OK);
        rows[i].change(folder);
        assert_int_equal(identity_read(fd, "a", &identity, &bytes, NULL), rows[i].rc);
        buf_release(&bytes);
        fs_drop(&fd);
    }
}

static void identity_read__disk_error__is_left_for_later(void **state)
{
    const struct folder *folder = *state;
    struct identity identity;
    struct buf bytes = BUF_EMPTY;
    int fd = -1;
    folder_put(folder, "a", slice_of("x"), 0600);
    assert_int_equal(identity_open(folder->fd, "a", "a", LIMIT, &fd, &identity, NULL), RC_OK);
    fault_at(FAULT_READ, 1, EIO, FAULT_ONCE);
    enum rc rc = identity_read(fd, "a", &identity, &bytes, NULL);
    fault_clear();
    assert_int_equal(rc, RC_TEMP);
    buf_release(&bytes);
    fs_drop(&fd);
}

/* --- who --- */

static void identity_of_uid__operator_stranger_and_shared_account(void **unused)
{
    (void)unused;
    const struct passwd *me = getpwuid(getuid());
    char user[USER_NAME_BYTES];
    char mine[USER_NAME_BYTES];
    const struct person *person = NULL;
    struct err err = {""};
    if (me == NULL) {
        print_message("SKIPPED: this uid has no user name\n");
        skip();
    }
    (void)snprintf(mine, sizeof mine, "%s", me->pw_name);
    struct person list[] = {
        {"nobody-in-particular", NULL, NULL, 0, false},
        {"empty", "", NULL, 0, false},
        {"alice", mine, NULL, 0, false},
        {"bob", "no-such-user-here", NULL, 0, false},
    };
    struct people people = {list, 4};
    assert_int_equal(identity_of_uid(getuid(), people, "a.conf", &person, user, NULL), RC_OK);
    assert_ptr_equal(person, &list[2]);
    assert_string_equal(user, mine);
    list[3].user = mine;
    assert_int_equal(identity_of_uid(getuid(), people, "a.conf", &person, user, &err), RC_PERM);
    assert_null(person);
    assert_non_null(strstr(err.text, "several operators (alice, bob)"));
    people.count = 2;
    assert_int_equal(identity_of_uid(getuid(), people, "a.conf", &person, user, &err), RC_PERM);
    assert_non_null(strstr(err.text, "who is no operator"));
    assert_string_equal(user, mine);
}

static void identity_of_uid__uid_without_user__is_refused(void **unused)
{
    (void)unused;
    const uid_t uid = 3999999999U;
    char user[USER_NAME_BYTES] = "x";
    const struct person *person = NULL;
    struct err err = {""};
    static const struct person list[] = {{"ghost", "", NULL, 0, true}};
    assert_int_equal(identity_of_uid(uid, (struct people){list, 1}, "a.conf", &person, user, &err),
                     RC_PERM);
    assert_non_null(strstr(err.text, "uid 3999999999, which is no user"));
    assert_string_equal(user, "");
    assert_null(person);
}

static void identity_check_folder__own_and_other(void **unused)
{
    (void)unused;
    static const struct person alice = {"alice", "alice", NULL, 0, true};
    struct err err = {""};
    assert_int_equal(identity_check_folder(&alice, "alice", "bob/a.conf", NULL), RC_OK);
    assert_int_equal(identity_check_folder(&alice, "bob", "bob/a.conf", &err), RC_PERM);
    assert_non_null(strstr(err.text, "bob/a.conf: it belongs to operator alice"));
}

static void identity_signature__by_name__is_not_available(void **unused)
{
    (void)unused;
    struct err err = {""};
    assert_true(identity_is_signature_name("a.conf.sig"));
    assert_true(identity_is_signature_name("a.sig"));
    assert_false(identity_is_signature_name(".sig"));
    assert_false(identity_is_signature_name("sig"));
    assert_false(identity_is_signature_name(""));
    assert_false(identity_is_signature_name("a.sig.conf"));
    assert_false(identity_is_signature_name("a.SIG"));
    assert_int_equal(identity_refuse_signature("a.conf.sig", &err), RC_PERM);
    assert_non_null(strstr(err.text, "signatures are not available in this version"));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_check_stat__every_kind__as_in_the_contract),
        IN_FOLDER(identity_open__good_file__tells_owner_times_and_size),
        IN_FOLDER(identity_open__links_fifos_and_directories__are_refused),
        IN_FOLDER(identity_open__socket__is_refused),
        IN_FOLDER(identity_open__names_that_lead_elsewhere__are_refused),
        IN_FOLDER(identity_open__too_long_empty_or_writable__are_refused),
        IN_FOLDER(identity_open__unreadable__stays_and_is_looked_at_again),
        IN_FOLDER(identity_read__changed_after_the_look__is_left_for_later),
        IN_FOLDER(identity_read__disk_error__is_left_for_later),
        cmocka_unit_test(identity_of_uid__operator_stranger_and_shared_account),
        cmocka_unit_test(identity_of_uid__uid_without_user__is_refused),
        cmocka_unit_test(identity_check_folder__own_and_other),
        cmocka_unit_test(identity_signature__by_name__is_not_available),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
