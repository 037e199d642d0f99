/*
 * smpp_pdu - what is packed is parsed again; what comes cut or garbled does no harm
 */
#include "unit/sys/support.h"

#include "channel/smpp_receipt.h"

static void pack(const struct smpp_pdu *pdu, struct buf *out)
{
    assert_int_equal(smpp_pack(pdu, out, NULL), RC_OK);
}

static struct smpp_pdu submit_sm(void)
{
    struct smpp_pdu pdu = {.kind = SMPP_submit_sm, .sequence = 7};
    struct smpp_sm *sm = &pdu.body.sm;
    sm->source_addr_ton = 5;
    sm->source_addr = SLICE_LITERAL("Shop");
    sm->dest_addr_ton = 1;
    sm->dest_addr_npi = 1;
    sm->destination_addr = SLICE_LITERAL("33612345678");
    sm->esm_class = 0x40;
    sm->data_coding = 8;
    sm->short_message = SLICE_LITERAL("\0H\0i");
    return pdu;
}

/* As SMPP 3.4 section 4.4.1 has it, put down by hand */
static const char SUBMIT[] = "\0\0\0\x34\0\0\0\x04\0\0\0\0\0\0\0\x07"
                             "\0\x05\0Shop\0\x01\x01"
                             "33612345678\0\x40\0\0\0\0\0\0\x08\0\x04\0H\0i";

static void smpp_pack__submit_sm__is_the_bytes_of_the_specification(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    struct smpp_pdu pdu = submit_sm();
    pack(&pdu, &out);
    assert_int_equal(out.len, sizeof SUBMIT - 1);
    assert_memory_equal(out.ptr, SUBMIT, out.len);
    buf_release(&out);
}

static void smpp_parse__each_kind_packed__comes_back(void **state)
{
    (void)state;
    for (int kind = 0; kind < SMPP_KINDS; kind++) {
        struct smpp_pdu pdu = submit_sm();
        struct smpp_pdu back;
        struct buf out = BUF_EMPTY;
        size_t used = 0;
        bool is_sm = kind == SMPP_submit_sm || kind == SMPP_deliver_sm;
        if (!is_sm) {
            memset(&pdu.body, 0, sizeof pdu.body);
        }
        pdu.kind = (enum smpp_kind)kind;
        pdu.status = 3;
        pack(&pdu, &out);
        pack(&pdu, &out); /* the second is no part of the first */
        assert_int_equal(smpp_parse(buf_slice(&out), &back, &used, NULL), RC_OK);
        assert_int_equal(used, out.len / 2);
        assert_int_equal(back.kind, kind);
        assert_int_equal(back.status, 3);
        assert_int_equal(back.sequence, 7);
        if (is_sm) {
            assert_true(slice_equal_text(back.body.sm.destination_addr, "33612345678"));
            assert_true(slice_equal(back.body.sm.short_message, pdu.body.sm.short_message));
        }
        buf_release(&out);
    }
}

static void smpp_pack__at_and_over_a_fields_length__fits_and_is_refused(void **state)
{
    (void)state;
    char long_text[300];
    memset(long_text, 'x', sizeof long_text);
    struct buf out = BUF_EMPTY;
    struct smpp_pdu pdu = submit_sm();
    pdu.body.sm.source_addr = (struct slice){long_text, 20};
    pdu.body.sm.short_message = (struct slice){long_text, 254};
    pack(&pdu, &out);
    size_t before = out.len;
    pdu.body.sm.source_addr.len = 21;
    assert_int_equal(smpp_pack(&pdu, &out, NULL), RC_RANGE);
    assert_int_equal(out.len, before);
    pdu.body.sm.source_addr.len = 20;
    pdu.body.sm.short_message.len = 255;
    assert_int_equal(smpp_pack(&pdu, &out, NULL), RC_RANGE);
    assert_int_equal(out.len, before);
    pdu.body.sm.short_message.len = 1;
    pdu.body.sm.destination_addr = SLICE_LITERAL("336\0"
                                                 "123");
    assert_int_equal(smpp_pack(&pdu, &out, NULL), RC_RANGE);
    buf_release(&out);
}

