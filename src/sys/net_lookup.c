/*
 * net_lookup - getaddrinfo in a thread that nobody has to wait for
 *
 * Thread and asker share the lookup, and the last of the two frees it. The thread writes the
 * answer, then sets is_done, then makes the eventfd readable; the asker reads the answer only after
 * is_done.
 */
#include "sys/net.h"

#include "sys/calls.h"
#include "sys/fs.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOST_BYTES_MAX = 253, STACK_BYTES = 256 * 1024 };

struct net_lookup {
    atomic_int owners;
    atomic_bool is_done;
    int event_fd;
    int failure; /* of getaddrinfo: EAI_... */
    struct net_addresses found;
    char host[HOST_BYTES_MAX + 1];
    char port[8];
};

static void let_go(struct net_lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->owners, 1) == 1) {
        fs_drop(&lookup->event_fd);
        free(lookup);
    }
}

static void keep(struct net_addresses *found, const struct addrinfo *info)
{
    if (found->count < NET_ADDRESSES_MAX && info->ai_addrlen <= NET_ADDRESS_BYTES) {
        struct net_address *address = &found->list[found->count++];
        memcpy(address->bytes, info->ai_addr, info->ai_addrlen);
        address->len = (unsigned int)info->ai_addrlen;
    }
}

static void *look_up(void *ctx)
{
    struct net_lookup *lookup = ctx;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *infos = NULL;
    lookup->failure = getaddrinfo(lookup->host, lookup->port, &hints, &infos);
    if (lookup->failure == 0) {
        for (const struct addrinfo *info = infos; info != NULL; info = info->ai_next) {
            keep(&lookup->found, info);
        }
        freeaddrinfo(infos);
    }
    atomic_store(&lookup->is_done, true);
    uint64_t one = 1;
    /* The counter stands at 0, so this write cannot fail half-way. */
    ssize_t ignored = write(lookup->event_fd, &one, sizeof one);
    (void)ignored;
    let_go(lookup);
    return NULL;
}

/* Signals belong to the threads that expect them: all are blocked in the new one. */
static int start_thread(struct net_lookup *lookup)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    int why = pthread_attr_init(&attributes);
    if (why != 0) {
        return why;
    }
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    why = pthread_create(&thread, &attributes, look_up, lookup);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return why;
}

enum rc net_lookup_start(const char *host, uint16_t port, struct net_lookup **out, struct err *err)
{
    if (host[0] == '\0' || strlen(host) > HOST_BYTES_MAX) {
        return err_set(err, RC_PERM, "a host name has 1 to %d bytes", (int)HOST_BYTES_MAX);
    }
    struct net_lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL) {
        return err_set(err, RC_NOMEM, "look up %s: no memory", host);
    }
    (void)snprintf(lookup->host, sizeof lookup->host, "%s", host);
    (void)snprintf(lookup->port, sizeof lookup->port, "%u", (unsigned int)port);
    lookup->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (lookup->event_fd < 0) {
        enum rc rc = sys_err(err, errno, "look up %s", host);
        free(lookup);
        return rc;
    }
    atomic_store(&lookup->owners, 2);
    int why = start_thread(lookup);
    if (why != 0) {
        fs_drop(&lookup->event_fd);
        free(lookup);
        (void)sys_err(err, why, "look up %s: thread", host);
        return RC_TEMP;
    }
    *out = lookup;
    return RC_OK;
}

int net_lookup_fd(const struct net_lookup *lookup)
{
    return lookup->event_fd;
}

enum rc net_lookup_result(struct net_lookup *lookup, struct net_addresses *out, struct err *err)
{
    if (!atomic_load(&lookup->is_done)) {
        return RC_STATE;
    }
    if (lookup->failure != 0) {
        bool is_nobody = lookup->failure == EAI_NONAME || lookup->failure == EAI_NODATA;
        return err_set(err, is_nobody ? RC_GONE : RC_TEMP, "look up %s: %s", lookup->host,
                       gai_strerror(lookup->failure));
    }
    if (lookup->found.count == 0) {
        return err_set(err, RC_GONE, "look up %s: no address", lookup->host);
    }
    *out = lookup->found;
    return RC_OK;
}

void net_lookup_free(struct net_lookup *lookup)
{
    if (lookup != NULL) {
        let_go(lookup);
    }
}
