/*
 * extraction - see extraction.h; this file: settings, and rows rendered where they are read
 */
#include "pack/extraction_inner.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static enum rc documents_check(const struct extraction_options *options, struct err *err)
{
    if (options->document_count > EXTRACTION_DOCUMENTS_MAX) {
        return err_set(err, RC_RANGE, "documents: %zu are named, at most %d are allowed",
                       options->document_count, EXTRACTION_DOCUMENTS_MAX);
    }
    for (size_t i = 0; i < options->document_count; i++) {
        const char *name = options->documents[i].name;
        enum rc rc = packer_document_check(name, err);
        if (rc != RC_OK) {
            return err_add(err, rc, "documents");
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(options->documents[j].name, name) == 0) {
                return err_set(err, RC_PERM, "documents: \"%s\" is named twice; name it once",
                               name);
            }
        }
    }
    return RC_OK;
}

static enum rc options_check(const struct extraction_options *options, struct err *err)
{
    if (options->container == CONTAINER_GZ && options->document_count > 0) {
        return err_set(err, RC_PERM,
                       "container \"gz\" holds one file: documents need zip, tar.gz "
                       "or tar.zst");
    }
    if (options->container == CONTAINER_GZ && options->rows_per_file > 0) {
        return err_set(err, RC_PERM,
                       "container \"gz\" holds one file: rows_per_file needs zip, "
                       "tar.gz or tar.zst");
    }
    enum rc rc = codec_level_check(options->level, err);
    if (rc == RC_OK) {
        rc = archive_name_check(options->name, err);
    }
    return rc == RC_OK ? documents_check(options, err) : rc;
}

enum rc extraction_open(const struct extraction_options *options, struct extraction **out,
                        struct err *err)
{
    enum rc rc = options_check(options, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct extraction *extraction = calloc(1, sizeof *extraction);
    if (extraction == NULL) {
        return err_set(err, RC_NOMEM, "no memory for an extraction");
    }
    extraction->options = *options;
    *out = extraction;
    return RC_OK;
}

void extraction_free(struct extraction *extraction)
{
    if (extraction == NULL) {
        return;
    }
    for (size_t i = 0; i < AUDIENCE_THREADS_MAX; i++) {
        layout_state_free(extraction->states[i]);
    }
    layout_free(extraction->layout);
    free(extraction);
}

enum rc extraction_compile(struct extraction *extraction, const char *const *columns,
                           size_t column_count, struct err *err)
{
    assert(extraction->layout == NULL);
    struct slice *names = calloc(column_count + 1, sizeof *names);
    if (names == NULL) {
        return err_set(err, RC_NOMEM, "no memory for %zu columns", column_count);
    }
    for (size_t i = 0; i < column_count; i++) {
        names[i] = slice_of(columns[i]);
    }
    enum rc rc =
        layout_open(extraction->options.layout, names, column_count, &extraction->layout, err);
    free(names);
    return rc;
}

const struct layout *extraction_layout(const struct extraction *extraction)
{
    return extraction->layout;
}

/* The thread's own state; opened at its first row. */
static enum rc state_of(struct extraction *extraction, unsigned thread, struct layout_state **out,
                        struct err *err)
{
    assert(extraction->layout != NULL && thread < AUDIENCE_THREADS_MAX);
    struct layout_state **state = &extraction->states[thread];
    enum rc rc = RC_OK;
    if (*state == NULL) {
        rc = layout_state_open(extraction->layout, state, err);
    }
    *out = *state;
    return rc;
}

enum audience_cause extraction_check(void *ctx, unsigned thread, const struct audience_row *row)
{
    struct extraction *extraction = ctx;
    struct layout_state *state;
    enum address_verdict verdict = ADDRESS_OK;
    if (!extraction->options.layout->is_address_checked) {
        return CAUSE_NONE;
    }
    enum rc rc = state_of(extraction, thread, &state, NULL);
    if (rc == RC_OK) {
        rc = layout_address_check(extraction->layout, state, row->fields, row->count, &verdict,
                                  NULL);
    }
    if (rc != RC_OK || verdict == ADDRESS_OK) {
        return CAUSE_NONE; /* a fault comes again in extraction_payload(), which can tell it */
    }
    return verdict == ADDRESS_INCOMPLETE ? CAUSE_INCOMPLETE_ADDRESS : CAUSE_BAD_ADDRESS;
}

enum rc extraction_payload(void *ctx, unsigned thread, const struct audience_row *row,
                           struct buf *out, struct err *err)
{
    struct extraction *extraction = ctx;
    struct layout_state *state;
    enum rc rc = state_of(extraction, thread, &state, err);
    if (rc != RC_OK) {
        return rc;
    }
    layout_state_between(state, row->between);
    uint64_t before = layout_counts(state).transliterated;
    rc = layout_payload(extraction->layout, state, row->fields, row->count, out, err);
    if (rc != RC_OK) {
        return rc;
    }
    uint64_t more = layout_counts(state).transliterated - before;
    if (more >= PAYLOAD_COUNT_IS_LONG) {
        uint32_t count = more > UINT32_MAX ? UINT32_MAX : (uint32_t)more;
        buf_add(out, &count, sizeof count);
        more = PAYLOAD_COUNT_IS_LONG;
    }
    buf_add_byte(out, (char)(unsigned char)more);
    return buf_ok(out, err);
}
