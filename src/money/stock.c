/*
 * stock - the arithmetic of a consumption
 */
#include "money/stock.h"

enum rc stock_consume(int64_t in_stock, uint64_t quantity, int64_t alert, struct stock_effect *out,
                      struct err *err)
{
    struct stock_effect effect = {0};
    if (quantity > (uint64_t)INT64_MAX ||
        __builtin_sub_overflow(in_stock, (int64_t)quantity, &effect.after)) {
        return err_set(err, RC_RANGE, "a consumption of %llu pieces is larger than can be kept",
                       (unsigned long long)quantity);
    }
    uint64_t available = in_stock > 0 ? (uint64_t)in_stock : 0;
    effect.shortage = quantity > available ? quantity - available : 0;
    effect.is_alert_reached = alert != INT64_MIN && effect.after <= alert;
    effect.is_alert_crossed = effect.is_alert_reached && in_stock > alert;
    *out = effect;
    return RC_OK;
}
