/*
 * progress - cells in memory that forks share
 */
#include "sys/progress.h"

#include "sys/shared.h"

#include <assert.h>
#include <stdlib.h>

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
    void *memory = NULL;
    enum rc rc = shared_open(count * sizeof(struct progress_cell), &memory, err);
    if (rc != RC_OK) {
        free(progress);
        return err_add(err, rc, "progress");
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
        shared_free(progress->cells, progress->count * sizeof(struct progress_cell));
        free(progress);
    }
}
