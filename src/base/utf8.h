/*
 * utf8 - decoding and checking, RFC 3629
 */
#ifndef POSTROOM_BASE_UTF8_H
#define POSTROOM_BASE_UTF8_H

#include "base/slice.h"

#include <stdint.h>

/*
 * utf8_next - decode one code point at *at (bytes into text) and move past it
 * Returns   the code point, or -1 for a byte that is no UTF-8 (*at moves one byte)
 * *at < text.len is asserted
 */
int32_t utf8_next(struct slice text, size_t *at);

/* utf8_is_valid - the whole text is UTF-8 without surrogates and overlong forms. Fast over ASCII.
 */
bool utf8_is_valid(struct slice text);

/* utf8_put - encode a code point (0..0x10FFFF, asserted) into out; returns 1..4 bytes written */
size_t utf8_put(int32_t code_point, char out[4]);

#endif
