/*
 * err - result codes and the one error text that travels upwards
 *
 * What can fail returns enum rc and takes a struct err * as its last argument. The callee that
 * finds the fault writes the text with err_set(); each layer above may put one clause in front of
 * it with err_add(). On success the struct err is left as it was. A NULL struct err * is allowed
 * everywhere: the text is then dropped.
 */
#ifndef POSTROOM_BASE_ERR_H
#define POSTROOM_BASE_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

/* Long enough for a path of 4 KiB cut short, a rule and its mend; longer texts are cut. */
enum { ERR_TEXT_BYTES = 1024 };

enum rc {
    RC_OK = 0,
    RC_TEMP,    /* try again later: the world is in the way, not the item */
    RC_PERM,    /* this item fails: bad input, not permitted, a rule broken */
    RC_CORRUPT, /* damaged: set it aside, touch nothing */
    RC_GONE,    /* it is not there (any more) */
    RC_EXISTS,  /* it is there already */
    RC_STATE,   /* not in this state */
    RC_RANGE,   /* a named limit was passed */
    RC_NOMEM,   /* no memory */
    RC_IO       /* outcome on disk unknown: stop this process, read back after a restart */
};

struct err {
    char text[ERR_TEXT_BYTES];
};

/*
 * err_set - write the text of a fault
 * Returns rc itself, so that a callee can say: return err_set(err, RC_PERM, "...");
 */
enum rc err_set(struct err *err, enum rc rc, const char *format, ...) PRINTF_LIKE(3, 4);

/*
 * err_add - put one clause before the text: "clause: text"
 * Returns rc itself.
 */
enum rc err_add(struct err *err, enum rc rc, const char *format, ...) PRINTF_LIKE(3, 4);

/* rc_name - "ok", "temp", "perm", ... for logs and tests; never NULL */
const char *rc_name(enum rc rc);

/* rc_exit - the sysexits.h code that a command ends with for this rc (CONTRACT.md section 8) */
int rc_exit(enum rc rc);

#endif
