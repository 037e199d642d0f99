/*
 * tee - a file that is copied while somebody reads it
 *
 * What is read is written, in the same order, before the reader has it: a file is read once, where
 * it would be copied first and its copy read then. What the reader leaves is copied at the end.
 */
#ifndef POSTROOM_SYS_TEE_H
#define POSTROOM_SYS_TEE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tee {
    int in;         /* read from its beginning */
    int out;        /* written from where it stands */
    uint64_t size;  /* bytes of in, as it was found: none behind them are read */
    uint64_t done;  /* read and written */
    uint64_t begun; /* of these, on their way to the disk */
    bool is_failed;
    struct err why; /* is_failed: as it was told first */
};

/* tee_open - both descriptors are borrowed; RC_OK; RC_TEMP in has no beginning to go to (a pipe) */
enum rc tee_open(struct tee *tee, int in, int out, uint64_t size, struct err *err) MUST_CHECK;

/*
 * tee_read - the next bytes, up to cap; *out_got is less than cap only at the end: behind `size`
 * bytes, or where in became shorter
 * Returns   RC_OK; RC_TEMP in cannot be read, or out not be written (a full disk); after that every
 *           call fails, and tells the same
 */
enum rc tee_read(struct tee *tee, void *bytes, size_t cap, size_t *out_got,
                 struct err *err) MUST_CHECK;

/* tee_finish - copy what nobody read; done is less than size where in became shorter. As tee_read;
 * RC_NOMEM */
enum rc tee_finish(struct tee *tee, struct err *err) MUST_CHECK;

#endif
