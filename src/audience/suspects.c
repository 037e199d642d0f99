/*
 * suspects - which of many hashes may stand twice, found without sorting them
 *
 * Contract in the header.
 */
#include "audience/suspects.h"

#include <stdlib.h>

enum rc suspects_init(struct suspects *suspects, uint64_t count, size_t memory_bytes,
                      struct err *err)
{
    unsigned log = 6; /* a word */

    *suspects = (struct suspects){NULL, NULL, 0};
    if (count < SUSPECTS_ROWS_MIN) {
        return RC_OK;
    }
    while (log < SUSPECTS_BITS_LOG_MAX && (uint64_t)1 << log < count * SUSPECTS_BITS_EACH &&
           (uint64_t)4 << log <= (uint64_t)memory_bytes * 8) {
        log++;
    }
    if ((uint64_t)1 << log < count) {
        return RC_OK;
    }
    size_t words = (size_t)1 << (log - 6);
    suspects->seen = calloc(words, sizeof *suspects->seen);
    suspects->again = calloc(words, sizeof *suspects->again);
    suspects->shift = SUSPECTS_HASH_BITS - log;
    if (suspects->seen == NULL || suspects->again == NULL) {
        suspects_release(suspects);
        return err_set(err, RC_NOMEM, "no memory");
    }
    return RC_OK;
}

void suspects_release(struct suspects *suspects)
{
    free(suspects->seen);
    free(suspects->again);
    *suspects = (struct suspects){NULL, NULL, 0};
}
