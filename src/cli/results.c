/*
 * results - progress beside the list of recipients
 */
#include "cli/results.h"

#include "audience/csv.h"
#include "base/instant.h"
#include "channel/recipients.h"
#include "sys/fs.h"

enum { PIECE_BYTES = 64 * 1024 };

static const char HEADER[] = "key,reference,verdict,code,time\n";

/* An intent that nobody is at work on has lost its result. */
static enum progress_state shown_state(const struct progress_entry *entry, bool is_sending)
{
    return entry->state == PROGRESS_INTENDED && !is_sending ? PROGRESS_UNCERTAIN
                                                            : (enum progress_state)entry->state;
}

enum rc results_count(int dirfd, bool is_sending, struct results_counts *out, struct err *err)
{
    struct progress_table table = PROGRESS_TABLE_EMPTY;
    *out = (struct results_counts){0};
    enum rc rc = progress_table_load(dirfd, &table, err);
    if (rc != RC_OK) {
        return rc;
    }
    const uint32_t *counts = table.counts;
    out->of = table.total;
    out->sent = progress_table_sent(&table);
    out->delivered = counts[PROGRESS_DELIVERED];
    out->undelivered = counts[PROGRESS_UNDELIVERED];
    out->failed = counts[PROGRESS_PERMANENT];
    out->uncertain = (uint64_t)counts[PROGRESS_UNCERTAIN] + counts[PROGRESS_HELD] +
                     (is_sending ? 0 : counts[PROGRESS_INTENDED]);
    out->expired = counts[PROGRESS_EXPIRED];
    out->suppressed = counts[PROGRESS_SUPPRESSED];
    out->retrying = counts[PROGRESS_TEMPORARY];
    out->done =
        out->of - counts[PROGRESS_UNSENT] - counts[PROGRESS_TEMPORARY] - counts[PROGRESS_INTENDED];
    progress_table_release(&table);
    return RC_OK;
}

static void add_row(const struct recipient *recipient, const char *id,
                    const struct progress_entry *entry, bool is_sending, struct buf *out)
{
    char when[INSTANT_TEXT_BYTES];
    csv_put_field(out, recipient->key, ',');
    buf_add_format(out, ",%s-%u,%s,", id, recipient->number,
                   progress_state_name(shown_state(entry, is_sending)));
    if (entry->code != 0) {
        buf_add_format(out, "%u", entry->code);
    }
    buf_add_byte(out, ',');
    if (entry->at_s != 0) {
        buf_add_text(out, instant_format_seconds((int64_t)entry->at_s * NS_PER_SECOND, when));
    }
    buf_add_byte(out, '\n');
}

struct printing {
    const char *id;
    bool is_sending;
    enum rc (*take)(void *ctx, struct slice text, struct err *err);
    void *ctx;
    struct buf text;
};

static enum rc give(struct printing *printing, struct err *err)
{
    enum rc rc = buf_ok(&printing->text, err);
    rc = rc == RC_OK ? printing->take(printing->ctx, buf_slice(&printing->text), err) : rc;
    buf_clear(&printing->text);
    return rc;
}

static enum rc print_rows(struct printing *printing, struct recipients *list,
                          const struct progress_table *table, struct err *err)
{
    static const struct progress_entry nothing = {0};
    uint32_t total = recipients_total(list);
    enum rc rc = table->entries != NULL && table->total != total
                     ? err_set(err, RC_CORRUPT,
                               "progress is about %u recipients, the list has %u; restore the one "
                               "that was changed",
                               table->total, total)
                     : RC_OK;
    for (uint32_t n = 1; rc == RC_OK && n <= total; n++) {
        struct recipient recipient;
        rc = recipients_read(list, n, &recipient, err);
        if (rc == RC_OK) {
            add_row(&recipient, printing->id,
                    table->entries == NULL ? &nothing : &table->entries[n - 1],
                    printing->is_sending, &printing->text);
        }
        if (rc == RC_OK && printing->text.len >= PIECE_BYTES) {
            rc = give(printing, err);
        }
    }
    return rc;
}

enum rc results_print(int dirfd, const char *id, bool is_sending,
                      enum rc (*take)(void *ctx, struct slice text, struct err *err), void *ctx,
                      struct err *err)
{
    struct printing printing = {id, is_sending, take, ctx, BUF_EMPTY};
    struct progress_table table = PROGRESS_TABLE_EMPTY;
    struct recipients *list = NULL;
    int fd = -1;
    buf_add_text(&printing.text, HEADER);
    /* The list is opened first: it stands before the first record of progress. */
    enum rc rc = fs_open_regular(dirfd, RECIPIENTS_PATH, &fd, err);
    bool has_begun = rc != RC_GONE;
    rc = has_begun ? rc : RC_OK;
    if (rc == RC_OK && has_begun) {
        rc = recipients_open(fd, &list, err);
    }
    if (rc == RC_OK && has_begun) {
        rc = progress_table_load(dirfd, &table, err);
        rc = rc == RC_GONE ? RC_OK : rc;
    }
    if (rc == RC_OK && has_begun) {
        rc = print_rows(&printing, list, &table, err);
    }
    rc = rc == RC_OK ? give(&printing, err) : rc;
    recipients_free(list);
    progress_table_release(&table);
    buf_release(&printing.text);
    fs_drop(&fd);
    return rc;
}
