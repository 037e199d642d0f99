/*
 * extract - the daemon's parts: beginning an extraction, and booking a group of finished ones
 * (the worker's part is extract_work.c)
 */
#include "stage/extract.h"

#include "stage/cost.h"
#include "stage/settle.h"
#include "stage/target.h"
#include "sys/fs.h"
#include "sys/log.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct extract_way *extract_way_of(const struct order *order)
{
    static const struct extract_way mail = {"extraction.tmp",         "extraction",
                                            EVENT_EXTRACTING,         EVENT_EXTRACTED,
                                            STATE_EXTRACTION_PENDING, STATE_EXTRACTING};
    static const struct extract_way online = {"sending.tmp", "sending",       EVENT_SENDING,
                                              EVENT_FIXED,   STATE_SCHEDULED, STATE_SENDING};
    return order->channel == HOUSE_MAIL ? &mail : &online;
}

/* --- begin --- */

static enum rc say_begins(struct subject *subject, const struct extract_way *way, int64_t now_ns,
                          struct err *err)
{
    struct journal_writer writer = JOURNAL_WRITER_EMPTY;
    journal_begin(&writer, now_ns, event_name(way->begins), JOURNAL_DAEMON);
    journal_put_u64(&writer, "round", subject->view.extraction_round + 1);
    journal_put_text(&writer, "state", state_name(way->works));
    enum rc rc = journal_end(&writer, err);
    if (rc != RC_OK) {
        journal_writer_release(&writer);
        return rc;
    }
    return subject_say(subject, &writer, err);
}

static enum rc extract_new(const struct stage_env *env, struct extract **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return err_set(err, RC_NOMEM, "no memory for an extraction");
    }
    (*out)->env = env;
    (*out)->subject = SUBJECT_NONE;
    return RC_OK;
}

