/*
 * arena - many small allocations that live and die together
 */
#ifndef POSTROOM_BASE_ARENA_H
#define POSTROOM_BASE_ARENA_H

#include "base/slice.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *newest; /* NULL: empty */
    size_t used_bytes;          /* all chunks together */
};

#define ARENA_EMPTY ((struct arena){NULL, 0})

/* arena_alloc - zeroed memory aligned for any type; NULL when there is none. size 0 gives a valid
 * pointer. Cost: amortised O(size). */
void *arena_alloc(struct arena *arena, size_t size_bytes);

/* arena_array - arena_alloc(count * size) with the product checked; NULL on overflow */
void *arena_array(struct arena *arena, size_t count, size_t size_bytes);

/* arena_text - NUL-terminated copy of a slice; NULL when there is no memory */
char *arena_text(struct arena *arena, struct slice text);

/* arena_release - free everything; the arena is empty and usable again */
void arena_release(struct arena *arena);

#endif
