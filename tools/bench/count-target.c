/*
 * count-target - count a target as taking in does, without a daemon, and say how long it took
 *
 *     count-target [--threads N] [--key COLUMN] [--where TEXT] [--dedupe COLUMN]... FILE
 *
 * Nobody is ordered or delivered. What does not fit in memory goes to unnamed files in the current
 * directory. Prints `rows=N records=N duplicate=N bytes=N seconds=S` on one line. Exit 0; what the
 * audience says against the file as in sysexits.h; 64 usage.
 */
#include "audience/audience.h"
#include "base/number.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>

struct arguments {
    struct audience_options options;
    const char *dedupe[AUDIENCE_NAMED_COLUMNS_MAX];
};

static int bad_usage(void)
{
    (void)fputs("usage: count-target [--threads N] [--key COLUMN] [--where TEXT] "
                "[--dedupe COLUMN]... FILE\n",
                stderr);
    return EX_USAGE;
}

static bool take_option(struct arguments *arguments, const char *name, const char *value)
{
    struct audience_options *options = &arguments->options;
    uint64_t threads = 0;
    if (strcmp(name, "--threads") == 0 &&
        number_parse_u64(slice_of(value), AUDIENCE_THREADS_MAX, &threads) == RC_OK) {
        options->threads = (unsigned)threads;
    } else if (strcmp(name, "--key") == 0) {
        options->key = value;
    } else if (strcmp(name, "--where") == 0) {
        options->where = value;
    } else if (strcmp(name, "--dedupe") == 0 &&
               options->dedupe_count < AUDIENCE_NAMED_COLUMNS_MAX) {
        arguments->dedupe[options->dedupe_count++] = value;
    } else {
        return false;
    }
    return true;
}

static double seconds_between(struct timespec from, struct timespec to)
{
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

static enum rc count(const struct audience_options *options, struct audience_counts *counts,
                     struct err *err)
{
    struct audience *audience = NULL;
    enum rc rc = audience_open(options, &audience, err);
    if (rc == RC_OK) {
        rc = audience_run(audience, -1, counts, err);
    }
    audience_free(audience);
    return rc;
}

static enum rc count_file(struct audience_options *options, struct err *err)
{
    options->fd = open(options->name, O_RDONLY | O_CLOEXEC);
    if (options->fd < 0) {
        return err_set(err, RC_GONE, "%s: %s", options->name, strerror(errno));
    }
    enum rc rc = fs_open_dir(AT_FDCWD, ".", &options->spill_fd, err);
    struct audience_counts counts = {0};
    struct timespec start = {0};
    struct timespec end = {0};
    struct stat status = {0};
    if (rc == RC_OK) {
        (void)clock_gettime(CLOCK_MONOTONIC, &start);
        rc = count(options, &counts, err);
        (void)clock_gettime(CLOCK_MONOTONIC, &end);
        (void)fstat(options->fd, &status);
    }
    if (rc == RC_OK) {
        (void)printf("rows=%" PRIu64 " records=%" PRIu64 " duplicate=%" PRIu64
                     " bytes=%jd seconds=%.6f\n",
                     counts.rows, counts.records, counts.excluded[CAUSE_DUPLICATE],
                     (intmax_t)status.st_size, seconds_between(start, end));
    }
    fs_drop(&options->fd);
    fs_drop(&options->spill_fd);
    return rc;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {
        .options = {.key = "recipient_id", .fd = -1, .seeds_fd = -1, .spill_fd = -1}};
    arguments.options.dedupe = arguments.dedupe;
    int at = 1;
    while (at + 1 < argc && take_option(&arguments, argv[at], argv[at + 1])) {
        at += 2;
    }
    if (at + 1 != argc || argv[at][0] == '-') {
        return bad_usage();
    }
    arguments.options.name = argv[at];
    struct err err = {{0}};
    enum rc rc = count_file(&arguments.options, &err);
    if (rc != RC_OK) {
        (void)fprintf(stderr, "count-target: %s\n", err.text);
        return rc_exit(rc);
    }
    return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}
