/*
 * smtp_session - conversations without a network: what goes out, and the verdict wherever it breaks
 */
#include "unit/sys/support.h"

#include "channel/smtp_session.h"

#define OFFERS                                                                                     \
    "250-relay.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 1000\r\n"
#define ENVELOPE(n) "MAIL FROM:<s@e.example> SIZE=6\r\nRCPT TO:<r" n "@e.example>\r\nDATA\r\n"

struct talk {
    struct smtp_settings settings;
    struct smtp_session session;
    struct buf told; /* "NUMBER VERDICT CODE[a] TEXT;" */
    struct buf sent; /* what went out */
    int64_t now_ns;
    size_t step; /* bytes fed at once; 0: all */
    struct err err;
};

static void on_told(void *ctx, const struct verdict_report *report)
{
    struct talk *talk = ctx;
    buf_add_format(&talk->told, "%d %s %d%s %.*s;", (int)report->number,
                   verdict_name(report->verdict), report->code,
                   report->is_about_recipient ? "a" : "", (int)report->text.len, report->text.ptr);
}

static int make_talk(void **state)
{
    struct talk *talk = calloc(1, sizeof *talk);
    talk->settings = (struct smtp_settings){.tls = SMTP_TLS_NONE, .max_messages = 1000};
    talk->now_ns = 1000;
    *state = talk;
    return 0;
}

static int end_talk(void **state)
{
    struct talk *talk = *state;
    smtp_session_release(&talk->session);
    buf_release(&talk->told);
    buf_release(&talk->sent);
    free(talk);
    return 0;
}

static void begin(struct talk *talk, bool is_secured)
{
    smtp_session_begin(&talk->session, &talk->settings, "[127.0.0.1]", is_secured, on_told, talk,
                       talk->now_ns);
}

static enum rc feed(struct talk *talk, const char *text)
{
    size_t len = strlen(text);
    size_t step = talk->step == 0 ? len : talk->step;
    enum rc rc = RC_OK;
    for (size_t at = 0; at < len && rc == RC_OK; at += step) {
        struct slice bytes = {text + at, len - at < step ? len - at : step};
        rc = smtp_session_feed(&talk->session, bytes, talk->now_ns, &talk->err);
    }
    return rc;
}

/* Writes at most `most` bytes; returns what went out now. */
static const char *write_some(struct talk *talk, size_t most)
{
    buf_clear(&talk->sent);
    for (struct slice out = {"", 1}; out.len > 0 && most > 0;) {
        assert_int_equal(smtp_session_output(&talk->session, &out, talk->now_ns, NULL), RC_OK);
        size_t count = out.len < most ? out.len : most;
        buf_add(&talk->sent, out.ptr, count);
        smtp_session_wrote(&talk->session, count, talk->now_ns);
        most -= count;
    }
    return buf_text(&talk->sent);
}

static const char *written(struct talk *talk)
{
    return write_some(talk, SIZE_MAX);
}

static void offer_text(struct talk *talk, uint64_t number, const char *to, const char *body)
{
    struct smtp_message message = {
        .out = {.number = number, .from = SLICE_LITERAL("s@e.example"), .to = slice_of(to)}};
    assert_int_equal(smtp_body_scan(slice_of(body), &message.body, NULL), RC_OK);
    message.out.bytes = message.body.bytes;
    assert_true(smtp_session_has_room(&talk->session));
    assert_int_equal(smtp_session_offer(&talk->session, &message, talk->now_ns, NULL), RC_OK);
}

static void offer(struct talk *talk, int number)
{
    static const char *const names[] = {"", "r1@e.example", "r2@e.example", "r3@e.example"};
    offer_text(talk, (uint64_t)number, names[number], "hell\r\n");
}

/* Up to READY, with PIPELINING or without */
static void make_ready(struct talk *talk, const char *ehlo)
{
    begin(talk, false);
    assert_int_equal(feed(talk, "220 hello\r\n"), RC_OK);
    assert_string_equal(written(talk), "EHLO [127.0.0.1]\r\n");
    assert_int_equal(feed(talk, ehlo), RC_OK);
    assert_int_equal(talk->session.phase, SMTP_READY);
}

static void assert_told(struct talk *talk, const char *text)
{
    assert_string_equal(buf_text(&talk->told), text);
}

/* ---- the good way ---- */

