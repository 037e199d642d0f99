/*
 * report - what a worker tells the daemon about one job: one write to a pipe, atomic
 */
#ifndef POSTROOM_STAGE_REPORT_H
#define POSTROOM_STAGE_REPORT_H

#include "base/digest.h"

#include <assert.h>
#include <limits.h>
#include <stdint.h>

enum report_outcome {
    REPORT_DONE,              /* what was asked for lies in the job's directory */
    REPORT_REFUSED,           /* the drop is refused; text says why */
    REPORT_PREPARATION_ERROR, /* taken in, but its rows break a rule; text says which */
    REPORT_TEMP,              /* the world is in the way (disk full, still changing): try again */
    REPORT_NOT_RUN,           /* the worker ended before it came to this job */
    REPORT_DIED,              /* the worker died in this job; text says how */
    REPORT_WAITING,           /* a sending: nothing can be done before next_ns; text says why */
    REPORT_IO                 /* a sending: a sync failed, what is on disk is unknown: the daemon
                                 ends, too; text says which */
};

enum { REPORT_TEXT_BYTES = 3072, REPORT_ARCHIVE_BYTES = 256 };

struct stage_report {
    uint32_t job; /* number in its batch */
    uint32_t outcome;
    uint64_t rows;
    uint64_t records;
    uint64_t seeds;
    uint64_t quantity;       /* an extraction: what is to be paid for */
    uint64_t bytes;          /* of the recipients */
    uint32_t is_same_ground; /* a revision that changes nothing an extraction is made of */
    uint32_t has_facts;      /* an extraction: its counts, archive and digest stand here; a drop:
                                those of the extraction that was made with its count */
    uint32_t is_away;        /* REPORT_WAITING: for a relay that cannot be reached */
    int64_t next_ns;         /* REPORT_WAITING: wall clock; INT64_MAX: when somebody says so */
    char archive[REPORT_ARCHIVE_BYTES];
    char sha256[SHA256_HEX_BYTES]; /* of the archive */
    char text[REPORT_TEXT_BYTES];
};

/* POSIX: a write of at most PIPE_BUF bytes to a pipe is never torn or mixed. */
static_assert(sizeof(struct stage_report) <= PIPE_BUF, "a report is one atomic write");

#endif
