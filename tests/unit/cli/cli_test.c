/*
 * cli - options, ids, bars; exit codes of the table of commands
 */
#include "cli/checking.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    USAGE = 64,
    BAD_INPUT = 65,
    NO_INPUT = 66,
    UNAVAILABLE = 69,
    CANNOT_CREATE = 73,
    TRY_AGAIN = 75,
    BAD_CONF = 78
};

/* What a command prints is not looked at here: both streams go nowhere while it runs. */
static int run(int argc, const char *const *words)
{
    char *argv[16];
    for (int i = 0; i < argc; i++) {
        argv[i] = strdup(words[i]);
    }
    argv[argc] = NULL;
    char *copies[16];
    memcpy(copies, argv, sizeof copies);
    int out = dup(STDOUT_FILENO);
    int err = dup(STDERR_FILENO);
    (void)fflush(NULL);
    assert_non_null(freopen("/dev/null", "w", stdout));
    assert_non_null(freopen("/dev/null", "w", stderr));
    int code = cli_main(argc, argv);
    (void)fflush(NULL);
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(err, STDERR_FILENO);
    (void)close(out);
    (void)close(err);
    for (int i = 0; i < argc; i++) {
        free(copies[i]);
    }
    return code;
}

#define RUN(...)                                                                                   \
    run((int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),                             \
        (const char *const[]){__VA_ARGS__})

static void cli_main__no_or_unknown_command__is_usage(void **state)
{
    (void)state;
    assert_int_equal(RUN("postroom"), USAGE);
    assert_int_equal(RUN("postroom", "aprove"), USAGE);
    assert_int_equal(RUN("postroom", "-x", "list"), USAGE);
    assert_int_equal(RUN("postroom", "-c"), USAGE);
    assert_int_equal(RUN("postroom", "help", "aprove"), USAGE);
}

static void cli_main__help_and_version__end_well(void **state)
{
    (void)state;
    assert_int_equal(RUN("postroom", "--version"), 0);
    assert_int_equal(RUN("postroom", "--help"), 0);
    assert_int_equal(RUN("postroom", "help"), 0);
    assert_int_equal(RUN("postroom", "help", "approve"), 0);
    assert_int_equal(RUN("postroom", "list", "--help"), 0);
}

static void cli_main__commands_of_a_later_version__are_unavailable(void **state)
{
    (void)state;
    static const char *const later[] = {
        "pause",   "resume", "results", "returns", "submit-for-approval",
        "invoice", "cost",   "disable", "enable",  "router-setup",
        "purge",   "person", "reload"};
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
        assert_int_equal(RUN("postroom", later[i], "x"), UNAVAILABLE);
    }
}

static void cli_main__wrong_arguments__are_told_before_anything_is_read(void **state)
{
    (void)state;
    assert_int_equal(RUN("postroom", "approve", "a"), USAGE);
    assert_int_equal(RUN("postroom", "approve", "a", "nostep"), USAGE);
    assert_int_equal(RUN("postroom", "approve", "a/b", "target"), USAGE);
    assert_int_equal(RUN("postroom", "withdraw", "a", "delivery"), USAGE);
    assert_int_equal(RUN("postroom", "reset", "a", "target"), USAGE);
    assert_int_equal(RUN("postroom", "approve", "a", "target", "--sha256", "12"), USAGE);
    assert_int_equal(RUN("postroom", "wait"), USAGE);
    assert_int_equal(RUN("postroom", "wait", "a", "--for", "nowhere"), USAGE);
    assert_int_equal(RUN("postroom", "wait", "a", "--timeout", "soon"), USAGE);
    assert_int_equal(RUN("postroom", "preview", "a", "--row", "0"), USAGE);
    assert_int_equal(RUN("postroom", "costs", "a/b/c/d"), USAGE);
    assert_int_equal(RUN("postroom", "costs", "--from", "2027-02-30"), USAGE);
    assert_int_equal(RUN("postroom", "list", "--stat", "x", "y"), USAGE);
    assert_int_equal(RUN("postroom", "ledger", "verfy"), USAGE);
    assert_int_equal(RUN("postroom", "new", "male", "x"), USAGE);
}

