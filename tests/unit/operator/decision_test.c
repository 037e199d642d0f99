/*
 * decision_test - approval files good and bad, every pair of step and decision, every state
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "conf/guard.h"
#include "operator/decision.h"

#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum rc read_text(const char *text, struct decision *out, struct err *err)
{
    return decision_read(slice_of(text), "a.conf", out, err);
}

#define HEAD "delivery = \"spring-letter\";\nstep = \"content\";\ndecision = \"approve\";\n"
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void decision_read__example_of_the_contract__is_taken(void **unused)
{
    (void)unused;
    struct decision decision;
    assert_int_equal(
        read_text(
            "delivery = \"spring-letter\";  step = \"content\";  decision = \"approve\";\n"
            "comment  = \"Checked with legal.\";          # optional\n"
            "sha256   = \"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\";\n",
            &decision, NULL),
        RC_OK);
    assert_string_equal(decision.delivery, "spring-letter");
    assert_int_equal(decision.step, STEP_CONTENT);
    assert_int_equal(decision.verb, VERB_APPROVE);
    assert_string_equal(decision.comment, "Checked with legal.");
    assert_string_equal(decision.sha256, SHA);
    assert_null(decision.layout);
    assert_null(decision.note);
    assert_false(decision.is_recalled);
    decision_release(&decision);
    decision_release(&decision);
}

static void decision_read__least_of_all__optional_are_empty(void **unused)
{
    (void)unused;
    struct decision decision;
    assert_int_equal(
        read_text("decision=\"stop\" step=\"delivery\" delivery=\"a\"", &decision, NULL), RC_OK);
    assert_string_equal(decision.comment, "");
    assert_string_equal(decision.sha256, "");
    decision_release(&decision);
    assert_int_equal(
        read_text("decision=\"stop\"; step=\"delivery\"; delivery=\"a\"; recalled=true;", &decision,
                  NULL),
        RC_OK);
    assert_true(decision.is_recalled);
    decision_release(&decision);
    assert_int_equal(
        read_text("decision=\"stop\"; step=\"delivery\"; delivery=\"a\"; recalled=false;",
                  &decision, NULL),
        RC_OK);
    assert_false(decision.is_recalled);
    decision_release(&decision);
}

/* --- faults --- */

struct fault_row {
    const char *text;
    const char *says;
};

