/*
 * mime_render - one recipient's message, from a plan that no thread changes
 */
#include "base/instant.h"
#include "channel/body_code.h"
#include "channel/mime_plan.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { SECONDS_A_DAY = 86400, FIRST_WEEKDAY = 4 /* 1970-01-01 was a Thursday */ };

#define DATE_S_MAX INT64_C(253402300799) /* 9999-12-31, a year of four digits */

/* --- parts --- */

void mime_put_part(struct mime_state *state, bool is_html, struct slice text, struct buf *head,
                   struct buf *body)
{
    buf_clear(&state->clean);
    buf_clear(&state->code);
    body_clean(text, &state->clean);
    enum body_code code = body_encode(buf_slice(&state->clean), &state->code);
    buf_add_text(head, is_html ? "Content-Type: text/html; charset=utf-8\r\n"
                               : "Content-Type: text/plain; charset=utf-8\r\n");
    buf_add_text(head, "Content-Transfer-Encoding: ");
    buf_add_text(head, body_code_name(code));
    buf_add(head, "\r\n", 2);
    if (head == body) {
        buf_add(head, "\r\n", 2);
    }
    buf_add_slice(body, buf_slice(&state->code));
    body->is_failed = body->is_failed || state->clean.is_failed || state->code.is_failed;
}

enum rc mime_put_mailbox(struct buf *out, const char *header, struct slice text,
                         struct buf *scratch, struct mailbox_address *address, struct err *err)
{
    struct mailbox mailbox;
    enum rc rc = mailbox_parse(text, scratch, &mailbox, err);
    if (rc != RC_OK) {
        return err_add(err, rc, "%s", header);
    }
    mailbox_put(out, header, mailbox.name, &mailbox.address);
    *address = mailbox.address;
    return RC_OK;
}

enum rc mime_put_subject(struct buf *out, struct slice text, uint32_t proof, struct buf *scratch,
                         struct err *err)
{
    if (text.len > MIME_SUBJECT_BYTES_MAX) {
        return err_set(err, RC_RANGE, "a subject of %zu bytes; at most %d", text.len,
                       MIME_SUBJECT_BYTES_MAX);
    }
    if (proof > 0) {
        buf_clear(scratch);
        buf_add_format(scratch, "[Proof %u] ", (unsigned)proof);
        buf_add_slice(scratch, text);
        text = buf_slice(scratch);
    }
    struct header_line line = header_begin(out, "Subject");
    header_text(&line, text);
    header_end(&line);
    return buf_ok(scratch, err);
}

/* --- state --- */

enum rc mime_state_open(const struct mime *mime, struct mime_state **out, struct err *err)
{
    struct mime_state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return err_set(err, RC_NOMEM, "no memory for messages");
    }
    state->date_s = -1;
    state->fields = calloc(mime->column_count + 1, sizeof *state->fields);
    enum rc rc = state->fields == NULL ? err_set(err, RC_NOMEM, "no memory for fields") : RC_OK;
    if (rc == RC_OK && mime->unsubscribe != NULL) {
        rc = unsubscribe_state_open(mime->unsubscribe, &state->unsubscribe, err);
    }
    if (rc == RC_OK && mime->dkim != NULL) {
        rc = dkim_state_open(mime->dkim, &state->dkim, err);
    }
    if (rc != RC_OK) {
        mime_state_free(state);
        return rc;
    }
    *out = state;
    return RC_OK;
}

void mime_state_release(struct mime_state *state)
{
    struct buf *bufs[] = {&state->text, &state->clean, &state->code,   &state->name,
                          &state->head, &state->body,  &state->message};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) {
        buf_release(bufs[i]);
    }
    free(state->fields);
    unsubscribe_state_free(state->unsubscribe);
    dkim_state_free(state->dkim);
}

void mime_state_free(struct mime_state *state)
{
    if (state != NULL) {
        mime_state_release(state);
        free(state);
    }
}

/* --- headers --- */

