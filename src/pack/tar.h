/*
 * tar - headers of regular files in a tar archive (POSIX.1-2001 pax; ustar wherever that suffices)
 */
#ifndef POSTROOM_PACK_TAR_H
#define POSTROOM_PACK_TAR_H

#include "base/buf.h"

#include <stdint.h>

enum {
    TAR_BLOCK_BYTES = 512,
    TAR_END_BYTES = 2 * TAR_BLOCK_BYTES, /* zeros that end an archive */
    TAR_PATH_BYTES_MAX = 4096
};

/*
 * tar_header - append what stands before a file's bytes: 512 bytes, or 512 more for each block of a
 * pax header where the path is not ASCII or fits no ustar header
 *
 * path     1..TAR_PATH_BYTES_MAX bytes (asserted), UTF-8
 * size     8 GiB and more as a base-256 number (GNU, read by all): the length of what is appended
 *          depends on the path alone
 * mtime_s  seconds since 1970, >= 0 (asserted)
 */
void tar_header(struct buf *out, const char *path, uint64_t size, int64_t mtime_s);

/* tar_padding - zeros that follow `size` bytes of a file, 0..511 */
size_t tar_padding(uint64_t size);

#endif
