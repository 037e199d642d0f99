/*
 * engine - the daemon: what is due, doors, workers, groups
 */
#ifndef POSTROOM_ENGINE_ENGINE_H
#define POSTROOM_ENGINE_ENGINE_H

#include "base/err.h"

#include <stdbool.h>

struct engine_options {
    const char *conf_path;
    bool is_once;      /* work until nothing more can move now */
    int until_minutes; /* with is_once: go on until that local time of day; -1: not given */
};

/* engine_check - `postroomd --check`: read the configuration and say what is wrong; returns a
 * sysexits.h code */
int engine_check(const char *conf_path);

/* engine_run - the daemon; returns a sysexits.h code: 0, 65 a ledger is damaged, 74 a sync failed,
 * 75 another daemon holds the lock, 78 bad configuration */
int engine_run(const struct engine_options *options);

#endif
