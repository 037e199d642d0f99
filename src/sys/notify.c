/*
 * notify - the sd_notify(3) protocol: one datagram to a unix socket
 */
#include "sys/notify.h"

#include "sys/calls.h"
#include "sys/fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum rc notify_send(const char *state, struct err *err)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL || path[0] == '\0') {
        return RC_OK;
    }
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || len >= sizeof to.sun_path) {
        return err_set(err, RC_PERM, "NOTIFY_SOCKET is no socket address that can be served");
    }
    memcpy(to.sun_path, path, len);
    if (path[0] == '@') {
        to.sun_path[0] = '\0'; /* the abstract name space */
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return sys_err(err, errno, "notify");
    }
    socklen_t to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    enum rc rc = RC_OK;
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to, to_len) < 0) {
        rc = sys_err(err, errno, "notify %s", path);
        rc = rc == RC_PERM || rc == RC_GONE ? rc : RC_TEMP;
    }
    fs_drop(&fd);
    return rc;
}
