/*
 * right_test - who may decide: every pair of step and decision, for every kind of person, in each
 * setting
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "operator/decision.h"
#include "operator/right.h"

#include <stdio.h>

static const char *const MARKETING[] = {"marketing"};

/* alice owns, bob is named, dora is of @marketing, eve is a stranger, root administers */
static const struct person PEOPLE[] = {
    {"alice", "alice", NULL, 0, false},    {"bob", "bob", NULL, 0, false},
    {"dora", "dora", MARKETING, 1, false}, {"eve", "eve", NULL, 0, false},
    {"root", "root", NULL, 0, true},
};
enum { PERSONS = 5 };

static const char *const BOB_AND_GROUP[] = {"bob", "@marketing"};
static const char *const ALICE_AND_BOB[] = {"alice", "bob"};
static const char *const GROUP_ONLY[] = {"@marketing"};
static const char *const ROOT_AND_BOB[] = {"root", "bob"};

struct scenario {
    const char *name;
    const char *const *reviewers;
    size_t reviewer_count;
    bool is_owner_confirmation;
    const char *dropper; /* NULL: four_eyes is off */
    const char
        *review; /* a letter each: R reviewer, O owner, A administrator, D decider, . may not */
    const char *withdraw;  /* what bob decided */
    const char *owner;     /* reset, submit */
    const char *brake_on;  /* hold, pause, stop; send */
    const char *brake_off; /* release, resume of what bob held */
};

static const struct scenario SCENARIOS[] = {
    {"reviewers", BOB_AND_GROUP, 2, false, NULL, ".RR.A", ".D..A", "O...A", "ORR.A", "ORR.A"},
    {"nobody named", NULL, 0, false, NULL, "O...A", ".D..A", "O...A", "O...A", "O...A"},
    {"nobody, confirmation", NULL, 0, true, NULL, "O...A", ".D..A", "O...A", "O...A", "O...A"},
    {"owner_confirmation", BOB_AND_GROUP, 2, true, NULL, "ORR.A", ".D..A", "O...A", "ORR.A",
     "ORR.A"},
    {"owner among them", ALICE_AND_BOB, 2, false, NULL, "RR..A", ".D..A", "O...A", "OR..A",
     "OR..A"},
    {"administrator among them", ROOT_AND_BOB, 2, false, NULL, ".R..R", ".D..A", "O...A", "OR..R",
     "OR..R"},
    {"four eyes, owner dropped", NULL, 0, false, "alice", "....A", ".D..A", "O...A", "O...A",
     "....A"},
    {"four eyes, confirmation", BOB_AND_GROUP, 2, true, "alice", ".RR.A", ".D..A", "O...A", "ORR.A",
     ".RR.A"},
    {"four eyes, administrator dropped", BOB_AND_GROUP, 2, false, "root", ".RR..", ".D...", "O...A",
     "ORR.A", "ORR.."},
    {"four eyes, bob dropped", BOB_AND_GROUP, 2, false, "bob", "..R.A", "....A", "O...A", "ORR.A",
     "ORR.A"},
    {"four eyes, dora dropped", GROUP_ONLY, 1, false, "dora", "....A", ".D..A", "O...A", "O.R.A",
     "O...A"},
    {"four eyes, stranger dropped", BOB_AND_GROUP, 2, false, "eve", ".RR.A", ".D..A", "O...A",
     "ORR.A", "ORR.A"},
};
enum { SCENARIO_COUNT = sizeof SCENARIOS / sizeof SCENARIOS[0] };

static const struct view_round BOB_APPROVED = {
    STEP_CONTENT, VERB_APPROVE, "bob", INT64_C(1800000000) * 1000000000, "fine", ""};
static const struct view_round DORA_APPROVED = {
    STEP_CONTENT, VERB_APPROVE, "dora", INT64_C(1800000001) * 1000000000, "", ""};
