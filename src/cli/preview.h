/*
 * preview - a rendered row taken apart again, for people; pure
 */
#ifndef POSTROOM_CLI_PREVIEW_H
#define POSTROOM_CLI_PREVIEW_H

#include "base/buf.h"
#include "pack/encoding.h"

#include <stdbool.h>

/* What preview_decode() needs of a single-byte set. */
struct preview_codes {
    enum encoding encoding;
    int32_t of_byte[256]; /* code points; -1 none */
};

/* preview_codes_of - the reverse of encoding_code(); UTF-8 needs none */
void preview_codes_of(enum encoding encoding, struct preview_codes *out);

/* preview_decode - append bytes of the data file as UTF-8; what has no character becomes U+FFFD */
void preview_decode(const struct preview_codes *codes, struct slice bytes, struct buf *out);

/*
 * preview_value - cut the next value off a row of which every value is quoted by '"' and parted by
 * ',' row      moves behind the value out      cleared, then the value's bytes Returns  false at
 * the end of the row, or where it is no such row
 */
bool preview_value(struct slice *row, struct buf *out);

#endif
