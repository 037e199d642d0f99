/*
 * smtp_session - greeting, EHLO, STARTTLS, AUTH, QUIT; what is owed, and how long it may take
 */
#include "channel/smtp_session_inner.h"

#include "base/number.h"
#include "base/utf8.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define MINUTES(n) ((int64_t)(n)*60 * 1000000000)

/* RFC 5321 4.5.3.2: wait at least so long; and what to call it. */
static const struct {
    int64_t limit_ns;
    const char *name;
} OWED[EXPECT_KINDS] = {
    [EXPECT_GREETING] = {MINUTES(5), "the greeting"},
    [EXPECT_EHLO] = {MINUTES(5), "a reply to EHLO"},
    [EXPECT_STARTTLS] = {MINUTES(5), "a reply to STARTTLS"},
    [EXPECT_AUTH] = {MINUTES(5), "a reply to AUTH"},
    [EXPECT_AUTH_USER] = {MINUTES(5), "a reply to AUTH"},
    [EXPECT_AUTH_PASSWORD] = {MINUTES(5), "a reply to AUTH"},
    [EXPECT_RSET] = {MINUTES(5), "a reply to RSET"},
    [EXPECT_MAIL] = {MINUTES(5), "a reply to MAIL"},
    [EXPECT_RCPT] = {MINUTES(5), "a reply to RCPT"},
    [EXPECT_DATA] = {MINUTES(2), "a reply to DATA"},
    [EXPECT_DOT] = {MINUTES(10), "a reply to the end of the message"},
    [EXPECT_LONE_DOT] = {MINUTES(10), "a reply to the end of an empty message"},
    [EXPECT_QUIT] = {MINUTES(1), "a reply to QUIT"}, /* ours: nothing depends on it */
};
#define DATA_BLOCK_NS MINUTES(3)
static_assert(SMTP_EXPECTED_MAX >= 6, "RSET, MAIL, RCPT, DATA behind a dot, and QUIT");

/* ---- what is owed ---- */

static bool is_writing_body(const struct smtp_session *session)
{
    return session->slots[0].stage == SMTP_BODY ||
           (session->slots[0].stage == SMTP_DOT && session->out_at < session->out.len);
}

void smtp_set_deadline(struct smtp_session *session, int64_t now_ns)
{
    int64_t limit = 0;
    if (session->phase == SMTP_READY && is_writing_body(session)) {
        limit = DATA_BLOCK_NS;
    } else if (session->expected_count > 0) {
        limit = OWED[session->expected[0]].limit_ns;
    } else {
        session->deadline_ns = INT64_MAX;
        return;
    }
    int64_t cap = session->settings->timeout_ns;
    session->deadline_ns = now_ns + (cap > 0 && cap < limit ? cap : limit);
}

void smtp_expect(struct smtp_session *session, enum smtp_expect kind, int64_t now_ns)
{
    assert(session->expected_count < SMTP_EXPECTED_MAX);
    session->expected[session->expected_count++] = (unsigned char)kind;
    if (session->expected_count == 1) {
        smtp_set_deadline(session, now_ns);
    }
}

static enum smtp_expect take_expected(struct smtp_session *session)
{
    enum smtp_expect kind = session->expected[0];
    session->expected_count--;
    memmove(session->expected, session->expected + 1, session->expected_count);
    return kind;
}

const char *smtp_session_waits_for(const struct smtp_session *session)
{
    if (session->phase == SMTP_READY && is_writing_body(session)) {
        return "the peer to take a message";
    }
    return session->expected_count == 0 ? "nothing" : OWED[session->expected[0]].name;
}

enum rc smtp_refused(const char *what, const struct smtp_answer *answer, struct err *err)
{
    return err_set(err, RC_TEMP, "the peer refuses %s: %d %.*s", what, answer->code,
                   (int)answer->text.len, answer->text.ptr);
}

/* ---- commands of the beginning ---- */

static enum rc say(struct smtp_session *session, const char *verb, const char *argument,
                   enum smtp_expect kind, int64_t now_ns, struct err *err)
{
    enum rc rc = smtp_command_plain(&session->out, verb, slice_of(argument), err);
    if (rc == RC_OK) {
        smtp_expect(session, kind, now_ns);
    }
    return rc == RC_PERM ? RC_TEMP : rc;
}

