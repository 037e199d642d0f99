/*
 * receipts - outbox/receipts/CHANNEL: what sessions heard of other deliveries, a file a turn
 *
 * Looked at whenever a send worker has ended, and at start. What a file of a worker at work has is
 * taken when that one is gone.
 */
#include "engine/inner.h"

#include "stage/receipts.h"
#include "sys/log.h"

#include <stdio.h>

enum { CHANNEL = HOUSE_SMS /* the one whose transport hears receipts */ };

void receipts_look(struct engine *engine)
{
    engine->is_receipts_due = true;
    engine->receipts_after[0] = '\0';
}

bool receipts_are_waiting(const struct engine *engine)
{
    return engine->is_receipts_due;
}

static bool is_in_use(void *ctx, const char *id)
{
    return sends_has(ctx, id);
}

static enum rc take(struct engine *engine, const char *name, struct err *err)
{
    struct receipts_taken taken;
    bool is_final = !sends_has_channel(engine, CHANNEL);
    enum rc rc = receipts_take(&engine->env, CHANNEL, name, is_final, &taken, err);
    if (rc == RC_OK) {
        log_event(LOG_LEVEL_INFO, "receipts-taken", name,
                  "delivered=%zu undelivered=%zu known=%zu gone=%zu unknown=%zu later=%d",
                  taken.delivered, taken.undelivered, taken.known, taken.gone, taken.unknown,
                  !is_final && taken.unknown > 0 ? 1 : 0);
    }
    return rc;
}

/* A fault ends the pass: the next one begins with the next end of a worker. */
void receipts_turn(struct engine *engine, int64_t now_ns)
{
    char name[ID_BYTES_MAX + 1];
    struct err err = {{0}};
    if (!engine->is_receipts_due || engine->fatal != RC_OK) {
        return;
    }
    enum rc rc = receipts_next(&engine->env, CHANNEL, engine->receipts_after, now_ns, is_in_use,
                               engine, name, &err);
    engine->is_receipts_due = rc == RC_OK && name[0] != '\0';
    if (engine->is_receipts_due) {
        (void)snprintf(engine->receipts_after, sizeof engine->receipts_after, "%s", name);
        rc = take(engine, name, &err);
    }
    if (rc != RC_OK) {
        engine_fail(engine, rc, &err, "receipts", NULL);
    }
}
