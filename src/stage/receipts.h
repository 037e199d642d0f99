/*
 * receipts - what a delivery's session heard of others' messages goes to those it is about
 *
 *     outbox/receipts/CHANNEL/ID  by the worker of ID; also the mark that some may come. Lines:
 *                                 TIME delivered|undelivered|gone WORD ID (docs/SPOOL.md)
 *     DELIVERY/receipts           by the daemon: delivery/progress.h
 *
 * Who has a receipt already does not get it twice, so a file may be taken again after a crash.
 * No recipient stands in any of these; the address of one that is `gone` goes into the quarantine.
 */
#ifndef POSTROOM_STAGE_RECEIPTS_H
#define POSTROOM_STAGE_RECEIPTS_H

#include "base/name.h"
#include "stage/env.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RECEIPTS_FILE_BYTES_MAX = 64 * 1024 * 1024, /* heard in one file: then the peer keeps its own */
    RECEIPTS_FILES_MAX = 100000,                /* of a channel */
    RECEIPTS_DAYS = 7 /* a file is kept after it was last written; networks give up after three */
};

/*
 * receipts_mark - open the file of a delivery, or make it: receipts may come for its messages
 *
 * channel  enum house_channel_kind
 * out_fd   to append to
 * Returns  RC_OK its name is on disk; RC_TEMP, RC_PERM, RC_NOMEM; RC_IO stop
 */
enum rc receipts_mark(const struct stage_env *env, int channel, const char *id, int *out_fd,
                      struct err *err) MUST_CHECK;

/* What became of the lines of a file. */
struct receipts_taken {
    size_t delivered;   /* recorded */
    size_t undelivered; /* recorded */
    size_t known;       /* recorded before */
    size_t gone;        /* their numbers are in the quarantine now, or were */
    size_t unknown;     /* of no delivery that has a file, or no line at all */
};

/*
 * receipts_take - its lines to the deliveries that they are about; then it is emptied
 *
 * name      of the file; nobody may be writing it
 * is_final  no worker of the channel is at work: what is unknown now is unknown for good. Else a
 *           file with unknown ones stays as it is, for another time
 * Returns   RC_OK; RC_TEMP later; RC_PERM, RC_NOMEM; RC_IO stop
 * Cost      the progress of the channel's newest deliveries is read until all are found
 */
enum rc receipts_take(const struct stage_env *env, int channel, const char *name, bool is_final,
                      struct receipts_taken *out, struct err *err) MUST_CHECK;

/*
 * receipts_next - the next file that has lines, or is to be removed and is removed
 *
 * after      "" or the name that was given before
 * is_in_use  a worker may be writing it: it is passed over
 * out        its name, "": there is none
 * Returns    RC_OK; RC_TEMP; RC_PERM; RC_NOMEM; RC_IO
 */
enum rc receipts_next(const struct stage_env *env, int channel, const char *after, int64_t now_ns,
                      bool (*is_in_use)(void *ctx, const char *id), void *ctx,
                      char out[ID_BYTES_MAX + 1], struct err *err) MUST_CHECK;

#endif
