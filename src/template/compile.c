/*
 * compile - from text to programs: names to columns, sections to ranges, partials to programs
 *
 * A partial is compiled once for each way it is used (indented or not), whatever the number of tags
 * that name it. With flat data no section changes its outcome while a row is rendered, so that a
 * partial that includes itself could never end: an error here. With nested data it may (a tree),
 * and rendering counts the depth.
 */
#include "base/name.h"
#include "template/program.h"
#include "template/scan.h"

#include <assert.h>
#include <stdlib.h>

struct open_section {
    uint32_t op; /* index of the instruction whose end is not known yet */
    size_t at;   /* of the tag */
    struct slice name;
    bool is_inverted;
};

/* what one call of template_compile shares */
struct compiler {
    struct template *made;
    const struct template_options *options;
    const struct slice *columns; /* options->column_names with their lengths */
    uint32_t instructions;
    int partials;
    struct err *err;
};

/* one file being compiled */
struct unit {
    struct compiler *compiler;
    struct scan scan;
    struct program *program;
    int depth; /* partials around */
    struct open_section open[TEMPLATE_NESTING_MAX];
    int open_count;
    int dots; /* open sections that are not inverted: what {{.}} can stand for */
};

static enum rc compile_unit(struct compiler *compiler, struct scan scan, struct program *program,
                            int depth);

static enum rc no_memory(struct compiler *compiler)
{
    return err_set(compiler->err, RC_NOMEM, "no memory for a compiled template");
}

/* --- instructions --- */

static enum rc add_op(struct unit *unit, size_t at, struct op op)
{
    struct program *program = unit->program;
    struct compiler *compiler = unit->compiler;
    if (compiler->instructions == TEMPLATE_INSTRUCTIONS_MAX) {
        return scan_fail(&unit->scan, at, RC_RANGE, compiler->err,
                         "more than %d tags and texts; make the template smaller",
                         TEMPLATE_INSTRUCTIONS_MAX);
    }
    if (program->count == program->room) {
        uint32_t room = program->room == 0 ? 8 : program->room * 2;
        struct op *ops = arena_array(&compiler->made->arena, room, sizeof *ops);
        if (ops == NULL) {
            return no_memory(compiler);
        }
        if (program->count > 0) {
            memcpy(ops, program->ops, program->count * sizeof *ops);
        }
        program->ops = ops;
        program->room = room;
    }
    program->ops[program->count++] = op;
    compiler->instructions++;
    program->steps++;
    return RC_OK;
}

/* In an indented partial a line begins with the indent, unless a standalone tag swallowed it. */
static enum rc add_indent(struct unit *unit, size_t at)
{
    if (!unit->program->is_lined || !scan_starts_line(&unit->scan, at)) {
        return RC_OK;
    }
    return add_op(unit, at, (struct op){.kind = OP_INDENT});
}

static enum rc add_text(struct unit *unit, struct slice text, size_t at)
{
    while (text.len > 0) {
        struct slice part = text;
        if (unit->program->is_lined) {
            const char *newline = memchr(text.ptr, '\n', text.len);
            part.len = newline == NULL ? text.len : (size_t)(newline - text.ptr) + 1;
        }
        enum rc rc = add_indent(unit, at);
        if (rc == RC_OK) {
            rc = add_op(unit, at, (struct op){.kind = OP_TEXT, .text = part});
        }
        if (rc != RC_OK) {
            return rc;
        }
        text.ptr += part.len;
        text.len -= part.len;
        at += part.len;
    }
    return RC_OK;
}

/* --- names --- */

static enum rc unknown_column(struct unit *unit, const struct scan_step *step)
{
    const struct template_options *options = unit->compiler->options;
    char quoted[QUOTED_BYTES];
    quote_name(step->name, quoted);
    const char *near = name_nearest(step->name, options->column_names, options->column_count);
    if (near != NULL) {
        char shown[QUOTED_BYTES];
        return scan_fail(&unit->scan, step->tag_at, RC_PERM, unit->compiler->err,
                         "unknown column \"%s\"; did you mean \"%s\"?", quoted,
                         quote_name(slice_of(near), shown));
    }
    return scan_fail(&unit->scan, step->tag_at, RC_PERM, unit->compiler->err,
                     "unknown column \"%s\"; use a name from the header row", quoted);
}

