/*
 * loop - descriptors, directories, timers, signals, children; watches that callbacks take away
 */
#include "unit/sys/support.h"

#include "sys/clock.h"
#include "sys/loop.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int64_t fake_ns;

static int64_t fake_clock(void)
{
    return fake_ns;
}

struct seen {
    struct loop *loop;
    int calls;
    int last;
    int other_fd;
    char names[512];
    uint64_t timer;
};

static void on_fd(void *ctx, int fd, int events)
{
    struct seen *seen = ctx;
    (void)fd;
    seen->calls++;
    seen->last = events;
}

static void loop_watch_fd__readable_and_hung_up__are_told(void **state)
{
    (void)state;
    struct seen seen = {0};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(loop_open(&seen.loop, NULL), RC_OK);
    assert_int_equal(loop_watch_fd(seen.loop, ends[0], LOOP_READ, on_fd, &seen, NULL), RC_OK);
    assert_int_equal(loop_watch_fd(seen.loop, ends[0], LOOP_READ, on_fd, &seen, NULL), RC_EXISTS);
    assert_int_equal(loop_run_once(seen.loop, 0, NULL), RC_OK);
    assert_int_equal(seen.calls, 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(loop_run_once(seen.loop, 1000, NULL), RC_OK);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.last, LOOP_READ);
    (void)close(ends[1]);
    assert_int_equal(loop_run_once(seen.loop, 1000, NULL), RC_OK);
    assert_int_equal(seen.last, LOOP_READ | LOOP_HANGUP);
    loop_unwatch_fd(seen.loop, ends[0]);
    loop_unwatch_fd(seen.loop, 12345);
    assert_int_equal(loop_run_once(seen.loop, 0, NULL), RC_OK);
    assert_int_equal(seen.calls, 2);
    loop_free(seen.loop);
    loop_free(NULL);
    (void)close(ends[0]);
}

static void loop_watch_fd__regular_file__is_refused(void **state)
{
    struct place *place = *state;
    struct loop *loop = NULL;
    assert_int_equal(loop_open(&loop, NULL), RC_OK);
    put_text(place->fd, "a", "x");
    int fd = openat(place->fd, "a", O_RDONLY);
    assert_int_equal(loop_watch_fd(loop, fd, LOOP_READ, on_fd, NULL, NULL), RC_PERM);
    (void)close(fd);
    loop_free(loop);
}

static void take_other_away(void *ctx, int fd, int events)
{
    struct seen *seen = ctx;
    (void)fd;
    (void)events;
    seen->calls++;
    loop_unwatch_fd(seen->loop, seen->other_fd);
    loop_unwatch_fd(seen->loop, fd);
}

/* Both are ready in one round; whichever comes first removes both: the other event must not be
 * delivered. */
static void loop_run_once__callback_removes_another_watch__it_is_not_called(void **state)
{
    (void)state;
    struct seen seen = {0};
    int a[2];
    int b[2];
    assert_int_equal(pipe(a), 0);
    assert_int_equal(pipe(b), 0);
    assert_int_equal(loop_open(&seen.loop, NULL), RC_OK);
    struct seen first = {.loop = seen.loop, .other_fd = b[0]};
    struct seen second = {.loop = seen.loop, .other_fd = a[0]};
    assert_int_equal(loop_watch_fd(seen.loop, a[0], LOOP_READ, take_other_away, &first, NULL),
                     RC_OK);
    assert_int_equal(loop_watch_fd(seen.loop, b[0], LOOP_READ, take_other_away, &second, NULL),
                     RC_OK);
    assert_int_equal(write(a[1], "x", 1), 1);
    assert_int_equal(write(b[1], "x", 1), 1);
    assert_int_equal(loop_run_once(seen.loop, 1000, NULL), RC_OK);
    assert_int_equal(first.calls + second.calls, 1);
    loop_free(seen.loop);
    for (int i = 0; i < 2; i++) {
        (void)close(a[i]);
        (void)close(b[i]);
    }
}

static void on_change(void *ctx, const struct loop_change *change)
{
    static const char *const kinds[] = {"changed", "created", "moved", "gone", "overflow"};
    struct seen *seen = ctx;
    size_t used = strlen(seen->names);
    seen->calls++;
    (void)snprintf(seen->names + used, sizeof seen->names - used, "%s:%s ", kinds[change->kind],
                   change->name);
}

