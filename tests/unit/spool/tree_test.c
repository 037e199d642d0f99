/*
 * tree - modes, owners, one file system; stages and refusals on it
 */
#include "unit/sys/support.h"

#include "spool/refuse.h"
#include "spool/stage.h"

#include <grp.h>
#include <sys/wait.h>

struct fixture {
    struct place *place;
    struct spool *spool;
    char path[128];
};

static struct fixture open_spool(void **state)
{
    struct fixture fixture = {.place = *state};
    const struct spool_options options = {.group = -1};
    (void)snprintf(fixture.path, sizeof fixture.path, "%s/spool", fixture.place->path);
    struct err err = {""};
    enum rc rc = spool_open(fixture.path, NULL, &options, &fixture.spool, &err);
    if (rc != RC_OK) {
        print_message("%s\n", err.text);
    }
    assert_int_equal(rc, RC_OK);
    return fixture;
}

static void spool_open__nothing_there__makes_every_place_with_its_mode(void **state)
{
    static const struct {
        const char *name;
        unsigned int mode;
    } expected[] = {
        {"spool", 0750},
        {"spool/inbox", 03730},
        {"spool/approved", 03730},
        {"spool/pending", 0750},
        {"spool/extract", 0750},
        {"spool/outbox", 0750},
        {"spool/done", 0750},
        {"spool/outbox/deliveries", 0750},
        {"spool/outbox/routers", 0750},
        {"spool/refused", 0750},
        {"spool/outbox/feedback", 0750},
        {"spool/outbox/messages", 0750},
        {"spool/outbox/receipts", 0750},
        {"spool/ledger", 0750},
        {"spool/quarantine", 0750},
        {"spool/run", 0750},
        {"spool/run/intake", 0750},
    };
    mode_t old = umask(077);
    struct fixture fixture = open_spool(state);
    umask(old);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_int_equal(mode_of(fixture.place->fd, expected[i].name), expected[i].mode);
    }
    for (int i = 0; i < SPOOL_PLACES; i++) {
        assert_true(spool_dir(fixture.spool, (enum spool_place)i) >= 0);
        assert_non_null(spool_place_name((enum spool_place)i));
    }
    assert_string_equal(spool_path(fixture.spool), fixture.path);
    spool_free(fixture.spool);
    spool_free(NULL);
}

static void spool_open__wrong_mode__is_put_right(void **state)
{
    struct fixture fixture = open_spool(state);
    spool_free(fixture.spool);
    assert_int_equal(fchmodat(fixture.place->fd, "spool/inbox", 0777, 0), 0);
    assert_int_equal(fchmodat(fixture.place->fd, "spool/ledger", 0700, 0), 0);
    fixture = open_spool(state);
    assert_int_equal(mode_of(fixture.place->fd, "spool/inbox"), 03730);
    assert_int_equal(mode_of(fixture.place->fd, "spool/ledger"), 0750);
    spool_free(fixture.spool);
}

static void spool_open__no_parent_or_no_directory__says_so(void **state)
{
    struct place *place = *state;
    struct spool *spool = NULL;
    struct err err = {""};
    char path[160];
    const struct spool_options options = {.group = -1};
    (void)snprintf(path, sizeof path, "%s/no/spool", place->path);
    assert_int_equal(spool_open(path, NULL, &options, &spool, &err), RC_GONE);
    (void)snprintf(path, sizeof path, "%s/file", place->path);
    put_text(place->fd, "file", "x");
    assert_int_equal(spool_open(path, NULL, &options, &spool, &err), RC_PERM);
    (void)snprintf(path, sizeof path, "%s/spool", place->path);
    assert_int_equal(mkdirat(place->fd, "spool", 0750), 0);
    assert_int_equal(mkdirat(place->fd, "elsewhere", 0750), 0);
    assert_int_equal(symlinkat("../elsewhere", place->fd, "spool/pending"), 0);
    assert_int_equal(spool_open(path, NULL, &options, &spool, &err), RC_PERM);
    assert_non_null(strstr(err.text, "pending"));
    assert_int_equal(spool_open("/proc/self", NULL, &options, &spool, &err), RC_PERM);
    assert_non_null(strstr(err.text, "file system"));
    assert_null(spool);
}

