/*
 * view_test - journals folded: a whole life, rounds, holds, revisions, damage
 */
#include "unit/delivery/folder.h"

#include "delivery/view.h"

#define T(n) "2027-03-01T08:00:0" #n ".000000Z "
#define NS(n) ((INT64_C(1803888000) + (n)) * NS_PER_SECOND)

static struct view fold(const char *text)
{
    struct view view;
    struct err err = {""};
    enum rc rc = view_fold(slice_of(text), &view, &err);
    if (rc != RC_OK) {
        fail_msg("%s: %s", rc_name(rc), err.text);
    }
    return view;
}

/* A line of the journal is a line here. */
/* clang-format off */
#define TAKEN \
    T(0) "taken alice revision=1 drop=2049:77:123 sha256=aa rows=100 records=90 state=target-ready\n"
#define OPENED T(1) "opened postroomd step=content sha256=b1\n"
#define EXTRACTED \
    TAKEN \
    T(1) "prepared postroomd rows=101 records=91\n" \
    T(2) "ready postroomd state=extraction-pending\n" \
    T(3) "extracting postroomd round=1 state=extracting\n" \
    T(4) "extracted postroomd round=1 records=89 seeds=4 archive=A_1.zip sha256=cc cost=1:dd " \
         "stock=2:ee state=extraction-to-approve\n"

static void view_fold__empty__nothing_taken(void **unused)
{
    (void)unused;
    struct view view = fold("");
    assert_int_equal(view.state, STATE_NONE);
    assert_int_equal(view.state_event, EVENT_COUNT);
    assert_int_equal(view.revision, 0);
    assert_int_equal(view.since_ns, INSTANT_NONE);
    assert_int_equal(view.first_ns, INSTANT_NONE);
    assert_string_equal(view.reason, "");
    assert_string_equal(view.dropper, "");
    assert_false(view.is_held);
    for (int i = 0; i < STEP_COUNT; i++) {
        assert_int_equal(view.steps[i].status, STEP_STATUS_CLOSED);
        assert_string_equal(view.steps[i].decided_by, "");
        assert_int_equal(view.steps[i].decided_ns, INSTANT_NONE);
    }
    assert_false(view_names_file(&view, "0001-a.conf"));
    view_release(&view);
    view_release(&view);
}

static void view_fold__taken__says_what_and_who(void **unused)
{
    (void)unused;
    struct view view = fold(TAKEN);
    assert_int_equal(view.state, STATE_TARGET_READY);
    assert_int_equal(view.state_event, EVENT_TAKEN);
    assert_int_equal(view.revision, 1);
    assert_string_equal(view.dropper, "alice");
    assert_string_equal(view.drop, "2049:77:123");
    assert_string_equal(view.drop_sha256, "aa");
    assert_int_equal(view.rows, 100);
    assert_int_equal(view.records, 90);
    assert_int_equal(view.since_ns, NS(0));
    assert_int_equal(view.first_ns, NS(0));
    assert_int_equal(view.tail.line_count, 1);
    view_release(&view);
}

static void view_fold__extracted__archive_receipts_and_counts(void **unused)
{
    (void)unused;
    struct view view = fold(
        EXTRACTED
        T(5) "opened postroomd step=extraction sha256=ff\n");
    assert_int_equal(view.state, STATE_EXTRACTION_TO_APPROVE);
    assert_int_equal(view.extraction_round, 1);
    assert_true(view.is_extracted);
    assert_string_equal(view.archive, "A_1.zip");
    assert_string_equal(view.archive_sha256, "cc");
    assert_string_equal(view.cost_receipt, "1:dd");
    assert_string_equal(view.stock_receipt, "2:ee");
    assert_int_equal(view.rows, 101);
    assert_int_equal(view.records, 89);
    assert_int_equal(view.seeds, 4);
    assert_true(view.steps[STEP_EXTRACTION].is_open);
    assert_string_equal(view.steps[STEP_EXTRACTION].sha256, "ff");
    assert_int_equal(view.since_ns, NS(4));
    assert_int_equal(view.last_ns, NS(5));
    assert_int_equal(view.last_event, EVENT_OPENED);
    view_release(&view);
}

