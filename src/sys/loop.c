/*
 * loop - epoll over descriptors, one inotify, one signalfd and pidfds; timers by the wait's own
 * time limit
 *
 * Every watch is a slot in one table. A slot carries a serial number that changes whenever it is
 * used anew, and events carry slot and serial: an event for a watch that an earlier callback of the
 * same round removed finds another serial and is dropped.
 */
#include "sys/loop.h"

#include "sys/calls.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    EVENTS_A_ROUND = 64,
    CHANGE_BYTES = 64 * 1024, /* one read of inotify events; the rest comes in the next round */
    SIGNALS_A_ROUND = 16,
    NS_PER_MS = 1000000
};

enum watch_kind {
    WATCH_NONE,
    WATCH_FD,
    WATCH_DIR,
    WATCH_TIMER,
    WATCH_CHILD,
    WATCH_SIGNALS,
    WATCH_NOTES
};

struct watch {
    enum watch_kind kind;
    uint32_t serial;
    int fd; /* WATCH_FD, WATCH_CHILD, WATCH_SIGNALS, WATCH_NOTES; the inotify number of a WATCH_DIR
             */
    pid_t pid;     /* WATCH_CHILD */
    int64_t at_ns; /* WATCH_TIMER, monotonic */
    void *ctx;
    union {
        void (*on_fd)(void *ctx, int fd, int events);
        void (*on_change)(void *ctx, const struct loop_change *change);
        void (*on_time)(void *ctx);
        void (*on_child)(void *ctx, pid_t pid, int status);
        void (*on_signal)(void *ctx, int signal_number);
    } call;
};

struct loop {
    int epoll_fd;
    int inotify_fd;
    int signal_fd; /* -1 until loop_signals */
    sigset_t old_mask;
    struct sigaction old_pipe;
    size_t used; /* slots below it may be in use */
    struct watch watches[LOOP_WATCHES_MAX];
};

/* ---- slots ---- */

static struct watch *take_slot(struct loop *loop, enum watch_kind kind, void *ctx, struct err *err)
{
    for (size_t i = 0; i < LOOP_WATCHES_MAX; i++) {
        struct watch *watch = &loop->watches[i];
        if (watch->kind == WATCH_NONE) {
            uint32_t serial = watch->serial + 1;
            *watch = (struct watch){.kind = kind, .serial = serial, .fd = -1, .ctx = ctx};
            loop->used = i >= loop->used ? i + 1 : loop->used;
            return watch;
        }
    }
    (void)err_set(err, RC_RANGE, "more than %d things to wait for", (int)LOOP_WATCHES_MAX);
    return NULL;
}

static void free_slot(struct loop *loop, struct watch *watch)
{
    watch->kind = WATCH_NONE;
    while (loop->used > 0 && loop->watches[loop->used - 1].kind == WATCH_NONE) {
        loop->used--;
    }
}

static uint64_t token_of(const struct loop *loop, const struct watch *watch)
{
    return (uint64_t)watch->serial << 32 | (uint64_t)(watch - loop->watches);
}

/* The watch of a token while it is still the same one, else NULL */
static struct watch *find_token(struct loop *loop, uint64_t token)
{
    size_t index = (size_t)(token & UINT32_MAX);
    if (index >= LOOP_WATCHES_MAX) {
        return NULL;
    }
    struct watch *watch = &loop->watches[index];
    return watch->kind != WATCH_NONE && watch->serial == (uint32_t)(token >> 32) ? watch : NULL;
}

static struct watch *find_number(struct loop *loop, enum watch_kind kind, int fd)
{
    for (size_t i = 0; i < loop->used; i++) {
        if (loop->watches[i].kind == kind && loop->watches[i].fd == fd) {
            return &loop->watches[i];
        }
    }
    return NULL;
}

