/*
 * smpp_session - the link: bind, PDUs in and out, enquire_link, unbind
 */
#include "channel/smpp_session_inner.h"

#include <assert.h>
#include <openssl/crypto.h>

#define SECONDS(n) ((int64_t)(n)*1000000000)
#define ENQUIRE_NS SECONDS(30) /* of silence; less where the timeout is short */
#define UNBIND_NS SECONDS(5)   /* the answer to unbind is worth no longer wait */

enum { PDUS_A_FEED = 64 * 1024 / SMPP_HEADER_BYTES + 1 };

static int64_t enquire_ns(const struct smpp_session *session)
{
    int64_t half_ns = session->settings->timeout_ns / 2;
    return half_ns < ENQUIRE_NS ? half_ns : ENQUIRE_NS;
}

/* ---- out ---- */

enum rc smpp_say(struct smpp_session *session, const struct smpp_pdu *pdu, struct err *err)
{
    if (session->out.len - session->out_at > SMPP_OUT_BYTES_MAX) {
        return err_set(err, RC_TEMP, "the peer does not read what it is answered");
    }
    return smpp_pack(pdu, &session->out, err);
}

uint32_t smpp_next_sequence(struct smpp_session *session)
{
    return ++session->sequence;
}

static enum rc ask(struct smpp_session *session, struct smpp_pdu *pdu, int64_t now_ns,
                   struct err *err)
{
    pdu->sequence = smpp_next_sequence(session);
    session->question = pdu->sequence;
    session->question_ns = now_ns;
    return smpp_say(session, pdu, err);
}

struct slice smpp_session_output(struct smpp_session *session)
{
    size_t left = session->out.len - session->out_at;
    return (struct slice){left == 0 ? NULL : session->out.ptr + session->out_at, left};
}

void smpp_session_wrote(struct smpp_session *session, size_t count)
{
    assert(count <= session->out.len - session->out_at);
    session->out_at += count;
    session->written_total += count;
    if (session->out_at == session->out.len) {
        if (session->has_secret) {
            OPENSSL_cleanse(session->out.ptr, session->out.cap);
            session->has_secret = false;
        }
        buf_clear(&session->out);
        session->out_at = 0;
    }
}

/* ---- begin and end ---- */

void smpp_session_begin(struct smpp_session *session, const struct smpp_settings *settings,
                        void (*told)(void *ctx, const struct verdict_report *report), void *ctx,
                        int64_t now_ns)
{
    struct smpp_pdu bind = {.kind = SMPP_bind_transceiver};
    assert(settings->window >= 1 && settings->window <= SMPP_WINDOW_MAX);
    memset(session, 0, sizeof *session);
    session->settings = settings;
    session->told = told;
    session->ctx = ctx;
    session->phase = SMPP_BINDING;
    session->in = BUF_EMPTY;
    session->out = BUF_EMPTY;
    session->debts = BUF_EMPTY;
    session->heard_ns = now_ns;
    session->has_secret = true;
    bind.body.bind.system_id = settings->system_id;
    bind.body.bind.password = settings->password;
    bind.body.bind.interface_version = SMPP_VERSION;
    /* Lengths were looked at when the transport was opened; without memory nothing is asked and the
     * wait ends it. */
    (void)!ask(session, &bind, now_ns, NULL);
}

void smpp_session_release(struct smpp_session *session)
{
    if (session->out.ptr != NULL && session->has_secret) {
        OPENSSL_cleanse(session->out.ptr, session->out.cap);
    }
    buf_release(&session->in);
    buf_release(&session->out);
    buf_release(&session->debts);
}

static enum rc unbind_if_over(struct smpp_session *session, int64_t now_ns, struct err *err)
{
    struct smpp_pdu unbind = {.kind = SMPP_unbind};
    if (session->phase != SMPP_BOUND || !session->is_leaving || session->is_unbound ||
        session->held > 0) {
        return RC_OK;
    }
    session->phase = SMPP_UNBINDING;
    return ask(session, &unbind, now_ns, err);
}

enum rc smpp_session_leave(struct smpp_session *session, int64_t now_ns, struct err *err)
{
    session->is_leaving = true;
    return unbind_if_over(session, now_ns, err);
}

bool smpp_session_is_idle(const struct smpp_session *session)
{
    return session->phase == SMPP_BOUND && session->held == 0 && session->question == 0 &&
           !session->is_unbound;
}

/* ---- PDUs in ---- */

