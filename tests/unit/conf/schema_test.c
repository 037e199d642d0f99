/* schema_test - problems, trees, tables: the parts that house and order do not show by themselves
 */
#include "conf/house.h"
#include "conf/schema.h"
#include "unit/conf/support.h"

/* --- problems --- */

static void problems_rc__warnings_alone__are_ok(void **state)
{
    (void)state;
    struct problems problems;
    struct err err = {"untouched"};
    problems_init(&problems);
    problems_warn(&problems, (struct place){"f", 3}, "w%d", 1);
    assert_int_equal(problems_rc(&problems, &err), RC_OK);
    assert_string_equal(err.text, "untouched");
    problems_add(&problems, (struct place){"f", 0}, "first");
    problems_add(&problems, (struct place){"f", 9}, "second");
    assert_int_equal(problems_rc(&problems, &err), RC_PERM);
    assert_string_equal(err.text, "f: first (and 1 more)");
    struct buf out = BUF_EMPTY;
    problems_print(&problems, &out);
    assert_string_equal(buf_text(&out), "warning: f:3: w1\nf: first\nf:9: second\n");
    buf_release(&out);
    problems_release(&problems);
    assert_int_equal(problems_rc(&problems, &err), RC_OK);
}

static void problems_add__many_warnings_before__the_error_is_kept(void **state)
{
    (void)state;
    struct problems problems;
    struct err err;
    problems_init(&problems);
    for (int i = 0; i < PROBLEMS_MAX + 10; i++) {
        problems_warn(&problems, (struct place){"f", i}, "w");
    }
    problems_add(&problems, (struct place){"f", 7}, "the error");
    assert_int_equal(problems_rc(&problems, &err), RC_PERM);
    assert_string_equal(err.text, "f:7: the error");
    problems_release(&problems);
}

static void problems_add__text_longer_than_an_error__is_cut(void **state)
{
    (void)state;
    static char name[3000];
    struct problems problems;
    struct err err;
    problems_init(&problems);
    memset(name, 'n', sizeof name - 1);
    problems_add(&problems, (struct place){name, 1}, "lost");
    problems_add(&problems, (struct place){"f", 1}, "%s", name);
    assert_int_equal(problems.count, 2);
    assert_true(strlen(problems.lines[1].text) < ERR_TEXT_BYTES);
    assert_int_equal(problems_rc(&problems, &err), RC_PERM);
    problems_release(&problems);
}

/* --- trees --- */

static enum rc parse(struct slice text, struct conf_tree **tree, struct err *err)
{
    struct problems problems;
    problems_init(&problems);
    enum rc rc = conf_tree_parse(text, GUARD_DROP, "f", &problems, tree, err);
    assert_int_equal(problems.error_count, rc == RC_OK ? 0 : 1);
    problems_release(&problems);
    return rc;
}

static void conf_tree_parse__byte_order_mark_and_comment_without_newline__are_read(void **state)
{
    (void)state;
    struct conf_tree *tree = NULL;
    struct err err;
    assert_int_equal(parse(SLICE_LITERAL("\xEF\xBB\xBF"
                                         "a = 1; # end"),
                           &tree, &err),
                     RC_OK);
    assert_int_equal(config_setting_length(conf_tree_root(tree)), 1);
    conf_tree_free(tree);
    conf_tree_free(NULL);
}

static void conf_tree_parse__name_twice_or_types_mixed__reports_line(void **state)
{
    (void)state;
    struct conf_tree *tree = NULL;
    struct err err;
    assert_int_equal(parse(SLICE_LITERAL("a = 1;\na = 2;"), &tree, &err), RC_PERM);
    assert_non_null(strstr(err.text, "f:2: duplicate setting name; keep one of each name"));
    assert_int_equal(parse(SLICE_LITERAL("\na = [ 1, \"x\" ];"), &tree, &err), RC_PERM);
    assert_non_null(strstr(err.text, "f:2: mismatched element type in array"));
    assert_null(tree);
}

