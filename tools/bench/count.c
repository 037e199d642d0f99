/*
 * count - processor time of counting a target: no order, no archive, one thread
 *
 *     count FILE RUNS WHERE [DEDUPE-COLUMN...]
 *
 * FILE has the columns of tools/make-recipients. Each run is a process of its own, as the daemon's
 * workers are, so that no run finds the memory of the one before. Prints the counts and, over all
 * runs, the median and the least of user and system time together. RUNS is at most 101.
 */
#include "audience/audience.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUNS_MAX = 101 };

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static int count(const char *path, const char *where, char *const *dedupe, size_t dedupe_count,
                 bool is_told)
{
    const char *columns[AUDIENCE_NAMED_COLUMNS_MAX];
    for (size_t i = 0; i < dedupe_count && i < AUDIENCE_NAMED_COLUMNS_MAX; i++) {
        columns[i] = dedupe[i];
    }
    const struct audience_options options = {.fd = open(path, O_RDONLY | O_CLOEXEC),
                                             .name = path,
                                             .key = "recipient_id",
                                             .where = where,
                                             .dedupe = columns,
                                             .dedupe_count = dedupe_count,
                                             .seeds_fd = -1,
                                             .excludes_bad_rows = true,
                                             .spill_fd = open("/tmp", O_RDONLY | O_DIRECTORY),
                                             .threads = 1};
    struct audience *audience = NULL;
    struct audience_counts counts;
    struct err err = {""};
    enum rc rc = audience_open(&options, &audience, &err);
    rc = rc == RC_OK ? audience_run(audience, -1, &counts, &err) : rc;
    audience_free(audience);
    if (rc != RC_OK) {
        fprintf(stderr, "count: %s\n", err.text);
        return 1;
    }
    if (is_told) {
        printf("%llu rows, %llu records, %llu duplicates\n", (unsigned long long)counts.rows,
               (unsigned long long)counts.records,
               (unsigned long long)counts.excluded[CAUSE_DUPLICATE]);
        fflush(stdout);
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    struct stat st;
    double times[RUNS_MAX];
    double before = 0;
    long runs = argc < 4 ? 0 : strtol(argv[2], NULL, 10);

    if (runs < 1 || runs > RUNS_MAX || argc - 4 > AUDIENCE_NAMED_COLUMNS_MAX ||
        stat(argv[1], &st) != 0) {
        fprintf(stderr, "usage: count FILE RUNS WHERE [DEDUPE-COLUMN...]; RUNS 1 to %d\n",
                RUNS_MAX);
        return 64;
    }
    for (long i = 0; i < runs; i++) {
        int status = 0;
        struct rusage usage;
        pid_t child = fork();
        if (child == 0) {
            _exit(count(argv[1], argv[3], argv + 4, (size_t)(argc - 4), i == 0));
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0 ||
            getrusage(RUSAGE_CHILDREN, &usage) != 0) {
            return 1;
        }
        double sum = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
        times[i] = sum - before;
        before = sum;
    }
    qsort(times, (size_t)runs, sizeof *times, compare);
    double gigabytes = (double)st.st_size / 1e9;
    printf("median %.1f ms, %.2f GB/s; least %.1f ms, %.2f GB/s\n", times[runs / 2] * 1e3,
           gigabytes / times[runs / 2], times[0] * 1e3, gigabytes / times[0]);
    return 0;
}
