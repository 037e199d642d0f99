/*
 * order: one after the other in the same memory, whatever the one before needed.
 */
#include "support.h"

#include "audience/order.h"

#include <fcntl.h>

enum { CHUNK_ITEMS = 2100, MEMORY_BYTES = 8 << 20 };

struct seen {
    size_t count;
    char last[16];
    uint64_t last_sequence;
};

static enum rc look(void *ctx, uint64_t sequence, struct slice payload, struct err *err)
{
    struct seen *seen = ctx;
    char key[16] = "";
    (void)err;
    memcpy(key, payload.ptr, 8);
    int order = strcmp(seen->last, key);
    assert_true(order < 0 || (order == 0 && seen->last_sequence < sequence) || seen->count == 0);
    memcpy(seen->last, key, sizeof key);
    seen->last_sequence = sequence;
    seen->count++;
    return RC_OK;
}

/* So many items, of keys by chance or in order, and payloads of so many bytes. */
static void fill_and_walk(struct order *order, size_t count, size_t payload_bytes, bool is_shuffled)
{
    struct order_chunk chunk = {.bytes = BUF_EMPTY};
    struct seen seen = {.count = 0};
    char payload[64] = "";
    uint64_t state = 5;

    for (size_t i = 0; i < count;) {
        size_t here = 0;
        for (; here < CHUNK_ITEMS && i < count; here++, i++) {
            size_t number = is_shuffled ? (size_t)random_below(&state, 1000) : i;
            (void)snprintf(payload, sizeof payload, "%08zu", number);
            assert_int_equal(order_chunk_add(&chunk, here, (struct slice){payload, 9},
                                             (struct slice){payload, payload_bytes}, NULL),
                             RC_OK);
        }
        assert_int_equal(order_keep_chunk(order, &chunk, i - here, NULL), RC_OK);
    }
    assert_int_equal(order_finish(order, NULL), RC_OK);
    assert_int_equal(order_each(order, look, &seen, NULL), RC_OK);
    assert_int_equal(seen.count, count);
    buf_release(&chunk.bytes);
    order_reset(order);
}

static void order_reset__spilled_then_shuffled_then_more__all_in_order(void **state)
{
    (void)state;
    char folder[128];
    struct order order;
    int dir = open(folder_make(folder, sizeof folder), O_RDONLY | O_DIRECTORY);
    assert_true(dir >= 0);
    order_init(&order, true, MEMORY_BYTES, dir, 1);
    order.slab_bytes = 0;
    fill_and_walk(&order, 70000, 60, false); /* longer than its memory */
    fill_and_walk(&order, 33000, 20, true);  /* references and what they are sorted with swap */
    fill_and_walk(&order, 63000, 20, true);
    fill_and_walk(&order, 100, 20, false);
    fill_and_walk(&order, 70000, 60, true);
    fill_and_walk(&order, 40000, 20, false);
    order_release(&order);
    close(dir);
    folder_remove(folder);
}

/* Runs are written by several threads at once, each its part: more than 64 Ki items are worth it.
 */
static void order_each__runs_of_several_threads__all_in_order(void **state)
{
    enum { ITEMS = 500 * 1000, THREADS = 4 };
    (void)state;
    char folder[128];
    char key[16];
    struct order order;
    struct order_chunk chunk = {.bytes = BUF_EMPTY};
    struct seen seen = {.count = 0};
    uint64_t random = 5;
    int dir = open(folder_make(folder, sizeof folder), O_RDONLY | O_DIRECTORY);
    assert_true(dir >= 0);
    order_init(&order, true, (size_t)3 * MEMORY_BYTES, dir, THREADS);
    for (size_t i = 0; i < ITEMS;) {
        size_t here = 0;
        for (; here < CHUNK_ITEMS && i < ITEMS; here++, i++) {
            (void)snprintf(key, sizeof key, "%08zu", (size_t)random_below(&random, 30000));
            assert_int_equal(
                order_chunk_add(&chunk, here, (struct slice){key, 9}, (struct slice){key, 9}, NULL),
                RC_OK);
        }
        assert_int_equal(order_take_chunk(&order, &chunk, i - here, NULL), RC_OK);
    }
    assert_int_equal(order_finish(&order, NULL), RC_OK);
    bool has_others = false;
    for (size_t i = 0; i < order.runs_count; i++) {
        has_others |= order.runs[i].file > 0;
    }
    assert_true(has_others);
    assert_int_equal(order_each(&order, look, &seen, NULL), RC_OK);
    assert_int_equal(seen.count, ITEMS);
    buf_release(&chunk.bytes);
    order_release(&order);
    close(dir);
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_reset__spilled_then_shuffled_then_more__all_in_order),
        cmocka_unit_test(order_each__runs_of_several_threads__all_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
