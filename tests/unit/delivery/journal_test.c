/*
 * journal_test - lines written are lines read; torn, damaged and random files
 */
#include "unit/delivery/folder.h"

#include "base/instant.h"
#include "delivery/journal.h"
#include "sys/fault.h"

#include <errno.h>

#define AT INT64_C(1800000000123456000)
#define STAMP "2027-01-15T08:00:00.123456Z"

/* What a reading saw, as text */
struct seen {
    struct buf text;
    uint64_t lines;
    enum rc answer; /* of the callback */
};

static enum rc see(void *ctx, const struct journal_line *line, struct err *err)
{
    struct seen *seen = ctx;
    char at[INSTANT_TEXT_BYTES];
    seen->lines++;
    assert_int_equal(line->number, seen->lines);
    buf_add_format(&seen->text, "%s|%.*s|%.*s", instant_format(line->at_ns, at),
                   (int)line->event.len, line->event.ptr, (int)line->who.len, line->who.ptr);
    for (size_t i = 0; i < line->count; i++) {
        buf_add_byte(&seen->text, '|');
        buf_add_slice(&seen->text, line->keys[i]);
        buf_add_byte(&seen->text, '=');
        buf_add_slice(&seen->text, line->values[i]);
    }
    buf_add_byte(&seen->text, '\n');
    return seen->answer == RC_OK ? RC_OK : err_set(err, seen->answer, "enough");
}

static enum rc read_all(struct slice bytes, struct seen *seen, struct journal_tail *tail,
                        struct err *err)
{
    *seen = (struct seen){BUF_EMPTY, 0, RC_OK};
    return journal_read(bytes, see, seen, tail, err);
}

/* --- writing --- */

struct value_row {
    const char *value;
    const char *written;
};

