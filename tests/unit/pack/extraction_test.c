/*
 * extraction - from rows to the files in the directory
 *
 * The audience is a stand-in: it renders the rows below and gives the payloads back in their order.
 */
#include "unit/pack/archive_support.h"

#include "pack/extraction.h"

#include <jansson.h>

/* --- the stand-in --- */

struct audience {
    struct buf payloads[4000];
    size_t count;
    size_t times; /* how often it gives them all; 0: once */
    enum rc rc;   /* what audience_each ends with */
    int forgotten;
};

const char *audience_cause_name(enum audience_cause cause)
{
    static const char *const names[] = {
        "malformed", "not-selected",       "suppressed",  "quarantined", "control-group",
        "pressure",  "incomplete-address", "bad-address", "duplicate",   "over-limit"};
    return cause < CAUSE_COUNT ? names[cause] : "none";
}

enum rc audience_each(const struct audience *audience, audience_take *take, void *ctx,
                      struct err *err)
{
    size_t times = audience->times == 0 ? 1 : audience->times;
    for (size_t i = 0; i < times * audience->count; i++) {
        enum rc rc = take(ctx, buf_slice(&audience->payloads[i % audience->count]), i == 0, err);
        if (rc != RC_OK) {
            return rc;
        }
    }
    return audience->rc;
}

void audience_forget(struct audience *audience)
{
    audience->forgotten++;
}

/* --- a run --- */

static const char *const COLUMNS[] = {"id", "name", "city"};
static const struct layout_column LAYOUT_COLUMNS[] = {
    {"reference", NULL, 0, false}, {"name", NULL, 0, false}, {"city", NULL, 0, true}};

struct trial {
    struct layout_options layout;
    struct extraction_options options;
    struct audience_counts counts;
    struct audience audience;
    struct extraction_result result;
    struct err err;
};

static struct trial *trial_new(enum container container)
{
    struct trial *trial = calloc(1, sizeof *trial);
    trial->layout = (struct layout_options){
        .columns = LAYOUT_COLUMNS,
        .column_count = COUNT(LAYOUT_COLUMNS),
        .delimiter = ';',
        .encoding = ENCODING_ISO_8859_1,
        .has_header = true,
        .delivery_id = "letter",
    };
    trial->options = (struct extraction_options){
        .layout = &trial->layout,
        .container = container,
        .threads = 2,
        .name_values = {.campaign = "spring", .delivery = "letter", .date = "2027-03-01"},
        .created_ns = INT64_C(1803852000123456789),
    };
    trial->counts.excluded[CAUSE_SUPPRESSED] = 5;
    return trial;
}

static void trial_free(struct trial *trial)
{
    for (size_t i = 0; i < trial->audience.count; i++) {
        buf_release(&trial->audience.payloads[i]);
    }
    free(trial);
}

static void render(struct trial *trial, struct extraction *extraction, size_t rows)
{
    char id[32];
    for (size_t i = 0; i < rows; i++) {
        (void)snprintf(id, sizeof id, "%zu", i);
        const struct slice fields[] = {
            slice_of(id), i % 10 == 0 ? SLICE_LITERAL("\xc5\x81ukasz") : SLICE_LITERAL("Martin"),
            SLICE_LITERAL("n\xc3\xaemes")};
        struct audience_row row = {fields, COUNT(fields), i + 2, i == 0, '\0'};
        assert_int_equal(extraction_check(extraction, (unsigned)(i % 3), &row), CAUSE_NONE);
        assert_ok(extraction_payload(extraction, (unsigned)(i % 3), &row,
                                     &trial->audience.payloads[i], &trial->err),
                  &trial->err);
        trial->audience.count = i + 1;
    }
    trial->counts.seeds = rows > 0;
    trial->counts.records = rows - trial->counts.seeds;
    trial->counts.rows = trial->counts.records + 5;
}

