/*
 * describe - everything about one delivery as one JSON object: what `show --json` prints and `show`
 * sets in words
 */
#ifndef POSTROOM_CLI_DESCRIBE_H
#define POSTROOM_CLI_DESCRIBE_H

#include "cli/deliveries.h"

/*
 * describe - the keys of CONTRACT.md section 8 and held, held_by, held_comment, finish_on,
 * provider, service, currency, estimate, dropper, archive_sha256
 *
 * out      json_decref() it; NULL unless RC_OK
 * Returns  RC_OK; RC_CORRUPT, RC_PERM, RC_TEMP a file of the delivery or a ledger; RC_NOMEM
 */
enum rc describe(struct cli *cli, const struct subject *subject, json_t **out,
                 struct err *err) MUST_CHECK;

#endif
