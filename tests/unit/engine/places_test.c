/* places: who is being sent, and who makes room */
#include "engine/places.h"

#include "sys/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants those four before it */
#include <cmocka.h>

#define LONG_NS (3600 * NS_PER_SECOND)

static struct places *opened(void)
{
    struct places *places = NULL;
    struct err err = {{0}};
    assert_int_equal(places_open(&places, &err), RC_OK);
    return places;
}

static void places_take__as_many_as_the_channel_has__and_no_more(void **state)
{
    (void)state;
    struct places *places = opened();
    assert_true(places_take(places, "a", HOUSE_SMS, 2, 1));
    assert_true(places_take(places, "b", HOUSE_SMS, 2, 2));
    assert_true(places_is_full(places, HOUSE_SMS, 2));
    assert_false(places_take(places, "c", HOUSE_SMS, 2, 3));
    assert_true(places_take(places, "d", HOUSE_EMAIL, 2, 3)); /* another channel */
    assert_true(places_take(places, "e", HOUSE_PUSH, 0, 3));  /* no limit */
    assert_int_equal(places_share(places, HOUSE_SMS)->senders, 2);
    places_leave(places, "a");
    places_leave(places, "a");
    places_leave(places, "nobody");
    assert_int_equal(places_share(places, HOUSE_SMS)->senders, 1);
    assert_true(places_take(places, "c", HOUSE_SMS, 2, 4));
    places_free(places);
}

static void places_next__is_the_longest_of_its_channel__once_its_turn_is_over(void **state)
{
    (void)state;
    struct places *places = opened();
    assert_null(places_next(places, HOUSE_SMS, LONG_NS));
    assert_true(places_take(places, "mail", HOUSE_EMAIL, 2, 1));
    assert_true(places_take(places, "new", HOUSE_SMS, 2, 3));
    assert_true(places_take(places, "old", HOUSE_SMS, 2, 2));
    assert_null(places_next(places, HOUSE_SMS, 10 * NS_PER_SECOND)); /* too early */
    assert_string_equal(places_next(places, HOUSE_SMS, LONG_NS), "old");
    assert_null(places_next(places, HOUSE_SMS, LONG_NS)); /* it was asked */
    assert_null(places_next(places, -1, LONG_NS));
    places_leave(places, "old");
    assert_string_equal(places_next(places, HOUSE_SMS, LONG_NS), "new");
    places_leave(places, "new");
    assert_string_equal(places_next(places, -1, LONG_NS), "mail");
    places_free(places);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_take__as_many_as_the_channel_has__and_no_more),
        cmocka_unit_test(places_next__is_the_longest_of_its_channel__once_its_turn_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