static enum rc trial_run(struct trial *trial, int dirfd, size_t rows)
{
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
    struct extraction *extraction = NULL;
    struct manifest facts = {.delivery = "letter",
                             .revision = 1,
                             .campaign = "spring",
                             .programme = "loyalty",
                             .random_seed = "1",
                             .cost = {3, zeros},
                             .stock = {4, zeros}};
    enum rc rc = extraction_open(&trial->options, &extraction, &trial->err);
    if (rc == RC_OK) {
        rc = extraction_compile(extraction, COLUMNS, COUNT(COLUMNS), &trial->err);
    }
    if (rc == RC_OK) {
        render(trial, extraction, rows);
        rc = extraction_run(extraction, &trial->audience, &trial->counts, &facts, dirfd,
                            &trial->result, &trial->err);
    }
    extraction_free(extraction);
    return rc;
}

static json_t *manifest_of(int dirfd)
{
    struct buf text = bytes_of(dirfd, "manifest.json");
    json_t *manifest = json_loadb(text.ptr, text.len, 0, NULL);
    buf_release(&text);
    assert_non_null(manifest);
    return manifest;
}

static json_int_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

/* --- what is written --- */

static void extraction_run__zip__holds_data_manifest_and_documents(void **state)
{
    struct place *place = *state;
    struct trial *trial = trial_new(CONTAINER_ZIP);
    put_text(place->fd, "brochure", "%PDF");
    struct extraction_document document = {"brochure.pdf", openat(place->fd, "brochure", O_RDONLY)};
    assert_int_equal(mkdirat(place->fd, "out", 0700), 0);
    int out = openat(place->fd, "out", O_RDONLY | O_DIRECTORY);
    trial->options.documents = &document;
    trial->options.document_count = 1;
    atomic_uint_least64_t done = 0;
    trial->options.rows_done = &done;
    assert_ok(trial_run(trial, out, 3), &trial->err);
    assert_int_equal(done, 3);

    static const char data[] = "reference;name;city\r\nletter-1;Lukasz;N\xceMES\r\n"
                               "letter-2;Martin;N\xceMES\r\nletter-3;Martin;N\xceMES\r\n";
    char sha256[SHA256_HEX_BYTES];
    char name[200];
    sha256_hex(data, sizeof data - 1, sha256);
    (void)snprintf(name, sizeof name, "spring_letter_2027-03-01_%.12s", sha256);
    const struct extraction_result *result = &trial->result;
    assert_string_equal(result->data_sha256, sha256);
    assert_memory_equal(result->archive, name, strlen(name));
    assert_string_equal(result->archive + strlen(name), ".zip");
    assert_string_equal(result->manifest, "");
    assert_int_equal(result->files, 1);
    assert_int_equal(result->data_bytes, sizeof data - 1);
    assert_int_equal(result->transliterated, 1);
    assert_int_equal(names_in(out), 3);
    assert_int_equal(mode_of(out, result->archive), 0600);

    struct buf archive = bytes_of(out, result->archive);
    assert_int_equal(archive.len, result->bytes);
    sha256_hex(archive.ptr, archive.len, sha256);
    assert_string_equal(result->sha256, sha256);
    buf_release(&archive);

    json_t *manifest = manifest_of(out);
    const json_t *file = json_array_get(json_object_get(manifest, "files"), 0);
    assert_int_equal(number_of(manifest, "rows"), 7);
    assert_int_equal(number_of(manifest, "records"), 2);
    assert_int_equal(number_of(manifest, "seeds"), 1);
    assert_int_equal(number_of(manifest, "transliterated"), 1);
    assert_int_equal(number_of(json_object_get(manifest, "excluded"), "suppressed"), 5);
    assert_string_equal(text_at(manifest, "encoding"), "ISO-8859-1");
    assert_string_equal(text_at(manifest, "created"), "2027-02-28T22:00:00Z");
    assert_int_equal(json_array_size(json_object_get(manifest, "columns")), 3);
    assert_string_equal(text_at(file, "name"), "data.csv");
    assert_int_equal(number_of(file, "records"), 3);
    assert_int_equal(number_of(file, "bytes"), sizeof data - 1);
    assert_string_equal(text_at(file, "sha256"), result->data_sha256);
    file = json_array_get(json_object_get(manifest, "documents"), 0);
    assert_string_equal(text_at(file, "name"), "documents/brochure.pdf");
    assert_int_equal(number_of(file, "bytes"), 4);
    json_decref(manifest);

    assert_int_equal(run_in(place, "cd out && sha256sum -c *.sha256"), 0);
    if (can_use("unzip")) {
        assert_int_equal(run_in(place,
                                "cd out && unzip -q *.zip && cmp */manifest.json manifest.json && "
                                "cmp */documents/brochure.pdf ../brochure"),
                         0);
        digest_of(place, sha256, "cat out/*/data.csv");
        assert_string_equal(sha256, result->data_sha256);
    }
    (void)close(document.fd);
    (void)close(out);
    trial_free(trial);
}

