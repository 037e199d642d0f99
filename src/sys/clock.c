/*
 * clock - the real clocks, and local dates by the C library's zone rules
 */
#include "sys/clock.h"

#include "base/instant.h"
#include "sys/calls.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    ZONE_NAME_BYTES = 64,
    SECONDS_A_DAY = 86400,
    SHIFT_MAX_S = 3 * 3600, /* no zone ever moved its clock by more within a day we serve */
    DAYS_AHEAD = 3          /* today's may be over, and a zone may have skipped a day */
};

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    if (clock_gettime(id, &now) != 0) {
        return 0; /* cannot happen for these clocks */
    }
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

static int64_t real_now(void)
{
    return read_clock(CLOCK_REALTIME);
}

static int64_t real_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static const struct clock_source real_clocks = {real_now, real_monotonic};
static const struct clock_source *clocks = &real_clocks;

int64_t clock_now_ns(void)
{
    return clocks->now_ns();
}

void clock_pause_ms(int ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR) { /* goes on with what is left */
    }
}

int64_t clock_monotonic_ns(void)
{
    return clocks->monotonic_ns();
}

void clock_replace(const struct clock_source *source)
{
    clocks = source == NULL ? &real_clocks : source;
}

static bool is_zone_name(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > ZONE_NAME_BYTES || name[0] == '/' || strstr(name, "..") != NULL) {
        return false;
    }
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") ==
           len;
}

enum rc clock_set_zone(const char *name, struct err *err)
{
    if (!is_zone_name(name)) {
        return err_set(err, RC_PERM, "\"%s\" is no time zone; write one like \"Europe/Paris\"",
                       name);
    }
    char rule[ZONE_NAME_BYTES + 2];
    if (strcmp(name, "UTC") == 0) {
        (void)snprintf(rule, sizeof rule, "UTC0"); /* works without zone files */
    } else {
        char path[ZONE_NAME_BYTES + 32];
        struct stat status;
        (void)snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
        /* The C library takes an unknown zone for UTC without a word. */
        if (stat(path, &status) != 0 || !S_ISREG(status.st_mode)) {
            return err_set(
                err, RC_PERM,
                "time zone \"%s\" is not known here (no %s); install tzdata or mend the name", name,
                path);
        }
        (void)snprintf(rule, sizeof rule, ":%s", name);
    }
    if (setenv("TZ", rule, 1) != 0) {
        return sys_err(err, errno, "set time zone %s", name);
    }
    tzset();
    return RC_OK;
}

static int64_t floor_seconds(int64_t at_ns)
{
    int64_t seconds = at_ns / NS_PER_SECOND;
    return at_ns % NS_PER_SECOND < 0 ? seconds - 1 : seconds;
}

static struct tm local(int64_t seconds)
{
    time_t at = (time_t)seconds;
    struct tm out;
    if (localtime_r(&at, &out) == NULL) {
        memset(&out, 0, sizeof out); /* a year outside int: no instant of ours (1677..2262) */
        out.tm_mday = 1;
    }
    return out;
}

int32_t clock_local_date(int64_t at_ns, char out[CLOCK_DATE_BYTES])
{
    struct tm tm = local(floor_seconds(at_ns));
    tm.tm_hour = 0;
    tm.tm_min = 0;
    tm.tm_sec = 0;
    time_t midnight = timegm(&tm);
    int32_t days = (int32_t)(midnight / SECONDS_A_DAY); /* exact: a multiple of a day */
    if (out != NULL) {
        (void)date_format(days, out);
    }
    return days;
}

int clock_local_minutes(int64_t at_ns)
{
    struct tm tm = local(floor_seconds(at_ns));
    return tm.tm_hour * 60 + tm.tm_min;
}

static bool is_at(int64_t seconds, int minutes)
{
    struct tm tm = local(seconds);
    return tm.tm_hour * 60 + tm.tm_min == minutes;
}

/* The instant in (low, high] at which the offset from UTC changes: the skip that swallowed a time
 * of day */
static int64_t find_shift(int64_t low, int64_t high)
{
    long before = local(low).tm_gmtoff;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (local(middle).tm_gmtoff == before) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}

/* The first instant, in seconds, of that time of day on the local day `days_ahead` after `today` */
static int64_t instant_on(struct tm today, int days_ahead, int minutes)
{
    struct tm wanted = {
        .tm_year = today.tm_year,
        .tm_mon = today.tm_mon,
        .tm_mday = today.tm_mday + days_ahead,
        .tm_hour = minutes / 60,
        .tm_min = minutes % 60,
        .tm_isdst = -1,
    };
    int64_t found = (int64_t)mktime(&wanted);
    if (!is_at(found, minutes)) {
        return find_shift(found - SHIFT_MAX_S, found + SHIFT_MAX_S);
    }
    /* Clocks go back by half an hour (Lord Howe) or whole hours. */
    for (int64_t back = SHIFT_MAX_S; back > 0; back -= 1800) {
        if (is_at(found - back, minutes)) {
            return found - back;
        }
    }
    return found;
}

int64_t clock_next_local(int64_t at_ns, int minutes)
{
    assert(minutes >= 0 && minutes < CLOCK_MINUTES_A_DAY);
    int64_t now = floor_seconds(at_ns);
    struct tm today = local(now);
    for (int i = 0; i < DAYS_AHEAD; i++) {
        int64_t at = instant_on(today, i, minutes);
        if (at > now) {
            return at * NS_PER_SECOND;
        }
    }
    return (now + SECONDS_A_DAY) * NS_PER_SECOND;
}
