/*
 * side_by_side - the same work on several parts of something, each by a thread
 */
#include "audience/side_by_side.h"

#include <pthread.h>

void side_by_side(void *(*work)(void *), void *args, size_t size, unsigned count)
{
    pthread_t helpers[SIDE_BY_SIDE_MAX];
    unsigned started = 1;

    while (started < count && started < SIDE_BY_SIDE_MAX &&
           pthread_create(&helpers[started], NULL, work, (char *)args + started * size) == 0) {
        started++;
    }
    work(args);
    for (unsigned i = started; i < count; i++) {
        work((char *)args + i * size);
    }
    for (unsigned i = 1; i < started; i++) {
        pthread_join(helpers[i], NULL);
    }
}
