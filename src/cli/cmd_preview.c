/*
 * preview - the first rows that an extraction would hold now, rendered by the code that extracts;
 * of an online delivery a message (message.h)
 *
 * The whole target is selected and ordered first, so that row 1 is row 1. --archive prints the
 * bytes of the data file; else each row is rendered with every value quoted and taken apart again,
 * name by name.
 */
#include "cli/commands.h"
#include "cli/decide.h"
#include "cli/deliveries.h"
#include "cli/message.h"
#include "cli/out.h"
#include "cli/preview.h"

#include "base/number.h"
#include "stage/selection.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum { PREVIEW_ROWS = 5, PREVIEW_COLUMNS = 2 };

struct preview {
    struct cli *cli;
    const struct layout *layout;
    const struct extraction *extraction;
    struct preview_codes codes;
    bool is_archive;
    uint64_t first; /* rows wanted, from 1 */
    uint64_t last;
    uint64_t row; /* the one that came last */
    struct buf line;
    bool is_done;
};

/* --- rows --- */

static void print_values(struct preview *preview, bool is_seed)
{
    struct slice row = buf_slice(&preview->line);
    struct buf value = BUF_EMPTY;
    struct buf shown = BUF_EMPTY;
    struct out_table table = OUT_TABLE(PREVIEW_COLUMNS, 0);
    size_t count = 0;
    const char *const *names = layout_columns(preview->layout, &count);
    out_line("row %" PRIu64 "%s", preview->row, is_seed ? " (seed)" : "");
    for (size_t i = 0; i < count && preview_value(&row, &value); i++) {
        buf_clear(&shown);
        preview_decode(&preview->codes, buf_slice(&value), &shown);
        table_cell(&table, names[i]);
        table_cell(&table, buf_text(&shown));
    }
    (void)table_print(&table, 2);
    buf_release(&value);
    buf_release(&shown);
}

