/*
 * mapping - a file's bytes as memory, to be read, which cannot end the process
 *
 * Where a page of a mapped file is gone (the file became shorter, the disk fails), the kernel sends
 * SIGBUS. Here such a page becomes zeros, and the mapping says that it is broken: whoever copies
 * from it asks afterwards. Signals for other memory, and those that are sent, end the process.
 */
#ifndef POSTROOM_SYS_MAPPING_H
#define POSTROOM_SYS_MAPPING_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { MAPPINGS_MAX = 16 }; /* open at the same time in a process */

struct mapping;

/*
 * mapping_open - the first len bytes of a file; nothing is read yet
 * fd        not needed afterwards
 * len       at least 1
 * Returns   RC_OK; RC_RANGE MAPPINGS_MAX are open; RC_IO the file cannot be mapped
 * Cost      pages that are looked at count as the process's memory until mapping_forget
 */
enum rc mapping_open(int fd, size_t len, struct mapping **out, struct err *err) MUST_CHECK;
void mapping_free(struct mapping *mapping);

/* mapping_bytes - len of them. They may change while they are looked at: copy, then decide */
const char *mapping_bytes(const struct mapping *mapping);

/* mapping_is_broken - some of what was copied so far are zeros that the file does not hold. Bytes
 * behind the end of a file that became shorter, within its last page, are zeros without a fault:
 * what holds none tells those by itself */
bool mapping_is_broken(const struct mapping *mapping);

/* mapping_forget - what was looked at is no longer the process's memory; it stays readable */
void mapping_forget(const struct mapping *mapping);

#endif
