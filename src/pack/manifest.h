/*
 * manifest - manifest.json: what an extraction holds, for the router and as a witness
 *
 * Keys stand in the order of CONTRACT.md section 6; two-space indentation; a newline at the end.
 * Paths of files and documents are seen from where the manifest itself lies.
 */
#ifndef POSTROOM_PACK_MANIFEST_H
#define POSTROOM_PACK_MANIFEST_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

struct manifest_cause {
    const char *cause;
    uint64_t count; /* 0: left out */
};

struct manifest_file {
    const char *name;
    uint64_t records; /* data lines, seeds included, the header not; not written for documents */
    uint64_t bytes;
    const char *sha256;
};

/* Head of a ledger at `created`. */
struct manifest_head {
    uint64_t number;  /* of its last entry; 0: none yet */
    const char *hash; /* 64 hex digits; zeros for none */
};

/* Texts are UTF-8; NULL is written as null. */
struct manifest {
    const char *delivery;
    uint64_t revision;
    const char *campaign;
    const char *programme;
    const char *provider;
    const char *service;
    int64_t created_ns; /* when the rows were fixed; written to the second, UTC */
    uint64_t rows;
    uint64_t records;
    uint64_t seeds;
    const struct manifest_cause *excluded;
    size_t excluded_count;
    const char *const *columns;
    size_t column_count;
    const char *encoding;
    char delimiter;          /* 0: fixed, written as null */
    uint64_t transliterated; /* characters in the data files that the encoding had no code for */
    const char *random_seed;
    const struct manifest_file *files;
    size_t file_count;
    const struct manifest_file *documents;
    size_t document_count;
    struct manifest_head cost;
    struct manifest_head stock;
};

/*
 * manifest_write - append the JSON text
 * Returns   RC_OK; RC_PERM a text is not UTF-8; RC_RANGE a number over 2^63-1; RC_NOMEM
 */
enum rc manifest_write(const struct manifest *manifest, struct buf *out,
                       struct err *err) MUST_CHECK;

#endif
