/*
 * extraction - from the selected rows to the files that a router fetches
 *
 *     extraction_open      settings, before anything is read
 *     extraction_compile   the layout, once the recipients' columns are known
 *     extraction_check     \ callbacks of struct audience_options, with the extraction as ctx:
 *     extraction_payload   / rows are rendered where they are read, by all threads
 *     extraction_run       after audience_run(): references, data files, archive, manifest
 *
 * extraction_run() leaves in the directory that it is given (no fsync; the caller syncs):
 *
 *     NAME.EXT             zip, tar.gz, tar.zst; csv.gz (txt.gz when fixed)
 *     NAME.EXT.sha256      a line for sha256sum -c
 *     manifest.json        also in the archive as NAME/manifest.json
 *     NAME.manifest.json   with gz only, the same bytes: what goes beside the archive
 *
 * The archive is written as archive.tmp and gets its name last, when all others are there. NAME
 * holds the first 12 digits of the data's SHA-256: that over the bytes of the data files, one after
 * another in their order (with one file: that file's SHA-256).
 */
#ifndef POSTROOM_PACK_EXTRACTION_H
#define POSTROOM_PACK_EXTRACTION_H

#include "audience/audience.h"
#include "pack/archive.h"
#include "pack/archive_name.h"
#include "pack/layout.h"
#include "pack/manifest.h"

#include <stdatomic.h>

enum {
    EXTRACTION_FILES_MAX = 99999,
    EXTRACTION_DOCUMENTS_MAX = 1000,
    EXTRACTION_FILE_NAME_BYTES = ARCHIVE_NAME_BYTES_MAX + 16 + 1 /* NAME, ".manifest.json", NUL */
};

#define EXTRACTION_TEMPORARY "archive.tmp"
#define EXTRACTION_MANIFEST "manifest.json"

struct extraction_document {
    const char *name; /* plain file name; no two alike */
    int fd;           /* regular file; borrowed */
};

/* Borrowed until extraction_free(). */
struct extraction_options {
    const struct layout_options *layout;
    enum container container;
    int level;                              /* 1..9; 0: CODEC_LEVEL_DEFAULT */
    unsigned int threads;                   /* of the compression; 0: 1 */
    uint64_t rows_per_file;                 /* 0: one file */
    const char *name;                       /* template; NULL: ARCHIVE_NAME_TEMPLATE_DEFAULT */
    struct archive_name_values name_values; /* but `records`, which the run knows */
    const struct extraction_document *documents;
    size_t document_count;
    int64_t created_ns;               /* when the rows were fixed; the members' time */
    bool skips_empty;                 /* without a row: no archive, only manifest.json */
    atomic_uint_least64_t *rows_done; /* rows written so far; NULL: not wanted */
};

struct extraction_result {
    char archive[EXTRACTION_FILE_NAME_BYTES];  /* NAME.EXT; "" where none was made */
    char manifest[EXTRACTION_FILE_NAME_BYTES]; /* NAME.manifest.json with gz; else "" */
    char sha256[SHA256_HEX_BYTES];             /* of the archive */
    char data_sha256[SHA256_HEX_BYTES];
    uint64_t bytes;      /* of the archive */
    uint64_t data_bytes; /* of the data files */
    uint64_t files;      /* data files */
    uint64_t transliterated;
};

struct extraction;

/*
 * extraction_open - check the settings
 *
 * Returns   RC_OK; RC_PERM gz with documents or rows_per_file, a document's name or the name
 * template is no good; RC_RANGE a level outside 1..9, too many documents; RC_NOMEM
 */
enum rc extraction_open(const struct extraction_options *options, struct extraction **out,
                        struct err *err) MUST_CHECK;
void extraction_free(struct extraction *extraction);

/* extraction_compile - the layout over the recipients' columns (audience_columns()), once; results
 * as layout_open() */
enum rc extraction_compile(struct extraction *extraction, const char *const *columns,
                           size_t column_count, struct err *err) MUST_CHECK;

/* extraction_layout - as compiled; borrowed */
const struct layout *extraction_layout(const struct extraction *extraction);

/* extraction_check - audience_options.check: the postal address, where the layout wants one. What
 * it cannot look at (no memory) passes; extraction_payload() then says why. */
enum audience_cause extraction_check(void *extraction, unsigned thread,
                                     const struct audience_row *row);

/* extraction_payload - audience_options.payload: the row rendered, and how many of its characters
 * were transliterated. Compiled before (asserted). Results as layout_payload() */
enum rc extraction_payload(void *extraction, unsigned thread, const struct audience_row *row,
                           struct buf *out, struct err *err) MUST_CHECK;

/*
 * extraction_emit - one row as extraction_run() writes it: for previews
 * payload   of audience_each();  n its place in the output, from 1
 * Returns   as layout_emit(); RC_CORRUPT not a payload
 */
enum rc extraction_emit(const struct extraction *extraction, struct slice payload, uint64_t n,
                        struct buf *out, struct err *err) MUST_CHECK;

/*
 * extraction_run - write everything
 *
 * audience    after audience_run(), opened with the callbacks above; where it is large, it is
 *             forgotten (audience_forget()) while the archive is completed
 * counts      of that run
 * facts       what the manifest says besides: delivery, revision, campaign, programme, provider,
 *             service, random_seed, cost, stock; the rest is filled in here
 * out_dirfd   a directory that holds none of the files above
 *
 * Returns   RC_OK; RC_RANGE more data files than EXTRACTION_FILES_MAX, or references wider than
 *           their column; RC_EXISTS one of the files is there; RC_PERM a document is no regular
 * file; RC_TEMP no space; RC_CORRUPT, RC_IO, RC_NOMEM and others from below. But for RC_OK there is
 * no NAME.EXT; archive.tmp and small files may remain: remove the directory. Memory
 * compress_memory_bytes() and less than 1 MiB
 */
enum rc extraction_run(struct extraction *extraction, struct audience *audience,
                       const struct audience_counts *counts, const struct manifest *facts,
                       int out_dirfd, struct extraction_result *result, struct err *err) MUST_CHECK;

#endif
