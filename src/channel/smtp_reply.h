/*
 * smtp_reply - replies of an SMTP server, taken apart byte by byte (RFC 5321 4.2)
 *
 * What comes may be anything: a line of more than SMTP_LINE_BYTES_MAX or a reply of more than
 * SMTP_LINES_MAX lines ends the connection. No I/O here.
 */
#ifndef POSTROOM_CHANNEL_SMTP_REPLY_H
#define POSTROOM_CHANNEL_SMTP_REPLY_H

#include "base/err.h"
#include "base/slice.h"

enum {
    SMTP_LINE_BYTES_MAX = 4096, /* RFC 5321 4.5.3.1.5 asks for 512; longer ones are seen */
    SMTP_LINES_MAX = 100        /* of one reply */
};

struct smtp_line {
    int code;            /* 200..599 */
    bool is_last;        /* of its reply */
    unsigned int number; /* in its reply, from 1 */
    struct slice
        text; /* behind the code, raw bytes without the line end; borrowed until the next call */
};

struct smtp_reader {
    char line[SMTP_LINE_BYTES_MAX];
    size_t len;
    unsigned int lines; /* of this reply, so far */
    int code;           /* of this reply; 0: none yet */
};

#define SMTP_READER_EMPTY ((struct smtp_reader){.len = 0})

/*
 * smtp_reader_next - take bytes up to the end of the next line
 *
 * bytes    what came; *bytes is moved past what was taken
 * Returns  RC_OK a line is in out; RC_STATE all bytes were taken, the line is not complete;
 *          RC_RANGE a line or a reply is too long; RC_CORRUPT it is no reply, or its codes differ.
 *          After the last two the reader is of no use any more.
 */
enum rc smtp_reader_next(struct smtp_reader *reader, struct slice *bytes, struct smtp_line *out,
                         struct err *err) MUST_CHECK;

#endif