enum rc extract_begin(const struct stage_env *env, const char *id, int64_t now_ns,
                      struct extract **out, struct err *err)
{
    struct extract *extract = NULL;
    enum rc rc = extract_new(env, &extract, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct subject *subject = &extract->subject;
    rc = subject_open_next(env, id, subject, err);
    const struct extract_way *way = rc == RC_OK ? extract_way_of(subject->order) : NULL;
    if (rc == RC_OK && subject->view.is_held) {
        rc = err_set(err, RC_STATE, "%s is held", id);
    } else if (rc == RC_OK && subject->view.state == way->waits) {
        rc = say_begins(subject, way, now_ns, err);
    } else if (rc == RC_OK && (subject->view.state != way->works || subject->view.is_extracted)) {
        rc = err_set(err, RC_STATE, "%s is %s", id, state_name(subject->view.state));
    }
    rc = rc == RC_OK ? subject_move(env, subject, err) : rc;
    if (rc == RC_OK) {
        rc = fs_remove_tree(subject->dirfd, way->temporary, err); /* E1, S1 */
        rc = rc == RC_GONE ? RC_OK : rc;
    }
    if (rc != RC_OK) {
        extract_release(extract);
        return rc;
    }
    extract_moment_take(env, now_ns, &extract->moment);
    *out = extract;
    return RC_OK;
}

enum rc extract_begin_made(const struct stage_env *env, struct subject *take_subject,
                           int64_t created_ns, int64_t now_ns, struct extract **out,
                           struct err *err)
{
    struct extract *extract = NULL;
    const struct extract_way *way = extract_way_of(take_subject->order);
    assert(take_subject->view.state == way->waits && !take_subject->view.is_held);
    enum rc rc = extract_new(env, &extract, err);
    if (rc != RC_OK) {
        subject_close(take_subject);
        return rc;
    }
    extract->subject = *take_subject;
    extract->moment.created_ns = created_ns;
    *take_subject = SUBJECT_NONE;
    rc = say_begins(&extract->subject, way, now_ns, err);
    rc = rc == RC_OK ? subject_move(env, &extract->subject, err) : rc;
    if (rc != RC_OK) {
        extract_release(extract);
        return rc;
    }
    *out = extract;
    return RC_OK;
}

void extract_release(struct extract *extract)
{
    if (extract != NULL) {
        subject_close(&extract->subject);
        free(extract);
    }
}

/* --- what an extraction says of itself --- */

static uint64_t json_count(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

/* "HEX  NAME\n", as sha256sum writes it, of the one archive */
static enum rc read_sidecar(int extraction, struct extraction_facts *out, struct err *err)
{
    struct fs_names names = FS_NAMES_EMPTY;
    struct buf text = BUF_EMPTY;
    enum rc rc = fs_list(extraction, 64, &names, err);
    for (size_t i = 0; rc == RC_OK && i < names.count; i++) {
        size_t len = strlen(names.names[i]);
        static const char suffix[] = ".sha256";
        if (len <= sizeof suffix ||
            strcmp(names.names[i] + len - (sizeof suffix - 1), suffix) != 0) {
            continue;
        }
        rc = fs_read_small(extraction, names.names[i], 4096, &text, err);
        if (rc == RC_OK && (text.len < SHA256_HEX_BYTES || len - 7 >= sizeof out->archive)) {
            rc = err_set(err, RC_CORRUPT, "extraction/%s is no line of sha256sum", names.names[i]);
        }
        if (rc == RC_OK) {
            (void)snprintf(out->archive, sizeof out->archive, "%.*s", (int)(len - 7),
                           names.names[i]);
            (void)snprintf(out->sha256, sizeof out->sha256, "%.64s", buf_text(&text));
            break;
        }
    }
    buf_release(&text);
    fs_names_release(&names);
    return rc;
}

enum rc extraction_facts_read(int dirfd, struct extraction_facts *out, struct err *err)
{
    int extraction = -1;
    struct buf text = BUF_EMPTY;
    json_t *manifest = NULL;
    *out = (struct extraction_facts){0};
    enum rc rc = fs_open_dir(dirfd, "extraction", &extraction, err);
    if (rc == RC_OK) {
        rc = fs_read_small(extraction, "manifest.json", TARGET_BYTES_MAX, &text, err);
        rc = rc == RC_GONE ? RC_CORRUPT : rc;
    }
    if (rc == RC_OK) {
        manifest = json_loadb(buf_text(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(manifest)) {
            rc = err_set(err, RC_CORRUPT, "extraction/manifest.json is not what was written");
        }
    }
    if (rc == RC_OK) {
        out->rows = json_count(manifest, "rows");
        out->records = json_count(manifest, "records");
        out->seeds = json_count(manifest, "seeds");
        rc = read_sidecar(extraction, out, err);
    }
    json_decref(manifest);
    buf_release(&text);
    fs_drop(&extraction);
    return rc;
}

/* What the worker said, where it is of a shape that a name and a digest can have: a name from it
 * becomes one in pickup/. Else, and after a crash, extraction/ is read. */
static bool facts_told(const struct stage_report *report, struct extraction_facts *out)
{
    bool is_empty = report->archive[0] == '\0' && report->sha256[0] == '\0';
    bool is_named = report->archive[0] != '.' && strchr(report->archive, '/') == NULL &&
                    strspn(report->sha256, "0123456789abcdef") == SHA256_HEX_BYTES - 1 &&
                    strlen(report->archive) > 0;
    if (report->has_facts == 0 || (!is_empty && !is_named)) {
        return false;
    }
    *out = (struct extraction_facts){
        .rows = report->rows, .records = report->records, .seeds = report->seeds};
    (void)snprintf(out->archive, sizeof out->archive, "%s", report->archive);
    (void)snprintf(out->sha256, sizeof out->sha256, "%s", report->sha256);
    return true;
}

/* --- book --- */

/* A worker that could not: its rows break a rule (the delivery fails), or the world was in the way
 * (again later). */
static enum rc take_bad_report(struct extract *extract, const struct stage_report *report,
                               int64_t now_ns, struct err *err)
{
    struct subject *subject = &extract->subject;
    if (report->outcome == REPORT_PREPARATION_ERROR || report->outcome == REPORT_REFUSED) {
        enum rc rc =
            settle_end(extract->env, subject, EVENT_PREPARATION_ERROR, report->text, now_ns, err);
        return rc == RC_OK ? err_set(err, RC_PERM, "%s", report->text) : rc;
    }
    if (report->outcome == REPORT_NOT_RUN) {
        return err_set(err, RC_TEMP, "the worker ended before it came to it");
    }
    enum rc rc = settle_retry_line(subject, EVENT_EXTRACTION_FAILED, report->text, now_ns, err);
    return rc == RC_OK ? err_set(err, RC_TEMP, "%s", report->text) : rc;
}

/* extraction.tmp becomes extraction; a crash may have done it before (E2, S2). */
static enum rc publish_inside(struct subject *subject, struct err *err)
{
    const struct extract_way *way = extract_way_of(subject->order);
    if (fs_exists(subject->dirfd, way->whole)) {
        return RC_OK;
    }
    return fs_move_noreplace(subject->dirfd, way->temporary, subject->dirfd, way->whole, err);
}

/* What a list of recipients says of itself stands in target.json: written before it was whole. */
static enum rc online_facts_read(struct extract *extract, struct err *err)
{
    struct target_facts target;
    struct extraction_facts *out = &extract->facts;
    *out = (struct extraction_facts){0};
    enum rc rc = target_read(extract->subject.dirfd, &target, err);
    if (rc == RC_OK) {
        out->rows = target.rows;
        out->records = target.records;
        out->seeds = target.seeds;
        extract->quantity = target.quantity;
        target_release(&target);
    }
    return rc;
}

static enum rc facts_read(struct extract *extract, struct err *err)
{
    if (extract->subject.order->channel != HOUSE_MAIL) {
        return online_facts_read(extract, err);
    }
    enum rc rc = extraction_facts_read(extract->subject.dirfd, &extract->facts, err);
    extract->quantity = extract->facts.records + extract->facts.seeds;
    return rc;
}

/* Nobody was selected and the delivery wants to end then: no archive, no cost. */
static bool ends_empty(const struct extract *extract)
{
    const struct order *order = extract->subject.order;
    const struct extraction_facts *facts = &extract->facts;
    bool is_nothing = order->channel == HOUSE_MAIL ? facts->archive[0] == '\0'
                                                   : facts->records + facts->seeds == 0;
    return is_nothing || (facts->records == 0 && order->target.empty != ORDER_EMPTY_SEND);
}

static enum rc put_basis(struct extract *extract, char digest[SHA256_HEX_BYTES], struct err *err)
{
    struct buf line = BUF_EMPTY;
    int basis = -1;
    buf_add_format(&line, "%s  %s\n", extract->facts.sha256, extract->facts.archive);
    sha256_hex(line.ptr, line.len, digest);
    enum rc rc = fs_make_dir(extract->subject.dirfd, "basis", 0750, extract->env->group_gid, err);
    rc = rc == RC_EXISTS ? RC_OK : rc;
    rc = rc == RC_OK ? fs_open_dir(extract->subject.dirfd, "basis", &basis, err) : rc;
    rc = rc == RC_OK
             ? fs_put_volatile(basis, step_name(STEP_EXTRACTION), 0640, line.ptr, line.len, err)
             : rc;
    fs_drop(&basis);
    buf_release(&line);
    return rc;
}

static void put_receipt(struct journal_writer *writer, const char *key, size_t slot,
                        const struct ledger_receipt *receipts)
{
    char text[32 + SHA256_HEX_BYTES];
    if (slot != COST_NO_ENTRY) {
        (void)snprintf(text, sizeof text, "%" PRIu64 ":%s", receipts[slot].number,
                       receipts[slot].hash);
        journal_put_text(writer, key, text);
    }
}

static enum rc say_ends(struct extract *extract, const struct cost_book *book, int64_t now_ns,
                        struct err *err)
{
    struct subject *subject = &extract->subject;
    const struct extract_way *way = extract_way_of(subject->order);
    bool is_mail = subject->order->channel == HOUSE_MAIL;
    enum delivery_state next = STATE_NONE;
    enum rc rc = subject_next(subject, way->ends, &next, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct journal_writer writer = JOURNAL_WRITER_EMPTY;
    journal_begin(&writer, now_ns, event_name(way->ends), JOURNAL_DAEMON);
    journal_put_u64(&writer, "round", subject->view.extraction_round);
    journal_put_u64(&writer, "rows", extract->facts.rows);
    journal_put_u64(&writer, "records", extract->facts.records);
    journal_put_u64(&writer, "seeds", extract->facts.seeds);
    if (is_mail) {
        journal_put_text(&writer, "archive", extract->facts.archive);
        journal_put_text(&writer, "sha256", extract->facts.sha256);
    }
    put_receipt(&writer, "cost", extract->slot.cost, book->cost_receipts);
    put_receipt(&writer, "stock", extract->slot.stock, book->stock_receipts);
    if (next != subject->view.state) {
        journal_put_text(&writer, "state", state_name(next));
    }
    rc = journal_end(&writer, err);
    if (rc == RC_OK && next == STATE_EXTRACTION_TO_APPROVE) {
        char digest[SHA256_HEX_BYTES];
        rc = put_basis(extract, digest, err);
        journal_begin(&writer, now_ns, event_name(EVENT_OPENED), JOURNAL_DAEMON);
        journal_put_text(&writer, "step", step_name(STEP_EXTRACTION));
        journal_put_text(&writer, "sha256", digest);
        enum rc ended = journal_end(&writer, err);
        rc = rc == RC_OK ? ended : rc;
    }
    if (rc != RC_OK) {
        journal_writer_release(&writer);
        return rc;
    }
    extract->is_published_next = is_mail && next == STATE_EXTRACTING;
    return subject_say(subject, &writer, err);
}

static enum rc end_empty(struct extract *extract, int64_t now_ns, struct err *err)
{
    bool is_failure = extract->subject.order->target.empty == ORDER_EMPTY_FAIL;
    return settle_end(extract->env, &extract->subject, is_failure ? EVENT_FAILED : EVENT_FINISHED,
                      "nobody was selected", now_ns, err);
}

/* A price that is not valid today: the file cannot go out at an unknown cost. */
static enum rc price_one(struct extract *extract, struct cost_book *book, int64_t now_ns)
{
    const struct subject *subject = &extract->subject;
    enum rc rc = cost_book_commit(book, extract->env, subject->order,
                                  subject->view.extraction_round, extract->quantity,
                                  extract->moment.created_ns, &extract->slot, &extract->err);
    if (rc == RC_PERM || rc == RC_RANGE) {
        struct stage_report report = {.outcome = REPORT_PREPARATION_ERROR};
        (void)snprintf(report.text, sizeof report.text, "%s", extract->err.text);
        rc = take_bad_report(extract, &report, now_ns, &extract->err);
    }
    return rc;
}

/* Its entries are written, or it has none. */
static enum rc say_one(struct extract *extract, const struct cost_book *book, int64_t now_ns)
{
    const struct subject *subject = &extract->subject;
    enum rc rc = ends_empty(extract) ? end_empty(extract, now_ns, &extract->err)
                                     : say_ends(extract, book, now_ns, &extract->err);
    if (rc == RC_OK) {
        log_event(LOG_LEVEL_INFO, event_name(extract_way_of(subject->order)->ends), subject->id,
                  "records=%" PRIu64 " seeds=%" PRIu64 " archive=%s", extract->facts.records,
                  extract->facts.seeds, extract->facts.archive);
    }
    return rc;
}

void extract_weigh(struct extract **group, const struct stage_report *reports, size_t count,
                   int64_t now_ns)
{
    for (size_t i = 0; i < count; i++) {
        struct extract *one = group[i];
        one->rc = reports[i].outcome == REPORT_DONE
                      ? RC_OK
                      : take_bad_report(one, &reports[i], now_ns, &one->err);
    }
}

void extract_keep(struct extract **group, const struct stage_report *reports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct extract *one = group[i];
        if (one->rc != RC_OK) {
            continue;
        }
        one->rc = publish_inside(&one->subject, &one->err);
        if (one->rc == RC_OK && facts_told(&reports[i], &one->facts)) {
            one->quantity = reports[i].quantity;
        } else if (one->rc == RC_OK) {
            one->rc = facts_read(one, &one->err);
        }
        one->is_whole = one->rc == RC_OK;
    }
}

enum rc extract_book(struct extract **group, size_t count, int64_t now_ns, struct err *err)
{
    struct cost_book book;
    if (count == 0) {
        return RC_OK;
    }
    enum rc rc = cost_book_open(count, &book, err);
    if (rc != RC_OK) {
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        group[i]->slot = (struct cost_slot){COST_NO_ENTRY, COST_NO_ENTRY};
        if (group[i]->is_whole && group[i]->rc == RC_OK && !ends_empty(group[i])) {
            group[i]->rc = price_one(group[i], &book, now_ns);
        }
    }
    rc = cost_book_append(&book, group[0]->env, err);
    for (size_t i = 0; rc == RC_OK && i < count; i++) {
        if (group[i]->is_whole && group[i]->rc == RC_OK) {
            group[i]->rc = say_one(group[i], &book, now_ns);
        }
    }
    cost_book_release(&book);
    return rc;
}
