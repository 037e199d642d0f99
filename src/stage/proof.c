/*
 * proof - a trial of an online delivery's message
 */
#include "stage/proof.h"

#include "channel/mailbox.h"
#include "channel/recipients.h"
#include "channel/sms_text.h"
#include "delivery/progress.h"
#include "spool/tree.h"
#include "stage/selection.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PROOFS_DIR "proofs"
#define LIST_DIR "sending" /* as of the delivery itself: RECIPIENTS_PATH */
#define TEMPORARY_DIR "sending.tmp"

enum { PATH_BYTES = 64 };

/* --- places --- */

uint32_t proof_due(const struct subject *subject)
{
    const struct view_proof *proof = view_proof_due(&subject->view);
    return proof == NULL || proof->number > UINT32_MAX ? 0 : (uint32_t)proof->number;
}

bool proof_is_fixed(const struct subject *subject, uint32_t number)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, PROOFS_DIR "/%" PRIu32 "/" LIST_DIR, number);
    return fs_exists(subject->dirfd, path);
}

enum rc proof_open_dir(int dirfd, uint32_t number, int *out_fd, struct err *err)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, PROOFS_DIR "/%" PRIu32, number);
    return fs_open_dir(dirfd, path, out_fd, err);
}

void proof_check(const struct order *order, struct place at, struct problems *problems)
{
    const struct order_step *step = &order->steps[ORDER_STEP_PROOF];
    for (size_t i = 0; step->is_on && i < step->proof_target.count; i++) {
        struct slice text = slice_of(step->proof_target.items[i]);
        struct mailbox_address address;
        struct slice digits;
        struct err err = {{0}};
        enum rc rc = RC_OK;
        if (order->channel == HOUSE_EMAIL) {
            rc = mailbox_address_parse(text, &address, &err);
        } else if (order->channel == HOUSE_SMS) {
            rc = sms_number(text, &digits, &err);
        }
        if (rc != RC_OK) {
            problems_add(problems, at, "proof: address %zu of target is none: %s; correct it",
                         i + 1, err.text);
        }
    }
}

/* --- begin --- */

static enum rc make_dirs(struct proof *proof, struct err *err)
{
    char path[PATH_BYTES];
    int dirfd = proof->subject.dirfd;
    int64_t gid = proof->env->group_gid;
    (void)snprintf(path, sizeof path, PROOFS_DIR "/%" PRIu32, proof->number);
    enum rc rc = fs_make_dir(dirfd, PROOFS_DIR, 0750, gid, err);
    rc = rc == RC_OK || rc == RC_EXISTS ? fs_make_dir(dirfd, path, 0750, gid, err) : rc;
    rc = rc == RC_EXISTS ? RC_OK : rc;
    rc = rc == RC_OK ? fs_open_dir(dirfd, path, &proof->dirfd, err) : rc;
    rc = rc == RC_OK ? fs_remove_tree(proof->dirfd, TEMPORARY_DIR, err) : rc; /* T1 */
    return rc == RC_GONE ? RC_OK : rc;
}

enum rc proof_begin(const struct stage_env *env, const char *id, struct proof **out,
                    struct err *err)
{
    struct proof *proof = calloc(1, sizeof *proof);
    if (proof == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a proof");
    }
    *proof = (struct proof){.env = env, .subject = SUBJECT_NONE, .dirfd = -1};
    enum rc rc = subject_open_next(env, id, &proof->subject, err);
    proof->number = rc == RC_OK ? proof_due(&proof->subject) : 0;
    if (rc == RC_OK && (proof->number == 0 || proof_is_fixed(&proof->subject, proof->number))) {
        rc = err_set(err, RC_STATE, "%s has no proof to begin", id);
    }
    rc = rc == RC_OK ? make_dirs(proof, err) : rc;
    if (rc != RC_OK) {
        proof_release(proof);
        return rc;
    }
    *out = proof;
    return RC_OK;
}

void proof_release(struct proof *proof)
{
    if (proof != NULL) {
        subject_close(&proof->subject);
        fs_drop(&proof->dirfd);
        free(proof);
    }
}

/* --- work --- */

/* The first of those selected, and of the control addresses, should there be nobody else. */
struct sample {
    const struct selection *selection;
    size_t columns;
    size_t wanted;
    struct arena arena;
    struct slice *rows[2]; /* recipients, control addresses: columns + 2 fields each */
    size_t counts[2];
};

static enum rc keep_row(void *ctx, struct slice payload, bool is_seed, struct err *err)
{
    struct sample *sample = ctx;
    size_t *count = &sample->counts[is_seed];
    if (*count == sample->wanted) {
        return RC_OK;
    }
    uint32_t pieces = 0;
    payload = selection_line(sample->selection, payload, &pieces);
    enum rc rc = recipients_line_read(payload, sample->columns, &sample->arena,
                                      sample->rows[is_seed] + *count * (sample->columns + 2), err);
    *count += rc == RC_OK;
    return rc == RC_OK && sample->counts[0] == sample->wanted ? RC_STATE : rc; /* enough */
}

