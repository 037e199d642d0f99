/*
 * setting_text - a libconfig setting written back as libconfig text
 */
#ifndef POSTROOM_OPERATOR_SETTING_TEXT_H
#define POSTROOM_OPERATOR_SETTING_TEXT_H

#include "base/buf.h"

#include <libconfig.h>

/*
 * setting_text_add - "name = value;" and a newline, each setting on the line on which it was read
 *
 * Empty lines are put before it, so that whoever parses `out` sees the line numbers of the original
 * file. setting  from config_read_string() after guard_check(), which bounds the depth; its name is
 * not NULL (asserted) out      appended; a failure is sticky in it
 */
void setting_text_add(const config_setting_t *setting, struct buf *out);

#endif
