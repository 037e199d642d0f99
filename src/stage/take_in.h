/*
 * take_in - a drop becomes a delivery in pending/
 *
 *     begin (daemon)   who dropped it, is the id free, its files opened, a staging directory made
 *     work  (worker)   files copied or unpacked, settings read, target counted (stage/prepare.h)
 *     weigh, admit, end (daemon)  journal, a sync, renames, a sync, originals removed: for a group
 *                      at once, behind syncs that are shared with others (engine/steps.c)
 *
 * Disk states: docs/SPOOL.md I0 to I3. Until the rename of admit nothing has happened: the drop
 * lies in its door.
 */
#ifndef POSTROOM_STAGE_TAKE_IN_H
#define POSTROOM_STAGE_TAKE_IN_H

#include "spool/door.h"
#include "spool/drop.h"
#include "stage/env.h"
#include "stage/making.h"
#include "stage/report.h"
#include "stage/subject.h"
#include "sys/progress.h"

enum { DROP_IDENTITY_BYTES = 64, DROP_NAME_BYTES = 256 };

enum take_in_result {
    TAKE_IN_TAKEN,
    TAKE_IN_REFUSED, /* it lies in refused/ */
    TAKE_IN_LATER,   /* it lies in its door still */
    TAKE_IN_GONE     /* nothing to do (any more) */
};

struct take_in {
    const struct stage_env *env;
    char id[ID_BYTES_MAX + 1];
    char name[DROP_NAME_BYTES]; /* in the door */
    enum drop_kind kind;
    char identity[DROP_IDENTITY_BYTES]; /* of the drop: inode and ctime */
    struct order_dropper dropper;
    struct drop_files files; /* a directory's, opened; released after the fork */
    int package_fd;          /* a package's; -1 */
    int staged_fd;           /* run/intake/ID */
    int previous_fd;         /* the delivery's directory when this is a revision; -1 */
    enum stage previous_stage;
    uint64_t revision; /* of this drop, from 1 */
    uint64_t size_bytes;
    struct extract_moment moment; /* of an extraction that is made with the count */
    bool may_be_made;             /* set it before the fork: extractions may begin now */
    bool keeps_place;             /* a revision that leaves the extraction alone */
    struct order *order;          /* as frozen; NULL until it is weighed */
    struct view view;             /* of its journal, once that is written */
    /* after take_in_end */
    bool has_changed; /* the original was changed meanwhile: it lies in its door, as the next
                         revision */
    enum take_in_result result;
    enum delivery_state state;
    struct buf text; /* of a refusal, or why it is left for later; empty: none */
};

/*
 * take_in_begin - the daemon's part before the work
 *
 * Returns RC_OK      *out is ready for take_in_work (and take_in_release)
 *         RC_PERM    refused: err has the reason
 *         RC_GONE    it was taken before (a crash left the original, or it was removed): nothing is
 * left to do RC_TEMP    later; RC_NOMEM; RC_IO
 */
enum rc take_in_begin(const struct stage_env *env, const struct drop *drop, struct take_in **out,
                      struct err *err) MUST_CHECK;

/* take_in_work - in the worker: copy, read, check, count; fills the report */
void take_in_work(struct take_in *take, struct stage_report *report, struct progress_cell *cell);

/* take_in_forked - the worker has its descriptors: close ours */
void take_in_forked(struct take_in *take);

/*
 * take_in_weigh - decide by its report what becomes of each of a group; journals of those that are
 * taken are written. Sets result and text of each.
 * Returns RC_OK, then sync the spool and take_in_admit(); RC_IO stop
 */
enum rc take_in_weigh(struct take_in **group, const struct stage_report *reports, size_t count,
                      int64_t now_ns, struct err *err) MUST_CHECK;

/*
 * take_in_admit - what is taken and on disk gets its place in pending/, or beside what it revises
 * Sets state of each, and result where it is left for later after all.
 * Returns RC_OK, then sync the spool and take_in_end(); RC_IO stop
 */
enum rc take_in_admit(struct take_in **group, size_t count, int64_t now_ns,
                      struct err *err) MUST_CHECK;

/* take_in_end - the places are on disk: originals leave their door */
void take_in_end(struct take_in **group, const struct stage_report *reports, size_t count);

/* take_in_refuse - put a drop into refused/ with its reason; RC_OK, RC_TEMP, RC_IO, RC_GONE */
enum rc take_in_refuse(const struct stage_env *env, int door, const char *name, const char *reason,
                       struct err *err) MUST_CHECK;

/* take_in_release - close and free; NULL is allowed */
void take_in_release(struct take_in *take);

#endif
