/*
 * stage, refuse - one rename is the commit; a refused drop is never lost
 */
#include "unit/sys/support.h"

#include "spool/refuse.h"
#include "spool/stage.h"

#include <sys/wait.h>

static struct spool *open_spool(void **state)
{
    struct place *place = *state;
    struct spool *spool = NULL;
    char path[160];
    const struct spool_options options = {.group = -1};
    (void)snprintf(path, sizeof path, "%s/spool", place->path);
    assert_int_equal(spool_open(path, NULL, &options, &spool, NULL), RC_OK);
    return spool;
}

static void make_delivery(const struct spool *spool, enum stage stage, const char *id)
{
    assert_int_equal(mkdirat(stage_dir(spool, stage), id, 0750), 0);
}

static void spool_move__each_result(void **state)
{
    struct spool *spool = open_spool(state);
    enum stage stage = STAGE_DONE;
    make_delivery(spool, STAGE_PENDING, "a");
    assert_int_equal(spool_move(spool, "a", STAGE_PENDING, STAGE_EXTRACT, NULL), RC_OK);
    assert_int_equal(spool_locate(spool, "a", &stage, NULL), RC_OK);
    assert_int_equal(stage, STAGE_EXTRACT);
    assert_int_equal(spool_move(spool, "a", STAGE_PENDING, STAGE_EXTRACT, NULL), RC_GONE);
    make_delivery(spool, STAGE_OUTBOX, "a");
    put_text(stage_dir(spool, STAGE_OUTBOX), "a/file", "x");
    assert_int_equal(spool_move(spool, "a", STAGE_EXTRACT, STAGE_OUTBOX, NULL), RC_EXISTS);
    assert_int_equal(unlinkat(stage_dir(spool, STAGE_OUTBOX), "a/file", 0), 0);
    /* An empty directory is not replaced either. */
    assert_int_equal(spool_move(spool, "a", STAGE_EXTRACT, STAGE_OUTBOX, NULL), RC_EXISTS);
    fault_at(FAULT_RENAME, 1, ENOSPC, FAULT_ONCE);
    assert_int_equal(spool_move(spool, "a", STAGE_EXTRACT, STAGE_DONE, NULL), RC_TEMP);
    fault_at(FAULT_RENAME, 1, EIO, FAULT_ONCE);
    assert_int_equal(spool_move(spool, "a", STAGE_EXTRACT, STAGE_DONE, NULL), RC_IO);
    fault_clear();
    spool_free(spool);
}

static void spool_move_durable__sync_fails__is_io_and_in_one_place(void **state)
{
    struct spool *spool = open_spool(state);
    enum stage stage = STAGE_PENDING;
    make_delivery(spool, STAGE_PENDING, "a");
    fault_watch();
    assert_int_equal(spool_move_durable(spool, "a", STAGE_PENDING, STAGE_EXTRACT, NULL), RC_OK);
    assert_int_equal(fault_count(FAULT_FSYNC), 2);
    fault_at(FAULT_FSYNC, 2, EIO, FAULT_ONCE);
    assert_int_equal(spool_move_durable(spool, "a", STAGE_EXTRACT, STAGE_DONE, NULL), RC_IO);
    fault_clear();
    assert_int_equal(spool_locate(spool, "a", &stage, NULL), RC_OK);
    assert_int_equal(stage, STAGE_DONE);
    spool_free(spool);
}

static void spool_admit__intake_becomes_pending(void **state)
{
    struct spool *spool = open_spool(state);
    enum stage stage = STAGE_DONE;
    assert_int_equal(mkdirat(spool_dir(spool, SPOOL_INTAKE), "17", 0750), 0);
    assert_int_equal(mkdirat(spool_dir(spool, SPOOL_INTAKE), "18", 0750), 0);
    assert_int_equal(spool_admit(spool, "17", "spring", NULL), RC_OK);
    assert_int_equal(spool_locate(spool, "spring", &stage, NULL), RC_OK);
    assert_int_equal(stage, STAGE_PENDING);
    assert_int_equal(spool_admit(spool, "18", "spring", NULL), RC_EXISTS);
    assert_int_equal(spool_admit(spool, "19", "summer", NULL), RC_GONE);
    spool_free(spool);
}

