/*
 * recipients_test - who was written is who is read, in order and by jumps
 */
#include "unit/delivery/folder.h"

#include "channel/recipients.h"
#include "sys/fault.h"

#include <errno.h>
#include <sys/resource.h>
#include <time.h>

#define COLUMNS 2
static const char *const NAMES[COLUMNS] = {"first_name", "the, \"last\" one"};

/* What row n holds: awkward texts every now and then. */
static void row_of(uint32_t n, char key[64], char address[64], struct slice fields[COLUMNS],
                   char text[256])
{
    static const char *const awkward[] = {
        "",           "a,b", "say \"hi\"", "two\nlines\r\n", "\r", "caf\xC3\xA9 \xF0\x9F\x93\xAE",
        "  blanks  ", "=1+1"};
    (void)snprintf(key, 64, "k-%u", n);
    (void)snprintf(address, 64, "r%u@example.net", n);
    (void)snprintf(text, 256, "%s%u", awkward[n % 8], n % 3 == 0 ? n : 0);
    fields[0] = slice_of(text);
    fields[1] = slice_of(awkward[(n / 8) % 8]);
}

static void recipients_line_read__every_awkward_value__comes_back(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 64; n++) {
        char key[64];
        char address[64];
        char text[256];
        struct slice fields[COLUMNS];
        struct slice got[COLUMNS + 2];
        struct arena arena = ARENA_EMPTY;
        struct buf line = BUF_EMPTY;
        row_of(n, key, address, fields, text);
        recipients_line(slice_of(key), slice_of(address), fields, COLUMNS, &line);
        assert_int_equal(recipients_line_read(buf_slice(&line), COLUMNS, &arena, got, NULL), RC_OK);
        assert_true(slice_equal_text(got[0], key) && slice_equal_text(got[1], address));
        for (size_t i = 0; i < COLUMNS; i++) {
            assert_true(slice_equal(got[i + 2], fields[i]));
        }
        assert_int_equal(recipients_line_read(buf_slice(&line), COLUMNS + 1, &arena,
                                              (struct slice[COLUMNS + 3]){{NULL, 0}}, NULL),
                         RC_CORRUPT);
        assert_int_equal(recipients_line_read(buf_slice(&line), COLUMNS - 1, &arena, got, NULL),
                         RC_CORRUPT);
        buf_release(&line);
        arena_release(&arena);
    }
}

static uint32_t write_list(const struct folder *folder, uint32_t total)
{
    struct recipients_writer *writer = NULL;
    uint32_t written = 0;
    assert_int_equal(recipients_writer_open(folder->fd, NAMES, COLUMNS, &writer, NULL), RC_OK);
    struct buf line = BUF_EMPTY;
    for (uint32_t n = 1; n <= total; n++) {
        char key[64];
        char address[64];
        char text[256];
        struct slice fields[COLUMNS];
        row_of(n, key, address, fields, text);
        buf_clear(&line);
        recipients_line(slice_of(key), slice_of(address), fields, COLUMNS, &line);
        assert_int_equal(recipients_writer_add(writer, buf_slice(&line), NULL), RC_OK);
    }
    assert_int_equal(recipients_writer_end(writer, &written, NULL), RC_OK);
    recipients_writer_free(writer);
    buf_release(&line);
    return written;
}

