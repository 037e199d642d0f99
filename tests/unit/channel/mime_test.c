/*
 * mime - what a message looks like to the byte, and what is refused before the first one
 */
#include "message_support.h"

#include <stdlib.h>

#define E_ACUTE "\xC3\xA9"
#define PARTY "\xF0\x9F\x8E\x89"

static void assert_has(const char *message, const char *expected)
{
    if (strstr(message, expected) == NULL) {
        print_message("--- not in it: %s\n%s\n", expected, message);
    }
    assert_non_null(strstr(message, expected));
}

static void assert_has_not(const char *message, const char *unwanted)
{
    if (strstr(message, unwanted) != NULL) {
        print_message("--- in it: %s\n%s\n", unwanted, message);
    }
    assert_null(strstr(message, unwanted));
}

/* --- whole messages --- */

static void mime_render__text_alone__is_this_message(void **state)
{
    (void)state;
    struct mime_options options = test_options();
    struct bench bench = bench_open(&options);
    assert_string_equal(bench_message(&bench, "Ann", "See you."),
                        "From: Shop <shop@example.net>\r\n"
                        "To: ann@example.org\r\n"
                        "Subject: Hello Ann\r\n"
                        "Date: Fri, 01 Mar 2024 22:00:00 +0000\r\n"
                        "Message-ID: <7.r1.spring-email@example.net>\r\n"
                        "Feedback-ID: spring-2027:spring-email:email:postroom\r\n"
                        "MIME-Version: 1.0\r\n"
                        "Content-Type: text/plain; charset=utf-8\r\n"
                        "Content-Transfer-Encoding: 7bit\r\n"
                        "\r\n"
                        "Dear Ann,\r\n"
                        "See you.\r\n");
    assert_true(slice_equal_text(bench.message.sender, "shop@example.net"));
    assert_true(slice_equal_text(bench.message.recipient, "ann@example.org"));
    assert_false(bench.message.needs_8bit || bench.message.needs_smtputf8);
    bench_close(&bench);
}

static void mime_render__text_and_html_with_all__nests_its_parts(void **state)
{
    (void)state;
    static const struct mime_file images[] = {{"dot.gif", {"GIF89a", 6}}};
    static const struct mime_file files[] = {{"terms.pdf", {"%PDF", 4}}};
    struct mime_options options = test_options();
    options.html = TEST_TEXT("<p>{{name}}</p><img src=\"cid:dot.gif\">\n", "mail.html");
    options.images = images;
    options.image_count = 1;
    options.attachments = files;
    options.attachment_count = 1;
    struct bench bench = bench_open(&options);
    const char *message = bench_message(&bench, "A<b> & " E_ACUTE, "x");
    static const char *const in_order[] = {
        "\r\nContent-Type: multipart/mixed; boundary=\"=_m",
        "\r\n\r\n--=_m",
        "\r\nContent-Type: multipart/alternative; boundary=\"=_a",
        "\r\n--=_a",
        "\r\nContent-Type: text/plain; charset=utf-8\r\n",
        "\r\n--=_a",
        "\r\nContent-Type: multipart/related; type=\"text/html\";\r\n boundary=\"=_r",
        "\r\n--=_r",
        "\r\nContent-Type: text/html; charset=utf-8\r\n",
        "<p>A&lt;b&gt; &amp; =C3=A9</p><img src=3D\"cid:dot.gif\">\r\n",
        "\r\n--=_r",
        "\r\nContent-Type: image/gif\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: inline; filename=\"dot.gif\"\r\nContent-ID: <dot.gif>\r\n\r\n"
        "R0lGODlh\r\n--=_r",
        "--\r\n--=_a",
        "--\r\n--=_m",
        "\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment; filename=\"terms.pdf\"\r\n\r\n"
        "JVBERg==\r\n--=_m",
        "--\r\n"};
    const char *at = message;
    for (size_t i = 0; i < COUNT(in_order); i++) {
        const char *found = strstr(at, in_order[i]);
        if (found == NULL) {
            print_message("not in order: %s\n%s\n", in_order[i], message);
        }
        assert_non_null(found);
        at = found + 1;
    }
    bench_close(&bench);
}

