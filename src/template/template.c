/*
 * template - what callers ask of a compiled template
 */
#include "template/program.h"

#include <assert.h>
#include <stdlib.h>

void template_free(struct template *compiled)
{
    if (compiled == NULL) {
        return;
    }
    arena_release(&compiled->arena);
    free(compiled);
}

bool template_uses(const struct template *compiled, size_t column)
{
    return column < compiled->column_count && compiled->is_used[column];
}

size_t template_used_count(const struct template *compiled)
{
    return compiled->used_count;
}

size_t template_used_column(const struct template *compiled, size_t at)
{
    assert(at < compiled->used_count);
    return compiled->used[at];
}
