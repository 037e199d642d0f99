/*
 * submit - check a delivery, drop it in inbox/ as a package, wait until it is taken or refused
 *
 * The package is written as .NAME.tmp, which nobody looks at, and gets its name whole. It is for
 * the daemon alone: mode 0600, as it holds recipients.
 */
#include "cli/checking.h"
#include "cli/commands.h"
#include "cli/decide.h"
#include "cli/deliveries.h"
#include "cli/out.h"
#include "cli/packaging.h"

#include "spool/refuse.h"
#include "spool/take.h"
#include "sys/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    PACKAGE_MODE = 0600,
    PACKAGE_NAME_BYTES = ID_BYTES_MAX + 32,
    TEMPORARY_BYTES = PACKAGE_NAME_BYTES + 32,
    PATH_BYTES = 4096
};

static const char *const PACKAGE_SUFFIX[] = {
    [DROP_DIR] = "",           [DROP_TAR] = ".tar",
    [DROP_TAR_GZ] = ".tar.gz", [DROP_TAR_ZST] = ".tar.zst",
    [DROP_ZIP] = ".zip",       [DROP_FILE] = "",
};

struct submission {
    struct cli *cli;
    const char *path;
    char id[CHECKING_NAME_BYTES];
    char name[PACKAGE_NAME_BYTES]; /* in inbox/ */
    int dirfd;                     /* the folder, or where the package was unpacked to be checked */
    int package_fd;                /* the package given; -1: a folder was */
    enum drop_kind kind;           /* of the package */
    char unpacked[PATH_BYTES];     /* temporary folder; "" none */
    uint64_t revision_before;      /* 0: no such delivery */
    char refusal[REFUSE_NAME_BYTES]; /* what a refusal of this drop will be called */
};

/* --- opening --- */

/* A package is unpacked beside, to be checked; the limits are those of taking in. */
static int unpack(struct submission *s)
{
    const char *parent = getenv("TMPDIR");
    struct err err = {{0}};
    struct take_result result;
    const struct take_limits limits = {.total_bytes = UINT64_MAX};
    (void)snprintf(s->unpacked, sizeof s->unpacked, "%s/postroom-check-XXXXXX",
                   parent == NULL || parent[0] == '\0' ? "/tmp" : parent);
    if (mkdtemp(s->unpacked) == NULL) {
        s->unpacked[0] = '\0';
        cli_say_error("no temporary folder to unpack in; set TMPDIR");
        return EX_CANTCREAT;
    }
    enum rc rc = cli_folder_open(s->unpacked, &s->dirfd, &err);
    rc = rc == RC_OK ? take_package(s->package_fd, s->kind, s->dirfd, &limits, &result, &err) : rc;
    if (rc != RC_OK) {
        cli_say_error("%s: %s", s->path, err.text);
        return rc_exit(rc);
    }
    return CLI_GO_ON;
}

static int open_source(struct submission *s)
{
    struct err err = {{0}};
    struct stat status;
    if (stat(s->path, &status) != 0) {
        cli_say_error("%s: no such folder or package", s->path);
        return EX_NOINPUT;
    }
    bool is_package = !S_ISDIR(status.st_mode);
    if (!checking_id(s->path, is_package ? &s->kind : NULL, s->id)) {
        cli_say_error(is_package ? "%s: is no package: the id, then .tar, .tar.gz, .tgz, .tar.zst "
                                   "or .zip; rename it"
                                 : "%s: the folder's name is the delivery's id: 1 to 64 of A-Z a-z "
                                   "0-9 . _ -; rename it",
                      s->path);
        return EX_DATAERR;
    }
    if (!is_package) {
        (void)snprintf(s->name, sizeof s->name, "%s.tar.zst", s->id);
        enum rc rc = cli_folder_open(s->path, &s->dirfd, &err);
        return rc == RC_OK ? CLI_GO_ON : cli_fail(rc, &err);
    }
    (void)snprintf(s->name, sizeof s->name, "%s%s", s->id, PACKAGE_SUFFIX[s->kind]);
    s->package_fd = open(s->path, O_RDONLY | O_CLOEXEC);
    if (s->package_fd < 0) {
        cli_say_error("%s: cannot be read", s->path);
        return EX_NOPERM;
    }
    return unpack(s);
}

/* It holds recipients: where it cannot be removed somebody has to know. */
static void remove_unpacked(char *path)
{
    int parent = -1;
    struct err err = {{0}};
    char *slash = strrchr(path, '/'); /* there is one: the path was put together with it */
    *slash = '\0';
    enum rc rc = cli_folder_open(path[0] == '\0' ? "/" : path, &parent, &err);
    rc = rc == RC_OK ? fs_remove_tree(parent, slash + 1, &err) : rc;
    fs_drop(&parent);
    *slash = '/';
    if (rc != RC_OK) {
        cli_say_error("%s: could not be removed (%s); remove it, it holds recipients", path,
                      err.text);
    }
}