static void view_fold__whole_life__finished_and_nothing_waits(void **unused)
{
    (void)unused;
    struct view view = fold(
        EXTRACTED
        T(5) "opened postroomd step=extraction sha256=ff\n"
        T(6) "approved bob step=extraction file=0001-x.conf sha256=ff comment=\"well done\"\n"
        T(7) "publishing postroomd state=sending\n"
        T(8) "handed-over postroomd archive=A_1.zip state=handed-over\n"
        T(9) "finished postroomd reason=\"all answered\" state=finished\n");
    assert_int_equal(view.state, STATE_FINISHED);
    assert_int_equal(view.state_event, EVENT_FINISHED);
    assert_true(view.is_handed_over);
    assert_string_equal(view.reason, "all answered");
    assert_int_equal(view.steps[STEP_EXTRACTION].status, STEP_STATUS_APPROVED);
    assert_string_equal(view.steps[STEP_EXTRACTION].decided_by, "bob");
    assert_string_equal(view.steps[STEP_EXTRACTION].comment, "well done");
    assert_int_equal(view.steps[STEP_EXTRACTION].decided_ns, NS(6));
    assert_int_equal(view.round_count, 1);
    assert_string_equal(view.rounds[0]->file, "0001-x.conf");
    assert_true(view_names_file(&view, "0001-x.conf"));
    assert_false(view_names_file(&view, "0001-x.con"));
    view_release(&view);
}

/* --- steps --- */

struct step_row {
    const char *lines; /* after TAKEN and OPENED, about content */
    enum step_status status;
    const char *who; /* answers that stand */
};

static const struct step_row STEP_ROWS[] = {
    {"", STEP_STATUS_OPEN, ""},
    {T(2) "approved bob step=content\n", STEP_STATUS_APPROVED, "bob "},
    {T(2) "rejected bob step=content\n", STEP_STATUS_REJECTED, "bob "},
    {T(2) "approved bob step=content wanted=0\n", STEP_STATUS_APPROVED, "bob "},
    {T(2) "approved bob step=content wanted=2\n", STEP_STATUS_OPEN, "bob "},
    {T(2) "approved bob step=content wanted=1\n"
        T(3) "approved dora step=content\n",
     STEP_STATUS_APPROVED, "bob dora "},
    {T(2) "approved bob step=content wanted=1\n"
        T(3) "rejected dora step=content\n",
     STEP_STATUS_REJECTED, "dora "},
    {T(2) "approved bob step=content\n"
        T(3) "withdrawn bob step=content\n", STEP_STATUS_OPEN, ""},
    {T(2) "rejected bob step=content\n"
        T(3) "withdrawn root step=content\n", STEP_STATUS_OPEN, ""},
    {T(2) "approved bob step=content wanted=1\n"
        T(3) "approved dora step=content\n"
        T(4) "withdrawn bob step=content\n",
     STEP_STATUS_OPEN, "dora "},
    {T(2) "approved bob step=content wanted=1\n"
        T(3) "approved dora step=content\n"
        T(4) "withdrawn root step=content\n",
     STEP_STATUS_OPEN, ""},
    {T(2) "approved bob step=content\n"
        T(3) "reset alice\n", STEP_STATUS_OPEN, ""},
    {T(2) "rejected bob step=content\n"
        T(3) "reset alice step=content\n"
        T(4) "approved dora step=content\n",
     STEP_STATUS_APPROVED, "dora "},
    {T(2) "approved bob step=content\n"
        T(3) "opened postroomd step=content sha256=b2\n",
     STEP_STATUS_OPEN, ""},
    {T(2) "approved bob step=content\n"
        T(3) "ready postroomd state=extraction-pending\n",
     STEP_STATUS_APPROVED, "bob "},
    {T(2) "approved bob step=content\n"
        T(3) "ready postroomd state=extraction-pending\n"
        T(4) "withdrawn bob step=content state=target-ready\n",
     STEP_STATUS_OPEN, ""},
    {T(2) "stopped alice file=1 state=stopped\n", STEP_STATUS_CLOSED, ""},
    {T(2) "rejected bob step=content\n"
        T(3) "stopped alice file=1 state=stopped\n",
     STEP_STATUS_REJECTED, "bob "},
    {T(2) "approved bob step=target\n", STEP_STATUS_OPEN, ""},
};

