/*
 * problems - every fault of a file, found in one run
 *
 * A list of lines "FILE:LINE: what is wrong; what to do", in the order found. Errors refuse the
 * file; warnings do not.
 */
#ifndef POSTROOM_CONF_PROBLEMS_H
#define POSTROOM_CONF_PROBLEMS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum {
    PROBLEMS_MAX = 200 /* lines kept; the rest is only counted, so that a report stays readable */
};

/* where a setting was written; file is borrowed from whoever owns the settings */
struct place {
    const char *file;
    int line; /* from 1; 0: the file as a whole */
};

struct problem {
    const char *text; /* owned by the list */
    bool is_warning;
};

struct problems {
    struct arena arena;
    struct problem lines[PROBLEMS_MAX];
    size_t count;         /* lines kept */
    size_t error_count;   /* errors found, kept or not */
    size_t warning_count; /* warnings found, kept or not */
};

/* problems_init / problems_release - an empty list; frees its texts. Large (about 4 KiB). */
void problems_init(struct problems *problems);
void problems_release(struct problems *problems);

/* problems_add / problems_warn - one line; `format` gives "what is wrong; what to do" */
void problems_add(struct problems *problems, struct place at, const char *format, ...)
    PRINTF_LIKE(3, 4);
void problems_warn(struct problems *problems, struct place at, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* problems_add_line - one error whose text has its place already */
void problems_add_line(struct problems *problems, const char *line);

/*
 * problems_rc - the verdict
 * Returns   RC_OK where there are no errors (warnings do not count); RC_PERM with the first
 *           error in err (and how many more there are)
 */
enum rc problems_rc(const struct problems *problems, struct err *err) MUST_CHECK;

/* problems_print - all lines, each ended by a newline; warnings begin with "warning: " */
void problems_print(const struct problems *problems, struct buf *out);

#endif
