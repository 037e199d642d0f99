/*
 * side_by_side - the same work on several parts of something, each by a thread
 */
#ifndef POSTROOM_AUDIENCE_SIDE_BY_SIDE_H
#define POSTROOM_AUDIENCE_SIDE_BY_SIDE_H

#include <stddef.h>

enum { SIDE_BY_SIDE_MAX = 64 }; /* threads; more parts than that come one after the other */

/*
 * side_by_side - `work` for each of count arguments that lie `size` bytes apart (0: all work on the
 * same one); returns when all are done
 *
 * The calling thread is one of them. Parts for which no thread is to be had are worked on one after
 * the other: what is done never depends on how many there are.
 */
void side_by_side(void *(*work)(void *), void *args, size_t size, unsigned count);

#endif
