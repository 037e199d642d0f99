/*
 * layout - one recipient's row to the bytes that the router reads
 *
 * A layout is compiled once (layout_open), shared by all threads, and never changes. Each thread
 * has its own struct layout_state. A row goes through two calls:
 *
 *     layout_payload   any thread, any order: everything but the reference
 *     layout_emit      output order, n known: fills the reference in and adds the end of line
 *
 * The special column `reference` (text DELIVERY-n) is known only in output order. A payload is
 * final output bytes with holes: a NUL marks each column in which the reference stands (NUL cannot
 * appear in recipients; one that does becomes a space). Behind the NUL of the plain column
 * `reference` follows nothing; behind that of a column whose template names {{reference}} a 4-byte
 * length and the encoded text, in which NUL stands for the reference. Which column a hole belongs
 * to follows from its place: the first hole is the first such column. A payload may be kept on disk
 * by the same program on the same machine between the two calls; it is no interchange format.
 *
 * Column names that mean something here:
 *     reference       always ours, also where the recipients have such a column
 *     line1 .. line6  with is_address_checked: the normalised address lines (pack/address.h)
 *
 * Where the lines come from: a layout column lineN with a template is rendered. Of the others: when
 * the recipients have any column line1..line6, these are taken and one that is missing is empty;
 * else each is put together from the common columns that exist:
 *     line1  title first_name last_name (or name)
 *     line2  address2
 *     line3  address3
 *     line4  address1 (or street, address)
 *     line5  address4 (or locality)
 *     line6  postcode (or zip) city (or town)
 * In every template {{line1}} .. {{line6}} are these lines, normalised (a router that wants them
 * under other names: { name = "ADR4"; value = "{{line4}}"; }).
 */
#ifndef POSTROOM_PACK_LAYOUT_H
#define POSTROOM_PACK_LAYOUT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "pack/address.h"
#include "pack/encoding.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LAYOUT_COLUMNS_MAX = 512,        /* columns of one layout; mail houses ask for 50 at most */
    LAYOUT_WIDTH_MAX = 32000,        /* characters of one fixed column */
    LAYOUT_NAME_BYTES_MAX = 256,     /* an output column's name */
    LAYOUT_VALUE_BYTES_MAX = 1 << 24 /* one value of one row, rendered: more is no label */
};

enum layout_format { LAYOUT_CSV = 0, LAYOUT_FIXED };
enum layout_quote { LAYOUT_QUOTE_MINIMAL = 0, LAYOUT_QUOTE_ALWAYS, LAYOUT_QUOTE_NEVER };

struct layout_column {
    const char *name;  /* as the header and the manifest show it; no two alike */
    const char *value; /* mustache template, or NULL: the recipients' column of that name */
    uint32_t width;    /* characters; 0: none (csv only). csv: cut, not padded */
    bool is_upper;     /* Unicode upper case, before the width */
};

struct layout_options {
    enum layout_format format;
    const struct layout_column *columns;
    size_t column_count;     /* 1..LAYOUT_COLUMNS_MAX */
    char delimiter;          /* csv; 0: ';'. ASCII, printable or tab, no quote mark */
    enum layout_quote quote; /* csv; the setting `quote = ""` is LAYOUT_QUOTE_NEVER */
    char quote_mark;         /* csv; 0: '"'. The setting's one character */
    const char *eol;         /* NULL: CR LF; "\n", "\r", "\r\n"; fixed may have "" too */
    enum encoding encoding;
    bool has_header;
    bool is_address_checked;     /* `address = "nf-z10-011"` */
    const char *delivery_id;     /* for the reference */
    const char *address_country; /* recipients' column of the country; NULL: `country` where the
                                    recipients have it, else everybody is in France */
};

struct layout;
struct layout_state; /* one for each thread */

struct layout_counts {
    uint64_t transliterated;      /* characters that had no code in the encoding */
    uint64_t transliterated_rows; /* rows that hold one */
    uint64_t replaced;            /* of the characters: became '?' */
    uint64_t cut;                 /* values cut at their width (address lines: at 38) */
};

