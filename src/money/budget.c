/*
 * budget - the sum of the levels
 */
#include "money/budget.h"

#include <stddef.h>

enum rc budget_state_of(const struct budget *budget, struct budget_state *out, struct err *err)
{
    const int64_t levels[] = {budget->planned, budget->reserved, budget->committed, budget->spent,
                              budget->invoiced};
    struct budget_state state = {0};
    bool is_lost = false;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        is_lost |= __builtin_add_overflow(state.calculated, levels[i], &state.calculated);
    }
    if (budget->has_allocated) {
        is_lost |= __builtin_sub_overflow(budget->allocated, state.calculated, &state.left);
        state.is_over = state.left < 0;
    }
    if (is_lost) {
        return err_set(err, RC_RANGE, "the budget's sum is larger than can be kept");
    }
    *out = state;
    return RC_OK;
}
