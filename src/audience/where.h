/*
 * where - the selection language of a target: compiled once, asked once a row
 *
 *     consent_mail = '1' and segment in ('gold', 'silver') and balance >= 100
 *
 *   expression   and, or, not, parentheses; not binds tighter than and, and than or
 *   operand      column, "column with any name" ("" is one quote), 'text' ('' is one quote), number
 *   comparison   operand = != < <= > >= operand
 *                operand [not] in (literal, ...)      x not in (a, b) is x != a and x != b
 *                operand [not] like 'pattern'         % any run of characters, _ one character
 *                operand is [not] empty
 *
 * Words of the language may be written in any case; column names are exact, and one that is also a
 * word of the language stands in double quotes. Where neither side is a number, both compare as
 * bytes. Where one side is a number, both compare as exact decimal numbers of any length; a side
 * that is no number (digits, at most one point with digits on both sides, one leading -) makes the
 * comparison false, != and not in too.
 */
#ifndef POSTROOM_AUDIENCE_WHERE_H
#define POSTROOM_AUDIENCE_WHERE_H

#include "base/err.h"
#include "base/slice.h"

enum {
    WHERE_TEXT_BYTES_MAX = 64 * 1024,
    WHERE_DEPTH_MAX = 64,      /* parentheses and nots within each other */
    WHERE_LIKE_BYTES_MAX = 256 /* matching costs pattern x field in the worst case */
};

struct where;

/*
 * where_compile - from text to tests
 *
 * text      copied
 * names     columns by their place; borrowed for this call
 * Returns   RC_OK; RC_PERM "where: position N: ..." (characters from 1), with the nearest column
 *           where one is not known; RC_RANGE a limit above, the same text; RC_NOMEM
 */
enum rc where_compile(struct slice text, const char *const *names, size_t count, struct where **out,
                      struct err *err) MUST_CHECK;

/* where_matches - does a row belong; fields by column, of which only where_columns are looked at.
 * Any number of threads. Cost: a few ns a comparison */
bool where_matches(const struct where *where, const struct slice *fields);

/* where_columns - places of the columns that it reads, each once */
const size_t *where_columns(const struct where *where, size_t *out_count);

void where_free(struct where *where);

#endif