/* RFC 5322 3.3, in UTC. Always the same for the same second; kept for the next message. */
static const char *date_text(struct mime_state *state, int64_t date_s)
{
    static const char *const weekdays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    assert(date_s >= 0 && date_s <= DATE_S_MAX);
    if (state->date_s != date_s) {
        int32_t days = (int32_t)(date_s / SECONDS_A_DAY);
        int second = (int)(date_s % SECONDS_A_DAY);
        char date[DATE_TEXT_BYTES]; /* YYYY-MM-DD */
        date_format(days, date);
        int month = (date[5] - '0') * 10 + date[6] - '1';
        (void)snprintf(state->date_text, sizeof state->date_text,
                       "%s, %.2s %s %.4s %02d:%02d:%02d +0000",
                       weekdays[(days + FIRST_WEEKDAY) % 7], date + 8, months[month % 12], date,
                       second / 3600, second / 60 % 60, second % 60);
        state->date_s = date_s;
    }
    return state->date_text;
}

static enum rc render_piece(const struct mime *mime, struct mime_state *state,
                            enum mime_piece_kind kind, struct err *err)
{
    buf_clear(&state->text);
    size_t count = mime->column_count + mime->has_unsubscribe_column;
    return template_render(mime->piece[kind].compiled, state->fields, count, &state->text, err);
}

static enum rc put_senders(const struct mime *mime, struct mime_state *state, bool *needs_smtputf8,
                           struct err *err)
{
    static const struct {
        enum mime_piece_kind kind;
        const char *header;
    } senders[] = {{PIECE_FROM, "From"}, {PIECE_REPLY_TO, "Reply-To"}};
    struct mailbox_address address[2] = {mime->from, mime->reply_to};
    for (size_t i = 0; i < 2; i++) {
        const struct mime_piece *piece = &mime->piece[senders[i].kind];
        enum rc rc = RC_OK;
        if (piece->compiled == NULL) {
            continue;
        }
        if (piece->is_fixed) {
            buf_add_slice(&state->head, buf_slice(&piece->ready));
        } else {
            rc = render_piece(mime, state, senders[i].kind, err);
            bool is_absent = i > 0 && state->text.len == 0;
            if (rc == RC_OK && !is_absent) {
                rc = mime_put_mailbox(&state->head, senders[i].header, buf_slice(&state->text),
                                      &state->name, &address[i], err);
            }
        }
        if (rc != RC_OK) {
            return rc;
        }
        *needs_smtputf8 = *needs_smtputf8 || address[i].needs_smtputf8;
    }
    state->sender = mime->has_sender ? mime->sender : address[0];
    *needs_smtputf8 = *needs_smtputf8 || state->sender.needs_smtputf8;
    return RC_OK;
}

static enum rc put_subject(const struct mime *mime, struct mime_state *state, uint32_t proof,
                           struct err *err)
{
    const struct mime_piece *piece = &mime->piece[PIECE_SUBJECT];
    if (piece->is_fixed && proof == 0) {
        buf_add_slice(&state->head, buf_slice(&piece->ready));
        return RC_OK;
    }
    enum rc rc = render_piece(mime, state, PIECE_SUBJECT, err);
    return rc == RC_OK
               ? mime_put_subject(&state->head, buf_slice(&state->text), proof, &state->name, err)
               : rc;
}

static void put_message_id(const struct mime *mime, struct mime_state *state,
                           const struct mime_recipient *recipient)
{
    char word[HEADER_WORD_BYTES_MAX];
    char proof[16] = "";
    if (recipient->proof > 0) {
        (void)snprintf(proof, sizeof proof, ".p%u", (unsigned)recipient->proof);
    }
    int len = snprintf(word, sizeof word, "<%llu%s%s", (unsigned long long)recipient->number, proof,
                       buf_text(&mime->message_id));
    assert(len > 0 && (size_t)len < sizeof word);
    struct header_line line = header_begin(&state->head, "Message-ID");
    header_word(&line, (struct slice){word, (size_t)len});
    header_end(&line);
}

static enum rc put_head(const struct mime *mime, struct mime_state *state,
                        const struct mime_recipient *recipient, bool *needs_smtputf8,
                        struct err *err)
{
    enum rc rc = put_senders(mime, state, needs_smtputf8, err);
    if (rc != RC_OK) {
        return rc;
    }
    mailbox_put(&state->head, "To", (struct slice){NULL, 0}, &state->recipient);
    rc = put_subject(mime, state, recipient->proof, err);
    if (rc != RC_OK) {
        return rc;
    }
    header_put(&state->head, "Date", date_text(state, recipient->date_s));
    put_message_id(mime, state, recipient);
    if (mime->unsubscribe != NULL) {
        unsubscribe_put(state->unsubscribe, &state->head);
    }
    buf_add_slice(&state->head, buf_slice(&mime->tail_head));
    return RC_OK;
}

