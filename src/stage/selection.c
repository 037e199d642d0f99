/*
 * selection - an order's files opened and its settings mapped
 */
#include "stage/selection_inner.h"

#include "sys/build.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 2 * AUDIENCE_LISTS_MAX + EXTRACTION_DOCUMENTS_MAX + 2 };

/* A delivery smaller than this is faster on one thread than the threads are started. */
enum { ALONE_BYTES = 1 << 20 };

/* What a file system may round the time of a change by, and one second more. */
enum { SETTLED_S = 2 };

static enum rc keep_fd(struct opening *o, const char *name, int *out_fd, struct err *err)
{
    enum rc rc = fs_open_regular(o->wants->dirfd, name, out_fd, err);
    if (rc == RC_OK) {
        o->out->fds[o->out->fd_count++] = *out_fd;
    }
    return rc == RC_GONE
               ? err_set(err, RC_GONE, "delivery.conf: %s is named but is not there; drop it along",
                         name)
               : rc;
}

/* Settings of one character; '\0' where it is not set. */
static char first_of(const char *text)
{
    if (text == NULL) {
        return '\0';
    }
    return text[0];
}

/* `threads = 0` is one for each core this process may use. */
static unsigned threads_of(const struct opening *o)
{
    if (o->out->bytes < ALONE_BYTES) {
        return 1;
    }
    if (o->wants->house->extract.threads > 0) {
        return (unsigned)o->wants->house->extract.threads;
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : (unsigned)cores;
}

/* --- layout --- */

enum rc selection_layout(const struct order *order, const struct house_layout *layout,
                         struct arena *arena, struct layout_options *out, struct err *err)
{
    static const enum encoding encodings[] = {
        [HOUSE_UTF_8] = ENCODING_UTF_8,
        [HOUSE_ISO_8859_1] = ENCODING_ISO_8859_1,
        [HOUSE_ISO_8859_15] = ENCODING_ISO_8859_15,
        [HOUSE_WINDOWS_1252] = ENCODING_WINDOWS_1252,
    };
    static const enum layout_quote quotes[] = {
        [HOUSE_QUOTE_MINIMAL] = LAYOUT_QUOTE_MINIMAL,
        [HOUSE_QUOTE_ALWAYS] = LAYOUT_QUOTE_ALWAYS,
        [HOUSE_QUOTE_NEVER] = LAYOUT_QUOTE_NEVER,
    };
    char mark = '\0';
    enum house_quote quote = house_layout_quote(layout, &mark);
    struct layout_column *columns = arena_array(arena, layout->column_count + 1, sizeof *columns);
    if (columns == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a layout");
    }
    for (size_t i = 0; i < layout->column_count; i++) {
        const struct house_column *column = &layout->columns[i];
        columns[i] = (struct layout_column){
            .name = column->name,
            .value = column->value,
            .width = column->width > 0 ? (uint32_t)column->width : 0,
            .is_upper = column->is_upper,
        };
    }
    *out = (struct layout_options){
        .format = layout->format == HOUSE_FIXED ? LAYOUT_FIXED : LAYOUT_CSV,
        .columns = columns,
        .column_count = layout->column_count,
        .delimiter = first_of(layout->delimiter),
        .quote = quotes[quote],
        .quote_mark = mark,
        .eol = house_eol_text(layout->eol),
        .encoding = encodings[layout->encoding],
        .has_header = layout->has_header,
        .is_address_checked = layout->address == HOUSE_ADDRESS_NF_Z10_011,
        .delivery_id = order->id,
    };
    return RC_OK;
}

/* --- extraction --- */

static enum rc open_documents(struct opening *o, struct extraction_options *options,
                              struct err *err)
{
    size_t count = o->order->documents.count;
    struct extraction_document *documents =
        arena_array(&o->out->arena, count + 1, sizeof *documents);
    if (documents == NULL || count > EXTRACTION_DOCUMENTS_MAX) {
        return err_set(err, documents == NULL ? RC_NOMEM : RC_RANGE, "too many documents");
    }
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < count; i++) {
        documents[i].name = o->order->documents.items[i];
        rc = keep_fd(o, documents[i].name, &documents[i].fd, err);
    }
    options->documents = documents;
    options->document_count = count;
    return rc;
}

