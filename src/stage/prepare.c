/*
 * prepare - a delivery's files are read, checked and counted
 */
#include "stage/prepare.h"

#include "stage/basis.h"
#include "stage/cost.h"
#include "stage/extract.h"
#include "stage/proof.h"
#include "stage/selection.h"
#include "stage/target.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct preparation {
    struct buf conf; /* delivery.conf */
    const struct prepare_options *options;
    struct prepared *out;
    struct problems *problems;
    struct order *order;
    struct selection selection;
    struct audience_counts counts;
    struct cost_lines costs;
    int kept_fd;    /* of KEPT_FILE; -1: nothing is kept */
    bool is_making; /* rows are rendered and ordered while they are counted */
};

/* --- the file that is not copied yet --- */

/* It is copied now, whatever was read of it. */
static enum rc finish_copy(struct preparation *p, struct err *err)
{
    return p->options->last == NULL ? RC_OK : take_finish(p->options->last, err);
}

/* Only recipients are read in one go from their beginning, and only by us where nothing else is in
 * the same file. */
static enum rc choose_copy(struct preparation *p, struct err *err)
{
    static struct order_file files[ORDER_FILES_MAX];
    const struct take_copy *last = p->options->last;
    size_t uses = 0;
    if (last == NULL || last->name == NULL) {
        return RC_OK;
    }
    size_t count = order_files(p->order, files);
    for (size_t i = 0; i < count; i++) {
        uses += strcmp(files[i].name, last->name) == 0;
    }
    bool is_recipients = strcmp(last->name, p->order->target.file) == 0;
    return is_recipients && uses == 1 ? RC_OK : finish_copy(p, err);
}

static struct tee *recipients_to_copy(const struct preparation *p)
{
    struct take_copy *last = p->options->last;
    return last == NULL || last->name == NULL ? NULL : &last->tee;
}

/* --- steps --- */

static enum rc read_order(struct preparation *p, struct err *err)
{
    enum rc rc =
        fs_read_small(p->options->dirfd, "delivery.conf", GUARD_DROP_BYTES_MAX, &p->conf, err);
    if (rc == RC_RANGE) {
        rc = err_set(err, RC_RANGE,
                     "delivery.conf:1: larger than 1 MiB; keep lists in files of their own");
    }
    if (rc == RC_GONE) {
        rc = err_set(err, RC_PERM, "delivery.conf: is not there; add it");
    }
    if (rc == RC_OK) {
        rc = order_read(buf_slice(&p->conf), "delivery.conf", p->options->house,
                        p->options->dropper, p->options->id, &p->order, p->problems, err);
    }
    if (rc == RC_OK) {
        struct place at = {"delivery.conf", order_line(buf_slice(&p->conf), "approvals", "proof")};
        proof_check(p->order, at, p->problems); /* find_files tells it */
    }
    return rc;
}

/* A revision may name what only the revision before holds. */
static enum rc fetch_from_previous(const struct preparation *p, const char *name, struct err *err)
{
    int in = -1;
    int out = -1;
    enum rc rc = fs_open_regular(p->options->previous_fd, name, &in, err);
    rc = rc == RC_OK ? fs_create(p->options->dirfd, name, 0600, &out, err) : rc;
    rc = rc == RC_OK ? fs_copy_fd(in, out, UINT64_MAX, NULL, NULL, err) : rc;
    rc = rc == RC_OK ? fs_close(&out, err) : rc;
    fs_drop(&in);
    fs_drop(&out);
    return rc;
}

/* Where delivery.conf names a file of this role. */
static struct place file_place(const struct preparation *p, enum order_file_role role)
{
    static const struct {
        const char *in;
        const char *key;
    } settings[] = {
        [ORDER_FILE_RECIPIENTS] = {"target", "file"},
        [ORDER_FILE_EXCLUDE] = {"target", "exclude"},
        [ORDER_FILE_SEEDS] = {"target", "seeds"},
        [ORDER_FILE_DOCUMENT] = {NULL, "documents"},
        [ORDER_FILE_NOTICE] = {NULL, "notice"},
        [ORDER_FILE_CONTENT] = {NULL, "content"},
        [ORDER_FILE_IMAGE] = {"content", "images"},
        [ORDER_FILE_ATTACHMENT] = {"content", "attachments"},
    };
    int line = order_line(buf_slice(&p->conf), settings[role].in, settings[role].key);
    return (struct place){"delivery.conf", line};
}

