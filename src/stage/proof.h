/*
 * proof - a trial of an online delivery's message, sent to the proof target
 *
 *     asked for (decide)  line `proof-wanted` with its number N
 *     begin  (daemon)     proofs/N/
 *     work   (worker)     proofs/N/sending.tmp/recipients.csv: each address of the proof target,
 * with the values of a real recipient fix    (daemon)     sync, sending.tmp becomes sending then a
 * send worker sends it like any list (stage/send.h), with its progress in proofs/N settle (daemon)
 * line `proof-sent` with what became of it
 *
 * Disk states: docs/SPOOL.md T1 to T4. A delivery that goes on or is revised gives its proof up.
 */
#ifndef POSTROOM_STAGE_PROOF_H
#define POSTROOM_STAGE_PROOF_H

#include "conf/problems.h"
#include "stage/report.h"
#include "stage/subject.h"
#include "sys/progress.h"

enum { PROOFS_MAX = 1000 /* of one delivery: beyond that somebody's script runs wild */ };

struct proof {
    const struct stage_env *env;
    struct subject subject;
    uint32_t number;
    int dirfd; /* proofs/N */
};

/* proof_due - the number of the proof that waits to be sent; 0: none */
uint32_t proof_due(const struct subject *subject);

/* proof_is_fixed - its list is whole: a send worker can have it */
bool proof_is_fixed(const struct subject *subject, uint32_t number);

/* proof_open_dir - proofs/N of a delivery; RC_OK, RC_GONE, RC_PERM, RC_TEMP */
enum rc proof_open_dir(int dirfd, uint32_t number, int *out_fd, struct err *err) MUST_CHECK;

/*
 * proof_check - may the proof target be sent to
 * at        where the order says so
 * problems  gets each address that is none, by its number: texts hold no address
 */
void proof_check(const struct order *order, struct place at, struct problems *problems);

/*
 * proof_begin - open a delivery that has a proof due
 * Returns  RC_OK; RC_STATE there is none (any more); RC_GONE, RC_CORRUPT; RC_TEMP; RC_NOMEM; RC_IO
 */
enum rc proof_begin(const struct stage_env *env, const char *id, struct proof **out,
                    struct err *err) MUST_CHECK;

/* proof_work - in the worker: the list; fills the report */
void proof_work(struct proof *proof, struct stage_report *report, struct progress_cell *cell);

/*
 * proof_fix - after the worker has ended, however it did
 * Returns  RC_OK the list is whole; RC_PERM no message can be made: line `proof-failed`; RC_TEMP
 *          later; RC_IO stop; RC_NOMEM
 */
enum rc proof_fix(struct proof *proof, const struct stage_report *report, int64_t now_ns,
                  struct err *err) MUST_CHECK;
void proof_release(struct proof *proof);

/*
 * proof_settle - after a send worker has ended
 * report       what it said
 * out_is_over  nothing of proof N is left to be done
 * Returns      RC_OK; RC_CORRUPT, RC_PERM, RC_TEMP; RC_NOMEM
 */
enum rc proof_settle(struct subject *subject, uint32_t number, const struct stage_report *report,
                     int64_t now_ns, bool *out_is_over, struct err *err) MUST_CHECK;

#endif