static const struct fault_row FAULTS[] = {
    {"", "a.conf:1: 'delivery' is missing"},
    {"# nothing\n", "a.conf:1: 'delivery' is missing"},
    {"delivery = \"a\";", "a.conf:1: 'step' is missing"},
    {"delivery = \"a\"; step = \"content\";", "a.conf:1: 'decision' is missing"},
    {HEAD "coment = \"x\";",
     "a.conf:4: 'coment' is no setting of a decision; did you mean 'comment'"},
    {HEAD "zzzzzz = 1;", "a.conf:4: 'zzzzzz' is no setting of a decision"},
    {HEAD "comment = 7;",
     "a.conf:4: 'comment' has the wrong kind of value; write a text in quotes"},
    {HEAD "comment = [ \"a\" ];", "a.conf:4: 'comment' has the wrong kind"},
    {HEAD "comment = \"\\xFF\";", "a.conf:4: 'comment' is not UTF-8"},
    {HEAD "sha256 = \"12\";", "a.conf:4: 'sha256' is not 64 hex digits"},
    {HEAD "sha256 = \"g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\";",
     "a.conf:4: 'sha256' is not 64 hex digits"},
    {HEAD "sha256 = \"\";", "a.conf:4: 'sha256' is not 64 hex digits"},
    {HEAD "layout = { };", "a.conf:4: 'layout' goes with extraction restart only"},
    {HEAD "layout = \"x\";", "a.conf:4: 'layout' has the wrong kind of value; write a group"},
    {HEAD "recalled = true;", "a.conf:4: 'recalled' goes with delivery stop only"},
    {HEAD "recalled = 1;", "a.conf:4: 'recalled' has the wrong kind of value; write true or false"},
    {HEAD "note = \"x\";", "a.conf:4: 'note' goes with proof send only"},
    {HEAD "step = \"content\";", "a.conf:4: "}, /* a duplicate name */
    {"delivery = \"a\";\nstep = \"contents\";\ndecision = \"approve\";",
     "a.conf:2: there is no step 'contents'; did you mean 'content'"},
    {"delivery = \"a\";\nstep = \"\";\ndecision = \"approve\";", "a.conf:2: there is no step ''"},
    {"delivery = \"a\";\nstep = \"content\";\ndecision = \"aprove\";",
     "a.conf:3: there is no decision 'aprove'; did you mean 'approve'"},
    {"delivery = \"a\";\nstep = \"content\";\ndecision = \"ap\\nprove\\x01\";",
     "a.conf:3: there is no decision 'ap?prove?'"},
    {"delivery = \"a\";\nstep = \"target\";\ndecision = \"restart\";",
     "a.conf:3: 'restart' is no decision on 'target'; those are approve, reject, withdraw"},
    {"delivery = \"../x\";\nstep = \"content\";\ndecision = \"approve\";",
     "a.conf:1: '../x' is no id of a delivery"},
    {"delivery = \"\";\nstep = \"content\";\ndecision = \"approve\";",
     "a.conf:1: '' is no id of a delivery"},
    {"entry = \"invoice\";\nprovider = \"x\";",
     "a.conf:1: entries about money (entry = \"invoice\")"},
    {"x = 1;\nentry = \"cost\";", "a.conf:2: entries about money"},
    {"entry = \"stock\";", "not available in this version"},
    {"entry = \"money\";", "a.conf:1: there is no such entry"},
    {"entry = 3;", "a.conf:1: there is no such entry"},
    {HEAD "@include \"/etc/passwd\"\n", "a.conf:4: "},
    {HEAD "/* never closed", "a.conf:4: "},
    {HEAD "comment = \"never closed", "a.conf:4: "},
    {HEAD "x = 4294967296;", "a.conf:4: "},
    {HEAD "comment = ;", "a.conf:4: "},
    {HEAD "comment = [ \"a\", ];", "a.conf:4: "},
    {HEAD "\xFF", "a.conf:4: "},
};

static void decision_read__every_fault__is_refused_with_file_and_line(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof FAULTS / sizeof FAULTS[0]; i++) {
        struct decision decision;
        struct err err = {""};
        enum rc rc = read_text(FAULTS[i].text, &decision, &err);
        if (rc != RC_PERM || strstr(err.text, FAULTS[i].says) == NULL) {
            fail_msg("row %zu: %s '%s', expected '%s'", i, rc_name(rc), err.text, FAULTS[i].says);
        }
        assert_null(decision.arena.newest);
        decision_release(&decision);
    }
}

static void decision_read__nul_byte__is_refused(void **unused)
{
    (void)unused;
    static const char text[] = HEAD "\0 comment = 1;";
    struct decision decision;
    assert_int_equal(
        decision_read((struct slice){text, sizeof text - 1}, "a.conf", &decision, NULL), RC_PERM);
    decision_release(&decision);
}

static void decision_read__at_and_over_64_kib__taken_and_range(void **unused)
{
    (void)unused;
    struct buf text = BUF_EMPTY;
    struct decision decision;
    buf_add_text(&text, HEAD);
    while (text.len < GUARD_DECISION_BYTES_MAX) {
        buf_add_byte(&text, '\n');
    }
    assert_int_equal(decision_read(buf_slice(&text), "a.conf", &decision, NULL), RC_OK);
    decision_release(&decision);
    buf_add_byte(&text, '\n');
    assert_int_equal(decision_read(buf_slice(&text), "a.conf", &decision, NULL), RC_RANGE);
    decision_release(&decision);
    buf_release(&text);
}

