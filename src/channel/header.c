/*
 * header - the one place where a header of a message is written
 */
#include "channel/header.h"

#include "base/utf8.h"
#include "channel/body_code.h"

#include <assert.h>

/* "=?UTF-8?Q?" and "?=" around the text of an encoded word */
enum { ENCODED_FRAME_BYTES = 12, ENCODED_LEAST_BYTES = ENCODED_FRAME_BYTES + 12 };
enum { QUOTED_PHRASE_BYTES_MAX = 48 }; /* longer names are encoded, so that they can be folded */

static_assert(HEADER_WORD_BYTES_MAX + 34 < HEADER_LINE_BYTES_MAX, "a name and a word fit a line");

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7F;
}

/* What ends a line for some reader: C1 controls (U+0085), LINE and PARAGRAPH SEPARATOR */
static bool is_line_end_for_some(int32_t point)
{
    return (point >= 0x80 && point <= 0x9F) || point == 0x2028 || point == 0x2029;
}

enum rc header_check(struct slice text, struct err *err)
{
    if (text.len > HEADER_VALUE_BYTES_MAX) {
        return err_set(err, RC_RANGE, "%zu bytes for one header; at most %d", text.len,
                       HEADER_VALUE_BYTES_MAX);
    }
    for (size_t at = 0; at < text.len;) {
        size_t start = at;
        int32_t point = utf8_next(text, &at);
        if (point < 0) {
            return err_set(err, RC_PERM, "byte %zu is no UTF-8; save the text as UTF-8", start + 1);
        }
        if (point == '\r' || point == '\n') {
            return err_set(err, RC_PERM, "a line end at byte %zu; a header is one line", start + 1);
        }
        if (point < 0x20 || point == 0x7F || is_line_end_for_some(point)) {
            return err_set(err, RC_PERM, "control character U+%04X at byte %zu; remove it",
                           (unsigned)point, start + 1);
        }
    }
    return RC_OK;
}

/* --- bytes --- */

/* The only place that appends bytes of a value: a control character cannot pass it. */
static void emit(struct header_line *line, struct slice bytes)
{
    size_t start = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        if (is_control((unsigned char)bytes.ptr[i])) {
            buf_add(line->out, bytes.ptr + start, i - start);
            buf_add_byte(line->out, ' ');
            start = i + 1;
        }
    }
    if (start < bytes.len) {
        buf_add(line->out, bytes.ptr + start, bytes.len - start);
    }
    line->column += bytes.len;
}

struct header_line header_begin(struct buf *out, const char *name)
{
    struct header_line line = {out, 0, HEADER_LINE_BYTES, false};
    for (const char *c = name; *c != '\0'; c++) {
        assert(*c > ' ' && *c < 0x7F && *c != ':');
    }
    emit(&line, slice_of(name));
    buf_add_byte(out, ':');
    line.column++;
    return line;
}

/* A line that holds the name alone is not folded: some readers do not expect it. */
static void part(struct header_line *line, size_t width, size_t limit)
{
    line->limit = limit < line->limit ? limit : line->limit;
    if (line->has_word && line->column + 1 + width > line->limit) {
        buf_add(line->out, "\r\n ", 3);
        line->column = 1;
        line->limit = limit;
    } else {
        buf_add_byte(line->out, ' ');
        line->column++;
    }
    line->has_word = true;
}

void header_word(struct header_line *line, struct slice word)
{
    assert(word.len > 0 && word.len <= HEADER_WORD_BYTES_MAX);
    part(line, word.len, HEADER_LINE_BYTES);
    emit(line, word);
}

void header_end(struct header_line *line)
{
    buf_add(line->out, "\r\n", 2);
    line->column = 0;
}

void header_put(struct buf *out, const char *name, const char *words)
{
    struct header_line line = header_begin(out, name);
    while (*words != '\0') {
        size_t len = strcspn(words, " ");
        if (len > 0) {
            header_word(&line, (struct slice){words, len});
        }
        words += len + (words[len] == ' ');
    }
    header_end(&line);
}

