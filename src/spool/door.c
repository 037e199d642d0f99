/*
 * door - one pass over a door's names: status, and for directories the status of what is in them
 */
#include "spool/door.h"

#include "base/digest.h"
#include "base/instant.h"
#include "spool/drop.h"
#include "sys/calls.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BUCKETS = 4096, /* of the set of moved names: 16 names each when it is full */
    LOOKED_AT_MAX = DROP_FILES_MAX + 1, /* names in one directory: one too many is refused later */
    LATER_DIVISOR = 4 /* a stalled drop is looked at again after a quarter of its age... */
};
#define LATER_MIN_NS NS_PER_SECOND        /* ... at least a second ... */
#define LATER_MAX_NS (60 * NS_PER_SECOND) /* ... at most a minute later */

/* ---- names that arrived by rename ---- */

struct moved {
    struct moved *next;
    char name[];
};

struct door_moves {
    size_t count;
    struct moved *buckets[BUCKETS];
};

enum rc door_moves_open(struct door_moves **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    return *out == NULL ? err_set(err, RC_NOMEM, "doors: no memory") : RC_OK;
}

void door_moves_free(struct door_moves *moves)
{
    for (size_t i = 0; moves != NULL && i < BUCKETS; i++) {
        while (moves->buckets[i] != NULL) {
            struct moved *first = moves->buckets[i];
            moves->buckets[i] = first->next;
            free(first);
        }
    }
    free(moves);
}

static size_t bucket_of(const char *name)
{
    return (size_t)(hash64(name, strlen(name), 0) % BUCKETS);
}

bool door_moves_has(const struct door_moves *moves, const char *name)
{
    for (const struct moved *at = moves->buckets[bucket_of(name)]; at != NULL; at = at->next) {
        if (strcmp(at->name, name) == 0) {
            return true;
        }
    }
    return false;
}

void door_moves_add(struct door_moves *moves, const char *name)
{
    if (moves->count >= DOOR_MOVES_MAX || door_moves_has(moves, name)) {
        return;
    }
    size_t bytes = strlen(name) + 1;
    struct moved *added = malloc(sizeof *added + bytes);
    if (added == NULL) {
        return;
    }
    size_t bucket = bucket_of(name);
    memcpy(added->name, name, bytes);
    added->next = moves->buckets[bucket];
    moves->buckets[bucket] = added;
    moves->count++;
}

void door_moves_remove(struct door_moves *moves, const char *name)
{
    for (struct moved **at = &moves->buckets[bucket_of(name)]; *at != NULL; at = &(*at)->next) {
        if (strcmp((*at)->name, name) == 0) {
            struct moved *gone = *at;
            *at = gone->next;
            free(gone);
            moves->count--;
            return;
        }
    }
}

/* ---- names ---- */

static bool ends_in(const char *name, const char *suffix)
{
    size_t len = strlen(name);
    size_t tail = strlen(suffix);
    return len >= tail && memcmp(name + len - tail, suffix, tail) == 0;
}

static bool is_upload_name(const char *name)
{
    return ends_in(name, ".tmp") || ends_in(name, ".part") || ends_in(name, ".filepart");
}

bool door_is_passed_over(const char *name)
{
    return name[0] == '.' || is_upload_name(name) || ends_in(name, "~");
}

enum drop_kind drop_kind_of(const char *name, char id[ID_BYTES_MAX + 1])
{
    static const struct {
        const char *suffix;
        enum drop_kind kind;
    } kinds[] = {{".tar", DROP_TAR},
                 {".tar.gz", DROP_TAR_GZ},
                 {".tgz", DROP_TAR_GZ},
                 {".tar.zst", DROP_TAR_ZST},
                 {".zip", DROP_ZIP}};
    id[0] = '\0';
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (ends_in(name, kinds[i].suffix)) {
            struct slice stem = {name, strlen(name) - strlen(kinds[i].suffix)};
            if (id_is_valid(stem)) {
                memcpy(id, stem.ptr, stem.len);
                id[stem.len] = '\0';
            }
            return kinds[i].kind;
        }
    }
    return DROP_FILE;
}

/* ---- one drop ---- */

struct scan {
    int door;
    const struct door_options *options;
    enum rc (*fn)(void *ctx, const struct drop *drop);
    void *ctx;
    struct err *err;
    size_t seen;
    bool is_full;
    char fault[DOOR_FAULT_BYTES];
};

/* What the statuses seen so far say about one drop. */
struct look {
    const struct scan *scan;
    struct drop *drop;
    int dirfd;
    size_t entries;
    int64_t settled_at_ns; /* the latest instant at which something seen is old enough */
    bool has_delivery_conf;
    bool is_uploading; /* a file in it still has an upload's name */
};