static void journal_put__values__quoted_where_needed_and_read_back(void **unused)
{
    (void)unused;
    static const struct value_row rows[] = {
        {"plain", "plain"},
        {"", "\"\""},
        {"a=b", "a=b"},
        {"=", "="},
        {"two words", "\"two words\""},
        {"tab\tend", "\"tab\\u0009end\""},
        {"line\nend", "\"line\\nend\""},
        {"quote\"end", "\"quote\\\"end\""},
        {"back\\slash", "\"back\\\\slash\""},
        {"caf\xC3\xA9", "caf\xC3\xA9"},
        {"caf\xC3\xA9 \xF0\x9F\x93\xAE", "\"caf\xC3\xA9 \xF0\x9F\x93\xAE\""},
        {"\x7F", "\"\\u007F\""},
        {"\x01", "\"\\u0001\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct journal_writer writer = JOURNAL_WRITER_EMPTY;
        struct buf line = BUF_EMPTY;
        struct buf back = BUF_EMPTY;
        struct seen seen;
        buf_add_format(&line, STAMP " held bob comment=%s n=7\n", rows[i].written);
        buf_add_format(&back, STAMP "|held|bob|comment=%s|n=7\n", rows[i].value);
        journal_begin(&writer, AT, "held", "bob");
        journal_put_text(&writer, "comment", rows[i].value);
        journal_put_text(&writer, "nothing", NULL);
        journal_put_u64(&writer, "n", 7);
        assert_int_equal(journal_end(&writer, NULL), RC_OK);
        assert_string_equal(buf_text(&writer.lines), buf_text(&line));
        assert_int_equal(read_all(buf_slice(&writer.lines), &seen, NULL, NULL), RC_OK);
        assert_string_equal(buf_text(&seen.text), buf_text(&back));
        buf_release(&line);
        buf_release(&back);
        buf_release(&seen.text);
        journal_writer_release(&writer);
    }
}

static void journal_put__bytes_no_utf8__become_replacement(void **unused)
{
    (void)unused;
    struct journal_writer writer = JOURNAL_WRITER_EMPTY;
    journal_begin(&writer, AT, "held", "bob");
    journal_put(&writer, "file", (struct slice){"a\xFF\0z", 4});
    assert_int_equal(journal_end(&writer, NULL), RC_OK);
    assert_string_equal(buf_text(&writer.lines),
                        STAMP " held bob file=\"a\xEF\xBF\xBD\\u0000z\"\n");
    journal_writer_release(&writer);
}

static void journal_end__too_long_or_too_many__line_gone_others_stand(void **unused)
{
    (void)unused;
    static char long_value[JOURNAL_LINE_BYTES_MAX + 1];
    struct journal_writer writer = JOURNAL_WRITER_EMPTY;
    memset(long_value, 'x', JOURNAL_LINE_BYTES_MAX);
    journal_begin(&writer, AT, "ready", JOURNAL_DAEMON);
    assert_int_equal(journal_end(&writer, NULL), RC_OK);
    size_t before = writer.lines.len;
    journal_begin(&writer, AT, "held", "bob");
    journal_put_text(&writer, "comment", long_value);
    assert_int_equal(journal_end(&writer, NULL), RC_RANGE);
    assert_int_equal(writer.lines.len, before);
    journal_begin(&writer, AT, "held", "bob");
    for (int i = 0; i <= JOURNAL_PAIRS_MAX; i++) {
        journal_put_u64(&writer, "n", 1);
    }
    assert_int_equal(journal_end(&writer, NULL), RC_RANGE);
    assert_int_equal(writer.lines.len, before);
    journal_begin(&writer, AT, "held", "bob");
    assert_int_equal(journal_end(&writer, NULL), RC_OK);
    assert_string_equal(buf_text(&writer.lines), STAMP " ready postroomd\n" STAMP " held bob\n");
    journal_writer_release(&writer);
}

static void journal_end__longest_line__is_read_back(void **unused)
{
    (void)unused;
    static char value[JOURNAL_LINE_BYTES_MAX];
    struct journal_writer writer = JOURNAL_WRITER_EMPTY;
    struct seen seen;
    size_t room = JOURNAL_LINE_BYTES_MAX - strlen(STAMP " held bob comment=\n");
    memset(value, 'x', room);
    journal_begin(&writer, AT, "held", "bob");
    journal_put_text(&writer, "comment", value);
    assert_int_equal(journal_end(&writer, NULL), RC_OK);
    assert_int_equal(writer.lines.len, JOURNAL_LINE_BYTES_MAX);
    assert_int_equal(read_all(buf_slice(&writer.lines), &seen, NULL, NULL), RC_OK);
    buf_release(&seen.text);
    value[room] = 'x';
    journal_begin(&writer, AT, "held", "bob");
    journal_put_text(&writer, "comment", value);
    assert_int_equal(journal_end(&writer, NULL), RC_RANGE);
    journal_writer_release(&writer);
}

static void journal_end__who_is_no_word__is_refused(void **unused)
{
    (void)unused;
    static const char *const bad[] = {
        "", "two words", "a\nb", "\xFF",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct journal_writer writer = JOURNAL_WRITER_EMPTY;
        journal_begin(&writer, AT, "held", bad[i]);
        assert_int_equal(journal_end(&writer, NULL), RC_PERM);
        assert_int_equal(writer.lines.len, 0);
        journal_writer_release(&writer);
    }
}

/* --- reading --- */

static void journal_read__escapes__are_undone(void **unused)
{
    (void)unused;
    struct seen seen;
    const char *text =
        STAMP " held bob a=\"\\/\\b\\f\\r\\t\\u00e9\\uD83D\\uDCEE\" b=\"\" c=\"x\"\n";
    assert_int_equal(read_all(slice_of(text), &seen, NULL, NULL), RC_OK);
    assert_string_equal(buf_text(&seen.text),
                        STAMP "|held|bob|a=/\b\f\r\t\xC3\xA9\xF0\x9F\x93\xAE|b=|c=x\n");
    buf_release(&seen.text);
}

static void journal_value__twice_or_absent__first_or_false(void **unused)
{
    (void)unused;
    struct journal_line line = {.count = 2};
    struct slice value = SLICE_LITERAL("before");
    line.keys[0] = line.keys[1] = SLICE_LITERAL("n");
    line.values[0] = SLICE_LITERAL("1");
    line.values[1] = SLICE_LITERAL("2");
    assert_false(journal_value(&line, "m", &value));
    assert_true(slice_equal_text(value, "before"));
    assert_true(journal_value(&line, "n", &value));
    assert_true(slice_equal_text(value, "1"));
}

#define GOOD STAMP " ready postroomd state=scheduled\n"

static void journal_read__damaged_line__names_its_number(void **unused)
{
    (void)unused;
    static const char *const bad[] = {
        "\n",
        "x\n",
        STAMP "\n",
        STAMP " held\n",
        STAMP " held \n",
        STAMP " held bob \n",
        STAMP " held bob a\n",
        STAMP " held bob a=1  b=2\n",
        STAMP " held bob =1\n",
        STAMP " held bob A=1\n",
        STAMP " held bob a=\n",
        STAMP " held bob a=b\"c\n",
        STAMP " held bob a=b\\c\n",
        STAMP " held bob a=\"b\n",
        STAMP " held bob a=\"b\"c\n",
        STAMP " held bob a=\"\\x\"\n",
        STAMP " held bob a=\"\\u12\"\n",
        STAMP " held bob a=\"\\u12G4\"\n",
        STAMP " held bob a=\"\\uD83D\"\n",
        STAMP " held bob a=\"\\uD83D\\u0041\"\n",
        STAMP " held bob a=\"\\uDCEE\"\n",
        STAMP " held bob a=\"\\\n",
        STAMP " held bob a=\xFF\n",
        STAMP " held bob a=\"\xC3\"\n",
        STAMP " Held bob\n",
        STAMP "  bob\n",
        STAMP " held bob a=\x01\n",
        STAMP " held bob a=1\r\n",
        "2027-01-15T08:00:00+01:00 held bob\n",
        "2027-13-15T08:00:00Z held bob\n",
        " " STAMP " held bob\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf bytes = BUF_EMPTY;
        struct seen seen;
        struct err err = {""};
        struct journal_tail tail = {99, 99, 99};
        buf_add_format(&bytes, GOOD "%s" GOOD, bad[i]);
        enum rc rc = read_all(buf_slice(&bytes), &seen, &tail, &err);
        if (rc != RC_CORRUPT || strncmp(err.text, "journal:2: ", 11) != 0) {
            fail_msg("row %zu: %s '%s'", i, rc_name(rc), err.text);
        }
        assert_int_equal(seen.lines, 1);
        assert_int_equal(tail.line_count, 99);
        buf_release(&bytes);
        buf_release(&seen.text);
    }
}

static void journal_read__nul_too_long_or_too_many_pairs__corrupt(void **unused)
{
    (void)unused;
    struct buf bytes = BUF_EMPTY;
    struct seen seen;
    static const char with_nul[] = STAMP " held bob a=\0\n";
    assert_int_equal(read_all((struct slice){with_nul, sizeof with_nul - 1}, &seen, NULL, NULL),
                     RC_CORRUPT);
    buf_add_text(&bytes, STAMP " held bob a=");
    for (int i = 0; i < JOURNAL_LINE_BYTES_MAX; i++) {
        buf_add_byte(&bytes, 'x');
    }
    buf_add_byte(&bytes, '\n');
    assert_int_equal(read_all(buf_slice(&bytes), &seen, NULL, NULL), RC_CORRUPT);
    buf_clear(&bytes);
    buf_add_text(&bytes, STAMP " held bob");
    for (int i = 0; i <= JOURNAL_PAIRS_MAX; i++) {
        buf_add_text(&bytes, " a=1");
    }
    buf_add_byte(&bytes, '\n');
    assert_int_equal(read_all(buf_slice(&bytes), &seen, NULL, NULL), RC_CORRUPT);
    buf_release(&bytes);
}

static void journal_read__line_one_byte_over_its_limit__corrupt(void **unused)
{
    (void)unused;
    for (int more = 0; more <= 1; more++) {
        struct buf bytes = BUF_EMPTY;
        struct seen seen;
        buf_add_text(&bytes, STAMP " held bob a=");
        while (bytes.len < (size_t)JOURNAL_LINE_BYTES_MAX - 1 + (size_t)more) {
            buf_add_byte(&bytes, 'x');
        }
        buf_add_byte(&bytes, '\n');
        assert_int_equal(read_all(buf_slice(&bytes), &seen, NULL, NULL),
                         more == 0 ? RC_OK : RC_CORRUPT);
        buf_release(&bytes);
        buf_release(&seen.text);
    }
}

static void journal_read__file_over_its_limit__reports_range(void **unused)
{
    (void)unused;
    struct seen seen;
    struct slice bytes = {"", (size_t)JOURNAL_BYTES_MAX + 1}; /* not looked at */
    assert_int_equal(read_all(bytes, &seen, NULL, NULL), RC_RANGE);
}

static void journal_read__callback_refuses__ends_with_its_result(void **unused)
{
    (void)unused;
    struct seen seen = {BUF_EMPTY, 0, RC_STATE};
    struct err err = {""};
    assert_int_equal(journal_read(slice_of(GOOD GOOD), see, &seen, NULL, &err), RC_STATE);
    assert_string_equal(err.text, "enough");
    assert_int_equal(seen.lines, 1);
    buf_release(&seen.text);
}

static void journal_read__cut_at_every_byte__whole_lines_and_the_torn_rest(void **unused)
{
    (void)unused;
    const char *text = GOOD STAMP " held bob comment=\"two words \\u00e9\"\n" GOOD;
    size_t first = strlen(GOOD);
    size_t second = strlen(text) - first;
    for (size_t len = 0; len <= strlen(text); len++) {
        struct seen seen;
        struct journal_tail tail;
        size_t lines = len >= strlen(text) ? 3 : len >= second ? 2 : len >= first ? 1 : 0;
        size_t whole = len >= strlen(text) ? strlen(text)
                       : len >= second     ? second
                       : len >= first      ? first
                                           : 0;
        assert_int_equal(read_all((struct slice){text, len}, &seen, &tail, NULL), RC_OK);
        assert_int_equal(seen.lines, lines);
        assert_int_equal(tail.line_count, lines);
        assert_int_equal(tail.whole_bytes, whole);
        assert_int_equal(tail.torn_bytes, len - whole);
        buf_release(&seen.text);
    }
}

static void journal_read__random_bytes__end_in_a_result(void **unused)
{
    (void)unused;
    static const char *const pieces[] = {STAMP,  " ",    "held",     "bob",  "a",  "=",
                                         "\"",   "\\",   "\\u",      "D83D", "\n", "\xFF",
                                         "\xC3", "00e9", "comment=", "\t"};
    uint64_t seed = 20270301;
    for (int round = 0; round < 20000; round++) {
        struct buf bytes = BUF_EMPTY;
        struct seen seen;
        size_t count = next_random(&seed) % 24;
        for (size_t i = 0; i < count; i++) {
            if (round % 2 == 0) {
                buf_add_byte(&bytes, (char)(next_random(&seed) & 0xFF));
            } else {
                buf_add_text(&bytes, pieces[next_random(&seed) % 16]);
            }
        }
        struct journal_tail tail;
        enum rc rc = read_all(buf_slice(&bytes), &seen, &tail, NULL);
        assert_true(rc == RC_OK || rc == RC_CORRUPT);
        assert_true(rc != RC_OK || tail.whole_bytes + tail.torn_bytes == bytes.len);
        buf_release(&seen.text);
        buf_release(&bytes);
    }
}

/* --- the file --- */

static void journal_append__twice__one_after_the_other(void **state)
{
    const struct folder *folder = *state;
    struct stat status;
    assert_int_equal(journal_append(folder->fd, slice_of(""), NULL), RC_OK);
    assert_false(fs_exists(folder->fd, JOURNAL_FILE));
    assert_int_equal(journal_append(folder->fd, slice_of(GOOD), NULL), RC_OK);
    assert_int_equal(journal_append(folder->fd, slice_of(GOOD GOOD), NULL), RC_OK);
    folder_expect(folder, JOURNAL_FILE, slice_of(GOOD GOOD GOOD));
    assert_int_equal(fstatat(folder->fd, JOURNAL_FILE, &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, JOURNAL_MODE);
}

static void journal_append__symlink__is_refused(void **state)
{
    const struct folder *folder = *state;
    assert_int_equal(symlinkat("elsewhere", folder->fd, JOURNAL_FILE), 0);
    assert_int_equal(journal_append(folder->fd, slice_of(GOOD), NULL), RC_PERM);
    assert_false(fs_exists(folder->fd, "elsewhere"));
}

static void journal_append__file_at_its_limit__reports_range(void **state)
{
    const struct folder *folder = *state;
    folder_put(folder, JOURNAL_FILE, slice_of(""), 0640);
    int fd = openat(folder->fd, JOURNAL_FILE, O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, JOURNAL_BYTES_MAX - 3), 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(journal_append(folder->fd, slice_of(GOOD), NULL), RC_RANGE);
}

static void journal_append__disk_full_half_way__nothing_was_added(void **state)
{
    const struct folder *folder = *state;
    assert_int_equal(journal_append(folder->fd, slice_of(GOOD), NULL), RC_OK);
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_FOREVER);
    enum rc rc = journal_append(folder->fd, slice_of(GOOD), NULL);
    fault_clear();
    assert_int_equal(rc, RC_TEMP);
    folder_expect(folder, JOURNAL_FILE, slice_of(GOOD));
}

static void journal_append__close_fails__reports_io(void **state)
{
    const struct folder *folder = *state;
    fault_at(FAULT_CLOSE, 1, EIO, FAULT_ONCE);
    enum rc rc = journal_append(folder->fd, slice_of(GOOD), NULL);
    fault_clear();
    assert_int_equal(rc, RC_IO);
}

static void journal_cut_torn_tail__cut_at_every_byte__whole_lines_stay(void **state)
{
    const struct folder *folder = *state;
    const char *text = GOOD GOOD;
    for (size_t len = 0; len <= strlen(text); len++) {
        size_t cut = 99;
        size_t whole = len / strlen(GOOD) * strlen(GOOD);
        folder_put(folder, JOURNAL_FILE, (struct slice){text, len}, 0640);
        assert_int_equal(journal_cut_torn_tail(folder->fd, &cut, NULL), RC_OK);
        assert_int_equal(cut, len - whole);
        folder_expect(folder, JOURNAL_FILE, (struct slice){text, whole});
        assert_int_equal(journal_cut_torn_tail(folder->fd, NULL, NULL), RC_OK); /* twice is once */
        folder_expect(folder, JOURNAL_FILE, (struct slice){text, whole});
    }
}

static void journal_cut_torn_tail__long_file__only_its_tail_goes(void **state)
{
    const struct folder *folder = *state;
    struct buf text = BUF_EMPTY;
    size_t cut = 0;
    while (text.len < 3 * JOURNAL_LINE_BYTES_MAX) {
        buf_add_text(&text, GOOD);
    }
    size_t whole = text.len;
    for (int i = 0; i < JOURNAL_LINE_BYTES_MAX - 1; i++) {
        buf_add_byte(&text, 'x');
    }
    folder_put(folder, JOURNAL_FILE, buf_slice(&text), 0640);
    assert_int_equal(journal_cut_torn_tail(folder->fd, &cut, NULL), RC_OK);
    assert_int_equal(cut, JOURNAL_LINE_BYTES_MAX - 1);
    folder_expect(folder, JOURNAL_FILE, (struct slice){text.ptr, whole});
    buf_add_byte(&text, 'x');
    folder_put(folder, JOURNAL_FILE, buf_slice(&text), 0640);
    assert_int_equal(journal_cut_torn_tail(folder->fd, &cut, NULL), RC_CORRUPT);
    folder_expect(folder, JOURNAL_FILE, buf_slice(&text));
    buf_release(&text);
}

static void journal_cut_torn_tail__none_or_no_file__is_told(void **state)
{
    const struct folder *folder = *state;
    assert_int_equal(journal_cut_torn_tail(folder->fd, NULL, NULL), RC_GONE);
    assert_int_equal(mkdirat(folder->fd, JOURNAL_FILE, 0700), 0);
    assert_int_equal(journal_cut_torn_tail(folder->fd, NULL, NULL), RC_PERM);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(journal_put__values__quoted_where_needed_and_read_back),
        cmocka_unit_test(journal_put__bytes_no_utf8__become_replacement),
        cmocka_unit_test(journal_end__too_long_or_too_many__line_gone_others_stand),
        cmocka_unit_test(journal_end__longest_line__is_read_back),
        cmocka_unit_test(journal_end__who_is_no_word__is_refused),
        cmocka_unit_test(journal_read__escapes__are_undone),
        cmocka_unit_test(journal_value__twice_or_absent__first_or_false),
        cmocka_unit_test(journal_read__damaged_line__names_its_number),
        cmocka_unit_test(journal_read__nul_too_long_or_too_many_pairs__corrupt),
        cmocka_unit_test(journal_read__line_one_byte_over_its_limit__corrupt),
        cmocka_unit_test(journal_read__file_over_its_limit__reports_range),
        cmocka_unit_test(journal_read__callback_refuses__ends_with_its_result),
        cmocka_unit_test(journal_read__cut_at_every_byte__whole_lines_and_the_torn_rest),
        cmocka_unit_test(journal_read__random_bytes__end_in_a_result),
        IN_FOLDER(journal_append__twice__one_after_the_other),
        IN_FOLDER(journal_append__symlink__is_refused),
        IN_FOLDER(journal_append__file_at_its_limit__reports_range),
        IN_FOLDER(journal_append__disk_full_half_way__nothing_was_added),
        IN_FOLDER(journal_append__close_fails__reports_io),
        IN_FOLDER(journal_cut_torn_tail__cut_at_every_byte__whole_lines_stay),
        IN_FOLDER(journal_cut_torn_tail__long_file__only_its_tail_goes),
        IN_FOLDER(journal_cut_torn_tail__none_or_no_file__is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
