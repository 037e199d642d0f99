/*
 * memory - hints about memory of our own
 */
#ifndef POSTROOM_SYS_MEMORY_H
#define POSTROOM_SYS_MEMORY_H

#include <stddef.h>

/* Below this a hint is not worth its system call: few large pages fit. */
#define MEMORY_LARGE_BYTES ((size_t)8 << 20)

/*
 * memory_prefer_large - ask for 2 MiB pages under an array that is filled from front to back
 *
 * at, len   memory from malloc or realloc, again after each realloc; bytes. Less than
 *           MEMORY_LARGE_BYTES is passed over
 *
 * Only a hint: it changes no content and cannot fail. Where the kernel follows it, first use costs
 * one fault for 2 MiB instead of 512 (and up to 2 MiB more stay resident at each end).
 */
void memory_prefer_large(void *at, size_t len);

/*
 * memory_large - as malloc, for an array that is filled from front to back and read in any order
 * One of MEMORY_LARGE_BYTES or more begins with a large page: none of it lies in small ones, where
 * each page that is looked at costs a search of its own.
 */
void *memory_large(size_t len);

#endif
