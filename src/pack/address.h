/*
 * address - the French postal address of six lines of 38 characters, NF Z 10-011 (19 January 2013)
 *
 * Rules, from the norm and the advice that La Poste publishes with it:
 *   1. At most six lines. 1 person; 2 flat, floor, c/o; 3 building, entrance; 4 number and street;
 *      5 place, PO box; 6 postcode and town (or CEDEX). A line keeps its place: an empty one
 *      stays an empty column, and the printer closes the gap. Line 6 is always the last.
 *   2. A line has at most 38 characters, spaces included.
 *   3. Lines are left-aligned; runs of blanks and line breaks are one space.
 *   4. Lines 4 to 6 hold letters, digits and spaces only: an apostrophe, hyphen, comma, dot and
 *      any other sign becomes a space. Accents stay.
 *   5. Lines 4 to 6 are in upper case (the norm asks for it in the last one, La Poste advises it
 *      for the last three).
 *   6. The street's kind (AVENUE, BOULEVARD) is abbreviated only where line 4 has more than 32
 *      characters.
 *   7. In France line 6 begins with a postcode of five digits.
 *
 * A country of its own (abroad, a seventh line) is a column that the layout adds itself.
 */
#ifndef POSTROOM_PACK_ADDRESS_H
#define POSTROOM_PACK_ADDRESS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>

enum {
    ADDRESS_LINES = 6,
    ADDRESS_LINE_CHARACTERS_MAX = 38,
    ADDRESS_STREET_CHARACTERS_FULL = 32 /* line 4 up to here keeps the street's kind in full */
};

enum address_verdict {
    ADDRESS_OK = 0,
    ADDRESS_INCOMPLETE, /* line 1 empty; lines 4 and 5 empty; line 6 empty, or no postcode or no
                           town */
    ADDRESS_BAD /* a line over 38 characters; in France a postcode that is not five digits */
};

/*
 * address_line - append one line, normalised by rules 3 to 6
 *
 * number   1..6 (asserted)
 * text     UTF-8; a NUL passes through (layout's hole mark)
 *
 * Memory failure stays in out (sticky).
 * Cost     one pass, a table look-up for each ASCII byte; ICU's character properties beyond
 */
void address_line(int number, struct slice text, struct buf *out);

/*
 * address_check - the verdict over six normalised lines (as address_line() makes them)
 *
 * lines       UTF-8
 * is_france   rule 7 holds; elsewhere line 6 must only not be empty
 */
enum address_verdict address_check(const struct slice lines[ADDRESS_LINES], bool is_france);

/* address_is_france - a country column's value: empty, FR, FRA, FRANCE, any case, blanks around */
bool address_is_france(struct slice country);

/* address_verdict_name - "ok", "incomplete-address", "bad-address"; never NULL */
const char *address_verdict_name(enum address_verdict verdict);

#endif
