/*
 * archive_name - template, values and digest to a name
 *
 * The hash is rendered as a NUL, which no value can hold, so that its place is known after the
 * other characters were made harmless and the name was cut.
 */
#include "pack/archive_name.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "template/template.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum { VALUE_REVISION = 6, VALUE_RECORDS, VALUE_HASH, VALUE_COUNT, NUMBER_BYTES = 24 };

static const char *const value_names[VALUE_COUNT] = {"campaign",  "delivery", "date",
                                                     "programme", "provider", "service",
                                                     "revision",  "records",  "hash"};

static enum rc compile(const char *template_text, struct template **out, struct err *err)
{
    const char *text = template_text == NULL || template_text[0] == '\0'
                           ? ARCHIVE_NAME_TEMPLATE_DEFAULT
                           : template_text;
    size_t len = strlen(text);
    if (len > ARCHIVE_NAME_TEMPLATE_BYTES_MAX) {
        return err_set(err, RC_RANGE, "archive name: a template of %zu bytes; at most %d", len,
                       ARCHIVE_NAME_TEMPLATE_BYTES_MAX);
    }
    struct template_options options = {
        .escape = TEMPLATE_PLAIN, .column_names = value_names, .column_count = VALUE_COUNT};
    return template_compile((struct slice){text, len}, "archive name", &options, out, err);
}

enum rc archive_name_check(const char *template_text, struct err *err)
{
    struct template *compiled = NULL;
    enum rc rc = compile(template_text, &compiled, err);
    template_free(compiled);
    return rc;
}

static bool is_kept(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '\0';
}

/* Harmless characters only, one '_' for each other; in place, never longer */
static void make_harmless(struct buf *name)
{
    size_t to = 0;
    for (size_t at = 0; at < name->len;) {
        char c = name->ptr[at];
        (void)utf8_next(buf_slice(name), &at);
        name->ptr[to++] = (char)(is_kept(c) ? c : '_');
    }
    name->len = to;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Puts the name together in at most ARCHIVE_NAME_BYTES_MAX bytes; returns its length */
static size_t place_hash(struct slice name, const char *hash, char *out)
{
    const size_t room = ARCHIVE_NAME_BYTES_MAX - ARCHIVE_NAME_HASH_BYTES;
    const char *mark = name.len == 0 ? NULL : memchr(name.ptr, '\0', name.len);
    size_t before = mark == NULL ? smaller(name.len, room - 1) : (size_t)(mark - name.ptr);
    size_t len = smaller(before, room);
    if (len > 0) {
        memcpy(out, name.ptr, len);
    }
    if (mark == NULL && len > 0) {
        out[len++] = '_';
    }
    memcpy(out + len, hash, ARCHIVE_NAME_HASH_BYTES);
    len += ARCHIVE_NAME_HASH_BYTES;
    for (size_t i = before + 1; mark != NULL && i < name.len; i++) {
        bool is_mark = name.ptr[i] == '\0';
        const char *from = is_mark ? hash : name.ptr + i;
        size_t more = smaller(is_mark ? ARCHIVE_NAME_HASH_BYTES : 1, ARCHIVE_NAME_BYTES_MAX - len);
        memcpy(out + len, from, more);
        len += more;
    }
    return len;
}

static struct slice value_of(const char *text)
{
    return slice_of(text == NULL ? "" : text);
}

enum rc archive_name_make(const char *template_text, const struct archive_name_values *values,
                          const char *sha256_hex, char out[ARCHIVE_NAME_BYTES_MAX + 1],
                          struct err *err)
{
    assert(strlen(sha256_hex) >= ARCHIVE_NAME_HASH_BYTES);
    struct template *compiled = NULL;
    enum rc rc = compile(template_text, &compiled, err);
    if (rc != RC_OK) {
        return rc;
    }
    char revision[NUMBER_BYTES];
    char records[NUMBER_BYTES];
    (void)snprintf(revision, sizeof revision, "%" PRIu32, values->revision);
    (void)snprintf(records, sizeof records, "%" PRIu64, values->records);
    const struct slice fields[VALUE_COUNT] = {
        value_of(values->campaign),  value_of(values->delivery), value_of(values->date),
        value_of(values->programme), value_of(values->provider), value_of(values->service),
        value_of(revision),          value_of(records),          {"", 1}};
    struct buf name = BUF_EMPTY;
    rc = template_render(compiled, fields, VALUE_COUNT, &name, err);
    if (rc == RC_OK) {
        make_harmless(&name);
        size_t len = place_hash(buf_slice(&name), sha256_hex, out);
        out[len] = '\0';
        if (out[0] == '.') {
            out[0] = '_';
        }
    }
    buf_release(&name);
    template_free(compiled);
    return rc;
}