static enum rc resolve_dot(struct unit *unit, const struct scan_step *step, uint32_t *out)
{
    *out = COLUMN_DOT;
    if (unit->dots > 0) {
        return RC_OK;
    }
    if (unit->depth > 0) {
        unit->program->needs_dot = true; /* the tag that names this partial answers for it */
        return RC_OK;
    }
    if (unit->compiler->options->allows_unknown) {
        *out = COLUMN_UNKNOWN;
        return RC_OK;
    }
    return scan_fail(&unit->scan, step->tag_at, RC_PERM, unit->compiler->err,
                     "{{.}} stands outside of a section; name a column");
}

/* The column of a tag; with nested data there is nothing to find yet. */
static enum rc resolve(struct unit *unit, const struct scan_step *step, uint32_t *out)
{
    struct compiler *compiler = unit->compiler;
    const struct template_options *options = compiler->options;
    if (options->names_are_dynamic) {
        *out = COLUMN_UNKNOWN;
        return RC_OK;
    }
    for (size_t i = 0; i < options->column_count; i++) {
        if (slice_equal(compiler->columns[i], step->name)) {
            compiler->made->is_used[i] = true;
            *out = (uint32_t)i;
            return RC_OK;
        }
    }
    if (slice_equal_text(step->name, ".")) {
        return resolve_dot(unit, step, out);
    }
    if (options->allows_unknown) {
        *out = COLUMN_UNKNOWN;
        return RC_OK;
    }
    return unknown_column(unit, step);
}

static enum rc add_value(struct unit *unit, const struct scan_step *step)
{
    struct op op = {.kind = OP_VALUE, .text = step->name};
    op.escape = step->kind == TAG_VALUE ? unit->compiler->options->escape : TEMPLATE_PLAIN;
    enum rc rc = resolve(unit, step, &op.column);
    if (rc == RC_OK) {
        rc = add_indent(unit, step->tag_at);
    }
    return rc == RC_OK ? add_op(unit, step->tag_at, op) : rc;
}

/* --- sections --- */

static enum rc open_section(struct unit *unit, const struct scan_step *step)
{
    bool is_inverted = step->kind == TAG_INVERTED;
    struct op op = {.kind = is_inverted ? OP_INVERTED : OP_SECTION, .text = step->name};
    if (unit->open_count == TEMPLATE_NESTING_MAX) {
        return scan_fail(&unit->scan, step->tag_at, RC_PERM, unit->compiler->err,
                         "more than %d sections inside each other; nest less",
                         TEMPLATE_NESTING_MAX);
    }
    enum rc rc = resolve(unit, step, &op.column);
    if (rc == RC_OK && !step->is_standalone) {
        rc = add_indent(unit, step->tag_at);
    }
    if (rc == RC_OK) {
        rc = add_op(unit, step->tag_at, op);
    }
    if (rc != RC_OK) {
        return rc;
    }
    unit->open[unit->open_count++] =
        (struct open_section){unit->program->count - 1, step->tag_at, step->name, is_inverted};
    unit->dots += !is_inverted;
    return RC_OK;
}

static enum rc close_section(struct unit *unit, const struct scan_step *step)
{
    char closed[QUOTED_BYTES];
    quote_name(step->name, closed);
    if (unit->open_count == 0) {
        return scan_fail(&unit->scan, step->tag_at, RC_PERM, unit->compiler->err,
                         "{{/%s}} closes a section that is not open; remove it or open it before",
                         closed);
    }
    const struct open_section *open = &unit->open[unit->open_count - 1];
    if (!slice_equal(open->name, step->name)) {
        char name[QUOTED_BYTES];
        return scan_fail(&unit->scan, step->tag_at, RC_PERM, unit->compiler->err,
                         "{{/%s}} stands where section \"%s\" of line %d is open; close that first",
                         closed, quote_name(open->name, name), scan_line(&unit->scan, open->at));
    }
    enum rc rc = step->is_standalone ? RC_OK : add_indent(unit, step->tag_at);
    unit->program->ops[open->op].end = unit->program->count;
    unit->dots -= !open->is_inverted;
    unit->open_count--;
    return rc;
}

/* --- partials --- */

static struct program *find_program(const struct template *made, struct slice name, bool is_lined)
{
    for (struct program *p = made->programs; p != NULL; p = p->next) {
        if (p != made->main && p->is_lined == is_lined && slice_equal(p->name, name)) {
            return p;
        }
    }
    return NULL;
}

static struct program *new_program(struct template *made, struct slice name, bool is_lined)
{
    struct program *program = arena_alloc(&made->arena, sizeof *program);
    if (program != NULL) {
        program->name = name;
        program->is_lined = is_lined;
        program->next = made->programs;
        made->programs = program;
    }
    return program;
}