static enum rc find_files(struct preparation *p, struct err *err)
{
    static struct order_file files[ORDER_FILES_MAX];
    size_t count = order_files(p->order, files);
    for (size_t i = 0; i < count; i++) {
        if (fs_exists(p->options->dirfd, files[i].name)) {
            continue;
        }
        enum rc rc =
            p->options->previous_fd >= 0 ? fetch_from_previous(p, files[i].name, err) : RC_GONE;
        if (rc == RC_GONE) {
            problems_add(p->problems, file_place(p, files[i].role),
                         "names %s, which is not there; drop the file along, or take its name out",
                         files[i].name);
        } else if (rc != RC_OK) {
            return rc;
        }
    }
    return problems_rc(p->problems, err);
}

/* Faults of the rows are told with the delivery, not against the drop. */
static enum rc note_bad_rows(struct preparation *p, enum rc rc, const struct err *err)
{
    if (rc != RC_PERM && rc != RC_RANGE && rc != RC_CORRUPT) {
        return rc;
    }
    p->out->has_bad_rows = true;
    (void)snprintf(p->out->text, sizeof p->out->text, "%s", err->text);
    return RC_OK;
}

static enum rc select_rows(struct preparation *p, struct err *err)
{
    struct selection_wants wants = {
        .dirfd = p->options->dirfd,
        .house = p->options->house,
        .lists = p->options->lists,
        .recipients = recipients_to_copy(p),
        .revision = p->options->revision,
        .is_counting = !p->is_making,
        .keeping = p->kept_fd >= 0 ? SELECTION_KEEPS : SELECTION_KEEPS_NOTHING,
        .kept_fd = p->kept_fd,
        .created_ns = p->is_making ? p->options->moment->created_ns : clock_now_ns(),
        .spill_fd = p->options->spill_fd,
        .cell = p->options->cell};
    return selection_open(p->order, &wants, &p->selection, err);
}

/* One that is extracted as well may meet what a count does not look at, in a row that cannot be
 * rendered: it is counted alone then, and the extraction comes to it in its own time. */
static enum rc run_audience(struct preparation *p, int *excluded, struct err *err)
{
    struct err own = {{0}};
    if (p->is_making) {
        enum rc made = audience_run(p->selection.audience, *excluded, &p->counts, &own);
        if (made == RC_OK) {
            return RC_OK;
        }
        p->is_making = false;
        p->counts = (struct audience_counts){0};
        selection_close(&p->selection);
        fs_drop(excluded);
        enum rc rc = finish_copy(p, err);
        rc = rc == RC_OK ? fs_remove(p->options->dirfd, EXCLUDED_FILE, err) : rc;
        rc = rc == RC_OK ? fs_create(p->options->dirfd, EXCLUDED_FILE, 0600, excluded, err) : rc;
        rc = rc == RC_OK ? select_rows(p, err) : rc;
        if (rc != RC_OK) {
            return rc;
        }
    }
    return audience_run(p->selection.audience, *excluded, &p->counts, err);
}

static enum rc count_target(struct preparation *p, struct err *err)
{
    int excluded = -1;
    uint64_t unmade = 0;
    enum rc rc = RC_OK;
    if (!p->options->is_dry) {
        rc = fs_create(p->options->dirfd, EXCLUDED_FILE, 0600, &excluded, err);
    }
    if (rc == RC_OK) {
        rc = run_audience(p, &excluded, err);
        rc = note_bad_rows(p, rc, err);
    }
    if (rc == RC_OK && excluded >= 0) {
        rc = fs_close(&excluded, err);
    }
    fs_drop(&excluded);
    p->out->quantity = p->counts.records + p->counts.seeds;
    if (rc == RC_OK && !p->out->has_bad_rows) {
        rc = selection_quantity(&p->selection, &p->counts, &p->out->quantity, &unmade, err);
        rc = rc == RC_OK ? cost_of_order(p->order, p->out->quantity, clock_now_ns(), &p->costs, err)
                         : rc;
        rc = note_bad_rows(p, rc, err);
    }
    if (unmade > 0) {
        problems_warn(
            p->problems, (struct place){"delivery.conf", 0},
            "content: %" PRIu64 " messages cannot be made: they are empty or far too long", unmade);
    }
    return rc;
}

