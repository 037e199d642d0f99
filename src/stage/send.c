/*
 * send - the daemon's parts of sending: beginning it, and settling what workers left
 * (the worker's parts are send_open.c, send_work.c and what send_inner.h names)
 */
#include "stage/send.h"

#include "audience/csv_cursor.h"
#include "base/arena.h"
#include "channel/quarantine.h"
#include "delivery/progress.h"
#include "spool/tree.h"
#include "stage/cost.h"
#include "stage/proof.h"
#include "stage/receipts.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UNREACHABLE_MAX = 100000 /* addresses taken over at once, then the next */ };

/* --- begin --- */

/* A file of the channel, opened for the worker. What is empty is a half-made rotation: to go on
 * without the key that somebody set would be to send otherwise than they said. */
static enum rc open_key(const char *path, const char *what, bool is_secret, int *out,
                        struct err *err)
{
    struct stat status;
    *out = -1;
    if (path == NULL || path[0] == '\0') {
        return RC_OK;
    }
    *out = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*out < 0 || fstat(*out, &status) != 0) {
        return err_set(err, RC_TEMP, "%s %s cannot be opened; nothing is sent without it", what,
                       path);
    }
    if (!S_ISREG(status.st_mode) || status.st_size == 0) {
        return err_set(err, RC_TEMP, "%s %s is empty or no file; nothing is sent without it", what,
                       path);
    }
    if (is_secret && (status.st_mode & S_IRWXO) != 0) {
        return err_set(err, RC_TEMP, "%s %s can be read or changed by others; chmod o= it", what,
                       path);
    }
    return RC_OK;
}

static enum rc open_keys(const struct house_channel *channel, struct send_keys *keys,
                         struct err *err)
{
    enum rc rc = open_key(channel->ca_file, "ca_file", false, &keys->ca_fd, err);
    rc = rc == RC_OK
             ? open_key(channel->password_file, "password_file", true, &keys->password_fd, err)
             : rc;
    rc = rc == RC_OK ? open_key(channel->dkim.key_file, "dkim.key_file", true, &keys->dkim_fd, err)
                     : rc;
    rc = rc == RC_OK ? open_key(channel->unsubscribe.secret_file, "unsubscribe.secret_file", true,
                                &keys->unsubscribe_fd, err)
                     : rc;
    rc = rc == RC_OK ? open_key(channel->token_file, "token_file", true, &keys->token_fd, err) : rc;
    rc = rc == RC_OK ? open_key(channel->client_cert_file, "client_cert_file", false,
                                &keys->client_cert_fd, err)
                     : rc;
    return rc == RC_OK ? open_key(channel->client_key_file, "client_key_file", true,
                                  &keys->client_key_fd, err)
                       : rc;
}

static bool is_embedded(const struct house_channel *channel)
{
    const char *transport = channel->transport;
    return transport == NULL || strcmp(transport, "maildir") == 0 || strcmp(transport, "file") == 0;
}

static bool has_receipts(const struct house_channel *channel)
{
    return channel->transport != NULL && strcmp(channel->transport, "smpp") == 0;
}

static struct send *send_new(const struct stage_env *env)
{
    struct send *send = calloc(1, sizeof *send);
    if (send != NULL) {
        *send = (struct send){.env = env,
                              .subject = SUBJECT_NONE,
                              .dirfd = -1,
                              .progress_fd = -1,
                              .list_fd = -1,
                              .messages_fd = -1,
                              .heard_fd = -1,
                              .keys = {-1, -1, -1, -1, -1, -1, -1}};
    }
    return send;
}

static enum rc open_channel(struct send *send, struct err *err)
{
    int kind = send->subject.order->channel;
    const struct house_channel *channel = &send->env->house->channels[kind];
    enum rc rc = open_keys(channel, &send->keys, err);
    if (rc == RC_OK && is_embedded(channel)) {
        rc = spool_messages(send->env->spool, house_channel_name(kind), &send->messages_fd, err);
    }
    if (rc == RC_OK && has_receipts(channel)) {
        rc = receipts_mark(send->env, kind, send->subject.id, &send->heard_fd, err);
    }
    return rc;
}

/* What there is to send: the delivery, or a proof of it. */
static enum rc open_list(struct send *send, struct err *err)
{
    const struct view *view = &send->subject.view;
    uint32_t proof = proof_due(&send->subject);
    if (view->state == STATE_SENDING && view->is_extracted) {
        send->dirfd = send->subject.dirfd;
        send->date_ns = view->fixed_ns;
        return RC_OK;
    }
    if (proof > 0 && proof_is_fixed(&send->subject, proof)) {
        send->proof = proof;
        send->date_ns = view_proof_due(view)->asked_ns;
        return proof_open_dir(send->subject.dirfd, proof, &send->dirfd, err);
    }
    return err_set(err, RC_STATE, "%s is %s", send->subject.id, state_name(view->state));
}

