/*
 * posts - a list: there are as few as there are send workers
 */
#include "engine/posts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct post *posts_open(struct posts *posts, struct send *send)
{
    struct post *post = calloc(1, sizeof *post);
    if (post != NULL) {
        post->send = send;
        post->work.post = post->listen.post = post;
        (void)snprintf(post->listen_id, sizeof post->listen_id, "%s receipts", send->subject.id);
        post->next = posts->first;
        posts->first = post;
    }
    return post;
}

void posts_close(struct posts *posts, struct post *post)
{
    struct post **at = &posts->first;
    if (post->work.is_open || post->listen.is_open) {
        return;
    }
    while (*at != post) {
        at = &(*at)->next;
    }
    *at = post->next;
    send_release(post->send);
    free(post);
}

void posts_release(struct posts *posts)
{
    while (posts->first != NULL) {
        posts->first->work.is_open = posts->first->listen.is_open = false;
        posts_close(posts, posts->first);
    }
}

void post_run(const struct post_job *job, struct stage_report *report, struct progress_cell *cell)
{
    if (job == &job->post->work) {
        send_work(job->post->send, report, cell);
    } else {
        send_listen(job->post->send, report, cell);
    }
}

int post_channel(const struct post *post)
{
    return post->send->subject.order->channel;
}

static bool is_under_way(const struct post_job *job)
{
    return job->is_open && !job->is_told;
}

bool post_is_at_work(const struct post *post)
{
    return is_under_way(&post->work) || is_under_way(&post->listen);
}

bool post_is_listening(const struct post *post)
{
    return !is_under_way(&post->work) && is_under_way(&post->listen);
}

const struct post *posts_find(const struct posts *posts, const char *id)
{
    const struct post *post = posts->first;
    while (post != NULL && strcmp(post->send->subject.id, id) != 0) {
        post = post->next;
    }
    return post;
}

const struct post *posts_find_channel(const struct posts *posts, int channel)
{
    const struct post *post = posts->first;
    while (post != NULL && post_channel(post) != channel) {
        post = post->next;
    }
    return post;
}