static void session__pipelining__next_envelope_goes_behind_the_final_dot(void **state)
{
    struct talk *talk = *state;
    for (talk->step = 0; talk->step < 40; talk->step++) {
        buf_clear(&talk->told);
        make_ready(talk, OFFERS);
        offer(talk, 1);
        offer(talk, 2);
        assert_false(smtp_session_has_room(&talk->session));
        assert_string_equal(written(talk), ENVELOPE("1"));
        assert_int_equal(feed(talk, "250 ok\r\n250 ok\r\n354 go\r\n"), RC_OK);
        assert_string_equal(written(talk), "hell\r\n.\r\n" ENVELOPE("2"));
        assert_int_equal(feed(talk, "250 kept\r\n250 ok\r\n250 ok\r\n354 go\r\n"), RC_OK);
        assert_told(talk, "1 sent 250 kept;");
        assert_string_equal(written(talk), "hell\r\n.\r\n");
        assert_int_equal(feed(talk, "250-kept\r\n250 as Q2\r\n"), RC_OK);
        assert_told(talk, "1 sent 250 kept;2 sent 250 kept as Q2;");
        assert_true(smtp_session_is_idle(&talk->session));
        assert_int_equal(smtp_session_leave(&talk->session, talk->now_ns, NULL), RC_OK);
        assert_string_equal(written(talk), "QUIT\r\n");
        assert_int_equal(feed(talk, "221 bye\r\n"), RC_OK);
        assert_int_equal(talk->session.phase, SMTP_OVER);
        smtp_session_release(&talk->session);
    }
}

static void session__no_pipelining__one_command_at_a_time(void **state)
{
    struct talk *talk = *state;
    make_ready(talk, "250 relay.example\r\n");
    offer(talk, 1);
    assert_false(smtp_session_has_room(&talk->session));
    assert_string_equal(written(talk), "MAIL FROM:<s@e.example>\r\n");
    assert_int_equal(feed(talk, "250 ok\r\n"), RC_OK);
    assert_string_equal(written(talk), "RCPT TO:<r1@e.example>\r\n");
    assert_int_equal(feed(talk, "550 5.1.1 nobody\r\n"), RC_OK);
    assert_told(talk, "1 permanent 550a 5.1.1 nobody;");
    offer(talk, 2);
    assert_string_equal(written(talk), "RSET\r\n");
    assert_int_equal(feed(talk, "250 ok\r\n"), RC_OK);
    assert_string_equal(written(talk), "MAIL FROM:<s@e.example>\r\n");
    assert_int_equal(feed(talk, "250 ok\r\n"), RC_OK);
    assert_string_equal(written(talk), "RCPT TO:<r2@e.example>\r\n");
    assert_int_equal(feed(talk, "250 ok\r\n"), RC_OK);
    assert_string_equal(written(talk), "DATA\r\n");
    assert_int_equal(feed(talk, "354 go\r\n"), RC_OK);
    assert_string_equal(written(talk), "hell\r\n.\r\n");
    assert_int_equal(feed(talk, "250 kept\r\n"), RC_OK);
    assert_told(talk, "1 permanent 550a 5.1.1 nobody;2 sent 250 kept;");
}

static void session__long_body__is_queued_in_parts(void **state)
{
    struct talk *talk = *state;
    struct buf body = BUF_EMPTY;
    size_t most = 0;
    while (body.len < 1000000) {
        buf_add_text(&body, ".0123456789\r\n");
    }
    make_ready(talk, "250-relay\r\n250 PIPELINING\r\n");
    offer_text(talk, 1, "r1@e.example", buf_text(&body));
    (void)written(talk);
    assert_int_equal(feed(talk, "250 ok\r\n250 ok\r\n354 go\r\n"), RC_OK);
    size_t total = 0;
    for (size_t now = 1; now > 0; total += now) {
        now = strlen(write_some(talk, 7000));
        most = talk->session.out.cap > most ? talk->session.out.cap : most;
    }
    assert_int_equal(total, body.len + body.len / 13 + 3);
    assert_true(most <= 2 * SMTP_OUT_BYTES);
    buf_release(&body);
}

/* ---- verdicts from replies ---- */

