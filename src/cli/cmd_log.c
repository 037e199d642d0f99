/*
 * log - a delivery's journal in readable form
 */
#include "cli/commands.h"
#include "cli/deliveries.h"
#include "cli/out.h"

#include "sys/fs.h"

#include <stdio.h>
#include <sysexits.h>

enum { LOG_COLUMNS = 4, DIGEST_SHOWN = 12 };

static bool is_digest(struct slice value)
{
    if (value.len != SHA256_HEX_BYTES - 1) {
        return false;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\0' || strchr("0123456789abcdef", value.ptr[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* Digests are cut; also that in "number:digest" of a ledger's entry. */
static void add_value(struct buf *text, struct slice value)
{
    const char *colon = value.len == 0 ? NULL : memchr(value.ptr, ':', value.len);
    size_t head = colon == NULL ? 0 : (size_t)(colon - value.ptr) + 1;
    struct slice rest = {value.ptr + head, value.len - head};
    if (is_digest(rest)) {
        value.len = head + DIGEST_SHOWN;
    }
    buf_add_slice(text, value);
}

static enum rc print_event(void *ctx, const struct journal_line *line, struct err *err)
{
    struct out_table *table = ctx;
    char when[OUT_WHEN_BYTES];
    struct buf text = BUF_EMPTY;
    table_cell(table, out_when(line->at_ns, when));
    table_format(table, "%.*s", (int)line->event.len, line->event.ptr);
    table_format(table, "%.*s", (int)line->who.len, line->who.ptr);
    for (size_t i = 0; i < line->count; i++) {
        struct slice value = line->values[i];
        if (slice_equal_text(line->keys[i], "drop")) {
            continue; /* device and inode: for recovery, not for people */
        }
        buf_add_text(&text, text.len == 0 ? "" : ", ");
        buf_add_slice(&text, line->keys[i]);
        buf_add_byte(&text, ' ');
        add_value(&text, value);
    }
    enum rc rc = buf_ok(&text, err);
    table_cell(table, buf_text(&text));
    buf_release(&text);
    return rc;
}

int cmd_log(struct cli *cli, int argc, char **argv)
{
    struct subject subject = SUBJECT_NONE;
    int code = cli_options(cli, NULL, 0, &argc, &argv);
    if (code == CLI_GO_ON && argc != 1) {
        code = cli_usage(cli, "one delivery is wanted");
    }
    code = code == CLI_GO_ON ? cli_spool(cli) : code;
    code = code == CLI_GO_ON ? delivery_open(cli, argv[0], &subject) : code;
    if (code != CLI_GO_ON) {
        return code;
    }
    struct err err = {{0}};
    struct buf bytes = BUF_EMPTY;
    struct out_table table = OUT_TABLE(LOG_COLUMNS, 0);
    enum rc rc = fs_read_small(subject.dirfd, JOURNAL_FILE, JOURNAL_BYTES_MAX, &bytes, &err);
    rc = rc == RC_OK ? journal_read(buf_slice(&bytes), print_event, &table, NULL, &err) : rc;
    if (!table_print(&table, 0) && rc == RC_OK) {
        rc = RC_NOMEM;
    }
    buf_release(&bytes);
    subject_close(&subject);
    return rc == RC_OK ? EX_OK : cli_fail(rc, &err);
}
