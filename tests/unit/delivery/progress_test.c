/*
 * progress_test - what was recorded is what is read; torn, damaged and random files
 */
#include "unit/delivery/folder.h"

#include "base/instant.h"
#include "delivery/progress.h"
#include "sys/calls.h"
#include "sys/fault.h"

#include <errno.h>
#include <time.h>

#define AT_S INT64_C(1800000000)
#define AT (AT_S * NS_PER_SECOND)
#define STAMP "2027-01-15T08:00:00Z"

static struct progress_log *begin(const struct folder *folder, uint32_t total)
{
    struct progress_log *log = NULL;
    struct err err = {""};
    if (progress_log_open(folder->fd, total, AT, NULL, &log, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    return log;
}

static enum rc add(struct progress_log *log, enum progress_act act, uint32_t number, uint32_t code,
                   const char *text)
{
    const struct progress_record record = {.act = act,
                                           .number = number,
                                           .at_ns = AT,
                                           .code = code,
                                           .next_ns = AT + 30 * NS_PER_SECOND,
                                           .text = slice_of(text)};
    return progress_log_add(log, &record, NULL);
}

static void adds(struct progress_log *log, enum progress_act act, uint32_t number)
{
    assert_int_equal(add(log, act, number, 0, ""), RC_OK);
}

static void commits(struct progress_log *log)
{
    assert_int_equal(progress_log_commit(log, NULL), RC_OK);
    assert_int_equal(progress_log_waiting(log), 0);
}

/* The states of all recipients as words */
static struct buf states_of(const struct progress_table *table)
{
    struct buf out = BUF_EMPTY;
    for (uint32_t i = 0; i < table->total; i++) {
        const struct progress_entry *entry = &table->entries[i];
        buf_add_format(&out, "%s/%d/%d ", progress_state_name((enum progress_state)entry->state),
                       entry->tries, entry->code);
    }
    return out;
}

static void loads(const struct folder *folder, const char *expected)
{
    struct progress_table table;
    struct err err = {""};
    if (progress_table_load(folder->fd, &table, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    struct buf states = states_of(&table);
    uint32_t counts[PROGRESS_STATES] = {0};
    for (uint32_t i = 0; i < table.total; i++) {
        counts[table.entries[i].state]++;
    }
    assert_memory_equal(counts, table.counts, sizeof counts);
    assert_string_equal(buf_text(&states), expected);
    buf_release(&states);
    progress_table_release(&table);
}

static enum rc load_rc(const struct folder *folder)
{
    struct progress_table table;
    struct err err = {""};
    enum rc rc = progress_table_load(folder->fd, &table, &err);
    progress_table_release(&table);
    return rc;
}

static struct buf file_of(const struct folder *folder)
{
    struct buf bytes = BUF_EMPTY;
    assert_int_equal(fs_read_small(folder->fd, PROGRESS_FILE, (size_t)1 << 28, &bytes, NULL),
                     RC_OK);
    return bytes;
}

static void put(const struct folder *folder, const char *bytes, size_t len)
{
    folder_put(folder, PROGRESS_FILE, (struct slice){bytes, len}, 0640);
}

/* Three groups: the number of recipients; two tries and a third; a result and an intent. */
static const char SMALL[] = "sent/1/250 intended/1/0 intended/1/0 intended/1/0 ";
static const char SMALL_BEFORE[] = "intended/1/0 intended/1/0 intended/1/0 unsent/0/0 ";

static size_t write_small(const struct folder *folder)
{
    struct progress_log *log = begin(folder, 4);
    adds(log, PROGRESS_ACT_TRY, 1);
    adds(log, PROGRESS_ACT_TRY, 2);
    adds(log, PROGRESS_ACT_TRY, 3);
    commits(log);
    struct buf before = file_of(folder);
    size_t len = before.len;
    buf_release(&before);
    assert_int_equal(add(log, PROGRESS_ACT_SENT, 1, 250, "2.0.0 Ok"), RC_OK);
    adds(log, PROGRESS_ACT_TRY, 4);
    commits(log);
    progress_log_free(log);
    return len;
}

/* --- records --- */

static void progress_log__every_act__is_read_back_and_readable(void **state)
{
    const struct folder *folder = *state;
    struct progress_log *log = begin(folder, 12);
    for (uint32_t n = 1; n <= 9; n++) {
        adds(log, PROGRESS_ACT_TRY, n);
    }
    assert_int_equal(add(log, PROGRESS_ACT_SENT, 1, 250, "2.0.0 Ok: queued as 4F2"), RC_OK);
    assert_int_equal(add(log, PROGRESS_ACT_TEMPORARY, 2, 450, "greylisted"), RC_OK);
    assert_int_equal(add(log, PROGRESS_ACT_PERMANENT, 3, 550, "5.1.1 no such user"), RC_OK);
    assert_int_equal(add(log, PROGRESS_ACT_UNCERTAIN, 4, 0, "no answer"), RC_OK);
    adds(log, PROGRESS_ACT_UNTRIED, 5);
    assert_int_equal(add(log, PROGRESS_ACT_UNCERTAIN, 6, 0, ""), RC_OK);
    adds(log, PROGRESS_ACT_RESEND, 6);
    assert_int_equal(add(log, PROGRESS_ACT_UNCERTAIN, 7, 0, ""), RC_OK);
    adds(log, PROGRESS_ACT_HOLD, 7);
    assert_int_equal(add(log, PROGRESS_ACT_TEMPORARY, 8, 451, ""), RC_OK);
    adds(log, PROGRESS_ACT_TRY, 8);
    adds(log, PROGRESS_ACT_UNTRIED, 8);
    adds(log, PROGRESS_ACT_EXPIRED, 10);
    assert_int_equal(add(log, PROGRESS_ACT_SUPPRESSED, 11, 0, "quarantined"), RC_OK);
    assert_int_equal(progress_log_waiting(log), 23);
    struct buf states = states_of(progress_log_table(log));
    commits(log);
    progress_log_free(log);
    static const char expected[] =
        "sent/1/250 temporary/1/450 permanent/1/550 uncertain/1/0 unsent/0/0 temporary/1/0 "
        "held/1/0 temporary/1/451 intended/1/0 expired/0/0 suppressed/0/0 unsent/0/0 ";
    assert_string_equal(buf_text(&states), expected);
    loads(folder, expected);
    struct buf bytes = file_of(folder);
    assert_non_null(strstr(buf_text(&bytes), "\nrecipients 12\ngroup "));
    assert_non_null(strstr(buf_text(&bytes), "\n@ " STAMP "\ntry 1 1\ntry 2 1\n"));
    assert_non_null(strstr(buf_text(&bytes), "\nsent 1 250 2.0.0 Ok: queued as 4F2\n"
                                             "temporary 2 450 30 greylisted\n"));
    assert_non_null(strstr(buf_text(&bytes), "\nuntried 5\n"));
    assert_non_null(strstr(buf_text(&bytes), "\nresend 6 0 30\n"));
    assert_non_null(strstr(buf_text(&bytes), "\ntry 8 2\nuntried 8\nexpired 10\n"
                                             "suppressed 11 quarantined\n"));
    buf_release(&bytes);
    buf_release(&states);
}

static void progress_log_add__not_allowed_in_that_state__changes_nothing(void **state)
{
    const struct folder *folder = *state;
    static const enum progress_act ways[PROGRESS_STATES][3] = {
        [PROGRESS_UNSENT] = {PROGRESS_ACTS},
        [PROGRESS_INTENDED] = {PROGRESS_ACT_TRY, PROGRESS_ACTS},
        [PROGRESS_SENT] = {PROGRESS_ACT_TRY, PROGRESS_ACT_SENT, PROGRESS_ACTS},
        [PROGRESS_TEMPORARY] = {PROGRESS_ACT_TRY, PROGRESS_ACT_TEMPORARY, PROGRESS_ACTS},
        [PROGRESS_PERMANENT] = {PROGRESS_ACT_TRY, PROGRESS_ACT_PERMANENT, PROGRESS_ACTS},
        [PROGRESS_UNCERTAIN] = {PROGRESS_ACT_TRY, PROGRESS_ACT_UNCERTAIN, PROGRESS_ACTS},
        [PROGRESS_HELD] = {PROGRESS_ACT_TRY, PROGRESS_ACT_UNCERTAIN, PROGRESS_ACT_HOLD},
        [PROGRESS_EXPIRED] = {PROGRESS_ACT_EXPIRED, PROGRESS_ACTS},
        [PROGRESS_SUPPRESSED] = {PROGRESS_ACT_SUPPRESSED, PROGRESS_ACTS},
        [PROGRESS_DELIVERED] = {PROGRESS_ACT_TRY, PROGRESS_ACT_SENT, PROGRESS_ACT_DELIVERED},
        [PROGRESS_UNDELIVERED] = {PROGRESS_ACT_TRY, PROGRESS_ACT_SENT, PROGRESS_ACT_UNDELIVERED},
    };
    static const char *const allowed[PROGRESS_STATES] = {
        /* try sent temporary permanent uncertain untried expired suppressed resend hold, id (which
           is none by itself), delivered undelivered */
        [PROGRESS_UNSENT] = "y--y--yy-----",      [PROGRESS_INTENDED] = "-yyyyy-------",
        [PROGRESS_SENT] = "-----------yy",        [PROGRESS_TEMPORARY] = "y--y--yy-----",
        [PROGRESS_PERMANENT] = "-------------",   [PROGRESS_UNCERTAIN] = "--------yy---",
        [PROGRESS_HELD] = "--------y----",        [PROGRESS_EXPIRED] = "-------------",
        [PROGRESS_SUPPRESSED] = "-------------",  [PROGRESS_DELIVERED] = "-------------",
        [PROGRESS_UNDELIVERED] = "-------------",
    };
    struct progress_log *log = begin(folder, PROGRESS_STATES * PROGRESS_ACTS);
    uint32_t number = 0;
    for (int is = 0; is < PROGRESS_STATES; is++) {
        for (int act = 0; act < PROGRESS_ACTS; act++) {
            number++;
            if (act == PROGRESS_ACT_ID) {
                continue;
            }
            for (int i = 0; i < 3 && ways[is][i] != PROGRESS_ACTS; i++) {
                adds(log, ways[is][i], number);
            }
            assert_int_equal(progress_log_table(log)->entries[number - 1].state, is);
            struct progress_entry before = progress_log_table(log)->entries[number - 1];
            size_t waiting = progress_log_waiting(log);
            enum rc rc = add(log, (enum progress_act)act, number, 0, "");
            assert_int_equal(rc, allowed[is][act] == 'y' ? RC_OK : RC_STATE);
            if (rc != RC_OK) {
                assert_int_equal(progress_log_waiting(log), waiting);
                assert_memory_equal(&progress_log_table(log)->entries[number - 1], &before,
                                    sizeof before);
            }
        }
    }
    assert_int_equal(add(log, PROGRESS_ACT_TRY, 0, 0, ""), RC_RANGE);
    assert_int_equal(add(log, PROGRESS_ACT_TRY, number + 1, 0, ""), RC_RANGE);
    commits(log);
    progress_log_free(log);
    assert_int_equal(load_rc(folder), RC_OK);
}

struct text_row {
    const char *text;
    const char *written;
};

static void progress_log_add__reply_with_recipients_data__is_blotted_and_cut(void **state)
{
    const struct folder *folder = *state;
    static const struct text_row rows[] = {
        {"2.0.0 Ok: queued as 4XyZ12", " 2.0.0 Ok: queued as 4XyZ12"},
        {"5.1.1 <bob@example.net>: Recipient address rejected",
         " 5.1.1 * Recipient address rejected"},
        {"to=bob@example.net,x", " *"},
        {"unknown subscriber +33612345678.", " unknown subscriber *"},
        {"ip 192.0.2.1:25 says 4.7.1", " ip * says 4.7.1"},
        {"two\r\n250 lines\tof  text\n", " two 250 lines of text"},
        {"sent 9 250\nsent 8 250", " sent 9 250 sent 8 250"},
        {"caf\xC3\xA9 \xFF\x01 x\x7F", " caf?? ? x?"},
        {"", ""},
        {"   ", ""},
    };
    struct progress_log *log = begin(folder, 100);
    struct buf expected = BUF_EMPTY;
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        adds(log, PROGRESS_ACT_TRY, i + 1);
        assert_int_equal(add(log, PROGRESS_ACT_SENT, i + 1, 250, rows[i].text), RC_OK);
        buf_add_format(&expected, "try %u 1\nsent %u 250%s\n", i + 1, i + 1, rows[i].written);
    }
    static char longest[5000];
    memset(longest, 'x', sizeof longest - 1);
    adds(log, PROGRESS_ACT_TRY, 99);
    assert_int_equal(add(log, PROGRESS_ACT_SENT, 99, 4000000000, longest), RC_OK);
    buf_add_format(&expected, "try 99 1\nsent 99 65535 %.*s\n", PROGRESS_TEXT_BYTES_MAX - 1,
                   longest);
    commits(log);
    progress_log_free(log);
    struct buf bytes = file_of(folder);
    assert_non_null(strstr(buf_text(&bytes), buf_text(&expected)));
    assert_int_equal(load_rc(folder), RC_OK);
    buf_release(&bytes);
    buf_release(&expected);
}

static void progress_table__due_ones__are_found_in_order(void **state)
{
    const struct folder *folder = *state;
    struct progress_log *log = begin(folder, 5);
    const struct progress_table *table = progress_log_table(log);
    assert_true(progress_table_retry(table, 5) == INSTANT_NONE);
    adds(log, PROGRESS_ACT_TRY, 1);
    adds(log, PROGRESS_ACT_SENT, 1);
    adds(log, PROGRESS_ACT_TRY, 2);
    adds(log, PROGRESS_ACT_TEMPORARY, 2);
    assert_int_equal(progress_table_next(table, 0, 5, AT), 3);
    assert_int_equal(progress_table_next(table, 1, 5, AT + 30 * NS_PER_SECOND), 2);
    assert_int_equal(progress_table_next(table, 1, 2, AT), 0);
    assert_int_equal(progress_table_next(table, 4, 900, AT), 4);
    assert_int_equal(progress_table_next(table, 6, 900, AT), 0);
    assert_int_equal(progress_table_retry(table, 5), AT + 30 * NS_PER_SECOND);
    assert_true(progress_table_retry(table, 1) == INSTANT_NONE);
    progress_log_free(log);
}

/* --- crashes --- */

static void progress_log_open__after_a_crash__intended_is_uncertain(void **state)
{
    const struct folder *folder = *state;
    (void)write_small(folder);
    loads(folder, SMALL);
    struct progress_log *log = begin(folder, 4);
    assert_int_equal(progress_log_table(log)->counts[PROGRESS_UNCERTAIN], 3);
    assert_int_equal(progress_log_waiting(log), 0);
    adds(log, PROGRESS_ACT_RESEND, 2);
    adds(log, PROGRESS_ACT_TRY, 2);
    commits(log);
    progress_log_free(log);
    loads(folder, "sent/1/250 intended/2/0 uncertain/1/0 uncertain/1/0 ");
    struct progress_log *other = NULL;
    struct err err = {""};
    assert_int_equal(progress_log_open(folder->fd, 5, AT, NULL, &other, &err), RC_CORRUPT);
    assert_non_null(strstr(err.text, "is about 4 recipients, the list has 5"));
}

static void progress_log_open__torn_at_every_byte__goes_on_from_the_whole_groups(void **state)
{
    const struct folder *folder = *state;
    size_t whole = write_small(folder);
    struct buf bytes = file_of(folder);
    for (size_t len = whole; len < bytes.len; len++) {
        put(folder, bytes.ptr, len);
        loads(folder, SMALL_BEFORE);
        struct progress_log *log = begin(folder, 4);
        assert_int_equal(progress_log_table(log)->counts[PROGRESS_UNCERTAIN], 3);
        assert_int_equal(progress_log_table(log)->counts[PROGRESS_UNSENT], 1);
        adds(log, PROGRESS_ACT_TRY, 4);
        commits(log);
        progress_log_free(log);
        loads(folder, "uncertain/1/0 uncertain/1/0 uncertain/1/0 intended/1/0 ");
    }
    /* Also the very first group: nothing was begun then. */
    for (size_t len = 0; len < 56 + strlen("recipients 4\n"); len++) {
        put(folder, bytes.ptr, len);
        assert_int_equal(load_rc(folder), RC_GONE);
        progress_log_free(begin(folder, 7));
        loads(folder, "unsent/0/0 unsent/0/0 unsent/0/0 unsent/0/0 unsent/0/0 unsent/0/0 "
                      "unsent/0/0 ");
    }
    buf_release(&bytes);
}

static void progress_table_load__pages_that_were_never_written__are_a_torn_tail(void **state)
{
    const struct folder *folder = *state;
    size_t whole = write_small(folder);
    struct buf bytes = file_of(folder);
    struct buf zeros = BUF_EMPTY;
    buf_add(&zeros, bytes.ptr, bytes.len);
    memset(zeros.ptr + whole, 0, zeros.len - whole);
    put(folder, zeros.ptr, zeros.len);
    loads(folder, SMALL_BEFORE);
    for (size_t len = 1; len < bytes.len - whole; len++) { /* its beginning was written */
        memcpy(zeros.ptr + whole, bytes.ptr + whole, len);
        put(folder, zeros.ptr, zeros.len);
        loads(folder, SMALL_BEFORE);
    }
    memcpy(zeros.ptr + whole, bytes.ptr + whole, bytes.len - whole);
    memset(zeros.ptr + whole, 0, 80); /* its end was */
    put(folder, zeros.ptr, zeros.len);
    loads(folder, SMALL_BEFORE);
    progress_log_free(begin(folder, 4));
    loads(folder, "uncertain/1/0 uncertain/1/0 uncertain/1/0 unsent/0/0 ");
    buf_release(&bytes);
    buf_release(&zeros);
}

/* --- damage --- */

static void progress_table_load__any_bit_flipped__is_corrupt(void **state)
{
    const struct folder *folder = *state;
    (void)write_small(folder);
    struct buf bytes = file_of(folder);
    for (size_t at = 0; at < bytes.len; at++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes.ptr[at] = (char)(bytes.ptr[at] ^ (1 << bit));
            put(folder, bytes.ptr, bytes.len);
            if (load_rc(folder) != RC_CORRUPT) {
                fail_msg("byte %zu bit %d gave %s", at, bit, rc_name(load_rc(folder)));
            }
            bytes.ptr[at] = (char)(bytes.ptr[at] ^ (1 << bit));
        }
    }
    struct progress_log *log = NULL;
    bytes.ptr[3] = 'x';
    put(folder, bytes.ptr, bytes.len);
    assert_int_equal(progress_log_open(folder->fd, 4, AT, NULL, &log, NULL), RC_CORRUPT);
    folder_expect(folder, PROGRESS_FILE, buf_slice(&bytes)); /* left as it is */
    buf_release(&bytes);
}

static void progress_table_load__groups_moved_doubled_or_left_out__is_corrupt(void **state)
{
    const struct folder *folder = *state;
    size_t third = write_small(folder);
    struct buf bytes = file_of(folder);
    const char *second_at = strstr(bytes.ptr + 1, "group ");
    assert_non_null(second_at);
    size_t second = (size_t)(second_at - bytes.ptr);
    const size_t cuts[4] = {0, second, third, bytes.len};
    static const int orders[][4] = {{1, 2, -1, -1}, {0, 2, -1, -1}, {0, 2, 1, -1},
                                    {0, 1, 1, 2},   {0, 1, 2, 2},   {0, 0, 1, 2}};
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        struct buf moved = BUF_EMPTY;
        for (int k = 0; k < 4 && orders[i][k] >= 0; k++) {
            size_t from = cuts[orders[i][k]];
            buf_add(&moved, bytes.ptr + from, cuts[orders[i][k] + 1] - from);
        }
        put(folder, moved.ptr, moved.len);
        assert_int_equal(load_rc(folder), RC_CORRUPT);
        buf_release(&moved);
    }
    buf_release(&bytes);
}

static void progress_table_load__random_damage__never_more_than_an_error(void **state)
{
    const struct folder *folder = *state;
    uint64_t seed = 7;
    (void)write_small(folder);
    struct buf bytes = file_of(folder);
    for (int round = 0; round < 5000; round++) {
        struct buf bad = BUF_EMPTY;
        buf_add(&bad, bytes.ptr, bytes.len - next_random(&seed) % 40);
        for (uint64_t n = next_random(&seed) % 4 + 1; n > 0; n--) {
            bad.ptr[next_random(&seed) % bad.len] = (char)next_random(&seed);
        }
        put(folder, bad.ptr, bad.len);
        enum rc rc = load_rc(folder);
        assert_true(rc == RC_OK || rc == RC_CORRUPT || rc == RC_GONE);
        buf_release(&bad);
    }
    buf_release(&bytes);
}

static void progress_table_load__no_file_or_no_regular_one__gone_or_perm(void **state)
{
    const struct folder *folder = *state;
    assert_int_equal(load_rc(folder), RC_GONE);
    assert_int_equal(mkdirat(folder->fd, PROGRESS_FILE, 0700), 0);
    assert_int_equal(load_rc(folder), RC_PERM);
}

/* --- faults --- */

static void progress_log_commit__write_fails__group_is_kept_and_tried_again(void **state)
{
    const struct folder *folder = *state;
    struct progress_log *log = begin(folder, 2);
    struct err err = {""};
    adds(log, PROGRESS_ACT_TRY, 1);
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE);
    assert_int_equal(progress_log_commit(log, &err), RC_TEMP);
    assert_int_equal(progress_log_waiting(log), 1);
    loads(folder, "unsent/0/0 unsent/0/0 ");
    fault_at(FAULT_WRITE, 1, 0, FAULT_ONCE); /* half of it, then the rest */
    adds(log, PROGRESS_ACT_TRY, 2);
    commits(log);
    fault_clear();
    progress_log_free(log);
    loads(folder, "intended/1/0 intended/1/0 ");
}

