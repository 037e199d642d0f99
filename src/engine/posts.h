/*
 * posts - deliveries with a send worker: two jobs of one worker, to send, and to stay for receipts
 *
 *     posts_open -> jobs given (is_open) -> each told (is_told) -> each settled -> posts_close
 *
 * A worker that has sent and stays for receipts listens: it keeps its connection and its place.
 */
#ifndef POSTROOM_ENGINE_POSTS_H
#define POSTROOM_ENGINE_POSTS_H

#include "engine/crew.h"
#include "stage/send.h"

struct post;

struct post_job {
    struct post *post;
    bool is_open; /* given to the worker, and not settled */
    bool is_told; /* it has reported it */
};

struct post {
    struct send *send;
    struct post_job work;
    struct post_job listen;
    char listen_id[ID_BYTES_MAX + 16]; /* no delivery has such an id */
    struct post *next;
};

/* A list of them: its first, or NULL. */
struct posts {
    struct post *first;
};

/* posts_open - of this sending, which it takes; no job is given yet. NULL: no memory */
struct post *posts_open(struct posts *posts, struct send *send);

/* posts_close - where no job is open any more: released, sending too */
void posts_close(struct posts *posts, struct post *post);

/* posts_release - all, whatever is open */
void posts_release(struct posts *posts);

/* post_run - in the worker: the job, as crew_kind.run */
void post_run(const struct post_job *job, struct stage_report *report, struct progress_cell *cell);

/* post_channel - enum house_channel_kind */
int post_channel(const struct post *post);

/* post_is_at_work - its worker has not reported all of its jobs */
bool post_is_at_work(const struct post *post);

/* post_is_listening - it has sent, and stays */
bool post_is_listening(const struct post *post);

/* posts_find - of this delivery; posts_find_channel - any of this channel. NULL: there is none */
const struct post *posts_find(const struct posts *posts, const char *id);
const struct post *posts_find_channel(const struct posts *posts, int channel);

#endif
