/*
 * deliveries - finding, opening and describing deliveries for the commands that show them
 */
#ifndef POSTROOM_CLI_DELIVERIES_H
#define POSTROOM_CLI_DELIVERIES_H

#include "cli/cli.h"
#include "operator/right.h"
#include "stage/subject.h"

#include <jansson.h>

enum {
    STAGES_ON_THE_WAY = 1U << STAGE_PENDING | 1U << STAGE_EXTRACT | 1U << STAGE_OUTBOX,
    STAGES_ALL = STAGES_ON_THE_WAY | 1U << STAGE_DONE
};

/*
 * deliveries_each - call fn for each delivery of some stages, stage by stage, in byte order of the
 * ids
 *
 * stages   bits 1 << enum stage
 * fn       gets the opened delivery; a damaged one is told on stderr and passed over. Anything but
 * CLI_GO_ON ends the walk and is returned. Returns  CLI_GO_ON; the exit code of a failure, told
 */
int deliveries_each(struct cli *cli, unsigned stages,
                    int (*fn)(void *ctx, const struct subject *subject), void *ctx);

/*
 * delivery_open - open one delivery for a command
 * Returns CLI_GO_ON; 66 there is none (told, with where it may be instead); others told. Close it
 * by subject_close.
 */
int delivery_open(struct cli *cli, const char *id, struct subject *out);

/* delivery_refusal - the newest refusal of a drop of that id: its name in refused/, into out
 * (REFUSE_NAME_BYTES); false where there is none */
bool delivery_refusal(const struct cli *cli, const char *id, char *out);

/* delivery_in_door - a drop of that id lies in inbox/ */
bool delivery_in_door(const struct cli *cli, const char *id);

/* refusal_text - append the reason of refused/NAME, without its last newline; RC_GONE there is
 * none; RC_PERM, RC_TEMP */
enum rc refusal_text(const struct cli *cli, const char *name, struct buf *out,
                     struct err *err) MUST_CHECK;

/* delivery_question - may `person` decide `verb` on that step now? to be asked of right_check() */
struct right_question delivery_question(const struct cli *cli, const struct subject *subject,
                                        enum step step, enum verb verb,
                                        const struct person *person);

/* delivery_step_verb - the yes of a step: approve, or confirm of `delivery` */
enum verb delivery_step_verb(enum step step);

/* delivery_step_waits - the step is open and somebody is to answer */
bool delivery_step_waits(const struct subject *subject, enum step step);

/* delivery_deadline - until when an open step should be answered; INSTANT_NONE none */
int64_t delivery_deadline(const struct subject *subject, enum step step);

/* cli_state - a state's name as an argument; CLI_GO_ON, or 64 told with the nearest name */
int cli_state(const struct cli *cli, const char *text, enum delivery_state *out);

/* delivery_working - what the daemon is doing at it now, from run/status.json (as status_read gave
 * it) */
bool delivery_working(const json_t *status, const char *id, uint64_t *out_done, uint64_t *out_of);

/* status_read - run/status.json; NULL where there is none or it cannot be read. json_decref() it.
 */
json_t *status_read(const struct cli *cli);

/* refused_count - refused drops; 0 also where nobody may look */
size_t refused_count(const struct cli *cli);

#endif
