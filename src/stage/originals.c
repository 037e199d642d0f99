/*
 * originals - drops that were taken in leave their door, and are taken apart
 */
#include "stage/originals.h"

#include "base/name.h"
#include "sys/fs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAKEN_PREFIX ".taken-"

enum {
    NAME_BYTES = ID_BYTES_MAX + sizeof TAKEN_PREFIX,
    PURGE_NAMES_MAX = 1 << 22,
    PURGE_HELPERS = 3 /* beside the daemon itself: a file that is removed mostly waits for the disk,
                         which gives its blocks back (`discard`) */
};

static void name_of(const char *id, char out[NAME_BYTES])
{
    (void)snprintf(out, NAME_BYTES, TAKEN_PREFIX "%s", id);
}

enum rc originals_leave(const struct stage_env *env, const char *name, const char *id,
                        struct err *err)
{
    int intake = spool_dir(env->spool, SPOOL_INTAKE);
    int inbox = spool_dir(env->spool, SPOOL_INBOX);
    char gone[NAME_BYTES];
    name_of(id, gone);
    enum rc rc = fs_move_noreplace(inbox, name, intake, gone, err);
    if (rc == RC_EXISTS) { /* an earlier revision's original, unless it is taken apart just now */
        rc = fs_remove_tree(intake, gone, err);
        rc = rc == RC_OK || rc == RC_GONE ? fs_move_noreplace(inbox, name, intake, gone, err) : rc;
    }
    return rc == RC_GONE ? RC_OK : rc;
}

struct holding {
    int dirfd;
    struct originals_held *held;
};

/* A file that cannot be held is removed all the same. */
static enum rc hold(void *ctx, const char *name)
{
    struct holding *holding = ctx;
    struct originals_held *held = holding->held;
    int fd = -1;
    if (held->count < ORIGINALS_HELD_MAX && fs_hold(holding->dirfd, name, &fd, NULL) == RC_OK) {
        held->fds[held->count++] = fd;
    }
    return RC_OK;
}

enum rc originals_remove(const struct stage_env *env, const char *id, struct originals_held *held,
                         struct err *err)
{
    int intake = spool_dir(env->spool, SPOOL_INTAKE);
    char gone[NAME_BYTES];
    struct holding holding = {-1, held};
    name_of(id, gone);
    held->count = 0;
    if (fs_open_dir(intake, gone, &holding.dirfd, NULL) == RC_OK) {
        (void)!fs_each(holding.dirfd, ORIGINALS_HELD_MAX, hold, &holding, NULL);
        fs_drop(&holding.dirfd);
    } else { /* a package */
        holding.dirfd = intake;
        (void)!hold(&holding, gone);
    }
    enum rc rc = fs_remove_tree(intake, gone, err);
    return rc == RC_GONE ? RC_OK : rc;
}

void originals_held_release(struct originals_held *held)
{
    for (size_t i = 0; i < held->count; i++) {
        fs_drop(&held->fds[i]);
    }
    held->count = 0;
}

/* Names of originals, and the next one to take apart: shared by the threads. */
struct purge {
    int intake;
    size_t max;
    struct buf names; /* each with its NUL */
    size_t count;
    const char *at;
    pthread_mutex_t lock;
    size_t removed;
    pthread_t helpers[PURGE_HELPERS];
    size_t started;
};

static enum rc note_original(void *ctx, const char *name)
{
    struct purge *purge = ctx;
    if (strncmp(name, TAKEN_PREFIX, sizeof TAKEN_PREFIX - 1) != 0) {
        return RC_OK;
    }
    if (purge->count == purge->max) {
        return RC_STATE;
    }
    buf_add(&purge->names, name, strlen(name) + 1);
    purge->count++;
    return purge->names.is_failed ? RC_NOMEM : RC_OK;
}

static void *purge_some(void *ctx)
{
    struct purge *purge = ctx;
    for (;;) {
        (void)pthread_mutex_lock(&purge->lock);
        const char *name = purge->count > 0 ? purge->at : NULL;
        if (name != NULL) {
            purge->at += strlen(name) + 1;
            purge->count--;
        }
        (void)pthread_mutex_unlock(&purge->lock);
        if (name == NULL) {
            return NULL;
        }
        if (fs_remove_tree(purge->intake, name, NULL) == RC_OK) {
            (void)pthread_mutex_lock(&purge->lock);
            purge->removed++;
            (void)pthread_mutex_unlock(&purge->lock);
        }
    }
}

struct purge *originals_begin(const struct stage_env *env, size_t max)
{
    struct purge *purge = calloc(1, sizeof *purge);
    if (purge == NULL) {
        return NULL;
    }
    *purge = (struct purge){.intake = spool_dir(env->spool, SPOOL_INTAKE),
                            .max = max,
                            .names = BUF_EMPTY,
                            .lock = PTHREAD_MUTEX_INITIALIZER};
    (void)!fs_each(purge->intake, PURGE_NAMES_MAX, note_original, purge, NULL);
    purge->at = purge->names.ptr;
    purge->count = purge->names.is_failed ? 0 : purge->count;
    while (purge->count > PURGE_HELPERS && purge->started < PURGE_HELPERS &&
           pthread_create(&purge->helpers[purge->started], NULL, purge_some, purge) == 0) {
        purge->started++;
    }
    return purge;
}

size_t originals_end(struct purge *purge)
{
    if (purge == NULL) {
        return 0;
    }
    (void)purge_some(purge);
    for (size_t i = 0; i < purge->started; i++) {
        (void)pthread_join(purge->helpers[i], NULL);
    }
    size_t removed = purge->removed;
    buf_release(&purge->names);
    free(purge);
    return removed;
}
