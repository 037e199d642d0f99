/*
 * lookup - texts in memory, and a number for each
 *
 * Texts are borrowed and compared whole: a hash alone takes no one for another.
 */
#ifndef POSTROOM_BASE_LOOKUP_H
#define POSTROOM_BASE_LOOKUP_H

#include "base/err.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

enum { LOOKUP_MAX = 1 << 26 /* texts: 2 GB of table */ };

struct lookup;

/*
 * lookup_open - for at most so many texts
 * Returns  RC_OK; RC_RANGE more than LOOKUP_MAX; RC_NOMEM
 * Cost     48 to 96 bytes a text
 */
enum rc lookup_open(size_t most, struct lookup **out, struct err *err) MUST_CHECK;
void lookup_free(struct lookup *lookup);

/* lookup_put - value is not 0 (asserted). Returns the value that the text had before; 0: it is new,
 * and there was room (asserted) */
uint32_t lookup_put(struct lookup *lookup, struct slice text, uint32_t value);

/* lookup_get - 0: it is not in */
uint32_t lookup_get(const struct lookup *lookup, struct slice text);

#endif
