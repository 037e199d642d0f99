/*
 * render - walks the programs of a template over a row or over nested data
 *
 * One walker for both: what differs is how a name becomes a value (run_value) and how often a
 * section is shown (run_section). Depth of recursion: at most TEMPLATE_NESTING_MAX + 1 for each of
 * TEMPLATE_PARTIAL_DEPTH_MAX + 1 programs.
 */
#include "template/program.h"

#include <assert.h>

/* what the sections around stand on, innermost first; the root is the last */
struct scope {
    const struct scope *outer;
    const void *node;  /* nested data */
    struct slice text; /* flat data */
};

/* the indents of the partials around, innermost first */
struct indent {
    const struct indent *outer;
    struct slice text;
    bool keeps_outer;
};

struct run {
    const struct template *compiled;
    const struct slice *fields; /* flat data */
    const struct template_node_ops *ops;
    struct buf *out;
    size_t limit; /* of out->len */
    uint32_t steps_left;
    struct err *err;
};

/* where in the programs a walk stands */
struct place {
    const struct program *program;
    const struct indent *indent;
    int depth; /* partials around */
};

static enum rc run_range(struct run *run, const struct place *place, uint32_t begin, uint32_t end,
                         const struct scope *scope);

static enum rc add_output(struct run *run, enum template_escape escape, struct slice text)
{
    if (text.len <= run->limit - run->out->len) {
        template_escape_text(escape, text, run->out);
        if (run->out->len <= run->limit) {
            return RC_OK;
        }
    }
    return err_set(run->err, RC_RANGE, "a rendered template of more than %d bytes",
                   TEMPLATE_OUTPUT_BYTES_MAX);
}

static enum rc take_step(struct run *run)
{
    if (run->steps_left == 0) {
        return err_set(run->err, RC_RANGE, "more than %d tags and texts in one rendering",
                       TEMPLATE_STEPS_MAX);
    }
    run->steps_left--;
    return RC_OK;
}

static enum rc add_indents(struct run *run, const struct indent *indent)
{
    if (indent == NULL) {
        return RC_OK;
    }
    enum rc rc = indent->keeps_outer ? add_indents(run, indent->outer) : RC_OK;
    return rc == RC_OK ? add_output(run, TEMPLATE_PLAIN, indent->text) : rc;
}

/* --- nested data --- */

/* The first part of a dotted name is looked for from the inside out, the others only in what it
 * names (mustache specification, interpolation: "context precedence"). */
static const void *find_node(const struct run *run, const struct scope *scope, struct slice name)
{
    if (slice_equal_text(name, ".")) {
        return scope->node;
    }
    const char *end = name.ptr + name.len;
    const char *dot = memchr(name.ptr, '.', name.len);
    struct slice part = {name.ptr, (size_t)((dot == NULL ? end : dot) - name.ptr)};
    const void *node = NULL;
    for (; scope != NULL && node == NULL; scope = scope->outer) {
        node = run->ops->find(scope->node, part);
    }
    while (dot != NULL && node != NULL) {
        const char *start = dot + 1;
        dot = memchr(start, '.', (size_t)(end - start));
        part = (struct slice){start, (size_t)((dot == NULL ? end : dot) - start)};
        node = run->ops->find(node, part);
    }
    return node;
}

static bool is_shown(const struct run *run, const void *node)
{
    char room[TEMPLATE_NUMBER_BYTES];
    if (node == NULL) {
        return false;
    }
    switch (run->ops->kind(node)) {
    case TEMPLATE_NODE_NULL:
    case TEMPLATE_NODE_FALSE:
        return false;
    case TEMPLATE_NODE_VALUE:
        return run->ops->text(node, room).len > 0;
    case TEMPLATE_NODE_LIST:
        return run->ops->length(node) > 0;
    case TEMPLATE_NODE_MAP:
        return true;
    }
    return false;
}

static enum rc add_node(struct run *run, enum template_escape escape, const void *node)
{
    char room[TEMPLATE_NUMBER_BYTES];
    if (node == NULL) {
        return RC_OK;
    }
    enum template_node_kind kind = run->ops->kind(node);
    if (kind != TEMPLATE_NODE_FALSE && kind != TEMPLATE_NODE_VALUE) {
        return RC_OK;
    }
    return add_output(run, escape, run->ops->text(node, room));
}

static enum rc run_node_section(struct run *run, const struct place *place, uint32_t at,
                                const struct scope *scope, const void *node)
{
    const struct op *op = &place->program->ops[at];
    struct scope inner = {.outer = scope, .node = node};
    if (run->ops->kind(node) != TEMPLATE_NODE_LIST) {
        return run_range(run, place, at + 1, op->end, &inner);
    }
    size_t length = run->ops->length(node);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < length; i++) {
        rc = take_step(run); /* also where the section holds nothing */
        if (rc != RC_OK) {
            break;
        }
        inner.node = run->ops->item(node, i);
        rc = run_range(run, place, at + 1, op->end, &inner);
    }
    return rc;
}

