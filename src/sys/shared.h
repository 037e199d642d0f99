/*
 * shared - memory that a process and those that it forks later both see
 */
#ifndef POSTROOM_SYS_SHARED_H
#define POSTROOM_SYS_SHARED_H

#include "base/err.h"

#include <stddef.h>

/* shared_open - bytes of zeroed memory, at least 1; RC_NOMEM. Cost: one mapping */
enum rc shared_open(size_t bytes, void **out, struct err *err) MUST_CHECK;

/* shared_free - give it back, with the same number of bytes; NULL is allowed */
void shared_free(void *memory, size_t bytes);

#endif
