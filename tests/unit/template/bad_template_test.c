/*
 * What is wrong with a template is told with file and line, and nothing makes the compiler or the
 * renderer crash or run without end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "template/scan.h"
#include "template/template.h"

static const char *const COLUMNS[] = {"first_name", "last_name", "city"};
enum { COLUMN_COUNT = sizeof COLUMNS / sizeof COLUMNS[0] };

/* context: name, text, name, text, ..., NULL */
static enum rc load_from_list(void *context, struct slice name, struct slice *out_text,
                              const char **out_file, struct err *err)
{
    (void)out_file;
    for (const char *const *at = context; at != NULL && *at != NULL; at += 2) {
        if (slice_equal_text(name, at[0])) {
            *out_text = slice_of(at[1]);
            return RC_OK;
        }
    }
    if (slice_equal_text(name, "broken")) {
        return err_set(err, RC_TEMP, "cannot be read now");
    }
    return RC_GONE;
}

struct chain {
    int last;
    int includes; /* how often each includes the next, 1 or 2 */
};

/* "p0" includes "p1" includes ... up to chain.last */
static enum rc load_chain(void *context, struct slice name, struct slice *out_text,
                          const char **out_file, struct err *err)
{
    static char text[2][64];
    static int turn;
    (void)out_file;
    (void)err;
    const struct chain *chain = context;
    int at = atoi(name.ptr + 1);
    turn = !turn;
    if (at < chain->last) {
        int used = 0;
        for (int i = 0; i < chain->includes; i++) {
            used +=
                snprintf(text[turn] + used, sizeof text[turn] - (size_t)used, "{{>p%d}}", at + 1);
        }
    } else {
        (void)snprintf(text[turn], sizeof text[turn], "x");
    }
    *out_text = slice_of(text[turn]);
    return RC_OK;
}

static struct template_options flat_options(const char *const *partials)
{
    return (struct template_options){.column_names = COLUMNS,
                                     .column_count = COLUMN_COUNT,
                                     .load_partial = load_from_list,
                                     .loader_context = (void *)partials};
}

static void assert_compile_fails(struct slice text, const struct template_options *options,
                                 enum rc expected, const char *message)
{
    struct template *compiled = NULL;
    struct err err = {""};
    enum rc rc = template_compile(text, "t.mustache", options, &compiled, &err);
    if (rc != expected || strstr(err.text, message) == NULL) {
        print_message("%.*s\n  expected %s: %s\n  was      %s: %s\n", (int)text.len, text.ptr,
                      rc_name(expected), message, rc_name(rc), err.text);
        fail();
    }
    assert_null(compiled);
}

static void assert_refused(const char *text, const char *message)
{
    struct template_options options = flat_options(NULL);
    assert_compile_fails(slice_of(text), &options, RC_PERM, message);
}

static void template_compile__unknown_column__names_the_nearest(void **state)
{
    (void)state;
    assert_refused("a\nb {{first_nam}}",
                   "t.mustache:2: unknown column \"first_nam\"; did you mean \"first_name\"?");
    assert_refused("{{#citi}}{{/citi}}", "t.mustache:1: unknown column \"citi\"; did you mean");
    assert_refused("\n\n{{zzzzzzzzz}}",
                   "t.mustache:3: unknown column \"zzzzzzzzz\"; use a name from the header row");
    assert_refused("{{^nobody_here}}{{/nobody_here}}", "unknown column \"nobody_here\"");
    assert_refused("{{.}}", "t.mustache:1: {{.}} stands outside of a section");
    assert_refused("{{^city}}{{.}}{{/city}}", "{{.}} stands outside of a section");
}

static void template_compile__first_line_given__counts_from_it(void **state)
{
    (void)state;
    struct template_options options = flat_options(NULL);
    options.first_line = 34;
    assert_compile_fails(slice_of("\n{{nope_at_all}}"), &options, RC_PERM,
                         "t.mustache:35: unknown");
}

static void template_compile__tag_never_closed__reports_line(void **state)
{
    (void)state;
    assert_refused("a\n{{city", "t.mustache:2: a tag that does not close; end it with }}");
    assert_refused("{{", "t.mustache:1: a tag that does not close");
    assert_refused("x{{{city}}", "end it with }}}");
    assert_refused("{{=<% %>", "end it with =}}");
    assert_refused("{{! comment", "a tag that does not close");
    assert_refused("{{=<% %>=}}\n<%city}}",
                   "t.mustache:2: a tag that does not close; end it with %>");
    assert_refused("{{city}", "a tag that does not close");
}