static void progress_log_seal__added_meanwhile__belongs_to_the_next_group(void **state)
{
    const struct folder *folder = *state;
    struct progress_log *log = begin(folder, 3);
    adds(log, PROGRESS_ACT_TRY, 1);
    assert_int_equal(progress_log_seal(log, NULL), RC_OK);
    adds(log, PROGRESS_ACT_TRY, 2);
    assert_int_equal(progress_log_waiting(log), 2);
    loads(folder, "unsent/0/0 unsent/0/0 unsent/0/0 ");
    assert_int_equal(progress_log_write(log, NULL), RC_OK);
    assert_int_equal(progress_log_waiting(log), 1);
    loads(folder, "intended/1/0 unsent/0/0 unsent/0/0 ");
    assert_int_equal(progress_log_write(log, NULL), RC_OK); /* nothing is sealed */
    loads(folder, "intended/1/0 unsent/0/0 unsent/0/0 ");
    assert_int_equal(progress_log_seal(log, NULL), RC_OK);
    adds(log, PROGRESS_ACT_SENT, 1);
    commits(log);                                          /* both */
    assert_int_equal(progress_log_seal(log, NULL), RC_OK); /* nothing is there */
    commits(log);
    progress_log_free(log);
    loads(folder, "sent/1/0 intended/1/0 unsent/0/0 ");
}

