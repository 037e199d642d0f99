/*
 * store - the embedded transports: maildir, file and null (transport.h)
 *
 * maildir: a message is written to tmp/UNIQUE and renamed to new/UNIQUE, so that it is whole
 * wherever it is seen. Sent again under the same name it replaces itself; a repeat
 * (outgoing.is_repeat) that a reader has moved to cur/ meanwhile is recognised there and not
 * written again. SENT means: on disk after transport_flush.
 */
#ifndef POSTROOM_CHANNEL_STORE_H
#define POSTROOM_CHANNEL_STORE_H

#include "channel/transport.h"

#include <sys/types.h>

enum {
    STORE_QUEUE = 256,          /* messages that maildir, file and null hold at once */
    MAILDIR_SEEN_MAX = 10000000 /* names in cur/ that are looked through for repeats */
};

/*
 * maildir_open - cur, new and tmp are made where they are missing
 *
 * dirfd   the Maildir; not O_PATH; borrowed while opening
 * mode    of the messages, exactly
 * gid     of directories that are made; -1: as the kernel gives it
 * Returns RC_OK; RC_PERM, RC_TEMP a directory cannot be made or opened; RC_NOMEM
 */
enum rc maildir_open(int dirfd, mode_t mode, int64_t gid, struct transport **out,
                     struct err *err) MUST_CHECK;

/*
 * folder_open - one file for each message in a directory, named UNIQUE and a suffix: the embedded
 * transport `file` of sms, push and inapp. Sent again it replaces itself.
 *
 * suffix  ".txt", ".json"; at most 16 bytes; copied
 * dirfd, mode and results as for maildir_open
 */
enum rc folder_open(int dirfd, mode_t mode, const char *suffix, struct transport **out,
                    struct err *err) MUST_CHECK;

/* null_open - everything is SENT and nothing happens: for load tests. RC_OK; RC_NOMEM */
enum rc null_open(struct transport **out, struct err *err) MUST_CHECK;

#endif
