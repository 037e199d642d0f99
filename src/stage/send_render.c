/*
 * send_render - one lock; threads take the drafts of a set one by one, in order
 */
#include "stage/send_render.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum {
    STACK_BYTES = 1024 * 1024,
    DRAFT_BYTES_KEPT = 16 * 1024 /* of one buffer, by a draft that is not in use */
};

struct renderer {
    pthread_t thread;
    struct send_render *render;
    struct content_state *state;
};

struct send_render {
    struct send_render_options options;
    pthread_mutex_t lock;
    pthread_cond_t begun;
    pthread_cond_t over;
    struct renderer renderers[SEND_RENDER_THREADS_MAX];
    unsigned int renderer_count; /* with a state */
    unsigned int thread_count;   /* of them with a thread */

    /* the set; under the lock */
    struct send_draft *const *drafts;
    size_t count;
    size_t next; /* draft to be taken */
    size_t left; /* drafts that are not made yet */
    size_t max_bytes;
    size_t bytes;
    bool is_stopping;
};

/* --- drafts --- */

static struct slice place_of(const struct buf *row, size_t *at, size_t len)
{
    struct slice place = {row->ptr + *at, len};
    *at += len;
    return place;
}

static struct slice *room_for_fields(struct send_draft *draft, size_t count)
{
    if (count > draft->field_room) {
        free(draft->fields);
        draft->fields = calloc(count, sizeof *draft->fields);
        draft->field_room = draft->fields == NULL ? 0 : count;
    }
    return draft->fields;
}

enum rc send_draft_fill(struct send_draft *draft, const struct recipient *recipient,
                        struct err *err)
{
    size_t count = recipient->count;
    struct slice *fields = room_for_fields(draft, count);
    size_t at = 0;
    buf_clear(&draft->row);
    buf_add_slice(&draft->row, recipient->key);
    buf_add_slice(&draft->row, recipient->address);
    for (size_t i = 0; i < count; i++) {
        buf_add_slice(&draft->row, recipient->fields[i]);
    }
    if (buf_ok(&draft->row, err) != RC_OK || (count > 0 && fields == NULL)) {
        return err_set(err, RC_NOMEM, "no memory for a recipient");
    }
    /* The buffer has stopped moving. */
    draft->recipient = *recipient;
    draft->recipient.key = place_of(&draft->row, &at, recipient->key.len);
    draft->recipient.address = place_of(&draft->row, &at, recipient->address.len);
    for (size_t i = 0; i < count; i++) {
        fields[i] = place_of(&draft->row, &at, recipient->fields[i].len);
    }
    draft->recipient.fields = fields;
    return RC_OK;
}

static void shrink(struct buf *buf)
{
    buf_clear(buf);
    if (buf->cap > DRAFT_BYTES_KEPT) {
        buf_release(buf);
    }
}

void send_draft_clear(struct send_draft *draft)
{
    shrink(&draft->row);
    shrink(&draft->bytes);
}

void send_draft_release(struct send_draft *draft)
{
    buf_release(&draft->row);
    buf_release(&draft->bytes);
    buf_release(&draft->from);
    buf_release(&draft->to);
    free(draft->fields);
    *draft = (struct send_draft){.fields = NULL};
}

static void keep(struct send_draft *draft, const struct content_message *message)
{
    buf_clear(&draft->bytes);
    buf_clear(&draft->from);
    buf_clear(&draft->to);
    buf_add_slice(&draft->bytes, message->bytes);
    buf_add_slice(&draft->from, message->from);
    buf_add_slice(&draft->to, message->to);
    draft->needs_smtputf8 = message->needs_smtputf8;
    draft->pieces = message->pieces;
    if (draft->bytes.is_failed || draft->from.is_failed || draft->to.is_failed) {
        draft->rc = err_set(&draft->why, RC_NOMEM, "no memory for a message");
    }
}

static void make(const struct send_render *render, struct content_state *state,
                 struct send_draft *draft)
{
    struct content_message message;
    draft->why.text[0] = '\0';
    draft->rc =
        content_render(render->options.content, state, &draft->recipient, render->options.proof,
                       render->options.date_s, &message, &draft->why);
    if (draft->rc == RC_OK) {
        keep(draft, &message);
    }
}

/* --- the set --- */

static bool is_there_one(const struct send_render *render)
{
    return render->next < render->count;
}

