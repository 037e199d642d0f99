/*
 * stock - what a consumption does to one stock line: never blocked, only told
 *
 * Stock may go negative: a shortage is a warning. An alert level reached is told once for each
 * crossing (CONTRACT.md section 7).
 */
#ifndef POSTROOM_MONEY_STOCK_H
#define POSTROOM_MONEY_STOCK_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct stock_effect {
    int64_t after;         /* pieces in stock afterwards; may be below zero */
    uint64_t shortage;     /* pieces missing for this consumption; 0: none */
    bool is_alert_reached; /* after <= alert */
    bool is_alert_crossed; /* it was above the level before: tell it now */
};

/*
 * stock_consume - take `quantity` pieces from a line that holds `in_stock`
 *
 * alert     level of the alert, pieces; INT64_MIN: none
 * Returns   RC_OK; RC_RANGE the result does not fit int64
 */
enum rc stock_consume(int64_t in_stock, uint64_t quantity, int64_t alert, struct stock_effect *out,
                      struct err *err) MUST_CHECK;

#endif