static void decision_read__longest_comment__taken_one_more_refused(void **unused)
{
    (void)unused;
    for (int more = 0; more <= 1; more++) {
        struct buf text = BUF_EMPTY;
        struct decision decision;
        struct err err = {""};
        buf_add_text(&text, HEAD "comment = \"");
        for (int i = 0; i < DECISION_COMMENT_BYTES_MAX + more; i++) {
            buf_add_byte(&text, 'x');
        }
        buf_add_text(&text, "\";");
        assert_int_equal(decision_read(buf_slice(&text), "a.conf", &decision, &err),
                         more == 0 ? RC_OK : RC_PERM);
        decision_release(&decision);
        buf_release(&text);
    }
}

/* --- pairs --- */

/* y available, n not in this version, . no such pair; in the order of enum verb:
 * approve reject withdraw reset restart send submit confirm hold release pause resume stop */
static const char *const PAIRS[STEP_COUNT] = {
    "yyy..........", "yyyy.........", "yyy..........",
    "yyy.y........", "nnn.nyn......", ".......yyyyyy",
};

static void decision_read__every_pair__taken_refused_or_not_yet(void **unused)
{
    (void)unused;
    for (int step = 0; step < STEP_COUNT; step++) {
        for (int verb = 0; verb < VERB_COUNT; verb++) {
            struct buf text = BUF_EMPTY;
            struct decision decision;
            struct err err = {""};
            char want = PAIRS[step][verb];
            buf_add_format(&text, "delivery = \"a\"; step = \"%s\"; decision = \"%s\";",
                           step_name((enum step)step), verb_name((enum verb)verb));
            enum rc rc = decision_read(buf_slice(&text), "a.conf", &decision, &err);
            assert_int_equal(rc, want == 'y' ? RC_OK : RC_PERM);
            assert_true(want != 'n' ||
                        strstr(err.text, "is not available in this version") != NULL);
            assert_true(want != '.' || strstr(err.text, "is no decision on") != NULL);
            assert_int_equal(decision_pair_exists((enum step)step, (enum verb)verb), want != '.');
            assert_int_equal(decision_pair_is_available((enum step)step, (enum verb)verb),
                             want == 'y');
            decision_release(&decision);
            buf_release(&text);
        }
    }
}

/* --- layout --- */

static bool same_setting(const config_setting_t *a, const config_setting_t *b)
{
    int type = config_setting_type(a);
    if (type != config_setting_type(b) ||
        config_setting_source_line(a) != config_setting_source_line(b)) {
        return false;
    }
    const char *name = config_setting_name(a);
    if (name != NULL && strcmp(name, config_setting_name(b)) != 0) {
        return false;
    }
    switch (type) {
    case CONFIG_TYPE_STRING:
        return strcmp(config_setting_get_string(a), config_setting_get_string(b)) == 0;
    case CONFIG_TYPE_INT:
        return config_setting_get_int(a) == config_setting_get_int(b);
    case CONFIG_TYPE_INT64:
        return config_setting_get_int64(a) == config_setting_get_int64(b);
    case CONFIG_TYPE_BOOL:
        return config_setting_get_bool(a) == config_setting_get_bool(b);
    case CONFIG_TYPE_FLOAT:
        return memcmp(&(double){config_setting_get_float(a)},
                      &(double){config_setting_get_float(b)}, sizeof(double)) == 0;
    default:
        break;
    }
    int count = config_setting_length(a);
    bool is_same = count == config_setting_length(b);
    for (int i = 0; is_same && i < count; i++) {
        is_same = same_setting(config_setting_get_elem(a, (unsigned)i),
                               config_setting_get_elem(b, (unsigned)i));
    }
    return is_same;
}