static enum rc open_extraction(struct opening *o, struct err *err)
{
    static const enum container containers[] = {
        [HOUSE_ZIP] = CONTAINER_ZIP,
        [HOUSE_TAR_GZ] = CONTAINER_TAR_GZ,
        [HOUSE_TAR_ZST] = CONTAINER_TAR_ZST,
        [HOUSE_GZ] = CONTAINER_GZ,
    };
    const struct order *order = o->order;
    const struct house_layout *layout = &order->layout;
    struct arena *arena = &o->out->arena;
    struct layout_options *layout_options = arena_alloc(arena, sizeof *layout_options);
    char *date = arena_alloc(arena, DATE_TEXT_BYTES);
    if (layout_options == NULL || date == NULL) {
        return err_set(err, RC_NOMEM, "no memory for an extraction");
    }
    date_format(clock_local_date(o->wants->created_ns, NULL), date);
    enum rc rc = selection_layout(order, layout, arena, layout_options, err);
    struct extraction_options options = {
        .layout = layout_options,
        .container = containers[layout->container],
        .level = layout->level,
        .threads = threads_of(o),
        .rows_per_file = layout->rows_per_file > 0 ? (uint64_t)layout->rows_per_file : 0,
        .name = layout->name,
        .name_values = {.campaign = order->campaign,
                        .delivery = order->id,
                        .date = date,
                        .programme = order->programme,
                        .provider = order->provider,
                        .service = order->service,
                        .revision = (uint32_t)o->wants->revision},
        .created_ns = o->wants->created_ns,
        .rows_done = o->wants->is_counting || o->wants->cell == NULL ? NULL : &o->wants->cell->done,
        .skips_empty = order->target.empty != ORDER_EMPTY_SEND,
    };
    rc = rc == RC_OK ? open_documents(o, &options, err) : rc;
    return rc == RC_OK ? extraction_open(&options, &o->out->extraction, err) : rc;
}

/* --- audience --- */

/* A list of the channel, handed over opened: the jobs of a worker share the descriptor, each reads
 * it from its start. */
static enum rc take_house_list(const struct channel_lists *lists, struct audience_list *list,
                               size_t i, struct err *err)
{
    list->fd = i < lists->suppress_count ? lists->suppress[i] : LIST_UNREADABLE;
    if (list->fd >= 0 && lseek(list->fd, 0, SEEK_SET) == 0) {
        return RC_OK;
    }
    return err_set(
        err, RC_TEMP,
        "%s: the channel's suppression list cannot be read; nobody is selected without it",
        list->name);
}

/* Who is never contacted: the lists of the delivery, then those of the channel, read again each
 * time. */
static enum rc open_lists(struct opening *o, struct audience_options *options, struct err *err)
{
    const struct texts own = o->order->target.exclude;
    const struct texts house = o->wants->house->channels[o->order->channel].suppress;
    size_t count = own.count + house.count;
    struct audience_list *lists = arena_array(&o->out->arena, count + 1, sizeof *lists);
    if (lists == NULL || count > AUDIENCE_LISTS_MAX) {
        return err_set(err, lists == NULL ? RC_NOMEM : RC_RANGE, "more than %d lists to exclude",
                       AUDIENCE_LISTS_MAX);
    }
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < own.count; i++) {
        lists[i] = (struct audience_list){.name = own.items[i]};
        rc = keep_fd(o, own.items[i], &lists[i].fd, err);
    }
    for (size_t i = own.count; rc == RC_OK && i < count; i++) {
        lists[i] = (struct audience_list){.name = house.items[i - own.count]};
        rc = take_house_list(&o->wants->lists->channels[o->order->channel], &lists[i],
                             i - own.count, err);
    }
    options->exclude = lists;
    options->exclude_count = count;
    return rc;
}

/* The same delivery gives the same data files: the seed of chance is the id and the revision, or
 * what is ordered. */
static enum rc set_random_seed(struct opening *o, struct err *err)
{
    char text[ID_BYTES_MAX + 64];
    if (o->order->target.random_seed != SCHEMA_NONE) {
        (void)snprintf(text, sizeof text, "%" PRId64, o->order->target.random_seed);
    } else {
        (void)snprintf(text, sizeof text, "%s/%" PRIu64, o->order->id, o->wants->revision);
        char hex[SHA256_HEX_BYTES];
        sha256_hex(text, strlen(text), hex);
        (void)snprintf(text, sizeof text, "%.16s", hex);
    }
    o->out->random_seed = arena_text(&o->out->arena, slice_of(text));
    return o->out->random_seed == NULL ? err_set(err, RC_NOMEM, "no memory for a seed") : RC_OK;
}

static uint64_t count_or_none(int64_t value)
{
    return value > 0 ? (uint64_t)value : 0;
}