static void spool_locate__in_two_stages__is_corrupt(void **state)
{
    struct spool *spool = open_spool(state);
    struct err err = {""};
    enum stage stage = STAGE_DONE;
    make_delivery(spool, STAGE_PENDING, "a");
    make_delivery(spool, STAGE_DONE, "a");
    assert_int_equal(spool_locate(spool, "a", &stage, &err), RC_CORRUPT);
    assert_non_null(strstr(err.text, "pending and in done"));
    assert_int_equal(spool_locate(spool, "b", &stage, NULL), RC_GONE);
    spool_free(spool);
}

/* "May not look" is not "is not there": an id must not look free. */
static void spool_locate__stage_that_cannot_be_searched__is_no_answer(void **state)
{
    struct spool *spool = open_spool(state);
    make_delivery(spool, STAGE_DONE, "a");
    assert_int_equal(fchmod(stage_dir(spool, STAGE_PENDING), 0), 0);
    pid_t child = fork();
    if (child == 0) {
        enum stage stage = STAGE_DONE;
        bool is_ready = geteuid() != 0 || setresuid(65534, 65534, 65534) == 0;
        enum rc rc = is_ready ? spool_locate(spool, "b", &stage, NULL) : RC_OK;
        _exit(rc == RC_PERM ? 0 : 1);
    }
    int code = 1;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    assert_int_equal(fchmod(stage_dir(spool, STAGE_PENDING), 0750), 0);
    spool_free(spool);
}

static enum rc collect(void *ctx, const char *id)
{
    char *seen = ctx;
    (void)strcat(strcat(seen, id), " ");
    return strcmp(id, "stop") == 0 ? RC_STATE : RC_OK;
}

static void spool_scan__ids_in_byte_order(void **state)
{
    struct spool *spool = open_spool(state);
    char seen[256] = "";
    static const char *const names[] = {"b", "a", "A", "10", ".hidden", "with space", "9", "-x"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        make_delivery(spool, STAGE_PENDING, names[i]);
    }
    assert_int_equal(spool_scan(spool, STAGE_PENDING, collect, seen, NULL), RC_OK);
    assert_string_equal(seen, "10 9 A a b ");
    make_delivery(spool, STAGE_PENDING, "stop");
    make_delivery(spool, STAGE_PENDING, "z");
    seen[0] = '\0';
    assert_int_equal(spool_scan(spool, STAGE_PENDING, collect, seen, NULL), RC_STATE);
    assert_string_equal(seen, "10 9 A a b stop ");
    fault_at(FAULT_OPEN, 1, EMFILE, FAULT_ONCE);
    assert_int_equal(spool_scan(spool, STAGE_PENDING, collect, seen, NULL), RC_TEMP);
    fault_clear();
    int fd = -1;
    assert_int_equal(spool_open_delivery(spool, STAGE_PENDING, "z", &fd, NULL), RC_OK);
    fs_drop(&fd);
    put_text(stage_dir(spool, STAGE_PENDING), "file", "");
    assert_int_equal(spool_open_delivery(spool, STAGE_PENDING, "file", &fd, NULL), RC_PERM);
    spool_free(spool);
}

/* ---- refuse ---- */

static void spool_refuse__names_taken__are_numbered(void **state)
{
    struct spool *spool = open_spool(state);
    int door = spool_dir(spool, SPOOL_INBOX);
    int refused = spool_dir(spool, SPOOL_REFUSED);
    struct refusal refusal;
    static const char *const expected[] = {"drop", "drop.2", "drop.3"};
    for (int i = 0; i < 3; i++) {
        char name[64];
        put_text(door, "drop", expected[i]);
        assert_int_equal(spool_refuse(spool, door, "drop", "why; mend", &refusal, NULL), RC_OK);
        assert_string_equal(refusal.name, expected[i]);
        assert_false(refusal.has_stayed);
        assert_string_equal(text_of(refused, expected[i]), expected[i]);
        (void)snprintf(name, sizeof name, "%s.reason", expected[i]);
        assert_string_equal(text_of(refused, name), "why; mend\n");
        assert_int_equal(mode_of(refused, name), 0640);
    }
    assert_int_equal(names_in(door), 0);
    assert_int_equal(spool_refuse(spool, door, "drop", "why", &refusal, NULL), RC_GONE);
    assert_int_equal(names_in(refused), 6); /* nothing written for a drop that is not there */
    spool_free(spool);
}

