/*
 * extraction_run - see extraction.h; this file: from payloads in order to the files
 */
#include "pack/extraction_inner.h"

#include "base/arena.h"
#include "sys/calls.h"
#include "sys/fs.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FILE_MODE = 0600,        /* recipients; who publishes gives it to the router's group */
    EMIT_BYTES = 64 * 1024,  /* rendered rows are handed to the compression in pieces of this */
    READ_BYTES = 256 * 1024, /* the archive is read back in pieces of this, to digest it */
    DATA_NAME_BYTES = 32,    /* "data-99999.csv" */
    FORGET_ROWS = 100000     /* fewer are not worth a thread */
};

struct run {
    struct extraction *extraction;
    const struct extraction_options *options;
    const struct audience_counts *counts;
    const struct manifest *facts;
    int dirfd;
    int fd;             /* archive.tmp */
    bool has_temporary; /* it lies there */
    struct packer *packer;
    struct buf rows;        /* emitted, not yet handed on */
    struct buf header;      /* the header row: every data file begins with it */
    uint64_t row;           /* rows emitted: the reference of the last one */
    uint64_t file_row;      /* rows in the open file */
    bool is_open;           /* a data file is */
    uint64_t *file_records; /* of each file that is done */
    size_t files;
    size_t files_cap;
    struct arena arena; /* names in the manifest */
    struct buf manifest;
    struct archive_name_values name_values;
    char name[ARCHIVE_NAME_BYTES_MAX + 1];
    struct extraction_result *result;
};

/* --- data files --- */

static const char *data_suffix(const struct run *run)
{
    return run->options->layout->format == LAYOUT_FIXED ? "txt" : "csv";
}

static bool is_split(const struct run *run)
{
    return run->options->rows_per_file > 0;
}

static enum rc file_begin(struct run *run, struct err *err)
{
    char name[DATA_NAME_BYTES];
    if (run->files == EXTRACTION_FILES_MAX) {
        return err_set(err, RC_RANGE, "rows_per_file: more than %d files; give a larger number",
                       EXTRACTION_FILES_MAX);
    }
    if (is_split(run)) {
        (void)snprintf(name, sizeof name, "data-%04zu.%s", run->files + 1, data_suffix(run));
    } else {
        (void)snprintf(name, sizeof name, "data.%s", data_suffix(run));
    }
    enum rc rc = packer_begin(run->packer, name, err);
    if (rc == RC_OK) {
        rc = packer_write(run->packer, run->header.ptr, run->header.len, err);
    }
    run->is_open = true;
    run->file_row = 0;
    return rc;
}

static enum rc rows_flush(struct run *run, struct err *err)
{
    enum rc rc = packer_write(run->packer, run->rows.ptr, run->rows.len, err);
    buf_clear(&run->rows);
    if (run->options->rows_done != NULL) {
        atomic_store_explicit(run->options->rows_done, run->row, memory_order_relaxed);
    }
    return rc;
}

static enum rc file_end(struct run *run, struct err *err)
{
    if (run->files == run->files_cap) {
        size_t cap = run->files_cap == 0 ? 16 : run->files_cap * 2;
        uint64_t *records = realloc(run->file_records, cap * sizeof *records);
        if (records == NULL) {
            return err_set(err, RC_NOMEM, "no memory for a list of files");
        }
        run->file_records = records;
        run->files_cap = cap;
    }
    run->file_records[run->files++] = run->file_row;
    run->is_open = false;
    enum rc rc = rows_flush(run, err);
    return rc == RC_OK ? packer_end(run->packer, err) : rc;
}

/* Cuts the count of transliterated characters off a payload. */
static enum rc count_take(struct slice *payload, uint64_t *out, struct err *err)
{
    uint32_t count = 0;
    if (payload->len > 0) {
        count = (unsigned char)payload->ptr[--payload->len];
        if (count != PAYLOAD_COUNT_IS_LONG) {
            *out = count;
            return RC_OK;
        }
        if (payload->len >= sizeof count) {
            payload->len -= sizeof count;
            memcpy(&count, payload->ptr + payload->len, sizeof count);
            *out = count;
            return RC_OK;
        }
    }
    return err_set(err, RC_CORRUPT, "a rendered row lost its end between reading and writing");
}

enum rc extraction_emit(const struct extraction *extraction, struct slice payload, uint64_t n,
                        struct buf *out, struct err *err)
{
    uint64_t transliterated = 0;
    enum rc rc = count_take(&payload, &transliterated, err);
    return rc == RC_OK ? layout_emit(extraction->layout, payload, n, out, err) : rc;
}

