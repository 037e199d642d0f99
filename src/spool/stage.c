/*
 * stage - four directories, and renames between them
 */
#include "spool/stage.h"

#include "base/name.h"
#include "sys/calls.h"
#include "sys/fs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static const struct {
    const char *name;
    enum spool_place place;
} stages[STAGE_COUNT] = {
    [STAGE_PENDING] = {"pending", SPOOL_PENDING},
    [STAGE_EXTRACT] = {"extract", SPOOL_EXTRACT},
    [STAGE_OUTBOX] = {"outbox", SPOOL_DELIVERIES},
    [STAGE_DONE] = {"done", SPOOL_DONE},
};

const char *stage_name(enum stage stage)
{
    assert(stage < STAGE_COUNT);
    return stages[stage].name;
}

int stage_dir(const struct spool *spool, enum stage stage)
{
    assert(stage < STAGE_COUNT);
    return spool_dir(spool, stages[stage].place);
}

static enum rc explain(enum rc rc, const char *id, enum stage from, enum stage to, struct err *err)
{
    return rc == RC_OK ? rc
                       : err_add(err, rc, "delivery %s from %s to %s", id, stage_name(from),
                                 stage_name(to));
}

enum rc spool_move(const struct spool *spool, const char *id, enum stage from, enum stage to,
                   struct err *err)
{
    assert(id_is_valid(slice_of(id)) && from != to);
    enum rc rc = fs_move_noreplace(stage_dir(spool, from), id, stage_dir(spool, to), id, err);
    return explain(rc, id, from, to, err);
}

enum rc spool_move_durable(const struct spool *spool, const char *id, enum stage from,
                           enum stage to, struct err *err)
{
    assert(id_is_valid(slice_of(id)) && from != to);
    enum rc rc = fs_move_durable(stage_dir(spool, from), id, stage_dir(spool, to), id, err);
    return explain(rc, id, from, to, err);
}

enum rc spool_admit(const struct spool *spool, const char *name, const char *id, struct err *err)
{
    assert(id_is_valid(slice_of(id)));
    enum rc rc = fs_move_noreplace(spool_dir(spool, SPOOL_INTAKE), name,
                                   stage_dir(spool, STAGE_PENDING), id, err);
    return rc == RC_OK ? rc : err_add(err, rc, "take in delivery %s", id);
}

enum rc spool_locate(const struct spool *spool, const char *id, enum stage *out, struct err *err)
{
    assert(id_is_valid(slice_of(id)));
    int found = -1;
    for (int i = 0; i < STAGE_COUNT; i++) {
        struct stat status;
        int dir = stage_dir(spool, (enum stage)i);
        if (dir < 0) {
            continue;
        }
        /* Only "not there" is no: a failing disk must not make an id look free. */
        if (fstatat(dir, id, &status, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno != ENOENT) {
                return sys_err(err, errno, "look for delivery %s in %s", id, stages[i].name);
            }
            continue;
        }
        if (found >= 0) {
            return err_set(
                err, RC_CORRUPT,
                "delivery %s stands in %s and in %s; move one of the two out of the spool", id,
                stages[found].name, stages[i].name);
        }
        found = i;
    }
    if (found < 0) {
        return err_set(err, RC_GONE, "there is no delivery %s", id);
    }
    *out = (enum stage)found;
    return RC_OK;
}

enum rc spool_scan(const struct spool *spool, enum stage stage,
                   enum rc (*fn)(void *ctx, const char *id), void *ctx, struct err *err)
{
    int dir = stage_dir(spool, stage);
    if (dir < 0) {
        return err_set(err, RC_GONE, "there is no directory %s", stage_name(stage));
    }
    struct fs_names names = FS_NAMES_EMPTY;
    enum rc rc = fs_list(dir, STAGE_DELIVERIES_MAX, &names, err);
    if (rc != RC_OK) {
        return err_add(err, rc, "%s", stage_name(stage));
    }
    for (size_t i = 0; i < names.count && rc == RC_OK; i++) {
        if (id_is_valid(slice_of(names.names[i]))) {
            rc = fn(ctx, names.names[i]);
        }
    }
    fs_names_release(&names);
    return rc;
}

enum rc spool_open_delivery(const struct spool *spool, enum stage stage, const char *id,
                            int *out_fd, struct err *err)
{
    assert(id_is_valid(slice_of(id)));
    enum rc rc = fs_open_dir(stage_dir(spool, stage), id, out_fd, err);
    return rc == RC_OK ? rc : err_add(err, rc, "delivery %s in %s", id, stage_name(stage));
}
