/*
 * smpp_receipt - what a deliver_sm says about a message sent before (SMPP 3.4 appendix B, 5.3.2.35)
 */
#ifndef POSTROOM_CHANNEL_SMPP_RECEIPT_H
#define POSTROOM_CHANNEL_SMPP_RECEIPT_H

#include "channel/smpp_pdu.h"

#include <stdbool.h>

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
    struct slice error; /* its code of the failure; empty where there is none */
    bool is_gone;       /* failed, and the network knows no such number */
};

enum { SMPP_ID_BYTES_MAX = 64 }; /* of a message_id (5.2.23) */

/* Who wants to know what becomes of messages after they were accepted. Calls come while
 * transport_run runs. */
struct smpp_receipts {
    void *ctx;
    bool are_wanted; /* receipts are asked for; else those that come all the same are told */

    /* a part of a message, by the number that it was submitted with, was accepted; the first is 1
     */
    void (*accepted)(void *ctx, uint64_t number, uint32_t part, struct slice id);

    /* a receipt came. Returns when it is answered: SMPP_RECEIPT_NOW; SMPP_RECEIPT_LATER it is
     * refused for now, the peer brings it again; else a number above those before, which smpp_kept
     * will name */
    uint64_t (*receipt)(void *ctx, const struct smpp_receipt *receipt);
};

#define SMPP_RECEIPT_NOW 0
#define SMPP_RECEIPT_LATER UINT64_MAX

/*
 * smpp_receipt_read - all slices point into the PDU
 * Returns  true; false: it is no receipt (a message from a person), or it names no message
 */
bool smpp_receipt_read(const struct smpp_pdu *deliver_sm, struct smpp_receipt *out);

/* smpp_id_copy - an id as a word: what is no printable ASCII becomes '?'. false: it is empty or too
 * long to be one */
bool smpp_id_copy(struct slice id, char out[SMPP_ID_BYTES_MAX + 1]);

#endif
