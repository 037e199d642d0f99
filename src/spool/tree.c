/*
 * tree - one table says where each place lies and which mode it has; opening walks it from the top
 */
#include "spool/tree.h"

#include "base/name.h"
#include "sys/calls.h"
#include "sys/fs.h"
#include "sys/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MODE_PLAIN = 0750,
    MODE_DOOR = 03730,    /* the operators' group may drop, not list; only owners remove; files keep
                             the group */
    MODE_RETURNS = 03770, /* a router sees what it dropped */
    INTAKE_ENTRIES_MAX = 100000
};

struct place_rule {
    const char *name;  /* for people: from the spool's top */
    const char *entry; /* name in the parent */
    enum spool_place parent;
    mode_t mode;
};

static const struct place_rule rules[SPOOL_PLACES] = {
    [SPOOL_ROOT] = {"spool", ".", SPOOL_ROOT, MODE_PLAIN},
    [SPOOL_INBOX] = {"inbox", "inbox", SPOOL_ROOT, MODE_DOOR},
    [SPOOL_APPROVED] = {"approved", "approved", SPOOL_ROOT, MODE_DOOR},
    [SPOOL_PENDING] = {"pending", "pending", SPOOL_ROOT, MODE_PLAIN},
    [SPOOL_EXTRACT] = {"extract", "extract", SPOOL_ROOT, MODE_PLAIN},
    [SPOOL_OUTBOX] = {"outbox", "outbox", SPOOL_ROOT, MODE_PLAIN},
    [SPOOL_DELIVERIES] = {"outbox/deliveries", "deliveries", SPOOL_OUTBOX, MODE_PLAIN},
    [SPOOL_ROUTERS] = {"outbox/routers", "routers", SPOOL_OUTBOX, MODE_PLAIN},
    [SPOOL_FEEDBACK] = {"outbox/feedback", "feedback", SPOOL_OUTBOX, MODE_PLAIN},
    [SPOOL_MESSAGES] = {"outbox/messages", "messages", SPOOL_OUTBOX, MODE_PLAIN},
    [SPOOL_RECEIPTS] = {"outbox/receipts", "receipts", SPOOL_OUTBOX, MODE_PLAIN},
    [SPOOL_DONE] = {"done", "done", SPOOL_ROOT, MODE_PLAIN},
    [SPOOL_REFUSED] = {"refused", "refused", SPOOL_ROOT, MODE_PLAIN},
    [SPOOL_QUARANTINE] = {"quarantine", "quarantine", SPOOL_ROOT, MODE_PLAIN},
    [SPOOL_LEDGER] = {"ledger", "ledger", SPOOL_ROOT, MODE_PLAIN},
    [SPOOL_RUN] = {"run", "run", SPOOL_ROOT, MODE_PLAIN},
    [SPOOL_INTAKE] = {"run/intake", "intake", SPOOL_RUN, MODE_PLAIN},
};

struct spool {
    char *path;
    struct spool_options options;
    dev_t device;
    int fds[SPOOL_PLACES];
};

/* How a directory is opened: what it must be, and whose it may be. */
struct dir_wish {
    const char *shown; /* for error texts */
    mode_t mode;
    int64_t gid;           /* -1: left as it is */
    bool may_be_anothers;  /* routers/: sshd wants root to own what it chroots to */
    bool must_be_writable; /* for us */
};

/* Puts group and mode right where we own the directory. */
static enum rc mend_dir(int fd, const struct stat *status, const struct dir_wish *wish,
                        struct err *err)
{
    bool is_wrong_group = wish->gid >= 0 && status->st_gid != (gid_t)wish->gid;
    if (is_wrong_group && fchown(fd, (uid_t)-1, (gid_t)wish->gid) != 0) {
        int why = errno;
        enum rc rc = sys_err(err, why, "give %s to group %lld", wish->shown, (long long)wish->gid);
        return why != EPERM
                   ? rc
                   : err_set(err, RC_PERM,
                             "%s cannot be given to group %lld; make this user a member of "
                             "that group",
                             wish->shown, (long long)wish->gid);
    }
    if ((is_wrong_group || (status->st_mode & 07777) != wish->mode) &&
        fchmod(fd, wish->mode) != 0) {
        return sys_err(err, errno, "set the mode of %s", wish->shown);
    }
    return RC_OK;
}

static enum rc check_dir(const struct spool *spool, int fd, const struct dir_wish *wish,
                         struct err *err)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return sys_err(err, errno, "stat %s", wish->shown);
    }
    if (status.st_dev != spool->device) {
        return err_set(
            err, RC_PERM,
            "%s lies on another file system than the spool %s, but deliveries are renamed "
            "into it; put both on one",
            wish->shown, spool->path);
    }
    if (status.st_uid == geteuid()) {
        return mend_dir(fd, &status, wish, err);
    }
    if (!wish->may_be_anothers) {
        return err_set(err, RC_PERM,
                       "%s belongs to uid %lu, this process is uid %lu; chown it or "
                       "run as its owner",
                       wish->shown, (unsigned long)status.st_uid, (unsigned long)geteuid());
    }
    if (wish->must_be_writable && faccessat(fd, ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
        return err_set(err, RC_PERM, "%s cannot be written by uid %lu; see postroom router-setup",
                       wish->shown, (unsigned long)geteuid());
    }
    return RC_OK;
}

