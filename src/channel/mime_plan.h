/*
 * mime_plan - what mime_open() prepares (internal to channel)
 */
#ifndef POSTROOM_CHANNEL_MIME_PLAN_H
#define POSTROOM_CHANNEL_MIME_PLAN_H

#include "channel/mailbox.h"
#include "channel/mime.h"

enum mime_piece_kind {
    PIECE_SUBJECT = 0,
    PIECE_FROM,
    PIECE_REPLY_TO,
    PIECE_TEXT,
    PIECE_HTML,
    MIME_PIECES
};

/* One template. Without a column in it, what it makes is ready: a header, or a part with its
 * headers. */
struct mime_piece {
    struct template *compiled; /* NULL: there is none */
    bool is_fixed;
    struct buf ready;
};

struct mime {
    struct mime_piece piece[MIME_PIECES];
    size_t column_count; /* of the recipients; one more where has_unsubscribe_column */
    bool has_unsubscribe_column;
    bool is_single;              /* one part: its headers are those of the message */
    struct mailbox_address from; /* where PIECE_FROM is fixed */
    struct mailbox_address reply_to;
    struct mailbox_address sender;
    bool has_sender;       /* else the address of from, per message */
    struct buf message_id; /* "@domain>" and, in front, ".rREVISION.ID" */
    struct buf tail_head;  /* Feedback-ID, MIME-Version, Content-Type of a multipart */
    struct buf before_text;
    struct buf before_html;
    struct buf after; /* images, attachments, closing boundaries */
    struct unsubscribe *unsubscribe;
    const struct dkim *dkim;
};

struct mime_state {
    struct buf text;  /* a template rendered */
    struct buf clean; /* the same, cleaned */
    struct buf code;  /* the same, encoded */
    struct buf name;  /* a display name unquoted */
    struct buf head;
    struct buf body;
    struct buf message;
    struct slice *fields; /* the recipient's and {{unsubscribe}} */
    struct mailbox_address sender;
    struct mailbox_address recipient;
    int64_t date_s; /* of date_text */
    char date_text[40];
    struct unsubscribe_state *unsubscribe;
    struct dkim_state *dkim;
};

/* mime_state_release - free what a state holds, not the state itself */
void mime_state_release(struct mime_state *state);

/*
 * mime_put_part - append a part with its headers: cleaned, in the encoding that fits
 *
 * head    where Content-Type and Content-Transfer-Encoding go; the same as body but for a message
 *         of one part
 * Lost memory shows in buf_ok(head) and buf_ok(body).
 */
void mime_put_part(struct mime_state *state, bool is_html, struct slice text, struct buf *head,
                   struct buf *body);

/* mime_put_mailbox - parse and append From or Reply-To; RC_PERM, RC_RANGE, RC_NOMEM */
enum rc mime_put_mailbox(struct buf *out, const char *header, struct slice text,
                         struct buf *scratch, struct mailbox_address *address,
                         struct err *err) MUST_CHECK;

/* mime_put_subject - append the header; proof as in struct mime_recipient; RC_RANGE too long */
enum rc mime_put_subject(struct buf *out, struct slice text, uint32_t proof, struct buf *scratch,
                         struct err *err) MUST_CHECK;

/*
 * mime_check_files - names, sizes and types of images and attachments, and that the html's images
 * are there
 *
 * Returns   RC_OK; RC_PERM the first problem; RC_RANGE too many, too large
 */
enum rc mime_check_files(const struct mime_options *options, struct err *err) MUST_CHECK;

/* mime_check_cids - every cid: of the html names an image; RC_PERM "FILE:LINE: ..." the first that
 * does not */
enum rc mime_check_cids(const struct mime_options *options, struct err *err) MUST_CHECK;

/* mime_names_image - whether the html may show this image (a cid: made by a value may be any) */
bool mime_names_image(const struct mime_options *options, const char *name);

/*
 * mime_lay_out - the frame around the parts: boundaries, images, attachments
 *
 * Writes tail_head's Content-Type of a multipart, before_text, before_html, after, is_single.
 * Returns   RC_OK; RC_NOMEM
 */
enum rc mime_lay_out(struct mime *mime, const struct mime_options *options,
                     struct err *err) MUST_CHECK;

#endif