static void mime_render__same_recipient_again__same_bytes(void **state)
{
    (void)state;
    char *pem = make_key("ED25519", 0);
    struct dkim *dkim = make_dkim(pem);
    struct mime_options options = test_options();
    options.dkim = dkim;
    options.html = TEST_TEXT("<p>{{name}}</p>", "mail.html");
    struct bench one = bench_open(&options);
    struct bench other = bench_open(&options);
    (void)bench_message(&other, "somebody", "else");
    assert_string_equal(bench_message(&one, "Ann", E_ACUTE), bench_message(&other, "Ann", E_ACUTE));
    assert_memory_equal(one.message.bytes.ptr, "DKIM-Signature: v=1; a=ed25519-sha256;", 38);
    bench_close(&one);
    bench_close(&other);
    dkim_free(dkim);
    free(pem);
}

static void mime_render__proof__is_marked_and_has_its_own_id(void **state)
{
    (void)state;
    struct mime_options options = test_options();
    options.subject = TEST_TEXT("Spring", "delivery.conf");
    struct bench bench = bench_open(&options);
    struct slice fields[3] = {SLICE_LITERAL("k"), SLICE_LITERAL("n"), SLICE_LITERAL("t")};
    assert_int_equal(bench_try(&bench, fields, "a@b.example", 3, NULL), RC_OK);
    assert_has(bench.message.bytes.ptr, "\r\nSubject: [Proof 3] Spring\r\n");
    assert_has(bench.message.bytes.ptr, "\r\nMessage-ID: <7.p3.r1.spring-email@example.net>\r\n");
    assert_int_equal(bench_try(&bench, fields, "a@b.example", 0, NULL), RC_OK);
    assert_has(bench.message.bytes.ptr, "\r\nSubject: Spring\r\n");
    bench_close(&bench);
}

static void mime_render__id_with_odd_dots__message_id_is_a_dot_atom(void **state)
{
    (void)state;
    struct mime_options options = test_options();
    options.delivery = "a..b.";
    options.revision = 12;
    options.domain = "mail.example.com";
    struct bench bench = bench_open(&options);
    assert_has(bench_message(&bench, "n", "t"),
               "\r\nMessage-ID: <7.r12.a+.b+@mail.example.com>\r\n");
    bench_close(&bench);
}

static void mime_render__from_and_reply_to_with_columns__are_filled_in(void **state)
{
    (void)state;
    struct mime_options options = test_options();
    options.from = TEST_TEXT("{{name}} <shop@example.net>", "delivery.conf");
    options.reply_to = TEST_TEXT("{{note}}", "delivery.conf");
    options.domain = "example.net";
    options.envelope_sender = "bounces@example.net";
    struct bench bench = bench_open(&options);
    const char *message = bench_message(&bench, "Zo" E_ACUTE " <evil@example.com>", "a@b.example");
    assert_has(message,
               "From: =?UTF-8?B?Wm/DqSA8ZXZpbEBleGFtcGxlLmNvbT4=?= <shop@example.net>\r\n");
    assert_has(message, "\r\nReply-To: a@b.example\r\n");
    assert_true(slice_equal_text(bench.message.sender, "bounces@example.net"));
    assert_has_not(bench_message(&bench, "Ann", ""), "Reply-To");
    struct slice fields[3] = {SLICE_LITERAL("k"), SLICE_LITERAL("n"), SLICE_LITERAL("no address")};
    struct err err = {""};
    assert_int_equal(bench_try(&bench, fields, "a@b.example", 0, &err), RC_PERM);
    assert_string_equal(err.text, "Reply-To: the address holds a blank or an angle bracket");
    bench_close(&bench);
}