enum rc send_begin(const struct stage_env *env, const char *id, struct send **out, struct err *err)
{
    struct send *send = send_new(env);
    if (send == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a sending");
    }
    enum rc rc = subject_open_next(env, id, &send->subject, err);
    rc = rc == RC_OK ? open_list(send, err) : rc;
    rc = rc == RC_OK
             ? fs_open_append(send->dirfd, PROGRESS_FILE, PROGRESS_MODE, &send->progress_fd, err)
             : rc;
    rc = rc == RC_OK ? fs_open_dir(send->dirfd, SEND_DIR, &send->list_fd, err) : rc;
    rc = rc == RC_OK ? open_channel(send, err) : rc;
    if (rc != RC_OK) {
        send_release(send);
        return rc;
    }
    *out = send;
    return RC_OK;
}

void send_release(struct send *send)
{
    if (send == NULL) {
        return;
    }
    if (send->dirfd != send->subject.dirfd) {
        fs_drop(&send->dirfd);
    }
    subject_close(&send->subject);
    fs_drop(&send->progress_fd);
    fs_drop(&send->list_fd);
    fs_drop(&send->messages_fd);
    fs_drop(&send->heard_fd);
    fs_drop(&send->keys.ca_fd);
    fs_drop(&send->keys.password_fd);
    fs_drop(&send->keys.dkim_fd);
    fs_drop(&send->keys.unsubscribe_fd);
    fs_drop(&send->keys.token_fd);
    fs_drop(&send->keys.client_cert_fd);
    fs_drop(&send->keys.client_key_fd);
    free(send);
}

/* --- who could not be reached --- */

static enum rc add_unreachable(struct csv_cursor *cursor, const char *id, struct arena *arena,
                               struct quarantine_entry *entries, size_t *count, struct err *err)
{
    size_t address = csv_cursor_column(cursor, "address");
    enum rc rc = address == CSV_NO_COLUMN ? RC_CORRUPT : RC_OK;
    while (rc == RC_OK && *count < UNREACHABLE_MAX) {
        struct csv_record row;
        rc = csv_cursor_next(cursor, &row, err);
        if (rc != RC_OK || row.fault != CSV_SOUND || row.fields[address].len == 0) {
            continue;
        }
        const char *text = arena_text(arena, row.fields[address]);
        if (text == NULL) {
            return err_set(err, RC_NOMEM, "no memory for addresses");
        }
        entries[(*count)++] = (struct quarantine_entry){.address = slice_of(text),
                                                        .since_ns = clock_now_ns(),
                                                        .cause = "permanent",
                                                        .delivery = id};
    }
    return rc == RC_GONE ? RC_OK : rc;
}

/* What workers noted beside the list goes into the channel's quarantine (S5); twice is as once. */
static enum rc take_unreachable(const struct stage_env *env, const struct subject *subject,
                                struct err *err)
{
    const char *channel = house_channel_name(subject->order->channel);
    char name[sizeof SEND_DIR "/" + QUARANTINE_FILE_BYTES] = SEND_DIR "/";
    struct arena arena = ARENA_EMPTY;
    struct csv_cursor *cursor = NULL;
    size_t count = 0;
    int fd = -1;
    (void)quarantine_file(channel, name + sizeof SEND_DIR);
    enum rc rc = fs_open_regular(subject->dirfd, name, &fd, err);
    if (rc == RC_GONE) {
        return RC_OK;
    }
    struct quarantine_entry *entries = calloc(UNREACHABLE_MAX, sizeof *entries);
    if (entries == NULL) {
        fs_drop(&fd);
        return err_set(err, RC_NOMEM, "no memory for addresses");
    }
    rc = rc == RC_OK ? csv_cursor_open(fd, name, ',', &cursor, err) : rc;
    do {
        count = 0;
        rc = rc == RC_OK ? add_unreachable(cursor, subject->id, &arena, entries, &count, err) : rc;
        if (rc == RC_OK && count > 0) {
            rc = quarantine_add(spool_dir(env->spool, SPOOL_QUARANTINE), channel, entries, count,
                                NULL, err);
        }
    } while (rc == RC_OK && count == UNREACHABLE_MAX);
    /* A quarantine that somebody has to mend is no fault of this delivery: it waits for that. */
    rc = rc == RC_PERM || rc == RC_RANGE ? RC_TEMP : rc;
    rc = rc == RC_OK ? fs_remove(subject->dirfd, name, err) : rc;
    csv_cursor_free(cursor);
    arena_release(&arena);
    free(entries);
    fs_drop(&fd);
    return rc;
}