static enum rc refused(const char *what, uint32_t status, struct err *err)
{
    const char *text = smpp_status_text(status);
    return err_set(err, RC_TEMP, "the peer refuses %s: 0x%02X %s", what, (unsigned int)status,
                   text[0] == '\0' ? "unknown to SMPP" : text);
}

static enum rc take_answer(struct smpp_session *session, const struct smpp_pdu *pdu, int64_t now_ns,
                           struct err *err)
{
    if (pdu->sequence == 0 || pdu->sequence != session->question) {
        return pdu->kind == SMPP_submit_sm_resp || pdu->kind == SMPP_generic_nack
                   ? smpp_exchange_answer(session, pdu, now_ns, err)
                   : RC_OK;
    }
    session->question = 0;
    if (session->phase == SMPP_BINDING) {
        if (pdu->kind != SMPP_bind_transceiver_resp || pdu->status != SMPP_ESME_ROK) {
            return refused("bind_transceiver", pdu->status, err);
        }
        session->phase = SMPP_BOUND;
    } else if (session->phase == SMPP_UNBINDING) {
        session->phase = SMPP_OVER;
    }
    return RC_OK;
}

/* When a deliver_sm is answered, and how; false: not now. A message from a person is for nobody
 * here: the peer need not bring it again. */
static bool take_receipt(struct smpp_session *session, const struct smpp_pdu *pdu,
                         struct smpp_pdu *answer)
{
    const struct smpp_receipts *receipts = &session->settings->receipts;
    struct smpp_receipt receipt;
    uint64_t number = SMPP_RECEIPT_NOW;
    if (receipts->receipt != NULL && smpp_receipt_read(pdu, &receipt)) {
        number = receipts->receipt(receipts->ctx, &receipt);
    }
    if (number != SMPP_RECEIPT_NOW && number != SMPP_RECEIPT_LATER) {
        const struct smpp_debt debt = {number, pdu->sequence};
        buf_add(&session->debts, &debt, sizeof debt);
        return false;
    }
    answer->kind = SMPP_deliver_sm_resp;
    answer->status = number == SMPP_RECEIPT_LATER ? SMPP_ESME_RX_T_APPN : SMPP_ESME_ROK;
    return true;
}

/* What was answered is taken out of the debts, where that is worth a move. */
static void forget_answered(struct smpp_session *session)
{
    size_t left = session->debts.len - session->debts_at;
    if (session->debts_at > left) {
        memmove(session->debts.ptr, session->debts.ptr + session->debts_at, left);
        session->debts.len = left;
        session->debts_at = 0;
    }
}

enum rc smpp_session_kept(struct smpp_session *session, uint64_t number, struct err *err)
{
    enum rc rc = buf_ok(&session->debts, err);
    while (rc == RC_OK && session->debts_at < session->debts.len) {
        struct smpp_debt debt;
        memcpy(&debt, session->debts.ptr + session->debts_at, sizeof debt);
        if (debt.number > number) {
            break;
        }
        const struct smpp_pdu answer = {.kind = SMPP_deliver_sm_resp, .sequence = debt.sequence};
        rc = smpp_say(session, &answer, err);
        session->debts_at += sizeof debt;
    }
    forget_answered(session);
    return rc;
}

static enum rc take_request(struct smpp_session *session, const struct smpp_pdu *pdu,
                            struct err *err)
{
    struct smpp_pdu answer = {.kind = SMPP_generic_nack, .sequence = pdu->sequence};
    switch (pdu->kind) {
    case SMPP_enquire_link:
        answer.kind = SMPP_enquire_link_resp;
        break;
    case SMPP_deliver_sm:
        if (!take_receipt(session, pdu, &answer)) {
            return buf_ok(&session->debts, err);
        }
        break;
    case SMPP_unbind:
        answer.kind = SMPP_unbind_resp;
        session->is_unbound = true;
        session->is_leaving = true;
        break;
    default:
        answer.status = SMPP_ESME_RINVCMDID;
        break;
    }
    return smpp_say(session, &answer, err);
}

/* What the table cannot read: a request is refused, an answer counts by its header. */
static enum rc take_unreadable(struct smpp_session *session, struct smpp_pdu *pdu, int64_t now_ns,
                               struct err *err)
{
    struct smpp_pdu answer = {
        .kind = SMPP_generic_nack, .status = SMPP_ESME_RINVCMDLEN, .sequence = pdu->sequence};
    if (smpp_is_request(pdu)) {
        return smpp_say(session, &answer, err);
    }
    memset(&pdu->body, 0, sizeof pdu->body);
    return take_answer(session, pdu, now_ns, err);
}

