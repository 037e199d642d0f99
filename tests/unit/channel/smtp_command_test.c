/*
 * smtp_command - no argument becomes a second command, no body ends early
 */
#include "unit/sys/support.h"

#include "channel/smtp_command.h"

static struct slice text_slice(const char *text)
{
    return slice_of(text);
}

static void smtp_command_address__what_no_envelope_may_hold__is_refused(void **state)
{
    (void)state;
    const struct slice bad[] = {
        SLICE_LITERAL("a@b.example\r\nRCPT TO:<c@d.example>"),
        SLICE_LITERAL("a@b.example\n"),
        SLICE_LITERAL("a\r@b.example"),
        SLICE_LITERAL("a\0@b.example"),
        SLICE_LITERAL("a\x7f@b.example"),
        SLICE_LITERAL("a@b.example> SIZE=1"),
        SLICE_LITERAL("<a@b.example>"),
        SLICE_LITERAL("a b@c.example"),
        SLICE_LITERAL("a\t@b.example"),
        SLICE_LITERAL(""),
        SLICE_LITERAL("nobody"),
        SLICE_LITERAL("@b.example"),
        SLICE_LITERAL("a@"),
        SLICE_LITERAL("a\xc3@b.example"),
        SLICE_LITERAL("a\xc0\x8d\xc0\x8a@b.example"), /* CR LF in overlong form */
    };
    struct buf out = BUF_EMPTY;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(smtp_command_address(bad[i], NULL, NULL), RC_PERM);
        assert_int_equal(smtp_command_rcpt(&out, bad[i], NULL), RC_PERM);
        struct smtp_mail mail = {.from = bad[i]};
        if (bad[i].len > 0) {
            assert_int_equal(smtp_command_mail(&out, &mail, NULL), RC_PERM);
        }
        assert_int_equal(out.len, 0);
    }
    buf_release(&out);
}

static void smtp_command_address__code_points_that_narrow_to_cr_lf__stay_what_they_are(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    bool is_ascii = true;
    struct slice address = text_slice("a\xe7\x98\x8d\xe7\x98\x8a@b.example"); /* U+760D U+760A */
    assert_int_equal(smtp_command_address(address, &is_ascii, NULL), RC_OK);
    assert_false(is_ascii);
    assert_int_equal(smtp_command_rcpt(&out, address, NULL), RC_OK);
    assert_string_equal(buf_text(&out), "RCPT TO:<a\xe7\x98\x8d\xe7\x98\x8a@b.example>\r\n");
    buf_release(&out);
}

static void smtp_command_address__at_and_over_254_bytes__fits_and_is_refused(void **state)
{
    (void)state;
    char text[SMTP_PATH_BYTES_MAX + 1];
    memset(text, 'a', sizeof text);
    text[10] = '@';
    assert_int_equal(smtp_command_address((struct slice){text, SMTP_PATH_BYTES_MAX}, NULL, NULL),
                     RC_OK);
    assert_int_equal(smtp_command_address((struct slice){text, sizeof text}, NULL, NULL), RC_PERM);
}

static void smtp_command_mail__parameters__stand_behind_the_path(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    struct smtp_mail mail = {
        .from = text_slice("s@e.example"), .size_bytes = 2048, .is_8bit = true, .is_utf8 = true};
    assert_int_equal(smtp_command_mail(&out, &mail, NULL), RC_OK);
    assert_string_equal(buf_text(&out),
                        "MAIL FROM:<s@e.example> SIZE=2048 BODY=8BITMIME SMTPUTF8\r\n");
    buf_clear(&out);
    mail = (struct smtp_mail){.from = {NULL, 0}};
    assert_int_equal(smtp_command_mail(&out, &mail, NULL), RC_OK);
    assert_string_equal(buf_text(&out), "MAIL FROM:<>\r\n");
    buf_release(&out);
}

static void smtp_command_plain__control_byte_in_argument__is_refused(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    assert_int_equal(smtp_command_plain(&out, "EHLO", text_slice("a\r\nMAIL"), NULL), RC_PERM);
    assert_int_equal(out.len, 0);
    assert_int_equal(smtp_command_plain(&out, "EHLO", text_slice("[127.0.0.1]"), NULL), RC_OK);
    assert_string_equal(buf_text(&out), "EHLO [127.0.0.1]\r\n");
    buf_release(&out);
}

static void smtp_command_auth__credentials__are_coded_and_nul_is_refused(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    assert_int_equal(
        smtp_command_auth_plain(&out, text_slice("tim"), text_slice("tanstaaftanstaaf"), NULL),
        RC_OK);
    assert_string_equal(buf_text(&out),
                        "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n"); /* RFC 4616 4 */
    buf_clear(&out);
    assert_int_equal(smtp_command_base64(&out, text_slice("any carnal pleas"), NULL), RC_OK);
    assert_string_equal(buf_text(&out), "YW55IGNhcm5hbCBwbGVhcw==\r\n");
    buf_clear(&out);
    assert_int_equal(smtp_command_auth_plain(&out, SLICE_LITERAL("a\0b"), text_slice("c"), NULL),
                     RC_PERM);
    char longest[SMTP_CREDENTIAL_BYTES_MAX + 1];
    memset(longest, 'p', sizeof longest);
    assert_int_equal(smtp_command_base64(&out, (struct slice){longest, sizeof longest}, NULL),
                     RC_PERM);
    assert_int_equal(out.len, 0);
    buf_release(&out);
}

