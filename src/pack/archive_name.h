/*
 * archive_name - the name of an archive, from the service's template and the data's digest
 *
 * The first 12 hex digits of the data's SHA-256 are part of the name, at its end (after "_") or
 * where
 * {{hash}} stands, so that a second run never overwrites other data. A partner's SFTP client and
 * any file system can hold the name: A-Z a-z 0-9 . _ - and at most 150 bytes.
 */
#ifndef POSTROOM_PACK_ARCHIVE_NAME_H
#define POSTROOM_PACK_ARCHIVE_NAME_H

#include "base/err.h"

#include <stdint.h>

enum {
    ARCHIVE_NAME_BYTES_MAX = 150, /* without the extension */
    ARCHIVE_NAME_HASH_BYTES = 12,
    ARCHIVE_NAME_TEMPLATE_BYTES_MAX = 4096
};

#define ARCHIVE_NAME_TEMPLATE_DEFAULT "{{campaign}}_{{delivery}}_{{date}}"

/* What a name template may speak of; NULL counts as empty */
struct archive_name_values {
    const char *campaign;
    const char *delivery;
    const char *date; /* of the extraction, as the caller writes it: 2027-03-01 */
    const char *programme;
    const char *provider;
    const char *service;
    uint32_t revision;
    uint64_t records;
};

/*
 * archive_name_check - the same template errors as archive_name_make(), before any data exists
 * Returns   RC_OK; RC_PERM; RC_RANGE; RC_NOMEM
 */
enum rc archive_name_check(const char *template_text, struct err *err) MUST_CHECK;

/*
 * archive_name_make - the name, without extension
 *
 * template_text   mustache; NULL or "": ARCHIVE_NAME_TEMPLATE_DEFAULT
 * sha256_hex      of the data, 64 hex digits (at least 12; asserted)
 * out             NUL-terminated, never empty, never begins with a dot (it becomes '_')
 *
 * A character other than A-Z a-z 0-9 . _ - becomes one '_' (not one for each of its bytes). A name
 * that is too long loses characters before the hash and, where {{hash}} stands early, at its end:
 * the hash always survives whole.
 *
 * Returns   RC_OK; RC_PERM the template does not compile or names something unknown; RC_RANGE it is
 *           over ARCHIVE_NAME_TEMPLATE_BYTES_MAX; RC_NOMEM
 */
enum rc archive_name_make(const char *template_text, const struct archive_name_values *values,
                          const char *sha256_hex, char out[ARCHIVE_NAME_BYTES_MAX + 1],
                          struct err *err) MUST_CHECK;

#endif