static enum rc take_row(void *ctx, struct slice payload, bool is_seed, struct err *err)
{
    struct preview *preview = ctx;
    preview->row++;
    if (preview->row < preview->first) {
        return RC_OK;
    }
    buf_clear(&preview->line);
    enum rc rc = extraction_emit(preview->extraction, payload, preview->row, &preview->line, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (preview->is_archive) {
        (void)fwrite(buf_text(&preview->line), 1, preview->line.len, stdout);
    } else {
        print_values(preview, is_seed);
    }
    preview->is_done = preview->row == preview->last;
    return preview->is_done ? RC_STATE : RC_OK; /* enough: the walk ends */
}

static enum rc print_rows(struct preview *preview, const struct selection *selection,
                          struct err *err)
{
    struct audience_counts counts;
    enum rc rc = audience_run(selection->audience, -1, &counts, err);
    if (rc != RC_OK) {
        return rc;
    }
    preview->extraction = selection->extraction;
    preview->layout = extraction_layout(selection->extraction);
    if (preview->is_archive) {
        layout_header_row(preview->layout, &preview->line);
        (void)fwrite(buf_text(&preview->line), 1, preview->line.len, stdout);
    }
    rc = audience_each(selection->audience, take_row, preview, err);
    if (rc == RC_STATE && preview->is_done) {
        rc = RC_OK;
    }
    if (rc == RC_OK && preview->row < preview->first && preview->first > 1) {
        rc = err_set(err, RC_PERM, "row %" PRIu64 ": there are %" PRIu64 " rows only",
                     preview->first, preview->row);
    }
    return rc;
}

/* --- all --- */

/* For people: the same columns and characters, so marked that each value can be found again. */
static void set_for_people(struct order *order)
{
    order->layout.format = HOUSE_CSV;
    order->layout.quote = "always";
    order->layout.delimiter = ",";
    order->layout.eol = HOUSE_EOL_LF;
    order->layout.has_header = false;
}

static int check_permission(const struct subject *subject)
{
    if (faccessat(subject->dirfd, subject->order->target.file, R_OK, 0) != 0 && errno == EACCES) {
        cli_say_error("%s: its recipients are not for you to read; ask an administrator",
                      subject->id);
        return EX_NOPERM;
    }
    return CLI_GO_ON;
}

static int run(struct preview *preview, struct subject *subject)
{
    static const enum encoding encodings[] = {
        [HOUSE_UTF_8] = ENCODING_UTF_8,
        [HOUSE_ISO_8859_1] = ENCODING_ISO_8859_1,
        [HOUSE_ISO_8859_15] = ENCODING_ISO_8859_15,
        [HOUSE_WINDOWS_1252] = ENCODING_WINDOWS_1252,
    };
    const char *parent = getenv("TMPDIR");
    struct selection selection = {.arena = ARENA_EMPTY};
    struct err err = {{0}};
    int spill = -1;
    int code = check_permission(subject);
    if (code != CLI_GO_ON) {
        return code;
    }
    if (!preview->is_archive) {
        set_for_people(subject->order);
    }
    preview_codes_of(encodings[subject->order->layout.encoding], &preview->codes);
    /* A large target is ordered on disk, in files without a name. */
    (void)!cli_folder_open(parent == NULL || parent[0] == '\0' ? "/tmp" : parent, &spill, NULL);
    struct stage_lists lists;
    lists_open(preview->cli->house, -1, &lists); /* paper has no quarantine */
    struct selection_wants wants = {.dirfd = subject->dirfd,
                                    .lists = &lists,
                                    .house = preview->cli->house,
                                    .revision = subject->view.revision,
                                    .created_ns = clock_now_ns(),
                                    .spill_fd = spill};
    enum rc rc = selection_open(subject->order, &wants, &selection, &err);
    rc = rc == RC_OK ? print_rows(preview, &selection, &err) : rc;
    selection_close(&selection);
    lists_close(&lists);
    fs_drop(&spill);
    return rc == RC_OK ? EX_OK : cli_fail(rc, &err);
}

static int read_number(const struct cli *cli, const char *name, const char *text, uint64_t *out)
{
    if (text != NULL && (number_parse_u64(slice_of(text), UINT32_MAX, out) != RC_OK || *out == 0)) {
        return cli_usage(cli, "--%s wants a number from 1, not %s", name, text);
    }
    return CLI_GO_ON;
}

int cmd_preview(struct cli *cli, int argc, char **argv)
{
    struct preview preview = {.cli = cli, .line = BUF_EMPTY};
    struct subject subject = SUBJECT_NONE;
    const char *row = NULL;
    const char *rows = NULL;
    uint64_t count = PREVIEW_ROWS;
    const struct cli_option options[] = {{"row", '\0', &row, NULL},
                                         {"rows", '\0', &rows, NULL},
                                         {"archive", '\0', NULL, &preview.is_archive}};
    int code = cli_options(cli, options, 3, &argc, &argv);
    if (code == CLI_GO_ON && argc != 1) {
        code = cli_usage(cli, "one delivery is wanted");
    }
    preview.first = 1;
    code = code == CLI_GO_ON ? read_number(cli, "row", row, &preview.first) : code;
    code = code == CLI_GO_ON ? read_number(cli, "rows", rows, &count) : code;
    code = code == CLI_GO_ON ? cli_spool(cli) : code;
    code = code == CLI_GO_ON ? delivery_open(cli, argv[0], &subject) : code;
    if (code != CLI_GO_ON) {
        return code;
    }
    preview.last = row != NULL ? preview.first : count;
    if (subject.order->channel == HOUSE_MAIL) {
        code = run(&preview, &subject);
    } else if (preview.is_archive || rows != NULL) {
        code = cli_usage(cli, "--archive and --rows are for mail; of %s say --row N", subject.id);
    } else {
        code = message_print(cli, &subject, preview.first);
    }
    buf_release(&preview.line);
    subject_close(&subject);
    return code;
}
