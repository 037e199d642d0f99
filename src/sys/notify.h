/*
 * notify - tell the service manager how we are, by the sd_notify(3) datagram protocol
 */
#ifndef POSTROOM_SYS_NOTIFY_H
#define POSTROOM_SYS_NOTIFY_H

#include "base/err.h"

/*
 * notify_send - one datagram to $NOTIFY_SOCKET: "READY=1", "STOPPING=1",
 * "RELOADING=1\nMONOTONIC_USEC=...", "STATUS=..."
 * Returns RC_OK, also without NOTIFY_SOCKET; RC_PERM its value is no socket address; RC_TEMP,
 *         RC_GONE it was not sent
 */
enum rc notify_send(const char *state, struct err *err) MUST_CHECK;

#endif
