/*
 * user - the user database, and our capabilities
 */
#include "sys/user.h"

#include "sys/calls.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A group of some thousand members fits; directories beyond that say ERANGE and are told so. */
enum { ENTRY_BYTES = 1 << 20 };

static enum rc not_found(int why, const char *what, const char *name, struct err *err)
{
    /* getpwnam_r(3): "not found" comes as 0 or one of these, by the library's taste. */
    if (why == 0 || why == ENOENT || why == ESRCH || why == EBADF || why == EPERM) {
        return err_set(err, RC_GONE, "there is no %s %s on this machine", what, name);
    }
    (void)sys_err(err, why, "look up %s %s", what, name);
    return RC_TEMP;
}

static enum rc find_user(const char *name, uid_t uid, uid_t *out_uid, char *out_name,
                         struct err *err)
{
    char *space = malloc(ENTRY_BYTES);
    if (space == NULL) {
        return err_set(err, RC_NOMEM, "look up a user: no memory");
    }
    struct passwd entry;
    struct passwd *found = NULL;
    int why = name != NULL ? getpwnam_r(name, &entry, space, ENTRY_BYTES, &found)
                           : getpwuid_r(uid, &entry, space, ENTRY_BYTES, &found);
    enum rc rc = RC_OK;
    if (found == NULL && name != NULL) {
        rc = not_found(why, "user", name, err);
    } else if (found == NULL) {
        rc = not_found(why, "user with", "this uid", err);
    } else if (out_name != NULL) {
        size_t len = strlen(found->pw_name);
        if (len >= USER_NAME_BYTES) {
            rc = err_set(err, RC_RANGE, "the user name of uid %lu is longer than %d bytes",
                         (unsigned long)uid, USER_NAME_BYTES - 1);
        } else {
            memcpy(out_name, found->pw_name, len + 1);
        }
    } else if (out_uid != NULL) {
        *out_uid = found->pw_uid;
    }
    free(space);
    return rc;
}

enum rc user_name(uid_t uid, char out[USER_NAME_BYTES], struct err *err)
{
    return find_user(NULL, uid, NULL, out, err);
}

enum rc user_uid(const char *name, uid_t *out, struct err *err)
{
    return find_user(name, 0, out, NULL, err);
}

enum rc group_gid(const char *name, gid_t *out, struct err *err)
{
    char *space = malloc(ENTRY_BYTES);
    if (space == NULL) {
        return err_set(err, RC_NOMEM, "look up a group: no memory");
    }
    struct group entry;
    struct group *found = NULL;
    int why = getgrnam_r(name, &entry, space, ENTRY_BYTES, &found);
    enum rc rc = RC_OK;
    if (found == NULL) {
        rc = not_found(why, "group", name, err);
    } else {
        *out = found->gr_gid;
    }
    free(space);
    return rc;
}

bool user_may_override(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    memset(data, 0, sizeof data);
    if (syscall(SYS_capget, &header, data) != 0) {
        return false;
    }
    const unsigned int wanted = 1U << CAP_DAC_OVERRIDE | 1U << CAP_FOWNER;
    return (data[0].effective & wanted) == wanted;
}