static void progress_log_write__disk_is_full__is_kept_beside_the_next_group(void **state)
{
    const struct folder *folder = *state;
    struct progress_log *log = begin(folder, 2);
    adds(log, PROGRESS_ACT_TRY, 1);
    assert_int_equal(progress_log_seal(log, NULL), RC_OK);
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE);
    assert_int_equal(progress_log_write(log, NULL), RC_TEMP);
    adds(log, PROGRESS_ACT_TRY, 2);
    assert_int_equal(progress_log_waiting(log), 2);
    fault_clear();
    assert_int_equal(progress_log_write(log, NULL), RC_OK);
    loads(folder, "intended/1/0 unsent/0/0 ");
    progress_log_free(log); /* what was not committed is lost */
    loads(folder, "intended/1/0 unsent/0/0 ");
}

/* The first write is made by half, the next finds the disk full. */
static ssize_t (*wrote_half)(int fd, const void *bytes, size_t len);

static ssize_t half_then_full(int fd, const void *bytes, size_t len)
{
    ssize_t (*half)(int, const void *, size_t) = wrote_half;
    wrote_half = NULL;
    if (half == NULL) {
        errno = ENOSPC;
        return -1;
    }
    return half(fd, bytes, len);
}

static void progress_log_commit__half_a_group_and_a_full_disk__is_cut_back(void **state)
{
    const struct folder *folder = *state;
    struct progress_log *log = begin(folder, 2);
    struct buf before = file_of(folder);
    adds(log, PROGRESS_ACT_TRY, 1);
    fault_at(FAULT_WRITE, 1, 0, FAULT_ONCE);
    wrote_half = sys_calls.write;
    sys_calls.write = half_then_full;
    assert_int_equal(progress_log_commit(log, NULL), RC_TEMP);
    sys_calls_reset();
    fault_clear();
    folder_expect(folder, PROGRESS_FILE, buf_slice(&before));
    commits(log);
    progress_log_free(log);
    loads(folder, "intended/1/0 unsent/0/0 ");
    buf_release(&before);
}

