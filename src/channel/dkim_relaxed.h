/*
 * dkim_relaxed - the relaxed canonical forms of headers and bodies (RFC 6376 3.4.2, 3.4.4)
 */
#ifndef POSTROOM_CHANNEL_DKIM_RELAXED_H
#define POSTROOM_CHANNEL_DKIM_RELAXED_H

#include "base/buf.h"
#include "base/slice.h"

/*
 * dkim_relaxed_header - append one header field: name in lower case, unfolded, runs of blanks as
 * one, none at the end or around the colon; always ends with CRLF
 *
 * field   with or without its last CRLF; without a colon it is a name alone
 */
void dkim_relaxed_header(struct slice field, struct buf *out);

/*
 * dkim_relaxed_body - append a body: runs of blanks as one, none at the end of a line, no empty
 * lines at the end; a body that is not empty ends with CRLF, an empty one stays empty
 *
 * Cost   one pass; lines that are relaxed already are copied at once
 */
void dkim_relaxed_body(struct slice body, struct buf *out);

#endif
