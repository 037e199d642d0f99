/* share: the rate and the connections of a channel, parted among its senders */
#include "channel/share.h"

#include "sys/shared.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka wants those four before it */
#include <cmocka.h>

#define SECOND_NS INT64_C(1000000000)

static unsigned int taken(struct share *share, unsigned int rate, int64_t from_ns, int64_t to_ns)
{
    unsigned int count = 0;
    for (int64_t now_ns = from_ns; now_ns < to_ns; now_ns += SECOND_NS / 10000) {
        count += share_take(share, rate, now_ns);
    }
    return count;
}

static void share_part__of_senders__is_even_and_never_nothing(void **state)
{
    (void)state;
    static const struct {
        uint32_t senders;
        unsigned int whole, part;
    } rows[] = {{0, 10, 10}, {1, 10, 10}, {2, 10, 5}, {3, 10, 3}, {8, 3, 1}, {2, 1, 1}, {2, 0, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct share share = {.senders = rows[i].senders};
        assert_int_equal(share_part(&share, rows[i].whole), rows[i].part);
    }
}

static void share_take__without_a_rate__is_always_true(void **state)
{
    (void)state;
    struct share share = {0};
    assert_int_equal(taken(&share, 0, SECOND_NS, SECOND_NS + SECOND_NS / 10), 1000);
    assert_int_equal(share_next_ns(&share, 0), 0);
}

static void share_take__for_ten_seconds__is_true_as_often_as_the_rate_says(void **state)
{
    (void)state;
    static const unsigned int rates[] = {1, 7, 100, 1000};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct share share = {0};
        unsigned int count = taken(&share, rates[i], 100 * SECOND_NS, 110 * SECOND_NS);
        unsigned int most = 10 * rates[i] + rates[i] / 20 + 1; /* what a rest lets go at once */
        assert_in_range(count, most - most / 50 - 1, most);
        assert_true(share_next_ns(&share, rates[i]) >= 110 * SECOND_NS - SECOND_NS / rates[i]);
    }
}

static void share_take__after_a_long_rest__lets_no_more_go_at_once(void **state)
{
    (void)state;
    struct share share = {0};
    (void)taken(&share, 100, SECOND_NS, 2 * SECOND_NS);
    unsigned int count = 0;
    while (share_take(&share, 100, 1000 * SECOND_NS)) {
        count++;
    }
    assert_in_range(count, 5, 6);
}

/* Two processes take by the same clock: together no more than one. */
static void share_take__in_two_processes__is_one_rate(void **state)
{
    (void)state;
    struct err err = {{0}};
    void *memory = NULL;
    assert_int_equal(shared_open(sizeof(struct share) + sizeof(unsigned int), &memory, &err),
                     RC_OK);
    struct share *share = memory;
    unsigned int *counted = (unsigned int *)(void *)(share + 1);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        *counted = taken(share, 1000, 10 * SECOND_NS, 12 * SECOND_NS);
        _exit(0);
    }
    unsigned int own = taken(share, 1000, 10 * SECOND_NS, 12 * SECOND_NS);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_in_range(own + *counted, 1000, 2051);
    shared_free(memory, sizeof(struct share) + sizeof(unsigned int));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(share_part__of_senders__is_even_and_never_nothing),
        cmocka_unit_test(share_take__without_a_rate__is_always_true),
        cmocka_unit_test(share_take__for_ten_seconds__is_true_as_often_as_the_rate_says),
        cmocka_unit_test(share_take__after_a_long_rest__lets_no_more_go_at_once),
        cmocka_unit_test(share_take__in_two_processes__is_one_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
