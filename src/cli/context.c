/*
 * context - what a command works on: configuration, spool, who calls; and how errors are told
 */
#include "cli/cli.h"

#include "operator/identity.h"
#include "sys/calls.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* --- telling --- */

/* Newlines are kept, other control characters are not: what is told may have come from a drop. */
static void add_lines(struct buf *out, const char *text)
{
    for (const char *at = text;;) {
        size_t len = strcspn(at, "\n");
        log_add_escaped(out, (struct slice){at, len});
        if (at[len] == '\0' || at[len + 1] == '\0') {
            break;
        }
        buf_add_text(out, "\n  ");
        at += len + 1;
    }
    buf_add_byte(out, '\n');
}

void cli_say_error(const char *format, ...)
{
    char text[4 * ERR_TEXT_BYTES];
    struct buf out = BUF_EMPTY;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buf_add_text(&out, "postroom: ");
    add_lines(&out, text);
    (void)fflush(stdout); /* so that both streams on one terminal stay in order */
    (void)fputs(buf_text(&out), stderr);
    buf_release(&out);
}

/* Texts of sys_err() end with the description of their errno. */
static bool is_denied(const char *text)
{
    const char *denied = strerror(EACCES);
    size_t len = strlen(text);
    size_t tail = strlen(denied);
    return len >= tail && strcmp(text + len - tail, denied) == 0;
}

int cli_fail(enum rc rc, const struct err *err)
{
    cli_say_error("%s", err->text[0] == '\0' ? rc_name(rc) : err->text);
    return rc == RC_PERM && is_denied(err->text) ? EX_NOPERM : rc_exit(rc);
}

int cli_no_memory(void)
{
    cli_say_error("no memory; try again when the machine is less busy");
    return EX_OSERR;
}

/* --- configuration --- */

static const char *find_conf(const struct cli *cli)
{
    const char *from_environment = getenv("POSTROOM_CONF");
    if (cli->conf_path != NULL) {
        return cli->conf_path;
    }
    if (from_environment != NULL && from_environment[0] != '\0') {
        return from_environment;
    }
    return access("etc/postroom.conf", R_OK) == 0 ? "etc/postroom.conf"
                                                  : "/etc/postroom/postroom.conf";
}

static void tell_problems(const struct problems *problems, const struct err *err)
{
    size_t told = 0;
    for (size_t i = 0; i < problems->count; i++) {
        if (!problems->lines[i].is_warning) { /* warnings are the daemon's and --check's to tell */
            cli_say_error("%s", problems->lines[i].text);
            told++;
        }
    }
    if (told == 0) {
        cli_say_error("%s", err->text);
    }
}

static int load_house(struct cli *cli, const char *path)
{
    struct err err = {{0}};
    struct problems *problems = calloc(1, sizeof *problems);
    if (problems == NULL) {
        return cli_no_memory();
    }
    problems_init(problems);
    enum rc rc = house_load(path, &cli->house, problems, &err);
    int code = CLI_GO_ON;
    if (rc == RC_GONE) {
        cli_say_error("%s: no configuration there; name it with -c, or make one: postroom init DIR",
                      path);
        code = EX_CONFIG;
    } else if (rc == RC_NOMEM) {
        code = cli_no_memory();
    } else if (rc != RC_OK) {
        tell_problems(problems, &err);
        code = EX_CONFIG;
    } else if (clock_set_zone(cli->house->timezone, &err) != RC_OK) {
        cli_say_error("%s: timezone: %s", path, err.text);
        code = EX_CONFIG;
    }
    problems_release(problems);
    free(problems);
    return code;
}

int cli_house(struct cli *cli)
{
    if (cli->house != NULL) {
        return CLI_GO_ON;
    }
    cli->conf_path = find_conf(cli);
    int code = load_house(cli, cli->conf_path);
    if (code != CLI_GO_ON) {
        return code;
    }
    return people_of_house(cli->house, &cli->arena, &cli->people, NULL) == RC_OK ? CLI_GO_ON
                                                                                 : cli_no_memory();
}

/* --- spool --- */

int cli_spool(struct cli *cli)
{
    int code = cli_house(cli);
    if (code != CLI_GO_ON || cli->spool != NULL) {
        return code;
    }
    struct err err = {{0}};
    struct spool_options options = {.group = -1, .is_read_only = true};
    enum rc rc = spool_open(cli->house->spool, cli->house->routers, &options, &cli->spool, &err);
    if (rc == RC_OK && spool_dir(cli->spool, SPOOL_PENDING) < 0 &&
        access(cli->house->spool, X_OK) == 0) {
        cli_say_error("%s: nothing is in that spool yet; start postroomd", cli->house->spool);
        return EX_UNAVAILABLE;
    }
    switch (rc) {
    case RC_OK:
        return CLI_GO_ON;
    case RC_GONE:
        cli_say_error("%s: there is no spool yet; start postroomd, which makes it",
                      cli->house->spool);
        return EX_UNAVAILABLE;
    case RC_PERM:
        cli_say_error("%s", err.text);
        return access(cli->house->spool, R_OK | X_OK) != 0 && errno == EACCES ? EX_NOPERM
                                                                              : EX_CONFIG;
    default:
        return cli_fail(rc, &err);
    }
}

void cli_spool_quietly(struct cli *cli)
{
    struct spool_options options = {.group = -1, .is_read_only = true};
    if (cli->spool == NULL &&
        spool_open(cli->house->spool, cli->house->routers, &options, &cli->spool, NULL) != RC_OK) {
        cli->spool = NULL;
    }
}

enum rc cli_folder_make(const char *path, struct err *err)
{
    return mkdir(path, 0755) == 0 ? RC_OK : sys_err(err, errno, "make folder %s", path);
}

enum rc cli_folder_open(const char *path, int *out_fd, struct err *err)
{
    *out_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*out_fd >= 0) {
        return RC_OK;
    }
    return errno == ENOTDIR ? err_set(err, RC_PERM, "%s: is no folder", path)
                            : sys_err(err, errno, "%s", path);
}

bool cli_is_running(const struct cli *cli, pid_t *out_pid)
{
    pid_t pid = 0;
    int run = spool_dir(cli->spool, SPOOL_RUN);
    bool is_running = run >= 0 && lock_holder(run, "lock", &pid, NULL) == RC_OK;
    if (out_pid != NULL) {
        *out_pid = is_running ? pid : 0;
    }
    return is_running;
}

/* --- who calls --- */

static bool has_user(struct people people, const char *user)
{
    for (size_t i = 0; i < people.count; i++) {
        if (people.list[i].user != NULL && strcmp(people.list[i].user, user) == 0) {
            return true;
        }
    }
    return false;
}

const struct person *cli_caller(struct cli *cli, const char **why)
{
    struct err err = {{0}};
    char user[USER_NAME_BYTES];
    const struct person *person = NULL;
    enum rc rc = identity_of_uid(getuid(), cli->people, "what you drop", &person, user, &err);
    if (rc == RC_PERM && user[0] != '\0' && !has_user(cli->people, user)) {
        (void)err_set(&err, rc,
                      "user %s is no operator; an administrator can name one with user = \"%s\" "
                      "in 'operators' of %s",
                      user, user, cli->conf_path);
    }
    if (rc != RC_OK) {
        const char *text = arena_text(&cli->arena, slice_of(err.text));
        if (why != NULL) {
            *why = text == NULL ? "no memory" : text;
        }
        return NULL;
    }
    return person;
}
