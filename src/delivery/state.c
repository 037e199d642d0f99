/*
 * state - the tables of states, stages and events
 */
#include "delivery/state.h"

#include <assert.h>
#include <stdint.h>

struct state_entry {
    const char *name;
    enum stage stage;
    const char *shown_as;
};

static const struct state_entry STATES[STATE_COUNT] = {
    [STATE_NONE] = {"", STAGE_PENDING, ""},
    [STATE_PREPARATION_ERROR] = {"preparation-error", STAGE_PENDING, "Preparation failed"},
    [STATE_TARGET_READY] = {"target-ready", STAGE_PENDING, "To approve"},
    [STATE_EXTRACTION_PENDING] = {"extraction-pending", STAGE_PENDING, "Extraction pending"},
    [STATE_CONFIRMATION_PENDING] = {"confirmation-pending", STAGE_PENDING, "Pending confirmation"},
    [STATE_SCHEDULED] = {"scheduled", STAGE_PENDING, "Scheduled"},
    [STATE_EXTRACTING] = {"extracting", STAGE_EXTRACT, "Extraction in progress"},
    [STATE_EXTRACTION_TO_APPROVE] = {"extraction-to-approve", STAGE_EXTRACT, "File to approve"},
    [STATE_PROOF_TO_SEND] = {"proof-to-send", STAGE_EXTRACT, "Proof to send"},
    [STATE_PROOF_TO_SUBMIT] = {"proof-to-submit", STAGE_EXTRACT, "To submit"},
    [STATE_PROOF_TO_APPROVE] = {"proof-to-approve", STAGE_EXTRACT, "Proof to approve"},
    [STATE_SENDING] = {"sending", STAGE_OUTBOX, "In progress"},
    [STATE_PAUSED] = {"paused", STAGE_OUTBOX, "Paused"},
    [STATE_HANDED_OVER] = {"handed-over", STAGE_OUTBOX, "With the router"},
    [STATE_ACKNOWLEDGED] = {"acknowledged", STAGE_OUTBOX, "Received by the router"},
    [STATE_ROUTER_REFUSED] = {"router-refused", STAGE_OUTBOX, "Refused by the router"},
    [STATE_FINISHED] = {"finished", STAGE_DONE, "Finished"},
    [STATE_STOPPED] = {"stopped", STAGE_DONE, "Stopped"},
    [STATE_FAILED] = {"failed", STAGE_DONE, "Failed"},
};

static const char *const EVENTS[EVENT_COUNT] = {
    [EVENT_TAKEN] = "taken",
    [EVENT_PREPARED] = "prepared",
    [EVENT_PREPARATION_ERROR] = "preparation-error",
    [EVENT_OPENED] = "opened",
    [EVENT_APPROVED] = "approved",
    [EVENT_REJECTED] = "rejected",
    [EVENT_WITHDRAWN] = "withdrawn",
    [EVENT_RESET] = "reset",
    [EVENT_READY] = "ready",
    [EVENT_CONFIRMED] = "confirmed",
    [EVENT_HELD] = "held",
    [EVENT_RELEASED] = "released",
    [EVENT_EXTRACTING] = "extracting",
    [EVENT_EXTRACTION_FAILED] = "extraction-failed",
    [EVENT_EXTRACTED] = "extracted",
    [EVENT_RESTARTED] = "restarted",
    [EVENT_PUBLISHING] = "publishing",
    [EVENT_HANDED_OVER] = "handed-over",
    [EVENT_FINISHED] = "finished",
    [EVENT_STOPPED] = "stopped",
    [EVENT_FAILED] = "failed",
    [EVENT_PROOF_WANTED] = "proof-wanted",
    [EVENT_PROOF_SENT] = "proof-sent",
    [EVENT_PROOF_FAILED] = "proof-failed",
    [EVENT_PROOF_SUBMITTED] = "proof-submitted",
    [EVENT_ACKNOWLEDGED] = "acknowledged",
    [EVENT_ROUTER_REFUSED] = "router-refused",
    [EVENT_SENDING] = "sending",
    [EVENT_FIXED] = "fixed",
    [EVENT_DELAYED] = "delayed",
    [EVENT_PAUSED] = "paused",
    [EVENT_RESUMED] = "resumed",
};

/* Sets of states, one bit each. */
#define S(state) (UINT32_C(1) << (STATE_##state))
static_assert(STATE_COUNT <= 32, "a set of states is a uint32_t");

#define WAITING (S(EXTRACTION_PENDING) | S(CONFIRMATION_PENDING) | S(SCHEDULED))
#define PENDING (S(PREPARATION_ERROR) | S(TARGET_READY) | WAITING)
#define PROOFS (S(PROOF_TO_SEND) | S(PROOF_TO_SUBMIT) | S(PROOF_TO_APPROVE))
#define EXTRACT (S(EXTRACTING) | S(EXTRACTION_TO_APPROVE) | PROOFS)
#define AT_ROUTER (S(HANDED_OVER) | S(ACKNOWLEDGED) | S(ROUTER_REFUSED))
#define OUTBOX (S(SENDING) | S(PAUSED) | AT_ROUTER)