static enum rc add_to_epoll(struct loop *loop, struct watch *watch, int fd, uint32_t events,
                            struct err *err)
{
    struct epoll_event event = {.events = events};
    event.data.u64 = token_of(loop, watch);
    watch->fd = fd;
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        enum rc rc = sys_err(err, errno, "wait for descriptor %d", fd);
        free_slot(loop, watch);
        return rc;
    }
    return RC_OK;
}

/* ---- life ---- */

enum rc loop_open(struct loop **out, struct err *err)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        return err_set(err, RC_NOMEM, "event loop: no memory");
    }
    loop->signal_fd = -1;
    loop->inotify_fd = -1;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    enum rc rc = RC_OK;
    if (loop->epoll_fd < 0) {
        rc = sys_err(err, errno, "event loop");
    } else {
        loop->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (loop->inotify_fd < 0) {
            rc = sys_err(err, errno, "event loop: inotify");
        }
    }
    if (rc == RC_OK) {
        struct watch *notes = take_slot(loop, WATCH_NOTES, NULL, err);
        rc = notes == NULL ? RC_RANGE : add_to_epoll(loop, notes, loop->inotify_fd, EPOLLIN, err);
    }
    if (rc != RC_OK) {
        loop_free(loop);
        return rc;
    }
    *out = loop;
    return RC_OK;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    if (loop->signal_fd >= 0) {
        fs_drop(&loop->signal_fd);
        (void)sigaction(SIGPIPE, &loop->old_pipe, NULL);
        (void)sigprocmask(SIG_SETMASK, &loop->old_mask, NULL);
    }
    fs_drop(&loop->inotify_fd);
    fs_drop(&loop->epoll_fd);
    free(loop);
}

/* ---- watches ---- */

enum rc loop_watch_fd(struct loop *loop, int fd, int events,
                      void (*fn)(void *ctx, int fd, int events), void *ctx, struct err *err)
{
    struct watch *watch = take_slot(loop, WATCH_FD, ctx, err);
    if (watch == NULL) {
        return RC_RANGE;
    }
    watch->call.on_fd = fn;
    uint32_t wanted = ((events & LOOP_READ) != 0 ? (uint32_t)EPOLLIN : 0) |
                      ((events & LOOP_WRITE) != 0 ? (uint32_t)EPOLLOUT : 0);
    return add_to_epoll(loop, watch, fd, wanted, err);
}

void loop_unwatch_fd(struct loop *loop, int fd)
{
    struct watch *watch = find_number(loop, WATCH_FD, fd);
    if (watch != NULL) {
        (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        free_slot(loop, watch);
    }
}

enum rc loop_watch_dir(struct loop *loop, int dirfd,
                       void (*fn)(void *ctx, const struct loop_change *change), void *ctx,
                       int *out_watch, struct err *err)
{
    struct watch *watch = take_slot(loop, WATCH_DIR, ctx, err);
    if (watch == NULL) {
        return RC_RANGE;
    }
    watch->call.on_change = fn;
    /* By descriptor: the directory that we hold open is the one that is watched, whatever its path
     * is by now. */
    char path[40];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", dirfd);
    watch->fd = inotify_add_watch(loop->inotify_fd, path,
                                  IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                      IN_CLOSE_WRITE | IN_ATTRIB | IN_ONLYDIR | IN_MASK_CREATE);
    if (watch->fd < 0) {
        int why = errno;
        free_slot(loop, watch);
        enum rc rc = sys_err(err, why, "watch directory");
        return why == ENOSPC ? RC_TEMP : rc;
    }
    *out_watch = watch->fd;
    return RC_OK;
}

void loop_unwatch_dir(struct loop *loop, int number)
{
    struct watch *watch = find_number(loop, WATCH_DIR, number);
    if (watch != NULL) {
        (void)inotify_rm_watch(loop->inotify_fd, number);
        free_slot(loop, watch);
    }
}

enum rc loop_timer(struct loop *loop, int64_t at_ns, void (*fn)(void *ctx), void *ctx,
                   uint64_t *out_timer, struct err *err)
{
    struct watch *watch = take_slot(loop, WATCH_TIMER, ctx, err);
    if (watch == NULL) {
        return RC_RANGE;
    }
    watch->at_ns = at_ns;
    watch->call.on_time = fn;
    if (out_timer != NULL) {
        *out_timer = token_of(loop, watch);
    }
    return RC_OK;
}

void loop_cancel(struct loop *loop, uint64_t timer)
{
    struct watch *watch = find_token(loop, timer);
    if (watch != NULL && watch->kind == WATCH_TIMER) {
        free_slot(loop, watch);
    }
}

enum rc loop_signals(struct loop *loop, void (*fn)(void *ctx, int signal_number), void *ctx,
                     struct err *err)
{
    if (loop->signal_fd >= 0) {
        return err_set(err, RC_EXISTS, "signals are watched already");
    }
    sigset_t mask;
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGTERM);
    (void)sigaddset(&mask, SIGINT);
    (void)sigaddset(&mask, SIGHUP);
    struct watch *watch = take_slot(loop, WATCH_SIGNALS, ctx, err);
    if (watch == NULL) {
        return RC_RANGE;
    }
    watch->call.on_signal = fn;
    int fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        free_slot(loop, watch);
        return sys_err(err, errno, "signalfd");
    }
    enum rc rc = add_to_epoll(loop, watch, fd, EPOLLIN, err);
    if (rc != RC_OK) {
        fs_drop(&fd);
        return rc;
    }
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, &loop->old_pipe);
    (void)sigprocmask(SIG_BLOCK, &mask, &loop->old_mask);
    loop->signal_fd = fd;
    return RC_OK;
}

