/*
 * view - the fold of a journal
 */
#include "delivery/view.h"

#include "base/number.h"
#include "sys/fs.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

struct fold {
    struct view *view;
    size_t round_cap;
    size_t file_cap;
    size_t proof_cap;
    size_t answer_cap[STEP_COUNT];
};

/* What a decision's line says; VERB_COUNT: the event is no decision. */
struct decision_event {
    enum delivery_event event;
    enum verb verb;
    enum step step; /* where the line names none; STEP_COUNT: it must */
};

static const struct decision_event DECISIONS[] = {
    {EVENT_APPROVED, VERB_APPROVE, STEP_COUNT},
    {EVENT_REJECTED, VERB_REJECT, STEP_COUNT},
    {EVENT_WITHDRAWN, VERB_WITHDRAW, STEP_COUNT},
    {EVENT_RESET, VERB_RESET, STEP_CONTENT},
    {EVENT_RESTARTED, VERB_RESTART, STEP_EXTRACTION},
    {EVENT_CONFIRMED, VERB_CONFIRM, STEP_DELIVERY},
    {EVENT_HELD, VERB_HOLD, STEP_DELIVERY},
    {EVENT_RELEASED, VERB_RELEASE, STEP_DELIVERY},
    {EVENT_STOPPED, VERB_STOP, STEP_DELIVERY},
    {EVENT_PAUSED, VERB_PAUSE, STEP_DELIVERY},
    {EVENT_RESUMED, VERB_RESUME, STEP_DELIVERY},
    {EVENT_PROOF_WANTED, VERB_SEND, STEP_PROOF},
    {EVENT_PROOF_SENT, VERB_SEND, STEP_PROOF},
    {EVENT_PROOF_SUBMITTED, VERB_SUBMIT, STEP_PROOF},
};

const char *step_status_name(enum step_status status)
{
    static const char *const names[] = {"closed", "open", "approved", "rejected"};
    assert((int)status >= 0 && status <= STEP_STATUS_REJECTED);
    return names[status];
}

static enum rc no_memory(struct err *err)
{
    return err_set(err, RC_NOMEM, "journal: no memory to read it");
}

static enum rc corrupt(const struct journal_line *line, const char *what, struct err *err)
{
    return err_set(err, RC_CORRUPT, "journal:%" PRIu64 ": %s; restore the journal", line->number,
                   what);
}

/* Room for one more of `size` bytes in an array of the arena; NULL without memory. What was
 * outgrown stays in the arena: at most as much again. */
static void *grown(struct arena *arena, void *array, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) {
        return array;
    }
    size_t want = *cap == 0 ? 4 : *cap * 2;
    void *larger = arena_array(arena, want, size);
    if (larger != NULL) {
        if (count > 0) {
            memcpy(larger, array, count * size);
        }
        *cap = want;
    }
    return larger;
}

/* --- values of a line --- */

static enum rc take_text(struct view *view, const struct journal_line *line, const char *key,
                         const char **out, struct err *err)
{
    struct slice value;
    if (!journal_value(line, key, &value)) {
        return RC_OK;
    }
    const char *text = arena_text(&view->arena, value);
    if (text == NULL) {
        return no_memory(err);
    }
    *out = text;
    return RC_OK;
}

static enum rc take_u64(const struct journal_line *line, const char *key, uint64_t *out,
                        struct err *err)
{
    struct slice value;
    if (journal_value(line, key, &value) && number_parse_u64(value, UINT64_MAX, out) != RC_OK) {
        return corrupt(line, "a number that is none", err);
    }
    return RC_OK;
}

static enum rc take_step(const struct journal_line *line, enum step otherwise, enum step *out,
                         struct err *err)
{
    struct slice value;
    *out = otherwise;
    if (journal_value(line, "step", &value) ? !step_from_name(value, out)
                                            : otherwise == STEP_COUNT) {
        return corrupt(line, "a step that does not exist, or none", err);
    }
    return RC_OK;
}

static enum rc take_counts(struct view *view, const struct journal_line *line, struct err *err)
{
    enum rc rc = take_u64(line, "rows", &view->rows, err);
    rc = rc == RC_OK ? take_u64(line, "records", &view->records, err) : rc;
    return rc == RC_OK ? take_u64(line, "seeds", &view->seeds, err) : rc;
}

/* --- steps --- */

