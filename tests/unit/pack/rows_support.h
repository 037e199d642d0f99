/*
 * rows_support - bytes to look for repetitions in
 */
#ifndef POSTROOM_TESTS_UNIT_PACK_ROWS_SUPPORT_H
#define POSTROOM_TESTS_UNIT_PACK_ROWS_SUPPORT_H

#include "unit/pack/archive_support.h"

/* Rows as a delivery has them: many fields that stood before, some that did not. */
static inline void add_rows(struct buf *out, size_t rows, uint64_t seed)
{
    static const char *const NAMES[] = {"Sylvie", "Olivier", "Ren\xc3\xa9", "Jean-Pierre",
                                        "Ann",    "Bo",      "Christophe"};
    static const char *const CITIES[] = {"59100;Lille", "06140;Nice", "75001;Paris",
                                         "13002;Marseille"};
    for (size_t i = 0; i < rows; i++) {
        buf_add_format(out, "large-%zu;M.;%s;%s%d;;%d rue de la Paix;%s;FR\r\n", i,
                       NAMES[next_random(&seed) % 7], NAMES[next_random(&seed) % 7],
                       (int)(next_random(&seed) % 300), (int)(next_random(&seed) % 200),
                       CITIES[i * 4 / rows]);
    }
}

/* Copies from all distances, those around the window's end above all, between random bytes. */
static inline void add_copies(struct buf *out, size_t len, uint64_t seed)
{
    while (out->len < len) {
        size_t run = next_random(&seed) % 400;
        size_t back = next_random(&seed) % 3 == 0 ? 32768 - 3 + next_random(&seed) % 6
                                                  : 1 + next_random(&seed) % 70000;
        bool is_copy = next_random(&seed) % 4 > 0 && back <= out->len;
        for (size_t i = 0; i < run; i++) {
            buf_add_byte(out, is_copy ? out->ptr[out->len - back] : (char)next_random(&seed));
        }
    }
}

#endif
