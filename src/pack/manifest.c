/*
 * manifest - see manifest.h
 */
#include "pack/manifest.h"

#include "base/instant.h"
#include "base/utf8.h"

#include <jansson.h>

/* Collects the first fault, so that each value is put in one line. */
struct writer {
    enum rc rc;
    struct err *err;
};

static void fail(struct writer *writer, enum rc rc, const char *key, const char *what)
{
    if (writer->rc == RC_OK) {
        writer->rc = err_set(writer->err, rc, "manifest: %s: %s", key, what);
    }
}

/* Takes `value`; NULL is lack of memory. */
static void put(struct writer *writer, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0) { /* also frees value */
        fail(writer, RC_NOMEM, key, "no memory");
    }
}

static json_t *text_of(struct writer *writer, const char *key, const char *text)
{
    if (text == NULL) {
        return json_null();
    }
    if (!utf8_is_valid(slice_of(text))) {
        fail(writer, RC_PERM, key, "the text is not UTF-8");
        return json_null();
    }
    return json_string(text);
}

static void put_text(struct writer *writer, json_t *object, const char *key, const char *text)
{
    put(writer, object, key, text_of(writer, key, text));
}

static void put_number(struct writer *writer, json_t *object, const char *key, uint64_t number)
{
    if (number > INT64_MAX) {
        fail(writer, RC_RANGE, key, "the number is too large");
        return;
    }
    put(writer, object, key, json_integer((json_int_t)number));
}

static void put_causes(struct writer *writer, json_t *root, const struct manifest *manifest)
{
    json_t *excluded = json_object();
    for (size_t i = 0; i < manifest->excluded_count; i++) {
        if (manifest->excluded[i].count > 0) {
            put_number(writer, excluded, manifest->excluded[i].cause, manifest->excluded[i].count);
        }
    }
    put(writer, root, "excluded", excluded);
}

static void put_columns(struct writer *writer, json_t *root, const struct manifest *manifest)
{
    json_t *columns = json_array();
    for (size_t i = 0; i < manifest->column_count; i++) {
        if (json_array_append_new(columns, text_of(writer, "columns", manifest->columns[i])) != 0) {
            fail(writer, RC_NOMEM, "columns", "no memory");
        }
    }
    put(writer, root, "columns", columns);
}

static void put_files(struct writer *writer, json_t *root, const char *key,
                      const struct manifest_file *files, size_t count, bool has_records)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *file = json_object();
        put_text(writer, file, "name", files[i].name);
        if (has_records) {
            put_number(writer, file, "records", files[i].records);
        }
        put_number(writer, file, "bytes", files[i].bytes);
        put_text(writer, file, "sha256", files[i].sha256);
        if (json_array_append_new(array, file) != 0) {
            fail(writer, RC_NOMEM, key, "no memory");
        }
    }
    put(writer, root, key, array);
}

static void put_head(struct writer *writer, json_t *ledger, const char *key,
                     const struct manifest_head *head)
{
    json_t *object = json_object();
    put_number(writer, object, "number", head->number);
    put_text(writer, object, "hash", head->hash);
    put(writer, ledger, key, object);
}

static void put_all(struct writer *writer, json_t *root, const struct manifest *manifest)
{
    char created[INSTANT_TEXT_BYTES];
    char delimiter[2] = {manifest->delimiter, '\0'};
    put_text(writer, root, "delivery", manifest->delivery);
    put_number(writer, root, "revision", manifest->revision);
    put_text(writer, root, "campaign", manifest->campaign);
    put_text(writer, root, "programme", manifest->programme);
    put_text(writer, root, "provider", manifest->provider);
    put_text(writer, root, "service", manifest->service);
    put_text(writer, root, "created", instant_format_seconds(manifest->created_ns, created));
    put_number(writer, root, "rows", manifest->rows);
    put_number(writer, root, "records", manifest->records);
    put_number(writer, root, "seeds", manifest->seeds);
    put_causes(writer, root, manifest);
    put_columns(writer, root, manifest);
    put_text(writer, root, "encoding", manifest->encoding);
    put_text(writer, root, "delimiter", manifest->delimiter == '\0' ? NULL : delimiter);
    put_number(writer, root, "transliterated", manifest->transliterated);
    put_text(writer, root, "random_seed", manifest->random_seed);
    put_files(writer, root, "files", manifest->files, manifest->file_count, true);
    put_files(writer, root, "documents", manifest->documents, manifest->document_count, false);
    json_t *ledger = json_object();
    put_head(writer, ledger, "cost", &manifest->cost);
    put_head(writer, ledger, "stock", &manifest->stock);
    put(writer, root, "ledger", ledger);
}

static int take_text(const char *bytes, size_t len, void *out)
{
    buf_add(out, bytes, len);
    return 0;
}

enum rc manifest_write(const struct manifest *manifest, struct buf *out, struct err *err)
{
    struct writer writer = {RC_OK, err};
    json_t *root = json_object();
    put_all(&writer, root, manifest);
    if (writer.rc == RC_OK &&
        json_dump_callback(root, take_text, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER) != 0) {
        fail(&writer, RC_NOMEM, "all", "no memory");
    }
    json_decref(root);
    if (writer.rc != RC_OK) {
        return writer.rc;
    }
    buf_add_byte(out, '\n');
    return buf_ok(out, err);
}