static const struct view_round *const BY_BOB[] = {&BOB_APPROVED};
static const struct view_round *const BY_DORA[] = {&DORA_APPROVED};

static struct view_step step_in(enum step_status status, const struct view_round *const *answers,
                                size_t count)
{
    struct view_step step = {.status = status,
                             .is_open = status == STEP_STATUS_OPEN,
                             .opened_ns = 0,
                             .sha256 = "",
                             .answers = (const struct view_round **)(uintptr_t)answers,
                             .answer_count = count,
                             .decided_by = count == 0 ? "" : answers[count - 1]->who,
                             .comment = ""};
    return step;
}

static struct right_question question(const struct scenario *scenario, enum step step,
                                      enum verb verb, size_t person,
                                      const struct view_step *previous)
{
    return (struct right_question){
        .step = step,
        .verb = verb,
        .person = &PEOPLE[person],
        .people = {PEOPLE, PERSONS},
        .settings = {true, scenario->reviewers, scenario->reviewer_count, false},
        .owner = "alice",
        .dropper = scenario->dropper == NULL ? "alice" : scenario->dropper,
        .is_owner_confirmation = scenario->is_owner_confirmation,
        .is_four_eyes = scenario->dropper != NULL,
        .previous = previous,
        .is_held = verb == VERB_RELEASE || verb == VERB_RESUME,
        .held_by = "bob",
    };
}

static const char *expected_of(const struct scenario *scenario, enum verb verb)
{
    switch (verb) {
    case VERB_WITHDRAW:
        return scenario->withdraw;
    case VERB_RESET:
    case VERB_SUBMIT:
        return scenario->owner;
    case VERB_SEND: /* the settings are the content's then: its reviewers may ask, too */
    case VERB_HOLD:
    case VERB_PAUSE:
    case VERB_STOP:
        return scenario->brake_on;
    case VERB_RELEASE:
    case VERB_RESUME:
        return scenario->brake_off;
    default:
        return scenario->review;
    }
}

static void check_cell(const struct scenario *scenario, enum step step, enum verb verb,
                       size_t person)
{
    bool is_decided = verb == VERB_WITHDRAW || verb == VERB_RESET;
    struct view_step previous =
        is_decided ? step_in(STEP_STATUS_APPROVED, BY_BOB, 1) : step_in(STEP_STATUS_OPEN, NULL, 0);
    struct right_question q = question(scenario, step, verb, person, &previous);
    struct right_answer answer = {RIGHT_AS_REVIEWER, 99};
    struct err err = {""};
    enum rc rc = right_check(&q, &answer, &err);
    char got = rc == RC_OK ? "ROAD"[answer.ground] : rc == RC_PERM ? '.' : '?';
    char want = expected_of(scenario, verb)[person];
    if (got != want) {
        fail_msg("%s: %s %s by %s: %c, expected %c (%s)", scenario->name, step_name(step),
                 verb_name(verb), PEOPLE[person].name, got, want, err.text);
    }
    if (rc == RC_OK) {
        assert_int_equal(answer.wanted, 0);
    } else {
        assert_non_null(strstr(err.text, PEOPLE[person].name));
        assert_non_null(strstr(err.text, "ask "));
    }
}

static void right_check__every_pair_person_and_setting__as_in_the_contract(void **unused)
{
    (void)unused;
    size_t cells = 0;
    for (size_t s = 0; s < SCENARIO_COUNT; s++) {
        for (int step = 0; step < STEP_COUNT; step++) {
            for (int verb = 0; verb < VERB_COUNT; verb++) {
                for (size_t p = 0;
                     p < PERSONS && decision_pair_exists((enum step)step, (enum verb)verb); p++) {
                    check_cell(&SCENARIOS[s], (enum step)step, (enum verb)verb, p);
                    cells++;
                }
            }
        }
    }
    assert_int_equal(cells, SCENARIO_COUNT * 26 * PERSONS);
}

