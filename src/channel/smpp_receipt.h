/*
 * smpp_receipt - what a deliver_sm says about a message sent before (SMPP 3.4 appendix B, 5.3.2.35)
 */
#ifndef POSTROOM_CHANNEL_SMPP_RECEIPT_H
#define POSTROOM_CHANNEL_SMPP_RECEIPT_H

#include "channel/smpp_pdu.h"

enum smpp_fate {
    SMPP_FATE_UNDER_WAY, /* ENROUTE, ACCEPTD, UNKNOWN: nothing is decided */
    SMPP_FATE_DELIVERED,
    SMPP_FATE_FAILED /* EXPIRED, DELETED, UNDELIV, REJECTD */
};

struct smpp_receipt {
    struct slice id; /* message_id that its submit_sm was answered with */
    struct slice to; /* the number it went to, as the peer writes it */
    enum smpp_fate fate;
    struct slice state; /* the peer's word, "DELIVRD"; empty where a TLV alone tells */
};

/*
 * smpp_receipt_read - all slices point into the PDU
 * Returns  true; false: it is no receipt (a message from a person), or it names no message
 */
bool smpp_receipt_read(const struct smpp_pdu *deliver_sm, struct smpp_receipt *out);

#endif
