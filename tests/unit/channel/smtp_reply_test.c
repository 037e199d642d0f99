/*
 * smtp_reply - whole, cut at every byte, too long, and no replies at all
 */
#include "unit/sys/support.h"

#include "channel/smtp_reply.h"

/* Feeds `text` in pieces of `step` bytes; codes and texts of all lines go to out. */
static enum rc read_all(const char *text, size_t len, size_t step, struct buf *out)
{
    struct smtp_reader *reader = calloc(1, sizeof *reader);
    enum rc rc = RC_OK;
    struct smtp_line line;
    for (size_t at = 0; at < len && rc == RC_OK; at += step) {
        struct slice bytes = {text + at, len - at < step ? len - at : step};
        while (rc == RC_OK) {
            rc = smtp_reader_next(reader, &bytes, &line, NULL);
            if (rc == RC_OK) {
                buf_add_format(out, "%d%c%u[%.*s]", line.code, line.is_last ? '.' : '-',
                               line.number, (int)line.text.len, line.text.ptr);
            }
        }
        rc = rc == RC_STATE ? RC_OK : rc;
    }
    free(reader);
    return rc;
}

static void smtp_reader__cut_anywhere__reads_the_same(void **state)
{
    (void)state;
    static const char text[] = "220 hi\r\n250-a\r\n250-SIZE 10\r\n250 \r\n250\r\n354 go\n";
    for (size_t step = 1; step <= sizeof text; step++) {
        struct buf out = BUF_EMPTY;
        assert_int_equal(read_all(text, sizeof text - 1, step, &out), RC_OK);
        assert_string_equal(buf_text(&out),
                            "220.1[hi]250-1[a]250-2[SIZE 10]250.3[]250.1[]354.1[go]");
        buf_release(&out);
    }
}

static void smtp_reader__no_reply__is_corrupt(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\r\n",       "hello\r\n",          "25\r\n",           "250x\r\n",
        "150 x\r\n",  "650 x\r\n",          "2a0 x\r\n",        "-250 \r\n",
        " 250 x\r\n", "250-a\r\n251 b\r\n", "\x16\x03\x01 \r\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct buf out = BUF_EMPTY;
        assert_int_equal(read_all(texts[i], strlen(texts[i]), 3, &out), RC_CORRUPT);
        buf_release(&out);
    }
}

static void smtp_reader__line_at_and_over_the_limit__fits_and_is_out_of_range(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    struct buf out = BUF_EMPTY;
    buf_add_text(&text, "250 ");
    while (text.len < SMTP_LINE_BYTES_MAX - 1) {
        buf_add_byte(&text, 'x');
    }
    buf_add_text(&text, "\r\n");
    assert_int_equal(read_all(text.ptr, text.len, 100, &out), RC_OK);
    text.ptr[text.len - 2] = 'x';
    text.ptr[text.len - 1] = 'x';
    buf_add_text(&text, "\r\n");
    assert_int_equal(read_all(text.ptr, text.len, 100, &out), RC_RANGE);
    buf_clear(&text);
    for (int i = 0; i < 65536; i++) { /* never a line end */
        buf_add_byte(&text, '2');
    }
    assert_int_equal(read_all(text.ptr, text.len, 1000, &out), RC_RANGE);
    buf_release(&text);
    buf_release(&out);
}

static void smtp_reader__a_hundred_lines_and_one_more__fit_and_are_out_of_range(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    struct buf out = BUF_EMPTY;
    for (int i = 1; i < SMTP_LINES_MAX; i++) {
        buf_add_text(&text, "250-x\r\n");
    }
    buf_add_text(&text, "250 x\r\n");
    assert_int_equal(read_all(text.ptr, text.len, 7, &out), RC_OK);
    text.len -= 7;
    buf_add_text(&text, "250-x\r\n250 x\r\n");
    assert_int_equal(read_all(text.ptr, text.len, 7, &out), RC_RANGE);
    buf_release(&text);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smtp_reader__cut_anywhere__reads_the_same),
        cmocka_unit_test(smtp_reader__no_reply__is_corrupt),
        cmocka_unit_test(smtp_reader__line_at_and_over_the_limit__fits_and_is_out_of_range),
        cmocka_unit_test(smtp_reader__a_hundred_lines_and_one_more__fit_and_are_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
