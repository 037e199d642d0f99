/*
 * memory - hints about memory of our own
 *
 * Contract in the header.
 */
#include "sys/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define LARGE_PAGE_BYTES ((uintptr_t)2 << 20)

void memory_prefer_large(void *at, size_t len)
{
    if (len < MEMORY_LARGE_BYTES) {
        return;
    }
    /* whole large pages alone: what lies before and behind may be another's */
    uintptr_t skip = -(uintptr_t)at & (LARGE_PAGE_BYTES - 1);
    size_t usable = (len - skip) & ~(size_t)(LARGE_PAGE_BYTES - 1);
    (void)madvise((char *)at + skip, usable, MADV_HUGEPAGE);
}

void *memory_large(size_t len)
{
    if (len < MEMORY_LARGE_BYTES) {
        return malloc(len);
    }
    size_t whole = (len + LARGE_PAGE_BYTES - 1) & ~(size_t)(LARGE_PAGE_BYTES - 1);
    void *at = aligned_alloc(LARGE_PAGE_BYTES, whole);
    if (at != NULL) {
        memory_prefer_large(at, whole);
    }
    return at;
}
