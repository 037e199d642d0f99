/*
 * smpp_receipt - TLVs where they are there, else the text: "id:... sub:... stat:DELIVRD err:..."
 */
#include "channel/smpp_receipt.h"

enum {
    ESM_TYPE = 0x3C, /* bits 5..2 of esm_class (5.2.12) */
    ESM_RECEIPT = 0x04
};

/* The word behind a label, in any case of letters as peers write them */
static struct slice word_of(struct slice text, const char *label)
{
    size_t len = strlen(label);
    for (size_t at = 0; at + len <= text.len; at++) {
        size_t same = 0;
        while (same < len && (text.ptr[at + same] | 0x20) == (label[same] | 0x20)) {
            same++;
        }
        if (same == len && (at == 0 || text.ptr[at - 1] == ' ')) {
            size_t end = at + len;
            while (end < text.len && text.ptr[end] != ' ') {
                end++;
            }
            return (struct slice){text.ptr + at + len, end - at - len};
        }
    }
    return (struct slice){NULL, 0};
}

static enum smpp_fate fate_of_word(struct slice word)
{
    static const char *const failed[] = {"EXPIRED", "DELETED", "UNDELIV", "REJECTD"};
    if (slice_equal_text(word, "DELIVRD")) {
        return SMPP_FATE_DELIVERED;
    }
    for (size_t i = 0; i < sizeof failed / sizeof failed[0]; i++) {
        if (slice_equal_text(word, failed[i])) {
            return SMPP_FATE_FAILED;
        }
    }
    return SMPP_FATE_UNDER_WAY;
}

/* message_state (5.2.28) */
static enum smpp_fate fate_of_state(unsigned char state)
{
    switch (state) {
    case 2:
        return SMPP_FATE_DELIVERED;
    case 3: /* expired */
    case 4: /* deleted */
    case 5: /* undeliverable */
    case 8: /* rejected */
        return SMPP_FATE_FAILED;
    default:
        return SMPP_FATE_UNDER_WAY;
    }
}

/* network_error_code (5.3.2.31) alone is the network's own: what stands behind "err:" is a matter
 * of each SMSC. GSM's "unknown subscriber" (TS 29.002 17.6.6). */
static bool is_number_gone(struct slice code)
{
    static const char unknown_subscriber[] = {3, 0, 1};
    return code.len == sizeof unknown_subscriber &&
           memcmp(code.ptr, unknown_subscriber, sizeof unknown_subscriber) == 0;
}

bool smpp_receipt_read(const struct smpp_pdu *deliver_sm, struct smpp_receipt *out)
{
    const struct smpp_sm *sm = &deliver_sm->body.sm;
    struct slice id = deliver_sm->tlv.receipted_message_id;
    struct slice text =
        sm->short_message.len > 0 ? sm->short_message : deliver_sm->tlv.message_payload;
    if (deliver_sm->kind != SMPP_deliver_sm ||
        ((sm->esm_class & ESM_TYPE) != ESM_RECEIPT && id.len == 0)) {
        return false;
    }
    while (id.len > 0 && id.ptr[id.len - 1] == '\0') { /* a C-octet string */
        id.len--;
    }
    *out = (struct smpp_receipt){.id = id.len > 0 ? id : word_of(text, "id:"),
                                 .to = sm->source_addr,
                                 .state = word_of(text, "stat:"),
                                 .error = word_of(text, "err:")};
    out->fate = deliver_sm->tlv.message_state.len == 1
                    ? fate_of_state((unsigned char)deliver_sm->tlv.message_state.ptr[0])
                    : fate_of_word(out->state);
    out->is_gone =
        out->fate == SMPP_FATE_FAILED && is_number_gone(deliver_sm->tlv.network_error_code);
    return out->id.len > 0;
}

bool smpp_id_copy(struct slice id, char out[SMPP_ID_BYTES_MAX + 1])
{
    if (id.len == 0 || id.len > SMPP_ID_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < id.len; i++) {
        bool is_plain = id.ptr[i] > ' ' && id.ptr[i] < 0x7F;
        out[i] = '?';
        if (is_plain) {
            out[i] = id.ptr[i];
        }
    }
    out[id.len] = '\0';
    return true;
}
