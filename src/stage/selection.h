/*
 * selection - an order's files opened and its settings mapped: the audience to read, the extraction
 * to write
 *
 * The same for counting, extracting and previews, so that what is counted is what is extracted.
 * Online there is no extraction: rows are counted by who can be sent to, and what is delivered of a
 * row is its line in the list of recipients.
 */
#ifndef POSTROOM_STAGE_SELECTION_H
#define POSTROOM_STAGE_SELECTION_H

#include "audience/audience.h"
#include "base/arena.h"
#include "base/name.h"
#include "channel/quarantine.h"
#include "delivery/order.h"
#include "pack/extraction.h"
#include "stage/content.h"
#include "stage/lists.h"
#include "sys/progress.h"

/* A count keeps who is in, for the extraction to take over (audience/kept.h). */
enum selection_keeping { SELECTION_KEEPS_NOTHING, SELECTION_KEEPS, SELECTION_TAKES_OVER };

struct selection_wants {
    int dirfd;                       /* holds the files that the order names */
    struct tee *recipients;          /* copied to dirfd as they are read; NULL: they are there */
    const struct house *house;       /* suppression lists of the channel, memory, threads */
    const struct stage_lists *lists; /* who is not contacted on the order's channel */
    uint64_t revision;
    bool is_counting; /* nothing is rendered or ordered */
    enum selection_keeping keeping;
    int excluded_fd;            /* SELECTION_TAKES_OVER: the list of the count */
    int kept_fd;                /* what is kept of the count: to be written, or taken over */
    int64_t created_ns;         /* when the rows are fixed: the date in names */
    int spill_fd;               /* directory for sorted runs; -1: none */
    struct progress_cell *cell; /* NULL */
};

/* Online: who can be sent to at all, and what is kept of each for the messages. */
struct selection_reach {
    size_t address; /* column of the recipients */
    size_t key;
    int channel; /* enum house_channel_kind */
    struct quarantine *quarantine;
    struct buf scratch[AUDIENCE_THREADS_MAX]; /* one for each thread */
    size_t *used;                             /* columns that the content uses */
    size_t used_count;
    const struct content *content;
    struct content_state *states[AUDIENCE_THREADS_MAX]; /* pieces: one for each thread, as needed */
};

struct selection {
    struct arena arena;
    struct extraction *extraction; /* NULL online */
    struct content *content;       /* online */
    struct selection_reach *reach; /* online; else empty */
    struct audience *audience;
    const char *random_seed;
    uint64_t bytes; /* of the recipients' file */
    int *fds;       /* everything opened */
    size_t fd_count;
};

/*
 * selection_open - open files, read headers, compile where, layout and name
 * out      release it with selection_close, also after a failure
 * Returns  RC_OK; RC_GONE a file is missing; RC_PERM, RC_RANGE the drop is wrong; RC_TEMP;
 * RC_NOMEM; RC_IO
 */
enum rc selection_open(const struct order *order, const struct selection_wants *wants,
                       struct selection *out, struct err *err) MUST_CHECK;
void selection_close(struct selection *selection);

/*
 * selection_line - what is behind the pieces in a payload of an online selection
 * payload    as audience_each gives it
 * out_pieces of the message; 1 where messages are not counted in pieces; 0: it cannot be made
 */
struct slice selection_line(const struct selection *selection, struct slice payload,
                            uint32_t *out_pieces);

/*
 * selection_quantity - what is to be paid for, after audience_run: records and seeds, or their
 * pieces
 * out_unmade  messages that cannot be made (they are empty, or far too long); may be NULL
 * Returns     RC_OK; RC_IO, RC_NOMEM as audience_each
 */
enum rc selection_quantity(const struct selection *selection, const struct audience_counts *counts,
                           uint64_t *out, uint64_t *out_unmade, struct err *err) MUST_CHECK;

/* selection_layout - the pack's options of a layout; texts are borrowed, the rest lives in the
 * arena. RC_OK; RC_NOMEM */
enum rc selection_layout(const struct order *order, const struct house_layout *layout,
                         struct arena *arena, struct layout_options *out,
                         struct err *err) MUST_CHECK;

#endif
