/*
 * smpp_session - one SMPP 3.4 conversation as a client, without I/O: bytes in, bytes out
 *
 *     BINDING -> BOUND -> UNBINDING -> OVER
 *
 * In BOUND it carries messages, each of one or several parts (channel/sms_text.h), each part a
 * submit_sm. At most settings.window of them are without an answer. What becomes of a message:
 *
 *     all parts accepted                                        SENT, with the last part's id
 *     a part refused                                            PERMANENT or TEMPORARY by its code,
 *                                                               once no other part is owed an
 * answer a part throttled, or the peer's queue full                it is sent again after a pause
 * of 1 s, doubling to 1 min; nothing else is sent meanwhile. A queue that is full again and again:
 * TEMPORARY the answer to a part does not come within timeout_ns      UNCERTAIN the connection
 * breaks, or its messages are recalled: no part has left UNTRIED some have, but not all TEMPORARY:
 * nobody can have shown it all have, an answer is missing                        UNCERTAIN
 *
 * The reference that joins the parts is made of `unique`: sent again, a part takes its own place.
 * A silent peer is asked by enquire_link; while it owes answers for too long nothing more is sent.
 */
#ifndef POSTROOM_CHANNEL_SMPP_SESSION_H
#define POSTROOM_CHANNEL_SMPP_SESSION_H

#include "channel/smpp_receipt.h"
#include "channel/sms_text.h"
#include "channel/transport.h"

enum {
    SMPP_WINDOW_MAX = 1000,
    SMPP_FLIGHTS = 2048, /* sequence numbers between the oldest without an answer and the newest; a
                            power of two above the window */
    SMPP_OUT_BYTES_MAX = 1024 * 1024, /* answers that a peer does not read: it is let go */
    SMPP_RECEIPTS_PARTS_MAX = 32      /* of a message, that a receipt is asked for */
};

/* For all sessions of a transport; borrowed. */
struct smpp_settings {
    struct slice system_id;        /* at most 15 bytes */
    struct slice password;         /* at most 8 */
    unsigned int window;           /* 1..SMPP_WINDOW_MAX */
    int64_t timeout_ns;            /* longest wait for an answer */
    bool is_staying;               /* nothing to send is no reason to leave */
    struct smpp_receipts receipts; /* `receipt` NULL: nobody wants them */
};

/* A receipt that is not answered yet. */
struct smpp_debt {
    uint64_t number; /* smpp_receipts.receipt's */
    uint32_t sequence;
};

enum smpp_phase { SMPP_BINDING, SMPP_BOUND, SMPP_UNBINDING, SMPP_OVER };

struct smpp_message {
    struct outgoing out;
    struct slice to; /* digits of out.to */
    struct sms_cutter cutter;
    uint64_t again[(SMS_PARTS_MAX + 64) / 64]; /* bits: parts to be sent again */
    uint32_t again_count;
    uint32_t accepted; /* parts */
    uint32_t lost;     /* parts whose answer did not come in time */
    uint32_t flights;  /* parts that are owed an answer */
    uint32_t full;     /* times that the peer's queue was full */
    uint32_t refusal;  /* the first command_status that refuses it; 0 */
    bool is_taken;
    char id[SMPP_ID_BYTES_MAX + 1];
};

/* A submit_sm without an answer. */
struct smpp_flight {
    uint32_t sequence; /* 0: none */
    uint16_t message;  /* its place in messages */
    uint8_t part;      /* from 1 */
    int64_t sent_ns;
    uint64_t end_bytes; /* it has left when so many bytes were written */
};