static void loop_watch_dir__create_move_remove__are_told_apart(void **state)
{
    struct place *place = *state;
    struct seen seen = {0};
    int watch = -1;
    int dirfd = -1;
    assert_int_equal(mkdirat(place->fd, "door", 0700), 0);
    /* A door that may not be listed by this user comes as O_PATH. */
    assert_int_equal(fs_open_beneath(place->fd, "door", O_PATH | O_DIRECTORY, &dirfd, NULL), RC_OK);
    assert_int_equal(loop_open(&seen.loop, NULL), RC_OK);
    assert_int_equal(loop_watch_dir(seen.loop, dirfd, on_change, &seen, &watch, NULL), RC_OK);
    int again = -1;
    assert_int_equal(loop_watch_dir(seen.loop, dirfd, on_change, &seen, &again, NULL), RC_EXISTS);
    put_text(place->fd, "out", "x");
    assert_int_equal(renameat(place->fd, "out", dirfd, "in"), 0);
    put_text(dirfd, "new", "");
    assert_int_equal(unlinkat(dirfd, "in", 0), 0);
    assert_int_equal(loop_run_once(seen.loop, 1000, NULL), RC_OK);
    assert_string_equal(seen.names, "moved:in created:new changed:new gone:in ");
    loop_unwatch_dir(seen.loop, watch);
    seen.calls = 0;
    put_text(dirfd, "late", "");
    assert_int_equal(loop_run_once(seen.loop, 0, NULL), RC_OK);
    assert_int_equal(seen.calls, 0);
    loop_free(seen.loop);
    (void)close(dirfd);
}

static void loop_watch_dir__directory_removed__says_look(void **state)
{
    struct place *place = *state;
    struct seen seen = {0};
    int watch = -1;
    int dirfd = -1;
    assert_int_equal(mkdirat(place->fd, "door", 0700), 0);
    assert_int_equal(fs_open_dir(place->fd, "door", &dirfd, NULL), RC_OK);
    assert_int_equal(loop_open(&seen.loop, NULL), RC_OK);
    assert_int_equal(loop_watch_dir(seen.loop, dirfd, on_change, &seen, &watch, NULL), RC_OK);
    (void)close(dirfd);
    assert_int_equal(unlinkat(place->fd, "door", AT_REMOVEDIR), 0);
    assert_int_equal(loop_run_once(seen.loop, 1000, NULL), RC_OK);
    assert_non_null(strstr(seen.names, "overflow:"));
    put_text(place->fd, "file", "");
    int fd = openat(place->fd, "file", O_RDONLY);
    assert_int_equal(loop_watch_dir(seen.loop, fd, on_change, &seen, &watch, NULL), RC_PERM);
    (void)close(fd);
    loop_free(seen.loop);
}

static unsigned long queue_limit(void)
{
    const char *text = text_of(AT_FDCWD, "/proc/sys/fs/inotify/max_queued_events");
    return text == NULL ? 0 : strtoul(text, NULL, 10);
}

static void loop_watch_dir__more_than_the_queue_holds__overflow(void **state)
{
    struct place *place = *state;
    struct seen seen = {0};
    int watch = -1;
    unsigned long limit = queue_limit();
    skip_unless(limit > 0 && limit <= 100000, "inotify queue unknown or too long for a test");
    assert_int_equal(loop_open(&seen.loop, NULL), RC_OK);
    assert_int_equal(loop_watch_dir(seen.loop, place->fd, on_change, &seen, &watch, NULL), RC_OK);
    put_text(place->fd, "a", "");
    put_text(place->fd, "b", "");
    for (unsigned long i = 0; i <= limit; i++) { /* two names, or the kernel joins equal events */
        assert_int_equal(fchmodat(place->fd, i % 2 == 0 ? "a" : "b", 0600, 0), 0);
    }
    bool is_told = false;
    for (int round = 0; round < 1000 && !is_told; round++) {
        seen.names[0] = '\0';
        assert_int_equal(loop_run_once(seen.loop, 0, NULL), RC_OK);
        is_told = strstr(seen.names, "overflow:") != NULL || seen.calls > (int)limit;
    }
    assert_true(is_told);
    loop_free(seen.loop);
}

static void on_time(void *ctx)
{
    struct seen *seen = ctx;
    seen->calls++;
}

