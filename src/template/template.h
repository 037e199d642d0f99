/*
 * template - Mustache, compiled once and rendered for every recipient
 *
 * The core of the Mustache specification: {{name}}, {{{name}}}, {{&name}}, {{#section}},
 * {{^inverted}}, {{/close}}, {{! comment }}, {{>partial}}, {{=<% %>=}}. Inheritance ({{<x}},
 * {{$x}}) and partials whose name is looked up ({{>*x}}) are errors; lambdas are not known.
 *
 * Two kinds of data, one engine:
 *
 * flat      (the usual case) The names are columns of a table and become indexes when the template
 *           is compiled, so that a mistyped name is an error before the first row. A section over a
 *           column is shown once when the field is not empty ("0" and "false" are not empty), an
 *           inverted one when it is. Inside {{#column}}, {{.}} is that column. A column whose name
 *           holds dots is written as it is.
 * nested    (options.names_are_dynamic) Names are looked up while rendering, over nodes that the
 *           caller describes by struct template_node_ops. Missing names and partials are empty.
 *           Null, false, an empty text and an empty list hide a section; a list shows it for each
 *           of its items.
 *
 * Values are never read as templates. A compiled template is not changed by rendering: any number
 * of threads may render it at the same time.
 */
#ifndef POSTROOM_TEMPLATE_TEMPLATE_H
#define POSTROOM_TEMPLATE_TEMPLATE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum {
    TEMPLATE_BYTES_MAX = 1 << 20,      /* one template or partial; a mail body is rarely 100 KiB */
    TEMPLATE_NESTING_MAX = 64,         /* sections inside each other, in one file */
    TEMPLATE_PARTIAL_DEPTH_MAX = 32,   /* partials inside each other */
    TEMPLATE_PARTIALS_MAX = 256,       /* different partials of one template */
    TEMPLATE_NAME_BYTES_MAX = 256,     /* of a name in a tag */
    TEMPLATE_DELIMITER_BYTES_MAX = 16, /* of one delimiter */
    TEMPLATE_INSTRUCTIONS_MAX = 1 << 18,  /* compiled, partials included: bounds memory to 32 MiB */
    TEMPLATE_STEPS_MAX = 1 << 22,         /* instructions run in one render: bounds its time */
    TEMPLATE_OUTPUT_BYTES_MAX = 16 << 20, /* of one render */
    TEMPLATE_NUMBER_BYTES = 64            /* room for the text of a number, see template_node_ops */
};

/* What {{name}} does to a value. {{{name}}} and {{&name}} never escape. */
enum template_escape {
    TEMPLATE_PLAIN = 0, /* nothing */
    TEMPLATE_HTML,      /* & < > " ' become character references */
    TEMPLATE_JSON,      /* inside a JSON string (the template has the quotes); no UTF-8: U+FFFD */
    TEMPLATE_URL        /* all but A-Z a-z 0-9 - . _ ~ become %XX (RFC 3986 2.3) */
};

struct template; /* compiled */

/*
 * template_load_partial - gives the text of a partial while compiling
 *
 * context     options.loader_context
 * name        as written in the tag, blanks around it removed; not a checked path
 * out_text    borrowed until template_compile returns
 * out_file    name for error texts, borrowed as long; left NULL: the name of the partial
 *
 * Returns   RC_OK
 *           RC_GONE  there is no such partial (no text needed)
 *           anything else ends the compile and is what template_compile returns
 */
typedef enum rc template_load_partial(void *context, struct slice name, struct slice *out_text,
                                      const char **out_file, struct err *err);

struct template_options {
    enum template_escape escape;
    const char *const *column_names; /* flat: NUL-terminated, borrowed during the compile */
    size_t column_count;
    bool allows_unknown;    /* flat: unknown columns and partials are empty, no error */
    bool names_are_dynamic; /* nested data: columns are not used */
    int first_line;         /* line of the text's first line in file_name; 0 means 1 */
    template_load_partial *load_partial; /* NULL: there are no partials */
    void *loader_context;
};

