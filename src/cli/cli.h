/*
 * cli - the command `postroom`: what all of its commands share
 *
 * One table (cli.c) names the commands. Each is a function that reads its own options, loads what
 * it needs with cli_house() and cli_spool(), prints to stdout, tells errors on stderr and returns a
 * sysexits.h code. The command has no rights of its own: it reads the spool and drops files in
 * doors like anybody else.
 */
#ifndef POSTROOM_CLI_CLI_H
#define POSTROOM_CLI_CLI_H

#include "base/arena.h"
#include "conf/house.h"
#include "operator/person.h"
#include "spool/stage.h"

#include <sys/types.h>

#define POSTROOM_VERSION "0.1.0"

struct cli {
    const char *conf_path; /* -c, or NULL: searched when it is needed */
    const char *command;   /* the command's name, for texts */
    struct arena arena;    /* lives as long as the command */
    struct house *house;   /* after cli_house() */
    struct spool *spool;   /* after cli_spool() */
    struct people people;  /* after cli_house(): the operators as operator/right.h wants them */
    bool has_colour;       /* stdout is a terminal and NO_COLOR is not set */
    bool has_bars;         /* the same, and stderr is a terminal too */
};

/* cli_main - the whole program; returns its exit code */
int cli_main(int argc, char **argv);

/* cli_help - what one command does, to stdout; returns 0, or 64 where there is no such command */
int cli_help(const struct cli *cli, const char *command);

/* Results of functions that either let their caller go on or name the code to end with. */
enum { CLI_GO_ON = -1 };

/*
 * cli_house - find and load the configuration, set local time
 * Returns  CLI_GO_ON; else the exit code (78, 66, 71), everything told
 */
int cli_house(struct cli *cli);

/* cli_spool - cli_house(), then the spool opened for reading. CLI_GO_ON; 69 there is none yet; 77;
 * 78 */
int cli_spool(struct cli *cli);

/* cli_spool_quietly - after cli_house(): the spool where there is one that may be read; cli->spool
 * stays NULL else */
void cli_spool_quietly(struct cli *cli);

/* cli_folder_make - a new folder of the caller's own, by any path; RC_EXISTS, RC_GONE, RC_PERM,
 * RC_TEMP */
enum rc cli_folder_make(const char *path, struct err *err) MUST_CHECK;

/* cli_folder_open - a folder of the caller's own; RC_GONE, RC_PERM (also: it is none), RC_TEMP */
enum rc cli_folder_open(const char *path, int *out_fd, struct err *err) MUST_CHECK;

/*
 * cli_caller - the operator that runs the command, by uid
 * Returns  NULL where the uid is no operator; *why then says so (ERR_TEXT_BYTES are kept in the
 * arena); may be NULL
 */
const struct person *cli_caller(struct cli *cli, const char **why);

/* cli_is_running - postroomd holds the lock of this spool; *out_pid its process (0: not known), may
 * be NULL */
bool cli_is_running(const struct cli *cli, pid_t *out_pid);

/* --- telling --- */

/* cli_say_error - "postroom: text" on stderr, control characters escaped, newlines kept */
void cli_say_error(const char *format, ...) PRINTF_LIKE(1, 2);

/* cli_fail - tell err and return the exit code of rc */
int cli_fail(enum rc rc, const struct err *err);

/* cli_usage - "postroom: COMMAND: what; usage: ..." and 64 */
int cli_usage(const struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);

/* cli_no_memory - tell it; returns 71 */
int cli_no_memory(void);

/* --- options --- */

/* One option of a command; exactly one of value and flag is set. */
struct cli_option {
    const char *name;   /* long form, without dashes */
    char letter;        /* short form; '\0' none */
    const char **value; /* takes an argument, put here */
    bool *flag;         /* takes none; set to true */
};

enum { CLI_OPTIONS_MAX = 12 };

/*
 * cli_options - read a command's options
 *
 * rows   at most CLI_OPTIONS_MAX (asserted); --help is understood by itself
 * argc, argv  of the command, argv[0] its name; afterwards what is left: the arguments alone
 * Returns  CLI_GO_ON; 0 help was asked for and printed; 64 told
 */
int cli_options(const struct cli *cli, const struct cli_option *rows, size_t count, int *argc,
                char ***argv);

/* cli_ids_ok - each of these is a valid delivery id; CLI_GO_ON or 64, told */
int cli_ids_ok(const struct cli *cli, char *const *ids, int count);

#endif
