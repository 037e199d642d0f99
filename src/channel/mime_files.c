/*
 * mime_files - images and attachments, and the frame of boundaries around all parts
 */
#include "base/digest.h"
#include "base/utf8.h"
#include "channel/body_code.h"
#include "channel/mime_plan.h"

#include <assert.h>
#include <stdio.h>
#include <strings.h>

enum {
    NAME_BYTES_QUOTED_MAX = 60, /* longer names are cut into pieces, RFC 2231 3 */
    NAME_PIECE_BYTES = 48,
    BOUNDARY_HEX_BYTES = 24,
    BOUNDARY_BYTES = BOUNDARY_HEX_BYTES + 4 /* "=_", a letter, NUL */
};

/* --- checks --- */

/* What stands in a cid: address and in <> without any escape */
static bool is_cid_sign(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '+';
}

static enum rc check_name(const char *name, bool is_image, struct err *err)
{
    size_t len = strlen(name);
    if (len == 0 || len > MIME_FILE_NAME_BYTES_MAX || strchr(name, '/') != NULL) {
        return err_set(err, RC_PERM, "a file name of %zu bytes, or with a '/'; at most %d", len,
                       MIME_FILE_NAME_BYTES_MAX);
    }
    enum rc rc = header_check(slice_of(name), err);
    if (rc != RC_OK) {
        return err_add(err, rc, "%s", is_image ? "images" : "attachments");
    }
    for (size_t i = 0; is_image && i < len; i++) {
        if (!is_cid_sign(name[i])) {
            return err_set(
                err, RC_PERM,
                "images: \"%s\" cannot be named by cid:; use letters, digits, and . _ - +", name);
        }
    }
    return RC_OK;
}

static enum rc check_list(const struct mime_file *files, size_t count, bool is_image, size_t *total,
                          struct err *err)
{
    if (count > MIME_FILES_MAX) {
        return err_set(err, RC_RANGE, "%zu %s; at most %d", count,
                       is_image ? "images" : "attachments", MIME_FILES_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        enum rc rc = check_name(files[i].name, is_image, err);
        if (rc != RC_OK) {
            return rc;
        }
        for (size_t k = 0; is_image && k < i; k++) {
            if (strcmp(files[i].name, files[k].name) == 0) {
                return err_set(err, RC_PERM, "images: \"%s\" stands there twice; remove one",
                               files[i].name);
            }
        }
        *total += files[i].bytes.len < MIME_FILES_BYTES_MAX ? body_base64_size(files[i].bytes.len)
                                                            : MIME_FILES_BYTES_MAX + 1U;
    }
    return RC_OK;
}

enum rc mime_check_files(const struct mime_options *options, struct err *err)
{
    size_t total = 0;
    enum rc rc = check_list(options->images, options->image_count, true, &total, err);
    if (rc == RC_OK) {
        rc = check_list(options->attachments, options->attachment_count, false, &total, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    if (total > MIME_FILES_BYTES_MAX) {
        return err_set(err, RC_RANGE,
                       "images and attachments have %zu bytes in base64; at most %d in one message",
                       total, MIME_FILES_BYTES_MAX);
    }
    if (options->image_count > 0 && options->html.text.ptr == NULL) {
        return err_set(err, RC_PERM,
                       "images: there is no html to show them; add html, or send them "
                       "as attachments");
    }
    return RC_OK;
}

/* The next name behind a "cid:" that begins an address, from *at on; false at the end */
static bool next_cid(struct slice html, size_t *at, struct slice *name)
{
    for (size_t i = *at; i + 4 <= html.len; i++) {
        if (strncasecmp(html.ptr + i, "cid:", 4) != 0 ||
            (i > 0 && strchr("\"'(= \t\r\n", html.ptr[i - 1]) == NULL)) {
            continue;
        }
        size_t end = i + 4;
        while (end < html.len && strchr("\"'<>() \t\r\n&", html.ptr[end]) == NULL) {
            end++;
        }
        *name = (struct slice){html.ptr + i + 4, end - i - 4};
        *at = end;
        return true;
    }
    return false;
}

static bool has_tag(struct slice text)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.ptr[i] == '{' && text.ptr[i + 1] == '{') {
            return true;
        }
    }
    return false;
}

