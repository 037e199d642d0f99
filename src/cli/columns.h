/*
 * columns - which columns a layout wants of the recipients; pure
 */
#ifndef POSTROOM_CLI_COLUMNS_H
#define POSTROOM_CLI_COLUMNS_H

#include "base/arena.h"
#include "conf/house.h"

enum { COLUMNS_WANTED_MAX = 512 };

struct columns {
    const char *names[COLUMNS_WANTED_MAX]; /* in the order of the layout; in the arena */
    size_t count;
};

/*
 * columns_of_layout - the recipients' columns that a layout names, each once: plain columns and the
 * names in its templates, but not `reference`; where addresses are checked and no line is given,
 * the common columns they are made of Returns false without memory; names beyond COLUMNS_WANTED_MAX
 * are left out
 */
bool columns_of_layout(const struct house_layout *layout, struct arena *arena, struct columns *out);

#endif
