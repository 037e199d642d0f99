/*
 * smpp_exchange - messages on a bound session: parts out, answers in, verdicts
 */
#include "channel/smpp_session_inner.h"

#include <assert.h>
#include <stdio.h>

#define SECONDS(n) ((int64_t)(n)*1000000000)
#define PAUSE_FIRST_NS SECONDS(1)
#define PAUSE_MAX_NS SECONDS(60)

enum {
    QUEUE_FULL_MAX = 3, /* then the queue that is full is this recipient's, not ours */
    TEXT_BYTES = 200,
    ESM_HAS_HEADER = 0x40, /* 5.2.12: UDHI */
    CODING_DEFAULT = 0x00,
    CODING_UCS2 = 0x08,
    RECEIPT_WANTED = 0x01 /* 5.2.17: of success and failure */
};

static_assert((SMPP_FLIGHTS & (SMPP_FLIGHTS - 1)) == 0 && SMPP_FLIGHTS > SMPP_WINDOW_MAX,
              "a flight's place is its sequence number's lower bits");

/* ---- verdicts ---- */

struct cause {
    enum verdict verdict;
    bool is_about_recipient;
};

/* command_status of a refusal (5.1.3); what is not known may pass */
static struct cause cause_of(uint32_t status)
{
    static const uint8_t permanent[] = {0x01, 0x06, 0x07, 0x0A, 0x15, 0x33, 0x34, 0x40, 0x42,
                                        0x43, 0x44, 0x48, 0x49, 0x54, 0x55, 0x61, 0x62, 0x63,
                                        0x65, 0x66, 0xC0, 0xC1, 0xC2, 0xC3, 0xC4};
    if (status == SMPP_ESME_RINVDSTADR || status == SMPP_ESME_RINVDSTTON ||
        status == SMPP_ESME_RINVDSTNPI) {
        return (struct cause){VERDICT_PERMANENT, true};
    }
    bool is_known = status <= UINT8_MAX && memchr(permanent, (int)status, sizeof permanent) != NULL;
    return (struct cause){is_known ? VERDICT_PERMANENT : VERDICT_TEMPORARY, false};
}

static void tell(struct smpp_session *session, struct smpp_message *message, struct cause cause,
                 const char *text)
{
    const struct verdict_report report = {.number = message->out.number,
                                          .verdict = cause.verdict,
                                          .code = (int)message->refusal,
                                          .is_about_recipient = cause.is_about_recipient,
                                          .text = slice_of(text)};
    assert(message->is_taken && session->held > 0);
    message->is_taken = false;
    session->held--;
    session->told(session->ctx, &report);
}

static uint32_t parts_of(const struct smpp_message *message)
{
    return message->cutter.measure.parts;
}

/* Parts that are still to be submitted */
static uint32_t unsent(const struct smpp_message *message)
{
    return parts_of(message) - message->cutter.given + message->again_count;
}

static bool is_pending(const struct smpp_message *message)
{
    return message->is_taken && message->refusal == 0 && unsent(message) > 0;
}

static void tell_refusal(struct smpp_session *session, struct smpp_message *message)
{
    char text[TEXT_BYTES];
    const char *known = smpp_status_text(message->refusal);
    (void)snprintf(text, sizeof text, "0x%02X %s%s", (unsigned int)message->refusal,
                   known[0] == '\0' ? "unknown to SMPP" : known,
                   message->accepted > 0 ? ", after other parts were accepted" : "");
    tell(session, message, cause_of(message->refusal), text);
}

/* Nothing is owed and nothing is to be sent any more: it has its verdict. */
static void settle(struct smpp_session *session, struct smpp_message *message)
{
    if (message->flights > 0 || is_pending(message)) {
        return;
    }
    if (message->refusal != 0) {
        tell_refusal(session, message);
    } else if (message->lost > 0) {
        tell(session, message, (struct cause){VERDICT_UNCERTAIN, false}, "no answer in time");
    } else {
        assert(message->accepted == parts_of(message));
        tell(session, message, (struct cause){VERDICT_SENT, false}, message->id);
    }
}

