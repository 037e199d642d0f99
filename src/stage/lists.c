/*
 * lists - suppression lists and quarantines as descriptors
 */
#include "stage/lists.h"

#include "channel/quarantine.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>

static int open_quarantine(int dirfd, int channel)
{
    char file[QUARANTINE_FILE_BYTES];
    int fd = -1;
    if (dirfd < 0) {
        return LIST_NONE;
    }
    enum rc rc =
        fs_open_regular(dirfd, quarantine_file(house_channel_name(channel), file), &fd, NULL);
    return rc == RC_OK ? fd : rc == RC_GONE ? LIST_NONE : LIST_UNREADABLE;
}

void lists_open(const struct house *house, int quarantine_dirfd, struct stage_lists *out)
{
    for (int channel = 0; channel < HOUSE_CHANNELS; channel++) {
        const struct texts paths = house->channels[channel].suppress;
        struct channel_lists *lists = &out->channels[channel];
        lists->suppress_count =
            paths.count < SUPPRESS_LISTS_MAX ? paths.count : (size_t)SUPPRESS_LISTS_MAX;
        for (size_t i = 0; i < lists->suppress_count; i++) {
            int fd = open(paths.items[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
            lists->suppress[i] = fd < 0 ? LIST_UNREADABLE : fd;
        }
        lists->quarantine = open_quarantine(quarantine_dirfd, channel);
    }
}

void lists_close(struct stage_lists *lists)
{
    for (int channel = 0; channel < HOUSE_CHANNELS; channel++) {
        struct channel_lists *own = &lists->channels[channel];
        for (size_t i = 0; i < own->suppress_count; i++) {
            fs_drop(&own->suppress[i]);
        }
        own->suppress_count = 0;
        fs_drop(&own->quarantine);
    }
}