static enum rc take_sample(const struct selection *selection, struct sample *sample,
                           struct err *err)
{
    struct err own = {{0}};
    sample->selection = selection;
    sample->columns = selection->reach->used_count;
    for (int i = 0; i < 2; i++) {
        sample->rows[i] = arena_array(&sample->arena, sample->wanted * (sample->columns + 2),
                                      sizeof *sample->rows[i]);
        if (sample->rows[i] == NULL) {
            return err_set(err, RC_NOMEM, "no memory for the rows of a proof");
        }
    }
    enum rc rc = audience_each(selection->audience, keep_row, sample, &own);
    if (rc == RC_STATE && sample->counts[0] == sample->wanted) {
        rc = RC_OK;
    }
    if (rc != RC_OK) {
        return err_set(err, rc, "%s", own.text);
    }
    return sample->counts[0] + sample->counts[1] > 0
               ? RC_OK
               : err_set(err, RC_PERM, "nobody is selected: there are no values to fill it with");
}

/*
 * Row i has the values of recipient i, from the first again where there are fewer. Key and address
 * are the proof's own: what somebody clicks on in it is no recipient's.
 */
static enum rc put_row(const struct proof *proof, const struct selection *selection,
                       const struct sample *sample, size_t i, struct recipients_writer *writer,
                       struct err *err)
{
    const struct selection_reach *reach = selection->reach;
    bool is_seed = sample->counts[0] == 0;
    size_t row = i % sample->counts[is_seed];
    struct slice *fields = sample->rows[is_seed] + row * (sample->columns + 2) + 2;
    struct slice values[CONTENT_COLUMNS_MAX];
    struct slice address =
        slice_of(proof->subject.order->steps[ORDER_STEP_PROOF].proof_target.items[i]);
    char key[PATH_BYTES];
    struct buf line = BUF_EMPTY;
    (void)snprintf(key, sizeof key, "proof-%" PRIu32 "-%zu", proof->number, i + 1);
    for (size_t n = 0; n < reach->used_count; n++) {
        values[n] = reach->used[n] == reach->address ? address : fields[n];
    }
    recipients_line(slice_of(key), address, values, reach->used_count, &line);
    enum rc rc = buf_ok(&line, err);
    rc = rc == RC_OK ? recipients_writer_add(writer, buf_slice(&line), err) : rc;
    buf_release(&line);
    return rc;
}

static enum rc write_list(const struct proof *proof, const struct selection *selection,
                          const struct sample *sample, int out_dirfd, struct err *err)
{
    const char *names[CONTENT_COLUMNS_MAX];
    struct recipients_writer *writer = NULL;
    uint32_t total = 0;
    size_t count = 0;
    const char *const *columns = audience_columns(selection->audience, &count);
    for (size_t i = 0; i < selection->reach->used_count; i++) {
        names[i] = columns[selection->reach->used[i]];
    }
    enum rc rc =
        recipients_writer_open(out_dirfd, names, selection->reach->used_count, &writer, err);
    for (size_t i = 0; rc == RC_OK && i < sample->wanted; i++) {
        rc = put_row(proof, selection, sample, i, writer, err);
    }
    rc = rc == RC_OK ? recipients_writer_end(writer, &total, err) : rc;
    recipients_writer_free(writer);
    return rc;
}

static enum rc make_list(const struct proof *proof, struct progress_cell *cell, struct err *err)
{
    const struct order *order = proof->subject.order;
    struct selection selection = {.arena = ARENA_EMPTY};
    struct audience_counts counts;
    struct sample sample = {.wanted = order->steps[ORDER_STEP_PROOF].proof_target.count,
                            .arena = ARENA_EMPTY};
    int out_dirfd = -1;
    enum rc rc = fs_make_dir(proof->dirfd, TEMPORARY_DIR, 0750, -1, err);
    rc = rc == RC_OK ? fs_open_dir(proof->dirfd, TEMPORARY_DIR, &out_dirfd, err) : rc;
    if (rc == RC_OK) {
        struct selection_wants wants = {.dirfd = proof->subject.dirfd,
                                        .house = proof->env->house,
                                        .lists = &proof->env->lists,
                                        .revision = proof->subject.view.revision,
                                        .created_ns = clock_now_ns(),
                                        .spill_fd = out_dirfd,
                                        .cell = cell};
        rc = selection_open(order, &wants, &selection, err);
    }
    rc = rc == RC_OK ? audience_run(selection.audience, -1, &counts, err) : rc;
    rc = rc == RC_OK ? take_sample(&selection, &sample, err) : rc;
    rc = rc == RC_OK ? write_list(proof, &selection, &sample, out_dirfd, err) : rc;
    selection_close(&selection);
    arena_release(&sample.arena);
    fs_drop(&out_dirfd);
    return rc;
}

