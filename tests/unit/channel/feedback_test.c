/*
 * feedback_test - files of bounces and receipts: whole or not at all
 */
#include "unit/delivery/folder.h"

#include "channel/feedback.h"

static enum rc read_text(const struct folder *folder, struct slice text, struct feedback *out,
                         struct err *err)
{
    folder_put(folder, "f.csv", text, 0600);
    int fd = openat(folder->fd, "f.csv", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    enum rc rc = feedback_read(fd, "f.csv", out, err);
    (void)close(fd);
    return rc;
}

static void feedback_read__every_status__is_taken(void **state)
{
    const struct folder *folder = *state;
    struct feedback feedback = FEEDBACK_EMPTY;
    struct err err = {""};
    static const char text[] = "status,extra,address,key,reason,delivery\r\n"
                               "bounced,x,bob@example.net,,\"550, no\r\nsuch user\",spring\r\n"
                               "complained,,,k-1,,\r\n"
                               "unsubscribed,,al@example.net,k-2,,\r\n"
                               "delivered,,cy@example.net,,,\r\n";
    if (read_text(folder, slice_of(text), &feedback, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(feedback.count, 4);
    for (int i = 0; i < FEEDBACK_STATUSES; i++) {
        assert_int_equal(feedback.counts[i], 1);
        assert_int_equal(feedback.rows[i].status, i);
        assert_int_equal(feedback_quarantines((enum feedback_status)i), i != FEEDBACK_DELIVERED);
    }
    assert_string_equal(feedback.rows[0].address, "bob@example.net");
    assert_string_equal(feedback.rows[0].key, "");
    assert_string_equal(feedback.rows[0].reason, "550, no\r\nsuch user");
    assert_string_equal(feedback.rows[0].delivery, "spring");
    assert_int_equal(feedback.rows[1].line, 4);
    assert_string_equal(feedback.rows[1].key, "k-1");
    assert_string_equal(feedback_status_name(FEEDBACK_UNSUBSCRIBED), "unsubscribed");
    feedback_release(&feedback);
    assert_int_equal(read_text(folder, slice_of("key,status\n"), &feedback, &err), RC_OK);
    assert_int_equal(feedback.count, 0);
    feedback_release(&feedback);
}

static void feedback_read__reference__names_delivery_and_recipient(void **state)
{
    const struct folder *folder = *state;
    struct feedback feedback = FEEDBACK_EMPTY;
    struct err err = {""};
    static const char text[] = "reference,status,key,delivery\n"
                               "spring-2-17,delivered,,\n"
                               "ours-4294967295,delivered,,ours\n"
                               ",delivered,k,ours\n"
                               "not ours,bounced,k,\n";
    if (read_text(folder, slice_of(text), &feedback, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    static const struct {
        const char *delivery;
        uint32_t number;
    } expected[] = {{"spring-2", 17}, {"ours", UINT32_MAX}, {"ours", 0}, {"", 0}};
    assert_int_equal(feedback.count, 4);
    for (size_t i = 0; i < feedback.count; i++) {
        assert_string_equal(feedback.rows[i].delivery, expected[i].delivery);
        assert_int_equal(feedback.rows[i].number, expected[i].number);
    }
    feedback_release(&feedback);
}

static void feedback_read__long_reason__is_cut_between_characters(void **state)
{
    const struct folder *folder = *state;
    struct feedback feedback = FEEDBACK_EMPTY;
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, "key,status,reason\nk,bounced,x");
    for (int i = 0; i < 200; i++) {
        buf_add_text(&text, "\xC3\xA9");
    }
    buf_add_text(&text, "\n");
    assert_int_equal(read_text(folder, buf_slice(&text), &feedback, NULL), RC_OK);
    assert_int_equal(strlen(feedback.rows[0].reason), FEEDBACK_REASON_BYTES_MAX - 1);
    feedback_release(&feedback);
    buf_release(&text);
}

struct bad_row {
    const char *text;
    const char *expected;
};

static void feedback_read__one_bad_line__refuses_the_whole_file_with_line_and_mend(void **state)
{
    const struct folder *folder = *state;
    static const struct bad_row rows[] = {
        {"", "f.csv:1: "},
        {"status\nbounced\n", "f.csv:1: neither a column \"key\" nor \"address\"; add"},
        {"key,state\nk,bounced\n", "f.csv:1: no column \"status\"; did you mean \"state\"?"},
        {"key,status\nk,bounced\nk,Bounced\n", "f.csv:3: status is not bounced, complained"},
        {"key,status\nk,\n", "f.csv:2: status is not bounced"},
        {"key,status\nk,bounced\n,bounced\n", "f.csv:3: neither key nor address; say who"},
        {"key,status\nk,bounced\nk\n", "f.csv:3: not as many fields as the header"},
        {"key,status\nk,bounced\n\"k,bounced\n", "f.csv:3: "},
        {"address,status\n\"a\nb\",bounced\n", "f.csv:2: a key or address that is none"},
        {"key,status,delivery\nk,bounced,../x\n", "f.csv:2: delivery is no id"},
        {"reference,status\na-1,bounced\n", "f.csv:2: neither key nor address; say who"},
        {"reference,status\n,delivered\n", "f.csv:2: neither key nor address; say who"},
        {"reference,status\na-0,delivered\n", "f.csv:2: reference is no id and number like"},
        {"reference,status\na-4294967296,delivered\n", "f.csv:2: reference is no id and number"},
        {"reference,status\na1,delivered\n", "f.csv:2: reference is no id and number"},
        {"reference,status\n../a-1,delivered\n", "f.csv:2: reference is no id and number"},
        {"reference,status\na-1x,delivered\n", "f.csv:2: reference is no id and number"},
        {"reference,delivery,status\na-1,b,delivered\n", "f.csv:2: delivery and reference speak"},
        {"key,status\n\xFF,bounced\n", "f.csv:2: not UTF-8; save the file as UTF-8"},
        {"key,status,key\nk,bounced,k\n", "f.csv:1: "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct feedback feedback = FEEDBACK_EMPTY;
        struct err err = {""};
        enum rc rc = read_text(folder, slice_of(rows[i].text), &feedback, &err);
        if (rc != RC_PERM || strstr(err.text, rows[i].expected) == NULL) {
            fail_msg("row %zu gave %s: %s", i, rc_name(rc), err.text);
        }
        assert_null(feedback.rows);
        assert_int_equal(feedback.count, 0);
    }
}

static void feedback_read__more_rows_or_bytes_than_allowed__is_range(void **state)
{
    const struct folder *folder = *state;
    struct feedback feedback = FEEDBACK_EMPTY;
    struct err err = {""};
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, "key,status\n");
    for (int i = 0; i <= FEEDBACK_ROWS_MAX; i++) {
        buf_add_text(&text, "k,bounced\n");
    }
    assert_int_equal(read_text(folder, buf_slice(&text), &feedback, &err), RC_RANGE);
    assert_non_null(strstr(err.text, "drop it in parts"));
    buf_release(&text);
    int fd = openat(folder->fd, "big.csv", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)FEEDBACK_BYTES_MAX + 1), 0);
    assert_int_equal(feedback_read(fd, "big.csv", &feedback, &err), RC_RANGE);
    (void)close(fd);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(feedback_read__every_status__is_taken),
        in_folder(feedback_read__reference__names_delivery_and_recipient),
        in_folder(feedback_read__long_reason__is_cut_between_characters),
        in_folder(feedback_read__one_bad_line__refuses_the_whole_file_with_line_and_mend),
        in_folder(feedback_read__more_rows_or_bytes_than_allowed__is_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
