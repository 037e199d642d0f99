/*
 * scan - cuts the text of a template into plain text and tags (internal to template)
 */
#ifndef POSTROOM_TEMPLATE_SCAN_H
#define POSTROOM_TEMPLATE_SCAN_H

#include "template/template.h"

/* a name as it is shown in an error text: at most 64 bytes of it, "..." and NUL */
enum { QUOTED_BYTES = 68 };

enum tag_kind {
    TAG_END, /* no tag: the text is over */
    TAG_VALUE,
    TAG_VALUE_RAW,
    TAG_SECTION,
    TAG_INVERTED,
    TAG_CLOSE,
    TAG_PARTIAL,
    TAG_COMMENT,
    TAG_DELIMITERS
};

/* Positions are byte offsets into the template's text. */
struct scan_step {
    struct slice text; /* what stands before the tag, without what a standalone tag swallows */
    size_t text_at;    /* where that text begins */
    enum tag_kind kind;
    struct slice name;   /* of the tag, blanks around it removed; empty where it has none */
    size_t tag_at;       /* where the tag begins */
    bool is_standalone;  /* the tag was alone on its line, which is gone */
    struct slice indent; /* standalone: the blanks before the tag */
};

struct delimiter {
    char bytes[TEMPLATE_DELIMITER_BYTES_MAX];
    size_t len;
};

struct scan {
    struct slice text; /* borrowed */
    size_t at;
    struct delimiter open;
    struct delimiter close;
    const char *file_name; /* borrowed */
    int first_line;
};

/* scan_start - begin at the top of text, with {{ and }} */
struct scan scan_start(struct slice text, const char *file_name, int first_line);

/*
 * scan_next - the next piece of text with the tag behind it; after TAG_END do not call again
 *
 * Returns   RC_OK; RC_PERM a tag that does not close, is empty, or makes no sense
 * Cost      O(bytes passed)
 */
enum rc scan_next(struct scan *scan, struct scan_step *out, struct err *err) MUST_CHECK;

/* scan_starts_line - position `at` is the first of a line */
bool scan_starts_line(const struct scan *scan, size_t at);

/* scan_line - number of the line that holds position `at`. Cost: O(at), for errors only */
int scan_line(const struct scan *scan, size_t at);

/* scan_fail - err_set with "FILE:LINE: " before the text; returns rc */
enum rc scan_fail(const struct scan *scan, size_t at, enum rc rc, struct err *err,
                  const char *format, ...) PRINTF_LIKE(5, 6);

/* quote_name - a name from a template, fit for one line of a log; returns out (QUOTED_BYTES) */
char *quote_name(struct slice name, char *out);

#endif
