/*
 * zstd_rows - zstd frames (RFC 8878) for rows of text: smaller than zstd's own search makes them,
 * in less time
 *
 * The repetitions are those that rows_match.h finds; libzstd makes a frame of them, as any reader
 * takes it. What repeats in another way (binaries, pictures) is packed less well: codec.c leaves
 * that to zstd's own search.
 */
#ifndef POSTROOM_PACK_ZSTD_ROWS_H
#define POSTROOM_PACK_ZSTD_ROWS_H

#include "base/slice.h"

#include <stdbool.h>

enum { ZSTD_ROWS_BYTES_MAX = 512 * 1024 };

struct zstd_rows; /* 1.6 MiB, and 1.9 of libzstd's for a frame; one for each thread */

/*
 * zstd_rows_is_possible - whether this libzstd takes sequences as it did when this was written;
 * pure. Its makers do not promise that, so only 1.5.4 and later ones below 1.6 are taken
 */
bool zstd_rows_is_possible(void);

/*
 * zstd_rows_open - NULL: no memory. Only where zstd_rows_is_possible() (asserted)
 * lazy_max  as deflate_rows_open()
 */
struct zstd_rows *zstd_rows_open(unsigned int lazy_max);
void zstd_rows_free(struct zstd_rows *rows);

/*
 * zstd_rows_pack - one piece of at most ZSTD_ROWS_BYTES_MAX (asserted) as one frame with its size
 * and a checksum, which repeats nothing from before it
 *
 * out_cap   ZSTD_compressBound() of the piece and 4 bytes at least (asserted)
 * most      what it may take; where it would take more, 0 is returned and out is of no use
 * Returns   how long it is; 0 also where libzstd fails. The same piece gives the same, whatever
 *           this one packed until then
 * Cost      a byte of ordered rows: 5 ns; next to nothing where the piece begins with noise
 */
size_t zstd_rows_pack(struct zstd_rows *rows, struct slice raw, unsigned char *out, size_t out_cap,
                      size_t most);

#endif
