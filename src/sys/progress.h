/*
 * progress - counters in memory shared between the daemon and the workers that it forks
 */
#ifndef POSTROOM_SYS_PROGRESS_H
#define POSTROOM_SYS_PROGRESS_H

#include "base/err.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { PROGRESS_CELLS_MAX = 1024 };

/* One worker's counters. Written by the worker (relaxed is enough), read by the daemon, but for the
 * wish, which goes the other way; 64 bytes,
 * so that two workers do not share a cache line. */
struct progress_cell {
    _Alignas(64) _Atomic uint64_t done; /* rows, bytes: the worker's unit */
    _Atomic uint64_t of;                /* 0: not known */
    _Atomic uint32_t phase;             /* the worker's own numbering */
    _Atomic uint32_t wish;              /* the daemon's: what it would have the worker do */
    _Atomic uint64_t beats;             /* raised by a worker that waits long and is well */
};

struct progress;

/* progress_open - count cells, all zero, 1..PROGRESS_CELLS_MAX (asserted); RC_NOMEM */
enum rc progress_open(size_t count, struct progress **out, struct err *err) MUST_CHECK;

/* progress_cell - the i-th cell (asserted below count); valid until progress_free */
struct progress_cell *progress_cell(struct progress *progress, size_t i);

/* progress_reset - cell i to zero, for its next worker */
void progress_reset(struct progress *progress, size_t i);

/* progress_free - give the memory back; NULL is allowed */
void progress_free(struct progress *progress);

#endif
