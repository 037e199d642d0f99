/*
 * memory - see memory.h
 */
#include "sys/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

static size_t rounded(size_t bytes)
{
    return (bytes + MEMORY_PAGE_BYTES - 1) & ~(MEMORY_PAGE_BYTES - 1);
}

void *memory_take(size_t bytes)
{
    if (bytes < MEMORY_PAGE_BYTES) {
        return malloc(bytes); /* to clear a large page would cost more than it saves */
    }
    size_t wanted = rounded(bytes);
    /* One page more than wanted holds an aligned beginning; what stands beside it goes back. */
    char *whole = mmap(NULL, wanted + MEMORY_PAGE_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (whole == MAP_FAILED) {
        return NULL;
    }
    size_t before = rounded((uintptr_t)whole) - (uintptr_t)whole;
    if (before > 0) {
        (void)munmap(whole, before);
    }
    if (before < MEMORY_PAGE_BYTES) {
        (void)munmap(whole + before + wanted, MEMORY_PAGE_BYTES - before);
    }
    (void)madvise(whole + before, wanted, MADV_HUGEPAGE); /* a wish: small pages serve too */
    return whole + before;
}

void memory_give(void *memory, size_t bytes)
{
    if (bytes < MEMORY_PAGE_BYTES) {
        free(memory);
    } else if (memory != NULL) {
        (void)munmap(memory, rounded(bytes));
    }
}