static void session__replies_to_one_message__give_its_verdict_and_the_next_goes_on(void **state)
{
    static const struct {
        const char *replies; /* to MAIL, RCPT, DATA */
        const char *told;
        const char *next; /* what is sent for the second message */
    } rows[] = {
        {"250 ok\r\n450 4.2.0 later\r\n503 no\r\n", "1 temporary 450 4.2.0 later;",
         "RSET\r\n" ENVELOPE("2")},
        {"250 ok\r\n550 5.1.1 who\r\n554 no\r\n", "1 permanent 550a 5.1.1 who;",
         "RSET\r\n" ENVELOPE("2")},
        {"250 ok\r\n550 who\r\n554 no\r\n", "1 permanent 550 who;", "RSET\r\n" ENVELOPE("2")},
        {"250 ok\r\n550 5.7.1 spam\r\n554 no\r\n", "1 permanent 550 5.7.1 spam;",
         "RSET\r\n" ENVELOPE("2")},
        {"250 ok\r\n550 5.2.1 shut\r\n354 go\r\n", "1 permanent 550a 5.2.1 shut;", ".\r\n"},
        {"550 5.1.8 you\r\n503 no\r\n503 no\r\n", "1 permanent 550 5.1.8 you;", ENVELOPE("2")},
        {"451 later\r\n250 ok\r\n354 go\r\n", "1 temporary 451 later;", ".\r\n"},
        {"250 ok\r\n250 ok\r\n451 full\r\n", "1 temporary 451 full;", "RSET\r\n" ENVELOPE("2")},
        {"250 ok\r\n251 goes on\r\n554 no\r\n", "1 permanent 554 no;", "RSET\r\n" ENVELOPE("2")},
    };
    struct talk *talk = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_clear(&talk->told);
        make_ready(talk, OFFERS);
        offer(talk, 1);
        (void)written(talk);
        offer(talk, 2);
        assert_int_equal(feed(talk, rows[i].replies), RC_OK);
        assert_told(talk, rows[i].told);
        assert_string_equal(written(talk), rows[i].next);
        bool is_dot = rows[i].next[0] == '.';
        bool is_reset = rows[i].next[0] == 'R';
        assert_int_equal(feed(talk, is_dot     ? "554 empty\r\n"
                                    : is_reset ? "250 reset\r\n"
                                               : ""),
                         RC_OK);
        if (is_dot) {
            assert_string_equal(written(talk), ENVELOPE("2"));
        }
        assert_int_equal(feed(talk, "250 ok\r\n250 ok\r\n354 go\r\n"), RC_OK);
        assert_string_equal(written(talk), "hell\r\n.\r\n");
        assert_int_equal(feed(talk, "552 5.3.4 big\r\n"), RC_OK);
        buf_clear(&talk->sent);
        buf_add_format(&talk->sent, "%s2 permanent 552 5.3.4 big;", rows[i].told);
        assert_told(talk, buf_text(&talk->sent));
        smtp_session_release(&talk->session);
    }
}

static void
session__refused_recipient_without_a_code__is_at_fault_where_another_was_taken(void **state)
{
    static const struct {
        const char *reply;
        bool is_about_recipient;
    } rows[] = {
        {"550 who", true},
        {"551 gone away", true},
        {"553 no such name", true},
        {"550 Relaying denied", false},
        {"550 not permitted to RELAY", false},
        {"550 Access denied", false},
        {"554 no", false},
        {"552 full", false},
        {"501 what", false},
        {"550 5.7.1 who", false},
        {"550 5.1.1 relaying denied", true},
    };
    struct talk *talk = *state;
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof rows[0]); i++) {
        bool is_other_taken = i % 2 == 0;
        const char *reply = rows[i / 2].reply;
        bool has_code = strstr(reply, " 5.") != NULL;
        make_ready(talk, OFFERS);
        if (is_other_taken) {
            offer(talk, 1);
            (void)written(talk);
            assert_int_equal(feed(talk, "250 ok\r\n250 ok\r\n354 go\r\n"), RC_OK);
            (void)written(talk);
            assert_int_equal(feed(talk, "250 kept\r\n"), RC_OK);
        }
        buf_clear(&talk->told);
        offer(talk, 2);
        (void)written(talk);
        buf_clear(&talk->sent);
        buf_add_format(&talk->sent, "250 ok\r\n%s\r\n554 nobody\r\n", reply);
        assert_int_equal(feed(talk, buf_text(&talk->sent)), RC_OK);
        bool is_about = rows[i / 2].is_about_recipient && (is_other_taken || has_code);
        buf_clear(&talk->sent);
        buf_add_format(&talk->sent, "2 permanent %.3s%s %s;", reply, is_about ? "a" : "",
                       reply + 4);
        assert_told(talk, buf_text(&talk->sent));
        smtp_session_release(&talk->session);
    }
}

