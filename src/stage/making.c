/*
 * making - the archive of a delivery, its digest and its manifest
 */
#include "stage/making.h"

enum {
    WITH_COUNT_BYTES_MAX = 1 << 20 /* larger ones are worth threads, a progress of their own, and a
                                      place in the queue of extractions */
};

void extract_moment_take(const struct stage_env *env, int64_t now_ns, struct extract_moment *out)
{
    out->created_ns = now_ns;
    ledger_head(env->cost, &out->cost_head);
    ledger_head(env->stock, &out->stock_head);
}

bool making_is_wanted(const struct order *order, uint64_t bytes, int64_t now_ns)
{
    static const enum order_step_kind before[] = {ORDER_STEP_TARGET, ORDER_STEP_CONTENT,
                                                  ORDER_STEP_BUDGET};
    int64_t at_ns = order->schedule.extract_at;
    bool has_to_wait = order->needs_confirmation || (at_ns != INSTANT_NONE && at_ns > now_ns);
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        has_to_wait = has_to_wait || order->steps[before[i]].is_on;
    }
    return order->channel == HOUSE_MAIL && bytes <= WITH_COUNT_BYTES_MAX && !has_to_wait;
}

enum rc making_write(const struct order *order, uint64_t revision,
                     const struct extract_moment *moment, const struct selection *selection,
                     const struct audience_counts *counts, int out_dirfd,
                     struct extraction_result *result, struct err *err)
{
    struct manifest facts = {
        .delivery = order->id,
        .revision = revision,
        .campaign = order->campaign,
        .programme = order->programme,
        .provider = order->provider,
        .service = order->service,
        .random_seed = selection->random_seed,
        .cost = {moment->cost_head.number, moment->cost_head.hash},
        .stock = {moment->stock_head.number, moment->stock_head.hash},
    };
    return extraction_run(selection->extraction, selection->audience, counts, &facts, out_dirfd,
                          result, err);
}
