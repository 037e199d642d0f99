/*
 * zip - the records of a zip archive around data that somebody else compresses (APPNOTE 6.3.10)
 *
 * Every member is a regular file, DEFLATE, with sizes and CRC in its local header (no data
 * descriptor). A local header keeps room for the zip64 field, so that its length depends on the
 * path alone: it can be laid out before the sizes are known.
 */
#ifndef POSTROOM_PACK_ZIP_H
#define POSTROOM_PACK_ZIP_H

#include "base/buf.h"

#include <stdint.h>

enum { ZIP_PATH_BYTES_MAX = 65535 };

struct zip_member {
    const char *path; /* UTF-8, at most ZIP_PATH_BYTES_MAX bytes (asserted) */
    int64_t mtime_s;  /* since 1970; kept to the second until 2038, then to two seconds in UTC */
    uint32_t crc;
    uint64_t raw_bytes;
    uint64_t packed_bytes;
    uint64_t head_at; /* offset of the local header */
};

/* zip_local_header - append what stands before a member's data */
void zip_local_header(struct buf *out, const struct zip_member *member);

/* zip_central_header - append a member's record in the central directory */
void zip_central_header(struct buf *out, const struct zip_member *member);

/* zip_end - append what ends the archive: members in the central directory, its offset and length
 */
void zip_end(struct buf *out, uint64_t members, uint64_t directory_at, uint64_t directory_bytes);

#endif