static void view_fold__answers__stand_until_withdrawn_or_reset(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof STEP_ROWS / sizeof STEP_ROWS[0]; i++) {
        struct buf text = BUF_EMPTY;
        struct buf who = BUF_EMPTY;
        buf_add_format(&text, TAKEN OPENED "%s", STEP_ROWS[i].lines);
        struct view view = fold(buf_text(&text));
        const struct view_step *step = &view.steps[STEP_CONTENT];
        for (size_t a = 0; a < step->answer_count; a++) {
            buf_add_format(&who, "%s ", step->answers[a]->who);
        }
        if (step->status != STEP_ROWS[i].status || strcmp(buf_text(&who), STEP_ROWS[i].who) != 0) {
            fail_msg("row %zu: %s by '%s'", i, step_status_name(step->status), buf_text(&who));
        }
        assert_int_equal(step->is_open, step->status == STEP_STATUS_OPEN);
        assert_string_equal(step->decided_by, step->answer_count == 0
                                                  ? ""
                                                  : step->answers[step->answer_count - 1]->who);
        buf_release(&text);
        buf_release(&who);
        view_release(&view);
    }
}

static void view_fold__rounds__are_added_never_replaced(void **unused)
{
    (void)unused;
    struct view view = fold(
        TAKEN OPENED
        T(2) "rejected bob step=content file=0001-b.conf comment=\"no, not so\"\n"
        T(3) "taken alice revision=2 drop=2049:78:1 state=target-ready\n"
        T(4) "opened postroomd step=content sha256=b2\n"
        T(5) "held alice file=0002-a.conf comment=wait state=target-ready\n"
        T(6) "released alice file=0003-a.conf state=target-ready\n"
        T(7) "approved dora step=content file=0004-b.conf\n"
        T(8) "ready postroomd state=confirmation-pending\n"
        T(9) "confirmed carol file=0005-c.conf comment=go state=extraction-pending\n");
    static const struct {
        enum step step;
        enum verb verb;
        const char *who;
        const char *comment;
    } rows[] = {
        {STEP_CONTENT, VERB_REJECT, "bob", "no, not so"},
        {STEP_DELIVERY, VERB_HOLD, "alice", "wait"},
        {STEP_DELIVERY, VERB_RELEASE, "alice", ""},
        {STEP_CONTENT, VERB_APPROVE, "dora", ""},
        {STEP_DELIVERY, VERB_CONFIRM, "carol", "go"},
    };
    assert_int_equal(view.round_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(view.rounds[i]->step, rows[i].step);
        assert_int_equal(view.rounds[i]->verb, rows[i].verb);
        assert_string_equal(view.rounds[i]->who, rows[i].who);
        assert_string_equal(view.rounds[i]->comment, rows[i].comment);
    }
    assert_int_equal(view.rounds[0]->at_ns, NS(2));
    assert_int_equal(view.file_count, 5);
    assert_true(view_names_file(&view, "0003-a.conf"));
    assert_int_equal(view.revision, 2);
    assert_int_equal(view.steps[STEP_DELIVERY].status, STEP_STATUS_APPROVED);
    assert_string_equal(view.steps[STEP_CONTENT].sha256, "b2");
    view_release(&view);
}

static void view_fold__many_rounds_and_files__all_are_there(void **unused)
{
    (void)unused;
    struct buf text = BUF_EMPTY;
    char name[32];
    buf_add_text(&text, TAKEN OPENED);
    for (int i = 0; i < 1000; i++) {
        buf_add_format(&text, T(2) "%s bob step=content file=%04d-x\n",
                       i % 2 == 0 ? "approved" : "withdrawn", (i * 7) % 1000);
    }
    struct view view = fold(buf_text(&text));
    assert_int_equal(view.round_count, 1000);
    assert_int_equal(view.file_count, 1000);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "%04d-x", i);
        assert_true(view_names_file(&view, name));
    }
    view_release(&view);
    buf_release(&text);
}

static void view_fold__same_file_twice__is_named_once(void **unused)
{
    (void)unused;
    struct view view = fold(
        TAKEN OPENED
        T(2) "approved bob step=content file=a\n"
        T(3) "ready postroomd file=a state=scheduled\n");
    assert_int_equal(view.file_count, 1);
    view_release(&view);
}

