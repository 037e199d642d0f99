/*
 * mime - messages: built once per delivery, filled once per recipient
 *
 * mime_open() compiles the templates and prepares all that no recipient can change: images and
 * attachments in base64, boundaries, headers, parts without a column in them. mime_render() fills
 * in one recipient, in any thread that has a mime_state.
 *
 *     multipart/mixed                    only with attachments
 *       multipart/alternative            only with text and html
 *         text/plain
 *         multipart/related              only with images
 *           text/html
 *           image/...  Content-ID: <FILENAME>, which the html names by cid:FILENAME
 *       application/...                  attachments
 *
 * The same delivery, revision, recipient number, key, fields, proof and date give the same bytes,
 * Message-ID included: what is sent again after a crash is the same message. Line ends are CRLF, no
 * line passes 998 octets, and no byte is over 0x7F but in an address that needs SMTPUTF8. Dots are
 * not stuffed: that belongs to SMTP.
 *
 * Texts that are rendered already (notices) go in as fields, never as templates: with the columns
 * subject, text and html the templates are {{subject}}, {{text}} and {{{html}}}.
 *
 * Names in templates are the recipients' columns. Where unsubscribe.url is set and no column has
 * that name, {{unsubscribe}} is the recipient's own address for it.
 */
#ifndef POSTROOM_CHANNEL_MIME_H
#define POSTROOM_CHANNEL_MIME_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "channel/dkim.h"
#include "channel/unsubscribe.h"
#include "template/template.h"

#include <stdint.h>

enum {
    MIME_FILES_MAX = 64,             /* images, and attachments */
    MIME_FILE_NAME_BYTES_MAX = 255,  /* one name in a directory */
    MIME_FILES_BYTES_MAX = 32 << 20, /* all files in base64; servers refuse less */
    MIME_SUBJECT_BYTES_MAX = 4096    /* rendered: readers show some hundred */
};

/* A text with its place in a file, for error texts */
struct mime_text {
    struct slice text; /* ptr NULL: there is none */
    const char *file;  /* "mail.html"; for inline settings the file that holds them */
    int line;          /* of the text's first line; 0 means 1 */
};

struct mime_file {
    const char *name; /* as it is shown, without directories */
    struct slice bytes;
};

/* Everything is borrowed during mime_open() but what says otherwise */
struct mime_options {
    struct mime_text subject;
    struct mime_text html; /* html or text, or both */
    struct mime_text text;
    struct mime_text from;       /* "Shop <shop@example.net>", a template too */
    struct mime_text reply_to;   /* there may be none */
    const char *envelope_sender; /* where bounces go; NULL: the address of from */
    const struct mime_file *images;
    size_t image_count;
    const struct mime_file *attachments;
    size_t attachment_count;
    const char *unsubscribe_url; /* struct unsubscribe_options; NULL: none */
    const char *unsubscribe_mailto;
    struct slice unsubscribe_secret;
    const struct dkim *dkim; /* NULL: unsigned; borrowed until mime_free() */
    const char *delivery;    /* id */
    uint32_t revision;
    const char *campaign;        /* for Feedback-ID; NULL: no Feedback-ID */
    const char *feedback_sender; /* its last part, the same for all that this house sends */
    bool is_notice;              /* Auto-Submitted: no vacation message answers it (RFC 3834) */
    const char *domain;          /* of Message-ID; NULL: the domain of from, which is then fixed */
    template_load_partial *load_partial;
    void *loader_context;
};

struct mime;       /* shared by all threads, never changed by rendering */
struct mime_state; /* one thread's buffers and contexts */

/*
 * mime_open - prepare the messages of a delivery
 *
 * columns   names of the recipients' fields, in their order; borrowed during the open
 *
 * Returns   RC_OK
 *           RC_PERM   the first problem that mime_check() would report as an error; texts from
 *                     templates begin with "FILE:LINE: "
 *           RC_RANGE  a named limit was passed
 *           RC_NOMEM
 * Cost      O(all texts and files)
 */
enum rc mime_open(const struct mime_options *options, const char *const *columns, size_t count,
                  struct mime **out, struct err *err) MUST_CHECK;

/* mime_free - accepts NULL */
void mime_free(struct mime *mime);

/* One problem found by mime_check(); the text is borrowed during the call */
typedef void mime_report(void *context, bool is_warning, const char *text);

/*
 * mime_check - every problem of a delivery's content, without any recipient
 *
 * Errors: what mime_open() refuses. Warnings: an image that the html does not name, html without a
 * text beside it.
 *
 * Returns   RC_OK     nothing but warnings, if any
 *           RC_PERM   at least one error was reported
 *           RC_NOMEM  (err is set, the report may be incomplete)
 */
enum rc mime_check(const struct mime_options *options, const char *const *columns, size_t count,
                   mime_report *report, void *context, struct err *err) MUST_CHECK;

/* mime_uses - whether the value of this column can change a message: it has to be frozen */
bool mime_uses(const struct mime *mime, size_t column);

/* mime_state_open - RC_OK; RC_NOMEM. The mime outlives the state. */
enum rc mime_state_open(const struct mime *mime, struct mime_state **out,
                        struct err *err) MUST_CHECK;

void mime_state_free(struct mime_state *state);

struct mime_recipient {
    uint64_t number; /* in the delivery, from 1: part of Message-ID */
    struct slice key;
    struct slice address;
    uint32_t proof; /* N: "[Proof N] " before the subject, and a Message-ID of its own; 0: none */
    /* Date and t=, seconds since 1970: the same when a message is made again, and not in the
     * future, where verifiers refuse the signature */
    int64_t date_s;
};

/* Valid until the next render with the same state */
struct mime_message {
    struct slice bytes;     /* headers, empty line, body; ends with CRLF */
    struct slice sender;    /* for MAIL FROM, without brackets */
    struct slice recipient; /* for RCPT TO */
    bool needs_8bit;        /* only with needs_smtputf8: an address in the headers is UTF-8 */
    bool needs_smtputf8;    /* an address is not ASCII before its @ */
};

/*
 * mime_render - the message of one recipient
 *
 * fields   the recipient's, in the order of columns
 *
 * Returns   RC_OK
 *           RC_PERM   this recipient cannot be written to: its address, or what its fields make of
 *                     from or the unsubscribe address; the text names the rule, never the value
 *           RC_RANGE  what its fields make of a text passes a limit
 *           RC_NOMEM
 * Cost      O(message); one HMAC, one signature
 */
enum rc mime_render(const struct mime *mime, struct mime_state *state, const struct slice *fields,
                    const struct mime_recipient *recipient, struct mime_message *out,
                    struct err *err) MUST_CHECK;

#endif
