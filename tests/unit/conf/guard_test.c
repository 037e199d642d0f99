/* guard_test - what libconfig must never see, and what it must never choke on */
#include "base/buf.h"
#include "conf/guard.h"
#include "unit/conf/support.h"

#include <libconfig.h>
#include <sys/wait.h>

static enum rc check_bytes(struct slice text, enum guard_kind kind, struct err *err)
{
    err->text[0] = '\0';
    return guard_check(text, kind, "f.conf", err);
}

static void refuses(const char *text, const char *expected)
{
    struct err err;
    enum rc rc = check_bytes(slice_of(text), GUARD_DROP, &err);
    if (rc == RC_OK || strstr(err.text, expected) == NULL) {
        fail_msg("<%s> gave %s \"%s\", expected \"%s\"", text, rc_name(rc), err.text, expected);
    }
}

/* What passes is parsed by libconfig too. */
static void accepts(const char *text)
{
    struct err err;
    if (check_bytes(slice_of(text), GUARD_DROP, &err) != RC_OK) {
        fail_msg("<%s> was refused: %s", text, err.text);
    }
    config_t config;
    config_init(&config);
    if (config_read_string(&config, text) != CONFIG_TRUE) {
        fail_msg("<%s> passed, and libconfig says: %s", text, config_error_text(&config));
    }
    config_destroy(&config);
}

static void guard_check__ordinary_settings__pass(void **state)
{
    (void)state;
    accepts("");
    accepts("a = 1; b : \"x\" \"y\", c = [ 1, 2 ]\n d = ( { e = true; }, \"s\", ( 1 ), [ ] ); f = "
            "{ };");
    accepts("# one\n// two\n/* three\n * */ a = 1.5e3; /*/ still a comment */ b = .5;\n");
    accepts("a = \"back\\\\\"; b = \"quote \\\" # no comment /* \"; c = \"\\x41\\d\";");
    accepts("a = TRUE; b = False; c*d-e_f = -2147483648; g = 2147483647; h = 0x7fffffff;");
    accepts("a = 9223372036854775807L; b = -9223372036854775808LL; c = 0x7fffffffffffffffL;");
}

static void guard_check__include__is_refused_with_line(void **state)
{
    (void)state;
    refuses("a = 1;\n  @include \"/etc/passwd\"\n", "f.conf:2: @include is not allowed");
    refuses("@include \"x\"", "f.conf:1: @include");
    refuses("a = @ 1;", "f.conf:1: '@' is not expected");
}

static void guard_check__comment_never_closed__reports_its_first_line(void **state)
{
    (void)state;
    refuses("a = 1;\n/* open\n\n", "f.conf:2: a comment is never closed");
    refuses("/*/", "f.conf:1: a comment is never closed");
}

static void guard_check__text_never_closed__reports_its_first_line(void **state)
{
    (void)state;
    refuses("a = \"open\nb = 1;\n", "f.conf:1: a text is never closed");
    refuses("a = \"open\\\"", "f.conf:1: a text is never closed");
    refuses("a = \"\\x00\";", "f.conf:1: \\x00 in a text");
}

static void guard_check__number_past_its_bits__is_refused(void **state)
{
    (void)state;
    refuses("a = 2147483648;", "f.conf:1: a number does not fit 32 bits");
    refuses("a = -2147483649;", "does not fit 32 bits");
    refuses("a = 4294967297;", "does not fit 32 bits");
    refuses("a = 99999999999999999999999999999999;", "does not fit 32 bits");
    refuses("\n\na = 0x80000000;", "f.conf:3: a number does not fit 32 bits");
    refuses("a = 9223372036854775808L;", "does not fit 64 bits");
    refuses("a = 0x8000000000000000L;", "does not fit 64 bits");
    refuses("a = [ 1, 4294967297 ];", "does not fit 32 bits");
}

static void guard_check__brackets_that_do_not_match__are_refused(void **state)
{
    (void)state;
    refuses("a = {\n b = ( 1, 2 };", "f.conf:2: '}' closes the '(' of line 2; write ')'");
    refuses("a = {\n", "f.conf:1: '{' is never closed");
    refuses("}", "nothing opened");
    refuses("a = [ { } ];", "[ ] holds plain values only");
}

static void guard_check__comma_before_a_closing_bracket__is_refused_with_line(void **state)
{
    (void)state;
    refuses("a = [ \"x\",\n ];", "f.conf:2: a comma before a closing bracket; remove the comma");
    refuses("a = ( 1, );", "a comma before a closing bracket");
}