/* --- encoded words --- */

/* The next code point as it may stand in a header: 1 to 4 bytes of UTF-8 */
static size_t next_clean(struct slice text, size_t *at, char out[4])
{
    int32_t point = utf8_next(text, at);
    if (point < 0) {
        point = 0xFFFD;
    } else if (point < 0x20 || point == 0x7F || is_line_end_for_some(point)) {
        point = ' ';
    }
    return utf8_put(point, out);
}

/* What Q leaves as it is, also inside a phrase (RFC 2047 5.3) */
static bool is_q_literal(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '!' ||
           c == '*' || c == '+' || c == '-' || c == '/';
}

static size_t q_width(const char *bytes, size_t len)
{
    size_t width = 0;
    for (size_t i = 0; i < len; i++) {
        width += is_q_literal(bytes[i]) || bytes[i] == ' ' ? 1 : 3;
    }
    return width;
}

static bool is_q_shorter(struct slice text)
{
    size_t bytes = 0;
    size_t width = 0;
    for (size_t at = 0; at < text.len;) {
        char clean[4];
        size_t len = next_clean(text, &at, clean);
        bytes += len;
        width += q_width(clean, len);
    }
    return width <= (bytes + 2) / 3 * 4;
}

static size_t put_q(const char *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t at = 0;
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == ' ') {
            out[at++] = '_';
        } else if (is_q_literal(bytes[i])) {
            out[at++] = bytes[i];
        } else {
            out[at++] = '=';
            out[at++] = digits[(unsigned char)bytes[i] >> 4];
            out[at++] = digits[(unsigned char)bytes[i] & 15];
        }
    }
    return at;
}

static size_t put_b(const char *bytes, size_t len, char *out)
{
    char *at = out;
    for (size_t i = 0; i < len; i += 3) {
        at = body_base64_group((const unsigned char *)bytes + i, len - i < 3 ? len - i : 3, at);
    }
    return (size_t)(at - out);
}

/* One encoded word of as many code points from *at as fit into `room` octets (at least one fits) */
static void put_encoded_word(struct header_line *line, struct slice text, size_t *at, bool is_q,
                             size_t room)
{
    char bytes[HEADER_ENCODED_BYTES_MAX];
    size_t len = 0;
    size_t width = 0;
    room -= ENCODED_FRAME_BYTES;
    while (*at < text.len) {
        char clean[4];
        size_t next = *at;
        size_t add = next_clean(text, &next, clean);
        size_t wider = is_q ? width + q_width(clean, add) : (len + add + 2) / 3 * 4;
        if (wider > room) {
            break;
        }
        memcpy(bytes + len, clean, add);
        len += add;
        width = wider;
        *at = next;
    }
    char word[HEADER_ENCODED_BYTES_MAX + 1] = "=?UTF-8?Q?";
    size_t end = ENCODED_FRAME_BYTES - 2;
    word[8] = is_q ? 'Q' : 'B';
    end += is_q ? put_q(bytes, len, word + end) : put_b(bytes, len, word + end);
    word[end++] = '?';
    word[end++] = '=';
    assert(len > 0 && end <= HEADER_ENCODED_BYTES_MAX);
    emit(line, (struct slice){word, end});
}

static void put_encoded(struct header_line *line, struct slice text)
{
    bool is_q = is_q_shorter(text);
    for (size_t at = 0; at < text.len;) {
        part(line, ENCODED_LEAST_BYTES, HEADER_ENCODED_LINE_BYTES);
        size_t room = HEADER_ENCODED_LINE_BYTES - line->column;
        room = room > HEADER_ENCODED_BYTES_MAX ? HEADER_ENCODED_BYTES_MAX : room;
        put_encoded_word(line, text, &at, is_q, room);
    }
}

/* --- text --- */

static bool is_blank(char c)
{
    return c == ' ' || is_control((unsigned char)c);
}

/* The word at *at, to the next blank, which is passed; false at the end. A text that ends in a
 * blank has one more word, an empty one. */