static void mime_render__unsubscribe__has_both_headers_and_a_link(void **state)
{
    (void)state;
    struct mime_options options = test_options();
    options.html = TEST_TEXT("<a href=\"{{unsubscribe}}\">no more</a>", "mail.html");
    options.unsubscribe_url = "https://example.net/u/{{token}}";
    options.unsubscribe_secret = TEST_SECRET;
    struct bench bench = bench_open(&options);
    const char *message = bench_message(&bench, "n", "t");
    assert_has(message, "\r\nList-Unsubscribe: <https://example.net/u/");
    assert_has(message, ">\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
    assert_has(message, "<a href=3D\"https://example.net/u/");
    bench_close(&bench);
}

static void mime_render__bad_address__is_that_recipients_fault_and_not_quoted(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "nobody",
                                      "a b@example.org",
                                      "<a@example.org>",
                                      "a@example.org\r\nBcc: x@y.example",
                                      "a@b..c",
                                      "a@example.org> SIZE=1",
                                      ("a123456789012345678901234567890123456789012345678901234567"
                                       "89012345@example.org")};
    struct mime_options options = test_options();
    struct bench bench = bench_open(&options);
    struct slice fields[3] = {SLICE_LITERAL("k"), SLICE_LITERAL("n"), SLICE_LITERAL("t")};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err err = {""};
        assert_int_equal(bench_try(&bench, fields, bad[i], 0, &err), RC_PERM);
        assert_null(strstr(err.text, "example.org"));
    }
    bench_close(&bench);
}

static void mime_render__local_part_not_ascii__needs_smtputf8(void **state)
{
    (void)state;
    struct mime_options options = test_options();
    struct bench bench = bench_open(&options);
    struct slice fields[3] = {SLICE_LITERAL("k"), SLICE_LITERAL("n"), SLICE_LITERAL("t")};
    assert_int_equal(bench_try(&bench, fields,
                               "zo" E_ACUTE "@b\xC3\xBC"
                               "cher.example",
                               0, NULL),
                     RC_OK);
    assert_true(bench.message.needs_smtputf8 && bench.message.needs_8bit);
    assert_has(bench.message.bytes.ptr, "\r\nTo: zo" E_ACUTE "@xn--bcher-kva.example\r\n");
    assert_int_equal(bench_try(&bench, fields,
                               "zoe@b\xC3\xBC"
                               "cher.example",
                               0, NULL),
                     RC_OK);
    assert_false(bench.message.needs_smtputf8 || bench.message.needs_8bit);
    bench_close(&bench);
    options.reply_to = TEST_TEXT("zo" E_ACUTE "@example.net", "delivery.conf");
    bench = bench_open(&options);
    assert_int_equal(bench_try(&bench, fields, "ann@example.org", 0, NULL), RC_OK);
    assert_true(bench.message.needs_smtputf8);
    bench_close(&bench);
}

static void mime_render__subject_over_the_limit__reports_range(void **state)
{
    (void)state;
    struct mime_options options = test_options();
    options.subject = TEST_TEXT("{{name}}", "delivery.conf");
    struct bench bench = bench_open(&options);
    char name[MIME_SUBJECT_BYTES_MAX + 2];
    memset(name, 'a', sizeof name);
    struct slice fields[3] = {
        SLICE_LITERAL("k"), {name, MIME_SUBJECT_BYTES_MAX}, SLICE_LITERAL("t")};
    assert_int_equal(bench_try(&bench, fields, "a@b.example", 0, NULL), RC_OK);
    fields[1].len++;
    assert_int_equal(bench_try(&bench, fields, "a@b.example", 0, NULL), RC_RANGE);
    bench_close(&bench);
}

static void mime_render__long_file_name_not_ascii__is_cut_in_pieces(void **state)
{
    (void)state;
    static const struct mime_file files[] = {
        {"Angebot f\xC3\xBCr den Fr\xC3\xBChling.pdf", {"x", 1}},
        {"a-name-that-is-longer-than-what-is-put-between-quotes-in-one-piece-of-a-line.bin",
         {NULL, 0}}};
    struct mime_options options = test_options();
    options.attachments = files;
    options.attachment_count = COUNT(files);
    struct bench bench = bench_open(&options);
    const char *message = bench_message(&bench, "n", "t");
    assert_has(message, "Content-Disposition: attachment;\r\n"
                        " filename*=UTF-8''Angebot%20f%C3%BCr%20den%20Fr%C3%BChling.pdf\r\n");
    assert_has(message, " filename*0*=UTF-8''a-name-that");
    assert_has(message, ";\r\n filename*1*=");
    bench_close(&bench);
}

