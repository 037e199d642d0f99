/*
 * results_test - progress beside the list, as counts and as CSV
 */
#include "unit/delivery/folder.h"

#include "base/instant.h"
#include "channel/recipients.h"
#include "cli/results.h"

#define AT (INT64_C(1800000000) * NS_PER_SECOND)
#define STAMP "2027-01-15T08:00:00Z"

static enum rc keep(void *ctx, struct slice text, struct err *err)
{
    (void)err;
    buf_add_slice(ctx, text);
    return RC_OK;
}

static enum rc print(const struct folder *folder, bool is_sending, struct buf *out, struct err *err)
{
    return results_print(folder->fd, "d-1", is_sending, keep, out, err);
}

static void prints(const struct folder *folder, bool is_sending, const char *expected)
{
    struct buf out = BUF_EMPTY;
    struct err err = {""};
    if (print(folder, is_sending, &out, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(buf_text(&out), expected);
    buf_release(&out);
}

static void put_list(const struct folder *folder)
{
    assert_int_equal(mkdirat(folder->fd, "sending", 0750), 0);
    folder_put(
        folder, RECIPIENTS_PATH,
        slice_of("number,key,address,name\n1,a,a@x.example,A\n2,\"b,\"\"2\"\"\",b@x.example,B\n"
                 "3,c,c@x.example,C\n4,d,d@x.example,D\n"),
        0600);
}

static void record(const struct folder *folder)
{
    struct progress_log *log = NULL;
    assert_int_equal(progress_log_open(folder->fd, 4, AT, NULL, &log, NULL), RC_OK);
    static const struct progress_record records[] = {
        {.act = PROGRESS_ACT_TRY, .number = 1, .at_ns = AT},
        {.act = PROGRESS_ACT_TRY, .number = 2, .at_ns = AT},
        {.act = PROGRESS_ACT_TRY, .number = 3, .at_ns = AT},
        {.act = PROGRESS_ACT_SENT, .number = 1, .at_ns = AT, .code = 250},
        {.act = PROGRESS_ACT_PERMANENT, .number = 2, .at_ns = AT, .code = 550},
    };
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        assert_int_equal(progress_log_add(log, &records[i], NULL), RC_OK);
    }
    assert_int_equal(progress_log_commit(log, NULL), RC_OK);
    progress_log_free(log);
}

static void results_print__before_sending_began__the_header_alone(void **state)
{
    const struct folder *folder = *state;
    struct results_counts counts;
    prints(folder, true, "key,reference,verdict,code,time\n");
    assert_int_equal(results_count(folder->fd, true, &counts, NULL), RC_GONE);
    put_list(folder);
    prints(folder, true,
           "key,reference,verdict,code,time\na,d-1-1,unsent,,\n\"b,\"\"2\"\"\",d-1-2,unsent,,\n"
           "c,d-1-3,unsent,,\nd,d-1-4,unsent,,\n");
}

static void results_print__intent_without_a_result__uncertain_once_nobody_is_at_work(void **state)
{
    const struct folder *folder = *state;
    struct results_counts counts;
    put_list(folder);
    record(folder);
    prints(folder, true,
           "key,reference,verdict,code,time\na,d-1-1,sent,250," STAMP "\n"
           "\"b,\"\"2\"\"\",d-1-2,permanent,550," STAMP "\nc,d-1-3,intended,," STAMP "\n"
           "d,d-1-4,unsent,,\n");
    prints(folder, false,
           "key,reference,verdict,code,time\na,d-1-1,sent,250," STAMP "\n"
           "\"b,\"\"2\"\"\",d-1-2,permanent,550," STAMP "\nc,d-1-3,uncertain,," STAMP "\n"
           "d,d-1-4,unsent,,\n");
    assert_int_equal(results_count(folder->fd, false, &counts, NULL), RC_OK);
    assert_int_equal(counts.of, 4);
    assert_int_equal(counts.done, 2);
    assert_int_equal(counts.sent, 1);
    assert_int_equal(counts.failed, 1);
    assert_int_equal(counts.uncertain, 1);
    assert_int_equal(results_count(folder->fd, true, &counts, NULL), RC_OK);
    assert_int_equal(counts.uncertain, 0);
}

static void results_print__receipts__say_what_became_of_who_was_sent_to(void **state)
{
    const struct folder *folder = *state;
    struct progress_log *log = NULL;
    struct results_counts counts;
    put_list(folder);
    record(folder);
    assert_int_equal(progress_receipts_open(folder->fd, &log, NULL), RC_OK);
    const struct progress_record arrived = {
        .act = PROGRESS_ACT_DELIVERED, .number = 1, .at_ns = AT + 60 * NS_PER_SECOND};
    assert_int_equal(progress_log_add(log, &arrived, NULL), RC_OK);
    assert_int_equal(progress_log_commit(log, NULL), RC_OK);
    progress_log_free(log);
    prints(folder, true,
           "key,reference,verdict,code,time\na,d-1-1,delivered,250,2027-01-15T08:01:00Z\n"
           "\"b,\"\"2\"\"\",d-1-2,permanent,550," STAMP "\nc,d-1-3,intended,," STAMP "\n"
           "d,d-1-4,unsent,,\n");
    assert_int_equal(results_count(folder->fd, false, &counts, NULL), RC_OK);
    assert_int_equal(counts.done, 2);
    assert_int_equal(counts.sent, 1);
    assert_int_equal(counts.delivered, 1);
    assert_int_equal(counts.undelivered, 0);
}

static void results_print__list_and_progress_do_not_match__is_corrupt(void **state)
{
    const struct folder *folder = *state;
    struct buf out = BUF_EMPTY;
    struct err err = {""};
    put_list(folder);
    record(folder);
    folder_put(folder, RECIPIENTS_PATH, slice_of("number,key,address\n1,a,a\n"), 0600);
    assert_int_equal(print(folder, true, &out, &err), RC_CORRUPT);
    assert_non_null(strstr(err.text, "progress is about 4 recipients, the list has 1"));
    folder_put(folder, RECIPIENTS_PATH, slice_of("number,key,address\n2,a,a\n"), 0600);
    assert_int_equal(print(folder, true, &out, &err), RC_CORRUPT);
    buf_release(&out);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(results_print__before_sending_began__the_header_alone),
        in_folder(results_print__intent_without_a_result__uncertain_once_nobody_is_at_work),
        in_folder(results_print__receipts__say_what_became_of_who_was_sent_to),
        in_folder(results_print__list_and_progress_do_not_match__is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
