/*
 * tee - a file that is copied while somebody reads it
 *
 * Contract in the header.
 */
#include "sys/tee.h"

#include "sys/fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REST_BYTES = 256 * 1024, BEGIN_BYTES = 8 * 1024 * 1024 };

enum rc tee_open(struct tee *tee, int in, int out, uint64_t size, struct err *err)
{
    *tee = (struct tee){.in = in, .out = out, .size = size};
    /* The offset may be shared with the process that opened it. */
    if (lseek(in, 0, SEEK_SET) == 0) {
        return RC_OK;
    }
    return err_set(err, RC_TEMP, "copy: %s", strerror(errno));
}

/* Whatever it is, it is no fault of what is copied. */
static enum rc failed(const struct tee *tee, struct err *err)
{
    return err_set(err, RC_TEMP, "%s", tee->why.text);
}

enum rc tee_read(struct tee *tee, void *bytes, size_t cap, size_t *out_got, struct err *err)
{
    size_t len = 0;

    while (!tee->is_failed && len < cap && tee->done + len < tee->size) {
        uint64_t left = tee->size - tee->done - len;
        size_t got = 0;
        tee->is_failed =
            fs_read_some(tee->in, (char *)bytes + len, left < cap - len ? (size_t)left : cap - len,
                         &got, &tee->why) != RC_OK;
        if (got == 0) {
            break;
        }
        len += got;
    }
    if (!tee->is_failed) {
        tee->is_failed = fs_write_all(tee->out, bytes, len, &tee->why) != RC_OK;
    }
    if (tee->is_failed) {
        return failed(tee, err);
    }
    tee->done += len;
    if (tee->done - tee->begun >= BEGIN_BYTES) {
        fs_begin_writing(tee->out, tee->begun, tee->done - tee->begun);
        tee->begun = tee->done;
    }
    *out_got = len;
    return RC_OK;
}

enum rc tee_finish(struct tee *tee, struct err *err)
{
    size_t got = REST_BYTES;
    enum rc rc = RC_OK;

    if (!tee->is_failed && tee->done == tee->size) {
        return RC_OK;
    }
    char *block = malloc(REST_BYTES);
    if (block == NULL) {
        return err_set(err, RC_NOMEM, "copy: no memory");
    }
    while (got == REST_BYTES) {
        rc = tee_read(tee, block, REST_BYTES, &got, err);
        if (rc != RC_OK) {
            break;
        }
    }
    free(block);
    return rc;
}
