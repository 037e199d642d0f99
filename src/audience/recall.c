/*
 * recall - a row of the recipients, read once more
 *
 * Contract in the header.
 */
#include "audience/recall.h"

#include <errno.h>
#include <unistd.h>

static enum rc no_memory(struct err *err)
{
    err_set(err, RC_NOMEM, "no memory");
    return RC_NOMEM; /* stated for analysers, which do not see what err_set returns */
}

static enum rc changed(struct err *err)
{
    return err_set(err, RC_IO, "the recipients changed while they were read");
}

void recall_release(struct recall *recall)
{
    buf_release(&recall->bytes);
    buf_release(&recall->scratch);
    buf_release(&recall->composite);
    csv_index_release(&recall->index);
}

static enum rc cannot_be_read(const char *why, struct err *err)
{
    return err_set(err, RC_IO, "the recipients cannot be read again: %s", why);
}

static enum rc read_bytes(int fd, uint64_t at, char *out, size_t len, struct err *err)
{
    while (len > 0) {
        ssize_t got = pread(fd, out, len, (off_t)at);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return cannot_be_read(strerror(errno), err);
        }
        if (got == 0) {
            return changed(err);
        }
        out += got;
        at += (uint64_t)got;
        len -= (size_t)got;
    }
    return RC_OK;
}

enum rc recall_check(const struct recall_plan *plan, struct err *err)
{
    return mapping_is_broken(plan->mapping) ? cannot_be_read("a part of the file is gone", err)
                                            : RC_OK;
}

static enum rc get_bytes(const struct recall_plan *plan, uint64_t at, char *out, size_t len,
                         struct err *err)
{
    if (plan->mapping == NULL) {
        return read_bytes(plan->fd, at, out, len, err);
    }
    if (at > plan->map_bytes || plan->map_bytes - at < len) {
        return changed(err);
    }
    memcpy(out, mapping_bytes(plan->mapping) + at, len);
    return recall_check(plan, err);
}

enum rc recall_row(struct recall *recall, const struct recall_plan *plan, uint64_t at, size_t len,
                   struct err *err)
{
    struct buf *bytes = &recall->bytes;

    bytes->len = 0;
    if (!buf_reserve(bytes, len + 1 + CSV_SLACK_BYTES)) {
        return no_memory(err);
    }
    enum rc rc = get_bytes(plan, at, bytes->ptr, len, err);
    if (rc != RC_OK) {
        return rc;
    }
    bytes->ptr[len] = '\n'; /* the row's own end may be another one, or none */
    memset(bytes->ptr + len + 1, 0, CSV_SLACK_BYTES);
    if (!csv_scan(CSV_BEST, bytes->ptr, len + 1, plan->delimiter, &recall->index)) {
        return no_memory(err);
    }
    const struct csv_block block = {.bytes = bytes->ptr, .len = len + 1};
    if (recall->index.rows_count != 1) {
        return changed(err);
    }
    recall->row = csv_row_at(&block, &recall->index, 0);
    if (recall->row.fault != CSV_SOUND || recall->row.columns != plan->columns ||
        recall->row.end != len || !csv_block_is_clean(&block)) {
        return changed(err);
    }
    return RC_OK;
}

struct slice recall_key(struct recall *recall, const struct recall_plan *plan)
{
    return csv_scratch_ready(&recall->scratch, &recall->row)
               ? csv_row_field(&recall->row, plan->key, &recall->scratch)
               : (struct slice){NULL, 0};
}

struct slice recall_dedupe(struct recall *recall, const struct recall_plan *plan)
{
    buf_clear(&recall->composite);
    if (!csv_scratch_ready(&recall->scratch, &recall->row)) {
        return (struct slice){NULL, 0};
    }
    for (size_t i = 0; i < plan->dedupe_count; i++) {
        composite_put(&recall->composite,
                      csv_row_field(&recall->row, plan->dedupe[i], &recall->scratch));
    }
    return recall->composite.is_failed ? (struct slice){NULL, 0} : buf_slice(&recall->composite);
}