static void guard_check__grammar_broken__says_what_is_expected(void **state)
{
    (void)state;
    refuses("a 1;", "no = behind the name");
    refuses("a = ;", "no value behind the =");
    refuses("a =", "no value behind the =");
    refuses("a = b;", "no value behind the =");
    refuses("= 1;", "the name of a setting is expected");
    refuses(";", "the name of a setting is expected");
    refuses("a = 1 2;", "a setting is not ended");
    refuses("a = ( 1 2 );", "a comma is missing");
    refuses("a = ( 1; 2 );", "a comma is missing");
    refuses("a = \xC3\xA9;", "a character that is not expected");
    refuses("a = - ;", "a sign without a number");
}

static void guard_check__bytes_that_are_no_text__are_refused_with_line(void **state)
{
    (void)state;
    struct err err;
    struct slice nul = SLICE_LITERAL("a = 1;\nb\0 = 2;");
    assert_int_equal(check_bytes(nul, GUARD_DROP, &err), RC_PERM);
    assert_non_null(strstr(err.text, "f.conf:2: a NUL byte"));
    refuses("a = 1;\n\nb = \"caf\xE9\";", "f.conf:3: not UTF-8");
}

static void guard_check__too_much_of_something__reports_range(void **state)
{
    (void)state;
    struct err err;
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, "a = ");
    for (int i = 0; i < GUARD_DEPTH_MAX + 1; i++) {
        buf_add_text(&text, "(");
    }
    for (int i = 0; i < GUARD_DEPTH_MAX + 1; i++) {
        buf_add_text(&text, ")");
    }
    assert_int_equal(check_bytes(buf_slice(&text), GUARD_DROP, &err), RC_RANGE);
    assert_non_null(strstr(err.text, "nested deeper than 32"));
    buf_clear(&text);
    for (int i = 0; i <= GUARD_MEMBERS_MAX; i++) {
        buf_add_format(&text, "a%d = 1;\n", i);
    }
    assert_int_equal(check_bytes(buf_slice(&text), GUARD_DROP, &err), RC_RANGE);
    assert_non_null(strstr(err.text, "f.conf:1001: more than 1000 settings"));
    buf_clear(&text);
    buf_add_text(&text, "a = [ 1");
    for (int i = 0; i <= GUARD_VALUES_MAX; i++) {
        buf_add_text(&text, ",1");
    }
    buf_add_text(&text, " ];");
    assert_int_equal(check_bytes(buf_slice(&text), GUARD_DROP, &err), RC_RANGE);
    assert_non_null(strstr(err.text, "too many values"));
    buf_clear(&text);
    for (int i = 0; i <= GUARD_NAME_BYTES_MAX; i++) {
        buf_add_byte(&text, 'n');
    }
    buf_add_text(&text, " = 1;");
    assert_int_equal(check_bytes(buf_slice(&text), GUARD_DROP, &err), RC_RANGE);
    buf_release(&text);
}

static void guard_check__file_larger_than_its_kind_allows__reports_range(void **state)
{
    (void)state;
    static const enum guard_kind kinds[] = {GUARD_ETC, GUARD_DROP, GUARD_DECISION};
    static const size_t sizes[] = {4u << 20, 1u << 20, 64u << 10};
    for (size_t i = 0; i < 3; i++) {
        struct err err;
        char *text = malloc(sizes[i] + 1);
        assert_non_null(text);
        memset(text, ' ', sizes[i] + 1);
        assert_int_equal(check_bytes((struct slice){text, sizes[i]}, kinds[i], &err), RC_OK);
        assert_int_equal(check_bytes((struct slice){text, sizes[i] + 1}, kinds[i], &err), RC_RANGE);
        assert_non_null(strstr(err.text, "f.conf:1: larger than"));
        free(text);
    }
}

/* --- fixed-seed fuzz: what passes, libconfig reads; nothing but names and types is left to it ---
 */

static uint64_t random_state;

static uint32_t random_next(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 16) % below);
}

