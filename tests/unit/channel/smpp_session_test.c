/*
 * smpp_session - every message gets one verdict, and the right one, whatever the peer does
 */
#include "unit/sys/support.h"

#include "channel/smpp_session.h"

#define SECOND ((int64_t)1000000000)

enum { VERDICTS_MAX = 64 };

/* A session and what was told; its peer is the test. */
struct scene {
    struct smpp_session session;
    struct smpp_settings settings;
    struct verdict_report told[VERDICTS_MAX];
    char texts[VERDICTS_MAX][200];
    size_t count;
    size_t receipts;
    uint64_t answer; /* to the next receipt */
    struct buf accepted;
    int64_t now;
    struct buf heard; /* PDUs that the session said */
    struct err err;
};

static void told(void *ctx, const struct verdict_report *report)
{
    struct scene *scene = ctx;
    assert_true(scene->count < VERDICTS_MAX);
    (void)snprintf(scene->texts[scene->count], sizeof scene->texts[0], "%.*s",
                   (int)report->text.len, report->text.ptr);
    scene->told[scene->count++] = *report;
}

static void note_accepted(void *ctx, uint64_t number, uint32_t part, struct slice id)
{
    struct scene *scene = ctx;
    buf_add_format(&scene->accepted, "%u/%u=%.*s ", (unsigned int)number, part, (int)id.len,
                   id.ptr);
}

static uint64_t count_receipt(void *ctx, const struct smpp_receipt *receipt)
{
    struct scene *scene = ctx;
    (void)receipt;
    scene->receipts++;
    return scene->answer == SMPP_RECEIPT_NOW || scene->answer == SMPP_RECEIPT_LATER
               ? scene->answer
               : scene->answer++;
}

/* The session's output, written to the peer as far as `most` bytes. */
static void flush_some(struct scene *scene, size_t most)
{
    struct slice out = smpp_session_output(&scene->session);
    size_t count = out.len < most ? out.len : most;
    buf_add(&scene->heard, out.ptr, count);
    smpp_session_wrote(&scene->session, count);
}

/* The next PDU that the peer has; SMPP_UNKNOWN: none */
static struct smpp_pdu next(struct scene *scene)
{
    static char kept[SMPP_PDU_BYTES_MAX];
    struct smpp_pdu pdu = {.kind = SMPP_UNKNOWN};
    size_t used = 0;
    flush_some(scene, SIZE_MAX);
    if (scene->heard.len == 0) {
        return pdu;
    }
    enum rc rc = smpp_parse(buf_slice(&scene->heard), &pdu, &used, NULL);
    assert_int_equal(rc, RC_OK);
    memcpy(kept, scene->heard.ptr, used);
    assert_int_equal(smpp_parse((struct slice){kept, used}, &pdu, &used, NULL), RC_OK);
    memmove(scene->heard.ptr, scene->heard.ptr + used, scene->heard.len - used);
    scene->heard.len -= used;
    return pdu;
}

static enum rc say(struct scene *scene, enum smpp_kind kind, uint32_t sequence, uint32_t status)
{
    struct smpp_pdu pdu = {.kind = kind, .sequence = sequence, .status = status};
    struct buf out = BUF_EMPTY;
    if (kind == SMPP_submit_sm_resp) {
        pdu.body.sm_resp.message_id = SLICE_LITERAL("m-1");
    }
    if (kind == SMPP_deliver_sm) {
        pdu.body.sm.esm_class = 4;
        pdu.body.sm.short_message = SLICE_LITERAL("id:m-1 stat:DELIVRD");
    }
    assert_int_equal(smpp_pack(&pdu, &out, NULL), RC_OK);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < out.len; i += 5) { /* as it may come: in bits */
        size_t len = out.len - i < 5 ? out.len - i : 5;
        rc = smpp_session_feed(&scene->session, (struct slice){out.ptr + i, len}, scene->now,
                               &scene->err);
    }
    buf_release(&out);
    return rc;
}

