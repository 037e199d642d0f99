/*
 * memory - large runs of bytes from the kernel, in large pages where it gives them
 *
 * For what is written once and then visited in another order (rows that are sorted): with pages of
 * 4 KiB every visit would first look for its page.
 */
#ifndef POSTROOM_SYS_MEMORY_H
#define POSTROOM_SYS_MEMORY_H

#include <stddef.h>

/* A large page of x86-64 and, most often, of aarch64; sizes are best multiples of it. */
#define MEMORY_PAGE_BYTES ((size_t)2 << 20)

/* memory_take - bytes of any content; from MEMORY_PAGE_BYTES on aligned to and, where there are
 * such, made of large pages. At least 1 byte. NULL: none to be had. Cost: 4 calls, and the clearing
 * of what is touched */
void *memory_take(size_t bytes);

/* memory_give - back, the same number of bytes; NULL is allowed */
void memory_give(void *memory, size_t bytes);

#endif
