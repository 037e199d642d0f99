/*
 * listing - the lines of `list`, for list and watch
 */
#ifndef POSTROOM_CLI_LISTING_H
#define POSTROOM_CLI_LISTING_H

#include "cli/deliveries.h"
#include "cli/out.h"

struct listing_wants {
    unsigned stages;           /* bits 1 << enum stage */
    const char *campaign;      /* NULL all */
    enum delivery_state state; /* STATE_NONE all */
};

/* listing_print - the table on stdout, and how many drops were refused; an exit code */
int listing_print(struct cli *cli, const struct listing_wants *wants);

#endif
