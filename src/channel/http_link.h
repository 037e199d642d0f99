/*
 * http_link - HTTP/2 over connections of ours (wires.h): the way of every peer that speaks it
 */
#ifndef POSTROOM_CHANNEL_HTTP_LINK_H
#define POSTROOM_CHANNEL_HTTP_LINK_H

#include "channel/http_inner.h"

/*
 * http_link_open - the transport; nothing is connected yet
 * http     opened but for its multi handle; borrowed
 * Returns  RC_OK; RC_PERM; RC_NOMEM; RC_TEMP as wires_open
 */
enum rc http_link_open(struct http *http, struct transport **out, struct err *err) MUST_CHECK;

/* http_link_pause - nothing is begun for at least so long; `reason` is why the transport is down */
void http_link_pause(struct transport *link, const char *reason, int64_t pause_ns);

/* http_link_is_useless - the peer's first connection spoke no HTTP/2; nothing was handed over */
bool http_link_is_useless(const struct transport *link);

/* http_link_take_back - the next message that waits, which it has no more; false: there is none */
bool http_link_take_back(struct transport *link, struct outgoing *out);

#endif
