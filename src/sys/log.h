/*
 * log - stderr, one line an event: `level event id key=value ...`
 *
 * No recipient and no secret goes into a log line: callers pass counts, ids, file names and lines.
 * Bytes that would break the line (control characters, DEL, bytes that are no UTF-8) are written as
 * \xNN. One write(2) for each line, so that lines of several processes do not mix. Cut at
 * LOG_LINE_BYTES_MAX.
 */
#ifndef POSTROOM_SYS_LOG_H
#define POSTROOM_SYS_LOG_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum { LOG_LINE_BYTES_MAX = 2048 };

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/*
 * log_event - write one line
 *
 * event   one word: "taken", "refused", "started"
 * id      of the delivery or thing spoken of; NULL is written as -
 * format  the rest of the line, "key=value key=value"; "" for none
 * errno is left as it was. A line that cannot be written is lost.
 */
void log_event(enum log_level level, const char *event, const char *id, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* log_set_level - lines below it are dropped; at start LOG_LEVEL_INFO */
void log_set_level(enum log_level level);

/* log_set_fd - write to another descriptor (tests); at start 2 */
void log_set_fd(int fd);

/* log_add_escaped - bytes as they may stand in a line: control characters (C0, DEL, C1)
 * and bytes that are no UTF-8 as \xNN; doing it twice is as doing it once */
void log_add_escaped(struct buf *buf, struct slice bytes);

#endif