/* The name of one drop is the name of another one's reason. */
static void spool_refuse__drop_named_like_a_reason__loses_nothing(void **state)
{
    struct spool *spool = open_spool(state);
    int door = spool_dir(spool, SPOOL_INBOX);
    int refused = spool_dir(spool, SPOOL_REFUSED);
    struct refusal refusal;
    put_text(door, "x.reason", "a drop");
    put_text(door, "x", "another");
    assert_int_equal(spool_refuse(spool, door, "x.reason", "r1", &refusal, NULL), RC_OK);
    assert_int_equal(spool_refuse(spool, door, "x", "r2", &refusal, NULL), RC_OK);
    assert_string_equal(refusal.name, "x.2");
    assert_string_equal(text_of(refused, "x.reason"), "a drop");
    assert_string_equal(text_of(refused, "x.2"), "another");
    spool_free(spool);
}

static void spool_refuse__crash_between_reason_and_move__same_name_again(void **state)
{
    struct spool *spool = open_spool(state);
    int door = spool_dir(spool, SPOOL_INBOX);
    int refused = spool_dir(spool, SPOOL_REFUSED);
    struct refusal refusal;
    assert_int_equal(mkdirat(door, "drop", 0700), 0);
    put_text(door, "drop/delivery.conf", "x");
    fault_at(FAULT_RENAME, 2, ENOSPC, FAULT_ONCE); /* the first puts the reason */
    assert_int_equal(spool_refuse(spool, door, "drop", "why", &refusal, NULL), RC_TEMP);
    fault_clear();
    assert_true(fs_exists(refused, "drop.reason"));
    assert_true(fs_exists(door, "drop"));
    assert_int_equal(spool_refuse(spool, door, "drop", "why", &refusal, NULL), RC_OK);
    assert_string_equal(refusal.name, "drop");
    assert_int_equal(names_in(refused), 2);
    assert_string_equal(text_of(refused, "drop/delivery.conf"), "x");
    fault_at(FAULT_RENAME, 1, EIO, FAULT_ONCE);
    put_text(door, "other", "x");
    assert_int_equal(spool_refuse(spool, door, "other", "why", &refusal, NULL), RC_IO);
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE);
    assert_int_equal(spool_refuse(spool, door, "other", "why", &refusal, NULL), RC_TEMP);
    fault_clear();
    assert_true(fs_exists(door, "other"));
    spool_free(spool);
}

static void spool_refuse__hostile_names_and_reasons__are_made_safe(void **state)
{
    struct spool *spool = open_spool(state);
    int door = spool_dir(spool, SPOOL_INBOX);
    int refused = spool_dir(spool, SPOOL_REFUSED);
    struct refusal refusal;
    char longest[256];
    memset(longest, 'n', sizeof longest);
    longest[255] = '\0';
    static const struct {
        const char *name;
        const char *expected;
    } cases[] = {{"-rf", "_rf"},     {"a\nb", "a_b"},
                 {"\xff\xfe", "__"}, {"caf\xc3\xa9 2027", "caf\xc3\xa9 2027"},
                 {".x", "_x"},       {"a\\b", "a_b.2"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_text(door, cases[i].name, "x");
        assert_int_equal(spool_refuse(spool, door, cases[i].name, "r", &refusal, NULL), RC_OK);
        assert_string_equal(refusal.name, cases[i].expected);
        assert_true(fs_exists(refused, cases[i].expected));
    }
    for (int i = 0; i < 2; i++) {
        put_text(door, longest, "x");
        assert_int_equal(spool_refuse(spool, door, longest, "r", &refusal, NULL), RC_OK);
        assert_true(fs_exists(refused, refusal.name));
    }
    put_text(door, "drop", "x");
    assert_int_equal(spool_refuse(spool, door, "drop", "a\x1b[31m\nb\n", &refusal, NULL), RC_OK);
    assert_string_equal(text_of(refused, "drop.reason"), "a\\x1b[31m\nb\n");
    put_text(door, "long", "x");
    char *reason = calloc(1, 50000);
    memset(reason, 'r', 49999);
    assert_int_equal(spool_refuse(spool, door, "long", reason, &refusal, NULL), RC_OK);
    free(reason);
    assert_int_equal(strlen(text_of(refused, "long.reason")), REFUSE_REASON_BYTES_MAX);
    put_text(door, "quiet", "x");
    assert_int_equal(spool_refuse(spool, door, "quiet", "", &refusal, NULL), RC_OK);
    spool_free(spool);
}

static void spool_refuse_reason__again_with_the_same_text__changes_nothing(void **state)
{
    struct spool *spool = open_spool(state);
    int refused = spool_dir(spool, SPOOL_REFUSED);
    struct refusal refusal;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(spool_refuse_reason(spool, "stuck", "why", &refusal, NULL), RC_OK);
        assert_string_equal(refusal.name, "stuck");
        assert_true(refusal.has_stayed);
        assert_int_equal(names_in(refused), 1);
    }
    assert_int_equal(spool_refuse_reason(spool, "stuck", "another", &refusal, NULL), RC_OK);
    assert_string_equal(refusal.name, "stuck.2");
    spool_free(spool);
}

