/*
 * smtp_reply - "250-text", "250 text", "250"; CRLF, and LF from those who know no better
 */
#include "channel/smtp_reply.h"

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static enum rc take_apart(struct smtp_reader *reader, struct smtp_line *out, struct err *err)
{
    const char *line = reader->line;
    size_t len = reader->len;
    if (len > 0 && line[len - 1] == '\r') {
        len--;
    }
    bool is_reply = len >= 3 && line[0] >= '2' && line[0] <= '5' && is_digit(line[1]) &&
                    is_digit(line[2]) && (len == 3 || line[3] == ' ' || line[3] == '-');
    if (!is_reply) {
        return err_set(err, RC_CORRUPT, "the peer's line is no SMTP reply");
    }
    int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    if (reader->code != 0 && reader->code != code) {
        return err_set(err, RC_CORRUPT, "the peer's reply has the codes %d and %d", reader->code,
                       code);
    }
    size_t skip = len == 3 ? 3 : 4;
    *out = (struct smtp_line){.code = code,
                              .is_last = len == 3 || line[3] == ' ',
                              .number = ++reader->lines,
                              .text = {line + skip, len - skip}};
    if (out->is_last) {
        reader->code = 0;
        reader->lines = 0;
    } else if (reader->lines >= SMTP_LINES_MAX) {
        return err_set(err, RC_RANGE, "the peer's reply has more than %d lines",
                       (int)SMTP_LINES_MAX);
    } else {
        reader->code = code;
    }
    reader->len = 0;
    return RC_OK;
}

enum rc smtp_reader_next(struct smtp_reader *reader, struct slice *bytes, struct smtp_line *out,
                         struct err *err)
{
    if (bytes->len == 0) {
        return RC_STATE;
    }
    const char *end = memchr(bytes->ptr, '\n', bytes->len);
    size_t count = end == NULL ? bytes->len : (size_t)(end - bytes->ptr);
    if (count > sizeof reader->line - reader->len) {
        return err_set(err, RC_RANGE, "the peer's line is longer than %d bytes",
                       (int)SMTP_LINE_BYTES_MAX);
    }
    memcpy(reader->line + reader->len, bytes->ptr, count);
    reader->len += count;
    count += end != NULL ? 1 : 0;
    bytes->ptr += count;
    bytes->len -= count;
    return end == NULL ? RC_STATE : take_apart(reader, out, err);
}
