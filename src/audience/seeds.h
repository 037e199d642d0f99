/*
 * seeds - control addresses that are mixed into what is delivered
 *
 * A seeds file has some of the recipients' columns; the others are empty. Seeds are never excluded
 * and come on top of the records.
 */
#ifndef POSTROOM_AUDIENCE_SEEDS_H
#define POSTROOM_AUDIENCE_SEEDS_H

#include "audience/audience.h"
#include "audience/csv_cursor.h"

/* One seed as it is delivered. */
struct seed {
    uint64_t place; /* records before it: SEEDS_RANDOM */
    size_t number;  /* in the seeds file, from 0 */
    size_t at;      /* of its payload in seeds.bytes */
    size_t len;
};

struct seeds {
    const char *name;
    struct csv_cursor *cursor; /* NULL: no seeds */
    size_t *map;               /* column of the seeds file -> the recipients' */
    struct slice *fields;      /* by the recipients' columns */
    size_t columns;            /* of the recipients */
    struct seed *items;
    size_t count;
    struct buf bytes;
};

/*
 * seeds_open - read the header of a seeds file
 * recipients  header of the recipients
 * Returns     RC_OK; RC_PERM a column that the recipients lack, with the nearest; what
 *             csv_cursor_open returns
 */
enum rc seeds_open(struct seeds *seeds, int fd, const char *name, char delimiter,
                   const struct csv_cursor *recipients, struct err *err) MUST_CHECK;

/* Is given each seed, with its fields where the recipients' are; a payload goes to out. */
typedef enum rc seeds_take(void *ctx, size_t number, const struct audience_row *row,
                           struct buf *out, struct err *err);

/*
 * seeds_read - read all seeds; once
 * Returns   RC_OK; RC_PERM a malformed row, more than AUDIENCE_SEEDS_MAX rows, payloads longer than
 *           AUDIENCE_SEED_BYTES_MAX; what take and csv_cursor_next return
 */
enum rc seeds_read(struct seeds *seeds, seeds_take *take, void *ctx, struct err *err) MUST_CHECK;

/* seeds_place - scatter them at random among `records`; the same seed gives the same places */
void seeds_place(struct seeds *seeds, uint64_t records, uint64_t seed);

static inline struct slice seeds_payload(const struct seeds *seeds, size_t i)
{
    return (struct slice){seeds->items[i].len == 0 ? "" : seeds->bytes.ptr + seeds->items[i].at,
                          seeds->items[i].len};
}

void seeds_release(struct seeds *seeds);

#endif
