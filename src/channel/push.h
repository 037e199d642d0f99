/*
 * push - a push or in-app message for each recipient: texts that are templates over the columns,
 * put into the channel's body (push_body.h)
 */
#ifndef POSTROOM_CHANNEL_PUSH_H
#define POSTROOM_CHANNEL_PUSH_H

#include "channel/push_body.h"

#include <stdint.h>

enum { PUSH_DATA_MAX = 64 /* values in data: a push message holds 4 KiB in all */ };

struct push_datum {
    const char *name;
    const char
        *value; /* a text (a template); else the number, true or false as it stands in JSON */
    bool is_text;
};

struct push_options {
    const char *title; /* a template, like body, image and video; NULL: none */
    const char *body;
    const char *image; /* an address, also data: */
    const char *video;
    const struct push_datum *data;
    size_t datum_count;
    const char *delivery;
    const char *campaign;
    struct slice request; /* template of the request; ptr NULL: the built-in one */
    const char *request_file;
};

struct push;

/*
 * push_open - compile over the columns; options are borrowed during the call, but for delivery and
 * campaign, which are until push_free
 * Returns RC_OK; RC_PERM, RC_RANGE "FILE:LINE: ..."; RC_NOMEM
 */
enum rc push_open(const struct push_options *options, const char *const *columns, size_t count,
                  struct push **out, struct err *err) MUST_CHECK;
void push_free(struct push *push);

/* push_uses - a message changes with the value of this column */
bool push_uses(const struct push *push, size_t column);

struct push_recipient {
    const struct slice *fields; /* of the columns */
    struct slice key;
    struct slice address;
    uint64_t number; /* the reference is DELIVERY-NUMBER */
    uint32_t proof;  /* N: a trial, whose title says so; 0 */
};

/* What one thread renders with; zero is a fresh one. */
struct push_state {
    struct buf texts[PUSH_FIELDS];
    struct buf value;
    struct buf request;
};
void push_state_release(struct push_state *state);

/*
 * push_render - the request for one recipient, in state->request until the next call
 * Returns RC_OK; RC_RANGE too long; RC_PERM too few fields; RC_NOMEM
 */
enum rc push_render(const struct push *push, struct push_state *state,
                    const struct push_recipient *recipient, struct err *err) MUST_CHECK;

#endif