/* --- states --- */

static void view_fold__confirmation_pending__opens_the_step_delivery(void **unused)
{
    (void)unused;
    struct view view = fold(
        TAKEN
        T(2) "ready postroomd state=confirmation-pending\n");
    assert_true(view.steps[STEP_DELIVERY].is_open);
    assert_int_equal(view.steps[STEP_DELIVERY].opened_ns, NS(2));
    view_release(&view);
    view = fold(
        TAKEN
        T(1) "opened postroomd step=delivery sha256=d1\n"
        T(2) "ready postroomd state=confirmation-pending\n");
    assert_int_equal(view.steps[STEP_DELIVERY].opened_ns, NS(1));
    assert_string_equal(view.steps[STEP_DELIVERY].sha256, "d1");
    view_release(&view);
    view = fold(
        TAKEN
        T(2) "ready postroomd state=confirmation-pending\n"
        T(3) "confirmed carol state=extraction-pending\n"
        T(4) "withdrawn root step=target state=target-ready\n");
    assert_int_equal(view.steps[STEP_DELIVERY].status, STEP_STATUS_CLOSED);
    view_release(&view);
}

static void view_fold__restart__back_to_pending_and_the_next_round(void **unused)
{
    (void)unused;
    struct view view = fold(
        EXTRACTED
        T(5) "opened postroomd step=extraction sha256=ff\n"
        T(6) "restarted bob file=0001-r round=1 state=extraction-pending\n");
    assert_int_equal(view.state, STATE_EXTRACTION_PENDING);
    assert_false(view.is_extracted);
    assert_int_equal(view.extraction_round, 1);
    assert_string_equal(view.archive, "");
    assert_int_equal(view.steps[STEP_EXTRACTION].status, STEP_STATUS_CLOSED);
    assert_string_equal(view.steps[STEP_EXTRACTION].sha256, "");
    assert_int_equal(view.rounds[0]->verb, VERB_RESTART);
    assert_int_equal(view.rounds[0]->step, STEP_EXTRACTION);
    view_release(&view);
    view = fold(
        EXTRACTED
        T(6) "restarted bob round=1 state=extraction-pending\n"
        T(7) "extracting postroomd round=2 state=extracting\n");
    assert_int_equal(view.extraction_round, 2);
    assert_false(view.is_extracted);
    assert_string_equal(view.cost_receipt, "");
    view_release(&view);
}

static void view_fold__restart_of_a_proof__closes_the_proof_too(void **unused)
{
    (void)unused;
    struct view view = fold(
        EXTRACTED
        T(5) "opened postroomd step=proof sha256=ff\n"
        T(6) "restarted bob step=proof round=1 state=extraction-pending\n");
    assert_int_equal(view.steps[STEP_PROOF].status, STEP_STATUS_CLOSED);
    assert_int_equal(view.rounds[0]->step, STEP_PROOF);
    view_release(&view);
}

#define ASKED                                                                                      \
    T(1) "taken alice revision=1 drop=1:2 state=target-ready\n"                                     \
    T(2) "proof-wanted bob step=proof file=0001-p.conf sha256=aa proof=1 note=\"look here\"\n"

static void view_fold__proof_asked_for__is_due_until_it_is_sent(void **unused)
{
    (void)unused;
    struct view view = fold(ASKED);
    assert_ptr_equal(view_proof_due(&view), &view.proofs[0]);
    assert_int_equal(view.proofs[0].number, 1);
    assert_string_equal(view.proofs[0].who, "bob");
    assert_string_equal(view.proofs[0].note, "look here");
    assert_int_equal(view.rounds[0]->verb, VERB_SEND);
    assert_string_equal(view.rounds[0]->comment, "look here");
    assert_true(view_names_file(&view, "0001-p.conf"));
    assert_int_equal(view.state, STATE_TARGET_READY);
    view_release(&view);
    view = fold(ASKED T(3) "proof-sent postroomd step=proof proof=1 sent=2 failed=1 uncertain=3\n");
    assert_null(view_proof_due(&view));
    assert_int_equal(view.proofs[0].sent, 2);
    assert_int_equal(view.proofs[0].failed, 1);
    assert_int_equal(view.proofs[0].uncertain, 3);
    assert_int_equal(view.round_count, 1); /* what the daemon says is no decision */
    view_release(&view);
}

