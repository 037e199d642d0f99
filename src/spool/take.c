/*
 * take - copying the files of a dropped directory
 */
#include "spool/take_part.h"

#include "sys/calls.h"
#include "sys/fs.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE_DATA = 0600, MODE_DELIVERY_CONF = 0640 };
static const char delivery_conf[] = "delivery.conf";

mode_t take_mode(const char *name)
{
    return strcmp(name, delivery_conf) == 0 ? MODE_DELIVERY_CONF : MODE_DATA;
}

static enum rc any_name(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return RC_EXISTS;
}

enum rc take_check_empty(int dst, struct err *err)
{
    enum rc rc = fs_each(dst, SIZE_MAX, any_name, NULL, err);
    return rc == RC_EXISTS ? err_set(err, RC_EXISTS, "take in: the target is not empty") : rc;
}

enum rc take_check_result(const struct take_result *result, struct err *err)
{
    return result->has_delivery_conf
               ? RC_OK
               : err_set(err, RC_PERM,
                         "delivery.conf: is missing; every delivery needs one, at the top");
}

bool take_is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Copies the bytes; the file must be the same before and after. */
static enum rc copy_bytes(const struct drop_file *file, int out, uint64_t max_bytes,
                          uint64_t *out_bytes, struct err *err)
{
    struct stat before;
    struct stat after;
    /* The offset may be shared with the process that opened it. */
    if (lseek(file->fd, 0, SEEK_SET) != 0 || fstat(file->fd, &before) != 0) {
        return sys_err(err, errno, "%s", file->name);
    }
    uint64_t size = before.st_size < 0 ? 0 : (uint64_t)before.st_size;
    if (size > max_bytes) {
        return err_set(err, RC_RANGE,
                       "all files together are larger than allowed; split the delivery");
    }
    /* No further than its size: who adds to it faster than we copy would keep us for ever. */
    enum rc rc = fs_copy_fd(file->fd, out, size, NULL, out_bytes, err);
    if (rc == RC_RANGE) {
        return err_set(err, RC_TEMP, "%s: is still changing", file->name);
    }
    if (rc != RC_OK) {
        return err_add(err, rc, "%s", file->name);
    }
    if (fstat(file->fd, &after) != 0) {
        return sys_err(err, errno, "%s", file->name);
    }
    if (!take_is_same_file(&before, &after) || *out_bytes != size) {
        return err_set(err, RC_TEMP, "%s: is still changing", file->name);
    }
    return RC_OK;
}

static enum rc take_file(const struct drop_file *file, int dst, uint64_t max_bytes,
                         struct take_result *result, struct err *err)
{
    int out = -1;
    uint64_t bytes = 0;
    enum rc rc = fs_create(dst, file->name, take_mode(file->name), &out, err);
    if (rc == RC_OK) {
        rc = copy_bytes(file, out, max_bytes, &bytes, err);
        enum rc closed = fs_close(&out, rc == RC_OK ? err : NULL);
        rc = rc == RC_OK ? closed : rc;
    }
    if (rc == RC_OK) {
        result->files++;
        result->bytes += bytes;
        result->has_delivery_conf =
            result->has_delivery_conf || strcmp(file->name, delivery_conf) == 0;
    }
    return rc;
}

enum rc take_files(struct drop_files *files, int dst, const struct take_limits *limits,
                   struct take_result *out, struct err *err)
{
    assert(limits->total_bytes > 0);
    struct take_result result = {0, 0, false};
    if (files->total_bytes > limits->total_bytes) {
        /* Also what a sparse file of 8 TiB meets: nothing is read. */
        return err_set(err, RC_RANGE,
                       "all files together have %llu bytes, %llu are allowed; split the delivery",
                       (unsigned long long)files->total_bytes,
                       (unsigned long long)limits->total_bytes);
    }
    enum rc rc = take_check_empty(dst, err);
    for (size_t i = 0; i < files->count && rc == RC_OK; i++) {
        rc = take_file(&files->files[i], dst, limits->total_bytes - result.bytes, &result, err);
    }
    if (rc == RC_OK) {
        rc = take_check_result(&result, err);
    }
    if (rc == RC_OK) {
        *out = result;
    }
    return rc;
}

enum rc take_directory(int src, int dst, const struct take_limits *limits, struct take_result *out,
                       struct err *err)
{
    struct drop_files files = DROP_FILES_EMPTY;
    enum rc rc = drop_open_files(src, &files, err);
    if (rc == RC_OK) {
        rc = take_files(&files, dst, limits, out, err);
    }
    drop_files_release(&files);
    return rc;
}