/* One draft, with the lock held before and after. */
static void make_next(struct send_render *render, struct content_state *state)
{
    size_t at = render->next++;
    struct send_draft *draft = render->drafts[at];
    if (at > 0 && render->bytes >= render->max_bytes) {
        draft->rc = RC_STATE;
    } else {
        (void)pthread_mutex_unlock(&render->lock);
        make(render, state, draft);
        (void)pthread_mutex_lock(&render->lock);
        render->bytes += draft->rc == RC_OK ? draft->bytes.len : 0;
    }
    if (--render->left == 0) {
        (void)pthread_cond_signal(&render->over);
        bell_ring(render->options.bell);
    }
}

static void *thread_main(void *ctx)
{
    struct renderer *renderer = ctx;
    struct send_render *render = renderer->render;
    (void)pthread_mutex_lock(&render->lock);
    while (!render->is_stopping) {
        if (is_there_one(render)) {
            make_next(render, renderer->state);
        } else {
            (void)pthread_cond_wait(&render->begun, &render->lock);
        }
    }
    (void)pthread_mutex_unlock(&render->lock);
    return NULL;
}

void send_render_begin(struct send_render *render, struct send_draft *const *drafts, size_t count,
                       size_t max_bytes)
{
    (void)pthread_mutex_lock(&render->lock);
    assert(render->left == 0);
    render->drafts = drafts;
    render->count = render->left = count;
    render->next = 0;
    render->bytes = 0;
    render->max_bytes = max_bytes;
    (void)pthread_cond_broadcast(&render->begun);
    while (render->thread_count == 0 && is_there_one(render)) {
        make_next(render, render->renderers[0].state);
    }
    (void)pthread_mutex_unlock(&render->lock);
}

bool send_render_is_busy(struct send_render *render)
{
    (void)pthread_mutex_lock(&render->lock);
    bool is_busy = render->left > 0;
    (void)pthread_mutex_unlock(&render->lock);
    return is_busy;
}

void send_render_wait(struct send_render *render)
{
    (void)pthread_mutex_lock(&render->lock);
    while (render->left > 0) {
        (void)pthread_cond_wait(&render->over, &render->lock);
    }
    (void)pthread_mutex_unlock(&render->lock);
}

/* --- opening --- */

/* Signals belong to the thread that knows what they mean. */
static void start_threads(struct send_render *render)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    if (pthread_attr_init(&attributes) != 0) {
        return;
    }
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned int i = 0; i < render->renderer_count; i++) {
        struct renderer *renderer = &render->renderers[i];
        renderer->render = render;
        if (pthread_create(&renderer->thread, &attributes, thread_main, renderer) != 0) {
            break; /* those that are there do its work */
        }
        render->thread_count++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
}

enum rc send_render_open(const struct send_render_options *options, struct send_render **out,
                         struct err *err)
{
    assert(options->threads >= 1 && options->threads <= SEND_RENDER_THREADS_MAX);
    struct send_render *render = calloc(1, sizeof *render);
    if (render == NULL) {
        return err_set(err, RC_NOMEM, "no memory for messages");
    }
    render->options = *options;
    (void)pthread_mutex_init(&render->lock, NULL);
    (void)pthread_cond_init(&render->begun, NULL);
    (void)pthread_cond_init(&render->over, NULL);
    enum rc rc = RC_OK;
    for (unsigned int i = 0; rc == RC_OK && i < options->threads; i++) {
        rc = content_state_open(options->content, &render->renderers[i].state, err);
        render->renderer_count += rc == RC_OK;
    }
    if (rc != RC_OK) {
        send_render_free(render);
        return rc;
    }
    start_threads(render);
    *out = render;
    return RC_OK;
}

void send_render_free(struct send_render *render)
{
    if (render == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&render->lock);
    render->is_stopping = true;
    (void)pthread_cond_broadcast(&render->begun);
    (void)pthread_mutex_unlock(&render->lock);
    for (unsigned int i = 0; i < render->thread_count; i++) {
        (void)pthread_join(render->renderers[i].thread, NULL);
    }
    for (unsigned int i = 0; i < render->renderer_count; i++) {
        content_state_free(render->renderers[i].state);
    }
    (void)pthread_cond_destroy(&render->over);
    (void)pthread_cond_destroy(&render->begun);
    (void)pthread_mutex_destroy(&render->lock);
    free(render);
}
