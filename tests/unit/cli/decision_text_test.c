/*
 * decision_text - what is dropped is what the daemon reads
 */
#include "cli/decision_text.h"
#include "operator/decision.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char DIGEST[] = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/* Writes a decision and reads it back with the daemon's reader. */
static void read_back(const struct decision_text *text, struct decision *out)
{
    struct buf bytes = BUF_EMPTY;
    struct err err = {{0}};
    decision_text_add(text, &bytes);
    enum rc rc = decision_read(buf_slice(&bytes), "d.conf", out, &err);
    if (rc != RC_OK) {
        print_error("%s\n%s\n", err.text, buf_text(&bytes));
    }
    assert_int_equal(rc, RC_OK);
    buf_release(&bytes);
}

static void
decision_text_add__comment_with_quotes_and_newlines__is_read_back_unchanged(void **state)
{
    (void)state;
    static const char comment[] = "He said \"yes\" \\ twice,\n\tthen left; /* é */ # no comment";
    struct decision_text text = {"spring-letter", STEP_CONTENT, VERB_REJECT, comment,
                                 DIGEST,          NULL,         false,       NULL};
    struct decision decision;
    read_back(&text, &decision);
    assert_string_equal(decision.delivery, "spring-letter");
    assert_int_equal(decision.step, STEP_CONTENT);
    assert_int_equal(decision.verb, VERB_REJECT);
    assert_string_equal(decision.comment, comment);
    assert_string_equal(decision.sha256, DIGEST);
    decision_release(&decision);
}

static void decision_text_add__nothing_optional__is_read_back(void **state)
{
    (void)state;
    struct decision_text text = {"a", STEP_DELIVERY, VERB_STOP, NULL, "", NULL, true, NULL};
    struct decision decision;
    read_back(&text, &decision);
    assert_string_equal(decision.comment, "");
    assert_string_equal(decision.sha256, "");
    assert_true(decision.is_recalled);
    decision_release(&decision);
}

static void decision_text_add__layout__keeps_the_lines_of_its_file(void **state)
{
    (void)state;
    struct decision_text text = {
        "a", STEP_EXTRACTION, VERB_RESTART, NULL, NULL, "\nlayout = {\n  level = 3;\n};", false,
        NULL};
    struct decision decision;
    read_back(&text, &decision);
    assert_non_null(decision.layout);
    assert_memory_equal(decision.layout, "\n", 1); /* `layout` stood on line 2, and does */
    assert_non_null(strstr(decision.layout, "level"));
    decision_release(&decision);
}

static void decision_text_add__note_of_a_proof__is_read_back(void **state)
{
    (void)state;
    struct decision_text text = {
        .id = "a", .step = STEP_PROOF, .verb = VERB_SEND, .note = "see \"blue\""};
    struct decision decision;
    read_back(&text, &decision);
    assert_string_equal(decision.note, "see \"blue\"");
    assert_string_equal(decision.comment, "");
    decision_release(&decision);
}

static void decision_text_name__longest_words__fit_and_are_found_again(void **state)
{
    (void)state;
    char id[ID_BYTES_MAX + 1];
    char name[DECISION_NAME_BYTES];
    char kept[DECISION_NAME_BYTES + 8];
    memset(id, 'x', ID_BYTES_MAX);
    id[ID_BYTES_MAX] = '\0';
    struct decision_text text = {.id = id, .step = STEP_EXTRACTION, .verb = VERB_WITHDRAW};
    decision_text_name(&text, INT64_MAX, name);
    assert_non_null(strstr(name, "-extraction-withdraw-9223372036854775807.conf"));
    (void)snprintf(kept, sizeof kept, "0012-%s", name);
    assert_true(decision_text_is_kept_as(kept, name));
}

static void decision_text_is_kept_as__other_names__are_not_taken_for_it(void **state)
{
    (void)state;
    assert_true(decision_text_is_kept_as("10000-a.conf", "a.conf"));
    assert_false(decision_text_is_kept_as("a.conf", "a.conf"));
    assert_false(decision_text_is_kept_as("0001-b-a.conf", "a.conf"));
    assert_false(decision_text_is_kept_as("-a.conf", "a.conf"));
    assert_false(decision_text_is_kept_as("", "a.conf"));
}

static void decision_steps_read__several__in_their_order(void **state)
{
    (void)state;
    enum step steps[DECISION_STEPS_MAX];
    size_t count = 0;
    assert_int_equal(decision_steps_read("content,target", steps, &count, NULL), RC_OK);
    assert_int_equal(count, 2);
    assert_int_equal(steps[0], STEP_CONTENT);
    assert_int_equal(steps[1], STEP_TARGET);
}

static void decision_steps_read__mistyped__names_the_nearest(void **state)
{
    (void)state;
    enum step steps[DECISION_STEPS_MAX];
    size_t count = 0;
    struct err err = {{0}};
    assert_int_equal(decision_steps_read("target,contnet", steps, &count, &err), RC_PERM);
    assert_non_null(strstr(err.text, "did you mean content?"));
}

static void decision_steps_read__empty_or_twice__is_refused(void **state)
{
    (void)state;
    enum step steps[DECISION_STEPS_MAX];
    size_t count = 0;
    assert_int_equal(decision_steps_read("", steps, &count, NULL), RC_PERM);
    assert_int_equal(decision_steps_read("target,", steps, &count, NULL), RC_PERM);
    assert_int_equal(decision_steps_read("target,target", steps, &count, NULL), RC_PERM);
}

static void decision_past__every_verb__has_a_word(void **state)
{
    (void)state;
    for (int i = 0; i < VERB_COUNT; i++) {
        assert_non_null(decision_past((enum verb)i));
    }
    assert_string_equal(decision_past(VERB_APPROVE), "approved");
    assert_string_equal(decision_past(VERB_STOP), "stopped");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            decision_text_add__comment_with_quotes_and_newlines__is_read_back_unchanged),
        cmocka_unit_test(decision_text_add__nothing_optional__is_read_back),
        cmocka_unit_test(decision_text_add__layout__keeps_the_lines_of_its_file),
        cmocka_unit_test(decision_text_add__note_of_a_proof__is_read_back),
        cmocka_unit_test(decision_text_name__longest_words__fit_and_are_found_again),
        cmocka_unit_test(decision_text_is_kept_as__other_names__are_not_taken_for_it),
        cmocka_unit_test(decision_steps_read__several__in_their_order),
        cmocka_unit_test(decision_steps_read__mistyped__names_the_nearest),
        cmocka_unit_test(decision_steps_read__empty_or_twice__is_refused),
        cmocka_unit_test(decision_past__every_verb__has_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
