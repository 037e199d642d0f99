/*
 * items - the deliveries that are on their way (not those in done/), in memory: what the engine
 * needs to know to decide what is due. The disk is the truth; an item is built from it and follows
 * it.
 */
#ifndef POSTROOM_ENGINE_ITEMS_H
#define POSTROOM_ENGINE_ITEMS_H

#include "base/err.h"
#include "base/name.h"
#include "delivery/state.h"
#include "stage/report.h"

#include <stdint.h>

enum item_work {
    WORK_NONE,      /* waits for a person or an hour */
    WORK_ADVANCE,   /* its state has to be looked at */
    WORK_EXTRACT,   /* waits for a worker */
    WORK_IN_FLIGHT, /* a worker has it */
    WORK_BOOK,      /* the worker has delivered: book and go on */
    WORK_PUBLISH,   /* to be handed over */
    WORK_SEND,      /* waits for a send worker */
    WORK_PROOF      /* its proof wants a list: waits for a worker */
};

/* Of a delivery that the intake worker has extracted with its count. */
struct item_made {
    int64_t created_ns;
    struct stage_report report; /* as an extract worker's */
};

struct item {
    char id[ID_BYTES_MAX + 1];
    enum delivery_state state;
    enum item_work work;
    int64_t due_ns;        /* wall clock: look again then; INT64_MAX: never by itself */
    uint64_t weight_bytes; /* of its recipients, to make batches of workers' work */
    uint32_t failures;     /* of workers in a row */
    uint8_t channel;       /* enum house_channel_kind; known while a send worker has it */
    bool is_unfinished;    /* a decision or a move was begun and not ended: see decide_again */
    struct item_made
        *made;           /* owned; until its state was looked at for the first time; NULL: none */
    struct item *next;   /* in the queue of its work */
    struct item *bucket; /* in the table */
};

struct item_queue {
    struct item *first;
    struct item *last;
    size_t count;
};

struct items;

enum rc items_open(struct items **out, struct err *err) MUST_CHECK;
void items_free(struct items *items);

/* items_find - NULL where there is none. Cost: O(1) */
struct item *items_find(const struct items *items, const char *id);

/* items_add - a new item, WORK_ADVANCE, not queued; RC_EXISTS, RC_NOMEM */
enum rc items_add(struct items *items, const char *id, struct item **out,
                  struct err *err) MUST_CHECK;

/* items_remove - forget it; it must be in no queue */
void items_remove(struct items *items, struct item *item);

size_t items_count(const struct items *items);

/* items_each - every item, in no order; fn may not add or remove */
void items_each(struct items *items, void (*fn)(void *ctx, struct item *item), void *ctx);

void queue_put(struct item_queue *queue, struct item *item);
struct item *queue_take(struct item_queue *queue);

#endif