static void extraction_run__split__counts_each_file(void **state)
{
    struct place *place = *state;
    struct trial *trial = trial_new(CONTAINER_TAR_GZ);
    trial->options.rows_per_file = 1000;
    assert_ok(trial_run(trial, place->fd, 2500), &trial->err);
    json_t *manifest = manifest_of(place->fd);
    const json_t *files = json_object_get(manifest, "files");
    static const json_int_t records[] = {1000, 1000, 500};
    assert_int_equal(json_array_size(files), 3);
    assert_int_equal(trial->result.files, 3);
    for (size_t i = 0; i < 3; i++) {
        char name[32];
        const json_t *file = json_array_get(files, i);
        (void)snprintf(name, sizeof name, "data-%04zu.csv", i + 1);
        assert_string_equal(text_at(file, "name"), name);
        assert_int_equal(number_of(file, "records"), records[i]);
    }
    if (can_use("tar")) {
        char sha256[SHA256_HEX_BYTES];
        assert_int_equal(run_in(place,
                                "tar -xzf *.tar.gz && head -qn1 */data-*.csv | sort -u | wc -l | "
                                "grep -qx 1 && cmp */manifest.json manifest.json && "
                                "test $(cat */data-*.csv | wc -l) = 2503"),
                         0);
        digest_of(place, sha256, "cat */data-0002.csv");
        assert_string_equal(text_at(json_array_get(files, 1), "sha256"), sha256);
        digest_of(place, sha256, "cat */data-*.csv"); /* NAME: over all files in order */
        assert_string_equal(trial->result.data_sha256, sha256);
    }
    json_decref(manifest);
    trial_free(trial);
}

/* A last file that is exactly full is not followed by an empty one. */
static void extraction_run__rows_fill_the_files__no_empty_file(void **state)
{
    struct place *place = *state;
    struct trial *trial = trial_new(CONTAINER_ZIP);
    trial->options.rows_per_file = 100;
    assert_ok(trial_run(trial, place->fd, 300), &trial->err);
    assert_int_equal(trial->result.files, 3);
    trial_free(trial);
}

static void extraction_run__gz__has_its_manifest_beside_it(void **state)
{
    struct place *place = *state;
    struct trial *trial = trial_new(CONTAINER_GZ);
    assert_ok(trial_run(trial, place->fd, 20), &trial->err);
    const char *archive = trial->result.archive;
    assert_string_equal(archive + strlen(archive) - 7, ".csv.gz");
    assert_int_equal(names_in(place->fd), 4);
    assert_int_equal(run_in(place, "cmp manifest.json '%s'", trial->result.manifest), 0);
    char sha256[SHA256_HEX_BYTES];
    digest_of(place, sha256, "gzip -dc *.csv.gz");
    assert_string_equal(trial->result.data_sha256, sha256);
    json_t *manifest = manifest_of(place->fd);
    const char *name = text_at(json_array_get(json_object_get(manifest, "files"), 0), "name");
    assert_int_equal(strlen(name) + 3, strlen(archive));
    assert_memory_equal(name, archive, strlen(name));
    json_decref(manifest);
    trial_free(trial);
}