/* Where an edge leads: a state, or one of these. */
enum {
    SAME = STATE_COUNT, /* the event changes nothing */
    FORK_TAKEN,         /* a revision: target-ready, or stays */
    FORK_READY,         /* confirmation-pending, scheduled or extraction-pending */
    FORK_CONFIRMED,     /* scheduled or extraction-pending */
    FORK_EXTRACTED /* extraction-to-approve, proof-to-send, or on (extracting until it is published)
                    */
};

struct edge {
    enum delivery_event event;
    uint32_t from; /* set of states */
    int to;
};

/*
 *                 preparation-error
 *                   ^ *        | taken (a revision)
 *                   |          v
 *    taken ------> target-ready <------------------------------------. withdrawn, reset,
 *                   | ready                                          | taken (a revision)
 *                   |--------> confirmation-pending -----------------|
 *                   |               | confirmed                      |
 *                   |---------------+---> scheduled (online) --------|
 *                   v               v          | sending             |
 *              extraction-pending --+----------|---------------------|
 *                   |   ^                      |                     |
 *        extracting |   | restarted            |                     |
 *                   v   |                      |                     |
 *              extracting <-> extraction-failed|                     |
 *                   | extracted                |                     |
 *                   |------> extraction-to-approve ------------------|
 *                   |               | proof-wanted                   |
 *                   |------> proof-to-send --> proof-to-submit ------'
 *                   |                             |   ^
 *                   |                             v   | rejected
 *                   |                          proof-to-approve
 *                   v publishing (also from extraction-to-approve and proof-to-approve)
 *                sending <--> paused
 *                   | handed-over
 *                   v
 *              handed-over --> acknowledged, router-refused
 *                   |
 *                   v
 *                finished
 *
 *    *        also from extraction-pending, confirmation-pending, extracting, and from sending
 *             online until the list of who gets it is fixed
 *    stopped  from everywhere;  failed  from everywhere before handed-over
 */
static const struct edge EDGES[] = {
    {EVENT_TAKEN, S(NONE) | PENDING, STATE_TARGET_READY},
    {EVENT_TAKEN, EXTRACT, FORK_TAKEN},
    {EVENT_PREPARED, S(TARGET_READY), SAME},
    {EVENT_PREPARATION_ERROR,
     S(TARGET_READY) | S(CONFIRMATION_PENDING) | S(EXTRACTION_PENDING) | S(EXTRACTING) |
         S(SENDING), /* online, while who gets it is being fixed */
     STATE_PREPARATION_ERROR},
    {EVENT_OPENED,
     S(TARGET_READY) | S(CONFIRMATION_PENDING) | S(EXTRACTING) | S(EXTRACTION_TO_APPROVE) |
         S(PROOF_TO_APPROVE),
     SAME},
    {EVENT_APPROVED, S(TARGET_READY) | S(EXTRACTION_TO_APPROVE) | S(PROOF_TO_APPROVE), SAME},
    {EVENT_REJECTED, S(TARGET_READY) | S(EXTRACTION_TO_APPROVE), SAME},
    {EVENT_REJECTED, S(PROOF_TO_APPROVE), STATE_PROOF_TO_SUBMIT},
    {EVENT_WITHDRAWN, S(TARGET_READY) | S(EXTRACTION_TO_APPROVE) | S(PROOF_TO_APPROVE), SAME},
    {EVENT_WITHDRAWN, WAITING, STATE_TARGET_READY},
    {EVENT_RESET, S(TARGET_READY), SAME},
    {EVENT_RESET, WAITING, STATE_TARGET_READY},
    {EVENT_READY, S(TARGET_READY), FORK_READY},
    {EVENT_CONFIRMED, S(CONFIRMATION_PENDING), FORK_CONFIRMED},
    {EVENT_HELD, PENDING | EXTRACT, SAME},
    {EVENT_RELEASED, PENDING | EXTRACT, SAME},
    {EVENT_EXTRACTING, S(EXTRACTION_PENDING) | S(EXTRACTING), STATE_EXTRACTING},
    {EVENT_EXTRACTION_FAILED, S(EXTRACTING) | S(SENDING), SAME},
    {EVENT_EXTRACTED, S(EXTRACTING), FORK_EXTRACTED},
    {EVENT_RESTARTED, S(EXTRACTION_TO_APPROVE) | PROOFS, STATE_EXTRACTION_PENDING},
    {EVENT_PUBLISHING, S(EXTRACTING) | S(EXTRACTION_TO_APPROVE) | S(PROOF_TO_APPROVE),
     STATE_SENDING},
    {EVENT_HANDED_OVER, S(SENDING), STATE_HANDED_OVER},
    {EVENT_FINISHED, S(EXTRACTING) | S(SENDING) | AT_ROUTER, STATE_FINISHED},
    {EVENT_STOPPED, PENDING | EXTRACT | OUTBOX, STATE_STOPPED},
    {EVENT_FAILED, PENDING | EXTRACT | S(SENDING) | S(PAUSED), STATE_FAILED},
    {EVENT_PROOF_WANTED, S(EXTRACTION_TO_APPROVE), STATE_PROOF_TO_SEND},
    {EVENT_PROOF_WANTED, S(TARGET_READY) | S(CONFIRMATION_PENDING), SAME}, /* online */
    {EVENT_PROOF_SENT, S(PROOF_TO_SEND) | S(PROOF_TO_SUBMIT), STATE_PROOF_TO_SUBMIT},
    {EVENT_PROOF_SENT, S(TARGET_READY) | S(CONFIRMATION_PENDING), SAME},   /* online */
    {EVENT_PROOF_FAILED, S(TARGET_READY) | S(CONFIRMATION_PENDING), SAME}, /* online */
    {EVENT_PROOF_SUBMITTED, S(PROOF_TO_SUBMIT), STATE_PROOF_TO_APPROVE},
    {EVENT_ACKNOWLEDGED, S(HANDED_OVER) | S(ROUTER_REFUSED), STATE_ACKNOWLEDGED},
    {EVENT_ROUTER_REFUSED, S(HANDED_OVER) | S(ACKNOWLEDGED), STATE_ROUTER_REFUSED},
    {EVENT_SENDING, S(SCHEDULED), STATE_SENDING},
    {EVENT_FIXED, S(SENDING), SAME},
    {EVENT_DELAYED, S(SENDING), SAME},
    {EVENT_PAUSED, S(SENDING), STATE_PAUSED},
    {EVENT_RESUMED, S(PAUSED), STATE_SENDING},
};

