/*
 * smpp_pdu - PDUs of SMPP 3.4 (section 4), packed and parsed by one table
 *
 * SMPP_PDUS below is the only place that says what is in a PDU: the structs, the packer, the parser
 * and the names are made of it. Texts of a parsed PDU point into the bytes that it was parsed from.
 *
 *     command_length | command_id | command_status | sequence_number | fields | TLVs
 *
 * TLVs are parsed, and those that SMPP_TLVS names are kept; none is packed.
 */
#ifndef POSTROOM_CHANNEL_SMPP_PDU_H
#define POSTROOM_CHANNEL_SMPP_PDU_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

enum {
    SMPP_HEADER_BYTES = 16,
    SMPP_PDU_BYTES_MAX = 66 * 1024, /* a deliver_sm with the longest message_payload */
    SMPP_SHORT_MESSAGE_BYTES_MAX = 254,
    SMPP_VERSION = 0x34
};

/* command_status that we send or look at by name (5.1.3) */
enum smpp_status {
    SMPP_ESME_ROK = 0x00,
    SMPP_ESME_RINVCMDLEN = 0x02,
    SMPP_ESME_RINVCMDID = 0x03,
    SMPP_ESME_RINVBNDSTS = 0x04,
    SMPP_ESME_RSYSERR = 0x08,
    SMPP_ESME_RINVDSTADR = 0x0B,
    SMPP_ESME_RMSGQFUL = 0x14,
    SMPP_ESME_RINVDSTTON = 0x50,
    SMPP_ESME_RINVDSTNPI = 0x51,
    SMPP_ESME_RTHROTTLED = 0x58,
    SMPP_ESME_RX_T_APPN = 0x64
};

/*
 * The bodies. BYTE is one byte; TEXT a C-octet string, at most so many bytes with its NUL; BYTES
 * one byte of length and so many at most. OF is handed through.
 */
#define SMPP_BODY_none(OF, BYTE, TEXT, BYTES)

#define SMPP_BODY_bind(OF, BYTE, TEXT, BYTES)                                                      \
    TEXT(OF, system_id, 16)                                                                        \
    TEXT(OF, password, 9)                                                                          \
    TEXT(OF, system_type, 13)                                                                      \
    BYTE(OF, interface_version)                                                                    \
    BYTE(OF, addr_ton)                                                                             \
    BYTE(OF, addr_npi)                                                                             \
    TEXT(OF, address_range, 41)

#define SMPP_BODY_bind_resp(OF, BYTE, TEXT, BYTES) TEXT(OF, system_id, 16)

#define SMPP_BODY_sm(OF, BYTE, TEXT, BYTES)                                                        \
    TEXT(OF, service_type, 6)                                                                      \
    BYTE(OF, source_addr_ton)                                                                      \
    BYTE(OF, source_addr_npi)                                                                      \
    TEXT(OF, source_addr, 21)                                                                      \
    BYTE(OF, dest_addr_ton)                                                                        \
    BYTE(OF, dest_addr_npi)                                                                        \
    TEXT(OF, destination_addr, 21)                                                                 \
    BYTE(OF, esm_class)                                                                            \
    BYTE(OF, protocol_id)                                                                          \
    BYTE(OF, priority_flag)                                                                        \
    TEXT(OF, schedule_delivery_time, 17)                                                           \
    TEXT(OF, validity_period, 17)                                                                  \
    BYTE(OF, registered_delivery)                                                                  \
    BYTE(OF, replace_if_present_flag)                                                              \
    BYTE(OF, data_coding)                                                                          \
    BYTE(OF, sm_default_msg_id)                                                                    \
    BYTES(OF, short_message, 254)

#define SMPP_BODY_sm_resp(OF, BYTE, TEXT, BYTES) TEXT(OF, message_id, 65)

#define SMPP_BODIES(BODY) BODY(none) BODY(bind) BODY(bind_resp) BODY(sm) BODY(sm_resp)

