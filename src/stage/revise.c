/*
 * revise - a drop with the id of a delivery that exists: its next revision
 */
#include "stage/revise.h"

#include "stage/prepare.h"
#include "stage/undo.h"
#include "sys/fs.h"
#include "sys/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HISTORY_FILE_BYTES_MAX = 1 << 20, HISTORY_FILES_MAX = 100000 };

/* --- carrying history over --- */

static enum rc copy_file(int from, int to, const char *name, mode_t mode, struct err *err)
{
    int in = -1;
    int out = -1;
    enum rc rc = fs_open_regular(from, name, &in, err);
    rc = rc == RC_OK ? fs_create(to, name, mode, &out, err) : rc;
    rc = rc == RC_OK ? fs_copy_fd(in, out, JOURNAL_BYTES_MAX, NULL, NULL, err) : rc;
    rc = rc == RC_OK ? fs_close(&out, err) : rc;
    fs_drop(&in);
    fs_drop(&out);
    return rc;
}

static enum rc copy_decisions(int staged_fd, int previous_fd, struct err *err)
{
    int from = -1;
    int to = -1;
    struct fs_names names = FS_NAMES_EMPTY;
    enum rc rc = fs_open_dir(previous_fd, "decisions", &from, err);
    if (rc == RC_GONE) {
        return RC_OK;
    }
    rc = rc == RC_OK ? fs_make_dir(staged_fd, "decisions", 0750, -1, err) : rc;
    rc = rc == RC_OK ? fs_open_dir(staged_fd, "decisions", &to, err) : rc;
    rc = rc == RC_OK ? fs_list(from, HISTORY_FILES_MAX, &names, err) : rc;
    for (size_t i = 0; rc == RC_OK && i < names.count; i++) {
        rc = copy_file(from, to, names.names[i], 0640, err);
    }
    fs_names_release(&names);
    fs_drop(&from);
    fs_drop(&to);
    return rc;
}

bool revise_keeps_step(int staged_fd, int previous_fd, enum step step)
{
    char new[SHA256_HEX_BYTES];
    char old[SHA256_HEX_BYTES];
    return previous_fd >= 0 && prepare_basis_digest(staged_fd, step, new, NULL) == RC_OK &&
           prepare_basis_digest(previous_fd, step, old, NULL) == RC_OK && strcmp(new, old) == 0;
}

