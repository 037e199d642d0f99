/*
 * receipts_test - what one session heard goes to the delivery that it is about, whatever stands
 * beside it
 */
#include "unit/delivery/folder.h"

#include "base/instant.h"
#include "delivery/progress.h"
#include "stage/receipts.h"

#include <time.h>

#define AT (INT64_C(1800000000) * NS_PER_SECOND)
#define DAY_NS (24 * 3600 * NS_PER_SECOND)
#define WHEN "2027-01-15T08:01:00Z"

struct desk {
    struct folder *folder;
    struct stage_env env;
};

static int build(void **state)
{
    struct desk *desk = calloc(1, sizeof *desk);
    void *folder = NULL;
    char path[160];
    if (desk == NULL || folder_make(&folder) != 0) {
        return -1;
    }
    desk->folder = folder;
    (void)snprintf(path, sizeof path, "%s/spool", desk->folder->path);
    const struct spool_options options = {.group = -1};
    *state = desk;
    return spool_open(path, NULL, &options, &desk->env.spool, NULL) == RC_OK ? 0 : -1;
}

static int pull_down(void **state)
{
    struct desk *desk = *state;
    void *folder = desk->folder;
    spool_free(desk->env.spool);
    free(desk);
    return folder_remove(&folder);
}

/* --- what lies there --- */

static int open_done(const struct desk *desk, const char *id)
{
    int dirfd = -1;
    assert_int_equal(spool_open_delivery(desk->env.spool, STAGE_DONE, id, &dirfd, NULL), RC_OK);
    return dirfd;
}

/* done/ID: so many recipients that were sent to, whose messages are called PREFIX-1, ... */
static void deliver(const struct desk *desk, const char *id, const char *prefix, uint32_t count)
{
    struct progress_log *log = NULL;
    char ids[40];
    assert_int_equal(fs_make_dir(stage_dir(desk->env.spool, STAGE_DONE), id, 0750, -1, NULL),
                     RC_OK);
    int dirfd = open_done(desk, id);
    assert_int_equal(progress_log_open(dirfd, count, AT, NULL, &log, NULL), RC_OK);
    for (uint32_t n = 1; n <= count; n++) {
        int len = snprintf(ids, sizeof ids, "1 %s-%u", prefix, n);
        const struct progress_record try = {.act = PROGRESS_ACT_TRY, .number = n, .at_ns = AT};
        const struct progress_record sent = {.act = PROGRESS_ACT_SENT,
                                             .number = n,
                                             .at_ns = AT,
                                             .code = 1,
                                             .ids = {ids, (size_t)len}};
        assert_int_equal(progress_log_add(log, &try, NULL), RC_OK);
        assert_int_equal(progress_log_add(log, &sent, NULL), RC_OK);
    }
    assert_int_equal(progress_log_commit(log, NULL), RC_OK);
    progress_log_free(log);
    (void)close(dirfd);
}

/* outbox/receipts/sms/ID with this text, written so many days ago */
static void hear(const struct desk *desk, const char *id, struct slice text, int days)
{
    int fd = -1;
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                      {.tv_sec = time(NULL) - (time_t)days * 24 * 3600}};
    assert_int_equal(receipts_mark(&desk->env, HOUSE_SMS, id, &fd, NULL), RC_OK);
    assert_int_equal(write(fd, text.ptr, text.len), (long)text.len);
    assert_int_equal(futimens(fd, times), 0);
    (void)close(fd);
}

static off_t size_of(const struct desk *desk, const char *id)
{
    struct stat status;
    int dirfd = -1;
    assert_int_equal(spool_receipts(desk->env.spool, "sms", &dirfd, NULL), RC_OK);
    int found = fstatat(dirfd, id, &status, 0);
    (void)close(dirfd);
    return found == 0 ? status.st_size : -1;
}

static void states(const struct desk *desk, const char *id, const char *expected)
{
    struct progress_table table;
    struct buf out = BUF_EMPTY;
    int dirfd = open_done(desk, id);
    assert_int_equal(progress_table_load(dirfd, &table, NULL), RC_OK);
    for (uint32_t i = 0; i < table.total; i++) {
        buf_add_format(&out, "%s ",
                       progress_state_name((enum progress_state)table.entries[i].state));
    }
    assert_string_equal(buf_text(&out), expected);
    buf_release(&out);
    progress_table_release(&table);
    (void)close(dirfd);
}

