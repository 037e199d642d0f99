/*
 * tee: what is read is copied, whatever becomes of the file and of the disk meanwhile.
 */
#include "support.h"

#include "sys/fault.h"
#include "sys/tee.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { BYTES = 600 * 1000 + 7 };

/* Two files, and the tee between them, of the first `size` bytes. */
struct pair {
    int in;
    int out;
    char *bytes; /* what in holds: BYTES of them */
    struct tee tee;
};

static int no_name(void)
{
    int fd = open("/tmp", O_RDWR | O_TMPFILE, 0600);
    assert_true(fd >= 0);
    return fd;
}

static struct pair make_pair(size_t size)
{
    struct pair pair = {.in = no_name(), .out = no_name(), .bytes = malloc(BYTES)};
    assert_non_null(pair.bytes);
    for (int i = 0; i < BYTES; i++) {
        pair.bytes[i] = (char)(i * 7 + i / 251);
    }
    assert_int_equal(write(pair.in, pair.bytes, BYTES), BYTES);
    assert_int_equal(tee_open(&pair.tee, pair.in, pair.out, size, NULL), RC_OK);
    return pair;
}

static void release(struct pair *pair)
{
    fault_clear();
    close(pair->in);
    close(pair->out);
    free(pair->bytes);
}

static void assert_copied(const struct pair *pair, size_t len)
{
    char *copy = malloc(BYTES + 1);
    assert_non_null(copy);
    assert_int_equal(pread(pair->out, copy, BYTES + 1, 0), len);
    assert_memory_equal(copy, pair->bytes, len);
    free(copy);
}

static void tee__read_to_its_middle_and_finished__is_copied_whole(void **state)
{
    (void)state;
    struct pair pair = make_pair(BYTES);
    char part[1000];
    size_t got = 0;
    for (size_t at = 0; at < 5 * sizeof part; at += sizeof part) {
        assert_int_equal(tee_read(&pair.tee, part, sizeof part, &got, NULL), RC_OK);
        assert_int_equal(got, sizeof part);
        assert_memory_equal(part, pair.bytes + at, sizeof part);
    }
    assert_copied(&pair, 5 * sizeof part);
    assert_int_equal(tee_finish(&pair.tee, NULL), RC_OK);
    assert_int_equal(pair.tee.done, BYTES);
    assert_copied(&pair, BYTES);
    assert_int_equal(tee_read(&pair.tee, part, sizeof part, &got, NULL), RC_OK);
    assert_int_equal(got, 0);
    release(&pair);
}

static void tee__short_reads_and_writes__are_gone_on_with(void **state)
{
    (void)state;
    struct pair pair = make_pair(BYTES);
    char part[1000];
    size_t got = 0;
    fault_at(FAULT_READ, 1, 0, FAULT_ONCE);
    fault_at(FAULT_WRITE, 1, 0, FAULT_ONCE);
    assert_int_equal(tee_read(&pair.tee, part, sizeof part, &got, NULL), RC_OK);
    assert_int_equal(got, sizeof part);
    fault_at(FAULT_READ, 1, EINTR, FAULT_ONCE);
    assert_int_equal(tee_finish(&pair.tee, NULL), RC_OK);
    assert_copied(&pair, BYTES);
    release(&pair);
}

static void tee__nobody_read__finish_copies_all(void **state)
{
    (void)state;
    struct pair pair = make_pair(BYTES);
    assert_int_equal(tee_finish(&pair.tee, NULL), RC_OK);
    assert_copied(&pair, BYTES);
    assert_int_equal(tee_finish(&pair.tee, NULL), RC_OK);
    assert_copied(&pair, BYTES);
    release(&pair);
}

static void tee__file_that_grew__is_read_as_far_as_it_was(void **state)
{
    (void)state;
    struct pair pair = make_pair(BYTES - 1500);
    char part[1000];
    size_t got = 0;
    assert_int_equal(tee_finish(&pair.tee, NULL), RC_OK);
    assert_int_equal(tee_read(&pair.tee, part, sizeof part, &got, NULL), RC_OK);
    assert_int_equal(got, 0);
    assert_copied(&pair, BYTES - 1500);
    release(&pair);
}

static void tee__file_that_became_shorter__ends_and_says_so(void **state)
{
    (void)state;
    struct pair pair = make_pair(BYTES);
    char part[1000];
    size_t got = 0;
    assert_int_equal(ftruncate(pair.in, 1300), 0);
    assert_int_equal(tee_read(&pair.tee, part, sizeof part, &got, NULL), RC_OK);
    assert_int_equal(tee_read(&pair.tee, part, sizeof part, &got, NULL), RC_OK);
    assert_int_equal(got, 300);
    assert_int_equal(tee_finish(&pair.tee, NULL), RC_OK);
    assert_int_equal(pair.tee.done, 1300);
    assert_copied(&pair, 1300);
    release(&pair);
}

static void tee__full_disk__fails_from_then_on(void **state)
{
    (void)state;
    struct pair pair = make_pair(BYTES);
    char part[1000];
    size_t got = 0;
    fault_at(FAULT_WRITE, 2, ENOSPC, FAULT_ONCE);
    assert_int_equal(tee_read(&pair.tee, part, sizeof part, &got, NULL), RC_OK);
    assert_int_equal(tee_read(&pair.tee, part, sizeof part, &got, NULL), RC_TEMP);
    fault_clear();
    assert_int_equal(tee_read(&pair.tee, part, sizeof part, &got, NULL), RC_TEMP);
    struct err err = {""};
    assert_int_equal(tee_finish(&pair.tee, &err), RC_TEMP);
    assert_non_null(strstr(err.text, "No space left"));
    assert_copied(&pair, sizeof part);
    release(&pair);
}

static void tee__faulty_disk__is_told_and_tried_again(void **state)
{
    (void)state;
    const int numbers[] = {EIO, EACCES, EINVAL};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct pair pair = make_pair(BYTES);
        fault_at(FAULT_READ, 2, numbers[i], FAULT_ONCE);
        assert_int_equal(tee_finish(&pair.tee, NULL), RC_TEMP);
        assert_int_equal(tee_finish(&pair.tee, NULL), RC_TEMP);
        release(&pair);
    }
}

static void tee__pipe__is_refused(void **state)
{
    (void)state;
    int ends[2];
    struct tee tee;
    assert_int_equal(pipe(ends), 0);
    assert_int_not_equal(tee_open(&tee, ends[0], ends[1], 10, NULL), RC_OK);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tee__read_to_its_middle_and_finished__is_copied_whole),
        cmocka_unit_test(tee__short_reads_and_writes__are_gone_on_with),
        cmocka_unit_test(tee__nobody_read__finish_copies_all),
        cmocka_unit_test(tee__file_that_grew__is_read_as_far_as_it_was),
        cmocka_unit_test(tee__file_that_became_shorter__ends_and_says_so),
        cmocka_unit_test(tee__full_disk__fails_from_then_on),
        cmocka_unit_test(tee__faulty_disk__is_told_and_tried_again),
        cmocka_unit_test(tee__pipe__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