static void extraction_run__fixed__is_txt_without_delimiter(void **state)
{
    struct place *place = *state;
    static const struct layout_column columns[] = {{"reference", NULL, 12, false},
                                                   {"name", NULL, 10, false}};
    struct trial *trial = trial_new(CONTAINER_TAR_ZST);
    trial->layout.format = LAYOUT_FIXED;
    trial->layout.columns = columns;
    trial->layout.column_count = 2;
    trial->layout.has_header = false;
    assert_ok(trial_run(trial, place->fd, 2), &trial->err);
    json_t *manifest = manifest_of(place->fd);
    assert_true(json_is_null(json_object_get(manifest, "delimiter")));
    assert_string_equal(text_at(json_array_get(json_object_get(manifest, "files"), 0), "name"),
                        "data.txt");
    assert_int_equal(trial->result.data_bytes, 2 * (12 + 10 + 2));
    json_decref(manifest);
    trial_free(trial);
}

static void extraction_run__nobody__header_alone_or_no_archive(void **state)
{
    struct place *place = *state;
    for (int skips = 0; skips <= 1; skips++) {
        char name[16];
        (void)snprintf(name, sizeof name, "out%d", skips);
        assert_int_equal(mkdirat(place->fd, name, 0700), 0);
        int out = openat(place->fd, name, O_RDONLY | O_DIRECTORY);
        struct trial *trial = trial_new(CONTAINER_ZIP);
        trial->options.skips_empty = skips == 1;
        assert_ok(trial_run(trial, out, 0), &trial->err);
        assert_int_equal(trial->result.files, skips == 1 ? 0 : 1);
        assert_int_equal(trial->result.archive[0] == '\0', skips);
        assert_int_equal(trial->result.data_bytes, skips == 1 ? 0 : 21);
        assert_int_equal(names_in(out), skips == 1 ? 1 : 3);
        trial_free(trial);
        (void)close(out);
    }
}

static void extraction_run__threads__same_archive(void **state)
{
    struct place *place = *state;
    char first[SHA256_HEX_BYTES] = "";
    static const unsigned int threads[] = {1, 2, 8};
    for (size_t i = 0; i < COUNT(threads); i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "out%zu", i);
        assert_int_equal(mkdirat(place->fd, name, 0700), 0);
        int out = openat(place->fd, name, O_RDONLY | O_DIRECTORY);
        struct trial *trial = trial_new(CONTAINER_TAR_GZ);
        trial->options.threads = threads[i];
        trial->options.rows_per_file = 1234;
        assert_ok(trial_run(trial, out, 4000), &trial->err);
        if (i == 0) {
            memcpy(first, trial->result.sha256, sizeof first);
        }
        assert_string_equal(trial->result.sha256, first);
        trial_free(trial);
        (void)close(out);
    }
}

/* Many characters in one row: the long form of the count. */
static void extraction_payload__many_transliterated__are_counted(void **state)
{
    struct place *place = *state;
    static const size_t counts[] = {0, 1, 254, 255, 256, 1000};
    for (size_t i = 0; i < COUNT(counts); i++) {
        struct trial *trial = trial_new(CONTAINER_ZIP);
        struct extraction *extraction;
        struct buf name = BUF_EMPTY;
        struct manifest facts = {.delivery = "letter"};
        char folder[16];
        for (size_t j = 0; j < counts[i]; j++) {
            buf_add_text(&name, "\xc5\x82");
        }
        (void)snprintf(folder, sizeof folder, "out%zu", i);
        assert_int_equal(mkdirat(place->fd, folder, 0700), 0);
        int out = openat(place->fd, folder, O_RDONLY | O_DIRECTORY);
        assert_ok(extraction_open(&trial->options, &extraction, &trial->err), &trial->err);
        assert_ok(extraction_compile(extraction, COLUMNS, COUNT(COLUMNS), &trial->err),
                  &trial->err);
        const struct slice fields[] = {SLICE_LITERAL("1"), buf_slice(&name), SLICE_LITERAL("")};
        struct audience_row row = {fields, COUNT(fields), 2, false, '\0'};
        assert_ok(
            extraction_payload(extraction, 31, &row, &trial->audience.payloads[0], &trial->err),
            &trial->err);
        trial->audience.count = 1;
        trial->counts.records = 1;
        assert_ok(extraction_run(extraction, &trial->audience, &trial->counts, &facts, out,
                                 &trial->result, &trial->err),
                  &trial->err);
        assert_int_equal(trial->result.transliterated, counts[i]);
        extraction_free(extraction);
        buf_release(&name);
        trial_free(trial);
        (void)close(out);
    }
}

