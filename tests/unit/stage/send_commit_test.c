/*
 * send_commit_test - groups on disk by a thread, and what is recorded meanwhile
 */
#include "unit/delivery/folder.h"

#include "base/instant.h"
#include "stage/send_commit.h"
#include "sys/clock.h"
#include "sys/fault.h"

#include <errno.h>

#define AT (INT64_C(1800000000) * NS_PER_SECOND)
enum { RECIPIENTS = 3 };

struct desk {
    struct folder *folder;
    struct progress_log *log;
    struct bell bell;
    struct send_commit *commit;
};

static int desk_open(void **state)
{
    struct desk *desk = calloc(1, sizeof *desk);
    void *folder = NULL;
    if (desk == NULL || folder_make(&folder) != 0) {
        free(desk);
        return -1;
    }
    desk->folder = folder;
    *state = desk;
    return progress_log_open(desk->folder->fd, RECIPIENTS, AT, NULL, &desk->log, NULL) == RC_OK &&
                   bell_open(&desk->bell, NULL) == RC_OK &&
                   send_commit_open(desk->log, &desk->bell, &desk->commit, NULL) == RC_OK
               ? 0
               : -1;
}

static int desk_close(void **state)
{
    struct desk *desk = *state;
    void *folder = desk->folder;
    fault_clear();
    send_commit_free(desk->commit);
    bell_close(&desk->bell);
    progress_log_free(desk->log);
    free(desk);
    return folder_remove(&folder);
}

static void intends(struct desk *desk, uint32_t number)
{
    const struct progress_record record = {
        .act = PROGRESS_ACT_TRY, .number = number, .at_ns = AT, .text = SLICE_LITERAL("")};
    assert_int_equal(progress_log_add(desk->log, &record, NULL), RC_OK);
}

/* Recipients with an intent on disk */
static uint32_t on_disk(const struct desk *desk)
{
    struct progress_table table;
    assert_int_equal(progress_table_load(desk->folder->fd, &table, NULL), RC_OK);
    uint32_t count = table.counts[PROGRESS_INTENDED];
    progress_table_release(&table);
    return count;
}

static void begins(struct desk *desk)
{
    assert_int_equal(send_commit_begin(desk->commit, NULL), RC_OK);
    assert_true(send_commit_is_begun(desk->commit));
}

static void send_commit_end__what_was_sealed__is_on_disk_and_the_rest_is_not(void **state)
{
    struct desk *desk = *state;
    assert_false(send_commit_is_begun(desk->commit));
    intends(desk, 1);
    begins(desk);
    intends(desk, 2); /* while the other thread writes */
    assert_int_equal(send_commit_end(desk->commit, NULL), RC_OK);
    assert_false(send_commit_is_begun(desk->commit));
    assert_int_equal(on_disk(desk), 1);
    assert_int_equal(progress_log_waiting(desk->log), 1);
    begins(desk);
    while (send_commit_is_busy(desk->commit)) { /* the bell ends each wait */
        bell_wait(&desk->bell, -1, 60000);
    }
    assert_int_equal(on_disk(desk), 2);
    assert_int_equal(send_commit_end(desk->commit, NULL), RC_OK);
}

static void send_commit_end__disk_full_for_a_while__is_on_disk_after_all(void **state)
{
    struct desk *desk = *state;
    intends(desk, 1);
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE);
    begins(desk);
    assert_int_equal(send_commit_end(desk->commit, NULL), RC_OK);
    assert_int_equal(on_disk(desk), 1);
}

static void send_commit_end__sync_fails__says_io_ever_after(void **state)
{
    struct desk *desk = *state;
    struct err err = {""};
    intends(desk, 1);
    fault_at(FAULT_FSYNC, 1, EIO, FAULT_ONCE);
    begins(desk);
    assert_int_equal(send_commit_end(desk->commit, &err), RC_IO);
    assert_non_null(strstr(err.text, "progress"));
    fault_clear();
    assert_int_equal(send_commit_begin(desk->commit, NULL), RC_IO);
    assert_false(send_commit_is_begun(desk->commit));
}

static void send_commit_free__disk_is_full__does_not_wait_for_it(void **state)
{
    struct desk *desk = *state;
    intends(desk, 1);
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_FOREVER);
    begins(desk);
    for (int i = 0; i < 10000 && fault_count(FAULT_WRITE) == 0; i++) {
        clock_pause_ms(1); /* it is at it */
    }
    assert_true(send_commit_is_busy(desk->commit));
    send_commit_free(desk->commit); /* else 5 minutes */
    desk->commit = NULL;
    fault_clear();
    assert_int_equal(on_disk(desk), 0);
}

#define at_desk(test) cmocka_unit_test_setup_teardown(test, desk_open, desk_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        at_desk(send_commit_end__what_was_sealed__is_on_disk_and_the_rest_is_not),
        at_desk(send_commit_end__disk_full_for_a_while__is_on_disk_after_all),
        at_desk(send_commit_end__sync_fails__says_io_ever_after),
        at_desk(send_commit_free__disk_is_full__does_not_wait_for_it),
    };
    return cmocka_run_group_tests_name("stage/send_commit", tests, NULL, NULL);
}
