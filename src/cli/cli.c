/*
 * cli - the table of commands and its dispatch
 */
#include "cli/cli.h"

#include "base/name.h"
#include "cli/commands.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

struct command {
    const char *name;
    const char *synopsis; /* behind the name */
    const char *help;     /* one line */
    int (*run)(struct cli *cli, int argc, char **argv);
    const char *more; /* further lines of `help COMMAND`, each ended by a newline; NULL none */
};

#define DECIDE_OPTIONS                                                                             \
    "  -m, --message TEXT   a comment, kept with the decision\n"                                   \
    "  --sha256 HEX         what was looked at (else what stands now)\n"                           \
    "  --no-wait            do not wait until the daemon has taken it\n"

/* In the order in which `postroom help` shows them. */
static const struct command COMMANDS[] = {
    {"new", "CHANNEL DIR", "make a delivery ready to fill in", cmd_new, NULL},
    {"check", "DIR [--json]", "what would happen: counts, causes, cost, errors", cmd_check, NULL},
    {"submit", "DIR|PACKAGE [--no-wait]", "check a delivery, drop it, wait until it is taken",
     cmd_submit, "  --no-wait   drop it and do not wait\n"},
    {"list", "[--all] [--campaign C] [--state S] [--json]", "deliveries, a line each", cmd_list,
     "  --all          also those that are done\n"
     "  --campaign C   of that campaign\n"
     "  --state S      in that state (all stages)\n"},
    {"show", "ID [--json]", "everything about one delivery", cmd_show, NULL},
    {"log", "ID", "what happened to a delivery", cmd_log, NULL},
    {"todo", "[OPERATOR] [--json]", "what waits for you, or for that operator", cmd_todo, NULL},
    {"refused", "[--json]", "drops that could not be accepted, and why", cmd_refused, NULL},
    {"preview", "ID [--row N] [--archive [--rows N]]",
     "the first rows that would go out; online: a message", cmd_preview,
     "  --row N      row N alone; online: the message of recipient N (default 1)\n"
     "  --archive    mail: the very bytes of the data file: header and first rows\n"
     "  --rows N     how many (default 5)\n"},
    {"results", "ID", "what became of each recipient, as CSV", cmd_results,
     "  online deliveries: key,reference,verdict,code,time\n"},
    {"returns", "ID", "what the router sent back", cmd_later, NULL},
    {"wait", "ID... [--for STATE] [--timeout T]", "wait until deliveries are that far", cmd_wait,
     "  --for STATE   (default: handed-over or finished)\n"
     "  --timeout T   like 90s, 10m; without it there is no end\n"
     "  ends with 0; 65 refused or failed; 75 not yet\n"},
    {"watch", "", "list and progress, drawn again and again", cmd_watch, NULL},
    {"approve", "ID... STEP[,STEP] [-m TEXT]", "say yes to steps", cmd_approve, DECIDE_OPTIONS},
    {"reject", "ID... STEP[,STEP] [-m TEXT]", "say no to steps", cmd_reject, DECIDE_OPTIONS},
    {"withdraw", "ID... STEP[,STEP] [-m TEXT]", "take an answer back", cmd_withdraw,
     DECIDE_OPTIONS},
    {"confirm", "ID... [-m TEXT]", "let deliveries start", cmd_confirm, DECIDE_OPTIONS},
    {"hold", "ID... [-m TEXT]", "keep deliveries from going on", cmd_hold, DECIDE_OPTIONS},
    {"release", "ID... [-m TEXT]", "end a hold", cmd_release, DECIDE_OPTIONS},
    {"pause", "ID... [-m TEXT]", "interrupt sending", cmd_pause, DECIDE_OPTIONS},
    {"resume", "ID... [-m TEXT]", "go on sending", cmd_resume, DECIDE_OPTIONS},
    {"stop", "ID... [-m TEXT] [--recalled]", "end deliveries for good", cmd_stop,
     DECIDE_OPTIONS "  --recalled           also after hand-over: the router has been told\n"},
    {"restart", "ID [--layout FILE] [-m TEXT]", "extract again, rows fixed anew", cmd_restart,
     DECIDE_OPTIONS "  --layout FILE        a file with layout = { ... }; to extract with\n"},
    {"reset", "ID content [-m TEXT]", "open the content again (owner)", cmd_reset, DECIDE_OPTIONS},
    {"proof", "send ID... [-m NOTE]", "send trials of the message to the proof target", cmd_proof,
     DECIDE_OPTIONS},
    {"submit-for-approval", "ID", "put a delivery up for approval", cmd_later, NULL},
    {"costs", "[PROGRAMME[/CAMPAIGN[/DELIVERY]]] [--from D] [--to D] [--csv] [--json]",
     "what things cost, by level", cmd_costs,
     "  --from D, --to D   entries of these days only (YYYY-MM-DD)\n"
     "  --csv              as comma-separated values\n"},
    {"stock", "[--json]", "what is in stock", cmd_stock, NULL},
    {"invoice", "add ...", "enter an invoice", cmd_later, NULL},
    {"cost", "add ...", "enter a cost", cmd_later, NULL},
    {"ledger", "verify [--witness FILE...] | head [--json]",
     "check the ledgers, or show their heads", cmd_ledger,
     "  --witness FILE   a manifest.json, or an archive that holds one: the heads in it must be "
     "met\n"},
    {"init", "DIR", "make a spool and a configuration to start from", cmd_init, NULL},
    {"status", "[--json]", "is it running, and what waits", cmd_status, NULL},
    {"reload", "", "read the configuration again", cmd_later, NULL},
    {"disable", "CHANNEL|PROVIDER|inbox [-m WHY]", "stop using something", cmd_later, NULL},
    {"enable", "CHANNEL|PROVIDER|inbox", "use it again", cmd_later, NULL},
    {"router-setup", "PROVIDER", "how to set up a router's SFTP account", cmd_later, NULL},
    {"purge", "[ID]", "remove what is past its retention", cmd_later, NULL},
    {"person", "KEY [--json|--erase]", "what is kept about one recipient", cmd_later, NULL},
};