static void spool_open__disk_full__is_tried_later(void **state)
{
    struct place *place = *state;
    struct spool *spool = NULL;
    const struct spool_options options = {.group = -1};
    char path[160];
    (void)snprintf(path, sizeof path, "%s/spool", place->path);
    int before = open_descriptors();
    unsigned int calls = 0;
    fault_watch();
    for (unsigned int nth = 1; nth <= 16; nth++) {
        fault_at(FAULT_MKDIR, 1, ENOSPC, FAULT_ONCE);
        enum rc rc = spool_open(path, NULL, &options, &spool, NULL);
        calls += rc == RC_TEMP;
        fault_clear();
        spool_free(rc == RC_OK ? spool : NULL);
        fault_at(FAULT_MKDIR, 2, ENOSPC, FAULT_ONCE); /* one more directory each time */
        rc = spool_open(path, NULL, &options, &spool, NULL);
        spool_free(rc == RC_OK ? spool : NULL);
        fault_clear();
    }
    assert_int_equal(calls, 16); /* one for each directory */
    assert_int_equal(spool_open(path, NULL, &options, &spool, NULL), RC_OK);
    spool_free(spool);
    assert_int_equal(open_descriptors(), before);
}

static void spool_open__another_owner__is_refused(void **state)
{
    struct place *place = *state;
    skip_unless(geteuid() == 0, "not root: cannot give directories away");
    struct fixture fixture = open_spool(state);
    spool_free(fixture.spool);
    struct spool *spool = NULL;
    struct err err = {""};
    const struct spool_options options = {.group = -1};
    assert_int_equal(fchownat(place->fd, "spool/done", 65534, 65534, 0), 0);
    assert_int_equal(spool_open(fixture.path, NULL, &options, &spool, &err), RC_PERM);
    assert_non_null(strstr(err.text, "done belongs to uid 65534"));
}

static void spool_open__group_given__doors_belong_to_it(void **state)
{
    struct place *place = *state;
    skip_unless(geteuid() == 0, "not root: cannot choose a group");
    struct spool *spool = NULL;
    char path[160];
    struct stat status;
    const struct spool_options options = {.group = 12345};
    (void)snprintf(path, sizeof path, "%s/spool", place->path);
    assert_int_equal(spool_open(path, NULL, &options, &spool, NULL), RC_OK);
    assert_int_equal(fstatat(place->fd, "spool/inbox", &status, 0), 0);
    assert_int_equal(status.st_gid, 12345);
    assert_int_equal(status.st_mode & 07777, 03730);
    spool_free(spool);
    /* A user who is no member cannot. */
    pid_t child = fork();
    if (child == 0) {
        const struct spool_options other = {.group = 54321};
        (void)!fchownat(place->fd, "spool", 65534, -1U, 0);
        (void)!chmod(place->path, 0755);
        _exit(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0 &&
                      spool_open(path, NULL, &other, &spool, NULL) == RC_PERM
                  ? 0
                  : 1);
    }
    int code = 1;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
}

static void spool_open__routers_elsewhere__same_file_system_only(void **state)
{
    struct place *place = *state;
    struct spool *spool = NULL;
    struct err err = {""};
    char path[160];
    char routers[160];
    const struct spool_options options = {.group = -1};
    (void)snprintf(path, sizeof path, "%s/spool", place->path);
    (void)snprintf(routers, sizeof routers, "%s/sftp", place->path);
    assert_int_equal(spool_open(path, routers, &options, &spool, NULL), RC_OK);
    assert_false(fs_exists(place->fd, "spool/outbox/routers"));
    struct spool_router router = SPOOL_ROUTER_NONE;
    assert_int_equal(spool_router(spool, "nord", -1, &router, NULL), RC_OK);
    assert_int_equal(mode_of(place->fd, "sftp/nord/pickup"), 0750);
    assert_int_equal(mode_of(place->fd, "sftp/nord/returns"), 03770);
    assert_int_equal(mode_of(place->fd, "sftp/nord/answers"), 0750);
    spool_router_release(&router);
    assert_int_equal(router.pickup, -1);
    spool_free(spool);
    struct stat here;
    struct stat shm;
    skip_unless(stat("/dev/shm", &shm) == 0 && fstat(place->fd, &here) == 0 &&
                    here.st_dev != shm.st_dev && access("/dev/shm", W_OK) == 0,
                "no second file system at /dev/shm");
    (void)snprintf(routers, sizeof routers, "/dev/shm/postroom-unit-%ld", (long)getpid());
    enum rc rc = spool_open(path, routers, &options, &spool, &err);
    (void)rmdir(routers);
    assert_int_equal(rc, RC_PERM);
    assert_non_null(strstr(err.text, "another file system"));
}

