/*
 * selection_reach - online: who can be sent to at all, and what is kept of each for the messages
 *
 * Contract in selection_inner.h.
 */
#include "stage/selection_inner.h"

#include "channel/mailbox.h"
#include "channel/recipients.h"
#include "channel/sms_text.h"

#include <stdio.h>
#include <string.h>

enum audience_cause selection_check_reach(void *ctx, unsigned thread,
                                          const struct audience_row *row)
{
    struct selection_reach *reach = ctx;
    struct slice address = row->fields[reach->address];
    struct mailbox_address parsed;
    bool is_in = false;
    /* What cannot be asked counts as in: better one too few than one too many. */
    if (quarantine_has(reach->quarantine, address, row->fields[reach->key], &reach->scratch[thread],
                       &is_in, NULL) != RC_OK ||
        is_in) {
        return CAUSE_QUARANTINED;
    }
    if (address.len == 0) {
        return CAUSE_INCOMPLETE_ADDRESS;
    }
    struct slice digits;
    enum rc rc = RC_OK;
    if (reach->channel == HOUSE_EMAIL) {
        rc = mailbox_address_parse(address, &parsed, NULL);
    } else if (reach->channel == HOUSE_SMS) {
        rc = sms_number(address, &digits, NULL);
    }
    return rc == RC_PERM || rc == RC_RANGE ? CAUSE_BAD_ADDRESS : CAUSE_NONE;
}

enum rc selection_keep_pieces(void *ctx, unsigned thread, const struct audience_row *row,
                              struct buf *out, struct err *err)
{
    struct selection_reach *reach = ctx;
    uint32_t pieces = 0;
    enum rc rc = reach->states[thread] == NULL
                     ? content_state_open(reach->content, &reach->states[thread], err)
                     : RC_OK;
    rc = rc == RC_OK
             ? content_pieces(reach->content, reach->states[thread], row->fields, &pieces, err)
             : rc;
    if (rc != RC_OK && rc != RC_PERM && rc != RC_RANGE) {
        return rc;
    }
    buf_add_byte(out, (char)(unsigned char)(rc == RC_OK ? pieces : 0));
    return buf_ok(out, err);
}

enum rc selection_keep_line(void *ctx, unsigned thread, const struct audience_row *row,
                            struct buf *out, struct err *err)
{
    const struct selection_reach *reach = ctx;
    struct slice used[CONTENT_COLUMNS_MAX];
    enum rc rc = content_has_pieces(reach->content)
                     ? selection_keep_pieces(ctx, thread, row, out, err)
                     : RC_OK;
    if (rc != RC_OK) {
        return rc;
    }
    for (size_t i = 0; i < reach->used_count; i++) {
        used[i] = row->fields[reach->used[i]];
    }
    recipients_line(row->fields[reach->key], row->fields[reach->address], used, reach->used_count,
                    out);
    return buf_ok(out, err);
}

static enum rc find_column(const struct order *order, const char *name, const char *what,
                           const char *const *columns, size_t count, size_t *out, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(columns[i], name) == 0) {
            *out = i;
            return RC_OK;
        }
    }
    const char *nearest = name_nearest(slice_of(name), columns, count);
    return err_set(err, RC_PERM, "%s:1: no column \"%s\" for the %s; %s%s%s", order->target.file,
                   name, what,
                   nearest == NULL ? "name it in target: address = \"...\"" : "did you mean \"",
                   nearest == NULL ? "" : nearest, nearest == NULL ? "" : "\"?");
}

static enum rc open_quarantine(struct opening *o, struct err *err)
{
    int channel = o->order->channel;
    int fd = o->wants->lists->channels[channel].quarantine;
    char name[QUARANTINE_FILE_BYTES + 16];
    char file[QUARANTINE_FILE_BYTES];
    (void)snprintf(name, sizeof name, "quarantine/%s",
                   quarantine_file(house_channel_name(channel), file));
    enum rc rc =
        fd == LIST_UNREADABLE
            ? err_set(err, RC_TEMP, "%s cannot be read; nobody is selected without it", name)
            : quarantine_load(fd, name, &o->out->reach->quarantine, err);
    /* It is no fault of the delivery: it waits until somebody has mended the file. */
    return rc == RC_PERM || rc == RC_RANGE ? RC_TEMP : rc;
}

/* The messages, over the recipients' columns; which of these they use is what has to be kept. */
static enum rc open_content(struct opening *o, const char *const *columns, size_t count,
                            struct err *err)
{
    struct content_wants wants = {
        .dirfd = o->wants->dirfd, .house = o->wants->house, .revision = o->wants->revision};
    struct selection_reach *reach = o->out->reach;
    reach->used = arena_array(&o->out->arena, count + 1, sizeof *reach->used);
    if (reach->used == NULL) {
        return err_set(err, RC_NOMEM, "no memory for the columns of a content");
    }
    enum rc rc = content_open(o->order, &wants, columns, count, &o->out->content, err);
    for (size_t i = 0; rc == RC_OK && i < count; i++) {
        if (content_uses(o->out->content, i)) {
            reach->used[reach->used_count++] = i;
        }
    }
    if (rc == RC_OK && reach->used_count > CONTENT_COLUMNS_MAX) {
        rc = err_set(err, RC_RANGE, "the content uses more than %d columns", CONTENT_COLUMNS_MAX);
    }
    return rc;
}

static bool reaches_by(const void *ctx, size_t column)
{
    const struct selection_reach *reach = ctx;
    bool is_used = column == reach->address || column == reach->key;
    for (size_t i = 0; !is_used && i < reach->used_count; i++) {
        is_used = reach->used[i] == column;
    }
    return is_used;
}

enum rc selection_open_reach(struct opening *o, struct err *err)
{
    const struct order *order = o->order;
    struct selection_reach *reach = o->out->reach;
    size_t count = 0;
    const char *const *columns = audience_columns(o->out->audience, &count);
    enum rc rc =
        find_column(order, order->target.address, "address", columns, count, &reach->address, err);
    rc = rc == RC_OK
             ? find_column(order, order->target.key, "key", columns, count, &reach->key, err)
             : rc;
    reach->channel = order->channel;
    rc = rc == RC_OK ? open_quarantine(o, err) : rc;
    rc = rc == RC_OK ? open_content(o, columns, count, err) : rc;
    if (rc == RC_OK) {
        reach->content = o->out->content;
        audience_narrow(o->out->audience, reaches_by, reach);
    }
    return rc;
}

void selection_close_reach(struct selection_reach *reach)
{
    if (reach != NULL) {
        quarantine_free(reach->quarantine);
        for (size_t i = 0; i < AUDIENCE_THREADS_MAX; i++) {
            buf_release(&reach->scratch[i]);
            content_state_free(reach->states[i]);
        }
    }
}