/* Opens parent/entry, made where missing; *out stays -1 when a read-only spool lacks it. */
static enum rc open_dir(const struct spool *spool, int parent, const char *entry,
                        const struct dir_wish *wish, int *out, struct err *err)
{
    if (spool->options.is_read_only) {
        enum rc rc = parent < 0 ? RC_GONE : fs_open_door(parent, entry, out, err);
        return rc == RC_PERM ? err_add(err, rc, "%s", wish->shown) : rc;
    }
    int fd = -1;
    enum rc rc = fs_open_dir(parent, entry, &fd, err);
    if (rc == RC_GONE) {
        rc = fs_make_dir(parent, entry, wish->mode, wish->gid, err);
        if (rc == RC_OK || rc == RC_EXISTS) {
            rc = fs_open_dir(parent, entry, &fd, err);
        }
    }
    if (rc == RC_OK) {
        rc = check_dir(spool, fd, wish, err);
    } else if (rc == RC_PERM) {
        rc = err_add(err, rc,
                     "%s must be a directory of the spool's own file system and owner, no link",
                     wish->shown);
    }
    if (rc != RC_OK) {
        fs_drop(&fd);
        return rc;
    }
    *out = fd;
    return RC_OK;
}

/* Opens a directory by its path, made where missing (its parent must be there). */
static enum rc open_path(const char *path, bool may_make, int *out, struct err *err)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int fd = sys_calls.openat(AT_FDCWD, path, flags, 0);
    if (fd < 0 && errno == ENOENT && may_make) {
        if (sys_calls.mkdirat(AT_FDCWD, path, MODE_PLAIN) != 0 && errno != EEXIST) {
            return sys_err(err, errno, "make directory %s", path);
        }
        fd = sys_calls.openat(AT_FDCWD, path, flags, 0);
    }
    if (fd < 0) {
        return sys_err(err, errno, "open directory %s", path);
    }
    *out = fd;
    return RC_OK;
}

static enum rc open_root(struct spool *spool, struct err *err)
{
    int *fd = &spool->fds[SPOOL_ROOT];
    enum rc rc = open_path(spool->path, !spool->options.is_read_only, fd, err);
    struct stat status;
    if (rc == RC_OK && fstat(*fd, &status) != 0) {
        rc = sys_err(err, errno, "stat %s", spool->path);
    }
    if (rc != RC_OK || spool->options.is_read_only) {
        return rc;
    }
    spool->device = status.st_dev;
    rc = fs_type_is_local(*fd, err);
    if (rc == RC_OK) {
        const struct dir_wish wish = {spool->path, MODE_PLAIN, spool->options.group, false, true};
        rc = check_dir(spool, *fd, &wish, err);
    }
    return rc;
}

static enum rc open_routers(struct spool *spool, const char *path, struct err *err)
{
    int *fd = &spool->fds[SPOOL_ROUTERS];
    if (spool->options.is_read_only) {
        enum rc rc = open_path(path, false, fd, err);
        return rc == RC_GONE ? RC_OK : rc;
    }
    enum rc rc = open_path(path, true, fd, err);
    if (rc == RC_OK) {
        const struct dir_wish wish = {path, MODE_PLAIN, spool->options.group, true, false};
        rc = check_dir(spool, *fd, &wish, err);
    }
    return rc == RC_OK ? rc : err_add(err, rc, "routers");
}

static enum rc open_place(struct spool *spool, enum spool_place place, struct err *err)
{
    const struct place_rule *rule = &rules[place];
    const struct dir_wish wish = {rule->name, rule->mode, spool->options.group,
                                  place == SPOOL_ROUTERS, false};
    enum rc rc =
        open_dir(spool, spool->fds[rule->parent], rule->entry, &wish, &spool->fds[place], err);
    if (spool->options.is_read_only && (rc == RC_GONE || rc == RC_PERM)) {
        return RC_OK; /* missing, or not for this user: its descriptor stays -1 */
    }
    return rc;
}

enum rc spool_open(const char *path, const char *routers, const struct spool_options *options,
                   struct spool **out, struct err *err)
{
    struct spool *spool = calloc(1, sizeof *spool);
    if (spool == NULL) {
        return err_set(err, RC_NOMEM, "spool: no memory");
    }
    for (int i = 0; i < SPOOL_PLACES; i++) {
        spool->fds[i] = -1;
    }
    spool->options = *options;
    spool->path = strdup(path);
    enum rc rc =
        spool->path == NULL ? err_set(err, RC_NOMEM, "spool: no memory") : open_root(spool, err);
    /* Parents stand before their children in the table. */
    for (int i = SPOOL_ROOT + 1; i < SPOOL_PLACES && rc == RC_OK; i++) {
        assert(rules[i].parent < (enum spool_place)i);
        rc = i == SPOOL_ROUTERS && routers != NULL ? open_routers(spool, routers, err)
                                                   : open_place(spool, (enum spool_place)i, err);
    }
    if (rc != RC_OK) {
        spool_free(spool);
        return err_add(err, rc, "spool %s", path);
    }
    *out = spool;
    return RC_OK;
}