static void view_fold__proof_that_failed__says_why_and_the_delivery_does_not(void **unused)
{
    (void)unused;
    struct view view = fold(ASKED T(3) "proof-failed postroomd step=proof proof=1 reason=why\n");
    assert_null(view_proof_due(&view));
    assert_string_equal(view.proofs[0].reason, "why");
    assert_string_equal(view.reason, "");
    view_release(&view);
}

static void view_fold__delivery_goes_on_or_is_revised__gives_its_proof_up(void **unused)
{
    (void)unused;
    static const char *const after[] = {
        ASKED T(3) "taken alice revision=2 drop=1:3 state=target-ready\n",
        ASKED T(3) "ready postroomd state=scheduled\n",
        ASKED T(3) "stopped alice step=delivery file=0002-s.conf state=stopped\n"};
    for (size_t i = 0; i < sizeof after / sizeof after[0]; i++) {
        struct view view = fold(after[i]);
        assert_null(view_proof_due(&view));
        assert_true(view.proofs[0].is_given_up);
        view_release(&view);
    }
    struct view view = fold(ASKED T(3) "ready postroomd state=confirmation-pending\n");
    assert_non_null(view_proof_due(&view));
    view_release(&view);
}

static void view_fold__proof_wanted_without_a_file__is_no_proof_of_a_message(void **unused)
{
    (void)unused;
    struct view view = fold(EXTRACTED T(6) "proof-wanted postroomd state=proof-to-send\n");
    assert_int_equal(view.proof_count, 0);
    assert_int_equal(view.state, STATE_PROOF_TO_SEND);
    view_release(&view);
}

static void view_add__many_proofs__are_as_if_folded_at_once(void **unused)
{
    (void)unused;
    struct view view = fold(T(1) "taken alice revision=1 drop=1:2 state=target-ready\n");
    for (int n = 1; n <= 20; n++) {
        struct buf lines = BUF_EMPTY;
        buf_add_format(&lines,
                       T(2) "proof-wanted bob step=proof file=%04d-p proof=%d\n" T(3)
                           "proof-sent postroomd step=proof proof=%d sent=%d\n",
                       n, n, n, n);
        assert_int_equal(view_add(&view, buf_slice(&lines), NULL), RC_OK);
        buf_release(&lines);
    }
    assert_int_equal(view.proof_count, 20);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(view.proofs[i].number, i + 1);
        assert_int_equal(view.proofs[i].sent, i + 1);
    }
    view_release(&view);
}

static void view_fold__revision_while_in_extract__approval_of_the_file_is_gone(void **unused)
{
    (void)unused;
    struct view view = fold(
        EXTRACTED
        T(5) "opened postroomd step=extraction sha256=ff\n"
        T(6) "taken root revision=2 drop=x rows=5 records=4 state=target-ready\n");
    assert_int_equal(view.state, STATE_TARGET_READY);
    assert_string_equal(view.dropper, "root");
    assert_int_equal(view.steps[STEP_EXTRACTION].status, STEP_STATUS_CLOSED);
    assert_int_equal(view.rows, 5);
    assert_int_equal(view.seeds, 0);
    view_release(&view);
    view = fold(
        EXTRACTED
        T(5) "opened postroomd step=extraction sha256=ff\n"
        T(6) "taken root revision=2 drop=x state=extraction-to-approve\n");
    assert_true(view.steps[STEP_EXTRACTION].is_open);
    assert_string_equal(view.archive, "A_1.zip");
    view_release(&view);
}

static void view_fold__reason__until_the_state_changes_without_one(void **unused)
{
    (void)unused;
    struct view view = fold(
        TAKEN
        T(1) "preparation-error postroomd reason=\"line 7: too many fields\" state=preparation-error\n"
        T(2) "held alice comment=x state=preparation-error\n");
    assert_string_equal(view.reason, "line 7: too many fields");
    assert_int_equal(view.since_ns, NS(1)); /* a hold is no new state */
    view_release(&view);
    view = fold(
        TAKEN
        T(1) "preparation-error postroomd reason=\"line 7\" state=preparation-error\n"
        T(2) "taken alice revision=2 drop=x state=target-ready\n");
    assert_string_equal(view.reason, "");
    assert_int_equal(view.since_ns, NS(2));
    view_release(&view);
    view = fold(
        TAKEN
        T(1) "extracting postroomd round=1 state=extracting\n"
        T(2) "extraction-failed postroomd round=1 reason=\"disk full\"\n");
    assert_string_equal(view.reason, "disk full");
    assert_int_equal(view.state, STATE_EXTRACTING);
    view_release(&view);
}

