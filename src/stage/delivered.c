/*
 * delivered - rows in the order of their deliveries, each delivery opened once
 */
#include "stage/delivered.h"

#include "base/lookup.h"
#include "channel/quarantine.h"
#include "channel/recipients.h"
#include "delivery/progress.h"
#include "stage/subject.h"
#include "sys/fs.h"
#include "sys/log.h"

#include <stdlib.h>
#include <string.h>

struct named {
    const struct feedback_row *row;
};

/* The rows of one delivery. */
struct naming {
    const struct stage_env *env;
    const struct named *rows;
    size_t count;
    int64_t now_ns;
    struct progress_log *log;
    size_t recorded;
};

/* --- one delivery --- */

/* Whom it was not sent to, or who is known as delivered, changes nothing. */
static enum rc record(struct naming *n, uint32_t number, struct err *err)
{
    const struct progress_record record = {
        .act = PROGRESS_ACT_DELIVERED, .number = number, .at_ns = n->now_ns};
    if (number < 1 || number > progress_log_table(n->log)->total) {
        return RC_OK;
    }
    enum rc rc = progress_log_add(n->log, &record, err);
    if (rc == RC_RANGE) { /* the group is full */
        rc = progress_log_commit(n->log, err);
        rc = rc == RC_OK ? progress_log_add(n->log, &record, err) : rc;
    }
    n->recorded += rc == RC_OK;
    return rc == RC_STATE ? RC_OK : rc;
}

/* Keys and addresses that rows without a reference name; the texts of addresses are in `texts`. */
struct wanted {
    struct lookup *keys;
    struct lookup *addresses;
    struct buf texts;
    size_t count;
};

static enum rc want_addresses(const struct naming *n, struct wanted *wanted, struct err *err)
{
    size_t *ends = calloc(n->count + 1, sizeof *ends);
    if (ends == NULL) {
        return err_set(err, RC_NOMEM, "no memory for addresses");
    }
    for (size_t i = 0; i < n->count; i++) {
        const struct feedback_row *row = n->rows[i].row;
        if (row->number == 0 && row->key[0] == '\0') {
            quarantine_fold(slice_of(row->address), &wanted->texts);
            wanted->count++;
        }
        ends[i] = wanted->texts.len;
    }
    enum rc rc = buf_ok(&wanted->texts, err);
    for (size_t i = 0, at = 0; rc == RC_OK && i < n->count; at = ends[i++]) {
        if (ends[i] > at) { /* the buffer has stopped moving */
            (void)lookup_put(wanted->addresses,
                             (struct slice){wanted->texts.ptr + at, ends[i] - at}, 1);
        }
    }
    free(ends);
    return rc;
}

static enum rc want(const struct naming *n, struct wanted *wanted, struct err *err)
{
    enum rc rc = lookup_open(n->count, &wanted->keys, err);
    rc = rc == RC_OK ? lookup_open(n->count, &wanted->addresses, err) : rc;
    for (size_t i = 0; rc == RC_OK && i < n->count; i++) {
        const struct feedback_row *row = n->rows[i].row;
        if (row->number == 0 && row->key[0] != '\0') {
            (void)lookup_put(wanted->keys, slice_of(row->key), 1);
            wanted->count++;
        }
    }
    return rc == RC_OK ? want_addresses(n, wanted, err) : rc;
}

static enum rc look_in_list(struct naming *n, struct recipients *list, const struct wanted *wanted,
                            struct err *err)
{
    struct buf folded = BUF_EMPTY;
    enum rc rc = RC_OK;
    for (uint32_t number = 1; rc == RC_OK && number <= recipients_total(list); number++) {
        struct recipient recipient;
        rc = recipients_read(list, number, &recipient, err);
        if (rc != RC_OK) {
            break;
        }
        buf_clear(&folded);
        quarantine_fold(recipient.address, &folded);
        rc = buf_ok(&folded, err);
        if (rc == RC_OK && (lookup_get(wanted->keys, recipient.key) != 0 ||
                            lookup_get(wanted->addresses, buf_slice(&folded)) != 0)) {
            rc = record(n, number, err);
        }
    }
    buf_release(&folded);
    return rc;
}

