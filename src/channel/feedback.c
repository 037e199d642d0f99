/*
 * feedback - a CSV of bounces, complaints, unsubscriptions and receipts, whole or not at all
 */
#include "channel/feedback.h"

#include "audience/csv_cursor.h"
#include "base/name.h"
#include "base/number.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *const STATUSES[] = {"bounced", "complained", "unsubscribed", "delivered", NULL};

/* Columns of the file; all but status may be missing. */
struct columns {
    size_t key, address, status, reason, delivery, reference;
};

struct reading {
    const char *name;
    struct csv_cursor *cursor;
    struct columns columns;
    struct feedback *out;
    struct buf rows; /* of struct feedback_row */
};

const char *feedback_status_name(enum feedback_status status)
{
    return status < FEEDBACK_STATUSES ? STATUSES[status] : "?";
}

bool feedback_quarantines(enum feedback_status status)
{
    return status != FEEDBACK_DELIVERED;
}

static enum rc find_columns(struct reading *r, struct err *err)
{
    struct columns *c = &r->columns;
    c->key = csv_cursor_column(r->cursor, "key");
    c->address = csv_cursor_column(r->cursor, "address");
    c->reason = csv_cursor_column(r->cursor, "reason");
    c->delivery = csv_cursor_column(r->cursor, "delivery");
    c->reference = csv_cursor_column(r->cursor, "reference");
    if (c->key == CSV_NO_COLUMN && c->address == CSV_NO_COLUMN && c->reference == CSV_NO_COLUMN) {
        return err_set(err, RC_PERM,
                       "%s:1: neither a column \"key\" nor \"address\"; add one that says who",
                       r->name);
    }
    return csv_cursor_want(r->cursor, "status", &c->status, err);
}

static struct slice field(const struct csv_record *record, size_t column)
{
    return column == CSV_NO_COLUMN ? (struct slice){"", 0} : record->fields[column];
}

static bool read_status(struct slice text, enum feedback_status *out)
{
    for (int i = 0; i < FEEDBACK_STATUSES; i++) {
        if (slice_equal_text(text, STATUSES[i])) {
            *out = (enum feedback_status)i;
            return true;
        }
    }
    return false;
}

static bool has_control(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < ' ' || c == 0x7f) {
            return true;
        }
    }
    return false;
}

/* "spring-email-17": the id, and the number of the recipient */
static bool read_reference(struct slice text, struct slice *out_id, uint32_t *out_number)
{
    uint64_t number = 0;
    size_t dash = text.len;
    while (dash > 0 && text.ptr[dash - 1] != '-') {
        dash--;
    }
    if (dash == 0 || dash == text.len || text.ptr[dash] == '0' ||
        number_parse_u64((struct slice){text.ptr + dash, text.len - dash}, UINT32_MAX, &number) !=
            RC_OK) {
        return false;
    }
    *out_id = (struct slice){text.ptr, dash - 1};
    *out_number = (uint32_t)number;
    return id_is_valid(*out_id);
}

/* NULL, or what is wrong with a row and the mend */
static const char *fault_of(const struct reading *r, const struct csv_record *record,
                            enum feedback_status *out_status)
{
    struct slice key = field(record, r->columns.key);
    struct slice address = field(record, r->columns.address);
    struct slice delivery = field(record, r->columns.delivery);
    struct slice reference = field(record, r->columns.reference);
    struct slice id = {NULL, 0};
    uint32_t number = 0;
    if (!read_status(field(record, r->columns.status), out_status)) {
        return "status is not bounced, complained, unsubscribed or delivered; write one of these";
    }
    if (key.len == 0 && address.len == 0 &&
        (feedback_quarantines(*out_status) || reference.len == 0)) {
        return "neither key nor address; say who";
    }
    bool is_referred = *out_status == FEEDBACK_DELIVERED && reference.len > 0;
    if (is_referred && !read_reference(reference, &id, &number)) {
        return "reference is no id and number like spring-17; correct it, or leave it empty";
    }
    if (is_referred && delivery.len > 0 && !slice_equal(delivery, id)) {
        return "delivery and reference speak of two deliveries; correct one of them";
    }
    if (key.len > FEEDBACK_ADDRESS_BYTES_MAX || address.len > FEEDBACK_ADDRESS_BYTES_MAX ||
        has_control(key) || has_control(address)) {
        return "a key or address that is none; correct it";
    }
    if (delivery.len > 0 && !id_is_valid(delivery)) {
        return "delivery is no id; correct it, or leave it empty";
    }
    return NULL;
}