static void smpp_parse__cut_at_every_byte__waits_or_is_told(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof SUBMIT - 1; len++) {
        struct smpp_pdu pdu;
        size_t used = 0;
        char *copy = malloc(len + 1); /* its end is the end of memory: seen by the sanitizer */
        assert_non_null(copy);
        memcpy(copy, SUBMIT, len);
        assert_int_equal(smpp_parse((struct slice){copy, len}, &pdu, &used, NULL), RC_STATE);
        if (len >= SMPP_HEADER_BYTES) { /* whole by its length, and cut inside */
            copy[3] = (char)len;
            assert_int_equal(smpp_parse((struct slice){copy, len}, &pdu, &used, NULL), RC_PERM);
            assert_int_equal(used, len);
            assert_int_equal(pdu.sequence, 7);
        }
        free(copy);
    }
}

static void smpp_parse__length_below_a_header_or_over_the_limit__is_corrupt(void **state)
{
    (void)state;
    struct smpp_pdu pdu;
    size_t used = 0;
    assert_int_equal(smpp_parse(SLICE_LITERAL("\0\0\0\x0f"), &pdu, &used, NULL), RC_CORRUPT);
    assert_int_equal(smpp_parse(SLICE_LITERAL("\0\0\0\0"), &pdu, &used, NULL), RC_CORRUPT);
    assert_int_equal(smpp_parse(SLICE_LITERAL("\0\x01\x08\x01"), &pdu, &used, NULL), RC_CORRUPT);
    assert_int_equal(smpp_parse(SLICE_LITERAL("\0\x01\x08\0"), &pdu, &used, NULL), RC_STATE);
    assert_int_equal(smpp_parse(SLICE_LITERAL("\xff\xff\xff\xff"), &pdu, &used, NULL), RC_CORRUPT);
}

static void smpp_parse__answers_without_body_and_unknown_commands__are_taken(void **state)
{
    (void)state;
    struct smpp_pdu pdu;
    size_t used = 0;
    assert_int_equal(
        smpp_parse(SLICE_LITERAL("\0\0\0\x10\x80\0\0\x04\0\0\0\x58\0\0\0\x09"), &pdu, &used, NULL),
        RC_OK);
    assert_int_equal(pdu.kind, SMPP_submit_sm_resp);
    assert_int_equal(pdu.status, SMPP_ESME_RTHROTTLED);
    assert_int_equal(
        smpp_parse(SLICE_LITERAL("\0\0\0\x12\0\0\x01\x02\0\0\0\0\0\0\0\x09zz"), &pdu, &used, NULL),
        RC_OK);
    assert_int_equal(pdu.kind, SMPP_UNKNOWN);
    assert_int_equal(used, 18);
    assert_true(smpp_is_request(&pdu));
}

static void smpp_parse__optional_parts__are_kept_or_passed_over(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    struct smpp_pdu pdu = submit_sm();
    struct smpp_receipt receipt;
    size_t used = 0;
    pdu.kind = SMPP_deliver_sm;
    pdu.body.sm.short_message = SLICE_LITERAL("");
    pdu.body.sm.esm_class = 4;
    pack(&pdu, &out);
    buf_add(&out, "\x02\x04\0\x02zz", 6);   /* user_message_reference: nobody wants it */
    buf_add(&out, "\0\x1e\0\x05m-17\0", 9); /* receipted_message_id */
    buf_add(&out, "\x04\x27\0\x01\x02", 5); /* message_state: delivered */
    out.ptr[3] = (char)out.len;
    assert_int_equal(smpp_parse(buf_slice(&out), &pdu, &used, NULL), RC_OK);
    assert_true(smpp_receipt_read(&pdu, &receipt));
    assert_true(slice_equal_text(receipt.id, "m-17"));
    assert_int_equal(receipt.fate, SMPP_FATE_DELIVERED);
    out.ptr[out.len - 2] = 2; /* the last one is longer than the PDU */
    assert_int_equal(smpp_parse(buf_slice(&out), &pdu, &used, NULL), RC_PERM);
    buf_release(&out);
}

