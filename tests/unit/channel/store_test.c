/*
 * store - Maildir, folder and nowhere: whole files, stable names, a full disk costs nobody anything
 */
#include "unit/sys/support.h"

#include "channel/store.h"
#include "sys/clock.h"

static int64_t fake_ns;

static int64_t fake_clock(void)
{
    return fake_ns;
}

struct heard {
    struct buf text;
};

static void on_told(void *ctx, const struct verdict_report *report)
{
    struct heard *heard = ctx;
    buf_add_format(&heard->text, "%d %s;", (int)report->number, verdict_name(report->verdict));
}

static void send_one(struct transport *t, uint64_t number, const char *unique, const char *bytes,
                     bool is_repeat)
{
    const struct outgoing message = {
        .number = number, .unique = unique, .bytes = slice_of(bytes), .is_repeat = is_repeat};
    assert_int_equal(transport_submit(t, &message, NULL), RC_OK);
}

static void maildir__messages__appear_whole_in_new_under_their_name(void **state)
{
    struct place *place = *state;
    struct transport *t = NULL;
    struct heard heard = {BUF_EMPTY};
    assert_int_equal(maildir_open(place->fd, 0640, -1, &t, NULL), RC_OK);
    assert_int_equal(transport_room(t), STORE_QUEUE);
    send_one(t, 1, "spring-1-1", "one\r\n", false);
    send_one(t, 2, "spring-1-2", "two\r\n", false);
    send_one(t, 3, "../out", "three\r\n", false);
    assert_int_equal(transport_run(t, 0, on_told, &heard, NULL), RC_OK);
    assert_string_equal(buf_text(&heard.text), "1 sent;2 sent;3 permanent;");
    fault_watch();
    assert_int_equal(transport_flush(t, NULL), RC_OK);
    assert_int_equal(fault_count(FAULT_SYNCFS), 1);
    assert_string_equal(text_of(place->fd, "new/spring-1-1"), "one\r\n");
    assert_int_equal(mode_of(place->fd, "new/spring-1-1"), 0640);
    int tmp = openat(place->fd, "tmp", O_RDONLY | O_DIRECTORY);
    assert_int_equal(names_in(tmp), 0);
    (void)close(tmp);
    transport_close(t);
    struct transport_state now;
    transport_state(t, &now);
    assert_true(now.is_closed);
    assert_int_equal(transport_room(t), 0);
    transport_free(t);
    buf_release(&heard.text);
}

static void maildir__sent_again__never_doubles(void **state)
{
    struct place *place = *state;
    struct transport *t = NULL;
    struct heard heard = {BUF_EMPTY};
    assert_int_equal(maildir_open(place->fd, 0600, -1, &t, NULL), RC_OK);
    put_text(place->fd, "tmp/a-1", "left by a crash");
    put_text(place->fd, "new/a-2", "sent before");
    put_text(place->fd, "cur/a-3:2,S", "sent and read");
    send_one(t, 1, "a-1", "one", true);
    send_one(t, 2, "a-2", "two", true);
    send_one(t, 3, "a-3", "three", true);
    send_one(t, 4, "a-33", "four", true);
    assert_int_equal(transport_run(t, 0, on_told, &heard, NULL), RC_OK);
    assert_string_equal(buf_text(&heard.text), "1 sent;2 sent;3 sent;4 sent;");
    assert_string_equal(text_of(place->fd, "new/a-1"), "one");
    assert_string_equal(text_of(place->fd, "new/a-2"), "two");
    assert_null(text_of(place->fd, "new/a-3"));
    assert_string_equal(text_of(place->fd, "new/a-33"), "four");
    transport_free(t);
    buf_release(&heard.text);
}

static void maildir__full_disk__is_down_for_a_second_and_gives_back(void **state)
{
    static const struct clock_source fake = {fake_clock, fake_clock};
    struct place *place = *state;
    struct transport *t = NULL;
    struct heard heard = {BUF_EMPTY};
    struct transport_state now;
    clock_replace(&fake);
    fake_ns = 5000;
    assert_int_equal(maildir_open(place->fd, 0600, -1, &t, NULL), RC_OK);
    send_one(t, 1, "a-1", "one", false);
    send_one(t, 2, "a-2", "two", false);
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE);
    assert_int_equal(transport_run(t, 0, on_told, &heard, NULL), RC_OK);
    assert_string_equal(buf_text(&heard.text), "1 untried;2 untried;");
    transport_state(t, &now);
    assert_false(now.is_up);
    assert_non_null(strstr(now.reason, "No space left"));
    assert_int_equal(transport_room(t), 0);
    fake_ns += 1000000000;
    assert_true(transport_room(t) > 0);
    send_one(t, 1, "a-1", "one", false);
    buf_clear(&heard.text);
    assert_int_equal(transport_run(t, 0, on_told, &heard, NULL), RC_OK);
    assert_string_equal(buf_text(&heard.text), "1 sent;");
    transport_state(t, &now);
    assert_true(now.is_up);
    clock_replace(NULL);
    transport_free(t);
    buf_release(&heard.text);
}

