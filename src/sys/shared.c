/*
 * shared - an anonymous mapping that forks share
 */
#include "sys/shared.h"

#include <sys/mman.h>

enum rc shared_open(size_t bytes, void **out, struct err *err)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return err_set(err, RC_NOMEM, "no shared memory");
    }
    *out = memory;
    return RC_OK;
}

void shared_free(void *memory, size_t bytes)
{
    if (memory != NULL) {
        (void)munmap(memory, bytes);
    }
}
