/*
 * originals - drops that were taken in leave their door, and are taken apart
 *
 * An original leaves its door in one rename, to run/intake/.taken-ID. Small ones are taken apart
 * when there is nothing better to do: ext4 looks past every inode that was freed in the last half
 * minute when it makes a new one, so that removing the originals of a thousand drops beside taking
 * in the next thousand would cost more than all the rest. What a crash leaves is taken apart at the
 * next start.
 */
#ifndef POSTROOM_STAGE_ORIGINALS_H
#define POSTROOM_STAGE_ORIGINALS_H

#include "stage/env.h"

enum { ORIGINALS_HELD_MAX = 1000 };

/* originals_leave - the original of a drop that was taken leaves its door (docs/SPOOL.md I2), and
 * takes the place of an earlier revision's. RC_OK, also when it was gone; RC_EXISTS that one is
 * taken apart just now; RC_PERM; RC_TEMP */
enum rc originals_leave(const struct stage_env *env, const char *name, const char *id,
                        struct err *err) MUST_CHECK;

/* Files of an original that is removed: what they hold is given back when the last of these
 * descriptors is closed. */
struct originals_held {
    int fds[ORIGINALS_HELD_MAX];
    size_t count;
};

/*
 * originals_remove - take one apart now, and hold its files: no name is left of it
 *
 * What an unlink of a gigabyte costs, 0.25 s where it is in the page cache, is paid by the process
 * that closes its last descriptor.
 * Returns   RC_OK, also when it was not there; RC_RANGE, RC_PERM, RC_TEMP some of it is left. held
 *           is to be released in any case
 */
enum rc originals_remove(const struct stage_env *env, const char *id, struct originals_held *held,
                         struct err *err) MUST_CHECK;
void originals_held_release(struct originals_held *held);

/*
 * originals_begin - take at most `max` of them apart, by helpers that are at it from now on; when
 * no files are made, which would step over what was freed. NULL: no memory
 *
 * originals_end - help them, and wait until it is done; returns how many. NULL is allowed. Nothing
 * is forked between the two
 */
struct purge;
struct purge *originals_begin(const struct stage_env *env, size_t max);
size_t originals_end(struct purge *purge);

#endif
