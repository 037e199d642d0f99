/*
 * preview - a rendered row taken apart again
 */
#include "cli/preview.h"

#include "base/utf8.h"

enum {
    SETS_END = 0x2200 /* the last character of the single-byte sets is the trade mark, U+2122 */
};
static const int32_t REPLACEMENT = 0xFFFD;

void preview_codes_of(enum encoding encoding, struct preview_codes *out)
{
    out->encoding = encoding;
    for (int i = 0; i < 256; i++) {
        out->of_byte[i] = -1;
    }
    if (encoding == ENCODING_UTF_8) {
        return;
    }
    for (int32_t point = 0; point < SETS_END; point++) {
        int code = encoding_code(encoding, point);
        if (code >= 0 && code < 256 && out->of_byte[code] < 0) {
            out->of_byte[code] = point;
        }
    }
}

static void put(struct buf *out, int32_t point)
{
    char bytes[4];
    buf_add(out, bytes, utf8_put(point < 0 ? REPLACEMENT : point, bytes));
}

void preview_decode(const struct preview_codes *codes, struct slice bytes, struct buf *out)
{
    for (size_t at = 0; at < bytes.len;) {
        if (codes->encoding == ENCODING_UTF_8) {
            put(out, utf8_next(bytes, &at));
        } else {
            put(out, codes->of_byte[(unsigned char)bytes.ptr[at++]]);
        }
    }
}

bool preview_value(struct slice *row, struct buf *out)
{
    const char *at = row->ptr;
    const char *end = row->ptr + row->len;
    buf_clear(out);
    if (row->len == 0 || *at != '"') {
        return false;
    }
    for (at++; at < end; at++) {
        if (*at == '"' && (at + 1 == end || at[1] != '"')) {
            at++;
            at += at < end && *at == ',';
            *row = (struct slice){at, (size_t)(end - at)};
            return true;
        }
        at += *at == '"'; /* a doubled mark is one */
        buf_add_byte(out, *at);
    }
    return false;
}
