/*
 * instant - points in time and their text, by the proleptic Gregorian calendar
 */
#include "base/instant.h"

#include <stdio.h>

enum { YEAR_MIN = 1970, YEAR_MAX = 2261, SECONDS_PER_DAY = 86400 };

/* Days since 1970-01-01 of a civil date, and back: years counted from March, so that the leap day
 * is the last of its year (H. Hinnant, "chrono-compatible low-level date algorithms"). */
static int32_t days_from_civil(int32_t year, int32_t month, int32_t day)
{
    year -= month <= 2;
    int32_t era = year / 400;
    int32_t year_of_era = year - era * 400;
    int32_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int32_t days, int32_t *year, int32_t *month, int32_t *day)
{
    days += 719468;
    int32_t era = days / 146097;
    int32_t day_of_era = days - era * 146097;
    int32_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int32_t shifted = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted + (shifted < 10 ? 3 : -9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

/* `count` ASCII digits at *at; -1 where there is something else */
static int32_t take_digits(struct slice text, size_t *at, size_t count)
{
    int32_t value = 0;
    if (text.len - *at < count) {
        return -1;
    }
    for (size_t i = 0; i < count; i++, (*at)++) {
        char c = text.ptr[*at];
        if (c < '0' || c > '9') {
            return -1;
        }
        value = value * 10 + (c - '0');
    }
    return value;
}

static bool take_char(struct slice text, size_t *at, char expected)
{
    if (*at >= text.len || text.ptr[*at] != expected) {
        return false;
    }
    (*at)++;
    return true;
}

static enum rc take_date(struct slice text, size_t *at, int32_t *out_days)
{
    int32_t year = take_digits(text, at, 4);
    bool is_shaped = year >= 0 && take_char(text, at, '-');
    int32_t month = is_shaped ? take_digits(text, at, 2) : -1;
    is_shaped = month >= 1 && month <= 12 && take_char(text, at, '-');
    int32_t day = is_shaped ? take_digits(text, at, 2) : -1;
    if (day < 1 || day > 31) {
        return RC_PERM;
    }
    int32_t days = days_from_civil(year, month, day);
    int32_t back[3];
    civil_from_days(days, &back[0], &back[1], &back[2]);
    if (year >= YEAR_MIN && back[2] != day) {
        return RC_PERM; /* 31 February */
    }
    if (year < YEAR_MIN || year > YEAR_MAX) {
        return RC_RANGE;
    }
    *out_days = days;
    return RC_OK;
}

/* "Z" or "+01:00", as seconds east */
static enum rc take_zone(struct slice text, size_t *at, int32_t *out_seconds)
{
    if (take_char(text, at, 'Z')) {
        *out_seconds = 0;
        return RC_OK;
    }
    bool is_west = *at < text.len && text.ptr[*at] == '-';
    if (!is_west && (*at >= text.len || text.ptr[*at] != '+')) {
        return RC_PERM;
    }
    (*at)++;
    int32_t hours = take_digits(text, at, 2);
    if (hours < 0 || hours > 14 || !take_char(text, at, ':')) {
        return RC_PERM;
    }
    int32_t minutes = take_digits(text, at, 2);
    if (minutes < 0 || minutes > 59) {
        return RC_PERM;
    }
    *out_seconds = (hours * 3600 + minutes * 60) * (is_west ? -1 : 1);
    return RC_OK;
}

static int64_t take_fraction_ns(struct slice text, size_t *at)
{
    int64_t ns = 0;
    int64_t unit = NS_PER_SECOND / 10;
    while (*at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9') {
        ns += unit * (text.ptr[*at] - '0');
        unit /= 10;
        (*at)++;
    }
    return ns;
}

enum rc instant_parse(struct slice text, int64_t *out_ns)
{
    size_t at = 0;
    int32_t days = 0;
    enum rc rc = take_date(text, &at, &days);
    if (rc != RC_OK) {
        return rc;
    }
    if (!take_char(text, &at, 'T')) {
        return RC_PERM;
    }
    int32_t hour = take_digits(text, &at, 2);
    int32_t minute = take_char(text, &at, ':') ? take_digits(text, &at, 2) : -1;
    int32_t second = minute >= 0 && take_char(text, &at, ':') ? take_digits(text, &at, 2) : -1;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
        return RC_PERM;
    }
    int64_t fraction_ns = 0;
    if (take_char(text, &at, '.')) {
        size_t start = at;
        fraction_ns = take_fraction_ns(text, &at);
        if (at == start) {
            return RC_PERM;
        }
    }
    int32_t zone = 0;
    rc = take_zone(text, &at, &zone);
    if (rc != RC_OK || at != text.len) {
        return RC_PERM;
    }
    int32_t of_day = hour * 3600 + minute * 60 + second - zone;
    int64_t seconds = (int64_t)days * SECONDS_PER_DAY + of_day;
    *out_ns = seconds * NS_PER_SECOND + fraction_ns;
    return RC_OK;
}

struct civil {
    int32_t year, month, day, hour, minute, second;
    int64_t ns;
};

static struct civil civil_of(int64_t at_ns)
{
    struct civil civil;
    int64_t seconds = at_ns / NS_PER_SECOND;
    civil.ns = at_ns % NS_PER_SECOND;
    if (civil.ns < 0) {
        civil.ns += NS_PER_SECOND;
        seconds--;
    }
    int64_t days = seconds / SECONDS_PER_DAY;
    int32_t rest = (int32_t)(seconds % SECONDS_PER_DAY);
    if (rest < 0) {
        rest += SECONDS_PER_DAY;
        days--;
    }
    civil_from_days((int32_t)days, &civil.year, &civil.month, &civil.day);
    civil.hour = rest / 3600;
    civil.minute = rest / 60 % 60;
    civil.second = rest % 60;
    return civil;
}

char *instant_format(int64_t at_ns, char *out)
{
    struct civil c = civil_of(at_ns);
    (void)snprintf(out, INSTANT_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", c.year, c.month,
                   c.day, c.hour, c.minute, c.second, (int)(c.ns / 1000));
    return out;
}

char *instant_format_seconds(int64_t at_ns, char *out)
{
    struct civil c = civil_of(at_ns);
    (void)snprintf(out, INSTANT_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02dZ", c.year, c.month,
                   c.day, c.hour, c.minute, c.second);
    return out;
}

enum rc date_parse(struct slice text, int32_t *out_days)
{
    size_t at = 0;
    int32_t days = 0;
    enum rc rc = take_date(text, &at, &days);
    if (rc != RC_OK) {
        return rc;
    }
    if (at != text.len) {
        return RC_PERM;
    }
    *out_days = days;
    return RC_OK;
}

char *date_format(int32_t days, char *out)
{
    int32_t year = 0;
    int32_t month = 0;
    int32_t day = 0;
    civil_from_days(days, &year, &month, &day);
    (void)snprintf(out, DATE_TEXT_BYTES, "%04d-%02d-%02d", year, month, day);
    return out;
}
