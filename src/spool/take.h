/*
 * take - copy a drop into a fresh directory of our own; run inside the intake worker
 *
 * Copies get mode 0600, delivery.conf 0640. Nothing is synced: the caller's group sync does. After
 * a failure the target holds some of the files: the caller removes it.
 */
#ifndef POSTROOM_SPOOL_TAKE_H
#define POSTROOM_SPOOL_TAKE_H

#include "spool/door.h"
#include "spool/drop.h"
#include "sys/tee.h"

#include <sys/stat.h>

enum {
    TAKE_RATIO = 200 /* unpacked : packed that is believed, beyond TAKE_RATIO_FREE_BYTES; rows of
                        one word compress to 1:100 */
};
#define TAKE_RATIO_FREE_BYTES ((uint64_t)64 << 20) /* nobody's disk is filled by that much */

struct take_limits {
    uint64_t total_bytes; /* of all files of one delivery, > 0 (asserted): what the disk may give */
};

struct take_result {
    size_t files;
    uint64_t bytes;
    bool has_delivery_conf;
};

/* A file whose copy is begun: it may be read by its tee. */
struct take_copy {
    const char *name; /* of the drop_file; NULL: there is none, or it is copied */
    struct stat before;
    struct tee tee;
    int out; /* -1 */
};
#define TAKE_COPY_NONE ((struct take_copy){.name = NULL, .out = -1})

/*
 * take_files - copy opened files (drop_open_files)
 * last      the largest but delivery.conf is only begun, for somebody to read it: take_finish or
 *           take_drop it, also after a failure. NULL: all are copied
 * Returns   RC_OK
 *           RC_TEMP    "still changing": size or times of a file changed during the copy; or the
 *                      disk is full
 *           RC_RANGE   more than limits->total_bytes
 *           RC_EXISTS  dst is not empty
 *           RC_PERM    no delivery.conf
 *           RC_NOMEM
 */
enum rc take_files(struct drop_files *files, int dst, const struct take_limits *limits,
                   struct take_copy *last, struct take_result *out, struct err *err) MUST_CHECK;

/* take_drop - leave its copy as it is; TAKE_COPY_NONE then */
void take_drop(struct take_copy *copy);

/*
 * take_finish - copy what nobody read of it, and see that it is as it was when its copy was begun;
 * the copy is TAKE_COPY_NONE then, also after a failure, and on that RC_OK
 * Returns  RC_OK; RC_TEMP "still changing", or the disk is full; RC_NOMEM
 */
enum rc take_finish(struct take_copy *copy, struct err *err) MUST_CHECK;

/* take_directory - drop_open_files and take_files. Returns as both. */
enum rc take_directory(int src, int dst, const struct take_limits *limits, struct take_result *out,
                       struct err *err) MUST_CHECK;

/*
 * take_package - unpack a package
 *
 * fd    the package, at its start, seekable; checked to be regular with one link
 * kind  DROP_TAR, DROP_TAR_GZ, DROP_TAR_ZST, DROP_ZIP (asserted)
 *
 * Only regular members with plain names, with or without one top folder (the same for all); folders
 * alone are ignored.
 *
 * Returns  RC_OK
 *          RC_PERM     a member outside (absolute, "..", a folder in the folder), a link, a device,
 *                      an encrypted member, a name twice, a name that is not plain (each with the
 *                      member's name), no delivery.conf
 *          RC_CORRUPT  cut short, damaged, or not of that kind
 *          RC_RANGE    more than DROP_FILES_MAX files, limits->total_bytes, TAKE_RATIO
 *          RC_TEMP     it changed meanwhile, or the disk is full
 *          RC_EXISTS   dst is not empty;  RC_NOMEM
 * Memory   below 16 MiB; zstd: its window besides, at most 128 MiB
 */
enum rc take_package(int fd, enum drop_kind kind, int dst, const struct take_limits *limits,
                     struct take_result *out, struct err *err) MUST_CHECK;

#endif