/* Counting shows the bytes read, as the rows are not known yet; an extraction shows the rows
 * written, which the pack tells. */
static struct audience_progress progress_of(const struct opening *o)
{
    struct progress_cell *cell = o->wants->cell;
    if (cell == NULL || !o->wants->is_counting) {
        return (struct audience_progress){NULL, NULL, NULL};
    }
    return (struct audience_progress){NULL, &cell->done, &cell->of};
}

static struct audience_options plain_options(const struct opening *o)
{
    static const enum audience_seed_mode modes[] = {
        [ORDER_SEEDS_SORTED] = SEEDS_SORTED,
        [ORDER_SEEDS_START] = SEEDS_START,
        [ORDER_SEEDS_END] = SEEDS_END,
        [ORDER_SEEDS_RANDOM] = SEEDS_RANDOM,
    };
    const struct order_target *target = &o->order->target;
    bool is_online = o->order->channel != HOUSE_MAIL;
    bool has_norm = o->order->layout.address != HOUSE_ADDRESS_NONE;
    return (struct audience_options){
        .name = target->file,
        .delimiter = first_of(target->delimiter),
        .key = target->key,
        .where = target->where,
        .dedupe = target->dedupe.items,
        .dedupe_count = target->dedupe.count,
        .order = target->order.items,
        .order_count = target->order.count,
        .limit = count_or_none(target->limit),
        .random_seed = o->out->random_seed,
        .seeds_fd = -1,
        .seeds_name = target->seeds,
        .seed_mode = modes[target->seed_mode],
        .excludes_bad_rows = target->on_bad_row == ORDER_BAD_ROW_EXCLUDE,
        .rows = count_or_none(target->rows),
        .min = count_or_none(target->min),
        .max = count_or_none(target->max),
        .memory_bytes = (size_t)o->wants->house->extract.memory_bytes,
        .late_from_bytes =
            o->wants->is_counting && o->wants->keeping != SELECTION_KEEPS ? 0 : AUDIENCE_LATE_BYTES,
        .spill_fd = o->wants->spill_fd,
        .threads = threads_of(o),
        .check = is_online  ? selection_check_reach
                 : has_norm ? extraction_check
                            : NULL,
        /* Counting delivers nothing, but for the pieces where these are what is counted. */
        .payload = o->wants->is_counting
                       ? (o->order->channel == HOUSE_SMS ? selection_keep_pieces : NULL)
                   : is_online ? selection_keep_line
                               : extraction_payload,
        .ctx = is_online ? (void *)o->out->reach : o->out->extraction,
        .progress = progress_of(o),
    };
}

/* --- what is kept of a count --- */

/* A list that was changed this moment may be changed again without its times telling. */
static bool is_settled(const struct fs_identity *list)
{
    return clock_now_ns() / NS_PER_SECOND - list->changed_s >= SETTLED_S;
}

/*
 * Everything that says who is in but the recipients, which audience/kept looks at: the program, the
 * settings as they are frozen, the revision, and every list with the time of its last change. What
 * is not known has no identity: false.
 */
static bool identify(const struct opening *o, const struct audience_options *options,
                     char out[SHA256_HEX_BYTES])
{
    struct buf text = BUF_EMPTY;
    struct slice build = build_id();
    size_t own = o->order->target.exclude.count;
    bool is_known = build.len > 0;
    buf_add_slice(&text, build);
    buf_add_format(&text, "%s %" PRIu64 "\n", o->order->id, o->wants->revision);
    order_write(o->order, &text);
    for (size_t i = 0; is_known && i < options->exclude_count; i++) {
        bool is_ours = i < own; /* frozen beside the recipients */
        struct fs_identity list;
        is_known = fs_identify(options->exclude[i].fd, &list) &&
                   (is_ours || !o->wants->is_counting || is_settled(&list));
        if (is_known) {
            buf_add_format(&text, "%s\n", options->exclude[i].name);
            buf_add(&text, &list, sizeof list);
        }
    }
    is_known = is_known && buf_ok(&text, NULL) == RC_OK;
    if (is_known) {
        sha256_hex(buf_text(&text), text.len, out);
    }
    buf_release(&text);
    return is_known;
}

static enum rc set_kept(struct opening *o, struct audience_options *options, struct err *err)
{
    if (o->wants->keeping == SELECTION_KEEPS_NOTHING) {
        return RC_OK;
    }
    struct audience_kept *kept = arena_alloc(&o->out->arena, sizeof *kept);
    if (kept == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a selection");
    }
    kept->fd = o->wants->kept_fd;
    kept->excluded_fd = o->wants->excluded_fd;
    if (identify(o, options, kept->identity)) {
        options->keep = o->wants->keeping == SELECTION_KEEPS ? kept : NULL;
        options->kept = o->wants->keeping == SELECTION_TAKES_OVER ? kept : NULL;
    }
    return RC_OK;
}

