/*
 * kept - who a count found to be in, for an extraction to take over
 *
 * Contract in the header. One machine writes and reads it: numbers are as they are in memory.
 */
#include "audience/kept.h"

#include "sys/fs.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Another number wherever what is written, or who is in by the same settings, becomes another. */
static const char FORMAT[8] = "kept 1\n";

enum { HEAD_BYTES = 8192 /* rows begin on a page */ };

/* A file that has all of these is the one that was counted: whoever writes it changes a time. */
struct file_identity {
    uint64_t device, inode, bytes;
    int64_t changed_s, changed_ns, modified_s, modified_ns; /* without gaps: compared as bytes */
};

struct head {
    char format[sizeof FORMAT];
    char identity[SHA256_HEX_BYTES];
    struct file_identity recipients;
    struct audience_counts counts;
    uint64_t is_sorted;
    struct order_ranges ranges; /* its pointers mean nothing */
    uint64_t rows;
    uint64_t rows_hash;
    uint64_t head_hash; /* of what is before */
};

static_assert(sizeof(struct head) <= HEAD_BYTES, "it stands in front of the rows");

static bool identify(int fd, struct file_identity *out)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return false;
    }
    *out = (struct file_identity){.device = status.st_dev,
                                  .inode = status.st_ino,
                                  .bytes = (uint64_t)status.st_size,
                                  .changed_s = status.st_ctim.tv_sec,
                                  .changed_ns = status.st_ctim.tv_nsec,
                                  .modified_s = status.st_mtim.tv_sec,
                                  .modified_ns = status.st_mtim.tv_nsec};
    return true;
}

static uint64_t hash_of_head(const struct head *head)
{
    return hash64(head, offsetof(struct head, head_hash), 0);
}

enum rc kept_write(const struct audience_kept *kept, int recipients,
                   const struct audience_counts *counts, const struct places *places,
                   struct err *err)
{
    struct head head;
    size_t bytes = places->count * sizeof *places->refs;

    memset(&head, 0, sizeof head); /* what lies between its parts, too */
    memcpy(head.format, FORMAT, sizeof head.format);
    memcpy(head.identity, kept->identity, sizeof head.identity);
    if (!identify(recipients, &head.recipients)) {
        return err_set(err, RC_IO, "the recipients cannot be looked at: %s", strerror(errno));
    }
    head.counts = *counts;
    head.is_sorted = places->is_sorted;
    head.ranges = places->ranges;
    head.rows = places->count;
    head.rows_hash = hash64(places->refs, bytes, 0);
    head.head_hash = hash_of_head(&head);
    enum rc rc = fs_pwrite_all(kept->fd, places->refs, bytes, HEAD_BYTES, err);
    return rc == RC_OK ? fs_pwrite_all(kept->fd, &head, sizeof head, 0, err) : rc;
}

static bool read_head(const struct audience_kept *kept, struct head *head)
{
    struct stat status;
    return pread(kept->fd, head, sizeof *head, 0) == (ssize_t)sizeof *head &&
           head->head_hash == hash_of_head(head) &&
           memcmp(head->format, FORMAT, sizeof FORMAT) == 0 && fstat(kept->fd, &status) == 0 &&
           head->rows <= (uint64_t)status.st_size / sizeof(struct order_ref) &&
           (uint64_t)status.st_size == HEAD_BYTES + head->rows * sizeof(struct order_ref);
}

bool kept_look(const struct audience_kept *kept, int recipients, struct audience_counts *out_counts)
{
    struct head head;
    struct file_identity now;
    if (!read_head(kept, &head) || !identify(recipients, &now) ||
        memcmp(head.identity, kept->identity, sizeof head.identity) != 0 ||
        memcmp(&head.recipients, &now, sizeof now) != 0 || head.rows != head.counts.records) {
        return false;
    }
    *out_counts = head.counts;
    return true;
}

bool kept_read(const struct audience_kept *kept, struct places *places,
               struct mapping **out_mapping)
{
    struct head head;
    struct mapping *mapping = NULL;
    if (!read_head(kept, &head) || head.rows == 0) {
        return false;
    }
    size_t bytes = (size_t)head.rows * sizeof *places->refs;
    if (mapping_open(kept->fd, HEAD_BYTES + bytes, &mapping, NULL) != RC_OK) {
        return false;
    }
    const void *refs = mapping_bytes(mapping) + HEAD_BYTES;
    if (hash64(refs, bytes, 0) != head.rows_hash) {
        mapping_free(mapping);
        return false;
    }
    *places = (struct places){.is_sorted = head.is_sorted != 0,
                              .borrowed = refs,
                              .count = (size_t)head.rows,
                              .ranges = head.ranges};
    *out_mapping = mapping;
    return true;
}
