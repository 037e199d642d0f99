/*
 * user - names and numbers of users and groups, and what this process may do
 * Reads the system's user database: not for confined workers.
 */
#ifndef POSTROOM_SYS_USER_H
#define POSTROOM_SYS_USER_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

enum { USER_NAME_BYTES = 64 };

/* user_name - login name of a uid; RC_GONE there is none; RC_RANGE longer than USER_NAME_BYTES;
 * RC_TEMP */
enum rc user_name(uid_t uid, char out[USER_NAME_BYTES], struct err *err) MUST_CHECK;

/* user_uid - uid of a login name; RC_GONE; RC_TEMP */
enum rc user_uid(const char *name, uid_t *out, struct err *err) MUST_CHECK;

/* group_gid - gid of a group name; RC_GONE; RC_TEMP */
enum rc group_gid(const char *name, gid_t *out, struct err *err) MUST_CHECK;

/* user_may_override - this process has CAP_DAC_OVERRIDE and CAP_FOWNER: it can take any operator's
 * drop */
bool user_may_override(void);

#endif
