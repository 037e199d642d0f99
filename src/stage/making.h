/*
 * making - extraction.tmp/ of mail: the archive, its digest and its manifest
 *
 * Made by the extract worker, or, with the count, by the intake worker: of a small delivery that
 * nobody has to look at before and whose hour has come, the rows are read once.
 */
#ifndef POSTROOM_STAGE_MAKING_H
#define POSTROOM_STAGE_MAKING_H

#include "stage/env.h"
#include "stage/selection.h"

/* The moment at which the rows are fixed. */
struct extract_moment {
    int64_t created_ns;
    struct ledger_head cost_head;
    struct ledger_head stock_head;
};

/* extract_moment_take - now_ns, and what the ledgers end with */
void extract_moment_take(const struct stage_env *env, int64_t now_ns, struct extract_moment *out);

/*
 * making_is_wanted - may this delivery be extracted with its count? It is mail, no step before the
 * extraction is on, nobody confirms it, it has no later hour. The daemon asks its journal again.
 * bytes  of its recipients
 */
bool making_is_wanted(const struct order *order, uint64_t bytes, int64_t now_ns);

/*
 * making_write - after audience_run of a selection that is not only counted
 * out_dirfd  extraction.tmp/, empty
 * Returns    as extraction_run
 */
enum rc making_write(const struct order *order, uint64_t revision,
                     const struct extract_moment *moment, const struct selection *selection,
                     const struct audience_counts *counts, int out_dirfd,
                     struct extraction_result *result, struct err *err) MUST_CHECK;

#endif
