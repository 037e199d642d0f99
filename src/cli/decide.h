/*
 * decide - decisions dropped in approved/, and waiting for what becomes of them
 */
#ifndef POSTROOM_CLI_DECIDE_H
#define POSTROOM_CLI_DECIDE_H

#include "cli/cli.h"
#include "delivery/step.h"

enum { DECIDE_WAIT_MS = 30 * 1000, DECIDE_POLL_MS = 50 };

/* What is decided on: every step of every delivery. */
struct decide_plan {
    char *const *ids;
    size_t id_count;
    const enum step *steps;
    size_t step_count;
    enum verb verb;
    const char *comment; /* NULL none */
    const char *sha256;  /* NULL: what stands now */
    const char *layout;  /* libconfig text; NULL none */
    bool is_recalled;
    bool is_no_wait;
};

/*
 * decide_run - drop a file for each, wait until each is accepted or refused, and tell it
 *
 * Nothing is dropped unless all deliveries exist.
 * Returns  0 all accepted (with is_no_wait: dropped); 66 no such delivery; 65 one was refused; 77
 * one was refused because the caller may not; 75 not taken yet; 69 there is no door; 71, 73, 74
 */
int decide_run(struct cli *cli, const struct decide_plan *plan);

/* pause_ms - let so much time pass */
void pause_ms(int64_t ms);

/* DAEMON_GRACE_MS - how long no daemon must have been seen before nobody waits for it any more */
enum { DAEMON_GRACE_MS = 1000 };

#endif