/* sshd wants root to own PROVIDER/; the daemon is somebody else. */
static void spool_router__top_owned_by_root__is_taken_as_it_is(void **state)
{
    struct place *place = *state;
    skip_unless(geteuid() == 0, "not root: cannot give directories away");
    char path[160];
    (void)snprintf(path, sizeof path, "%s/spool", place->path);
    assert_int_equal(chmod(place->path, 0755), 0);
    assert_int_equal(mkdirat(place->fd, "spool", 0750), 0);
    assert_int_equal(fchownat(place->fd, "spool", 65534, 65534, 0), 0);
    pid_t child = fork();
    if (child == 0) {
        struct spool *spool = NULL;
        struct spool_router router = SPOOL_ROUTER_NONE;
        const struct spool_options options = {.group = -1};
        _exit(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0 &&
                      spool_open(path, NULL, &options, &spool, NULL) == RC_OK &&
                      spool_router(spool, "nord", -1, &router, NULL) == RC_OK
                  ? 0
                  : 1);
    }
    int code = 1;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    assert_int_equal(fchownat(place->fd, "spool/outbox/routers/nord", 0, 0, 0), 0);
    assert_int_equal(fchmodat(place->fd, "spool/outbox/routers/nord", 0755, 0), 0);
    for (int is_shut = 0; is_shut <= 1; is_shut++) {
        if (is_shut) {
            assert_int_equal(fchownat(place->fd, "spool/outbox/routers/nord/pickup", 0, 0, 0), 0);
        }
        child = fork();
        if (child == 0) {
            struct spool *spool = NULL;
            struct spool_router router = SPOOL_ROUTER_NONE;
            const struct spool_options options = {.group = -1};
            bool is_ready = setresgid(65534, 65534, 65534) == 0 &&
                            setresuid(65534, 65534, 65534) == 0 &&
                            spool_open(path, NULL, &options, &spool, NULL) == RC_OK;
            enum rc rc = is_ready ? spool_router(spool, "nord", -1, &router, NULL) : RC_IO;
            _exit(rc == (is_shut ? RC_PERM : RC_OK) ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &code, 0), child);
        assert_int_equal(code, 0);
    }
    assert_int_equal(mode_of(place->fd, "spool/outbox/routers/nord"), 0755);
}

static void spool_feedback__doors_of_channels(void **state)
{
    struct fixture fixture = open_spool(state);
    int fd = -1;
    assert_int_equal(spool_feedback(fixture.spool, "email", &fd, NULL), RC_OK);
    fs_drop(&fd);
    assert_int_equal(spool_messages(fixture.spool, "email", &fd, NULL), RC_OK);
    fs_drop(&fd);
    assert_int_equal(mode_of(fixture.place->fd, "spool/outbox/feedback/email"), 03730);
    assert_int_equal(mode_of(fixture.place->fd, "spool/outbox/messages/email"), 0750);
    spool_free(fixture.spool);
}

static void spool_open__read_only__makes_nothing(void **state)
{
    struct place *place = *state;
    struct spool *spool = NULL;
    char path[160];
    const struct spool_options options = {.group = -1, .is_read_only = true};
    (void)snprintf(path, sizeof path, "%s/spool", place->path);
    assert_int_equal(spool_open(path, NULL, &options, &spool, NULL), RC_GONE);
    assert_int_equal(mkdirat(place->fd, "spool", 0750), 0);
    assert_int_equal(mkdirat(place->fd, "spool/pending", 0750), 0);
    assert_int_equal(spool_open(path, "/no/routers/here", &options, &spool, NULL), RC_OK);
    assert_true(spool_dir(spool, SPOOL_PENDING) >= 0);
    assert_int_equal(spool_dir(spool, SPOOL_INBOX), -1);
    assert_int_equal(spool_dir(spool, SPOOL_DELIVERIES), -1);
    struct spool_router router = SPOOL_ROUTER_NONE;
    assert_int_equal(spool_router(spool, "nord", -1, &router, NULL), RC_GONE);
    enum stage stage = STAGE_DONE;
    assert_int_equal(spool_locate(spool, "x", &stage, NULL), RC_GONE);
    assert_int_equal(spool_scan(spool, STAGE_DONE, NULL, NULL, NULL), RC_GONE);
    int delivery = -1;
    assert_int_equal(spool_open_delivery(spool, STAGE_PENDING, "x", &delivery, NULL), RC_GONE);
    assert_int_equal(names_in(spool_dir(spool, SPOOL_ROOT)), 1);
    spool_free(spool);
}