static enum rc write_facts(struct preparation *p, struct err *err)
{
    struct buf settings = BUF_EMPTY;
    size_t column_count = 0;
    const char *const *columns = audience_columns(p->selection.audience, &column_count);
    const char *warnings[PROBLEMS_MAX];
    size_t warning_count = 0;
    for (size_t i = 0; i < p->problems->count; i++) {
        if (p->problems->lines[i].is_warning) {
            warnings[warning_count++] = p->problems->lines[i].text;
        }
    }
    struct buf target = BUF_EMPTY;
    order_write(p->order, &settings);
    enum rc rc = buf_ok(&settings, err);
    if (rc == RC_OK) {
        rc = fs_put_new(p->options->dirfd, "settings.conf", 0640, settings.ptr, settings.len, err);
    }
    if (rc == RC_OK) {
        rc = target_text(&p->counts, p->out->quantity, p->selection.bytes, columns, column_count,
                         warnings, warning_count, &p->costs, p->order->currency, &target, err);
    }
    rc = rc == RC_OK ? target_put(p->options->dirfd, &target, err) : rc;
    if (rc == RC_OK && !p->out->has_bad_rows) {
        rc = basis_write(p->options->dirfd, p->order, &p->costs, err);
    }
    buf_release(&settings);
    buf_release(&target);
    return rc;
}

/* extraction.tmp/, whole or not at all: what is in its way the extract worker will meet, and tell.
 */
static void make_extraction(struct preparation *p)
{
    int dirfd = p->options->dirfd;
    int out_dirfd = -1;
    const char *name = extract_way_of(p->order)->temporary;
    struct prepared *out = p->out;
    enum rc rc = fs_make_open_dir(dirfd, name, 0750, -1, &out_dirfd, NULL);
    if (rc == RC_OK) {
        rc = making_write(p->order, p->options->revision, p->options->moment, &p->selection,
                          &p->counts, out_dirfd, &out->result, NULL);
    }
    fs_drop(&out_dirfd);
    out->is_made = rc == RC_OK;
    if (!out->is_made) {
        (void)!fs_remove_tree(dirfd, name, NULL);
    }
}

/* The content compiles; what else a reader would want to be told of it. */
static enum rc warn_of_content(struct preparation *p, struct err *err)
{
    struct content_wants wants = {
        .dirfd = p->options->dirfd, .house = p->options->house, .revision = p->options->revision};
    size_t count = 0;
    const char *const *columns = audience_columns(p->selection.audience, &count);
    return content_check(p->order, &wants, columns, count, p->problems, err);
}

/* 0 where they cannot be looked at: selection_open tells it. */
static uint64_t recipients_bytes(const struct preparation *p)
{
    struct stat status;
    const struct tee *recipients = recipients_to_copy(p);
    if (recipients != NULL) {
        return recipients->size;
    }
    return fstatat(p->options->dirfd, p->order->target.file, &status, AT_SYMLINK_NOFOLLOW) == 0
               ? (uint64_t)status.st_size
               : 0;
}

static bool is_made_with_count(const struct preparation *p)
{
    const struct extract_moment *moment = p->options->moment;
    return moment != NULL && making_is_wanted(p->order, recipients_bytes(p), moment->created_ns);
}

/* Who is in is kept of a large list of mail, for its extraction; it only spares that work. */
static void begin_keeping(struct preparation *p)
{
    if (!p->options->is_dry && !p->is_making && p->order->channel == HOUSE_MAIL &&
        recipients_bytes(p) >= AUDIENCE_LATE_BYTES) {
        (void)!fs_create(p->options->dirfd, KEPT_FILE, 0600, &p->kept_fd, NULL);
    }
}

static void end_keeping(struct preparation *p, bool is_good)
{
    if (p->kept_fd >= 0 && (!is_good || !audience_is_kept(p->selection.audience))) {
        (void)!fs_remove(p->options->dirfd, KEPT_FILE, NULL);
    }
    fs_drop(&p->kept_fd);
}