static enum rc open_audience(struct opening *o, int recipients, struct err *err)
{
    enum rc rc = set_random_seed(o, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct audience_options options = plain_options(o);
    options.fd = recipients;
    options.tee = o->wants->recipients;
    rc = open_lists(o, &options, err);
    rc = rc == RC_OK ? set_kept(o, &options, err) : rc;
    if (rc == RC_OK && options.seeds_name != NULL) {
        rc = keep_fd(o, options.seeds_name, &options.seeds_fd, err);
    }
    return rc == RC_OK ? audience_open(&options, &o->out->audience, err) : rc;
}

static bool uses_column(const void *layout, size_t column)
{
    return layout_uses(layout, column);
}

enum rc selection_open(const struct order *order, const struct selection_wants *wants,
                       struct selection *out, struct err *err)
{
    struct opening o = {order, wants, out};
    *out = (struct selection){.arena = ARENA_EMPTY};
    out->fds = arena_array(&out->arena, FILES_MAX, sizeof *out->fds);
    struct selection_reach *reach = arena_alloc(&out->arena, sizeof *reach);
    if (out->fds == NULL || reach == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a selection");
    }
    *reach = (struct selection_reach){0};
    out->reach = reach;
    int recipients = -1;
    struct stat status;
    enum rc rc = keep_fd(&o, order->target.file, &recipients, err);
    if (rc == RC_OK && wants->recipients != NULL) {
        out->bytes = wants->recipients->size;
    } else if (rc == RC_OK && fstat(recipients, &status) == 0) {
        out->bytes = (uint64_t)status.st_size;
    }
    bool is_online = order->channel != HOUSE_MAIL;
    rc = rc == RC_OK && !is_online ? open_extraction(&o, err) : rc;
    rc = rc == RC_OK ? open_audience(&o, recipients, err) : rc;
    if (rc == RC_OK && is_online) {
        rc = selection_open_reach(&o, err);
    } else if (rc == RC_OK) {
        size_t count = 0;
        const char *const *columns = audience_columns(out->audience, &count);
        rc = extraction_compile(out->extraction, columns, count, err);
        if (rc == RC_OK) {
            audience_narrow(out->audience, uses_column, extraction_layout(out->extraction));
        }
    }
    return rc;
}

void selection_close(struct selection *selection)
{
    audience_free(selection->audience);
    extraction_free(selection->extraction);
    content_free(selection->content);
    selection_close_reach(selection->reach);
    for (size_t i = 0; i < selection->fd_count; i++) {
        fs_drop(&selection->fds[i]);
    }
    arena_release(&selection->arena);
    *selection = (struct selection){.arena = ARENA_EMPTY};
}

/* --- what is to be paid for --- */

struct slice selection_line(const struct selection *selection, struct slice payload,
                            uint32_t *out_pieces)
{
    if (!content_has_pieces(selection->content)) {
        *out_pieces = 1;
        return payload;
    }
    assert(payload.len > 0);
    *out_pieces = (unsigned char)payload.ptr[0];
    return (struct slice){payload.ptr + 1, payload.len - 1};
}

struct quantity {
    const struct selection *selection;
    uint64_t pieces;
    uint64_t unmade;
};

static enum rc add_pieces(void *ctx, struct slice payload, bool is_seed, struct err *err)
{
    struct quantity *quantity = ctx;
    uint32_t pieces = 0;
    (void)is_seed;
    (void)err;
    (void)selection_line(quantity->selection, payload, &pieces);
    quantity->pieces += pieces;
    quantity->unmade += pieces == 0;
    return RC_OK;
}

enum rc selection_quantity(const struct selection *selection, const struct audience_counts *counts,
                           uint64_t *out, uint64_t *out_unmade, struct err *err)
{
    struct quantity quantity = {.selection = selection};
    enum rc rc = RC_OK;
    *out = counts->records + counts->seeds;
    if (selection->content != NULL && content_has_pieces(selection->content)) {
        rc = audience_each(selection->audience, add_pieces, &quantity, err);
        *out = quantity.pieces;
    }
    if (out_unmade != NULL) {
        *out_unmade = quantity.unmade;
    }
    return rc;
}