static void conf_file_read__within_the_bound__is_whole(void **state)
{
    (void)state;
    struct folder folder;
    struct buf bytes = BUF_EMPTY;
    struct err err;
    char path[600];
    folder_make(&folder);
    folder_put(&folder, "f", "12345");
    (void)snprintf(path, sizeof path, "%s/f", folder.path);
    assert_int_equal(conf_file_read(path, 5, &bytes, &err), RC_OK);
    assert_true(slice_equal_text(buf_slice(&bytes), "12345"));
    buf_clear(&bytes);
    assert_int_equal(conf_file_read(path, 4, &bytes, &err), RC_RANGE);
    buf_clear(&bytes);
    assert_int_equal(conf_file_read(folder.path, 4, &bytes, &err), RC_PERM);
    (void)snprintf(path, sizeof path, "%s/f/g", folder.path);
    assert_int_equal(conf_file_read(path, 4, &bytes, &err), RC_GONE);
    buf_release(&bytes);
    folder_remove(&folder);
}

/* --- tables --- */

struct all {
    struct place at;
    bool flag;
    int32_t small;
    int64_t large;
    int64_t seconds_ns;
    const char *text;
    struct decimal amount;
    int64_t wait_ns;
    struct durations waits;
    int64_t size;
    int64_t when;
    int32_t day;
    int word;
    struct texts texts;
};

static const char *const WORDS[] = {"zero", "one", NULL};
#define AT(field) offsetof(struct all, field)
static const struct schema_row ALL_ROWS[] = {
    {"flag", SCHEMA_BOOL, 0, AT(flag), .initial = "true", .doc = "d"},
    {"small", SCHEMA_INT32, 0, AT(small), .initial = "5", .doc = "d"},
    {"large", SCHEMA_INT64, 0, AT(large), .doc = "d"},
    {"seconds", SCHEMA_SECONDS, 0, AT(seconds_ns), .initial = "2", .max = 60, .doc = "d"},
    {"text", SCHEMA_TEXT, 0, AT(text), .initial = ".x-y\\", .doc = "d"},
    {"amount", SCHEMA_DECIMAL, 0, AT(amount), .doc = "d"},
    {"wait", SCHEMA_DURATION, 0, AT(wait_ns), .doc = "d"},
    {"waits", SCHEMA_DURATIONS, 0, AT(waits), .doc = "d"},
    {"size", SCHEMA_SIZE, 0, AT(size), .doc = "d"},
    {"when", SCHEMA_INSTANT, 0, AT(when), .doc = "d"},
    {"day", SCHEMA_DATE, 0, AT(day), .doc = "d"},
    {"word", SCHEMA_ENUM, ROW_LATER, AT(word), .words = WORDS, .doc = "d"},
    {"texts", SCHEMA_TEXTS, 0, AT(texts), .doc = "d"},
};
static const struct schema ALL = {"all",    sizeof(struct all),
                                  AT(at),   SCHEMA_NOWHERE,
                                  ALL_ROWS, sizeof ALL_ROWS / sizeof ALL_ROWS[0],
                                  NULL,     false};