/* name, command_id, body */
#define SMPP_PDUS(PDU)                                                                             \
    PDU(generic_nack, 0x80000000U, none)                                                           \
    PDU(submit_sm, 0x00000004U, sm)                                                                \
    PDU(submit_sm_resp, 0x80000004U, sm_resp)                                                      \
    PDU(deliver_sm, 0x00000005U, sm)                                                               \
    PDU(deliver_sm_resp, 0x80000005U, sm_resp)                                                     \
    PDU(unbind, 0x00000006U, none)                                                                 \
    PDU(unbind_resp, 0x80000006U, none)                                                            \
    PDU(bind_transceiver, 0x00000009U, bind)                                                       \
    PDU(bind_transceiver_resp, 0x80000009U, bind_resp)                                             \
    PDU(enquire_link, 0x00000015U, none)                                                           \
    PDU(enquire_link_resp, 0x80000015U, none)

/* name, tag (5.3.2) */
#define SMPP_TLVS(TLV)                                                                             \
    TLV(receipted_message_id, 0x001E)                                                              \
    TLV(network_error_code, 0x0423)                                                                \
    TLV(message_payload, 0x0424)                                                                   \
    TLV(message_state, 0x0427)

/* ---- made of the table ---- */

#define SMPP_KIND(name, id, body) SMPP_##name,
enum smpp_kind { SMPP_PDUS(SMPP_KIND) SMPP_KINDS, SMPP_UNKNOWN = SMPP_KINDS };
#undef SMPP_KIND

#define SMPP_BYTE(of, name) uint8_t name;
#define SMPP_TEXT(of, name, most) struct slice name;
#define SMPP_STRUCT(name)                                                                          \
    struct smpp_##name {                                                                           \
        char nothing; /* a struct has a member */                                                  \
        SMPP_BODY_##name(, SMPP_BYTE, SMPP_TEXT, SMPP_TEXT)                                        \
    };
SMPP_BODIES(SMPP_STRUCT)
#undef SMPP_STRUCT
#undef SMPP_BYTE
#undef SMPP_TEXT

#define SMPP_MEMBER(name) struct smpp_##name name;
#define SMPP_TLV_MEMBER(name, tag) struct slice name;
struct smpp_pdu {
    enum smpp_kind kind;
    uint32_t command; /* as on the wire; pack takes kind alone */
    uint32_t status;
    uint32_t sequence;
    union smpp_body {
        SMPP_BODIES(SMPP_MEMBER)
    } body;
    struct smpp_tlvs {
        SMPP_TLVS(SMPP_TLV_MEMBER)
    } tlv; /* an empty slice where it is not there */
};
#undef SMPP_MEMBER
#undef SMPP_TLV_MEMBER

/*
 * smpp_pack - append one PDU
 *
 * pdu      kind (not SMPP_UNKNOWN, asserted), status, sequence and body
 * Returns  RC_OK; RC_RANGE a field is longer than the table lets it, or a text holds a NUL: out is
 * as before; RC_NOMEM
 */
enum rc smpp_pack(const struct smpp_pdu *pdu, struct buf *out, struct err *err) MUST_CHECK;

/*
 * smpp_parse - the first PDU of the bytes that have come
 *
 * used     RC_OK, RC_PERM: how many bytes it had
 * Returns  RC_OK       kind may be SMPP_UNKNOWN: then the body was passed over
 *          RC_STATE    it has not come whole
 *          RC_PERM     its header is good, its body is not what the table says
 *          RC_CORRUPT  its length cannot be: where the next one begins is not known
 */
enum rc smpp_parse(struct slice bytes, struct smpp_pdu *out, size_t *used,
                   struct err *err) MUST_CHECK;

/* smpp_is_request - the peer wants an answer to it */
bool smpp_is_request(const struct smpp_pdu *pdu);

/* smpp_kind_name - "submit_sm"; "unknown" */
const char *smpp_kind_name(enum smpp_kind kind);

/* smpp_status_text - what a command_status says: "throttled", "" where the table has none */
const char *smpp_status_text(uint32_t status);

#endif
