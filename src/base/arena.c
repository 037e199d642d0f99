/*
 * arena - many small allocations that live and die together
 */
#include "base/arena.h"

#include "base/number.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>

enum {
    FIRST_CHUNK_BYTES = 4 * 1024, /* most hold little; each chunk is twice the one before */
    CHUNK_BYTES = 16 * 1024
};

struct arena_chunk {
    struct arena_chunk *older;
    size_t size;
    size_t used;
    alignas(max_align_t) char bytes[];
};

static struct arena_chunk *chunk_new(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk = calloc(1, sizeof *chunk + size);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->size = size;
    chunk->older = arena->newest;
    arena->newest = chunk;
    return chunk;
}

/* Of the next chunk, which has to hold `size`. */
static size_t chunk_size(const struct arena *arena, size_t size)
{
    size_t usual = FIRST_CHUNK_BYTES;
    if (arena->newest != NULL) {
        usual = arena->newest->size < CHUNK_BYTES / 2 ? arena->newest->size * 2 : CHUNK_BYTES;
    }
    return size > usual ? size : usual;
}

void *arena_alloc(struct arena *arena, size_t size_bytes)
{
    const size_t align = alignof(max_align_t);
    if (size_bytes > SIZE_MAX / 4) {
        return NULL;
    }
    size_t size = size_bytes == 0 ? align : (size_bytes + align - 1) / align * align;
    struct arena_chunk *chunk = arena->newest;
    if (chunk == NULL || chunk->size - chunk->used < size) {
        chunk = chunk_new(arena, chunk_size(arena, size));
        if (chunk == NULL) {
            return NULL;
        }
    }
    void *ptr = chunk->bytes + chunk->used;
    chunk->used += size;
    arena->used_bytes += size;
    return ptr;
}

void *arena_array(struct arena *arena, size_t count, size_t size_bytes)
{
    size_t total = 0;
    return mul_size(count, size_bytes, &total) ? arena_alloc(arena, total) : NULL;
}

char *arena_text(struct arena *arena, struct slice text)
{
    char *copy = text.len < SIZE_MAX ? arena_alloc(arena, text.len + 1) : NULL;
    if (copy != NULL && text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    return copy;
}

void arena_release(struct arena *arena)
{
    struct arena_chunk *chunk = arena->newest;
    while (chunk != NULL) {
        struct arena_chunk *older = chunk->older;
        free(chunk);
        chunk = older;
    }
    *arena = ARENA_EMPTY;
}
