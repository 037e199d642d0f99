/*
 * transport - how messages of a channel leave: message in, verdict out
 *
 * One object for each sending worker, for one thread; nothing blocks but transport_run(), and that
 * no longer than it is told. The life of a message:
 *
 *     caller                                  transport
 *     records the intent
 *     transport_submit ---------------------> holds it, bytes borrowed
 *     transport_run    ---------------------> sends ... told(verdict): bytes not needed any more
 *     transport_flush  ---------------------> what was stored here is on disk
 *     records the result
 *
 * Every message that was taken by submit gets exactly one verdict, unless the transport is freed
 * before.
 *
 *     SENT       accepted. With a transport that stores here (maildir, file): after transport_flush
 *     TEMPORARY  refused for now, or broken off after the peer had begun to judge this message
 *                (its recipient or its content) and before it could have accepted it: costs an
 * attempt PERMANENT  refused for good, or it can never be sent (an address or bytes that no peer
 * may get) UNCERTAIN  its last byte may have left and no answer came: accepted or not, nobody knows
 *     UNTRIED    never begun, or broken off before the peer had judged anything of it: costs no
 *                attempt; submit it again when transport_room() says so
 *
 * A peer that cannot be reached, that refuses the login, or whose certificate is wrong costs nobody
 * an attempt: the transport is `down`, says why and when it tries next (after 1 s, doubling to 5
 * minutes), gives what it holds back as UNTRIED, and has no room until it is up.
 */
#ifndef POSTROOM_CHANNEL_TRANSPORT_H
#define POSTROOM_CHANNEL_TRANSPORT_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

enum { TRANSPORT_REASON_BYTES = 512 };

enum verdict {
    VERDICT_SENT,
    VERDICT_TEMPORARY,
    VERDICT_PERMANENT,
    VERDICT_UNCERTAIN,
    VERDICT_UNTRIED
};

struct outgoing {
    uint64_t number;    /* the caller's; comes back with the verdict */
    struct slice from;  /* e-mail: return path, may be empty; SMS: sender; others: unused */
    struct slice to;    /* address, number or token */
    struct slice bytes; /* e-mail: the whole message with CRLF; else the payload */
    const char
        *unique; /* 1..200 of A-Z a-z 0-9 . _ - + = , not first a dot: always the same for one
                    message of one recipient, no other has it. Stored messages are named so. */
    bool needs_smtputf8; /* e-mail: an address or header field holds raw UTF-8 (RFC 6531) */
    bool is_repeat;      /* its earlier sending is UNCERTAIN: look whether it is there already */
};

struct verdict_report {
    uint64_t number;
    enum verdict verdict;
    int code;                /* of the peer's protocol (SMTP: 250, 550 ...), 0: none */
    bool is_about_recipient; /* PERMANENT: this address is at fault (not sender, size or content) */
    struct slice text;       /* what the peer said, or why: one line of UTF-8 without control
                                characters; borrowed during the call */
};

typedef void transport_told(void *ctx, const struct verdict_report *report);

struct transport_state {
    bool is_up;          /* true before the first try, too */
    bool is_closed;      /* transport_close is through: nothing is held, no connection is open */
    unsigned int held;   /* messages without a verdict */
    int64_t next_try_ns; /* down: clock_monotonic_ns() of the next try */
    const char *reason;  /* down: why, without secrets; else "". Borrowed until the next run */
};

struct transport;

/* What a transport is made of; transport.h's functions check the arguments and call these. */
struct transport_kind {
    const char *name;
    size_t (*room)(const struct transport *t);
    enum rc (*submit)(struct transport *t, const struct outgoing *message, struct err *err);
    enum rc (*run)(struct transport *t, int timeout_ms, transport_told *told, void *ctx,
                   struct err *err);
    int (*fd)(const struct transport *t);                   /* NULL: there is none */
    int64_t (*deadline_ns)(const struct transport *t);      /* NULL: none */
    enum rc (*flush)(struct transport *t, struct err *err); /* NULL: nothing is stored */
    void (*recall)(struct transport *t); /* NULL: submit is followed by run at once */
    void (*close)(struct transport *t);  /* NULL: no ceremony */
    void (*state)(const struct transport *t, struct transport_state *out);
    void (*free)(struct transport *t);
};

struct transport {
    const struct transport_kind *kind; /* first member of every transport */
};

/* transport_name - "smtp", "maildir", ... */
const char *transport_name(const struct transport *t);

/* transport_room - how many messages submit takes now; 0 while down, closing or full */
size_t transport_room(const struct transport *t);

/*
 * transport_submit - hand one message over
 *
 * message  copied; what its slices and unique point to is borrowed until its verdict
 * Returns  RC_OK taken; RC_STATE no room (transport_room is 0); RC_NOMEM. Nothing was taken unless
 * RC_OK.
 */
enum rc transport_submit(struct transport *t, const struct outgoing *message,
                         struct err *err) MUST_CHECK;

/*
 * transport_run - send and receive what can be done now, else wait for it
 *
 * timeout_ms  at most this long; 0: only what can be done at once; -1: until something happens
 * told        called for each verdict, may be called many times; may submit, may not free t
 * Returns     RC_OK, also when nothing happened; RC_TEMP the machine is in the way (no descriptors,
 * no memory): run again later; RC_IO stop this process (storing transports)
 */
enum rc transport_run(struct transport *t, int timeout_ms, transport_told *told, void *ctx,
                      struct err *err) MUST_CHECK;

/* transport_fd - readable when a run has something to do; -1: there is none */
int transport_fd(const struct transport *t);

/* transport_deadline_ns - clock_monotonic_ns() by which run wants to be called though transport_fd
 * is silent; INT64_MAX: none */
int64_t transport_deadline_ns(const struct transport *t);

/* transport_flush - messages told as SENT are on disk after it. RC_OK; RC_IO. Cost: one group sync,
 * where messages are stored here; else nothing */
enum rc transport_flush(struct transport *t, struct err *err) MUST_CHECK;

/* transport_recall - what has not been begun comes back as UNTRIED with the next run (pause, stop)
 */
void transport_recall(struct transport *t);

/* transport_close - begin to end: no room any more, recall, what is under way gets its verdict,
 * connections are closed politely. Run until transport_state says is_closed: bounded by the waits.
 */
void transport_close(struct transport *t);

/* transport_state - for status lines */
void transport_state(const struct transport *t, struct transport_state *out);

/* transport_free - end at once; messages held get no verdict. NULL is allowed. */
void transport_free(struct transport *t);

/* transport_unique_is_valid - the rule of outgoing.unique */
bool transport_unique_is_valid(const char *unique);

/* verdict_name - "sent", "temporary", "permanent", "uncertain", "untried" */
const char *verdict_name(enum verdict verdict);

#endif
