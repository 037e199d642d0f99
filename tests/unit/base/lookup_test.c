/*
 * lookup_test - a text has the number that it was given last
 */
#include "unit/sys/support.h"

#include "base/lookup.h"

enum { MANY = 5000 };

static void lookup__many_texts__each_has_its_own(void **state)
{
    (void)state;
    static char texts[2 * MANY][16];
    struct lookup *lookup = NULL;
    assert_int_equal(lookup_open(MANY, &lookup, NULL), RC_OK);
    for (uint32_t i = 0; i < 2 * MANY; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "t%u", i);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(lookup_put(lookup, slice_of(texts[i]), i + 1), 0);
    }
    for (uint32_t i = 0; i < 2 * MANY; i++) {
        assert_int_equal(lookup_get(lookup, slice_of(texts[i])), i < MANY ? i + 1 : 0);
    }
    assert_int_equal(lookup_put(lookup, SLICE_LITERAL("t7"), 99), 8);
    assert_int_equal(lookup_get(lookup, SLICE_LITERAL("t7")), 99);
    assert_int_equal(lookup_get(lookup, SLICE_LITERAL("t7\0")), 0);
    assert_int_equal(lookup_get(lookup, SLICE_LITERAL("")), 0);
    lookup_free(lookup);
}

static void lookup_open__none_or_too_many__is_empty_or_refused(void **state)
{
    (void)state;
    struct lookup *lookup = NULL;
    assert_int_equal(lookup_open(0, &lookup, NULL), RC_OK);
    assert_int_equal(lookup_get(lookup, SLICE_LITERAL("a")), 0);
    lookup_free(lookup);
    lookup_free(NULL);
    assert_int_equal(lookup_open((size_t)LOOKUP_MAX + 1, &lookup, NULL), RC_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lookup__many_texts__each_has_its_own),
        cmocka_unit_test(lookup_open__none_or_too_many__is_empty_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