static int open_fd(const struct folder *folder)
{
    int fd = openat(folder->fd, RECIPIENTS_FILE, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void reads(struct recipients *list, uint32_t n)
{
    char key[64];
    char address[64];
    char text[256];
    struct slice fields[COLUMNS];
    struct recipient got;
    struct err err = {""};
    row_of(n, key, address, fields, text);
    if (recipients_read(list, n, &got, &err) != RC_OK) {
        fail_msg("%u: %s", n, err.text);
    }
    assert_int_equal(got.number, n);
    assert_int_equal(got.count, COLUMNS);
    assert_true(slice_equal_text(got.key, key));
    assert_true(slice_equal_text(got.address, address));
    for (size_t i = 0; i < COLUMNS; i++) {
        assert_true(slice_equal(got.fields[i], fields[i]));
    }
}

static void recipients_read__in_order_and_by_jumps__what_was_written(void **state)
{
    const struct folder *folder = *state;
    enum { TOTAL = 20000 };
    uint64_t seed = 11;
    assert_int_equal(write_list(folder, TOTAL), TOTAL);
    int fd = open_fd(folder);
    struct recipients *list = NULL;
    assert_int_equal(recipients_open(fd, &list, NULL), RC_OK);
    assert_int_equal(recipients_total(list), TOTAL);
    size_t count = 0;
    const char *const *names = recipients_columns(list, &count);
    assert_int_equal(count, COLUMNS);
    assert_string_equal(names[1], NAMES[1]);
    for (uint32_t n = 1; n <= TOTAL; n++) {
        reads(list, n);
    }
    for (int i = 0; i < 2000; i++) {
        reads(list, (uint32_t)(next_random(&seed) % TOTAL) + 1);
    }
    static const uint32_t edges[] = {1, TOTAL, 256, 257, 255, 512, 513, 1, TOTAL - 1, TOTAL};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        reads(list, edges[i]);
    }
    recipients_free(list);
    (void)close(fd);
}

static void recipients_writer__file__is_private_and_readable(void **state)
{
    const struct folder *folder = *state;
    struct stat status;
    (void)write_list(folder, 2);
    assert_int_equal(fstatat(folder->fd, RECIPIENTS_FILE, &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    folder_expect(folder, RECIPIENTS_FILE,
                  slice_of("number,key,address,first_name,\"the, \"\"last\"\" one\"\n"
                           "1,k-1,r1@example.net,\"a,b0\",\n"
                           "2,k-2,r2@example.net,\"say \"\"hi\"\"0\",\n"));
    struct recipients_writer *writer = NULL;
    assert_int_equal(recipients_writer_open(folder->fd, NAMES, COLUMNS, &writer, NULL), RC_EXISTS);
}

static void recipients__nobody__is_an_empty_list(void **state)
{
    const struct folder *folder = *state;
    assert_int_equal(write_list(folder, 0), 0);
    int fd = open_fd(folder);
    struct recipients *list = NULL;
    assert_int_equal(recipients_open(fd, &list, NULL), RC_OK);
    assert_int_equal(recipients_total(list), 0);
    recipients_free(list);
    (void)close(fd);
}

static void recipients_read__rows_longer_than_a_window__are_read(void **state)
{
    const struct folder *folder = *state;
    enum { TOTAL = 5, LONG_BYTES = 1000 * 1000 };
    struct recipients_writer *writer = NULL;
    struct buf line = BUF_EMPTY;
    struct buf text = BUF_EMPTY;
    uint32_t total = 0;
    assert_int_equal(recipients_writer_open(folder->fd, NAMES, 1, &writer, NULL), RC_OK);
    for (uint32_t n = 1; n <= TOTAL; n++) {
        buf_clear(&text);
        while (text.len < LONG_BYTES) {
            buf_add_format(&text, "%u \"\n", n);
        }
        struct slice field = buf_slice(&text);
        buf_clear(&line);
        recipients_line(slice_of("k"), slice_of("a"), &field, 1, &line);
        assert_int_equal(recipients_writer_add(writer, buf_slice(&line), NULL), RC_OK);
    }
    assert_int_equal(recipients_writer_end(writer, &total, NULL), RC_OK);
    recipients_writer_free(writer);
    int fd = open_fd(folder);
    struct recipients *list = NULL;
    assert_int_equal(recipients_open(fd, &list, NULL), RC_OK);
    static const uint32_t order[] = {1, 2, 5, 3, 1, 4};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        struct recipient got;
        char begins[16];
        (void)snprintf(begins, sizeof begins, "%u \"\n", order[i]);
        assert_int_equal(recipients_read(list, order[i], &got, NULL), RC_OK);
        assert_true(got.fields[0].len >= LONG_BYTES);
        assert_memory_equal(got.fields[0].ptr, begins, strlen(begins));
    }
    recipients_free(list);
    (void)close(fd);
    buf_release(&line);
    buf_release(&text);
}

static void recipients_open__damaged__is_corrupt(void **state)
{
    const struct folder *folder = *state;
    static const char *const bad[] = {
        "",
        "key,number,address\n1,a,b\n",
        "number,key\n",
        "number,key,address",
        "number,key,address\n1,a,b\n3,a,b\n",
        "number,key,address\n0,a,b\n",
        "number,key,address\n01,a,b\n",
        "number,key,address\n\"1\",a,b\n",
        "number,key,address\n1,a\n",
        "number,key,address\n1,a,b,c\n",
        "number,key,address\n1,a,b\n2,a,b",
        "number,key,address\n1,a,\"b\n2,a,b\n",
        "number,key,address\n1,a,b\xFF\n",
        "number,key,address\n1,\"a\"x,b\n",
        "number,key,address\n1,a,b\n\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct recipients *list = NULL;
        struct err err = {""};
        folder_put(folder, RECIPIENTS_FILE, slice_of(bad[i]), 0600);
        int fd = open_fd(folder);
        enum rc rc = recipients_open(fd, &list, &err);
        if (rc != RC_CORRUPT) {
            fail_msg("text %zu gave %s", i, rc_name(rc));
        }
        assert_non_null(strstr(err.text, "recipients.csv: row "));
        (void)close(fd);
    }
}

static void recipients_read__changed_while_it_was_open__is_corrupt(void **state)
{
    const struct folder *folder = *state;
    enum { TOTAL = 50000 };
    (void)write_list(folder, TOTAL);
    int fd = open_fd(folder);
    struct recipients *list = NULL;
    struct recipient got;
    assert_int_equal(recipients_open(fd, &list, NULL), RC_OK);
    int cut = openat(folder->fd, RECIPIENTS_FILE, O_WRONLY | O_CLOEXEC);
    assert_true(cut >= 0);
    assert_int_equal(ftruncate(cut, 1000000), 0);
    assert_int_equal(close(cut), 0);
    assert_int_equal(recipients_read(list, TOTAL, &got, NULL), RC_CORRUPT);
    reads(list, 1);
    recipients_free(list);
    (void)close(fd);
}

static void recipients_writer__full_disk__is_told(void **state)
{
    const struct folder *folder = *state;
    struct recipients_writer *writer = NULL;
    uint32_t total = 0;
    assert_int_equal(recipients_writer_open(folder->fd, NAMES, COLUMNS, &writer, NULL), RC_OK);
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE);
    assert_int_equal(recipients_writer_end(writer, &total, NULL), RC_TEMP);
    recipients_writer_free(writer);
    assert_int_equal(unlinkat(folder->fd, RECIPIENTS_FILE, 0), 0);
    assert_int_equal(recipients_writer_open(folder->fd, NAMES, COLUMNS, &writer, NULL), RC_OK);
    fault_at(FAULT_CLOSE, 1, EIO, FAULT_ONCE);
    assert_int_equal(recipients_writer_end(writer, &total, NULL), RC_IO);
    recipients_writer_free(writer);
    fault_clear();
}

static void recipients__a_million__in_time_and_flat_memory(void **state)
{
    const struct folder *folder = *state;
    enum { TOTAL = 1000000 };
    struct rusage before;
    struct rusage after;
    (void)write_list(folder, TOTAL);
    int fd = open_fd(folder);
    struct recipients *list = NULL;
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    clock_t begin = clock();
    assert_int_equal(recipients_open(fd, &list, NULL), RC_OK);
    clock_t opened = clock();
    for (uint32_t n = 1; n <= TOTAL; n++) {
        struct recipient got;
        assert_int_equal(recipients_read(list, n, &got, NULL), RC_OK);
    }
    clock_t end = clock();
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    print_message("1,000,000 recipients: opened in %.3f s, read in %.3f s, %ld KiB more\n",
                  (double)(opened - begin) / CLOCKS_PER_SEC,
                  (double)(end - opened) / CLOCKS_PER_SEC, after.ru_maxrss - before.ru_maxrss);
    assert_true(after.ru_maxrss - before.ru_maxrss < 8 * 1024);
    recipients_free(list);
    (void)close(fd);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recipients_line_read__every_awkward_value__comes_back),
        in_folder(recipients__a_million__in_time_and_flat_memory),
        in_folder(recipients_read__in_order_and_by_jumps__what_was_written),
        in_folder(recipients_writer__file__is_private_and_readable),
        in_folder(recipients__nobody__is_an_empty_list),
        in_folder(recipients_read__rows_longer_than_a_window__are_read),
        in_folder(recipients_open__damaged__is_corrupt),
        in_folder(recipients_read__changed_while_it_was_open__is_corrupt),
        in_folder(recipients_writer__full_disk__is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