static void session__replies_about_us__cost_no_recipient_anything_and_end_it(void **state)
{
    static const struct {
        const char *replies;
        const char *told;
    } rows[] = {
        {"530 5.7.0 login first\r\n", "1 untried 530 5.7.0 login first;"},
        {"250 ok\r\n538 encrypt\r\n", "1 untried 538 encrypt;"},
        {"503 nested\r\n", "1 untried 503 nested;"},
        {"421 bye\r\n", "1 untried 421 bye;"},
        {"250 ok\r\n421 4.7.0 enough\r\n", "1 temporary 421 4.7.0 enough;"},
        {"250 ok\r\n250 ok\r\n421 bye\r\n", "1 temporary 421 bye;"},
        /* replies that make no sense: 250 for DATA, 354 for RCPT */
        {"250 ok\r\n250 ok\r\n250 ok\r\n", "1 temporary 250 ok;"},
        {"250 ok\r\n354 go\r\n", "1 temporary 354 go;"},
        {"250 ok\r\nnonsense\r\n", "1 temporary 0 over;"},
        {"354 go\r\n", "1 untried 354 go;"},
        {"nonsense\r\n", "1 untried 0 over;"},
    };
    struct talk *talk = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_clear(&talk->told);
        make_ready(talk, OFFERS);
        offer(talk, 1);
        (void)written(talk);
        assert_int_equal(feed(talk, rows[i].replies), RC_TEMP);
        smtp_session_end(&talk->session, "over");
        assert_told(talk, rows[i].told);
        smtp_session_release(&talk->session);
    }
}

static void session__reply_to_the_dot__decides(void **state)
{
    static const struct {
        const char *reply;
        enum rc rc;
        const char *told;
    } rows[] = {
        {"451 4.3.0 later\r\n", RC_OK, "1 temporary 451 4.3.0 later;2 untried 0 over;"},
        {"554 5.7.1 spam\r\n", RC_OK, "1 permanent 554 5.7.1 spam;2 untried 0 over;"},
        {"421 bye\r\n", RC_TEMP, "1 temporary 421 bye;2 untried 0 over;"},
        {"354 what\r\n", RC_TEMP, "1 uncertain 0 over;2 untried 0 over;"},
        {"garbage\r\n", RC_TEMP, "1 uncertain 0 over;2 untried 0 over;"},
        {"250-half", RC_OK, "1 uncertain 0 over;2 untried 0 over;"},
    };
    struct talk *talk = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_clear(&talk->told);
        make_ready(talk, OFFERS);
        offer(talk, 1);
        offer(talk, 2);
        (void)written(talk);
        assert_int_equal(feed(talk, "250 ok\r\n250 ok\r\n354 go\r\n"), RC_OK);
        (void)written(talk);
        assert_int_equal(feed(talk, rows[i].reply), rows[i].rc);
        smtp_session_end(&talk->session, "over");
        assert_told(talk, rows[i].told);
        smtp_session_release(&talk->session);
    }
}

/* ---- breaking off ---- */

static void
session__broken_after_each_written_byte__uncertain_only_once_the_dot_has_left(void **state)
{
    struct talk *talk = *state;
    static const char body[] = "hell\r\n.\r\n";
    for (size_t bytes = 0; bytes <= sizeof body - 1; bytes++) {
        buf_clear(&talk->told);
        make_ready(talk, OFFERS);
        offer(talk, 1);
        (void)written(talk);
        assert_int_equal(feed(talk, "250 ok\r\n250 ok\r\n354 go\r\n"), RC_OK);
        (void)write_some(talk, bytes);
        smtp_session_end(&talk->session, "cut");
        bool has_dot = bytes >= strlen("hell\r\n.");
        assert_told(talk, has_dot ? "1 uncertain 0 cut;" : "1 temporary 0 cut;");
        smtp_session_release(&talk->session);
    }
}