static void progress_log_commit__sync_or_cut_fails__is_never_written_again(void **state)
{
    const struct folder *folder = *state;
    for (int round = 0; round < 2; round++) {
        struct progress_log *log = begin(folder, 2);
        adds(log, PROGRESS_ACT_EXPIRED, (uint32_t)round + 1);
        if (round == 0) {
            fault_at(FAULT_FSYNC, 1, EIO, FAULT_ONCE);
        } else {
            fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE);
            fault_at(FAULT_TRUNCATE, 1, EIO, FAULT_ONCE);
        }
        assert_int_equal(progress_log_commit(log, NULL), RC_IO);
        fault_clear();
        fault_watch();
        assert_int_equal(add(log, PROGRESS_ACT_EXPIRED, 2, 0, ""), RC_IO);
        assert_int_equal(progress_log_commit(log, NULL), RC_IO);
        assert_int_equal(fault_count(FAULT_WRITE) + fault_count(FAULT_FSYNC), 0);
        fault_clear();
        progress_log_free(log);
    }
}

static void progress_log_open__faults__are_told_and_leave_a_file_to_go_on_with(void **state)
{
    const struct folder *folder = *state;
    struct progress_log *log = NULL;
    fault_at(FAULT_FSYNC, 1, EIO, FAULT_ONCE);
    assert_int_equal(progress_log_open(folder->fd, 2, AT, NULL, &log, NULL), RC_IO);
    fault_at(FAULT_FSYNC, 2, EIO, FAULT_ONCE); /* of the directory */
    put(folder, "", 0);
    assert_int_equal(progress_log_open(folder->fd, 2, AT, NULL, &log, NULL), RC_IO);
    fault_at(FAULT_READ, 1, EIO, FAULT_ONCE);
    assert_int_equal(progress_log_open(folder->fd, 2, AT, NULL, &log, NULL), RC_TEMP);
    fault_at(FAULT_OPEN, 1, EMFILE, FAULT_ONCE);
    assert_int_equal(progress_log_open(folder->fd, 2, AT, NULL, &log, NULL), RC_TEMP);
    fault_at(FAULT_READ, 1, 0, FAULT_FOREVER); /* short reads */
    log = begin(folder, 2);
    fault_clear();
    adds(log, PROGRESS_ACT_TRY, 1);
    commits(log);
    progress_log_free(log);
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE); /* nothing can be said of the one intended */
    assert_int_equal(progress_log_open(folder->fd, 2, AT, NULL, &log, NULL), RC_TEMP);
    fault_clear();
    loads(folder, "intended/1/0 unsent/0/0 ");
}