static void note_times(struct look *look, const struct stat *status)
{
    const struct door_options *options = look->scan->options;
    int64_t ctime_ns = (int64_t)status->st_ctim.tv_sec * NS_PER_SECOND + status->st_ctim.tv_nsec;
    if (ctime_ns > look->drop->ctime_ns) {
        look->drop->ctime_ns = ctime_ns;
    }
    /* Far ahead of the clock: stamped before the clock was set back, and not touched since. */
    bool is_from_the_future = ctime_ns - options->now_ns > options->settle_ns;
    if (!is_from_the_future && ctime_ns + options->settle_ns > look->settled_at_ns) {
        look->settled_at_ns = ctime_ns + options->settle_ns;
    }
}

static enum rc look_at_file(void *ctx, const char *name)
{
    struct look *look = ctx;
    struct stat status;
    if (++look->entries > LOOKED_AT_MAX) {
        /* Enough is known: it will be refused for its number of files, so its delivery.conf, which
         * may not have been among those seen, is not waited for. */
        look->has_delivery_conf = true;
        return RC_STATE;
    }
    if (fstatat(look->dirfd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? RC_OK : sys_err(look->scan->err, errno, "stat in a drop");
    }
    note_times(look, &status);
    if (S_ISREG(status.st_mode) && status.st_size > 0) {
        look->drop->size_bytes += (uint64_t)status.st_size;
    }
    look->has_delivery_conf = look->has_delivery_conf || strcmp(name, "delivery.conf") == 0;
    look->is_uploading = look->is_uploading || is_upload_name(name);
    return RC_OK;
}

static const char *set_fault(struct scan *scan, const char *text)
{
    (void)snprintf(scan->fault, sizeof scan->fault, "%s", text);
    return scan->fault;
}

/* Opens and lists a dropped directory. RC_GONE: it went away. */
static enum rc look_inside(struct scan *scan, struct look *look, struct drop *drop)
{
    int fd = -1;
    enum rc rc = fs_open_dir(scan->door, drop->name, &fd, scan->err);
    if (rc == RC_OK && faccessat(fd, ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
        rc = RC_PERM; /* readable, but its files could not be removed after they were copied */
    }
    if (rc == RC_PERM) {
        drop->is_stuck = true;
        drop->fault = set_fault(
            scan, "is a directory that this process may not read and clear; drop a package "
                  "(postroom submit), or give postroomd its capabilities");
        rc = RC_OK;
    } else if (rc == RC_OK) {
        look->dirfd = fd;
        drop->size_bytes = 0;
        rc = fs_each(fd, SIZE_MAX, look_at_file, look, scan->err);
        rc = rc == RC_STATE ? RC_OK : rc;
    }
    fs_drop(&fd);
    return rc;
}

/* What is wrong with a drop by its kind and name alone; NULL: nothing */
static const char *plain_fault(const struct scan *scan, const struct drop *drop)
{
    bool wants_deliveries = scan->options->wants_deliveries;
    if (drop->kind == DROP_OTHER) {
        return "is no regular file and no directory (a link, FIFO, socket or device); drop the "
               "file itself";
    }
    if (!wants_deliveries && drop->kind == DROP_DIR) {
        return "is a directory; this door takes single files";
    }
    if (!wants_deliveries) {
        return drop_shape_fault(drop->name);
    }
    if (drop->kind == DROP_FILE) {
        return "is no delivery; drop a directory with delivery.conf, or a package of it (.tar, "
               ".tar.gz, "
               ".tgz, .tar.zst, .zip)";
    }
    if (drop->id[0] == '\0') {
        return "has a name that is no id; write 1 to 64 of A-Z a-z 0-9 . _ -, beginning with a "
               "letter or "
               "digit";
    }
    return NULL;
}

static void describe(const struct scan *scan, const struct stat *status, struct drop *drop)
{
    drop->uid = status->st_uid;
    drop->gid = status->st_gid;
    drop->mode = status->st_mode;
    drop->ino = (uint64_t)status->st_ino;
    drop->size_bytes = status->st_size < 0 ? 0 : (uint64_t)status->st_size;
    if (S_ISDIR(status->st_mode)) {
        drop->kind = DROP_DIR;
        struct slice name = slice_of(drop->name);
        if (id_is_valid(name)) {
            memcpy(drop->id, name.ptr, name.len + 1);
        }
    } else if (S_ISREG(status->st_mode)) {
        drop->kind = drop_kind_of(drop->name, drop->id);
    } else {
        drop->kind = DROP_OTHER;
    }
    if (!scan->options->wants_deliveries) {
        drop->id[0] = '\0';
        drop->kind = S_ISREG(status->st_mode) ? DROP_FILE : drop->kind;
    }
}

/* Weighs what was seen: complete, not yet, or given up. */
static void weigh(struct scan *scan, const struct look *look, struct drop *drop)
{
    const struct door_options *options = scan->options;
    bool has_moved_in = options->moves != NULL && door_moves_has(options->moves, drop->name);
    bool has_settled = has_moved_in || look->settled_at_ns <= options->now_ns;
    const char *fault = plain_fault(scan, drop);
    bool lacks_files = drop->kind == DROP_DIR && fault == NULL && !drop->is_stuck &&
                       (!look->has_delivery_conf || look->is_uploading);
    if (fault != NULL) {
        drop->fault = set_fault(scan, fault);
    }
    if (has_settled && !lacks_files) {
        drop->is_complete = true;
        return;
    }
    int64_t age_ns = options->now_ns - drop->ctime_ns;
    if (age_ns >= DOOR_GIVE_UP_NS) {
        drop->is_complete = true;
        drop->fault = set_fault(
            scan,
            look->has_delivery_conf
                ? "incomplete: it still holds a file named .part, .filepart or .tmp after one "
                  "hour; upload it again"
                : "incomplete: no delivery.conf in it after one hour; upload it again, "
                  "delivery.conf last");
        return;
    }
    /* What happens inside a directory is not told by a watch of the door: look again, more and more
     * seldom. */
    int64_t later_ns = age_ns / LATER_DIVISOR;
    later_ns = later_ns < LATER_MIN_NS ? LATER_MIN_NS : later_ns;
    later_ns = later_ns > LATER_MAX_NS ? LATER_MAX_NS : later_ns;
    drop->next_look_ns = has_settled ? options->now_ns + later_ns : look->settled_at_ns;
}

static enum rc visit(void *ctx, const char *name)
{
    struct scan *scan = ctx;
    if (door_is_passed_over(name)) {
        return RC_OK;
    }
    if (++scan->seen > DOOR_ENTRIES_MAX) {
        scan->is_full = true;
        return RC_STATE;
    }
    struct stat status;
    if (fstatat(scan->door, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? RC_OK : sys_err(scan->err, errno, "stat in a door");
    }
    struct drop drop = {.name = name, .fault = "", .ctime_ns = INT64_MIN};
    struct look look = {.scan = scan, .drop = &drop, .dirfd = -1, .settled_at_ns = INT64_MIN};
    describe(scan, &status, &drop);
    note_times(&look, &status);
    if (drop.kind == DROP_DIR && scan->options->wants_deliveries) {
        enum rc rc = look_inside(scan, &look, &drop);
        if (rc != RC_OK) {
            return rc == RC_GONE ? RC_OK : rc;
        }
    } else if (S_ISREG(drop.mode) && faccessat(scan->door, name, R_OK, AT_EACCESS) != 0) {
        if (errno == ENOENT) {
            return RC_OK;
        }
        drop.is_stuck = true;
        drop.fault = set_fault(scan, "cannot be read by this process; make it readable (chmod)");
    }
    weigh(scan, &look, &drop);
    return scan->fn(scan->ctx, &drop);
}

enum rc door_scan(int door, const struct door_options *options,
                  enum rc (*fn)(void *ctx, const struct drop *drop), void *ctx, struct err *err)
{
    struct scan scan = {.door = door, .options = options, .fn = fn, .ctx = ctx, .err = err};
    enum rc rc = fs_each(door, SIZE_MAX, visit, &scan, err);
    return scan.is_full ? RC_OK : rc;
}

/* ---- one drop again ---- */

struct stamping {
    int dirfd;
    struct drop_stamp *out;
    size_t entries;
};

static void note_newest(struct drop_stamp *stamp, const struct stat *status)
{
    int64_t ctime_ns = (int64_t)status->st_ctim.tv_sec * NS_PER_SECOND + status->st_ctim.tv_nsec;
    stamp->ctime_ns = ctime_ns > stamp->ctime_ns ? ctime_ns : stamp->ctime_ns;
}

static enum rc stamp_file(void *ctx, const char *name)
{
    struct stamping *stamping = ctx;
    struct stat status;
    if (++stamping->entries > LOOKED_AT_MAX) {
        return RC_STATE;
    }
    if (fstatat(stamping->dirfd, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        note_newest(stamping->out, &status);
    }
    return RC_OK;
}

enum rc door_stamp(int door, const char *name, struct drop_stamp *out, struct err *err)
{
    struct stat status;
    *out = (struct drop_stamp){0, 0};
    if (fstatat(door, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return sys_err(err, errno, "stat a drop");
    }
    out->ino = (uint64_t)status.st_ino;
    note_newest(out, &status);
    if (!S_ISDIR(status.st_mode)) {
        return RC_OK;
    }
    struct stamping stamping = {-1, out, 0};
    enum rc rc = fs_open_dir(door, name, &stamping.dirfd, err);
    rc = rc == RC_OK ? fs_each(stamping.dirfd, SIZE_MAX, stamp_file, &stamping, err) : rc;
    fs_drop(&stamping.dirfd);
    return rc == RC_STATE ? RC_OK : rc;
}