/* --- flat data --- */

static struct slice field_of(const struct run *run, const struct scope *scope, uint32_t column)
{
    if (column == COLUMN_DOT) {
        return scope->text;
    }
    return column == COLUMN_UNKNOWN ? (struct slice){NULL, 0} : run->fields[column];
}

/* --- both --- */

static enum rc run_value(struct run *run, const struct op *op, const struct scope *scope)
{
    if (run->compiled->is_dynamic) {
        return add_node(run, op->escape, find_node(run, scope, op->text));
    }
    return add_output(run, op->escape, field_of(run, scope, op->column));
}

static enum rc run_section(struct run *run, const struct place *place, uint32_t at,
                           const struct scope *scope)
{
    const struct op *op = &place->program->ops[at];
    bool is_inverted = op->kind == OP_INVERTED;
    const void *node = NULL;
    struct scope inner = {.outer = scope};
    bool shows;
    if (run->compiled->is_dynamic) {
        node = find_node(run, scope, op->text);
        shows = is_shown(run, node);
    } else {
        inner.text = field_of(run, scope, op->column);
        shows = inner.text.len > 0;
    }
    if (shows == is_inverted) {
        return RC_OK;
    }
    if (is_inverted) {
        return run_range(run, place, at + 1, op->end, scope);
    }
    return run->compiled->is_dynamic ? run_node_section(run, place, at, scope, node)
                                     : run_range(run, place, at + 1, op->end, &inner);
}

static enum rc run_partial(struct run *run, const struct place *place, const struct op *op,
                           const struct scope *scope)
{
    if (place->depth == TEMPLATE_PARTIAL_DEPTH_MAX) {
        return err_set(run->err, RC_RANGE,
                       "more than %d partials inside each other; a partial includes itself without "
                       "end",
                       TEMPLATE_PARTIAL_DEPTH_MAX);
    }
    struct indent indent = {place->indent, op->text, op->keeps_indent};
    struct place inner = {op->partial, op->keeps_indent ? &indent : NULL, place->depth + 1};
    return run_range(run, &inner, 0, op->partial->count, scope);
}

static enum rc run_range(struct run *run, const struct place *place, uint32_t begin, uint32_t end,
                         const struct scope *scope)
{
    const struct op *ops = place->program->ops;
    enum rc rc = RC_OK;
    for (uint32_t at = begin; rc == RC_OK && at < end; at++) {
        const struct op *op = &ops[at];
        rc = take_step(run);
        if (rc != RC_OK) {
            return rc;
        }
        switch (op->kind) {
        case OP_TEXT:
            rc = add_output(run, TEMPLATE_PLAIN, op->text);
            break;
        case OP_INDENT:
            rc = add_indents(run, place->indent);
            break;
        case OP_VALUE:
            rc = run_value(run, op, scope);
            break;
        case OP_SECTION:
        case OP_INVERTED:
            rc = run_section(run, place, at, scope);
            at = op->end - 1;
            break;
        case OP_PARTIAL:
            rc = run_partial(run, place, op, scope);
            break;
        }
    }
    return rc;
}

static enum rc run_template(struct run *run, const struct scope *root)
{
    struct buf *out = run->out;
    size_t start = out->len;
    run->limit = start + TEMPLATE_OUTPUT_BYTES_MAX;
    run->steps_left = TEMPLATE_STEPS_MAX;
    struct place place = {.program = run->compiled->main};
    enum rc rc = run_range(run, &place, 0, place.program->count, root);
    if (rc == RC_OK) {
        rc = buf_ok(out, run->err);
    }
    if (rc != RC_OK && out->ptr != NULL) {
        out->len = start;
        out->ptr[start] = '\0';
    }
    return rc;
}

enum rc template_render(const struct template *compiled, const struct slice *fields, size_t count,
                        struct buf *out, struct err *err)
{
    assert(!compiled->is_dynamic);
    if (count < compiled->column_count) {
        return err_set(err, RC_PERM, "a row of %zu fields for a template over %zu columns", count,
                       compiled->column_count);
    }
    struct run run = {.compiled = compiled, .fields = fields, .out = out, .err = err};
    struct scope root = {.outer = NULL};
    return run_template(&run, &root);
}

enum rc template_render_nodes(const struct template *compiled, const struct template_node_ops *ops,
                              const void *root, struct buf *out, struct err *err)
{
    assert(compiled->is_dynamic && root != NULL);
    struct run run = {.compiled = compiled, .ops = ops, .out = out, .err = err};
    struct scope scope = {.node = root};
    return run_template(&run, &scope);
}