/* ---- bodies ---- */

/* Stuffs with `room` bytes a time; what is appended may pass that by one dot. */
static void stuffed(struct slice bytes, size_t room, struct buf *out)
{
    struct smtp_body body;
    size_t at = 0;
    assert_int_equal(smtp_body_scan(bytes, &body, NULL), RC_OK);
    for (bool is_done = false; !is_done;) {
        is_done = smtp_body_add(&body, &at, room, out);
    }
    assert_int_equal(out->len, smtp_body_size(&body) + body.dots);
}

static void smtp_body_add__dots_at_line_begins__are_doubled_whatever_the_pieces(void **state)
{
    (void)state;
    static const char text[] = ".\r\n..\r\na.b\r\n.end\r\n\r\n.\r\nlast.";
    for (size_t room = 1; room <= sizeof text; room++) {
        struct buf out = BUF_EMPTY;
        stuffed((struct slice){text, sizeof text - 1}, room, &out);
        assert_string_equal(buf_text(&out), "..\r\n...\r\na.b\r\n..end\r\n\r\n..\r\nlast.\r\n");
        buf_release(&out);
    }
}

static void smtp_body_add__no_dots_or_nothing__is_copied(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    stuffed(SLICE_LITERAL("a\r\nb\r\n"), 2, &out);
    assert_string_equal(buf_text(&out), "a\r\nb\r\n");
    buf_clear(&out);
    stuffed((struct slice){NULL, 0}, 10, &out);
    assert_int_equal(out.len, 0);
    buf_release(&out);
}

static void smtp_body_scan__what_could_end_a_message_early__is_refused(void **state)
{
    (void)state;
    const struct slice bad[] = {
        SLICE_LITERAL("a\n.\r\n"), SLICE_LITERAL("a\r\n.\n"), SLICE_LITERAL("a\r.\r\n"),
        SLICE_LITERAL("a\r\n.\r"), SLICE_LITERAL("\n"),       SLICE_LITERAL("\r"),
        SLICE_LITERAL("a\r\r\n"),  SLICE_LITERAL("a\0b\r\n"),
    };
    struct smtp_body body;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(smtp_body_scan(bad[i], &body, NULL), RC_PERM);
    }
}

static void smtp_body_scan__line_of_998_and_999_bytes__fits_and_is_refused(void **state)
{
    (void)state;
    char text[SMTP_TEXT_LINE_BYTES_MAX + 3];
    struct smtp_body body;
    memset(text, 'a', sizeof text);
    memcpy(text + SMTP_TEXT_LINE_BYTES_MAX, "\r\n", 2);
    assert_int_equal(
        smtp_body_scan((struct slice){text, SMTP_TEXT_LINE_BYTES_MAX + 2}, &body, NULL), RC_OK);
    memcpy(text + SMTP_TEXT_LINE_BYTES_MAX, "a\r\n", 3);
    assert_int_equal(smtp_body_scan((struct slice){text, sizeof text}, &body, NULL), RC_PERM);
}

static void smtp_body_scan__bytes_above_127__are_seen_wherever_they_stand(void **state)
{
    (void)state;
    struct smtp_body body;
    for (size_t at = 0; at < 24; at++) {
        char text[27] = "abcdefghijklmnopqrstuvwx\r\n";
        assert_int_equal(smtp_body_scan(slice_of(text), &body, NULL), RC_OK);
        assert_false(body.is_8bit);
        text[at] = '\xe9';
        assert_int_equal(smtp_body_scan(slice_of(text), &body, NULL), RC_OK);
        assert_true(body.is_8bit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smtp_command_address__what_no_envelope_may_hold__is_refused),
        cmocka_unit_test(
            smtp_command_address__code_points_that_narrow_to_cr_lf__stay_what_they_are),
        cmocka_unit_test(smtp_command_address__at_and_over_254_bytes__fits_and_is_refused),
        cmocka_unit_test(smtp_command_mail__parameters__stand_behind_the_path),
        cmocka_unit_test(smtp_command_plain__control_byte_in_argument__is_refused),
        cmocka_unit_test(smtp_command_auth__credentials__are_coded_and_nul_is_refused),
        cmocka_unit_test(smtp_body_add__dots_at_line_begins__are_doubled_whatever_the_pieces),
        cmocka_unit_test(smtp_body_add__no_dots_or_nothing__is_copied),
        cmocka_unit_test(smtp_body_scan__what_could_end_a_message_early__is_refused),
        cmocka_unit_test(smtp_body_scan__line_of_998_and_999_bytes__fits_and_is_refused),
        cmocka_unit_test(smtp_body_scan__bytes_above_127__are_seen_wherever_they_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