void proof_work(struct proof *proof, struct stage_report *report, struct progress_cell *cell)
{
    struct err err = {{0}};
    enum rc rc = make_list(proof, cell, &err);
    bool is_rows_fault = rc == RC_PERM || rc == RC_RANGE || rc == RC_CORRUPT || rc == RC_GONE;
    (void)snprintf(report->text, sizeof report->text, "%s", err.text);
    report->outcome = rc == RC_OK     ? REPORT_DONE
                      : is_rows_fault ? REPORT_PREPARATION_ERROR
                                      : REPORT_TEMP;
}

/* --- what became of it --- */

static enum rc say(struct subject *subject, enum delivery_event event, uint32_t number,
                   const uint32_t *counts, const char *reason, int64_t now_ns, struct err *err)
{
    enum delivery_state next = STATE_NONE;
    enum rc rc = subject_next(subject, event, &next, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct journal_writer writer = JOURNAL_WRITER_EMPTY;
    journal_begin(&writer, now_ns, event_name(event), JOURNAL_DAEMON);
    journal_put_text(&writer, "step", step_name(STEP_PROOF));
    journal_put_u64(&writer, "proof", number);
    if (counts != NULL) {
        journal_put_u64(&writer, "sent", counts[PROGRESS_SENT]);
        journal_put_u64(&writer, "failed",
                        (uint64_t)counts[PROGRESS_PERMANENT] + counts[PROGRESS_EXPIRED]);
        journal_put_u64(&writer, "uncertain",
                        (uint64_t)counts[PROGRESS_UNCERTAIN] + counts[PROGRESS_HELD]);
    } else {
        journal_put_text(&writer, "reason", reason);
    }
    rc = journal_end(&writer, err);
    if (rc != RC_OK) {
        journal_writer_release(&writer);
        return rc;
    }
    log_event(LOG_LEVEL_INFO, event_name(event), subject->id, "proof=%" PRIu32, number);
    return subject_say(subject, &writer, err);
}

/* The delivery may have gone on meanwhile: then nobody waits for the proof any more. */
static enum rc say_failed(struct subject *subject, uint32_t number, const char *reason,
                          int64_t now_ns, struct err *err)
{
    return proof_due(subject) == number
               ? say(subject, EVENT_PROOF_FAILED, number, NULL, reason, now_ns, err)
               : RC_OK;
}

enum rc proof_fix(struct proof *proof, const struct stage_report *report, int64_t now_ns,
                  struct err *err)
{
    struct subject *subject = &proof->subject;
    if (report->outcome == REPORT_PREPARATION_ERROR) {
        enum rc rc = subject_reload(subject, err);
        rc = rc == RC_OK ? say_failed(subject, proof->number, report->text, now_ns, err) : rc;
        return rc == RC_OK ? err_set(err, RC_PERM, "%s", report->text) : rc;
    }
    if (report->outcome != REPORT_DONE) {
        return err_set(err, RC_TEMP, "%s", report->text);
    }
    enum rc rc = spool_sync(proof->env->spool, err);
    return rc == RC_OK ? fs_move_durable(proof->dirfd, TEMPORARY_DIR, proof->dirfd, LIST_DIR, err)
                       : rc;
}

enum rc proof_settle(struct subject *subject, uint32_t number, const struct stage_report *report,
                     int64_t now_ns, bool *out_is_over, struct err *err)
{
    struct progress_table table = PROGRESS_TABLE_EMPTY;
    int dirfd = -1;
    *out_is_over = proof_due(subject) != number;
    if (*out_is_over) {
        return RC_OK;
    }
    if (report->outcome == REPORT_PREPARATION_ERROR) {
        *out_is_over = true;
        return say_failed(subject, number, report->text, now_ns, err);
    }
    enum rc rc = proof_open_dir(subject->dirfd, number, &dirfd, err);
    rc = rc == RC_OK ? progress_table_load(dirfd, &table, err) : rc;
    if (rc == RC_OK) {
        const uint32_t *counts = table.counts;
        *out_is_over = table.total > 0 && counts[PROGRESS_UNSENT] + counts[PROGRESS_TEMPORARY] +
                                                  counts[PROGRESS_INTENDED] +
                                                  counts[PROGRESS_UNCERTAIN] ==
                                              0;
        rc = *out_is_over ? say(subject, EVENT_PROOF_SENT, number, counts, NULL, now_ns, err) : rc;
    }
    progress_table_release(&table);
    fs_drop(&dirfd);
    return rc == RC_GONE ? RC_OK : rc; /* nobody was tried yet */
}
