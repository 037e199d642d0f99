/* target.json: what the count said is read back as it was written */
#include "stage/target.h"

#include "sys/fs.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
/* cmocka wants those before it */
#include <cmocka.h>

struct folder {
    char path[64];
    int fd;
};

static int make_folder(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    (void)strcpy(folder->path, "/tmp/postroom-target-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY);
    *state = folder;
    return folder->fd < 0;
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;
    (void)unlinkat(folder->fd, "target.json", 0);
    (void)close(folder->fd);
    (void)rmdir(folder->path);
    free(folder);
    return 0;
}

static void target_read__what_was_written__is_the_same(void **state)
{
    const struct folder *folder = *state;
    struct err err = {{0}};
    struct audience_counts counts = {.rows = 20, .records = 15, .seeds = 2};
    counts.excluded[CAUSE_NOT_SELECTED] = 4;
    counts.excluded[CAUSE_OVER_LIMIT] = 1;
    const char *columns[] = {"id", "Straße"};
    const char *warnings[] = {"delivery.conf:3: look here"};
    struct cost_line line = {.category = "postage", .type = "eco", .amount_minor = -1205};
    struct cost_lines costs = {&line, 1, -1205};
    struct buf text = BUF_EMPTY;
    assert_int_equal(
        target_text(&counts, 17, 4711, columns, 2, warnings, 1, &costs, "EUR", &text, &err), RC_OK);
    assert_int_equal(target_put(folder->fd, &text, &err), RC_OK);
    struct target_facts facts;
    assert_int_equal(target_read(folder->fd, &facts, &err), RC_OK);
    assert_int_equal(facts.rows, 20);
    assert_int_equal(facts.records, 15);
    assert_int_equal(facts.seeds, 2);
    assert_int_equal(facts.quantity, 17);
    assert_int_equal(facts.bytes, 4711);
    assert_int_equal(facts.excluded[CAUSE_NOT_SELECTED], 4);
    assert_int_equal(facts.excluded[CAUSE_OVER_LIMIT], 1);
    assert_int_equal(facts.excluded[CAUSE_DUPLICATE], 0);
    assert_int_equal(facts.column_count, 2);
    assert_string_equal(facts.columns[1], "Straße");
    assert_int_equal(facts.warning_count, 1);
    assert_string_equal(facts.warnings[0], warnings[0]);
    assert_string_equal(facts.cost_total, "-12.05");
    assert_string_equal(buf_text(&facts.text), buf_text(&text));
    buf_release(&text);
    target_release(&facts);
}

static void target_read__counted_in_parts__quantity_is_the_parts(void **state)
{
    const struct folder *folder = *state;
    struct audience_counts counts = {.rows = 20, .records = 15, .seeds = 2};
    const char *columns[] = {"id"};
    struct buf text = BUF_EMPTY;
    struct target_facts facts;
    assert_int_equal(target_text(&counts, 40, 4711, columns, 1, NULL, 0, NULL, "EUR", &text, NULL),
                     RC_OK);
    assert_int_equal(target_put(folder->fd, &text, NULL), RC_OK);
    assert_int_equal(target_read(folder->fd, &facts, NULL), RC_OK);
    assert_int_equal(facts.records, 15);
    assert_int_equal(facts.quantity, 40);
    buf_release(&text);
    target_release(&facts);
}

static void target_read__not_counted__reports_gone(void **state)
{
    const struct folder *folder = *state;
    struct target_facts facts;
    assert_int_equal(target_read(folder->fd, &facts, NULL), RC_GONE);
}

static void target_read__damaged__reports_corrupt(void **state)
{
    const struct folder *folder = *state;
    struct target_facts facts;
    assert_int_equal(fs_put_volatile(folder->fd, "target.json", 0640, "[1, 2", 5, NULL), RC_OK);
    assert_int_equal(target_read(folder->fd, &facts, NULL), RC_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(target_read__what_was_written__is_the_same, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(target_read__counted_in_parts__quantity_is_the_parts,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(target_read__not_counted__reports_gone, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(target_read__damaged__reports_corrupt, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
