/*
 * witness - what a manifest says about the ledgers
 */
#include "cli/witness.h"

#include "conf/schema.h"

#include <archive.h>
#include <archive_entry.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { MEMBERS_MAX = 200000, BLOCK_BYTES = 64 * 1024 };

static bool take_head(const json_t *ledger, const char *name, const char *from,
                      struct ledger_witness *out)
{
    const json_t *head = json_object_get(ledger, name);
    const json_t *number = json_object_get(head, "number");
    const char *hash = json_string_value(json_object_get(head, "hash"));
    if (!json_is_integer(number) || json_integer_value(number) < 0 || hash == NULL ||
        strlen(hash) != SHA256_HEX_BYTES - 1) {
        return false;
    }
    out->number = (uint64_t)json_integer_value(number);
    (void)snprintf(out->hash, sizeof out->hash, "%s", hash);
    out->from = from;
    return true;
}

enum rc witness_parse(struct slice text, const char *from, struct witness *out, struct err *err)
{
    json_t *root = json_loadb(text.len == 0 ? "" : text.ptr, text.len, 0, NULL);
    const json_t *ledger = json_object_get(root, "ledger");
    bool is_good = take_head(ledger, "cost", from, &out->cost) &&
                   take_head(ledger, "stock", from, &out->stock);
    json_decref(root);
    return is_good ? RC_OK
                   : err_set(err, RC_PERM,
                             "%s: is no manifest with the heads of the ledgers; name a "
                             "manifest.json or an archive of postroom's",
                             from);
}

static bool is_manifest(const char *name)
{
    static const char wanted[] = "manifest.json";
    size_t len = name == NULL ? 0 : strlen(name);
    return len >= sizeof wanted - 1 && strcmp(name + len - (sizeof wanted - 1), wanted) == 0;
}

static enum rc read_member(struct archive *archive, const char *path, struct buf *out,
                           struct err *err)
{
    char block[BLOCK_BYTES];
    la_ssize_t got;
    while ((got = archive_read_data(archive, block, sizeof block)) > 0) {
        buf_add(out, block, (size_t)got);
        if (out->len > WITNESS_MANIFEST_BYTES_MAX) {
            return err_set(err, RC_RANGE, "%s: its manifest is larger than 16 MiB", path);
        }
    }
    return got < 0 ? err_set(err, RC_PERM, "%s: is damaged", path) : buf_ok(out, err);
}

static enum rc read_archive(const char *path, struct buf *out, struct err *err)
{
    struct archive *archive = archive_read_new();
    struct archive_entry *entry = NULL;
    enum rc rc = RC_PERM;
    if (archive == NULL) {
        return err_set(err, RC_NOMEM, "no memory for an archive");
    }
    (void)archive_read_support_filter_gzip(archive);
    (void)archive_read_support_filter_zstd(archive);
    (void)archive_read_support_format_tar(archive);
    (void)archive_read_support_format_zip(archive);
    (void)err_set(err, RC_PERM, "%s: is neither a manifest.json nor an archive that holds one",
                  path);
    if (archive_read_open_filename(archive, path, BLOCK_BYTES) == ARCHIVE_OK) {
        for (int i = 0; i < MEMBERS_MAX && archive_read_next_header(archive, &entry) == ARCHIVE_OK;
             i++) {
            if (is_manifest(archive_entry_pathname(entry))) {
                rc = read_member(archive, path, out, err);
                break;
            }
        }
    }
    (void)archive_read_free(archive);
    return rc;
}

enum rc witness_read(const char *path, struct witness *out, struct err *err)
{
    struct buf text = BUF_EMPTY;
    struct err own = {{0}};
    enum rc rc = conf_file_read(path, WITNESS_MANIFEST_BYTES_MAX, &text, &own);
    if (rc == RC_GONE || rc == RC_NOMEM) {
        buf_release(&text);
        return err_set(err, rc, "%s", own.text);
    }
    size_t blanks = rc == RC_OK ? strspn(buf_text(&text), " \t\r\n") : 0;
    if (rc != RC_OK || text.len == blanks || text.ptr[blanks] != '{') {
        buf_clear(&text);
        rc = read_archive(path, &text, err);
    }
    rc = rc == RC_OK ? witness_parse(buf_slice(&text), path, out, err) : rc;
    buf_release(&text);
    return rc;
}
