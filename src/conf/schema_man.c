/*
 * schema_man - the same table as a manual page
 */
#include "conf/value.h"

#include <inttypes.h>

/* Backslashes and hyphens are roff's own; a point or an apostrophe at the start would be a request.
 */
static void add_roff(struct buf *out, const char *text)
{
    if (*text == '.' || *text == '\'') {
        buf_add_text(out, "\\&");
    }
    for (; *text != '\0'; text++) {
        if (*text == '\\') {
            buf_add_text(out, "\\e");
        } else if (*text == '-') {
            buf_add_text(out, "\\-");
        } else {
            buf_add_byte(out, *text);
        }
    }
}

static void add_type(const struct schema_row *row, struct buf *out)
{
    if (row->type == SCHEMA_ENUM) {
        for (int i = 0; row->words[i] != NULL && (row->max == 0 || i < row->max); i++) {
            buf_add_text(out, i > 0 ? " | " : "");
            add_roff(out, row->words[i]);
        }
    } else {
        add_roff(out, row->form != NULL ? row->form : schema_type_name(row->type));
    }
    bool is_number = row->type == SCHEMA_INT32 || row->type == SCHEMA_INT64;
    if (is_number && (row->min != 0 || row->max != 0)) {
        bool is_open = row->max == INT64_MAX || row->max == INT32_MAX;
        buf_add_format(out, ", %" PRId64, row->min);
        if (is_open) {
            buf_add_text(out, " or more");
        } else {
            buf_add_format(out, " to %" PRId64, row->max);
        }
    }
    if (row->unit != NULL) {
        buf_add_format(out, ", %s", row->unit);
    }
}

static void add_row(const struct schema_row *row, struct buf *out)
{
    buf_add_text(out, ".TP\n\\fB");
    add_roff(out, row->key);
    buf_add_text(out, "\\fR  (");
    add_type(row, out);
    if ((row->flags & ROW_REQUIRED) != 0) {
        buf_add_text(out, "; required");
    } else if (row->initial != NULL) {
        buf_add_text(out, "; default ");
        add_roff(out, *row->initial == '\0' ? "\"\"" : row->initial);
    }
    buf_add_text(out, ")\n");
    add_roff(out, row->doc);
    buf_add_text(out, (row->flags & ROW_LATER) != 0 ? " Not used by this version." : "");
    buf_add_text(out, (row->flags & ROW_REFUSED) != 0 ? " Not available in this version." : "");
    buf_add_byte(out, '\n');
}

void schema_man(const struct schema *schema, const char *where, struct buf *out)
{
    if (*where != '\0') {
        buf_add_text(out, ".SS \"In ");
        add_roff(out, where);
        buf_add_text(out, "\"\n");
    }
    for (size_t i = 0; i < schema->count; i++) {
        add_row(&schema->rows[i], out);
    }
    for (size_t i = 0; i < schema->count; i++) {
        const struct schema_row *row = &schema->rows[i];
        if (row->inner != NULL) { /* tables nest a few levels; none holds itself */
            struct buf inner = BUF_EMPTY;
            buf_add_format(&inner, "%s%s%s", where, *where == '\0' ? "" : ".", row->key);
            schema_man(row->inner, buf_text(&inner), out);
            buf_release(&inner);
        }
    }
}
