/*
 * lock - one instance: an open-file-description lock on a file, held as long as a descriptor of it
 * is open
 *
 * Worker processes that inherit the descriptor hold the lock too: a second daemon cannot start
 * beside orphans.
 */
#ifndef POSTROOM_SYS_LOCK_H
#define POSTROOM_SYS_LOCK_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * lock_take - take the lock without waiting and write our pid into the file
 *
 * name    the file, made with mode 0640 where missing
 * out_fd  keep it open; closing it (in every process) gives the lock up
 * Returns RC_OK; RC_EXISTS another process holds it, its pid is in the text; RC_PERM; RC_TEMP
 */
enum rc lock_take(int dirfd, const char *name, int *out_fd, struct err *err) MUST_CHECK;

/*
 * lock_holder - who holds it, without touching it
 * Returns RC_OK and the pid (0: not known); RC_GONE nobody holds it (or there is no such file);
 * RC_PERM; RC_TEMP
 */
enum rc lock_holder(int dirfd, const char *name, pid_t *out_pid, struct err *err) MUST_CHECK;

#endif
