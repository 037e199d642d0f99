/*
 * send_receipts - what the other side says of messages after it took them
 *
 *     told ---> queue ---> recorded ---> sealed ---> answered
 *                 |            ^            ^
 *                 |   progress, or heard    their commit begins, what was heard is on disk
 *                 '- a receipt, while the transport runs: nothing is looked up or written there
 *
 * Receipts of this delivery's messages are recorded in progress; all others are heard: lines for
 * the daemon, which knows the other deliveries (docs/SPOOL.md, "Receipts"). Each has a number, in
 * the order in which they came, and is answered when it is on disk, in whichever file.
 */
#include "stage/send_inner.h"

#include "base/instant.h"
#include "channel/smpp.h"
#include "stage/receipts.h"
#include "stage/send_ids.h"
#include "stage/target.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    QUEUE_MAX = 4096,       /* receipts between two runs of the transport */
    HEARD_MAX = 256 * 1024, /* bytes that wait for a disk that is full */
    WORD_BYTES = 24         /* "UNDELIV/001" */
};
#define NS_PER_MS (NS_PER_SECOND / 1000)

struct queued {
    uint64_t number; /* its answer's */
    bool is_delivered;
    bool is_gone;
    char id[SMPP_ID_BYTES_MAX + 1];
    char word[WORD_BYTES];
};

struct send_receipts {
    struct send_ids *ids;
    struct queued *queue;
    size_t count;
    uint64_t told; /* numbers given out */
    uint64_t recorded;
    uint64_t sealed;
    struct buf heard; /* lines, not on disk yet */
    uint64_t heard_bytes;
    int64_t sealed_ns;
};

/* --- opening --- */

static void on_id(void *ctx, const struct progress_id *id, uint64_t at)
{
    const struct sending *sending = ctx;
    send_ids_add(sending->receipts->ids, id->id, at);
}

/* How many parts there will be, as far as the count of the target says it. */
static size_t expected_ids(const struct sending *sending)
{
    struct target_facts facts;
    size_t total = recipients_total(sending->list);
    struct err err = {{0}};
    if (sending->send->proof > 0) {
        return 0;
    }
    if (target_read(sending->send->subject.dirfd, &facts, &err) == RC_OK) {
        total = facts.quantity > total ? (size_t)facts.quantity : total;
        target_release(&facts);
    }
    return total < PROGRESS_RECIPIENTS_MAX ? total : PROGRESS_RECIPIENTS_MAX;
}

enum rc receipts_open(struct sending *sending, struct progress_ids *out, struct err *err)
{
    struct send_receipts *receipts = NULL;
    struct stat status;
    *out = (struct progress_ids){NULL, NULL};
    if (sending->send->heard_fd < 0) {
        return RC_OK;
    }
    receipts = calloc(1, sizeof *receipts);
    sending->receipts = receipts;
    if (receipts == NULL) {
        return err_set(err, RC_NOMEM, "no memory for receipts");
    }
    receipts->heard = BUF_EMPTY;
    receipts->heard_bytes =
        fstat(sending->send->heard_fd, &status) == 0 ? (uint64_t)status.st_size : 0;
    receipts->queue = calloc(QUEUE_MAX, sizeof *receipts->queue);
    if (receipts->queue == NULL) {
        return err_set(err, RC_NOMEM, "no memory for receipts");
    }
    *out = (struct progress_ids){on_id, sending};
    return send_ids_open(expected_ids(sending), &receipts->ids, err);
}

void receipts_close(struct sending *sending)
{
    if (sending->receipts != NULL) {
        send_ids_free(sending->receipts->ids);
        buf_release(&sending->receipts->heard);
        free(sending->receipts->queue);
        free(sending->receipts);
        sending->receipts = NULL;
    }
}

/* --- told by the transport --- */

static void on_accepted(void *ctx, uint64_t number, uint32_t part, struct slice id)
{
    struct sending *sending = ctx;
    struct buf *ids = &sending->slots[number].ids;
    char word[SMPP_ID_BYTES_MAX + 1];
    if (smpp_id_copy(id, word)) {
        buf_add_format(ids, "%s%u %s", ids->len > 0 ? " " : "", part, word);
    }
}

