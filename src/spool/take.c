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

static enum rc still_changing(const char *name, struct err *err)
{
    return err_set(err, RC_TEMP, "%s: is still changing", name);
}

/* No further than its size: who adds to it faster than we copy would keep us for ever. */
static enum rc begin_copy(const struct drop_file *file, int dst, uint64_t max_bytes,
                          struct take_copy *copy, struct err *err)
{
    *copy = TAKE_COPY_NONE;
    if (fstat(file->fd, &copy->before) != 0) {
        return sys_err(err, errno, "%s", file->name);
    }
    uint64_t size = copy->before.st_size < 0 ? 0 : (uint64_t)copy->before.st_size;
    if (size > max_bytes) {
        return err_set(err, RC_RANGE,
                       "all files together are larger than allowed; split the delivery");
    }
    enum rc rc = fs_create(dst, file->name, take_mode(file->name), &copy->out, err);
    rc = rc == RC_OK ? tee_open(&copy->tee, file->fd, copy->out, size, err) : rc;
    if (rc != RC_OK) {
        fs_drop(&copy->out);
        return err_add(err, rc, "%s", file->name);
    }
    copy->name = file->name;
    return RC_OK;
}

/* The file must be the same before and after. */
static enum rc check_copy(const struct take_copy *copy, struct err *err)
{
    struct stat after;
    if (fstat(copy->tee.in, &after) != 0) {
        return sys_err(err, errno, "%s", copy->name);
    }
    return take_is_same_file(&copy->before, &after) && copy->tee.done == copy->tee.size
               ? RC_OK
               : still_changing(copy->name, err);
}

void take_drop(struct take_copy *copy)
{
    fs_drop(&copy->out);
    *copy = TAKE_COPY_NONE;
}

enum rc take_finish(struct take_copy *copy, struct err *err)
{
    if (copy->name == NULL) {
        return RC_OK;
    }
    enum rc rc = tee_finish(&copy->tee, err);
    rc = rc == RC_OK ? check_copy(copy, err) : err_add(err, rc, "%s", copy->name);
    enum rc closed = fs_close(&copy->out, rc == RC_OK ? err : NULL);
    *copy = TAKE_COPY_NONE;
    return rc == RC_OK ? closed : rc;
}

/* SIZE_MAX: there is none. delivery.conf says what the others are: it is read before them. */
static size_t largest(const struct drop_files *files)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < files->count; i++) {
        const struct drop_file *file = &files->files[i];
        if (strcmp(file->name, delivery_conf) != 0 &&
            (found == SIZE_MAX || file->size_bytes > files->files[found].size_bytes)) {
            found = i;
        }
    }
    return found;
}

/* last: not NULL where its copy is only begun */
static enum rc take_file(const struct drop_file *file, int dst, uint64_t max_bytes,
                         struct take_copy *last, struct take_result *result, struct err *err)
{
    struct take_copy copy;
    enum rc rc = begin_copy(file, dst, max_bytes, &copy, err);
    if (rc != RC_OK) {
        return rc;
    }
    result->files++;
    result->bytes += copy.tee.size;
    result->has_delivery_conf = result->has_delivery_conf || strcmp(file->name, delivery_conf) == 0;
    if (last != NULL) {
        *last = copy;
        return RC_OK;
    }
    return take_finish(&copy, err);
}

enum rc take_files(struct drop_files *files, int dst, const struct take_limits *limits,
                   struct take_copy *last, struct take_result *out, struct err *err)
{
    assert(limits->total_bytes > 0);
    struct take_result result = {0, 0, false};
    size_t last_at = last == NULL ? SIZE_MAX : largest(files);
    if (files->total_bytes > limits->total_bytes) {
        /* Also what a sparse file of 8 TiB meets: nothing is read. */
        return err_set(err, RC_RANGE,
                       "all files together have %llu bytes, %llu are allowed; split the delivery",
                       (unsigned long long)files->total_bytes,
                       (unsigned long long)limits->total_bytes);
    }
    enum rc rc = take_check_empty(dst, err);
    for (size_t i = 0; i < files->count && rc == RC_OK; i++) {
        rc = take_file(&files->files[i], dst, limits->total_bytes - result.bytes,
                       i == last_at ? last : NULL, &result, err);
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
        rc = take_files(&files, dst, limits, NULL, out, err);
    }
    drop_files_release(&files);
    return rc;
}
