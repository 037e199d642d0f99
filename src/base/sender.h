/*
 * sender - who a message is from, as people write it: shop@example.net, Shop <shop@example.net>
 *
 * Only what settings and deliveries may say (RFC 5322 3.4 name-addr, without comments and groups);
 * how it is written into a message belongs to the channel.
 */
#ifndef POSTROOM_BASE_SENDER_H
#define POSTROOM_BASE_SENDER_H

#include "base/err.h"
#include "base/slice.h"

enum {
    SENDER_LOCAL_BYTES_MAX = 64,  /* RFC 5321 4.5.3.1.1 */
    SENDER_DOMAIN_BYTES_MAX = 253 /* RFC 1035 2.3.4, without the last point */
};

struct sender {
    struct slice name;    /* display name as written, without quotes around it; may be empty */
    struct slice address; /* local@domain */
    struct slice local;
    struct slice domain;
};

/*
 * sender_parse - take one sender apart
 * out      borrowed from the text
 * Returns  RC_OK; RC_PERM with what is wrong and the mend
 */
enum rc sender_parse(struct slice text, struct sender *out, struct err *err) MUST_CHECK;

/* domain_is_within - `domain` is `top` or lies below it, whatever the case of ASCII letters */
bool domain_is_within(struct slice domain, struct slice top);

#endif