/* --- is there anything to decide --- */

struct moment {
    enum step step;
    enum verb verb;
    enum step_status status;
    size_t answers; /* of bob */
    bool is_held;
    enum rc rc;
    const char *says; /* in the text of a refusal */
};

static const struct moment MOMENTS[] = {
    {STEP_CONTENT, VERB_APPROVE, STEP_STATUS_OPEN, 0, false, RC_OK, ""},
    {STEP_CONTENT, VERB_APPROVE, STEP_STATUS_CLOSED, 0, false, RC_STATE, "does not wait"},
    {STEP_CONTENT, VERB_APPROVE, STEP_STATUS_APPROVED, 1, false, RC_STATE,
     "content was approved by bob at 2027-01-15T08:00:00Z, who was first"},
    {STEP_CONTENT, VERB_APPROVE, STEP_STATUS_REJECTED, 1, false, RC_STATE, "rejected by bob"},
    {STEP_CONTENT, VERB_APPROVE, STEP_STATUS_APPROVED, 0, false, RC_STATE, "approved already"},
    {STEP_CONTENT, VERB_REJECT, STEP_STATUS_OPEN, 0, false, RC_OK, ""},
    {STEP_CONTENT, VERB_REJECT, STEP_STATUS_CLOSED, 0, false, RC_STATE, "does not wait"},
    {STEP_CONTENT, VERB_REJECT, STEP_STATUS_APPROVED, 1, false, RC_STATE, "approved by bob"},
    {STEP_CONTENT, VERB_REJECT, STEP_STATUS_REJECTED, 1, false, RC_STATE, "rejected by bob"},
    {STEP_CONTENT, VERB_WITHDRAW, STEP_STATUS_OPEN, 0, false, RC_STATE, "nothing to withdraw"},
    {STEP_CONTENT, VERB_WITHDRAW, STEP_STATUS_OPEN, 1, false, RC_OK, ""},
    {STEP_CONTENT, VERB_WITHDRAW, STEP_STATUS_CLOSED, 0, false, RC_STATE, "nothing to withdraw"},
    {STEP_CONTENT, VERB_WITHDRAW, STEP_STATUS_APPROVED, 1, false, RC_OK, ""},
    {STEP_CONTENT, VERB_WITHDRAW, STEP_STATUS_REJECTED, 1, false, RC_OK, ""},
    {STEP_CONTENT, VERB_RESET, STEP_STATUS_OPEN, 0, false, RC_STATE, "waits for an answer already"},
    {STEP_CONTENT, VERB_RESET, STEP_STATUS_CLOSED, 0, false, RC_STATE, "does not wait"},
    {STEP_CONTENT, VERB_RESET, STEP_STATUS_APPROVED, 1, false, RC_OK, ""},
    {STEP_CONTENT, VERB_RESET, STEP_STATUS_REJECTED, 1, false, RC_OK, ""},
    {STEP_EXTRACTION, VERB_RESTART, STEP_STATUS_OPEN, 0, false, RC_OK, ""},
    {STEP_EXTRACTION, VERB_RESTART, STEP_STATUS_REJECTED, 1, false, RC_OK, ""},
    {STEP_EXTRACTION, VERB_RESTART, STEP_STATUS_CLOSED, 0, false, RC_OK, ""},
    {STEP_EXTRACTION, VERB_RESTART, STEP_STATUS_APPROVED, 1, false, RC_STATE, "approved by bob"},
    {STEP_DELIVERY, VERB_CONFIRM, STEP_STATUS_OPEN, 0, false, RC_OK, ""},
    {STEP_DELIVERY, VERB_CONFIRM, STEP_STATUS_CLOSED, 0, false, RC_STATE, "does not wait"},
    {STEP_DELIVERY, VERB_CONFIRM, STEP_STATUS_APPROVED, 1, false, RC_STATE, "confirmed by bob"},
    {STEP_DELIVERY, VERB_HOLD, STEP_STATUS_CLOSED, 0, false, RC_OK, ""},
    {STEP_DELIVERY, VERB_HOLD, STEP_STATUS_CLOSED, 0, true, RC_STATE, "held already by bob"},
    {STEP_DELIVERY, VERB_RELEASE, STEP_STATUS_CLOSED, 0, true, RC_OK, ""},
    {STEP_DELIVERY, VERB_RELEASE, STEP_STATUS_CLOSED, 0, false, RC_STATE, "is not held"},
    {STEP_DELIVERY, VERB_PAUSE, STEP_STATUS_CLOSED, 0, true, RC_STATE, "paused already"},
    {STEP_DELIVERY, VERB_RESUME, STEP_STATUS_CLOSED, 0, false, RC_STATE, "is not paused"},
    {STEP_DELIVERY, VERB_STOP, STEP_STATUS_CLOSED, 0, false, RC_OK, ""},
    {STEP_DELIVERY, VERB_STOP, STEP_STATUS_APPROVED, 1, true, RC_OK, ""},
};

