/*
 * problems - lines kept up to a bound, counted beyond it
 */
#include "conf/problems.h"

#include <stdarg.h>
#include <stdio.h>

void problems_init(struct problems *problems)
{
    problems->arena = ARENA_EMPTY;
    problems->count = 0;
    problems->error_count = 0;
    problems->warning_count = 0;
}

void problems_release(struct problems *problems)
{
    arena_release(&problems->arena);
    problems_init(problems);
}

static PRINTF_LIKE(4, 0) void keep(struct problems *problems, struct place at, bool is_warning,
                                   const char *format, va_list args)
{
    if (is_warning) {
        problems->warning_count++;
    } else {
        problems->error_count++;
    }
    /* The last line is kept free for an error: warnings must not crowd out what refuses a file. */
    size_t room = is_warning ? PROBLEMS_MAX - 1 : PROBLEMS_MAX;
    if (problems->count >= room) {
        return;
    }
    char text[ERR_TEXT_BYTES];
    int used = at.line > 0 ? snprintf(text, sizeof text, "%s:%d: ", at.file, at.line)
                           : snprintf(text, sizeof text, "%s: ", at.file);
    if (used >= 0 && (size_t)used < sizeof text) {
        (void)vsnprintf(text + used, sizeof text - (size_t)used, format, args);
    }
    const char *kept = arena_text(&problems->arena, slice_of(text));
    problems->lines[problems->count++] =
        (struct problem){kept == NULL ? "out of memory" : kept, is_warning};
}

void problems_add(struct problems *problems, struct place at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    keep(problems, at, false, format, args);
    va_end(args);
}

void problems_warn(struct problems *problems, struct place at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    keep(problems, at, true, format, args);
    va_end(args);
}

void problems_add_line(struct problems *problems, const char *line)
{
    problems->error_count++;
    if (problems->count < PROBLEMS_MAX) {
        const char *kept = arena_text(&problems->arena, slice_of(line));
        problems->lines[problems->count++] =
            (struct problem){kept == NULL ? "out of memory" : kept, false};
    }
}

enum rc problems_rc(const struct problems *problems, struct err *err)
{
    if (problems->error_count == 0) {
        return RC_OK;
    }
    const char *first = "out of memory";
    for (size_t i = 0; i < problems->count; i++) {
        if (!problems->lines[i].is_warning) {
            first = problems->lines[i].text;
            break;
        }
    }
    if (problems->error_count == 1) {
        return err_set(err, RC_PERM, "%s", first);
    }
    return err_set(err, RC_PERM, "%s (and %zu more)", first, problems->error_count - 1);
}

void problems_print(const struct problems *problems, struct buf *out)
{
    for (size_t i = 0; i < problems->count; i++) {
        buf_add_text(out, problems->lines[i].is_warning ? "warning: " : "");
        buf_add_text(out, problems->lines[i].text);
        buf_add_byte(out, '\n');
    }
    size_t found = problems->error_count + problems->warning_count;
    if (found > problems->count) {
        buf_add_format(out, "... and %zu more\n", found - problems->count);
    }
}
