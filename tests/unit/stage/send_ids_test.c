/*
 * send_ids_test - what was added is found, and what was not is not
 */
#include "unit/sys/support.h"

#include "stage/send_ids.h"

static struct slice name(char out[32], unsigned int n)
{
    int len = snprintf(out, 32, "m-%u", n);
    return (struct slice){out, (size_t)len};
}

static void assert_has(const struct send_ids *ids, unsigned int from, unsigned int to)
{
    char text[32];
    for (unsigned int n = from; n <= to; n++) {
        assert_int_equal(send_ids_find(ids, name(text, n)), (uint64_t)n * 30);
    }
    for (unsigned int n = to + 1; n <= to + 20000; n++) {
        assert_int_equal(send_ids_find(ids, name(text, n)), 0);
    }
}

static void send_ids__more_than_expected__all_are_found_and_no_others(void **state)
{
    (void)state;
    struct send_ids *ids = NULL;
    char text[32];
    assert_int_equal(send_ids_open(10, &ids, NULL), RC_OK);
    assert_int_equal(send_ids_find(ids, SLICE_LITERAL("m-1")), 0);
    for (unsigned int n = 1; n <= 100000; n++) {
        send_ids_add(ids, name(text, n), (uint64_t)n * 30);
    }
    assert_int_equal(send_ids_ok(ids, NULL), RC_OK);
    assert_int_equal(send_ids_count(ids), 100000);
    assert_has(ids, 1, 100000);
    send_ids_free(ids);
}

static void send_ids_add__the_same_id_again__the_later_one_counts(void **state)
{
    (void)state;
    struct send_ids *ids = NULL;
    assert_int_equal(send_ids_open(0, &ids, NULL), RC_OK);
    send_ids_add(ids, SLICE_LITERAL("a"), 1);
    send_ids_add(ids, SLICE_LITERAL("b"), SEND_IDS_AT_MAX);
    send_ids_add(ids, SLICE_LITERAL("a"), UINT64_C(0x123456789A));
    send_ids_add(ids, SLICE_LITERAL("c"), SEND_IDS_AT_MAX + 1); /* no room for such an offset */
    assert_int_equal(send_ids_count(ids), 2);
    assert_int_equal(send_ids_find(ids, SLICE_LITERAL("a")), UINT64_C(0x123456789A));
    assert_int_equal(send_ids_find(ids, SLICE_LITERAL("b")), SEND_IDS_AT_MAX);
    assert_int_equal(send_ids_find(ids, SLICE_LITERAL("c")), 0);
    send_ids_free(ids);
    send_ids_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(send_ids__more_than_expected__all_are_found_and_no_others),
        cmocka_unit_test(send_ids_add__the_same_id_again__the_later_one_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