static void right_check__every_moment__says_who_was_first(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof MOMENTS / sizeof MOMENTS[0]; i++) {
        const struct moment *m = &MOMENTS[i];
        struct view_step previous = step_in(m->status, BY_BOB, m->answers);
        struct right_question q = question(&SCENARIOS[0], m->step, m->verb, 4, &previous);
        struct err err = {""};
        q.is_held = m->is_held;
        enum rc rc = right_check(&q, NULL, &err);
        if (rc != m->rc || strstr(err.text, m->says) == NULL) {
            fail_msg("row %zu: %s, expected %s: '%s'", i, rc_name(rc), rc_name(m->rc), err.text);
        }
    }
}

static void right_check__late_answer_of_a_stranger__not_permitted_comes_first(void **unused)
{
    (void)unused;
    struct view_step previous = step_in(STEP_STATUS_APPROVED, BY_BOB, 1);
    struct right_question q = question(&SCENARIOS[0], STEP_CONTENT, VERB_APPROVE, 3, &previous);
    struct err err = {""};
    assert_int_equal(right_check(&q, NULL, &err), RC_PERM);
    assert_string_equal(err.text,
                        "eve may not approve content of this delivery: others are named as "
                        "reviewers; ask bob, @marketing (dora) or an administrator (root)");
}

static void right_check__step_is_off__reports_state_to_everybody(void **unused)
{
    (void)unused;
    struct view_step previous = step_in(STEP_STATUS_CLOSED, NULL, 0);
    static const enum verb verbs[] = {VERB_APPROVE, VERB_REJECT, VERB_WITHDRAW, VERB_RESET};
    for (size_t v = 0; v < 4; v++) {
        for (size_t p = 0; p < PERSONS; p++) {
            struct right_question q = question(&SCENARIOS[0], STEP_CONTENT, verbs[v], p, &previous);
            struct err err = {""};
            q.settings.is_on = false;
            assert_int_equal(right_check(&q, NULL, &err), RC_STATE);
            assert_non_null(strstr(err.text, "it is off in 'approvals'"));
        }
    }
    struct right_question q = question(&SCENARIOS[1], STEP_DELIVERY, VERB_STOP, 0, &previous);
    q.settings.is_on = false;
    assert_int_equal(right_check(&q, NULL, NULL), RC_OK);
}

static void right_check__owner_against_reviewers__reason_names_the_option(void **unused)
{
    (void)unused;
    struct view_step previous = step_in(STEP_STATUS_OPEN, NULL, 0);
    struct right_question q = question(&SCENARIOS[0], STEP_DELIVERY, VERB_CONFIRM, 0, &previous);
    struct err err = {""};
    assert_int_equal(right_check(&q, NULL, &err), RC_PERM);
    assert_non_null(strstr(err.text, "owner_confirmation is off"));
}

