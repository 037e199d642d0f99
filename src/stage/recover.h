/*
 * recover - what a restart does with each delivery, by the rows of docs/SPOOL.md; may run twice
 */
#ifndef POSTROOM_STAGE_RECOVER_H
#define POSTROOM_STAGE_RECOVER_H

#include "stage/env.h"
#include "stage/subject.h"

/*
 * recover_spool - every delivery on its way: torn journals cut, interrupted decisions finished,
 * each moved to the stage of its state; fn is told of each with its state
 *
 * is_unfinished: a temporary fault was in the way, its state is not known and something may be left
 * to do Damaged deliveries are logged and left where they are. Returns RC_OK; RC_IO stop; RC_TEMP,
 * RC_NOMEM
 */
enum rc recover_spool(const struct stage_env *env, int64_t now_ns,
                      void (*fn)(void *ctx, const char *id, enum delivery_state state,
                                 bool is_unfinished),
                      void *ctx, struct err *err) MUST_CHECK;

#endif
