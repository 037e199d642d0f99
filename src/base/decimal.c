/*
 * decimal - exact decimal numbers and amounts in minor units
 */
#include "base/decimal.h"

#include "base/number.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

__extension__ typedef __int128 wide;

static const int64_t POWERS_OF_TEN[] = {
    1,        10,        100,        1000,        10000,        100000,        1000000,
    10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000, 10000000000000};

enum rc decimal_parse(struct slice text, struct decimal *out)
{
    char digits[20];
    size_t used = 0;
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    size_t at = is_negative ? 1 : 0;
    size_t point = SIZE_MAX;
    size_t scale = 0;
    if (at == text.len) {
        return RC_PERM;
    }
    for (size_t start = at; at < text.len; at++) {
        char c = text.ptr[at];
        if (c == '.') {
            if (point != SIZE_MAX || at == start || at + 1 == text.len) {
                return RC_PERM;
            }
            point = at;
        } else if (c < '0' || c > '9') {
            return RC_PERM;
        } else if (used < sizeof digits) {
            digits[used++] = c;
            scale += point != SIZE_MAX;
        } else {
            return RC_RANGE;
        }
    }
    if (scale > DECIMAL_SCALE_MAX) {
        return RC_RANGE;
    }
    uint64_t magnitude = 0;
    enum rc rc = number_parse_u64((struct slice){digits, used}, (uint64_t)INT64_MAX, &magnitude);
    if (rc != RC_OK) {
        return rc;
    }
    out->units = is_negative ? -(int64_t)magnitude : (int64_t)magnitude;
    out->scale = (int)scale;
    return RC_OK;
}

int decimal_compare(struct decimal a, struct decimal b)
{
    wide left = (wide)a.units * POWERS_OF_TEN[b.scale];
    wide right = (wide)b.units * POWERS_OF_TEN[a.scale];
    return left < right ? -1 : left > right;
}

enum rc decimal_times_ratio_minor(struct decimal value, uint64_t times, uint64_t per, int digits,
                                  int64_t *out_minor)
{
    assert(per > 0 && digits >= 0 && digits <= 4);
    bool is_negative = value.units < 0;
    wide numerator = is_negative ? -(wide)value.units : (wide)value.units;
    wide denominator = (wide)per * POWERS_OF_TEN[value.scale];
    /* units < 2^63, times and 10^digits bounded here so that the product stays below 2^127 */
    if (__builtin_mul_overflow(numerator, (wide)times, &numerator) ||
        __builtin_mul_overflow(numerator, (wide)POWERS_OF_TEN[digits] * 2, &numerator) ||
        __builtin_add_overflow(numerator, denominator, &numerator)) {
        return RC_RANGE;
    }
    /* floor((2n + d) / 2d) rounds a positive n/d half up, that is: away from zero */
    wide rounded = numerator / (denominator * 2);
    if (rounded > INT64_MAX) {
        return RC_RANGE;
    }
    *out_minor = is_negative ? -(int64_t)rounded : (int64_t)rounded;
    return RC_OK;
}

char *money_format(int64_t amount_minor, int digits, char *out)
{
    assert(digits >= 0 && digits <= 4);
    uint64_t magnitude =
        amount_minor < 0 ? (uint64_t)0 - (uint64_t)amount_minor : (uint64_t)amount_minor;
    const char *sign = amount_minor < 0 ? "-" : "";
    uint64_t unit = (uint64_t)POWERS_OF_TEN[digits];
    if (digits == 0) {
        (void)snprintf(out, DECIMAL_TEXT_BYTES, "%s%llu", sign, (unsigned long long)magnitude);
    } else {
        (void)snprintf(out, DECIMAL_TEXT_BYTES, "%s%llu.%0*llu", sign,
                       (unsigned long long)(magnitude / unit), digits,
                       (unsigned long long)(magnitude % unit));
    }
    return out;
}

enum rc money_parse(struct slice text, int digits, int64_t *out_minor)
{
    assert(digits >= 0 && digits <= 4);
    struct decimal value;
    enum rc rc = decimal_parse(text, &value);
    if (rc != RC_OK) {
        return rc;
    }
    if (value.scale > digits) {
        return RC_PERM;
    }
    return __builtin_mul_overflow(value.units, POWERS_OF_TEN[digits - value.scale], out_minor)
               ? RC_RANGE
               : RC_OK;
}

int currency_digits(const char *code)
{
    /* ISO 4217: those without minor units, and those with three digits */
    static const char none[] =
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
    static const char three[] = "BHD IQD JOD KWD LYD OMR TND";
    if (strlen(code) != 3 || strchr(code, ' ') != NULL) {
        return 2;
    }
    return strstr(none, code) != NULL ? 0 : strstr(three, code) != NULL ? 3 : 2;
}