/* The peer's word and code as one word: nobody's address stands in it. */
static void put_word(const struct smpp_receipt *told, char out[WORD_BYTES])
{
    const struct slice parts[] = {told->state, told->error};
    size_t used = 0;
    for (size_t i = 0; i < 2; i++) {
        size_t room = used + WORD_BYTES / 2 - 2;
        for (size_t at = 0; at < parts[i].len && used < room; at++) {
            char c = parts[i].ptr[at];
            bool is_plain =
                (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
            out[used++] = '?';
            if (is_plain) {
                out[used - 1] = c;
            }
        }
        if (parts[i].len == 0) {
            out[used++] = '-';
        }
        if (i == 0) {
            out[used++] = '/';
        }
    }
    out[used] = '\0';
}

static uint64_t on_receipt(void *ctx, const struct smpp_receipt *told)
{
    struct send_receipts *receipts = ((struct sending *)ctx)->receipts;
    struct queued *queued = &receipts->queue[receipts->count];
    if (told->fate == SMPP_FATE_UNDER_WAY) {
        return SMPP_RECEIPT_NOW;
    }
    if (receipts->count == QUEUE_MAX || receipts->heard.len > HEARD_MAX ||
        receipts->heard_bytes > RECEIPTS_FILE_BYTES_MAX) {
        return SMPP_RECEIPT_LATER;
    }
    if (!smpp_id_copy(told->id, queued->id)) {
        return SMPP_RECEIPT_NOW; /* no message of ours has such an id */
    }
    put_word(told, queued->word);
    queued->is_delivered = told->fate == SMPP_FATE_DELIVERED;
    queued->is_gone = told->is_gone;
    queued->number = ++receipts->told;
    receipts->count++;
    return queued->number;
}

struct smpp_receipts receipts_wanted(struct sending *sending)
{
    return (struct smpp_receipts){.ctx = sending,
                                  .are_wanted = sending->send->proof == 0,
                                  .accepted = on_accepted,
                                  .receipt = on_receipt};
}

/* --- recording --- */

/* The part that it is about, of this delivery; false: of none */
static bool find_own(const struct sending *sending, const struct queued *queued,
                     struct progress_id *out)
{
    char store[PROGRESS_LINE_BYTES];
    uint64_t at = send_ids_find(sending->receipts->ids, slice_of(queued->id));
    return at != 0 && progress_log_id(sending->log, at, store, out) &&
           slice_equal_text(out->id, queued->id);
}

/* A line for the daemon, which knows the other deliveries and the quarantine. */
static enum rc pass_on(struct send_receipts *receipts, const struct queued *queued, struct err *err)
{
    char when[INSTANT_TEXT_BYTES];
    buf_add_format(&receipts->heard, "%s %s %s %s\n", instant_format_seconds(clock_now_ns(), when),
                   queued->is_delivered ? "delivered"
                   : queued->is_gone    ? "gone"
                                        : "undelivered",
                   queued->word, queued->id);
    return buf_ok(&receipts->heard, err);
}

static enum rc record_one(struct sending *sending, const struct queued *queued, struct err *err)
{
    struct progress_id part;
    bool is_own = find_own(sending, queued, &part);
    if (!is_own || queued->is_gone) {
        enum rc passed = pass_on(sending->receipts, queued, err);
        if (!is_own || passed != RC_OK) {
            return passed;
        }
    }
    const struct progress_record record = {
        .act = queued->is_delivered ? PROGRESS_ACT_DELIVERED : PROGRESS_ACT_UNDELIVERED,
        .number = part.number,
        .at_ns = clock_now_ns(),
        .code = part.part,
        .text = queued->is_delivered ? SLICE_LITERAL("") : slice_of(queued->word)};
    enum rc rc = sending_add(sending, &record, err);
    return rc == RC_STATE ? RC_OK : rc; /* it was known */
}

enum rc receipts_record(struct sending *sending, struct err *err)
{
    struct send_receipts *receipts = sending->receipts;
    enum rc rc = RC_OK;
    size_t done = 0;
    if (receipts == NULL || receipts->count == 0) {
        return RC_OK;
    }
    while (rc == RC_OK && done < receipts->count) {
        rc = record_one(sending, &receipts->queue[done], err);
        if (rc == RC_OK) {
            receipts->recorded = receipts->queue[done++].number;
        }
    }
    receipts->count -= done;
    memmove(receipts->queue, receipts->queue + done, receipts->count * sizeof *receipts->queue);
    return rc == RC_OK ? send_ids_ok(receipts->ids, err) : rc;
}

/* --- on disk --- */

bool receipts_wait(const struct sending *sending)
{
    return sending->receipts != NULL && sending->receipts->recorded > sending->receipts->sealed;
}

bool receipts_are_due(const struct sending *sending)
{
    return receipts_wait(sending) &&
           clock_monotonic_ns() - sending->receipts->sealed_ns >= SEND_RECEIPTS_MS * NS_PER_MS;
}

enum rc receipts_seal(struct sending *sending, struct err *err)
{
    struct send_receipts *receipts = sending->receipts;
    enum rc rc = RC_OK;
    if (!receipts_wait(sending)) {
        return RC_OK;
    }
    receipts->sealed_ns = clock_monotonic_ns();
    if (receipts->heard.len > 0) {
        rc = fs_append_durable(sending->send->heard_fd, receipts->heard.ptr, receipts->heard.len,
                               err);
    }
    if (rc == RC_TEMP) { /* a full disk: they wait, and their answers with them */
        return RC_OK;
    }
    receipts->heard_bytes += receipts->heard.len;
    buf_clear(&receipts->heard);
    receipts->sealed = receipts->recorded;
    return rc;
}

void receipts_kept(struct sending *sending)
{
    if (sending->receipts != NULL && sending->transport != NULL && sending->receipts->told > 0) {
        smpp_kept(sending->transport, sending->receipts->sealed);
    }
}
