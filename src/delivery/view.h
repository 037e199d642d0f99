/*
 * view - what a delivery is now, folded from its journal
 *
 * The last `state=` is the state. Lines with events that this version does not know are read for
 * their state=, reason= and file= alone.
 */
#ifndef POSTROOM_DELIVERY_VIEW_H
#define POSTROOM_DELIVERY_VIEW_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/instant.h"
#include "delivery/journal.h"
#include "delivery/state.h"
#include "delivery/step.h"

#include <stdint.h>

enum step_status {
    STEP_STATUS_CLOSED, /* off, or not its time */
    STEP_STATUS_OPEN,   /* waits for an answer */
    STEP_STATUS_APPROVED,
    STEP_STATUS_REJECTED
};

/* step_status_name - "closed", "open", "approved", "rejected" */
const char *step_status_name(enum step_status status);

/* An answer that stands; also a row of the history. */
struct view_round {
    enum step step;
    enum verb verb;
    const char *who;
    int64_t at_ns;
    const char *comment; /* "" none */
    const char *file;    /* name in decisions/; "" none */
};

struct view_step {
    enum step_status status;
    bool is_open;       /* status is STEP_STATUS_OPEN */
    int64_t opened_ns;  /* last `opened`; INSTANT_NONE never */
    const char *sha256; /* of basis/STEP as opened; "" none */
    /* Answers that stand, oldest first: one; with `all = true` one of each who approved so far.
     * Empty while nobody answered. When rejected: the rejection alone. */
    const struct view_round **answers;
    size_t answer_count;
    const char *decided_by; /* of the last answer; "" none */
    int64_t decided_ns;     /* INSTANT_NONE none */
    const char *comment;    /* of the last answer; "" none */
};

/* A trial of an online delivery's message: asked for, then sent (or not). */
struct view_proof {
    uint64_t number; /* from 1; goes on through the revisions */
    uint64_t revision;
    const char *who;
    const char *note; /* "" none */
    int64_t asked_ns;
    int64_t ended_ns;   /* INSTANT_NONE: not yet, or never */
    bool is_given_up;   /* the delivery went on, or was revised, before it was sent */
    const char *reason; /* why no message could be made; "" none */
    uint64_t sent, failed, uncertain;
};

struct view {
    struct arena arena; /* owns every text here (at least 4 KiB of address space: not for keeping
                           by the thousand) */
    uint64_t revision;  /* of the last `taken`; 0: none */
    enum delivery_state state;
    enum delivery_event state_event; /* of the line that set it; EVENT_COUNT: none, or unknown */
    int64_t since_ns;                /* the state changed (or a revision was taken); INSTANT_NONE */
    const char *reason; /* of the last event that carries one; "" after a later change of state
                           without one */
    bool is_held;
    const char *held_by;      /* "" unless held */
    const char *held_comment; /* "" unless held */
    int64_t held_ns;
    struct view_step steps[STEP_COUNT];
    struct view_round **rounds; /* every decision, in order; added, never replaced */
    size_t round_count;
    uint64_t extraction_round; /* of the last `extracting`, or `sending` online; 0: none. The next
                                  round is this + 1 after `restarted`. */
    bool is_extracted;         /* that round's `extracted` or `fixed` was seen */
    int64_t fixed_ns;          /* of that line; INSTANT_NONE */
    bool is_handed_over;       /* the archive lies (or lay) in pickup/ */
    const char *drop; /* identity of the last drop taken (device, inode, ctime), as written */
    const char *drop_sha256; /* "" none */
    const char *dropper;     /* WHO of the last `taken`; "" none */
    const char *archive;     /* file name; "" while there is none */
    const char *archive_sha256;
    const char *cost_receipt; /* number:hash of the ledger entries as in `extracted`; "" none */
    const char *stock_receipt;
    const char **files; /* every name in decisions/ that a line gives, sorted, each once */
    size_t file_count;
    struct view_proof *proofs; /* in the order of their numbers */
    size_t proof_count;
    uint64_t rows, records, seeds;  /* from the last of taken, prepared, extracted that says */
    int64_t first_ns;               /* of the first line; INSTANT_NONE without lines */
    int64_t last_ns;                /* of the last line */
    enum delivery_event last_event; /* EVENT_COUNT: unknown to this version */
    struct journal_tail tail;
};

/*
 * view_fold - read a journal's bytes
 *
 * out      initialised here; release it with view_release, also after a failure (it is then empty)
 * Returns  RC_OK (an empty journal: state STATE_NONE); RC_CORRUPT "journal:LINE: what"; RC_RANGE;
 * RC_NOMEM Cost     one pass over the bytes
 *
 * How lines are read, beyond docs/SPOOL.md:
 *   approved step=S wanted=N   N more answers are wanted (`all = true`): the step stays open;
 * absent or 0: approved withdrawn step=S           by one of those who answered: that answer goes;
 * by another: all go. The step is open. reset step=S               the step is open, without
 * answers opened step=S              the step is open, without answers, with this sha256 restarted
 * a round of extraction (step=proof where it says so)
 *   proof-wanted file=F        somebody asked for proof=N; without a file (mail) it is no decision.
 *   proof-sent, proof-failed   of the daemon: what became of proof=N
 *   state=                     pending and
 * extracting close extraction and proof; target-ready and preparation-error close delivery;
 * confirmation-pending opens delivery; a terminal state closes what is open and ends a hold
 */
enum rc view_fold(struct slice bytes, struct view *out, struct err *err) MUST_CHECK;

/* view_load - view_fold of the journal in a delivery's directory; also RC_GONE, RC_PERM, RC_TEMP of
 * reading it */
enum rc view_load(int dirfd, struct view *out, struct err *err) MUST_CHECK;

/*
 * view_add - fold lines in that were appended to the journal behind what the view was made of
 *
 * lines    whole lines, as appended
 * Returns  as view_fold, and the view is as if the whole journal had been folded; after a failure
 * it is empty. RC_STATE the journal had a torn tail, which the lines do not follow: view_load
 * Cost     one pass over the lines
 */
enum rc view_add(struct view *view, struct slice lines, struct err *err) MUST_CHECK;

/* view_proof_due - the proof that was asked for and is not sent yet; NULL: there is none */
const struct view_proof *view_proof_due(const struct view *view);

/* view_release - free it; accepts a zeroed or released one */
void view_release(struct view *view);

/* view_names_file - some line names this file of decisions/ (docs/SPOOL.md D1). Cost: O(log files)
 */
bool view_names_file(const struct view *view, const char *file);

#endif