/* Load and compile a partial that was not met before. *out stays NULL where there is none. */
static enum rc load_partial(struct unit *unit, const struct scan_step *step, bool is_lined,
                            struct program **out)
{
    struct compiler *compiler = unit->compiler;
    const struct template_options *options = compiler->options;
    char quoted[QUOTED_BYTES];
    quote_name(step->name, quoted);
    struct slice text = {NULL, 0};
    const char *file_name = NULL;
    enum rc rc = options->load_partial == NULL
                     ? RC_GONE
                     : options->load_partial(options->loader_context, step->name, &text, &file_name,
                                             compiler->err);
    if (rc == RC_GONE) {
        return options->names_are_dynamic || options->allows_unknown
                   ? RC_OK
                   : scan_fail(&unit->scan, step->tag_at, RC_PERM, compiler->err,
                               "there is no partial \"%s\"; check its name", quoted);
    }
    if (rc != RC_OK) {
        return err_add(compiler->err, rc, "%s:%d: partial \"%s\"", unit->scan.file_name,
                       scan_line(&unit->scan, step->tag_at), quoted);
    }
    if (text.len > TEMPLATE_BYTES_MAX || ++compiler->partials > TEMPLATE_PARTIALS_MAX) {
        return scan_fail(&unit->scan, step->tag_at, RC_RANGE, compiler->err,
                         "partial \"%s\" is over %d bytes or one of more than %d partials", quoted,
                         TEMPLATE_BYTES_MAX, TEMPLATE_PARTIALS_MAX);
    }
    struct slice copy = {arena_text(&compiler->made->arena, text), text.len};
    struct program *program = new_program(compiler->made, step->name, is_lined);
    if (copy.ptr == NULL || program == NULL) {
        return no_memory(compiler);
    }
    *out = program;
    struct scan scan = scan_start(copy, file_name == NULL ? quoted : file_name, 1);
    return compile_unit(compiler, scan, program, unit->depth + 1);
}

/* With flat data everything about a partial is known before the first row, and so is told here. */
static enum rc check_partial(struct unit *unit, const struct scan_step *step,
                             const struct program *partial)
{
    struct compiler *compiler = unit->compiler;
    char quoted[QUOTED_BYTES];
    quote_name(step->name, quoted);
    if (unit->depth + partial->height + 1 > TEMPLATE_PARTIAL_DEPTH_MAX) {
        return scan_fail(&unit->scan, step->tag_at, RC_PERM, compiler->err,
                         "partial \"%s\": more than %d partials inside each other", quoted,
                         TEMPLATE_PARTIAL_DEPTH_MAX);
    }
    if (compiler->options->names_are_dynamic) {
        return RC_OK;
    }
    if (!partial->is_done) {
        return scan_fail(&unit->scan, step->tag_at, RC_PERM, compiler->err,
                         "partial \"%s\" includes itself; it would never end", quoted);
    }
    if (unit->program->steps + partial->steps > TEMPLATE_STEPS_MAX) {
        return scan_fail(&unit->scan, step->tag_at, RC_RANGE, compiler->err,
                         "partial \"%s\": more than %d tags and texts when all partials are in "
                         "place; include less often",
                         quoted, TEMPLATE_STEPS_MAX);
    }
    if (partial->needs_dot && unit->dots == 0 && unit->depth == 0 &&
        !compiler->options->allows_unknown) {
        return scan_fail(&unit->scan, step->tag_at, RC_PERM, compiler->err,
                         "partial \"%s\" has {{.}} and stands outside of a section", quoted);
    }
    return RC_OK;
}

static enum rc add_partial(struct unit *unit, const struct scan_step *step)
{
    struct compiler *compiler = unit->compiler;
    struct program *caller = unit->program;
    enum rc rc = step->is_standalone ? RC_OK : add_indent(unit, step->tag_at);
    if (rc != RC_OK) {
        return rc;
    }
    bool is_lined = step->is_standalone && (step->indent.len > 0 || caller->is_lined);
    struct program *partial = find_program(compiler->made, step->name, is_lined);
    if (partial == NULL) {
        /* A chain of partials is followed by recursion, so that it is cut before it is entered. */
        static const struct program leaf = {.is_done = true};
        rc = check_partial(unit, step, &leaf);
        if (rc == RC_OK) {
            rc = load_partial(unit, step, is_lined, &partial);
        }
        if (rc != RC_OK || partial == NULL) {
            return rc;
        }
    }
    rc = check_partial(unit, step, partial);
    if (rc != RC_OK) {
        return rc;
    }
    caller->height = caller->height > partial->height + 1 ? caller->height : partial->height + 1;
    caller->steps += partial->steps;
    caller->needs_dot = caller->needs_dot || (partial->needs_dot && unit->dots == 0);
    return add_op(unit, step->tag_at,
                  (struct op){.kind = OP_PARTIAL,
                              .text = step->indent,
                              .keeps_indent = step->is_standalone,
                              .partial = partial});
}