/* The basis keeps the time at which its step was opened. */
static void keep_time(int staged_fd, int previous_fd, enum step step)
{
    char path[64];
    struct stat status;
    (void)snprintf(path, sizeof path, "basis/%s", step_name(step));
    if (fstatat(previous_fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        struct timespec times[2] = {status.st_atim, status.st_mtim};
        (void)utimensat(staged_fd, path, times, AT_SYMLINK_NOFOLLOW);
    }
}

enum rc revise_carry_over(int staged_fd, int previous_fd, struct err *err)
{
    enum rc rc = copy_file(previous_fd, staged_fd, JOURNAL_FILE, JOURNAL_MODE, err);
    rc = rc == RC_OK ? copy_decisions(staged_fd, previous_fd, err) : rc;
    static const enum step steps[] = {STEP_TARGET, STEP_CONTENT, STEP_BUDGET};
    for (size_t i = 0; rc == RC_OK && i < sizeof steps / sizeof steps[0]; i++) {
        if (revise_keeps_step(staged_fd, previous_fd, steps[i])) {
            keep_time(staged_fd, previous_fd, steps[i]);
        }
    }
    return rc;
}

/* --- changing places --- */

/* The old directory, now in run/intake/ID, becomes revisions/N of the new one; its own revisions
 * move up beside it. */
static enum rc put_away(const struct stage_env *env, const char *id, int new_fd,
                        uint64_t old_revision, struct err *err)
{
    int intake = spool_dir(env->spool, SPOOL_INTAKE);
    int to = -1;
    int old_fd = -1;
    int old_revisions = -1;
    struct fs_names names = FS_NAMES_EMPTY;
    char name[32];
    (void)snprintf(name, sizeof name, "%llu", (unsigned long long)old_revision);
    enum rc rc = fs_make_dir(new_fd, "revisions", 0750, env->group_gid, err);
    rc = rc == RC_EXISTS ? RC_OK : rc;
    rc = rc == RC_OK ? fs_open_dir(new_fd, "revisions", &to, err) : rc;
    rc = rc == RC_OK ? fs_open_dir(intake, id, &old_fd, err) : rc;
    if (rc == RC_OK) {
        (void)!fs_remove(old_fd, KEPT_FILE, NULL);
    }
    if (rc == RC_OK && fs_open_dir(old_fd, "revisions", &old_revisions, NULL) == RC_OK) {
        rc = fs_list(old_revisions, HISTORY_FILES_MAX, &names, err);
        for (size_t i = 0; rc == RC_OK && i < names.count; i++) {
            rc = fs_move_noreplace(old_revisions, names.names[i], to, names.names[i], err);
        }
    }
    rc = rc == RC_OK ? fs_move_noreplace(intake, id, to, name, err) : rc;
    fs_names_release(&names);
    fs_drop(&old_revisions);
    fs_drop(&old_fd);
    fs_drop(&to);
    return rc;
}

enum rc revise_admit(struct take_in *take, int64_t now_ns, struct err *err)
{
    const struct stage_env *env = take->env;
    struct subject old = SUBJECT_NONE;
    enum rc rc = subject_open(env->spool, take->id, &old, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (old.view.revision + 1 != take->revision || old.stage == STAGE_OUTBOX ||
        old.stage == STAGE_DONE) {
        rc = err_set(err, RC_TEMP, "%s moved on while its revision was read", take->id);
    }
    rc = rc == RC_OK ? undo_extraction(env, &old, now_ns, err) : rc;
    if (rc == RC_OK) {
        rc = fs_exchange(spool_dir(env->spool, SPOOL_INTAKE), take->id,
                         stage_dir(env->spool, old.stage), take->id, err);
    }
    if (rc == RC_OK) {
        /* From here on it is taken, whatever follows: its place and the old one's are mended later
         * if need be. */
        struct err own = {{0}};
        enum rc after = old.stage == STAGE_PENDING
                            ? RC_OK
                            : spool_move(env->spool, take->id, old.stage, STAGE_PENDING, &own);
        after = after == RC_OK ? put_away(env, take->id, take->staged_fd, old.view.revision, &own)
                               : after;
        if (after == RC_IO) {
            *err = own;
            rc = after;
        } else if (after != RC_OK) {
            log_event(LOG_LEVEL_WARNING, "revision-unfinished", take->id, "reason=\"%s\"",
                      own.text);
        }
    }
    subject_close(&old);
    return rc;
}

/* --- a revision that leaves the extraction alone --- */

bool revise_is_same_ground(int staged_fd, int previous_fd)
{
    static struct order_file files[ORDER_FILES_MAX];
    const unsigned ground = ORDER_CHANGED_TARGET | ORDER_CHANGED_LAYOUT | ORDER_CHANGED_PROVIDER |
                            ORDER_CHANGED_COSTS | ORDER_CHANGED_DOCUMENTS;
    struct order *staged = NULL;
    struct order *previous = NULL;
    unsigned changes = ground;
    bool is_same = order_load_from(staged_fd, &staged, NULL) == RC_OK &&
                   order_load_from(previous_fd, &previous, NULL) == RC_OK &&
                   order_changes(previous, staged, &changes, NULL) == RC_OK &&
                   (changes & ground) == 0;
    size_t count = is_same ? order_files(staged, files) : 0;
    for (size_t i = 0; is_same && i < count; i++) {
        is_same = files[i].role == ORDER_FILE_NOTICE ||
                  fs_same_bytes(staged_fd, files[i].name, previous_fd, files[i].name);
    }
    order_free(staged);
    order_free(previous);
    return is_same;
}

/* NAME of one directory put into another, whole, also where it is there already. */
static enum rc put_copy(int from, int to, const char *name, struct err *err)
{
    struct buf bytes = BUF_EMPTY;
    enum rc rc = fs_read_small(from, name, SETTINGS_BYTES_MAX, &bytes, err);
    rc = rc == RC_OK ? fs_put_volatile(to, name, 0640, bytes.ptr, bytes.len, err) : rc;
    buf_release(&bytes);
    return rc;
}

static enum rc keep_old_settings(const struct stage_env *env, const struct subject *old,
                                 struct err *err)
{
    int revisions = -1;
    int own = -1;
    char name[32];
    (void)snprintf(name, sizeof name, "%llu", (unsigned long long)old->view.revision);
    enum rc rc = fs_make_dir(old->dirfd, "revisions", 0750, env->group_gid, err);
    rc = rc == RC_EXISTS ? RC_OK : rc;
    rc = rc == RC_OK ? fs_open_dir(old->dirfd, "revisions", &revisions, err) : rc;
    rc = rc == RC_OK ? fs_make_dir(revisions, name, 0750, env->group_gid, err) : rc;
    bool is_kept = rc == RC_EXISTS; /* a crash after this came before the line */
    rc = is_kept ? RC_OK : rc;
    rc = rc == RC_OK ? fs_open_dir(revisions, name, &own, err) : rc;
    rc = rc == RC_OK && !is_kept ? put_copy(old->dirfd, own, "delivery.conf", err) : rc;
    rc = rc == RC_OK && !is_kept ? put_copy(old->dirfd, own, "settings.conf", err) : rc;
    fs_drop(&own);
    fs_drop(&revisions);
    return rc;
}

enum rc revise_in_place(struct take_in *take, int64_t now_ns, struct err *err)
{
    const struct stage_env *env = take->env;
    struct subject old = SUBJECT_NONE;
    enum rc rc = subject_open(env->spool, take->id, &old, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (old.view.revision + 1 != take->revision || old.stage != STAGE_EXTRACT) {
        rc = err_set(err, RC_TEMP, "%s moved on while its revision was read", take->id);
    }
    rc = rc == RC_OK ? keep_old_settings(env, &old, err) : rc;
    rc = rc == RC_OK ? put_copy(take->staged_fd, old.dirfd, "settings.conf", err) : rc;
    rc = rc == RC_OK ? put_copy(take->staged_fd, old.dirfd, "delivery.conf", err) : rc;
    if (rc == RC_OK) {
        struct journal_writer writer = JOURNAL_WRITER_EMPTY;
        journal_begin(&writer, now_ns, event_name(EVENT_TAKEN), take->dropper.operator_name);
        journal_put_u64(&writer, "revision", take->revision);
        journal_put_text(&writer, "drop", take->identity);
        rc = journal_end(&writer, err);
        rc = rc == RC_OK ? subject_say(&old, &writer, err) : rc;
        journal_writer_release(&writer);
    }
    take->state = old.view.state;
    subject_close(&old);
    return rc == RC_OK ? fs_remove_tree(spool_dir(env->spool, SPOOL_INTAKE), take->id, err) : rc;
}

/* --- after a crash --- */

enum rc revise_put_away_left(const struct stage_env *env, const char *id, struct err *err)
{
    int left_fd = -1;
    struct view left = {0};
    struct subject now = SUBJECT_NONE;
    if (!id_is_valid(slice_of(id)) ||
        fs_open_dir(spool_dir(env->spool, SPOOL_INTAKE), id, &left_fd, NULL) != RC_OK) {
        return RC_OK;
    }
    enum rc rc = RC_OK;
    bool is_old = view_load(left_fd, &left, NULL) == RC_OK &&
                  subject_open(env->spool, id, &now, NULL) == RC_OK &&
                  left.revision < now.view.revision;
    if (is_old) {
        rc = put_away(env, id, now.dirfd, left.revision, err);
        log_event(LOG_LEVEL_INFO, "revision-put-away", id, "revision=%llu",
                  (unsigned long long)left.revision);
    }
    subject_close(&now);
    view_release(&left);
    fs_drop(&left_fd);
    return rc;
}

static enum rc recover_one(void *ctx, const char *id)
{
    struct err err = {{0}};
    return revise_put_away_left(ctx, id, &err);
}

enum rc revise_recover(const struct stage_env *env, struct err *err)
{
    return fs_each(spool_dir(env->spool, SPOOL_INTAKE), HISTORY_FILES_MAX, recover_one, (void *)env,
                   err);
}
