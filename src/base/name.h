/*
 * name - the rule for ids, and help for names that were mistyped
 */
#ifndef POSTROOM_BASE_NAME_H
#define POSTROOM_BASE_NAME_H

#include "base/slice.h"

enum { ID_BYTES_MAX = 64 };

/* id_is_valid - 1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or digit (CONTRACT.md section
 * 2) */
bool id_is_valid(struct slice text);

/*
 * name_nearest - the candidate with the smallest edit distance, for "did you mean"
 * Returns NULL when none is near enough (distance above a third of the length, at least 2)
 * Cost: O(count * len^2), names up to 64 bytes
 */
const char *name_nearest(struct slice name, const char *const *candidates, size_t count);

#endif
