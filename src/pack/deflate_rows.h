/*
 * deflate_rows - DEFLATE (RFC 1951) for rows of text: in half of libdeflate's time, as small
 *
 * The repetitions are those that rows_match.h finds. What repeats in another way than rows do
 * (binaries, pictures) is packed less well: codec.c leaves that to libdeflate.
 *
 * The pieces are not final and end with whole bytes: one follows the other.
 */
#ifndef POSTROOM_PACK_DEFLATE_ROWS_H
#define POSTROOM_PACK_DEFLATE_ROWS_H

#include "base/slice.h"

enum {
    DEFLATE_ROWS_BYTES_MAX = 1 << 30,
    DEFLATE_ROWS_WINDOW = 32768 /* how far back a repetition may lie (RFC 1951 2) */
};

struct deflate_rows; /* 0.8 MiB; one for each thread */

/*
 * deflate_rows_open - NULL: no memory
 * lazy_max  a repetition of at least so many bytes is taken at once; of a shorter one it is tried
 *           whether the one that begins a byte later gains more. More than 64 gains nothing
 */
struct deflate_rows *deflate_rows_open(unsigned int lazy_max);
void deflate_rows_free(struct deflate_rows *rows);

/*
 * deflate_rows_pack - compress one piece of at most DEFLATE_ROWS_BYTES_MAX (asserted)
 *
 * before    so many bytes in front of raw.ptr stand before it in the same stream too: at most
 *           DEFLATE_ROWS_WINDOW (asserted)
 * out_cap   what it may take; where it would take more, 0 is returned and out is of no use
 * Returns   how long it is. The same piece behind the same bytes gives the same, whatever this one
 *           packed until then
 * Cost      a byte of ordered rows: 5 ns
 */
size_t deflate_rows_pack(struct deflate_rows *rows, struct slice raw, size_t before,
                         unsigned char *out, size_t out_cap);

#endif
