/*
 * state_test - names in both directions, and every cell of state x event against a table written by
 * hand
 */
#include "delivery/state.h"
#include "delivery/step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void state_name__every_state__is_read_back(void **unused)
{
    (void)unused;
    for (int i = 1; i < STATE_COUNT; i++) {
        enum delivery_state back = STATE_NONE;
        assert_true(state_from_name(slice_of(state_name((enum delivery_state)i)), &back));
        assert_int_equal(back, i);
        assert_true(state_shown_as(back)[0] != '\0');
    }
}

static void event_name__every_event__is_read_back(void **unused)
{
    (void)unused;
    for (int i = 0; i < EVENT_COUNT; i++) {
        enum delivery_event back = EVENT_COUNT;
        assert_true(event_from_name(slice_of(event_name((enum delivery_event)i)), &back));
        assert_int_equal(back, i);
    }
}

static void names__of_steps_and_verbs__are_read_back(void **unused)
{
    (void)unused;
    for (int i = 0; i < STEP_COUNT; i++) {
        enum step back = STEP_COUNT;
        assert_true(step_from_name(slice_of(step_name((enum step)i)), &back));
        assert_int_equal(back, i);
        assert_string_equal(step_names()[i], step_name((enum step)i));
    }
    for (int i = 0; i < VERB_COUNT; i++) {
        enum verb back = VERB_COUNT;
        assert_true(verb_from_name(slice_of(verb_name((enum verb)i)), &back));
        assert_int_equal(back, i);
        assert_string_equal(verb_names()[i], verb_name((enum verb)i));
    }
}

static void names__unknown_or_empty__are_refused(void **unused)
{
    (void)unused;
    static const char *const bad[] = {"", "Finished", "target_ready", "finished ", "x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        enum delivery_state state = STATE_PAUSED;
        enum delivery_event event = EVENT_READY;
        enum step step = STEP_PROOF;
        enum verb verb = VERB_HOLD;
        assert_false(state_from_name(slice_of(bad[i]), &state));
        assert_false(event_from_name(slice_of(bad[i]), &event));
        assert_false(step_from_name(slice_of(bad[i]), &step));
        assert_false(verb_from_name(slice_of(bad[i]), &verb));
        assert_int_equal(state, STATE_PAUSED);
        assert_int_equal(step, STEP_PROOF);
    }
    struct slice nothing = {NULL, 0};
    enum delivery_state state = STATE_PAUSED;
    assert_false(state_from_name(nothing, &state));
}

struct shown {
    const char *state;
    const char *stage;
    const char *shown_as;
};

static void state__contract_section_4__stage_and_words(void **unused)
{
    (void)unused;
    static const struct shown rows[] = {
        {"preparation-error", "pending", "Preparation failed"},
        {"target-ready", "pending", "To approve"},
        {"extraction-pending", "pending", "Extraction pending"},
        {"confirmation-pending", "pending", "Pending confirmation"},
        {"scheduled", "pending", "Scheduled"},
        {"extracting", "extract", "Extraction in progress"},
        {"extraction-to-approve", "extract", "File to approve"},
        {"proof-to-send", "extract", "Proof to send"},
        {"proof-to-submit", "extract", "To submit"},
        {"proof-to-approve", "extract", "Proof to approve"},
        {"sending", "outbox", "In progress"},
        {"paused", "outbox", "Paused"},
        {"handed-over", "outbox", "With the router"},
        {"acknowledged", "outbox", "Received by the router"},
        {"router-refused", "outbox", "Refused by the router"},
        {"finished", "done", "Finished"},
        {"stopped", "done", "Stopped"},
        {"failed", "done", "Failed"},
    };
    assert_int_equal(sizeof rows / sizeof rows[0], STATE_COUNT - 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum delivery_state state = STATE_NONE;
        assert_true(state_from_name(slice_of(rows[i].state), &state));
        assert_string_equal(stage_name(state_stage(state)), rows[i].stage);
        assert_string_equal(state_shown_as(state), rows[i].shown_as);
        assert_int_equal(state_is_terminal(state), i >= 15);
    }
}

/* One letter a state, in the order of the enum; '.' not allowed. Plain mail. */
static const char LETTERS[STATE_COUNT + 1] = "-PTECSXAsupGZHKRFOI";

struct column {
    enum delivery_event event;
    const char *next; /* the letter that follows, for each state */
};

/* clang-format off */
static const struct column EXPECTED[] = {
    /*                        -PTECSXAsupGZHKRFOI */
    {EVENT_TAKEN,            "TTTTTTTTTTT........"},
    {EVENT_PREPARED,         "..T................"},
    {EVENT_PREPARATION_ERROR,"..PPP.P....P......."},
    {EVENT_OPENED,           "..T.C.XA..p........"},
    {EVENT_APPROVED,         "..T....A..p........"},
    {EVENT_REJECTED,         "..T....A..u........"},
    {EVENT_WITHDRAWN,        "..TTTT.A..p........"},
    {EVENT_RESET,            "..TTTT............."},
    {EVENT_READY,            "..E................"},
    {EVENT_CONFIRMED,        "....E.............."},
    {EVENT_HELD,             ".PTECSXAsup........"},
    {EVENT_RELEASED,         ".PTECSXAsup........"},
    {EVENT_EXTRACTING,       "...X..X............"},
    {EVENT_EXTRACTION_FAILED,"......X....G......."},
    {EVENT_EXTRACTED,        "......X............"},
    {EVENT_RESTARTED,        ".......EEEE........"},
    {EVENT_PUBLISHING,       "......GG..G........"},
    {EVENT_HANDED_OVER,      "...........H......."},
    {EVENT_FINISHED,         "......F....F.FFF..."},
    {EVENT_STOPPED,          ".OOOOOOOOOOOOOOO..."},
    {EVENT_FAILED,           ".IIIIIIIIIIII......"},
    {EVENT_PROOF_WANTED,     "..T.C..s..........."},
    {EVENT_PROOF_SENT,       "..T.C...uu........."},
    {EVENT_PROOF_FAILED,     "..T.C.............."},
    {EVENT_PROOF_SUBMITTED,  ".........p........."},
    {EVENT_ACKNOWLEDGED,     ".............K.K..."},
    {EVENT_ROUTER_REFUSED,   ".............RR...."},
    {EVENT_SENDING,          ".....G............."},
    {EVENT_FIXED,            "...........G......."},
    {EVENT_DELAYED,          "...........G......."},
    {EVENT_PAUSED,           "...........Z......."},
    {EVENT_RESUMED,          "............G......"},
};