static enum rc check_limits(const struct reading *r, struct err *err)
{
    const struct feedback *out = r->out;
    if (out->count >= FEEDBACK_ROWS_MAX || out->arena.used_bytes > FEEDBACK_MEMORY_BYTES_MAX) {
        return err_set(err, RC_RANGE, "%s: more than %d rows or %d MiB; drop it in parts", r->name,
                       FEEDBACK_ROWS_MAX, FEEDBACK_MEMORY_BYTES_MAX >> 20);
    }
    return RC_OK;
}

static struct slice cut_reason(struct slice reason)
{
    size_t len = reason.len > FEEDBACK_REASON_BYTES_MAX ? FEEDBACK_REASON_BYTES_MAX : reason.len;
    while (len < reason.len && len > 0 && ((unsigned char)reason.ptr[len] & 0xC0) == 0x80) {
        len--; /* not inside a character */
    }
    return (struct slice){reason.ptr, len};
}

static enum rc take_row(struct reading *r, const struct csv_record *record, struct err *err)
{
    struct feedback *out = r->out;
    enum feedback_status status = FEEDBACK_BOUNCED;
    const char *fault =
        record->fault != CSV_SOUND ? csv_fault_text(record->fault) : fault_of(r, record, &status);
    if (fault != NULL) {
        return err_set(err, RC_PERM, "%s:%" PRIu64 ": %s", r->name, record->line, fault);
    }
    enum rc rc = check_limits(r, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct arena *arena = &out->arena;
    struct slice delivery = field(record, r->columns.delivery);
    uint32_t number = 0;
    if (status == FEEDBACK_DELIVERED) {
        (void)read_reference(field(record, r->columns.reference), &delivery, &number);
    }
    struct feedback_row row = {
        .line = record->line,
        .key = arena_text(arena, field(record, r->columns.key)),
        .address = arena_text(arena, field(record, r->columns.address)),
        .reason = arena_text(arena, cut_reason(field(record, r->columns.reason))),
        .delivery = arena_text(arena, delivery),
        .number = number,
        .status = status,
    };
    if (row.key == NULL || row.address == NULL || row.reason == NULL || row.delivery == NULL) {
        return err_set(err, RC_NOMEM, "%s: no memory", r->name);
    }
    buf_add(&r->rows, &row, sizeof row);
    out->count++;
    out->counts[status]++;
    return buf_ok(&r->rows, err);
}

static enum rc read_rows(struct reading *r, struct err *err)
{
    struct csv_record record;
    enum rc rc = find_columns(r, err);
    while (rc == RC_OK) {
        rc = csv_cursor_next(r->cursor, &record, err);
        rc = rc == RC_OK ? take_row(r, &record, err) : rc;
    }
    return rc == RC_GONE ? RC_OK : rc;
}

enum rc feedback_read(int fd, const char *name, struct feedback *out, struct err *err)
{
    struct reading r = {.name = name, .out = out, .rows = BUF_EMPTY};
    struct stat status;
    *out = FEEDBACK_EMPTY;
    if (fstat(fd, &status) == 0 && status.st_size > FEEDBACK_BYTES_MAX) {
        return err_set(err, RC_RANGE, "%s: larger than %d MiB; drop it in parts", name,
                       FEEDBACK_BYTES_MAX >> 20);
    }
    enum rc rc = csv_cursor_open(fd, name, ',', &r.cursor, err);
    rc = rc == RC_OK ? read_rows(&r, err) : rc;
    csv_cursor_free(r.cursor);
    out->rows = (struct feedback_row *)(void *)buf_take(&r.rows);
    if (rc != RC_OK) {
        feedback_release(out);
    }
    return rc;
}

void feedback_release(struct feedback *feedback)
{
    arena_release(&feedback->arena);
    free(feedback->rows);
    *feedback = FEEDBACK_EMPTY;
}