/* What was unpacked was for the check alone: it does not stay while the daemon is waited for. */
static void forget_unpacked(struct submission *s)
{
    if (s->unpacked[0] != '\0') {
        fs_drop(&s->dirfd);
        remove_unpacked(s->unpacked);
        s->unpacked[0] = '\0';
    }
}

static void submission_close(struct submission *s)
{
    forget_unpacked(s);
    fs_drop(&s->dirfd);
    fs_drop(&s->package_fd);
}

/* --- dropping --- */

static int write_package(struct submission *s, const struct fs_names *names, int fd)
{
    struct err err = {{0}};
    enum rc rc = RC_OK;
    if (s->package_fd >= 0) {
        if (lseek(s->package_fd, 0, SEEK_SET) != 0) {
            return cli_fail(RC_TEMP, &err);
        }
        rc = fs_copy_fd(s->package_fd, fd, UINT64_MAX, NULL, NULL, &err);
    } else {
        rc = packaging_write(s->dirfd, names, fd, &err);
    }
    rc = rc == RC_OK ? fs_sync_file(fd, &err) : rc;
    return rc == RC_OK ? CLI_GO_ON : cli_fail(rc, &err);
}

static int drop_package(struct submission *s, const struct fs_names *names)
{
    int inbox = spool_dir(s->cli->spool, SPOOL_INBOX);
    struct err err = {{0}};
    char temporary[TEMPORARY_BYTES];
    int fd = -1;
    (void)snprintf(temporary, sizeof temporary, ".%s.%ld.tmp", s->name, (long)getpid());
    enum rc rc = fs_create(inbox, temporary, PACKAGE_MODE, &fd, &err);
    if (rc == RC_PERM) {
        cli_say_error("inbox/: %s; are you in the operators' group?", err.text);
        return EX_NOPERM;
    }
    if (rc != RC_OK) {
        return cli_fail(rc == RC_EXISTS ? RC_TEMP : rc, &err);
    }
    int code = write_package(s, names, fd);
    if (code == CLI_GO_ON && fs_close(&fd, &err) != RC_OK) {
        code = cli_fail(RC_IO, &err);
    }
    if (code == CLI_GO_ON) {
        rc = fs_move_noreplace(inbox, temporary, inbox, s->name, &err);
        if (rc == RC_EXISTS) {
            cli_say_error("%s: a drop of that name lies in inbox/ and was not taken yet; try again "
                          "when it is",
                          s->name);
            code = EX_TEMPFAIL;
        } else if (rc != RC_OK) {
            code = cli_fail(rc, &err);
        }
    }
    fs_drop(&fd);
    if (code != CLI_GO_ON) {
        (void)!fs_remove(inbox, temporary, NULL);
    }
    return code;
}

/* --- waiting --- */

static uint64_t revision_of(const struct submission *s)
{
    struct subject subject = SUBJECT_NONE;
    uint64_t revision = 0;
    if (subject_open(s->cli->spool, s->id, &subject, NULL) == RC_OK) {
        revision = subject.view.revision;
        subject_close(&subject);
    }
    return revision;
}

/* The daemon refuses NAME as NAME, NAME.2, NAME.3: the first that is free now. */
static void foresee_refusal(struct submission *s)
{
    int refused = spool_dir(s->cli->spool, SPOOL_REFUSED);
    char reason[REFUSE_NAME_BYTES + 16];
    (void)snprintf(s->refusal, sizeof s->refusal, "%s", s->name);
    for (int n = 2; refused >= 0 && n <= REFUSE_NUMBER_MAX; n++) {
        (void)snprintf(reason, sizeof reason, "%s.reason", s->refusal);
        if (!fs_exists(refused, reason)) {
            return;
        }
        (void)snprintf(s->refusal, sizeof s->refusal, "%s.%d", s->name, n);
    }
}

/* A bar shares its line with what is told next. */
static void clear_bar(const struct submission *s)
{
    if (s->cli->has_bars) {
        (void)fputs("\r\033[K", stderr);
    }
}

static int tell_refusal(const struct submission *s)
{
    struct buf reason = BUF_EMPTY;
    struct err err = {{0}};
    clear_bar(s);
    enum rc rc = refusal_text(s->cli, s->refusal, &reason, &err);
    cli_say_error("%s: refused: %s", s->id, rc == RC_OK ? buf_text(&reason) : err.text);
    buf_release(&reason);
    return EX_DATAERR;
}