/* --- size --- */

static void progress_log__group_full__is_committed_and_goes_on(void **state)
{
    const struct folder *folder = *state;
    static const char reply[] = "2.0.0 Ok: queued as 9A1B2C3D4E at relay of the house, thank you";
    enum { TOTAL = 30000 };
    struct progress_log *log = begin(folder, TOTAL);
    int commits_made = 0;
    for (uint32_t n = 1; n <= TOTAL;) {
        enum rc rc = progress_log_table(log)->entries[n - 1].state == PROGRESS_UNSENT
                         ? add(log, PROGRESS_ACT_TRY, n, 0, "")
                         : RC_OK;
        rc = rc == RC_OK ? add(log, PROGRESS_ACT_SENT, n, 250, reply) : rc;
        if (rc == RC_RANGE) {
            commits(log);
            commits_made++;
        } else {
            assert_int_equal(rc, RC_OK);
            n++;
        }
    }
    commits(log);
    progress_log_free(log);
    assert_true(commits_made >= 2);
    struct progress_table table;
    assert_int_equal(progress_table_load(folder->fd, &table, NULL), RC_OK);
    assert_int_equal(table.counts[PROGRESS_SENT], TOTAL);
    progress_table_release(&table);
}

static void progress_table_load__a_million__in_time_and_memory(void **state)
{
    const struct folder *folder = *state;
    enum { TOTAL = 1000000, EACH = 5000 };
    struct progress_log *log = begin(folder, TOTAL);
    for (uint32_t n = 0; n < TOTAL; n += EACH) {
        for (uint32_t i = 1; i <= EACH; i++) {
            adds(log, PROGRESS_ACT_TRY, n + i);
            assert_int_equal(add(log, PROGRESS_ACT_SENT, n + i, 250, "2.0.0 Ok: queued as 9A1B2C"),
                             RC_OK);
        }
        commits(log);
    }
    progress_log_free(log);
    struct progress_table table;
    clock_t before = clock();
    assert_int_equal(progress_table_load(folder->fd, &table, NULL), RC_OK);
    double seconds = (double)(clock() - before) / CLOCKS_PER_SEC;
    print_message("1,000,000 recipients, 2,000,000 records: %.3f s of processor time\n", seconds);
    assert_int_equal(table.counts[PROGRESS_SENT], TOTAL);
    assert_true(sizeof table.entries[0] * TOTAL < 16 * 1024 * 1024);
    assert_true(seconds < 5); /* a tenth of it is usual; sanitizers and loaded machines pass */
    progress_table_release(&table);
}

