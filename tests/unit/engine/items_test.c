/* items: the deliveries on their way, by id, and the queues of the engine */
#include "engine/items.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
/* cmocka wants those four before it */
#include <cmocka.h>

static void items_find__after_many_adds__finds_each(void **state)
{
    (void)state;
    struct items *items = NULL;
    struct err err = {{0}};
    assert_int_equal(items_open(&items, &err), RC_OK);
    char id[32];
    for (int i = 0; i < 5000; i++) {
        struct item *item = NULL;
        (void)snprintf(id, sizeof id, "d%d", i);
        assert_int_equal(items_add(items, id, &item, &err), RC_OK);
        item->weight_bytes = (uint64_t)i;
    }
    assert_int_equal(items_count(items), 5000);
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(id, sizeof id, "d%d", i);
        const struct item *item = items_find(items, id);
        assert_non_null(item);
        assert_int_equal(item->weight_bytes, i);
    }
    assert_null(items_find(items, "d5000"));
    items_free(items);
}

static void items_add__twice__reports_exists(void **state)
{
    (void)state;
    struct items *items = NULL;
    struct item *item = NULL;
    struct err err = {{0}};
    assert_int_equal(items_open(&items, &err), RC_OK);
    assert_int_equal(items_add(items, "a", &item, &err), RC_OK);
    assert_int_equal(items_add(items, "a", &item, &err), RC_EXISTS);
    assert_int_equal(items_count(items), 1);
    items_free(items);
}

static void items_remove__one_of_three__leaves_the_others(void **state)
{
    (void)state;
    struct items *items = NULL;
    struct item *item = NULL;
    struct err err = {{0}};
    assert_int_equal(items_open(&items, &err), RC_OK);
    assert_int_equal(items_add(items, "a", &item, &err), RC_OK);
    assert_int_equal(items_add(items, "b", &item, &err), RC_OK);
    assert_int_equal(items_add(items, "c", &item, &err), RC_OK);
    items_remove(items, items_find(items, "b"));
    assert_null(items_find(items, "b"));
    assert_non_null(items_find(items, "a"));
    assert_non_null(items_find(items, "c"));
    assert_int_equal(items_count(items), 2);
    items_free(items);
}

static void queue_take__three_put__comes_in_their_order(void **state)
{
    (void)state;
    struct item a = {.id = "a"};
    struct item b = {.id = "b"};
    struct item_queue queue = {NULL, NULL, 0};
    queue_put(&queue, &a);
    queue_put(&queue, &b);
    assert_int_equal(queue.count, 2);
    assert_ptr_equal(queue_take(&queue), &a);
    assert_ptr_equal(queue_take(&queue), &b);
    assert_null(queue_take(&queue));
    queue_put(&queue, &a);
    assert_ptr_equal(queue_take(&queue), &a);
    assert_int_equal(queue.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_find__after_many_adds__finds_each),
        cmocka_unit_test(items_add__twice__reports_exists),
        cmocka_unit_test(items_remove__one_of_three__leaves_the_others),
        cmocka_unit_test(queue_take__three_put__comes_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