/* Reads text over the defaults; the caller releases the arena and the problems. */
static void read_all(const char *text, struct all *all, struct arena *arena,
                     struct problems *problems)
{
    struct conf_tree *tree = NULL;
    struct err err = {""};
    *arena = ARENA_EMPTY;
    problems_init(problems);
    assert_int_equal(schema_defaults(&ALL, arena, all), RC_OK);
    if (conf_tree_parse(slice_of(text), GUARD_DROP, "f", problems, &tree, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    struct schema_reader reader = {.arena = arena, .problems = problems, .file = "f"};
    assert_int_equal(schema_read(&reader, &ALL, conf_tree_root(tree), all, &err), RC_OK);
    conf_tree_free(tree);
}

static void schema_read__nothing_set__leaves_the_defaults(void **state)
{
    (void)state;
    struct all all;
    struct arena arena;
    struct problems problems;
    read_all("", &all, &arena, &problems);
    assert_true(all.flag);
    assert_int_equal(all.small, 5);
    assert_int_equal(all.large, SCHEMA_NONE);
    assert_int_equal(all.seconds_ns, 2 * NS_PER_SECOND);
    assert_string_equal(all.text, ".x-y\\");
    assert_false(decimal_is_set(all.amount));
    assert_int_equal(all.when, INSTANT_NONE);
    assert_int_equal(all.day, DATE_NONE);
    assert_int_equal(all.texts.count, 0);
    assert_int_equal(problems.count, 0);
    arena_release(&arena);
    problems_release(&problems);
}

static void schema_write__edges_of_every_type__read_back_the_same(void **state)
{
    (void)state;
    static const char *const cases[] = {
        ("small = -2147483648; large = -9223372036854775807L; seconds = 0.25; amount = \"-0.05\";\n"
         "wait = \"0s\"; waits = [ \"-90m\", \"1500ms\", \"2w\", \"25h\" ]; size = \"1kB\";\n"
         "when = \"1970-01-01T00:00:00Z\"; day = \"1970-01-01\"; word = \"ONE\"; texts = [ \"\" "
         "];"),
        ("small = 2147483647; large = 0x7fffffffffffffffL; seconds = 60; amount = "
         "\"0.000000001\";\n"
         "when = \"2261-12-31T23:59:59.999999999Z\"; text = \"\\x09\\\\x41 \\\"\"; flag = false;"),
        ("large = 2147483648L; amount = \"12\"; wait = \"-1ms\"; texts = ( \"a\", \"b\" \"c\" );"),
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct all first;
        struct all second;
        struct arena arenas[2];
        struct problems problems[2];
        struct buf before = BUF_EMPTY;
        struct buf after = BUF_EMPTY;
        read_all(cases[i], &first, &arenas[0], &problems[0]);
        schema_write(&ALL, &first, &before, 0);
        read_all(buf_text(&before), &second, &arenas[1], &problems[1]);
        schema_write(&ALL, &second, &after, 0);
        for (int k = 0; k < 2; k++) {
            struct err err;
            if (problems_rc(&problems[k], &err) != RC_OK) {
                fail_msg("%s in:\n%s", err.text, k == 0 ? cases[i] : buf_text(&before));
            }
        }
        assert_string_equal(buf_text(&before), buf_text(&after));
        assert_int_equal(first.large, second.large);
        assert_int_equal(first.seconds_ns, second.seconds_ns);
        assert_int_equal(first.wait_ns, second.wait_ns);
        assert_int_equal(first.when, second.when);
        assert_int_equal(first.day, second.day);
        assert_int_equal(first.amount.units, second.amount.units);
        assert_int_equal(first.amount.scale, second.amount.scale);
        assert_string_equal(first.text, second.text);
        for (int k = 0; k < 2; k++) {
            arena_release(&arenas[k]);
            problems_release(&problems[k]);
        }
        buf_release(&before);
        buf_release(&after);
    }
}

static void schema_read__word_of_a_later_version__is_a_warning(void **state)
{
    (void)state;
    struct all all;
    struct arena arena;
    struct problems problems;
    read_all("\nword = \"one\";", &all, &arena, &problems);
    assert_int_equal(all.word, 1);
    assert_int_equal(problems.warning_count, 1);
    assert_int_equal(problems.error_count, 0);
    assert_string_equal(problems.lines[0].text,
                        "f:2: word is not used by this version; it may stay");
    arena_release(&arena);
    problems_release(&problems);
}

static void schema_read__seconds_that_are_no_number__are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"seconds = 1e400;", "seconds = -1e400;", "seconds = 60.1;",
                                      "seconds = -0.1;",  "seconds = true;",   "seconds = [ 1 ];"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct all all;
        struct arena arena;
        struct problems problems;
        read_all(bad[i], &all, &arena, &problems);
        assert_int_equal(problems.error_count, 1);
        assert_int_equal(all.seconds_ns, 2 * NS_PER_SECOND);
        arena_release(&arena);
        problems_release(&problems);
    }
}

static void schema_man__table__is_roff_with_type_default_and_doc(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    schema_man(&ALL, "", &out);
    assert_non_null(
        strstr(buf_text(&out), ".TP\n\\fBflag\\fR  (true or false; default true)\nd\n"));
    assert_non_null(strstr(buf_text(&out), "default \\&.x\\-y\\e)"));
    assert_non_null(
        strstr(buf_text(&out), "\\fBword\\fR  (zero | one)\nd Not used by this version."));
    buf_release(&out);
}