enum rc mime_check_cids(const struct mime_options *options, struct err *err)
{
    struct slice html = options->html.text;
    struct slice name;
    for (size_t at = 0; html.ptr != NULL && next_cid(html, &at, &name);) {
        bool is_known = has_tag(name) || name.len == 0;
        for (size_t i = 0; !is_known && i < options->image_count; i++) {
            is_known = slice_equal_text(name, options->images[i].name);
        }
        if (is_known) {
            continue;
        }
        int line = options->html.line > 0 ? options->html.line : 1;
        for (const char *c = html.ptr; c < name.ptr; c++) {
            line += *c == '\n';
        }
        return err_set(err, RC_PERM, "%s:%d: cid:%.*s is none of the images; add it to images",
                       options->html.file, line, (int)(name.len < 64 ? name.len : 64), name.ptr);
    }
    return RC_OK;
}

bool mime_names_image(const struct mime_options *options, const char *name)
{
    struct slice html = options->html.text;
    struct slice named;
    for (size_t i = 0; i + 2 < html.len; i++) {
        if (memcmp(html.ptr + i, "{{>", 3) == 0) {
            return true; /* a partial may do it */
        }
    }
    for (size_t at = 0; html.ptr != NULL && next_cid(html, &at, &named);) {
        if (has_tag(named) || slice_equal_text(named, name)) {
            return true;
        }
    }
    return false;
}

/* --- files as parts --- */

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {{"png", "image/png"},
                                           {"gif", "image/gif"},
                                           {"jpg", "image/jpeg"},
                                           {"jpeg", "image/jpeg"},
                                           {"webp", "image/webp"},
                                           {"svg", "image/svg+xml"},
                                           {"avif", "image/avif"},
                                           {"pdf", "application/pdf"},
                                           {"zip", "application/zip"},
                                           {"csv", "text/csv; charset=utf-8"},
                                           {"ics", "text/calendar; charset=utf-8"},
                                           {"txt", "text/plain; charset=utf-8"},
                                           {"json", "application/json"}};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strcasecmp(dot + 1, types[i][0]) == 0) {
            return types[i][1];
        }
    }
    return "application/octet-stream";
}

/* One piece of a name as %XX, RFC 2231 4; whole code points */
static size_t put_extended(struct slice name, size_t *at, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t len = 0;
    while (*at < name.len && len < NAME_PIECE_BYTES) {
        size_t start = *at;
        (void)utf8_next(name, at);
        for (size_t i = start; i < *at; i++) {
            unsigned char c = (unsigned char)name.ptr[i];
            if (is_cid_sign((char)c) && c != '+') {
                out[len++] = (char)c;
            } else {
                out[len++] = '%';
                out[len++] = digits[c >> 4];
                out[len++] = digits[c & 15];
            }
        }
    }
    return len;
}

static void put_quoted_name(struct header_line *line, struct slice name)
{
    char word[2 * NAME_BYTES_QUOTED_MAX + 16] = "filename=\"";
    size_t len = strlen(word);
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"' || name.ptr[i] == '\\') {
            word[len++] = '\\';
        }
        word[len++] = name.ptr[i];
    }
    word[len++] = '"';
    header_word(line, (struct slice){word, len});
}

/* Content-Disposition's filename: quoted where it is short ASCII, else in pieces (RFC 2231) */
static void put_file_name(struct header_line *line, struct slice name)
{
    bool is_plain = name.len <= NAME_BYTES_QUOTED_MAX;
    for (size_t i = 0; i < name.len; i++) {
        is_plain = is_plain && (unsigned char)name.ptr[i] < 0x80;
    }
    if (is_plain) {
        put_quoted_name(line, name);
        return;
    }
    for (size_t at = 0, piece = 0; at < name.len; piece++) {
        char word[NAME_PIECE_BYTES + 64];
        char value[NAME_PIECE_BYTES + 16];
        size_t len = put_extended(name, &at, value);
        bool is_whole = piece == 0 && at == name.len;
        char number[24] = "";
        if (!is_whole) {
            (void)snprintf(number, sizeof number, "%zu*", piece);
        }
        int size = snprintf(word, sizeof word, "filename*%s=%s%.*s%s", number,
                            piece == 0 ? "UTF-8''" : "", (int)len, value, at < name.len ? ";" : "");
        assert(size > 0 && (size_t)size < sizeof word);
        header_word(line, (struct slice){word, (size_t)size});
    }
}