static enum delivery_state fork_of(int fork, enum delivery_state state,
                                   const struct delivery_path *path)
{
    enum delivery_state goes_on = path->is_online ? STATE_SCHEDULED : STATE_EXTRACTION_PENDING;
    switch (fork) {
    case FORK_TAKEN:
        return path->keeps_place ? state : STATE_TARGET_READY;
    case FORK_READY:
        return path->wants_confirm ? STATE_CONFIRMATION_PENDING : goes_on;
    case FORK_CONFIRMED:
        return goes_on;
    case FORK_EXTRACTED:
        if (path->wants_extraction_approval) {
            return STATE_EXTRACTION_TO_APPROVE;
        }
        return path->wants_proof ? STATE_PROOF_TO_SEND : STATE_EXTRACTING;
    default:
        return state; /* SAME */
    }
}

enum rc state_after(enum delivery_state state, enum delivery_event event,
                    const struct delivery_path *path, enum delivery_state *out, struct err *err)
{
    static const struct delivery_path plain_mail = {false, false, false, false, false};
    assert((int)state >= 0 && state < STATE_COUNT);
    assert((int)event >= 0 && event < EVENT_COUNT);
    for (size_t i = 0; i < sizeof EDGES / sizeof EDGES[0]; i++) {
        const struct edge *edge = &EDGES[i];
        if (edge->event == event && (edge->from & (UINT32_C(1) << state)) != 0) {
            *out = edge->to < STATE_COUNT
                       ? (enum delivery_state)edge->to
                       : fork_of(edge->to, state, path == NULL ? &plain_mail : path);
            return RC_OK;
        }
    }
    if (state == STATE_NONE) {
        return err_set(err, RC_STATE, "'%s' cannot happen to a delivery that was never taken in",
                       EVENTS[event]);
    }
    return err_set(err, RC_STATE, "'%s' cannot happen to a delivery in state %s (%s)",
                   EVENTS[event], STATES[state].name, STATES[state].shown_as);
}

const char *state_name(enum delivery_state state)
{
    assert((int)state >= 0 && state < STATE_COUNT);
    return STATES[state].name;
}

bool state_from_name(struct slice name, enum delivery_state *out)
{
    for (int i = STATE_NONE + 1; i < STATE_COUNT; i++) {
        if (slice_equal_text(name, STATES[i].name)) {
            *out = (enum delivery_state)i;
            return true;
        }
    }
    return false;
}

const char *state_shown_as(enum delivery_state state)
{
    assert((int)state >= 0 && state < STATE_COUNT);
    return STATES[state].shown_as;
}

enum stage state_stage(enum delivery_state state)
{
    assert(state > STATE_NONE && state < STATE_COUNT);
    return STATES[state].stage;
}

bool state_is_terminal(enum delivery_state state)
{
    assert((int)state >= 0 && state < STATE_COUNT);
    return STATES[state].stage == STAGE_DONE;
}

const char *event_name(enum delivery_event event)
{
    assert((int)event >= 0 && event < EVENT_COUNT);
    return EVENTS[event];
}

bool event_from_name(struct slice name, enum delivery_event *out)
{
    for (int i = 0; i < EVENT_COUNT; i++) {
        if (slice_equal_text(name, EVENTS[i])) {
            *out = (enum delivery_event)i;
            return true;
        }
    }
    return false;
}
