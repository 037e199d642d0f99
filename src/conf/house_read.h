/*
 * house_read - what the files of the house's configuration share (inside conf only)
 */
#ifndef POSTROOM_CONF_HOUSE_READ_H
#define POSTROOM_CONF_HOUSE_READ_H

#include "conf/house.h"

struct house_memory {
    struct arena arena;
    struct conf_tree *trees[HOUSE_FILES_MAX + 1]; /* what deliveries inherit is read from them */
    size_t tree_count;
};

extern const struct schema house_channels_schema;

/* custom rows of house_schema.c; the window's field is window_start_min */
schema_read_fn house_read_window;
schema_write_fn house_write_window;
schema_read_fn house_read_defaults;

/* house_check - the rules between settings: every name that one gives of another exists, ... */
void house_check(const struct house *house, struct problems *problems);

/* house_read_bodies - the templates of requests that channels name. RC_OK, also where one is not
 * there; RC_RANGE too long; RC_TEMP; RC_NOMEM */
enum rc house_read_bodies(struct house *house, struct err *err) MUST_CHECK;

/* house_check_channels - the part of it about channels */
void house_check_channels(const struct house *house, struct problems *problems);

#endif
