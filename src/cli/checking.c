/*
 * checking - what would happen to a delivery if it were dropped
 */
#include "cli/checking.h"

#include "cli/decide.h"
#include "cli/deliveries.h"
#include "cli/money.h"
#include "cli/out.h"
#include "sys/fs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { BAR_PERIOD_MS = 100 };

/* --- the name --- */

/* The last part of a path, as it was given; of "." the working folder's own name. */
static bool last_part(const char *path, char out[NAME_MAX + 1])
{
    char here[PATH_MAX];
    size_t end = strlen(path);
    if (strcmp(path, ".") == 0 || strcmp(path, "./") == 0) {
        if (getcwd(here, sizeof here) == NULL) {
            return false;
        }
        path = here;
        end = strlen(here);
    }
    while (end > 0 && path[end - 1] == '/') {
        end--;
    }
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    if (end == start || end - start > NAME_MAX) {
        return false;
    }
    memcpy(out, path + start, end - start);
    out[end - start] = '\0';
    return true;
}

bool checking_id(const char *path, enum drop_kind *out_kind, char out[CHECKING_NAME_BYTES])
{
    static_assert(CHECKING_NAME_BYTES == ID_BYTES_MAX + 1, "an id and its NUL");
    char name[NAME_MAX + 1];
    if (!last_part(path, name)) {
        return false;
    }
    if (out_kind != NULL) {
        *out_kind = drop_kind_of(name, out);
        return *out_kind != DROP_FILE && out[0] != '\0';
    }
    if (!id_is_valid(slice_of(name))) {
        return false;
    }
    memcpy(out, name, strlen(name) + 1);
    return true;
}

/* --- counting, beside a bar --- */

struct job {
    struct prepare_options options;
    struct checking *checking;
    struct err *err;
    enum rc rc;
    atomic_bool is_done;
};

static void *work(void *ctx)
{
    struct job *job = ctx;
    job->rc =
        prepare_run(&job->options, &job->checking->prepared, &job->checking->problems, job->err);
    atomic_store(&job->is_done, true);
    return NULL;
}

static void draw_until_done(const struct job *job)
{
    char bar[OUT_BAR_BYTES];
    while (!atomic_load(&job->is_done)) {
        pause_ms(BAR_PERIOD_MS);
        uint64_t done = atomic_load_explicit(&job->options.cell->done, memory_order_relaxed);
        uint64_t of = atomic_load_explicit(&job->options.cell->of, memory_order_relaxed);
        if (of > 0) {
            (void)fprintf(stderr, "\r%s of %.1f MB", out_bar(done, of, bar), (double)of / 1e6);
        }
    }
    (void)fputs("\r\033[K", stderr);
}

static enum rc count_rows(struct job *job, bool has_bars)
{
    pthread_t thread;
    if (has_bars && pthread_create(&thread, NULL, work, job) == 0) {
        draw_until_done(job);
        (void)pthread_join(thread, NULL);
    } else {
        (void)work(job);
    }
    return job->rc;
}

/* --- a revision that drops a part --- */

static enum rc order_of(const struct prepare_options *options, struct order **out,
                        struct problems *problems, struct err *err)
{
    struct buf text = BUF_EMPTY;
    enum rc rc = fs_read_small(options->dirfd, "delivery.conf", GUARD_DROP_BYTES_MAX, &text, err);
    if (rc == RC_OK) {
        rc = order_read(buf_slice(&text), "delivery.conf", options->house, options->dropper,
                        options->id, out, problems, err);
    }
    buf_release(&text);
    return rc;
}

static bool some_are_elsewhere(const struct order *order, int dirfd, int previous_fd)
{
    struct order_file *files = calloc(ORDER_FILES_MAX, sizeof *files);
    size_t count = files == NULL ? 0 : order_files(order, files);
    size_t elsewhere = 0;
    bool is_all_there = files != NULL;
    for (size_t i = 0; i < count; i++) {
        bool is_here = fs_exists(dirfd, files[i].name);
        bool is_before = fs_exists(previous_fd, files[i].name);
        elsewhere += !is_here && is_before;
        is_all_there = is_all_there && (is_here || is_before);
    }
    free(files);
    return is_all_there && elsewhere > 0;
}

/*
 * "A file that it names but does not hold comes from the revision before": those are the daemon's
 * alone, so their rows cannot be counted here. The settings can be looked at.
 */
static bool is_partial_revision(struct cli *cli, const struct prepare_options *options,
                                struct checking *checking)
{
    struct subject before = SUBJECT_NONE;
    struct order *order = NULL;
    bool is_partial = false;
    if (cli->spool == NULL || subject_open(cli->spool, options->id, &before, NULL) != RC_OK) {
        return false;
    }
    if (order_of(options, &order, &checking->problems, NULL) == RC_OK) {
        is_partial = some_are_elsewhere(order, options->dirfd, before.dirfd);
    }
    if (!is_partial) { /* everything is told once, by the count */
        problems_release(&checking->problems);
        problems_init(&checking->problems);
    }
    order_free(order);
    subject_close(&before);
    return is_partial;
}

