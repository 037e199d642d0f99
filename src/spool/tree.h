/*
 * tree - the directories of the spool (CONTRACT.md section 2): made, checked and held open
 *
 * The spool knows the paths; everybody else is handed descriptors. One file system, one owner, the
 * contract's modes.
 */
#ifndef POSTROOM_SPOOL_TREE_H
#define POSTROOM_SPOOL_TREE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum spool_place {
    SPOOL_ROOT,
    SPOOL_INBOX,      /* door */
    SPOOL_APPROVED,   /* door */
    SPOOL_PENDING,    /* stage */
    SPOOL_EXTRACT,    /* stage */
    SPOOL_OUTBOX,     /* outbox/ itself */
    SPOOL_DELIVERIES, /* outbox/deliveries: stage */
    SPOOL_ROUTERS,    /* outbox/routers, or what `routers` names */
    SPOOL_FEEDBACK,   /* outbox/feedback */
    SPOOL_MESSAGES,   /* outbox/messages */
    SPOOL_RECEIPTS,   /* outbox/receipts */
    SPOOL_DONE,       /* stage */
    SPOOL_REFUSED,
    SPOOL_QUARANTINE,
    SPOOL_LEDGER,
    SPOOL_RUN,
    SPOOL_INTAKE, /* run/intake: half-copied drops, and nothing else */
    SPOOL_PLACES
};

struct spool;

struct spool_options {
    int64_t group;     /* gid of the operators; -1: groups are left as they are */
    bool is_read_only; /* the command: nothing is made or checked, what is missing has descriptor
                          -1, and a door that its user cannot list is opened with O_PATH (good for
                          dropping by fs_put_volatile, not for listing) */
};

/*
 * spool_open - open the tree, making what is missing
 *
 * path     the spool's directory; made where missing (its parent must exist)
 * routers  another place for outbox/routers, or NULL
 * Modes of what we own are put right. Under routers/, directories of other owners (sshd's chroot)
 * are taken as they are.
 *
 * Returns  RC_OK
 *          RC_PERM  a configuration fault (exit 78), its mend in the text: not ours, more than one
 *                   file system, a kind of file system that does not keep the spool's promises, a
 *                   symlink or a file in the place of a directory
 *          RC_GONE  the parent of path (read-only: path itself) does not exist
 *          RC_TEMP, RC_NOMEM
 */
enum rc spool_open(const char *path, const char *routers, const struct spool_options *options,
                   struct spool **out, struct err *err) MUST_CHECK;

/* spool_free - close all descriptors; NULL is allowed */
void spool_free(struct spool *spool);

/* spool_dir - descriptor of a place, borrowed; -1 only in a read-only spool that lacks it */
int spool_dir(const struct spool *spool, enum spool_place place);

/* spool_place_name - "inbox", "outbox/deliveries"..., for people */
const char *spool_place_name(enum spool_place place);

/* spool_path - the path that the spool was opened by */
const char *spool_path(const struct spool *spool);

/* Descriptors of one router's directories; close with spool_router_release. */
struct spool_router {
    int pickup;
    int returns; /* door */
    int answers;
};

#define SPOOL_ROUTER_NONE ((struct spool_router){-1, -1, -1})

/*
 * spool_router - open routers/PROVIDER/{pickup,returns,answers}, making what is missing
 *
 * provider  valid id (asserted)
 * group     gid of that router's group; -1: the operators' group
 * Returns   RC_OK; RC_PERM with its mend; RC_GONE (read-only spool); RC_TEMP
 */
enum rc spool_router(const struct spool *spool, const char *provider, int64_t group,
                     struct spool_router *out, struct err *err) MUST_CHECK;
void spool_router_release(struct spool_router *router);

/* spool_feedback - open the door outbox/feedback/CHANNEL, made where missing; the caller closes it.
 * spool_messages, spool_receipts - the same for outbox/messages/CHANNEL and outbox/receipts/CHANNEL
 * (no doors). channel: valid id (asserted). Returns as spool_router. */
enum rc spool_feedback(const struct spool *spool, const char *channel, int *out_fd,
                       struct err *err) MUST_CHECK;
enum rc spool_messages(const struct spool *spool, const char *channel, int *out_fd,
                       struct err *err) MUST_CHECK;
enum rc spool_receipts(const struct spool *spool, const char *channel, int *out_fd,
                       struct err *err) MUST_CHECK;

/* spool_sync - one group sync: everything done so far in the spool is on disk. RC_IO: stop this
 * process. Cost: 1 syncfs */
enum rc spool_sync(const struct spool *spool, struct err *err) MUST_CHECK;

/* spool_clear_intake - remove what a crash left in run/intake; call it at start, before the first
 * worker. Twice is as once. */
enum rc spool_clear_intake(const struct spool *spool, struct err *err) MUST_CHECK;

#endif
