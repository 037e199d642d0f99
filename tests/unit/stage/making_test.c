/* making: which deliveries are extracted with their count */
#include "stage/making.h"

#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants those before it */
#include <cmocka.h>

#define NOW INT64_C(1795600000000000000)
enum { SMALL_BYTES = 1 << 20 };

static struct order plain_order(void)
{
    return (struct order){.channel = HOUSE_MAIL, .schedule.extract_at = INSTANT_NONE};
}

static void making_is_wanted__nobody_looks_at_it__is(void **state)
{
    (void)state;
    struct order order = plain_order();
    assert_true(making_is_wanted(&order, SMALL_BYTES, NOW));
    order.steps[ORDER_STEP_EXTRACTION].is_on = true; /* that comes after it */
    assert_true(making_is_wanted(&order, 0, NOW));
}

static void making_is_wanted__a_step_before_it_is_on__is_not(void **state)
{
    (void)state;
    static const enum order_step_kind before[] = {ORDER_STEP_TARGET, ORDER_STEP_CONTENT,
                                                  ORDER_STEP_BUDGET};
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        struct order order = plain_order();
        order.steps[before[i]].is_on = true;
        assert_false(making_is_wanted(&order, 1000, NOW));
    }
}

static void making_is_wanted__it_is_confirmed__is_not(void **state)
{
    (void)state;
    struct order order = plain_order();
    order.needs_confirmation = true;
    assert_false(making_is_wanted(&order, 1000, NOW));
}

static void making_is_wanted__its_hour__is_when_it_has_come(void **state)
{
    (void)state;
    struct order order = plain_order();
    order.schedule.extract_at = NOW;
    assert_true(making_is_wanted(&order, 1000, NOW));
    order.schedule.extract_at = NOW + 1;
    assert_false(making_is_wanted(&order, 1000, NOW));
}

static void making_is_wanted__large_or_online__is_not(void **state)
{
    (void)state;
    struct order order = plain_order();
    assert_false(making_is_wanted(&order, SMALL_BYTES + 1, NOW));
    order.channel = HOUSE_EMAIL;
    assert_false(making_is_wanted(&order, 1000, NOW));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(making_is_wanted__nobody_looks_at_it__is),
        cmocka_unit_test(making_is_wanted__a_step_before_it_is_on__is_not),
        cmocka_unit_test(making_is_wanted__it_is_confirmed__is_not),
        cmocka_unit_test(making_is_wanted__its_hour__is_when_it_has_come),
        cmocka_unit_test(making_is_wanted__large_or_online__is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
