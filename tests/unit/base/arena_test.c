/*
 * Arena: aligned, zeroed, apart from each other, gone together.
 */
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"

static void arena_alloc__any_size__is_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 7, 16, 100, 5000, 16 * 1024, 16 * 1024 + 1, 1 << 20, 3};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    struct arena arena = ARENA_EMPTY;
    unsigned char *blocks[COUNT];
    size_t sum = 0;
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = arena_alloc(&arena, sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % alignof(max_align_t), 0);
        for (size_t at = 0; at < sizes[i]; at++) {
            assert_int_equal(blocks[i][at], 0);
        }
        memset(blocks[i], (int)i + 1, sizes[i]);
        sum += sizes[i];
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(blocks[i][0], i + 1);
        assert_int_equal(blocks[i][sizes[i] - 1], i + 1);
    }
    assert_true(arena.used_bytes >= sum);
    arena_release(&arena);
    assert_int_equal(arena.used_bytes, 0);
}

static void arena_alloc__nothing__is_a_valid_pointer(void **state)
{
    (void)state;
    struct arena arena = ARENA_EMPTY;
    void *first = arena_alloc(&arena, 0);
    void *second = arena_alloc(&arena, 0);
    assert_non_null(first);
    assert_ptr_not_equal(first, second);
    arena_release(&arena);
    arena_release(&arena);
    assert_non_null(arena_alloc(&arena, 1));
    arena_release(&arena);
}

static void arena_array__product_too_large__is_null(void **state)
{
    (void)state;
    struct arena arena = ARENA_EMPTY;
    assert_null(arena_array(&arena, SIZE_MAX / 2, 3));
    assert_null(arena_array(&arena, SIZE_MAX, 1));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 8));
    assert_non_null(arena_array(&arena, 0, 8));
    assert_non_null(arena_array(&arena, 10, 8));
    arena_release(&arena);
}

static void arena_text__slice__is_copied_and_terminated(void **state)
{
    (void)state;
    struct arena arena = ARENA_EMPTY;
    char source[] = "abcdef";
    char *copy = arena_text(&arena, (struct slice){source, 3});
    source[0] = 'x';
    assert_string_equal(copy, "abc");
    assert_string_equal(arena_text(&arena, (struct slice){NULL, 0}), "");
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_alloc__any_size__is_zeroed_aligned_and_apart),
        cmocka_unit_test(arena_alloc__nothing__is_a_valid_pointer),
        cmocka_unit_test(arena_array__product_too_large__is_null),
        cmocka_unit_test(arena_text__slice__is_copied_and_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