static void decision_read__layout__same_values_on_the_same_lines(void **unused)
{
    (void)unused;
    static const char text[] =
        "delivery = \"a\"; step = \"extraction\";\n"
        "decision = \"restart\";\n"
        "\n"
        "layout = { format = \"csv\"; delimiter = \";\"; header = true; quote = false;\n"
        "  level = 6; big = 5000000000L; small = -7; ratio = 0.1; whole = 2.0; tiny = 1e-300;\n"
        "  columns = ( \"reference\", \"a \\\"b\\\" \\\\ \\n \\t \\x7f caf\xC3\xA9\",\n"
        "\n"
        "     { name = \"line1\"; value = \"{{title}}\"; },\n"
        "     [ 1, 2, 3 ], (), {}, [] );\n"
        "  empty = \"\"; };\n"
        "comment = \"other columns\";\n";
    struct decision decision;
    config_t before;
    config_t after;
    assert_int_equal(read_text(text, &decision, NULL), RC_OK);
    assert_string_equal(decision.comment, "other columns");
    config_init(&before);
    config_init(&after);
    assert_int_equal(config_read_string(&before, text), CONFIG_TRUE);
    if (config_read_string(&after, decision.layout) != CONFIG_TRUE) {
        fail_msg("line %d of: %s", config_error_line(&after), decision.layout);
    }
    assert_int_equal(config_setting_length(config_root_setting(&after)), 1);
    if (!same_setting(config_lookup(&before, "layout"), config_lookup(&after, "layout"))) {
        fail_msg("%s", decision.layout);
    }
    assert_int_equal(guard_check(slice_of(decision.layout), GUARD_DECISION, "a.conf", NULL), RC_OK);
    config_destroy(&before);
    config_destroy(&after);
    decision_release(&decision);
}

/* --- states --- */

struct fit {
    enum step step;
    enum verb verb;
    const char *states; /* y fits, r only with recalled */
};

/* clang-format off */
static const struct fit FITS[] = {
    /*                                -PTECSXAsupGZHKRFOI  as in state_test.c */
    {STEP_TARGET, VERB_APPROVE,      "..y................"},
    {STEP_TARGET, VERB_REJECT,       "..y................"},
    {STEP_TARGET, VERB_WITHDRAW,     "..yyyy............."},
    {STEP_CONTENT, VERB_APPROVE,     "..y................"},
    {STEP_CONTENT, VERB_REJECT,      "..y................"},
    {STEP_CONTENT, VERB_WITHDRAW,    "..yyyy............."},
    {STEP_CONTENT, VERB_RESET,       "..yyyy............."},
    {STEP_BUDGET, VERB_APPROVE,      "..y................"},
    {STEP_BUDGET, VERB_REJECT,       "..y................"},
    {STEP_BUDGET, VERB_WITHDRAW,     "..yyyy............."},
    {STEP_EXTRACTION, VERB_APPROVE,  ".......y..........."},
    {STEP_EXTRACTION, VERB_REJECT,   ".......y..........."},
    {STEP_EXTRACTION, VERB_WITHDRAW, ".......y..........."},
    {STEP_EXTRACTION, VERB_RESTART,  ".......y..........."},
    {STEP_PROOF, VERB_APPROVE,       "..........y........"},
    {STEP_PROOF, VERB_REJECT,        "..........y........"},
    {STEP_PROOF, VERB_WITHDRAW,      "..........y........"},
    {STEP_PROOF, VERB_RESTART,       "........yyy........"},
    {STEP_PROOF, VERB_SEND,          "..y.y...yy........."},
    {STEP_PROOF, VERB_SUBMIT,        ".........y........."},
    {STEP_DELIVERY, VERB_CONFIRM,    "....y.............."},
    {STEP_DELIVERY, VERB_HOLD,       ".yyyyyyyyyy........"},
    {STEP_DELIVERY, VERB_RELEASE,    ".yyyyyyyyyy........"},
    {STEP_DELIVERY, VERB_PAUSE,      "...........y......."},
    {STEP_DELIVERY, VERB_RESUME,     "............y......"},
    {STEP_DELIVERY, VERB_STOP,       ".yyyyyyyyyyyyrrr..."},
};
/* clang-format on */