enum rc loop_child(struct loop *loop, pid_t pid, int pidfd,
                   void (*fn)(void *ctx, pid_t pid, int status), void *ctx, struct err *err)
{
    struct watch *watch = take_slot(loop, WATCH_CHILD, ctx, err);
    if (watch == NULL) {
        return RC_RANGE;
    }
    watch->pid = pid;
    watch->call.on_child = fn;
    return add_to_epoll(loop, watch, pidfd, EPOLLIN, err);
}

/* ---- events ---- */

static enum loop_change_kind kind_of(uint32_t mask)
{
    if ((mask & IN_MOVED_TO) != 0) {
        return LOOP_MOVED_IN;
    }
    if ((mask & IN_CREATE) != 0) {
        return LOOP_CREATED;
    }
    return (mask & (IN_MOVED_FROM | IN_DELETE)) != 0 ? LOOP_GONE : LOOP_CHANGED;
}

static void tell_overflow(struct loop *loop)
{
    const struct loop_change change = {LOOP_OVERFLOW, ""};
    for (size_t i = 0; i < loop->used; i++) {
        struct watch *watch = &loop->watches[i];
        if (watch->kind == WATCH_DIR) {
            watch->call.on_change(watch->ctx, &change);
        }
    }
}

static void on_note(struct loop *loop, const struct inotify_event *event)
{
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        tell_overflow(loop);
        return;
    }
    struct watch *watch = find_number(loop, WATCH_DIR, event->wd);
    if (watch == NULL) {
        return; /* removed by an earlier callback */
    }
    if ((event->mask & IN_IGNORED) != 0) {
        /* The directory itself is gone: whoever lists it will see. The slot stays until
         * loop_unwatch_dir. */
        const struct loop_change change = {LOOP_OVERFLOW, ""};
        watch->call.on_change(watch->ctx, &change);
        return;
    }
    if (event->len == 0) {
        return; /* the directory's own attributes */
    }
    const struct loop_change change = {kind_of(event->mask), event->name};
    watch->call.on_change(watch->ctx, &change);
}

static void read_notes(struct loop *loop)
{
    static _Alignas(struct inotify_event) char bytes[CHANGE_BYTES];
    ssize_t got = read(loop->inotify_fd, bytes, sizeof bytes);
    for (ssize_t at = 0; got > 0 && at + (ssize_t)sizeof(struct inotify_event) <= got;) {
        const void *here = bytes + at;
        const struct inotify_event *event = here;
        at += (ssize_t)(sizeof *event + event->len);
        on_note(loop, event);
    }
}

