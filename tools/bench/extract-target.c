/*
 * extract-target - extract a target as the extract worker does, without a daemon, and say how long
 * its two halves took
 *
 *     extract-target [--threads N] [--level N] [--memory-mib N] [--container KIND]
 *                    [--keep NAME] FILE
 *
 * The work is that of tools/bench/work.py: recipients of tools/make-recipients, `where` on one
 * column, dedupe on four, order by three, nine columns out as KIND: zip, tar.gz (unless told
 * otherwise), tar.zst or gz. Works in a new directory in the current one and removes it; NAME keeps
 * the archive. Prints `records=N bytes=N select=S pack=S user=S system=S peak_kib=N` on one line:
 * seconds until everybody is in order, from there to the archive, and of processor time: where
 * memory comes slowly from the host, only the user's compares well. Exit 0; else as in sysexits.h.
 */
#include "base/number.h"
#include "pack/extraction.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

struct arguments {
    unsigned threads;
    int level;
    size_t memory_bytes;
    enum container container;
    const char *keep; /* NULL: the archive is removed */
    const char *file;
};

struct times {
    double select;
    double pack;
};

static const char *const DEDUPE[] = {"last_name", "first_name", "address1", "postcode"};
static const char *const ORDER[] = {"postcode", "city", "address1"};
static const struct layout_column COLUMNS[] = {
    {.name = "reference"}, {.name = "title"},   {.name = "first_name"},
    {.name = "last_name"}, {.name = "company"}, {.name = "address1"},
    {.name = "postcode"},  {.name = "city"},    {.name = "country"}};

static int bad_usage(void)
{
    (void)fputs("usage: extract-target [--threads N] [--level N] [--memory-mib N] "
                "[--container KIND] [--keep NAME] FILE\n",
                stderr);
    return EX_USAGE;
}

static bool take_option(struct arguments *arguments, const char *name, const char *value)
{
    uint64_t number = 0;
    if (strcmp(name, "--keep") == 0) {
        arguments->keep = value;
        return true;
    }
    if (strcmp(name, "--container") == 0) {
        return container_parse(value, &arguments->container, &(struct err){{0}}) == RC_OK;
    }
    if (number_parse_u64(slice_of(value), 1 << 20, &number) != RC_OK) {
        return false;
    }
    if (strcmp(name, "--threads") == 0 && number <= AUDIENCE_THREADS_MAX) {
        arguments->threads = (unsigned)number;
    } else if (strcmp(name, "--level") == 0) {
        arguments->level = (int)number;
    } else if (strcmp(name, "--memory-mib") == 0) {
        arguments->memory_bytes = (size_t)number << 20;
    } else {
        return false;
    }
    return true;
}

