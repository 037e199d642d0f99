/*
 * smtp_exchange - messages of a session: envelope, body, verdict
 *
 * The peer answers in order, so a reply about a message is always about slots[0]: when the first
 * reply to the second message comes, the first message has its verdict and has gone.
 */
#include "channel/smtp_session_inner.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

/* ---- verdicts ---- */

static void tell(struct smtp_session *session, const struct smtp_message *message,
                 enum verdict verdict, int code, struct slice text, bool is_about_recipient)
{
    const struct verdict_report report = {.number = message->out.number,
                                          .verdict = verdict,
                                          .code = code,
                                          .is_about_recipient = is_about_recipient,
                                          .text = text};
    session->told(session->ctx, &report);
}

/* The older message is through; the second moves up. */
static void shift(struct smtp_session *session)
{
    session->slots[0] = session->slots[1];
    session->slots[1] = (struct smtp_slot){.stage = SMTP_FREE};
}

/* Letters without case; `word` in small ones */
static bool holds(struct slice text, const char *word)
{
    size_t len = strlen(word);
    for (size_t at = 0; at + len <= text.len; at++) {
        if (strncasecmp(text.ptr + at, word, len) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * RFC 3463: X.1.n is about an address (but 7 and 8: the sender's), X.2.1 a mailbox that is shut.
 * Without such a code a relay that has gone wrong answers each recipient alike ("550 relaying
 * denied"), and everybody would be in the quarantine: only the replies that RFC 5321 4.2.3 has for
 * mailboxes count, where the same relay has taken somebody else, and not where it speaks of rights.
 */
static bool speaks_of_recipient(const struct smtp_session *session,
                                const struct smtp_answer *answer)
{
    struct slice text = answer->text;
    if (text.len >= 5 && text.ptr[1] == '.' && text.ptr[3] == '.') {
        return (text.ptr[2] == '1' && text.ptr[4] != '7' && text.ptr[4] != '8') ||
               (text.ptr[2] == '2' && text.ptr[4] == '1');
    }
    bool is_of_mailbox = answer->code == 550 || answer->code == 551 || answer->code == 553;
    return answer->kind == EXPECT_RCPT && is_of_mailbox && session->has_accepted &&
           !holds(text, "relay") && !holds(text, "denied");
}

/*
 * Replies that speak of us, not of the message: 503 our commands came in an order that the peer
 * does not like, 530 and 538 it wants a login or TLS first. No recipient pays for that.
 */
static bool is_about_us(const struct smtp_answer *answer)
{
    return answer->code == 503 || answer->code == 530 || answer->code == 538;
}

/* The peer says no to the message in slots[0]. */
static enum rc refuse(struct smtp_session *session, const struct smtp_answer *answer,
                      struct err *err)
{
    struct smtp_slot *slot = &session->slots[0];
    bool is_shut = answer->code == 421;
    if (is_about_us(answer) || (is_shut && answer->kind == EXPECT_MAIL)) {
        tell(session, &slot->message, VERDICT_UNTRIED, answer->code, answer->text, false);
        slot->stage = SMTP_REFUSED;
        return smtp_refused("to go on", answer, err);
    }
    bool is_final = answer->code >= 500;
    session->has_judged = session->has_judged || !is_shut;
    tell(session, &slot->message, is_final ? VERDICT_PERMANENT : VERDICT_TEMPORARY, answer->code,
         answer->text, is_final && speaks_of_recipient(session, answer));
    slot->stage = SMTP_REFUSED;
    return is_shut ? smtp_refused("to go on", answer, err) : RC_OK;
}

/* A reply that the protocol does not have here: 250 to DATA, 354 to RCPT */
static enum rc wrong_kind(struct smtp_session *session, const struct smtp_answer *answer,
                          struct err *err)
{
    struct smtp_slot *slot = &session->slots[0];
    if (slot->stage == SMTP_ENVELOPE) {
        enum verdict verdict = answer->kind == EXPECT_MAIL ? VERDICT_UNTRIED : VERDICT_TEMPORARY;
        tell(session, &slot->message, verdict, answer->code, answer->text, false);
        slot->stage = SMTP_REFUSED;
    }
    return err_set(err, RC_TEMP, "the peer's reply makes no sense here: %d %.*s", answer->code,
                   (int)answer->text.len, answer->text.ptr);
}

/* ---- envelope ---- */

static enum rc add_rcpt(struct smtp_session *session, const struct smtp_slot *slot, int64_t now_ns,
                        struct err *err)
{
    enum rc rc = smtp_command_rcpt(&session->out, slot->message.out.to, err);
    smtp_expect(session, EXPECT_RCPT, now_ns);
    return rc == RC_OK ? RC_OK : RC_TEMP;
}

static enum rc add_data(struct smtp_session *session, int64_t now_ns, struct err *err)
{
    enum rc rc = smtp_command_plain(&session->out, "DATA", (struct slice){NULL, 0}, err);
    smtp_expect(session, EXPECT_DATA, now_ns);
    return rc == RC_OK ? RC_OK : RC_TEMP;
}

static enum rc add_reset(struct smtp_session *session, int64_t now_ns, struct err *err)
{
    session->is_reset_needed = false;
    enum rc rc = smtp_command_plain(&session->out, "RSET", (struct slice){NULL, 0}, err);
    smtp_expect(session, EXPECT_RSET, now_ns);
    return rc == RC_OK ? RC_OK : RC_TEMP;
}

static enum rc begin_envelope(struct smtp_session *session, struct smtp_slot *slot, int64_t now_ns,
                              struct err *err)
{
    const struct smtp_message *message = &slot->message;
    const struct smtp_mail mail = {.from = message->out.from,
                                   .size_bytes =
                                       session->offers.size ? smtp_body_size(&message->body) : 0,
                                   .is_8bit = message->body.is_8bit,
                                   .is_utf8 = message->out.needs_smtputf8};
    slot->stage = SMTP_ENVELOPE;
    enum rc rc = smtp_command_mail(&session->out, &mail, err);
    smtp_expect(session, EXPECT_MAIL, now_ns);
    if (rc == RC_OK && session->offers.pipelining) {
        rc = add_rcpt(session, slot, now_ns, err);
        if (rc == RC_OK) {
            rc = add_data(session, now_ns, err);
        }
    }
    return rc == RC_OK ? RC_OK : RC_TEMP;
}

/* ---- body ---- */

/* Queues the next part of the body, and its end when it has come to that. */
static enum rc add_body(struct smtp_session *session, struct smtp_slot *slot, int64_t now_ns,
                        struct err *err)
{
    bool is_whole = smtp_body_add(&slot->message.body, &slot->body_at,
                                  SMTP_OUT_BYTES - session->out.len, &session->out);
    if (is_whole) {
        buf_add_text(&session->out, ".\r\n");
        slot->stage = SMTP_DOT;
        /* From the moment the dot itself is written, the peer may have the whole message. */
        slot->dot_bytes = session->written_total + (session->out.len - session->out_at) - 2;
        smtp_expect(session, EXPECT_DOT, now_ns);
    }
    return buf_ok(&session->out, err);
}

enum rc smtp_exchange_go_on(struct smtp_session *session, int64_t now_ns, struct err *err)
{
    struct smtp_slot *first = &session->slots[0];
    struct smtp_slot *second = &session->slots[1];
    enum rc rc = RC_OK;
    if (session->phase != SMTP_READY) {
        return RC_OK;
    }
    if (first->stage == SMTP_BODY && session->out.len < SMTP_OUT_BYTES) {
        rc = add_body(session, first, now_ns, err);
    }
    /* Behind the final dot, or when nothing is owed: a refused message has left a transaction open.
     */
    bool is_free_to_begin = session->expected_count == 0;
    if (rc == RC_OK && first->stage == SMTP_WAITING && session->is_reset_needed &&
        (is_free_to_begin || session->offers.pipelining)) {
        rc = add_reset(session, now_ns, err);
        is_free_to_begin = session->offers.pipelining;
    }
    if (rc == RC_OK && first->stage == SMTP_WAITING &&
        (is_free_to_begin || session->offers.pipelining)) {
        rc = begin_envelope(session, first, now_ns, err);
    }
    if (rc == RC_OK && first->stage == SMTP_DOT && second->stage == SMTP_WAITING &&
        session->offers.pipelining) {
        rc = begin_envelope(session, second, now_ns, err);
    }
    if (rc == RC_OK && session->is_leaving) {
        rc = smtp_session_leave(session, now_ns, err);
    }
    return rc;
}

/* ---- replies ---- */

static enum rc after_mail(struct smtp_session *session, const struct smtp_answer *answer,
                          int64_t now_ns, struct err *err)
{
    struct smtp_slot *slot = &session->slots[0];
    if (answer->code >= 400) {
        enum rc rc = refuse(session, answer, err);
        if (rc == RC_OK && !session->offers.pipelining) {
            shift(session); /* no transaction was opened, nothing is owed */
        }
        return rc;
    }
    if (answer->code >= 300) {
        return wrong_kind(session, answer, err);
    }
    return session->offers.pipelining ? RC_OK : add_rcpt(session, slot, now_ns, err);
}

static enum rc after_rcpt(struct smtp_session *session, const struct smtp_answer *answer,
                          int64_t now_ns, struct err *err)
{
    struct smtp_slot *slot = &session->slots[0];
    if (slot->stage == SMTP_REFUSED) {
        return RC_OK; /* MAIL was refused; this one follows from that */
    }
    if (answer->code >= 400) {
        enum rc rc = refuse(session, answer, err);
        session->is_reset_needed = true;
        if (rc == RC_OK && !session->offers.pipelining) {
            shift(session);
        }
        return rc;
    }
    if (answer->code >= 300) {
        return wrong_kind(session, answer, err);
    }
    session->has_accepted = true;
    return session->offers.pipelining ? RC_OK : add_data(session, now_ns, err);
}

static enum rc after_data(struct smtp_session *session, const struct smtp_answer *answer,
                          int64_t now_ns, struct err *err)
{
    struct smtp_slot *slot = &session->slots[0];
    bool is_refused = slot->stage == SMTP_REFUSED;
    if (answer->code == 354) {
        if (!is_refused) {
            slot->stage = SMTP_BODY;
            smtp_set_deadline(session, now_ns);
            return RC_OK;
        }
        /* RFC 2920 3.1: the peer wants a body for nobody. It gets an empty one. */
        buf_add_text(&session->out, ".\r\n");
        session->is_reset_needed = false;
        smtp_expect(session, EXPECT_LONE_DOT, now_ns);
        return RC_OK;
    }
    if (answer->code < 400) {
        return wrong_kind(session, answer, err);
    }
    if (!is_refused) {
        enum rc rc = refuse(session, answer, err);
        if (rc != RC_OK) {
            return rc;
        }
        session->is_reset_needed = true;
    }
    shift(session);
    return RC_OK;
}

static enum rc after_dot(struct smtp_session *session, const struct smtp_answer *answer,
                         struct err *err)
{
    struct smtp_slot *slot = &session->slots[0];
    enum rc rc = RC_OK;
    if (answer->code >= 300 && answer->code < 400) {
        return wrong_kind(session, answer, err); /* the slot stands in DOT: uncertain */
    }
    if (answer->code >= 400) {
        rc = refuse(session, answer, err);
    } else {
        session->has_judged = true;
        tell(session, &slot->message, VERDICT_SENT, answer->code, answer->text, false);
    }
    shift(session);
    return rc;
}

enum rc smtp_exchange_answer(struct smtp_session *session, const struct smtp_answer *answer,
                             int64_t now_ns, struct err *err)
{
    enum rc rc = RC_OK;
    switch (answer->kind) {
    case EXPECT_MAIL:
        rc = after_mail(session, answer, now_ns, err);
        break;
    case EXPECT_RCPT:
        rc = after_rcpt(session, answer, now_ns, err);
        break;
    case EXPECT_DATA:
        rc = after_data(session, answer, now_ns, err);
        break;
    case EXPECT_DOT:
        rc = after_dot(session, answer, err);
        break;
    case EXPECT_LONE_DOT:
        shift(session);
        rc = answer->code == 421 ? smtp_refused("to go on", answer, err) : RC_OK;
        break;
    default: /* RSET: it cannot fail (RFC 5321 4.3.2), unless the peer goes */
        rc = answer->code == 250 ? RC_OK : smtp_refused("RSET", answer, err);
        break;
    }
    return rc == RC_OK ? smtp_exchange_go_on(session, now_ns, err) : rc;
}

/* ---- messages in ---- */

bool smtp_session_has_room(const struct smtp_session *session)
{
    if (session->phase != SMTP_READY || session->is_leaving ||
        session->messages >= session->settings->max_messages) {
        return false;
    }
    if (session->slots[0].stage == SMTP_FREE) {
        return true;
    }
    return session->offers.pipelining && session->slots[1].stage == SMTP_FREE;
}

/* What makes the message one that this peer can never get; "" and RC_OK: nothing */
static enum rc check(const struct smtp_session *session, const struct smtp_message *message,
                     bool *is_about_recipient, struct err *err)
{
    const struct outgoing *out = &message->out;
    const struct smtp_offers *offers = &session->offers;
    bool is_from_ascii = true;
    bool is_to_ascii = true;
    *is_about_recipient = true;
    enum rc rc = smtp_command_address(out->to, &is_to_ascii, err);
    if (rc != RC_OK) {
        return rc;
    }
    bool is_utf8_known = out->needs_smtputf8 && offers->utf8;
    if (!is_to_ascii && !is_utf8_known) {
        return err_set(err, RC_PERM, "address is not ASCII and the peer does not take that");
    }
    *is_about_recipient = false;
    rc = out->from.len == 0 ? RC_OK : smtp_command_address(out->from, &is_from_ascii, err);
    if (rc != RC_OK) {
        return err_add(err, rc, "sender");
    }
    if ((!is_from_ascii || out->needs_smtputf8) && !is_utf8_known) {
        return err_set(err, RC_PERM, "message needs SMTPUTF8, which the peer does not offer");
    }
    if (message->body.is_8bit && !offers->eight_bit) {
        return err_set(err, RC_PERM, "message needs 8BITMIME, which the peer does not offer");
    }
    if (offers->size_max > 0 && smtp_body_size(&message->body) > offers->size_max) {
        return err_set(err, RC_PERM, "message has %zu bytes, the peer takes %llu",
                       smtp_body_size(&message->body), (unsigned long long)offers->size_max);
    }
    return RC_OK;
}

enum rc smtp_session_offer(struct smtp_session *session, const struct smtp_message *message,
                           int64_t now_ns, struct err *err)
{
    assert(smtp_session_has_room(session));
    struct err why;
    bool is_about_recipient = false;
    if (check(session, message, &is_about_recipient, &why) != RC_OK) {
        tell(session, message, VERDICT_PERMANENT, 0, slice_of(why.text), is_about_recipient);
        return RC_OK;
    }
    size_t at = session->slots[0].stage == SMTP_FREE ? 0 : 1;
    session->slots[at] = (struct smtp_slot){.stage = SMTP_WAITING, .message = *message};
    session->messages++;
    return smtp_exchange_go_on(session, now_ns, err);
}

unsigned int smtp_session_held(const struct smtp_session *session)
{
    unsigned int held = 0;
    for (size_t i = 0; i < SMTP_SLOTS; i++) {
        enum smtp_stage stage = session->slots[i].stage;
        held += stage != SMTP_FREE && stage != SMTP_REFUSED;
    }
    return held;
}

static enum verdict verdict_at_end(const struct smtp_session *session, size_t at)
{
    const struct smtp_slot *slot = &session->slots[at];
    switch (slot->stage) {
    case SMTP_DOT:
        return session->written_total >= slot->dot_bytes ? VERDICT_UNCERTAIN : VERDICT_TEMPORARY;
    case SMTP_BODY:
        return VERDICT_TEMPORARY;
    case SMTP_ENVELOPE: {
        bool is_judging =
            at == 0 && session->expected_count > 0 &&
            (session->expected[0] == EXPECT_RCPT || session->expected[0] == EXPECT_DATA);
        return is_judging ? VERDICT_TEMPORARY : VERDICT_UNTRIED;
    }
    default:
        return VERDICT_UNTRIED;
    }
}

void smtp_session_end(struct smtp_session *session, const char *reason)
{
    for (size_t i = 0; i < SMTP_SLOTS; i++) {
        struct smtp_slot *slot = &session->slots[i];
        if (slot->stage != SMTP_FREE && slot->stage != SMTP_REFUSED) {
            tell(session, &slot->message, verdict_at_end(session, i), 0, slice_of(reason), false);
        }
        slot->stage = SMTP_FREE;
    }
    session->expected_count = 0;
    session->deadline_ns = INT64_MAX;
    session->phase = SMTP_OVER;
}
