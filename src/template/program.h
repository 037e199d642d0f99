/*
 * program - what a template is compiled to (internal to template)
 *
 * Each file (the template itself, each partial) becomes one list of instructions. A section is the
 * instruction with the index behind its last one, so that rendering walks ranges and needs no stack
 * of its own. The text of a partial that may be indented is compiled with OP_INDENT at the start of
 * each line: the indent itself is known only while rendering.
 */
#ifndef POSTROOM_TEMPLATE_PROGRAM_H
#define POSTROOM_TEMPLATE_PROGRAM_H

#include "base/arena.h"
#include "template/template.h"

#include <stdint.h>

enum op_kind {
    OP_TEXT,     /* text */
    OP_INDENT,   /* the indents of the partials around, outermost first */
    OP_VALUE,    /* column or text (the name), escape */
    OP_SECTION,  /* column or text (the name), end */
    OP_INVERTED, /* column or text (the name), end */
    OP_PARTIAL   /* partial, text (its own indent), keeps_indent */
};

#define COLUMN_DOT UINT32_MAX           /* {{.}}: what the innermost section stands on */
#define COLUMN_UNKNOWN (UINT32_MAX - 1) /* allowed, always empty */

struct op {
    enum op_kind kind;
    enum template_escape escape;
    bool keeps_indent; /* a standalone partial inside an indented one is indented by both */
    uint32_t end;
    uint32_t column; /* flat data */
    struct slice text;
    const struct program *partial;
};

struct program {
    struct program *next; /* all programs of a template */
    struct slice name;    /* of the partial */
    bool is_lined;        /* compiled with OP_INDENT */
    bool is_done;         /* false while it is being compiled */
    bool needs_dot;       /* flat: {{.}} outside of a section; only where a section is around */
    int height;           /* partials below, deepest chain */
    uint64_t steps;       /* flat: most instructions one run takes, partials included */
    struct op *ops;       /* [room], in the arena; grows by doubling */
    uint32_t count;
    uint32_t room;
};

struct template
{
    struct arena arena; /* texts, programs, instructions, column lists */
    struct program *programs;
    const struct program *main;
    bool is_dynamic;
    size_t column_count;
    bool *is_used; /* [column_count] */
    size_t *used;  /* [used_count], rising */
    size_t used_count;
};

#endif