static double seconds_now(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static bool uses_column(const void *layout, size_t column)
{
    return layout_uses(layout, column);
}

static enum rc compile(struct extraction *extraction, struct audience *audience, struct err *err)
{
    size_t count = 0;
    const char *const *columns = audience_columns(audience, &count);
    enum rc rc = extraction_compile(extraction, columns, count, err);
    if (rc == RC_OK) {
        audience_narrow(audience, uses_column, extraction_layout(extraction));
    }
    return rc;
}

static enum rc work(struct extraction *extraction, struct audience *audience, int dirfd,
                    struct extraction_result *result, struct times *times, struct err *err)
{
    static const struct manifest facts = {.delivery = "large", .random_seed = "1"};
    struct audience_counts counts = {0};
    int excluded = -1;
    double start = seconds_now();
    enum rc rc = fs_create(dirfd, "excluded.csv", 0600, &excluded, err);
    if (rc == RC_OK) {
        rc = audience_run(audience, excluded, &counts, err);
    }
    double between = seconds_now();
    if (rc == RC_OK) {
        rc = extraction_run(extraction, audience, &counts, &facts, dirfd, result, err);
    }
    double end = seconds_now();
    fs_drop(&excluded);
    *times = (struct times){between - start, end - between};
    if (rc == RC_OK) {
        (void)printf("records=%" PRIu64 " bytes=%" PRIu64, counts.records, result->bytes);
    }
    return rc;
}

static enum rc extract(const struct arguments *arguments, int dirfd, int spill_fd,
                       struct extraction_result *result, struct times *times, struct err *err)
{
    const struct layout_options layout = {.columns = COLUMNS,
                                          .column_count = sizeof COLUMNS / sizeof COLUMNS[0],
                                          .has_header = true,
                                          .delivery_id = "large"};
    const struct extraction_options options = {
        .layout = &layout,
        .container = arguments->container,
        .level = arguments->level,
        .threads = arguments->threads,
        .name_values = {.delivery = "large", .provider = "router", .service = "letter"}};
    struct extraction *extraction = NULL;
    struct audience *audience = NULL;
    int fd = open(arguments->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, RC_GONE, "%s: %s", arguments->file, strerror(errno));
    }
    enum rc rc = extraction_open(&options, &extraction, err);
    if (rc == RC_OK) {
        const struct audience_options rows = {.fd = fd,
                                              .name = arguments->file,
                                              .key = "recipient_id",
                                              .where = "consent_mail = '1'",
                                              .dedupe = DEDUPE,
                                              .dedupe_count = sizeof DEDUPE / sizeof DEDUPE[0],
                                              .order = ORDER,
                                              .order_count = sizeof ORDER / sizeof ORDER[0],
                                              .random_seed = "1",
                                              .seeds_fd = -1,
                                              .memory_bytes = arguments->memory_bytes,
                                              .late_from_bytes = AUDIENCE_LATE_BYTES,
                                              .spill_fd = spill_fd,
                                              .threads = arguments->threads,
                                              .payload = extraction_payload,
                                              .ctx = extraction};
        rc = audience_open(&rows, &audience, err);
    }
    rc = rc == RC_OK ? compile(extraction, audience, err) : rc;
    rc = rc == RC_OK ? work(extraction, audience, dirfd, result, times, err) : rc;
    audience_free(audience);
    extraction_free(extraction);
    fs_drop(&fd);
    return rc;
}

static enum rc run(const struct arguments *arguments, struct err *err)
{
    char name[] = "extract-target-XXXXXX";
    struct extraction_result result = {0};
    struct times times = {0};
    struct rusage usage = {0};
    int dirfd = -1;
    int here = -1;
    if (mkdtemp(name) == NULL) {
        return err_set(err, RC_IO, "no directory can be made here: %s", strerror(errno));
    }
    enum rc rc = fs_open_dir(AT_FDCWD, ".", &here, err);
    rc = rc == RC_OK ? fs_open_dir(here, name, &dirfd, err) : rc;
    rc = rc == RC_OK ? extract(arguments, dirfd, dirfd, &result, &times, err) : rc;
    if (rc == RC_OK && arguments->keep != NULL) {
        rc = fs_move_replace(dirfd, result.archive, here, arguments->keep, err);
    }
    if (rc == RC_OK) {
        (void)getrusage(RUSAGE_SELF, &usage);
        (void)printf(" select=%.3f pack=%.3f user=%.3f system=%.3f peak_kib=%ld\n", times.select,
                     times.pack, seconds_of(usage.ru_utime), seconds_of(usage.ru_stime),
                     usage.ru_maxrss);
    }
    fs_drop(&dirfd);
    (void)!fs_remove_tree(here, name, NULL);
    fs_drop(&here);
    return rc;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {
        .threads = 2, .memory_bytes = (size_t)256 << 20, .container = CONTAINER_TAR_GZ};
    int at = 1;
    while (at + 1 < argc && take_option(&arguments, argv[at], argv[at + 1])) {
        at += 2;
    }
    if (at + 1 != argc || argv[at][0] == '-') {
        return bad_usage();
    }
    arguments.file = argv[at];
    struct err err = {{0}};
    enum rc rc = run(&arguments, &err);
    if (rc != RC_OK) {
        (void)fprintf(stderr, "extract-target: %s\n", err.text);
        return rc_exit(rc);
    }
    return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}
