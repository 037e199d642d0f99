/*
 * witness - what a manifest says about the ledgers: `number` and `hash` of cost and stock
 */
#ifndef POSTROOM_CLI_WITNESS_H
#define POSTROOM_CLI_WITNESS_H

#include "base/arena.h"
#include "ledger/read.h"

enum { WITNESS_MANIFEST_BYTES_MAX = 16 << 20 };

struct witness {
    struct ledger_witness cost;
    struct ledger_witness stock;
};

/*
 * witness_parse - from the text of a manifest.json
 * from     name for error texts; borrowed
 * Returns  RC_OK; RC_PERM it says nothing about the ledgers
 */
enum rc witness_parse(struct slice text, const char *from, struct witness *out,
                      struct err *err) MUST_CHECK;

/*
 * witness_read - from a file: a manifest.json, or an archive that holds one (zip, tar, tar.gz,
 * tar.zst) path     kept as `from`; must stay Returns  RC_OK; RC_GONE no such file; RC_PERM;
 * RC_RANGE; RC_NOMEM
 */
enum rc witness_read(const char *path, struct witness *out, struct err *err) MUST_CHECK;

#endif