/* What it has come to where nothing more will be sent: flights count as lost if they have left. */
static void give_up(struct smpp_session *session, struct smpp_message *message, const char *reason)
{
    char text[TRANSPORT_REASON_BYTES];
    uint32_t missing = parts_of(message) - message->accepted - message->lost;
    session->pending -= is_pending(message);
    if (message->refusal != 0) {
        tell_refusal(session, message);
    } else if (missing == 0) {
        tell(session, message, (struct cause){VERDICT_UNCERTAIN, false}, reason);
    } else if (message->accepted + message->lost == 0) {
        tell(session, message, (struct cause){VERDICT_UNTRIED, false}, reason);
    } else {
        (void)snprintf(text, sizeof text, "%u of %u parts had left: %.400s",
                       (unsigned int)(message->accepted + message->lost),
                       (unsigned int)parts_of(message), reason);
        tell(session, message, (struct cause){VERDICT_TEMPORARY, false}, text);
    }
}

/* ---- flights ---- */

static struct smpp_flight *place_of(struct smpp_session *session, uint32_t sequence)
{
    return &session->flights[sequence & (SMPP_FLIGHTS - 1)];
}

static struct smpp_flight *find_flight(struct smpp_session *session, uint32_t sequence)
{
    struct smpp_flight *flight = place_of(session, sequence);
    return sequence != 0 && flight->sequence == sequence ? flight : NULL;
}

/* The flight is over; returns its message. */
static struct smpp_message *land(struct smpp_session *session, struct smpp_flight *flight)
{
    struct smpp_message *message = &session->messages[flight->message];
    flight->sequence = 0;
    session->flying--;
    message->flights--;
    while (session->oldest <= session->sequence &&
           place_of(session, session->oldest)->sequence != session->oldest) {
        session->oldest++;
    }
    return message;
}

static bool may_submit(const struct smpp_session *session, int64_t now_ns)
{
    return session->phase == SMPP_BOUND && !session->is_unbound && !session->is_doubtful &&
           now_ns >= session->resume_ns && session->flying < session->settings->window &&
           session->sequence + 1 - session->oldest < SMPP_FLIGHTS &&
           session->out.len - session->out_at < SMPP_OUT_BYTES_MAX / 2;
}

/* ---- parts out ---- */

static uint8_t reference_of(const char *unique)
{
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (const char *at = unique; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * 16777619U;
    }
    return (uint8_t)(hash ^ hash >> 8 ^ hash >> 16 ^ hash >> 24);
}

/* The next part to be sent: one that was refused for now, else the next of the text. */
static uint8_t take_part(struct smpp_message *message, struct sms_part *out)
{
    uint8_t number = 0;
    if (message->again_count == 0) {
        bool has_one = sms_cut_next(&message->cutter, out);
        assert(has_one);
        return (uint8_t)message->cutter.given;
    }
    while ((message->again[number / 64] >> (number % 64) & 1) == 0) {
        number++;
    }
    message->again[number / 64] &= ~((uint64_t)1 << (number % 64));
    message->again_count--;
    struct sms_cutter cutter;
    sms_cut(message->cutter.text, &message->cutter.measure, message->cutter.reference, &cutter);
    for (uint8_t i = 0; i < number; i++) {
        (void)sms_cut_next(&cutter, out);
    }
    return number;
}

static void take_again(struct smpp_message *message, uint8_t part)
{
    message->again[part / 64] |= (uint64_t)1 << (part % 64);
    message->again_count++;
}

/* Type and plan of a sender (5.2.5, 5.2.6): international number, short code, or letters */
static void put_sender(struct slice sender, struct smpp_sm *sm)
{
    struct slice digits;
    if (sender.len == 0) {
        return;
    }
    if (sms_number(sender, &digits, NULL) == RC_OK) {
        sm->source_addr = digits;
        sm->source_addr_ton = 1;
        sm->source_addr_npi = 1;
        return;
    }
    sm->source_addr = sender;
    sm->source_addr_ton = sender.ptr[0] >= '0' && sender.ptr[0] <= '9' && sender.len <= 6 ? 3 : 5;
    for (size_t i = 0; i < sender.len; i++) {
        if (sender.ptr[i] < '0' || sender.ptr[i] > '9') {
            sm->source_addr_ton = 5;
        }
    }
}

