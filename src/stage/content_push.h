/*
 * content_push - the content of a push or in-app delivery: its texts and files, the channel's body
 */
#ifndef POSTROOM_STAGE_CONTENT_PUSH_H
#define POSTROOM_STAGE_CONTENT_PUSH_H

#include "channel/push.h"
#include "stage/content.h"

enum { CONTENT_PUSH_FILE_BYTES_MAX = 64 * 1024 /* image or video inside a message */ };

/* content_push_open - as content_open; order is borrowed until push_free */
enum rc content_push_open(const struct order *order, const struct content_wants *wants,
                          const char *const *columns, size_t count, struct push **out,
                          struct err *err) MUST_CHECK;

#endif