static void session__broken_after_each_reply__tells_by_what_was_owed(void **state)
{
    static const char *const heard[] = {"", "250 ok\r\n", "250 ok\r\n250 ok\r\n"};
    static const char *const told[] = {"1 untried 0 cut;", "1 temporary 0 cut;",
                                       "1 temporary 0 cut;"};
    struct talk *talk = *state;
    for (size_t i = 0; i < 3; i++) {
        buf_clear(&talk->told);
        make_ready(talk, OFFERS);
        offer(talk, 1);
        (void)written(talk);
        assert_int_equal(feed(talk, heard[i]), RC_OK);
        smtp_session_end(&talk->session, "cut");
        assert_told(talk, told[i]);
        smtp_session_end(&talk->session, "again"); /* one verdict each */
        assert_told(talk, told[i]);
        smtp_session_release(&talk->session);
    }
}

/* ---- what can never be sent here ---- */

static void
session_offer__what_the_peer_cannot_take__is_told_at_once_and_nothing_goes_out(void **state)
{
    struct talk *talk = *state;
    make_ready(talk, "250-relay\r\n250-PIPELINING\r\n250 SIZE 20\r\n");
    offer_text(talk, 1, "a@b\r\nRCPT TO:<c@d>", "x\r\n");
    offer_text(talk, 2, "zo\xc3\xa9@e.example", "x\r\n");
    offer_text(talk, 3, "a@e.example", "\xc3\xa9\r\n");
    offer_text(talk, 4, "a@e.example", "0123456789\r\n0123456789\r\n");
    assert_told(talk, "1 permanent 0a address holds the byte 0x0d, which no address may;"
                      "2 permanent 0a address is not ASCII and the peer does not take that;"
                      "3 permanent 0 message needs 8BITMIME, which the peer does not offer;"
                      "4 permanent 0 message has 24 bytes, the peer takes 20;");
    assert_string_equal(written(talk), "");
    assert_true(smtp_session_is_idle(&talk->session));
}

/* ---- the beginning ---- */

static void session__starttls__ehlo_comes_again_and_early_bytes_end_it(void **state)
{
    struct talk *talk = *state;
    talk->settings.tls = SMTP_TLS_STARTTLS;
    static const char *const behind[] = {"", "2", "250 injected\r\n"};
    for (size_t i = 0; i < 3; i++) {
        begin(talk, false);
        assert_int_equal(feed(talk, "220 hello\r\n"), RC_OK);
        (void)written(talk);
        assert_int_equal(
            feed(talk, "250-relay\r\n250-AUTH PLAIN\r\n250-PIPELINING\r\n250 STARTTLS\r\n"), RC_OK);
        assert_string_equal(written(talk), "STARTTLS\r\n");
        buf_clear(&talk->sent);
        buf_add_format(&talk->sent, "220 go\r\n%s", behind[i]);
        assert_int_equal(feed(talk, buf_text(&talk->sent)), i == 0 ? RC_OK : RC_TEMP);
        if (i == 0) {
            assert_int_equal(talk->session.phase, SMTP_HANDSHAKE);
            assert_int_equal(smtp_session_secured(&talk->session, 0, NULL), RC_OK);
            assert_string_equal(written(talk), "EHLO [127.0.0.1]\r\n");
            assert_int_equal(feed(talk, "250 relay\r\n"), RC_OK);
            assert_int_equal(talk->session.phase, SMTP_READY);
            assert_false(talk->session.offers.pipelining); /* learned in clear: forgotten */
        }
        smtp_session_release(&talk->session);
    }
}

static void session__starttls_not_offered__ends_it_without_a_word(void **state)
{
    struct talk *talk = *state;
    talk->settings.tls = SMTP_TLS_STARTTLS;
    begin(talk, false);
    assert_int_equal(feed(talk, "220 hello\r\n"), RC_OK);
    (void)written(talk);
    assert_int_equal(feed(talk, OFFERS), RC_TEMP);
    assert_string_equal(talk->err.text,
                        "the peer does not offer STARTTLS, and nothing goes out without TLS");
    assert_string_equal(written(talk), "");
}