static void view_fold__hold__until_released_or_ended(void **unused)
{
    (void)unused;
    struct view view = fold(
        TAKEN
        T(1) "held bob file=1 comment=\"wait a bit\" state=target-ready\n");
    assert_true(view.is_held);
    assert_string_equal(view.held_by, "bob");
    assert_string_equal(view.held_comment, "wait a bit");
    assert_int_equal(view.held_ns, NS(1));
    view_release(&view);
    view = fold(
        TAKEN
        T(1) "held bob\n"
        T(2) "released alice\n");
    assert_false(view.is_held);
    assert_string_equal(view.held_by, "");
    view_release(&view);
    view = fold(
        TAKEN
        T(1) "held bob\n"
        T(2) "stopped alice file=2 reason=enough state=stopped\n");
    assert_false(view.is_held);
    assert_int_equal(view.rounds[1]->verb, VERB_STOP);
    view_release(&view);
}

static void view_fold__stopped_by_the_daemon__is_no_decision(void **unused)
{
    (void)unused;
    struct view view = fold(
        TAKEN
        T(1) "stopped postroomd reason=x state=stopped\n");
    assert_int_equal(view.round_count, 0);
    view_release(&view);
}

static void view_fold__unknown_event__state_reason_and_file_count(void **unused)
{
    (void)unused;
    struct view view = fold(
        TAKEN
        T(1) "enlightened postroomd state=scheduled reason=why file=f rows=7 step=nonsense\n");
    assert_int_equal(view.state, STATE_SCHEDULED);
    assert_int_equal(view.state_event, EVENT_COUNT);
    assert_int_equal(view.last_event, EVENT_COUNT);
    assert_string_equal(view.reason, "why");
    assert_true(view_names_file(&view, "f"));
    assert_int_equal(view.rows, 100);
    view_release(&view);
}

/* --- damage --- */

static void view_fold__torn_tail__is_not_read_but_told(void **unused)
{
    (void)unused;
    struct view view = fold(
        TAKEN
        T(1) "stopped alice state=stop");
    assert_int_equal(view.state, STATE_TARGET_READY);
    assert_int_equal(view.tail.torn_bytes, strlen(T(1) "stopped alice state=stop"));
    assert_int_equal(view.tail.line_count, 1);
    view_release(&view);
}

static void view_fold__values_that_mean_nothing__corrupt_with_line(void **unused)
{
    (void)unused;
    static const char *const bad[] = {
        T(1) "ready postroomd state=redy\n",
        T(1) "enlightened postroomd state=\n",
        T(1) "enlightened postroomd state=\"\"\n",
        T(1) "opened postroomd sha256=aa\n",
        T(1) "opened postroomd step=contents\n",
        T(1) "approved bob\n",
        T(1) "approved bob step=content wanted=-1\n",
        T(1) "taken alice revision=one state=target-ready\n",
        T(1) "prepared postroomd rows=1e3\n",
        T(1) "extracting postroomd round=99999999999999999999\n",
        "rubbish\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf text = BUF_EMPTY;
        struct view view;
        struct err err = {""};
        buf_add_format(&text, TAKEN "%s", bad[i]);
        assert_int_equal(view_fold(buf_slice(&text), &view, &err), RC_CORRUPT);
        assert_int_equal(strncmp(err.text, "journal:2: ", 11), 0);
        assert_int_equal(view.state, STATE_NONE);
        assert_null(view.arena.newest);
        view_release(&view);
        buf_release(&text);
    }
}

