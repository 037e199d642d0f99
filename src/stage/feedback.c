/*
 * feedback - what came back of messages, from a door into the quarantine
 */
#include "stage/feedback.h"

#include "base/instant.h"
#include "channel/quarantine.h"
#include "operator/identity.h"
#include "stage/delivered.h"
#include "stage/take_in.h"
#include "sys/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { KEPT_NAME_BYTES = INSTANT_TEXT_BYTES + 208, KEPT_DIR_MODE = 0700 };

/* Which operator it was does not matter: several may share the account that drops what comes back.
 */
static enum rc check_owner(const struct house *house, uid_t uid, const char *name, struct err *err)
{
    char user[USER_NAME_BYTES];
    enum rc rc = user_name(uid, user, err);
    if (rc == RC_TEMP || rc == RC_NOMEM) {
        return err_add(err, rc, "%s", name);
    }
    for (size_t i = 0; rc == RC_OK && i < house->operator_count; i++) {
        const char *own = house->operators[i].user;
        if (own != NULL && strcmp(own, user) == 0) {
            return RC_OK;
        }
    }
    return err_set(err, RC_PERM,
                   "%s: it belongs to user %s, who is no operator; an administrator can name one "
                   "with that user in 'operators'",
                   name, rc == RC_OK ? user : "nobody knows");
}

static bool has_changed(int fd, const struct identity *before)
{
    struct stat now;
    return fstat(fd, &now) != 0 || (uint64_t)now.st_size != before->size_bytes ||
           (int64_t)now.st_ctim.tv_sec * NS_PER_SECOND + now.st_ctim.tv_nsec != before->ctime_ns;
}

static enum rc read_file(const struct stage_env *env, int door, const char *name,
                         struct feedback *out, struct err *err)
{
    struct identity identity;
    int fd = -1;
    enum rc rc = identity_open(door, name, name, FEEDBACK_BYTES_MAX, &fd, &identity, err);
    rc = rc == RC_OK ? check_owner(env->house, identity.uid, name, err) : rc;
    rc = rc == RC_OK ? feedback_read(fd, name, out, err) : rc;
    bool is_read = rc == RC_OK || rc == RC_PERM || rc == RC_RANGE;
    if (fd >= 0 && is_read && has_changed(fd, &identity)) {
        rc = err_set(err, RC_TEMP, "%s: it changed while it was read", name);
    }
    fs_drop(&fd);
    return rc;
}

static enum rc fill_quarantine(const struct stage_env *env, const char *channel,
                               const struct feedback *feedback, int64_t now_ns, size_t *out_added,
                               struct err *err)
{
    struct quarantine_entry *entries = calloc(feedback->count + 1, sizeof *entries);
    size_t count = 0;
    if (entries == NULL) {
        return err_set(err, RC_NOMEM, "no memory for addresses");
    }
    for (size_t i = 0; i < feedback->count; i++) {
        const struct feedback_row *row = &feedback->rows[i];
        if (!feedback_quarantines(row->status)) {
            continue;
        }
        entries[count++] =
            (struct quarantine_entry){.address = slice_of(row->address),
                                      .key = slice_of(row->key),
                                      .since_ns = now_ns,
                                      .cause = feedback_status_name(row->status),
                                      .delivery = row->delivery[0] == '\0' ? NULL : row->delivery};
    }
    enum rc rc = count == 0 ? RC_OK
                            : quarantine_add(spool_dir(env->spool, SPOOL_QUARANTINE), channel,
                                             entries, count, out_added, err);
    free(entries);
    /* A quarantine that somebody edited wrongly is no fault of this file: it waits. */
    return rc == RC_PERM || rc == RC_RANGE ? RC_TEMP : rc;
}

/* quarantine/taken/CHANNEL/TIME-NAME */
static enum rc keep_file(const struct stage_env *env, int door, const char *channel,
                         const char *name, int64_t now_ns, struct err *err)
{
    int quarantine = spool_dir(env->spool, SPOOL_QUARANTINE);
    char when[INSTANT_TEXT_BYTES];
    char path[sizeof FEEDBACK_TAKEN_DIR + 80];
    char kept_as[KEPT_NAME_BYTES];
    int dirfd = -1;
    (void)snprintf(path, sizeof path, FEEDBACK_TAKEN_DIR "/%.64s", channel);
    (void)snprintf(kept_as, sizeof kept_as, "%s-%.200s", instant_format(now_ns, when), name);
    enum rc rc = fs_make_dir(quarantine, FEEDBACK_TAKEN_DIR, KEPT_DIR_MODE, -1, err);
    rc =
        rc == RC_OK || rc == RC_EXISTS ? fs_make_dir(quarantine, path, KEPT_DIR_MODE, -1, err) : rc;
    rc = rc == RC_EXISTS ? RC_OK : rc;
    rc = rc == RC_OK ? fs_open_dir(quarantine, path, &dirfd, err) : rc;
    rc = rc == RC_OK ? fs_move_noreplace(door, name, dirfd, kept_as, err) : rc;
    fs_drop(&dirfd);
    return rc == RC_EXISTS || rc == RC_PERM ? RC_TEMP : rc;
}

enum rc feedback_take(const struct stage_env *env, int door, int channel, const char *name,
                      int64_t now_ns, struct feedback_taken *out, struct err *err)
{
    struct feedback feedback = FEEDBACK_EMPTY;
    const char *channel_name = house_channel_name(channel);
    *out = (struct feedback_taken){0};
    enum rc rc = read_file(env, door, name, &feedback, err);
    if (rc == RC_PERM || rc == RC_RANGE || rc == RC_CORRUPT) {
        struct err own = {{0}};
        enum rc refused = take_in_refuse(env, door, name, err->text, &own);
        if (refused != RC_OK) {
            *err = own;
            return refused == RC_IO || refused == RC_GONE ? refused : RC_TEMP;
        }
        return RC_PERM;
    }
    rc = rc == RC_OK ? fill_quarantine(env, channel_name, &feedback, now_ns, &out->added, err) : rc;
    rc = rc == RC_OK ? delivered_record(env, channel, &feedback, now_ns, &out->recorded, err) : rc;
    rc = rc == RC_OK ? keep_file(env, door, channel_name, name, now_ns, err) : rc;
    if (rc == RC_OK) {
        out->rows = feedback.count;
        memcpy(out->counts, feedback.counts, sizeof out->counts);
    }
    feedback_release(&feedback);
    return rc;
}