static enum rc take_pdus(struct smpp_session *session, struct slice bytes, size_t *out_used,
                         int64_t now_ns, struct err *err)
{
    enum rc rc = RC_OK;
    *out_used = 0;
    for (int i = 0; rc == RC_OK && i < 2 * PDUS_A_FEED; i++) {
        struct smpp_pdu pdu;
        size_t used = 0;
        struct slice rest = {bytes.ptr + *out_used, bytes.len - *out_used};
        rc = smpp_parse(rest, &pdu, &used, err);
        if (rc == RC_STATE) {
            return RC_OK;
        }
        *out_used += used;
        if (rc == RC_CORRUPT) {
            return RC_TEMP;
        }
        if (rc == RC_PERM) {
            rc = take_unreadable(session, &pdu, now_ns, err);
        } else {
            rc = smpp_is_request(&pdu) ? take_request(session, &pdu, err)
                                       : take_answer(session, &pdu, now_ns, err);
        }
    }
    return rc;
}

enum rc smpp_session_feed(struct smpp_session *session, struct slice bytes, int64_t now_ns,
                          struct err *err)
{
    size_t used = 0;
    session->heard_ns = now_ns;
    session->is_doubtful = false;
    if (session->in.len > 0) {
        buf_add_slice(&session->in, bytes);
        bytes = buf_slice(&session->in);
    }
    enum rc rc = buf_ok(&session->in, err);
    rc = rc == RC_OK ? take_pdus(session, bytes, &used, now_ns, err) : rc;
    if (rc != RC_OK) {
        return rc;
    }
    size_t left = bytes.len - used;
    if (session->in.len > 0) {
        memmove(session->in.ptr, session->in.ptr + used, left);
        session->in.len = left;
    } else {
        buf_add(&session->in, bytes.ptr + used, left);
        rc = buf_ok(&session->in, err);
    }
    rc = rc == RC_OK ? smpp_exchange_go_on(session, now_ns, err) : rc;
    return rc == RC_OK ? unbind_if_over(session, now_ns, err) : rc;
}

/* ---- time ---- */

int64_t smpp_session_deadline_ns(const struct smpp_session *session)
{
    int64_t at = INT64_MAX;
    if (session->question != 0) {
        int64_t wait_ns = session->settings->timeout_ns;
        wait_ns = session->phase == SMPP_UNBINDING && wait_ns > UNBIND_NS ? UNBIND_NS : wait_ns;
        at = session->question_ns + wait_ns;
    } else if (session->phase == SMPP_BOUND) {
        at = session->heard_ns + enquire_ns(session);
    }
    if (session->is_unbound && session->flying == 0) {
        at = session->heard_ns;
    }
    int64_t exchange_ns = smpp_exchange_deadline_ns(session);
    return exchange_ns < at ? exchange_ns : at;
}

static bool is_overdue(const struct smpp_session *session, int64_t now_ns)
{
    int64_t wait_ns = session->settings->timeout_ns;
    wait_ns = session->phase == SMPP_UNBINDING && wait_ns > UNBIND_NS ? UNBIND_NS : wait_ns;
    return session->question != 0 && now_ns >= session->question_ns + wait_ns;
}

enum rc smpp_session_tick(struct smpp_session *session, int64_t now_ns, struct err *err)
{
    static const char *const questions[] = {[SMPP_BINDING] = "bind_transceiver",
                                            [SMPP_BOUND] = "enquire_link",
                                            [SMPP_UNBINDING] = "unbind"};
    struct smpp_pdu enquire = {.kind = SMPP_enquire_link};
    enum rc rc = RC_OK;
    if (is_overdue(session, now_ns)) {
        return err_set(err, RC_TEMP, "no answer in time: waited for the answer to %s",
                       questions[session->phase]);
    }
    if (session->is_unbound && session->flying == 0 && session->out.len == session->out_at) {
        return err_set(err, RC_TEMP, "the peer ended the session (unbind)");
    }
    smpp_exchange_expire(session, now_ns);
    if (session->phase == SMPP_BOUND && session->question == 0 && !session->is_unbound &&
        now_ns - session->heard_ns >= enquire_ns(session)) {
        rc = ask(session, &enquire, now_ns, err);
    }
    rc = rc == RC_OK ? smpp_exchange_go_on(session, now_ns, err) : rc;
    return rc == RC_OK ? unbind_if_over(session, now_ns, err) : rc;
}