static enum rc say_ehlo(struct smtp_session *session, int64_t now_ns, struct err *err)
{
    session->phase = SMTP_EHLO;
    session->offers = (struct smtp_offers){false};
    return say(session, "EHLO", session->helo, EXPECT_EHLO, now_ns, err);
}

static enum rc begin_auth(struct smtp_session *session, int64_t now_ns, struct err *err)
{
    const struct smtp_settings *settings = session->settings;
    assert(session->is_secured);
    session->phase = SMTP_AUTH;
    if (session->offers.auth_plain) {
        /* Reserved in one piece, so that no copy of the password is left behind by growing. */
        session->is_out_secret = buf_reserve(&session->out, SMTP_OUT_BYTES);
        enum rc rc =
            smtp_command_auth_plain(&session->out, settings->user, settings->password, err);
        if (rc != RC_OK) {
            return RC_TEMP;
        }
        smtp_expect(session, EXPECT_AUTH, now_ns);
        return RC_OK;
    }
    if (session->offers.auth_login) {
        return say(session, "AUTH", "LOGIN", EXPECT_AUTH_USER, now_ns, err);
    }
    return err_set(err, RC_TEMP, "the peer offers neither AUTH PLAIN nor AUTH LOGIN");
}

static enum rc say_credential(struct smtp_session *session, struct slice text,
                              enum smtp_expect next, int64_t now_ns, struct err *err)
{
    session->is_out_secret = buf_reserve(&session->out, SMTP_OUT_BYTES);
    if (smtp_command_base64(&session->out, text, err) != RC_OK) {
        return RC_TEMP;
    }
    smtp_expect(session, next, now_ns);
    return RC_OK;
}

/* ---- replies of the beginning ---- */

static bool begins_word(struct slice text, const char *word, struct slice *rest)
{
    size_t len = strlen(word);
    if (text.len < len || strncasecmp(text.ptr, word, len) != 0 ||
        (text.len > len && text.ptr[len] != ' ' && text.ptr[len] != '=')) {
        return false;
    }
    size_t skip = text.len > len ? len + 1 : len;
    *rest = (struct slice){text.ptr + skip, text.len - skip};
    return true;
}

static void learn_mechanisms(struct smtp_offers *offers, struct slice list)
{
    while (list.len > 0) {
        const char *blank = memchr(list.ptr, ' ', list.len);
        size_t len = blank == NULL ? list.len : (size_t)(blank - list.ptr);
        offers->auth_plain |= len == 5 && strncasecmp(list.ptr, "PLAIN", len) == 0;
        offers->auth_login |= len == 5 && strncasecmp(list.ptr, "LOGIN", len) == 0;
        len += blank != NULL ? 1 : 0;
        list = (struct slice){list.ptr + len, list.len - len};
    }
}

/* One line of the reply to EHLO; its first is the peer's name. */
static void learn(struct smtp_offers *offers, const struct smtp_line *line)
{
    struct slice rest = {NULL, 0};
    if (line->number == 1) {
        return;
    }
    offers->pipelining |= begins_word(line->text, "PIPELINING", &rest);
    offers->eight_bit |= begins_word(line->text, "8BITMIME", &rest);
    offers->utf8 |= begins_word(line->text, "SMTPUTF8", &rest);
    offers->starttls |= begins_word(line->text, "STARTTLS", &rest);
    if (begins_word(line->text, "SIZE", &rest)) {
        offers->size = true;
        if (number_parse_u64(rest, UINT64_MAX, &offers->size_max) != RC_OK) {
            offers->size_max = 0;
        }
    }
    if (begins_word(line->text, "AUTH", &rest)) {
        learn_mechanisms(offers, rest);
    }
}

