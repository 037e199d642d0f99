/*
 * lists - who is not contacted on a channel, opened by who may open paths for who may not
 *
 * The channel's suppression lists and its quarantine. A worker can open no path itself: the daemon
 * opens them anew for each, so that they are read as they are then.
 */
#ifndef POSTROOM_STAGE_LISTS_H
#define POSTROOM_STAGE_LISTS_H

#include "conf/house.h"

enum {
    SUPPRESS_LISTS_MAX = 64, /* as many as an audience takes */
    LIST_NONE = -1,          /* there is none: nobody is on it */
    LIST_UNREADABLE = -2     /* there is one, and it cannot be opened: nobody is selected */
};

struct channel_lists {
    int suppress[SUPPRESS_LISTS_MAX]; /* in the order of the house's; never LIST_NONE */
    size_t suppress_count;
    int quarantine;
};

struct stage_lists {
    struct channel_lists channels[HOUSE_CHANNELS];
};

/*
 * lists_open - those of every channel
 * quarantine_dirfd  quarantine/ of the spool; -1: it is not there
 * out               close it with lists_close
 */
void lists_open(const struct house *house, int quarantine_dirfd, struct stage_lists *out);
void lists_close(struct stage_lists *lists);

#endif
