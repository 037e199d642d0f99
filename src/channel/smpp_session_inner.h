/*
 * smpp_session_inner - what the two halves of the session share: the link (smpp_session.c) and
 * messages (smpp_exchange.c)
 */
#ifndef POSTROOM_CHANNEL_SMPP_SESSION_INNER_H
#define POSTROOM_CHANNEL_SMPP_SESSION_INNER_H

#include "channel/smpp_session.h"

/* smpp_say - queue a PDU. RC_OK; RC_TEMP the peer does not read; RC_NOMEM; RC_RANGE as smpp_pack */
enum rc smpp_say(struct smpp_session *session, const struct smpp_pdu *pdu,
                 struct err *err) MUST_CHECK;

/* smpp_next_sequence - of a request of ours (3.2: from 1, rising) */
uint32_t smpp_next_sequence(struct smpp_session *session);

/* smpp_exchange_answer - submit_sm_resp, or generic_nack to a submit_sm. Late ones are passed over.
 * Returns as smpp_session_feed */
enum rc smpp_exchange_answer(struct smpp_session *session, const struct smpp_pdu *answer,
                             int64_t now_ns, struct err *err) MUST_CHECK;

/* smpp_exchange_go_on - submit what may be submitted now. Returns as smpp_session_feed */
enum rc smpp_exchange_go_on(struct smpp_session *session, int64_t now_ns,
                            struct err *err) MUST_CHECK;

/* smpp_exchange_expire - answers that are overdue do not count any more */
void smpp_exchange_expire(struct smpp_session *session, int64_t now_ns);

/* smpp_exchange_deadline_ns - of the oldest answer, or of a pause; INT64_MAX */
int64_t smpp_exchange_deadline_ns(const struct smpp_session *session);

#endif