/* Every name that CONTRACT.md section 9 gives, with the group it stands in. */
static void schema_man__house__names_every_setting_of_the_contract(void **state)
{
    (void)state;
    static const char *const names[] = {"spool",
                                        "templates",
                                        "settle",
                                        "timezone",
                                        "currency",
                                        "owner_confirmation",
                                        "four_eyes",
                                        "notices",
                                        "defaults",
                                        "extract",
                                        "memory",
                                        "threads",
                                        "window",
                                        "retention",
                                        "pickup",
                                        "done",
                                        "refused",
                                        "min_free",
                                        "allowed_signers",
                                        "signature_above",
                                        "operators",
                                        "name",
                                        "user",
                                        "email",
                                        "groups",
                                        "admin",
                                        "on_behalf",
                                        "finance",
                                        "programmes",
                                        "budget",
                                        "allocated",
                                        "commitment",
                                        "status",
                                        "campaigns",
                                        "programme",
                                        "owner",
                                        "approval_mode",
                                        "overspend",
                                        "providers",
                                        "group",
                                        "services",
                                        "channel",
                                        "notice",
                                        "finish_on",
                                        "returns_wait",
                                        "after_hand_over",
                                        "costs",
                                        "category",
                                        "type",
                                        "rule",
                                        "amount",
                                        "per",
                                        "steps",
                                        "upto",
                                        "beyond",
                                        "minimum",
                                        "valid_from",
                                        "valid_until",
                                        "stock",
                                        "tariff",
                                        "selected",
                                        "mandatory",
                                        "layout",
                                        "format",
                                        "columns",
                                        "value",
                                        "width",
                                        "upper",
                                        "delimiter",
                                        "quote",
                                        "eol",
                                        "header",
                                        "encoding",
                                        "rows_per_file",
                                        "container",
                                        "level",
                                        "encrypt",
                                        "flag",
                                        "address",
                                        "stocks",
                                        "provider",
                                        "shortage",
                                        "lines",
                                        "initial",
                                        "alert",
                                        "orders",
                                        "id",
                                        "date",
                                        "quantity",
                                        "channels",
                                        "mail",
                                        "sms",
                                        "push",
                                        "inapp",
                                        "transport",
                                        "host",
                                        "port",
                                        "tls",
                                        "ca_file",
                                        "password_file",
                                        "from",
                                        "connections",
                                        "rate",
                                        "dkim",
                                        "domain",
                                        "selector",
                                        "key_file",
                                        "system_id",
                                        "url",
                                        "token_file",
                                        "body",
                                        "uncertain",
                                        "retry_for",
                                        "suppress",
                                        "unsubscribe",
                                        "mailto",
                                        "secret_file",
                                        "timeout",
                                        "routers"};
    struct buf out = BUF_EMPTY;
    schema_man(&house_schema, "", &out);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char wanted[80];
        (void)snprintf(wanted, sizeof wanted, "\n\\fB%s\\fR  (", names[i]);
        if (strstr(buf_text(&out), wanted) == NULL) {
            fail_msg("%s is not in the schema", names[i]);
        }
    }
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problems_rc__warnings_alone__are_ok),
        cmocka_unit_test(problems_add__many_warnings_before__the_error_is_kept),
        cmocka_unit_test(problems_add__text_longer_than_an_error__is_cut),
        cmocka_unit_test(conf_tree_parse__byte_order_mark_and_comment_without_newline__are_read),
        cmocka_unit_test(conf_tree_parse__name_twice_or_types_mixed__reports_line),
        cmocka_unit_test(conf_file_read__within_the_bound__is_whole),
        cmocka_unit_test(schema_read__nothing_set__leaves_the_defaults),
        cmocka_unit_test(schema_write__edges_of_every_type__read_back_the_same),
        cmocka_unit_test(schema_read__word_of_a_later_version__is_a_warning),
        cmocka_unit_test(schema_read__seconds_that_are_no_number__are_refused),
        cmocka_unit_test(schema_man__table__is_roff_with_type_default_and_doc),
        cmocka_unit_test(schema_man__house__names_every_setting_of_the_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