/* Without capabilities a directory of another user cannot be moved to another parent. */
static void spool_refuse__directory_of_another_user__stays_with_its_reason(void **state)
{
    struct place *place = *state;
    skip_unless(geteuid() == 0, "not root: cannot give directories away");
    char path[160];
    (void)snprintf(path, sizeof path, "%s/spool", place->path);
    assert_int_equal(chmod(place->path, 0755), 0);
    assert_int_equal(mkdirat(place->fd, "spool", 0750), 0);
    assert_int_equal(mkdirat(place->fd, "theirs", 0755), 0);
    assert_int_equal(fchownat(place->fd, "theirs", 65533, 65533, 0), 0);
    assert_int_equal(fchownat(place->fd, "spool", 65534, 65534, 0), 0);
    for (int round = 0; round < 2; round++) {
        pid_t child = fork();
        if (child == 0) {
            struct spool *spool = NULL;
            struct refusal refusal = {.has_stayed = false};
            const struct spool_options options = {.group = -1};
            bool is_ready = setresgid(65534, 65534, 65534) == 0 &&
                            setresuid(65534, 65534, 65534) == 0 &&
                            spool_open(path, NULL, &options, &spool, NULL) == RC_OK;
            if (round == 0) {
                _exit(is_ready ? 0 : 1);
            }
            is_ready = is_ready &&
                       spool_refuse(spool, spool_dir(spool, SPOOL_INBOX), "theirs", "why", &refusal,
                                    NULL) == RC_OK &&
                       refusal.has_stayed;
            _exit(is_ready ? 0 : 1);
        }
        int code = 1;
        assert_int_equal(waitpid(child, &code, 0), child);
        assert_int_equal(code, 0);
        if (round == 0) {
            assert_int_equal(renameat(place->fd, "theirs", place->fd, "spool/inbox/theirs"), 0);
        }
    }
    assert_true(fs_exists(place->fd, "spool/inbox/theirs"));
    assert_string_equal(text_of(place->fd, "spool/refused/theirs.reason"), "why\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_place(spool_move__each_result),
        with_place(spool_move_durable__sync_fails__is_io_and_in_one_place),
        with_place(spool_admit__intake_becomes_pending),
        with_place(spool_locate__in_two_stages__is_corrupt),
        with_place(spool_locate__stage_that_cannot_be_searched__is_no_answer),
        with_place(spool_scan__ids_in_byte_order),
        with_place(spool_refuse__names_taken__are_numbered),
        with_place(spool_refuse__drop_named_like_a_reason__loses_nothing),
        with_place(spool_refuse__crash_between_reason_and_move__same_name_again),
        with_place(spool_refuse__hostile_names_and_reasons__are_made_safe),
        with_place(spool_refuse_reason__again_with_the_same_text__changes_nothing),
        with_place(spool_refuse__directory_of_another_user__stays_with_its_reason),
    };
    return cmocka_run_group_tests_name("spool/stage", tests, NULL, NULL);
}
