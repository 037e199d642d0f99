/*
 * send_inner - what the files of the send worker share; nothing for others to include
 *
 *     send_open.c   everything that one sending needs, opened
 *     send_group.c  the next group: chosen and made ahead, intended, submitted
 *     send_work.c   the loop: groups, verdicts, time
 *     send_records.c   what is written down: verdicts, what follows, their commits
 *     send_receipts.c  what the other side says of messages after it took them
 *     send_listen.c    the time after the last message, for receipts
 */
#ifndef POSTROOM_STAGE_SEND_INNER_H
#define POSTROOM_STAGE_SEND_INNER_H

#include "channel/quarantine.h"
#include "channel/recipients.h"
#include "channel/smpp_receipt.h"
#include "channel/transport.h"
#include "delivery/progress.h"
#include "stage/content.h"
#include "stage/send.h"
#include "stage/send_commit.h"
#include "stage/send_render.h"
#include "stage/unwanted.h"

#include <assert.h>

enum {
    SEND_WAIT_MS = 100,    /* nothing waits longer: a wish of the daemon is seen in time */
    SEND_SLOTS_MAX = 1024, /* messages under way at once */
    SEND_GROUP_MAX = 512,  /* intents of one commit */
    SEND_RECEIPTS_MS = 20, /* then receipts go to the disk by themselves: peers wait for answers */
    SEND_BYTES_MAX = 24 * 1024 * 1024, /* of all messages under way */
    SEND_UNIQUE_BYTES = ID_BYTES_MAX + 64
};
#define SEND_NS_PER_MS (NS_PER_SECOND / 1000)
static_assert(SEND_SLOTS_MAX >= 2 * SEND_GROUP_MAX, "a group on its way and one ahead of it");

/* A message from when its recipient is chosen to its verdict. */
struct send_slot {
    uint32_t number; /* of the recipient; 0: free */
    bool is_repeat;
    char unique[SEND_UNIQUE_BYTES];
    struct send_draft draft; /* its bytes stay here */
    struct buf ids;          /* of its parts that were accepted: as progress_record has them */
};

/* A verdict that is not recorded yet. */
struct send_result {
    uint32_t number;
    enum verdict verdict;
    int code;
    bool is_about_recipient;
    char text[PROGRESS_TEXT_BYTES_MAX + 1];
    struct buf ids;
};

struct send_receipts;

struct sending {
    const struct send *send;
    const struct order *order;
    const struct house_channel *channel;
    struct progress_cell *cell;
    struct recipients *list;
    int list_fd;
    struct progress_log *log;
    struct send_receipts *receipts; /* NULL: the transport has none */
    struct content *content;
    struct transport *transport;
    struct bell bell; /* rung by the threads of the two below */
    struct send_render *render;
    struct send_commit *commit;
    struct unwanted *unwanted;
    int64_t date_s; /* of every message: when sending began */

    struct send_slot slots[SEND_SLOTS_MAX];
    struct send_slot
        *free_slots[SEND_SLOTS_MAX]; /* a stack: few are touched where few are needed */
    size_t free_count;
    size_t window;     /* messages that the transport takes at once */
    size_t under_way;  /* intended, and without a verdict */
    size_t bytes_held; /* of their messages */

    struct send_slot *ahead[SEND_GROUP_MAX];   /* chosen, being made or made, not intended */
    struct send_draft *drafts[SEND_GROUP_MAX]; /* of those, for the threads */
    size_t ahead_count;
    struct send_slot *group[SEND_GROUP_MAX]; /* intended, to be submitted after their commit */
    size_t group_at;                         /* of it, the first that is not submitted */
    size_t group_count;                      /* that are not */
    struct send_result results[SEND_SLOTS_MAX];
    size_t result_count;
    uint32_t cursor;      /* where to look for the next recipient */
    int64_t swept_ns;     /* monotonic: when the search last began anew */
    bool is_sweep_over;   /* nothing was found up to the end */
    int64_t committed_ns; /* monotonic */
    bool is_resting;      /* SEND_PAUSE was seen: nothing is begun */
    int64_t hurried_ns;   /* monotonic: when SEND_COME_BACK_SOON was first seen; 0: it was not */
};

/* sending_open - everything; results as send_work reports them. sending_close also after a failure
 */
enum rc sending_open(struct sending *sending, struct err *err) MUST_CHECK;
void sending_close(struct sending *sending);

/* ---- records: send_records.c ---- */

/* sending_is_over - the daemon cannot wait any longer. grace_ns: for what takes a moment alone, on
 * top */