/*
 * layout_open - compile a layout against the recipients' columns
 *
 * options        copied; borrowed for the call
 * columns        names of the recipients' columns in file order; copied
 * column_count   how many
 *
 * Returns   RC_OK      *out is a layout for layout_free()
 *           RC_PERM    an unknown column (with the nearest known name), a template that does not
 *                      compile, a duplicate or empty output name, a width missing in fixed, a
 *                      width too narrow for the first reference, a delimiter, quote mark or eol
 *                      that cannot be used, an address line that no column gives; the text names
 *                      the column
 *           RC_RANGE   too many columns, a width or a name too long
 *           RC_NOMEM
 */
enum rc layout_open(const struct layout_options *options, const struct slice *columns,
                    size_t column_count, struct layout **out, struct err *err) MUST_CHECK;
void layout_free(struct layout *layout);

/* layout_uses - a row changes with this column of the recipients; true also where that is not known
 * (templates with sections, address lines) */
bool layout_uses(const struct layout *layout, size_t column);

/* layout_state_open - scratch memory, cache and counts of one thread; the layout outlives it */
enum rc layout_state_open(const struct layout *layout, struct layout_state **out,
                          struct err *err) MUST_CHECK;
void layout_state_free(struct layout_state *state);

/*
 * layout_state_between - what stands between fields of the rows that follow which lie one byte
 * apart in memory, and in none of those fields; NUL, as at first: that is not known
 * Only the time that layout_payload() takes depends on it.
 */
void layout_state_between(struct layout_state *state, char between);

/*
 * layout_payload - append one row, rendered, to out
 *
 * fields, count   the row, in the order of the columns given to layout_open(); UTF-8. Missing
 *                 fields count as empty, more than the columns are not looked at.
 *
 * Returns   RC_OK; RC_RANGE a value over LAYOUT_VALUE_BYTES_MAX (text names the column); RC_NOMEM;
 *           RC_PERM, RC_TEMP from the template or the transliteration. On failure out has its
 *           former length.
 * Cost      about 90 ns for a row of nine short columns, 250 ns with six address lines; no
 *           allocation once out has room
 */
enum rc layout_payload(const struct layout *layout, struct layout_state *state,
                       const struct slice *fields, size_t count, struct buf *out,
                       struct err *err) MUST_CHECK;

/*
 * layout_emit - fill the holes with the reference n and append the row and its end of line
 *
 * payload   what one layout_payload() of an equal layout appended
 * n         place in the output, from 1
 *
 * Returns   RC_OK; RC_CORRUPT the payload does not fit the layout; RC_RANGE the reference is
 *           wider than its column (see layout_reference_max); RC_NOMEM. On failure out has its
 *           former length.
 * Cost      a copy when the layout has no reference; otherwise a memchr and a copy more for each
 *           hole: 12 and 25 ns. Widths, quoting and upper hold for the reference too. A cut made
 *           here (template with text and reference, too wide) is not counted.
 */
enum rc layout_emit(const struct layout *layout, struct slice payload, uint64_t n, struct buf *out,
                    struct err *err) MUST_CHECK;

/* layout_reference_max - the largest n whose reference fits every plain `reference` column;
 * UINT64_MAX where no width limits it. To be held against the number of records before writing. */
uint64_t layout_reference_max(const struct layout *layout);

/* layout_header_row - append the titles with their eol; nothing where has_header is false */
void layout_header_row(const struct layout *layout, struct buf *out);

/* layout_columns - the output names in order; borrowed, valid until layout_free() */
const char *const *layout_columns(const struct layout *layout, size_t *out_count);

/* layout_counts - what this state's rows were changed by, since it was opened; add them up over the
 * states. Rows checked by layout_address_check() are not counted. */
struct layout_counts layout_counts(const struct layout_state *state);

/*
 * layout_address_check - is this row's postal address one that can be printed?
 *
 * *out      ADDRESS_OK where is_address_checked is false; else the verdict of address_check() over
 *           the six lines as layout_payload() would print them
 * Returns   RC_OK; otherwise as layout_payload()
 */
enum rc layout_address_check(const struct layout *layout, struct layout_state *state,
                             const struct slice *fields, size_t count, enum address_verdict *out,
                             struct err *err) MUST_CHECK;

#endif
