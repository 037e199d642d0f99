/*
 * door - what lies in a door, and which of it is complete
 *
 * The listing is the truth; inotify (sys/loop.h) only says when to look, and which names arrived by
 * rename.
 */
#ifndef POSTROOM_SPOOL_DOOR_H
#define POSTROOM_SPOOL_DOOR_H

#include "base/err.h"
#include "base/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DOOR_SETTLE_DEFAULT_NS INT64_C(2000000000)
#define DOOR_GIVE_UP_NS INT64_C(3600000000000) /* incomplete for that long: refused */

enum {
    DOOR_ENTRIES_MAX = 1000000, /* names looked at in one scan; the rest waits for the next */
    DOOR_FAULT_BYTES = 512,
    DOOR_MOVES_MAX = 65536 /* names remembered as moved in; one forgotten only waits `settle` */
};

enum drop_kind {
    DROP_DIR,
    DROP_TAR,
    DROP_TAR_GZ, /* .tar.gz .tgz */
    DROP_TAR_ZST,
    DROP_ZIP,
    DROP_FILE, /* any other regular file */
    DROP_OTHER /* symlink, FIFO, socket, device: always a fault */
};

/* One thing in a door. */
struct drop {
    const char *name;          /* raw bytes, borrowed during the callback; log it escaped */
    char id[ID_BYTES_MAX + 1]; /* of a delivery; "" in other doors and where there is none */
    enum drop_kind kind;
    uid_t uid; /* the dropper */
    gid_t gid;
    mode_t mode;
    uint64_t size_bytes; /* a directory: of all its files together */
    uint64_t ino;
    int64_t ctime_ns; /* the newest of it and of everything in it */
    bool is_complete; /* it may be taken (fault is ""), or must be refused (fault tells why) */
    bool is_stuck;    /* it cannot be read or moved by us: it stays where it is, its reason goes to
                         refused/ */
    int64_t next_look_ns; /* not complete: wall time when looking again makes sense */
    const char *fault;    /* "" or what is wrong with it and what to do; borrowed */
};

/* Names that were seen to arrive by rename. */
struct door_moves;
enum rc door_moves_open(struct door_moves **out, struct err *err) MUST_CHECK;
void door_moves_free(struct door_moves *moves);
/* door_moves_add - LOOP_MOVED_IN was seen; full or out of memory: forgotten, settle decides */
void door_moves_add(struct door_moves *moves, const char *name);
/* door_moves_remove - LOOP_CREATED or LOOP_GONE was seen, or the drop was handled */
void door_moves_remove(struct door_moves *moves, const char *name);
bool door_moves_has(const struct door_moves *moves, const char *name);

struct door_options {
    int64_t now_ns;        /* wall clock, the one that the kernel stamps ctime with */
    int64_t settle_ns;     /* >= 0 */
    bool wants_deliveries; /* inbox: directories and packages named by an id; else: plain files */
    const struct door_moves *moves; /* NULL: none */
};

/*
 * door_scan - call fn(ctx, drop) for each name in a door, in directory order
 *
 * Not looked at: names that begin with '.' or end in .tmp .part .filepart ~
 * Complete: arrived by rename, else the newest ctime is settle_ns old; a directory needs
 * delivery.conf too, and no file in it that is still named .part, .filepart or .tmp. A ctime
 * further ahead than settle_ns was stamped before the clock was set back: it counts as settled.
 * What is not complete and did not change for DOOR_GIVE_UP_NS has the fault "incomplete". Nothing
 * is read but names, status and sizes.
 *
 * fn       a result other than RC_OK ends the scan and is returned; it may remove or move the drop
 * Returns  RC_OK; RC_PERM the door cannot be listed; RC_TEMP; RC_NOMEM
 * Cost     10,000 dropped directories: about 0.2 s
 */
enum rc door_scan(int door, const struct door_options *options,
                  enum rc (*fn)(void *ctx, const struct drop *drop), void *ctx,
                  struct err *err) MUST_CHECK;

/* What tells a drop from another that comes under its name, and from itself when it was changed. */
struct drop_stamp {
    uint64_t ino;
    int64_t ctime_ns; /* the newest of it and of everything in it */
};

/* door_stamp - as door_scan gives it in struct drop; RC_OK, RC_GONE, RC_PERM, RC_TEMP */
enum rc door_stamp(int door, const char *name, struct drop_stamp *out, struct err *err) MUST_CHECK;

/* drop_kind_of - kind of a regular file by its name, and its id (name without the suffix; "" when
 * that is no valid id or the kind is DROP_FILE) */
enum drop_kind drop_kind_of(const char *name, char id[ID_BYTES_MAX + 1]);

/* door_is_passed_over - names that are not looked at */
bool door_is_passed_over(const char *name);

#endif