bool sending_is_over(struct sending *sending, int64_t grace_ns);

/* sending_record - one record into the group, at this time; commits where the group is full */
enum rc sending_record(struct sending *sending, enum progress_act act, uint32_t number,
                       const char *text, struct err *err) MUST_CHECK;

/*
 * sending_give_up - nothing more is sent to it: act (expired, suppressed) and text, but where one
 * of its tries was uncertain: it may have come, so it is held, and named as uncertain
 */
enum rc sending_give_up(struct sending *sending, enum progress_act act, uint32_t number,
                        const char *text, struct err *err) MUST_CHECK;

/*
 * sending_decide_uncertain - nobody knows whether it was taken: sent again or not, as the channel
 * says, and later and later, or a peer that loses its answers would be sent the same message over
 * and over. is_crash: what a restart found; after its first try that one is sent again at once.
 */
enum rc sending_decide_uncertain(struct sending *sending, uint32_t number, bool is_crash,
                                 struct err *err) MUST_CHECK;

/* sending_add - one record into the group; commits where it is full. Results as progress_log_add */
enum rc sending_add(struct sending *sending, const struct progress_record *record,
                    struct err *err) MUST_CHECK;

/* sending_begin_commit - of what was recorded, receipts too, while none is under way */
enum rc sending_begin_commit(struct sending *sending, struct err *err) MUST_CHECK;

/* sending_end_commit - of one that is through, or after a wait; sending_commit - of all */
enum rc sending_end_commit(struct sending *sending, struct err *err) MUST_CHECK;
enum rc sending_commit(struct sending *sending, struct err *err) MUST_CHECK;

/* sending_record_results - what the transport told since the last time. Stored messages are on disk
 * first; whose address is at fault comes last, after it was noted, and holds up nobody else's
 * result. Results as sending_add; RC_IO; RC_TEMP */
enum rc sending_record_results(struct sending *sending, struct err *err) MUST_CHECK;

/* sending_record_told - results and receipts that the transport told; what is old enough goes to
 * the disk */
enum rc sending_record_told(struct sending *sending, struct err *err) MUST_CHECK;

/* ---- the loop: send_work.c ---- */

/* sending_come_back - nothing more is begun, what is under way gets its verdict */
enum rc sending_come_back(struct sending *sending, struct err *err) MUST_CHECK;

/* sending_report - a fault, as the daemon is told of it */
void sending_report(enum rc rc, const struct err *err, struct stage_report *report);

/* ---- receipts: send_receipts.c ---- */

/* receipts_open - out: for progress_log_open, so that ids are known. RC_OK, also where there are
 * none; RC_NOMEM */
enum rc receipts_open(struct sending *sending, struct progress_ids *out,
                      struct err *err) MUST_CHECK;
void receipts_close(struct sending *sending);

/* receipts_wanted - what the transport tells */
struct smpp_receipts receipts_wanted(struct sending *sending);

/* receipts_record - what was told: into the group, or beside it for the daemon. Results as
 * sending_add */
enum rc receipts_record(struct sending *sending, struct err *err) MUST_CHECK;

/* receipts_wait - some are recorded and no commit of them has begun; receipts_are_due - long enough
 */
bool receipts_wait(const struct sending *sending);
bool receipts_are_due(const struct sending *sending);

/* receipts_seal - a commit begins: what is for the daemon is on disk before. RC_OK; RC_IO stop */
enum rc receipts_seal(struct sending *sending, struct err *err) MUST_CHECK;

/* receipts_kept - the commit that was begun after the last receipts_seal has ended: answers */
void receipts_kept(struct sending *sending);

/* ---- the next group: send_group.c ---- */

/*
 * group_choose - who is next, up to half of the window, and have their messages made; nothing where
 * there are some already, or no room. Nothing is recorded but who became unwanted.
 */
enum rc group_choose(struct sending *sending, uint32_t upto, int64_t now_ns,
                     struct err *err) MUST_CHECK;

/* group_intend - of those whose messages are made: the intents recorded and their commit begun,
 * where the transport has room for them and no commit is under way */
enum rc group_intend(struct sending *sending, struct err *err) MUST_CHECK;

/* group_submit - those whose intents are on disk; is_untried: no byte of them is to leave any more
 */
enum rc group_submit(struct sending *sending, bool is_untried, struct err *err) MUST_CHECK;

/* group_drop_ahead - who was chosen and not intended is as if never chosen */
void group_drop_ahead(struct sending *sending);

/* group_told - a verdict, as transport_run tells it; ctx is the struct sending */
void group_told(void *ctx, const struct verdict_report *report);

#endif