static enum rc record_by_list(struct naming *n, int dirfd, struct err *err)
{
    struct wanted wanted = {.texts = BUF_EMPTY};
    struct recipients *list = NULL;
    int fd = -1;
    enum rc rc = want(n, &wanted, err);
    if (rc == RC_OK && wanted.count > 0) {
        rc = fs_open_regular(dirfd, RECIPIENTS_PATH, &fd, err);
        rc = rc == RC_OK ? recipients_open(fd, &list, err) : rc;
        rc = rc == RC_OK ? look_in_list(n, list, &wanted, err) : rc;
    }
    recipients_free(list);
    fs_drop(&fd);
    lookup_free(wanted.keys);
    lookup_free(wanted.addresses);
    buf_release(&wanted.texts);
    return rc;
}

static enum rc record_rows(struct naming *n, int dirfd, struct err *err)
{
    enum rc rc = progress_receipts_open(dirfd, &n->log, err);
    for (size_t i = 0; rc == RC_OK && i < n->count; i++) {
        rc = n->rows[i].row->number > 0 ? record(n, n->rows[i].row->number, err) : RC_OK;
    }
    rc = rc == RC_OK ? record_by_list(n, dirfd, err) : rc;
    rc = rc == RC_OK && n->recorded > 0 ? progress_log_commit(n->log, err) : rc;
    progress_log_free(n->log);
    n->log = NULL;
    return rc;
}

/* A delivery that is none, of another channel, not begun or damaged keeps no other row back. */
static enum rc record_one(struct naming *n, int channel, struct err *err)
{
    const char *id = n->rows[0].row->delivery;
    struct subject subject = SUBJECT_NONE;
    struct err why = {{0}};
    enum rc rc = subject_open(n->env->spool, id, &subject, &why);
    if (rc == RC_OK && subject.order->channel == channel) {
        rc = record_rows(n, subject.dirfd, &why);
    }
    subject_close(&subject);
    if (rc == RC_CORRUPT || rc == RC_PERM || rc == RC_RANGE) {
        log_event(LOG_LEVEL_WARNING, "feedback", id, "rc=%s reason=\"%s\"", rc_name(rc), why.text);
        return RC_OK;
    }
    return rc == RC_OK || rc == RC_GONE ? RC_OK : err_set(err, rc, "%s: %s", id, why.text);
}

/* --- all of them --- */

static int by_delivery(const void *a, const void *b)
{
    const struct feedback_row *one = ((const struct named *)a)->row;
    const struct feedback_row *other = ((const struct named *)b)->row;
    int order = strcmp(one->delivery, other->delivery);
    return order != 0 ? order : one->line < other->line ? -1 : one->line > other->line ? 1 : 0;
}

/* Those that name a delivery, in the order of these */
static enum rc pick(const struct feedback *feedback, struct named **out, size_t *out_count,
                    struct err *err)
{
    struct named *rows = calloc(feedback->count + 1, sizeof *rows);
    if (rows == NULL) {
        return err_set(err, RC_NOMEM, "no memory for receipts");
    }
    for (size_t i = 0; i < feedback->count; i++) {
        const struct feedback_row *row = &feedback->rows[i];
        if (row->status == FEEDBACK_DELIVERED && row->delivery[0] != '\0') {
            rows[(*out_count)++].row = row;
        }
    }
    qsort(rows, *out_count, sizeof *rows, by_delivery);
    *out = rows;
    return RC_OK;
}

enum rc delivered_record(const struct stage_env *env, int channel, const struct feedback *feedback,
                         int64_t now_ns, size_t *out_recorded, struct err *err)
{
    struct named *rows = NULL;
    size_t count = 0;
    enum rc rc = pick(feedback, &rows, &count, err);
    *out_recorded = 0;
    for (size_t from = 0, to = 0; rc == RC_OK && from < count; from = to) {
        while (to < count && strcmp(rows[to].row->delivery, rows[from].row->delivery) == 0) {
            to++;
        }
        struct naming naming = {
            .env = env, .rows = rows + from, .count = to - from, .now_ns = now_ns};
        rc = record_one(&naming, channel, err);
        *out_recorded += naming.recorded;
    }
    free(rows);
    return rc;
}