static void view_fold__random_lines__end_in_a_result(void **unused)
{
    (void)unused;
    uint64_t seed = 424242;
    for (int round = 0; round < 3000; round++) {
        struct buf text = BUF_EMPTY;
        struct view view;
        buf_add_text(&text, TAKEN);
        for (uint64_t i = next_random(&seed) % 12; i > 0; i--) {
            buf_add_format(
                &text, T(3) "%s %s step=%s state=%s wanted=%d file=%d\n",
                event_name((enum delivery_event)(next_random(&seed) % EVENT_COUNT)),
                next_random(&seed) % 2 == 0 ? "bob" : "dora",
                step_name((enum step)(next_random(&seed) % STEP_COUNT)),
                state_name((enum delivery_state)(1 + next_random(&seed) % (STATE_COUNT - 1))),
                (int)(next_random(&seed) % 3), (int)(next_random(&seed) % 9));
        }
        assert_int_equal(view_fold(buf_slice(&text), &view, NULL), RC_OK);
        for (int s = 0; s < STEP_COUNT; s++) {
            const struct view_step *step = &view.steps[s];
            assert_true(step->answer_count <= view.round_count);
            assert_true(step->status != STEP_STATUS_CLOSED || step->answer_count == 0);
        }
        view_release(&view);
        buf_release(&text);
    }
}

/* --- the file --- */

static void view_load__written_by_the_journal__is_folded(void **state)
{
    const struct folder *folder = *state;
    struct journal_writer writer = JOURNAL_WRITER_EMPTY;
    struct view view;
    journal_begin(&writer, NS(0), event_name(EVENT_TAKEN), "alice");
    journal_put_u64(&writer, "revision", 3);
    journal_put_text(&writer, "state", state_name(STATE_TARGET_READY));
    assert_int_equal(journal_end(&writer, NULL), RC_OK);
    journal_begin(&writer, NS(1), event_name(EVENT_HELD), "bob");
    journal_put_text(&writer, "comment", "two words, \"quoted\"\nand a line");
    assert_int_equal(journal_end(&writer, NULL), RC_OK);
    assert_int_equal(journal_append(folder->fd, buf_slice(&writer.lines), NULL), RC_OK);
    assert_int_equal(view_load(folder->fd, &view, NULL), RC_OK);
    assert_int_equal(view.revision, 3);
    assert_string_equal(view.held_comment, "two words, \"quoted\"\nand a line");
    view_release(&view);
    journal_writer_release(&writer);
}

static void view_load__no_journal_or_none_readable__is_told(void **state)
{
    const struct folder *folder = *state;
    struct view view;
    assert_int_equal(view_load(folder->fd, &view, NULL), RC_GONE);
    view_release(&view);
    assert_int_equal(symlinkat("x", folder->fd, JOURNAL_FILE), 0);
    assert_int_equal(view_load(folder->fd, &view, NULL), RC_PERM);
    view_release(&view);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

/* Whatever is appended, a view that grows is the view of the whole. */
static void assert_same_view(const struct view *a, const struct view *b)
{
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->state_event, b->state_event);
    assert_int_equal(a->since_ns, b->since_ns);
    assert_int_equal(a->revision, b->revision);
    assert_int_equal(a->is_held, b->is_held);
    assert_int_equal(a->round_count, b->round_count);
    assert_int_equal(a->file_count, b->file_count);
    assert_int_equal(a->extraction_round, b->extraction_round);
    assert_int_equal(a->is_extracted, b->is_extracted);
    assert_int_equal(a->records, b->records);
    assert_int_equal(a->first_ns, b->first_ns);
    assert_int_equal(a->last_ns, b->last_ns);
    assert_int_equal(a->tail.line_count, b->tail.line_count);
    assert_int_equal(a->tail.whole_bytes, b->tail.whole_bytes);
    assert_string_equal(a->reason, b->reason);
    assert_string_equal(a->archive, b->archive);
    for (size_t i = 0; i < a->file_count; i++) {
        assert_string_equal(a->files[i], b->files[i]);
    }
    for (int i = 0; i < STEP_COUNT; i++) {
        assert_int_equal(a->steps[i].status, b->steps[i].status);
        assert_int_equal(a->steps[i].answer_count, b->steps[i].answer_count);
        assert_string_equal(a->steps[i].decided_by, b->steps[i].decided_by);
    }
}

