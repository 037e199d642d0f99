/*
 * smpp_pdu - the table walked: fields out, fields in
 */
#include "channel/smpp_pdu.h"

#include <assert.h>

#define IS_ANSWER 0x80000000U

enum {
    TLV_HEADER_BYTES = 4,
    TLVS_MAX = 64 /* of one PDU: 3.4 knows fewer than fifty */
};

/* ---- made of the table ---- */

enum form { FORM_BYTE, FORM_TEXT, FORM_BYTES };

struct field {
    const char *name; /* NULL: the last */
    enum form form;
    size_t most; /* bytes on the wire: a text's NUL included, the length byte of bytes not */
    size_t at;   /* in its struct */
};

#define BYTE_ROW(of, field) {#field, FORM_BYTE, 1, offsetof(of, field)},
#define TEXT_ROW(of, field, most) {#field, FORM_TEXT, most, offsetof(of, field)},
#define BYTES_ROW(of, field, most) {#field, FORM_BYTES, most, offsetof(of, field)},
#define ROWS(name)                                                                                 \
    static const struct field name##_rows[] = {SMPP_BODY_##name(                                   \
        struct smpp_##name, BYTE_ROW, TEXT_ROW, BYTES_ROW){NULL, FORM_BYTE, 0, 0}};
SMPP_BODIES(ROWS)

#define KIND_ROW(name, id, body) {#name, id, body##_rows},
static const struct {
    const char *name;
    uint32_t command;
    const struct field *fields;
} KINDS[SMPP_KINDS] = {SMPP_PDUS(KIND_ROW)};

#define TLV_ROW(name, tag) {tag, offsetof(struct smpp_tlvs, name)},
static const struct {
    uint16_t tag;
    size_t at;
} TLVS[] = {SMPP_TLVS(TLV_ROW)};

static enum smpp_kind kind_of(uint32_t command)
{
    int kind = 0;
    while (kind < SMPP_KINDS && KINDS[kind].command != command) {
        kind++;
    }
    return (enum smpp_kind)kind;
}

/* ---- out ---- */

static void put_u32(struct buf *out, uint32_t value)
{
    const unsigned char bytes[4] = {(unsigned char)(value >> 24), (unsigned char)(value >> 16),
                                    (unsigned char)(value >> 8), (unsigned char)value};
    buf_add(out, bytes, sizeof bytes);
}

static bool put_field(const struct field *field, const void *body, struct buf *out)
{
    const char *at = (const char *)body + field->at;
    struct slice text;
    if (field->form == FORM_BYTE) {
        buf_add_byte(out, *at);
        return true;
    }
    memcpy(&text, at, sizeof text);
    if (field->form == FORM_BYTES) {
        buf_add_byte(out, (char)(unsigned char)text.len);
        buf_add_slice(out, text);
        return text.len <= field->most;
    }
    bool is_good =
        text.len < field->most && (text.len == 0 || memchr(text.ptr, '\0', text.len) == NULL);
    if (is_good) {
        buf_add_slice(out, text);
        buf_add_byte(out, '\0');
    }
    return is_good;
}

enum rc smpp_pack(const struct smpp_pdu *pdu, struct buf *out, struct err *err)
{
    size_t begin = out->len;
    assert(pdu->kind < SMPP_KINDS);
    put_u32(out, 0);
    put_u32(out, KINDS[pdu->kind].command);
    put_u32(out, pdu->status);
    put_u32(out, pdu->sequence);
    for (const struct field *field = KINDS[pdu->kind].fields; field->name != NULL; field++) {
        if (!put_field(field, &pdu->body, out)) {
            if (!out->is_failed) {
                out->len = begin;
                out->ptr[begin] = '\0';
            }
            return err_set(err, RC_RANGE, "%s: %s has at most %zu bytes and no NUL in it",
                           KINDS[pdu->kind].name, field->name,
                           field->most - (field->form == FORM_TEXT));
        }
    }
    enum rc rc = buf_ok(out, err);
    if (rc == RC_OK) {
        size_t len = out->len - begin;
        for (int i = 0; i < 4; i++) {
            out->ptr[begin + (size_t)i] = (char)(unsigned char)(len >> (24 - 8 * i));
        }
    }
    return rc;
}

/* ---- in ---- */

struct reader {
    const unsigned char *at;
    size_t left;
};

static uint32_t get_number(struct reader *reader, size_t bytes)
{
    uint32_t value = 0;
    assert(reader->left >= bytes);
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | reader->at[i];
    }
    reader->at += bytes;
    reader->left -= bytes;
    return value;
}

static struct slice get_bytes(struct reader *reader, size_t bytes)
{
    struct slice out = {(const char *)reader->at, bytes};
    assert(reader->left >= bytes);
    reader->at += bytes;
    reader->left -= bytes;
    return out;
}