/* Bytes are changed, doubled and left out: whatever it says, it says it within the bytes given. */
static void smpp_parse__mutated__stays_inside(void **state)
{
    (void)state;
    unsigned int seed = 11;
    size_t taken = 0;
    for (int round = 0; round < 200000; round++) {
        size_t len = sizeof SUBMIT - 1;
        char *copy = malloc(len + 1);
        struct smpp_pdu pdu;
        size_t used = 0;
        assert_non_null(copy);
        memcpy(copy, SUBMIT, len);
        for (int i = 0; i < 1 + round % 6; i++) {
            seed = seed * 1103515245U + 12345U;
            copy[(seed >> 16) % len] = (char)(seed >> 8);
        }
        if (round % 3 == 0) {
            copy[0] = copy[1] = copy[2] = 0; /* mostly a length that can be */
            copy[7] = (char)(round % 24);
        }
        enum rc rc = smpp_parse((struct slice){copy, len}, &pdu, &used, NULL);
        assert_true(rc == RC_OK || rc == RC_STATE || rc == RC_PERM || rc == RC_CORRUPT);
        if (rc == RC_OK) {
            taken++;
            assert_true(used >= SMPP_HEADER_BYTES && used <= len);
            if (pdu.kind == SMPP_submit_sm || pdu.kind == SMPP_deliver_sm) {
                struct slice text = pdu.body.sm.short_message;
                assert_true(text.ptr >= copy && text.ptr + text.len <= copy + len);
            }
        }
        free(copy);
    }
    assert_true(taken > 1000);
}

static struct smpp_pdu told(const char *text)
{
    struct smpp_pdu pdu = submit_sm();
    pdu.kind = SMPP_deliver_sm;
    pdu.body.sm.esm_class = 4;
    pdu.body.sm.short_message = slice_of(text);
    return pdu;
}

static void smpp_receipt_read__as_peers_write_it__names_message_and_fate(void **state)
{
    (void)state;
    struct smpp_receipt receipt;
    struct smpp_pdu pdu = told("id:0a-7 sub:001 dlvrd:001 submit date:2701010000 done "
                               "date:2701010001 stat:DELIVRD err:000 text:id:9");
    assert_true(smpp_receipt_read(&pdu, &receipt));
    assert_true(slice_equal_text(receipt.id, "0a-7"));
    assert_true(slice_equal_text(receipt.state, "DELIVRD"));
    assert_int_equal(receipt.fate, SMPP_FATE_DELIVERED);
    pdu = told("Id:77 Stat:UNDELIV Err:001");
    assert_true(smpp_receipt_read(&pdu, &receipt));
    assert_int_equal(receipt.fate, SMPP_FATE_FAILED);
    pdu = told("id:77 stat:ENROUTE");
    assert_true(smpp_receipt_read(&pdu, &receipt));
    assert_int_equal(receipt.fate, SMPP_FATE_UNDER_WAY);
    pdu = told("STOP");
    assert_false(smpp_receipt_read(&pdu, &receipt));
    pdu = told("id:77 stat:DELIVRD");
    pdu.body.sm.esm_class = 0; /* somebody wrote that to us */
    assert_false(smpp_receipt_read(&pdu, &receipt));
}

