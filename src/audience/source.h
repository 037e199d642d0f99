/*
 * source - a file as a stream of plain bytes: as it is, gzip (several members) or zstd
 *
 * What it is shows in its first bytes, never in its name. A regular file is read by offset from its
 * beginning, so that the descriptor's own position neither matters nor moves; anything else (a
 * pipe) is read as it comes. Memory is bounded by the buffers named here and by zstd's window.
 */
#ifndef POSTROOM_AUDIENCE_SOURCE_H
#define POSTROOM_AUDIENCE_SOURCE_H

#include "base/err.h"
#include "sys/tee.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SOURCE_INPUT_BYTES = 128 * 1024, /* compressed bytes in memory at a time */
    SOURCE_WINDOW_LOG_MAX = 25,      /* zstd: 32 MiB, enough for level 19 and --long=25 */
    /* A list of people packs 3 to 50 times; what unpacks further than this is no such list. It is
     * looked at only past SOURCE_RATIO_FROM_BYTES, since small files of one repeated row exist. */
    SOURCE_RATIO_MAX = 400,
    SOURCE_RATIO_FROM_BYTES = 64 * 1024 * 1024
};

struct source;

/*
 * source_open - begin to read
 * fd        borrowed; must stay open until source_free
 * tee       read from it instead, as fd is the copy that it writes; borrowed; NULL
 * Returns   RC_OK; RC_PERM not something that can be read as bytes; RC_IO; RC_NOMEM. Texts name the
 *           fault alone: the caller adds file and line
 */
enum rc source_open(int fd, struct tee *tee, struct source **out, struct err *err) MUST_CHECK;

/*
 * source_read - fill out with up to cap plain bytes; *out_got is less than cap only at the end
 * Returns   RC_OK; RC_PERM damaged, cut short, followed by other bytes, unpacking past the ratio or
 *           needing too large a window; RC_IO a read fault; RC_NOMEM; what tee_read returns
 */
enum rc source_read(struct source *source, char *out, size_t cap, size_t *out_got,
                    struct err *err) MUST_CHECK;

/* source_done_bytes - bytes of the file read so far, as stored */
uint64_t source_done_bytes(const struct source *source);
/* source_total_bytes - bytes of the file as stored; 0 where that is not known */
uint64_t source_total_bytes(const struct source *source);
/* source_is_packed - gzip or zstd */
bool source_is_packed(const struct source *source);

void source_free(struct source *source);

#endif
