/*
 * unwanted - see unwanted.h
 */
#include "stage/unwanted.h"

#include "audience/csv_cursor.h"
#include "audience/keyset.h"
#include "channel/quarantine.h"

#include <stdlib.h>
#include <unistd.h>

struct unwanted {
    struct keyset keys;
    struct quarantine *quarantine;
    struct buf scratch;
};

static enum rc add_list(struct unwanted *unwanted, int fd, const char *name, const char *key,
                        struct err *err)
{
    struct csv_cursor *cursor = NULL;
    size_t column = 0;
    if (fd < 0 || lseek(fd, 0, SEEK_SET) != 0) {
        return err_set(
            err, RC_TEMP,
            "%s: the channel's suppression list cannot be read; nobody is sent to without "
            "it",
            name);
    }
    enum rc rc = csv_cursor_open(fd, name, ',', &cursor, err);
    rc = rc == RC_OK ? csv_cursor_want(cursor, key, &column, err) : rc;
    while (rc == RC_OK) {
        struct csv_record record;
        rc = csv_cursor_next(cursor, &record, err);
        if (rc == RC_OK && record.fault != CSV_SOUND) {
            rc = err_set(err, RC_PERM, "%s:%llu: %s", name, (unsigned long long)record.line,
                         csv_fault_text(record.fault));
        }
        if (rc == RC_OK && record.fields[column].len > 0) {
            rc = keyset_add(&unwanted->keys, record.fields[column], err);
        }
    }
    csv_cursor_free(cursor);
    return rc == RC_GONE ? RC_OK : rc;
}

enum rc unwanted_load(const struct house *house, int channel, const struct channel_lists *lists,
                      const char *key, struct unwanted **out, struct err *err)
{
    char file[QUARANTINE_FILE_BYTES];
    const struct texts names = house->channels[channel].suppress;
    struct unwanted *unwanted = calloc(1, sizeof *unwanted);
    if (unwanted == NULL) {
        return err_set(err, RC_NOMEM, "no memory for the lists of who is not contacted");
    }
    keyset_init(&unwanted->keys, UNWANTED_MEMORY_BYTES, -1,
                (uint64_t)(uintptr_t)unwanted ^ (uint64_t)getpid() << 32);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < lists->suppress_count && i < names.count; i++) {
        rc = add_list(unwanted, lists->suppress[i], names.items[i], key, err);
    }
    if (rc == RC_OK) {
        rc = quarantine_load(lists->quarantine, quarantine_file(house_channel_name(channel), file),
                             &unwanted->quarantine, err);
    }
    if (rc != RC_OK) {
        unwanted_free(unwanted);
        return rc;
    }
    *out = unwanted;
    return RC_OK;
}

void unwanted_free(struct unwanted *unwanted)
{
    if (unwanted != NULL) {
        keyset_release(&unwanted->keys);
        quarantine_free(unwanted->quarantine);
        buf_release(&unwanted->scratch);
        free(unwanted);
    }
}

enum rc unwanted_cause(struct unwanted *unwanted, struct slice key, struct slice address,
                       const char **out, struct err *err)
{
    bool is_in = false;
    *out = NULL;
    enum rc rc = keyset_has(&unwanted->keys, key, &unwanted->scratch, &is_in, err);
    if (rc == RC_OK && is_in) {
        *out = "suppressed";
        return RC_OK;
    }
    if (rc == RC_OK) {
        rc = quarantine_has(unwanted->quarantine, address, key, &unwanted->scratch, &is_in, err);
    }
    if (rc == RC_OK && is_in) {
        *out = "quarantined";
    }
    return rc;
}
