/*
 * smtp_session - one SMTP conversation as a client (RFC 5321, 1870, 2920, 3207, 4954, 6152, 6531),
 * without I/O: bytes in, bytes out
 *
 *     GREETING -> EHLO [-> STARTTLS -> HANDSHAKE -> EHLO] [-> AUTH ...] -> READY -> QUITTING ->
 * OVER
 *
 * In READY it carries up to two messages: with PIPELINING the envelope of the second goes out right
 * behind the final dot of the first.
 *
 *     stage of a message    what has been queued for the peer        verdict if the connection
 * breaks now WAITING               nothing                                  untried ENVELOPE MAIL
 * (RCPT, DATA)                        untried, but temporary when the reply to RCPT or DATA is the
 * one owed BODY                  part of the body                         temporary DOT all, and
 * the final dot                   uncertain if the dot was written, else temporary REFUSED has its
 * verdict; replies are still owed  -
 *
 * Nothing here trusts the peer: lines and replies are bounded (smtp_reply.h), a reply nobody asked
 * for or of the wrong kind ends the session. Each wait has its limit of RFC 5321 4.5.3.2, or
 * settings.timeout_ns where that is less.
 */
#ifndef POSTROOM_CHANNEL_SMTP_SESSION_H
#define POSTROOM_CHANNEL_SMTP_SESSION_H

#include "channel/smtp_command.h"
#include "channel/smtp_reply.h"
#include "channel/transport.h"

enum smtp_tls { SMTP_TLS_CONNECT, SMTP_TLS_STARTTLS, SMTP_TLS_NONE };

enum {
    SMTP_SLOTS = 2,
    SMTP_EXPECTED_MAX = 16,     /* replies owed at once: RSET, MAIL, RCPT, DATA, dot and spare */
    SMTP_OUT_BYTES = 64 * 1024, /* of a body queued at once: four TLS records */
    SMTP_HELO_BYTES_MAX = 255,
    SMTP_TEXT_BYTES = 500 /* of a reply's text that is kept */
};

/* For all sessions of a transport; borrowed. */
struct smtp_settings {
    enum smtp_tls tls;
    struct slice user; /* empty: no AUTH. Only ever sent over TLS (asserted). */
    struct slice password;
    int64_t timeout_ns;        /* 0: the limits of the RFC alone */
    unsigned int max_messages; /* of one connection, at least 1 */
};

struct smtp_message {
    struct outgoing out;
    struct smtp_body body;
};

enum smtp_phase {
    SMTP_GREETING,
    SMTP_EHLO,
    SMTP_STARTTLS,
    SMTP_HANDSHAKE, /* the owner makes TLS, then calls smtp_session_secured */
    SMTP_AUTH,
    SMTP_READY,
    SMTP_QUITTING,
    SMTP_OVER /* QUIT was answered: close */
};

enum smtp_stage { SMTP_FREE, SMTP_WAITING, SMTP_ENVELOPE, SMTP_BODY, SMTP_DOT, SMTP_REFUSED };

struct smtp_slot {
    enum smtp_stage stage;
    struct smtp_message message;
    size_t body_at;     /* bytes of the body that were queued */
    uint64_t dot_bytes; /* DOT: the dot has left when so many bytes were written */
};

struct smtp_offers {
    bool pipelining;
    bool eight_bit;
    bool utf8;
    bool size;
    bool starttls;
    bool auth_plain;
    bool auth_login;
    uint64_t size_max; /* 0: not told */
};

