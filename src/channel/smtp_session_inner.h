/*
 * smtp_session_inner - what the two halves of the session share: setting up (smtp_session.c) and
 * messages (smtp_exchange.c)
 */
#ifndef POSTROOM_CHANNEL_SMTP_SESSION_INNER_H
#define POSTROOM_CHANNEL_SMTP_SESSION_INNER_H

#include "channel/smtp_session.h"

enum smtp_expect {
    EXPECT_GREETING,
    EXPECT_EHLO,
    EXPECT_STARTTLS,
    EXPECT_AUTH,          /* the end of AUTH: 235 */
    EXPECT_AUTH_USER,     /* LOGIN: 334, then the user */
    EXPECT_AUTH_PASSWORD, /* LOGIN: 334, then the password */
    EXPECT_RSET,
    EXPECT_MAIL,
    EXPECT_RCPT,
    EXPECT_DATA,
    EXPECT_DOT,
    EXPECT_LONE_DOT, /* ends a body that nobody gets */
    EXPECT_QUIT,
    EXPECT_KINDS
};

/* A whole reply. */
struct smtp_answer {
    enum smtp_expect kind;
    int code;
    struct slice text; /* clean */
};

/* smtp_expect - one more reply is owed */
void smtp_expect(struct smtp_session *session, enum smtp_expect kind, int64_t now_ns);

/* smtp_set_deadline - for what is owed now */
void smtp_set_deadline(struct smtp_session *session, int64_t now_ns);

/* smtp_refused - "the peer refuses WHAT: 535 text"; returns RC_TEMP */
enum rc smtp_refused(const char *what, const struct smtp_answer *answer, struct err *err);

/* smtp_exchange_answer - a reply about messages. Returns as smtp_session_feed */
enum rc smtp_exchange_answer(struct smtp_session *session, const struct smtp_answer *answer,
                             int64_t now_ns, struct err *err) MUST_CHECK;

/* smtp_exchange_go_on - queue what can be queued now */
enum rc smtp_exchange_go_on(struct smtp_session *session, int64_t now_ns,
                            struct err *err) MUST_CHECK;

#endif