/* --- files --- */

static enum rc add_tag(struct unit *unit, const struct scan_step *step)
{
    switch (step->kind) {
    case TAG_VALUE:
    case TAG_VALUE_RAW:
        return add_value(unit, step);
    case TAG_SECTION:
    case TAG_INVERTED:
        return open_section(unit, step);
    case TAG_CLOSE:
        return close_section(unit, step);
    case TAG_PARTIAL:
        return add_partial(unit, step);
    case TAG_COMMENT:
    case TAG_DELIMITERS:
        return step->is_standalone ? RC_OK : add_indent(unit, step->tag_at);
    case TAG_END:
        break;
    }
    return RC_OK;
}

static enum rc compile_unit(struct compiler *compiler, struct scan scan, struct program *program,
                            int depth)
{
    struct unit unit = {.compiler = compiler, .scan = scan, .program = program, .depth = depth};
    struct scan_step step;
    do {
        enum rc rc = scan_next(&unit.scan, &step, compiler->err);
        if (rc == RC_OK) {
            rc = add_text(&unit, step.text, step.text_at);
        }
        if (rc == RC_OK) {
            rc = add_tag(&unit, &step);
        }
        if (rc != RC_OK) {
            return rc;
        }
    } while (step.kind != TAG_END);
    if (unit.open_count > 0) {
        const struct open_section *open = &unit.open[unit.open_count - 1];
        char quoted[QUOTED_BYTES];
        return scan_fail(&unit.scan, open->at, RC_PERM, compiler->err,
                         "section \"%s\" does not close; end it with {{/%s}}",
                         quote_name(open->name, quoted), quoted);
    }
    program->is_done = true;
    return RC_OK;
}

/* --- the whole --- */

static enum rc prepare_columns(struct compiler *compiler)
{
    const struct template_options *options = compiler->options;
    struct template *made = compiler->made;
    size_t count = options->names_are_dynamic ? 0 : options->column_count;
    struct slice *columns = arena_array(&made->arena, count, sizeof *columns);
    made->is_used = arena_array(&made->arena, count, sizeof *made->is_used);
    made->used = arena_array(&made->arena, count, sizeof *made->used);
    if (columns == NULL || made->is_used == NULL || made->used == NULL) {
        return no_memory(compiler);
    }
    for (size_t i = 0; i < count; i++) {
        columns[i] = slice_of(options->column_names[i]);
    }
    compiler->columns = columns;
    made->column_count = count;
    return RC_OK;
}

static enum rc compile_main(struct compiler *compiler, struct slice text, const char *file_name)
{
    struct template *made = compiler->made;
    struct slice copy = {arena_text(&made->arena, text), text.len};
    struct program *program = new_program(made, SLICE_LITERAL(""), false);
    if (copy.ptr == NULL || program == NULL) {
        return no_memory(compiler);
    }
    made->main = program;
    struct scan scan = scan_start(copy, file_name, compiler->options->first_line);
    enum rc rc = compile_unit(compiler, scan, program, 0);
    for (size_t i = 0; rc == RC_OK && i < made->column_count; i++) {
        if (made->is_used[i]) {
            made->used[made->used_count++] = i;
        }
    }
    return rc;
}

enum rc template_compile(struct slice text, const char *file_name,
                         const struct template_options *options, struct template **out,
                         struct err *err)
{
    assert(file_name != NULL && options != NULL && out != NULL);
    assert(options->column_count < COLUMN_UNKNOWN);
    if (text.len > TEMPLATE_BYTES_MAX) {
        return err_set(err, RC_RANGE, "%s:%d: a template of %zu bytes; at most %d", file_name,
                       options->first_line > 0 ? options->first_line : 1, text.len,
                       TEMPLATE_BYTES_MAX);
    }
    struct template *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a compiled template");
    }
    made->is_dynamic = options->names_are_dynamic;
    struct compiler compiler = {.made = made, .options = options, .err = err};
    enum rc rc = prepare_columns(&compiler);
    if (rc == RC_OK) {
        rc = compile_main(&compiler, text, file_name);
    }
    if (rc != RC_OK) {
        template_free(made);
        return rc;
    }
    *out = made;
    return RC_OK;
}
