/*
 * content - what an online delivery says: its texts and files read, its messages made
 *
 * The same for counting (is it sound, which columns does it use), previews, proofs and sending, so
 * that what is looked at is what is sent.
 */
#ifndef POSTROOM_STAGE_CONTENT_H
#define POSTROOM_STAGE_CONTENT_H

#include "channel/recipients.h"
#include "conf/problems.h"
#include "delivery/order.h"

enum {
    CONTENT_COLUMNS_MAX = 512,                 /* of the recipients, used in one content */
    CONTENT_FILES_BYTES_MAX = 24 * 1024 * 1024 /* images and attachments of one message */
};

struct content_wants {
    int dirfd;                 /* of the delivery */
    const struct house *house; /* the channel's sender, signature, unsubscribing */
    uint64_t revision;
    struct slice dkim_key;           /* PEM; empty: not signed (counting, previews) */
    struct slice unsubscribe_secret; /* empty: a stand-in, but where is_for_real */
    bool is_for_real;                /* these messages are sent: nothing may be a stand-in */
};

struct content;
struct content_state; /* one thread's */

/*
 * content_open - read the files, compile the templates over the columns
 *
 * columns   of the recipients, borrowed during the call
 * out       content_free()
 * Returns   RC_OK; RC_PERM, RC_RANGE what is wrong, with file and line; RC_GONE a file is missing;
 * RC_TEMP; RC_NOMEM
 */
enum rc content_open(const struct order *order, const struct content_wants *wants,
                     const char *const *columns, size_t count, struct content **out,
                     struct err *err) MUST_CHECK;
void content_free(struct content *content);

/* content_check - every problem of it, errors and warnings; results as content_open */
enum rc content_check(const struct order *order, const struct content_wants *wants,
                      const char *const *columns, size_t count, struct problems *problems,
                      struct err *err) MUST_CHECK;

/* content_uses - a message changes with the value of this column */
bool content_uses(const struct content *content, size_t column);

enum rc content_state_open(const struct content *content, struct content_state **out,
                           struct err *err) MUST_CHECK;
void content_state_free(struct content_state *state);

/* A message ready to go; valid until the next content_render with the same state. */
struct content_message {
    struct slice bytes;
    struct slice from;
    struct slice to;
    bool needs_smtputf8;
    uint32_t pieces; /* sms: parts, which are what costs; else 0: the message is one */
};

/*
 * content_render - the message of one recipient
 *
 * recipient  its fields are those of the columns that the content was opened with
 * proof      N: a trial, which says so; 0
 * date_s     seconds since 1970; the same gives the same bytes
 * Returns    RC_OK; RC_PERM, RC_RANGE it cannot be made for this recipient; RC_NOMEM
 */
enum rc content_render(const struct content *content, struct content_state *state,
                       const struct recipient *recipient, uint32_t proof, int64_t date_s,
                       struct content_message *out, struct err *err) MUST_CHECK;

/* content_has_pieces - what costs is counted in pieces of each message (sms) */
bool content_has_pieces(const struct content *content);

/*
 * content_pieces - how many pieces the message of one recipient has; content_has_pieces
 * fields   of the columns that the content was opened with
 * Returns  as content_render
 */
enum rc content_pieces(const struct content *content, struct content_state *state,
                       const struct slice *fields, uint32_t *out, struct err *err) MUST_CHECK;

#endif