static enum rc take_row(void *ctx, struct slice payload, bool is_seed, struct err *err)
{
    struct run *run = ctx;
    uint64_t transliterated = 0;
    (void)is_seed; /* a seed is a row like any other: nobody shall see the difference */
    enum rc rc = count_take(&payload, &transliterated, err);
    if (rc == RC_OK && !run->is_open) {
        rc = file_begin(run, err);
    }
    if (rc == RC_OK) {
        rc = layout_emit(run->extraction->layout, payload, run->row + 1, &run->rows, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    run->row++;
    run->file_row++;
    run->result->transliterated += transliterated;
    if (is_split(run) && run->file_row == run->options->rows_per_file) {
        return file_end(run, err);
    }
    return run->rows.len >= EMIT_BYTES ? rows_flush(run, err) : RC_OK;
}

/* All rows; a file with nothing but its header where there is none. */
static enum rc write_data(struct run *run, const struct audience *audience, struct err *err)
{
    layout_header_row(run->extraction->layout, &run->header);
    enum rc rc = buf_ok(&run->header, err);
    if (rc == RC_OK) {
        rc = audience_each(audience, take_row, run, err);
    }
    if (rc == RC_OK && run->files == 0 && !run->is_open) {
        rc = file_begin(run, err);
    }
    if (rc == RC_OK && run->is_open) {
        rc = file_end(run, err);
    }
    uint64_t counted = run->counts->records + run->counts->seeds;
    if (rc == RC_OK && run->row != counted) {
        rc = err_set(err, RC_CORRUPT, "%llu rows were counted and %llu came",
                     (unsigned long long)counted, (unsigned long long)run->row);
    }
    return rc;
}

/* NAME, once the data are digested; its length was promised to the packer. */
static enum rc name_data(struct run *run, size_t name_bytes, struct err *err)
{
    char *sha256 = run->result->data_sha256;
    enum rc rc;
    if (is_split(run)) {
        rc = packer_total(run->packer, sha256, err);
    } else {
        rc = packer_settle(run->packer, err);
        memcpy(sha256, packer_member(run->packer, 0)->span.sha256, SHA256_HEX_BYTES);
    }
    if (rc == RC_OK) {
        rc = archive_name_make(run->options->name, &run->name_values, sha256, run->name, err);
    }
    if (rc == RC_OK && strlen(run->name) != name_bytes) {
        rc = err_set(err, RC_PERM, "name: its length depends on the hash; write {{hash}} plainly");
    }
    return rc;
}

static enum rc add_documents(struct run *run, struct err *err)
{
    for (size_t i = 0; i < run->options->document_count; i++) {
        const struct extraction_document *document = &run->options->documents[i];
        char path[PACKER_PATH_BYTES_MAX + 1];
        (void)snprintf(path, sizeof path, "documents/%s", document->name);
        enum rc rc = packer_add_fd(run->packer, path, document->fd, err);
        if (rc != RC_OK) {
            return err_add(err, rc, "%s", document->name);
        }
    }
    return packer_settle(run->packer, err);
}

/* --- the manifest --- */

static struct manifest_file file_of(const struct run *run, size_t i)
{
    const struct packer_member *member = packer_member(run->packer, i);
    return (struct manifest_file){
        .name = member->path,
        .records = i < run->files ? run->file_records[i] : 0,
        .bytes = member->span.raw_bytes,
        .sha256 = member->span.sha256,
    };
}

/* Members are the data files, then the documents. */
static enum rc make_manifest(struct run *run, struct err *err)
{
    struct manifest manifest = *run->facts;
    struct manifest_cause causes[CAUSE_COUNT];
    size_t members = run->packer == NULL ? 0 : packer_count(run->packer);
    struct manifest_file *files = arena_array(&run->arena, members + 1, sizeof *files);
    char gz_name[EXTRACTION_FILE_NAME_BYTES];
    if (files == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a manifest");
    }
    for (size_t i = 0; i < members; i++) {
        files[i] = file_of(run, i);
    }
    if (run->options->container == CONTAINER_GZ && members > 0) { /* as gunzip calls it */
        (void)snprintf(gz_name, sizeof gz_name, "%s.%s", run->name, data_suffix(run));
        files[0].name = gz_name;
    }
    for (size_t i = 0; i < CAUSE_COUNT; i++) {
        causes[i] = (struct manifest_cause){audience_cause_name((enum audience_cause)i),
                                            run->counts->excluded[i]};
    }
    manifest.created_ns = run->options->created_ns;
    manifest.rows = run->counts->rows;
    manifest.records = run->counts->records;
    manifest.seeds = run->counts->seeds;
    manifest.excluded = causes;
    manifest.excluded_count = CAUSE_COUNT;
    manifest.columns = layout_columns(run->extraction->layout, &manifest.column_count);
    manifest.encoding = encoding_name(run->options->layout->encoding);
    manifest.delimiter = run->options->layout->delimiter;
    if (run->options->layout->format == LAYOUT_FIXED) {
        manifest.delimiter = '\0';
    } else if (manifest.delimiter == '\0') {
        manifest.delimiter = ';'; /* layout.h: the default */
    }
    manifest.transliterated = run->result->transliterated;
    manifest.files = files;
    manifest.file_count = run->files;
    manifest.documents = files + run->files;
    manifest.document_count = members - run->files;
    return manifest_write(&manifest, &run->manifest, err);
}

/* --- the files --- */

static enum rc archive_digest(struct run *run, struct err *err)
{
    struct sha256 *sha = sha256_open();
    char *bytes = malloc(READ_BYTES);
    enum rc rc = RC_OK;
    uint64_t at = 0;
    if (sha == NULL || bytes == NULL) {
        rc = err_set(err, RC_NOMEM, "no memory to digest the archive");
    }
    while (rc == RC_OK && at < run->result->bytes) {
        ssize_t got = pread(run->fd, bytes, READ_BYTES, (off_t)at);
        if (got > 0) {
            sha256_add(sha, bytes, (size_t)got);
            at += (uint64_t)got;
        } else if (got == 0) {
            rc = err_set(err, RC_CORRUPT, "the archive is shorter than what was written");
        } else if (errno != EINTR) {
            rc = sys_err(err, errno, "cannot read the archive back");
        }
    }
    if (rc == RC_OK) {
        sha256_end(sha, run->result->sha256);
    }
    sha256_free(sha);
    free(bytes);
    return rc;
}

static enum rc put_file(struct run *run, const char *name, struct slice bytes, struct err *err)
{
    enum rc rc = fs_put_new(run->dirfd, name, FILE_MODE, bytes.ptr, bytes.len, err);
    if (rc == RC_EXISTS) {
        rc = fs_put_volatile(run->dirfd, name, FILE_MODE, bytes.ptr, bytes.len, err);
    }
    return rc == RC_OK ? RC_OK : err_add(err, rc, "%s", name);
}

/* The small files, then the archive's name: who sees it sees all of them. */
static enum rc publish(struct run *run, struct err *err)
{
    struct extraction_result *result = run->result;
    bool is_gz = run->options->container == CONTAINER_GZ;
    char name[EXTRACTION_FILE_NAME_BYTES + sizeof ".sha256"];
    char line[SHA256_HEX_BYTES + EXTRACTION_FILE_NAME_BYTES + 4];
    (void)snprintf(result->archive, sizeof result->archive, "%s.%s%s%s", run->name,
                   is_gz ? data_suffix(run) : "", is_gz ? "." : "",
                   container_name(run->options->container));
    enum rc rc = put_file(run, EXTRACTION_MANIFEST, buf_slice(&run->manifest), err);
    if (rc == RC_OK && is_gz) {
        (void)snprintf(result->manifest, sizeof result->manifest, "%s.manifest.json", run->name);
        rc = put_file(run, result->manifest, buf_slice(&run->manifest), err);
    }
    if (rc == RC_OK) {
        (void)snprintf(name, sizeof name, "%s.sha256", result->archive);
        (void)snprintf(line, sizeof line, "%s  %s\n", result->sha256, result->archive);
        rc = put_file(run, name, slice_of(line), err);
    }
    if (rc == RC_OK) {
        rc = fs_move_noreplace(run->dirfd, EXTRACTION_TEMPORARY, run->dirfd, result->archive, err);
        run->has_temporary = rc != RC_OK;
    }
    return rc;
}

static enum rc open_archive(struct run *run, size_t *out_name_bytes, struct err *err)
{
    static const char ZEROS[] = "0000000000000000000000000000000000000000000000000000000000000000";
    enum rc rc = archive_name_make(run->options->name, &run->name_values, ZEROS, run->name, err);
    if (rc == RC_OK) {
        rc = fs_create(run->dirfd, EXTRACTION_TEMPORARY, FILE_MODE, &run->fd, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    run->has_temporary = true;
    *out_name_bytes = strlen(run->name);
    struct packer_options options = {
        .fd = run->fd,
        .container = run->options->container,
        .level = run->options->level,
        .threads = run->options->threads,
        .created_ns = run->options->created_ns,
        .name_bytes = *out_name_bytes,
        .has_total = is_split(run),
    };
    return packer_open(&options, &run->packer, err);
}

/* What stands behind the rows, and what is known when they are all there. */
static enum rc complete(struct run *run, size_t name_bytes, struct err *err)
{
    enum rc rc = name_data(run, name_bytes, err);
    if (rc == RC_OK) {
        rc = add_documents(run, err);
    }
    if (rc == RC_OK) {
        rc = make_manifest(run, err);
    }
    if (rc == RC_OK && run->options->container != CONTAINER_GZ) {
        rc = packer_add(run->packer, EXTRACTION_MANIFEST, buf_slice(&run->manifest), err);
    }
    if (rc == RC_OK) {
        rc = packer_finish(run->packer, run->name, &run->result->bytes, err);
    }
    return rc == RC_OK ? archive_digest(run, err) : rc;
}

static void *forget(void *audience)
{
    audience_forget(audience);
    return NULL;
}

/* While the archive is completed, which one thread does, another gives back what many rows held:
 * whoever syncs the spool next would write their temporary files out, and wait for that. */
static enum rc write_archive(struct run *run, struct audience *audience, struct err *err)
{
    size_t name_bytes = 0;
    pthread_t helper;
    enum rc rc = open_archive(run, &name_bytes, err);
    if (rc == RC_OK) {
        rc = write_data(run, audience, err);
    }
    bool is_large = rc == RC_OK && run->row >= FORGET_ROWS;
    bool is_started = is_large && run->options->threads > 1 &&
                      pthread_create(&helper, NULL, forget, audience) == 0;
    if (rc == RC_OK) {
        rc = complete(run, name_bytes, err);
    }
    if (is_started) {
        (void)pthread_join(helper, NULL);
    } else if (is_large) {
        (void)forget(audience);
    }
    if (rc == RC_OK) {
        rc = fs_close(&run->fd, err);
    }
    return rc == RC_OK ? publish(run, err) : rc;
}

static void run_result(struct run *run)
{
    run->result->files = run->files;
    for (size_t i = 0; i < run->files; i++) {
        run->result->data_bytes += packer_member(run->packer, i)->span.raw_bytes;
    }
}

enum rc extraction_run(struct extraction *extraction, struct audience *audience,
                       const struct audience_counts *counts, const struct manifest *facts,
                       int out_dirfd, struct extraction_result *result, struct err *err)
{
    assert(extraction->layout != NULL);
    struct run run = {
        .extraction = extraction,
        .options = &extraction->options,
        .counts = counts,
        .facts = facts,
        .dirfd = out_dirfd,
        .fd = -1,
        .name_values = extraction->options.name_values,
        .result = result,
    };
    uint64_t rows = counts->records + counts->seeds;
    enum rc rc;
    memset(result, 0, sizeof *result);
    run.name_values.records = counts->records;
    if (rows > layout_reference_max(extraction->layout)) {
        rc = err_set(err, RC_RANGE, "column reference is too narrow for row %llu; make it wider",
                     (unsigned long long)rows);
    } else if (rows == 0 && extraction->options.skips_empty) {
        rc = make_manifest(&run, err);
        rc = rc == RC_OK ? put_file(&run, EXTRACTION_MANIFEST, buf_slice(&run.manifest), err) : rc;
    } else {
        rc = write_archive(&run, audience, err);
    }
    if (rc == RC_OK) {
        run_result(&run);
    }
    packer_free(run.packer); /* before the descriptor: its threads may be writing */
    if (run.has_temporary) { /* gives a full disk its space back; the first fault is the one told */
        enum rc ignored = fs_remove(out_dirfd, EXTRACTION_TEMPORARY, NULL);
        (void)ignored;
    }
    fs_drop(&run.fd);
    free(run.file_records);
    arena_release(&run.arena);
    buf_release(&run.manifest);
    buf_release(&run.rows);
    buf_release(&run.header);
    return rc;
}