/* --- receipts --- */

static enum rc add_sent(struct progress_log *log, uint32_t number, uint32_t parts, const char *ids)
{
    const struct progress_record record = {.act = PROGRESS_ACT_SENT,
                                           .number = number,
                                           .at_ns = AT,
                                           .code = parts,
                                           .ids = slice_of(ids)};
    adds(log, PROGRESS_ACT_TRY, number);
    return progress_log_add(log, &record, NULL);
}

static enum rc add_later(struct progress_log *log, enum progress_act act, uint32_t number,
                         uint32_t part, const char *text)
{
    const struct progress_record record = {.act = act,
                                           .number = number,
                                           .at_ns = AT + 60 * NS_PER_SECOND,
                                           .code = part,
                                           .text = slice_of(text)};
    return progress_log_add(log, &record, NULL);
}

struct heard {
    struct buf text;
    uint64_t at[32];
    size_t count;
};

static void hear(void *ctx, const struct progress_id *id, uint64_t at)
{
    struct heard *heard = ctx;
    assert_true(heard->count < sizeof heard->at / sizeof heard->at[0]);
    heard->at[heard->count++] = at;
    buf_add_format(&heard->text, "%u/%u=%.*s ", id->number, id->part, (int)id->id.len, id->id.ptr);
}

static void assert_ids(const struct folder *folder, const char *expected)
{
    struct heard heard = {.text = BUF_EMPTY};
    const struct progress_ids ids = {hear, &heard};
    struct progress_log *log = NULL;
    assert_int_equal(progress_ids_read(folder->fd, &ids, NULL), RC_OK);
    assert_string_equal(buf_text(&heard.text), expected);
    buf_clear(&heard.text);
    assert_int_equal(progress_log_open(folder->fd, 6, AT, &ids, &log, NULL), RC_OK);
    assert_string_equal(buf_text(&heard.text), expected);
    progress_log_free(log);
    buf_release(&heard.text);
}

/* Six recipients: 1 to 4 sent, of one, two, two and no known parts; 5 intended, 6 not tried */
static struct progress_log *write_sent(const struct folder *folder)
{
    struct progress_log *log = begin(folder, 6);
    assert_int_equal(add_sent(log, 1, 1, "1 m-1"), RC_OK);
    assert_int_equal(add_sent(log, 2, 2, "2 m-3 1 m-2"), RC_OK);
    assert_int_equal(add_sent(log, 3, 2, "1 0612345678 2 a@b"), RC_OK);
    assert_int_equal(add_sent(log, 4, 250, ""), RC_OK);
    adds(log, PROGRESS_ACT_TRY, 5);
    commits(log);
    return log;
}

static void progress_log_add__sent_with_ids__they_are_read_back_as_given(void **state)
{
    const struct folder *folder = *state;
    progress_log_free(write_sent(folder));
    struct buf bytes = file_of(folder);
    assert_non_null(strstr(buf_text(&bytes), "\nsent 2 2\nid 2 2 m-3\nid 2 1 m-2\ntry 3 1\n"));
    buf_release(&bytes);
    assert_ids(folder, "1/1=m-1 2/2=m-3 2/1=m-2 3/1=0612345678 3/2=a@b ");
}

/* The id that is told is found where it is said to be, whatever has become of its group. */
static void assert_found(const struct progress_log *log, const struct heard *heard)
{
    struct buf found = BUF_EMPTY;
    for (size_t i = 0; i < heard->count; i++) {
        char store[PROGRESS_LINE_BYTES];
        struct progress_id id;
        assert_true(progress_log_id(log, heard->at[i], store, &id));
        buf_add_format(&found, "%u/%u=%.*s ", id.number, id.part, (int)id.id.len, id.id.ptr);
    }
    assert_string_equal(buf_text(&found), buf_text(&heard->text));
    buf_release(&found);
}