enum { COMMAND_COUNT = sizeof COMMANDS / sizeof COMMANDS[0] };

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(COMMANDS[i].name, name) == 0) {
            return &COMMANDS[i];
        }
    }
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[COMMAND_COUNT];
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        names[i] = COMMANDS[i].name;
    }
    const char *nearest = name_nearest(slice_of(name), names, COMMAND_COUNT);
    if (nearest != NULL) {
        cli_say_error("%s: no such command; did you mean %s?", name, nearest);
    } else {
        cli_say_error("%s: no such command; `postroom help` shows them all", name);
    }
    return EX_USAGE;
}

static int help_all(FILE *to)
{
    (void)fputs("usage: postroom [-c CONF] COMMAND ...\n\n", to);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const char *later = COMMANDS[i].run == cmd_later ? " (not available in this version)" : "";
        (void)fprintf(to, "  %-20s %s%s\n", COMMANDS[i].name, COMMANDS[i].help, later);
    }
    (void)fputs("\nCONF: -c, else $POSTROOM_CONF, ./etc/postroom.conf, "
                "/etc/postroom/postroom.conf\n"
                "`postroom help COMMAND` says more; so does postroom(1).\n",
                to);
    return EX_OK;
}

int cli_help(const struct cli *cli, const char *command)
{
    (void)cli;
    const struct command *found = find_command(command);
    if (found == NULL) {
        return unknown_command(command);
    }
    (void)printf("usage: postroom [-c CONF] %s%s%s\n%s%s\n", found->name,
                 found->synopsis[0] == '\0' ? "" : " ", found->synopsis, found->help,
                 found->run == cmd_later ? " (not available in this version)" : "");
    (void)fputs(found->more == NULL ? "" : found->more, stdout);
    return EX_OK;
}

int cmd_later(struct cli *cli, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        return cli_help(cli, cli->command);
    }
    cli_say_error("%s: not available in this version", cli->command);
    return EX_UNAVAILABLE;
}

int cli_usage(const struct cli *cli, const char *format, ...)
{
    char what[ERR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    const struct command *command = find_command(cli->command);
    cli_say_error("%s: %s; usage: postroom %s %s", cli->command, what, cli->command,
                  command == NULL ? "" : command->synopsis);
    return EX_USAGE;
}

static int dispatch(struct cli *cli, int argc, char **argv)
{
    if (strcmp(argv[0], "help") == 0) {
        return argc > 1 ? cli_help(cli, argv[1]) : help_all(stdout);
    }
    const struct command *command = find_command(argv[0]);
    if (command == NULL) {
        return unknown_command(argv[0]);
    }
    cli->command = command->name;
    int code = command->run(cli, argc, argv);
    spool_free(cli->spool);
    house_free(cli->house);
    arena_release(&cli->arena);
    return code;
}

int cli_main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'v'}, {NULL, 0, NULL, 0}};
    struct cli cli = {.command = "postroom", .arena = ARENA_EMPTY};
    const char *no_colour = getenv("NO_COLOR"); /* https://no-color.org: set and not empty */
    cli.has_colour = isatty(STDOUT_FILENO) == 1 && (no_colour == NULL || no_colour[0] == '\0');
    cli.has_bars = cli.has_colour && isatty(STDERR_FILENO) == 1;
    optind = 0; /* glibc: begin anew */
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "+c:hv", long_options, NULL)) != -1;) {
        switch (c) {
        case 'c':
            cli.conf_path = optarg;
            break;
        case 'h':
            return help_all(stdout);
        case 'v':
            (void)puts("postroom " POSTROOM_VERSION);
            return EX_OK;
        default:
            cli_say_error(
                "%s: no such option before the command; usage: postroom [-c CONF] COMMAND",
                argv[optind > 0 ? optind - 1 : 0]);
            return EX_USAGE;
        }
    }
    if (optind >= argc) {
        (void)help_all(stderr);
        return EX_USAGE;
    }
    int code = dispatch(&cli, argc - optind, argv + optind);
    if ((fflush(stdout) != 0 || ferror(stdout) != 0) && code == EX_OK) {
        cli_say_error(
            "stdout: what was printed could not be written; look at the disk or the pipe");
        code = EX_IOERR;
    }
    return code;
}
