/*
 * confine - give up for ever what a worker does not need; inside the room sys only (sys/worker.h
 * uses it in the child)
 *
 * Each returns RC_OK, or RC_PERM when the kernel has the means but it failed. The order that works:
 * the directories are opened, confine_privileges, confine_files, then descriptors closed,
 * confine_calls last.
 */
#ifndef POSTROOM_SYS_CONFINE_H
#define POSTROOM_SYS_CONFINE_H

#include "sys/worker.h"

/* confine_privileges - no capability, no_new_privs, no core dump, not traceable */
enum rc confine_privileges(struct err *err) MUST_CHECK;

/* confine_files - landlock of the given ABI (1 or more): files only below dirs; where port is not
 * 0, and the ABI is 4 or more, TCP to that port and that of names (53); else no TCP */
enum rc confine_files(int abi, const struct worker_dir *dirs, size_t count, uint16_t port,
                      struct err *err) MUST_CHECK;

/* confine_calls - seccomp filter for this and all later threads */
enum rc confine_calls(bool may_connect, struct err *err) MUST_CHECK;

/* confine_landlock_abi - 0 when the kernel has no landlock; confine_has_seccomp - filters, on an
 * architecture that we know */
int confine_landlock_abi(void);
bool confine_has_seccomp(void);

#endif