static void mime_render__notice__is_marked_and_its_texts_are_no_templates(void **state)
{
    (void)state;
    struct mime_options options = test_options();
    options.subject = TEST_TEXT("{{name}}", "notice");
    options.text.text.ptr = NULL;
    options.html = TEST_TEXT("{{{note}}}", "notice");
    options.campaign = NULL;
    options.is_notice = true;
    struct bench bench = bench_open(&options);
    const char *message = bench_message(&bench, "{{key}} waits", "<p>{{key}}</p>");
    assert_has(message, "\r\nSubject: {{key}} waits\r\n");
    assert_has(message, "\r\nAuto-Submitted: auto-generated\r\n");
    assert_has(message, "\r\n\r\n<p>{{key}}</p>\r\n");
    assert_has_not(message, "Feedback-ID");
    bench_close(&bench);
}

/* --- mime_open --- */

static void assert_refused(const struct mime_options *options, enum rc rc, const char *text)
{
    struct mime *mime = NULL;
    struct err err = {""};
    assert_int_equal(mime_open(options, test_columns, COUNT(test_columns), &mime, &err), rc);
    assert_null(mime);
    if (strstr(err.text, text) == NULL) {
        print_message("%s\n", err.text);
    }
    assert_non_null(strstr(err.text, text));
}

static void mime_open__bad_templates__name_file_and_line(void **state)
{
    (void)state;
    struct mime_options options = test_options();
    options.text = TEST_TEXT("a\nb {{nmae}}\n", "mail.txt");
    assert_refused(&options, RC_PERM, "mail.txt:2: unknown column \"nmae\"; did you mean \"name\"");
    options = test_options();
    options.subject = (struct mime_text){SLICE_LITERAL("a\r\nBcc: x@y.example"), "d.conf", 4};
    assert_refused(&options, RC_PERM, "d.conf:4: subject: a line end at byte 2");
    options.subject.text = (struct slice){"a\0b", 3};
    assert_refused(&options, RC_PERM, "d.conf:4: subject: control character U+0000");
    options = test_options();
    options.from = (struct mime_text){SLICE_LITERAL("Shop"), "d.conf", 5};
    assert_refused(&options, RC_PERM, "d.conf:5: from: From: no @ in the address");
    options = test_options();
    options.html = TEST_TEXT("a\n\xFF", "mail.html");
    assert_refused(&options, RC_PERM, "mail.html:2: a byte that is no UTF-8");
}

static void mime_open__something_is_missing__says_what(void **state)
{
    (void)state;
    struct mime_options options = test_options();
    options.subject.text.ptr = NULL;
    assert_refused(&options, RC_PERM, "subject is missing");
    options = test_options();
    options.text.text.ptr = NULL;
    assert_refused(&options, RC_PERM, "neither text nor html");
    options = test_options();
    options.from = TEST_TEXT("x@{{name}}.example", "d.conf");
    assert_refused(&options, RC_PERM, "the domain of Message-ID");
    options = test_options();
    options.unsubscribe_url = "https://example.net/u";
    assert_refused(&options, RC_PERM, "unsubscribe.secret_file: a secret of 0 bytes");
}

static void mime_open__images__are_checked_against_the_html(void **state)
{
    (void)state;
    struct mime_file images[] = {{"dot.gif", {"GIF", 3}}, {"dot.gif", {"GIF", 3}}};
    struct mime_options options = test_options();
    options.images = images;
    options.image_count = 1;
    assert_refused(&options, RC_PERM, "images: there is no html");
    options.html = TEST_TEXT("<p>\n<img src='cid:logo.png'>", "mail.html");
    assert_refused(&options, RC_PERM, "mail.html:2: cid:logo.png is none of the images");
    options.html = TEST_TEXT("<img src='cid:dot.gif'>", "mail.html");
    options.image_count = 2;
    assert_refused(&options, RC_PERM, "\"dot.gif\" stands there twice");
    images[1].name = "two words.gif";
    assert_refused(&options, RC_PERM, "cannot be named by cid:");
    images[1] = (struct mime_file){"big.gif", {"", MIME_FILES_BYTES_MAX}};
    assert_refused(&options, RC_RANGE, "in one message");
}

