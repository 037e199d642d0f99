/*
 * guard - look before libconfig parses
 *
 * libconfig 1.5 ends the process, hangs or wraps on some inputs that any user can drop: @include of
 * a missing file, an unclosed comment or string, integers past 32 bits, groups with very many
 * members (it compares each new name with all before). What passes here is safe to hand to
 * config_read_string(); it may still be a syntax error.
 */
#ifndef POSTROOM_CONF_GUARD_H
#define POSTROOM_CONF_GUARD_H

#include "base/err.h"
#include "base/slice.h"

enum guard_kind {
    GUARD_ETC,     /* a file of etc/ */
    GUARD_DROP,    /* a delivery.conf */
    GUARD_DECISION /* an approval file */
};

enum {
    GUARD_ETC_BYTES_MAX = 4 << 20,
    GUARD_DROP_BYTES_MAX = 1 << 20,
    GUARD_DECISION_BYTES_MAX = 64 << 10,
    GUARD_DEPTH_MAX = 32,       /* brackets open at once: bison's stack and our recursion */
    GUARD_MEMBERS_MAX = 1000,   /* settings in one group: libconfig's cost is their square */
    GUARD_VALUES_MAX = 1 << 18, /* values in one file: about 100 bytes of memory for each */
    GUARD_NAME_BYTES_MAX = 64   /* no setting of ours is longer */
};

/* guard_bytes_max - the most bytes a file of this kind may have */
size_t guard_bytes_max(enum guard_kind kind);

/*
 * guard_check - may libconfig see these bytes?
 *
 * text   the whole file; need not be terminated
 * file   name for the error text, shown as it is
 * Returns   RC_OK; RC_RANGE larger than the kind allows; RC_PERM anything else, with
 *           "FILE:LINE: what; mend"
 * Integers  without suffix -2147483648..2147483647 and hex up to 0x7FFFFFFF; with L up to 64 bits
 * Cost      one pass, no memory
 */
enum rc guard_check(struct slice text, enum guard_kind kind, const char *file,
                    struct err *err) MUST_CHECK;

#endif
