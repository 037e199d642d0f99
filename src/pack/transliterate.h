/*
 * transliterate - the slow way of encoding.c, on ICU: upper case, NFC, and the nearest characters
 *
 * Only encoding.c calls it. One for each thread.
 */
#ifndef POSTROOM_PACK_TRANSLITERATE_H
#define POSTROOM_PACK_TRANSLITERATE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "pack/encoding.h"

struct transliterator;

/* transliterator_open - RC_OK; RC_NOMEM; RC_TEMP ICU's normalisation data is missing */
enum rc transliterator_open(enum encoding encoding, struct transliterator **out,
                            struct err *err) MUST_CHECK;
void transliterator_free(struct transliterator *transliterator);

/*
 * transliterator_put - as encoder_put(), for any text; adds to counts
 * Returns   RC_OK; RC_NOMEM; RC_TEMP; on failure out has its former length, counts may have moved
 */
enum rc transliterator_put(struct transliterator *transliterator, struct slice text, bool is_upper,
                           bool is_flat, struct buf *out, struct encoder_counts *counts,
                           struct err *err) MUST_CHECK;

#endif
