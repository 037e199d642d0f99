/*
 * order_waves - how many of an online delivery's recipients may be sent to by now
 */
#ifndef POSTROOM_DELIVERY_ORDER_WAVES_H
#define POSTROOM_DELIVERY_ORDER_WAVES_H

#include "delivery/order.h"

/*
 * order_waves_open - the recipients of the waves that have begun
 *
 * total     recipients, seeds included
 * since_ns  since sending began; below zero counts as 0
 * out_next_ns  after how long since the beginning the next wave begins; SCHEMA_NONE: all have
 * Returns   how many from the first on may be sent to; at least one of each wave, never above total
 * Cost      O(waves of a calendar)
 */
uint64_t order_waves_open(const struct order_waves *waves, uint64_t total, int64_t since_ns,
                          int64_t *out_next_ns);

#endif