struct smtp_session {
    const struct smtp_settings *settings;
    void (*told)(void *ctx, const struct verdict_report *report);
    void *ctx;
    enum smtp_phase phase;
    bool is_secured;       /* TLS is on */
    bool is_leaving;       /* no more messages; QUIT when the last has its verdict */
    bool is_reset_needed;  /* a transaction is open at the peer that we do not want */
    bool has_judged;       /* the peer has given a verdict on a message in this session */
    bool has_accepted;     /* it has taken a recipient: it does relay for us */
    unsigned int messages; /* begun */
    struct smtp_offers offers;
    struct smtp_slot slots[SMTP_SLOTS]; /* [0] is the older */
    struct smtp_reader reader;
    unsigned char expected[SMTP_EXPECTED_MAX]; /* kinds of replies owed, oldest first */
    size_t expected_count;
    char text[SMTP_TEXT_BYTES]; /* of the reply so far, cleaned */
    size_t text_len;
    struct buf out;         /* to be written */
    size_t out_at;          /* of it was written */
    uint64_t written_total; /* of the session */
    bool is_out_secret;     /* out holds credentials: wiped as it is written */
    int64_t deadline_ns;    /* INT64_MAX: nothing is waited for */
    char helo[SMTP_HELO_BYTES_MAX + 1];
};

/*
 * smtp_session_begin - a connection is made; release what was before with smtp_session_release
 *
 * helo     our name or address literal, cut at SMTP_HELO_BYTES_MAX
 * told     called with each verdict, during any of the calls below
 * is_secured  TLS is on already
 */
void smtp_session_begin(struct smtp_session *session, const struct smtp_settings *settings,
                        const char *helo, bool is_secured,
                        void (*told)(void *ctx, const struct verdict_report *report), void *ctx,
                        int64_t now_ns);

/*
 * smtp_session_feed - bytes have come
 * Returns RC_OK; RC_TEMP the session is over, err says why (call smtp_session_end); RC_NOMEM the
 * same
 */
enum rc smtp_session_feed(struct smtp_session *session, struct slice bytes, int64_t now_ns,
                          struct err *err) MUST_CHECK;

/* smtp_session_secured - the handshake is done: EHLO again, nothing that was learned before counts
 */
enum rc smtp_session_secured(struct smtp_session *session, int64_t now_ns,
                             struct err *err) MUST_CHECK;

/* smtp_session_has_room - READY and a slot is free */
bool smtp_session_has_room(const struct smtp_session *session);

/*
 * smtp_session_offer - one more message; has_room asserted
 * It is begun, or told at once where it can never be sent (addresses, SIZE, no 8BITMIME or
 * SMTPUTF8 at the peer). Returns as smtp_session_feed.
 */
enum rc smtp_session_offer(struct smtp_session *session, const struct smtp_message *message,
                           int64_t now_ns, struct err *err) MUST_CHECK;

/*
 * smtp_session_output - the bytes to be written next; empty: none. Borrowed until the next call.
 * Returns as smtp_session_feed
 */
enum rc smtp_session_output(struct smtp_session *session, struct slice *out, int64_t now_ns,
                            struct err *err) MUST_CHECK;

/* smtp_session_wrote - of the last output, `count` bytes were handed to the kernel */
void smtp_session_wrote(struct smtp_session *session, size_t count, int64_t now_ns);

/* smtp_session_leave - no more messages; QUIT once those under way are through. Returns as
 * smtp_session_feed. */
enum rc smtp_session_leave(struct smtp_session *session, int64_t now_ns,
                           struct err *err) MUST_CHECK;

/* smtp_session_held - messages without a verdict */
unsigned int smtp_session_held(const struct smtp_session *session);

/* smtp_session_is_idle - READY, nothing under way and nothing owed */
bool smtp_session_is_idle(const struct smtp_session *session);

/* smtp_session_waits_for - what the peer owes us, for messages: "a reply to RCPT", "the greeting"
 */
const char *smtp_session_waits_for(const struct smtp_session *session);

/* smtp_session_end - the connection is gone: verdicts for all messages held, by the table above */
void smtp_session_end(struct smtp_session *session, const char *reason);

/* smtp_session_release - free what it holds, wiped; no verdicts. Accepts a zeroed one. */
void smtp_session_release(struct smtp_session *session);

#endif
