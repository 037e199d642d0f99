/*
 * send_inner - what the files of the send worker share; nothing for others to include
 *
 *     send_open.c   everything that one sending needs, opened
 *     send_work.c   the loop: intents, messages, verdicts, results
 */
#ifndef POSTROOM_STAGE_SEND_INNER_H
#define POSTROOM_STAGE_SEND_INNER_H

#include "channel/quarantine.h"
#include "channel/recipients.h"
#include "channel/transport.h"
#include "delivery/progress.h"
#include "stage/content.h"
#include "stage/send.h"
#include "stage/unwanted.h"

enum {
    SEND_SLOTS_MAX = 1024,             /* messages under way at once */
    SEND_GROUP_MAX = 512,              /* intents of one commit */
    SEND_BYTES_MAX = 24 * 1024 * 1024, /* of all messages under way */
    SEND_UNIQUE_BYTES = ID_BYTES_MAX + 64
};

/* A message under way: its bytes stay here until its verdict. */
struct send_slot {
    uint32_t number; /* of the recipient; 0: free */
    struct buf bytes;
    struct buf from;
    struct buf to;
    char unique[SEND_UNIQUE_BYTES];
    bool needs_smtputf8;
    bool is_repeat;
    uint32_t pieces; /* content_message's: recorded as the code of a result `sent` */
};

/* A verdict that is not recorded yet. */
struct send_result {
    uint32_t number;
    enum verdict verdict;
    int code;
    bool is_about_recipient;
    char text[PROGRESS_TEXT_BYTES_MAX + 1];
};

struct sending {
    const struct send *send;
    const struct order *order;
    const struct house_channel *channel;
    struct progress_cell *cell;
    struct recipients *list;
    int list_fd;
    struct progress_log *log;
    struct content *content;
    struct content_state *state;
    struct transport *transport;
    struct unwanted *unwanted;
    int64_t date_s; /* of every message: when sending began */

    struct send_slot slots[SEND_SLOTS_MAX];
    size_t window; /* slots that are used */
    size_t under_way;
    size_t bytes_under_way;
    struct send_slot *group[SEND_GROUP_MAX]; /* intended, to be submitted after the commit */
    size_t group_count;
    struct send_result results[SEND_SLOTS_MAX];
    size_t result_count;
    uint32_t cursor;      /* where to look for the next recipient */
    int64_t swept_ns;     /* monotonic: when the search last began anew */
    bool is_sweep_over;   /* nothing was found up to the end */
    int64_t committed_ns; /* monotonic */
};

/* sending_open - everything; results as send_work reports them. sending_close also after a failure
 */
enum rc sending_open(struct sending *sending, struct err *err) MUST_CHECK;
void sending_close(struct sending *sending);

#endif
