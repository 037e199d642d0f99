/*
 * quarantine - quarantine/CHANNEL.csv: addresses that are not to be used again, and why
 *
 * CSV with a header; columns are found by name, so people may edit it, add columns and move them:
 *
 *     address,key,since,cause,delivery
 *     bob@example.net,,2027-03-01T08:00:00Z,permanent,spring-email
 *
 * Only one of address and key is needed; a row counts for whoever has either. New rows are appended
 * by the daemon alone, durably and once for each address. Addresses compare as bytes but for the
 * domain of a mail address, whose ASCII letters are one in both cases, and for telephone numbers,
 * which are one with + or 00 before the country code or nothing, and however they are parted. The
 * room knows the audience's CSV and sets, which the spool below must not; it is handed the
 * directory.
 */
#ifndef POSTROOM_CHANNEL_QUARANTINE_H
#define POSTROOM_CHANNEL_QUARANTINE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    QUARANTINE_MODE = 0600,
    QUARANTINE_MEMORY_BYTES = 64 * 1024 * 1024, /* of a set: more than a million addresses */
    QUARANTINE_FILE_BYTES = 80                  /* room for "CHANNEL.csv" */
};

struct quarantine;

/*
 * quarantine_load - the addresses and keys of a channel, to ask while selecting and sending
 *
 * fd       the file, borrowed for the call; -1: there is none, nobody is in quarantine
 * name     for error texts ("quarantine/email.csv")
 * Returns  RC_OK; RC_PERM "NAME:LINE: what; mend" a row that is malformed, no such columns;
 * RC_RANGE more than QUARANTINE_MEMORY_BYTES; RC_IO, RC_NOMEM
 */
enum rc quarantine_load(int fd, const char *name, struct quarantine **out,
                        struct err *err) MUST_CHECK;
void quarantine_free(struct quarantine *quarantine);

/* quarantine_count - addresses and keys together */
size_t quarantine_count(const struct quarantine *quarantine);

/*
 * quarantine_has - is this recipient in it? Any number of threads may ask at once
 * address, key  as in the recipients' row; an empty one is in no quarantine
 * scratch       of the calling thread
 * Returns       RC_OK with *out; RC_NOMEM; RC_IO
 */
enum rc quarantine_has(const struct quarantine *quarantine, struct slice address, struct slice key,
                       struct buf *scratch, bool *out, struct err *err) MUST_CHECK;

struct quarantine_entry {
    struct slice address; /* may be empty where the key is not */
    struct slice key;     /* may be empty */
    int64_t since_ns;
    const char *cause;    /* "permanent", "bounced", "complained", "unsubscribed" */
    const char *delivery; /* NULL: not known */
};

/*
 * quarantine_add - append those that are not in yet; durable before it returns
 *
 * dirfd     quarantine/
 * channel   valid id (asserted)
 * out_added how many were not in yet, or NULL
 * The file is read again each time, with what people made of it. A last line that a crash tore is
 * cut off first and kept in CHANNEL.csv.torn-SECONDS; a whole one that lacks its newline gets it.
 * Returns   RC_OK; RC_PERM as quarantine_load: nothing was added; RC_RANGE; RC_TEMP nothing was
 *           added, try again; RC_NOMEM; RC_IO stop this process
 * Cost      one pass over the file, 1 write, 1 fdatasync
 */
enum rc quarantine_add(int dirfd, const char *channel, const struct quarantine_entry *entries,
                       size_t count, size_t *out_added, struct err *err) MUST_CHECK;

/* quarantine_fold - append an address as it is compared; lost memory shows in buf_ok */
void quarantine_fold(struct slice address, struct buf *out);

/* quarantine_file - "CHANNEL.csv" into out; returns out */
const char *quarantine_file(const char *channel, char out[QUARANTINE_FILE_BYTES]);

#endif
