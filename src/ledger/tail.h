/*
 * tail - is what follows the last whole entry a torn append, or damage?
 */
#ifndef POSTROOM_LEDGER_TAIL_H
#define POSTROOM_LEDGER_TAIL_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * ledger_tail_is_torn - look at the bytes from..limit of fd
 *
 * Torn: no chain line among its whole lines, or one chain line as its very last bytes (the blank
 * line is missing). A line that ends in (nearly) 64 hex digits counts as a chain line even where
 * its other bytes are damaged: an append that was cut short cannot leave one behind with something
 * after it, so that a flipped bit in the last entry is never taken for a torn tail.
 *
 * Returns   RC_OK with the answer; RC_IO the file cannot be read
 * Cost      one read of the range, constant memory
 */
enum rc ledger_tail_is_torn(int fd, const char *name, uint64_t from, uint64_t limit, bool *out,
                            struct err *err) MUST_CHECK;

/* ledger_read_at - pread over EINTR and short reads; *out_len less than len only at the file's end.
 * RC_OK; RC_IO */
enum rc ledger_read_at(int fd, const char *name, void *bytes, size_t len, uint64_t offset,
                       size_t *out_len, struct err *err) MUST_CHECK;

#endif
