/*
 * send_render - messages made in threads of their own, while others are on their way
 *
 * One set of slots at a time: begin, go on with something else, ask (or be rung for) its end. What
 * a slot holds belongs to the threads from begin to the end of the set. Where no thread can be had,
 * begin does the work itself.
 */
#ifndef POSTROOM_STAGE_SEND_RENDER_H
#define POSTROOM_STAGE_SEND_RENDER_H

#include "stage/content.h"
#include "sys/bell.h"

enum { SEND_RENDER_THREADS_MAX = 8 /* signing is what many are for; more only add memory */ };

/* A message to be made, and made. */
struct send_draft {
    struct recipient recipient; /* its texts are in `row` */
    struct buf row;
    struct slice *fields;
    size_t field_room;

    enum rc rc; /* RC_OK; RC_PERM, RC_RANGE cannot be made: `why`; RC_STATE was not begun, there was
                   no room for its bytes; RC_NOMEM */
    struct err why;
    struct buf bytes;
    struct buf from;
    struct buf to;
    bool needs_smtputf8;
    uint32_t pieces; /* content_message's: recorded as the code of a result `sent` */
};

struct send_render_options {
    const struct content *content; /* borrowed */
    uint32_t proof;
    int64_t date_s;
    unsigned int threads;    /* 1..SEND_RENDER_THREADS_MAX (asserted) */
    const struct bell *bell; /* rung at the end of each set; borrowed */
};

struct send_render;

/* send_render_open - RC_OK; RC_NOMEM */
enum rc send_render_open(const struct send_render_options *options, struct send_render **out,
                         struct err *err) MUST_CHECK;

/* send_render_free - waits for the threads. NULL is allowed */
void send_render_free(struct send_render *render);

/*
 * send_render_begin - make these messages; no other set is under way (asserted)
 *
 * drafts     borrowed until the end; their recipients are set by send_draft_fill
 * max_bytes  of all messages of the set: behind that no other is begun (the first one always is,
 *            and each thread may have one in hand)
 */
void send_render_begin(struct send_render *render, struct send_draft *const *drafts, size_t count,
                       size_t max_bytes);

/* send_render_is_busy - a set is under way */
bool send_render_is_busy(struct send_render *render);

/* send_render_wait - until none is */
void send_render_wait(struct send_render *render);

/* send_draft_fill - copy a recipient, whose texts may change afterwards. RC_OK; RC_NOMEM */
enum rc send_draft_fill(struct send_draft *draft, const struct recipient *recipient,
                        struct err *err) MUST_CHECK;

/* send_draft_clear - forget; what it grew to is given back where that is much */
void send_draft_clear(struct send_draft *draft);

void send_draft_release(struct send_draft *draft);

#endif