static void smpp_id_copy__what_can_be_no_id__is_none(void **state)
{
    (void)state;
    char out[SMPP_ID_BYTES_MAX + 1];
    char long_id[SMPP_ID_BYTES_MAX + 1];
    memset(long_id, '7', sizeof long_id);
    assert_true(smpp_id_copy((struct slice){long_id, SMPP_ID_BYTES_MAX}, out));
    assert_int_equal(strlen(out), SMPP_ID_BYTES_MAX);
    assert_false(smpp_id_copy((struct slice){long_id, SMPP_ID_BYTES_MAX + 1}, out));
    assert_false(smpp_id_copy((struct slice){NULL, 0}, out));
    assert_true(smpp_id_copy(SLICE_LITERAL("a\0b c\x7f\xff\n"), out));
    assert_string_equal(out, "a?b?c???");
}

static void smpp_receipt_read__without_what_it_needs__is_none_or_undecided(void **state)
{
    (void)state;
    struct smpp_receipt receipt;
    struct smpp_pdu pdu = told("stat:DELIVRD");
    assert_false(smpp_receipt_read(&pdu, &receipt)); /* of which message */
    pdu = told("id: stat:DELIVRD");
    assert_false(smpp_receipt_read(&pdu, &receipt));
    pdu = told("");
    assert_false(smpp_receipt_read(&pdu, &receipt));
    pdu = told("id:7");
    assert_true(smpp_receipt_read(&pdu, &receipt));
    assert_int_equal(receipt.fate, SMPP_FATE_UNDER_WAY);
    assert_int_equal(receipt.error.len, 0);
    pdu = told("id:7 stat:delivrd");
    assert_true(smpp_receipt_read(&pdu, &receipt));
    assert_int_equal(receipt.fate, SMPP_FATE_UNDER_WAY); /* no word of SMPP */
    pdu = told("xid:8 id:7 stat:REJECTD err:0B");
    assert_true(smpp_receipt_read(&pdu, &receipt));
    assert_true(slice_equal_text(receipt.id, "7"));
    assert_true(slice_equal_text(receipt.error, "0B"));
    assert_int_equal(receipt.fate, SMPP_FATE_FAILED);
    static const struct {
        char state;
        enum smpp_fate fate;
    } states[] = {{0, SMPP_FATE_UNDER_WAY}, {1, SMPP_FATE_UNDER_WAY}, {2, SMPP_FATE_DELIVERED},
                  {3, SMPP_FATE_FAILED},    {4, SMPP_FATE_FAILED},    {5, SMPP_FATE_FAILED},
                  {6, SMPP_FATE_UNDER_WAY}, {7, SMPP_FATE_UNDER_WAY}, {8, SMPP_FATE_FAILED},
                  {9, SMPP_FATE_UNDER_WAY}};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        pdu.tlv.message_state = (struct slice){&states[i].state, 1}; /* before the text */
        assert_true(smpp_receipt_read(&pdu, &receipt));
        assert_int_equal(receipt.fate, states[i].fate);
    }
    pdu.tlv.message_state = SLICE_LITERAL("\x05");
    const struct {
        struct slice code;
        bool is_gone;
    } codes[] = {{SLICE_LITERAL("\3\0\1"), true},    {SLICE_LITERAL("\3\0\x1b"), false},
                 {SLICE_LITERAL("\1\0\1"), false},   {SLICE_LITERAL("\3\0"), false},
                 {SLICE_LITERAL("\3\0\1\0"), false}, {SLICE_LITERAL(""), false}};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        pdu.tlv.network_error_code = codes[i].code;
        assert_true(smpp_receipt_read(&pdu, &receipt));
        assert_int_equal(receipt.is_gone, codes[i].is_gone);
    }
    pdu.tlv.network_error_code = codes[0].code;
    pdu.tlv.message_state = SLICE_LITERAL("\x02"); /* it arrived all the same */
    assert_true(smpp_receipt_read(&pdu, &receipt));
    assert_false(receipt.is_gone);
    pdu.tlv.message_state = SLICE_LITERAL("\x02\x02"); /* none: the text counts */
    assert_true(smpp_receipt_read(&pdu, &receipt));
    assert_int_equal(receipt.fate, SMPP_FATE_FAILED);
    pdu.tlv.receipted_message_id = SLICE_LITERAL("\0\0");
    assert_true(smpp_receipt_read(&pdu, &receipt));
    assert_true(slice_equal_text(receipt.id, "7"));
    pdu.tlv.receipted_message_id = SLICE_LITERAL("9\0");
    assert_true(smpp_receipt_read(&pdu, &receipt));
    assert_true(slice_equal_text(receipt.id, "9"));
}