struct smpp_session {
    const struct smpp_settings *settings;
    void (*told)(void *ctx, const struct verdict_report *report);
    void *ctx;
    enum smpp_phase phase;
    bool is_leaving;   /* no more messages; unbind when the last has its verdict */
    bool is_unbound;   /* the peer said so: nothing more is asked of it */
    bool has_judged;   /* a submit_sm was answered */
    bool is_doubtful;  /* an answer is overdue, and nothing has come since */
    bool has_secret;   /* out holds the password: wiped as it is written */
    uint32_t sequence; /* the newest */
    uint32_t oldest;   /* no flight has a lower one */
    unsigned int flying;
    unsigned int held;    /* messages without a verdict */
    unsigned int pending; /* of them with parts to be sent */
    uint32_t question;    /* sequence of bind, enquire_link or unbind without an answer; 0 */
    int64_t question_ns;  /* when it was asked */
    int64_t heard_ns;     /* when something last came */
    int64_t pause_ns;     /* the newest pause; 0: the last part was accepted */
    int64_t paused_ns;    /* when it began */
    int64_t resume_ns;    /* nothing is submitted before */
    struct buf in;        /* a PDU that has not come whole */
    struct buf out;       /* to be written */
    size_t out_at;        /* of it was written */
    struct buf debts;     /* of struct smpp_debt, in the order of their numbers */
    size_t debts_at;      /* of it was answered */
    uint64_t written_total;
    unsigned int cursor; /* where a free place is looked for */
    struct smpp_message messages[SMPP_WINDOW_MAX + 1];
    struct smpp_flight flights[SMPP_FLIGHTS]; /* by sequence */
};

/*
 * smpp_session_begin - a connection is made: bind_transceiver; release what was before
 * told     called with each verdict, during any of the calls below
 */
void smpp_session_begin(struct smpp_session *session, const struct smpp_settings *settings,
                        void (*told)(void *ctx, const struct verdict_report *report), void *ctx,
                        int64_t now_ns);

/*
 * smpp_session_feed - bytes have come
 * Returns RC_OK; RC_TEMP the session is over, err says why (call smpp_session_end); RC_NOMEM the
 * same
 */
enum rc smpp_session_feed(struct smpp_session *session, struct slice bytes, int64_t now_ns,
                          struct err *err) MUST_CHECK;

/* smpp_session_has_room - BOUND, and one more message could begin now */
bool smpp_session_has_room(const struct smpp_session *session, int64_t now_ns);

/*
 * smpp_session_offer - one more message; has_room asserted
 * It is begun, or told at once where it can never be sent (number, sender, text). Returns as
 * smpp_session_feed.
 */
enum rc smpp_session_offer(struct smpp_session *session, const struct outgoing *message,
                           int64_t now_ns, struct err *err) MUST_CHECK;

/* smpp_session_output - the bytes to be written next; empty: none. Borrowed until the next call */
struct slice smpp_session_output(struct smpp_session *session);

/* smpp_session_wrote - of the last output, `count` bytes were handed to the kernel */
void smpp_session_wrote(struct smpp_session *session, size_t count);

/* smpp_session_tick - what time brings: overdue answers, enquire_link, the end of a pause. Returns
 * as smpp_session_feed */
enum rc smpp_session_tick(struct smpp_session *session, int64_t now_ns, struct err *err) MUST_CHECK;

/* smpp_session_deadline_ns - when tick wants to be called; INT64_MAX: never */
int64_t smpp_session_deadline_ns(const struct smpp_session *session);

/* smpp_session_recall - messages that wait for the end of a pause get their verdict as if the
 * connection had broken */
void smpp_session_recall(struct smpp_session *session);

/* smpp_session_kept - receipts up to this number are kept: answered. Returns as smpp_session_feed
 */
enum rc smpp_session_kept(struct smpp_session *session, uint64_t number,
                          struct err *err) MUST_CHECK;

/* smpp_session_leave - no more messages; unbind once those under way are through. Returns as
 * smpp_session_feed. */
enum rc smpp_session_leave(struct smpp_session *session, int64_t now_ns,
                           struct err *err) MUST_CHECK;

/* smpp_session_is_idle - BOUND, nothing under way and nothing asked */
bool smpp_session_is_idle(const struct smpp_session *session);

/* smpp_session_end - the connection is gone: verdicts for all messages held, by the table above */
void smpp_session_end(struct smpp_session *session, const char *reason);

/* smpp_session_release - free what it holds, wiped; no verdicts. Accepts a zeroed one. */
void smpp_session_release(struct smpp_session *session);

#endif