static void fuzz_text(struct buf *out)
{
    static const char *const pieces[] = {"a",
                                         "name",
                                         "b-c_d",
                                         "*",
                                         "=",
                                         ":",
                                         ";",
                                         ",",
                                         "{",
                                         "}",
                                         "(",
                                         ")",
                                         "[",
                                         "]",
                                         "\"",
                                         "\"x\"",
                                         "\"\\\"\"",
                                         "\\",
                                         "1",
                                         "-5",
                                         "+",
                                         ".",
                                         "1.5",
                                         "1e5",
                                         "0x1F",
                                         "0x",
                                         "12L",
                                         "7LL",
                                         "true",
                                         "FALSE",
                                         "/*",
                                         "*/",
                                         "//",
                                         "#",
                                         "\n",
                                         "\r",
                                         " ",
                                         "\t",
                                         "\f",
                                         "@",
                                         "@include \"x\"",
                                         "2147483648",
                                         "99999999999999L",
                                         "\xC3\xA9",
                                         "\xFF",
                                         "a = 1;",
                                         "b = (",
                                         "{ c = [ ",
                                         "\"\\x41\"",
                                         "\"\\x4\"",
                                         "e+5",
                                         "_"};
    uint32_t count = 1 + random_next(24);
    for (uint32_t i = 0; i < count; i++) {
        if (random_next(8) == 0) {
            buf_add_format(out, "n%u = ", i); /* keeps a share of the texts well formed */
            continue;
        }
        buf_add_text(out, pieces[random_next(sizeof pieces / sizeof pieces[0])]);
        if (random_next(3) == 0) {
            buf_add_byte(out, ' ');
        }
    }
    buf_add_byte(out, '\n');
}

static bool is_left_to_libconfig(const char *text)
{
    return strcmp(text, "duplicate setting name") == 0 ||
           strcmp(text, "mismatched element type in array") == 0;
}

static void guard_check__200000_random_texts__libconfig_agrees(void **state)
{
    (void)state;
    random_state = UINT64_C(0x9E3779B97F4A7C15);
    struct buf text = BUF_EMPTY;
    int passed = 0;
    for (int round = 0; round < 200000; round++) {
        struct err err;
        buf_clear(&text);
        fuzz_text(&text);
        if (check_bytes(buf_slice(&text), GUARD_DROP, &err) != RC_OK) {
            continue;
        }
        config_t config;
        config_init(&config);
        if (config_read_string(&config, text.ptr) == CONFIG_TRUE) {
            passed++;
        } else if (!is_left_to_libconfig(config_error_text(&config))) {
            fail_msg("<%s> passed, and libconfig says: %s", text.ptr, config_error_text(&config));
        }
        config_destroy(&config);
    }
    assert_true(passed > 1000); /* else the fuzz says little */
    buf_release(&text);
}

/* The other direction: what libconfig reads and the guard refuses is refused for a rule of ours.
 * The number of texts for which that does not hold; the first is printed. */
static int count_refused_without_rule(void)
{
    int found = 0;
    struct buf text = BUF_EMPTY;
    random_state = 42;
    for (int round = 0; round < 100000; round++) {
        struct err err;
        buf_clear(&text);
        fuzz_text(&text);
        if (strchr(text.ptr, '@') != NULL ||
            check_bytes(buf_slice(&text), GUARD_DROP, &err) == RC_OK ||
            strstr(err.text, "UTF-8") != NULL || strstr(err.text, "bits") != NULL ||
            strstr(err.text, "never closed") != NULL) {
            continue;
        }
        config_t config;
        config_init(&config);
        if (config_read_string(&config, text.ptr) == CONFIG_TRUE && found++ == 0) {
            (void)fprintf(stderr, "<%s> is good for libconfig, and was refused: %s\n", text.ptr,
                          err.text);
        }
        config_destroy(&config);
    }
    buf_release(&text);
    return found;
}

/* In a process of its own: libconfig leaks texts when it meets a syntax error. */
static void guard_check__random_texts_that_libconfig_reads__are_refused_by_rule_only(void **state)
{
    (void)state;
    int status = -1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(count_refused_without_rule() == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guard_check__ordinary_settings__pass),
        cmocka_unit_test(guard_check__include__is_refused_with_line),
        cmocka_unit_test(guard_check__comment_never_closed__reports_its_first_line),
        cmocka_unit_test(guard_check__text_never_closed__reports_its_first_line),
        cmocka_unit_test(guard_check__number_past_its_bits__is_refused),
        cmocka_unit_test(guard_check__brackets_that_do_not_match__are_refused),
        cmocka_unit_test(guard_check__comma_before_a_closing_bracket__is_refused_with_line),
        cmocka_unit_test(guard_check__grammar_broken__says_what_is_expected),
        cmocka_unit_test(guard_check__bytes_that_are_no_text__are_refused_with_line),
        cmocka_unit_test(guard_check__too_much_of_something__reports_range),
        cmocka_unit_test(guard_check__file_larger_than_its_kind_allows__reports_range),
        cmocka_unit_test(guard_check__200000_random_texts__libconfig_agrees),
        cmocka_unit_test(guard_check__random_texts_that_libconfig_reads__are_refused_by_rule_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
