/*
 * reply - what another side said, kept without the recipients that it may name
 *
 * A reply is any text: relays quote addresses in it. What is kept of it, in `progress`, in a
 * journal or in the log, has those blotted out.
 */
#ifndef POSTROOM_DELIVERY_REPLY_H
#define POSTROOM_DELIVERY_REPLY_H

#include "base/buf.h"
#include "base/slice.h"

/*
 * reply_blot - the words of a reply, each behind one blank, at most max_bytes in all
 *
 * A word with an '@', and a number of seven digits and more, becomes '*'; what is no printable
 * ASCII '?'. Failures stay in the buffer (buf_ok).
 */
void reply_blot(struct buf *out, struct slice text, size_t max_bytes);

/*
 * reply_begin - where in a reason the other side's own words begin: behind ": 421", the first code
 * of three digits that stands so. The reason's length where no reply is quoted.
 */
size_t reply_begin(const char *reason);

#endif
