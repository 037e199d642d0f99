/*
 * net - TCP sockets and epoll
 */
#include "sys/net.h"

#include "sys/calls.h"
#include "sys/fs.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static_assert(sizeof(struct sockaddr_in6) <= NET_ADDRESS_BYTES, "an address fits");
static_assert(NET_TEXT_BYTES >= INET6_ADDRSTRLEN + 10, "[IPv6:...] and :65535 fit");

/* ---- addresses ---- */

bool net_is_address(const char *text)
{
    struct net_address ignored;
    return net_address_parse(text, 0, &ignored, NULL) == RC_OK;
}

enum rc net_address_parse(const char *text, uint16_t port, struct net_address *out, struct err *err)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    *out = (struct net_address){.len = 0};
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1) {
        memcpy(out->bytes, &four, sizeof four);
        out->len = sizeof four;
    } else if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1) {
        memcpy(out->bytes, &six, sizeof six);
        out->len = sizeof six;
    } else {
        return err_set(err, RC_PERM, "'%s' is no IP address", text);
    }
    return RC_OK;
}

/* The address alone; Returns the port. */
static unsigned int host_text(const void *bytes, char out[INET6_ADDRSTRLEN], bool *is_six)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    memcpy(&four, bytes, sizeof four);
    *is_six = four.sin_family == AF_INET6;
    out[0] = '\0';
    if (*is_six) {
        memcpy(&six, bytes, sizeof six);
        (void)inet_ntop(AF_INET6, &six.sin6_addr, out, INET6_ADDRSTRLEN);
        return ntohs(six.sin6_port);
    }
    (void)inet_ntop(AF_INET, &four.sin_addr, out, INET6_ADDRSTRLEN);
    return ntohs(four.sin_port);
}

void net_address_text(const struct net_address *address, char out[NET_TEXT_BYTES])
{
    char host[INET6_ADDRSTRLEN];
    bool is_six = false;
    unsigned int port = host_text(address->bytes, host, &is_six);
    (void)snprintf(out, NET_TEXT_BYTES, is_six ? "[%s]:%u" : "%s:%u", host, port);
}

