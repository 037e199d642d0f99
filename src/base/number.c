/*
 * number - checked numbers from text
 */
#include "base/number.h"

enum rc number_parse_u64(struct slice text, uint64_t max, uint64_t *out)
{
    if (text.len == 0) {
        return RC_PERM;
    }
    uint64_t value = 0;
    bool is_too_large = false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return RC_PERM;
        }
        uint64_t digit = (uint64_t)(text.ptr[i] - '0');
        is_too_large = is_too_large || __builtin_mul_overflow(value, UINT64_C(10), &value) ||
                       !add_u64(value, digit, &value);
    }
    if (is_too_large || value > max) {
        return RC_RANGE;
    }
    *out = value;
    return RC_OK;
}

enum rc number_parse_i64(struct slice text, int64_t min, int64_t max, int64_t *out)
{
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    if (is_negative) {
        text.ptr++;
        text.len--;
    }
    uint64_t magnitude = 0;
    /* |INT64_MIN| is one more than INT64_MAX */
    enum rc rc = number_parse_u64(text, (uint64_t)INT64_MAX + is_negative, &magnitude);
    if (rc != RC_OK) {
        return rc;
    }
    int64_t value = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    if (value < min || value > max) {
        return RC_RANGE;
    }
    *out = value;
    return RC_OK;
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* "<digits>[ ]<unit>" with the unit from a table that ends in a NULL name */
static enum rc parse_with_unit(struct slice text, const struct unit *units, uint64_t max,
                               uint64_t *out)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') {
        digits++;
    }
    uint64_t value = 0;
    enum rc rc = number_parse_u64((struct slice){text.ptr, digits}, UINT64_MAX, &value);
    if (rc != RC_OK) {
        return rc;
    }
    struct slice unit = {text.ptr + digits, text.len - digits};
    if (unit.len > 1 && unit.ptr[0] == ' ') {
        unit.ptr++;
        unit.len--;
    }
    for (; units->name != NULL; units++) {
        if (slice_equal_text(unit, units->name)) {
            uint64_t product = 0;
            if (__builtin_mul_overflow(value, units->factor, &product) || product > max) {
                return RC_RANGE;
            }
            *out = product;
            return RC_OK;
        }
    }
    return RC_PERM;
}

enum rc number_parse_size(struct slice text, uint64_t *out_bytes)
{
    static const struct unit units[] = {
        {"", 1},
        {"B", 1},
        {"kB", 1000},
        {"KB", 1000},
        {"MB", 1000000},
        {"GB", 1000000000},
        {"KiB", UINT64_C(1) << 10},
        {"MiB", UINT64_C(1) << 20},
        {"GiB", UINT64_C(1) << 30},
        {"TiB", UINT64_C(1) << 40},
        {NULL, 0},
    };
    return parse_with_unit(text, units, UINT64_C(1) << 62, out_bytes);
}

enum rc number_parse_duration(struct slice text, int64_t *out_ns)
{
    static const struct unit units[] = {
        {"ms", UINT64_C(1000000)},        {"s", UINT64_C(1000000000)},
        {"m", UINT64_C(60000000000)},     {"min", UINT64_C(60000000000)},
        {"h", UINT64_C(3600000000000)},   {"d", UINT64_C(86400000000000)},
        {"w", UINT64_C(604800000000000)}, {NULL, 0},
    };
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    if (is_negative) {
        text.ptr++;
        text.len--;
    }
    uint64_t magnitude = 0;
    enum rc rc = parse_with_unit(text, units, (uint64_t)INT64_MAX, &magnitude);
    if (rc == RC_OK) {
        *out_ns = is_negative ? -(int64_t)magnitude : (int64_t)magnitude;
    }
    return rc;
}