static enum rc after_ehlo(struct smtp_session *session, int64_t now_ns, struct err *err)
{
    if (session->settings->tls == SMTP_TLS_STARTTLS && !session->is_secured) {
        if (!session->offers.starttls) {
            return err_set(err, RC_TEMP,
                           "the peer does not offer STARTTLS, and nothing goes out "
                           "without TLS");
        }
        session->phase = SMTP_STARTTLS;
        return say(session, "STARTTLS", "", EXPECT_STARTTLS, now_ns, err);
    }
    if (session->settings->user.len > 0) {
        return begin_auth(session, now_ns, err);
    }
    session->phase = SMTP_READY;
    return RC_OK;
}

static enum rc after_auth(struct smtp_session *session, const struct smtp_answer *answer,
                          int64_t now_ns, struct err *err)
{
    const struct smtp_settings *settings = session->settings;
    int wanted = answer->kind == EXPECT_AUTH ? 235 : 334;
    if (answer->code != wanted) {
        return smtp_refused("the login", answer, err);
    }
    if (answer->kind == EXPECT_AUTH_USER) {
        return say_credential(session, settings->user, EXPECT_AUTH_PASSWORD, now_ns, err);
    }
    if (answer->kind == EXPECT_AUTH_PASSWORD) {
        return say_credential(session, settings->password, EXPECT_AUTH, now_ns, err);
    }
    session->phase = SMTP_READY;
    return RC_OK;
}

static enum rc answer_beginning(struct smtp_session *session, const struct smtp_answer *answer,
                                int64_t now_ns, struct err *err)
{
    switch (answer->kind) {
    case EXPECT_GREETING:
        return answer->code == 220 ? say_ehlo(session, now_ns, err)
                                   : smtp_refused("the connection", answer, err);
    case EXPECT_EHLO:
        return answer->code == 250 ? after_ehlo(session, now_ns, err)
                                   : smtp_refused("EHLO", answer, err);
    case EXPECT_STARTTLS:
        if (answer->code != 220) {
            return smtp_refused("STARTTLS", answer, err);
        }
        session->phase = SMTP_HANDSHAKE;
        return RC_OK;
    case EXPECT_QUIT:
        session->phase = SMTP_OVER;
        return RC_OK;
    default:
        return after_auth(session, answer, now_ns, err);
    }
}

/* ---- bytes in ---- */

/* The text of a reply becomes one line that can be shown: no control characters, only UTF-8. */
static void keep_text(struct smtp_session *session, struct slice text)
{
    size_t at = 0;
    if (session->text_len > 0 && session->text_len < SMTP_TEXT_BYTES) {
        session->text[session->text_len++] = ' ';
    }
    while (at < text.len) {
        char coded[4] = "?";
        int32_t point = utf8_next(text, &at);
        bool is_shown = point >= 0x20 && (point < 0x7f || point >= 0xa0);
        size_t len = is_shown ? utf8_put(point, coded) : 1;
        if (session->text_len + len > SMTP_TEXT_BYTES) {
            return;
        }
        memcpy(session->text + session->text_len, coded, len);
        session->text_len += len;
    }
}

static enum rc take_answer(struct smtp_session *session, int code, int64_t now_ns, struct err *err)
{
    struct smtp_answer answer = {.code = code, .text = {session->text, session->text_len}};
    session->text_len = 0;
    if (session->expected_count == 0) {
        /* 421: the peer leaves, which it may do at any time (RFC 5321 3.8). */
        return code == 421 ? smtp_refused("to go on", &answer, err)
                           : err_set(err, RC_TEMP, "the peer sent a reply to nothing: %d", code);
    }
    answer.kind = take_expected(session);
    smtp_set_deadline(session, now_ns);
    bool is_message = answer.kind >= EXPECT_RSET && answer.kind <= EXPECT_LONE_DOT;
    return is_message ? smtp_exchange_answer(session, &answer, now_ns, err)
                      : answer_beginning(session, &answer, now_ns, err);
}

static enum rc take_line(struct smtp_session *session, const struct smtp_line *line, int64_t now_ns,
                         struct err *err)
{
    if (session->phase == SMTP_EHLO && line->code == 250) {
        learn(&session->offers, line);
    }
    keep_text(session, line->text);
    return line->is_last ? take_answer(session, line->code, now_ns, err) : RC_OK;
}