/* A house of its own, by absolute paths; no daemon runs. */
static void init_new_check__absolute_paths__work_without_a_daemon(void **state)
{
    (void)state;
    char top[] = "/tmp/postroom-cli-XXXXXX";
    char conf[64];
    char first[64];
    char fresh[64];
    assert_non_null(mkdtemp(top));
    (void)snprintf(conf, sizeof conf, "%s/h/etc/postroom.conf", top);
    (void)snprintf(first, sizeof first, "%s/h/deliveries/first", top);
    (void)snprintf(fresh, sizeof fresh, "%s/fresh", top);
    char home[64];
    (void)snprintf(home, sizeof home, "%s/h", top);
    assert_int_equal(RUN("postroom", "-c", conf, "check", first), BAD_CONF);
    assert_int_equal(RUN("postroom", "init", home), 0);
    assert_int_equal(RUN("postroom", "init", home), CANNOT_CREATE);
    assert_int_equal(RUN("postroom", "-c", conf, "check", first), 0);
    assert_int_equal(RUN("postroom", "-c", conf, "check", first, "--json"), 0);
    assert_int_equal(RUN("postroom", "-c", conf, "new", "mail", fresh), 0);
    assert_int_equal(RUN("postroom", "-c", conf, "new", "mail", fresh), CANNOT_CREATE);
    assert_int_equal(RUN("postroom", "-c", conf, "check", fresh), 0);
    assert_int_equal(RUN("postroom", "-c", conf, "check", "/nowhere/at-all"), NO_INPUT);
    assert_int_equal(RUN("postroom", "-c", conf, "list"), 0);
    assert_int_equal(RUN("postroom", "-c", conf, "status"), UNAVAILABLE);
    assert_int_equal(RUN("postroom", "-c", conf, "approve", "first", "target"), NO_INPUT);
    assert_int_equal(RUN("postroom", "-c", conf, "submit", first, "--no-wait"), 0);
    assert_int_equal(RUN("postroom", "-c", conf, "submit", first, "--no-wait"), TRY_AGAIN);
    int dir = open(fresh, O_RDONLY | O_DIRECTORY);
    assert_int_equal(fs_put_volatile(dir, "delivery.conf", 0644, "campain = 1;", 12, NULL), RC_OK);
    assert_int_equal(RUN("postroom", "-c", conf, "check", fresh), BAD_INPUT);
    fs_drop(&dir);
    dir = open("/tmp", O_RDONLY | O_DIRECTORY);
    assert_int_equal(fs_remove_tree(dir, top + strlen("/tmp/"), NULL), RC_OK);
    fs_drop(&dir);
}

static void cli_options__values_and_flags__in_any_order(void **state)
{
    (void)state;
    struct cli cli = {.command = "list"};
    const char *value = NULL;
    bool flag = false;
    const struct cli_option rows[] = {{"message", 'm', &value, NULL}, {"all", 'a', NULL, &flag}};
    char words[][12] = {"list", "one", "-m", "text", "two", "--all", "--", "-three"};
    char *argv_words[9] = {words[0], words[1], words[2], words[3], words[4],
                           words[5], words[6], words[7], NULL};
    char **argv = argv_words;
    int argc = 8;
    assert_int_equal(cli_options(&cli, rows, 2, &argc, &argv), CLI_GO_ON);
    assert_string_equal(value, "text");
    assert_true(flag);
    assert_int_equal(argc, 3);
    assert_string_equal(argv[0], "one");
    assert_string_equal(argv[1], "two");
    assert_string_equal(argv[2], "-three");
}

static void checking_id__folders_and_packages__by_their_last_part(void **state)
{
    (void)state;
    char id[CHECKING_NAME_BYTES];
    enum drop_kind kind = DROP_FILE;
    assert_true(checking_id("a/b/spring-letter//", NULL, id));
    assert_string_equal(id, "spring-letter");
    assert_true(checking_id("x/one.tar.zst", &kind, id));
    assert_string_equal(id, "one");
    assert_int_equal(kind, DROP_TAR_ZST);
    assert_false(checking_id("x/one.txt", &kind, id));
    assert_false(checking_id("a b", NULL, id));
    assert_false(checking_id("..", NULL, id));
    assert_false(checking_id("/", NULL, id));
    assert_false(checking_id("", NULL, id));
}

static void out_bar__done_beyond_of_and_unknown__stay_in_the_frame(void **state)
{
    (void)state;
    char bar[OUT_BAR_BYTES];
    assert_string_equal(out_bar(5, 0, bar), "[..............................]");
    assert_string_equal(out_bar(15, 30, bar), "[###############...............]  50%");
    assert_string_equal(out_bar(UINT64_MAX, 1, bar), "[##############################] 100%");
}

static void out_width__accents__count_once(void **state)
{
    (void)state;
    assert_int_equal(out_width("Zoé"), 3);
    assert_int_equal(out_width(""), 0);
}

static void json_put_text__no_utf8__is_escaped_and_null_is_null(void **state)
{
    (void)state;
    json_t *object = json_object();
    json_put_text(object, "bad", "a\xFFz");
    json_put_text(object, "none", NULL);
    assert_string_equal(json_string_value(json_object_get(object, "bad")), "a\\xffz");
    assert_true(json_is_null(json_object_get(object, "none")));
    json_decref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cli_main__no_or_unknown_command__is_usage),
        cmocka_unit_test(cli_main__help_and_version__end_well),
        cmocka_unit_test(cli_main__commands_of_a_later_version__are_unavailable),
        cmocka_unit_test(cli_main__wrong_arguments__are_told_before_anything_is_read),
        cmocka_unit_test(init_new_check__absolute_paths__work_without_a_daemon),
        cmocka_unit_test(cli_options__values_and_flags__in_any_order),
        cmocka_unit_test(checking_id__folders_and_packages__by_their_last_part),
        cmocka_unit_test(out_bar__done_beyond_of_and_unknown__stay_in_the_frame),
        cmocka_unit_test(out_width__accents__count_once),
        cmocka_unit_test(json_put_text__no_utf8__is_escaped_and_null_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
