/*
 * message - one message of an online delivery, as it would be sent
 */
#include "cli/message.h"

#include "channel/recipients.h"
#include "channel/sms_text.h"
#include "stage/selection.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum { KEY_BYTES_MAX = 64 * 1024 };

struct making {
    struct cli *cli;
    struct subject *subject;
    uint64_t number;
    struct arena arena; /* of a recipient who was selected */
    struct recipients *list;
    int list_fd;
    struct recipient recipient;
    const char *const *columns; /* of its fields */
    size_t column_count;
    struct slice *fields;              /* key, address, then the columns */
    const struct selection *selection; /* whom rows are taken from, where none are fixed */
    uint64_t row;
    int64_t date_ns;
};

/* --- who --- */

static enum rc read_fixed(struct making *m, struct err *err)
{
    enum rc rc = recipients_open(m->list_fd, &m->list, err);
    if (rc == RC_OK && m->number > recipients_total(m->list)) {
        rc = err_set(err, RC_PERM, "row %" PRIu64 ": there are %" PRIu32 " only", m->number,
                     recipients_total(m->list));
    }
    rc = rc == RC_OK ? recipients_read(m->list, (uint32_t)m->number, &m->recipient, err) : rc;
    if (rc == RC_OK) {
        m->columns = recipients_columns(m->list, &m->column_count);
        m->date_ns = m->subject->view.fixed_ns;
    }
    return rc;
}

static enum rc take_row(void *ctx, struct slice payload, bool is_seed, struct err *err)
{
    struct making *m = ctx;
    (void)is_seed; /* a control address is sent to like any other */
    if (++m->row < m->number) {
        return RC_OK;
    }
    uint32_t pieces = 0;
    payload = selection_line(m->selection, payload, &pieces);
    enum rc rc = recipients_line_read(payload, m->column_count, &m->arena, m->fields, err);
    return rc == RC_OK ? RC_STATE : rc; /* enough: the walk ends */
}

static enum rc keep_columns(struct making *m, const struct selection *selection, struct err *err)
{
    const struct selection_reach *reach = selection->reach;
    size_t count = 0;
    const char *const *all = audience_columns(selection->audience, &count);
    const char **names = arena_array(&m->arena, reach->used_count + 1, sizeof *names);
    m->fields = arena_array(&m->arena, reach->used_count + 2, sizeof *m->fields);
    for (size_t i = 0; names != NULL && i < reach->used_count; i++) {
        names[i] = arena_text(&m->arena, slice_of(all[reach->used[i]]));
        if (names[i] == NULL) {
            names = NULL;
        }
    }
    m->columns = names;
    m->column_count = reach->used_count;
    return names == NULL || m->fields == NULL ? err_set(err, RC_NOMEM, "no memory for columns")
                                              : RC_OK;
}

static enum rc select_row(struct making *m, const struct selection *selection, struct err *err)
{
    struct audience_counts counts;
    struct err own = {{0}};
    enum rc rc = keep_columns(m, selection, err);
    rc = rc == RC_OK ? audience_run(selection->audience, -1, &counts, err) : rc;
    if (rc != RC_OK) {
        return rc;
    }
    m->selection = selection;
    rc = audience_each(selection->audience, take_row, m, &own);
    m->selection = NULL;
    if (rc == RC_OK) {
        return err_set(err, RC_PERM, "row %" PRIu64 ": there are %" PRIu64 " only", m->number,
                       m->row);
    }
    if (rc != RC_STATE || m->row < m->number) {
        return err_set(err, rc, "%s", own.text);
    }
    m->recipient = (struct recipient){(uint32_t)m->number, m->fields[0], m->fields[1],
                                      m->fields + 2, m->column_count};
    return RC_OK;
}

/* Nothing is fixed yet: whoever would be selected now. */
static enum rc read_selected(struct making *m, struct err *err)
{
    const char *parent = getenv("TMPDIR");
    const struct order *order = m->subject->order;
    struct selection selection = {.arena = ARENA_EMPTY};
    struct stage_lists lists;
    int spill = -1;
    /* A large target is ordered on disk, in files without a name. */
    (void)!cli_folder_open(parent == NULL || parent[0] == '\0' ? "/tmp" : parent, &spill, NULL);
    lists_open(m->cli->house, spool_dir(m->cli->spool, SPOOL_QUARANTINE), &lists);
    int64_t now_ns = clock_now_ns();
    struct selection_wants wants = {.dirfd = m->subject->dirfd,
                                    .lists = &lists,
                                    .house = m->cli->house,
                                    .revision = m->subject->view.revision,
                                    .created_ns = now_ns,
                                    .spill_fd = spill};
    enum rc rc = selection_open(order, &wants, &selection, err);
    rc = rc == RC_OK ? select_row(m, &selection, err) : rc;
    selection_close(&selection);
    lists_close(&lists);
    fs_drop(&spill);
    int64_t at_ns = order->schedule.contact_at;
    m->date_ns = at_ns != INSTANT_NONE && at_ns > now_ns ? at_ns : now_ns;
    return rc;
}

