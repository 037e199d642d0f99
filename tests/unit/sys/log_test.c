/*
 * log - a line stays a line; lock, notify, user, progress: the small modules of the room
 */
#include "unit/sys/support.h"

#include "sys/lock.h"
#include "sys/log.h"
#include "sys/notify.h"
#include "sys/progress.h"
#include "sys/user.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static int log_to(struct place *place)
{
    int fd = openat(place->fd, "log", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    log_set_fd(fd);
    return fd;
}

static void log_done(int fd)
{
    log_set_fd(2);
    log_set_level(LOG_LEVEL_INFO);
    (void)close(fd);
}

static void log_event__words_and_keys__one_line(void **state)
{
    struct place *place = *state;
    int fd = log_to(place);
    errno = 7;
    log_event(LOG_LEVEL_INFO, "taken", "spring", "rows=%d file=%s", 3, "a.csv");
    log_event(LOG_LEVEL_ERROR, "stopped", NULL, "%s", "");
    assert_int_equal(errno, 7);
    assert_string_equal(text_of(place->fd, "log"),
                        "info taken spring rows=3 file=a.csv\nerror stopped -\n");
    log_done(fd);
}

static void log_event__hostile_bytes__are_escaped(void **state)
{
    struct place *place = *state;
    int fd = log_to(place);
    log_event(LOG_LEVEL_WARNING, "refused", "a\nerror forged x", "name=\"%s\"",
              "\x1b[31m\xff\xc2\x9b caf\xc3\xa9 \x7f\t");
    assert_string_equal(text_of(place->fd, "log"),
                        "warning refused a\\x0aerror forged x "
                        "name=\"\\x1b[31m\\xff\\xc2\\x9b caf\xc3\xa9 \\x7f\\x09\"\n");
    log_done(fd);
    struct buf buf = BUF_EMPTY;
    log_add_escaped(&buf, SLICE_LITERAL("a\0b"));
    log_add_escaped(&buf, (struct slice){NULL, 0});
    assert_string_equal(buf_text(&buf), "a\\x00b");
    buf_release(&buf);
}

static void log_event__too_long__is_cut_and_ends_in_a_newline(void **state)
{
    struct place *place = *state;
    int fd = log_to(place);
    char text[3 * LOG_LINE_BYTES_MAX];
    memset(text, '\n', sizeof text);
    text[sizeof text - 1] = '\0';
    log_event(LOG_LEVEL_INFO, "long", NULL, "%s", text);
    const char *line = text_of(place->fd, "log");
    assert_int_equal(strlen(line), LOG_LINE_BYTES_MAX);
    assert_int_equal(strchr(line, '\n') - line, LOG_LINE_BYTES_MAX - 1);
    log_done(fd);
}

static void log_set_level__lower_levels_are_dropped(void **state)
{
    struct place *place = *state;
    int fd = log_to(place);
    log_event(LOG_LEVEL_DEBUG, "hidden", NULL, "%s", "");
    log_set_level(LOG_LEVEL_ERROR);
    log_event(LOG_LEVEL_WARNING, "hidden", NULL, "%s", "");
    log_set_level(LOG_LEVEL_DEBUG);
    log_event(LOG_LEVEL_DEBUG, "seen", NULL, "%s", "");
    assert_string_equal(text_of(place->fd, "log"), "debug seen -\n");
    log_done(fd);
}

static void lock_take__held__names_the_holder(void **state)
{
    struct place *place = *state;
    struct err err = {""};
    int first = -1;
    int second = -1;
    pid_t pid = 0;
    assert_int_equal(lock_holder(place->fd, "lock", &pid, NULL), RC_GONE);
    assert_int_equal(lock_take(place->fd, "lock", &first, NULL), RC_OK);
    assert_int_equal(mode_of(place->fd, "lock"), 0640);
    assert_int_equal(lock_take(place->fd, "lock", &second, &err), RC_EXISTS);
    char number[32];
    (void)snprintf(number, sizeof number, "process %ld", (long)getpid());
    assert_non_null(strstr(err.text, number));
    assert_int_equal(lock_holder(place->fd, "lock", &pid, NULL), RC_OK);
    assert_int_equal(pid, getpid());
    fs_drop(&first);
    assert_int_equal(lock_holder(place->fd, "lock", &pid, NULL), RC_GONE);
    assert_int_equal(lock_take(place->fd, "lock", &second, NULL), RC_OK);
    fs_drop(&second);
}

/* A worker that outlives its daemon keeps the lock. */
static void lock_take__inherited_by_a_child__is_held_until_both_are_gone(void **state)
{
    struct place *place = *state;
    int lock = -1;
    int go[2];
    pid_t pid = 0;
    assert_int_equal(pipe(go), 0);
    assert_int_equal(lock_take(place->fd, "lock", &lock, NULL), RC_OK);
    pid_t child = fork();
    if (child == 0) {
        char byte = 0;
        (void)close(go[1]);
        _exit(read(go[0], &byte, 1) == 0 ? 0 : 1);
    }
    fs_drop(&lock);
    assert_int_equal(lock_holder(place->fd, "lock", &pid, NULL), RC_OK);
    assert_int_equal(lock_take(place->fd, "lock", &lock, NULL), RC_EXISTS);
    (void)close(go[1]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(lock_take(place->fd, "lock", &lock, NULL), RC_OK);
    (void)close(go[0]);
    fs_drop(&lock);
}

static void lock_take__no_file_or_full_disk__says_so(void **state)
{
    struct place *place = *state;
    int lock = -1;
    assert_int_equal(symlinkat("elsewhere", place->fd, "link"), 0);
    assert_int_equal(lock_take(place->fd, "link", &lock, NULL), RC_PERM);
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE);
    assert_int_equal(lock_take(place->fd, "lock", &lock, NULL), RC_TEMP);
    fault_clear();
    assert_int_equal(lock_take(place->fd, "lock", &lock, NULL), RC_OK);
    fs_drop(&lock);
}

static void notify_send__socket_of_the_manager__gets_the_datagram(void **state)
{
    struct place *place = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char bytes[64] = "";
    (void)unsetenv("NOTIFY_SOCKET");
    assert_int_equal(notify_send("READY=1", NULL), RC_OK);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/n", place->path);
    (void)setenv("NOTIFY_SOCKET", address.sun_path, 1);
    assert_int_equal(notify_send("READY=1", NULL), RC_GONE);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(notify_send("READY=1", NULL), RC_OK);
    assert_int_equal(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT), 7);
    assert_string_equal(bytes, "READY=1");
    (void)close(fd);
    (void)setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
    assert_int_equal(notify_send("READY=1", NULL), RC_PERM);
    (void)unsetenv("NOTIFY_SOCKET");
}

