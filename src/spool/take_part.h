/*
 * take_part - what take.c, package.c and unpack.c share; inside the room spool only
 */
#ifndef POSTROOM_SPOOL_TAKE_PART_H
#define POSTROOM_SPOOL_TAKE_PART_H

#include "spool/take.h"

#include <sys/stat.h>

/* take_mode - mode of a copy: delivery.conf is for the operators to read, data are not */
mode_t take_mode(const char *name);

/* take_check_empty - RC_EXISTS unless the target is empty */
enum rc take_check_empty(int dst, struct err *err) MUST_CHECK;

/* take_check_result - RC_PERM unless there was a delivery.conf */
enum rc take_check_result(const struct take_result *result, struct err *err) MUST_CHECK;

/* take_is_same_file - size, mtime and ctime are equal */
bool take_is_same_file(const struct stat *a, const struct stat *b);

/* The unpacked stream of a package: a file read as it is, through zlib, or through libzstd. */
struct unpack;

/*
 * unpack_open - fd is borrowed, read from its start
 * kind  DROP_TAR_GZ and DROP_TAR_ZST are unpacked, others read as they are. RC_NOMEM
 */
enum rc unpack_open(int fd, enum drop_kind kind, const struct take_limits *limits,
                    struct unpack **out, struct err *err) MUST_CHECK;
void unpack_free(struct unpack *unpack);

/*
 * unpack_next - the next bytes; *out_len 0 is the end, reached only when the stream ended as its
 * format wants
 * *out_bytes is valid until the next call.
 * Returns  RC_OK
 *          RC_CORRUPT  cut short, damaged, or not of that kind
 *          RC_RANGE    a limit (TAKE_RATIO, the total);  RC_TEMP;  RC_NOMEM
 * After a failure every call fails.
 */
enum rc unpack_next(struct unpack *unpack, const void **out_bytes, size_t *out_len,
                    struct err *err) MUST_CHECK;

/* unpack_seek - for DROP_TAR and DROP_ZIP only: go on at that byte of the file */
void unpack_seek(struct unpack *unpack, uint64_t at);

/* unpack_delivered - bytes given out by unpack_next so far */
uint64_t unpack_delivered(const struct unpack *unpack);

#endif