/* CLI_GO_ON: not taken yet. */
static int look_for_it(const struct submission *s)
{
    struct subject subject = SUBJECT_NONE;
    int code = CLI_GO_ON;
    if (subject_open(s->cli->spool, s->id, &subject, NULL) != RC_OK) {
        return CLI_GO_ON;
    }
    const struct view *view = &subject.view;
    if (view->revision > s->revision_before) {
        bool is_wrong = view->state == STATE_PREPARATION_ERROR;
        clear_bar(s);
        out_line("%s: taken%s, %" PRIu64 " records and %" PRIu64 " seeds of %" PRIu64
                 " rows; now: %s",
                 s->id, view->revision > 1 ? " as a revision" : "", view->records, view->seeds,
                 view->rows, state_shown_as(view->state));
        if (is_wrong) {
            cli_say_error("%s: %s", s->id, view->reason);
        }
        code = is_wrong ? EX_DATAERR : EX_OK;
    }
    subject_close(&subject);
    return code;
}

static void draw_progress(const struct submission *s)
{
    char bar[OUT_BAR_BYTES];
    uint64_t done = 0;
    uint64_t of = 0;
    json_t *status = status_read(s->cli);
    if (delivery_working(status, s->id, &done, &of)) {
        (void)fprintf(stderr, "\r%s being taken in", out_bar(done, of, bar));
    }
    json_decref(status);
}

/* There is no limit but the daemon's life: a large delivery takes its time. */
static int wait_for_it(const struct submission *s)
{
    int refused = spool_dir(s->cli->spool, SPOOL_REFUSED);
    int64_t seen_ns = clock_monotonic_ns();
    char reason[REFUSE_NAME_BYTES + 16];
    int code = CLI_GO_ON;
    (void)snprintf(reason, sizeof reason, "%s.reason", s->refusal);
    for (;;) {
        int64_t now_ns = clock_monotonic_ns();
        code = look_for_it(s);
        if (code == CLI_GO_ON && refused >= 0 && fs_exists(refused, reason)) {
            code = tell_refusal(s);
        }
        seen_ns = cli_is_running(s->cli, NULL) ? now_ns : seen_ns;
        if (code != CLI_GO_ON || now_ns - seen_ns > (int64_t)DAEMON_GRACE_MS * 1000000) {
            break;
        }
        if (s->cli->has_bars) {
            draw_progress(s);
        }
        pause_ms(DECIDE_POLL_MS);
    }
    if (code == CLI_GO_ON) {
        clear_bar(s);
        cli_say_error("%s: lies in inbox/ and was not taken yet: postroomd is not running", s->id);
        code = EX_TEMPFAIL;
    }
    return code;
}

/* --- all --- */

static int check_first(struct submission *s, struct fs_names *names)
{
    struct checking *checking = NULL;
    struct err err = {{0}};
    int code = checking_run(s->cli, s->dirfd, s->id, &checking);
    if (code == CLI_GO_ON) {
        enum rc rc = packaging_list(s->dirfd, names, &checking->problems, &err);
        code = rc == RC_OK ? checking_tell(checking) : cli_fail(rc, &err);
        code = code == EX_OK ? CLI_GO_ON : code;
    }
    checking_free(checking);
    return code;
}

static int submit(struct submission *s, bool is_no_wait)
{
    struct fs_names names = FS_NAMES_EMPTY;
    int code = open_source(s);
    code = code == CLI_GO_ON ? check_first(s, &names) : code;
    forget_unpacked(s);
    if (code == CLI_GO_ON) {
        s->revision_before = revision_of(s);
        foresee_refusal(s);
        code = drop_package(s, &names);
    }
    fs_names_release(&names);
    if (code == CLI_GO_ON && is_no_wait) {
        out_line("%s: dropped", s->id);
        return EX_OK;
    }
    return code == CLI_GO_ON ? wait_for_it(s) : code;
}

int cmd_submit(struct cli *cli, int argc, char **argv)
{
    bool is_no_wait = false;
    const struct cli_option options[] = {{"no-wait", '\0', NULL, &is_no_wait}};
    int code = cli_options(cli, options, 1, &argc, &argv);
    if (code == CLI_GO_ON && argc != 1) {
        code = cli_usage(cli, "one folder or package is wanted");
    }
    code = code == CLI_GO_ON ? cli_spool(cli) : code;
    if (code != CLI_GO_ON) {
        return code;
    }
    if (spool_dir(cli->spool, SPOOL_INBOX) < 0) {
        cli_say_error("%s/inbox: there is no such door yet; start postroomd",
                      spool_path(cli->spool));
        return EX_UNAVAILABLE;
    }
    struct submission submission = {
        .cli = cli, .path = argv[0], .dirfd = -1, .package_fd = -1, .kind = DROP_FILE};
    code = submit(&submission, is_no_wait);
    submission_close(&submission);
    return code;
}