static struct scene *begin(unsigned int window)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    scene->now = 100 * SECOND;
    scene->settings = (struct smpp_settings){
        .system_id = SLICE_LITERAL("shop"),
        .password = SLICE_LITERAL("secret"),
        .window = window,
        .timeout_ns = 10 * SECOND,
        .receipts = {
            .ctx = scene, .are_wanted = true, .accepted = note_accepted, .receipt = count_receipt}};
    smpp_session_begin(&scene->session, &scene->settings, told, scene, scene->now);
    return scene;
}

static struct scene *bound(unsigned int window)
{
    struct scene *scene = begin(window);
    struct smpp_pdu bind = next(scene);
    assert_int_equal(bind.kind, SMPP_bind_transceiver);
    assert_true(slice_equal_text(bind.body.bind.system_id, "shop"));
    assert_true(slice_equal_text(bind.body.bind.password, "secret"));
    assert_int_equal(bind.body.bind.interface_version, 0x34);
    assert_int_equal(say(scene, SMPP_bind_transceiver_resp, bind.sequence, 0), RC_OK);
    assert_true(smpp_session_has_room(&scene->session, scene->now));
    return scene;
}

static void end(struct scene *scene)
{
    smpp_session_release(&scene->session);
    buf_release(&scene->heard);
    buf_release(&scene->accepted);
    free(scene);
}

static void offer(struct scene *scene, uint64_t number, const char *to, const char *text)
{
    const struct outgoing message = {.number = number,
                                     .from = SLICE_LITERAL("Shop"),
                                     .to = slice_of(to),
                                     .bytes = slice_of(text),
                                     .unique = "a.1.1"};
    assert_true(smpp_session_has_room(&scene->session, scene->now));
    assert_int_equal(smpp_session_offer(&scene->session, &message, scene->now, &scene->err), RC_OK);
}

static uint32_t submitted(struct scene *scene)
{
    struct smpp_pdu pdu = next(scene);
    assert_int_equal(pdu.kind, SMPP_submit_sm);
    return pdu.sequence;
}

static void assert_told(const struct scene *scene, size_t at, uint64_t number, enum verdict verdict)
{
    assert_true(scene->count > at);
    assert_int_equal(scene->told[at].number, number);
    assert_string_equal(verdict_name(scene->told[at].verdict), verdict_name(verdict));
}

static const char LONG[] = /* 161 units: two parts */
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123"
    "4567890123456789012345678901234567890123456789012345678901234567890";

/* ---- setting up ---- */

static void smpp_session__bind_refused__is_over_and_says_why(void **state)
{
    (void)state;
    struct scene *scene = begin(4);
    uint32_t sequence = next(scene).sequence;
    assert_int_equal(say(scene, SMPP_bind_transceiver_resp, sequence, 0x0E), RC_TEMP);
    assert_non_null(strstr(scene->err.text, "0x0E invalid password"));
    end(scene);
}

static void smpp_session__bind_without_answer__is_over_after_the_timeout(void **state)
{
    (void)state;
    struct scene *scene = begin(4);
    (void)next(scene);
    assert_false(smpp_session_has_room(&scene->session, scene->now));
    assert_int_equal(smpp_session_deadline_ns(&scene->session), scene->now + 10 * SECOND);
    assert_int_equal(smpp_session_tick(&scene->session, scene->now + 10 * SECOND - 1, NULL), RC_OK);
    assert_int_equal(smpp_session_tick(&scene->session, scene->now + 10 * SECOND, &scene->err),
                     RC_TEMP);
    assert_non_null(strstr(scene->err.text, "bind_transceiver"));
    end(scene);
}

/* ---- messages ---- */

