/*
 * results - what became of each recipient of an online delivery, from its progress and its list
 */
#ifndef POSTROOM_CLI_RESULTS_H
#define POSTROOM_CLI_RESULTS_H

#include "base/buf.h"
#include "base/err.h"
#include "delivery/progress.h"

/* The counts of a delivery that sends, or has sent. */
struct results_counts {
    uint64_t of;          /* recipients in the list */
    uint64_t done;        /* nothing more is to be done for them */
    uint64_t sent;        /* taken by the other side */
    uint64_t delivered;   /* of them: a receipt says that it has arrived */
    uint64_t undelivered; /* of them: a receipt says that it will not */
    uint64_t failed;      /* permanent */
    uint64_t uncertain;   /* held ones too */
    uint64_t expired;
    uint64_t suppressed;
    uint64_t retrying; /* temporary */
};

/*
 * results_count - the counts from a delivery's progress
 * is_sending  somebody is at work: what is intended is under way; else its result is lost, and it
 *             counts as uncertain
 * Returns     RC_OK; RC_GONE nothing was sent to yet (all 0); RC_CORRUPT; RC_PERM; RC_TEMP;
 * RC_NOMEM
 */
enum rc results_count(int dirfd, bool is_sending, struct results_counts *out,
                      struct err *err) MUST_CHECK;

/*
 * results_print - CSV: key,reference,verdict,code,time; a row for each recipient in the list
 *
 * verdict is a word of progress_state_name(); code is empty where there was no reply, time where
 * nothing was recorded. Without a list (sending has not begun) the header alone.
 * take     gets the text in pieces; anything but RC_OK ends it
 * Returns  RC_OK; what take returned; RC_CORRUPT; RC_PERM (the list is for the daemon's user and
 *          root alone); RC_TEMP; RC_NOMEM
 */
enum rc results_print(int dirfd, const char *id, bool is_sending,
                      enum rc (*take)(void *ctx, struct slice text, struct err *err), void *ctx,
                      struct err *err) MUST_CHECK;

#endif
