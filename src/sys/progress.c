/*
 * progress - an anonymous mapping that forks share
 */
#include "sys/progress.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

static_assert(sizeof(struct progress_cell) == 64, "a cell is one cache line");

struct progress {
    struct progress_cell *cells;
    size_t count;
};

enum rc progress_open(size_t count, struct progress **out, struct err *err)
{
    assert(count >= 1 && count <= PROGRESS_CELLS_MAX);
    struct progress *progress = calloc(1, sizeof *progress);
    if (progress == NULL) {
        return err_set(err, RC_NOMEM, "progress: no memory");
    }
    void *memory = mmap(NULL, count * sizeof(struct progress_cell), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        free(progress);
        return err_set(err, RC_NOMEM, "progress: no shared memory");
    }
    progress->cells = memory;
    progress->count = count;
    *out = progress;
    return RC_OK;
}

struct progress_cell *progress_cell(struct progress *progress, size_t i)
{
    assert(i < progress->count);
    return &progress->cells[i];
}

void progress_reset(struct progress *progress, size_t i)
{
    struct progress_cell *cell = progress_cell(progress, i);
    atomic_store(&cell->done, 0);
    atomic_store(&cell->of, 0);
    atomic_store(&cell->phase, 0);
    atomic_store(&cell->wish, 0);
    atomic_store(&cell->beats, 0);
}

void progress_free(struct progress *progress)
{
    if (progress != NULL) {
        (void)munmap(progress->cells, progress->count * sizeof(struct progress_cell));
        free(progress);
    }
}
