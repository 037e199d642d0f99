/*
 * kept - who a count found to be in, for an extraction to take over
 *
 * Contract in the header. One machine writes and reads it: numbers are as they are in memory.
 */
#include "audience/kept.h"

#include "audience/csv_cursor.h"
#include "base/number.h"
#include "sys/fs.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Another number wherever what is written, or who is in by the same settings, becomes another. */
static const char FORMAT[8] = "kept 1\n";

#define LINES_MAX (UINT64_C(1) << 40)

enum {
    HEAD_BYTES = 8192, /* rows begin on a page */
    FREE_PART = 8,     /* of the room on the disk an eighth is taken at most */
    GROW_BITS = 64 * 1024
};

struct head {
    char format[sizeof FORMAT];
    char identity[SHA256_HEX_BYTES];
    struct fs_identity recipients;
    struct fs_identity excluded;
    struct audience_counts counts;
    uint64_t lines_hash;
    uint64_t is_sorted;
    struct order_ranges ranges; /* its pointers mean nothing */
    uint64_t rows;
    uint64_t rows_hash;
    uint64_t head_hash; /* of what is before */
};

static_assert(sizeof(struct head) <= HEAD_BYTES, "it stands in front of the rows");

static uint64_t hash_of_head(const struct head *head)
{
    return hash64(head, offsetof(struct head, head_hash), 0);
}

static bool put(const struct audience_kept *kept, const void *bytes, size_t len, uint64_t at)
{
    if (fs_pwrite_all(kept->fd, bytes, len, at, NULL) == RC_OK) {
        return true;
    }
    (void)!fs_truncate(kept->fd, 0, NULL); /* the room is others' */
    return false;
}

bool kept_write_rows(const struct audience_kept *kept, const struct places *places,
                     uint64_t *out_hash)
{
    size_t bytes = places->count * sizeof *places->refs;
    uint64_t free_bytes = 0;
    *out_hash = hash64(places->refs, bytes, 0);
    /* What others write at the same time must not meet a full disk because of us. */
    return fs_free_bytes(kept->fd, &free_bytes, NULL, NULL) == RC_OK &&
           free_bytes / FREE_PART >= bytes && put(kept, places->refs, bytes, HEAD_BYTES);
}

bool kept_write_head(const struct audience_kept *kept, int recipients, int excluded,
                     const struct kept_said *said)
{
    struct head head;
    memset(&head, 0, sizeof head); /* what lies between its parts, too */
    memcpy(head.format, FORMAT, sizeof head.format);
    memcpy(head.identity, kept->identity, sizeof head.identity);
    if (!fs_identify(recipients, &head.recipients) || !fs_identify(excluded, &head.excluded)) {
        return false;
    }
    head.counts = said->counts;
    head.lines_hash = said->lines_hash;
    if (said->places != NULL) {
        head.is_sorted = said->places->is_sorted;
        head.ranges = said->places->ranges;
        head.ranges.parts = NULL;
        head.ranges.range_of_ref = NULL;
        head.rows = said->places->count;
        head.rows_hash = said->rows_hash;
    }
    head.head_hash = hash_of_head(&head);
    return put(kept, &head, sizeof head, 0);
}

/* What is looked up in ranges lies inside. */
static bool are_ranges_sound(const struct head *head)
{
    const struct order_ranges *ranges = &head->ranges;
    if (head->is_sorted == 0) {
        return true;
    }
    bool is_sound = ranges->count >= 1 && ranges->count <= ORDER_RANGES_MAX &&
                    ranges->half <= ORDER_RANGES_MAX / 2 + 1 && ranges->starts[0] == 0 &&
                    ranges->starts[ranges->count] == head->rows && ranges->parts == NULL &&
                    ranges->range_of_ref == NULL;
    for (size_t i = 0; is_sound && i < ranges->count; i++) {
        is_sound = ranges->starts[i] <= ranges->starts[i + 1];
    }
    return is_sound;
}

static bool read_head(const struct audience_kept *kept, struct head *head)
{
    struct stat status;
    return pread(kept->fd, head, sizeof *head, 0) == (ssize_t)sizeof *head &&
           head->head_hash == hash_of_head(head) &&
           memcmp(head->format, FORMAT, sizeof FORMAT) == 0 && fstat(kept->fd, &status) == 0 &&
           head->rows <= (uint64_t)status.st_size / sizeof(struct order_ref) &&
           (head->rows == 0 ||
            ((uint64_t)status.st_size == HEAD_BYTES + head->rows * sizeof(struct order_ref) &&
             are_ranges_sound(head)));
}

bool kept_look(const struct audience_kept *kept, int recipients, struct audience_counts *out_counts)
{
    struct head head;
    struct fs_identity now;
    struct fs_identity excluded;
    if (!read_head(kept, &head) || !fs_identify(recipients, &now) ||
        !fs_identify(kept->excluded_fd, &excluded) ||
        memcmp(head.identity, kept->identity, sizeof head.identity) != 0 ||
        memcmp(&head.recipients, &now, sizeof now) != 0 ||
        memcmp(&head.excluded, &excluded, sizeof excluded) != 0 ||
        (head.rows != 0 && head.rows != head.counts.records)) {
        return false;
    }
    *out_counts = head.counts;
    return true;
}

static bool set_bit(struct bits *bits, uint64_t at, size_t memory_bytes)
{
    if (at >= bits->count) {
        uint64_t count = at + at / 8 + GROW_BITS;
        size_t words_count = (size_t)(count / 64 + 1);
        if (words_count > memory_bytes / sizeof *bits->words) {
            return false;
        }
        uint64_t *words = realloc(bits->words, words_count * sizeof *words);
        if (words == NULL) {
            return false;
        }
        size_t had = bits->words == NULL ? 0 : (size_t)(bits->count / 64 + 1);
        memset(words + had, 0, (words_count - had) * sizeof *words);
        bits->words = words;
        bits->count = count;
    }
    bits_set(bits, at);
    return true;
}

bool kept_lines(const struct audience_kept *kept, const struct audience_counts *counts,
                size_t memory_bytes, struct bits *out)
{
    struct head head;
    struct csv_cursor *cursor = NULL;
    struct csv_record record;
    uint64_t before = 0;
    uint64_t found = 0;
    uint64_t hash = 0;
    *out = (struct bits){NULL, 0};
    bool is_good = read_head(kept, &head) &&
                   csv_cursor_open(kept->excluded_fd, "excluded.csv", ',', &cursor, NULL) == RC_OK;
    while (is_good) {
        uint64_t line = 0;
        enum rc rc = csv_cursor_next(cursor, &record, NULL);
        if (rc == RC_GONE) {
            break;
        }
        is_good = rc == RC_OK && record.fault == CSV_SOUND &&
                  number_parse_u64(record.fields[0], LINES_MAX, &line) == RC_OK && line > before &&
                  set_bit(out, line, memory_bytes);
        hash = outcome_hash_line(hash, line);
        before = line;
        found++;
    }
    csv_cursor_free(cursor);
    is_good = is_good && hash == head.lines_hash && counts->rows - counts->records == found;
    if (!is_good) {
        bits_release(out);
    }
    return is_good;
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