static bool get_text(struct reader *reader, size_t most, struct slice *out)
{
    size_t upto = reader->left < most ? reader->left : most;
    const unsigned char *nul = upto == 0 ? NULL : memchr(reader->at, '\0', upto);
    if (nul == NULL) {
        return false;
    }
    *out = get_bytes(reader, (size_t)(nul - reader->at));
    (void)get_bytes(reader, 1);
    return true;
}

static bool get_field(struct reader *reader, const struct field *field, void *body)
{
    char *at = (char *)body + field->at;
    struct slice text;
    if (field->form == FORM_TEXT) {
        if (!get_text(reader, field->most, &text)) {
            return false;
        }
        memcpy(at, &text, sizeof text);
        return true;
    }
    if (reader->left == 0) {
        return false;
    }
    uint32_t value = get_number(reader, 1);
    if (field->form == FORM_BYTE) {
        *at = (char)(unsigned char)value;
        return true;
    }
    if (value > field->most || value > reader->left) {
        return false;
    }
    text = get_bytes(reader, value);
    memcpy(at, &text, sizeof text);
    return true;
}

static bool get_tlvs(struct reader *reader, struct smpp_tlvs *out)
{
    for (int i = 0; i < TLVS_MAX && reader->left > 0; i++) {
        if (reader->left < TLV_HEADER_BYTES) {
            return false;
        }
        uint32_t tag = get_number(reader, 2);
        uint32_t len = get_number(reader, 2);
        if (len > reader->left) {
            return false;
        }
        struct slice value = get_bytes(reader, len);
        for (size_t j = 0; j < sizeof TLVS / sizeof TLVS[0]; j++) {
            if (TLVS[j].tag == tag) {
                memcpy((char *)out + TLVS[j].at, &value, sizeof value);
            }
        }
    }
    return reader->left == 0;
}

static bool get_body(struct reader *reader, struct smpp_pdu *out)
{
    /* A refusal has no body (4.4.2), and some peers leave it out of any answer. */
    if (reader->left == 0 && (out->command & IS_ANSWER) != 0) {
        return true;
    }
    for (const struct field *field = KINDS[out->kind].fields; field->name != NULL; field++) {
        if (!get_field(reader, field, &out->body)) {
            return false;
        }
    }
    return get_tlvs(reader, &out->tlv);
}

enum rc smpp_parse(struct slice bytes, struct smpp_pdu *out, size_t *used, struct err *err)
{
    struct reader reader = {(const unsigned char *)bytes.ptr, bytes.len};
    if (bytes.len < 4) {
        return RC_STATE;
    }
    uint32_t len = get_number(&reader, 4);
    if (len < SMPP_HEADER_BYTES || len > SMPP_PDU_BYTES_MAX) {
        return err_set(err, RC_CORRUPT, "the peer sent a PDU of %u bytes", (unsigned int)len);
    }
    if (bytes.len < len) {
        return RC_STATE;
    }
    reader.left = len - 4;
    memset(out, 0, sizeof *out);
    out->command = get_number(&reader, 4);
    out->status = get_number(&reader, 4);
    out->sequence = get_number(&reader, 4);
    out->kind = kind_of(out->command);
    *used = len;
    if (out->kind != SMPP_UNKNOWN && !get_body(&reader, out)) {
        return err_set(err, RC_PERM, "the peer sent a %s that is none", KINDS[out->kind].name);
    }
    return RC_OK;
}

/* ---- names ---- */

bool smpp_is_request(const struct smpp_pdu *pdu)
{
    return (pdu->command & IS_ANSWER) == 0;
}

const char *smpp_kind_name(enum smpp_kind kind)
{
    return kind < SMPP_KINDS ? KINDS[kind].name : "unknown";
}

const char *smpp_status_text(uint32_t status)
{
    static const struct {
        uint32_t status;
        const char *text;
    } known[] = {
        {0x00, "ok"},
        {0x01, "invalid message length"},
        {0x02, "invalid command length"},
        {0x03, "invalid command"},
        {0x04, "wrong bind status for the command"},
        {0x05, "already bound"},
        {0x06, "invalid priority"},
        {0x07, "invalid registered delivery"},
        {0x08, "system error"},
        {0x0A, "invalid sender"},
        {0x0B, "invalid destination number"},
        {0x0D, "bind failed"},
        {0x0E, "invalid password"},
        {0x0F, "invalid system_id"},
        {0x14, "message queue full"},
        {0x15, "invalid service type"},
        {0x43, "invalid esm_class"},
        {0x45, "submit failed"},
        {0x48, "invalid type of sender"},
        {0x49, "invalid numbering plan of sender"},
        {0x50, "invalid type of destination number"},
        {0x51, "invalid numbering plan of destination number"},
        {0x53, "invalid system_type"},
        {0x58, "throttled"},
        {0x61, "invalid scheduled time"},
        {0x62, "invalid validity period"},
        {0x64, "receiver: temporary error"},
        {0x65, "receiver: permanent error"},
        {0x66, "receiver: refused"},
        {0xC0, "error in the optional part"},
        {0xFE, "delivery failure"},
        {0xFF, "unknown error"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].status == status) {
            return known[i].text;
        }
    }
    return "";
}