static void extraction_check__postal_address__gives_its_cause(void **state)
{
    (void)state;
    static const char *const columns[] = {"name", "address1", "postcode", "city"};
    static const struct layout_column lines[] = {{"line1", NULL, 0, false},
                                                 {"line6", NULL, 0, false}};
    static const struct {
        const char *fields[4];
        enum audience_cause cause;
    } cases[] = {{{"A Martin", "1 rue Foch", "75001", "Paris"}, CAUSE_NONE},
                 {{"", "1 rue Foch", "75001", "Paris"}, CAUSE_INCOMPLETE_ADDRESS},
                 {{"A Martin", "1 rue Foch", "7500", "Paris"}, CAUSE_BAD_ADDRESS}};
    struct trial *trial = trial_new(CONTAINER_ZIP);
    struct extraction *extraction;
    trial->layout.is_address_checked = true;
    trial->layout.columns = lines;
    trial->layout.column_count = 2;
    assert_ok(extraction_open(&trial->options, &extraction, &trial->err), &trial->err);
    assert_ok(extraction_compile(extraction, columns, 4, &trial->err), &trial->err);
    assert_non_null(extraction_layout(extraction));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slice fields[4];
        for (size_t j = 0; j < 4; j++) {
            fields[j] = slice_of(cases[i].fields[j]);
        }
        struct audience_row row = {fields, 4, 2, false, '\0'};
        assert_int_equal(extraction_check(extraction, 1, &row), cases[i].cause);
    }
    extraction_free(extraction);
    trial_free(trial);
}

/* --- what is refused, and what goes wrong --- */

static void extraction_open__settings_that_do_not_fit__are_refused(void **state)
{
    (void)state;
    static const struct extraction_document documents[] = {
        {"a.pdf", -1}, {"b.pdf", -1}, {"a.pdf", -1}, {"../x", -1}};
    struct extraction *extraction = NULL;
    struct trial *trial = trial_new(CONTAINER_GZ);
    struct extraction_options *options = &trial->options;
    struct err *err = &trial->err;
    options->documents = documents;
    options->document_count = 1;
    assert_int_equal(extraction_open(options, &extraction, err), RC_PERM);
    options->container = CONTAINER_ZIP;
    options->document_count = 3;
    assert_int_equal(extraction_open(options, &extraction, err), RC_PERM);
    assert_non_null(strstr(err->text, "\"a.pdf\" is named twice"));
    options->documents = documents + 3;
    options->document_count = 1;
    assert_int_equal(extraction_open(options, &extraction, err), RC_PERM);
    options->document_count = EXTRACTION_DOCUMENTS_MAX + 1;
    assert_int_equal(extraction_open(options, &extraction, err), RC_RANGE);
    options->document_count = 0;
    options->container = CONTAINER_GZ;
    options->rows_per_file = 10;
    assert_int_equal(extraction_open(options, &extraction, err), RC_PERM);
    options->rows_per_file = 0;
    options->level = 10;
    assert_int_equal(extraction_open(options, &extraction, err), RC_RANGE);
    options->level = 0;
    options->name = "{{nonsense}}";
    assert_int_equal(extraction_open(options, &extraction, err), RC_PERM);
    assert_null(extraction);
    extraction_free(NULL);
    trial_free(trial);
}

static void extraction_run__too_many_files__is_range(void **state)
{
    struct place *place = *state;
    struct trial *trial = trial_new(CONTAINER_ZIP);
    trial->options.rows_per_file = 1;
    trial->options.level = 1;
    trial->audience.times = EXTRACTION_FILES_MAX + 1;
    assert_int_equal(trial_run(trial, place->fd, 1), RC_RANGE);
    assert_non_null(strstr(trial->err.text, "rows_per_file"));
    assert_int_equal(names_in(place->fd), 0);
    trial_free(trial);
}