/* A deliver_sm with all that a receipt can have */
static struct buf receipt_bytes(void)
{
    struct buf out = BUF_EMPTY;
    struct smpp_pdu pdu = told("id:0a-7 sub:001 stat:UNDELIV err:001 text:id:9");
    pack(&pdu, &out);
    buf_add(&out, "\0\x1e\0\x05m-17\0", 9);
    buf_add(&out, "\x04\x27\0\x01\x02", 5);
    buf_add(&out, "\x04\x24\0\x08id:9 x\0z", 12);
    out.ptr[2] = (char)(out.len >> 8);
    out.ptr[3] = (char)out.len;
    return out;
}

static bool is_inside(struct slice text, const char *bytes, size_t len)
{
    return text.len == 0 || (text.ptr >= bytes && text.ptr + text.len <= bytes + len);
}

static void smpp_receipt_read__mutated__stays_inside(void **state)
{
    (void)state;
    unsigned int seed = 23;
    size_t taken = 0;
    struct buf whole = receipt_bytes();
    for (int round = 0; round < 200000; round++) {
        char *copy = malloc(whole.len);
        char id[SMPP_ID_BYTES_MAX + 1];
        struct smpp_pdu pdu;
        struct smpp_receipt receipt;
        size_t used = 0;
        assert_non_null(copy);
        memcpy(copy, whole.ptr, whole.len);
        for (int i = 0; i < 1 + round % 5; i++) {
            seed = seed * 1103515245U + 12345U;
            size_t at = SMPP_HEADER_BYTES + (seed >> 16) % (whole.len - SMPP_HEADER_BYTES);
            copy[at] = (char)(seed >> 8);
        }
        if (smpp_parse((struct slice){copy, whole.len}, &pdu, &used, NULL) == RC_OK &&
            smpp_receipt_read(&pdu, &receipt)) {
            taken++;
            assert_true(receipt.id.len > 0 && is_inside(receipt.id, copy, whole.len));
            assert_true(is_inside(receipt.state, copy, whole.len));
            assert_true(is_inside(receipt.error, copy, whole.len));
            assert_true(is_inside(receipt.to, copy, whole.len));
            assert_true(!smpp_id_copy(receipt.id, id) || strlen(id) == receipt.id.len);
        }
        free(copy);
    }
    assert_true(taken > 10000);
    buf_release(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smpp_pack__submit_sm__is_the_bytes_of_the_specification),
        cmocka_unit_test(smpp_parse__each_kind_packed__comes_back),
        cmocka_unit_test(smpp_pack__at_and_over_a_fields_length__fits_and_is_refused),
        cmocka_unit_test(smpp_parse__cut_at_every_byte__waits_or_is_told),
        cmocka_unit_test(smpp_parse__length_below_a_header_or_over_the_limit__is_corrupt),
        cmocka_unit_test(smpp_parse__answers_without_body_and_unknown_commands__are_taken),
        cmocka_unit_test(smpp_parse__optional_parts__are_kept_or_passed_over),
        cmocka_unit_test(smpp_parse__mutated__stays_inside),
        cmocka_unit_test(smpp_id_copy__what_can_be_no_id__is_none),
        cmocka_unit_test(smpp_receipt_read__without_what_it_needs__is_none_or_undecided),
        cmocka_unit_test(smpp_receipt_read__mutated__stays_inside),
        cmocka_unit_test(smpp_receipt_read__as_peers_write_it__names_message_and_fate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