static void template_compile__section_never_closed__reports_where_it_opened(void **state)
{
    (void)state;
    assert_refused("a\n{{#city}}\nb\n", "t.mustache:2: section \"city\" does not close");
    assert_refused("{{^city}}", "t.mustache:1: section \"city\" does not close");
}

static void template_compile__unexpected_close__reports_both_lines(void **state)
{
    (void)state;
    assert_refused("\n{{/city}}", "t.mustache:2: {{/city}} closes a section that is not open");
    assert_refused("{{#city}}\n{{#first_name}}\n{{/city}}{{/first_name}}",
                   "t.mustache:3: {{/city}} stands where section \"first_name\" of line 2 is open");
}

static void template_compile__tags_without_sense__are_refused(void **state)
{
    (void)state;
    assert_refused("{{}}", "a tag without a name");
    assert_refused("{{ # }}", "unknown column \"#\"");
    assert_refused("{{#  }}", "a tag without a name");
    assert_refused("{{{ }}}", "a tag without a name");
    assert_refused("{{=<% =}}", "delimiters make no sense");
    assert_refused("{{==}}", "delimiters make no sense");
    assert_refused("{{=a b c=}}", "delimiters make no sense");
    assert_refused("{{=a=b c=}}", "delimiters make no sense");
    assert_refused("{{=12345678901234567 x=}}", "delimiters make no sense");
    assert_refused("{{<layout}}{{/layout}}", "inheritance");
    assert_refused("{{$block}}{{/block}}", "inheritance");
    assert_refused("{{>*name}}", "a partial whose name is looked up");
}

static void template_compile__odd_name__is_shown_on_one_line(void **state)
{
    (void)state;
    assert_refused("{{a\nb\x1b[31m}}", "unknown column \"a?b?[31m\"");
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, "{{");
    for (int i = 0; i < 100; i++) {
        buf_add_byte(&text, 'n');
    }
    buf_add_text(&text, "}}");
    assert_refused(buf_text(&text), "nnn...\"; use a name");
    assert_refused(
        "{{"
        "n\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
        "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
        "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9}"
        "}",
        "\xC3\xA9...\"; use a name");
    buf_clear(&text);
    buf_add_text(&text, "{{");
    for (int i = 0; i < TEMPLATE_NAME_BYTES_MAX + 1; i++) {
        buf_add_byte(&text, 'n');
    }
    buf_add_text(&text, "}}");
    assert_refused(buf_text(&text), "a name of 257 bytes");
    buf_release(&text);
}

static void add_nested(struct buf *text, int count)
{
    for (int i = 0; i < count; i++) {
        buf_add_text(text, "{{#city}}");
    }
    buf_add_text(text, "x");
    for (int i = 0; i < count; i++) {
        buf_add_text(text, "{{/city}}");
    }
}

static void template_compile__nested_too_deep__is_refused(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    struct template_options options = flat_options(NULL);
    struct template *compiled = NULL;
    add_nested(&text, TEMPLATE_NESTING_MAX);
    assert_int_equal(template_compile(buf_slice(&text), "t", &options, &compiled, NULL), RC_OK);
    template_free(compiled);
    buf_clear(&text);
    add_nested(&text, TEMPLATE_NESTING_MAX + 1);
    assert_refused(buf_text(&text), "more than 64 sections inside each other");
    buf_clear(&text);
    add_nested(&text, 10000);
    assert_refused(buf_text(&text), "more than 64 sections inside each other");
    buf_release(&text);
}

static void template_compile__text_too_long__reports_range(void **state)
{
    (void)state;
    char *text = malloc(TEMPLATE_BYTES_MAX + 1);
    assert_non_null(text);
    memset(text, 'x', TEMPLATE_BYTES_MAX + 1);
    struct template_options options = flat_options(NULL);
    struct template *compiled = NULL;
    struct slice whole = {text, TEMPLATE_BYTES_MAX};
    assert_int_equal(template_compile(whole, "t", &options, &compiled, NULL), RC_OK);
    template_free(compiled);
    whole.len++;
    struct err err = {""};
    compiled = NULL;
    assert_int_equal(template_compile(whole, "t", &options, &compiled, &err), RC_RANGE);
    assert_string_equal(err.text, "t:1: a template of 1048577 bytes; at most 1048576");
    assert_null(compiled);
    free(text);
}