static void read_signals(struct watch *watch)
{
    struct signalfd_siginfo infos[SIGNALS_A_ROUND];
    ssize_t got = read(watch->fd, infos, sizeof infos);
    for (size_t i = 0; got > 0 && i < (size_t)got / sizeof infos[0]; i++) {
        watch->call.on_signal(watch->ctx, (int)infos[i].ssi_signo);
    }
}

static void reap(struct loop *loop, struct watch *watch)
{
    int status = -1;
    pid_t ended = waitpid(watch->pid, &status, WNOHANG);
    if (ended == 0) {
        return; /* not yet: cannot be, its pidfd was readable; the next round asks again */
    }
    struct watch done = *watch;
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    free_slot(loop, watch);
    done.call.on_child(done.ctx, done.pid, ended == done.pid ? status : -1);
}

static void dispatch(struct loop *loop, const struct epoll_event *event)
{
    struct watch *watch = find_token(loop, event->data.u64);
    if (watch == NULL) {
        return;
    }
    int events = ((event->events & EPOLLIN) != 0 ? (int)LOOP_READ : 0) |
                 ((event->events & EPOLLOUT) != 0 ? (int)LOOP_WRITE : 0) |
                 ((event->events & (EPOLLHUP | EPOLLERR)) != 0 ? (int)LOOP_HANGUP : 0);
    switch (watch->kind) {
    case WATCH_FD:
        watch->call.on_fd(watch->ctx, watch->fd, events);
        break;
    case WATCH_CHILD:
        reap(loop, watch);
        break;
    case WATCH_SIGNALS:
        read_signals(watch);
        break;
    case WATCH_NOTES:
        read_notes(loop);
        break;
    case WATCH_DIR:
    case WATCH_TIMER:
    case WATCH_NONE:
        break; /* no descriptor of their own */
    }
}

/* Milliseconds until the next timer, rounded up so that it is never early; -1: there is none */
static int wait_ms(const struct loop *loop, int timeout_ms)
{
    int64_t next_ns = INT64_MAX;
    for (size_t i = 0; i < loop->used; i++) {
        const struct watch *watch = &loop->watches[i];
        if (watch->kind == WATCH_TIMER && watch->at_ns < next_ns) {
            next_ns = watch->at_ns;
        }
    }
    if (next_ns == INT64_MAX) {
        return timeout_ms;
    }
    int64_t left_ns = 0;
    if (__builtin_sub_overflow(next_ns, clock_monotonic_ns(), &left_ns) || left_ns <= 0) {
        return 0;
    }
    int64_t left_ms = left_ns / NS_PER_MS + (left_ns % NS_PER_MS != 0);
    int timer_ms = left_ms > INT_MAX ? INT_MAX : (int)left_ms;
    return timeout_ms >= 0 && timeout_ms < timer_ms ? timeout_ms : timer_ms;
}

static void fire_timers(struct loop *loop)
{
    int64_t now_ns = clock_monotonic_ns();
    for (size_t i = 0; i < loop->used; i++) {
        struct watch *watch = &loop->watches[i];
        if (watch->kind == WATCH_TIMER && watch->at_ns <= now_ns) {
            struct watch due = *watch;
            free_slot(loop, watch);
            due.call.on_time(due.ctx);
        }
    }
}

enum rc loop_run_once(struct loop *loop, int timeout_ms, struct err *err)
{
    struct epoll_event events[EVENTS_A_ROUND];
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_A_ROUND, wait_ms(loop, timeout_ms));
    if (count < 0 && errno != EINTR) {
        return sys_err(err, errno, "wait for events");
    }
    for (int i = 0; i < count; i++) {
        dispatch(loop, &events[i]);
    }
    fire_timers(loop);
    return RC_OK;
}