static void view_add__line_by_line__is_as_the_whole(void **unused)
{
    (void)unused;
    static const char *const lines[] = {
        T(0) "taken alice revision=1 drop=1:2:3 rows=9 records=8 state=target-ready\n",
        T(1) "opened postroomd step=target sha256=b1\n" T(1) "opened postroomd step=content\n",
        T(2) "approved bob step=target wanted=1 file=0002-b.conf\n",
        T(2) "approved carol step=target file=0001-a.conf comment=\"well done\"\n",
        T(3) "rejected dave step=content file=0003-c.conf\n",
        T(3) "reset alice step=content file=0004-d.conf\n",
        T(4) "approved dave step=content file=0005-e.conf\n" T(4) "ready postroomd "
        "state=extraction-pending\n",
        T(5) "held alice file=0006-f.conf\n",
        T(6) "released alice file=0007-g.conf\n",
        T(7) "extracting postroomd round=1 state=extracting\n",
        T(8) "extracted postroomd round=1 records=7 archive=a.zip\n",
        T(9) "withdrawn carol step=target file=0008-h.conf\n",
    };
    struct view grown = fold("");
    struct buf all = BUF_EMPTY;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        buf_add_text(&all, lines[i]);
        struct view whole = fold(buf_text(&all));
        assert_int_equal(view_add(&grown, slice_of(lines[i]), NULL), RC_OK);
        assert_same_view(&grown, &whole);
        view_release(&whole);
    }
    assert_true(view_names_file(&grown, "0001-a.conf"));
    view_release(&grown);
    buf_release(&all);
}

static void view_add__damaged_line_or_torn_tail__is_told_and_leaves_nothing(void **unused)
{
    (void)unused;
    struct view view = fold(TAKEN);
    assert_int_equal(view_add(&view, slice_of("no line\n"), NULL), RC_CORRUPT);
    assert_int_equal(view.state, STATE_NONE);
    struct view torn = fold(TAKEN "2027-03-01T08");
    assert_int_equal(view_add(&torn, slice_of(TAKEN), NULL), RC_STATE);
    assert_int_equal(torn.state, STATE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(view_fold__empty__nothing_taken),
        cmocka_unit_test(view_fold__taken__says_what_and_who),
        cmocka_unit_test(view_fold__extracted__archive_receipts_and_counts),
        cmocka_unit_test(view_fold__whole_life__finished_and_nothing_waits),
        cmocka_unit_test(view_fold__answers__stand_until_withdrawn_or_reset),
        cmocka_unit_test(view_fold__rounds__are_added_never_replaced),
        cmocka_unit_test(view_fold__many_rounds_and_files__all_are_there),
        cmocka_unit_test(view_fold__same_file_twice__is_named_once),
        cmocka_unit_test(view_fold__confirmation_pending__opens_the_step_delivery),
        cmocka_unit_test(view_fold__restart__back_to_pending_and_the_next_round),
        cmocka_unit_test(view_fold__restart_of_a_proof__closes_the_proof_too),
        cmocka_unit_test(view_fold__proof_asked_for__is_due_until_it_is_sent),
        cmocka_unit_test(view_fold__proof_that_failed__says_why_and_the_delivery_does_not),
        cmocka_unit_test(view_fold__delivery_goes_on_or_is_revised__gives_its_proof_up),
        cmocka_unit_test(view_fold__proof_wanted_without_a_file__is_no_proof_of_a_message),
        cmocka_unit_test(view_add__many_proofs__are_as_if_folded_at_once),
        cmocka_unit_test(view_fold__revision_while_in_extract__approval_of_the_file_is_gone),
        cmocka_unit_test(view_fold__reason__until_the_state_changes_without_one),
        cmocka_unit_test(view_fold__hold__until_released_or_ended),
        cmocka_unit_test(view_fold__stopped_by_the_daemon__is_no_decision),
        cmocka_unit_test(view_fold__unknown_event__state_reason_and_file_count),
        cmocka_unit_test(view_fold__torn_tail__is_not_read_but_told),
        cmocka_unit_test(view_fold__values_that_mean_nothing__corrupt_with_line),
        cmocka_unit_test(view_fold__random_lines__end_in_a_result),
        cmocka_unit_test(view_add__line_by_line__is_as_the_whole),
        cmocka_unit_test(view_add__damaged_line_or_torn_tail__is_told_and_leaves_nothing),
        IN_FOLDER(view_load__written_by_the_journal__is_folded),
        IN_FOLDER(view_load__no_journal_or_none_readable__is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
