/*
 * bell - an eventfd
 */
#include "sys/bell.h"

#include "sys/calls.h"
#include "sys/fs.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum rc bell_open(struct bell *bell, struct err *err)
{
    bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return bell->fd >= 0 ? RC_OK : sys_err(err, errno, "eventfd");
}

void bell_close(struct bell *bell)
{
    fs_drop(&bell->fd);
}

void bell_ring(const struct bell *bell)
{
    uint64_t one = 1;
    /* It fails only where so many rings are kept that one more makes no difference. */
    ssize_t ignored = write(bell->fd, &one, sizeof one);
    (void)ignored;
}

void bell_wait(const struct bell *bell, int other_fd, int timeout_ms)
{
    struct pollfd looks[2] = {{.fd = bell->fd, .events = POLLIN},
                              {.fd = other_fd, .events = POLLIN}};
    uint64_t rings = 0;
    if (poll(looks, other_fd < 0 ? 1 : 2, timeout_ms) > 0 && looks[0].revents != 0) {
        ssize_t ignored = read(bell->fd, &rings, sizeof rings);
        (void)ignored;
    }
}