/* An operator drops into a door that he cannot list. */
static void spool_open__read_only_by_a_member_of_the_group__can_drop(void **state)
{
    struct place *place = *state;
    skip_unless(geteuid() == 0, "not root: cannot become another user");
    struct spool *spool = NULL;
    char path[160];
    const struct spool_options options = {.group = 12345};
    (void)snprintf(path, sizeof path, "%s/spool", place->path);
    assert_int_equal(chmod(place->path, 0755), 0);
    assert_int_equal(spool_open(path, NULL, &options, &spool, NULL), RC_OK);
    pid_t child = fork();
    if (child == 0) {
        const struct spool_options reader = {.group = -1, .is_read_only = true};
        struct spool *mine = NULL;
        bool is_ok =
            setgroups(0, NULL) == 0 && setresgid(12345, 12345, 12345) == 0 &&
            setresuid(65534, 65534, 65534) == 0 &&
            spool_open(path, NULL, &reader, &mine, NULL) == RC_OK &&
            fs_put_volatile(spool_dir(mine, SPOOL_APPROVED), "yes", 0644, "x", 1, NULL) == RC_OK &&
            faccessat(spool_dir(mine, SPOOL_APPROVED), ".", R_OK, AT_EACCESS) != 0;
        _exit(is_ok ? 0 : 1);
    }
    int code = 1;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    struct stat status;
    assert_int_equal(fstatat(place->fd, "spool/approved/yes", &status, 0), 0);
    assert_int_equal(status.st_uid, 65534);
    spool_free(spool);
}

static void spool_clear_intake__twice__is_as_once(void **state)
{
    struct fixture fixture = open_spool(state);
    int intake = spool_dir(fixture.spool, SPOOL_INTAKE);
    assert_int_equal(mkdirat(intake, "half", 0700), 0);
    assert_int_equal(mkdirat(intake, "half/revisions", 0700), 0);
    put_text(intake, "half/recipients.csv", "x");
    put_text(intake, ".tmp", "x");
    assert_int_equal(spool_clear_intake(fixture.spool, NULL), RC_OK);
    assert_int_equal(names_in(intake), 0);
    assert_int_equal(spool_clear_intake(fixture.spool, NULL), RC_OK);
    spool_free(fixture.spool);
}

static void spool_sync__fails__is_io(void **state)
{
    struct fixture fixture = open_spool(state);
    assert_int_equal(spool_sync(fixture.spool, NULL), RC_OK);
    fault_at(FAULT_SYNCFS, 1, EIO, FAULT_ONCE);
    assert_int_equal(spool_sync(fixture.spool, NULL), RC_IO);
    fault_clear();
    spool_free(fixture.spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_place(spool_open__nothing_there__makes_every_place_with_its_mode),
        with_place(spool_open__wrong_mode__is_put_right),
        with_place(spool_open__no_parent_or_no_directory__says_so),
        with_place(spool_open__disk_full__is_tried_later),
        with_place(spool_open__another_owner__is_refused),
        with_place(spool_open__group_given__doors_belong_to_it),
        with_place(spool_open__routers_elsewhere__same_file_system_only),
        with_place(spool_router__top_owned_by_root__is_taken_as_it_is),
        with_place(spool_feedback__doors_of_channels),
        with_place(spool_open__read_only__makes_nothing),
        with_place(spool_open__read_only_by_a_member_of_the_group__can_drop),
        with_place(spool_clear_intake__twice__is_as_once),
        with_place(spool_sync__fails__is_io),
    };
    return cmocka_run_group_tests_name("spool/tree", tests, NULL, NULL);
}