static void user__names_and_numbers(void **state)
{
    (void)state;
    char name[USER_NAME_BYTES];
    uid_t uid = 1;
    gid_t gid = 1;
    assert_int_equal(user_name(0, name, NULL), RC_OK);
    assert_string_equal(name, "root");
    assert_int_equal(user_uid("root", &uid, NULL), RC_OK);
    assert_int_equal(uid, 0);
    assert_int_equal(group_gid("root", &gid, NULL), RC_OK);
    assert_int_equal(gid, 0);
    assert_int_equal(user_name(3999999999U, name, NULL), RC_GONE);
    assert_int_equal(user_uid("no-such-user-here", &uid, NULL), RC_GONE);
    assert_int_equal(group_gid("no-such-group-here", &gid, NULL), RC_GONE);
}

static void user_may_override__only_with_the_capabilities(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        assert_false(user_may_override());
        return;
    }
    skip_unless(user_may_override(), "root without capabilities");
    pid_t child = fork();
    if (child == 0) {
        _exit(setresuid(65534, 65534, 65534) == 0 && !user_may_override() ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void progress__counters_of_a_child__are_seen(void **state)
{
    (void)state;
    struct progress *progress = NULL;
    assert_int_equal(progress_open(3, &progress, NULL), RC_OK);
    struct progress_cell *cell = progress_cell(progress, 2);
    pid_t child = fork();
    if (child == 0) {
        atomic_store(&cell->done, 7);
        atomic_store(&cell->of, 9);
        atomic_store(&cell->phase, 1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(atomic_load(&cell->done), 7);
    assert_int_equal(atomic_load(&cell->of), 9);
    assert_int_equal(atomic_load(&progress_cell(progress, 1)->done), 0);
    progress_reset(progress, 2);
    assert_int_equal(atomic_load(&cell->done), 0);
    progress_free(progress);
    progress_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_place(log_event__words_and_keys__one_line),
        with_place(log_event__hostile_bytes__are_escaped),
        with_place(log_event__too_long__is_cut_and_ends_in_a_newline),
        with_place(log_set_level__lower_levels_are_dropped),
        with_place(lock_take__held__names_the_holder),
        with_place(lock_take__inherited_by_a_child__is_held_until_both_are_gone),
        with_place(lock_take__no_file_or_full_disk__says_so),
        with_place(notify_send__socket_of_the_manager__gets_the_datagram),
        cmocka_unit_test(user__names_and_numbers),
        cmocka_unit_test(user_may_override__only_with_the_capabilities),
        cmocka_unit_test(progress__counters_of_a_child__are_seen),
    };
    return cmocka_run_group_tests_name("sys/log", tests, NULL, NULL);
}