static enum rc submit(struct smpp_session *session, struct smpp_message *message, int64_t now_ns,
                      struct err *err)
{
    struct sms_part part = {.len = 0};
    uint8_t number = take_part(message, &part);
    const struct smpp_receipts *receipts = &session->settings->receipts;
    bool is_told = receipts->are_wanted && number <= SMPP_RECEIPTS_PARTS_MAX;
    struct smpp_pdu pdu = {.kind = SMPP_submit_sm, .sequence = smpp_next_sequence(session)};
    struct smpp_sm *sm = &pdu.body.sm;
    put_sender(message->out.from, sm);
    sm->dest_addr_ton = 1;
    sm->dest_addr_npi = 1;
    sm->destination_addr = message->to;
    sm->esm_class = part.has_header ? ESM_HAS_HEADER : 0;
    sm->registered_delivery = is_told ? RECEIPT_WANTED : 0;
    sm->data_coding = message->cutter.measure.encoding == SMS_GSM ? CODING_DEFAULT : CODING_UCS2;
    sm->short_message = (struct slice){(const char *)part.bytes, part.len};
    enum rc rc = smpp_say(session, &pdu, err);
    if (rc != RC_OK) {
        take_again(message, number);
        return rc;
    }
    *place_of(session, pdu.sequence) = (struct smpp_flight){
        .sequence = pdu.sequence,
        .message = (uint16_t)(message - session->messages),
        .part = number,
        .sent_ns = now_ns,
        .end_bytes = session->written_total + (session->out.len - session->out_at)};
    session->oldest = session->flying == 0 ? pdu.sequence : session->oldest;
    session->flying++;
    message->flights++;
    session->pending -= !is_pending(message);
    return RC_OK;
}

static enum rc submit_parts(struct smpp_session *session, struct smpp_message *message,
                            int64_t now_ns, struct err *err)
{
    enum rc rc = RC_OK;
    while (rc == RC_OK && is_pending(message) && may_submit(session, now_ns)) {
        rc = submit(session, message, now_ns, err);
    }
    return rc;
}

enum rc smpp_exchange_go_on(struct smpp_session *session, int64_t now_ns, struct err *err)
{
    enum rc rc = RC_OK;
    for (size_t i = 0;
         rc == RC_OK && i <= SMPP_WINDOW_MAX && session->pending > 0 && may_submit(session, now_ns);
         i++) {
        rc = submit_parts(session, &session->messages[i], now_ns, err);
    }
    return rc;
}

bool smpp_session_has_room(const struct smpp_session *session, int64_t now_ns)
{
    return !session->is_leaving && session->pending == 0 && may_submit(session, now_ns);
}

static struct smpp_message *free_place(struct smpp_session *session)
{
    /* Not pending, each message held has a flight: there is one more place than flights. */
    for (unsigned int i = 0; i <= SMPP_WINDOW_MAX; i++) {
        unsigned int at = (session->cursor + i) % (SMPP_WINDOW_MAX + 1);
        if (!session->messages[at].is_taken) {
            session->cursor = at + 1;
            return &session->messages[at];
        }
    }
    return NULL;
}

enum rc smpp_session_offer(struct smpp_session *session, const struct outgoing *outgoing,
                           int64_t now_ns, struct err *err)
{
    struct sms_measure measure = {.parts = 1};
    struct slice digits;
    struct err why = {""};
    assert(smpp_session_has_room(session, now_ns));
    struct smpp_message *message = free_place(session);
    assert(message != NULL);
    *message = (struct smpp_message){.out = *outgoing, .is_taken = true};
    session->held++;
    bool is_number = sms_number(outgoing->to, &digits, &why) == RC_OK;
    bool is_good = is_number &&
                   (outgoing->from.len == 0 || sms_sender(outgoing->from, &why) == RC_OK) &&
                   sms_measure(outgoing->bytes, &measure, &why) == RC_OK;
    if (!is_good) {
        tell(session, message, (struct cause){VERDICT_PERMANENT, !is_number}, why.text);
        return RC_OK;
    }
    message->to = digits;
    sms_cut(outgoing->bytes, &measure, reference_of(outgoing->unique), &message->cutter);
    session->pending++;
    return submit_parts(session, message, now_ns, err);
}

/* ---- answers in ---- */

/* The peer does not want it now. What was sent before the pause began is no second time. */
static void pause_for(struct smpp_session *session, int64_t sent_ns, int64_t now_ns)
{
    if (session->pause_ns == 0 || sent_ns > session->paused_ns) {
        session->pause_ns = session->pause_ns == 0 ? PAUSE_FIRST_NS : session->pause_ns * 2;
        session->pause_ns = session->pause_ns > PAUSE_MAX_NS ? PAUSE_MAX_NS : session->pause_ns;
        session->paused_ns = now_ns;
        session->resume_ns = now_ns + session->pause_ns;
    }
}