static void decision_fits__every_pair_and_state__as_drawn(void **unused)
{
    (void)unused;
    assert_int_equal(sizeof FITS / sizeof FITS[0], 26);
    for (size_t i = 0; i < sizeof FITS / sizeof FITS[0]; i++) {
        for (int s = 1; s < STATE_COUNT; s++) {
            struct err err = {""};
            char want = FITS[i].states[s];
            enum delivery_state state = (enum delivery_state)s;
            enum rc plain = decision_fits(FITS[i].step, FITS[i].verb, false, state, &err);
            enum rc recalled = decision_fits(FITS[i].step, FITS[i].verb, true, state, NULL);
            if (plain != (want == 'y' ? RC_OK : RC_STATE) ||
                recalled != (want == '.' ? RC_STATE : RC_OK)) {
                fail_msg("%s %s in %s: %s", step_name(FITS[i].step), verb_name(FITS[i].verb),
                         state_name(state), rc_name(plain));
            }
            assert_true(plain == RC_OK || strstr(err.text, state_name(state)) != NULL);
            assert_true(want != 'r' || strstr(err.text, "recalled = true") != NULL);
        }
    }
}

/* Where a decision fits, its event must be one that the machine of states takes. */
static void decision_fits__agrees_with_the_machine_of_states(void **unused)
{
    (void)unused;
    static const enum delivery_event events[VERB_COUNT] = {
        EVENT_APPROVED,   EVENT_REJECTED,        EVENT_WITHDRAWN, EVENT_RESET, EVENT_RESTARTED,
        EVENT_PROOF_SENT, EVENT_PROOF_SUBMITTED, EVENT_CONFIRMED, EVENT_HELD,  EVENT_RELEASED,
        EVENT_PAUSED,     EVENT_RESUMED,         EVENT_STOPPED};
    for (size_t i = 0; i < sizeof FITS / sizeof FITS[0]; i++) {
        for (int s = 1; s < STATE_COUNT; s++) {
            enum delivery_state next = STATE_NONE;
            if (FITS[i].states[s] != '.') {
                assert_int_equal(
                    state_after((enum delivery_state)s, events[FITS[i].verb], NULL, &next, NULL),
                    RC_OK);
            }
        }
    }
}

/* --- random --- */

static void decision_read__random_words__end_in_a_result(void **unused)
{
    (void)unused;
    static const char *const pieces[] = {
        "delivery", "step",        "decision",    "layout",      "comment",
        "sha256",   "recalled",    "entry",       "=",           ";",
        "\"a\"",    "\"content\"", "\"approve\"", "\"restart\"", "\"extraction\"",
        "{",        "}",           "(",           ")",           "[",
        "]",        ",",           "1",           "true",        "1.5",
        "\n",       "#",           "/*",          "*/",          "\"",
        "\\",       "@include",    "0x1F",        "7L"};
    uint64_t seed = 99;
    for (int round = 0; round < 20000; round++) {
        struct buf text = BUF_EMPTY;
        struct decision decision;
        struct err err = {""};
        buf_add_text(&text, round % 3 == 0
                                ? "delivery=\"a\"; step=\"extraction\"; decision=\"restart\";"
                                : "");
        for (int i = 0; i < round % 20; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
            if (round % 2 == 0) {
                buf_add_format(&text, "%s ",
                               pieces[(seed >> 33) % (sizeof pieces / sizeof pieces[0])]);
            } else {
                buf_add_byte(&text, (char)(seed >> 40));
            }
        }
        enum rc rc = decision_read(buf_slice(&text), "a.conf", &decision, &err);
        assert_true(rc == RC_OK || rc == RC_PERM);
        assert_true(rc == RC_OK || strncmp(err.text, "a.conf:", 7) == 0);
        decision_release(&decision);
        buf_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decision_read__example_of_the_contract__is_taken),
        cmocka_unit_test(decision_read__least_of_all__optional_are_empty),
        cmocka_unit_test(decision_read__every_fault__is_refused_with_file_and_line),
        cmocka_unit_test(decision_read__nul_byte__is_refused),
        cmocka_unit_test(decision_read__at_and_over_64_kib__taken_and_range),
        cmocka_unit_test(decision_read__longest_comment__taken_one_more_refused),
        cmocka_unit_test(decision_read__every_pair__taken_refused_or_not_yet),
        cmocka_unit_test(decision_read__layout__same_values_on_the_same_lines),
        cmocka_unit_test(decision_fits__every_pair_and_state__as_drawn),
        cmocka_unit_test(decision_fits__agrees_with_the_machine_of_states),
        cmocka_unit_test(decision_read__random_words__end_in_a_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