static void right_check__four_eyes__reason_does_not_send_back_to_the_dropper(void **unused)
{
    (void)unused;
    struct view_step previous = step_in(STEP_STATUS_OPEN, NULL, 0);
    struct right_question q = question(&SCENARIOS[9], STEP_CONTENT, VERB_APPROVE, 1, &previous);
    struct err err = {""};
    assert_int_equal(right_check(&q, NULL, &err), RC_PERM);
    assert_string_equal(err.text, "bob may not approve content of this delivery: nobody decides on "
                                  "what they dropped themselves (four_eyes); ask @marketing (dora) "
                                  "or an administrator (root)");
}

static void right_check__no_owner_or_lost_reviewers__an_administrator_is_left(void **unused)
{
    (void)unused;
    static const char *const lost[] = {"zoe", "@nobody"};
    struct view_step previous = step_in(STEP_STATUS_OPEN, NULL, 0);
    struct right_question q = question(&SCENARIOS[1], STEP_CONTENT, VERB_APPROVE, 1, &previous);
    struct err err = {""};
    q.owner = "";
    assert_int_equal(right_check(&q, NULL, &err), RC_PERM);
    assert_non_null(strstr(err.text, "ask an administrator (root)"));
    q.owner = "alice";
    q.settings = (struct right_settings){true, lost, 2, false};
    assert_int_equal(right_check(&q, NULL, &err), RC_PERM);
    assert_non_null(strstr(err.text, "zoe (no operator any more), @nobody (nobody)"));
    q.person = &PEOPLE[4];
    assert_int_equal(right_check(&q, NULL, &err), RC_OK);
}

/* --- all = true --- */

static enum rc ask_all(size_t person, enum verb verb, const struct view_round *const *answers,
                       size_t count, size_t *wanted, struct err *err)
{
    struct view_step previous = step_in(STEP_STATUS_OPEN, answers, count);
    struct right_question q = question(&SCENARIOS[0], STEP_CONTENT, verb, person, &previous);
    struct right_answer answer = {RIGHT_AS_REVIEWER, 99};
    q.settings.is_all = true;
    enum rc rc = right_check(&q, &answer, err);
    *wanted = answer.wanted;
    return rc;
}

static void right_check__all__counts_the_named_that_are_still_wanted(void **unused)
{
    (void)unused;
    size_t wanted = 0;
    assert_int_equal(ask_all(1, VERB_APPROVE, NULL, 0, &wanted, NULL), RC_OK);
    assert_int_equal(wanted, 1); /* of @marketing */
    assert_int_equal(ask_all(2, VERB_APPROVE, NULL, 0, &wanted, NULL), RC_OK);
    assert_int_equal(wanted, 1); /* bob */
    assert_int_equal(ask_all(2, VERB_APPROVE, BY_BOB, 1, &wanted, NULL), RC_OK);
    assert_int_equal(wanted, 0);
    assert_int_equal(ask_all(1, VERB_APPROVE, BY_DORA, 1, &wanted, NULL), RC_OK);
    assert_int_equal(wanted, 0);
    assert_int_equal(ask_all(2, VERB_REJECT, NULL, 0, &wanted, NULL), RC_OK);
    assert_int_equal(wanted, 0); /* one rejection is enough */
}

static void right_check__all__administrator_not_named_closes_the_step(void **unused)
{
    (void)unused;
    size_t wanted = 99;
    assert_int_equal(ask_all(4, VERB_APPROVE, NULL, 0, &wanted, NULL), RC_OK);
    assert_int_equal(wanted, 0);
}

static void right_check__all__second_answer_of_one_person__reports_state(void **unused)
{
    (void)unused;
    size_t wanted = 0;
    struct err err = {""};
    assert_int_equal(ask_all(1, VERB_APPROVE, BY_BOB, 1, &wanted, &err), RC_STATE);
    assert_non_null(strstr(err.text, "bob answered content at 2027-01-15T08:00:00Z already"));
    assert_int_equal(ask_all(1, VERB_REJECT, BY_BOB, 1, &wanted, &err), RC_STATE);
}

