/*
 * unwanted - who is not to be contacted any more, asked while a delivery is sending
 *
 * The channel's suppression lists (keys) and its quarantine (addresses, keys), as they are when the
 * worker starts; when one changes, the engine has the worker come back and start again.
 */
#ifndef POSTROOM_STAGE_UNWANTED_H
#define POSTROOM_STAGE_UNWANTED_H

#include "base/buf.h"
#include "stage/lists.h"

enum {
    UNWANTED_MEMORY_BYTES = 128 * 1024 * 1024 /* of all suppression lists: some millions of keys */
};

struct unwanted;

/*
 * unwanted_load - read the lists from their beginnings
 *
 * key       the name of the key's column, as in the recipients
 * delimiter of the lists
 * Returns   RC_OK; RC_PERM "FILE:LINE: what"; RC_TEMP a list cannot be read: nobody is sent to
 * without it; RC_RANGE; RC_IO, RC_NOMEM
 */
enum rc unwanted_load(const struct house *house, int channel, const struct channel_lists *lists,
                      const char *key, struct unwanted **out, struct err *err) MUST_CHECK;
void unwanted_free(struct unwanted *unwanted);

/* unwanted_cause - "suppressed", "quarantined" or NULL in *out. RC_OK; RC_IO; RC_NOMEM */
enum rc unwanted_cause(struct unwanted *unwanted, struct slice key, struct slice address,
                       const char **out, struct err *err) MUST_CHECK;

#endif