static void maildir__stays_full__waits_longer_and_longer_until_something_is_put(void **state)
{
    static const struct clock_source fake = {fake_clock, fake_clock};
    static const int64_t pauses_s[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300};
    struct place *place = *state;
    struct transport *t = NULL;
    struct heard heard = {BUF_EMPTY};
    struct transport_state now;
    clock_replace(&fake);
    fake_ns = 5000;
    assert_int_equal(maildir_open(place->fd, 0600, -1, &t, NULL), RC_OK);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof pauses_s / sizeof pauses_s[0]; i++) {
            send_one(t, 1, "a-1", "one", false);
            fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE);
            assert_int_equal(transport_run(t, 0, on_told, &heard, NULL), RC_OK);
            transport_state(t, &now);
            assert_int_equal(now.next_try_ns - fake_ns, pauses_s[i] * 1000000000);
            fake_ns = now.next_try_ns;
        }
        fault_clear();
        send_one(t, 1, "a-1", "one", false);
        assert_int_equal(transport_run(t, 0, on_told, &heard, NULL), RC_OK);
    }
    assert_non_null(strstr(buf_text(&heard.text), "1 sent;"));
    clock_replace(NULL);
    transport_free(t);
    buf_release(&heard.text);
}

static void maildir__failed_sync__is_io(void **state)
{
    struct place *place = *state;
    struct transport *t = NULL;
    assert_int_equal(maildir_open(place->fd, 0600, -1, &t, NULL), RC_OK);
    fault_at(FAULT_SYNCFS, 1, EIO, FAULT_ONCE);
    assert_int_equal(transport_flush(t, NULL), RC_IO);
    transport_free(t);
}

static void folder__messages__are_files_with_a_suffix(void **state)
{
    struct place *place = *state;
    struct transport *t = NULL;
    struct heard heard = {BUF_EMPTY};
    assert_int_equal(folder_open(place->fd, 0640, ".txt", &t, NULL), RC_OK);
    send_one(t, 1, "sms-1", "hello", false);
    send_one(t, 2, "sms-1", "hello again", true);
    assert_int_equal(transport_run(t, 0, on_told, &heard, NULL), RC_OK);
    assert_string_equal(buf_text(&heard.text), "1 sent;2 sent;");
    assert_string_equal(text_of(place->fd, "sms-1.txt"), "hello again");
    assert_int_equal(names_in(place->fd), 1);
    transport_free(t);
    buf_release(&heard.text);
}

static void submit_more(void *ctx, const struct verdict_report *report)
{
    struct transport **t = ctx;
    if (report->number < 1000) {
        const struct outgoing message = {.number = report->number + 1};
        assert_int_equal(transport_submit(*t, &message, NULL), RC_OK);
    }
}

static void null__submitting_from_the_callback__is_sent_with_the_next_run(void **state)
{
    (void)state;
    struct transport *t = NULL;
    assert_int_equal(null_open(&t, NULL), RC_OK);
    send_one(t, 1, NULL, "", false);
    int runs = 0;
    struct transport_state now = {.held = 1};
    while (now.held > 0 || runs == 0) {
        assert_int_equal(transport_run(t, 0, submit_more, (void *)&t, NULL), RC_OK);
        transport_state(t, &now);
        runs++;
    }
    assert_int_equal(runs, 1000);
    assert_int_equal(transport_flush(t, NULL), RC_OK);
    assert_int_equal(transport_fd(t), -1);
    assert_true(transport_deadline_ns(t) == INT64_MAX);
    transport_free(t);
    transport_free(NULL);
}

static void transport_submit__no_room__is_a_state(void **state)
{
    (void)state;
    struct transport *t = NULL;
    assert_int_equal(null_open(&t, NULL), RC_OK);
    for (size_t i = 0; i < STORE_QUEUE; i++) {
        send_one(t, i, NULL, "", false);
    }
    const struct outgoing message = {.number = 1};
    assert_int_equal(transport_submit(t, &message, NULL), RC_STATE);
    transport_free(t);
}

static void transport_unique__rule__keeps_names_in_their_directory(void **state)
{
    (void)state;
    char longest[202];
    memset(longest, 'a', sizeof longest);
    longest[201] = '\0';
    static const char *const bad[] = {"", ".a", "a/b", "a:2,S", "a b", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(transport_unique_is_valid(bad[i]));
    }
    assert_false(transport_unique_is_valid(NULL));
    assert_false(transport_unique_is_valid(longest));
    assert_true(transport_unique_is_valid(longest + 1));
    assert_true(transport_unique_is_valid("spring-letter_2.x,S=1+a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_place(maildir__messages__appear_whole_in_new_under_their_name),
        with_place(maildir__sent_again__never_doubles),
        with_place(maildir__full_disk__is_down_for_a_second_and_gives_back),
        with_place(maildir__stays_full__waits_longer_and_longer_until_something_is_put),
        with_place(maildir__failed_sync__is_io),
        with_place(folder__messages__are_files_with_a_suffix),
        cmocka_unit_test(null__submitting_from_the_callback__is_sent_with_the_next_run),
        cmocka_unit_test(transport_submit__no_room__is_a_state),
        cmocka_unit_test(transport_unique__rule__keeps_names_in_their_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