/* --- what --- */

/* Empty, and said so, where the caller may not read it. */
static enum rc read_key(const char *path, const char *without, struct buf *out, struct err *err)
{
    if (path == NULL || path[0] == '\0') {
        return RC_OK;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        fprintf(stderr, "postroom: %s cannot be read by you: %s\n", path, without);
        return RC_OK;
    }
    enum rc rc = fs_read_fd(fd, KEY_BYTES_MAX, out, err);
    fs_drop(&fd);
    return rc == RC_OK ? rc : err_add(err, rc, "%s", path);
}

static void wipe(struct buf *secret)
{
    if (secret->ptr != NULL) {
        OPENSSL_cleanse(secret->ptr, secret->cap);
    }
    buf_release(secret);
}

/* Of a text message: who gets it from whom, and what it takes. */
static enum rc print_parts(const struct content_message *message, struct err *err)
{
    struct sms_measure measure = {.parts = 0};
    enum rc rc = sms_measure(message->bytes, &measure, err);
    if (rc == RC_OK) {
        (void)printf("To: %.*s\nFrom: %.*s\nEncoding: %s\nUnits: %u\nParts: %u\n\n",
                     (int)message->to.len, message->to.ptr, (int)message->from.len,
                     message->from.ptr == NULL ? "" : message->from.ptr,
                     sms_encoding_name(measure.encoding), (unsigned int)measure.units,
                     (unsigned int)measure.parts);
    }
    return rc;
}

static enum rc print(const struct making *m, const struct content *content, struct err *err)
{
    struct content_state *state = NULL;
    struct content_message message = {.bytes = {NULL, 0}};
    enum rc rc = content_state_open(content, &state, err);
    if (rc == RC_OK && state != NULL) {
        rc = content_render(content, state, &m->recipient, 0, m->date_ns / NS_PER_SECOND, &message,
                            err);
    }
    if (rc == RC_OK && message.pieces > 0) {
        rc = print_parts(&message, err);
    }
    if (rc == RC_OK && message.bytes.len > 0) {
        (void)fwrite(message.bytes.ptr, 1, message.bytes.len, stdout);
    }
    content_state_free(state);
    return rc;
}

static enum rc make(const struct making *m, struct err *err)
{
    const struct order *order = m->subject->order;
    const struct house_channel *channel = &m->cli->house->channels[order->channel];
    const struct house_unsubscribe *own = &order->content.unsubscribe;
    bool has_token = own->url != NULL || own->mailto != NULL || channel->unsubscribe.url != NULL ||
                     channel->unsubscribe.mailto != NULL;
    struct buf dkim = BUF_EMPTY;
    struct buf secret = BUF_EMPTY;
    struct content *content = NULL;
    enum rc rc =
        read_key(channel->dkim.key_file, "this is without the signature that it gets", &dkim, err);
    if (rc == RC_OK && has_token) {
        rc = read_key(channel->unsubscribe.secret_file,
                      "the token for unsubscribing is a stand-in, which does not count", &secret,
                      err);
    }
    if (rc == RC_OK) {
        struct content_wants wants = {.dirfd = m->subject->dirfd,
                                      .house = m->cli->house,
                                      .revision = m->subject->view.revision,
                                      .dkim_key = {buf_text(&dkim), dkim.len},
                                      .unsubscribe_secret = {buf_text(&secret), secret.len}};
        rc = content_open(order, &wants, m->columns, m->column_count, &content, err);
    }
    rc = rc == RC_OK ? print(m, content, err) : rc;
    content_free(content);
    wipe(&dkim);
    wipe(&secret);
    return rc;
}

int message_print(struct cli *cli, struct subject *subject, uint64_t number)
{
    struct making m = {
        .cli = cli, .subject = subject, .number = number, .arena = ARENA_EMPTY, .list_fd = -1};
    struct err err = {{0}};
    bool is_fixed = subject->view.is_extracted && fs_exists(subject->dirfd, RECIPIENTS_PATH);
    const char *file = is_fixed ? RECIPIENTS_PATH : subject->order->target.file;
    if (faccessat(subject->dirfd, file, R_OK, 0) != 0 && errno == EACCES) {
        cli_say_error("%s: its recipients are not for you to read; ask an administrator",
                      subject->id);
        return EX_NOPERM;
    }
    enum rc rc = is_fixed ? fs_open_regular(subject->dirfd, file, &m.list_fd, &err) : RC_OK;
    rc = rc != RC_OK ? rc : is_fixed ? read_fixed(&m, &err) : read_selected(&m, &err);
    if (rc == RC_OK && !is_fixed) {
        fprintf(stderr, "postroom: %s is not being sent yet: recipients and Date are as of now\n",
                subject->id);
    }
    rc = rc == RC_OK ? make(&m, &err) : rc;
    recipients_free(m.list);
    fs_drop(&m.list_fd);
    arena_release(&m.arena);
    return rc == RC_OK ? EX_OK : cli_fail(rc, &err);
}
