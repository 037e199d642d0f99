/*
 * Recipients that are copied as they are read: selected as if the copy had been there before.
 */
#include "case.h"

#include "sys/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

enum { ROWS = 60 * 1000 };

static const char *const DEDUPE_NAME[] = {"name"};

/* Names that stand twice now and then, so that rows are read again from the copy. */
static struct buf some_rows(size_t count)
{
    uint64_t state = 11;
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, "id,name,city\n");
    for (size_t i = 0; i < count; i++) {
        buf_add_format(&text, "K%zu,n%llu,\"Lille, %zu\"\n", i,
                       (unsigned long long)random_below(&state, ROWS * 4), i % 17);
    }
    return text;
}

static struct buf gzip_of(struct slice text)
{
    struct buf packed = BUF_EMPTY;
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, 0), Z_OK);
    assert_true(buf_reserve(&packed, deflateBound(&stream, text.len)));
    stream.next_in = (unsigned char *)(uintptr_t)text.ptr;
    stream.avail_in = (unsigned int)text.len;
    stream.next_out = (unsigned char *)packed.ptr;
    stream.avail_out = (unsigned int)deflateBound(&stream, text.len);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed.len = stream.total_out;
    deflateEnd(&stream);
    return packed;
}

/* The file of small is the copy; what is read is another one, of these bytes. */
static void read_through(struct small *small, struct tee *tee, struct slice bytes)
{
    int in = file_of(bytes.ptr, bytes.len);
    small->fds[3] = in;
    assert_int_equal(tee_open(tee, in, small->fds[0], bytes.len, NULL), RC_OK);
    small->options.tee = tee;
}

static void assert_copy(const struct small *small, struct slice bytes)
{
    char *copy = malloc(bytes.len + 1);
    assert_non_null(copy);
    assert_int_equal(pread(small->fds[0], copy, bytes.len + 1, 0), bytes.len);
    assert_memory_equal(copy, bytes.ptr, bytes.len);
    free(copy);
}

static void copied_as_read__selected_and_delivered_as_from_the_copy(void **state)
{
    (void)state;
    struct buf text = some_rows(ROWS);
    struct buf packed = gzip_of(buf_slice(&text));
    const struct slice files[] = {buf_slice(&text), buf_slice(&packed)};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        for (unsigned threads = 1; threads <= 8; threads *= 8) {
            struct small there;
            struct small read;
            struct tee tee;
            small_init(&there, "");
            assert_int_equal(pwrite(there.fds[0], files[i].ptr, files[i].len, 0), files[i].len);
            small_init(&read, "");
            read_through(&read, &tee, files[i]);
            there.options.dedupe = read.options.dedupe = DEDUPE_NAME;
            there.options.dedupe_count = read.options.dedupe_count = 1;
            there.options.threads = read.options.threads = threads;
            assert_int_equal(small_run(&there), RC_OK);
            assert_int_equal(small_run(&read), RC_OK);
            assert_int_equal(tee.done, files[i].len);
            assert_copy(&read, files[i]);
            assert_true(there.counts.excluded[CAUSE_DUPLICATE] > 100);
            assert_memory_equal(&read.counts, &there.counts, sizeof there.counts);
            assert_int_equal(read.delivered.bytes.len, there.delivered.bytes.len);
            assert_memory_equal(read.delivered.bytes.ptr, there.delivered.bytes.ptr,
                                there.delivered.bytes.len);
            assert_string_equal(buf_text(&read.excluded), buf_text(&there.excluded));
            small_done(&there);
            small_done(&read);
        }
    }
    buf_release(&text);
    buf_release(&packed);
}

static void copied_as_read__a_bad_row_in_the_middle__the_rest_can_be_copied(void **state)
{
    (void)state;
    struct small small;
    struct tee tee;
    struct buf text = some_rows(ROWS / 2);
    buf_add_text(&text, "one,field,too,many\n");
    struct buf more = some_rows(ROWS);
    buf_add_slice(&text, buf_slice(&more));
    small_init(&small, "");
    read_through(&small, &tee, buf_slice(&text));
    assert_int_equal(small_run(&small), RC_PERM);
    assert_contains(small.err.text, "r.csv:30002:");
    assert_true(tee.done < text.len);
    assert_int_equal(tee_finish(&tee, NULL), RC_OK);
    assert_copy(&small, buf_slice(&text));
    small_done(&small);
    buf_release(&text);
    buf_release(&more);
}

static void copied_as_read__a_full_disk__is_told_as_that(void **state)
{
    (void)state;
    struct small small;
    struct tee tee;
    struct buf text = some_rows(ROWS);
    small_init(&small, "");
    read_through(&small, &tee, buf_slice(&text));
    fault_at(FAULT_WRITE, 3, ENOSPC, FAULT_FOREVER);
    enum rc rc = small_run(&small);
    fault_clear();
    assert_int_equal(rc, RC_TEMP);
    assert_contains(small.err.text, "r.csv");
    assert_contains(small.err.text, "No space left");
    small_done(&small);
    buf_release(&text);
}

static void copied_as_read__a_file_that_ends_early__is_read_to_its_end(void **state)
{
    (void)state;
    struct small small;
    struct tee tee;
    struct buf text = some_rows(ROWS);
    small_init(&small, "");
    read_through(&small, &tee, buf_slice(&text));
    assert_int_equal(ftruncate(small.fds[3], (off_t)text.len / 2), 0);
    (void)small_run(&small);
    assert_int_equal(tee.done, text.len / 2);
    small_done(&small);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copied_as_read__selected_and_delivered_as_from_the_copy),
        cmocka_unit_test(copied_as_read__a_bad_row_in_the_middle__the_rest_can_be_copied),
        cmocka_unit_test(copied_as_read__a_full_disk__is_told_as_that),
        cmocka_unit_test(copied_as_read__a_file_that_ends_early__is_read_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