static void template_compile__too_many_tags__reports_range(void **state)
{
    (void)state;
    static const char *const columns[] = {"a"};
    struct template_options options = {.column_names = columns, .column_count = 1};
    struct buf text = BUF_EMPTY;
    for (int i = 0; i <= TEMPLATE_INSTRUCTIONS_MAX / 2; i++) {
        buf_add_text(&text, "{{a}}-");
    }
    assert_compile_fails(buf_slice(&text), &options, RC_RANGE, "more than 262144 tags and texts");
    buf_release(&text);
}

static void template_compile__partial_missing_or_unreadable__is_told(void **state)
{
    (void)state;
    struct template_options options = flat_options(NULL);
    assert_refused("a\n{{>header}}", "t.mustache:2: there is no partial \"header\"");
    assert_compile_fails(slice_of("\n{{>broken}}"), &options, RC_TEMP,
                         "t.mustache:2: partial \"broken\": cannot be read now");
    options.load_partial = NULL;
    assert_compile_fails(slice_of("{{>header}}"), &options, RC_PERM, "there is no partial");
}

static void template_compile__error_in_partial__names_the_partial(void **state)
{
    (void)state;
    static const char *const partials[] = {"head",  "\n\n{{cty}}", "open",     "{{#city}}", "dot",
                                           "{{.}}", "more",        "{{>dot}}", NULL};
    struct template_options options = flat_options(partials);
    assert_compile_fails(slice_of("{{>head}}"), &options, RC_PERM,
                         "head:3: unknown column \"cty\"; did you mean \"city\"?");
    assert_compile_fails(slice_of("{{>open}}{{/city}}"), &options, RC_PERM,
                         "open:1: section \"city\" does not close");
    assert_compile_fails(slice_of("\n{{#city}}{{>dot}}{{/city}}\n{{>dot}}"), &options, RC_PERM,
                         "t.mustache:3: partial \"dot\" has {{.}} and stands outside of a section");
    assert_compile_fails(slice_of("{{>more}}"), &options, RC_PERM,
                         "partial \"more\" has {{.}} and stands outside of a section");
}

static void template_compile__partial_includes_itself__is_refused(void **state)
{
    (void)state;
    static const char *const partials[] = {"self", "a{{>self}}",    "ping", "{{>pong}}",
                                           "pong", "\n  {{>ping}}", NULL};
    struct template_options options = flat_options(partials);
    assert_compile_fails(slice_of("{{>self}}"), &options, RC_PERM,
                         "self:1: partial \"self\" includes itself");
    assert_compile_fails(slice_of("{{#city}}{{>ping}}{{/city}}"), &options, RC_PERM,
                         "includes itself");
    assert_compile_fails(slice_of("  {{>ping}}"), &options, RC_PERM, "includes itself");
}

static void assert_chain_renders(struct chain chain, size_t expected_len)
{
    struct template_options options = flat_options(NULL);
    options.load_partial = load_chain;
    options.loader_context = &chain;
    struct template *compiled = NULL;
    assert_int_equal(template_compile(slice_of("{{>p0}}"), "t", &options, &compiled, NULL), RC_OK);
    struct buf out = BUF_EMPTY;
    static const struct slice row[COLUMN_COUNT];
    assert_int_equal(template_render(compiled, row, COLUMN_COUNT, &out, NULL), RC_OK);
    assert_int_equal(out.len, expected_len);
    buf_release(&out);
    template_free(compiled);
}

static void template_compile__partials_too_deep__is_refused(void **state)
{
    (void)state;
    struct chain chain = {.last = 1000, .includes = 1};
    struct template_options options = flat_options(NULL);
    options.load_partial = load_chain;
    options.loader_context = &chain;
    assert_compile_fails(slice_of("{{>p0}}"), &options, RC_PERM,
                         "p31:1: partial \"p32\": more than 32 partials inside each other");
    chain.last = 40; /* p20 to p40 are known when p19 names p20 */
    assert_compile_fails(slice_of("{{>p20}}{{>p0}}"), &options, RC_PERM,
                         "more than 32 partials inside each other");
    assert_chain_renders((struct chain){.last = 31, .includes = 1}, 1);
}