static void smpp_session__all_parts_accepted_in_any_order__is_sent_once(void **state)
{
    (void)state;
    struct scene *scene = bound(4);
    offer(scene, 1, "+33612345678", LONG);
    struct smpp_pdu first = next(scene);
    assert_int_equal(first.body.sm.esm_class, 0x40);
    assert_int_equal(first.body.sm.short_message.len, 6 + 153);
    assert_int_equal(first.body.sm.registered_delivery, 1);
    assert_true(slice_equal_text(first.body.sm.destination_addr, "33612345678"));
    uint32_t first_sequence = first.sequence;
    struct smpp_pdu second = next(scene);
    assert_int_equal(second.body.sm.short_message.len, 6 + 8);
    assert_int_equal(second.body.sm.registered_delivery, 1); /* it is there when both are */
    assert_int_equal(say(scene, SMPP_submit_sm_resp, second.sequence, 0), RC_OK);
    assert_int_equal(scene->count, 0);
    assert_int_equal(say(scene, SMPP_submit_sm_resp, first_sequence, 0), RC_OK);
    assert_int_equal(scene->count, 1);
    assert_told(scene, 0, 1, VERDICT_SENT);
    assert_string_equal(scene->texts[0], "m-1");
    assert_string_equal(buf_text(&scene->accepted), "1/2=m-1 1/1=m-1 ");
    assert_int_equal(say(scene, SMPP_submit_sm_resp, first_sequence, 0), RC_OK); /* once more */
    assert_int_equal(scene->count, 1);
    assert_true(smpp_session_is_idle(&scene->session));
    end(scene);
}

static void smpp_session__window_full__takes_no_more_until_an_answer(void **state)
{
    (void)state;
    struct scene *scene = bound(3);
    offer(scene, 1, "33612345678", "a");
    offer(scene, 2, "33612345678", LONG);
    assert_false(smpp_session_has_room(&scene->session, scene->now));
    uint32_t first = submitted(scene);
    (void)submitted(scene);
    (void)submitted(scene);
    assert_int_equal(next(scene).kind, SMPP_UNKNOWN);
    assert_int_equal(say(scene, SMPP_submit_sm_resp, first, 0), RC_OK);
    assert_told(scene, 0, 1, VERDICT_SENT);
    assert_true(smpp_session_has_room(&scene->session, scene->now));
    end(scene);
}