static void session__beginnings_that_fail__say_why(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } rows[] = {
        {"554 go away\r\n", "the peer refuses the connection: 554 go away"},
        {"421 busy\x1b[2J\r\n", "the peer refuses the connection: 421 busy?[2J"},
        {"220 hi\r\n502 what\r\n", "the peer refuses EHLO: 502 what"},
        {"220 hi\r\n250 a\r\n250 b\r\n", "the peer sent a reply to nothing: 250"},
        {"220 hi\r\n250 a\r\n421 idle\r\n", "the peer refuses to go on: 421 idle"},
        {"SSH-2.0-x\r\n", "the peer's line is no SMTP reply"},
    };
    struct talk *talk = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(talk, false);
        assert_int_equal(feed(talk, rows[i].text), RC_TEMP);
        assert_string_equal(talk->err.text, rows[i].why);
        smtp_session_release(&talk->session);
    }
}

static void session__login__plain_then_login_then_neither(void **state)
{
    struct talk *talk = *state;
    talk->settings.tls = SMTP_TLS_CONNECT;
    talk->settings.user = SLICE_LITERAL("tim");
    talk->settings.password = SLICE_LITERAL("tanstaaftanstaaf");
    begin(talk, true);
    assert_int_equal(feed(talk, "220 hi\r\n250-a\r\n250 AUTH LOGIN PLAIN\r\n"), RC_OK);
    assert_string_equal(written(talk),
                        "EHLO [127.0.0.1]\r\nAUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n");
    assert_int_equal(feed(talk, "235 welcome\r\n"), RC_OK);
    assert_int_equal(talk->session.phase, SMTP_READY);
    smtp_session_release(&talk->session);
    begin(talk, true);
    assert_int_equal(feed(talk, "220 hi\r\n250-a\r\n250 AUTH=LOGIN\r\n"), RC_OK);
    assert_string_equal(written(talk), "EHLO [127.0.0.1]\r\nAUTH LOGIN\r\n");
    assert_int_equal(feed(talk, "334 VXNlcm5hbWU6\r\n"), RC_OK);
    assert_string_equal(written(talk), "dGlt\r\n");
    assert_int_equal(feed(talk, "334 UGFzc3dvcmQ6\r\n"), RC_OK);
    assert_string_equal(written(talk), "dGFuc3RhYWZ0YW5zdGFhZg==\r\n");
    assert_int_equal(feed(talk, "535 5.7.8 wrong\r\n"), RC_TEMP);
    assert_string_equal(talk->err.text, "the peer refuses the login: 535 5.7.8 wrong");
    smtp_session_release(&talk->session);
    begin(talk, true);
    assert_int_equal(feed(talk, "220 hi\r\n250-a\r\n250 AUTH XOAUTH2\r\n"), RC_TEMP);
    assert_string_equal(talk->err.text, "the peer offers neither AUTH PLAIN nor AUTH LOGIN");
}

static void session__credentials__are_wiped_from_the_buffer_as_they_are_written(void **state)
{
    struct talk *talk = *state;
    talk->settings.tls = SMTP_TLS_CONNECT;
    talk->settings.user = SLICE_LITERAL("tim");
    talk->settings.password = SLICE_LITERAL("tanstaaftanstaaf");
    begin(talk, true);
    assert_int_equal(feed(talk, "220 hi\r\n250-a\r\n250 AUTH PLAIN\r\n"), RC_OK);
    (void)written(talk);
    const struct buf *out = &talk->session.out;
    for (size_t i = 0; i + 8 < 200 && i + 8 < out->cap; i++) {
        assert_memory_not_equal(out->ptr + i, "AHRpbQB0", 8);
    }
}

/* ---- waits ---- */

static void session__waits__are_those_of_the_rfc_or_the_cap(void **state)
{
    struct talk *talk = *state;
    const int64_t minute = INT64_C(60000000000);
    begin(talk, false);
    assert_int_equal(talk->session.deadline_ns, talk->now_ns + 5 * minute);
    smtp_session_release(&talk->session);
    make_ready(talk, OFFERS);
    assert_true(talk->session.deadline_ns == INT64_MAX);
    offer(talk, 1);
    talk->now_ns += 7;
    (void)written(talk);
    assert_int_equal(talk->session.deadline_ns, talk->now_ns + 5 * minute);
    assert_string_equal(smtp_session_waits_for(&talk->session), "a reply to MAIL");
    assert_int_equal(feed(talk, "250 ok\r\n250 ok\r\n"), RC_OK);
    assert_int_equal(talk->session.deadline_ns, talk->now_ns + 2 * minute);
    assert_int_equal(feed(talk, "354 go\r\n"), RC_OK);
    assert_int_equal(talk->session.deadline_ns, talk->now_ns + 3 * minute);
    (void)written(talk);
    assert_int_equal(talk->session.deadline_ns, talk->now_ns + 10 * minute);
    smtp_session_release(&talk->session);
    talk->settings.timeout_ns = 2000;
    begin(talk, false);
    assert_int_equal(talk->session.deadline_ns, talk->now_ns + 2000);
    assert_int_equal(feed(talk, "220-a\r\n220-b\r\n"),
                     RC_OK); /* lines without an end gain no time */
    assert_int_equal(talk->session.deadline_ns, talk->now_ns + 2000);
}