static void step_refresh(struct view_step *step)
{
    const struct view_round *last =
        step->answer_count == 0 ? NULL : step->answers[step->answer_count - 1];
    step->is_open = step->status == STEP_STATUS_OPEN;
    step->decided_by = last == NULL ? "" : last->who;
    step->decided_ns = last == NULL ? INSTANT_NONE : last->at_ns;
    step->comment = last == NULL ? "" : last->comment;
}

/* Without answers, in that status */
static void step_clear(struct view_step *step, enum step_status status)
{
    step->status = status;
    step->answer_count = 0;
    step_refresh(step);
}

static void step_close(struct view_step *step)
{
    step->sha256 = "";
    step_clear(step, STEP_STATUS_CLOSED);
}

static enum rc step_add_answer(struct fold *fold, enum step which, const struct view_round *round,
                               struct err *err)
{
    struct view_step *step = &fold->view->steps[which];
    void *answers = grown(&fold->view->arena, step->answers, step->answer_count,
                          &fold->answer_cap[which], sizeof(const struct view_round *));
    if (answers == NULL) {
        return no_memory(err);
    }
    step->answers = answers;
    step->answers[step->answer_count++] = round;
    return RC_OK;
}

/* By one who answered: that answer goes; by another: all go */
static void step_withdraw(struct view_step *step, const char *who)
{
    size_t kept = 0;
    for (size_t i = 0; i < step->answer_count; i++) {
        if (strcmp(step->answers[i]->who, who) != 0) {
            step->answers[kept++] = step->answers[i];
        }
    }
    bool is_own = kept < step->answer_count;
    step->answer_count = is_own ? kept : 0;
    step->status = STEP_STATUS_OPEN;
    step_refresh(step);
}

/* --- decisions --- */

static enum rc add_round(struct fold *fold, const struct journal_line *line,
                         const struct decision_event *kind, struct view_round **out,
                         struct err *err)
{
    struct view *view = fold->view;
    struct view_round *round = arena_alloc(&view->arena, sizeof *round);
    void *rounds = grown(&view->arena, view->rounds, view->round_count, &fold->round_cap,
                         sizeof(struct view_round *));
    const char *who = arena_text(&view->arena, line->who);
    if (round == NULL || rounds == NULL || who == NULL) {
        return no_memory(err);
    }
    *round = (struct view_round){STEP_COUNT, kind->verb, who, line->at_ns, "", ""};
    enum rc rc = take_step(line, kind->step, &round->step, err);
    rc = rc == RC_OK ? take_text(view, line, "comment", &round->comment, err) : rc;
    rc = rc == RC_OK ? take_text(view, line, "note", &round->comment, err) : rc;
    rc = rc == RC_OK ? take_text(view, line, "file", &round->file, err) : rc;
    if (rc == RC_OK) {
        view->rounds = rounds;
        view->rounds[view->round_count++] = round;
        *out = round;
    }
    return rc;
}

static void hold(struct view *view, const struct view_round *round)
{
    view->is_held = round != NULL;
    view->held_by = round == NULL ? "" : round->who;
    view->held_comment = round == NULL ? "" : round->comment;
    view->held_ns = round == NULL ? INSTANT_NONE : round->at_ns;
}

static enum rc apply_round(struct fold *fold, const struct journal_line *line,
                           const struct view_round *round, struct err *err)
{
    struct view_step *step = &fold->view->steps[round->step];
    uint64_t wanted = 0;
    enum rc rc = RC_OK;
    switch (round->verb) {
    case VERB_APPROVE:
    case VERB_CONFIRM:
        rc = take_u64(line, "wanted", &wanted, err);
        rc = rc == RC_OK ? step_add_answer(fold, round->step, round, err) : rc;
        step->status = wanted > 0 ? STEP_STATUS_OPEN : STEP_STATUS_APPROVED;
        step_refresh(step);
        break;
    case VERB_REJECT:
        step_clear(step, STEP_STATUS_REJECTED);
        rc = step_add_answer(fold, round->step, round, err);
        step_refresh(step);
        break;
    case VERB_WITHDRAW:
        step_withdraw(step, round->who);
        break;
    case VERB_RESET:
        step_clear(step, STEP_STATUS_OPEN);
        break;
    case VERB_HOLD:
        hold(fold->view, round);
        break;
    case VERB_RELEASE:
        hold(fold->view, NULL);
        break;
    default:
        break; /* the state that the line carries says it all */
    }
    return rc;
}