static enum rc open_selection(struct preparation *p, struct err *err)
{
    p->is_making = is_made_with_count(p);
    begin_keeping(p);
    enum rc rc = select_rows(p, err);
    if (rc == RC_OK && p->order->channel != HOUSE_MAIL) {
        rc = warn_of_content(p, err);
    }
    if (rc == RC_PERM || rc == RC_RANGE || rc == RC_GONE) {
        /* An expression's fault names a position in it; people look for a line of their file. */
        bool is_where = strncmp(err->text, "where:", 6) == 0;
        if (is_where) {
            int line = order_line(buf_slice(&p->conf), "target", "where");
            struct place at = {"delivery.conf", line};
            problems_add(p->problems, at, "%s%s", err->text,
                         strchr(err->text, ';') == NULL ? "; correct the expression" : "");
        } else {
            problems_add_line(p->problems, err->text);
        }
        return RC_PERM;
    }
    return rc;
}

enum rc prepare_run(const struct prepare_options *options, struct prepared *out,
                    struct problems *problems, struct err *err)
{
    struct preparation p = {.options = options,
                            .out = out,
                            .problems = problems,
                            .costs = COST_LINES_EMPTY,
                            .kept_fd = -1};
    *out = (struct prepared){0};
    enum rc rc = read_order(&p, err);
    rc = rc == RC_OK ? find_files(&p, err) : rc;
    rc = rc == RC_OK ? choose_copy(&p, err) : rc;
    rc = rc == RC_OK ? open_selection(&p, err) : rc;
    rc = rc == RC_OK ? count_target(&p, err) : rc;
    rc = rc == RC_OK ? finish_copy(&p, err) : rc;
    end_keeping(&p, rc == RC_OK && !out->has_bad_rows);
    if (rc == RC_OK && !options->is_dry) {
        rc = write_facts(&p, err);
    }
    if (rc == RC_OK && p.is_making && !out->has_bad_rows) {
        make_extraction(&p);
    }
    out->rows = p.counts.rows;
    out->records = p.counts.records;
    out->seeds = p.counts.seeds;
    memcpy(out->excluded, p.counts.excluded, sizeof out->excluded);
    out->bytes = p.selection.bytes;
    selection_close(&p.selection);
    buf_release(&p.conf);
    if (rc == RC_OK && options->is_dry) {
        out->order = p.order;
        out->costs = p.costs;
    } else {
        order_free(p.order);
        cost_lines_release(&p.costs);
    }
    return rc;
}

void prepared_release(struct prepared *prepared)
{
    order_free(prepared->order);
    prepared->order = NULL;
    cost_lines_release(&prepared->costs);
}

bool prepare_step_waits(const struct order *order, enum step step)
{
    switch (step) {
    case STEP_TARGET:
        return order->steps[ORDER_STEP_TARGET].is_on;
    case STEP_CONTENT:
        return order->steps[ORDER_STEP_CONTENT].is_on;
    case STEP_BUDGET:
        return order->steps[ORDER_STEP_TARGET].is_on && order->steps[ORDER_STEP_BUDGET].is_on;
    default:
        return false;
    }
}

enum rc prepare_basis_digest(int dirfd, enum step step, char out_hex[SHA256_HEX_BYTES],
                             struct err *err)
{
    char path[64];
    struct buf text = BUF_EMPTY;
    (void)snprintf(path, sizeof path, "basis/%s", step_name(step));
    enum rc rc = fs_read_small(dirfd, path, BASIS_BYTES_MAX, &text, err);
    if (rc == RC_OK) {
        sha256_hex(buf_text(&text), text.len, out_hex);
    }
    buf_release(&text);
    return rc;
}

enum rc prepare_check_layout(int dirfd, const struct order *order,
                             const struct house_layout *layout, struct err *err)
{
    struct target_facts facts;
    struct arena arena = ARENA_EMPTY;
    struct layout_options options;
    struct layout *compiled = NULL;
    enum rc rc = target_read(dirfd, &facts, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct slice *columns = arena_array(&arena, facts.column_count + 1, sizeof *columns);
    if (columns == NULL) {
        target_release(&facts);
        return err_set(err, RC_NOMEM, "no memory for a layout");
    }
    rc = selection_layout(order, layout, &arena, &options, err);
    if (rc == RC_OK) {
        for (size_t i = 0; i < facts.column_count; i++) {
            columns[i] = slice_of(facts.columns[i]);
        }
        rc = layout_open(&options, columns, facts.column_count, &compiled, err);
    }
    rc = rc == RC_OK ? archive_name_check(layout->name, err) : rc;
    layout_free(compiled);
    arena_release(&arena);
    target_release(&facts);
    return rc == RC_RANGE ? RC_PERM : rc;
}