/* --- all --- */

static void keep_warning(void *ctx, const char *text)
{
    struct checking *checking = ctx;
    const char *copy = arena_text(&checking->cli->arena, slice_of(text));
    if (copy != NULL && checking->stock_warning_count < CHECKING_WARNINGS_MAX) {
        checking->stock_warnings[checking->stock_warning_count++] = copy;
    }
}

static int find_dropper(struct cli *cli, struct order_dropper *out)
{
    const char *why = NULL;
    const struct person *caller = cli_caller(cli, &why);
    if (caller == NULL) {
        cli_say_error("%s", why);
        return EX_NOPERM;
    }
    const struct house_operator *op = house_operator_by_name(cli->house, caller->name);
    *out = (struct order_dropper){caller->name, op->is_admin, op->may_act_for_others};
    return CLI_GO_ON;
}

/* Faults of the files become lines like all others; what the machine does not let us do ends the
 * command. */
static int settle(struct checking *checking, enum rc rc, const struct err *err)
{
    struct prepared *prepared = &checking->prepared;
    if (rc == RC_OK && prepared->has_bad_rows) {
        problems_add_line(&checking->problems, prepared->text);
        return CLI_GO_ON;
    }
    if (rc == RC_OK) {
        return CLI_GO_ON;
    }
    if (rc == RC_PERM || rc == RC_RANGE || rc == RC_CORRUPT) {
        if (checking->problems.error_count == 0) {
            problems_add_line(&checking->problems, err->text);
        }
        return CLI_GO_ON;
    }
    return cli_fail(rc, err);
}

/* What does not fit into memory goes where temporary files go; -1 where there is no such place. */
static int open_spill_dir(void)
{
    const char *path = getenv("TMPDIR");
    return open(path == NULL || path[0] == '\0' ? "/tmp" : path,
                O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A quarantine that the caller may not read is left out: the daemon looks at it. */
static void open_lists(const struct cli *cli, struct stage_lists *out)
{
    lists_open(cli->house, cli->spool == NULL ? -1 : spool_dir(cli->spool, SPOOL_QUARANTINE), out);
    for (int channel = 0; channel < HOUSE_CHANNELS; channel++) {
        if (out->channels[channel].quarantine == LIST_UNREADABLE) {
            out->channels[channel].quarantine = LIST_NONE;
        }
    }
}

int checking_run(struct cli *cli, int dirfd, const char *id, struct checking **out)
{
    struct order_dropper dropper;
    int code = find_dropper(cli, &dropper);
    if (code != CLI_GO_ON) {
        return code;
    }
    struct checking *checking = calloc(1, sizeof *checking);
    if (checking == NULL) {
        return cli_no_memory();
    }
    problems_init(&checking->problems);
    checking->cli = cli;
    *out = checking;
    struct stage_lists lists;
    struct prepare_options options = {.dirfd = dirfd,
                                      .lists = &lists,
                                      .previous_fd = -1,
                                      .is_dry = true,
                                      .spill_fd = -1,
                                      .house = cli->house,
                                      .dropper = &dropper,
                                      .id = id,
                                      .revision = 1};
    checking->is_partial = is_partial_revision(cli, &options, checking);
    if (checking->is_partial) {
        return CLI_GO_ON;
    }
    struct err err = {{0}};
    struct progress_cell cell = {0};
    options.cell = &cell;
    options.spill_fd = open_spill_dir();
    struct job job = {.options = options, .checking = checking, .err = &err};
    open_lists(cli, &lists);
    enum rc rc = count_rows(&job, cli->has_bars);
    lists_close(&lists);
    fs_drop(&options.spill_fd);
    struct prepared *prepared = &checking->prepared;
    if (rc == RC_OK && !prepared->has_bad_rows && cli->spool != NULL) {
        struct err ignored; /* a stock that cannot be read is no fault of the delivery */
        (void)!stock_warnings(cli, prepared->order, prepared->quantity, false, keep_warning,
                              checking, &ignored);
    }
    return settle(checking, rc, &err);
}

int checking_tell(const struct checking *checking)
{
    const struct problems *problems = &checking->problems;
    for (size_t i = 0; i < problems->count; i++) {
        cli_say_error("%s%s", problems->lines[i].is_warning ? "warning: " : "",
                      problems->lines[i].text);
    }
    for (size_t i = 0; i < checking->stock_warning_count; i++) {
        cli_say_error("warning: %s", checking->stock_warnings[i]);
    }
    if (problems->error_count + problems->warning_count > problems->count) {
        cli_say_error("%zu more",
                      problems->error_count + problems->warning_count - problems->count);
    }
    return problems->error_count > 0 ? EX_DATAERR : EX_OK;
}

void checking_free(struct checking *checking)
{
    if (checking == NULL) {
        return;
    }
    prepared_release(&checking->prepared);
    problems_release(&checking->problems);
    free(checking);
}