static void right_check__all__one_person_in_several_entries__counts_for_each(void **unused)
{
    (void)unused;
    static const char *const both[] = {"dora", "@marketing", "bob"};
    struct view_step previous = step_in(STEP_STATUS_OPEN, NULL, 0);
    struct right_question q = question(&SCENARIOS[0], STEP_CONTENT, VERB_APPROVE, 2, &previous);
    struct right_answer answer = {RIGHT_AS_REVIEWER, 99};
    q.settings = (struct right_settings){true, both, 3, true};
    assert_int_equal(right_check(&q, &answer, NULL), RC_OK);
    assert_int_equal(answer.wanted, 1);
}

static void right_check__all__answer_of_a_person_who_left__still_counts_by_name(void **unused)
{
    (void)unused;
    static const struct view_round by_zoe = {STEP_CONTENT, VERB_APPROVE, "zoe", 0, "", ""};
    static const struct view_round *const answers[] = {&by_zoe};
    static const char *const named[] = {"zoe", "bob"};
    struct view_step previous = step_in(STEP_STATUS_OPEN, answers, 1);
    struct right_question q = question(&SCENARIOS[0], STEP_CONTENT, VERB_APPROVE, 1, &previous);
    struct right_answer answer = {RIGHT_AS_REVIEWER, 99};
    q.settings = (struct right_settings){true, named, 2, true};
    assert_int_equal(right_check(&q, &answer, NULL), RC_OK);
    assert_int_equal(answer.wanted, 0);
}

/* --- people --- */

static void people_find__unknown_or_null__is_null(void **unused)
{
    (void)unused;
    struct people people = {PEOPLE, PERSONS};
    assert_ptr_equal(people_find(people, "dora"), &PEOPLE[2]);
    assert_null(people_find(people, "zoe"));
    assert_null(people_find(people, NULL));
    assert_null(people_find((struct people){NULL, 0}, "bob"));
}

static void person_matches__names_and_groups__are_kept_apart(void **unused)
{
    (void)unused;
    assert_true(person_matches(&PEOPLE[2], "dora"));
    assert_true(person_matches(&PEOPLE[2], "@marketing"));
    assert_false(person_matches(&PEOPLE[2], "marketing"));
    assert_false(person_matches(&PEOPLE[2], "@dora"));
    assert_false(person_matches(&PEOPLE[2], "@"));
    assert_false(person_matches(&PEOPLE[1], "@marketing"));
    assert_false(person_matches(&PEOPLE[1], ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_check__every_pair_person_and_setting__as_in_the_contract),
        cmocka_unit_test(right_check__every_moment__says_who_was_first),
        cmocka_unit_test(right_check__late_answer_of_a_stranger__not_permitted_comes_first),
        cmocka_unit_test(right_check__step_is_off__reports_state_to_everybody),
        cmocka_unit_test(right_check__owner_against_reviewers__reason_names_the_option),
        cmocka_unit_test(right_check__four_eyes__reason_does_not_send_back_to_the_dropper),
        cmocka_unit_test(right_check__no_owner_or_lost_reviewers__an_administrator_is_left),
        cmocka_unit_test(right_check__all__counts_the_named_that_are_still_wanted),
        cmocka_unit_test(right_check__all__administrator_not_named_closes_the_step),
        cmocka_unit_test(right_check__all__second_answer_of_one_person__reports_state),
        cmocka_unit_test(right_check__all__one_person_in_several_entries__counts_for_each),
        cmocka_unit_test(right_check__all__answer_of_a_person_who_left__still_counts_by_name),
        cmocka_unit_test(people_find__unknown_or_null__is_null),
        cmocka_unit_test(person_matches__names_and_groups__are_kept_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
