/*
 * net - connections going out: names, sockets that do not block, and waiting for many of them
 *
 * For one thread. Nothing here blocks but net_poll_wait(), and that no longer than it is told.
 * Reads and writes tell three ends apart: RC_OK, RC_STATE (not now: wait) and RC_GONE (the
 * connection is over). SIGPIPE is never raised.
 */
#ifndef POSTROOM_SYS_NET_H
#define POSTROOM_SYS_NET_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NET_ADDRESSES_MAX = 16, /* tried for one name; who has more gets the first of them */
    NET_ADDRESS_BYTES = 28, /* a sockaddr_in6, the longest */
    NET_TEXT_BYTES = 64,    /* "ffff:...:255.255.255.255", a port and brackets */
    NET_EVENTS_MAX = 64,    /* of one net_poll_wait; the rest comes with the next */
    NET_READ = 1,
    NET_WRITE = 2
};

/* ---- addresses ---- */

struct net_address {
    unsigned char bytes[NET_ADDRESS_BYTES]; /* a sockaddr */
    unsigned int len;
};

struct net_addresses {
    struct net_address list[NET_ADDRESSES_MAX];
    size_t count;
};

/* net_is_address - the text is an IPv4 or IPv6 address (without brackets), no name */
bool net_is_address(const char *text);

/* net_address_parse - RC_OK; RC_PERM text is no IPv4 or IPv6 address */
enum rc net_address_parse(const char *text, uint16_t port, struct net_address *out,
                          struct err *err) MUST_CHECK;

/* net_address_text - "192.0.2.1:25", "[2001:db8::1]:25" */
void net_address_text(const struct net_address *address, char out[NET_TEXT_BYTES]);

/* ---- names ---- */

/* A question to the resolver, answered in a thread of its own because getaddrinfo(3) blocks. */
struct net_lookup;

/*
 * net_lookup_start - begin to look up the addresses of a host
 *
 * host    a name or an address; at most 253 bytes (else RC_PERM); copied
 * Returns RC_OK; RC_PERM; RC_TEMP no thread or descriptor to be had; RC_NOMEM
 * Cost    one thread until the resolver answers, also after net_lookup_free
 */
enum rc net_lookup_start(const char *host, uint16_t port, struct net_lookup **out,
                         struct err *err) MUST_CHECK;

/* net_lookup_fd - readable once the answer is there; borrowed */
int net_lookup_fd(const struct net_lookup *lookup);

/*
 * net_lookup_result - the answer
 * Returns RC_OK (at least one address); RC_STATE not yet; RC_GONE there is no such name; RC_TEMP
 * the resolver failed
 */
enum rc net_lookup_result(struct net_lookup *lookup, struct net_addresses *out,
                          struct err *err) MUST_CHECK;

/* net_lookup_free - the answer is not wanted (any more); at any time, NULL is allowed */
void net_lookup_free(struct net_lookup *lookup);

/* ---- connections ---- */

/*
 * net_connect - begin a TCP connection; Nagle's algorithm off, keep-alive on, O_CLOEXEC
 * Returns RC_OK out_fd is writable when net_connected() has something to say; RC_TEMP
 */
enum rc net_connect(const struct net_address *address, int *out_fd, struct err *err) MUST_CHECK;

/* net_connected - what became of it: RC_OK; RC_STATE not decided yet; RC_TEMP refused, unreachable
 */
enum rc net_connected(int fd, struct err *err) MUST_CHECK;

/* net_send, net_recv - RC_OK *out bytes (1..len); RC_STATE not now; RC_GONE over: closed by the
 * peer, reset, unreachable. len 0 is asserted not to come. */
enum rc net_send(int fd, const void *bytes, size_t len, size_t *out, struct err *err) MUST_CHECK;
enum rc net_recv(int fd, void *bytes, size_t len, size_t *out, struct err *err) MUST_CHECK;

/*
 * net_acknowledge - acknowledge what was read at once
 *
 * A peer that leaves Nagle's algorithm on (RFC 896) keeps its small answers back until then, and
 * the kernel waits up to 40 ms for something to send along. Holds until it changes its mind: called
 * again after reading.
 */
void net_acknowledge(int fd);

/* net_local_literal - our own end as an SMTP address literal: "[192.0.2.1]", "[IPv6:::1]"
 * (RFC 5321 4.1.3); "[127.0.0.1]" where the kernel cannot say */
void net_local_literal(int fd, char out[NET_TEXT_BYTES]);

/* ---- waiting ---- */

struct net_poll;

struct net_event {
    void *ctx;
    int events; /* NET_READ | NET_WRITE; an error is both */
};

/* net_poll_open - RC_OK; RC_TEMP; RC_NOMEM */
enum rc net_poll_open(struct net_poll **out, struct err *err) MUST_CHECK;
void net_poll_free(struct net_poll *poll);

/* net_poll_fd - readable while net_poll_wait has something to tell: for another loop to wait on */
int net_poll_fd(const struct net_poll *poll);

/*
 * net_poll_add - tell about fd until it is removed or closed
 *
 * Edge-triggered, for both directions: an event says that fd became ready; the caller remembers
 * that until a call says RC_STATE. So there is one system call for each connection, not for each
 * message. ctx     comes back in the events. An event may still come for a ctx whose fd was removed
 * in the same round: treat it as a hint. Returns RC_OK; RC_TEMP; RC_PERM
 */
enum rc net_poll_add(struct net_poll *poll, int fd, void *ctx, struct err *err) MUST_CHECK;

/*
 * net_poll_watch - tell about fd while it is ready for what is wanted (NET_READ | NET_WRITE), again
 * with each wait: for those who do not say RC_STATE (libraries). Called again it changes that.
 * Returns RC_OK; RC_TEMP; RC_PERM
 */
enum rc net_poll_watch(struct net_poll *poll, int fd, int wanted, void *ctx,
                       struct err *err) MUST_CHECK;

/* net_poll_remove - stop; call it before closing fd */
void net_poll_remove(struct net_poll *poll, int fd);

/*
 * net_poll_wait - wait for events, at most timeout_ms (0: only look; -1: no limit)
 * Returns RC_OK with *out_count events (0: none in time, or a signal came); RC_TEMP
 */
enum rc net_poll_wait(struct net_poll *poll, int timeout_ms, struct net_event out[NET_EVENTS_MAX],
                      size_t *out_count, struct err *err) MUST_CHECK;

#endif