static void put_file(const struct mime_file *file, bool is_image, struct buf *out)
{
    header_put(out, "Content-Type", type_of(file->name));
    header_put(out, "Content-Transfer-Encoding", "base64");
    struct header_line line = header_begin(out, "Content-Disposition");
    header_word(&line, slice_of(is_image ? "inline;" : "attachment;"));
    put_file_name(&line, slice_of(file->name));
    header_end(&line);
    if (is_image) {
        char word[MIME_FILE_NAME_BYTES_MAX + 2];
        size_t len = strlen(file->name);
        word[0] = '<';
        memcpy(word + 1, file->name, len);
        word[len + 1] = '>';
        line = header_begin(out, "Content-ID");
        header_word(&line, (struct slice){word, len + 2});
        header_end(&line);
    }
    buf_add(out, "\r\n", 2);
    body_base64(file->bytes, out);
}

/* --- frame --- */

/* "=_" stands in no encoded part, and body_encode() lets no line of plain text begin with it */
struct frame {
    struct mime *mime;
    char digest[SHA256_HEX_BYTES];
    bool is_inside; /* some multipart is open: the next one is a part of it */
};

static void make_boundary(const struct frame *frame, char kind, char out[BOUNDARY_BYTES])
{
    (void)snprintf(out, BOUNDARY_BYTES, "=_%c%.*s", kind, BOUNDARY_HEX_BYTES, frame->digest);
}

static void put_delimiter(const struct frame *frame, char kind, const char *behind, struct buf *out)
{
    char boundary[BOUNDARY_BYTES];
    make_boundary(frame, kind, boundary);
    buf_add_text(out, "--");
    buf_add_text(out, boundary);
    buf_add_text(out, behind);
}

static void enter(struct frame *frame, const char *type, char kind, struct buf *out)
{
    char words[160];
    char boundary[BOUNDARY_BYTES];
    make_boundary(frame, kind, boundary);
    int len = snprintf(words, sizeof words, "%s boundary=\"%s\"", type, boundary);
    assert(len > 0 && (size_t)len < sizeof words);
    header_put(frame->is_inside ? out : &frame->mime->tail_head, "Content-Type", words);
    if (frame->is_inside) {
        buf_add(out, "\r\n", 2);
    }
    frame->is_inside = true;
    put_delimiter(frame, kind, "\r\n", out);
}

static void put_files(const struct frame *frame, char kind, const struct mime_file *files,
                      size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        buf_add(out, "\r\n", 2);
        put_delimiter(frame, kind, "\r\n", out);
        put_file(&files[i], kind == 'r', out);
    }
    buf_add(out, "\r\n", 2);
    put_delimiter(frame, kind, "--", out);
}

static void begin_frame(struct frame *frame, const struct mime_options *options)
{
    struct buf seed = BUF_EMPTY;
    buf_add_format(&seed, "%s\n%u", options->delivery, (unsigned)options->revision);
    sha256_hex(buf_text(&seed), seed.len, frame->digest);
    buf_release(&seed);
}

enum rc mime_lay_out(struct mime *mime, const struct mime_options *options, struct err *err)
{
    struct frame frame = {.mime = mime};
    bool has_text = options->text.text.ptr != NULL;
    bool has_html = options->html.text.ptr != NULL;
    bool is_mixed = options->attachment_count > 0;
    bool is_related = has_html && options->image_count > 0;
    struct buf *first = has_text ? &mime->before_text : &mime->before_html;
    begin_frame(&frame, options);
    if (is_mixed) {
        enter(&frame, "multipart/mixed;", 'm', first);
    }
    if (has_text && has_html) {
        enter(&frame, "multipart/alternative;", 'a', first);
        buf_add(&mime->before_html, "\r\n", 2);
        put_delimiter(&frame, 'a', "\r\n", &mime->before_html);
    }
    if (is_related) {
        enter(&frame, "multipart/related; type=\"text/html\";", 'r', &mime->before_html);
        put_files(&frame, 'r', options->images, options->image_count, &mime->after);
    }
    if (has_text && has_html) {
        buf_add(&mime->after, "\r\n", 2);
        put_delimiter(&frame, 'a', "--", &mime->after);
    }
    if (is_mixed) {
        put_files(&frame, 'm', options->attachments, options->attachment_count, &mime->after);
    }
    mime->is_single = !frame.is_inside;
    enum rc rc = buf_ok(&mime->before_text, err);
    rc = rc == RC_OK ? buf_ok(&mime->before_html, err) : rc;
    return rc == RC_OK ? buf_ok(&mime->after, err) : rc;
}