static bool is_for_later(struct smpp_message *message, uint32_t status)
{
    return status == SMPP_ESME_RTHROTTLED ||
           (status == SMPP_ESME_RMSGQFUL && ++message->full <= QUEUE_FULL_MAX);
}

static void accept(struct smpp_session *session, struct smpp_message *message, uint8_t part,
                   const struct smpp_pdu *answer)
{
    const struct smpp_receipts *receipts = &session->settings->receipts;
    struct slice id = answer->body.sm_resp.message_id;
    message->accepted++;
    session->pause_ns = 0;
    if (part == parts_of(message) && !smpp_id_copy(id, message->id)) {
        message->id[0] = '\0';
    }
    if (receipts->are_wanted && part <= SMPP_RECEIPTS_PARTS_MAX) {
        receipts->accepted(receipts->ctx, message->out.number, part, id);
    }
}

enum rc smpp_exchange_answer(struct smpp_session *session, const struct smpp_pdu *answer,
                             int64_t now_ns, struct err *err)
{
    struct smpp_flight *flight = find_flight(session, answer->sequence);
    if (flight == NULL) {
        return RC_OK;
    }
    uint8_t part = flight->part;
    int64_t sent_ns = flight->sent_ns;
    struct smpp_message *message = land(session, flight);
    bool was_pending = is_pending(message);
    enum rc rc = RC_OK;
    if (answer->kind == SMPP_submit_sm_resp && answer->status == SMPP_ESME_ROK) {
        accept(session, message, part, answer);
    } else if (answer->status == SMPP_ESME_RINVBNDSTS) {
        take_again(message, part);
        rc = err_set(err, RC_TEMP, "the peer says that it is not bound");
    } else if (is_for_later(message, answer->status)) {
        take_again(message, part);
        pause_for(session, sent_ns, now_ns);
    } else if (message->refusal == 0) {
        message->refusal = answer->status != 0 ? answer->status : (uint32_t)SMPP_ESME_RSYSERR;
    }
    session->has_judged = session->has_judged || rc == RC_OK;
    session->pending += is_pending(message);
    session->pending -= was_pending;
    if (session->is_leaving && is_pending(message) && message->flights == 0) {
        give_up(session, message, "recalled"); /* a pause is not waited for any more */
    } else {
        settle(session, message);
    }
    return rc == RC_OK ? smpp_exchange_go_on(session, now_ns, err) : rc;
}

/* ---- time ---- */

int64_t smpp_exchange_deadline_ns(const struct smpp_session *session)
{
    int64_t at = INT64_MAX;
    if (session->flying > 0) {
        at = session->flights[session->oldest & (SMPP_FLIGHTS - 1)].sent_ns +
             session->settings->timeout_ns;
    }
    return session->pending > 0 && session->resume_ns < at && session->pause_ns > 0
               ? session->resume_ns
               : at;
}

void smpp_exchange_expire(struct smpp_session *session, int64_t now_ns)
{
    while (session->flying > 0) {
        struct smpp_flight *flight = place_of(session, session->oldest);
        if (now_ns < flight->sent_ns + session->settings->timeout_ns) {
            return;
        }
        struct smpp_message *message = land(session, flight);
        message->lost++;
        session->is_doubtful = true;
        settle(session, message);
    }
}

void smpp_session_recall(struct smpp_session *session)
{
    for (size_t i = 0; session->pending > 0 && i <= SMPP_WINDOW_MAX; i++) {
        struct smpp_message *message = &session->messages[i];
        if (is_pending(message) && message->flights == 0) {
            give_up(session, message, "recalled");
        }
    }
}

void smpp_session_end(struct smpp_session *session, const char *reason)
{
    for (size_t i = 0; session->flying > 0 && i < SMPP_FLIGHTS; i++) {
        struct smpp_flight *flight = &session->flights[i];
        if (flight->sequence != 0) {
            bool has_left = flight->end_bytes <= session->written_total;
            session->messages[flight->message].lost += has_left;
            session->flying--;
            flight->sequence = 0;
        }
    }
    for (size_t i = 0; session->held > 0 && i <= SMPP_WINDOW_MAX; i++) {
        if (session->messages[i].is_taken) {
            give_up(session, &session->messages[i], reason);
        }
    }
}