enum rc smtp_session_feed(struct smtp_session *session, struct slice bytes, int64_t now_ns,
                          struct err *err)
{
    struct smtp_line line;
    enum rc rc = RC_OK;
    while (rc == RC_OK && bytes.len > 0) {
        if (session->phase == SMTP_OVER) {
            return RC_OK; /* nobody listens any more */
        }
        if (session->phase == SMTP_HANDSHAKE) {
            /* RFC 3207 5, and the injections of 2021: what stands in clear behind the 220 would be
             * taken for something that was said under TLS. */
            return err_set(err, RC_TEMP, "the peer sent bytes between STARTTLS and the handshake");
        }
        rc = smtp_reader_next(&session->reader, &bytes, &line, err);
        if (rc == RC_OK) {
            rc = take_line(session, &line, now_ns, err);
        } else if (rc != RC_STATE) {
            return RC_TEMP;
        }
    }
    return rc == RC_STATE ? RC_OK : rc;
}

/* ---- bytes out ---- */

enum rc smtp_session_output(struct smtp_session *session, struct slice *out, int64_t now_ns,
                            struct err *err)
{
    enum rc rc = RC_OK;
    *out = (struct slice){NULL, 0};
    if (session->out.len == 0) {
        rc = smtp_exchange_go_on(session, now_ns, err); /* the next part of a long body */
    }
    if (rc == RC_OK) {
        rc = buf_ok(&session->out, err);
    }
    if (rc == RC_OK && session->out_at < session->out.len) {
        *out =
            (struct slice){session->out.ptr + session->out_at, session->out.len - session->out_at};
    }
    return rc;
}

void smtp_session_wrote(struct smtp_session *session, size_t count, int64_t now_ns)
{
    assert(count <= session->out.len - session->out_at);
    if (session->is_out_secret) {
        OPENSSL_cleanse(session->out.ptr + session->out_at, count);
    }
    session->out_at += count;
    session->written_total += count;
    if (session->out_at == session->out.len) {
        buf_clear(&session->out);
        session->out_at = 0;
        session->is_out_secret = false;
        smtp_set_deadline(session, now_ns);
    }
}

/* ---- life ---- */

void smtp_session_begin(struct smtp_session *session, const struct smtp_settings *settings,
                        const char *helo, bool is_secured,
                        void (*told)(void *ctx, const struct verdict_report *report), void *ctx,
                        int64_t now_ns)
{
    assert(settings->user.len == 0 || settings->tls != SMTP_TLS_NONE);
    assert(settings->max_messages > 0);
    *session = (struct smtp_session){.settings = settings,
                                     .told = told,
                                     .ctx = ctx,
                                     .phase = SMTP_GREETING,
                                     .is_secured = is_secured,
                                     .out = BUF_EMPTY};
    (void)snprintf(session->helo, sizeof session->helo, "%s", helo);
    smtp_expect(session, EXPECT_GREETING, now_ns);
}

enum rc smtp_session_secured(struct smtp_session *session, int64_t now_ns, struct err *err)
{
    assert(session->phase == SMTP_HANDSHAKE && session->expected_count == 0);
    session->is_secured = true;
    session->reader = SMTP_READER_EMPTY;
    session->text_len = 0;
    return say_ehlo(session, now_ns, err);
}

enum rc smtp_session_leave(struct smtp_session *session, int64_t now_ns, struct err *err)
{
    session->is_leaving = true;
    if (session->phase == SMTP_READY && smtp_session_held(session) == 0 &&
        session->expected_count == 0) {
        session->phase = SMTP_QUITTING;
        return say(session, "QUIT", "", EXPECT_QUIT, now_ns, err);
    }
    return RC_OK;
}

bool smtp_session_is_idle(const struct smtp_session *session)
{
    return session->phase == SMTP_READY && session->expected_count == 0 &&
           session->slots[0].stage == SMTP_FREE;
}

void smtp_session_release(struct smtp_session *session)
{
    if (session->out.ptr != NULL) {
        OPENSSL_cleanse(session->out.ptr, session->out.cap);
    }
    buf_release(&session->out);
    *session = (struct smtp_session){.out = BUF_EMPTY};
}
