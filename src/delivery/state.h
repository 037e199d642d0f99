/*
 * state - the states of a delivery, the events of its journal, and which leads where
 *
 * Pure tables. The picture of the machine stands above the table in state.c.
 */
#ifndef POSTROOM_DELIVERY_STATE_H
#define POSTROOM_DELIVERY_STATE_H

#include "base/err.h"
#include "base/slice.h"
#include "spool/stage.h"

/* CONTRACT.md section 4, in its order. */
enum delivery_state {
    STATE_NONE, /* nothing taken yet: no name, never written */
    STATE_PREPARATION_ERROR,
    STATE_TARGET_READY,
    STATE_EXTRACTION_PENDING,
    STATE_CONFIRMATION_PENDING,
    STATE_SCHEDULED,
    STATE_EXTRACTING,
    STATE_EXTRACTION_TO_APPROVE,
    STATE_PROOF_TO_SEND,
    STATE_PROOF_TO_SUBMIT,
    STATE_PROOF_TO_APPROVE,
    STATE_SENDING, /* mail: the archive is being published (event `publishing`) */
    STATE_PAUSED,
    STATE_HANDED_OVER,
    STATE_ACKNOWLEDGED,
    STATE_ROUTER_REFUSED,
    STATE_FINISHED,
    STATE_STOPPED,
    STATE_FAILED,
    STATE_COUNT
};

/* The events of docs/SPOOL.md, then those of proofs, routers and online sending. */
enum delivery_event {
    EVENT_TAKEN,
    EVENT_PREPARED,
    EVENT_PREPARATION_ERROR,
    EVENT_OPENED,
    EVENT_APPROVED,
    EVENT_REJECTED,
    EVENT_WITHDRAWN,
    EVENT_RESET,
    EVENT_READY,
    EVENT_CONFIRMED,
    EVENT_HELD,
    EVENT_RELEASED,
    EVENT_EXTRACTING,
    EVENT_EXTRACTION_FAILED, /* tried again; the last try is followed by (or carries the state of)
                                EVENT_FAILED */
    EVENT_EXTRACTED,
    EVENT_RESTARTED,
    EVENT_PUBLISHING,
    EVENT_HANDED_OVER,
    EVENT_FINISHED,
    EVENT_STOPPED,
    EVENT_FAILED,
    EVENT_PROOF_WANTED, /* mail: the extraction is approved, a trial of the notice comes next;
                           online: somebody asks for a trial of the message */
    EVENT_PROOF_SENT,
    EVENT_PROOF_FAILED, /* online: no message could be made for it */
    EVENT_PROOF_SUBMITTED,
    EVENT_ACKNOWLEDGED,
    EVENT_ROUTER_REFUSED,
    EVENT_SENDING, /* online: who gets it is being fixed, then it is sent */
    EVENT_FIXED,   /* the list of who gets it is whole, the costs are committed */
    EVENT_DELAYED, /* nothing can be sent for a while: the reason is said */
    EVENT_PAUSED,
    EVENT_RESUMED,
    EVENT_COUNT
};

/* What a delivery's settings say about its way; the table forks on these. */
struct delivery_path {
    bool is_online;                 /* any channel but mail */
    bool wants_confirm;             /* confirm = true */
    bool wants_extraction_approval; /* approvals.extraction is on */
    bool wants_proof;               /* approvals.proof is on */
    bool
        keeps_place; /* EVENT_TAKEN of a revision that changes nothing the extraction was made of */
};

/* state_name - "target-ready"; "" for STATE_NONE; below STATE_COUNT (asserted) */
const char *state_name(enum delivery_state state);

/* state_from_name - false, and *out untouched, where there is no such state */
bool state_from_name(struct slice name, enum delivery_state *out);

/* state_shown_as - "To approve"; what people read */
const char *state_shown_as(enum delivery_state state);

/* state_stage - where a delivery in this state belongs (after a crash it may lie elsewhere:
 * docs/SPOOL.md M1); not for STATE_NONE (asserted) */
enum stage state_stage(enum delivery_state state);

/* state_is_terminal - finished, stopped, failed: nothing follows */
bool state_is_terminal(enum delivery_state state);

/* event_name - "taken", "extraction-failed"; event_from_name as above */
const char *event_name(enum delivery_event event);
bool event_from_name(struct slice name, enum delivery_event *out);

/*
 * state_after - the state that follows when `event` happens in `state`
 *
 * path     how this delivery goes; NULL: plain mail (no confirmation, no approval of the
 * extraction, no proof) out      may equal `state`: the event is allowed and changes nothing
 * ("carries no state=") Returns  RC_OK; RC_STATE the event is not allowed in that state (out
 * untouched; the text says in which it is) Cost     one look into a table
 */
enum rc state_after(enum delivery_state state, enum delivery_event event,
                    const struct delivery_path *path, enum delivery_state *out,
                    struct err *err) MUST_CHECK;

#endif