static void loop_timer__due_fires_once__cancelled_never(void **state)
{
    (void)state;
    const struct clock_source fake = {fake_clock, fake_clock};
    struct seen seen = {0};
    uint64_t timer = 0;
    clock_replace(&fake);
    fake_ns = 1000;
    assert_int_equal(loop_open(&seen.loop, NULL), RC_OK);
    assert_int_equal(loop_timer(seen.loop, 2000, on_time, &seen, &timer, NULL), RC_OK);
    assert_int_equal(loop_run_once(seen.loop, 0, NULL), RC_OK);
    assert_int_equal(seen.calls, 0);
    fake_ns = 2000;
    /* No limit: a due timer ends the wait at once. */
    assert_int_equal(loop_run_once(seen.loop, -1, NULL), RC_OK);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(loop_timer(seen.loop, 3000, on_time, &seen, &timer, NULL), RC_OK);
    loop_cancel(seen.loop, timer);
    loop_cancel(seen.loop, timer);
    fake_ns = 4000;
    assert_int_equal(loop_run_once(seen.loop, 0, NULL), RC_OK);
    assert_int_equal(seen.calls, 1);
    /* A stale number does not cancel the timer that took the slot. */
    assert_int_equal(loop_timer(seen.loop, 3000, on_time, &seen, NULL, NULL), RC_OK);
    loop_cancel(seen.loop, timer);
    assert_int_equal(loop_run_once(seen.loop, 0, NULL), RC_OK);
    assert_int_equal(seen.calls, 2);
    loop_free(seen.loop);
    clock_replace(NULL);
}

static void loop_timer__table_full__is_a_limit(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct err err = {""};
    assert_int_equal(loop_open(&seen.loop, NULL), RC_OK);
    enum rc rc = RC_OK;
    int count = 0;
    while (rc == RC_OK && count <= LOOP_WATCHES_MAX) {
        rc = loop_timer(seen.loop, INT64_MAX - 1, on_time, &seen, NULL, &err);
        count++;
    }
    assert_int_equal(rc, RC_RANGE);
    assert_int_equal(count, LOOP_WATCHES_MAX); /* one slot is the loop's own */
    loop_free(seen.loop);
}

static void on_signal(void *ctx, int number)
{
    struct seen *seen = ctx;
    seen->calls++;
    seen->last = number;
}

static void loop_signals__come_as_calls(void **state)
{
    (void)state;
    struct seen seen = {0};
    assert_int_equal(loop_open(&seen.loop, NULL), RC_OK);
    assert_int_equal(loop_signals(seen.loop, on_signal, &seen, NULL), RC_OK);
    assert_int_equal(loop_signals(seen.loop, on_signal, &seen, NULL), RC_EXISTS);
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kill(getpid(), numbers[i]), 0);
        assert_int_equal(loop_run_once(seen.loop, 1000, NULL), RC_OK);
        assert_int_equal(seen.last, numbers[i]);
    }
    assert_int_equal(kill(getpid(), SIGPIPE), 0); /* ignored */
    loop_free(seen.loop);
    sigset_t mask;
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &mask), 0);
    assert_false(sigismember(&mask, SIGTERM));
}

static void on_child(void *ctx, pid_t pid, int status)
{
    struct seen *seen = ctx;
    (void)pid;
    seen->calls++;
    seen->last = status;
}

static void loop_child__end_is_told_once_and_reaped(void **state)
{
    (void)state;
    struct seen seen = {0};
    assert_int_equal(loop_open(&seen.loop, NULL), RC_OK);
    for (int how = 0; how < 3; how++) {
        pid_t child = fork();
        if (child == 0) {
            if (how == 1) {
                (void)raise(SIGKILL);
            }
            _exit(3);
        }
        int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
        if (how == 2) {
            assert_int_equal(waitpid(child, NULL, 0), child); /* somebody else reaps it */
        }
        seen.calls = 0;
        assert_int_equal(loop_child(seen.loop, child, pidfd, on_child, &seen, NULL), RC_OK);
        assert_int_equal(loop_run_once(seen.loop, 10000, NULL), RC_OK);
        assert_int_equal(seen.calls, 1);
        if (how == 2) {
            assert_int_equal(seen.last, -1);
        } else if (how == 1) {
            assert_true(WIFSIGNALED(seen.last) && WTERMSIG(seen.last) == SIGKILL);
        } else {
            assert_true(WIFEXITED(seen.last) && WEXITSTATUS(seen.last) == 3);
        }
        assert_int_equal(loop_run_once(seen.loop, 0, NULL), RC_OK);
        assert_int_equal(seen.calls, 1);
        (void)close(pidfd);
    }
    loop_free(seen.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loop_watch_fd__readable_and_hung_up__are_told),
        with_place(loop_watch_fd__regular_file__is_refused),
        cmocka_unit_test(loop_run_once__callback_removes_another_watch__it_is_not_called),
        with_place(loop_watch_dir__create_move_remove__are_told_apart),
        with_place(loop_watch_dir__directory_removed__says_look),
        with_place(loop_watch_dir__more_than_the_queue_holds__overflow),
        cmocka_unit_test(loop_timer__due_fires_once__cancelled_never),
        cmocka_unit_test(loop_timer__table_full__is_a_limit),
        cmocka_unit_test(loop_signals__come_as_calls),
        cmocka_unit_test(loop_child__end_is_told_once_and_reaped),
    };
    return cmocka_run_group_tests_name("sys/loop", tests, NULL, NULL);
}
