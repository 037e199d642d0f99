/*
 * transport - the calls of the function table
 */
#include "channel/transport.h"

#include <assert.h>
#include <string.h>

enum { UNIQUE_BYTES_MAX = 200 }; /* with a suffix and the dot and .tmp of a put still a file name */

const char *transport_name(const struct transport *t)
{
    return t->kind->name;
}

size_t transport_room(const struct transport *t)
{
    return t->kind->room(t);
}

enum rc transport_submit(struct transport *t, const struct outgoing *message, struct err *err)
{
    if (t->kind->room(t) == 0) {
        return err_set(err, RC_STATE, "%s: no room for more messages now", t->kind->name);
    }
    return t->kind->submit(t, message, err);
}

enum rc transport_run(struct transport *t, int timeout_ms, transport_told *told, void *ctx,
                      struct err *err)
{
    assert(told != NULL);
    return t->kind->run(t, timeout_ms, told, ctx, err);
}

int transport_fd(const struct transport *t)
{
    return t->kind->fd == NULL ? -1 : t->kind->fd(t);
}

int64_t transport_deadline_ns(const struct transport *t)
{
    return t->kind->deadline_ns == NULL ? INT64_MAX : t->kind->deadline_ns(t);
}

enum rc transport_flush(struct transport *t, struct err *err)
{
    return t->kind->flush == NULL ? RC_OK : t->kind->flush(t, err);
}

void transport_recall(struct transport *t)
{
    if (t->kind->recall != NULL) {
        t->kind->recall(t);
    }
}

void transport_close(struct transport *t)
{
    transport_recall(t);
    if (t->kind->close != NULL) {
        t->kind->close(t);
    }
}

void transport_state(const struct transport *t, struct transport_state *out)
{
    *out = (struct transport_state){.is_up = true, .reason = ""};
    t->kind->state(t, out);
}

void transport_free(struct transport *t)
{
    if (t != NULL) {
        t->kind->free(t);
    }
}

bool transport_unique_is_valid(const char *unique)
{
    static const char ALLOWED[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+=,";
    size_t len = unique == NULL ? 0 : strlen(unique);
    return len > 0 && len <= UNIQUE_BYTES_MAX && unique[0] != '.' && strspn(unique, ALLOWED) == len;
}

const char *verdict_name(enum verdict verdict)
{
    static const char *const NAMES[] = {"sent", "temporary", "permanent", "uncertain", "untried"};
    return NAMES[verdict];
}