static struct receipts_taken take(const struct desk *desk, const char *id, bool is_final)
{
    struct receipts_taken taken;
    struct err err = {""};
    if (receipts_take(&desk->env, HOUSE_SMS, id, is_final, &taken, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    return taken;
}

static void assert_taken(struct receipts_taken taken, size_t delivered, size_t undelivered,
                         size_t known, size_t unknown)
{
    assert_int_equal(taken.delivered, delivered);
    assert_int_equal(taken.undelivered, undelivered);
    assert_int_equal(taken.known, known);
    assert_int_equal(taken.unknown, unknown);
    assert_int_equal(taken.gone, 0);
}

/* --- tests --- */

static void receipts_take__of_several_deliveries__each_gets_its_own_once(void **state)
{
    const struct desk *desk = *state;
    deliver(desk, "a", "a", 3);
    deliver(desk, "b", "b", 2);
    hear(desk, "a", SLICE_LITERAL(""), 0);
    hear(desk, "b", SLICE_LITERAL(""), 0);
    static const char text[] =
        WHEN " delivered DELIVRD/000 a-1\n" WHEN " undelivered UNDELIV/1 b-2\n" WHEN
             " delivered DELIVRD/000 a-1\n" WHEN " undelivered EXPIRED/- a-1\n" WHEN
             " undelivered EXPIRED/- a-3\n";
    hear(desk, "c", slice_of(text), 0);
    assert_taken(take(desk, "c", false), 1, 2, 2, 0);
    assert_int_equal(size_of(desk, "c"), 0);
    states(desk, "a", "delivered sent undelivered ");
    states(desk, "b", "sent undelivered ");
    hear(desk, "c", slice_of(text), 0); /* as if a crash had kept the file */
    assert_taken(take(desk, "c", true), 0, 0, 5, 0);
    states(desk, "a", "delivered sent undelivered ");
}

static void receipts_take__unknown_while_others_send__stay_for_another_time(void **state)
{
    const struct desk *desk = *state;
    deliver(desk, "a", "a", 2);
    hear(desk, "a", SLICE_LITERAL(WHEN " delivered DELIVRD/000 a-2\n" WHEN " delivered - b-1\n"),
         0);
    off_t before = size_of(desk, "a");
    assert_taken(take(desk, "a", false), 1, 0, 0, 1);
    assert_int_equal(size_of(desk, "a"), before);
    deliver(desk, "b", "b", 1); /* its results are on disk now */
    hear(desk, "b", SLICE_LITERAL(""), 0);
    assert_taken(take(desk, "a", false), 1, 0, 1, 0);
    assert_int_equal(size_of(desk, "a"), 0);
    states(desk, "b", "delivered ");
    hear(desk, "a", SLICE_LITERAL(WHEN " delivered - nobody\n"), 0);
    assert_taken(take(desk, "a", true), 0, 0, 0, 1);
    assert_int_equal(size_of(desk, "a"), 0);
}

static void receipts_take__an_id_given_twice__is_that_of_the_newest(void **state)
{
    const struct desk *desk = *state;
    deliver(desk, "old", "m", 1);
    deliver(desk, "new", "m", 1);
    deliver(desk, "unmarked", "m", 1);
    hear(desk, "old", SLICE_LITERAL(""), 3);
    hear(desk, "new", SLICE_LITERAL(""), 1);
    hear(desk, "x", SLICE_LITERAL(WHEN " delivered - m-1\n"), 5); /* of no delivery */
    assert_taken(take(desk, "x", true), 1, 0, 0, 0);
    states(desk, "new", "delivered ");
    states(desk, "old", "sent ");
    states(desk, "unmarked", "sent ");
}

static void receipts_take__lines_that_are_none__are_passed_over(void **state)
{
    const struct desk *desk = *state;
    deliver(desk, "a", "a", 1);
    static const char *const bad[] = {"\n",
                                      " \n",
                                      "delivered - a-1\n",
                                      "yesterday delivered - a-1\n",
                                      WHEN " Delivered - a-1\n",
                                      WHEN " delivered  a-1\n",
                                      WHEN " delivered -\n",
                                      WHEN " delivered - \n",
                                      WHEN " delivered - a-1 \n",
                                      WHEN " delivered - a-11\n"};
    struct buf text = BUF_EMPTY;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        buf_add_text(&text, bad[i]);
    }
    buf_add_text(&text, WHEN " delivered - ");
    for (int i = 0; i < 100; i++) {
        buf_add_byte(&text, 'a');
    }
    buf_add(&text, "\n\0\0\0\0\n", 6);
    buf_add_text(&text, WHEN " delivered - a-1"); /* torn */
    hear(desk, "a", buf_slice(&text), 0);
    assert_taken(take(desk, "a", true), 0, 0, 0, sizeof bad / sizeof bad[0] + 2);
    states(desk, "a", "sent ");
    buf_release(&text);
}

static void receipts_mark__a_line_that_a_crash_cut_off__spoils_no_later_one(void **state)
{
    const struct desk *desk = *state;
    deliver(desk, "a", "a", 2);
    hear(desk, "a", SLICE_LITERAL(WHEN " delivered DELI"), 0);
    hear(desk, "a", SLICE_LITERAL(WHEN " delivered - a-2\n"), 0); /* the next worker */
    assert_taken(take(desk, "a", true), 1, 0, 0, 1);
    states(desk, "a", "sent delivered ");
}

static void receipts_take__random_bytes__do_no_harm(void **state)
{
    const struct desk *desk = *state;
    static const char line[] = WHEN " delivered DELIVRD/000 a-1\n" WHEN " gone UNDELIV/001 a-2\n";
    uint64_t seed = 77;
    deliver(desk, "a", "a", 2);
    for (int round = 0; round < 300; round++) {
        char copy[sizeof line - 1];
        memcpy(copy, line, sizeof copy);
        for (int i = 0; i <= round % 8; i++) {
            copy[next_random(&seed) % sizeof copy] = (char)next_random(&seed);
        }
        hear(desk, "x", (struct slice){copy, 1 + next_random(&seed) % sizeof copy}, 0);
        struct receipts_taken taken = take(desk, "x", true);
        assert_true(taken.delivered + taken.undelivered + taken.known + taken.unknown < 20);
        assert_int_equal(size_of(desk, "x"), 0);
    }
}

static void receipts_take__a_damaged_delivery__keeps_nobody_elses_back(void **state)
{
    const struct desk *desk = *state;
    deliver(desk, "a", "a", 1);
    deliver(desk, "b", "b", 1);
    hear(desk, "a", SLICE_LITERAL(""), 1);
    hear(desk, "b", SLICE_LITERAL(WHEN " delivered - a-1\n" WHEN " delivered - b-1\n"), 0);
    int dirfd = open_done(desk, "b");
    assert_int_equal(fs_put_volatile(dirfd, "progress", 0640, "what", 4, NULL), RC_OK);
    (void)close(dirfd);
    assert_taken(take(desk, "b", true), 1, 0, 0, 1);
    states(desk, "a", "delivered ");
}

static bool is_c(void *ctx, const char *id)
{
    (*(int *)ctx)++;
    return strcmp(id, "c") == 0;
}

static void receipts_next__files__those_with_lines_are_named_and_old_ones_removed(void **state)
{
    const struct desk *desk = *state;
    char name[ID_BYTES_MAX + 1];
    int asked = 0;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_ns = (int64_t)now.tv_sec * NS_PER_SECOND;
    struct slice line = SLICE_LITERAL(WHEN " delivered - a-1\n");
    hear(desk, "a", SLICE_LITERAL(""), 8);
    hear(desk, "b", line, 8); /* not before somebody looked at it */
    hear(desk, "c", line, 0);
    hear(desk, "d", SLICE_LITERAL(""), 6);
    hear(desk, "e", line, 0);
    static const char *const expected[] = {"b", "e", ""};
    name[0] = '\0';
    for (size_t i = 0; i < 3; i++) {
        char after[ID_BYTES_MAX + 1];
        memcpy(after, name, sizeof after);
        assert_int_equal(
            receipts_next(&desk->env, HOUSE_SMS, after, now_ns, is_c, &asked, name, NULL), RC_OK);
        assert_string_equal(name, expected[i]);
    }
    assert_int_equal(size_of(desk, "a"), -1);
    assert_int_equal(size_of(desk, "d"), 0);
    assert_true(asked >= 5);
    assert_int_equal(
        receipts_next(&desk->env, HOUSE_SMS, "d", now_ns + 2 * DAY_NS, is_c, &asked, name, NULL),
        RC_OK);
    assert_int_equal(size_of(desk, "d"), 0); /* it stands before that one */
    assert_int_equal(
        receipts_next(&desk->env, HOUSE_SMS, "c", now_ns + 2 * DAY_NS, is_c, &asked, name, NULL),
        RC_OK);
    assert_int_equal(size_of(desk, "d"), -1);
}

#define at_desk(test) cmocka_unit_test_setup_teardown(test, build, pull_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        at_desk(receipts_take__of_several_deliveries__each_gets_its_own_once),
        at_desk(receipts_take__unknown_while_others_send__stay_for_another_time),
        at_desk(receipts_take__an_id_given_twice__is_that_of_the_newest),
        at_desk(receipts_take__lines_that_are_none__are_passed_over),
        at_desk(receipts_mark__a_line_that_a_crash_cut_off__spoils_no_later_one),
        at_desk(receipts_take__random_bytes__do_no_harm),
        at_desk(receipts_take__a_damaged_delivery__keeps_nobody_elses_back),
        at_desk(receipts_next__files__those_with_lines_are_named_and_old_ones_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
