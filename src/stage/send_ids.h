/*
 * send_ids - which line of progress holds an id that the other side gave
 *
 * A receipt names a part of a message by that id. In memory is only its hash and where its line
 * stands, 12 bytes; who looks for it reads the line and compares the id itself: one that shares its
 * hash with a later one is not found, nor taken for it. Of an id that was given twice the later one
 * counts.
 */
#ifndef POSTROOM_STAGE_SEND_IDS_H
#define POSTROOM_STAGE_SEND_IDS_H

#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEND_IDS_AT_MAX ((UINT64_C(1) << 40) - 1)

struct send_ids;

/*
 * send_ids_open - empty
 * expected  so many are to come: room for them is made at once, and no copy later
 * Returns   RC_OK; RC_NOMEM
 */
enum rc send_ids_open(size_t expected, struct send_ids **out, struct err *err) MUST_CHECK;

/* send_ids_free - NULL is allowed */
void send_ids_free(struct send_ids *ids);

/* send_ids_add - its line begins at `at`, 1..SEND_IDS_AT_MAX (what is beyond is not found again).
 * Lost memory shows in send_ids_ok */
void send_ids_add(struct send_ids *ids, struct slice id, uint64_t at);

/* send_ids_ok - every id that was added is in. RC_OK; RC_NOMEM */
enum rc send_ids_ok(const struct send_ids *ids, struct err *err) MUST_CHECK;

/* send_ids_count - different ids */
size_t send_ids_count(const struct send_ids *ids);

/* send_ids_find - where the line of this id stands, or of another one with the same hash: compare
 * them. 0: it is not in */
uint64_t send_ids_find(const struct send_ids *ids, struct slice id);

#endif