/*
 * template_compile - from text to a template that renders fast
 *
 * text       the template; borrowed during the call, its bytes are copied
 * file_name  for error texts
 * options    copied; its pointers are not kept
 * out        set on success; template_free
 *
 * Returns   RC_OK
 *           RC_PERM   "FILE:LINE: ..." a tag or section that does not close, an unexpected close,
 *                     nesting too deep, delimiters or a name that make no sense, an unknown column
 *                     ("did you mean"), an unknown partial, a partial that includes itself (flat)
 *           RC_RANGE  "FILE:LINE: ..." text, partials, instructions or steps over the limits above
 *           RC_NOMEM
 *           what the loader returned
 * Cost      O(text + tags * columns)
 */
enum rc template_compile(struct slice text, const char *file_name,
                         const struct template_options *options, struct template **out,
                         struct err *err) MUST_CHECK;

/* template_free - accepts NULL */
void template_free(struct template *compiled);

/*
 * template_render - append the text for one row
 *
 * compiled  compiled for flat data (asserted)
 * fields    the row, in the order of column_names
 * count     at least column_count
 * out       appended to; on any error its length is as before
 *
 * Returns   RC_OK
 *           RC_PERM   the row has fewer fields than the template was compiled for
 *           RC_RANGE  the output passed TEMPLATE_OUTPUT_BYTES_MAX
 *           RC_NOMEM  also when out had failed before
 * Cost      O(output); allocates nothing but the growth of out
 */
enum rc template_render(const struct template *compiled, const struct slice *fields, size_t count,
                        struct buf *out, struct err *err) MUST_CHECK;

/* template_uses - whether the value of this column can change the output (flat data) */
bool template_uses(const struct template *compiled, size_t column);

/* template_used_count, template_used_column - the columns used, by rising index
 * (at < template_used_count() is asserted) */
size_t template_used_count(const struct template *compiled);
size_t template_used_column(const struct template *compiled, size_t at);

enum template_node_kind {
    TEMPLATE_NODE_NULL = 0, /* hides sections, prints nothing */
    TEMPLATE_NODE_FALSE,    /* hides sections, prints its text */
    TEMPLATE_NODE_VALUE,    /* text, number, true: shows a section unless its text is empty */
    TEMPLATE_NODE_LIST,
    TEMPLATE_NODE_MAP
};

/* How to read nested data. Nodes are opaque, not NULL, and must not change during a render. */
struct template_node_ops {
    /* the member of a map; NULL when there is none or the node is no map */
    const void *(*find)(const void *node, struct slice name);
    enum template_node_kind (*kind)(const void *node);
    /* of a FALSE or VALUE; may be written to room (TEMPLATE_NUMBER_BYTES) or point into the node */
    struct slice (*text)(const void *node, char *room);
    size_t (*length)(const void *list);                  /* of a LIST */
    const void *(*item)(const void *list, size_t index); /* of a LIST; not NULL below length */
};

/*
 * template_render_nodes - append the text for nested data
 *
 * compiled  compiled with names_are_dynamic (asserted)
 * root      the data
 *
 * out       appended to; on any error its length is as before
 *
 * Returns   RC_OK
 *           RC_RANGE  output, steps or depth of partials over the limits above: a partial that
 *                     includes itself without end stops here
 *           RC_NOMEM
 * Cost      O(output + tags * depth of sections); stack about 0.6 MiB at the limits
 */
enum rc template_render_nodes(const struct template *compiled, const struct template_node_ops *ops,
                              const void *root, struct buf *out, struct err *err) MUST_CHECK;

/* template_escape_text - append text as {{name}} would; a lost append shows in buf_ok(out) */
void template_escape_text(enum template_escape escape, struct slice text, struct buf *out);

#endif
