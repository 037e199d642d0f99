/*
 * loop - waiting for events in one thread: descriptors, changes in directories, timers, signals,
 * ends of children
 *
 * Callbacks run inside loop_run_once() and may add and remove watches, their own too. Limits:
 * LOOP_WATCHES_MAX of all kinds together (else RC_RANGE). Timers compare with clock_monotonic_ns(),
 * to the millisecond, never early.
 */
#ifndef POSTROOM_SYS_LOOP_H
#define POSTROOM_SYS_LOOP_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    LOOP_WATCHES_MAX = 4096, /* descriptors + directories + timers + children */
    LOOP_READ = 1,
    LOOP_WRITE = 2,
    LOOP_HANGUP = 4 /* reported, never asked for: the other end closed, or an error */
};

struct loop;

/* loop_open - RC_OK; RC_TEMP no descriptor to be had; RC_NOMEM */
enum rc loop_open(struct loop **out, struct err *err) MUST_CHECK;

/* loop_free - end all watches (the watched descriptors stay open) and restore the signal mask; NULL
 * is allowed */
void loop_free(struct loop *loop);

/*
 * loop_watch_fd - call fn(ctx, fd, events) while fd is ready for one of `events`
 *
 * events   LOOP_READ | LOOP_WRITE; level-triggered
 * Returns  RC_OK; RC_EXISTS fd is watched already; RC_PERM fd cannot be waited for (a regular
 *          file); RC_RANGE; RC_TEMP
 */
enum rc loop_watch_fd(struct loop *loop, int fd, int events,
                      void (*fn)(void *ctx, int fd, int events), void *ctx,
                      struct err *err) MUST_CHECK;

/* loop_unwatch_fd - stop; call it before closing fd. An fd that is not watched is no fault. */
void loop_unwatch_fd(struct loop *loop, int fd);

enum loop_change_kind {
    LOOP_CHANGED,  /* written, closed after writing, attributes changed */
    LOOP_CREATED,  /* a new name */
    LOOP_MOVED_IN, /* a name arrived by rename */
    LOOP_GONE,     /* a name was removed or moved away */
    LOOP_OVERFLOW  /* events were lost, anything may have changed: list the directory; name is "" */
};

struct loop_change {
    enum loop_change_kind kind;
    const char *name; /* in the directory, raw bytes; borrowed during the callback */
};

/*
 * loop_watch_dir - call fn(ctx, change) when something changes directly in a directory (a hint, the
 * listing is the truth)
 *
 * dirfd      borrowed for the call only; may be O_PATH
 * out_watch  for loop_unwatch_dir
 * Returns    RC_OK; RC_EXISTS that directory is watched already; RC_RANGE; RC_TEMP the kernel's
 *            limit of watches; RC_PERM no directory, or no permission to read it
 */
enum rc loop_watch_dir(struct loop *loop, int dirfd,
                       void (*fn)(void *ctx, const struct loop_change *change), void *ctx,
                       int *out_watch, struct err *err) MUST_CHECK;
void loop_unwatch_dir(struct loop *loop, int watch);

/*
 * loop_timer - call fn(ctx) once, when clock_monotonic_ns() >= at_ns
 * out_timer  for loop_cancel; may be NULL. Returns RC_OK; RC_RANGE
 */
enum rc loop_timer(struct loop *loop, int64_t at_ns, void (*fn)(void *ctx), void *ctx,
                   uint64_t *out_timer, struct err *err) MUST_CHECK;

/* loop_cancel - a timer that fired or never was is no fault */
void loop_cancel(struct loop *loop, uint64_t timer);

/*
 * loop_signals - SIGTERM, SIGINT and SIGHUP are blocked and reported as fn(ctx, signal); SIGPIPE is
 * ignored
 * Call once, before threads start. Returns RC_OK; RC_EXISTS called twice; RC_TEMP
 */
enum rc loop_signals(struct loop *loop, void (*fn)(void *ctx, int signal_number), void *ctx,
                     struct err *err) MUST_CHECK;

/*
 * loop_child - call fn(ctx, pid, status) once when the child has ended; the loop reaps it
 *
 * pidfd   of the child (sys/worker.h); borrowed until fn is called
 * status  as waitpid(2) gives it: WIFEXITED, WIFSIGNALED; -1 when somebody else reaped it
 */
enum rc loop_child(struct loop *loop, pid_t pid, int pidfd,
                   void (*fn)(void *ctx, pid_t pid, int status), void *ctx,
                   struct err *err) MUST_CHECK;

/*
 * loop_run_once - wait for the next events and call back
 * timeout_ms  at most; -1: no limit but the next timer; 0: only look
 * Returns RC_OK, also when nothing happened; RC_TEMP the wait itself failed
 */
enum rc loop_run_once(struct loop *loop, int timeout_ms, struct err *err) MUST_CHECK;

#endif