static void extraction_run__other_rows_than_were_counted__is_corrupt(void **state)
{
    struct place *place = *state;
    struct trial *trial = trial_new(CONTAINER_ZIP);
    trial->audience.times = 2;
    assert_int_equal(trial_run(trial, place->fd, 10), RC_CORRUPT);
    assert_int_equal(names_in(place->fd), 0);
    trial_free(trial);
}

/* So many times the same 4,000 rows. */
static int forgotten_after(int dirfd, unsigned threads, size_t times)
{
    struct trial *trial = trial_new(CONTAINER_TAR_GZ);
    struct extraction *extraction = NULL;
    struct manifest facts = {.delivery = "letter"};
    trial->options.threads = threads;
    trial->options.level = 1;
    assert_ok(extraction_open(&trial->options, &extraction, &trial->err), &trial->err);
    assert_ok(extraction_compile(extraction, COLUMNS, COUNT(COLUMNS), &trial->err), &trial->err);
    render(trial, extraction, COUNT(trial->audience.payloads));
    trial->audience.times = times;
    trial->counts.records = times * trial->audience.count - trial->counts.seeds;
    assert_ok(extraction_run(extraction, &trial->audience, &trial->counts, &facts, dirfd,
                             &trial->result, &trial->err),
              &trial->err);
    int forgotten = trial->audience.forgotten;
    assert_int_equal(unlinkat(dirfd, trial->result.archive, 0), 0);
    extraction_free(extraction);
    trial_free(trial);
    return forgotten;
}

static void extraction_run__many_rows__are_forgotten_once(void **state)
{
    struct place *place = *state;
    assert_int_equal(forgotten_after(place->fd, 2, 25), 1);
    assert_int_equal(forgotten_after(place->fd, 1, 25), 1);
    assert_int_equal(forgotten_after(place->fd, 2, 24), 0);
}

static void extraction_run__reference_too_wide__is_range(void **state)
{
    struct place *place = *state;
    static const struct layout_column columns[] = {{"reference", NULL, 8, false}};
    struct trial *trial = trial_new(CONTAINER_ZIP);
    trial->layout.columns = columns;
    trial->layout.column_count = 1;
    assert_int_equal(trial_run(trial, place->fd, 10), RC_RANGE);
    assert_non_null(strstr(trial->err.text, "too narrow for row 10"));
    assert_int_equal(names_in(place->fd), 0);
    trial_free(trial);
}

static void extraction_run__payload_without_its_end__is_corrupt(void **state)
{
    struct place *place = *state;
    static const struct slice bad[] = {{"", 0}, {"\xff", 1}, {"abc\xff", 4}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct trial *trial = trial_new(CONTAINER_ZIP);
        struct extraction *extraction;
        struct manifest facts = {.delivery = "letter"};
        assert_ok(extraction_open(&trial->options, &extraction, &trial->err), &trial->err);
        assert_ok(extraction_compile(extraction, COLUMNS, COUNT(COLUMNS), &trial->err),
                  &trial->err);
        buf_add_slice(&trial->audience.payloads[0], bad[i]);
        trial->audience.count = 1;
        trial->counts.records = 1;
        assert_int_equal(extraction_run(extraction, &trial->audience, &trial->counts, &facts,
                                        place->fd, &trial->result, &trial->err),
                         RC_CORRUPT);
        assert_int_equal(names_in(place->fd), 0);
        extraction_free(extraction);
        trial_free(trial);
    }
}

static void extraction_run__audience_fails__leaves_no_archive(void **state)
{
    struct place *place = *state;
    struct trial *trial = trial_new(CONTAINER_ZIP);
    trial->audience.rc = RC_TEMP;
    assert_int_equal(trial_run(trial, place->fd, 10), RC_TEMP);
    assert_int_equal(names_in(place->fd), 0);
    trial_free(trial);
}

