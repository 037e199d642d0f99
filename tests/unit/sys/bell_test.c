/*
 * bell_test - rings are kept, and end a wait from another thread
 */
#include "unit/sys/support.h"

#include "sys/bell.h"
#include "sys/clock.h"

#include <pthread.h>
#include <sys/resource.h>

enum { LONG_MS = 60000 /* a wait that nothing ends fails the test by its time */ };

static struct bell opened(void)
{
    struct bell bell = BELL_NONE;
    assert_int_equal(bell_open(&bell, NULL), RC_OK);
    return bell;
}

static int64_t waited_ns(const struct bell *bell, int other_fd, int timeout_ms)
{
    int64_t from_ns = clock_monotonic_ns();
    bell_wait(bell, other_fd, timeout_ms);
    return clock_monotonic_ns() - from_ns;
}

static void bell_wait__rung_before__ends_at_once_and_is_silent_then(void **state)
{
    struct bell bell = opened();
    (void)state;
    bell_ring(&bell);
    bell_ring(&bell);
    assert_true(waited_ns(&bell, -1, LONG_MS) < LONG_MS * INT64_C(500000));
    assert_true(waited_ns(&bell, -1, 20) >= 19000000);
    bell_close(&bell);
    assert_int_equal(bell.fd, -1);
}

static void *ring(void *ctx)
{
    bell_ring(ctx);
    return NULL;
}

static void bell_wait__rung_by_a_thread__ends(void **state)
{
    struct bell bell = opened();
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, ring, &bell), 0);
    assert_true(waited_ns(&bell, -1, LONG_MS) < LONG_MS * INT64_C(500000));
    assert_int_equal(pthread_join(thread, NULL), 0);
    bell_close(&bell);
}

static void bell_wait__other_is_readable__ends(void **state)
{
    struct bell bell = opened();
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_true(waited_ns(&bell, ends[0], 20) >= 19000000);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_true(waited_ns(&bell, ends[0], LONG_MS) < LONG_MS * INT64_C(500000));
    (void)close(ends[0]);
    (void)close(ends[1]);
    bell_close(&bell);
}

static void bell_open__no_descriptor__says_temp(void **state)
{
    struct bell bell = BELL_NONE;
    struct rlimit before;
    struct rlimit none = {0, 0};
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum rc rc = bell_open(&bell, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(rc, RC_TEMP);
    bell_close(&bell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bell_wait__rung_before__ends_at_once_and_is_silent_then),
        cmocka_unit_test(bell_wait__rung_by_a_thread__ends),
        cmocka_unit_test(bell_wait__other_is_readable__ends),
        cmocka_unit_test(bell_open__no_descriptor__says_temp),
    };
    return cmocka_run_group_tests_name("sys/bell", tests, NULL, NULL);
}