static enum rc apply_decision(struct fold *fold, const struct journal_line *line,
                              enum delivery_event event, struct err *err)
{
    struct slice file;
    for (size_t i = 0; i < sizeof DECISIONS / sizeof DECISIONS[0]; i++) {
        if (DECISIONS[i].event != event) {
            continue;
        }
        /* The daemon itself may stop a delivery, and says what became of proofs: no decisions. */
        if (!journal_value(line, "file", &file) && slice_equal_text(line->who, JOURNAL_DAEMON)) {
            continue;
        }
        struct view_round *round = NULL;
        enum rc rc = add_round(fold, line, &DECISIONS[i], &round, err);
        return round == NULL ? rc : apply_round(fold, line, round, err);
    }
    return RC_OK;
}

/* --- proofs --- */

static enum rc add_proof(struct fold *fold, const struct journal_line *line, struct err *err)
{
    struct view *view = fold->view;
    struct slice file;
    if (!journal_value(line, "file", &file)) {
        return RC_OK; /* mail */
    }
    struct view_proof *proofs =
        grown(&view->arena, view->proofs, view->proof_count, &fold->proof_cap, sizeof *proofs);
    const char *who = arena_text(&view->arena, line->who);
    if (proofs == NULL || who == NULL) {
        return no_memory(err);
    }
    struct view_proof proof = {.number = view->proof_count + 1,
                               .revision = view->revision,
                               .who = who,
                               .note = "",
                               .asked_ns = line->at_ns,
                               .ended_ns = INSTANT_NONE,
                               .reason = ""};
    enum rc rc = take_text(view, line, "note", &proof.note, err);
    rc = rc == RC_OK ? take_u64(line, "proof", &proof.number, err) : rc;
    if (rc == RC_OK) {
        view->proofs = proofs;
        view->proofs[view->proof_count++] = proof;
    }
    return rc;
}

/* What became of the last one. */
static enum rc end_proof(struct view *view, const struct journal_line *line, struct err *err)
{
    uint64_t number = 0;
    enum rc rc = take_u64(line, "proof", &number, err);
    struct view_proof *proof = view->proof_count == 0 ? NULL : &view->proofs[view->proof_count - 1];
    if (rc != RC_OK || proof == NULL || proof->number != number) {
        return rc;
    }
    proof->ended_ns = line->at_ns;
    rc = take_u64(line, "sent", &proof->sent, err);
    rc = rc == RC_OK ? take_u64(line, "failed", &proof->failed, err) : rc;
    rc = rc == RC_OK ? take_u64(line, "uncertain", &proof->uncertain, err) : rc;
    return rc == RC_OK ? take_text(view, line, "reason", &proof->reason, err) : rc;
}

static void give_proof_up(struct view *view)
{
    struct view_proof *proof = view->proof_count == 0 ? NULL : &view->proofs[view->proof_count - 1];
    if (proof != NULL && proof->ended_ns == INSTANT_NONE) {
        proof->is_given_up = true;
    }
}

const struct view_proof *view_proof_due(const struct view *view)
{
    const struct view_proof *proof =
        view->proof_count == 0 ? NULL : &view->proofs[view->proof_count - 1];
    return proof == NULL || proof->is_given_up || proof->ended_ns != INSTANT_NONE ? NULL : proof;
}

/* --- other events --- */

static enum rc apply_taken(struct view *view, const struct journal_line *line, struct err *err)
{
    const char *dropper = arena_text(&view->arena, line->who);
    if (dropper == NULL) {
        return no_memory(err);
    }
    give_proof_up(view);
    view->dropper = dropper;
    view->drop = "";
    view->drop_sha256 = "";
    view->rows = 0;
    view->records = 0;
    view->seeds = 0;
    view->since_ns = line->at_ns;
    view->reason = "";
    enum rc rc = take_u64(line, "revision", &view->revision, err);
    rc = rc == RC_OK ? take_text(view, line, "drop", &view->drop, err) : rc;
    rc = rc == RC_OK ? take_text(view, line, "sha256", &view->drop_sha256, err) : rc;
    return rc == RC_OK ? take_counts(view, line, err) : rc;
}

