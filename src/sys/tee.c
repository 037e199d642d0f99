/*
 * tee - a file that is copied while somebody reads it
 *
 * Contract in the header.
 */
#include "sys/tee.h"

#include "sys/calls.h"
#include "sys/fs.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { REST_BYTES = 256 * 1024, BEGIN_BYTES = 8 * 1024 * 1024 };

enum rc tee_open(struct tee *tee, int in, int out, uint64_t size, struct err *err)
{
    *tee = (struct tee){.in = in, .out = out, .size = size};
    /* The offset may be shared with the process that opened it. */
    return lseek(in, 0, SEEK_SET) == 0 ? RC_OK : sys_err(err, errno, "copy");
}

static enum rc failed(struct tee *tee, enum rc rc)
{
    tee->rc = rc;
    return rc;
}

enum rc tee_read(struct tee *tee, void *bytes, size_t cap, size_t *out_got, struct err *err)
{
    size_t len = 0;

    if (tee->rc != RC_OK) {
        return err_set(err, tee->rc, "copy: failed before");
    }
    while (len < cap && tee->done + len < tee->size) {
        uint64_t left = tee->size - tee->done - len;
        size_t got = 0;
        enum rc rc = fs_read_some(tee->in, (char *)bytes + len,
                                  left < cap - len ? (size_t)left : cap - len, &got, err);
        if (rc != RC_OK) {
            return failed(tee, rc);
        }
        if (got == 0) {
            break;
        }
        len += got;
    }
    enum rc rc = fs_write_all(tee->out, bytes, len, err);
    if (rc != RC_OK) {
        return failed(tee, rc);
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

    if (tee->rc == RC_OK && tee->done == tee->size) {
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