static void template_compile__partials_grow_without_measure__reports_range(void **state)
{
    (void)state;
    struct chain chain = {.last = 30, .includes = 2}; /* 2^30 times the last one */
    struct template_options options = flat_options(NULL);
    options.load_partial = load_chain;
    options.loader_context = &chain;
    assert_compile_fails(slice_of("{{>p0}}"), &options, RC_RANGE,
                         "more than 4194304 tags and texts when all partials are in place");
    assert_chain_renders((struct chain){.last = 10, .includes = 2}, 1 << 10);
}

static void template_compile__too_many_partials__reports_range(void **state)
{
    (void)state;
    struct chain chain = {.last = 0}; /* none includes another */
    struct template_options options = flat_options(NULL);
    options.load_partial = load_chain;
    options.loader_context = &chain;
    struct buf text = BUF_EMPTY;
    for (int i = 0; i < TEMPLATE_PARTIALS_MAX; i++) {
        buf_add_format(&text, "{{>p%d}}", i);
    }
    struct template *compiled = NULL;
    assert_int_equal(template_compile(buf_slice(&text), "t", &options, &compiled, NULL), RC_OK);
    template_free(compiled);
    buf_add_text(&text, "{{>p9999}}");
    assert_compile_fails(buf_slice(&text), &options, RC_RANGE, "more than 256 partials");
    buf_release(&text);
}

/* --- nested data: an endless list of itself --- */

static const void *loop_find(const void *node, struct slice name)
{
    return slice_equal_text(name, "node") ? node : NULL;
}

static enum template_node_kind loop_kind(const void *node)
{
    (void)node;
    return TEMPLATE_NODE_LIST;
}

static struct slice loop_text(const void *node, char *room)
{
    (void)node;
    room[0] = 'x';
    return (struct slice){room, 1};
}

static size_t loop_length(const void *list)
{
    (void)list;
    return SIZE_MAX;
}

static const void *loop_item(const void *list, size_t index)
{
    (void)index;
    return list;
}

static const struct template_node_ops LOOP_OPS = {loop_find, loop_kind, loop_text, loop_length,
                                                  loop_item};

static void assert_nodes_stop(const char *text, const char *message)
{
    static const char *const partials[] = {"self", " {{#node}}a\n {{>self}}\n{{/node}}", NULL};
    struct template_options options = {.names_are_dynamic = true,
                                       .load_partial = load_from_list,
                                       .loader_context = (void *)partials};
    struct template *compiled = NULL;
    struct buf out = BUF_EMPTY;
    struct err err = {""};
    assert_int_equal(template_compile(slice_of(text), "t", &options, &compiled, &err), RC_OK);
    buf_add_text(&out, "keep");
    assert_int_equal(template_render_nodes(compiled, &LOOP_OPS, &out, &out, &err), RC_RANGE);
    assert_non_null(strstr(err.text, message));
    assert_string_equal(buf_text(&out), "keep");
    buf_release(&out);
    template_free(compiled);
}

static void template_render_nodes__without_end__stops_at_the_limits(void **state)
{
    (void)state;
    assert_nodes_stop("{{>self}}", "more than 32 partials inside each other");
    assert_nodes_stop("{{#node}}{{/node}}", "more than 4194304 tags and texts in one rendering");
    assert_nodes_stop("{{#node}}{{#node}}{{missing}}{{/node}}{{/node}}", "in one rendering");
    assert_nodes_stop("{{#node}}0123456789012345678901234567890123456789{{/node}}",
                      "more than 16777216 bytes");
}

/* --- bytes at random --- */