/* --- the end --- */

static enum rc load_table(const struct subject *subject, struct progress_table *out,
                          struct err *err)
{
    *out = PROGRESS_TABLE_EMPTY;
    enum rc rc = progress_table_load(subject->dirfd, out, err);
    return rc == RC_GONE ? RC_OK : rc; /* nobody was tried yet: nothing is counted */
}

/* What was really sent: messages, or their pieces, which are the code of each result `sent`. */
static uint64_t sent_quantity(const struct order *order, const struct progress_table *table)
{
    uint64_t pieces = 0;
    if (order->channel != HOUSE_SMS) {
        return progress_table_sent(table);
    }
    for (uint32_t i = 0; i < table->total; i++) {
        const struct progress_entry *entry = &table->entries[i];
        bool is_sent = entry->state == PROGRESS_SENT || entry->state == PROGRESS_DELIVERED ||
                       entry->state == PROGRESS_UNDELIVERED;
        pieces += is_sent ? (entry->code > 0 ? entry->code : 1U) : 0U;
    }
    return pieces;
}

enum rc send_spend(const struct stage_env *env, const struct subject *subject, int64_t now_ns,
                   struct err *err)
{
    struct progress_table table;
    if (subject->view.extraction_round == 0) {
        return RC_OK;
    }
    enum rc rc = take_unreachable(env, subject, err); /* nothing looks at done/ again */
    if (rc != RC_OK) {
        return rc;
    }
    rc = load_table(subject, &table, err);
    rc = rc == RC_OK ? cost_spend(env, subject->order, subject->view.extraction_round,
                                  sent_quantity(subject->order, &table), subject->view.fixed_ns,
                                  now_ns, err)
                     : rc;
    progress_table_release(&table);
    return rc;
}

static enum rc say_end(struct subject *subject, const struct progress_table *table, int64_t now_ns,
                       struct err *err)
{
    const uint32_t *counts = table->counts;
    uint64_t perhaps = (uint64_t)counts[PROGRESS_UNCERTAIN] + counts[PROGRESS_HELD];
    bool is_late = progress_table_sent(table) + perhaps == 0 && counts[PROGRESS_EXPIRED] > 0;
    enum delivery_event event = is_late ? EVENT_FAILED : EVENT_FINISHED;
    enum delivery_state next = STATE_NONE;
    enum rc rc = subject_next(subject, event, &next, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct journal_writer writer = JOURNAL_WRITER_EMPTY;
    journal_begin(&writer, now_ns, event_name(event), JOURNAL_DAEMON);
    journal_put_text(&writer, "state", state_name(next));
    journal_put_u64(&writer, "sent", progress_table_sent(table));
    journal_put_u64(&writer, "failed", counts[PROGRESS_PERMANENT]);
    journal_put_u64(&writer, "uncertain", perhaps);
    journal_put_u64(&writer, "expired", counts[PROGRESS_EXPIRED]);
    journal_put_u64(&writer, "suppressed", counts[PROGRESS_SUPPRESSED]);
    if (is_late) {
        journal_put_text(&writer, "reason", "too late");
    }
    rc = journal_end(&writer, err);
    if (rc != RC_OK) {
        journal_writer_release(&writer);
        return rc;
    }
    return subject_say(subject, &writer, err);
}

static bool is_over(const struct progress_table *table)
{
    const uint32_t *counts = table->counts;
    return table->total > 0 && counts[PROGRESS_UNSENT] + counts[PROGRESS_TEMPORARY] +
                                       counts[PROGRESS_INTENDED] + counts[PROGRESS_UNCERTAIN] ==
                                   0;
}

enum rc send_settle(const struct stage_env *env, struct subject *subject, int64_t now_ns,
                    bool *out_is_over, struct err *err)
{
    struct progress_table table = PROGRESS_TABLE_EMPTY;
    *out_is_over = false;
    enum rc rc = take_unreachable(env, subject, err);
    rc = rc == RC_OK ? load_table(subject, &table, err) : rc;
    if (rc == RC_OK && subject->view.state == STATE_SENDING && is_over(&table)) {
        rc = cost_spend(env, subject->order, subject->view.extraction_round,
                        sent_quantity(subject->order, &table), subject->view.fixed_ns, now_ns, err);
        rc = rc == RC_OK ? say_end(subject, &table, now_ns, err) : rc;
        rc = rc == RC_OK ? spool_sync(env->spool, err) : rc; /* nothing looks at done/ again */
        rc = rc == RC_OK ? subject_move(env, subject, err) : rc;
        *out_is_over = rc == RC_OK;
    }
    progress_table_release(&table);
    return rc;
}