static bool next_word(struct slice text, size_t *at, struct slice *out)
{
    if (*at > text.len) {
        return false;
    }
    size_t end = *at;
    while (end < text.len && !is_blank(text.ptr[end])) {
        end++;
    }
    *out = (struct slice){text.ptr + *at, end - *at};
    *at = end + 1;
    return true;
}

/* "=?" could be read as an encoded word; a long word cannot be folded. */
static bool needs_encoding(struct slice word, size_t width_max)
{
    if (word.len > width_max) {
        return true;
    }
    for (size_t i = 0; i < word.len; i++) {
        if ((unsigned char)word.ptr[i] >= 0x80 ||
            (word.ptr[i] == '=' && i + 1 < word.len && word.ptr[i + 1] == '?')) {
            return true;
        }
    }
    return false;
}

/* Words before `first` and from `last` on are plain; between lies one run to encode, blanks
 * included: readers drop the blanks between two encoded words, so that they have to be inside. The
 * word before a run of blanks (an empty word) goes with it, and the word after leading blanks. */
static void find_encoded(struct slice text, size_t width_first, size_t *first, size_t *last)
{
    *first = text.len;
    *last = text.len;
    struct slice word;
    bool is_found = false;
    bool is_leading = true;
    for (size_t at = 0, start = 0; next_word(text, &at, &word); start = at) {
        size_t end = start + word.len;
        bool has_run = end < text.len && (end + 1 == text.len || is_blank(text.ptr[end + 1]));
        size_t width_max = start == 0 ? width_first : HEADER_LINE_BYTES - 1;
        bool is_encoded = word.len == 0 || has_run || (is_leading && start > 0);
        is_leading = is_leading && word.len == 0;
        if (!is_encoded && !needs_encoding(word, width_max)) {
            continue;
        }
        *first = is_found ? *first : start;
        is_found = true;
        *last = end;
    }
}

static void put_plain(struct header_line *line, struct slice text)
{
    struct slice word;
    for (size_t at = 0; at < text.len && next_word(text, &at, &word);) {
        header_word(line, word);
    }
}

void header_text(struct header_line *line, struct slice text)
{
    if (text.len == 0) {
        return;
    }
    size_t first;
    size_t last;
    size_t width_first =
        line->column + 1 < HEADER_LINE_BYTES - 1 ? HEADER_LINE_BYTES - 1 - line->column : 0;
    find_encoded(text, width_first, &first, &last);
    put_plain(line, (struct slice){text.ptr, first > 0 && first < text.len ? first - 1 : first});
    if (first < text.len) {
        put_encoded(line, (struct slice){text.ptr + first, last - first});
    }
    if (last < text.len) {
        put_plain(line, (struct slice){text.ptr + last + 1, text.len - last - 1});
    }
}

/* --- display names --- */

/* RFC 5322 3.2.3 */
static bool is_atext(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static void put_quoted(struct header_line *line, struct slice text)
{
    char quoted[2 * QUOTED_PHRASE_BYTES_MAX + 2];
    size_t len = 0;
    quoted[len++] = '"';
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\') {
            quoted[len++] = '\\';
        }
        quoted[len++] = text.ptr[i];
    }
    quoted[len++] = '"';
    header_word(line, (struct slice){quoted, len});
}

void header_phrase(struct header_line *line, struct slice text)
{
    if (text.len == 0) {
        return;
    }
    bool is_encoded = text.len > QUOTED_PHRASE_BYTES_MAX;
    bool is_quoted = is_blank(text.ptr[0]) || is_blank(text.ptr[text.len - 1]);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        is_encoded = is_encoded || (unsigned char)c >= 0x80 || is_control((unsigned char)c) ||
                     (c == '=' && i + 1 < text.len && text.ptr[i + 1] == '?');
        is_quoted = is_quoted || !(is_atext(c) || (c == ' ' && text.ptr[i - 1] != ' '));
    }
    if (is_encoded) {
        put_encoded(line, text);
    } else if (is_quoted) {
        put_quoted(line, text);
    } else {
        put_plain(line, text);
    }
}
