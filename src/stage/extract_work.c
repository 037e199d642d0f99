/*
 * extract_work - the extract worker: extraction.tmp/ with the archive, its digest and its manifest;
 * online sending.tmp/ with the list of who gets it
 */
#include "channel/recipients.h"
#include "stage/cost.h"
#include "stage/extract.h"
#include "stage/selection.h"
#include "stage/target.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum {
    EXCLUDED_ROWS_MAX = 10000 /* of a delivery whose list is kept in memory first: 3 MiB at most */
};

/* Nearly always the list is the one of the count: that of a small delivery becomes a file only
 * where it is not. A file that is made and removed again costs as much as one that stays. */
static bool keeps_in_memory(const struct extract *extract)
{
    return extract->subject.view.rows <= EXCLUDED_ROWS_MAX;
}

static enum rc open_output(struct extract *extract, int *out_dirfd, int *out_excluded,
                           struct err *err)
{
    const char *name = extract_way_of(extract->subject.order)->temporary;
    enum rc rc = fs_make_open_dir(extract->subject.dirfd, name, 0750, -1, out_dirfd, err);
    if (rc == RC_OK && keeps_in_memory(extract)) {
        return fs_open_memory(EXCLUDED_FILE, out_excluded, err);
    }
    /* Beside the archive while it is made; it takes the place of the count's list when all is done.
     */
    return rc == RC_OK ? fs_create(*out_dirfd, EXCLUDED_FILE, 0600, out_excluded, err) : rc;
}

static enum rc write_archive(struct extract *extract, struct selection *selection,
                             const struct audience_counts *counts, int out_dirfd,
                             struct stage_report *report, struct err *err)
{
    const struct subject *subject = &extract->subject;
    struct extraction_result result;
    enum rc rc = making_write(subject->order, subject->view.revision, &extract->moment, selection,
                              counts, out_dirfd, &result, err);
    if (rc == RC_OK) {
        (void)snprintf(report->archive, sizeof report->archive, "%s", result.archive);
        (void)snprintf(report->sha256, sizeof report->sha256, "%s", result.sha256);
    }
    return rc;
}

struct listing {
    const struct selection *selection;
    struct recipients_writer *writer;
    uint64_t quantity;
};

static enum rc add_recipient(void *ctx, struct slice payload, bool is_seed, struct err *err)
{
    struct listing *listing = ctx;
    uint32_t pieces = 0;
    (void)is_seed; /* a seed is a recipient like any other */
    struct slice line = selection_line(listing->selection, payload, &pieces);
    listing->quantity += pieces;
    return recipients_writer_add(listing->writer, line, err);
}

/* sending.tmp/recipients.csv: the columns that the content uses, in the order of sending. */
static enum rc write_list(const struct selection *selection, int out_dirfd, uint64_t *out_quantity,
                          struct err *err)
{
    const struct selection_reach *reach = selection->reach;
    const char *names[CONTENT_COLUMNS_MAX];
    struct listing listing = {.selection = selection};
    uint32_t total = 0;
    size_t count = 0;
    const char *const *columns = audience_columns(selection->audience, &count);
    for (size_t i = 0; i < reach->used_count; i++) {
        names[i] = columns[reach->used[i]];
    }
    enum rc rc = recipients_writer_open(out_dirfd, names, reach->used_count, &listing.writer, err);
    rc = rc == RC_OK ? audience_each(selection->audience, add_recipient, &listing, err) : rc;
    rc = rc == RC_OK ? recipients_writer_end(listing.writer, &total, err) : rc;
    recipients_writer_free(listing.writer);
    *out_quantity = listing.quantity;
    return rc;
}

/* What the count said is put right by what was extracted: suppression lists were read again. */
static enum rc write_target(struct extract *extract, const struct selection *selection,
                            const struct audience_counts *counts, uint64_t quantity, int out_dirfd,
                            struct err *err)
{
    const struct order *order = extract->subject.order;
    struct target_facts counted;
    struct cost_lines costs = COST_LINES_EMPTY;
    struct buf text = BUF_EMPTY;
    size_t column_count = 0;
    const char *const *columns = audience_columns(selection->audience, &column_count);
    enum rc rc = target_read(extract->subject.dirfd, &counted, err);
    if (rc != RC_OK) {
        return rc;
    }
    rc = cost_of_order(order, quantity, extract->moment.created_ns, &costs, err);
    if (rc == RC_OK) {
        rc =
            target_text(counts, quantity, selection->bytes, columns, column_count, counted.warnings,
                        counted.warning_count, &costs, order->currency, &text, err);
    }
    bool is_same = rc == RC_OK && slice_equal(buf_slice(&text), buf_slice(&counted.text));
    if (rc == RC_OK && !is_same) {
        rc = target_put(out_dirfd, &text, err);
        rc = rc == RC_OK
                 ? fs_move_replace(out_dirfd, TARGET_FILE, extract->subject.dirfd, TARGET_FILE, err)
                 : rc;
    }
    buf_release(&text);
    cost_lines_release(&costs);
    target_release(&counted);
    return rc;
}

/* The list that was kept in memory becomes a file beside the archive. */
static enum rc write_excluded(int excluded, int out_dirfd, struct err *err)
{
    int fd = -1;
    if (lseek(excluded, 0, SEEK_SET) != 0) {
        return err_set(err, RC_TEMP, "%s: cannot be read again", EXCLUDED_FILE);
    }
    enum rc rc = fs_create(out_dirfd, EXCLUDED_FILE, 0600, &fd, err);
    rc = rc == RC_OK ? fs_copy_fd(excluded, fd, UINT64_MAX, NULL, NULL, err) : rc;
    rc = rc == RC_OK ? fs_close(&fd, err) : rc;
    fs_drop(&fd);
    return rc;
}