static uint64_t next_random(uint64_t *seed)
{
    uint64_t z = (*seed += UINT64_C(0x9E3779B97F4A7C15)); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static void add_random_piece(struct buf *text, uint64_t *seed)
{
    static const char *const pieces[] = {
        "{{",        "}}",        "{{{",       "}}}", "{{#city}}", "{{/city}}",   "{{^node}}",
        "{{/node}}", "{{>self}}", "{{>tree}}", "{{=", "=}}",       "{{=<% %>=}}", "<%={{ }}=%>",
        "{{city}}",  "{{.}}",     "{{!",       "\n",  "\r\n",      "  ",          "{{#node}}",
        "{{&city}}", "a.b",       "#",         "/",   "<%city%>",  "{{/",         "\t{{>tree}}\n"};
    uint64_t pick = next_random(seed);
    if (pick % 8 == 0) {
        buf_add_byte(text, (char)(pick >> 8));
    } else {
        buf_add_text(text, pieces[(pick >> 8) % (sizeof pieces / sizeof pieces[0])]);
    }
}

/* The scanner alone, over a copy without a byte behind it, so that the sanitizers see a read past
 * it. */
static void assert_scan_ends(struct slice text)
{
    char *exact = malloc(text.len > 0 ? text.len : 1);
    assert_non_null(exact);
    memcpy(exact, text.len > 0 ? text.ptr : "", text.len);
    struct scan scan = scan_start((struct slice){exact, text.len}, "t", 1);
    struct scan_step step = {.kind = TAG_COMMENT};
    size_t steps = 0;
    while (step.kind != TAG_END && scan_next(&scan, &step, NULL) == RC_OK) {
        steps++;
        assert_true(steps <= text.len + 1);
    }
    free(exact);
}

static void template_compile__random_text__never_crashes(void **state)
{
    (void)state;
    enum { ROUNDS = 60000, PIECES_MAX = 24 };
    static const char *const partials[] = {"self", "{{>self}}", "tree",
                                           "{{city}}\n {{#city}}x\n{{/city}}y", NULL};
    static const struct slice row[COLUMN_COUNT] = {{"a", 1}, {"", 0}, {"Lille", 5}};
    struct buf text = BUF_EMPTY;
    struct buf out = BUF_EMPTY;
    uint64_t seed = 20270301;
    size_t compiled_count = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct template_options options = flat_options(partials);
        options.escape = (enum template_escape)(round % 4);
        options.allows_unknown = round % 3 == 0;
        buf_clear(&text);
        for (uint64_t left = next_random(&seed) % PIECES_MAX; left > 0; left--) {
            add_random_piece(&text, &seed);
        }
        struct slice whole = buf_slice(&text);
        assert_scan_ends(whole);
        struct template *compiled = NULL;
        struct err err = {""};
        enum rc rc = template_compile(whole, "t", &options, &compiled, &err);
        assert_true(rc == RC_OK || (rc == RC_PERM && strncmp(err.text, "t:", 2) == 0) ||
                    strncmp(err.text, "self:1", 6) == 0);
        if (rc == RC_OK) {
            compiled_count++;
            buf_clear(&out);
            assert_int_equal(template_render(compiled, row, COLUMN_COUNT, &out, NULL), RC_OK);
        }
        template_free(compiled);
    }
    print_message("%zu of %d random templates compiled\n", compiled_count, (int)ROUNDS);
    assert_true(compiled_count > ROUNDS / 50);
    buf_release(&text);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(template_compile__unknown_column__names_the_nearest),
        cmocka_unit_test(template_compile__first_line_given__counts_from_it),
        cmocka_unit_test(template_compile__tag_never_closed__reports_line),
        cmocka_unit_test(template_compile__section_never_closed__reports_where_it_opened),
        cmocka_unit_test(template_compile__unexpected_close__reports_both_lines),
        cmocka_unit_test(template_compile__tags_without_sense__are_refused),
        cmocka_unit_test(template_compile__odd_name__is_shown_on_one_line),
        cmocka_unit_test(template_compile__nested_too_deep__is_refused),
        cmocka_unit_test(template_compile__text_too_long__reports_range),
        cmocka_unit_test(template_compile__too_many_tags__reports_range),
        cmocka_unit_test(template_compile__partial_missing_or_unreadable__is_told),
        cmocka_unit_test(template_compile__error_in_partial__names_the_partial),
        cmocka_unit_test(template_compile__partial_includes_itself__is_refused),
        cmocka_unit_test(template_compile__partials_too_deep__is_refused),
        cmocka_unit_test(template_compile__partials_grow_without_measure__reports_range),
        cmocka_unit_test(template_compile__too_many_partials__reports_range),
        cmocka_unit_test(template_render_nodes__without_end__stops_at_the_limits),
        cmocka_unit_test(template_compile__random_text__never_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