static void extraction_run__document_that_is_no_file__is_refused(void **state)
{
    struct place *place = *state;
    struct trial *trial = trial_new(CONTAINER_ZIP);
    struct extraction_document document = {"brochure.pdf", place->fd};
    trial->options.documents = &document;
    trial->options.document_count = 1;
    assert_int_equal(trial_run(trial, place->fd, 10), RC_PERM);
    assert_string_equal(trial->err.text, "brochure.pdf: it is not a regular file");
    trial_free(trial);
}

static void extraction_run__directory_in_use__reports_exists_and_keeps_it(void **state)
{
    struct place *place = *state;
    struct trial *trial = trial_new(CONTAINER_ZIP);
    put_text(place->fd, EXTRACTION_TEMPORARY, "somebody else's");
    assert_int_equal(trial_run(trial, place->fd, 10), RC_EXISTS);
    assert_string_equal(text_of(place->fd, EXTRACTION_TEMPORARY), "somebody else's");
    trial_free(trial);
}

/* Every call of every kind fails once: never an archive under its name, unless all is well. */
static void extraction_run__any_call_fails__no_archive_under_its_name(void **state)
{
    struct place *place = *state;
    static const enum fault_call calls[] = {FAULT_OPEN, FAULT_WRITE, FAULT_CLOSE, FAULT_RENAME};
    static const int error_numbers[] = {EMFILE, ENOSPC, EIO, ENOSPC};
    for (size_t i = 0; i < COUNT(calls); i++) {
        for (unsigned int nth = 1;; nth++) {
            struct trial *trial = trial_new(CONTAINER_TAR_GZ);
            assert_int_equal(mkdirat(place->fd, "out", 0700), 0);
            int out = openat(place->fd, "out", O_RDONLY | O_DIRECTORY);
            fault_at(calls[i], nth, error_numbers[i], FAULT_ONCE);
            enum rc rc = trial_run(trial, out, 10);
            fault_clear();
            assert_int_equal(run_in(place, "ls out | grep -cx '.*[.]tar[.]gz' || true"), 0);
            assert_string_equal(text_of(place->fd, "out.log"), rc == RC_OK ? "1\n" : "0\n");
            assert_true(rc == RC_OK || rc == RC_TEMP || rc == RC_IO);
            assert_int_equal(rc == RC_IO, rc != RC_OK && calls[i] == FAULT_CLOSE);
            (void)close(out);
            trial_free(trial);
            assert_int_equal(fs_remove_tree(place->fd, "out", NULL), RC_OK);
            if (rc == RC_OK) {
                assert_true(nth > (calls[i] == FAULT_RENAME ? 1 : 3));
                break;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_place(extraction_run__zip__holds_data_manifest_and_documents),
        with_place(extraction_run__split__counts_each_file),
        with_place(extraction_run__rows_fill_the_files__no_empty_file),
        with_place(extraction_run__gz__has_its_manifest_beside_it),
        with_place(extraction_run__fixed__is_txt_without_delimiter),
        with_place(extraction_run__nobody__header_alone_or_no_archive),
        with_place(extraction_run__threads__same_archive),
        with_place(extraction_payload__many_transliterated__are_counted),
        cmocka_unit_test(extraction_check__postal_address__gives_its_cause),
        cmocka_unit_test(extraction_open__settings_that_do_not_fit__are_refused),
        with_place(extraction_run__too_many_files__is_range),
        with_place(extraction_run__other_rows_than_were_counted__is_corrupt),
        with_place(extraction_run__many_rows__are_forgotten_once),
        with_place(extraction_run__reference_too_wide__is_range),
        with_place(extraction_run__payload_without_its_end__is_corrupt),
        with_place(extraction_run__audience_fails__leaves_no_archive),
        with_place(extraction_run__document_that_is_no_file__is_refused),
        with_place(extraction_run__directory_in_use__reports_exists_and_keeps_it),
        with_place(extraction_run__any_call_fails__no_archive_under_its_name),
    };
    return cmocka_run_group_tests_name("pack/extraction", tests, NULL, NULL);
}
