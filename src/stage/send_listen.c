/*
 * send_listen - the time after the last message: who sent it stays bound, and receipts come in
 *
 * The delivery may have ended meanwhile, and lie in done/: this worker is still the only one that
 * writes its progress.
 */
#include "stage/send_inner.h"

#include "channel/smpp.h"
#include "sys/clock.h"

#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 50 /* the next delivery of the channel may be waiting for our end */ };

bool send_may_listen(const struct send *send)
{
    const struct house_channel *channel = &send->env->house->channels[send->subject.order->channel];
    return send->heard_fd >= 0 && send->proof == 0 && channel->receipts_wait_ns > 0;
}

static void show(const struct sending *sending)
{
    const struct progress_table *table = progress_log_table(sending->log);
    uint32_t sent = progress_table_sent(table);
    atomic_store(&sending->cell->of, sent);
    atomic_store(&sending->cell->done, sent - table->counts[PROGRESS_SENT]);
    atomic_fetch_add(&sending->cell->beats, 1);
}

static bool is_over(const struct sending *sending, int64_t until_ns)
{
    return atomic_load(&sending->cell->wish) != SEND_GO_ON || clock_monotonic_ns() >= until_ns ||
           progress_log_table(sending->log)->counts[PROGRESS_SENT] == 0 ||
           !smpp_is_bound(sending->transport);
}

static enum rc end_written(struct sending *sending, struct err *err)
{
    return send_commit_is_begun(sending->commit) && !send_commit_is_busy(sending->commit)
               ? sending_end_commit(sending, err)
               : RC_OK;
}

static enum rc listen_to_peer(struct sending *sending, struct err *err)
{
    int64_t until_ns = clock_monotonic_ns() + sending->channel->receipts_wait_ns;
    enum rc rc = RC_OK;
    smpp_stay(sending->transport);
    while (rc == RC_OK && !is_over(sending, until_ns)) {
        bell_wait(&sending->bell, transport_fd(sending->transport),
                  receipts_wait(sending) ? SEND_RECEIPTS_MS : LOOK_MS);
        rc = transport_run(sending->transport, 0, group_told, sending, err);
        rc = rc == RC_OK ? sending_record_told(sending, err) : rc;
        rc = rc == RC_OK ? end_written(sending, err) : rc;
        show(sending);
    }
    return rc;
}

void send_listen(struct send *send, struct stage_report *report, struct progress_cell *cell)
{
    struct sending *sending = send->listening;
    struct err err = {{0}};
    struct err other = {{0}};
    report->outcome = REPORT_DONE;
    if (sending == NULL) {
        return;
    }
    sending->cell = cell;
    enum rc rc = listen_to_peer(sending, &err);
    enum rc ended = rc == RC_IO ? RC_OK : sending_come_back(sending, &other);
    if (rc == RC_OK && ended != RC_OK) {
        rc = err_set(&err, ended, "%s", other.text);
    }
    sending_report(rc, &err, report);
    sending_close(sending);
    free(sending);
    send->listening = NULL;
}
