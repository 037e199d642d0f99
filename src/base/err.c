/*
 * err - result codes and the one error text
 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum rc err_set(struct err *err, enum rc rc, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return rc;
}

enum rc err_add(struct err *err, enum rc rc, const char *format, ...)
{
    if (err == NULL) {
        return rc;
    }
    char clause[ERR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(clause, sizeof clause, format, args);
    va_end(args);
    if (length < 0) {
        return rc;
    }
    size_t used = (size_t)length < sizeof clause - 1 ? (size_t)length : sizeof clause - 1;
    /* The clause comes first and is kept whole; the older text gives way. */
    size_t room = sizeof err->text - used - 1;
    if (room > 2) {
        size_t old = strnlen(err->text, room - 2);
        memmove(err->text + used + 2, err->text, old);
        err->text[used + 2 + old] = '\0';
        err->text[used] = ':';
        err->text[used + 1] = ' ';
    } else {
        err->text[used] = '\0';
    }
    memcpy(err->text, clause, used);
    return rc;
}

const char *rc_name(enum rc rc)
{
    switch (rc) {
    case RC_OK:
        return "ok";
    case RC_TEMP:
        return "temp";
    case RC_PERM:
        return "perm";
    case RC_CORRUPT:
        return "corrupt";
    case RC_GONE:
        return "gone";
    case RC_EXISTS:
        return "exists";
    case RC_STATE:
        return "state";
    case RC_RANGE:
        return "range";
    case RC_NOMEM:
        return "nomem";
    case RC_IO:
        return "io";
    }
    return "unknown";
}

int rc_exit(enum rc rc)
{
    switch (rc) {
    case RC_OK:
        return EX_OK;
    case RC_TEMP:
        return EX_TEMPFAIL;
    case RC_PERM:
    case RC_CORRUPT:
    case RC_STATE:
    case RC_RANGE:
        return EX_DATAERR;
    case RC_GONE:
        return EX_NOINPUT;
    case RC_EXISTS:
        return EX_CANTCREAT;
    case RC_NOMEM:
        return EX_OSERR;
    case RC_IO:
        return EX_IOERR;
    }
    return EX_SOFTWARE;
}
