/*
 * subject - one delivery opened for a use case: its directory, its frozen order, its view
 */
#ifndef POSTROOM_STAGE_SUBJECT_H
#define POSTROOM_STAGE_SUBJECT_H

#include "base/name.h"
#include "delivery/journal.h"
#include "delivery/order.h"
#include "delivery/view.h"
#include "stage/env.h"

struct subject {
    char id[ID_BYTES_MAX + 1];
    enum stage stage; /* where its directory is now */
    int dirfd;
    struct order *order;
    struct view view;
};

/* Sets every field to nothing, so that subject_close() is always allowed. */
#define SUBJECT_NONE ((struct subject){.dirfd = -1})

/*
 * subject_open - open a delivery where it lies and read it
 * Returns RC_OK; RC_GONE no such delivery; RC_CORRUPT settings or journal damaged, or it lies in
 * two stages; RC_TEMP; RC_NOMEM. After a failure there is nothing to close. Cost    two small files
 * read
 */
enum rc subject_open(const struct spool *spool, const char *id, struct subject *out,
                     struct err *err) MUST_CHECK;

/* subject_open_at - the same when the stage is known; also RC_GONE when it is not there (any more)
 */
enum rc subject_open_at(const struct spool *spool, enum stage stage, const char *id,
                        struct subject *out, struct err *err) MUST_CHECK;

/* subject_open_next - subject_open for the step that follows one whose delivery may lie on the
 * shelf (stage/shelf.h). Cost: 3 stat where it does */
enum rc subject_open_next(const struct stage_env *env, const char *id, struct subject *out,
                          struct err *err) MUST_CHECK;

void subject_close(struct subject *subject);

/* subject_path - what its settings say about its way through the states */
struct delivery_path subject_path(const struct order *order);

/* subject_next - the state after an event, by the table of states; RC_STATE where that cannot be */
enum rc subject_next(const struct subject *subject, enum delivery_event event,
                     enum delivery_state *out, struct err *err) MUST_CHECK;

/* subject_reload - fold the journal anew after lines were appended; RC_CORRUPT, RC_TEMP, RC_NOMEM
 */
enum rc subject_reload(struct subject *subject, struct err *err) MUST_CHECK;

/* subject_say - append the writer's lines to the journal and fold them in; the writer is emptied.
 * Not synced. */
enum rc subject_say(struct subject *subject, struct journal_writer *writer,
                    struct err *err) MUST_CHECK;

/* subject_move - to the stage of its state; nothing where it lies there already. Not synced. As
 * spool_move. */
enum rc subject_move(const struct stage_env *env, struct subject *subject,
                     struct err *err) MUST_CHECK;

/* order_load_from - settings.conf of a delivery's directory; RC_GONE, RC_CORRUPT, RC_TEMP, RC_NOMEM
 */
enum rc order_load_from(int dirfd, struct order **out, struct err *err) MUST_CHECK;

#endif