/* --- body --- */

static enum rc put_piece(const struct mime *mime, struct mime_state *state,
                         enum mime_piece_kind kind, struct err *err)
{
    const struct mime_piece *piece = &mime->piece[kind];
    struct buf *head = mime->is_single ? &state->head : &state->body;
    if (piece->compiled == NULL) {
        return RC_OK;
    }
    if (piece->is_fixed && !mime->is_single) {
        buf_add_slice(&state->body, buf_slice(&piece->ready));
        return RC_OK;
    }
    enum rc rc = render_piece(mime, state, kind, err);
    if (rc == RC_OK) {
        mime_put_part(state, kind == PIECE_HTML, buf_slice(&state->text), head, &state->body);
    }
    return rc;
}

static enum rc put_body(const struct mime *mime, struct mime_state *state, struct err *err)
{
    buf_add_slice(&state->body, buf_slice(&mime->before_text));
    enum rc rc = put_piece(mime, state, PIECE_TEXT, err);
    if (rc != RC_OK) {
        return rc;
    }
    buf_add_slice(&state->body, buf_slice(&mime->before_html));
    rc = put_piece(mime, state, PIECE_HTML, err);
    if (rc != RC_OK) {
        return rc;
    }
    buf_add_slice(&state->body, buf_slice(&mime->after));
    size_t len = state->body.len;
    if (len < 2 || state->body.ptr[len - 1] != '\n') {
        buf_add(&state->body, "\r\n", 2);
    }
    return RC_OK;
}

/* --- message --- */

static enum rc begin(const struct mime *mime, struct mime_state *state, const struct slice *fields,
                     const struct mime_recipient *recipient, struct err *err)
{
    enum rc rc = mailbox_address_parse(recipient->address, &state->recipient, err);
    if (rc != RC_OK) {
        /* an address that is too long is this recipient's fault, as any other broken one */
        return rc == RC_RANGE ? RC_PERM : rc;
    }
    memcpy(state->fields, fields, mime->column_count * sizeof *fields);
    if (mime->unsubscribe != NULL) {
        rc = unsubscribe_render(mime->unsubscribe, state->unsubscribe, recipient->key, err);
        if (rc == RC_OK && mime->has_unsubscribe_column) {
            state->fields[mime->column_count] = unsubscribe_url(state->unsubscribe);
        }
    }
    buf_clear(&state->head);
    buf_clear(&state->body);
    buf_clear(&state->message);
    return rc;
}

static enum rc assemble(const struct mime *mime, struct mime_state *state, int64_t date_s,
                        struct err *err)
{
    enum rc rc = buf_ok(&state->head, err);
    rc = rc == RC_OK ? buf_ok(&state->body, err) : rc;
    if (rc == RC_OK && mime->dkim != NULL) {
        rc = dkim_sign(mime->dkim, state->dkim, buf_slice(&state->head), buf_slice(&state->body),
                       date_s, &state->message, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    (void)buf_reserve(&state->message, state->head.len + state->body.len + 2);
    buf_add_slice(&state->message, buf_slice(&state->head));
    buf_add(&state->message, "\r\n", 2);
    buf_add_slice(&state->message, buf_slice(&state->body));
    return buf_ok(&state->message, err);
}

enum rc mime_render(const struct mime *mime, struct mime_state *state, const struct slice *fields,
                    const struct mime_recipient *recipient, struct mime_message *out,
                    struct err *err)
{
    enum rc rc = begin(mime, state, fields, recipient, err);
    bool needs_smtputf8 = state->recipient.needs_smtputf8;
    rc = rc == RC_OK ? put_head(mime, state, recipient, &needs_smtputf8, err) : rc;
    rc = rc == RC_OK ? put_body(mime, state, err) : rc;
    rc = rc == RC_OK ? assemble(mime, state, recipient->date_s, err) : rc;
    if (rc != RC_OK) {
        return rc;
    }
    *out = (struct mime_message){.bytes = buf_slice(&state->message),
                                 .sender = mailbox_address_slice(&state->sender),
                                 .recipient = mailbox_address_slice(&state->recipient),
                                 .needs_8bit = needs_smtputf8,
                                 .needs_smtputf8 = needs_smtputf8};
    return RC_OK;
}
