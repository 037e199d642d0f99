/*
 * mapping: a file's bytes as memory, also where the file is gone under it.
 */
#include "support.h"

#include "sys/mapping.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { PAGE = 4096, PAGES = 64 };

static int file_of_pages(void)
{
    char page[PAGE];
    int fd = open("/tmp", O_RDWR | O_TMPFILE, 0600);
    assert_true(fd >= 0);
    for (int i = 0; i < PAGES; i++) {
        memset(page, 'a' + i % 26, sizeof page);
        assert_int_equal(write(fd, page, sizeof page), sizeof page);
    }
    return fd;
}

static void mapping__bytes__are_the_files(void **state)
{
    (void)state;
    int fd = file_of_pages();
    struct mapping *mapping = NULL;
    assert_int_equal(mapping_open(fd, (size_t)PAGE * PAGES - 10, &mapping, NULL), RC_OK);
    close(fd);
    const char *bytes = mapping_bytes(mapping);
    for (int i = 0; i < PAGES; i++) {
        assert_int_equal(bytes[i * PAGE], 'a' + i % 26);
    }
    mapping_forget(mapping);
    assert_int_equal(bytes[3 * PAGE], 'd');
    assert_false(mapping_is_broken(mapping));
    mapping_free(mapping);
}

static void mapping__file_that_became_shorter__is_broken_and_zeros(void **state)
{
    (void)state;
    int fd = file_of_pages();
    struct mapping *mapping = NULL;
    struct mapping *other = NULL;
    assert_int_equal(mapping_open(fd, (size_t)PAGE * PAGES, &mapping, NULL), RC_OK);
    int whole = file_of_pages();
    assert_int_equal(mapping_open(whole, (size_t)PAGE * PAGES, &other, NULL), RC_OK);
    assert_int_equal(ftruncate(fd, (off_t)2 * PAGE), 0);
    const volatile char *bytes = mapping_bytes(mapping);
    assert_int_equal(bytes[PAGE], 'b');
    assert_false(mapping_is_broken(mapping));
    assert_int_equal(bytes[2 * PAGE + 17], 0);
    assert_int_equal(bytes[PAGES * PAGE - 1], 0);
    assert_true(mapping_is_broken(mapping));
    assert_int_equal(bytes[0], 'a');
    assert_false(mapping_is_broken(other));
    mapping_free(mapping);
    mapping_free(other);
    close(fd);
    close(whole);
}

static void mapping__bus_error_elsewhere__ends_the_process(void **state)
{
    (void)state;
    int fd = file_of_pages();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct mapping *mapping = NULL;
        if (mapping_open(fd, PAGE, &mapping, NULL) != RC_OK) {
            _exit(1);
        }
        const volatile char *own = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
        (void)!ftruncate(fd, 0);
        _exit(own[0] == 'a' ? 2 : 3);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGBUS);
    close(fd);
}

static void mapping_open__what_cannot_be_mapped__says_why(void **state)
{
    (void)state;
    struct mapping *mappings[MAPPINGS_MAX + 1] = {NULL};
    struct err err = {""};
    int fd = file_of_pages();
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(mapping_open(pipes[0], PAGE, &mappings[0], &err), RC_IO);
    assert_non_null(strstr(err.text, "cannot be mapped"));
    for (int i = 0; i < MAPPINGS_MAX; i++) {
        assert_int_equal(mapping_open(fd, PAGE, &mappings[i], &err), RC_OK);
    }
    assert_int_equal(mapping_open(fd, PAGE, &mappings[MAPPINGS_MAX], &err), RC_RANGE);
    mapping_free(mappings[3]);
    mappings[3] = NULL;
    assert_int_equal(mapping_open(fd, PAGE, &mappings[3], &err), RC_OK);
    for (int i = 0; i <= MAPPINGS_MAX; i++) {
        mapping_free(mappings[i]);
    }
    close(pipes[0]);
    close(pipes[1]);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mapping__bytes__are_the_files),
        cmocka_unit_test(mapping__file_that_became_shorter__is_broken_and_zeros),
        cmocka_unit_test(mapping__bus_error_elsewhere__ends_the_process),
        cmocka_unit_test(mapping_open__what_cannot_be_mapped__says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