static void progress_log_id__in_a_group_open_sealed_written_or_read_again__is_found(void **state)
{
    const struct folder *folder = *state;
    struct heard heard = {.text = BUF_EMPTY};
    const struct progress_ids ids = {hear, &heard};
    struct progress_log *log = NULL;
    assert_int_equal(progress_log_open(folder->fd, 6, AT, &ids, &log, NULL), RC_OK);
    for (uint32_t n = 1; n <= 5; n++) {
        assert_int_equal(add_sent(log, n, 2, "1 a-1 2 b-22"), RC_OK);
        assert_found(log, &heard);
        if (n % 2 == 0) {
            assert_int_equal(progress_log_seal(log, NULL), RC_OK);
            assert_found(log, &heard);
            assert_int_equal(progress_log_write(log, NULL), RC_OK);
            assert_found(log, &heard);
        }
    }
    assert_int_equal(heard.count, 10);
    commits(log);
    progress_log_free(log);
    heard.count = 0;
    buf_clear(&heard.text);
    assert_int_equal(progress_log_open(folder->fd, 6, AT, &ids, &log, NULL), RC_OK);
    assert_int_equal(heard.count, 10);
    assert_found(log, &heard);
    assert_int_equal(add_sent(log, 6, 1, "1 c"), RC_OK);
    assert_found(log, &heard);
    char store[PROGRESS_LINE_BYTES];
    struct progress_id id;
    assert_false(progress_log_id(log, heard.at[0] + 1, store, &id));
    assert_false(progress_log_id(log, heard.at[10] + 100, store, &id));
    progress_log_free(log);
    buf_release(&heard.text);
}

static void progress_log_add__receipts__delivered_is_who_got_all_parts(void **state)
{
    const struct folder *folder = *state;
    struct progress_log *log = write_sent(folder);
    assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 1, 1, ""), RC_OK);
    assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 2, 2, ""), RC_OK);
    assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 2, 2, ""), RC_STATE); /* twice */
    assert_int_equal(progress_log_table(log)->entries[1].state, PROGRESS_SENT);
    assert_int_equal(progress_log_table(log)->entries[1].at_s, AT_S); /* it is not delivered yet */
    assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 2, 1, ""), RC_OK);
    assert_int_equal(progress_log_table(log)->entries[1].at_s, AT_S + 60);
    assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 3, 1, ""), RC_OK);
    assert_int_equal(add_later(log, PROGRESS_ACT_UNDELIVERED, 3, 2, "UNDELIV/001"), RC_OK);
    assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 3, 2, ""), RC_STATE);
    assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 4, 0, ""), RC_OK);
    assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 4, 33, ""), RC_STATE); /* no part */
    assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 5, 1, ""), RC_STATE);  /* not sent */
    assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 6, 1, ""), RC_STATE);
    assert_int_equal(progress_table_sent(progress_log_table(log)), 4);
    commits(log);
    progress_log_free(log);
    loads(folder, "delivered/1/1 delivered/1/2 undelivered/1/2 delivered/1/250 intended/1/0 "
                  "unsent/0/0 ");
    struct buf bytes = file_of(folder);
    assert_non_null(strstr(buf_text(&bytes), "\ndelivered 3 1\nundelivered 3 2 UNDELIV/001\n"));
    buf_release(&bytes);
}

static void progress_log_add__more_parts_than_are_told_apart__the_first_ones_tell(void **state)
{
    const struct folder *folder = *state;
    struct progress_log *log = begin(folder, 1);
    assert_int_equal(add_sent(log, 1, 40, ""), RC_OK);
    for (uint32_t part = 1; part <= PROGRESS_PARTS_MAX; part++) {
        assert_int_equal(progress_log_table(log)->entries[0].state, PROGRESS_SENT);
        assert_int_equal(add(log, PROGRESS_ACT_DELIVERED, 1, part, ""), RC_OK);
    }
    assert_int_equal(progress_log_table(log)->entries[0].state, PROGRESS_DELIVERED);
    progress_log_free(log);
}

static struct progress_log *open_receipts(const struct folder *folder)
{
    struct progress_log *log = NULL;
    struct err err = {""};
    if (progress_receipts_open(folder->fd, &log, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    return log;
}

static void progress_receipts__beside_a_worker_that_writes__both_count_once(void **state)
{
    const struct folder *folder = *state;
    struct progress_log *worker = write_sent(folder);
    for (int again = 0; again < 2; again++) { /* a second file of the same receipts */
        struct progress_log *log = open_receipts(folder);
        enum rc rc = again == 0 ? RC_OK : RC_STATE;
        assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 1, 1, ""), rc);
        assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 2, 1, ""), rc);
        assert_int_equal(add_later(log, PROGRESS_ACT_UNDELIVERED, 3, 1, "EXPIRED/-"), rc);
        assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 5, 0, ""), RC_STATE);
        commits(log);
        progress_log_free(log);
    }
    loads(folder, "delivered/1/1 sent/1/2 undelivered/1/2 sent/1/250 intended/1/0 unsent/0/0 ");
    assert_int_equal(add_later(worker, PROGRESS_ACT_DELIVERED, 1, 1, ""),
                     RC_OK); /* it comes twice */
    assert_int_equal(add_later(worker, PROGRESS_ACT_DELIVERED, 2, 2, ""), RC_OK);
    assert_int_equal(add_later(worker, PROGRESS_ACT_DELIVERED, 3, 1, ""),
                     RC_OK); /* first it counts */
    assert_int_equal(add_later(worker, PROGRESS_ACT_DELIVERED, 3, 2, ""), RC_OK);
    commits(worker);
    progress_log_free(worker);
    loads(folder, "delivered/1/1 delivered/1/2 delivered/1/2 sent/1/250 intended/1/0 unsent/0/0 ");
    struct buf bytes = BUF_EMPTY;
    assert_int_equal(fs_read_small(folder->fd, PROGRESS_RECEIPTS_FILE, 4096, &bytes, NULL), RC_OK);
    assert_non_null(strstr(buf_text(&bytes),
                           "\nrecipients 6\n@ 2027-01-15T08:01:00Z\ndelivered 1 1\n"
                           "delivered 2 1\nundelivered 3 1 EXPIRED/-\n"));
    buf_release(&bytes);
}