static void mime_uses__columns__are_those_of_any_template(void **state)
{
    (void)state;
    struct mime_options options = test_options();
    options.subject = TEST_TEXT("Hello", "d.conf");
    options.text = TEST_TEXT("{{#note}}{{unsubscribe}}{{/note}}", "mail.txt");
    options.unsubscribe_url = "https://example.net/u";
    options.unsubscribe_secret = TEST_SECRET;
    struct bench bench = bench_open(&options);
    assert_false(mime_uses(bench.mime, 0));
    assert_false(mime_uses(bench.mime, 1));
    assert_true(mime_uses(bench.mime, 2));
    bench_close(&bench);
}

/* --- mime_check --- */

static void collect(void *context, bool is_warning, const char *text)
{
    struct buf *out = context;
    buf_add_format(out, "%s %s\n", is_warning ? "W" : "E", text);
}

static void mime_check__several_problems__reports_them_all(void **state)
{
    (void)state;
    static const struct mime_file images[] = {{"dot.gif", {"GIF", 3}}, {"b.png", {"PNG", 3}}};
    struct mime_options options = test_options();
    options.subject = TEST_TEXT("{{x", "d.conf");
    options.from = TEST_TEXT("nobody", "d.conf");
    options.text.text.ptr = NULL;
    options.html = TEST_TEXT("<img src=\"cid:b.png\"> <img src=\"cid:c.png\">", "mail.html");
    options.images = images;
    options.image_count = 2;
    struct buf out = BUF_EMPTY;
    assert_int_equal(mime_check(&options, test_columns, COUNT(test_columns), collect, &out, NULL),
                     RC_PERM);
    assert_has(buf_text(&out), "E d.conf:1:");
    assert_has(buf_text(&out), "E d.conf:1: from: From: no @ in the address\n");
    assert_has(buf_text(&out), "E mail.html:1: cid:c.png is none of the images");
    assert_has(buf_text(&out), "W images: \"dot.gif\" is not shown");
    assert_has(buf_text(&out), "W html without text");
    assert_has_not(buf_text(&out), "b.png");
    assert_has_not(buf_text(&out), "Message-ID");
    buf_release(&out);
}

static void mime_check__good_content__reports_nothing(void **state)
{
    (void)state;
    struct mime_options options = test_options();
    struct buf out = BUF_EMPTY;
    assert_int_equal(mime_check(&options, test_columns, COUNT(test_columns), collect, &out, NULL),
                     RC_OK);
    assert_string_equal(buf_text(&out), "");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mime_render__text_alone__is_this_message),
        cmocka_unit_test(mime_render__text_and_html_with_all__nests_its_parts),
        cmocka_unit_test(mime_render__same_recipient_again__same_bytes),
        cmocka_unit_test(mime_render__proof__is_marked_and_has_its_own_id),
        cmocka_unit_test(mime_render__id_with_odd_dots__message_id_is_a_dot_atom),
        cmocka_unit_test(mime_render__from_and_reply_to_with_columns__are_filled_in),
        cmocka_unit_test(mime_render__unsubscribe__has_both_headers_and_a_link),
        cmocka_unit_test(mime_render__bad_address__is_that_recipients_fault_and_not_quoted),
        cmocka_unit_test(mime_render__local_part_not_ascii__needs_smtputf8),
        cmocka_unit_test(mime_render__subject_over_the_limit__reports_range),
        cmocka_unit_test(mime_render__long_file_name_not_ascii__is_cut_in_pieces),
        cmocka_unit_test(mime_render__notice__is_marked_and_its_texts_are_no_templates),
        cmocka_unit_test(mime_open__bad_templates__name_file_and_line),
        cmocka_unit_test(mime_open__something_is_missing__says_what),
        cmocka_unit_test(mime_open__images__are_checked_against_the_html),
        cmocka_unit_test(mime_uses__columns__are_those_of_any_template),
        cmocka_unit_test(mime_check__several_problems__reports_them_all),
        cmocka_unit_test(mime_check__good_content__reports_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