/*
 * The list takes the place of the count's, unless it is the same, as it mostly is: ext4 writes a
 * file out at once when it is renamed over another (auto_da_alloc), before the group's sync.
 */
static enum rc put_excluded(const struct extract *extract, bool is_taken_over, int *excluded,
                            int out_dirfd, struct err *err)
{
    int dirfd = extract->subject.dirfd;
    bool is_same = is_taken_over || fs_same_as(*excluded, dirfd, EXCLUDED_FILE);
    enum rc rc = RC_OK;
    if (!keeps_in_memory(extract)) {
        rc = fs_close(excluded, err);
        if (rc == RC_OK && is_same) {
            return fs_remove(out_dirfd, EXCLUDED_FILE, err);
        }
    } else if (!is_same) {
        rc = write_excluded(*excluded, out_dirfd, err);
    }
    return rc == RC_OK && !is_same
               ? fs_move_replace(out_dirfd, EXCLUDED_FILE, dirfd, EXCLUDED_FILE, err)
               : rc;
}

/* What the count kept, opened; -1: nothing, or no list of its excluded ones beside it */
struct kept {
    int fd;
    int excluded_fd;
};

/* Of the job before, in this worker: what a million rows held takes ten milliseconds to give back,
 * and its report need not wait for that. The last one's is given back by the worker's end. */
static struct selection held;
static struct kept held_kept = {-1, -1};

/*
 * What the count kept is for one extraction: it leaves its place before it is read. Whatever comes
 * of this one, the next reads the recipients themselves.
 */
static struct kept take_kept(const struct extract *extract)
{
    struct kept kept = {-1, -1};
    int dirfd = extract->subject.dirfd;
    enum rc rc = extract->subject.order->channel == HOUSE_MAIL
                     ? fs_open_regular(dirfd, KEPT_FILE, &kept.fd, NULL)
                     : RC_GONE;
    rc = rc == RC_OK ? fs_remove(dirfd, KEPT_FILE, NULL) : rc;
    rc = rc == RC_OK ? fs_open_regular(dirfd, EXCLUDED_FILE, &kept.excluded_fd, NULL) : rc;
    if (rc != RC_OK) {
        fs_drop(&kept.fd);
    }
    return kept;
}

static enum rc extract_all(struct extract *extract, struct stage_report *report,
                           struct progress_cell *cell, struct err *err)
{
    int out_dirfd = -1;
    int excluded = -1;
    struct selection selection = {.arena = ARENA_EMPTY};
    struct audience_counts counts = {0};
    struct kept kept = take_kept(extract);
    selection_close(&held);
    fs_drop(&held_kept.fd);
    fs_drop(&held_kept.excluded_fd);
    atomic_store(&cell->of, extract->subject.view.records + extract->subject.view.seeds);
    enum rc rc = open_output(extract, &out_dirfd, &excluded, err);
    if (rc == RC_OK) {
        struct selection_wants wants = {.dirfd = extract->subject.dirfd,
                                        .house = extract->env->house,
                                        .lists = &extract->env->lists,
                                        .revision = extract->subject.view.revision,
                                        .keeping = kept.fd >= 0 ? SELECTION_TAKES_OVER
                                                                : SELECTION_KEEPS_NOTHING,
                                        .kept_fd = kept.fd,
                                        .excluded_fd = kept.excluded_fd,
                                        .created_ns = extract->moment.created_ns,
                                        .spill_fd = out_dirfd,
                                        .cell = cell};
        rc = selection_open(extract->subject.order, &wants, &selection, err);
    }
    rc = rc == RC_OK ? audience_run(selection.audience, excluded, &counts, err) : rc;
    report->rows = counts.rows;
    report->records = counts.records;
    report->seeds = counts.seeds;
    report->quantity = counts.records + counts.seeds;
    if (rc == RC_OK) {
        rc = selection.extraction != NULL
                 ? write_archive(extract, &selection, &counts, out_dirfd, report, err)
                 : write_list(&selection, out_dirfd, &report->quantity, err);
    }
    bool is_taken_over = rc == RC_OK && audience_is_taken_over(selection.audience);
    rc = rc == RC_OK ? put_excluded(extract, is_taken_over, &excluded, out_dirfd, err) : rc;
    rc = rc == RC_OK ? write_target(extract, &selection, &counts, report->quantity, out_dirfd, err)
                     : rc;
    held = selection;
    held_kept = kept;
    fs_drop(&excluded);
    fs_drop(&out_dirfd);
    return rc;
}

void extract_work(struct extract *extract, struct stage_report *report, struct progress_cell *cell)
{
    struct err err = {{0}};
    enum rc rc = extract_all(extract, report, cell, &err);
    (void)snprintf(report->text, sizeof report->text, "%s", err.text);
    switch (rc) {
    case RC_OK:
        report->outcome = REPORT_DONE;
        report->has_facts = 1;
        break;
    case RC_PERM:
    case RC_RANGE:
    case RC_CORRUPT:
    case RC_GONE:
        report->outcome = REPORT_PREPARATION_ERROR;
        break;
    default:
        report->outcome = REPORT_TEMP;
        break;
    }
    if (rc != RC_OK) {
        /* What was begun is not kept; the daemon removes it too, should this fail. */
        (void)!fs_remove_tree(extract->subject.dirfd,
                              extract_way_of(extract->subject.order)->temporary, &err);
    }
}