static enum rc apply_opened(struct view *view, const struct journal_line *line, struct err *err)
{
    enum step which = STEP_COUNT;
    enum rc rc = take_step(line, STEP_COUNT, &which, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct view_step *step = &view->steps[which];
    step->opened_ns = line->at_ns;
    step->sha256 = "";
    step_clear(step, STEP_STATUS_OPEN);
    return take_text(view, line, "sha256", &step->sha256, err);
}

static enum rc apply_extracting(struct view *view, const struct journal_line *line, struct err *err)
{
    view->is_extracted = false;
    view->archive = "";
    view->archive_sha256 = "";
    view->cost_receipt = "";
    view->stock_receipt = "";
    return take_u64(line, "round", &view->extraction_round, err);
}

static enum rc apply_extracted(struct view *view, const struct journal_line *line, struct err *err)
{
    view->is_extracted = true;
    view->fixed_ns = line->at_ns;
    enum rc rc = take_u64(line, "round", &view->extraction_round, err);
    rc = rc == RC_OK ? take_text(view, line, "archive", &view->archive, err) : rc;
    rc = rc == RC_OK ? take_text(view, line, "sha256", &view->archive_sha256, err) : rc;
    rc = rc == RC_OK ? take_text(view, line, "cost", &view->cost_receipt, err) : rc;
    rc = rc == RC_OK ? take_text(view, line, "stock", &view->stock_receipt, err) : rc;
    return rc == RC_OK ? take_counts(view, line, err) : rc;
}

static enum rc apply_event(struct fold *fold, const struct journal_line *line,
                           enum delivery_event event, struct err *err)
{
    switch (event) {
    case EVENT_TAKEN:
        return apply_taken(fold->view, line, err);
    case EVENT_PREPARED:
        return take_counts(fold->view, line, err);
    case EVENT_OPENED:
        return apply_opened(fold->view, line, err);
    case EVENT_EXTRACTING:
    case EVENT_SENDING:
        return apply_extracting(fold->view, line, err);
    case EVENT_EXTRACTED:
    case EVENT_FIXED:
        return apply_extracted(fold->view, line, err);
    case EVENT_HANDED_OVER:
        fold->view->is_handed_over = true;
        return take_text(fold->view, line, "archive", &fold->view->archive, err);
    default:
        break;
    }
    enum rc rc = apply_decision(fold, line, event, err);
    if (rc == RC_OK && event == EVENT_PROOF_WANTED) {
        rc = add_proof(fold, line, err);
    } else if (rc == RC_OK && (event == EVENT_PROOF_SENT || event == EVENT_PROOF_FAILED)) {
        rc = end_proof(fold->view, line, err);
    }
    return rc;
}

/* --- the state --- */

/* Steps that a state opens or closes by itself (docstring of view_fold) */
static void apply_state_to_steps(struct view *view, int64_t at_ns)
{
    struct view_step *steps = view->steps;
    enum delivery_state state = view->state;
    if (state_stage(state) == STAGE_PENDING) {
        view->is_extracted = false;
        view->archive = "";
        view->archive_sha256 = "";
    }
    if (state_stage(state) == STAGE_PENDING || state == STATE_EXTRACTING) {
        step_close(&steps[STEP_EXTRACTION]);
        step_close(&steps[STEP_PROOF]);
    }
    if (state == STATE_TARGET_READY || state == STATE_PREPARATION_ERROR) {
        step_close(&steps[STEP_DELIVERY]);
    }
    if (state == STATE_CONFIRMATION_PENDING && steps[STEP_DELIVERY].status == STEP_STATUS_CLOSED) {
        steps[STEP_DELIVERY].opened_ns = at_ns;
        step_clear(&steps[STEP_DELIVERY], STEP_STATUS_OPEN);
    }
    if (state_is_terminal(state)) {
        for (int i = 0; i < STEP_COUNT; i++) {
            if (steps[i].status == STEP_STATUS_OPEN) {
                step_clear(&steps[i], STEP_STATUS_CLOSED);
            }
        }
        hold(view, NULL);
    }
}

static enum rc apply_state(struct view *view, const struct journal_line *line,
                           enum delivery_event event, struct err *err)
{
    struct slice value;
    enum delivery_state state = STATE_NONE;
    if (!journal_value(line, "state", &value)) {
        return RC_OK;
    }
    if (!state_from_name(value, &state)) {
        return corrupt(line, "a state that does not exist", err);
    }
    if (state != view->state) {
        view->since_ns = line->at_ns;
        view->reason = "";
    }
    if (state != STATE_TARGET_READY && state != STATE_CONFIRMATION_PENDING) {
        give_proof_up(view);
    }
    view->state = state;
    view->state_event = event;
    apply_state_to_steps(view, line->at_ns);
    return RC_OK;
}

static enum rc add_file(struct fold *fold, const struct journal_line *line, struct err *err)
{
    struct view *view = fold->view;
    const char *file = NULL;
    enum rc rc = take_text(view, line, "file", &file, err);
    if (rc != RC_OK || file == NULL) {
        return rc;
    }
    void *files =
        grown(&view->arena, view->files, view->file_count, &fold->file_cap, sizeof(const char *));
    if (files == NULL) {
        return no_memory(err);
    }
    view->files = files;
    view->files[view->file_count++] = file;
    return RC_OK;
}

static enum rc fold_line(void *ctx, const struct journal_line *line, struct err *err)
{
    struct fold *fold = ctx;
    struct view *view = fold->view;
    enum delivery_event event = EVENT_COUNT;
    enum rc rc = RC_OK;
    if (event_from_name(line->event, &event)) {
        rc = apply_event(fold, line, event, err);
    }
    rc = rc == RC_OK ? apply_state(view, line, event, err) : rc;
    if (event != EVENT_PROOF_FAILED) { /* that is the proof's own */
        rc = rc == RC_OK ? take_text(view, line, "reason", &view->reason, err) : rc;
    }
    rc = rc == RC_OK ? add_file(fold, line, err) : rc;
    if (view->first_ns == INSTANT_NONE) {
        view->first_ns = line->at_ns;
    }
    view->last_ns = line->at_ns;
    view->last_event = event;
    return rc;
}

/* --- public --- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_files(struct view *view)
{
    size_t kept = 0;
    if (view->file_count == 0) {
        return;
    }
    qsort(view->files, view->file_count, sizeof view->files[0], compare_texts);
    for (size_t i = 0; i < view->file_count; i++) {
        if (kept == 0 || strcmp(view->files[kept - 1], view->files[i]) != 0) {
            view->files[kept++] = view->files[i];
        }
    }
    view->file_count = kept;
}

static void view_init(struct view *view)
{
    *view = (struct view){
        .arena = ARENA_EMPTY,
        .state = STATE_NONE,
        .state_event = EVENT_COUNT,
        .fixed_ns = INSTANT_NONE,
        .since_ns = INSTANT_NONE,
        .reason = "",
        .held_by = "",
        .held_comment = "",
        .held_ns = INSTANT_NONE,
        .drop = "",
        .drop_sha256 = "",
        .dropper = "",
        .archive = "",
        .archive_sha256 = "",
        .cost_receipt = "",
        .stock_receipt = "",
        .first_ns = INSTANT_NONE,
        .last_ns = INSTANT_NONE,
        .last_event = EVENT_COUNT,
    };
    for (int i = 0; i < STEP_COUNT; i++) {
        view->steps[i].opened_ns = INSTANT_NONE;
        step_close(&view->steps[i]);
    }
}

enum rc view_fold(struct slice bytes, struct view *out, struct err *err)
{
    view_init(out);
    struct fold fold = {.view = out};
    enum rc rc = journal_read(bytes, fold_line, &fold, &out->tail, err);
    if (rc != RC_OK) {
        view_release(out);
        return rc;
    }
    sort_files(out);
    return RC_OK;
}

enum rc view_add(struct view *view, struct slice lines, struct err *err)
{
    struct journal_tail before = view->tail;
    struct fold fold = {.view = view,
                        .round_cap = view->round_count,
                        .file_cap = view->file_count,
                        .proof_cap = view->proof_count};
    if (before.torn_bytes > 0) {
        view_release(view);
        return err_set(err, RC_STATE, "journal: its last line is torn");
    }
    for (int i = 0; i < STEP_COUNT; i++) {
        fold.answer_cap[i] = view->steps[i].answer_count;
    }
    enum rc rc = journal_read(lines, fold_line, &fold, &view->tail, err);
    if (rc != RC_OK) {
        view_release(view);
        return rc;
    }
    view->tail.line_count += before.line_count;
    view->tail.whole_bytes += before.whole_bytes;
    sort_files(view);
    return RC_OK;
}

enum rc view_load(int dirfd, struct view *out, struct err *err)
{
    struct buf bytes = BUF_EMPTY;
    view_init(out);
    enum rc rc = fs_read_small(dirfd, JOURNAL_FILE, JOURNAL_BYTES_MAX, &bytes, err);
    rc = rc == RC_OK ? view_fold(buf_slice(&bytes), out, err) : rc;
    buf_release(&bytes);
    return rc;
}

void view_release(struct view *view)
{
    arena_release(&view->arena);
    view_init(view);
}

bool view_names_file(const struct view *view, const char *file)
{
    return view->file_count > 0 && bsearch(&file, view->files, view->file_count,
                                           sizeof view->files[0], compare_texts) != NULL;
}