static void progress_receipts__torn_at_every_byte__goes_on_from_the_whole_groups(void **state)
{
    const struct folder *folder = *state;
    progress_log_free(write_sent(folder));
    struct progress_log *log = open_receipts(folder);
    assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 1, 1, ""), RC_OK);
    commits(log);
    struct buf whole = BUF_EMPTY;
    assert_int_equal(fs_read_small(folder->fd, PROGRESS_RECEIPTS_FILE, 4096, &whole, NULL), RC_OK);
    size_t first = whole.len;
    assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 4, 0, ""), RC_OK);
    commits(log);
    progress_log_free(log);
    buf_clear(&whole);
    assert_int_equal(fs_read_small(folder->fd, PROGRESS_RECEIPTS_FILE, 4096, &whole, NULL), RC_OK);
    for (size_t len = 0; len < whole.len; len++) {
        folder_put(folder, PROGRESS_RECEIPTS_FILE, (struct slice){whole.ptr, len}, 0640);
        bool has_first = len >= first;
        loads(folder, has_first
                          ? "delivered/1/1 sent/1/2 sent/1/2 sent/1/250 intended/1/0 unsent/0/0 "
                          : "sent/1/1 sent/1/2 sent/1/2 sent/1/250 intended/1/0 unsent/0/0 ");
        log = open_receipts(folder);
        assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 1, 1, ""),
                         has_first ? RC_STATE : RC_OK);
        assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 4, 0, ""), RC_OK);
        commits(log);
        progress_log_free(log);
        loads(folder, "delivered/1/1 sent/1/2 sent/1/2 delivered/1/250 intended/1/0 unsent/0/0 ");
    }
    buf_release(&whole);
}

static void progress_receipts__damaged_or_of_others__is_corrupt(void **state)
{
    const struct folder *folder = *state;
    struct progress_log *log = NULL;
    assert_int_equal(progress_receipts_open(folder->fd, &log, NULL), RC_GONE);
    progress_log_free(write_sent(folder));
    log = open_receipts(folder);
    assert_int_equal(add_later(log, PROGRESS_ACT_DELIVERED, 1, 1, ""), RC_OK);
    commits(log);
    progress_log_free(log);
    struct buf whole = BUF_EMPTY;
    assert_int_equal(fs_read_small(folder->fd, PROGRESS_RECEIPTS_FILE, 4096, &whole, NULL), RC_OK);
    for (size_t i = 0; i < whole.len; i++) {
        whole.ptr[i] ^= 1;
        folder_put(folder, PROGRESS_RECEIPTS_FILE, buf_slice(&whole), 0640);
        enum rc rc = load_rc(folder);
        /* A length that says more than there is looks like a torn tail, where its hash agrees:
         * never */
        assert_true(rc == RC_CORRUPT);
        whole.ptr[i] ^= 1;
    }
    struct buf other = file_of(folder); /* of progress: no receipts */
    folder_put(folder, PROGRESS_RECEIPTS_FILE, buf_slice(&other), 0640);
    assert_int_equal(load_rc(folder), RC_CORRUPT);
    buf_release(&other);
    /* of a delivery to others */
    assert_int_equal(unlinkat(folder->fd, PROGRESS_FILE, 0), 0);
    log = begin(folder, 5);
    progress_log_free(log);
    folder_put(folder, PROGRESS_RECEIPTS_FILE, buf_slice(&whole), 0640);
    struct err err = {""};
    struct progress_table table;
    assert_int_equal(progress_table_load(folder->fd, &table, &err), RC_CORRUPT);
    assert_non_null(strstr(err.text, "about another number of recipients"));
    buf_release(&whole);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(progress_log__every_act__is_read_back_and_readable),
        in_folder(progress_log_add__not_allowed_in_that_state__changes_nothing),
        in_folder(progress_log_add__reply_with_recipients_data__is_blotted_and_cut),
        in_folder(progress_table__due_ones__are_found_in_order),
        in_folder(progress_log_open__after_a_crash__intended_is_uncertain),
        in_folder(progress_log_open__torn_at_every_byte__goes_on_from_the_whole_groups),
        in_folder(progress_table_load__pages_that_were_never_written__are_a_torn_tail),
        in_folder(progress_table_load__any_bit_flipped__is_corrupt),
        in_folder(progress_table_load__groups_moved_doubled_or_left_out__is_corrupt),
        in_folder(progress_table_load__random_damage__never_more_than_an_error),
        in_folder(progress_table_load__no_file_or_no_regular_one__gone_or_perm),
        in_folder(progress_log_commit__write_fails__group_is_kept_and_tried_again),
        in_folder(progress_log_seal__added_meanwhile__belongs_to_the_next_group),
        in_folder(progress_log_write__disk_is_full__is_kept_beside_the_next_group),
        in_folder(progress_log_commit__half_a_group_and_a_full_disk__is_cut_back),
        in_folder(progress_log_commit__sync_or_cut_fails__is_never_written_again),
        in_folder(progress_log_open__faults__are_told_and_leave_a_file_to_go_on_with),
        in_folder(progress_log_add__sent_with_ids__they_are_read_back_as_given),
        in_folder(progress_log_id__in_a_group_open_sealed_written_or_read_again__is_found),
        in_folder(progress_log_add__receipts__delivered_is_who_got_all_parts),
        in_folder(progress_log_add__more_parts_than_are_told_apart__the_first_ones_tell),
        in_folder(progress_receipts__beside_a_worker_that_writes__both_count_once),
        in_folder(progress_receipts__torn_at_every_byte__goes_on_from_the_whole_groups),
        in_folder(progress_receipts__damaged_or_of_others__is_corrupt),
        in_folder(progress_log__group_full__is_committed_and_goes_on),
        in_folder(progress_table_load__a_million__in_time_and_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