/* clang-format on */

static void state_after__every_state_and_event__as_drawn(void **unused)
{
    (void)unused;
    assert_int_equal(sizeof EXPECTED / sizeof EXPECTED[0], EVENT_COUNT);
    for (int e = 0; e < EVENT_COUNT; e++) {
        assert_int_equal(EXPECTED[e].event, e);
        for (int s = 0; s < STATE_COUNT; s++) {
            enum delivery_state next = STATE_COUNT;
            struct err err = {""};
            enum rc rc =
                state_after((enum delivery_state)s, (enum delivery_event)e, NULL, &next, &err);
            char got = rc == RC_OK ? LETTERS[next] : '.';
            if (got != EXPECTED[e].next[s]) {
                fail_msg("%s in '%s': %c, expected %c", event_name((enum delivery_event)e),
                         state_name((enum delivery_state)s), got, EXPECTED[e].next[s]);
            }
            if (rc != RC_OK) {
                assert_int_equal(rc, RC_STATE);
                assert_int_equal(next, STATE_COUNT);
                assert_non_null(strstr(err.text, event_name((enum delivery_event)e)));
            }
        }
    }
}

struct fork {
    enum delivery_state from;
    enum delivery_event event;
    struct delivery_path path; /* online, confirm, extraction, proof, keeps */
    enum delivery_state to;
};

static void state_after__forks__follow_the_settings(void **unused)
{
    (void)unused;
    static const struct fork forks[] = {
        {STATE_TARGET_READY, EVENT_READY, {0, 0, 0, 0, 0}, STATE_EXTRACTION_PENDING},
        {STATE_TARGET_READY, EVENT_READY, {0, 1, 1, 1, 0}, STATE_CONFIRMATION_PENDING},
        {STATE_TARGET_READY, EVENT_READY, {1, 1, 0, 0, 0}, STATE_CONFIRMATION_PENDING},
        {STATE_TARGET_READY, EVENT_READY, {1, 0, 0, 0, 0}, STATE_SCHEDULED},
        {STATE_CONFIRMATION_PENDING, EVENT_CONFIRMED, {0, 1, 0, 0, 0}, STATE_EXTRACTION_PENDING},
        {STATE_CONFIRMATION_PENDING, EVENT_CONFIRMED, {1, 1, 0, 0, 0}, STATE_SCHEDULED},
        {STATE_EXTRACTING, EVENT_EXTRACTED, {0, 0, 1, 0, 0}, STATE_EXTRACTION_TO_APPROVE},
        {STATE_EXTRACTING, EVENT_EXTRACTED, {0, 0, 1, 1, 0}, STATE_EXTRACTION_TO_APPROVE},
        {STATE_EXTRACTING, EVENT_EXTRACTED, {0, 0, 0, 1, 0}, STATE_PROOF_TO_SEND},
        {STATE_EXTRACTING, EVENT_EXTRACTED, {0, 0, 0, 0, 0}, STATE_EXTRACTING},
        {STATE_EXTRACTION_TO_APPROVE, EVENT_TAKEN, {0, 0, 1, 0, 1}, STATE_EXTRACTION_TO_APPROVE},
        {STATE_EXTRACTION_TO_APPROVE, EVENT_TAKEN, {0, 0, 1, 0, 0}, STATE_TARGET_READY},
        {STATE_EXTRACTION_PENDING, EVENT_TAKEN, {0, 0, 1, 0, 1}, STATE_TARGET_READY},
    };
    for (size_t i = 0; i < sizeof forks / sizeof forks[0]; i++) {
        enum delivery_state next = STATE_NONE;
        assert_int_equal(state_after(forks[i].from, forks[i].event, &forks[i].path, &next, NULL),
                         RC_OK);
        assert_int_equal(next, forks[i].to);
    }
}

static void state_after__terminal_states__nothing_follows(void **unused)
{
    (void)unused;
    for (int s = 1; s < STATE_COUNT; s++) {
        for (int e = 0; e < EVENT_COUNT && state_is_terminal((enum delivery_state)s); e++) {
            enum delivery_state next = STATE_NONE;
            assert_int_equal(
                state_after((enum delivery_state)s, (enum delivery_event)e, NULL, &next, NULL),
                RC_STATE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_name__every_state__is_read_back),
        cmocka_unit_test(event_name__every_event__is_read_back),
        cmocka_unit_test(names__of_steps_and_verbs__are_read_back),
        cmocka_unit_test(names__unknown_or_empty__are_refused),
        cmocka_unit_test(state__contract_section_4__stage_and_words),
        cmocka_unit_test(state_after__every_state_and_event__as_drawn),
        cmocka_unit_test(state_after__forks__follow_the_settings),
        cmocka_unit_test(state_after__terminal_states__nothing_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