static void session__most_messages_of_a_connection__are_kept(void **state)
{
    struct talk *talk = *state;
    talk->settings.max_messages = 1;
    make_ready(talk, OFFERS);
    assert_true(smtp_session_has_room(&talk->session));
    offer(talk, 1);
    assert_false(smtp_session_has_room(&talk->session));
}

/* ---- whatever comes ---- */

/* A conversation whose replies are changed at random: it ends in order, with one verdict for each
 * message. */
static void session__mutated_replies__one_verdict_for_each_message(void **state)
{
    struct talk *talk = *state;
    static const char all[] =
        "220 hi\r\n" OFFERS "250 ok\r\n250 ok\r\n354 go\r\n250 kept\r\n250 ok\r\n550 5.1.1 no\r\n"
        "503 no\r\n250 reset\r\n421 bye\r\n";
    uint64_t seed = 88172645463325252ULL;
    for (int round = 0; round < 20000; round++) {
        char text[sizeof all];
        memcpy(text, all, sizeof all);
        begin(talk, false);
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        for (uint64_t i = 0; i < seed % 4; i++) {
            text[(seed >> (8 + 7 * i)) % (sizeof text - 1)] =
                "0123456789- \r\n\x00\xff"[(seed >> (40 + i)) % 16];
        }
        enum rc rc = RC_OK;
        uint64_t offered = 0;
        size_t step = 1 + (seed >> 50) % 30;
        for (size_t at = 0; at < sizeof text - 1 && rc == RC_OK; at += step) {
            size_t left = sizeof text - 1 - at;
            rc = smtp_session_feed(&talk->session,
                                   (struct slice){text + at, left < step ? left : step}, 0, NULL);
            while (rc == RC_OK && offered < 3 && smtp_session_has_room(&talk->session)) {
                offer(talk, (int)++offered);
            }
            if (rc == RC_OK) {
                (void)write_some(talk, (seed >> 30) % 60);
            }
        }
        smtp_session_end(&talk->session, "end");
        uint64_t told = 0;
        for (size_t i = 0; i < talk->told.len; i++) {
            told += talk->told.ptr[i] == ';';
        }
        assert_int_equal(told, offered);
        buf_clear(&talk->told);
        smtp_session_release(&talk->session);
    }
}

#define with_talk(test) cmocka_unit_test_setup_teardown(test, make_talk, end_talk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_talk(session__pipelining__next_envelope_goes_behind_the_final_dot),
        with_talk(session__no_pipelining__one_command_at_a_time),
        with_talk(session__long_body__is_queued_in_parts),
        with_talk(session__replies_to_one_message__give_its_verdict_and_the_next_goes_on),
        with_talk(session__refused_recipient_without_a_code__is_at_fault_where_another_was_taken),
        with_talk(session__replies_about_us__cost_no_recipient_anything_and_end_it),
        with_talk(session__reply_to_the_dot__decides),
        with_talk(session__broken_after_each_written_byte__uncertain_only_once_the_dot_has_left),
        with_talk(session__broken_after_each_reply__tells_by_what_was_owed),
        with_talk(session_offer__what_the_peer_cannot_take__is_told_at_once_and_nothing_goes_out),
        with_talk(session__starttls__ehlo_comes_again_and_early_bytes_end_it),
        with_talk(session__starttls_not_offered__ends_it_without_a_word),
        with_talk(session__beginnings_that_fail__say_why),
        with_talk(session__login__plain_then_login_then_neither),
        with_talk(session__credentials__are_wiped_from_the_buffer_as_they_are_written),
        with_talk(session__waits__are_those_of_the_rfc_or_the_cap),
        with_talk(session__most_messages_of_a_connection__are_kept),
        with_talk(session__mutated_replies__one_verdict_for_each_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