void spool_free(struct spool *spool)
{
    if (spool == NULL) {
        return;
    }
    for (int i = 0; i < SPOOL_PLACES; i++) {
        fs_drop(&spool->fds[i]);
    }
    free(spool->path);
    free(spool);
}

int spool_dir(const struct spool *spool, enum spool_place place)
{
    assert(place < SPOOL_PLACES);
    return spool->fds[place];
}

const char *spool_place_name(enum spool_place place)
{
    assert(place < SPOOL_PLACES);
    return rules[place].name;
}

const char *spool_path(const struct spool *spool)
{
    return spool->path;
}

/* ---- below outbox/ ---- */

void spool_router_release(struct spool_router *router)
{
    fs_drop(&router->pickup);
    fs_drop(&router->returns);
    fs_drop(&router->answers);
}

enum rc spool_router(const struct spool *spool, const char *provider, int64_t group,
                     struct spool_router *out, struct err *err)
{
    assert(id_is_valid(slice_of(provider)));
    int64_t gid = group >= 0 ? group : spool->options.group;
    struct spool_router router = SPOOL_ROUTER_NONE;
    int top = -1;
    const struct dir_wish wish = {provider, MODE_PLAIN, gid, true, false};
    enum rc rc = open_dir(spool, spool->fds[SPOOL_ROUTERS], provider, &wish, &top, err);
    const struct {
        const char *name;
        mode_t mode;
        int *fd;
    } parts[] = {{"pickup", MODE_PLAIN, &router.pickup},
                 {"returns", MODE_RETURNS, &router.returns},
                 {"answers", MODE_PLAIN, &router.answers}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && rc == RC_OK; i++) {
        const struct dir_wish part = {parts[i].name, parts[i].mode, gid, true, true};
        rc = open_dir(spool, top, parts[i].name, &part, parts[i].fd, err);
    }
    fs_drop(&top);
    if (rc != RC_OK) {
        spool_router_release(&router);
        return err_add(err, rc, "router %s", provider);
    }
    *out = router;
    return RC_OK;
}

static enum rc open_channel(const struct spool *spool, enum spool_place place, const char *channel,
                            mode_t mode, int *out_fd, struct err *err)
{
    assert(id_is_valid(slice_of(channel)));
    const struct dir_wish wish = {channel, mode, spool->options.group, false, false};
    enum rc rc = open_dir(spool, spool->fds[place], channel, &wish, out_fd, err);
    return rc == RC_OK ? rc : err_add(err, rc, "%s", rules[place].name);
}

enum rc spool_feedback(const struct spool *spool, const char *channel, int *out_fd, struct err *err)
{
    return open_channel(spool, SPOOL_FEEDBACK, channel, MODE_DOOR, out_fd, err);
}

enum rc spool_messages(const struct spool *spool, const char *channel, int *out_fd, struct err *err)
{
    return open_channel(spool, SPOOL_MESSAGES, channel, MODE_PLAIN, out_fd, err);
}

enum rc spool_receipts(const struct spool *spool, const char *channel, int *out_fd, struct err *err)
{
    return open_channel(spool, SPOOL_RECEIPTS, channel, MODE_PLAIN, out_fd, err);
}

/* ---- whole spool ---- */

enum rc spool_sync(const struct spool *spool, struct err *err)
{
    enum rc rc = fs_sync_filesystem(spool->fds[SPOOL_ROOT], err);
    return rc == RC_OK ? rc : err_add(err, rc, "spool %s", spool->path);
}

struct clearing {
    int dirfd;
    struct err *err;
};

static enum rc clear_one(void *ctx, const char *name)
{
    const struct clearing *clearing = ctx;
    struct err own = {{0}};
    enum rc rc = fs_remove_tree(clearing->dirfd, name, &own);
    if (rc == RC_IO) {
        *clearing->err = own;
        return rc;
    }
    /* What cannot be removed (somebody's drop, deeper than any of ours) keeps nobody from starting.
     */
    if (rc != RC_OK && rc != RC_GONE) {
        log_event(LOG_LEVEL_WARNING, "intake-stays", name, "reason=\"%s\"", own.text);
    }
    return RC_OK;
}

enum rc spool_clear_intake(const struct spool *spool, struct err *err)
{
    struct clearing clearing = {spool->fds[SPOOL_INTAKE], err};
    enum rc rc = fs_each(clearing.dirfd, INTAKE_ENTRIES_MAX, clear_one, &clearing, err);
    return rc == RC_OK ? rc : err_add(err, rc, "run/intake");
}
