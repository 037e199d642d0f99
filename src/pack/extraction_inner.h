/*
 * extraction_inner - what extraction.c and extraction_run.c share
 */
#ifndef POSTROOM_PACK_EXTRACTION_INNER_H
#define POSTROOM_PACK_EXTRACTION_INNER_H

#include "pack/extraction.h"

struct extraction {
    struct extraction_options options;
    struct layout *layout;                             /* NULL until compiled */
    struct layout_state *states[AUDIENCE_THREADS_MAX]; /* each opened by its own thread */
};

/*
 * A payload is what layout_payload() gave, and behind it the number of transliterated characters:
 * one byte, or where that is COUNT_IS_LONG four bytes in the machine's order before it.
 */
enum { PAYLOAD_COUNT_IS_LONG = 255 };

#endif
