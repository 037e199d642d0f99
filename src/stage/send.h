/*
 * send - an online delivery is sent
 *
 *     begin  (daemon)  opens what the worker needs: lists, keys, where messages are kept
 *     work   (worker)  sending/recipients.csv to its end, intents and results in progress
 *     listen (worker)  by SMPP, while receipts are missing: stays bound for a while after that
 *     settle (daemon)  whoever failed for good into quarantine; where nothing is left to be done:
 * what was spent, line `finished` or `failed`, place done/
 *
 * A worker ends when nothing is left, when nothing can be done for a while (a wave, a later try, a
 * relay that is away), and when it is told to (pause, stop, lists that changed). What a killed one
 * leaves without a result is uncertain (delivery/progress.h).
 *
 * Disk states: docs/SPOOL.md S3 to S6.
 */
#ifndef POSTROOM_STAGE_SEND_H
#define POSTROOM_STAGE_SEND_H

#include "channel/share.h"
#include "stage/report.h"
#include "stage/subject.h"
#include "sys/progress.h"

/* What the daemon wishes of a worker at work (cell->wish); a greater one stands before a smaller
 * one, and only SEND_PAUSE is taken back. */
enum send_wish {
    SEND_GO_ON = 0,
    SEND_PAUSE,          /* begin nothing more, let what is under way end, however long the other
                            side takes for its answers, report; or go on, if told so before */
    SEND_COME_BACK,      /* the same for good (lists that changed) */
    SEND_COME_BACK_SOON, /* the same within SEND_COME_BACK_S (the end of the daemon) */
    SEND_STOP            /* the same within SEND_STOP_MS */
};

#define SEND_DIR "sending" /* of a delivery: the list, and who could not be reached */

enum {
    SEND_COME_BACK_S = 5, /* what has no answer by then is left uncertain */
    SEND_STOP_MS = 500    /* likewise: `stop` takes effect within a second */
};

/* Descriptors of files with secrets, opened by the daemon, which never reads them; -1: there is
 * none
 */
struct send_keys {
    int ca_fd;
    int password_fd;
    int dkim_fd;
    int unsubscribe_fd;
    int token_fd;
    int client_cert_fd;
    int client_key_fd;
};

struct send {
    const struct stage_env *env;
    struct subject subject;
    uint32_t proof;  /* N: this is the sending of proof N (stage/proof.h); 0 */
    int64_t date_ns; /* of every message: the list was fixed, the proof was asked for */
    int dirfd;       /* holds recipients.csv (its path is RECIPIENTS_PATH) and progress */
    int progress_fd; /* the worker may write these two, and nothing else of the delivery */
    int list_fd;     /* sending/ */
    int messages_fd; /* of the embedded transport; -1 */
    int heard_fd; /* outbox/receipts/CHANNEL/ID, to append to; -1: its transport has no receipts */
    struct send_keys keys;
    struct share *share;       /* with the other workers of the channel; NULL: there are none */
    struct sending *listening; /* the worker's: what send_work left open for send_listen; NULL */
};

/*
 * send_begin - open a delivery whose list is fixed and that is sending, or that has a proof to send
 * Returns RC_OK; RC_STATE it is neither (any more); RC_GONE, RC_CORRUPT; RC_TEMP, RC_PERM a file
 * of the channel cannot be opened (err says which); RC_NOMEM
 */
enum rc send_begin(const struct stage_env *env, const char *id, struct send **out,
                   struct err *err) MUST_CHECK;

/* send_work - in the worker, until it ends as said above; fills the report */
void send_work(struct send *send, struct stage_report *report, struct progress_cell *cell);

/* send_may_listen - this is a sending that receipts may be waited for after send_work */
bool send_may_listen(const struct send *send);

/* send_listen - in the worker, behind send_work: receipts that are still missing, until all have
 * come, receipts_wait is over or the daemon wishes an end; nothing where send_work ended otherwise
 * than with all done that can be done for now */
void send_listen(struct send *send, struct stage_report *report, struct progress_cell *cell);

/*
 * send_settle - after a worker has ended, however it did, or where nobody was at work
 *
 * out_is_over  the delivery has ended
 * Returns      RC_OK; RC_TEMP, RC_PERM, RC_CORRUPT later, or somebody has to look at it; RC_IO
 * stop; RC_NOMEM
 */
enum rc send_settle(const struct stage_env *env, struct subject *subject, int64_t now_ns,
                    bool *out_is_over, struct err *err) MUST_CHECK;

/* send_spend - who failed for good into quarantine, and the money of a sending that ends: what was
 * committed is reversed, what was really sent is spent. For `stop`, too; may run twice. Results as
 * cost_spend */
enum rc send_spend(const struct stage_env *env, const struct subject *subject, int64_t now_ns,
                   struct err *err) MUST_CHECK;

void send_release(struct send *send);

#endif
