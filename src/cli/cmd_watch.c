/*
 * watch - list and progress, drawn again and again until Ctrl-C; on no terminal: once
 */
#include "cli/commands.h"
#include "cli/decide.h"
#include "cli/listing.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

enum { WATCH_PERIOD_MS = 500 };
static const char HOME_AND_CLEAR[] = "\033[H\033[J";

static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int number)
{
    (void)number;
    is_interrupted = 1;
}

static void print_work(const struct cli *cli)
{
    char bar[OUT_BAR_BYTES];
    json_t *status = cli_is_running(cli, NULL) ? status_read(cli) : NULL;
    const json_t *working = json_object_get(status, "working");
    if (status == NULL) {
        out_line("postroomd is not running");
    }
    for (size_t i = 0; i < json_array_size(working); i++) {
        const json_t *one = json_array_get(working, i);
        const char *id = json_string_value(json_object_get(one, "id"));
        const char *kind = json_string_value(json_object_get(one, "kind"));
        uint64_t done = (uint64_t)json_integer_value(json_object_get(one, "done"));
        uint64_t of = (uint64_t)json_integer_value(json_object_get(one, "of"));
        if (cli->has_colour) {
            out_line("%s %s %s  %" PRIu64 " of %" PRIu64, out_bar(done, of, bar),
                     kind == NULL ? "" : kind, id == NULL ? "" : id, done, of);
        } else {
            out_line("%s %s  %" PRIu64 " of %" PRIu64, kind == NULL ? "" : kind,
                     id == NULL ? "" : id, done, of);
        }
    }
    json_decref(status);
}

int cmd_watch(struct cli *cli, int argc, char **argv)
{
    const struct listing_wants wants = {STAGES_ON_THE_WAY, NULL, STATE_NONE};
    int code = cli_options(cli, NULL, 0, &argc, &argv);
    if (code == CLI_GO_ON && argc > 0) {
        code = cli_usage(cli, "%s: no argument is wanted", argv[0]);
    }
    code = code == CLI_GO_ON ? cli_spool(cli) : code;
    if (code != CLI_GO_ON) {
        return code;
    }
    bool is_terminal = isatty(STDOUT_FILENO) == 1;
    struct sigaction action = {.sa_handler = on_interrupt};
    (void)sigaction(SIGINT, &action, NULL);
    do {
        if (is_terminal) {
            (void)fputs(HOME_AND_CLEAR, stdout);
        }
        code = listing_print(cli, &wants);
        print_work(cli);
        (void)fflush(stdout);
        if (is_terminal && is_interrupted == 0) {
            pause_ms(WATCH_PERIOD_MS);
        }
    } while (is_terminal && is_interrupted == 0 && code == EX_OK);
    return code;
}