void net_acknowledge(int fd)
{
    const int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

void net_local_literal(int fd, char out[NET_TEXT_BYTES])
{
    unsigned char bytes[sizeof(struct sockaddr_storage)] = {0};
    socklen_t len = sizeof bytes;
    char host[INET6_ADDRSTRLEN] = "127.0.0.1";
    bool is_six = false;
    if (getsockname(fd, (struct sockaddr *)(void *)bytes, &len) == 0 && len > 0) {
        (void)host_text(bytes, host, &is_six);
    }
    (void)snprintf(out, NET_TEXT_BYTES, is_six ? "[IPv6:%s]" : "[%s]", host);
}

/* ---- connections ---- */

enum rc net_connect(const struct net_address *address, int *out_fd, struct err *err)
{
    char text[NET_TEXT_BYTES];
    struct sockaddr_storage to = {0};
    assert(address->len <= sizeof address->bytes);
    memcpy(&to, address->bytes, address->len);
    net_address_text(address, text);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        (void)sys_err(err, errno, "socket for %s", text);
        return RC_TEMP;
    }
    int on = 1;
    /* Either only costs speed, or a late discovery, where it cannot be set. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    int done = 0;
    do {
        done = connect(fd, (const struct sockaddr *)&to, address->len);
    } while (done != 0 && errno == EINTR);
    if (done != 0 && errno != EINPROGRESS) {
        (void)sys_err(err, errno, "connect to %s", text);
        fs_drop(&fd);
        return RC_TEMP;
    }
    *out_fd = fd;
    return RC_OK;
}

enum rc net_connected(int fd, struct err *err)
{
    struct pollfd look = {.fd = fd, .events = POLLOUT};
    int ready = poll(&look, 1, 0);
    if (ready == 0 || (ready < 0 && errno == EINTR)) {
        return RC_STATE;
    }
    int why = 0;
    socklen_t len = sizeof why;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) != 0) {
        why = errno;
    }
    if (why != 0) {
        (void)sys_err(err, why, "connect");
        return RC_TEMP;
    }
    return RC_OK;
}

static bool is_not_now(int why)
{
    return why == EAGAIN || why == EWOULDBLOCK;
}

enum rc net_send(int fd, const void *bytes, size_t len, size_t *out, struct err *err)
{
    assert(len > 0);
    ssize_t done = 0;
    do {
        done = send(fd, bytes, len, MSG_NOSIGNAL);
    } while (done < 0 && errno == EINTR);
    if (done > 0) {
        *out = (size_t)done;
        return RC_OK;
    }
    if (done == 0 || is_not_now(errno)) {
        return RC_STATE;
    }
    (void)sys_err(err, errno, "connection lost");
    return RC_GONE;
}

enum rc net_recv(int fd, void *bytes, size_t len, size_t *out, struct err *err)
{
    assert(len > 0);
    ssize_t done = 0;
    do {
        done = recv(fd, bytes, len, 0);
    } while (done < 0 && errno == EINTR);
    if (done > 0) {
        *out = (size_t)done;
        return RC_OK;
    }
    if (done == 0) {
        return err_set(err, RC_GONE, "connection closed by the peer");
    }
    if (is_not_now(errno)) {
        return RC_STATE;
    }
    (void)sys_err(err, errno, "connection lost");
    return RC_GONE;
}

/* ---- waiting ---- */

struct net_poll {
    int fd;
};

enum rc net_poll_open(struct net_poll **out, struct err *err)
{
    struct net_poll *made = malloc(sizeof *made);
    if (made == NULL) {
        return err_set(err, RC_NOMEM, "waiting for connections: no memory");
    }
    made->fd = epoll_create1(EPOLL_CLOEXEC);
    if (made->fd < 0) {
        enum rc rc = sys_err(err, errno, "epoll");
        free(made);
        return rc;
    }
    *out = made;
    return RC_OK;
}

void net_poll_free(struct net_poll *poll)
{
    if (poll != NULL) {
        fs_drop(&poll->fd);
        free(poll);
    }
}

int net_poll_fd(const struct net_poll *poll)
{
    return poll->fd;
}

enum rc net_poll_add(struct net_poll *poll, int fd, void *ctx, struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
    event.data.ptr = ctx;
    if (epoll_ctl(poll->fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        return sys_err(err, errno, "wait for descriptor %d", fd);
    }
    return RC_OK;
}

enum rc net_poll_watch(struct net_poll *poll, int fd, int wanted, void *ctx, struct err *err)
{
    struct epoll_event event = {.events = 0};
    event.events |= (wanted & NET_READ) != 0 ? EPOLLIN | EPOLLRDHUP : 0U;
    event.events |= (wanted & NET_WRITE) != 0 ? (unsigned)EPOLLOUT : 0U;
    event.data.ptr = ctx;
    if (epoll_ctl(poll->fd, EPOLL_CTL_MOD, fd, &event) != 0 &&
        (errno != ENOENT || epoll_ctl(poll->fd, EPOLL_CTL_ADD, fd, &event) != 0)) {
        return sys_err(err, errno, "wait for descriptor %d", fd);
    }
    return RC_OK;
}

void net_poll_remove(struct net_poll *poll, int fd)
{
    (void)epoll_ctl(poll->fd, EPOLL_CTL_DEL, fd, NULL);
}

enum rc net_poll_wait(struct net_poll *poll, int timeout_ms, struct net_event out[NET_EVENTS_MAX],
                      size_t *out_count, struct err *err)
{
    struct epoll_event events[NET_EVENTS_MAX];
    int count = epoll_wait(poll->fd, events, NET_EVENTS_MAX, timeout_ms);
    *out_count = 0;
    if (count < 0) {
        return errno == EINTR ? RC_OK : sys_err(err, errno, "epoll");
    }
    for (int i = 0; i < count; i++) {
        uint32_t seen = events[i].events;
        int told = ((seen & (EPOLLIN | EPOLLRDHUP)) != 0 ? NET_READ : 0) |
                   ((seen & EPOLLOUT) != 0 ? NET_WRITE : 0);
        if ((seen & (EPOLLERR | EPOLLHUP)) != 0) {
            told = NET_READ | NET_WRITE;
        }
        out[i] = (struct net_event){events[i].data.ptr, told};
    }
    *out_count = (size_t)count;
    return RC_OK;
}