static void smpp_session__refusals__are_told_apart_by_code(void **state)
{
    (void)state;
    static const struct {
        uint32_t status;
        enum verdict verdict;
        bool is_about_recipient;
    } cases[] = {{0x0B, VERDICT_PERMANENT, true},  {0x50, VERDICT_PERMANENT, true},
                 {0x0A, VERDICT_PERMANENT, false}, {0x01, VERDICT_PERMANENT, false},
                 {0x08, VERDICT_TEMPORARY, false}, {0x45, VERDICT_TEMPORARY, false},
                 {0x64, VERDICT_TEMPORARY, false}, {0x65, VERDICT_PERMANENT, false},
                 {0x400, VERDICT_TEMPORARY, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene *scene = bound(4);
        offer(scene, 9, "33612345678", "a");
        assert_int_equal(say(scene, SMPP_submit_sm_resp, submitted(scene), cases[i].status), RC_OK);
        assert_told(scene, 0, 9, cases[i].verdict);
        assert_int_equal(scene->told[0].code, cases[i].status);
        assert_int_equal(scene->told[0].is_about_recipient, cases[i].is_about_recipient);
        end(scene);
    }
}

static void smpp_session__one_part_refused__waits_for_the_others_then_is_refused(void **state)
{
    (void)state;
    struct scene *scene = bound(4);
    offer(scene, 1, "33612345678", LONG);
    uint32_t first = submitted(scene);
    uint32_t second = submitted(scene);
    assert_int_equal(say(scene, SMPP_submit_sm_resp, first, 0x0B), RC_OK);
    assert_int_equal(scene->count, 0);
    assert_int_equal(say(scene, SMPP_submit_sm_resp, second, 0), RC_OK);
    assert_int_equal(scene->count, 1);
    assert_told(scene, 0, 1, VERDICT_PERMANENT);
    end(scene);
}

static void smpp_session__generic_nack_to_a_part__refuses_it(void **state)
{
    (void)state;
    struct scene *scene = bound(4);
    offer(scene, 1, "33612345678", "a");
    assert_int_equal(say(scene, SMPP_generic_nack, submitted(scene), 0), RC_OK);
    assert_told(scene, 0, 1, VERDICT_TEMPORARY);
    end(scene);
}

static void smpp_session__throttled__pauses_longer_each_time_and_sends_again(void **state)
{
    (void)state;
    struct scene *scene = bound(4);
    offer(scene, 1, "33612345678", "a");
    offer(scene, 2, "33612345679", "b");
    uint32_t first = submitted(scene);
    uint32_t second = submitted(scene);
    assert_int_equal(say(scene, SMPP_submit_sm_resp, first, SMPP_ESME_RTHROTTLED), RC_OK);
    assert_int_equal(say(scene, SMPP_submit_sm_resp, second, SMPP_ESME_RTHROTTLED), RC_OK);
    assert_false(smpp_session_has_room(&scene->session, scene->now));
    assert_int_equal(next(scene).kind, SMPP_UNKNOWN);
    assert_int_equal(smpp_session_deadline_ns(&scene->session), scene->now + SECOND);
    scene->now += SECOND;
    assert_int_equal(smpp_session_tick(&scene->session, scene->now, NULL), RC_OK);
    first = submitted(scene);
    second = submitted(scene);
    assert_int_equal(say(scene, SMPP_submit_sm_resp, first, SMPP_ESME_RTHROTTLED), RC_OK);
    assert_int_equal(smpp_session_deadline_ns(&scene->session), scene->now + 2 * SECOND);
    assert_int_equal(say(scene, SMPP_submit_sm_resp, second, 0), RC_OK);
    assert_told(scene, 0, 2, VERDICT_SENT);
    scene->now += 2 * SECOND;
    assert_int_equal(smpp_session_tick(&scene->session, scene->now, NULL), RC_OK);
    assert_int_equal(say(scene, SMPP_submit_sm_resp, submitted(scene), 0), RC_OK);
    assert_told(scene, 1, 1, VERDICT_SENT);
    end(scene);
}

static void smpp_session__throttled_part_of_several__is_sent_again_as_that_part(void **state)
{
    (void)state;
    struct scene *scene = bound(4);
    offer(scene, 1, "33612345678", LONG);
    struct smpp_pdu pdu = next(scene);
    uint32_t first = pdu.sequence;
    unsigned char part[160];
    size_t len = pdu.body.sm.short_message.len;
    memcpy(part, pdu.body.sm.short_message.ptr, len);
    uint32_t second = submitted(scene);
    assert_int_equal(say(scene, SMPP_submit_sm_resp, first, SMPP_ESME_RMSGQFUL), RC_OK);
    assert_int_equal(say(scene, SMPP_submit_sm_resp, second, 0), RC_OK);
    scene->now += SECOND;
    assert_int_equal(smpp_session_tick(&scene->session, scene->now, NULL), RC_OK);
    pdu = next(scene);
    assert_int_equal(pdu.kind, SMPP_submit_sm);
    assert_int_equal(pdu.body.sm.short_message.len, len);
    assert_memory_equal(pdu.body.sm.short_message.ptr, part, len);
    assert_int_equal(say(scene, SMPP_submit_sm_resp, pdu.sequence, 0), RC_OK);
    assert_told(scene, 0, 1, VERDICT_SENT);
    end(scene);
}

static void smpp_session__queue_full_again_and_again__is_temporary(void **state)
{
    (void)state;
    struct scene *scene = bound(4);
    offer(scene, 1, "33612345678", "a");
    for (int i = 0; i < 4; i++) {
        assert_int_equal(scene->count, 0);
        assert_int_equal(say(scene, SMPP_submit_sm_resp, submitted(scene), SMPP_ESME_RMSGQFUL),
                         RC_OK);
        scene->now += 9 * SECOND;
        (void)say(scene, SMPP_enquire_link_resp, 0, 0); /* it is not silent */
        assert_int_equal(smpp_session_tick(&scene->session, scene->now, NULL), RC_OK);
    }
    assert_told(scene, 0, 1, VERDICT_TEMPORARY);
    assert_int_equal(scene->told[0].code, SMPP_ESME_RMSGQFUL);
    end(scene);
}

static void smpp_session__recalled_in_a_pause__is_untried(void **state)
{
    (void)state;
    struct scene *scene = bound(4);
    offer(scene, 1, "33612345678", "a");
    offer(scene, 2, "33612345678", "b");
    uint32_t first = submitted(scene);
    uint32_t second = submitted(scene);
    assert_int_equal(say(scene, SMPP_submit_sm_resp, first, SMPP_ESME_RTHROTTLED), RC_OK);
    smpp_session_recall(&scene->session);
    assert_told(scene, 0, 1, VERDICT_UNTRIED);
    assert_int_equal(smpp_session_leave(&scene->session, scene->now, NULL), RC_OK);
    assert_int_equal(say(scene, SMPP_submit_sm_resp, second, SMPP_ESME_RTHROTTLED), RC_OK);
    assert_told(scene, 1, 2, VERDICT_UNTRIED); /* its pause is not waited for either */
    assert_int_equal(next(scene).kind, SMPP_unbind);
    end(scene);
}

static void smpp_session__number_sender_or_text_that_cannot_be__is_permanent_at_once(void **state)
{
    (void)state;
    struct scene *scene = bound(4);
    offer(scene, 1, "0612345678", "a");
    assert_told(scene, 0, 1, VERDICT_PERMANENT);
    assert_true(scene->told[0].is_about_recipient);
    offer(scene, 2, "33612345678", "a\xc3");
    assert_told(scene, 1, 2, VERDICT_PERMANENT);
    assert_false(scene->told[1].is_about_recipient);
    assert_int_equal(next(scene).kind, SMPP_UNKNOWN);
    end(scene);
}

/* ---- answers that do not come ---- */

static void
smpp_session__answer_overdue__is_uncertain_and_nothing_is_sent_into_silence(void **state)
{
    (void)state;
    struct scene *scene = bound(2);
    offer(scene, 1, "33612345678", "a");
    uint32_t lost = submitted(scene);
    scene->now += 6 * SECOND;
    assert_int_equal(smpp_session_tick(&scene->session, scene->now, NULL), RC_OK);
    struct smpp_pdu enquire = next(scene);
    assert_int_equal(enquire.kind, SMPP_enquire_link);
    scene->now += 4 * SECOND;
    assert_int_equal(smpp_session_tick(&scene->session, scene->now, NULL), RC_OK);
    assert_told(scene, 0, 1, VERDICT_UNCERTAIN);
    assert_false(smpp_session_has_room(&scene->session, scene->now));
    assert_int_equal(say(scene, SMPP_enquire_link_resp, enquire.sequence, 0), RC_OK);
    assert_true(smpp_session_has_room(&scene->session, scene->now));
    assert_int_equal(say(scene, SMPP_submit_sm_resp, lost, 0), RC_OK); /* too late */
    assert_int_equal(scene->count, 1);
    end(scene);
}

static void smpp_session__enquire_link_without_answer__is_over(void **state)
{
    (void)state;
    struct scene *scene = bound(2);
    scene->now += 5 * SECOND;
    assert_int_equal(smpp_session_deadline_ns(&scene->session), scene->now);
    assert_int_equal(smpp_session_tick(&scene->session, scene->now, NULL), RC_OK);
    assert_int_equal(next(scene).kind, SMPP_enquire_link);
    scene->now += 10 * SECOND;
    assert_int_equal(smpp_session_tick(&scene->session, scene->now, &scene->err), RC_TEMP);
    assert_non_null(strstr(scene->err.text, "enquire_link"));
    end(scene);
}

static void smpp_session_end__by_how_far_each_message_was__tells_it(void **state)
{
    (void)state;
    struct scene *scene = bound(8);
    offer(scene, 1, "33612345678", "a");
    (void)submitted(scene); /* written, no answer */
    offer(scene, 2, "33612345678", LONG);
    flush_some(scene, 230);              /* the first part, and some of the second */
    offer(scene, 3, "33612345678", "c"); /* not a byte */
    smpp_session_end(&scene->session, "gone");
    assert_int_equal(scene->count, 3);
    for (size_t i = 0; i < 3; i++) {
        static const enum verdict verdicts[] = {VERDICT_UNCERTAIN, VERDICT_TEMPORARY,
                                                VERDICT_UNTRIED};
        assert_told(scene, i, i + 1, verdicts[i]);
    }
    end(scene);
}

/* ---- the peer asks ---- */

static void smpp_session__requests_of_the_peer__are_answered_at_once(void **state)
{
    (void)state;
    struct scene *scene = bound(2);
    assert_int_equal(say(scene, SMPP_deliver_sm, 41, 0), RC_OK);
    struct smpp_pdu answer = next(scene);
    assert_int_equal(answer.kind, SMPP_deliver_sm_resp);
    assert_int_equal(answer.sequence, 41);
    assert_int_equal(scene->receipts, 1);
    assert_int_equal(say(scene, SMPP_enquire_link, 42, 0), RC_OK);
    assert_int_equal(next(scene).kind, SMPP_enquire_link_resp);
    assert_int_equal(say(scene, SMPP_submit_sm, 43, 0), RC_OK);
    answer = next(scene);
    assert_int_equal(answer.kind, SMPP_generic_nack);
    assert_int_equal(answer.status, SMPP_ESME_RINVCMDID);
    end(scene);
}

static void smpp_session__receipts__are_answered_when_they_are_kept(void **state)
{
    (void)state;
    struct scene *scene = bound(2);
    scene->answer = 7;
    for (uint32_t sequence = 41; sequence <= 43; sequence++) {
        assert_int_equal(say(scene, SMPP_deliver_sm, sequence, 0), RC_OK);
    }
    assert_int_equal(next(scene).kind, SMPP_UNKNOWN);
    assert_int_equal(smpp_session_kept(&scene->session, 6, NULL), RC_OK);
    assert_int_equal(next(scene).kind, SMPP_UNKNOWN);
    assert_int_equal(smpp_session_kept(&scene->session, 8, NULL), RC_OK);
    for (uint32_t sequence = 41; sequence <= 42; sequence++) {
        struct smpp_pdu answer = next(scene);
        assert_int_equal(answer.kind, SMPP_deliver_sm_resp);
        assert_int_equal(answer.status, 0);
        assert_int_equal(answer.sequence, sequence);
    }
    assert_int_equal(next(scene).kind, SMPP_UNKNOWN);
    scene->answer = SMPP_RECEIPT_LATER; /* no room: refused for now, before those that wait */
    assert_int_equal(say(scene, SMPP_deliver_sm, 44, 0), RC_OK);
    struct smpp_pdu answer = next(scene);
    assert_int_equal(answer.kind, SMPP_deliver_sm_resp);
    assert_int_equal(answer.status, SMPP_ESME_RX_T_APPN);
    assert_int_equal(answer.sequence, 44);
    assert_int_equal(smpp_session_kept(&scene->session, 100, NULL), RC_OK);
    assert_int_equal(next(scene).sequence, 43);
    assert_int_equal(smpp_session_kept(&scene->session, 100, NULL), RC_OK);
    assert_int_equal(next(scene).kind, SMPP_UNKNOWN);
    assert_int_equal(scene->receipts, 4);
    end(scene);
}

static void smpp_session__receipts_not_wanted__are_not_asked_for(void **state)
{
    (void)state;
    struct scene *scene = bound(2);
    scene->settings.receipts.are_wanted = false;
    offer(scene, 1, "33612345678", "a");
    struct smpp_pdu one = next(scene);
    assert_int_equal(one.body.sm.registered_delivery, 0);
    assert_int_equal(say(scene, SMPP_submit_sm_resp, one.sequence, 0), RC_OK);
    assert_string_equal(buf_text(&scene->accepted), "");
    end(scene);
}

static void smpp_session__peer_unbinds__answers_come_in_and_it_is_over(void **state)
{
    (void)state;
    struct scene *scene = bound(2);
    offer(scene, 1, "33612345678", "a");
    uint32_t sequence = submitted(scene);
    assert_int_equal(say(scene, SMPP_unbind, 44, 0), RC_OK);
    assert_int_equal(next(scene).kind, SMPP_unbind_resp);
    assert_false(smpp_session_has_room(&scene->session, scene->now));
    assert_int_equal(smpp_session_tick(&scene->session, scene->now, NULL), RC_OK);
    assert_int_equal(say(scene, SMPP_submit_sm_resp, sequence, 0), RC_OK);
    assert_told(scene, 0, 1, VERDICT_SENT);
    assert_int_equal(smpp_session_tick(&scene->session, scene->now, &scene->err), RC_TEMP);
    assert_non_null(strstr(scene->err.text, "unbind"));
    end(scene);
}

static void smpp_session_leave__with_messages__unbinds_after_the_last(void **state)
{
    (void)state;
    struct scene *scene = bound(2);
    offer(scene, 1, "33612345678", "a");
    uint32_t sequence = submitted(scene);
    assert_int_equal(smpp_session_leave(&scene->session, scene->now, NULL), RC_OK);
    assert_int_equal(next(scene).kind, SMPP_UNKNOWN);
    assert_int_equal(say(scene, SMPP_submit_sm_resp, sequence, 0), RC_OK);
    struct smpp_pdu unbind = next(scene);
    assert_int_equal(unbind.kind, SMPP_unbind);
    assert_int_equal(say(scene, SMPP_unbind_resp, unbind.sequence, 0), RC_OK);
    assert_int_equal(scene->session.phase, SMPP_OVER);
    end(scene);
}

static void smpp_session_feed__garbage__ends_it_or_is_answered(void **state)
{
    (void)state;
    struct scene *scene = bound(2);
    const struct slice cut = SLICE_LITERAL("\0\0\0\x11\0\0\0\x05\0\0\0\0\0\0\0\x07z");
    assert_int_equal(smpp_session_feed(&scene->session, cut, scene->now, NULL), RC_OK);
    struct smpp_pdu answer = next(scene);
    assert_int_equal(answer.kind, SMPP_generic_nack);
    assert_int_equal(answer.sequence, 7);
    assert_int_equal(smpp_session_feed(&scene->session, SLICE_LITERAL("HTTP/1.1 400 Bad"),
                                       scene->now, &scene->err),
                     RC_TEMP);
    end(scene);
}

static void smpp_session_feed__peer_that_never_reads__is_let_go(void **state)
{
    (void)state;
    struct scene *scene = bound(2);
    enum rc rc = RC_OK;
    int rounds = 0;
    for (; rc == RC_OK && rounds < 200000; rounds++) {
        rc = say(scene, SMPP_enquire_link, 45, 0);
    }
    assert_int_equal(rc, RC_TEMP);
    assert_true(scene->session.out.len < 2 * SMPP_OUT_BYTES_MAX);
    end(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smpp_session__bind_refused__is_over_and_says_why),
        cmocka_unit_test(smpp_session__bind_without_answer__is_over_after_the_timeout),
        cmocka_unit_test(smpp_session__all_parts_accepted_in_any_order__is_sent_once),
        cmocka_unit_test(smpp_session__window_full__takes_no_more_until_an_answer),
        cmocka_unit_test(smpp_session__refusals__are_told_apart_by_code),
        cmocka_unit_test(smpp_session__one_part_refused__waits_for_the_others_then_is_refused),
        cmocka_unit_test(smpp_session__generic_nack_to_a_part__refuses_it),
        cmocka_unit_test(smpp_session__throttled__pauses_longer_each_time_and_sends_again),
        cmocka_unit_test(smpp_session__throttled_part_of_several__is_sent_again_as_that_part),
        cmocka_unit_test(smpp_session__queue_full_again_and_again__is_temporary),
        cmocka_unit_test(smpp_session__recalled_in_a_pause__is_untried),
        cmocka_unit_test(smpp_session__number_sender_or_text_that_cannot_be__is_permanent_at_once),
        cmocka_unit_test(
            smpp_session__answer_overdue__is_uncertain_and_nothing_is_sent_into_silence),
        cmocka_unit_test(smpp_session__enquire_link_without_answer__is_over),
        cmocka_unit_test(smpp_session_end__by_how_far_each_message_was__tells_it),
        cmocka_unit_test(smpp_session__requests_of_the_peer__are_answered_at_once),
        cmocka_unit_test(smpp_session__receipts__are_answered_when_they_are_kept),
        cmocka_unit_test(smpp_session__receipts_not_wanted__are_not_asked_for),
        cmocka_unit_test(smpp_session__peer_unbinds__answers_come_in_and_it_is_over),
        cmocka_unit_test(smpp_session_leave__with_messages__unbinds_after_the_last),
        cmocka_unit_test(smpp_session_feed__garbage__ends_it_or_is_answered),
        cmocka_unit_test(smpp_session_feed__peer_that_never_reads__is_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
